//! A small hash table whose content is plain bytes: one blob of entries and one table of slots.
//!
//! Cloning a shard is two copies of memory, which makes copy-on-write cheap, and a shard goes to disk and comes back as it
//! stands. A slot is 32 bits: 24 say where the entry starts (in units of [`ALIGN`]), 8 repeat bits of the hash so that a
//! probe rarely has to look at a name in vain. Collisions go to the next slot; removal shifts back what it may, so that
//! there are no tombstones. An entry that is replaced leaves a hole; holes are squeezed out by [`Shard::tidy`].

use super::entry::{self, ALIGN, Entry, Flags, Set};

/// Where slots can point to: 2^24 units. 64 MiB for one four-thousandth of all names, or one sixty-fourth while loading.
const MAX_BLOB: usize = (1 << 24) * ALIGN;
const SLOT_BITS: u32 = 24;
/// Room for another entry of usual size.
const SPARE: usize = 128;

/// Just above the largest block (`DEFAULT_MMAP_THRESHOLD_MAX`, 32 MiB) for which glibc may come to use its heap.
const ROOM: usize = (32 << 20) + (64 << 10);

/// The shard has reached the most that its slots can address.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// Entries whose hashes share their highest bits.
#[derive(Default)]
pub(crate) struct Shard {
    /// Entries, one after the other, behind one unit of padding: slot value 0 means "free".
    blob: Vec<u8>,
    slots: Vec<u32>,
    entries: u32,
    /// Octets of the blob that no slot points to any more.
    holes: u32,
}

impl Clone for Shard {
    /// A copy is made to be changed.
    fn clone(&self) -> Self {
        let mut blob = Vec::with_capacity(room_for(self.blob.len() + SPARE));
        blob.extend_from_slice(&self.blob);
        Self { blob, slots: self.slots.clone(), entries: self.entries, holes: self.holes }
    }
}

impl Shard {
    /// Without entries, and with room for a great many, which takes memory only where it is written to.
    ///
    /// glibc's allocator gives a block of this size pages of its own, and the system gets them back when it is freed. Blocks
    /// that grew bit by bit, many side by side, would leave the heap half empty for as long as the process lives.
    pub(super) fn roomy() -> Self {
        let mut shard = Self::default();
        // Where memory may not be promised that is not there (`vm.overcommit_memory=2`), it grows bit by bit.
        let _ = shard.blob.try_reserve_exact(ROOM);
        shard
    }

    /// The entry of this name.
    #[inline]
    pub(super) fn find(&self, hash: u64, name: &[u8]) -> Option<Entry<'_>> {
        self.slot_of(hash, name).map(|at| self.entry(self.slots[at]))
    }

    /// The entry of this hash, of those that share bits of it, which is what `wanted` says.
    pub(super) fn find_hashed(&self, hash: u64, wanted: impl Fn(&Entry<'_>) -> bool) -> Option<Entry<'_>> {
        self.slot_where(hash, wanted).map(|at| self.entry(self.slots[at]))
    }

    /// The slot where the search for a hash starts, and the first octet of what it points to: to have them fetched.
    #[inline]
    pub(super) fn first_slot(&self, hash: u64) -> u32 {
        self.slots.get(home(hash, self.slots.len())).copied().unwrap_or_default()
    }

    #[inline]
    pub(super) fn octet_at(&self, slot: u32) -> u8 {
        self.blob.get(offset(slot)).copied().unwrap_or_default()
    }

    /// Adds the entry of a name, or replaces it. Returns the flags of the entry that was there, and those of the new one.
    pub(super) fn put<'a>(
        &mut self,
        hash: u64,
        name: &[u8],
        children: u32,
        sets: impl Iterator<Item = Set<'a>>,
        hash_of: impl Fn(&[u8]) -> u64,
    ) -> Result<(Option<Flags>, Flags), Full> {
        if self.blob.is_empty() {
            self.blob.resize(ALIGN, 0);
        }
        // Vec would double: a snapshot that has seen many changes would be twice as large as one loaded whole.
        let offset = self.blob.len();
        if self.blob.capacity() - offset < SPARE {
            self.blob.reserve_exact(room_for(offset + SPARE) - offset);
        }
        let flags = entry::write(&mut self.blob, name, children, sets);
        if self.blob.len() > MAX_BLOB {
            self.blob.truncate(offset);
            return Err(Full);
        }
        let slot = (tag(hash) << SLOT_BITS) | (offset / ALIGN) as u32;
        if let Some(at) = self.slot_of(hash, name) {
            let old = self.entry(self.slots[at]);
            let (old_flags, old_size) = (old.flags(), old.size());
            if old_size == self.blob.len() - offset {
                // Another value or TTL, most likely: it takes the place of the old one.
                let place = self::offset(self.slots[at]);
                self.blob.copy_within(offset.., place);
                self.blob.truncate(offset);
            } else {
                self.holes += old_size as u32;
                self.slots[at] = slot;
            }
            return Ok((Some(old_flags), flags));
        }
        if (self.entries as usize + 1) * 4 > self.slots.len() * 3 {
            self.resize_table((self.entries as usize + 1) * 5 / 3 + 1, hash_of);
        }
        insert_slot(&mut self.slots, hash, slot);
        self.entries += 1;
        Ok((None, flags))
    }

    /// Overwrites the number of children of an entry that counts them.
    pub(super) fn set_children(&mut self, hash: u64, name: &[u8], children: u32) {
        if let Some(at) = self.slot_of(hash, name) {
            entry::set_children(&mut self.blob[offset(self.slots[at])..], children);
        }
    }

    /// Removes the entry of a name; returns its flags if there was one.
    pub(super) fn remove(&mut self, hash: u64, name: &[u8], hash_of: impl Fn(&[u8]) -> u64) -> Option<Flags> {
        let mut free = self.slot_of(hash, name)?;
        let gone = self.entry(self.slots[free]);
        let (flags, size) = (gone.flags(), gone.size() as u32);
        self.holes += size;
        self.entries -= 1;
        let length = self.slots.len();
        let mut at = free;
        loop {
            at = (at + 1) % length;
            if self.slots[at] == 0 {
                break;
            }
            let home = home(hash_of(self.entry(self.slots[at]).name()), length);
            // An entry may move back unless its home lies behind the free slot, on the way to where it is.
            if (at + length - home) % length >= (at + length - free) % length {
                self.slots[free] = self.slots[at];
                free = at;
            }
        }
        self.slots[free] = 0;
        Some(flags)
    }

    /// Whether holes are an eighth of the blob, or the table is far too large.
    pub(super) fn is_untidy(&self) -> bool {
        self.holes as usize * 8 > self.blob.len() || self.slots.len() > 4 * self.table_for_entries()
    }

    /// Squeezes out holes.
    pub(super) fn tidy(&mut self, hash_of: impl Fn(&[u8]) -> u64) {
        let holes = self.holes as usize;
        if self.entries == 0 {
            *self = Self::default();
            return;
        }
        if holes > 0 {
            let mut blob = Vec::with_capacity(room_for(self.blob.len() - holes));
            blob.resize(ALIGN.min(self.blob.len()), 0);
            for slot in self.slots.iter_mut().filter(|slot| **slot != 0) {
                let start = offset(*slot);
                let size = Entry::at(&self.blob[start..]).size();
                *slot = (*slot >> SLOT_BITS << SLOT_BITS) | (blob.len() / ALIGN) as u32;
                blob.extend_from_slice(&self.blob[start..start + size]);
            }
            self.blob = blob;
            self.holes = 0;
        }
        if self.slots.len() > self.table_for_entries() {
            self.resize_table(self.table_for_entries(), hash_of);
        }
    }

    /// The same entries in several shards without any room to spare, each in the one that `place` says by its hash.
    pub(super) fn divide(
        &self,
        into: usize,
        hash_of: impl Fn(&[u8]) -> u64,
        place: impl Fn(u64) -> usize,
    ) -> Vec<Self> {
        let mut sizes = vec![(ALIGN, 0u32); into];
        for entry in self.iter() {
            let (octets, entries) = &mut sizes[place(hash_of(entry.name()))];
            *octets += entry.size();
            *entries += 1;
        }
        let new = |(octets, entries): &(usize, u32)| {
            let mut shard = Self { entries: *entries, ..Self::default() };
            if *entries > 0 {
                shard.blob.reserve_exact(room_for(*octets));
                shard.blob.resize(ALIGN, 0);
                shard.slots = vec![0; shard.table_for_entries()];
            }
            shard
        };
        let mut shards: Vec<_> = sizes.iter().map(new).collect();
        for slot in self.slots.iter().filter(|slot| **slot != 0) {
            let entry = self.entry(*slot);
            let hash = hash_of(entry.name());
            let shard = &mut shards[place(hash)];
            insert_slot(&mut shard.slots, hash, (tag(hash) << SLOT_BITS) | (shard.blob.len() / ALIGN) as u32);
            let start = offset(*slot);
            shard.blob.extend_from_slice(&self.blob[start..start + entry.size()]);
        }
        shards
    }

    /// All entries, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Entry<'_>> {
        self.slots.iter().filter(|slot| **slot != 0).map(|slot| self.entry(*slot))
    }

    /// How many names have an entry.
    pub(crate) fn len(&self) -> u32 {
        self.entries
    }

    /// The shard's content, for the last-good copy.
    pub(crate) fn parts(&self) -> Parts<'_> {
        Parts { blob: &self.blob, slots: &self.slots, entries: self.entries, holes: self.holes }
    }

    /// A shard as [`parts`](Self::parts) gave it; `None` if its table points outside its blob.
    pub(crate) fn from_parts(blob: Vec<u8>, slots: Vec<u32>, entries: u32, holes: u32) -> Option<Self> {
        let used = slots.iter().filter(|slot| **slot != 0).count();
        let inside = slots.iter().all(|slot| *slot == 0 || offset(*slot) < blob.len());
        // A table without a free slot would let a probe run for ever.
        let sound =
            used == entries as usize && (used < slots.len() || slots.is_empty()) && holes as usize <= blob.len();
        (inside && sound).then_some(Self { blob, slots, entries, holes })
    }

    #[inline]
    fn slot_of(&self, hash: u64, name: &[u8]) -> Option<usize> {
        self.slot_where(hash, |entry| entry.name() == name)
    }

    #[inline]
    fn slot_where(&self, hash: u64, wanted: impl Fn(&Entry<'_>) -> bool) -> Option<usize> {
        if self.slots.is_empty() {
            return None;
        }
        let mut at = home(hash, self.slots.len());
        loop {
            match self.slots[at] {
                0 => return None,
                slot if slot >> SLOT_BITS == tag(hash) && wanted(&self.entry(slot)) => return Some(at),
                _ => at = if at + 1 == self.slots.len() { 0 } else { at + 1 },
            }
        }
    }

    #[inline]
    fn entry(&self, slot: u32) -> Entry<'_> {
        Entry::at(self.blob.get(offset(slot)..).unwrap_or_default())
    }

    /// Slots for a table that is three quarters full.
    fn table_for_entries(&self) -> usize {
        (self.entries as usize * 4).div_ceil(3) + 1
    }

    fn resize_table(&mut self, length: usize, hash_of: impl Fn(&[u8]) -> u64) {
        let mut slots = vec![0; length.max(2)];
        for slot in self.slots.iter().filter(|slot| **slot != 0) {
            insert_slot(&mut slots, hash_of(self.entry(*slot).name()), *slot);
        }
        self.slots = slots;
    }
}

/// What a shard consists of.
#[derive(Clone, Copy)]
pub(crate) struct Parts<'a> {
    pub(crate) blob: &'a [u8],
    pub(crate) slots: &'a [u32],
    pub(crate) entries: u32,
    pub(crate) holes: u32,
}

/// The capacity of a blob of so many octets: one of eight sizes between one power of two and the next. Snapshots come and go
/// by the thousand, and what one shard gives back should fit the next one: with sizes of all kinds the heap would be half
/// full of places that are a little too small.
pub(crate) fn room_for(octets: usize) -> usize {
    let step = (octets / 16 + 1).next_power_of_two();
    octets.next_multiple_of(step)
}

/// Where the search for a hash starts: its low half, scaled to the table.
#[inline]
fn home(hash: u64, length: usize) -> usize {
    ((u64::from(hash as u32) * length as u64) >> 32) as usize
}

#[inline]
fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32 & 0xff
}

#[inline]
fn offset(slot: u32) -> usize {
    (slot & ((1 << SLOT_BITS) - 1)) as usize * ALIGN
}

/// Puts a slot where it belongs. The table has room: callers keep a quarter of it free.
fn insert_slot(slots: &mut [u32], hash: u64, slot: u32) {
    let mut at = home(hash, slots.len());
    while slots[at] != 0 {
        at = (at + 1) % slots.len();
    }
    slots[at] = slot;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// Few distinct hashes, so that collisions and wrap-around happen all the time.
    fn poor_hash(name: &[u8]) -> u64 {
        let sum: u64 = name.iter().map(|octet| u64::from(*octet)).sum();
        (sum % 7) << 29 | (sum % 3) << 32
    }

    proptest! {
        #[test]
        fn a_shard_behaves_like_a_map(steps in prop::collection::vec((0u8..40, any::<bool>(), any::<u8>()), 1..400)) {
            let (mut shard, mut map) = (Shard::default(), BTreeMap::new());
            for (key, remove, children) in steps {
                let name = [1, key, 0];
                if remove {
                    prop_assert_eq!(shard.remove(poor_hash(&name), &name, poor_hash).is_some(), map.remove(&name).is_some(), "removed");
                } else {
                    shard.put(poor_hash(&name), &name, children.into(), std::iter::empty(), poor_hash).unwrap();
                    map.insert(name, u32::from(children));
                }
                if children % 16 == 0 && shard.is_untidy() || children % 32 == 1 {
                    shard.tidy(poor_hash);
                }
                prop_assert_eq!(shard.len() as usize, map.len());
                for key in 0u8..40 {
                    let name = [1, key, 0];
                    let found = shard.find(poor_hash(&name), &name).map(|entry| entry.children());
                    prop_assert_eq!(found, map.get(&name).copied());
                }
            }
        }
    }

    #[test]
    fn a_record_set_of_the_same_size_takes_the_place_of_the_old_one() {
        let set = |wire| std::iter::once(Set { kind: dnsplane_proto::RecordType::A, count: 1, wire });
        let mut shard = Shard::default();
        shard.put(1, b"\x01a\x00", 0, set(b"0123456789abcdef"), poor_hash).unwrap();
        let size = shard.blob.len();
        shard.put(1, b"\x01a\x00", 0, set(b"fedcba9876543210"), poor_hash).unwrap();
        assert_eq!((shard.blob.len(), shard.holes), (size, 0));
        shard.put(1, b"\x01a\x00", 0, set(b"0123456789abcdef+more"), poor_hash).unwrap();
        assert_eq!(shard.holes as usize, size - ALIGN);
        let found = shard.find(1, b"\x01a\x00").and_then(|entry| entry.sets().next()).expect("there");
        assert_eq!(found.wire, b"0123456789abcdef+more");
    }

    #[test]
    fn blobs_have_few_sizes_and_little_room_to_spare() {
        let sizes: std::collections::BTreeSet<_> = (8192..16384).map(room_for).collect();
        assert_eq!(sizes.len(), 9);
        for octets in [0, 1, 100, 5000, 13_000, 1 << 20] {
            assert!(room_for(octets) >= octets && room_for(octets) - octets <= octets / 8 + 1, "{octets}");
        }
    }

    #[test]
    fn parts_that_point_outside_are_refused() {
        assert!(Shard::from_parts(vec![0; 8], vec![1, 0], 1, 0).is_some());
        assert!(Shard::from_parts(vec![0; 8], vec![2, 0], 1, 0).is_none());
        assert!(Shard::from_parts(vec![0; 8], vec![1], 1, 0).is_none(), "no free slot");
        assert!(Shard::from_parts(vec![0; 8], vec![1, 0], 2, 0).is_none(), "wrong count");
        assert!(Shard::from_parts(vec![], vec![], 0, 0).is_some());
    }
}
