//! What was deleted, and by whom: a peer's snapshot that brings it back undoes a write.
//!
//! Kept for [`KEPT`], at most [`MAX_TOMBS`] of them; the oldest make room. Beyond that a deletion is forgotten, and a snapshot
//! that brings the record back is no longer told from one that adds it.

use super::entry::Entry;
use crate::record::Record;
use serde::{Deserialize, Serialize};
use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

/// How long a deletion is remembered: longer than any node should be away and still be welcome.
const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Deletions remembered; about 100 octets each.
const MAX_TOMBS: usize = 50_000;

/// A record by what makes it one: lower-case name, type, normalised value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Identity(Box<str>, Box<str>, Box<str>);

impl Identity {
    fn of(record: &Record) -> Self {
        let name = record.name().to_ascii_lowercase();
        Self(name.into(), record.type_text().into(), record.normalised_value().into())
    }
}

/// One deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Tomb {
    /// Number of the change that deleted it.
    number: u64,
    /// Milliseconds since 1970.
    at: u64,
    /// Whether this node did.
    local: bool,
}

/// The deletions that are remembered. The writer's alone.
#[derive(Clone, Debug, Default)]
pub(super) struct Tombs {
    tombs: HashMap<Identity, Tomb>,
    /// In the order of deletion; one that no longer agrees with `tombs` is passed over.
    order: VecDeque<(u64, Identity)>,
}

/// A tomb on disk.
#[derive(Serialize, Deserialize)]
pub(super) struct Buried(Identity, Tomb);

impl Tombs {
    /// Takes in what an entry did.
    pub(super) fn learn(&mut self, entry: &Entry) {
        for placed in &entry.before {
            let tomb = Tomb { number: entry.number, at: entry.at.0, local: entry.peer.is_none() };
            self.bury(Identity::of(&placed.1), tomb);
        }
        for placed in &entry.after {
            self.tombs.remove(&Identity::of(&placed.1));
        }
        self.forget(entry.at.0);
    }

    /// Whether this node deleted the record, and nobody brought it back since.
    pub(super) fn deleted_here(&self, record: &Record) -> bool {
        !self.tombs.is_empty() && self.tombs.get(&Identity::of(record)).is_some_and(|tomb| tomb.local)
    }

    fn bury(&mut self, identity: Identity, tomb: Tomb) {
        self.order.push_back((tomb.number, identity.clone()));
        self.tombs.insert(identity, tomb);
    }

    fn forget(&mut self, now: u64) {
        let kept = u64::try_from(KEPT.as_millis()).unwrap_or(u64::MAX);
        while let Some((number, identity)) = self.order.front() {
            let tomb = self.tombs.get(identity).filter(|tomb| tomb.number == *number);
            let stays = self.order.len() <= MAX_TOMBS && tomb.is_some_and(|tomb| tomb.at.saturating_add(kept) > now);
            if stays {
                return;
            }
            if tomb.is_some() {
                self.tombs.remove(identity);
            }
            self.order.pop_front();
        }
    }

    /// For the image, oldest first.
    pub(super) fn buried(&self) -> impl Iterator<Item = Buried> {
        let current = |(number, identity): &(u64, Identity)| {
            let tomb = self.tombs.get(identity).filter(|tomb| tomb.number == *number)?;
            Some(Buried(identity.clone(), *tomb))
        };
        self.order.iter().filter_map(current)
    }

    /// From the image.
    pub(super) fn restore(&mut self, buried: Buried) {
        self.bury(buried.0, buried.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::entry::{Clock, Placed};

    fn entry(number: u64, at: u64, before: &[u64], after: &[u64]) -> Entry {
        let placed = |names: &[u64]| {
            let record = |name: &u64| Record::new(&format!("n{name}.test"), "A", "192.0.2.1", 60);
            names.iter().map(|name| Placed(*name, record(name))).collect()
        };
        Entry { number, at: Clock(at, 0), before: placed(before), after: placed(after), ..Entry::default() }
    }

    fn deleted(tombs: &Tombs, name: u64) -> bool {
        tombs.deleted_here(&Record::new(&format!("N{name}.test."), "a", "192.0.2.1", 5))
    }

    #[test]
    fn a_deletion_is_remembered_until_the_record_is_back_or_long_ago() {
        let mut tombs = Tombs::default();
        tombs.learn(&entry(1, 1000, &[1, 2], &[]));
        tombs.learn(&entry(2, 2000, &[], &[2]));
        assert!(deleted(&tombs, 1) && !deleted(&tombs, 2) && !deleted(&tombs, 3));
        let mut again = Tombs::default();
        tombs.buried().for_each(|buried| again.restore(buried));
        assert!(deleted(&again, 1) && !deleted(&again, 2));
        tombs.learn(&entry(3, 1000 + KEPT.as_millis() as u64, &[4], &[]));
        assert!(!deleted(&tombs, 1) && deleted(&tombs, 4));
    }

    #[test]
    fn there_are_never_too_many() {
        let mut tombs = Tombs::default();
        let many: Vec<u64> = (0..MAX_TOMBS as u64 + 10).collect();
        tombs.learn(&entry(1, 1000, &many, &[]));
        assert!(!deleted(&tombs, 9) && deleted(&tombs, 10));
        // Deleted, back, deleted again: the order of the first deletion does not count.
        let mut tombs = Tombs::default();
        tombs.learn(&entry(1, 1, &[1], &[]));
        tombs.learn(&entry(2, 2, &[], &[1]));
        tombs.learn(&entry(3, 3, &[1], &[]));
        assert!(deleted(&tombs, 1));
        assert_eq!(tombs.buried().count(), 1);
    }
}
