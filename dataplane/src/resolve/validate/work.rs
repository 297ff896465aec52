//! What one message may cost. Whoever makes messages that cost much (CVE-2023-50387, CVE-2023-50868) gets no more than this.

use super::{Doubt, code};

/// Signatures that are checked. An alias chain through a few zones, none of which is known, needs about twenty.
const MAX_CHECKS: u32 = 100;
/// Hashes of names, each iteration counted (RFC 5155 §5). A long name in a zone with few iterations needs some hundred.
const MAX_HASHES: u32 = 10_000;
/// Questions that are asked: two for each zone on the way.
const MAX_FETCHES: u32 = 60;

/// What is left of it.
#[derive(Debug)]
pub(super) struct Work {
    checks: u32,
    hashes: u32,
    fetches: u32,
}

impl Work {
    pub(super) fn new() -> Self {
        Self { checks: MAX_CHECKS, hashes: MAX_HASHES, fetches: MAX_FETCHES }
    }

    /// A signature is about to be checked.
    pub(super) fn check(&mut self) -> Result<(), Doubt> {
        take(&mut self.checks, 1)
    }

    /// A name is about to be hashed.
    pub(super) fn hash(&mut self, iterations: u16) -> Result<(), Doubt> {
        take(&mut self.hashes, u32::from(iterations) + 1)
    }

    /// A question is about to be asked.
    pub(super) fn fetch(&mut self) -> Result<(), Doubt> {
        take(&mut self.fetches, 1)
    }
}

fn take(left: &mut u32, count: u32) -> Result<(), Doubt> {
    *left =
        left.checked_sub(count).ok_or_else(|| Doubt::bogus(code::BOGUS, "validating it would take too much work"))?;
    Ok(())
}
