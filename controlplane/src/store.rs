//! The only writer of records: change → log on disk → records at generation N+1 → everybody who watches.
//!
//! One thread owns the records. It takes what doors and peers ask for, decides (edits against the rules of
//! [`edit`], peers' snapshots against the judge they bring along), appends all that was accepted to the change log,
//! waits for the disk once for the whole batch, and only then shows the new [`View`] and answers. What a caller was told
//! has happened is therefore on disk, and what anybody sees is what was told.

mod conflict;
pub mod edit;
mod entry;
mod history;
mod image;
mod intake;
mod log;
mod mirror;
mod offer;
mod open;
mod recent;
mod tombs;
mod writer;

pub use conflict::{Conflict, ConflictJson, Conflicts};
pub use edit::{Edit, EditRefused, Import, NewRecord, Restoration, Selection, Undo};
pub(crate) use edit::{ImportFile, ImportItem, ImportScope, Within};
pub use history::{Asked, History, HistoryJson, Past, Step};
pub(crate) use intake::Intake;
pub use mirror::{FileError, MirrorStatus};
pub use offer::{Content, Delta, Judge, Judged, Offer, Origin, Standing, Verdict};
pub use open::{OpenError, Opening, Seed};
pub use recent::{SetKey, Touched};
pub(crate) use writer::wall_ms;

use crate::{
    hash::ContentHash,
    records::Records,
    source::{self, SourceStatus},
};
use dnsplane_proto::Generation;
use intake::Taking;
use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicI64, Ordering},
    },
};
use tokio::sync::{mpsc, oneshot, watch};

/// Requests that may wait for the writer; beyond that, callers wait to be let in.
const QUEUE: usize = 1024;

/// Everything the store knows at one generation. Immutable; hold it as long as you like.
#[derive(Clone)]
pub struct View {
    /// Session and number of the last change.
    pub generation: Generation,
    /// The records.
    pub records: Records,
    /// The last write of our own.
    pub own: OwnWrites,
    /// What was seen of each sender on the peer protocol, by node id.
    pub seen: Arc<BTreeMap<String, Seen>>,
    /// Whose write the records are; `None` while nobody ever wrote them.
    pub head: Option<Origin>,
    /// Number of the last change that was not a write of this node, or that was there when the store was opened: everything
    /// after it was written here, on top of it.
    pub foreign: u64,
    /// What peers' snapshots cost us.
    pub conflicts: Arc<Conflicts>,
}

/// What this node itself has written, as it tells its peers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnWrites {
    /// Our sequence; 0 while this node has never accepted a write, and then its records have no authority (R1).
    /// Moves only with an accepted write, to max(last + 1, wall-clock milliseconds) (R2, R3).
    pub seq: u64,
    /// Unix seconds of the last write, 0 for never (R4). Never goes back, and grows past whatever it was made on top of, so
    /// that the tuple of `global_lww` does, too: also when the clock was set back.
    pub written_at: i64,
}

/// What was seen of one sender. A refused snapshot counts as seen, not as applied (R6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Highest sequence seen.
    pub seq: u64,
    /// Highest sequence applied.
    pub applied: u64,
    /// Content hash of the snapshot that came with `seq` (R5).
    pub hash: ContentHash,
}

/// What became of an edit.
#[derive(Clone, Debug)]
pub struct Edited {
    /// False: the store was like that already, nothing was written.
    pub changed: bool,
    /// What happened, one sentence each.
    pub messages: Vec<String>,
    /// Generation afterwards.
    pub generation: Generation,
    /// Records afterwards.
    pub records: usize,
}

/// Why something asked of the store did not happen. Nothing was changed then.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The edit breaks a rule.
    #[error(transparent)]
    Refused(#[from] EditRefused),
    /// The disk did not take it.
    #[error("the change could not be written to disk ({reason}); nothing was changed, and reading goes on")]
    Disk {
        /// The operating system's words.
        reason: String,
    },
    /// The records file, or the history, could not be read back.
    #[error("{0}")]
    Unreadable(String),
    /// History has no such change.
    #[error("{0}")]
    Unknown(String),
    /// The records come from a source that we may only read.
    #[error("{0}; make the change there")]
    ReadOnly(String),
    /// This node is told to take changes from peers only.
    #[error(
        "this node rejects local writes (`cluster_reject_local_writes`); make the change on the node that owns the records"
    )]
    LocalWritesRejected,
    /// The records are no longer those that the edit was worked out for.
    #[error("the records changed meanwhile; nothing was done, compare again")]
    Overtaken,
    /// The store is being closed.
    #[error("the store is shutting down")]
    Closed,
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        Self::Disk { reason: error.to_string() }
    }
}

/// Who asks for an edit, for the log: `api 127.0.0.1`, `dnsplanectl uid 0`, `dnsrecords.json`.
pub type Actor = String;

/// What the writer is asked to do.
enum Request {
    Edit {
        edit: Edit,
        actor: Actor,
        reply: oneshot::Sender<Result<Edited, StoreError>>,
    },
    /// Make the store what a source says.
    Take {
        taking: Taking,
        reply: oneshot::Sender<Result<Option<Edited>, StoreError>>,
    },
    Offer {
        offer: Offer,
        judge: Judge,
        reply: oneshot::Sender<Result<Judged, StoreError>>,
    },
}

/// A handle on the store; clones share it.
#[derive(Clone)]
pub struct Store {
    requests: mpsc::Sender<Request>,
    views: watch::Receiver<Arc<View>>,
    reloads: mpsc::Sender<oneshot::Sender<Result<Edited, StoreError>>>,
    recent: Arc<recent::Recent>,
    archive: Arc<log::Archive>,
    keeping: Keeping,
    guard: Arc<RwLock<Guard>>,
    /// Latest time of a write of ours that a peer was told.
    offered: Arc<AtomicI64>,
}

/// Where the records come from, and how that stands.
#[derive(Clone)]
enum Keeping {
    /// A file that follows the store as well.
    File(watch::Receiver<MirrorStatus>),
    /// A place that is only read.
    Source(watch::Receiver<source::Standing>),
}

/// What keeps edits out.
#[derive(Debug, Default)]
struct Guard {
    rejecting: bool,
    read_only: Option<String>,
}

impl Store {
    /// The newest generation.
    pub fn view(&self) -> Arc<View> {
        Arc::clone(&self.views.borrow())
    }

    /// Wakes whenever there is a newer generation (or something more was seen of a peer).
    pub fn watch(&self) -> watch::Receiver<Arc<View>> {
        self.views.clone()
    }

    /// Which record sets changed after generation number `from`; `None` if that is too long ago to say.
    pub fn touched_since(&self, from: u64) -> Option<Touched> {
        self.recent.since(from)
    }

    /// How the records file stands, if records are kept in one.
    pub fn mirror(&self) -> Option<MirrorStatus> {
        match &self.keeping {
            Keeping::File(mirror) => Some(mirror.borrow().clone()),
            Keeping::Source(_) => None,
        }
    }

    /// How the place that records come from stands.
    pub fn source(&self) -> SourceStatus {
        let records = self.view().records.len();
        match &self.keeping {
            Keeping::File(mirror) => {
                let MirrorStatus { path, problem, .. } = mirror.borrow().clone();
                SourceStatus::of_file(&path, self.read_only().is_some(), records, problem)
            }
            Keeping::Source(standing) => standing.borrow().status(wall_ms(), records),
        }
    }

    /// What is wrong with the place that records come from, a sentence each.
    pub fn source_problems(&self) -> Vec<String> {
        match &self.keeping {
            Keeping::File(mirror) => {
                Some(mirror.borrow().problem.clone()).filter(|text| !text.is_empty()).into_iter().collect()
            }
            Keeping::Source(standing) => {
                let standing = standing.borrow();
                let problem = Some(standing.sentence(wall_ms())).filter(|text| !text.is_empty());
                problem.into_iter().chain(standing.about_faults()).collect()
            }
        }
    }

    /// Whether there is a set of records at all: a store that follows a source has none until that was read once, and then
    /// nobody may take its emptiness for an answer.
    pub fn has_records(&self) -> bool {
        match &self.keeping {
            Keeping::File(_) => true,
            Keeping::Source(standing) => standing.borrow().known,
        }
    }

    /// Returns when there is a set of records.
    pub async fn records_known(&self) {
        if let Keeping::Source(standing) = &self.keeping
            && standing.clone().wait_for(|standing| standing.known).await.is_err()
        {
            // The store is closing, and nothing will be known any more.
            std::future::pending().await
        }
    }

    /// Returns when the source has been looked at once since the start, whatever came of it.
    pub async fn source_looked_at(&self) {
        if let Keeping::Source(standing) = &self.keeping {
            // An error: the store is closing.
            let _ = standing.clone().wait_for(|standing| standing.checked_at.is_some()).await;
        }
    }

    /// Whether edits are refused from now on (`cluster_reject_local_writes`). Peers' snapshots and the records file are not.
    pub fn reject_local_writes(&self, reject: bool) {
        self.guard.write().unwrap_or_else(PoisonError::into_inner).rejecting = reject;
    }

    /// Whether edits are refused (`cluster_reject_local_writes`).
    pub fn rejects_local_writes(&self) -> bool {
        self.guard.read().unwrap_or_else(PoisonError::into_inner).rejecting
    }

    /// Why nobody but the source of the records may change them from now on, if that is so. Edits are refused with this
    /// reason; whoever judges peers' snapshots asks for it.
    pub fn set_read_only(&self, reason: Option<String>) {
        self.guard.write().unwrap_or_else(PoisonError::into_inner).read_only = reason;
    }

    /// Why nobody but the source of the records may change them.
    pub fn read_only(&self) -> Option<String> {
        self.guard.read().unwrap_or_else(PoisonError::into_inner).read_only.clone()
    }

    /// A peer that compares tuples by the second has been told of our write of this time: the next write needs a later one.
    pub fn offered(&self, written_at: i64) {
        self.offered.fetch_max(written_at, Ordering::Relaxed);
    }

    /// Whether edits are taken, or why not.
    pub fn may_edit(&self) -> Result<(), StoreError> {
        let guard = self.guard.read().unwrap_or_else(PoisonError::into_inner);
        match &guard.read_only {
            Some(reason) => Err(StoreError::ReadOnly(reason.clone())),
            None if guard.rejecting => Err(StoreError::LocalWritesRejected),
            None => Ok(()),
        }
    }

    /// Makes a local write. When this returns `Ok`, it is on disk.
    pub async fn edit(&self, edit: Edit, actor: impl Into<Actor>) -> Result<Edited, StoreError> {
        self.may_edit()?;
        self.ask(|reply| Request::Edit { edit, actor: actor.into(), reply }).await
    }

    /// Has a peer's snapshot judged and, if the judge says so, applied. When this returns `Ok`, it is on disk.
    pub async fn offer(&self, offer: Offer, judge: Judge) -> Result<Judged, StoreError> {
        self.ask(|reply| Request::Offer { offer, judge, reply }).await
    }

    /// Reads the records file, or the source that is followed, now instead of when its change is noticed.
    pub async fn reload(&self) -> Result<Edited, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.reloads.send(reply).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Returns when the writer has ended, which it does not while anybody holds a handle: then it has panicked.
    pub async fn writer_ended(&self) {
        self.requests.closed().await;
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Request,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(request(reply)).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}
