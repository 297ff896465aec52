//! The base file: a snapshot's shards, as they stand.
//!
//! ```text
//! head    magic, format, shards, seed, probe, session, number, records
//! table   each shard: octets of its blob, slots, entries, holes, CRC-32
//! marks   where zones, cuts and wildcards are: three counts for each number of labels
//!         CRC-32 of everything so far
//! shards  blob, slots
//! ```
//! All integers are little-endian. Reading is one pass without looking at a single record, unless this build hashes names
//! otherwise than the one that wrote the file (see [`index::probe`]); then every record is put into a new index.

use super::{FileError, write_aside};
use crate::wire_name::MAX_LABELS;
use crate::{
    Builder,
    builder::Unusable,
    snapshot::{
        Snapshot,
        entry::{RECORD_HEADER, ttl},
        index::{self, Index, SHARDS},
        marks::Marks,
        shard::{self, Parts, Shard},
    },
};
use dnsplane_proto::{Generation, Name, RecordData, RecordSet};
use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};

const MAGIC: &[u8; 8] = b"dnspbase";
const FORMAT: u32 = 2;
const HEAD: usize = 56;
const ROW: usize = 20;
const TABLE_END: usize = HEAD + SHARDS * ROW;
const DEPTHS: usize = MAX_LABELS + 1;
const MARKS_END: usize = TABLE_END + 3 * DEPTHS * 4;

pub(super) fn write(path: &Path, snapshot: &Snapshot) -> Result<u64, FileError> {
    let Snapshot { generation, index, records, .. } = snapshot;
    let mut head = Vec::with_capacity(MARKS_END + 4);
    head.extend_from_slice(MAGIC);
    head.extend_from_slice(&FORMAT.to_le_bytes());
    head.extend_from_slice(&(SHARDS as u32).to_le_bytes());
    for word in [index.seed(), index::probe(index.seed()), generation.session, generation.number, *records] {
        head.extend_from_slice(&word.to_le_bytes());
    }
    let (mut size, mut slots) = (0, Vec::new());
    for shard in index.shards() {
        let parts = shard.parts();
        let checksum = checksum(&parts, &mut slots);
        let lengths = [parts.blob.len() as u32, parts.slots.len() as u32, parts.entries, parts.holes, checksum];
        lengths.iter().for_each(|word| head.extend_from_slice(&word.to_le_bytes()));
        size += parts.blob.len() + slots.len();
    }
    for count in index.marks().parts().into_iter().flatten() {
        head.extend_from_slice(&count.to_le_bytes());
    }
    head.extend_from_slice(&crc32fast::hash(&head).to_le_bytes());
    write_aside(path, |file| {
        file.write_all(&head)?;
        for shard in index.shards() {
            let parts = shard.parts();
            file.write_all(parts.blob)?;
            to_bytes(parts.slots, &mut slots);
            file.write_all(&slots)?;
        }
        Ok(())
    })?;
    Ok((head.len() + size) as u64)
}

/// `None`: there is no such file.
pub(super) fn read(path: &Path) -> Result<Option<Snapshot>, FileError> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(FileError::io("open", path))?,
    };
    let length = file.metadata().map_err(FileError::io("read", path))?.len();
    read_from(BufReader::with_capacity(256 << 10, file), length, path).map(Some)
}

fn read_from(mut file: impl Read, length: u64, path: &Path) -> Result<Snapshot, FileError> {
    let damaged = |what: &str| FileError::damaged(path, what);
    if length < (MARKS_END + 4) as u64 {
        return Err(damaged("it is cut short"));
    }
    let head = take(&mut file, MARKS_END, path)?;
    let checksum = take(&mut file, 4, path)?;
    let head = Head { bytes: &head };
    if !head.bytes.starts_with(MAGIC) {
        return Err(damaged("it does not start as it should"));
    }
    if head.word(8) != FORMAT {
        return Err(FileError::Format { path: path.to_owned(), found: head.word(8), known: FORMAT });
    }
    if checksum != crc32fast::hash(head.bytes).to_le_bytes() || head.word(12) as usize != SHARDS {
        return Err(damaged("the checksum of its head does not match"));
    }
    let rows = || (0..SHARDS).map(|at| std::array::from_fn::<u32, 5, _>(|word| head.word(HEAD + at * ROW + word * 4)));
    let expected: u64 = rows().map(|[blob, slots, ..]| u64::from(blob) + 4 * u64::from(slots)).sum();
    if length != (MARKS_END + 4) as u64 + expected {
        return Err(damaged("its length is not what its head says"));
    }
    let mut shards = Vec::with_capacity(SHARDS);
    for [blob, slots, entries, holes, checksum] in rows() {
        let blob = take_into(Vec::with_capacity(shard::room_for(blob as usize)), &mut file, blob as usize, path)?;
        let slots = take(&mut file, slots as usize * 4, path)?;
        if crc(&blob, &slots) != checksum {
            return Err(damaged("the checksum of a shard does not match"));
        }
        let slots = slots.as_chunks().0.iter().map(|slot| u32::from_le_bytes(*slot)).collect();
        shards.push(Shard::from_parts(blob, slots, entries, holes).ok_or_else(|| damaged("a shard is not sound"))?);
    }
    let generation = Generation { session: head.long(32), number: head.long(40) };
    let depths = |kind| std::array::from_fn(|labels| head.word(TABLE_END + (kind * DEPTHS + labels) * 4));
    let index = Index::from_shards(head.long(16), shards, Marks::from_parts([0, 1, 2].map(depths)));
    let as_stored = Snapshot { generation, index, records: head.long(48), ..Snapshot::empty() };
    if index::probe(head.long(16)) == head.long(24) {
        return Ok(as_stored);
    }
    rehashed(&as_stored).map_err(|error| FileError::damaged(path, crate::chain(&error)))
}

/// The same records in an index of this build's hash.
fn rehashed(stored: &Snapshot) -> Result<Snapshot, Unusable> {
    let mut builder = Builder::new();
    for entry in stored.entries() {
        // A name that went into an index was one; should it not be, the copy loses it, and the control plane has it.
        let Ok(owner) = Name::from_wire(entry.name()) else { continue };
        for set in entry.sets() {
            let data = set.records().map(|record| RecordData {
                ttl: ttl(record),
                rdata: record.get(RECORD_HEADER..).unwrap_or_default().to_vec().into(),
            });
            builder.apply(&RecordSet { owner: owner.clone(), kind: set.kind, data: data.collect() })?;
        }
    }
    Ok(builder.finish(stored.generation, stored.rules.clone()))
}

/// The head and table, whose length was checked.
struct Head<'a> {
    bytes: &'a [u8],
}

impl Head<'_> {
    fn word(&self, at: usize) -> u32 {
        self.bytes.get(at..at + 4).and_then(|octets| octets.try_into().ok()).map_or(0, u32::from_le_bytes)
    }

    fn long(&self, at: usize) -> u64 {
        u64::from(self.word(at)) | u64::from(self.word(at + 4)) << 32
    }
}

/// So many octets, into memory that is not cleared first. The caller has checked that the file is long enough.
fn take(file: &mut impl Read, length: usize, path: &Path) -> Result<Vec<u8>, FileError> {
    take_into(Vec::with_capacity(length), file, length, path)
}

fn take_into(mut bytes: Vec<u8>, file: &mut impl Read, length: usize, path: &Path) -> Result<Vec<u8>, FileError> {
    file.take(length as u64).read_to_end(&mut bytes).map_err(FileError::io("read", path))?;
    if bytes.len() == length { Ok(bytes) } else { Err(FileError::damaged(path, "it is cut short")) }
}

fn checksum(parts: &Parts<'_>, scratch: &mut Vec<u8>) -> u32 {
    to_bytes(parts.slots, scratch);
    crc(parts.blob, scratch)
}

fn crc(blob: &[u8], slots: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(blob);
    hasher.update(slots);
    hasher.finalize()
}

fn to_bytes(slots: &[u32], out: &mut Vec<u8>) {
    out.clear();
    out.extend(slots.iter().flat_map(|slot| slot.to_le_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_another_hash_is_put_into_a_new_index() {
        let mut builder = Builder::new();
        let set = |owner: &str, ttl| RecordSet {
            owner: Name::parse(owner).unwrap(),
            kind: dnsplane_proto::RecordType::A,
            data: vec![RecordData { ttl, rdata: vec![1, 2, 3, 4].into() }; 2],
        };
        (0..500).for_each(|at| builder.apply(&set(&format!("h{at}.example"), at)).unwrap());
        let stored = builder.finish(Generation { session: 1, number: 2 }, crate::Rules::default());
        let again = rehashed(&stored).unwrap();
        assert_ne!(again.index.seed(), stored.index.seed());
        assert_eq!((again.records(), again.generation), (1000, stored.generation));
        for entry in stored.entries() {
            let other = again.find(entry.name()).expect("there");
            assert!(other.sets().eq(entry.sets()) && other.children() == entry.children());
        }
    }
}
