//! What one entry of a table counts, as one number. Pure: the time is given, and nothing is kept.

use dnsplane_proto::{MOST_REPLIES, MOST_SLIP, QueryLimit, ReplyLimit};
use std::time::Duration;

/// What an entry says after a query or a reply was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counted<T> {
    /// The entry from now on.
    pub(super) state: u64,
    /// What becomes of the query or reply.
    pub(super) verdict: T,
}

/// Takes a token, if there is one. The state is the time, in microseconds, at which the bucket will be full again: so
/// nothing has to be added while nobody asks.
pub(super) fn take(full_at: Option<u64>, now: Duration, limit: &QueryLimit) -> Counted<bool> {
    let now = micros(now);
    let token = 1_000_000_000 / u64::from(limit.millis_per_second.max(1));
    let whole = token.saturating_mul(limit.burst.max(1).into());
    // A bucket with b tokens missing is full in b × token. More cannot be missing, whatever the limit was before.
    let full_at = full_at.unwrap_or(now).clamp(now, now.saturating_add(whole));
    let after = full_at.saturating_add(token);
    if after - now <= whole {
        Counted { state: after, verdict: true }
    } else {
        Counted { state: full_at, verdict: false }
    }
}

/// What becomes of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is sent.
    Send,
    /// It is one too many.
    TooMany,
    /// It is one too many, and the one of several that is not passed over in silence.
    Slip,
}

/// Replies in this window and in the one before, which counts less the longer it is over: as if a window slid. Replies that
/// are not sent do not count.
pub(super) fn count(state: Option<u64>, now: Duration, limit: &ReplyLimit, slip: u32) -> Counted<Verdict> {
    let length = u64::from(limit.seconds.max(1)) * 1_000_000;
    let (number, passed) = (micros(now) / length, micros(now) % length);
    let mut window = match state.map(Window::from) {
        Some(old) if old.number == number & NUMBER => old,
        Some(old) if old.number == number.wrapping_sub(1) & NUMBER => {
            Window { before: old.sent, sent: 0, number: number & NUMBER, ..old }
        }
        _ => Window { number: number & NUMBER, before: 0, sent: 0, withheld: 0 },
    };
    let weighed = window.before * (length - passed) / length;
    let verdict = if window.sent + weighed < u64::from(limit.most.min(MOST_REPLIES)) {
        window.sent += 1;
        Verdict::Send
    } else {
        window.withheld += 1;
        let slips = slip > 0 && window.withheld >= u64::from(slip);
        if slips || window.withheld >= WITHHELD {
            window.withheld = 0;
        }
        if slips { Verdict::Slip } else { Verdict::TooMany }
    };
    Counted { state: window.into(), verdict }
}

/// Bits for replies of a window; [`MOST_REPLIES`] fits.
const COUNT_BITS: u32 = 18;
const COUNT: u64 = (1 << COUNT_BITS) - 1;
/// Bits for the number of a window. Those of a second come again after twelve days; who was silent for exactly that long has
/// old replies held against it, for one window.
const NUMBER_BITS: u32 = 20;
const NUMBER: u64 = (1 << NUMBER_BITS) - 1;
/// Largest count of withheld replies; [`MOST_SLIP`] fits.
const WITHHELD: u64 = (1 << (64 - NUMBER_BITS - 2 * COUNT_BITS)) - 1;
const _: () = assert!(MOST_REPLIES as u64 <= COUNT && MOST_SLIP as u64 <= WITHHELD);

struct Window {
    number: u64,
    before: u64,
    sent: u64,
    withheld: u64,
}

impl From<u64> for Window {
    fn from(state: u64) -> Self {
        Self {
            number: state & NUMBER,
            before: state >> NUMBER_BITS & COUNT,
            sent: state >> (NUMBER_BITS + COUNT_BITS) & COUNT,
            withheld: state >> (NUMBER_BITS + 2 * COUNT_BITS),
        }
    }
}

impl From<Window> for u64 {
    fn from(window: Window) -> Self {
        window.number
            | window.before << NUMBER_BITS
            | window.sent << (NUMBER_BITS + COUNT_BITS)
            | window.withheld << (NUMBER_BITS + 2 * COUNT_BITS)
    }
}

fn micros(time: Duration) -> u64 {
    time.as_micros() as u64
}
