//! A number for each of many clients, in memory that does not grow, without a lock.
//!
//! A place is found by hash: eight entries share it, in one or two cache lines. A client that has no entry gets that of the
//! one that was silent the longest. So whoever goes on asking is remembered, however many others come and go.
//!
//! Two threads that make the first entry of one client at the same moment may make two, of which one is used from then on;
//! a thread that counts for a client while another gives its entry away counts for nothing. Either costs one query's count.

use super::bucket::Counted;
use std::{
    array,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// Places. With eight entries of 16 octets in each, 1 MiB for 65,536 clients.
const PLACES: usize = 8192;
const ENTRIES: usize = 8;

#[derive(Default)]
pub(super) struct Table {
    /// Taken when it is needed first: most nodes limit nothing.
    places: OnceLock<Box<[Place]>>,
}

#[repr(align(128))]
#[derive(Default)]
struct Place([Entry; ENTRIES]);

/// Relaxed throughout: an entry is a count, and orders nothing.
#[derive(Default)]
struct Entry {
    /// Half of the hash, and the second in which it was used last. 0: never.
    who: AtomicU64,
    state: AtomicU64,
}

impl Table {
    /// Gives `decide` what the client of this hash has counted so far, if anything, and keeps what it returns. It is asked
    /// again if another thread was faster.
    pub(super) fn update<T>(&self, hash: u64, now: Duration, decide: impl Fn(Option<u64>) -> Counted<T>) -> T {
        let places = self.places.get_or_init(|| (0..PLACES).map(|_| Place::default()).collect());
        let Place(entries) = &places[hash as usize % PLACES];
        let second = now.as_secs() as u32;
        // Never 0, which is an entry of nobody.
        let name = hash >> 32 | 1;
        let who = name << 32 | u64::from(second);
        let seen: [u64; ENTRIES] = array::from_fn(|at| entries[at].who.load(Relaxed));
        if let Some(at) = seen.iter().position(|seen| seen >> 32 == name) {
            let entry = &entries[at];
            if seen[at] != who {
                entry.who.store(who, Relaxed);
            }
            let mut old = entry.state.load(Relaxed);
            loop {
                let Counted { state, verdict } = decide(Some(old));
                match entry.state.compare_exchange_weak(old, state, Relaxed, Relaxed) {
                    Ok(_) => return verdict,
                    Err(newer) => old = newer,
                }
            }
        }
        let silence = |at: &usize| if seen[*at] == 0 { u32::MAX } else { second.wrapping_sub(seen[*at] as u32) };
        let longest = (0..ENTRIES).max_by_key(silence).unwrap_or_default();
        let Counted { state, verdict } = decide(None);
        entries[longest].who.store(who, Relaxed);
        entries[longest].state.store(state, Relaxed);
        verdict
    }

    /// Whether the memory was taken.
    #[cfg(test)]
    pub(super) fn is_used(&self) -> bool {
        self.places.get().is_some()
    }
}
