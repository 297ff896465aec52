//! The writer thread: batches requests, decides, appends, shows, answers.

mod peer;
mod reading;

use super::{
    Edited, Origin, Request, StoreError, View,
    edit::{self, Edit, Import, Plan},
    entry::{Clock, Entry, Placed},
    image,
    log::{Archive, Batch, Log},
    recent::{Recent, SetKey},
    tombs::Tombs,
};
use crate::{record::json, records::Row};
use std::{
    collections::HashSet,
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::SystemTime,
};
use tokio::sync::{mpsc, watch};
use tracing::{error, info, warn};

/// Requests that share one fsync.
const MAX_BATCH: usize = 256;
/// Rows of an import that is kept in the change log, so that it can be looked at and undone; a longer one is written as an image.
const MAX_IMPORT: usize = 200_000;
/// Log bytes below which no image is written: replaying them takes a fraction of a second.
const MIN_LOG: u64 = 16 << 20;
/// Bytes after which the log goes on in another segment: history is kept and dropped by whole segments.
const SEGMENT: u64 = 16 << 20;

/// Everything the writer owns.
pub(super) struct Writer {
    pub(super) folder: PathBuf,
    pub(super) view: View,
    pub(super) clock: Clock,
    pub(super) next_order: u64,
    pub(super) log: Log,
    pub(super) archive: Arc<Archive>,
    pub(super) recent: Arc<Recent>,
    pub(super) tombs: Tombs,
    pub(super) shown: watch::Sender<Arc<View>>,
    /// For copies beside it.
    pub(super) records_file: PathBuf,
    /// Latest time of a write of ours that a peer was told.
    pub(super) offered: Arc<AtomicI64>,
    /// Size of the last image; `imaging` while one is being written, by that thread.
    pub(super) image_bytes: Arc<AtomicU64>,
    pub(super) imaging: Arc<AtomicBool>,
    pub(super) image_thread: Option<JoinHandle<()>>,
}

/// An answer that waits for the disk.
type Answer = Box<dyn FnOnce(Result<(), StoreError>)>;

impl Writer {
    /// Serves requests until every handle on the store is gone.
    pub(super) fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        while let Some(first) = requests.blocking_recv() {
            let mut batch = Vec::new();
            let mut next = Some(first);
            while let Some(request) = next.take() {
                match request {
                    // What a records file may overwrite depends on what is newer than it: that must be on disk and known.
                    Request::Take { taking, reply } => {
                        self.turn(std::mem::take(&mut batch));
                        let taken = self.take_reading(taking);
                        // Whoever asked may have gone; what was written stays written.
                        let _ = reply.send(taken);
                    }
                    // The same goes for what a peer's snapshot costs us.
                    Request::Offer { offer, judge, reply } => {
                        self.turn(std::mem::take(&mut batch));
                        let judged = self.take_offer(offer, judge);
                        // Whoever asked may have gone; what was written stays written.
                        let _ = reply.send(judged);
                    }
                    // An import was worked out for one generation, which is known only when those before it are done.
                    Request::Edit { edit: Edit::Import(import), actor, reply } => {
                        self.turn(std::mem::take(&mut batch));
                        // Whoever asked may have gone; what was written stays written.
                        let _ = reply.send(self.take_import(*import, actor));
                    }
                    Request::Edit { .. } => batch.push(request),
                }
                if batch.len() < MAX_BATCH {
                    next = requests.try_recv().ok();
                }
            }
            self.turn(batch);
        }
    }

    /// One batch: decide each in order, one append, one fsync, one new view.
    fn turn(&mut self, batch: Vec<Request>) {
        if batch.is_empty() {
            return;
        }
        let before = (self.view.clone(), self.clock, self.next_order);
        let mut entries = Vec::new();
        let mut answers: Vec<Answer> = Vec::new();
        for request in batch {
            let (entry, answer) = self.decide(request);
            entries.extend(entry);
            answers.push(answer);
        }
        let outcome = self.append(&entries);
        let result = match outcome {
            Ok(()) => {
                self.show(&entries);
                Ok(())
            }
            Err(error) => {
                (self.view, self.clock, self.next_order) = before;
                Err(refuse_to_write(error))
            }
        };
        for answer in answers {
            answer(result.clone());
        }
        self.keep_log_short();
    }

    fn append(&mut self, entries: &[Entry]) -> io::Result<()> {
        let mut payloads = Batch::default();
        for entry in entries {
            payloads.push(json::to_vec(entry)?);
        }
        if payloads.is_empty() { Ok(()) } else { self.log.append(&payloads) }
    }

    /// What a request comes to: an entry to append, if anything changed, and the answer to give once it is on disk.
    fn decide(&mut self, request: Request) -> (Option<Entry>, Answer) {
        match request {
            Request::Edit { edit, actor, reply } => {
                let (entry, result) = match edit::plan(&self.view.records, &edit) {
                    Ok(plan) => self.accept_edit(plan, actor),
                    Err(refused) => (None, Err(refused.into())),
                };
                (entry, answer_with(reply, result))
            }
            Request::Take { taking, reply } => (None, answer_with(reply, self.take_reading(taking))),
            Request::Offer { offer, judge, reply } => (None, answer_with(reply, self.take_offer(offer, judge))),
        }
    }

    /// Makes an import one change, if the records are still those that it was worked out for.
    fn take_import(&mut self, import: Import, actor: String) -> Result<Edited, StoreError> {
        if import.generation != self.view.generation {
            return Err(StoreError::Overtaken);
        }
        let plan = import.into_plan();
        let messages = plan.messages.clone();
        let changed = self.write_plan(plan, actor, MAX_IMPORT)?;
        let View { generation, records, .. } = &self.view;
        Ok(Edited { changed, messages, generation: *generation, records: records.len() })
    }

    fn accept_edit(&mut self, plan: Plan, actor: String) -> (Option<Entry>, Result<Edited, StoreError>) {
        let messages = plan.messages.clone();
        let entry = self.own_entry(plan, actor);
        if let Some(entry) = &entry {
            self.view = entry.apply(&self.view);
        }
        let View { generation, records, .. } = &self.view;
        let changed = entry.is_some();
        (entry, Ok(Edited { changed, messages, generation: *generation, records: records.len() }))
    }

    /// The entry of a write of our own, if it changes anything.
    fn own_entry(&mut self, plan: Plan, actor: String) -> Option<Entry> {
        (!plan.is_empty()).then(|| {
            let mut own = self.view.own;
            own.seq = (own.seq + 1).max(wall_ms());
            own.written_at = self.time_of_write();
            let mut entry = self.entry(plan, actor);
            entry.own = Some(own.into());
            entry
        })
    }

    /// The time that peers are told of a write: the clock's, but later than that of whatever it is made on top of (R4).
    fn time_of_write(&self) -> i64 {
        let now = (wall_ms() / 1000) as i64;
        let least = match &self.view.head {
            Some(Origin { node_id: Some(_), timestamp, .. }) => timestamp.saturating_add(1),
            _ => {
                let last = self.view.own.written_at;
                let told = last > 0 && self.offered.load(Ordering::Relaxed) >= last;
                last.saturating_add(i64::from(told))
            }
        };
        now.max(least)
    }

    /// Sets that changed after this number, as far as we can tell: from the latest changes, and from the rows.
    fn touched_after(&self, number: u64) -> HashSet<SetKey> {
        match self.recent.since(number) {
            Some(touched) => touched.into_iter().collect(),
            None => {
                let rows = self.view.records.iter().filter(|row| row.touched() > number);
                rows.map(|row| SetKey::of(&row.record)).collect()
            }
        }
    }

    /// An entry for a plan; numbers move only if records do.
    fn entry(&mut self, plan: Plan, by: String) -> Entry {
        self.clock = self.clock.next(wall_ms());
        let number = self.view.generation.number + u64::from(!plan.is_empty());
        let before = plan.removed.iter().map(|row| Placed::of(row)).collect();
        let after = plan.added.into_iter().map(|(place, record)| {
            let order = place.unwrap_or_else(|| {
                self.next_order += 1;
                self.next_order
            });
            Placed(order, record)
        });
        Entry { number, at: self.clock, by, before, after: after.collect(), ..Entry::default() }
    }

    /// Lets everybody see what is on disk now.
    fn show(&mut self, entries: &[Entry]) {
        if entries.is_empty() {
            return;
        }
        for entry in entries {
            remember(&self.recent, entry);
            self.tombs.learn(entry);
            if !entry.before.is_empty() || !entry.after.is_empty() {
                tracing::debug!(
                    number = entry.number,
                    by = entry.by,
                    gone = entry.before.len(),
                    came = entry.after.len(),
                    "changed"
                );
            }
        }
        self.shown.send_replace(Arc::new(self.view.clone()));
    }

    /// Replaces a long log by an image, in the background.
    fn keep_log_short(&mut self) {
        let limit = MIN_LOG.max(self.image_bytes.load(Ordering::Relaxed));
        let first = self.view.generation.number + 1;
        if self.log.total() < limit || self.imaging.swap(true, Ordering::Acquire) {
            if self.log.segment() >= SEGMENT
                && let Err(error) = self.log.go_on(first)
            {
                warn!(%error, "cannot start a new segment of the change log; going on with the old one");
            }
            return;
        }
        if let Err(error) = self.log.roll(first) {
            warn!(%error, "cannot start a new segment of the change log; going on with the old one");
            self.imaging.store(false, Ordering::Release);
            return;
        }
        let (folder, view, clock, tombs) = (self.folder.clone(), self.view.clone(), self.clock, self.tombs.clone());
        let (bytes, imaging) = (Arc::clone(&self.image_bytes), Arc::clone(&self.imaging));
        let archive = Arc::clone(&self.archive);
        self.image_thread = Some(std::thread::spawn(move || {
            match image::write(&folder, &view, clock, &tombs).and_then(|size| {
                bytes.store(size, Ordering::Relaxed);
                archive.retire(first)
            }) {
                Ok(()) => info!(generation = %view.generation, records = view.records.len(), "change log compacted"),
                Err(error) => warn!(%error, "the change log could not be compacted; it grows until it can"),
            }
            imaging.store(false, Ordering::Release);
        }));
    }
}

/// The disk did not take it: said here, and to whoever asked.
fn refuse_to_write(error: io::Error) -> StoreError {
    error!(%error, "the change log cannot be written; refusing writes until it can");
    StoreError::from(error)
}

/// Adds the sets that an entry touched to what is known of the latest changes.
pub(super) fn remember(recent: &Recent, entry: &Entry) {
    let touched = entry.before.iter().chain(&entry.after).map(|placed| SetKey::of(&placed.1));
    if !entry.before.is_empty() || !entry.after.is_empty() {
        recent.push(entry.number, touched);
    }
}

/// The order number after which new rows go.
pub(super) fn last_order<'a>(rows: impl Iterator<Item = &'a Arc<Row>>) -> u64 {
    rows.map(|row| row.order).max().unwrap_or(0)
}

/// Milliseconds since 1970.
pub(crate) fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

fn answer_with<T: 'static>(
    reply: tokio::sync::oneshot::Sender<Result<T, StoreError>>,
    result: Result<T, StoreError>,
) -> Answer {
    Box::new(move |disk| {
        // Whoever asked may have gone; what was written stays written.
        let _ = reply.send(disk.and(result));
    })
}
