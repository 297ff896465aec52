//! One segment, read entry by entry and backwards, without holding more of it than one entry's place for each.
//!
//! The newest segment may be written to meanwhile: what is not a whole entry yet ends it, as it would when replaying.

use super::{ENTRY_HEADER, HEADER, session_of};
use std::{
    fs::File,
    io::{self, BufReader, Read, Seek},
    os::unix::fs::FileExt,
    path::PathBuf,
};

/// A segment that is open for reading.
pub(in crate::store) struct Segment {
    first: u64,
    file: File,
    path: PathBuf,
    size: u64,
}

/// Where an entry is.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Place {
    /// Of its payload.
    at: u64,
    length: u32,
    durable: u64,
    crc: u32,
}

/// The payload of an entry, read piece by piece; its checksum is known at its end.
pub(in crate::store) struct Payload<'a> {
    file: &'a File,
    place: Place,
    read: u64,
    hasher: crc32fast::Hasher,
}

impl Segment {
    /// Opens one; `None` if it belongs to another store or has no header yet.
    pub(super) fn open(first: u64, path: PathBuf, session: u64) -> io::Result<Option<Self>> {
        let file = File::open(&path)?;
        let size = file.metadata()?.len();
        let mut header = [0; HEADER as usize];
        if size < HEADER {
            return Ok(None);
        }
        file.read_exact_at(&mut header, 0)?;
        Ok((session_of(&header) == Some(session)).then_some(Self { first, file, path, size }))
    }

    /// Number in its name: no change in it has a lower one.
    pub(in crate::store) fn first(&self) -> u64 {
        self.first
    }

    /// For sentences.
    pub(in crate::store) fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// Where its entries are, oldest first.
    pub(in crate::store) fn places(&self) -> io::Result<Vec<Place>> {
        let mut reader = BufReader::with_capacity(64 << 10, &self.file);
        reader.seek(io::SeekFrom::Start(HEADER))?;
        let (mut places, mut at) = (Vec::new(), HEADER);
        let mut header = [0; ENTRY_HEADER];
        while at + ENTRY_HEADER as u64 <= self.size {
            reader.read_exact(&mut header)?;
            let [length, crc] =
                [0, 4].map(|start| header[start..].first_chunk().map_or(0, |four| u32::from_be_bytes(*four)));
            let durable = header.last_chunk().map_or(0, |eight| u64::from_be_bytes(*eight));
            let place = Place { at: at + ENTRY_HEADER as u64, length, durable, crc };
            at = place.at + u64::from(length);
            if length == 0 || at > self.size {
                break;
            }
            places.push(place);
            reader.seek_relative(i64::from(length))?;
        }
        Ok(places)
    }

    /// The payload of an entry.
    pub(in crate::store) fn payload(&self, place: Place) -> Payload<'_> {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&place.durable.to_be_bytes());
        Payload { file: &self.file, place, read: 0, hasher }
    }
}

impl Place {
    /// Octets of the payload.
    pub(in crate::store) fn length(self) -> usize {
        self.length as usize
    }
}

impl Payload<'_> {
    /// Reads to its end; whether it is what was written.
    pub(in crate::store) fn check(mut self) -> io::Result<bool> {
        io::copy(&mut self, &mut io::sink())?;
        Ok(self.hasher.finalize() == self.place.crc)
    }
}

impl Read for Payload<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = u64::from(self.place.length) - self.read;
        let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let count = self.file.read_at(&mut buffer[..most], self.place.at + self.read)?;
        self.hasher.update(&buffer[..count]);
        self.read += count as u64;
        Ok(count)
    }
}
