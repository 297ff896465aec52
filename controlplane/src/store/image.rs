//! The store in one file: everything up to one change, so that the log before it can go.
//!
//! JSON lines: a head, one line for each row, for each conflict and for each deletion that is remembered, a foot with count
//! and CRC-32. Written aside, fsynced, renamed; a file whose foot does not fit is not used.

use super::{
    Conflict, Conflicts, Origin, OwnWrites, Seen, View,
    entry::{Clock, Own, Sender},
    tombs::{Buried, Tombs},
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

/// Format 1 knew neither conflicts nor whose write the records are, and did not tell our own rows from others'.
const FORMAT: u32 = 2;
const NAME: &str = "image";

/// Why an image cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum ImageError {
    #[error("cannot read store image `{path}`")]
    Read { path: PathBuf, source: io::Error },
    #[error("store image `{path}` is damaged at line {line}: restore it from a backup, or move the folder `{}` away to start from the records file", .path.parent().unwrap_or(Path::new("")).display())]
    Damaged { path: PathBuf, line: usize, source: Option<serde_json::Error> },
    #[error("store image `{path}` has format {found}; this build reads up to {FORMAT}")]
    Format { path: PathBuf, found: u32 },
}

/// What an image holds.
pub(super) struct Image {
    pub(super) view: View,
    pub(super) clock: Clock,
    pub(super) tombs: Tombs,
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
    #[serde(default)]
    head: Option<Origin>,
}

/// A line after the rows.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Other<C> {
    Conflict(C),
    Deleted(Buried),
    #[serde(untagged)]
    Foot(Foot),
}

#[derive(Serialize, Deserialize)]
struct Foot {
    rows: u64,
    crc32: u32,
}

/// A row: order, stamp, record.
#[derive(Deserialize)]
struct Line(u64, u64, Record);

/// Where a store's image is.
pub(super) fn path(folder: &Path) -> PathBuf {
    folder.join(NAME)
}

/// Writes the image; returns its size. When this returns, it is on disk under its name.
pub(super) fn write(folder: &Path, view: &View, clock: Clock, tombs: &Tombs) -> io::Result<u64> {
    let file = aside::create(&path(folder))?;
    let mut out = Summing { inner: BufWriter::with_capacity(1 << 20, file), crc: crc32fast::Hasher::new(), bytes: 0 };
    let seen = view.seen.iter().map(|(node_id, seen)| Sender::new(node_id, seen, None)).collect();
    let Generation { session, number } = view.generation;
    let (own, head) = (view.own.into(), view.head.clone());
    out.line(&Head { format: FORMAT, session, number, clock, own, seen, head })?;
    for row in view.records.iter() {
        out.line(&(row.order, row.stamp(), &row.record))?;
    }
    for conflict in view.conflicts.oldest_first() {
        out.line(&Other::Conflict(conflict.as_ref()))?;
    }
    for buried in tombs.buried() {
        out.line(&Other::<()>::Deleted(buried))?;
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
    if !(1..=FORMAT).contains(&head.format) {
        return Err(ImageError::Format { path, found: head.format });
    }
    let (mut rows, mut conflicts, mut tombs) = (Vec::new(), Conflicts::default(), Tombs::default());
    let (foot, foot_crc) = loop {
        let before = next(&mut lines)?;
        if lines.text.first() == Some(&b'[') {
            let Line(order, stamp, record) = lines.parse()?;
            rows.push(Row::with_stamp(record, order, stamp));
            continue;
        }
        match lines.parse()? {
            Other::Conflict(conflict) => conflicts.push(Arc::<Conflict>::new(conflict)),
            Other::Deleted(buried) => tombs.restore(buried),
            Other::Foot(foot) => break (foot, before),
        }
    };
    let count = rows.len();
    let records = Records::from_rows(rows);
    if foot.crc32 != foot_crc || foot.rows != count as u64 || records.len() != count {
        return Err(lines.damaged(None));
    }
    let seen: BTreeMap<String, Seen> = head.seen.iter().map(|sender| (sender.node_id.clone(), sender.seen())).collect();
    let generation = Generation { session: head.session, number: head.number };
    let own = OwnWrites::from(head.own);
    let origin = if head.format == 1 { (own.seq > 0).then(|| Origin::ours(own)) } else { head.head };
    let view = View {
        generation,
        records,
        own,
        seen: Arc::new(seen),
        head: origin,
        foreign: head.number,
        conflicts: Arc::new(conflicts),
    };
    Ok(Some(Image { view, clock: head.clock, tombs, bytes }))
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
