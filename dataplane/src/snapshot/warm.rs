//! Several lookups at once: what they will look at is fetched into the processor's caches for all of them together.
//!
//! A lookup in a large index waits for memory three times in a row, and each wait is longer than everything else that a hit
//! costs. Lookups that are looked at side by side wait together. So a batch of queries takes each step for all of them
//! before it takes the next.

use super::{Snapshot, shard::Shard};
use crate::wire_name::LowerName;
use std::hint::black_box;

/// Names that are fetched together; the rest of a longer batch is left for itself.
const MOST: usize = 64;
/// Below so many records everything is in the caches anyway.
const LARGE: u64 = 50_000;

impl Snapshot {
    /// Prepares for these names, in wire form, to be looked up. Says nothing about them.
    pub fn warm<'n>(&self, names: impl Iterator<Item = &'n [u8]>) {
        if self.records < LARGE {
            return;
        }
        let mut places: [Option<(&Shard, u64)>; MOST] = [None; MOST];
        let mut count = 0;
        for (name, place) in names.zip(&mut places) {
            *place = Some(self.index.shard_of(LowerName::new(name).as_bytes()));
            count += 1;
        }
        let mut slots = [0u32; MOST];
        for (place, slot) in places[..count].iter().zip(&mut slots) {
            *slot = place.map_or(0, |(shard, hash)| shard.first_slot(hash));
        }
        let octets = places[..count].iter().zip(slots);
        let sum = octets.fold(0u8, |sum, (place, slot)| sum ^ place.map_or(0, |(shard, _)| shard.octet_at(slot)));
        black_box(sum);
    }
}
