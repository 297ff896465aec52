//! One list: where it is, what it says, how it is.

use super::{
    merge::Part,
    names::Names,
    owner::Reply,
    parse::{Parsed, Why},
    source::Look,
};
use crate::{
    cluster::backoff::Backoff,
    config::{ListEntry, ListPlace},
    stamp::Stamp,
    web::Validators,
};
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::time::Instant;

/// How often a file is looked at: what is written to it counts within a second.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// After a file could not be read.
const FILE_PAUSES: [Duration; 2] = [LOOK_EVERY, Duration::from_secs(30)];
/// After the web could not be asked.
const WEB_PAUSES: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(60 * 60)];

/// What a list is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// `adblock_list_files` names it.
    Configured,
    /// It was loaded.
    Loaded,
    /// It is being loaded; should that fail, it is forgotten.
    Candidate,
}

/// What is shown of a list.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) entry: ListEntry,
    pub(super) origin: Origin,
    pub(super) blocked: Arc<Names>,
    pub(super) allowed: Arc<Names>,
    pub(super) skipped: u64,
    pub(super) first_skipped: Option<(u64, Why)>,
    /// When what it says was fetched, or written.
    pub(super) updated: Option<SystemTime>,
    /// Why it could not be read when that was tried last.
    pub(super) error: Option<String>,
}

/// A list as its owner knows it.
pub(super) struct List {
    pub(super) id: u64,
    pub(super) shown: Shown,
    /// It was looked at, so that what it says is known as far as it can be.
    pub(super) looked_at: bool,
    /// Somebody is looking at it.
    pub(super) busy: bool,
    pub(super) due: Instant,
    /// Whoever wants to know what comes of it.
    pub(super) waiting: Vec<Reply>,
    ask: bool,
    stamp: Option<Stamp>,
    validators: Validators,
    backoff: Backoff,
}

impl List {
    pub(super) fn new(id: u64, entry: ListEntry, origin: Origin) -> Self {
        let [first, longest] = match entry.place {
            ListPlace::File(_) => FILE_PAUSES,
            ListPlace::Url(_) => WEB_PAUSES,
        };
        let (blocked, allowed) = Default::default();
        let shown =
            Shown { entry, origin, blocked, allowed, skipped: 0, first_skipped: None, updated: None, error: None };
        Self {
            id,
            shown,
            looked_at: false,
            busy: false,
            due: Instant::now(),
            waiting: Vec::new(),
            ask: false,
            stamp: None,
            validators: Validators::default(),
            backoff: Backoff::new(first, longest),
        }
    }

    /// What to look at now.
    pub(super) fn look(&self) -> Look {
        Look {
            place: self.shown.entry.place.clone(),
            allow: self.shown.entry.allow,
            stamp: self.stamp,
            ask: self.ask,
            validators: self.validators.clone(),
        }
    }

    /// Looks at it as soon as possible, and asks the web whatever its copy's age.
    pub(super) fn hurry(&mut self) {
        self.due = Instant::now();
        self.ask |= self.looked_at;
        // A file that was read is read again.
        self.stamp = None;
    }

    /// Nothing has changed.
    pub(super) fn same(&mut self, refresh: Duration) {
        self.went_well(refresh);
        if self.ask {
            self.shown.updated = Some(SystemTime::now());
        }
    }

    /// There is no copy of it yet.
    pub(super) fn no_copy(&mut self) {
        (self.looked_at, self.ask, self.due) = (true, true, Instant::now());
    }

    /// What it says now; returns whether that is something new.
    pub(super) fn read(
        &mut self,
        parsed: Parsed,
        stamp: Option<Stamp>,
        validators: Validators,
        updated: SystemTime,
        refresh: Duration,
    ) -> bool {
        let Parsed { blocked, allowed, skipped, first_skipped } = parsed;
        let new = *self.shown.blocked != blocked || *self.shown.allowed != allowed;
        if new {
            (self.shown.blocked, self.shown.allowed) = (blocked.into(), allowed.into());
        }
        (self.shown.skipped, self.shown.first_skipped) = (skipped, first_skipped);
        (self.stamp, self.validators, self.shown.updated) = (stamp, validators, Some(updated));
        let age = if self.ask { Duration::ZERO } else { updated.elapsed().unwrap_or_default() };
        self.went_well(refresh.saturating_sub(age));
        new
    }

    /// It could not be read; returns whether that is something new.
    pub(super) fn failed(&mut self, why: String) -> bool {
        self.looked_at = true;
        // Whatever is wrong with a copy, the web has another.
        self.ask = true;
        self.due = Instant::now() + self.backoff.next();
        let new = self.shown.error.as_ref() != Some(&why);
        self.shown.error = Some(why);
        new
    }

    fn went_well(&mut self, refresh: Duration) {
        (self.looked_at, self.ask, self.shown.error) = (true, true, None);
        self.backoff.reset();
        self.due = Instant::now()
            + match self.shown.entry.place {
                ListPlace::File(_) => LOOK_EVERY,
                ListPlace::Url(_) => not_in_step(refresh),
            };
    }
}

impl Shown {
    pub(super) fn part(&self) -> Part {
        Part { source: self.entry.text.clone(), blocked: self.blocked.clone(), allowed: self.allowed.clone() }
    }
}

/// A tenth earlier at most, so that not all of the world's nodes ask at the same time.
fn not_in_step(pause: Duration) -> Duration {
    let share = getrandom::u32().unwrap_or_default();
    pause.mul_f64(1.0 - f64::from(share) / f64::from(u32::MAX) / 10.0)
}
