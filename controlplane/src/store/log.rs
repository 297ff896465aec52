//! The change log on disk: append, fsync, replay.
//!
//! A log is a chain of segments `log-N`, where N is the number of the first change that may be in it. A segment begins
//! with a header (magic, session, N, checksum) and holds entries: length, CRC-32, `durable`, payload. `durable` is how
//! much of the file was known to be on disk when the entry was written. It tells a torn tail (a batch that was
//! being written when the power went; nobody was told that it succeeded) from damage to what was acknowledged: an intact
//! entry that vouches for the damaged bytes means damage, and then we refuse to start rather than lose a write.
//!
//! Segments that an image has replaced are history ([`archive`]): replaying does not look at them.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

mod archive;
mod segment;

pub(super) use archive::Archive;
pub(super) use segment::{Place, Segment};

/// What names of segments begin with.
const LIVE: &str = "log-";
const MAGIC: &[u8; 8] = b"DNSPLOG1";
const HEADER: u64 = 28;
const ENTRY_HEADER: usize = 16;

/// Why a log cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum LogError {
    #[error("cannot read change log `{path}`")]
    Read { path: PathBuf, source: io::Error },
    #[error(
        "change log `{path}` is damaged at byte {at}: acknowledged changes after it could be lost. \
         Restore the file from a backup, or move the folder `{}` away to start from the records file", .path.parent().unwrap_or(Path::new("")).display()
    )]
    Damaged { path: PathBuf, at: u64 },
    #[error("change log `{path}` belongs to another store (session {found:016x}, expected {expected:016x})")]
    ForeignSession { path: PathBuf, found: u64, expected: u64 },
}

/// A segment that is open for appending.
pub(super) struct Log {
    folder: PathBuf,
    session: u64,
    /// Number in the segment's name.
    first: u64,
    file: File,
    /// Bytes of the segment that hold entries known to be on disk.
    durable: u64,
    /// Bytes of all segments since the last image.
    total: u64,
    /// A failed write left bytes behind that could not be cut off yet.
    dirty: bool,
}

/// What replaying found.
pub(super) struct Replayed {
    pub(super) log: Log,
    /// Bytes cut off the end because their batch had not been completed.
    pub(super) torn: u64,
}

/// Entries' payloads in one buffer, ready to be appended together.
#[derive(Default)]
pub(super) struct Batch(Vec<Vec<u8>>);

impl Batch {
    pub(super) fn push(&mut self, payload: Vec<u8>) {
        self.0.push(payload);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn encode(&self, durable: u64) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.iter().map(|payload| payload.len() + ENTRY_HEADER).sum());
        for payload in &self.0 {
            bytes.extend_from_slice(&(payload.len() as u32).to_be_bytes());
            bytes.extend_from_slice(&checksum(durable, payload).to_be_bytes());
            bytes.extend_from_slice(&durable.to_be_bytes());
            bytes.extend_from_slice(payload);
        }
        bytes
    }
}

impl Log {
    /// Starts a new segment for changes from `first` on.
    pub(super) fn create(folder: &Path, session: u64, first: u64) -> io::Result<Self> {
        let file = create_segment(folder, session, first)?;
        Ok(Self { folder: folder.to_owned(), session, first, file, durable: HEADER, total: 0, dirty: false })
    }

    /// Reads all segments in order, hands every payload to `visit`, and opens the last one for appending.
    /// `None` if there is no segment.
    pub(super) fn replay<E: From<LogError>>(
        folder: &Path,
        session: u64,
        mut visit: impl FnMut(&Path, &[u8]) -> Result<(), E>,
    ) -> Result<Option<Replayed>, E> {
        let segments = segments(folder, LIVE).map_err(|source| LogError::Read { path: folder.to_owned(), source })?;
        let mut total = 0;
        let mut last = None;
        for (index, (first, path)) in segments.iter().enumerate() {
            let read = |source| LogError::Read { path: path.clone(), source };
            let bytes = fs::read(path).map_err(read)?;
            let is_last = index + 1 == segments.len();
            if is_last && (bytes.len() as u64) < HEADER {
                // The power went while the segment was being created; nothing was written to it yet.
                fs::remove_file(path).map_err(read)?;
                let log = Self::create(folder, session, *first).map_err(read)?;
                return Ok(Some(Replayed { log: Self { total, ..log }, torn: bytes.len() as u64 }));
            }
            check_header(path, &bytes, session)?;
            let end = walk(path, &bytes, is_last, |payload| visit(path, payload))?;
            total += end - HEADER;
            last = Some((*first, path.clone(), end, bytes.len() as u64 - end));
        }
        let Some((first, path, end, torn)) = last else { return Ok(None) };
        let file = reopen(&path, end).map_err(|source| LogError::Read { path, source })?;
        let log = Self { folder: folder.to_owned(), session, first, file, durable: end, total, dirty: false };
        Ok(Some(Replayed { log, torn }))
    }

    /// Appends a batch and waits for the disk. On an error nothing of the batch remains.
    pub(super) fn append(&mut self, batch: &Batch) -> io::Result<()> {
        if self.dirty {
            self.cut()?;
        }
        let bytes = batch.encode(self.durable);
        let written = self.file.write_all_at(&bytes, self.durable).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            self.dirty = true;
            let _ = self.cut();
            return Err(error);
        }
        self.durable += bytes.len() as u64;
        self.total += bytes.len() as u64;
        Ok(())
    }

    /// Bytes that replaying would have to read.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Bytes of the segment that is being written.
    pub(super) fn segment(&self) -> u64 {
        self.durable
    }

    /// Goes on in a new segment, so that the older ones can be replaced by an image of everything before `first`.
    pub(super) fn roll(&mut self, first: u64) -> io::Result<()> {
        self.go_on(first)?;
        if first == self.first && self.durable == HEADER {
            self.total = 0;
        }
        Ok(())
    }

    /// Goes on in a new segment that follows the others.
    pub(super) fn go_on(&mut self, first: u64) -> io::Result<()> {
        if first == self.first {
            // It begins there already; making it anew would lose what was learnt of peers since.
            return Ok(());
        }
        if self.dirty {
            // Only the last segment may end in something that is no entry.
            self.cut()?;
        }
        *self = Self { total: self.total, ..Self::create(&self.folder, self.session, first)? };
        Ok(())
    }

    /// Removes what a failed append left behind.
    fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.durable)?;
        self.file.sync_data()?;
        self.dirty = false;
        Ok(())
    }
}

/// Segments whose names begin like this, in the order of their first numbers.
fn segments(folder: &Path, prefix: &str) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if let Some(number) = entry.file_name().to_str().and_then(|name| name.strip_prefix(prefix)?.parse().ok()) {
            found.push((number, entry.path()));
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// The name of a segment.
fn segment_name(prefix: &str, first: u64) -> String {
    format!("{prefix}{first:020}")
}

fn create_segment(folder: &Path, session: u64, first: u64) -> io::Result<File> {
    let path = folder.join(segment_name(LIVE, first));
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(path)?;
    let mut header = Vec::with_capacity(HEADER as usize);
    header.extend_from_slice(MAGIC);
    header.extend_from_slice(&session.to_be_bytes());
    header.extend_from_slice(&first.to_be_bytes());
    header.extend_from_slice(&crc32fast::hash(&header).to_be_bytes());
    file.write_all(&header)?;
    file.sync_all()?;
    File::open(folder)?.sync_all()?;
    Ok(file)
}

/// Opens a segment again and cuts off what follows its last whole entry.
fn reopen(path: &Path, end: u64) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    if file.metadata()?.len() > end {
        file.set_len(end)?;
        file.sync_all()?;
    }
    Ok(file)
}

fn check_header(path: &Path, bytes: &[u8], session: u64) -> Result<(), LogError> {
    let found = session_of(bytes).ok_or_else(|| LogError::Damaged { path: path.to_owned(), at: 0 })?;
    if found != session {
        return Err(LogError::ForeignSession { path: path.to_owned(), found, expected: session });
    }
    Ok(())
}

/// The session in a segment's header; `None` if that is no header.
fn session_of(bytes: &[u8]) -> Option<u64> {
    let header: &[u8; HEADER as usize] = bytes.first_chunk()?;
    let (summed, crc) = header.split_last_chunk::<4>()?;
    let intact = crc32fast::hash(summed) == u32::from_be_bytes(*crc);
    let (magic, rest) = summed.split_first_chunk::<8>()?;
    (intact && magic == MAGIC).then(|| rest.first_chunk().map(|session| u64::from_be_bytes(*session)))?
}

/// Visits the entries of a segment; returns where its last whole entry ends.
fn walk<E: From<LogError>>(
    path: &Path,
    bytes: &[u8],
    is_last: bool,
    mut visit: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<u64, E> {
    let mut at = HEADER as usize;
    while at < bytes.len() {
        let Some((_, payload)) = entry_at(bytes, at) else {
            if is_last && !vouched_for(bytes, at) {
                break;
            }
            return Err(LogError::Damaged { path: path.to_owned(), at: at as u64 }.into());
        };
        visit(payload)?;
        at += ENTRY_HEADER + payload.len();
    }
    Ok(at as u64)
}

/// The whole entry at this place: its `durable` and its payload.
fn entry_at(bytes: &[u8], at: usize) -> Option<(u64, &[u8])> {
    let header = bytes.get(at..at + ENTRY_HEADER)?;
    let length = u32::from_be_bytes(header[..4].try_into().ok()?) as usize;
    let crc = u32::from_be_bytes(header[4..8].try_into().ok()?);
    let durable = u64::from_be_bytes(header[8..].try_into().ok()?);
    let payload = bytes.get(at + ENTRY_HEADER..)?.get(..length)?;
    (length > 0 && durable <= at as u64 && checksum(durable, payload) == crc).then_some((durable, payload))
}

/// Whether an intact entry further on was written when the bytes at `at` were on disk already.
fn vouched_for(bytes: &[u8], at: usize) -> bool {
    (at + 1..bytes.len().saturating_sub(ENTRY_HEADER)).any(|next| {
        // Payloads are JSON objects; looking at one byte first spares the checksum nearly everywhere.
        bytes.get(next + ENTRY_HEADER) == Some(&b'{')
            && entry_at(bytes, next).is_some_and(|(durable, _)| durable > at as u64)
    })
}

fn checksum(durable: u64, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&durable.to_be_bytes());
    hasher.update(payload);
    hasher.finalize()
}

#[cfg(test)]
mod tests;
