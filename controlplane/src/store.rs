//! The only writer of records: change → log on disk → records at generation N+1 → everybody who watches.
//!
//! One thread owns the records. It takes what doors and peers ask for, decides (edits against the rules of
//! [`edit`], peers' snapshots against the judge they bring along), appends all that was accepted to the change log,
//! waits for the disk once for the whole batch, and only then shows the new [`View`] and answers. What a caller was told
//! has happened is therefore on disk, and what anybody sees is what was told.

pub mod edit;
mod entry;
mod image;
mod log;
mod mirror;
mod open;
mod recent;
mod writer;

pub use edit::{Edit, EditRefused, NewRecord, Selection};
pub use mirror::{FileError, MirrorStatus};
pub use open::{OpenError, Opening, Seed};
pub use recent::{SetKey, Touched};

use crate::{hash::ContentHash, record::Record, records::Records};
use dnsplane_proto::Generation;
use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
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
}

/// What this node itself has written, as it tells its peers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnWrites {
    /// Our sequence; 0 while this node has never accepted a write, and then its records have no authority (R1).
    /// Moves only with an accepted write, to max(last + 1, wall-clock milliseconds) (R2, R3).
    pub seq: u64,
    /// Unix seconds of the last write, 0 for never (R4).
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

/// A peer's whole set of records, offered to us.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Node id, verbatim.
    pub sender: String,
    /// The sender's sequence, as it came.
    pub seq: u64,
    /// Unix seconds of the sender's last write; 0 if it did not say.
    pub timestamp: i64,
    /// Records that parsed as their type, without duplicates, in the sender's order.
    pub records: Vec<Record>,
    /// Content hash of `records`.
    pub hash: ContentHash,
    /// Where it came from, for the log: the peer's address, and whether pushed or pulled.
    pub via: String,
}

/// What a judge sees of us.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// What we saw of this sender before.
    pub seen: Option<&'a Seen>,
    /// Whether we hold no record at all.
    pub empty: bool,
    /// What this node has written itself.
    pub own: OwnWrites,
}

/// A judge's decision about an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Replace our records with the offered ones.
    Apply,
    /// We have seen it before; nothing to do.
    Duplicate,
    /// Do not apply, and why. `seen` tells whether the sequence counts as seen.
    Refuse {
        /// One sentence.
        reason: String,
        /// Whether this sequence needs not be offered again.
        seen: bool,
    },
}

/// Decides about an offer while nothing else can be written: judging, applying and remembering are one step (R7).
pub type Judge = Box<dyn FnOnce(Standing<'_>, &Offer) -> Verdict + Send>;

/// What became of an offer.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The judge's word.
    pub verdict: Verdict,
    /// Records that came in or changed.
    pub added: usize,
    /// Records of ours that went or were overwritten.
    pub removed: usize,
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
    /// The records file could not be read back.
    #[error("{0}")]
    Unreadable(String),
    /// This node is told to take changes from peers only.
    #[error(
        "this node rejects local writes (`cluster_reject_local_writes`); make the change on the node that owns the records"
    )]
    LocalWritesRejected,
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
    /// Make the store what a records file says, except for sets that changed after the number `mirrored`.
    TakeFile {
        records: Vec<Record>,
        mirrored: u64,
        reply: oneshot::Sender<Result<Edited, StoreError>>,
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
    mirror: watch::Receiver<MirrorStatus>,
    rejecting: Arc<AtomicBool>,
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

    /// How the records file stands.
    pub fn mirror(&self) -> MirrorStatus {
        self.mirror.borrow().clone()
    }

    /// Whether edits are refused from now on (`cluster_reject_local_writes`). Peers' snapshots and the records file are not.
    pub fn reject_local_writes(&self, reject: bool) {
        self.rejecting.store(reject, Ordering::Relaxed);
    }

    /// Whether edits are refused (`cluster_reject_local_writes`).
    pub fn rejects_local_writes(&self) -> bool {
        self.rejecting.load(Ordering::Relaxed)
    }

    /// Makes a local write. When this returns `Ok`, it is on disk.
    pub async fn edit(&self, edit: Edit, actor: impl Into<Actor>) -> Result<Edited, StoreError> {
        if self.rejecting.load(Ordering::Relaxed) {
            return Err(StoreError::LocalWritesRejected);
        }
        self.ask(|reply| Request::Edit { edit, actor: actor.into(), reply }).await
    }

    /// Has a peer's snapshot judged and, if the judge says so, applied. When this returns `Ok`, it is on disk.
    pub async fn offer(&self, offer: Offer, judge: Judge) -> Result<Judged, StoreError> {
        self.ask(|reply| Request::Offer { offer, judge, reply }).await
    }

    /// Reads the records file now, instead of when its change is noticed.
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
