//! What our records have been lately, so that a peer that is a little behind gets a difference.
//!
//! Generations share what did not change between them, so keeping one costs what its change touched. A peer's content hash
//! says which of them it holds; that the hash is of one that we once held is all that a difference needs.

use crate::{hash::ContentHash, store::View};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// Generations kept at most.
const MAX_VIEWS: usize = 1024;
/// What they may cost altogether, in record sets touched; each makes us keep the pointers of one shard.
const MAX_TOUCHED: usize = 8192;

/// The latest generations, oldest first; the last is what we hold.
#[derive(Default)]
pub(super) struct History(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    views: VecDeque<Known>,
    touched: usize,
}

#[derive(Clone)]
struct Known {
    view: Arc<View>,
    since: Instant,
    /// Record sets that differ from the one before.
    touched: usize,
}

/// How far behind us a peer is that holds an older generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lag {
    pub(super) changes: u64,
    pub(super) ms: u64,
}

impl History {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// We hold this now; `touched` sets changed since the one before.
    pub(super) fn holds(&self, view: &Arc<View>, touched: usize) {
        let mut inner = self.inner();
        let number = |known: &Known| known.view.generation.number;
        if inner.views.back().is_some_and(|last| number(last) >= view.generation.number) {
            return;
        }
        // What the first one touched is not between any two that are kept.
        let touched = if inner.views.is_empty() { 0 } else { touched };
        inner.touched += touched;
        inner.views.push_back(Known { view: Arc::clone(view), since: Instant::now(), touched });
        while inner.views.len() > 1 && (inner.views.len() > MAX_VIEWS || inner.touched > MAX_TOUCHED) {
            inner.views.pop_front();
            let freed = inner.views.front_mut().map_or(0, |first| std::mem::take(&mut first.touched));
            inner.touched -= freed;
        }
    }

    /// The latest generation with this content.
    pub(super) fn with(&self, hash: ContentHash) -> Option<Arc<View>> {
        let inner = self.inner();
        inner.views.iter().rev().find(|known| known.view.records.hash() == hash).map(|known| Arc::clone(&known.view))
    }

    /// How far behind `now` a peer with this content is; `None` if it is nothing that we held.
    pub(super) fn lag(&self, hash: ContentHash, now: &View) -> Option<Lag> {
        if now.records.hash() == hash {
            return Some(Lag { changes: 0, ms: 0 });
        }
        let inner = self.inner();
        let at = inner.views.iter().rposition(|known| known.view.records.hash() == hash)?;
        let number = inner.views[at].view.generation.number;
        let since = inner.views.get(at + 1).map_or_else(Instant::now, |next| next.since);
        let ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        Some(Lag { changes: now.generation.number.saturating_sub(number), ms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        record::Record,
        records::{Records, Row},
        store::OwnWrites,
    };
    use dnsplane_proto::Generation;

    fn view(number: u64) -> Arc<View> {
        let record = Record::new("a.test", "A", "192.0.2.1", number as u32);
        Arc::new(View {
            generation: Generation { session: 1, number },
            records: Records::from_rows([Row::new(record, 1, number, true)]),
            own: OwnWrites::default(),
            seen: Arc::default(),
            head: None,
            foreign: 0,
            conflicts: Arc::default(),
        })
    }

    #[test]
    fn generations_are_found_by_their_content_until_too_much_changed() {
        let history = History::default();
        let views: Vec<_> = (0..5).map(view).collect();
        views.iter().for_each(|view| history.holds(view, 1));
        history.holds(&views[2], 1);
        let hash = |at: usize| views[at].records.hash();
        assert_eq!(history.with(hash(1)).unwrap().generation.number, 1);
        assert_eq!(history.lag(hash(1), &views[4]).unwrap().changes, 3);
        assert_eq!(history.lag(hash(4), &views[4]), Some(Lag { changes: 0, ms: 0 }));
        assert_eq!(history.lag(view(9).records.hash(), &views[4]), None);
        history.holds(&view(5), MAX_TOUCHED);
        assert!(history.with(hash(4)).is_some_and(|view| view.generation.number == 4), "one step back is kept");
        assert!(history.with(hash(3)).is_none());
        history.holds(&view(6), MAX_TOUCHED + 1);
        assert!(history.with(hash(4)).is_none());
        assert_eq!(history.inner().touched, 0);
    }
}
