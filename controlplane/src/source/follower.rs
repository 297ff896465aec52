//! Reads a source again and again, and gives the store what it says.
//!
//! It looks at start, at each interval, when the source itself tells of a change, and when somebody asks. A look that
//! fails changes nothing but what status says: the store goes on with what it has, and the next look comes later each time.

#[cfg(test)]
mod tests;

use super::{Note, Source, SourceError, Standing, standing::Ago};
use crate::{
    blocking::beside,
    cluster::backoff::Backoff,
    hand_edits::SETTLE,
    store::{Edited, Intake, StoreError, View, wall_ms},
};
use std::{any::Any, path::PathBuf, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Whoever goes on changing its files is looked at after this all the same.
const LONGEST_SETTLE: Duration = Duration::from_secs(2);
/// First pause after a failure while there is nothing to serve: the network may come up after us.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// Longest pause after failures, if the interval is not longer.
const LAST_RETRY: Duration = Duration::from_secs(60);
/// The time of the last good look is written down about this often when nothing else changes.
const NOTE_EVERY: u64 = 60_000;
/// Faults that are logged; status has more of them.
const LOGGED: usize = 5;

/// Whoever asked for a look, and waits for what came of it.
pub(crate) type Reload = oneshot::Sender<Result<Edited, StoreError>>;

/// Makes a source, given what it remembered.
pub(crate) type Make = Box<dyn FnOnce(Option<serde_json::Value>) -> Box<dyn Source> + Send>;

/// Which source is followed, and how.
pub struct Following {
    pub(crate) kind: &'static str,
    pub(crate) identity: String,
    /// Pause between two looks.
    pub(crate) refresh: Duration,
    /// Makes it.
    pub(crate) make: Make,
}

/// The task.
pub(crate) struct Follower {
    source: Box<dyn Source>,
    /// The store's folder.
    folder: PathBuf,
    note: Note,
    /// As it is on disk.
    saved: Note,
    intake: Intake,
    views: watch::Receiver<Arc<View>>,
    standing: watch::Sender<Standing>,
    refresh: Duration,
    backoff: Backoff,
}

impl Follower {
    /// Starts from what is known of the source and of the records that the store holds.
    pub(crate) fn new(
        following: Following,
        folder: PathBuf,
        intake: Intake,
        views: watch::Receiver<Arc<View>>,
        standing: watch::Sender<Standing>,
    ) -> Self {
        let Following { kind, identity, refresh, make } = following;
        let generation = views.borrow().generation;
        let kept = Note::load(&folder);
        // A store that was restored from a backup, or begun anew, does not hold what the note speaks of.
        let kept = kept.filter(|note| note.session == generation.session && note.number <= generation.number);
        let from = kept.as_ref().map(|note| note.what.clone());
        let known = kept.is_some() || generation.number > 0;
        let kept = kept.filter(|note| note.identity == identity);
        let source = make(kept.as_ref().map(|note| note.memory.clone()));
        let what = source.what();
        match &kept {
            Some(note) => info!(
                "{what} was last read {} ago; serving that until it is read again",
                Ago(wall_ms().saturating_sub(note.read_at) / 1000)
            ),
            None if known => info!(
                "{what} was never read; serving what came from {} until it is",
                from.as_deref().unwrap_or("elsewhere")
            ),
            None => info!("{what} was never read; serving nothing until it is"),
        }
        standing.send_replace(Standing {
            kind,
            what: what.clone(),
            read_at: kept.as_ref().map(|note| note.read_at),
            version: kept.as_ref().map(|note| note.version.clone()).unwrap_or_default(),
            known,
            ..Standing::default()
        });
        let note = kept.unwrap_or_else(|| Note { identity, what, ..Note::default() });
        let backoff =
            if known { Backoff::new(refresh, LAST_RETRY.max(refresh)) } else { Backoff::new(FIRST_RETRY, refresh) };
        Self { source, folder, saved: note.clone(), note, intake, views, standing, refresh, backoff }
    }

    /// Works until told to stop.
    pub(crate) async fn run(mut self, mut reloads: mpsc::Receiver<Reload>, shutdown: CancellationToken) {
        let (told, mut news) = mpsc::channel(1);
        let mut watcher = self.source.watch(told.clone());
        let mut look_at = Instant::now();
        let mut settled_by = None;
        loop {
            let asked = tokio::select! {
                () = shutdown.cancelled() => return,
                Some(()) = news.recv() => {
                    let now = Instant::now();
                    let latest = *settled_by.get_or_insert(now + LONGEST_SETTLE);
                    look_at = (now + SETTLE).min(latest);
                    continue;
                }
                Some(reply) = reloads.recv() => Some(reply),
                () = sleep_until(look_at) => None,
            };
            settled_by = None;
            let outcome = tokio::select! {
                () = shutdown.cancelled() => return,
                outcome = self.look() => outcome,
            };
            self.rearm(&mut watcher, &told, outcome.is_ok());
            // Somebody who asks again and again does not put off the next look of our own.
            if asked.is_none() || outcome.is_ok() {
                look_at = Instant::now() + self.pause(outcome.is_ok());
            }
            if let Some(reply) = asked {
                // Whoever asked may have gone.
                let _ = reply.send(outcome);
            }
        }
    }

    /// What was watched may have been replaced while it could not be read.
    fn rearm(&mut self, watcher: &mut Option<Box<dyn Any + Send>>, told: &mpsc::Sender<()>, readable: bool) {
        if !readable {
            *watcher = None;
        } else if watcher.is_none() {
            *watcher = self.source.watch(told.clone());
        }
    }

    fn pause(&mut self, readable: bool) -> Duration {
        if !readable {
            return self.backoff.next().max(FIRST_RETRY);
        }
        self.backoff = Backoff::new(self.refresh, LAST_RETRY.max(self.refresh));
        self.refresh
    }

    /// Looks once.
    async fn look(&mut self) -> Result<Edited, StoreError> {
        let outcome = match self.read().await {
            Ok(mut done) => {
                done.messages.extend(self.standing.borrow().about_faults());
                Ok(done)
            }
            Err(StoreError::Unreadable(text)) => Err(StoreError::Unreadable(self.fail(text))),
            Err(error) => {
                self.fail(error.to_string());
                Err(error)
            }
        };
        self.keep_note().await;
        outcome
    }

    async fn read(&mut self) -> Result<Edited, StoreError> {
        // A difference that does not fit what the store holds is followed by all of it, which always does.
        for _ in 0..2 {
            let Some(reading) = self.source.read().await.map_err(|SourceError(why)| StoreError::Unreadable(why))?
            else {
                return Ok(self.unchanged());
            };
            match self.intake.take(reading.content, None, self.note.what.clone()).await {
                Ok(Some(edited)) => {
                    self.source.taken(Some(edited.records));
                    self.succeed(Some((reading.version, reading.faults)), &edited);
                    return Ok(edited);
                }
                Ok(None) => self.source.taken(None),
                Err(error) => {
                    self.source.taken(None);
                    return Err(error);
                }
            }
        }
        Err(StoreError::Unreadable(format!(
            "{} tells two differences that do not fit what it said before",
            self.note.what
        )))
    }

    fn unchanged(&mut self) -> Edited {
        let view = self.views.borrow().clone();
        let edited = Edited {
            changed: false,
            messages: vec![format!("{} says what it said before", self.note.what)],
            generation: view.generation,
            records: view.records.len(),
        };
        self.succeed(None, &edited);
        edited
    }

    fn succeed(&mut self, news: Option<(String, super::Faults)>, edited: &Edited) {
        let before = self.standing.borrow().clone();
        let now = wall_ms();
        let (version, faults) = news.unwrap_or((before.version, before.faults.clone()));
        if !before.problem.is_empty() {
            info!("{} can be read again", self.note.what);
        }
        if edited.changed {
            info!(version, records = edited.records, generation = %edited.generation, "{} has changed", self.note.what);
        }
        if faults != before.faults {
            self.log(&faults);
        }
        self.note = Note {
            session: edited.generation.session,
            number: edited.generation.number,
            version: version.clone(),
            memory: self.source.memory(),
            ..std::mem::take(&mut self.note)
        };
        self.standing.send_modify(|standing| {
            *standing = Standing {
                read_at: Some(now),
                checked_at: Some(now),
                version,
                problem: String::new(),
                faults,
                known: true,
                ..std::mem::take(standing)
            };
        });
    }

    fn log(&self, faults: &super::Faults) {
        for fault in faults.first().iter().take(LOGGED) {
            warn!("{}: {fault}", self.note.what);
        }
        match faults.count() {
            0 => info!("{} has no faults any more", self.note.what),
            count if count > LOGGED as u64 => {
                warn!("{}: {count} faults; `dnsplanectl server status` has more of them", self.note.what)
            }
            _ => {}
        }
    }

    /// Notes a problem, and says it once.
    fn fail(&mut self, problem: String) -> String {
        let now = wall_ms();
        self.standing.send_modify(|standing| {
            let news = standing.problem != problem;
            standing.checked_at = Some(now);
            standing.problem.clone_from(&problem);
            if news {
                warn!("{}", standing.sentence(now));
            }
        });
        self.standing.borrow().sentence(now)
    }

    async fn keep_note(&mut self) {
        let Some(read_at) = self.standing.borrow().read_at else { return };
        let note = Note { read_at: self.saved.read_at, ..self.note.clone() };
        if note == self.saved && read_at.saturating_sub(note.read_at) < NOTE_EVERY {
            return;
        }
        let (note, folder) = (Note { read_at, ..note }, self.folder.clone());
        self.saved = note.clone();
        if let Err(error) = beside(move || note.save(&folder)).await {
            warn!(%error, folder = %self.folder.display(), "cannot write down when the source was read");
        }
    }
}
