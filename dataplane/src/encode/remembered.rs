//! Repeats what was remembered: one copy, new TTLs, and behind aliases of ours new pointers.

use super::{Encoder, MAX_POINTER, QUESTION_AT, Truncated};
use crate::resolve::CachedAnswer;

/// Which TTLs a reply has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Those of the answer, less the seconds that it has been remembered.
    Aged(u32),
    /// The same for all: the answer is past its time.
    All(u32),
}

impl Encoder<'_> {
    /// Appends the answer for the name that the message holds at `name`, whole or not at all. Nothing may follow it but OPT.
    #[inline]
    pub(crate) fn remembered(&mut self, name: usize, answer: &CachedAnswer, told: Told) -> Result<(), Truncated> {
        let (body, at) = (answer.body(), self.out.len() - self.start);
        if at + body.len() > self.limit {
            self.truncated = true;
            return Err(Truncated);
        }
        self.out.extend_from_slice(body);
        let written = &mut self.out[self.start + at..];
        for place in answer.ttl_places() {
            if let Some(ttl) = written.get_mut(place..).and_then(<[u8]>::first_chunk_mut::<4>) {
                *ttl = match told {
                    Told::Aged(age) => u32::from_be_bytes(*ttl).saturating_sub(age),
                    Told::All(ttl) => ttl,
                }
                .to_be_bytes();
            }
        }
        if (name, at) != (QUESTION_AT, answer.starts_at()) && !relocate(written, answer, name, at) {
            self.out.truncate(self.start + at);
            self.truncated = true;
            return Err(Truncated);
        }
        let [answers, authorities] = answer.counts();
        self.counts[0] += answers;
        self.counts[1] += authorities;
        Ok(())
    }
}

/// Makes pointers into the question point to `name`, and those into the body to where it is now. `false`: a pointer does not
/// reach so far.
fn relocate(body: &mut [u8], answer: &CachedAnswer, name: usize, at: usize) -> bool {
    let starts_at = answer.starts_at();
    answer.pointer_places().all(|place| {
        let Some(pointer) = body.get_mut(place..).and_then(<[u8]>::first_chunk_mut::<2>) else { return false };
        let to = usize::from(u16::from_be_bytes(*pointer)) & MAX_POINTER;
        let (from, onto) = if to < starts_at { (QUESTION_AT, name) } else { (starts_at, at) };
        let to = to - from + onto;
        *pointer = (0xc000 | to as u16).to_be_bytes();
        to <= MAX_POINTER
    })
}
