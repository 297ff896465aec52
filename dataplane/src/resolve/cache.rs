//! What is remembered of upstreams' answers.

use super::{Security, Wanted};
use dnsplane_proto::CacheRules;
use std::sync::Arc;

/// Answers of upstreams, bounded in octets, shared by all threads.
#[derive(Debug, Default)]
pub struct Cache {}

/// An upstream's answer in a form that replies are made from without another look at it.
#[derive(Debug)]
pub struct CachedAnswer {
    /// What it answers.
    pub wanted: Wanted,
}

/// What is known of an upstream's answer beside its octets.
#[derive(Clone, Debug)]
pub struct About {
    /// The server that gave it.
    pub source: Arc<str>,
    /// Whether it is what its zone signed.
    pub security: Security,
    /// Seconds since 1970, wrapping.
    pub now: u32,
}

/// Why a message is no answer to what was wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message does not answer the question")]
pub struct Unusable;

impl Cache {
    /// Keeps to these rules from now on; `None` forgets everything, and remembers nothing.
    pub fn obey(&self, _rules: Option<CacheRules>) {}

    /// Remembers an answer, if the rules say so, and returns it in any case. `message` is what the upstream sent.
    pub fn insert(&self, _wanted: &Wanted, _message: &[u8], _about: &About) -> Result<Arc<CachedAnswer>, Unusable> {
        Err(Unusable)
    }
}
