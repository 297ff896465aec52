//! Keeps one client from having more than its share, and us from being used against somebody else.
//!
//! - **Queries** of one client, over any transport: a bucket of tokens. Who has none left gets REFUSED.
//! - **Replies** over UDP, where anybody can ask in anybody's name: so many in any so many seconds, to one client or, if they
//!   say the same, to one network; and none that is too many times as long as its query.
//!
//! A client is an IPv4 address or an IPv6 /64: whoever has one address of a /64 has all of them. A network is a /24 or a
//! /56. A client that shows a server cookie of ours (RFC 7873) receives what is sent to it, so it is not limited.
//!
//! A query that has to be resolved first comes twice. It takes its token when it comes, and its reply counts when there is one.
//!
//! Without limits this is one branch. With them, counts are kept in tables of fixed size that all threads share without
//! locks; nothing is allocated per query. All decisions are pure, and are given the time.

mod bucket;
mod key;
mod table;
#[cfg(test)]
mod tests;

use crate::{
    answer::{self, Asker, Branch, Outcome, Replied, Transport},
    encode::{Encoder, Rcode},
    message::{Header, Query},
    snapshot::Snapshot,
};
use bucket::Verdict;
use dnsplane_proto::{Limits, Per, ReplyLimit};
use foldhash::quality::RandomState;
use key::Key;
use std::{
    hash::BuildHasher,
    time::{Duration, Instant},
};
use table::Table;

/// What all query threads count together.
pub struct Limiter {
    queries: Table,
    replies: Table,
    /// Drawn at random, so that nobody can tell whose entries share a place.
    hasher: RandomState,
    started: Instant,
}

impl Limiter {
    /// Nobody has asked anything yet.
    pub fn new() -> Self {
        Self {
            queries: Table::default(),
            replies: Table::default(),
            hasher: RandomState::default(),
            started: Instant::now(),
        }
    }

    /// As [`answer`](answer::answer), within the limits of the snapshot.
    #[inline]
    pub fn answer(&self, query: &[u8], asker: &Asker<'_>, snapshot: &Snapshot, reply: &mut Vec<u8>) -> Outcome {
        if snapshot.rules.limits.are_off() {
            return answer::answer(query, asker, snapshot, reply);
        }
        let exchange = Exchange { query, asker, snapshot, limits: snapshot.rules.limits, now: self.started.elapsed() };
        self.limited(&exchange, reply)
    }

    fn limited(&self, exchange: &Exchange<'_>, reply: &mut Vec<u8>) -> Outcome {
        let start = reply.len();
        let is_first_time = exchange.asker.known.fetched.is_none();
        if is_first_time && !self.admits(exchange) && !exchange.shows_cookie() {
            return exchange.instead(Rcode::Refused, reply);
        }
        let outcome = answer::answer(exchange.query, exchange.asker, exchange.snapshot, reply);
        let (Outcome::Replied(replied) | Outcome::ToRenew(replied, _)) = outcome else { return outcome };
        if exchange.asker.transport != Transport::Udp {
            return outcome;
        }
        let verdict = self.judge(exchange, &reply[start..], replied.rcode);
        if verdict == Judged::Send || exchange.shows_cookie() {
            return outcome;
        }
        reply.truncate(start);
        let instead = match verdict {
            Judged::Send => return outcome,
            Judged::Refuse => exchange.instead(Rcode::Refused, reply),
            Judged::Truncate => exchange.instead(Rcode::NoError, reply),
            Judged::Withhold => Outcome::Withheld,
        };
        // What should be renewed does not depend on what this client is told.
        match (instead, outcome) {
            (Outcome::Replied(replied), Outcome::ToRenew(_, wanted)) => Outcome::ToRenew(replied, wanted),
            (instead, _) => instead,
        }
    }

    /// Whether the client has a token left.
    fn admits(&self, exchange: &Exchange<'_>) -> bool {
        let Some(limit) = exchange.limits.queries else { return true };
        let hash = self.hasher.hash_one(Key::client(exchange.asker.address));
        self.queries.update(hash, exchange.now, |full_at| bucket::take(full_at, exchange.now, &limit))
    }

    /// What becomes of a reply over UDP.
    fn judge(&self, exchange: &Exchange<'_>, reply: &[u8], rcode: Rcode) -> Judged {
        let most = exchange.query.len().saturating_mul(exchange.limits.amplification as usize);
        if exchange.limits.amplification > 0 && reply.len() > most {
            return Judged::Truncate;
        }
        exchange.limits.replies.map_or(Judged::Send, |limit| self.count(exchange, &limit, reply, rcode))
    }

    fn count(&self, exchange: &Exchange<'_>, limit: &ReplyLimit, reply: &[u8], rcode: Rcode) -> Judged {
        let address = exchange.asker.address;
        let (key, slip) = match limit.per {
            Per::Client => (Key::client(address), 0),
            Per::Network { slip } => (Key::saying(address, rcode, reply), slip),
        };
        let hash = self.hasher.hash_one(key);
        match self.replies.update(hash, exchange.now, |state| bucket::count(state, exchange.now, limit, slip)) {
            Verdict::Send => Judged::Send,
            Verdict::Slip => Judged::Truncate,
            Verdict::TooMany if limit.per == Per::Client => Judged::Refuse,
            Verdict::TooMany => Judged::Withhold,
        }
    }
}

impl Default for Limiter {
    fn default() -> Self {
        Self::new()
    }
}

/// What becomes of a reply.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Judged {
    Send,
    Refuse,
    /// The question with TC: who really asked can ask again over TCP.
    Truncate,
    Withhold,
}

/// One query, and what it is judged by.
struct Exchange<'a> {
    query: &'a [u8],
    asker: &'a Asker<'a>,
    snapshot: &'a Snapshot,
    limits: Limits,
    now: Duration,
}

impl Exchange<'_> {
    /// Looked at only when a limit is reached.
    fn shows_cookie(&self) -> bool {
        let cookie = Query::parse(self.query).ok().and_then(|query| query.edns?.cookie);
        cookie.is_some_and(|cookie| {
            self.asker.cookies.is_ours(cookie.client, cookie.server, self.asker.address, self.asker.now)
        })
    }

    /// Appends a reply that says no more than why there is no other: REFUSED, or TC.
    fn instead(&self, rcode: Rcode, reply: &mut Vec<u8>) -> Outcome {
        let Some(header) = Header::parse(self.query).filter(|header| !header.is_response()) else {
            return Outcome::Dropped;
        };
        let query = Query::parse(self.query).ok();
        let mut encoder = Encoder::new(reply, header, query.map_or(&[], |query| query.question.wire));
        let edns = query.and_then(|query| query.edns);
        encoder.limit(usize::MAX, edns.as_ref(), self.asker, &self.snapshot.rules);
        if self.snapshot.resolves_for(self.asker.address) {
            encoder.recursion_available();
        }
        if rcode == Rcode::NoError {
            encoder.truncate();
        }
        let truncated = encoder.finish(rcode);
        Outcome::Replied(Replied { branch: Branch::Limited, rcode, nodata: false, referral: false, truncated })
    }
}
