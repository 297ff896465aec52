//! One entry of the change log: who changed what, when, both sides of it.
//!
//! JSON, because an audit trail should be readable with what every machine has. Entries are applied in order; applying
//! one to the state before it gives the state after it.

use super::{Conflict, Origin, OwnWrites, Seen, View};
use crate::{hash::ContentHash, record::Record, records::Row};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A moment that can be ordered against other nodes': wall-clock milliseconds, and a counter for changes within one or
/// while the clock stands behind the last change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Clock(pub(super) u64, pub(super) u32);

impl Clock {
    /// The next moment after `self`, given the wall clock.
    pub(super) fn next(self, wall_ms: u64) -> Self {
        if wall_ms > self.0 { Self(wall_ms, 0) } else { Self(self.0, self.1.saturating_add(1)) }
    }
}

/// An entry. `before` and `after` hold whole rows: those that went and those that came.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Generation number afterwards. The same as before when only `peer` was learnt.
    pub(super) number: u64,
    pub(super) at: Clock,
    /// Who asked for it.
    pub(super) by: String,
    /// Our own sequence and time of write afterwards, if this was a write of our own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) own: Option<Own>,
    /// What was seen of a peer, if this came from one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) peer: Option<Sender>,
    /// Whose write our records are afterwards, if a peer's snapshot was applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) head: Option<Origin>,
    /// What that cost us, or what was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) conflict: Option<Box<Conflict>>,
    /// Of a change that was written as an image of everything: this is for history alone, and is written once the image
    /// has taken its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) whole: Option<Counts>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) before: Vec<Placed>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) after: Vec<Placed>,
}

/// How many rows went and came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counts {
    pub(super) removed: u64,
    pub(super) added: u64,
}

/// [`OwnWrites`] on disk.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Own {
    pub(super) seq: u64,
    pub(super) written_at: i64,
}

/// [`Seen`] on disk, with its sender.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Sender {
    pub(super) node_id: String,
    pub(super) seq: u64,
    pub(super) applied: u64,
    pub(super) hash: String,
    /// Why a snapshot was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) refused: Option<String>,
}

/// A record with its place in the store's order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Placed(pub(super) u64, pub(super) Record);

impl From<OwnWrites> for Own {
    fn from(own: OwnWrites) -> Self {
        Self { seq: own.seq, written_at: own.written_at }
    }
}

impl From<Own> for OwnWrites {
    fn from(own: Own) -> Self {
        Self { seq: own.seq, written_at: own.written_at }
    }
}

impl Sender {
    pub(super) fn new(node_id: &str, seen: &Seen, refused: Option<String>) -> Self {
        let Seen { seq, applied, hash } = *seen;
        Self { node_id: node_id.to_owned(), seq, applied, hash: hash.to_string(), refused }
    }

    pub(super) fn seen(&self) -> Seen {
        Seen { seq: self.seq, applied: self.applied, hash: ContentHash::parse(&self.hash).unwrap_or_default() }
    }
}

impl Placed {
    pub(super) fn of(row: &Row) -> Self {
        Self(row.order, row.record.clone())
    }

    fn row(self, touched: u64, local: bool) -> Arc<Row> {
        Arc::new(Row::new(self.1, self.0, touched, local))
    }
}

impl Entry {
    /// Rows that go and come.
    pub(super) fn rows(&self) -> usize {
        self.before.len() + self.after.len()
    }

    /// The state after this entry.
    pub(super) fn apply(&self, view: &View) -> View {
        let row = |placed: &Placed| placed.clone().row(self.number, self.is_local());
        let (before, after): (Vec<_>, Vec<_>) =
            (self.before.iter().map(row).collect(), self.after.iter().map(row).collect());
        let records = view.records.with(&before, &after);
        View { records, ..self.learn(view) }
    }

    /// The same; uses the entry's records up. For an entry that is about a whole store.
    pub(super) fn apply_all(&mut self, view: &View) -> View {
        let (number, local) = (self.number, self.is_local());
        let rows = |placed: Vec<Placed>| placed.into_iter().map(|placed| placed.row(number, local)).collect::<Vec<_>>();
        let (before, after) = (std::mem::take(&mut self.before), std::mem::take(&mut self.after));
        let records = view.records.with(&rows(before), &rows(after));
        View { records, ..self.learn(view) }
    }

    fn is_local(&self) -> bool {
        self.peer.is_none()
    }

    /// The state after this entry in everything but records.
    fn learn(&self, view: &View) -> View {
        let mut next = view.clone();
        if self.peer.is_some() && self.number > view.generation.number {
            next.foreign = self.number;
        }
        next.generation.number = self.number;
        if let Some(own) = self.own {
            next.own = own.into();
            next.head = Some(Origin::ours(next.own));
        }
        if let Some(peer) = &self.peer {
            Arc::make_mut(&mut next.seen).insert(peer.node_id.clone(), peer.seen());
        }
        if let Some(head) = &self.head {
            next.head = Some(head.clone());
        }
        if let Some(conflict) = &self.conflict {
            Arc::make_mut(&mut next.conflicts).push(Arc::new(Conflict::clone(conflict)));
        }
        next
    }
}
