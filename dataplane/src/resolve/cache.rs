//! What is remembered of upstreams' answers.
//!
//! An answer is found by a hash of name and type under a key that is drawn at each start, and then compared. It is
//! taken apart once, when it comes ([`CachedAnswer`]); what is in it is repeated as often as anybody asks, without
//! allocating. All threads share the answers, bounded in octets; those that nobody asks for make room first. Looking one up
//! waits for nobody (see [`table`]).

mod answer;
mod form;
#[cfg(test)]
pub(crate) mod made;
mod message;
mod names;
mod rdata;
mod select;
mod table;
#[cfg(test)]
mod tests;

pub use answer::{CachedAnswer, Freshness};
pub use table::Found;

use super::{Security, Wanted};
use crate::wire_name::{LowerName, is_at_or_below};
use arc_swap::ArcSwap;
use dnsplane_proto::{CacheRules, RecordType};
use foldhash::quality::RandomState;
use std::{
    fmt,
    hash::{BuildHasher, Hasher},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
};
use table::Table;

/// Octets of records in one answer: what a message has room for behind the longest of names.
const MAX_BODY: usize = u16::MAX as usize - 12 - 255 - 4;
/// Questions that are prepared together; the rest of a longer batch is left for itself.
const WARMED: usize = 64;

/// Answers of upstreams, bounded in octets, shared by all threads.
pub struct Cache {
    /// Replaced when there is to be room for more, or for less.
    answers: ArcSwap<Table>,
    hasher: RandomState,
    /// Whether anything is kept.
    keeps: AtomicBool,
    least_ttl: AtomicU32,
    stale: AtomicU32,
}

/// What an answer is found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked<'a> {
    /// Wire form, lower case.
    pub name: &'a [u8],
    /// QTYPE.
    pub kind: RecordType,
    /// DO.
    pub dnssec_ok: bool,
    /// CD.
    pub checking_disabled: bool,
}

/// What is known of an upstream's answer beside its octets.
#[derive(Clone, Debug)]
pub struct About {
    /// The server that gave it.
    pub source: Arc<str>,
    /// Whether it is what its zone signed.
    pub security: Security,
    /// Seconds for which it may be used at most, whatever its TTL and the rules say: signatures end (RFC 4035 §5.3.3).
    pub at_most: u32,
    /// Seconds since 1970, wrapping.
    pub now: u32,
}

/// Why a message is no answer to what was wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It is no message, or no reply.
    #[error("the message cannot be read")]
    Malformed,
    /// TC: it is not whole.
    #[error("the message is truncated")]
    Truncated,
    /// Its code says that the server had no answer.
    #[error("the server says code {0}")]
    Code(u8),
    /// It repeats another question.
    #[error("the message answers another question")]
    Question,
    /// It says that the name does not exist, and what it has.
    #[error("the message contradicts itself")]
    Contradiction,
    /// It says who else should be asked.
    #[error("the message points to other servers")]
    Referral,
    /// Aliases without an end.
    #[error("the aliases of the message have no end")]
    Loop,
    /// It would not fit into a message that is written plainly.
    #[error("the message is too long when written out")]
    TooLong,
}

/// How full a cache is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Answers.
    pub entries: u64,
    /// Octets that they take.
    pub octets: u64,
    /// Octets that they may take.
    pub most_octets: u64,
}

impl Cache {
    /// Keeps to these rules from now on; `None` forgets everything, and remembers nothing.
    pub fn obey(&self, rules: Option<CacheRules>) {
        self.keeps.store(rules.is_some(), Relaxed);
        let Some(rules) = rules else { return self.answers.store(Arc::new(Table::new(0))) };
        self.least_ttl.store(rules.least_ttl, Relaxed);
        self.stale.store(rules.stale, Relaxed);
        let old = self.answers.load();
        if old.most() != rules.octets {
            let new = Table::new(rules.octets);
            old.iter().for_each(|answer| new.insert(self.hash(answer.asked().name, answer.asked().kind), answer));
            self.answers.store(Arc::new(new));
        }
    }

    /// Remembers an answer, if the rules say so, and returns it in any case. `message` is what the upstream sent.
    pub fn insert(&self, wanted: &Wanted, message: &[u8], about: &About) -> Result<Arc<CachedAnswer>, Unusable> {
        let answer = Arc::new(CachedAnswer::of(wanted, message, about, self.least_ttl.load(Relaxed))?);
        // With a TTL of 0 it is for whoever asked and nobody else (RFC 1035 §3.2.1).
        if self.keeps.load(Relaxed) && answer.ttl() > 0 {
            self.answers.load().insert(self.hash(&wanted.name, wanted.kind), answer.clone());
        }
        Ok(answer)
    }

    /// The answer to this, if it is remembered and fresh, or not longer past its time than the rules allow.
    #[inline]
    pub fn find(&self, asked: Asked<'_>, now: u32) -> Option<Found> {
        let found = self.answers.load().find(self.hash(asked.name, asked.kind), asked)?;
        match found.freshness(now) {
            Freshness::Stale(past) if past >= self.stale.load(Relaxed) => None,
            _ => Some(found),
        }
    }

    /// Prepares for these questions to be looked up, names in wire form. Says nothing about them.
    ///
    /// A look-up waits for memory a few times in a row; look-ups that are prepared together wait together.
    pub fn warm<'n>(&self, questions: impl Iterator<Item = (&'n [u8], RecordType)>) {
        let answers = self.answers.load();
        if answers.entries() == 0 {
            return;
        }
        let mut hashes = [0; WARMED];
        let mut count = 0;
        for ((name, kind), hash) in questions.zip(&mut hashes) {
            *hash = self.hash(LowerName::new(name).as_bytes(), kind);
            count += 1;
        }
        answers.warm(&hashes[..count]);
    }

    /// Up to so many answers for names at or below this one, in no order, and how many there are in all.
    pub fn list(&self, below: &[u8], most: usize) -> (Vec<Arc<CachedAnswer>>, u64) {
        let (mut listed, mut all) = (Vec::new(), 0);
        for answer in self.answers.load().iter() {
            if is_at_or_below(answer.asked().name, below) {
                all += 1;
                if listed.len() < most {
                    listed.push(answer);
                }
            }
        }
        (listed, all)
    }

    /// Forgets the answers for this name, and if told so those for names below it; returns how many there were.
    pub fn flush(&self, name: &[u8], below: bool) -> u64 {
        self.answers.load().remove(|answer| {
            let its = answer.asked().name;
            if below { is_at_or_below(its, name) } else { its.eq_ignore_ascii_case(name) }
        })
    }

    /// How full it is.
    pub fn figures(&self) -> Figures {
        let answers = self.answers.load();
        Figures { entries: answers.entries(), octets: answers.octets(), most_octets: answers.most() }
    }

    #[inline]
    fn hash(&self, name: &[u8], kind: RecordType) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(name);
        hasher.write_u16(kind.0);
        hasher.finish()
    }
}

impl Default for Cache {
    /// Remembers nothing, until it is told the rules.
    fn default() -> Self {
        Self {
            answers: ArcSwap::from_pointee(Table::new(0)),
            hasher: RandomState::default(),
            keeps: AtomicBool::new(false),
            least_ttl: AtomicU32::new(0),
            stale: AtomicU32::new(0),
        }
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("figures", &self.figures()).finish_non_exhaustive()
    }
}

impl Asked<'_> {
    /// The same, to be kept.
    pub fn wanted(&self) -> Wanted {
        Wanted {
            name: self.name.into(),
            kind: self.kind,
            dnssec_ok: self.dnssec_ok,
            checking_disabled: self.checking_disabled,
        }
    }
}

impl Wanted {
    /// What its answer is found by.
    pub fn asked(&self) -> Asked<'_> {
        Asked {
            name: &self.name,
            kind: self.kind,
            dnssec_ok: self.dnssec_ok,
            checking_disabled: self.checking_disabled,
        }
    }
}
