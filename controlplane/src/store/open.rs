//! Opening a store: image, then log, then what the records file and the cluster's state file have to add.
//!
//! Nothing here ever starts empty because something could not be read.

use super::{
    Intake, Keeping, Origin, OwnWrites, QUEUE, Seen, Store, View,
    entry::{Clock, Entry},
    image::{self, ImageError},
    log::{Archive, Log, LogError},
    mirror::{self, FileError, Mirror, MirrorStatus, Note, RecordsFile},
    recent::Recent,
    tombs::Tombs,
    writer::{self, Writer},
};
use crate::{
    aside,
    records::{Records, Row},
    source::{self, Follower, Following, Reload},
};
use dnsplane_proto::Generation;
use std::{
    collections::BTreeMap,
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU64},
    },
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// What we know of the records file.
const NOTE: &str = "records-file.json";

/// Where a store is and what it starts from.
#[derive(Clone, Debug)]
pub struct Opening {
    /// Folder of the change log; made if it is missing.
    pub folder: PathBuf,
    /// The records file that people read and edit.
    pub records_file: PathBuf,
    /// Write that file indented.
    pub pretty: bool,
    /// What the cluster's state file remembers.
    pub seed: Seed,
}

/// Sequences from `cluster_state.json`: of an existing node that we replace, or of ours if the log was lost.
#[derive(Clone, Debug, Default)]
pub struct Seed {
    /// This node's last sequence.
    pub local_seq: u64,
    /// The last sequence seen of each peer.
    pub peer_seq: BTreeMap<String, u64>,
    /// The last winner under `global_lww`: node id (`None` for this node) and Unix seconds; 0 for none.
    pub winner: (Option<String>, i64),
}

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder cannot be used.
    #[error("cannot use store folder `{path}`: {source}; check that it is a folder this user may write to")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The operating system's words.
        source: io::Error,
    },
    /// Another process has it open.
    #[error(
        "store folder `{path}` is in use by another dnsplane-cluster; stop that one, or give this node its own folder"
    )]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// An entry is intact but says nothing that we understand.
    #[error("change log `{path}` holds an entry that this build does not understand; was it written by a newer one?")]
    Entry {
        /// The segment.
        path: PathBuf,
        /// Where and what.
        source: serde_json::Error,
    },
    /// Entries do not follow each other.
    #[error("change log `{path}` goes from change {last} to {next}; a segment is missing, restore it from a backup")]
    Gap {
        /// The segment.
        path: PathBuf,
        /// Last change before.
        last: u64,
        /// Change found.
        next: u64,
    },
    /// A log without the image it continues.
    #[error(
        "store folder `{path}` has a change log but no image to start it from; restore the file `image`, or move the folder away to start from the records file"
    )]
    NoImage {
        /// The folder.
        path: PathBuf,
    },
    /// The image is unusable.
    #[error("{0}")]
    Image(String),
    /// The log is unusable.
    #[error("{0}")]
    Log(String),
    /// The records file cannot be read, and there is nothing else to start from.
    #[error(transparent)]
    File(#[from] FileError),
}

impl From<LogError> for OpenError {
    fn from(error: LogError) -> Self {
        Self::Log(chain(&error))
    }
}

impl From<ImageError> for OpenError {
    fn from(error: ImageError) -> Self {
        Self::Image(chain(&error))
    }
}

impl Store {
    /// Opens the store and starts its writer and the keeper of its records file. The handle ends when `shutdown` is
    /// cancelled and the file has been written a last time.
    pub fn open(opening: Opening, shutdown: CancellationToken) -> Result<(Self, JoinHandle<()>), OpenError> {
        let lock = lock(&opening.folder)?;
        let note_path = opening.folder.join(NOTE);
        for path in [&opening.records_file, &note_path] {
            aside::sweep(path);
        }
        let mut ground = load(&opening.folder, Some(&opening.records_file))?;
        forget_source(&opening, &mut ground)?;
        // Of a node that we replace: when it last saved its records.
        let saved_at = fs::metadata(&opening.records_file).map_or(1, |metadata| metadata.mtime());
        seed(&mut ground.view, &opening.seed, saved_at);
        let note = ground.note.take();
        let status = MirrorStatus { path: opening.records_file.clone(), ..MirrorStatus::default() };
        let (status, mirror_status) = watch::channel(status);
        let copies = opening.records_file.clone();
        let (store, views, reloads) = Self::start(ground, opening.folder, copies, Keeping::File(mirror_status), lock)?;
        let mirror = Mirror {
            file: RecordsFile::new(opening.records_file, note_path, note),
            pretty: opening.pretty,
            views,
            intake: store.intake(),
            recent: Arc::clone(&store.recent),
            status,
            last_took: Duration::ZERO,
        };
        Ok((store, tokio::spawn(mirror.run(reloads, shutdown))))
    }

    /// Opens a store that follows a source, and starts both. What the source said last is in the store, and is served
    /// until it can be read again.
    pub fn follow(
        folder: PathBuf,
        known: &Seed,
        following: Following,
        shutdown: CancellationToken,
    ) -> Result<(Self, JoinHandle<()>), OpenError> {
        let lock = lock(&folder)?;
        let mut ground = load(&folder, None)?;
        seed(&mut ground.view, known, 1);
        let (standing, seen) = watch::channel(source::Standing::default());
        let copies = folder.join("records.json");
        let (store, views, reloads) = Self::start(ground, folder.clone(), copies, Keeping::Source(seen), lock)?;
        let follower = Follower::new(following, folder, store.intake(), views, standing);
        Ok((store, tokio::spawn(follower.run(reloads, shutdown))))
    }

    fn intake(&self) -> Intake {
        Intake { requests: self.requests.clone() }
    }

    /// Starts the writer. `copies` is what copies of all records are put beside.
    fn start(
        ground: Ground,
        folder: PathBuf,
        copies: PathBuf,
        keeping: Keeping,
        lock: File,
    ) -> Result<Started, OpenError> {
        let Ground { view, clock, log, recent, tombs, image_bytes, .. } = ground;
        info!(generation = %view.generation, records = view.records.len(), "store open");
        let next_order = writer::last_order(view.records.iter());
        // What was sent before this start is not known; that everything was is the safe guess.
        let offered = Arc::new(AtomicI64::new(view.own.written_at));
        let recent = Arc::new(recent);
        let (shown, views) = watch::channel(Arc::new(view.clone()));
        let (requests, inbox) = mpsc::channel(QUEUE);
        let (reloads, reload_inbox) = mpsc::channel(16);
        let archive = Arc::new(Archive::new(&folder, view.generation.session));
        let writer = Writer {
            folder: folder.clone(),
            archive: Arc::clone(&archive),
            view,
            clock,
            next_order,
            log,
            recent: Arc::clone(&recent),
            tombs,
            shown,
            records_file: copies,
            offered: Arc::clone(&offered),
            image_bytes: Arc::new(AtomicU64::new(image_bytes)),
            imaging: Arc::new(AtomicBool::new(false)),
            image_thread: None,
        };
        std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || {
                writer.run(inbox);
                drop(lock);
            })
            .map_err(|source| OpenError::Folder { path: folder, source })?;
        let guard = Arc::default();
        let store = Self { requests, views: views.clone(), reloads, recent, archive, keeping, guard, offered };
        Ok((store, views, reload_inbox))
    }
}

/// A store, and what its keeper works with: the views of the writer, and who asks for a look.
type Started = (Store, watch::Receiver<Arc<View>>, mpsc::Receiver<Reload>);

/// What was found on disk.
struct Ground {
    view: View,
    clock: Clock,
    log: Log,
    recent: Recent,
    tombs: Tombs,
    image_bytes: u64,
    note: Option<Note>,
}

/// Makes the folder if need be and keeps others out of it for as long as the file is held.
fn lock(folder: &Path) -> Result<File, OpenError> {
    let error = |source| OpenError::Folder { path: folder.to_owned(), source };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(error)?;
    let file = File::options().create(true).truncate(false).write(true).open(folder.join("lock")).map_err(error)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked { path: folder.to_owned() }),
        Err(TryLockError::Error(source)) => Err(error(source)),
    }
}

/// The store in this folder; one that begins starts from the records file, if there is one.
fn load(folder: &Path, records_file: Option<&Path>) -> Result<Ground, OpenError> {
    aside::sweep(&image::path(folder));
    let Some(image) = image::read(folder)? else {
        return begin(folder, records_file);
    };
    let (mut view, mut clock, mut tombs) = (image.view, image.clock, image.tombs);
    let base = view.generation.number;
    let recent = Recent::starting_at(base);
    let replayed = Log::replay(folder, view.generation.session, |path, payload| {
        let entry: Entry =
            serde_json::from_slice(payload).map_err(|source| OpenError::Entry { path: path.to_owned(), source })?;
        let last = view.generation.number;
        if entry.number < last || entry.number <= base && entry.at <= image.clock {
            return Ok(());
        }
        // An entry for history alone stands for a change that only its image has.
        if entry.number > last + 1 || entry.whole.is_some() {
            return Err(OpenError::Gap { path: path.to_owned(), last, next: entry.number });
        }
        view = entry.apply(&view);
        clock = clock.max(entry.at);
        writer::remember(&recent, &entry);
        tombs.learn(&entry);
        Ok(())
    })?;
    let log = match replayed {
        Some(replayed) => {
            if replayed.torn > 0 {
                warn!(
                    folder = %folder.display(),
                    bytes = replayed.torn,
                    "cut an unfinished entry off the change log; nobody was told that it was done"
                );
            }
            replayed.log
        }
        None => Log::create(folder, view.generation.session, base + 1)
            .map_err(|source| OpenError::Folder { path: folder.to_owned(), source })?,
    };
    let note = Note::load(&folder.join(NOTE));
    Ok(Ground { view, clock, log, recent, tombs, image_bytes: image.bytes, note })
}

/// A store that starts here: from the records file, if there is one. That is not a write of ours: it has no authority
/// over peers until something is written (R1, R2).
fn begin(folder: &Path, records_file: Option<&Path>) -> Result<Ground, OpenError> {
    let broken = |source| OpenError::Folder { path: folder.to_owned(), source };
    let orphaned = fs::read_dir(folder).map_err(broken)?.flatten().any(|entry| {
        entry.file_name().to_str().is_some_and(|name| name.starts_with("log-"))
            && entry.metadata().is_ok_and(|metadata| metadata.len() > 28)
    });
    if orphaned {
        return Err(OpenError::NoImage { path: folder.to_owned() });
    }
    let (records, note) = match records_file.map(mirror::read_file) {
        Some(Ok(found)) => (found.records, Some(found.note)),
        None => (Vec::new(), None),
        Some(Err(FileError::Read { source, .. })) if source.kind() == io::ErrorKind::NotFound => (Vec::new(), None),
        Some(Err(error)) => return Err(error.into()),
    };
    let shown = records_file.unwrap_or(folder).display();
    records_file.inspect(|path| mirror::warn_of_faults(path, &records));
    let given = records.len();
    let number = u64::from(given > 0);
    let rows = records.into_iter().zip(1..).map(|(record, order)| Row::new(record, order, number, true));
    let records = Records::from_rows(rows);
    if records.len() < given {
        warn!(
            "records file `{shown}`: {} records say the same as an earlier one; the earlier ones are kept",
            given - records.len()
        );
    }
    let mut session = [0; 8];
    getrandom::fill(&mut session).map_err(|error| broken(io::Error::other(error)))?;
    let generation = Generation { session: u64::from_be_bytes(session), number };
    let (own, seen, conflicts) = (OwnWrites::default(), Arc::default(), Arc::default());
    let view = View { generation, records, own, seen, head: None, foreign: number, conflicts };
    let clock = Clock::default().next(writer::wall_ms());
    let log = Log::create(folder, generation.session, number + 1).map_err(broken)?;
    let image_bytes = image::write(folder, &view, clock, &Tombs::default()).map_err(broken)?;
    let note = note.map(|note| note.at(number));
    if let Some(note) = &note {
        note.save(&folder.join(NOTE)).map_err(broken)?;
    }
    let (recent, tombs) = (Recent::starting_at(number), Tombs::default());
    Ok(Ground { view, clock, log, recent, tombs, image_bytes, note })
}

/// Records that came from a source which is followed no longer give way to those of the records file, all of them; without
/// such a file they become it. Once that is written down, what was noted of the source goes.
fn forget_source(opening: &Opening, ground: &mut Ground) -> Result<(), OpenError> {
    let folder = &opening.folder;
    let broken = |source| OpenError::Folder { path: folder.clone(), source };
    let Some(left) = source::Note::load(folder) else { return Ok(()) };
    let note_path = folder.join(NOTE);
    if opening.records_file.exists() {
        info!("records came from {}; from now on they are those of {}", left.what, opening.records_file.display());
        let note = Note::unread(ground.view.generation.number);
        note.save(&note_path).map_err(broken)?;
        ground.note = Some(note);
    } else {
        info!("records came from {}; from now on they are kept in {}", left.what, opening.records_file.display());
        ground.note = None;
        match fs::remove_file(&note_path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(broken(error)),
            _ => {}
        }
    }
    source::Note::remove(folder).map_err(broken)
}

/// Takes sequences from the cluster's state file where they are ahead of ours.
fn seed(view: &mut View, seed: &Seed, saved_at: i64) {
    if seed.local_seq > view.own.seq {
        view.own.seq = seed.local_seq;
        if view.own.written_at == 0 {
            view.own.written_at = saved_at;
        }
    }
    // A log that knows whose write its records are knows better than a file that follows it.
    if view.head.is_none() && (seed.winner.1 > 0 || view.own.seq > 0) {
        let (node_id, timestamp) = match &seed.winner {
            (_, 0) => (None, view.own.written_at),
            (node_id, timestamp) => (node_id.clone(), *timestamp),
        };
        let seq = node_id.as_ref().map_or(view.own.seq, |id| seed.peer_seq.get(id).copied().unwrap_or_default());
        view.head = Some(Origin { node_id, seq, timestamp });
    }
    for (node_id, seq) in &seed.peer_seq {
        let seen = Arc::make_mut(&mut view.seen).entry(node_id.clone()).or_default();
        if *seq > seen.seq {
            // What came with it is not known.
            *seen = Seen { seq: *seq, applied: *seq, ..Seen::default() };
        }
    }
}

/// An error with its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
