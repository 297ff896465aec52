//! The one pointer that queries and changes share. This is the only type that knows `arc_swap`.
//!
//! Readers never wait: a query thread holds a [`Reader`], which keeps a reference of its own and looks with one atomic
//! load whether it is still the newest. The flip side is that a thread without queries keeps an old snapshot alive, so
//! threads also look when they are idle, and whoever replaces a snapshot keeps the old one until nobody else has it:
//! freeing a large one takes milliseconds that a query should not pay. See [`Retired`].

use crate::snapshot::Snapshot;
use arc_swap::{ArcSwap, Cache};
use std::sync::Arc;

/// The snapshot that is served now.
pub struct Current {
    pointer: Arc<ArcSwap<Snapshot>>,
}

impl Current {
    /// Serves this one to begin with.
    pub fn new(snapshot: Snapshot) -> Self {
        Self { pointer: Arc::new(ArcSwap::from_pointee(snapshot)) }
    }

    /// What is served at this moment.
    pub fn load(&self) -> Arc<Snapshot> {
        self.pointer.load_full()
    }

    /// Serves `next` from now on; returns what was served before.
    pub fn replace(&self, next: Snapshot) -> Arc<Snapshot> {
        self.pointer.swap(Arc::new(next))
    }

    /// A cheap view for one thread.
    pub fn reader(&self) -> Reader {
        Reader { cache: Cache::new(self.pointer.clone()) }
    }
}

/// One thread's view of [`Current`].
pub struct Reader {
    cache: Cache<Arc<ArcSwap<Snapshot>>, Arc<Snapshot>>,
}

impl Reader {
    /// What is served at this moment.
    #[inline]
    pub fn load(&mut self) -> &Snapshot {
        self.cache.load()
    }
}

/// Snapshots that were replaced and may still be in use; freed here, never on a thread that answers.
#[derive(Default)]
pub struct Retired {
    waiting: Vec<Arc<Snapshot>>,
}

impl Retired {
    /// Takes what [`Current::replace`] returned.
    pub fn push(&mut self, old: Arc<Snapshot>) {
        self.waiting.push(old);
        self.sweep();
    }

    /// Frees those that nobody else holds. A reader that has let go of a replaced snapshot never takes it up again.
    pub fn sweep(&mut self) {
        self.waiting.retain(|snapshot| Arc::strong_count(snapshot) > 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_snapshot_waits_until_its_last_reader_has_moved_on() {
        let current = Current::new(Snapshot::empty());
        let (mut reader, mut retired) = (current.reader(), Retired::default());
        reader.load();
        let mut next = Snapshot::empty();
        next.records = 5;
        retired.push(current.replace(next));
        assert_eq!((retired.waiting.len(), current.load().records()), (1, 5));
        assert_eq!(reader.load().records(), 5);
        retired.sweep();
        assert_eq!(retired.waiting.len(), 0);
    }
}
