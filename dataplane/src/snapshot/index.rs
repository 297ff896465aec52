//! The map from names to entries: 64 rows of 64 shards, shared between snapshots until one of them changes.
//!
//! A change copies one row (64 pointers) and one shard, whatever the size of the store. Two levels, because a single
//! table of 4096 pointers costs more to copy than the shard itself.
//!
//! While everything is loaded at once, a row is kept as one large shard, and divided when all is there: thousands of small
//! shards that grow side by side would leave the heap half empty.
//!
//! Shards go to disk as they stand, so the hash must be the same when they come back. The seed is stored beside them, and
//! [`probe`] tells whether this build still hashes as the one that wrote them did.

use super::{
    entry::{Entry, Set},
    marks::Marks,
    shard::{Full, Shard},
};
use foldhash::quality::FixedState;
use std::{
    hash::{BuildHasher, Hasher, RandomState},
    sync::Arc,
};

/// Shards in a row, and rows.
const FAN: usize = 64;
/// Shards in all.
pub(crate) const SHARDS: usize = FAN * FAN;

type Row = [Arc<Shard>; FAN];

/// All entries of a snapshot.
#[derive(Clone)]
pub(crate) struct Index {
    seed: u64,
    /// Which bits of the column count: all, or none while loading.
    columns: usize,
    rows: [Arc<Row>; FAN],
    /// Where zones, cuts and wildcards are; always that of the entries.
    marks: Marks,
}

impl Index {
    /// Without any name.
    pub(crate) fn empty(seed: u64) -> Self {
        let shard = Arc::new(Shard::default());
        let row = Arc::new(std::array::from_fn(|_| shard.clone()));
        Self { seed, columns: FAN - 1, rows: std::array::from_fn(|_| row.clone()), marks: Marks::default() }
    }

    /// Without any name, for loading a large number of them. To be [`settled`](Self::settled) afterwards.
    pub(crate) fn loading(seed: u64) -> Self {
        let rest = Arc::new(Shard::default());
        let row = |_| Arc::new(std::array::from_fn(|at| if at == 0 { Arc::new(Shard::roomy()) } else { rest.clone() }));
        Self { columns: 0, rows: std::array::from_fn(row), ..Self::empty(seed) }
    }

    /// From shards in the order of [`shards`](Self::shards), and their marks; missing shards are empty.
    pub(crate) fn from_shards(seed: u64, shards: impl IntoIterator<Item = Shard>, marks: Marks) -> Self {
        let mut index = Self { marks, ..Self::empty(seed) };
        for (at, shard) in shards.into_iter().take(SHARDS).enumerate() {
            *index.shard_mut((at as u64) << 52) = shard;
        }
        index
    }

    /// The entry of this name, which must be lower-case wire form.
    #[inline]
    pub(crate) fn find(&self, name: &[u8]) -> Option<Entry<'_>> {
        let hash = hash(self.seed, name);
        let (row, column) = self.place(hash);
        self.rows[row][column].find(hash, name)
    }

    /// What a name in lower case, or an address, hashes to.
    pub(super) fn hash_of(&self, octets: &[u8]) -> u64 {
        hash(self.seed, octets)
    }

    /// The entry whose name hashes to this and which is what `wanted` says.
    pub(super) fn find_hashed(&self, hash: u64, wanted: impl Fn(&Entry<'_>) -> bool) -> Option<Entry<'_>> {
        self.shard(hash).find_hashed(hash, |entry| self.hash_of(entry.name()) == hash && wanted(entry))
    }

    /// Where this name would be, and its hash.
    #[inline]
    pub(super) fn shard_of(&self, name: &[u8]) -> (&Shard, u64) {
        let hash = hash(self.seed, name);
        (self.shard(hash), hash)
    }

    pub(crate) fn put<'a>(
        &mut self,
        name: &[u8],
        children: u32,
        sets: impl Iterator<Item = Set<'a>>,
    ) -> Result<(), Full> {
        let (seed, at) = (self.seed, hash(self.seed, name));
        let (old, new) = self.shard_mut(at).put(at, name, children, sets, |name| hash(seed, name))?;
        self.marks.replace(name, old, Some(new));
        Ok(())
    }

    /// Sets the number of children of a name that has an entry.
    pub(crate) fn set_children(&mut self, name: &[u8], children: u32) -> Result<(), Full> {
        let at = hash(self.seed, name);
        match self.shard(at).find(at, name) {
            Some(entry) if !entry.counts_children() && children > 0 => {
                let whole = entry.bytes().to_vec();
                self.put(name, children, Entry::at(&whole).sets())
            }
            _ => {
                self.shard_mut(at).set_children(at, name, children);
                Ok(())
            }
        }
    }

    pub(crate) fn remove(&mut self, name: &[u8]) {
        let (seed, at) = (self.seed, hash(self.seed, name));
        let old = self.shard_mut(at).remove(at, name, |name| hash(seed, name));
        self.marks.replace(name, old, None);
    }

    /// Squeezes out holes: in the shard of one name if they are many, …
    pub(crate) fn tidy(&mut self, name: &[u8]) {
        let (seed, at) = (self.seed, hash(self.seed, name));
        if self.shard(at).is_untidy() {
            self.shard_mut(at).tidy(|name| hash(seed, name));
        }
    }

    /// … or everywhere, after everything was loaded: each row is divided into shards of exactly the right size.
    pub(crate) fn settled(self) -> Self {
        let (seed, mut settled) = (self.seed, Self { marks: self.marks, ..Self::empty(self.seed) });
        for (row, into) in self.rows.into_iter().zip(&mut settled.rows) {
            let [whole, ..] = &*row;
            if whole.len() > 0 {
                let shards = whole.divide(FAN, |name| hash(seed, name), |hash| column(hash, FAN - 1));
                let mut shards = shards.into_iter().map(Arc::new);
                *into = Arc::new(std::array::from_fn(|_| shards.next().unwrap_or_default()));
            }
        }
        settled
    }

    /// All shards, in a fixed order.
    pub(crate) fn shards(&self) -> impl Iterator<Item = &Shard> {
        self.rows.iter().flat_map(|row| row.iter()).map(|shard| &**shard)
    }

    /// All entries, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Entry<'_>> {
        self.shards().flat_map(Shard::iter)
    }

    /// Where zones, cuts and wildcards are.
    #[inline]
    pub(crate) fn marks(&self) -> &Marks {
        &self.marks
    }

    /// What the hash is seeded with.
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    #[inline]
    fn place(&self, hash: u64) -> (usize, usize) {
        ((hash >> 58) as usize, column(hash, self.columns))
    }

    #[inline]
    fn shard(&self, hash: u64) -> &Shard {
        let (row, column) = self.place(hash);
        &self.rows[row][column]
    }

    fn shard_mut(&mut self, hash: u64) -> &mut Shard {
        let (row, column) = self.place(hash);
        Arc::make_mut(&mut Arc::make_mut(&mut self.rows[row])[column])
    }
}

/// A seed that a stranger cannot guess. (Names come from the operator; this only keeps an unlucky set of names from
/// being unlucky everywhere.)
pub(crate) fn random_seed() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// A value that differs if this build hashes otherwise than the one that stored it: foldhash promises no stability.
pub(crate) fn probe(seed: u64) -> u64 {
    let text: [u8; 255] = std::array::from_fn(|at| at as u8);
    [1, 3, 4, 7, 8, 15, 16, 17, 32, 33, 64, 100, 200, 255]
        .iter()
        .fold(0, |all: u64, length| all.rotate_left(7) ^ hash(seed, &text[..*length]))
}

#[inline]
fn hash(seed: u64, name: &[u8]) -> u64 {
    let mut hasher = FixedState::with_seed(seed).build_hasher();
    hasher.write(name);
    hasher.finish()
}

/// The row is in the highest six bits of a hash, the column in the next six. The table inside a shard uses lower ones.
#[inline]
fn column(hash: u64, columns: usize) -> usize {
    (hash >> 52) as usize & columns
}
