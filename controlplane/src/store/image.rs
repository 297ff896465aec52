//! The store in one file: everything up to one change, so that the log before it can go.
//!
//! JSON lines: a head, one line for each row, a foot with count and CRC-32. Written aside, fsynced, renamed; a file
//! whose foot does not fit is not used.

use super::{
    OwnWrites, Seen, View,
    entry::{Clock, Own, Sender},
};
use crate::{
    aside,
    record::{Record, json},
    records::{Records, Row},
};
use dnsplane_proto::Generation;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

const FORMAT: u32 = 1;
const NAME: &str = "image";

/// Why an image cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum ImageError {
    #[error("cannot read store image `{path}`")]
    Read { path: PathBuf, source: io::Error },
    #[error("store image `{path}` is damaged at line {line}: restore it from a backup, or move the folder `{}` away to start from the records file", .path.parent().unwrap_or(Path::new("")).display())]
    Damaged { path: PathBuf, line: usize, source: Option<serde_json::Error> },
    #[error("store image `{path}` has format {found}; this build reads format {FORMAT}")]
    Format { path: PathBuf, found: u32 },
}

/// What an image holds.
pub(super) struct Image {
    pub(super) view: View,
    pub(super) clock: Clock,
    pub(super) bytes: u64,
}

#[derive(Serialize, Deserialize)]
struct Head {
    format: u32,
    session: u64,
    number: u64,
    clock: Clock,
    own: Own,
    seen: Vec<Sender>,
}

#[derive(Serialize, Deserialize)]
struct Foot {
    rows: u64,
    crc32: u32,
}

/// A row: order, number of the change that wrote it, record.
#[derive(Deserialize)]
struct Line(u64, u64, Record);

/// Where a store's image is.
pub(super) fn path(folder: &Path) -> PathBuf {
    folder.join(NAME)
}

/// Writes the image; returns its size. When this returns, it is on disk under its name.
pub(super) fn write(folder: &Path, view: &View, clock: Clock) -> io::Result<u64> {
    let file = aside::create(&path(folder))?;
    let mut out = Summing { inner: BufWriter::with_capacity(1 << 20, file), crc: crc32fast::Hasher::new(), bytes: 0 };
    let seen = view.seen.iter().map(|(node_id, seen)| Sender::new(node_id, seen, None)).collect();
    let Generation { session, number } = view.generation;
    out.line(&Head { format: FORMAT, session, number, clock, own: view.own.into(), seen })?;
    for row in view.records.iter() {
        out.line(&(row.order, row.touched, &row.record))?;
    }
    let foot = Foot { rows: view.records.len() as u64, crc32: out.crc.clone().finalize() };
    out.line(&foot)?;
    let file = out.inner.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.as_file().sync_all()?;
    file.persist(path(folder)).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()?;
    Ok(out.bytes)
}

/// Reads the image; `None` if there is none.
pub(super) fn read(folder: &Path) -> Result<Option<Image>, ImageError> {
    let path = path(folder);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(ImageError::Read { path, source }),
    };
    let mut lines = Lines { path: &path, reader: BufReader::with_capacity(1 << 20, file), number: 0, text: Vec::new() };
    let mut crc = crc32fast::Hasher::new();
    let mut bytes = 0;
    let mut next = |lines: &mut Lines<'_>| -> Result<u32, ImageError> {
        let before = crc.clone().finalize();
        lines.next()?;
        crc.update(&lines.text);
        bytes += lines.text.len() as u64;
        Ok(before)
    };
    next(&mut lines)?;
    let head: Head = lines.parse()?;
    if head.format != FORMAT {
        return Err(ImageError::Format { path, found: head.format });
    }
    let mut rows = Vec::new();
    let foot_crc = loop {
        let before = next(&mut lines)?;
        if lines.text.first() != Some(&b'[') {
            break before;
        }
        let Line(order, touched, record) = lines.parse()?;
        rows.push(Row::new(record, order, touched));
    };
    let foot: Foot = lines.parse()?;
    let count = rows.len();
    let records = Records::from_rows(rows);
    if foot.crc32 != foot_crc || foot.rows != count as u64 || records.len() != count {
        return Err(lines.damaged(None));
    }
    let seen: BTreeMap<String, Seen> = head.seen.iter().map(|sender| (sender.node_id.clone(), sender.seen())).collect();
    let generation = Generation { session: head.session, number: head.number };
    let view = View { generation, records, own: OwnWrites::from(head.own), seen: Arc::new(seen) };
    Ok(Some(Image { view, clock: head.clock, bytes }))
}

/// Lines of the file, one buffer for all.
struct Lines<'a> {
    path: &'a Path,
    reader: BufReader<File>,
    number: usize,
    text: Vec<u8>,
}

impl Lines<'_> {
    fn next(&mut self) -> Result<(), ImageError> {
        self.text.clear();
        self.number += 1;
        match self.reader.read_until(b'\n', &mut self.text) {
            Ok(0) => Err(self.damaged(None)),
            Ok(_) => Ok(()),
            Err(source) => Err(ImageError::Read { path: self.path.to_owned(), source }),
        }
    }

    fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, ImageError> {
        serde_json::from_slice(&self.text).map_err(|error| self.damaged(Some(error)))
    }

    fn damaged(&self, source: Option<serde_json::Error>) -> ImageError {
        ImageError::Damaged { path: self.path.to_owned(), line: self.number, source }
    }
}

/// Sums up and counts what goes through it.
struct Summing<W> {
    inner: W,
    crc: crc32fast::Hasher,
    bytes: u64,
}

impl<W: Write> Summing<W> {
    fn line(&mut self, value: &impl Serialize) -> io::Result<()> {
        let mut line = json::to_vec(value)?;
        line.push(b'\n');
        self.crc.update(&line);
        self.bytes += line.len() as u64;
        self.inner.write_all(&line)
    }
}
