//! From addresses to the names that have them: what automatic PTR records are made of. There only while it is asked for.
//!
//! A name that has an address is a pair of hashes, sixteen octets; the name itself is in the index, which finds it by its
//! hash. Pairs are kept sorted in 64 rows of 64 shards, which snapshots share until a change touches one, as the index does
//! it. What is held depends on the records alone, not on the order in which they came.

use super::{
    entry::{Entry, Set},
    index::Index,
};
use dnsplane_proto::RecordType;
use std::sync::Arc;

/// Shards in a row, and rows.
const FAN: usize = 64;

type Shard = Vec<Pair>;
type Row = [Arc<Shard>; FAN];

/// The names of all addresses.
#[derive(Clone)]
pub(crate) struct Reverse {
    rows: [Arc<Row>; FAN],
}

/// A name has an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Pair {
    /// Hash of the address.
    address: u64,
    /// Hash of the name, as the index knows it.
    owner: u64,
}

impl Reverse {
    /// From nothing: looks at every record set twice, once to learn how large each shard will be.
    pub(crate) fn of(index: &Index) -> Self {
        let mut sizes = vec![0; FAN * FAN];
        each_pair(index, |pair| sizes[pair.row() * FAN + pair.column()] += 1);
        let mut shards: Vec<Shard> = sizes.into_iter().map(Vec::with_capacity).collect();
        each_pair(index, |pair| shards[pair.row() * FAN + pair.column()].push(pair));
        shards.iter_mut().for_each(|shard| shard.sort_unstable());
        let mut shards = shards.into_iter().map(Arc::new);
        Self { rows: std::array::from_fn(|_| Arc::new(std::array::from_fn(|_| shards.next().unwrap_or_default()))) }
    }

    /// A record set of this name has become another; only sets of addresses matter.
    pub(crate) fn replace(&mut self, index: &Index, name: &[u8], old: Option<Set<'_>>, new: Set<'_>) {
        if !is_counted(name, new.kind) {
            return;
        }
        let pairs = |set: Set<'_>| pairs(index, index.hash_of(name), set);
        let (old, new) = (old.map(pairs).unwrap_or_default(), pairs(new));
        for gone in old.iter().filter(|pair| new.binary_search(pair).is_err()) {
            self.remove(*gone);
        }
        for come in new.iter().filter(|pair| old.binary_search(pair).is_err()) {
            self.insert(*come);
        }
    }

    /// The entries of all names that have this address, in no order.
    pub(crate) fn owners<'s, 'a>(
        &'s self,
        index: &'s Index,
        address: &'a [u8],
    ) -> impl Iterator<Item = Entry<'s>> + use<'s, 'a> {
        let hash = index.hash_of(address);
        let shard = self.shard(Pair { address: hash, owner: 0 });
        let pairs = shard.get(shard.partition_point(|pair| pair.address < hash)..).unwrap_or_default();
        let pairs = pairs.iter().take_while(move |pair| pair.address == hash);
        pairs.filter_map(move |pair| {
            index.find_hashed(pair.owner, |entry| record(entry, address).is_some() && !is_wildcard(entry.name()))
        })
    }

    /// Octets of all pairs, and how many there are.
    pub(crate) fn size(&self) -> (usize, usize) {
        let shards = || self.rows.iter().flat_map(|row| row.iter());
        let octets = shards().map(|shard| shard.capacity() * size_of::<Pair>()).sum();
        (octets, shards().map(|shard| shard.len()).sum())
    }

    fn insert(&mut self, pair: Pair) {
        let shard = self.shard_mut(pair);
        if let Err(at) = shard.binary_search(&pair) {
            // Vec would double, and what has seen many changes would be twice as large as what was loaded whole.
            if shard.capacity() == shard.len() {
                shard.reserve_exact(1 + shard.len() / 16);
            }
            shard.insert(at, pair);
        }
    }

    fn remove(&mut self, pair: Pair) {
        let shard = self.shard_mut(pair);
        if let Ok(at) = shard.binary_search(&pair) {
            shard.remove(at);
        }
    }

    fn shard(&self, pair: Pair) -> &Shard {
        &self.rows[pair.row()][pair.column()]
    }

    fn shard_mut(&mut self, pair: Pair) -> &mut Shard {
        Arc::make_mut(&mut Arc::make_mut(&mut self.rows[pair.row()])[pair.column()])
    }
}

impl Pair {
    fn row(self) -> usize {
        (self.address >> 58) as usize
    }

    fn column(self) -> usize {
        (self.address >> 52) as usize & (FAN - 1)
    }
}

/// The first record of a name that holds this address.
pub(crate) fn record<'s>(entry: &Entry<'s>, address: &[u8]) -> Option<&'s [u8]> {
    let kind = if address.len() == 4 { RecordType::A } else { RecordType::AAAA };
    entry.set(kind)?.records().find(|record| record.get(super::entry::RECORD_HEADER..) == Some(address))
}

fn each_pair(index: &Index, mut take: impl FnMut(Pair)) {
    for entry in index.iter() {
        for set in entry.sets().filter(|set| is_counted(entry.name(), set.kind)) {
            pairs(index, index.hash_of(entry.name()), set).into_iter().for_each(&mut take);
        }
    }
}

/// The pairs of one set, sorted, each once.
fn pairs(index: &Index, owner: u64, set: Set<'_>) -> Vec<Pair> {
    let length = if set.kind == RecordType::A { 4 } else { 16 };
    let addresses = set.records().filter_map(|record| record.get(super::entry::RECORD_HEADER..));
    let addresses = addresses.filter(|address| address.len() == length);
    let mut pairs: Vec<_> = addresses.map(|address| Pair { address: index.hash_of(address), owner }).collect();
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}

fn is_counted(name: &[u8], kind: RecordType) -> bool {
    matches!(kind, RecordType::A | RecordType::AAAA) && !is_wildcard(name)
}

/// A wildcard is no host; it stands for those that are not there (RFC 4592 §2.1.1).
fn is_wildcard(name: &[u8]) -> bool {
    name.starts_with(b"\x01*")
}

#[cfg(test)]
mod tests;
