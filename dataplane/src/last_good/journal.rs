//! The journal: differences, in the order in which they were served.
//!
//! Magic and format, then entries: length and CRC-32 of what follows, the two generations, and the bodies of the transfer.
//! (Bodies put one after the other are one message: that is how protobuf merges repeated fields.) An entry that is not
//! whole ends the journal; it is what a crash leaves behind, and the next append overwrites it.

use super::FileError;
use crate::builder::Unusable;
use bytes::Bytes;
use dnsplane_proto::{Generation, InvalidMessage, RecordSet, pb::feed as pb};
use prost::Message;
use std::{
    fs::File,
    io::{Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

const MAGIC: &[u8; 12] = b"dnspjrnl\x01\x00\x00\x00";
/// Length and checksum.
const FRAME: usize = 8;
const GENERATIONS: usize = 32;

/// The journal, open for appending.
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    length: u64,
    entries: u64,
    dirty: bool,
}

/// One difference.
pub(super) struct Entry {
    pub(super) from: Generation,
    pub(super) to: Generation,
    pub(super) sets: Vec<RecordSet>,
}

/// Why an entry that is whole cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadEntry {
    #[error(transparent)]
    Encoding(#[from] prost::DecodeError),
    #[error(transparent)]
    Message(#[from] InvalidMessage),
    #[error(transparent)]
    Unusable(#[from] Unusable),
}

impl Journal {
    /// Goes on with the journal that is there, behind its last whole entry.
    pub(super) fn resume(path: &Path) -> Result<Self, FileError> {
        let (mut length, mut entries) = (MAGIC.len() as u64, 0);
        let bytes = super::read_whole(path)?.filter(|bytes| bytes.starts_with(MAGIC));
        let Some(bytes) = bytes else {
            return Self::create(path);
        };
        let mut rest = &bytes[MAGIC.len()..];
        while let Some((payload, after)) = next(rest) {
            length += (FRAME + payload.len()) as u64;
            entries += 1;
            rest = after;
        }
        let file = File::options().write(true).open(path).map_err(FileError::io("open", path))?;
        file.set_len(length).map_err(FileError::io("cut the torn end off", path))?;
        Self { path: path.to_owned(), file, length, entries, dirty: false }.at_end()
    }

    /// Starts an empty one.
    pub(super) fn create(path: &Path) -> Result<Self, FileError> {
        super::write_aside(path, |file| file.write_all(MAGIC))?;
        let file = File::options().write(true).open(path).map_err(FileError::io("open", path))?;
        Self { path: path.to_owned(), file, length: MAGIC.len() as u64, entries: 0, dirty: false }.at_end()
    }

    /// Octets in the file.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Differences in the file.
    pub(super) fn entries(&self) -> u64 {
        self.entries
    }

    /// Adds a difference. After an error the journal must be created anew.
    pub(super) fn append(&mut self, from: Generation, to: Generation, bodies: &[Bytes]) -> Result<(), FileError> {
        let mut payload = vec![0; FRAME];
        for generation in [from, to] {
            payload.extend_from_slice(&generation.session.to_le_bytes());
            payload.extend_from_slice(&generation.number.to_le_bytes());
        }
        bodies.iter().for_each(|body| payload.extend_from_slice(body));
        let checksum = crc32fast::hash(&payload[FRAME..]);
        let length = (payload.len() - FRAME) as u32;
        payload[..4].copy_from_slice(&length.to_le_bytes());
        payload[4..FRAME].copy_from_slice(&checksum.to_le_bytes());
        self.file.write_all(&payload).map_err(FileError::io("append to", &self.path))?;
        self.length += payload.len() as u64;
        self.entries += 1;
        self.dirty = true;
        Ok(())
    }

    /// Makes what was appended survive a power cut.
    pub(super) fn sync(&mut self) -> Result<(), FileError> {
        if std::mem::take(&mut self.dirty) {
            self.file.sync_data().map_err(FileError::io("sync", &self.path))?;
        }
        Ok(())
    }

    fn at_end(mut self) -> Result<Self, FileError> {
        let end = self.file.seek(SeekFrom::Start(self.length)).map_err(FileError::io("read", &self.path));
        end.map(|_| self)
    }
}

/// Gives every whole entry to `apply`, in order. No file is an empty journal.
pub(super) fn read(path: &Path, mut apply: impl FnMut(Entry) -> Result<(), BadEntry>) -> Result<(), FileError> {
    let Some(bytes) = super::read_whole(path)? else {
        return Ok(());
    };
    let bytes = Bytes::from(bytes);
    if !bytes.starts_with(MAGIC) {
        return Err(FileError::damaged(path, "it does not start as it should"));
    }
    let mut rest = &bytes[MAGIC.len()..];
    while let Some((payload, after)) = next(rest) {
        let entry = Entry::parse(bytes.slice_ref(payload)).and_then(&mut apply);
        entry.map_err(|error| FileError::damaged(path, crate::chain(&error)))?;
        rest = after;
    }
    Ok(())
}

impl Entry {
    fn parse(payload: Bytes) -> Result<Self, BadEntry> {
        let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|octet| payload[at + octet]));
        let generation = |at| Generation { session: word(at), number: word(at + 8) };
        let (from, to) = (generation(0), generation(16));
        let sets = pb::RecordSets::decode(payload.slice(GENERATIONS..))?.sets;
        let sets = sets.into_iter().map(RecordSet::try_from).collect::<Result<_, _>>()?;
        Ok(Self { from, to, sets })
    }
}

/// The payload of the next whole entry, and what follows it.
fn next(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (frame, rest) = bytes.split_first_chunk::<FRAME>()?;
    let [a, b, c, d, checksum @ ..] = *frame;
    let (payload, after) = rest.split_at_checked(u32::from_le_bytes([a, b, c, d]) as usize)?;
    // Zeros, which some file systems leave after a crash, are an entry of no length with a matching checksum.
    let whole = payload.len() >= GENERATIONS && crc32fast::hash(payload) == u32::from_le_bytes(checksum);
    whole.then_some((payload, after))
}
