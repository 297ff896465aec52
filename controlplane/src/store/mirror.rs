//! The records file: what people read, edit by hand and back up, kept in step with the store in both directions.
//!
//! The log is what promises durability; the file follows it, written aside, fsynced and renamed, a moment after a change
//! (later the longer writing takes, so that a large store does not spend its days being written). A note beside the log
//! says what we last wrote. A file that is not what the note says was edited by hand: it becomes a change, in which sets
//! that we changed since the note keep our version.

use super::{Edited, Request, StoreError, View, recent::Recent};
use crate::record::{Record, json};
use notify::{RecursiveMode, Watcher};
use serde::{Deserialize, Serialize, de};
use sha2::{Digest, Sha256};
use std::{
    fmt,
    fs::{self, File},
    io::{self, BufWriter, Write},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use tempfile::NamedTempFile;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::sleep_until,
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Pause between a change and writing the file: changes of one script share a write.
const MIN_PAUSE: Duration = Duration::from_millis(100);
/// The file is never further behind than this, plus the time that writing takes.
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// Writing the file takes at most about one part in this many of the time.
const SHARE: u32 = 20;
/// Editors write in several steps; this long after the last one we look.
const SETTLE: Duration = Duration::from_millis(200);
/// How often we look without having been told: network file systems tell nothing.
const POLL: Duration = Duration::from_secs(30);

/// How the records file stands.
#[derive(Clone, Debug, Default, Serialize)]
pub struct MirrorStatus {
    /// Where it is.
    pub path: PathBuf,
    /// Number of the generation that it holds.
    pub number: u64,
    /// What keeps it from being read or written; empty when nothing does.
    pub problem: String,
}

/// What we know of the file: which generation it holds, and how to tell that it is still that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    pub(super) number: u64,
    size: u64,
    modified: i128,
    inode: u64,
    sha256: String,
}

/// The file as found.
pub(super) struct Found {
    pub(super) records: Vec<Record>,
    pub(super) note: Note,
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
    #[error("records file `{path}`, line {line}, column {column}{}: {fault}", field_text(.field))]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// Which field, such as `records[3].ttl`; empty if the text is no JSON.
        field: String,
        /// What is wrong with it.
        fault: String,
    },
}

fn field_text(field: &str) -> String {
    if matches!(field, "" | "." | "?") { String::new() } else { format!(" (`{field}`)") }
}

impl FileError {
    /// Words a parser's error; reads the text again to tell which field it is about.
    fn parse(path: &Path, text: &str, error: &serde_json::Error) -> Self {
        let field = match serde_path_to_error::deserialize::<_, Document>(&mut serde_json::Deserializer::from_str(text))
        {
            Err(error) => error.path().to_string(),
            Ok(_) => String::new(),
        };
        let (line, column) = (error.line(), error.column());
        let fault = error.to_string();
        let fault = fault.trim_end_matches(&format!(" at line {line} column {column}")).to_owned();
        Self::Parse { path: path.to_owned(), line, column, field, fault }
    }
}

/// Keeps the file and the store in step.
pub(super) struct Mirror {
    pub(super) path: PathBuf,
    pub(super) note_path: PathBuf,
    pub(super) pretty: bool,
    pub(super) note: Option<Note>,
    pub(super) views: watch::Receiver<Arc<View>>,
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) recent: Arc<Recent>,
    pub(super) status: watch::Sender<MirrorStatus>,
    pub(super) last_took: Duration,
}

type Reload = oneshot::Sender<Result<Edited, StoreError>>;

impl Mirror {
    /// Works until told to stop; then writes the file a last time if it is behind.
    pub(super) async fn run(mut self, mut reloads: mpsc::Receiver<Reload>, shutdown: CancellationToken) {
        let (told, mut edits) = mpsc::channel(1);
        let _watcher = watch_folder(&self.path, told);
        let mut poll = tokio::time::interval(POLL);
        let mut write_at = self.is_behind().then(Instant::now);
        let mut look_at = None;
        loop {
            let next = [write_at, look_at].into_iter().flatten().min();
            tokio::select! {
                () = shutdown.cancelled() => break,
                changed = self.views.changed() => match changed {
                    Ok(()) if self.is_behind() => { write_at.get_or_insert(Instant::now() + self.pause()); }
                    Ok(()) => {}
                    Err(_) => break,
                },
                Some(()) = edits.recv() => look_at = Some(Instant::now() + SETTLE),
                _ = poll.tick() => look_at = Some(Instant::now()),
                Some(reply) = reloads.recv() => { let _ = reply.send(self.take_in(true).await); }
                () = sleep_until(next.unwrap_or_else(Instant::now).into()), if next.is_some() => {
                    let now = Instant::now();
                    if look_at.take_if(|at| *at <= now).is_some() {
                        let _ = self.take_in(false).await;
                    }
                    if write_at.take_if(|at| *at <= now).is_some() && !self.write().await {
                        write_at = Some(now + MAX_PAUSE.min(self.pause() * 10));
                    }
                }
            }
        }
        if self.is_behind() {
            self.write().await;
        }
    }

    fn is_behind(&self) -> bool {
        self.note.as_ref().map(|note| note.number) != Some(self.views.borrow().generation.number)
    }

    fn pause(&self) -> Duration {
        (self.last_took * SHARE).clamp(MIN_PAUSE, MAX_PAUSE)
    }

    /// Takes a hand-edited file into the store.
    async fn take_in(&mut self, asked: bool) -> Result<Edited, StoreError> {
        let (path, note) = (self.path.clone(), self.note.clone());
        let found = blocking(move || changed_file(&path, note.as_ref())).await;
        let view = self.views.borrow().clone();
        let unchanged = || Edited {
            changed: false,
            messages: vec!["the records file holds what the store holds".to_owned()],
            generation: view.generation,
            records: view.records.len(),
        };
        match found {
            Ok(None) => Ok(unchanged()),
            Ok(Some(found)) => {
                let mirrored = self.note.as_ref().map_or(0, |note| note.number);
                warn_of_faults(&self.path, &found.records);
                let (reply, answer) = oneshot::channel();
                let request = Request::TakeFile { records: found.records, mirrored, reply };
                self.requests.send(request).await.map_err(|_| StoreError::Closed)?;
                let edited = answer.await.map_err(|_| StoreError::Closed)??;
                let quiet = self.recent.since(mirrored).is_some_and(|touched| touched.is_empty());
                let number = if quiet && !edited.changed { edited.generation.number } else { mirrored };
                self.keep_note(Note { number, ..found.note });
                self.tell(String::new());
                if edited.changed {
                    info!(path = %self.path.display(), records = edited.records, "records file was edited by hand; taken in");
                }
                Ok(edited)
            }
            Err(error) => {
                let text = error.to_string();
                if self.status.borrow().problem != text {
                    warn!("{text}; going on with the records we have");
                }
                self.tell(text.clone());
                if asked { Err(StoreError::Unreadable(text)) } else { Ok(unchanged()) }
            }
        }
    }

    /// Writes the file from the newest generation; true if that went well.
    async fn write(&mut self) -> bool {
        // An edit made by hand since the last look must not be overwritten unread.
        if self.take_in(true).await.is_err() && self.path.exists() {
            let aside = self.path.with_extension("json.unreadable");
            match fs::copy(&self.path, &aside) {
                Ok(_) => {
                    warn!(kept = %aside.display(), "records file cannot be read; kept a copy before writing it anew")
                }
                Err(error) => {
                    self.tell(format!("cannot keep a copy of the unreadable records file: {error}"));
                    return false;
                }
            }
        }
        let started = Instant::now();
        let view = self.views.borrow_and_update().clone();
        let (path, pretty) = (self.path.clone(), self.pretty);
        let outcome = blocking(move || write_file(&path, &view, pretty)).await;
        self.last_took = started.elapsed();
        match outcome {
            Ok(note) => {
                self.keep_note(note);
                self.tell(String::new());
                true
            }
            Err(error) => {
                let text = format!("cannot write records file `{}`: {error}", self.path.display());
                if self.status.borrow().problem != text {
                    warn!("{text}; the change log has everything, and we try again");
                }
                self.tell(text);
                false
            }
        }
    }

    fn keep_note(&mut self, note: Note) {
        if self.note.as_ref() != Some(&note) {
            if let Err(error) = note.save(&self.note_path) {
                warn!(%error, path = %self.note_path.display(), "cannot write");
            }
            self.note = Some(note);
        }
    }

    fn tell(&self, problem: String) {
        let number = self.note.as_ref().map_or(0, |note| note.number);
        self.status.send_replace(MirrorStatus { path: self.path.clone(), number, problem });
    }
}

impl Note {
    /// Reads the note of an earlier run; none is as good as a broken one: then the file counts as edited.
    pub(super) fn load(path: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }

    /// The same file, holding this generation.
    pub(super) fn at(self, number: u64) -> Self {
        Self { number, ..self }
    }

    /// Writes it aside and renames. Losing it does no harm, so the folder is not fsynced.
    pub(super) fn save(&self, path: &Path) -> io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let file = NamedTempFile::new_in(folder)?;
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
pub(super) fn read_file(path: &Path) -> Result<Found, FileError> {
    let read = |source| FileError::Read { path: path.to_owned(), source };
    // Metadata first: an edit that comes in between is then seen as one at the next look.
    let metadata = fs::metadata(path).map_err(read)?;
    let bytes = fs::read(path).map_err(read)?;
    let note = Note::of(&metadata, 0, hex(&Sha256::digest(&bytes)));
    let text = String::from_utf8_lossy(&bytes);
    let document: Document = serde_json::from_str(&text).map_err(|error| FileError::parse(path, &text, &error))?;
    Ok(Found { records: document.0, note })
}

/// Says which records cannot be served, a few of them in full.
pub(super) fn warn_of_faults(path: &Path, records: &[Record]) {
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
fn changed_file(path: &Path, note: Option<&Note>) -> Result<Option<Found>, FileError> {
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
fn write_file(path: &Path, view: &View, pretty: bool) -> io::Result<Note> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let file = NamedTempFile::new_in(folder)?;
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

/// `{"records": [...]}`, where the key's case does not matter and `null` is an empty list.
struct Document(Vec<Record>);

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DocumentVisitor;
        impl<'de> de::Visitor<'de> for DocumentVisitor {
            type Value = Document;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with the key `records`")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Document, A::Error> {
                let mut records = None;
                while let Some(key) = map.next_key::<String>()? {
                    if key.eq_ignore_ascii_case("records") {
                        records = Some(map.next_value::<Option<Vec<Record>>>()?.unwrap_or_default());
                    } else {
                        map.next_value::<de::IgnoredAny>()?;
                    }
                }
                records.map(Document).ok_or_else(|| de::Error::missing_field("records"))
            }
        }
        deserializer.deserialize_map(DocumentVisitor)
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

/// Watches the folder, since editors replace files; what happens to other files in it is passed over.
fn watch_folder(path: &Path, told: mpsc::Sender<()>) -> Option<notify::RecommendedWatcher> {
    let name = path.file_name()?.to_owned();
    let folder = path.parent()?.to_owned();
    let handler = move |event: notify::Result<notify::Event>| {
        let ours = |event: &notify::Event| event.paths.iter().any(|path| path.file_name() == Some(&name));
        if event.is_ok_and(|event| !event.kind.is_access() && ours(&event)) {
            // A full channel already says what we have to say.
            let _ = told.try_send(());
        }
    };
    let started = notify::recommended_watcher(handler).and_then(|mut watcher| {
        watcher.watch(&folder, RecursiveMode::NonRecursive)?;
        Ok(watcher)
    });
    started.inspect_err(|error| warn!(%error, "cannot watch the records file; looking every 30 s instead")).ok()
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
