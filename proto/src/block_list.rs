//! The form in which block lists travel and lie in memory: a table of names that are blocked and one of names that are let
//! through.
//!
//! A table holds no names, but a hash of each, in order, and what lists say of it: twelve octets whatever the name. So a
//! table is made by sorting numbers, and a name is found by looking where its hash would be. Two names with the same hash
//! would be taken for one; among ten million names, a hash that is looked up meets that by chance once in 2^40 times, and
//! nobody can look for one beforehand without the [`HashKey`], which other lists make another.
//!
//! A value is a [`Scope`] in its lowest two bits, and above them the number of a combination of lists.

use bytes::Bytes;
use siphasher::sip::SipHasher13;

/// Of which names a line of a list speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Scope {
    /// Names below the one that is written, as in `*.example.com`.
    Below = 2,
    /// The name and what is below it, as in `||example.com^`, `example.com`, and lines of a hosts file.
    Whole = 3,
}

/// Bits of a value that are its scope.
const SCOPE_BITS: u32 = 2;
const SCOPE: u32 = (1 << SCOPE_BITS) - 1;

impl Scope {
    /// Whether it speaks of a name at (`true`) or below (`false`) the one that is written.
    pub fn covers(self, at: bool) -> bool {
        !at || self == Self::Whole
    }
}

/// A value of a table. There are never as many combinations as names, and of those far less than 2^30.
pub fn value(scope: Scope, combination: u32) -> u32 {
    combination << SCOPE_BITS | scope as u32
}

/// What a value of a table says; `None`: nothing that we know.
pub fn read(value: u32) -> Option<(Scope, u32)> {
    let scope = match value & SCOPE {
        2 => Scope::Below,
        3 => Scope::Whole,
        _ => return None,
    };
    Some((scope, value >> SCOPE_BITS))
}

/// What hashes of names depend on beside the names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HashKey(pub [u8; 16]);

impl HashKey {
    /// The hash (SipHash-1-3) of a name in lower-case wire form, its root label included.
    pub fn hash(&self, name: &[u8]) -> u64 {
        SipHasher13::new_with_key(&self.0).hash(name)
    }
}

/// A table as it travels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packed {
    /// Hashes of names, each once and in order, eight octets each, the least significant first.
    pub hashes: Bytes,
    /// The value of each, in the same order, four octets each.
    pub values: Bytes,
    /// Which numbers of labels the names have, a bit each: lookups pass over the others.
    pub depths: u128,
}

/// Collects names, in any order, for a table.
#[derive(Debug)]
pub struct Packing {
    key: HashKey,
    entries: Vec<(u64, u32)>,
    depths: u128,
}

impl Packing {
    /// With room for so many names.
    pub fn new(key: HashKey, names: usize) -> Self {
        Self { key, entries: Vec::with_capacity(names), depths: 0 }
    }

    /// Adds a name in lower-case wire form.
    pub fn push(&mut self, name: &[u8], value: u32) {
        let (mut labels, mut at) = (0, 0);
        while let Some(length) = name.get(at).filter(|length| **length > 0) {
            at += usize::from(*length) + 1;
            labels += 1;
        }
        self.depths |= 1_u128.checked_shl(labels).unwrap_or_default();
        self.entries.push((self.key.hash(name), value));
    }

    /// The table. Of entries with the same hash, which are the same name or as good as that, one that is about the name
    /// itself counts before one that is about names below it.
    pub fn finish(mut self) -> Packed {
        self.entries.sort_unstable_by_key(|(hash, value)| (*hash, !value & SCOPE, *value));
        self.entries.dedup_by_key(|(hash, _)| *hash);
        let mut hashes = Vec::with_capacity(self.entries.len() * HASH);
        let mut values = Vec::with_capacity(self.entries.len() * VALUE);
        for (hash, value) in &self.entries {
            hashes.extend_from_slice(&hash.to_le_bytes());
            values.extend_from_slice(&value.to_le_bytes());
        }
        Packed { hashes: hashes.into(), values: values.into(), depths: self.depths }
    }
}

/// Octets of a hash.
const HASH: usize = 8;
/// Octets of a value.
const VALUE: usize = 4;
/// Hashes that are looked through for one, about: as many as a cache line holds.
const BUCKET: usize = 8;

/// What is wrong with a table that somebody sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTable {
    /// There is not one value for each hash, or a last one is cut short.
    #[error("a table of names has {hashes} octets of hashes and {values} of values")]
    Length {
        /// Of all hashes.
        hashes: usize,
        /// Of all values.
        values: usize,
    },
    /// Hashes are not in order, or one is there twice.
    #[error("hash {0} of a table of names is not above the one before it")]
    Order(usize),
    /// A value has a scope that there is not, or a combination that there is not.
    #[error("value {0} of a table of names means nothing")]
    Value(usize),
}

/// A table in which names are looked up.
#[derive(Clone, Debug, Default)]
pub struct Table {
    packed: Packed,
    /// Where hashes start whose highest bits are this number; one more for the end. Empty if there are none.
    buckets: Box<[u32]>,
    /// What takes all but the highest bits from a hash.
    shift: u32,
}

impl Table {
    /// Checks what was sent; there are so many combinations.
    pub fn new(packed: Packed, combinations: usize) -> Result<Self, BadTable> {
        let names = packed.hashes.len() / HASH;
        let (hashes, values) = (packed.hashes.len(), packed.values.len());
        // Numbers of hashes have 32 bits.
        if hashes % HASH != 0 || values != names * VALUE || u32::try_from(names).is_err() {
            return Err(BadTable::Length { hashes, values });
        }
        let means_something = |value: &[u8]| read(number(value)).is_some_and(|(_, one)| (one as usize) < combinations);
        if let Some(at) = packed.values.chunks_exact(VALUE).position(|value| !means_something(value)) {
            return Err(BadTable::Value(at));
        }
        if names == 0 {
            return Ok(Self::default());
        }
        let bits = (names / BUCKET).max(2).next_power_of_two().ilog2();
        let shift = u64::BITS - bits;
        let mut buckets = Vec::with_capacity((1 << bits) + 1);
        let mut last = None;
        for (at, hash) in packed.hashes.chunks_exact(HASH).map(long).enumerate() {
            if last.is_some_and(|last| last >= hash) {
                return Err(BadTable::Order(at));
            }
            last = Some(hash);
            while buckets.len() as u64 <= hash >> shift {
                buckets.push(at as u32);
            }
        }
        buckets.resize((1 << bits) + 1, names as u32);
        Ok(Self { packed, buckets: buckets.into(), shift })
    }

    /// What lists say of the name with this hash.
    pub fn get(&self, hash: u64) -> Option<(Scope, u32)> {
        let bucket = (hash.checked_shr(self.shift)?) as usize;
        let (from, to) = (*self.buckets.get(bucket)? as usize, *self.buckets.get(bucket + 1)? as usize);
        let hashes = self.packed.hashes.get(from * HASH..to * HASH)?;
        // In a bucket that somebody filled on purpose, too, it takes few steps.
        let at =
            from + hashes.as_chunks::<HASH>().0.binary_search_by_key(&hash, |one| u64::from_le_bytes(*one)).ok()?;
        read(number(self.packed.values.get(at * VALUE..(at + 1) * VALUE)?))
    }

    /// Whether names with so many labels, the root's aside, are in it.
    pub fn has_depth(&self, labels: usize) -> bool {
        labels < 128 && self.packed.depths >> labels & 1 == 1
    }

    /// How many names there are.
    pub fn len(&self) -> usize {
        self.packed.hashes.len() / HASH
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.packed.hashes.is_empty()
    }

    /// Octets that it takes.
    pub fn octets(&self) -> usize {
        self.packed.hashes.len() + self.packed.values.len() + size_of_val(&*self.buckets)
    }
}

fn long(octets: &[u8]) -> u64 {
    octets.first_chunk().map_or(0, |octets| u64::from_le_bytes(*octets))
}

fn number(octets: &[u8]) -> u32 {
    octets.first_chunk().map_or(0, |octets| u32::from_le_bytes(*octets))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn packed(names: &[(&[u8], u32)]) -> Packed {
        let mut packing = Packing::new(HashKey::default(), names.len());
        names.iter().for_each(|(name, value)| packing.push(name, *value));
        packing.finish()
    }

    #[test]
    fn values_survive_the_trip() {
        for scope in [Scope::Below, Scope::Whole] {
            assert_eq!(read(value(scope, 70_000)), Some((scope, 70_000)));
        }
        assert_eq!((read(0), read(1), read(u32::MAX)), (None, None, Some((Scope::Whole, u32::MAX >> 2))));
        assert!(Scope::Whole.covers(true) && Scope::Below.covers(false) && !Scope::Below.covers(true));
    }

    #[test]
    fn hashes_are_the_same_on_every_machine() {
        let key = HashKey(std::array::from_fn(|at| at as u8));
        // SipHash-1-3 of nothing with the key of the reference implementation's vectors.
        assert_eq!(key.hash(b""), 0xabac_0158_050f_c4dc);
        assert_ne!(key.hash(b"\x03ads\x00"), HashKey::default().hash(b"\x03ads\x00"));
    }

    #[test]
    fn a_name_that_is_there_twice_counts_once_and_its_whole_before_what_is_below() {
        let (below, whole) = (value(Scope::Below, 0), value(Scope::Whole, 1));
        for names in [[below, whole], [whole, below]] {
            let table = Table::new(packed(&names.map(|value| (&b"\x03ads\x00"[..], value))), 2).unwrap();
            assert_eq!((table.len(), table.get(HashKey::default().hash(b"\x03ads\x00"))), (1, Some((Scope::Whole, 1))));
            assert_eq!((table.has_depth(0), table.has_depth(1), table.has_depth(500)), (false, true, false));
        }
    }

    #[test]
    fn damaged_tables_are_refused() {
        let whole = value(Scope::Whole, 0);
        let sound = packed(&[(b"\x01a\x00", whole), (b"\x01b\x00", whole), (b"\x01c\x00", whole)]);
        assert!(Table::new(sound.clone(), 1).is_ok());
        let backwards: Vec<u8> = sound.hashes.rchunks(8).flatten().copied().collect();
        let strange = |octets: &[u8]| Packed { hashes: octets.to_vec().into(), ..sound.clone() };
        let length = |packed: Packed| matches!(Table::new(packed, 1), Err(BadTable::Length { .. }));
        assert!(length(strange(&sound.hashes[..23])) && length(strange(&sound.hashes[..16])) && length(strange(b"")));
        assert!(length(Packed { values: sound.values.slice(..11), ..sound.clone() }));
        assert_eq!(Table::new(strange(&backwards), 1).err(), Some(BadTable::Order(1)));
        assert_eq!(Table::new(strange(&[7; 24]), 1).err(), Some(BadTable::Order(1)), "the same thrice");
        assert_eq!(Table::new(sound.clone(), 0).err(), Some(BadTable::Value(0)), "no such combination");
        let values = Bytes::from_static(&[3, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0]);
        assert_eq!(Table::new(Packed { values, ..sound }, 1).err(), Some(BadTable::Value(1)), "no such scope");
    }

    proptest! {
        #[test]
        fn what_is_in_a_table_is_found_and_nothing_else_is(
            names in prop::collection::btree_map(any::<u64>(), 0_u32..1000, 0..400),
            crowded in prop::collection::btree_map(0_u64..200, 0_u32..1000, 0..100),
            others in prop::collection::vec(any::<u64>(), 50),
        ) {
            let mut all: BTreeMap<_, _> = names.into_iter().chain(crowded).collect();
            all.insert(u64::MAX, 5);
            let packed = Packed {
                hashes: all.keys().flat_map(|hash| hash.to_le_bytes()).collect(),
                values: all.values().flat_map(|one| value(Scope::Whole, *one).to_le_bytes()).collect(),
                depths: 0,
            };
            let table = Table::new(packed, 1000).unwrap();
            prop_assert_eq!(table.len(), all.len());
            for hash in all.keys().copied().chain(others).chain(0..300) {
                prop_assert_eq!(table.get(hash).map(|(_, one)| one), all.get(&hash).copied());
            }
        }

        #[test]
        fn no_octets_are_too_strange(
            hashes in prop::collection::vec(any::<u8>(), 0..40), values in prop::collection::vec(0_u8..4, 0..20), hash: u64,
        ) {
            let packed = Packed { hashes: hashes.into(), values: values.into(), depths: u128::MAX };
            if let Ok(table) = Table::new(packed, 1 << 30) {
                prop_assert!(table.get(hash).is_none() || !table.is_empty());
            }
        }
    }
}
