//! What a peer offers, who judges it, and what became of it.

use super::{OwnWrites, Seen};
use crate::{hash::ContentHash, record::Record};
use serde::{Deserialize, Serialize};

/// Whose write our records are. A whole store has one: every write and every snapshot applied replaces it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The writer's node id; `None` is this node itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_id: Option<String>,
    /// The writer's sequence.
    pub seq: u64,
    /// Unix seconds of the write, as the writer says (R4). Together with the id this is the tuple of `global_lww`.
    pub timestamp: i64,
}

impl Origin {
    /// A write of this node.
    pub fn ours(own: OwnWrites) -> Self {
        Self { node_id: None, seq: own.seq, timestamp: own.written_at }
    }

    /// The writer, given our own id.
    pub fn writer<'a>(&'a self, own_id: &'a str) -> &'a str {
        self.node_id.as_deref().unwrap_or(own_id)
    }
}

/// A peer's records, offered to us.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Node id of the writer, verbatim.
    pub sender: String,
    /// The writer's sequence, as it came.
    pub seq: u64,
    /// Unix seconds of the writer's last write; 0 if it did not say.
    pub timestamp: i64,
    /// The records, or what to do with ours.
    pub content: Content,
    /// Content hash of all records once applied.
    pub hash: ContentHash,
    /// Where it came from, for the log: the peer's address, and whether pushed or pulled.
    pub via: String,
}

/// What an offer carries.
#[derive(Clone, Debug)]
pub enum Content {
    /// All records: servable, no two of one identity, in the sender's order.
    Full(Vec<Record>),
    /// What turns the records with content hash `base` into the writer's.
    Delta(Delta),
}

/// The difference between two contents.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delta {
    /// Content hash of the records that it is about.
    pub base: ContentHash,
    /// Records that come, or replace the one of their identity.
    pub upserts: Vec<Record>,
    /// Records that go, by identity; TTL and everything else of them mean nothing.
    pub deletes: Vec<Record>,
}

/// What a judge sees of us.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// What we saw of this sender before.
    pub seen: Option<&'a Seen>,
    /// Whether we hold no record at all.
    pub empty: bool,
    /// Content hash of what we hold.
    pub hash: ContentHash,
    /// What this node has written itself.
    pub own: OwnWrites,
    /// Whose write our records are; `None` while nobody ever wrote them.
    pub head: Option<&'a Origin>,
}

/// A judge's decision about an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Make our records what is offered. `informed`: the writer has seen ours, so what goes was meant to go.
    Apply {
        /// Whether the offer was made knowing exactly what we hold.
        informed: bool,
    },
    /// Take them as what this very node has written before it lost its folder, sequence included.
    Restore,
    /// We have seen it before; nothing to do.
    Duplicate,
    /// It is a difference to something that we do not hold.
    NeedFull,
    /// Do not apply, and why. `seen` tells whether the sequence counts as seen.
    Refuse {
        /// One sentence.
        reason: String,
        /// Whether this sequence needs not be offered again.
        seen: bool,
    },
}

/// Decides about an offer while nothing else can be written: judging, applying and remembering are one step (R7).
pub type Judge = Box<dyn FnOnce(Standing<'_>, &Offer) -> Verdict + Send>;

/// What became of an offer.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The judge's word; the store itself may have found that a difference does not fit.
    pub verdict: Verdict,
    /// Records that came in or changed.
    pub added: usize,
    /// Records of ours that went or were overwritten.
    pub removed: usize,
    /// Content hash of what we hold afterwards.
    pub hash: ContentHash,
}
