//! The records file: what people read, edit by hand and back up, kept in step with the store in both directions.
//!
//! The log is what promises durability; the file follows it, written aside, fsynced and renamed, a moment after a change
//! (later the longer writing takes, so that a large store does not spend its days being written). A note beside the log
//! says what we last wrote. A file that is not what the note says was edited by hand: it becomes a change, in which sets
//! that we changed since the note keep our version.

mod file;
mod records_file;

pub use file::FileError;
pub(super) use file::{Note, read_file, warn_of_faults, write_copy};
pub(super) use records_file::RecordsFile;

use super::{Edited, Intake, StoreError, View, recent::Recent};
use crate::{
    blocking::beside,
    hand_edits::{POLL, SETTLE},
    source::{Content, Reload, Source},
};
use file::write_file;
use serde::Serialize;
use std::{
    fs,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{mpsc, watch},
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

/// Keeps the file and the store in step.
pub(super) struct Mirror {
    pub(super) file: RecordsFile,
    pub(super) pretty: bool,
    pub(super) views: watch::Receiver<Arc<View>>,
    pub(super) intake: Intake,
    pub(super) recent: Arc<Recent>,
    pub(super) status: watch::Sender<MirrorStatus>,
    pub(super) last_took: Duration,
}

impl Mirror {
    /// Works until told to stop; then writes the file a last time if it is behind.
    pub(super) async fn run(mut self, mut reloads: mpsc::Receiver<Reload>, shutdown: CancellationToken) {
        let (told, mut edits) = mpsc::channel(1);
        let _watcher = self.file.watch(told);
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
        self.file.number() != Some(self.views.borrow().generation.number)
    }

    fn pause(&self) -> Duration {
        (self.last_took * SHARE).clamp(MIN_PAUSE, MAX_PAUSE)
    }

    /// Takes a hand-edited file into the store.
    async fn take_in(&mut self, asked: bool) -> Result<Edited, StoreError> {
        let found = self.file.read().await;
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
                let mirrored = self.file.number().unwrap_or(0);
                if let Content::Whole(records) = &found.content {
                    warn_of_faults(self.file.path(), records);
                }
                let Some(edited) = self.intake.take(found.content, Some(mirrored), "the records file").await? else {
                    return Ok(unchanged());
                };
                let quiet = self.recent.since(mirrored).is_some_and(|touched| touched.is_empty());
                let number = if quiet && !edited.changed { edited.generation.number } else { mirrored };
                self.file.holds(number);
                self.tell(String::new());
                if edited.changed {
                    info!(path = %self.file.path().display(), records = edited.records, "records file was edited by hand; taken in");
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
        if self.take_in(true).await.is_err() && self.file.path().exists() {
            let aside = self.file.path().with_extension("json.unreadable");
            match fs::copy(self.file.path(), &aside) {
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
        let (path, pretty) = (self.file.path().to_owned(), self.pretty);
        let outcome = beside(move || write_file(&path, &view, pretty)).await;
        self.last_took = started.elapsed();
        match outcome {
            Ok(note) => {
                self.file.keep(note);
                self.tell(String::new());
                true
            }
            Err(error) => {
                let text = format!("cannot write records file `{}`: {error}", self.file.path().display());
                if self.status.borrow().problem != text {
                    warn!("{text}; the change log has everything, and we try again");
                }
                self.tell(text);
                false
            }
        }
    }

    fn tell(&self, problem: String) {
        let number = self.file.number().unwrap_or(0);
        self.status.send_replace(MirrorStatus { path: self.file.path().to_owned(), number, problem });
    }
}
