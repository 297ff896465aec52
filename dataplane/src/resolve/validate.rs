//! Whether an answer is what its zone signed (RFC 4035 §5, RFC 6840, RFC 5155).
//!
//! ```text
//! message → sets → (signer → zones, from a trust anchor down: DS, DNSKEY) → signature → denial → verdict
//! ```
//! An upstream's message is looked at as it is, with all of its alias chain. What is missing of the chain of trust is had
//! through a function that the caller gives: it asks with DO and CD, as any client of a resolver may. Keys of zones, and where
//! zones that are not signed begin, are remembered; so most answers cost one signature.
//!
//! The cryptography and the records' forms are hickory-proto's. Its validator is not used: it takes one question and its
//! answer, where a resolver's message has an alias and then the proof that the alias's target does not exist; it knows no
//! DNAME; and of what is wrong it tells neither the code of RFC 8914 nor a reason.
//!
//! What one message may cost is bounded (`work`). Time is the caller's affair: it may drop the whole at any moment.

mod anchor;
mod denial;
mod hashed;
mod message;
mod sets;
mod signature;
mod work;
mod zones;

use super::{Failure, Security, Wanted};
use anchor::Anchor;
use dnsplane_proto::Validation;
use std::future::Future;
use zones::Zones;

/// Validates answers. One for all threads; a new one when the rules change.
#[derive(Debug)]
pub struct Validator {
    strict: bool,
    anchors: Vec<Anchor>,
    zones: Zones,
}

/// What an answer is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// `Unchecked` is an answer of which nobody can tell, where the rules are not strict.
    pub security: Security,
    /// Seconds for which the answer may be kept at most: signatures end (RFC 4035 §5.3.3).
    pub at_most: u32,
}

/// The answer is not what its zone signed, and must not be given to anybody who has not asked for it (CD).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Bogus {
    /// The extended error that fits best (RFC 8914 §4).
    pub code: u16,
    /// A sentence for people.
    pub why: String,
}

/// Why something could not be shown.
#[derive(Clone, Debug)]
enum Doubt {
    /// It is wrong.
    Bogus(Bogus),
    /// What it takes to tell could not be had.
    Unknown(String),
}

impl Doubt {
    fn bogus(code: u16, why: impl Into<String>) -> Self {
        Self::Bogus(Bogus { code, why: why.into() })
    }
}

/// Codes of RFC 8914 §4.
mod code {
    pub(super) const INDETERMINATE: u16 = 5;
    pub(super) const BOGUS: u16 = 6;
    pub(super) const SIGNATURE_EXPIRED: u16 = 7;
    pub(super) const SIGNATURE_NOT_YET_VALID: u16 = 8;
    pub(super) const DNSKEY_MISSING: u16 = 9;
    pub(super) const RRSIGS_MISSING: u16 = 10;
    pub(super) const NSEC_MISSING: u16 = 12;
}

impl Validator {
    /// Trusts the anchors of the rules; if there are none, the keys of the root that are built in. Anchors that cannot be read
    /// are left out, and said so.
    pub fn new(rules: &Validation) -> Self {
        Self { strict: rules.strict, anchors: Anchor::all(&rules.anchors), zones: Zones::default() }
    }

    /// Whether the message, an upstream's reply to what was wanted, is what its zones signed. It was asked for with DO; `now` is
    /// in seconds since 1970, wrapping. `fetch` gets further replies, as they are, whose questions have DO and CD.
    ///
    /// The answer section and what denies are looked at, and nothing else of the message: what else is in it is as good as if
    /// nobody validated. Names that some upstream has for itself must not come here, since the public tree knows better.
    pub async fn validate<F, R, M>(&self, wanted: &Wanted, message: &[u8], now: u32, fetch: F) -> Result<Verdict, Bogus>
    where
        F: Fn(Wanted) -> R,
        R: Future<Output = Result<M, Failure>>,
        M: AsRef<[u8]>,
    {
        let mut inquiry = message::Inquiry::new(self, now, fetch);
        match inquiry.message(wanted, message).await {
            Ok(security) => Ok(Verdict { security, at_most: inquiry.at_most() }),
            Err(Doubt::Bogus(bogus)) => Err(bogus),
            Err(Doubt::Unknown(why)) if self.strict => Err(Bogus { code: code::INDETERMINATE, why }),
            Err(Doubt::Unknown(_)) => Ok(Verdict { security: Security::Unchecked, at_most: MAX_UNKNOWN }),
        }
    }
}

/// Seconds for which an answer is kept that nobody can tell anything of: soon somebody may.
const MAX_UNKNOWN: u32 = 30;
