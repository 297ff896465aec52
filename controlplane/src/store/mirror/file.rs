//! The records file itself: how it is read, how it is written, and how it is recognised as ours.

use crate::{
    aside,
    hash::hex,
    record::{Record, json},
    source::{self, DocumentError},
    store::View,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};
use tracing::warn;

/// What we know of the file: which generation it holds, and how to tell that it is still that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store) struct Note {
    pub(in crate::store) number: u64,
    size: u64,
    modified: i128,
    inode: u64,
    sha256: String,
}

/// The file as found.
pub(in crate::store) struct Found {
    pub(in crate::store) records: Vec<Record>,
    pub(in crate::store) note: Note,
}

/// Why the file could not be taken in.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It could not be read.
    #[error("cannot read records file `{path}`: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's words.
        source: io::Error,
    },
    /// It is not JSON of the right shape.
    #[error("records file `{path}`, {fault}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and what.
        fault: DocumentError,
    },
}

impl Note {
    /// Reads the note of an earlier run; none is as good as a broken one: then the file counts as edited.
    pub(in crate::store) fn load(path: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }

    /// Of a file that was not read yet, and whose records are to replace those of this generation.
    pub(in crate::store) fn unread(number: u64) -> Self {
        Self { number, size: 0, modified: 0, inode: 0, sha256: String::new() }
    }

    /// The same file, holding this generation.
    pub(in crate::store) fn at(self, number: u64) -> Self {
        Self { number, ..self }
    }

    /// Writes it aside and renames. Losing it does no harm, so the folder is not fsynced.
    pub(in crate::store) fn save(&self, path: &Path) -> io::Result<()> {
        let file = aside::create(path)?;
        serde_json::to_writer(file.as_file(), self)?;
        file.as_file().sync_data()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }

    fn of(metadata: &fs::Metadata, number: u64, sha256: String) -> Self {
        let modified = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
        Self { number, size: metadata.len(), modified, inode: metadata.ino(), sha256 }
    }

    fn same_file(&self, metadata: &fs::Metadata) -> bool {
        *self == Self::of(metadata, self.number, self.sha256.clone())
    }
}

/// Reads and parses the records file. The note says generation 0 until the caller knows better.
pub(in crate::store) fn read_file(path: &Path) -> Result<Found, FileError> {
    let read = |source| FileError::Read { path: path.to_owned(), source };
    // Metadata first: an edit that comes in between is then seen as one at the next look.
    let metadata = fs::metadata(path).map_err(read)?;
    let bytes = fs::read(path).map_err(read)?;
    let note = Note::of(&metadata, 0, hex(&Sha256::digest(&bytes)));
    let records = source::read_document(&bytes).map_err(|fault| FileError::Parse { path: path.to_owned(), fault })?;
    Ok(Found { records, note })
}

/// Says which records cannot be served, a few of them in full.
pub(in crate::store) fn warn_of_faults(path: &Path, records: &[Record]) {
    let faulty = || records.iter().enumerate().filter(|(_, record)| !record.is_servable());
    for (index, record) in faulty().take(5) {
        let fault = record.fault().unwrap_or_default();
        warn!(
            "records file `{}`, record {}: `{} {} {}` is kept but not served: {fault}",
            path.display(),
            index + 1,
            record.name(),
            record.type_text(),
            record.value()
        );
    }
    match faulty().count() {
        0..=5 => {}
        count => warn!(
            "records file `{}`: {count} records are kept but not served; `dnsplanectl record check` lists them",
            path.display()
        ),
    }
}

/// The file's records if it is not what the note says, or if there is no note. A missing file is not an edit.
pub(super) fn changed_file(path: &Path, note: Option<&Note>) -> Result<Option<Found>, FileError> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(FileError::Read { path: path.to_owned(), source }),
    };
    if note.is_some_and(|note| note.same_file(&metadata)) {
        return Ok(None);
    }
    let bytes = fs::read(path).map_err(|source| FileError::Read { path: path.to_owned(), source })?;
    if note.is_some_and(|note| note.sha256 == hex(&Sha256::digest(&bytes))) {
        return Ok(None);
    }
    read_file(path).map(Some)
}

/// Writes all records aside, waits for the disk, renames.
pub(super) fn write_file(path: &Path, view: &View, pretty: bool) -> io::Result<Note> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let file = aside::create(path)?;
    if let Ok(old) = fs::metadata(path) {
        file.as_file().set_permissions(fs::Permissions::from_mode(old.permissions().mode() & 0o777))?;
    }
    let mut out = Hashing { inner: BufWriter::with_capacity(1 << 20, file), sha: Sha256::new() };
    let rows = view.records.in_order();
    let document = Outgoing { records: Rows(&rows) };
    if pretty {
        json::to_writer_pretty(&mut out, &document)?
    } else {
        json::to_writer(&mut out, &document)?
    }
    out.write_all(b"\n")?;
    let file = out.inner.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.as_file().sync_all()?;
    // Before the file has its name: from then on somebody may edit it, and that must not be taken for ours.
    let note = Note::of(&file.as_file().metadata()?, view.generation.number, hex(&out.sha.finalize()));
    file.persist(path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()?;
    Ok(note)
}

/// Writes a copy of all records that nothing else will ever write.
pub(in crate::store) fn write_copy(path: &Path, view: &View) -> io::Result<()> {
    write_file(path, view, false).map(|_| ())
}

#[derive(Serialize)]
struct Outgoing<'a> {
    records: Rows<'a>,
}

struct Rows<'a>(&'a [&'a Arc<crate::records::Row>]);

impl Serialize for Rows<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|row| &row.record))
    }
}

/// Hashes what goes through it.
struct Hashing<W> {
    inner: W,
    sha: Sha256,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.sha.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
