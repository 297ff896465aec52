//! The one owner of all lists: looks at them, merges them, and does what people ask for.

mod deeds;

use super::{
    Done, ListsError, Merged,
    list::{List, Origin},
    merge::merge,
    own::{Own, Place},
    source::{Copies, Means, Seen, client},
    standing::Standing,
};
use crate::{
    config::{self, ListEntry, ListPlace},
    live::Live,
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{Semaphore, mpsc, oneshot, watch},
    task::{JoinHandle, JoinSet},
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// What comes within this time is merged together.
const GATHER: Duration = Duration::from_millis(50);
/// How often we see whether a list is due.
const TICK: Duration = Duration::from_millis(250);

/// What somebody asks for.
pub(super) struct Command {
    pub(super) deed: Deed,
    /// Who, for the log.
    pub(super) by: String,
    pub(super) reply: Reply,
}

pub(super) type Reply = oneshot::Sender<Result<Done, ListsError>>;

#[derive(Debug)]
pub(super) enum Deed {
    Add(Vec<String>),
    Remove(Vec<String>),
    Allow(Vec<String>),
    Disallow(Vec<String>),
    Load(String),
    Unload(String),
    Clear,
    Pause(u64),
}

pub(super) struct Owner {
    folder: PathBuf,
    place: Place,
    own: Own,
    /// Why what was said by hand must not be written.
    problem: Option<String>,
    lists: Vec<List>,
    next_id: u64,
    settings: watch::Receiver<Arc<config::BlockLists>>,
    live: Live,
    means: Means,
    looking: JoinSet<(u64, Seen)>,
    merging: Option<Merging>,
    /// When to merge what has changed; `None`: nothing has.
    merge_at: Option<Instant>,
    listed: usize,
    standing: watch::Sender<Arc<Standing>>,
    merged: watch::Sender<Option<Arc<Merged>>>,
}

struct Merging {
    begun: Instant,
    task: JoinHandle<(Merged, usize)>,
}

impl Owner {
    pub(super) async fn new(
        folder: &Path,
        settings: watch::Receiver<Arc<config::BlockLists>>,
        live: Live,
        standing: watch::Sender<Arc<Standing>>,
        merged: watch::Sender<Option<Arc<Merged>>>,
    ) -> Self {
        let (place, copies) = (Place::beside(folder), Copies::beside(folder));
        let (own, problem) = place.read();
        if let Some(problem) = &problem {
            warn!("{problem}; until then nothing is changed by hand");
        }
        live.pause_blocking(own.paused_until).await;
        let mut owner = Self {
            folder: folder.to_owned(),
            place,
            own,
            problem,
            lists: Vec::new(),
            next_id: 0,
            settings,
            live,
            means: Means { client: client(), copies, turn: Arc::new(Semaphore::new(1)) },
            looking: JoinSet::new(),
            merging: None,
            merge_at: None,
            listed: 0,
            standing,
            merged,
        };
        owner.follow_settings();
        owner
    }

    pub(super) async fn run(
        mut self,
        mut commands: mpsc::Receiver<Command>,
        shutdown: CancellationToken,
    ) -> anyhow::Result<()> {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.look_around();
            self.merge_what_changed();
            let merge_at = self.merge_at.filter(|_| self.merging.is_none() && self.all_looked_at());
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                Some(command) = commands.recv() => self.carry_out(command).await,
                Ok(()) = self.settings.changed() => self.follow_settings(),
                Some(looked) = self.looking.join_next() => {
                    let (list, seen) = looked?;
                    self.hear(list, seen).await;
                }
                merged = finished(&mut self.merging) => self.take(merged?),
                () = sleep_until(merge_at.unwrap_or_else(Instant::now)), if merge_at.is_some() => {}
                _ = tick.tick() => {}
            }
        }
    }

    /// Makes the lists those that the settings name and those that were loaded; what stays keeps what it says.
    fn follow_settings(&mut self) {
        let settings = self.settings.borrow_and_update().clone();
        let mut wanted: Vec<_> = settings.lists.iter().map(|entry| (entry.clone(), Origin::Configured)).collect();
        for text in &self.own.sources {
            match ListEntry::parse(text, &self.folder) {
                Ok(entry) if wanted.iter().any(|(known, _)| *known == entry) => {}
                Ok(entry) => wanted.push((entry, Origin::Loaded)),
                Err(why) => warn!("`sources` of {} {why}; that entry is passed over", self.place.path().display()),
            }
        }
        let mut old = std::mem::take(&mut self.lists);
        for (entry, origin) in wanted {
            let mut list = match old.iter().position(|list| list.shown.entry == entry) {
                Some(at) => old.remove(at),
                None => self.new_list(entry.clone(), origin),
            };
            (list.shown.entry, list.shown.origin) = (entry, origin);
            self.lists.push(list);
        }
        self.lists.extend(old.into_iter().filter(|list| list.shown.origin == Origin::Candidate));
        self.means.copies.sweep(self.lists.iter().filter_map(|list| match &list.shown.entry.place {
            ListPlace::Url(url) => Some(url),
            ListPlace::File(_) => None,
        }));
        self.changed();
    }

    fn new_list(&mut self, entry: ListEntry, origin: Origin) -> List {
        self.next_id += 1;
        List::new(self.next_id, entry, origin)
    }

    /// Something that is merged has changed.
    fn changed(&mut self) {
        self.merge_at.get_or_insert_with(|| Instant::now() + GATHER);
        self.show();
    }

    fn show(&self) {
        self.standing.send_replace(Arc::new(self.as_it_stands()));
    }

    fn as_it_stands(&self) -> Standing {
        Standing {
            own: self.own.clone(),
            problem: self.problem.clone(),
            lists: self.lists.iter().map(|list| list.shown.clone()).collect(),
            listed: self.listed,
        }
    }

    /// Looks at those lists that are due.
    fn look_around(&mut self) {
        let now = Instant::now();
        for list in self.lists.iter_mut().filter(|list| !list.busy && list.due <= now) {
            list.busy = true;
            let (id, look, means) = (list.id, list.look(), self.means.clone());
            self.looking.spawn(async move { (id, means.look(look).await) });
        }
    }

    fn all_looked_at(&self) -> bool {
        self.lists.iter().all(|list| list.looked_at || list.shown.origin == Origin::Candidate)
    }

    /// Takes in what somebody saw who looked at a list.
    async fn hear(&mut self, id: u64, seen: Seen) {
        let refresh = self.settings.borrow().refresh;
        let Some(list) = self.lists.iter_mut().find(|list| list.id == id) else { return };
        list.busy = false;
        match seen {
            Seen::NoCopy => list.no_copy(),
            Seen::Same => {
                let asked = list.shown.error.is_some() || matches!(list.shown.entry.place, ListPlace::Url(_));
                list.same(refresh);
                if asked {
                    self.show();
                }
                self.settle(id, None).await;
            }
            Seen::Read { parsed, stamp, validators, updated } => {
                if list.read(*parsed, stamp, validators, updated, refresh) {
                    let shown = &list.shown;
                    let (blocked, allowed) = (shown.blocked.len(), shown.allowed.len());
                    info!(list = %shown.entry, blocked, allowed, skipped = shown.skipped, "block list read");
                    self.changed();
                } else {
                    self.show();
                }
                self.settle(id, None).await;
            }
            Seen::Failed(why) => {
                if list.failed(why.clone()) {
                    let kept = list.shown.blocked.len() + list.shown.allowed.len();
                    warn!(list = %list.shown.entry, kept, "{why}; the names that it had stay");
                    self.show();
                }
                self.settle(id, Some(why)).await;
            }
        }
    }

    /// Merges what has changed, beside everything else.
    fn merge_what_changed(&mut self) {
        let due = self.merge_at.is_some_and(|at| at <= Instant::now());
        if !due || self.merging.is_some() || !self.all_looked_at() {
            return;
        }
        self.merge_at = None;
        let parts = self.as_it_stands().parts();
        let task = tokio::task::spawn_blocking(move || merge(&parts));
        self.merging = Some(Merging { begun: Instant::now(), task });
    }

    fn take(&mut self, (begun, (merged, listed)): (Instant, (Merged, usize))) {
        self.listed = listed;
        let octets: usize =
            [&merged.blocked, &merged.allowed].iter().map(|one| one.hashes.len() + one.values.len()).sum();
        let news = self.merged.send_if_modified(|now| {
            let new = now.as_deref() != Some(&merged);
            if new {
                *now = Some(Arc::new(merged));
            }
            new
        });
        if news {
            info!(names = listed, octets, milliseconds = begun.elapsed().as_millis(), "block lists merged");
        }
        self.show();
    }
}

/// What came of a merge, when it ends.
async fn finished(merging: &mut Option<Merging>) -> anyhow::Result<(Instant, (Merged, usize))> {
    let Some(Merging { begun, task }) = merging else { return std::future::pending().await };
    let (begun, merged) = (*begun, task.await);
    *merging = None;
    Ok((begun, merged?))
}
