//! Which record sets the latest changes touched, so that a data plane that is a little behind gets a difference.

use crate::record::Record;
use dnsplane_proto::RecordType;
use std::{
    collections::{HashSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Keys remembered over all changes; who is further behind gets everything anew.
const MAX_KEYS: usize = 200_000;

/// A record set: name in lower case without the last dot, and type.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SetKey {
    /// Owner name.
    pub name: Box<str>,
    /// Type; 0 stands for all types that we do not know.
    pub kind: RecordType,
}

/// The sets that differ between two generations, each once.
pub type Touched = Vec<SetKey>;

impl SetKey {
    /// The set that a record belongs to.
    pub fn of(record: &Record) -> Self {
        Self { name: record.name().to_ascii_lowercase().into(), kind: record.kind().unwrap_or(RecordType(0)) }
    }
}

/// The latest changes, oldest first.
#[derive(Default)]
pub(super) struct Recent(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    /// Changes after this number are known.
    floor: u64,
    changes: VecDeque<(u64, Box<[SetKey]>)>,
    keys: usize,
}

impl Recent {
    /// Starts out knowing nothing of what came up to `floor`.
    pub(super) fn starting_at(floor: u64) -> Self {
        Self(Mutex::new(Inner { floor, ..Inner::default() }))
    }

    /// Remembers a change.
    pub(super) fn push(&self, number: u64, keys: impl Iterator<Item = SetKey>) {
        let keys: HashSet<_> = keys.collect();
        let mut inner = self.lock();
        inner.keys += keys.len();
        inner.changes.push_back((number, keys.into_iter().collect()));
        while inner.keys > MAX_KEYS {
            let Some((number, keys)) = inner.changes.pop_front() else { break };
            inner.keys -= keys.len();
            inner.floor = number;
        }
    }

    /// A change touched so much that everything is to be sent anew.
    pub(super) fn forget(&self, number: u64) {
        *self.lock() = Inner { floor: number, ..Inner::default() };
    }

    /// The sets touched after `from`; `None` if some of those changes are no longer known.
    pub(super) fn since(&self, from: u64) -> Option<Touched> {
        let inner = self.lock();
        if from < inner.floor {
            return None;
        }
        let newer = inner.changes.partition_point(|(number, _)| *number <= from);
        let keys: HashSet<_> = inner.changes.range(newer..).flat_map(|(_, keys)| keys.iter().cloned()).collect();
        Some(keys.into_iter().collect())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> SetKey {
        SetKey { name: name.into(), kind: RecordType::A }
    }

    #[test]
    fn what_came_after_a_generation_is_known_until_too_much_came() {
        let recent = Recent::starting_at(5);
        recent.push(6, [key("a"), key("b")].into_iter());
        recent.push(7, [key("b"), key("b")].into_iter());
        assert_eq!(recent.since(4), None);
        assert_eq!(recent.since(5).map(|keys| keys.len()), Some(2));
        assert_eq!(recent.since(6), Some(vec![key("b")]));
        assert_eq!(recent.since(7), Some(vec![]));
        recent.push(8, (0..MAX_KEYS).map(|n| key(&n.to_string())));
        assert_eq!(recent.since(5), None);
        assert!(recent.since(7).is_some());
    }
}
