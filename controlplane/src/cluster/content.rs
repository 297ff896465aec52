//! What our records have been lately: whose they are, and by which hashes they went.
//!
//! A node that merely missed something offers content that we held before, and a retried push could send a peer its own
//! snapshot back. Both would undo what was written since, so both must be recognised.

use crate::hash::ContentHash;
use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Hashes remembered. A peer that is further behind than this is taken at its word.
const REMEMBERED: usize = 512;

/// Shared by judges, which write it while the store applies, and by pushes.
#[derive(Debug, Default)]
pub(super) struct Content(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    held: VecDeque<ContentHash>,
    applied: Option<Applied>,
}

/// The last snapshot that became our content.
#[derive(Debug)]
struct Applied {
    sender: String,
    hash: ContentHash,
    /// Our own sequence then; once it has moved, the content is ours again.
    own_seq: u64,
}

impl Content {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// We hold this now.
    pub(super) fn holds(&self, hash: ContentHash) {
        let mut inner = self.inner();
        if inner.held.back() != Some(&hash) {
            inner.held.push_back(hash);
        }
        if inner.held.len() > REMEMBERED {
            inner.held.pop_front();
        }
    }

    /// Whether we held this, now or not long ago.
    pub(super) fn held(&self, hash: ContentHash) -> bool {
        self.inner().held.contains(&hash)
    }

    /// A judge lets this sender's snapshot replace our records.
    pub(super) fn applies(&self, sender: &str, hash: ContentHash, own_seq: u64) {
        self.inner().applied = Some(Applied { sender: sender.to_owned(), hash, own_seq });
        self.holds(hash);
    }

    /// Whether the last snapshot applied is this sender's, and we have written nothing since.
    pub(super) fn is_senders(&self, sender: &str, own_seq: u64) -> bool {
        self.inner().applied.as_ref().is_some_and(|last| last.sender == sender && last.own_seq == own_seq)
    }

    /// The same, and these are its records indeed: the disk took them.
    pub(super) fn is_exactly_senders(&self, sender: &str, own_seq: u64, hash: ContentHash) -> bool {
        self.is_senders(sender, own_seq) && self.inner().applied.as_ref().is_some_and(|last| last.hash == hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;

    #[test]
    fn content_is_a_senders_until_we_write_and_remembered_for_a_while() {
        let hash = |number: u32| ContentHash::of(&Record::new("a.test", "A", "192.0.2.1", number));
        let content = Content::default();
        content.applies("b", hash(0), 7);
        assert!(content.is_exactly_senders("b", 7, hash(0)));
        assert!(!content.is_senders("b", 8) && !content.is_senders("c", 7));
        assert!(!content.is_exactly_senders("b", 7, hash(1)), "the disk did not take it");
        (1..=REMEMBERED as u32).for_each(|number| content.holds(hash(number)));
        assert!(!content.held(hash(0)) && content.held(hash(1)));
    }
}
