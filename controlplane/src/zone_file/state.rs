//! What the lines so far mean for the next one.

use super::owner::{Origin, Zone};
use std::sync::Arc;

/// State of a reader between two entries.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct State {
    /// What relative names lie below.
    pub(super) origin: Option<Arc<Origin>>,
    /// The owner that a line without one has: absolute, without the last dot. Empty if there is none.
    pub(super) owner: String,
    /// `$TTL`, or what the SOA stands in for it.
    pub(super) default_ttl: Option<u32>,
    /// The last TTL that a record was given (RFC 1035 §5.1).
    pub(super) last_ttl: Option<u32>,
    /// The zone, once its SOA has come.
    pub(super) zone: Option<Arc<Zone>>,
}

/// States of a reader along a file, for whoever reads it again with little changed. Worth nothing for a file with faults,
/// or records that came before their SOA: then all of it must be read.
#[derive(Clone, Debug, Default)]
pub struct Marks {
    /// By where they are; the first is at the beginning of the text.
    pub(super) along: Vec<Mark>,
    pub(super) clean: bool,
}

/// The state at the beginning of a line.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub(super) at: usize,
    pub(super) state: State,
}

impl Marks {
    /// Octets from one mark to the next, about.
    pub(super) const APART: usize = 64 << 10;

    /// Notes the state at the beginning of a line, unless the last mark is near.
    pub(super) fn note(&mut self, at: usize, state: &State) {
        if self.along.last().is_none_or(|last| at >= last.at + Self::APART) {
            self.along.push(Mark { at, state: state.clone() });
        }
    }
}
