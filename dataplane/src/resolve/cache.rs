//! What is remembered of upstreams' answers.
//!
//! An answer is found by a hash of name, type, DO and CD under a key that is drawn at each start, and then compared. It is
//! taken apart once, when it comes ([`CachedAnswer`]); what is in it is repeated as often as anybody asks, without
//! allocating. All threads share the answers, bounded in octets; those that nobody asks for make room first.

mod answer;
mod form;
#[cfg(test)]
pub(crate) mod made;
mod message;
mod names;
mod rdata;
mod select;
#[cfg(test)]
mod tests;

pub use answer::{CachedAnswer, Freshness};

use super::{Security, Wanted};
use crate::wire_name::is_at_or_below;
use dnsplane_proto::{CacheRules, RecordType};
use foldhash::quality::RandomState;
use quick_cache::{Weighter, sync::DefaultLifecycle};
use std::{
    cell::Cell,
    fmt,
    hash::{BuildHasher, BuildHasherDefault, Hasher},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
};

/// Octets of records in one answer: what a message has room for behind the longest of names.
const MAX_BODY: usize = u16::MAX as usize - 12 - 255 - 4;
/// What a cache begins with, until it is told its rules.
const OCTETS_TO_BEGIN_WITH: u64 = 32 << 20;
/// Of a usual answer, everything included; how many there will be is guessed by it.
const USUAL_SIZE: u64 = 400;

/// Answers of upstreams, bounded in octets, shared by all threads.
pub struct Cache {
    answers: Answers,
    hasher: RandomState,
    /// Whether anything is kept.
    keeps: AtomicBool,
    least_ttl: AtomicU32,
    stale: AtomicU32,
}

type Answers = quick_cache::sync::Cache<
    u64,
    Arc<CachedAnswer>,
    Octets,
    BuildHasherDefault<Hashed>,
    DefaultLifecycle<u64, Arc<CachedAnswer>>,
>;

/// What an answer is found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
        let Some(rules) = rules else { return self.answers.clear() };
        self.least_ttl.store(rules.least_ttl, Relaxed);
        self.stale.store(rules.stale, Relaxed);
        // What was guessed of the number of answers goes with the octets, and would be lost with the last of them.
        self.answers.set_capacity(rules.octets.max(1));
    }

    /// Remembers an answer, if the rules say so, and returns it in any case. `message` is what the upstream sent.
    pub fn insert(&self, wanted: &Wanted, message: &[u8], about: &About) -> Result<Arc<CachedAnswer>, Unusable> {
        let answer = Arc::new(CachedAnswer::of(wanted, message, about, self.least_ttl.load(Relaxed))?);
        // With a TTL of 0 it is for whoever asked and nobody else (RFC 1035 §3.2.1).
        if self.keeps.load(Relaxed) && answer.ttl() > 0 {
            self.answers.insert(self.hash(wanted.asked()), answer.clone());
        }
        Ok(answer)
    }

    /// The answer to this, if it is remembered and fresh, or not longer past its time than the rules allow.
    #[inline]
    pub fn find(&self, asked: Asked<'_>, now: u32) -> Option<Arc<CachedAnswer>> {
        let found = self.answers.get(&self.hash(asked)).filter(|answer| answer.asked() == asked)?;
        match found.freshness(now) {
            Freshness::Stale(past) if past >= self.stale.load(Relaxed) => None,
            _ => Some(found),
        }
    }

    /// Up to so many answers for names at or below this one, in no order, and how many there are in all.
    pub fn list(&self, below: &[u8], most: usize) -> (Vec<Arc<CachedAnswer>>, u64) {
        let (mut listed, mut all) = (Vec::new(), 0);
        for (_, answer) in self.answers.iter() {
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
        let flushed = Cell::new(0);
        self.answers.retain(|_, answer| {
            let its = answer.asked().name;
            let goes = if below { is_at_or_below(its, name) } else { its.eq_ignore_ascii_case(name) };
            flushed.set(flushed.get() + u64::from(goes));
            !goes
        });
        flushed.get()
    }

    /// How full it is.
    pub fn figures(&self) -> Figures {
        Figures {
            entries: self.answers.len() as u64,
            octets: self.answers.weight(),
            most_octets: if self.keeps.load(Relaxed) { self.answers.capacity() } else { 0 },
        }
    }

    #[inline]
    fn hash(&self, asked: Asked<'_>) -> u64 {
        self.hasher.hash_one(asked)
    }
}

impl Default for Cache {
    /// Remembers nothing, until it is told the rules.
    fn default() -> Self {
        let items = (OCTETS_TO_BEGIN_WITH / USUAL_SIZE) as usize;
        let answers = Answers::with(
            items,
            OCTETS_TO_BEGIN_WITH,
            Octets,
            BuildHasherDefault::default(),
            DefaultLifecycle::default(),
        );
        Self {
            answers,
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

/// The weight of an answer is the memory that it takes.
#[derive(Clone)]
struct Octets;

impl Weighter<u64, Arc<CachedAnswer>> for Octets {
    fn weight(&self, _: &u64, answer: &Arc<CachedAnswer>) -> u64 {
        answer.size() as u64
    }
}

/// Keys are hashes already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        debug_assert!(false, "keys are numbers");
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}
