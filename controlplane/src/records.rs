//! All records at one generation, immutable and cheap to derive the next one from.
//!
//! Rows are spread over shards by a hash of their name and kept sorted by identity within a shard. The next generation
//! shares every shard that no change touched, so a change costs two short copies of pointers, and whoever reads (a
//! push, a file being written, a list over REST) holds what it began with for as long as it likes.

use crate::{
    hash::ContentHash,
    record::{Record, cmp_names},
};
use dnsplane_proto::RecordType;
use std::{cmp::Ordering, ops::Range, sync::Arc};

/// Shards of a store. A change copies the pointers to all shards and those within one: with a million rows, a thousand each.
const SHARDS: usize = 1024;

/// Rows of a change from which on its shards are made anew: putting rows in their places one by one moves half a shard each.
const MANY: usize = 16 * SHARDS;

/// Marks rows that this node wrote itself; the other bits of a stamp are the change's number.
const LOCAL: u64 = 1 << 63;

/// A record and its place in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The record.
    pub record: Record,
    /// Position in files and frames: the order in which rows came in.
    pub order: u64,
    /// See [`Row::touched`] and [`Row::is_local`]; in one word, because a store may have a million rows.
    stamp: u64,
    /// [`name_hash`] of its name: rows are sorted by it first, which spares comparing names.
    hash: u64,
}

impl Row {
    /// A record at its place, with the number of the change that wrote it; `local` if that was a write of this node.
    pub fn new(record: Record, order: u64, touched: u64, local: bool) -> Self {
        let stamp = touched & !LOCAL | if local { LOCAL } else { 0 };
        Self { hash: name_hash(record.name()), record, order, stamp }
    }

    /// A row as it was kept on disk.
    pub(crate) fn with_stamp(record: Record, order: u64, stamp: u64) -> Self {
        Self { hash: name_hash(record.name()), record, order, stamp }
    }

    /// What is kept on disk of who wrote it and when.
    pub(crate) fn stamp(&self) -> u64 {
        self.stamp
    }

    /// Number of the change that last wrote it.
    pub fn touched(&self) -> u64 {
        self.stamp & !LOCAL
    }

    /// Whether this node wrote it itself: nobody else may have it.
    pub fn is_local(&self) -> bool {
        self.stamp & LOCAL != 0
    }

    /// Orders rows within a shard: by the hash of the name, then by identity. Rows of one record set are side by side.
    fn cmp_place(&self, hash: u64, record: &Record) -> Ordering {
        self.hash.cmp(&hash).then_with(|| self.record.cmp_identity(record))
    }
}

type Shard = Vec<Arc<Row>>;

/// An immutable set of rows, no two of one identity.
#[derive(Clone)]
pub struct Records {
    shards: Arc<Vec<Arc<Shard>>>,
    count: usize,
    hash: ContentHash,
}

impl Default for Records {
    fn default() -> Self {
        let empty = Arc::new(Shard::new());
        Self { shards: Arc::new(vec![empty; SHARDS]), count: 0, hash: ContentHash::default() }
    }
}

impl Records {
    /// Builds a store from rows; of several with one identity the first stays.
    pub fn from_rows(rows: impl IntoIterator<Item = Row>) -> Self {
        let mut shards: Vec<Shard> = (0..SHARDS).map(|_| Shard::new()).collect();
        for row in rows {
            shards[shard_of(row.hash)].push(Arc::new(row));
        }
        let mut hash = ContentHash::default();
        let mut count = 0;
        for shard in &mut shards {
            shard.sort_by(|a, b| a.cmp_place(b.hash, &b.record).then(a.order.cmp(&b.order)));
            shard.dedup_by(|later, first| later.record.cmp_identity(&first.record) == Ordering::Equal);
            shard.shrink_to_fit();
            count += shard.len();
            shard.iter().for_each(|row| hash.add(ContentHash::of(&row.record)));
        }
        Self { shards: Arc::new(shards.into_iter().map(Arc::new).collect()), count, hash }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The content hash.
    pub fn hash(&self) -> ContentHash {
        self.hash
    }

    /// The row of this identity.
    pub fn get(&self, record: &Record) -> Option<&Arc<Row>> {
        let hash = name_hash(record.name());
        let shard = &self.shards[shard_of(hash)];
        shard.binary_search_by(|row| row.cmp_place(hash, record)).ok().map(|at| &shard[at])
    }

    /// Rows of one name, sorted by type and value.
    pub fn of_name(&self, name: &str) -> &[Arc<Row>] {
        let hash = name_hash(name);
        let shard = &self.shards[shard_of(hash)];
        &shard[equal_range(shard, |row| row.hash.cmp(&hash).then_with(|| cmp_names(row.record.name(), name)))]
    }

    /// Rows of one name and type.
    pub fn of_set(&self, name: &str, kind: RecordType) -> &[Arc<Row>] {
        let rows = self.of_name(name);
        &rows[equal_range(rows, |row| row.record.kind().unwrap_or(RecordType(0)).cmp(&kind))]
    }

    /// Rows of one shard, counted from 0; `None` after the last. For work that stops and goes on.
    pub fn shard(&self, number: usize) -> Option<&[Arc<Row>]> {
        self.shards.get(number).map(|shard| shard.as_slice())
    }

    /// The row with this id. Looks at every row: ids are for people's edits.
    pub fn by_id(&self, id: &str) -> Option<&Arc<Row>> {
        self.iter().find(|row| row.record.id().is_some_and(|own| own.eq_ignore_ascii_case(id)))
    }

    /// All rows, in no order that means anything, rows of one record set side by side.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Row>> {
        self.shards.iter().flat_map(|shard| shard.iter())
    }

    /// All rows in the order of files and frames.
    pub fn in_order(&self) -> Vec<&Arc<Row>> {
        let mut rows: Vec<_> = self.iter().collect();
        rows.sort_unstable_by_key(|row| row.order);
        rows
    }

    /// The next generation: first without `removed`, then with `added`, which replace rows of their identity.
    pub fn with(&self, removed: &[Arc<Row>], added: &[Arc<Row>]) -> Self {
        if removed.is_empty() && added.is_empty() {
            return self.clone();
        }
        if removed.len() + added.len() >= MANY { self.with_many(removed, added) } else { self.with_few(removed, added) }
    }

    fn with_few(&self, removed: &[Arc<Row>], added: &[Arc<Row>]) -> Self {
        let mut shards = Vec::clone(&self.shards);
        let (mut count, mut hash) = (self.count, self.hash);
        for row in removed {
            let shard = Arc::make_mut(&mut shards[shard_of(row.hash)]);
            if let Ok(at) = shard.binary_search_by(|held| held.cmp_place(row.hash, &row.record)) {
                hash.subtract(ContentHash::of(&shard.remove(at).record));
                count -= 1;
            }
        }
        for row in added {
            let shard = Arc::make_mut(&mut shards[shard_of(row.hash)]);
            hash.add(ContentHash::of(&row.record));
            match shard.binary_search_by(|held| held.cmp_place(row.hash, &row.record)) {
                Ok(at) => {
                    hash.subtract(ContentHash::of(&shard[at].record));
                    shard[at] = Arc::clone(row);
                }
                Err(at) => {
                    shard.insert(at, Arc::clone(row));
                    count += 1;
                }
            }
        }
        Self { shards: Arc::new(shards), count, hash }
    }

    fn with_many(&self, removed: &[Arc<Row>], added: &[Arc<Row>]) -> Self {
        let (mut shards, mut hash) = (Vec::clone(&self.shards), self.hash);
        let by_shard = |rows: &[Arc<Row>]| {
            let mut sorted = vec![Shard::new(); SHARDS];
            rows.iter().for_each(|row| sorted[shard_of(row.hash)].push(Arc::clone(row)));
            sorted
        };
        let place = |one: &Arc<Row>, other: &Arc<Row>| one.cmp_place(other.hash, &other.record);
        for ((shard, mut gone), came) in shards.iter_mut().zip(by_shard(removed)).zip(by_shard(added)) {
            if gone.is_empty() && came.is_empty() {
                continue;
            }
            gone.sort_unstable_by(place);
            let mut rows = Shard::with_capacity(shard.len() + came.len());
            for row in shard.iter() {
                match gone.binary_search_by(|other| place(other, row)) {
                    Ok(_) => hash.subtract(ContentHash::of(&row.record)),
                    Err(_) => rows.push(Arc::clone(row)),
                }
            }
            came.iter().for_each(|row| hash.add(ContentHash::of(&row.record)));
            rows.extend(came);
            // Stable: of rows of one identity the last stays.
            rows.sort_by(place);
            rows.dedup_by(|later, earlier| {
                let same = place(later, earlier) == Ordering::Equal;
                if same {
                    std::mem::swap(later, earlier);
                    hash.subtract(ContentHash::of(&later.record));
                }
                same
            });
            rows.shrink_to_fit();
            *shard = Arc::new(rows);
        }
        let count = shards.iter().map(|shard| shard.len()).sum();
        Self { shards: Arc::new(shards), count, hash }
    }
}

/// FNV-1a over the name without case: good enough to spread names, and the same in every run.
pub fn name_hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3)
    })
}

fn shard_of(hash: u64) -> usize {
    ((hash ^ (hash >> 32)) as usize) % SHARDS
}

/// The range of sorted rows that compare equal.
fn equal_range(rows: &[Arc<Row>], compare: impl Fn(&Row) -> Ordering) -> Range<usize> {
    let start = rows.partition_point(|row| compare(row) == Ordering::Less);
    let length = rows[start..].partition_point(|row| compare(row) == Ordering::Equal);
    start..start + length
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row(name: u8, value: u8, ttl: u32) -> Arc<Row> {
        let record = Record::new(&format!("n{name}.test"), "A", &format!("192.0.2.{value}"), ttl);
        Arc::new(Row::new(record, u64::from(name), 0, true))
    }

    proptest! {
        #[test]
        fn deriving_equals_building_anew(steps in prop::collection::vec((any::<bool>(), 0u8..6, 0u8..4, 0u32..3), 0..60)) {
            let mut derived = Records::default();
            let mut model = std::collections::BTreeMap::new();
            for (add, name, value, ttl) in steps {
                let row = row(name, value, ttl);
                if add {
                    derived = derived.with(&[], std::slice::from_ref(&row));
                    model.insert((name, value), row);
                } else {
                    derived = derived.with(std::slice::from_ref(&row), &[]);
                    model.remove(&(name, value));
                }
            }
            let anew = Records::from_rows(model.values().map(|row| Row::clone(row)));
            prop_assert_eq!(derived.len(), anew.len());
            prop_assert_eq!(derived.hash(), anew.hash());
            prop_assert!(derived.iter().eq(anew.iter()));
        }
    }

    proptest! {
        #[test]
        fn many_rows_at_once_are_the_same_as_one_after_the_other(
            held in prop::collection::vec((0u8..9, 0u8..4, 0u32..3), 0..30),
            gone in prop::collection::vec((0u8..9, 0u8..4, 0u32..3), 0..30),
            came in prop::collection::vec((0u8..9, 0u8..4, 0u32..3), 0..30),
        ) {
            let rows = |of: Vec<(u8, u8, u32)>| of.into_iter().map(|(name, value, ttl)| row(name, value, ttl)).collect::<Vec<_>>();
            let (held, gone, came) = (Records::default().with(&[], &rows(held)), rows(gone), rows(came));
            let (few, many) = (held.with_few(&gone, &came), held.with_many(&gone, &came));
            prop_assert_eq!((few.len(), few.hash()), (many.len(), many.hash()));
            prop_assert!(few.iter().eq(many.iter()));
        }
    }

    #[test]
    fn rows_are_found_by_name_set_and_identity_in_any_case() {
        let records = Records::default().with(&[], &[row(1, 1, 60), row(1, 2, 60), row(2, 1, 60)]);
        assert_eq!(records.of_name("N1.TEST").len(), 2);
        assert_eq!(records.of_set("n1.test", RecordType::A).len(), 2);
        assert_eq!(records.of_set("n1.test", RecordType::AAAA).len(), 0);
        assert!(records.get(&Record::new("N2.test.", "a", "192.0.2.1", 9)).is_some());
        assert_eq!(records.in_order().last().map(|row| row.record.name()), Some("n2.test"));
    }
}
