//! Zone files below a folder, as BIND has them.
//!
//! A file counts as a whole: one with a bad line is served as it was when it was last good, from a copy of our own, also
//! after a restart. Files whose size, time and inode are as they were are not read again, and of one that changed a little
//! only what changed: one line of a million is one change a moment later. That is safe only as long as no two records of
//! all files say the same; otherwise, and whenever it is not certain, everything is read and compared.

mod below;
mod chosen;
mod kept;
mod look;
mod named_conf;
#[cfg(test)]
mod tests;

use super::{Content, Faults, Read, Reading, Source, SourceError};
use crate::{blocking::beside, config::ZoneFiles, record::Record, zone_file};
use below::Below;
use chosen::{Chosen, Zone};
use dnsplane_proto::Name;
use kept::{Copy, Kept};
use look::{Before, Good, Records, Stamps, fault};
use notify::{RecursiveMode, Watcher};
use std::{
    any::Any,
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::mpsc;
use tracing::warn;

/// Where copies are kept, in the store's folder.
const COPIES: &str = "zones";
/// Records of a file that are compared one by one when it cannot be told cheaply what changed; more are left to the store.
const MOST_COMPARED: usize = 100_000;

/// The folder as a source.
pub(crate) struct ZoneFolder {
    what: String,
    folder: PathBuf,
    watch: bool,
    /// For threads that may wait for a disk.
    files: Arc<Mutex<FilesOfZones>>,
}

/// Files of zones below a folder, and what was last read of them.
pub(crate) struct FilesOfZones {
    what: String,
    folder: PathBuf,
    zones: ZoneFiles,
    kept: Kept,
    known: BTreeMap<PathBuf, Known>,
    /// Everything is read, and told, the next time.
    whole: bool,
    /// No two records of all files say the same.
    distinct: bool,
    /// What was told last.
    faults: Faults,
    /// Copies to be written once what was read is taken.
    to_keep: Vec<(PathBuf, Copy)>,
}

/// What is known of one file.
struct Known {
    zone: Zone,
    directory: PathBuf,
    stamps: Stamps,
    faults: Faults,
    /// Of the version that is served, if there is one.
    good: Option<Served>,
}

struct Served {
    records: usize,
    zones: Vec<Name>,
    marks: zone_file::Marks,
    /// Our copy is this version.
    copied: bool,
}

impl ZoneFolder {
    /// Copies are kept below `place`.
    pub(crate) fn new(what: String, folder: PathBuf, zones: ZoneFiles, watch: bool, place: &Path) -> Self {
        let files = FilesOfZones::new(what.clone(), folder.clone(), zones, place);
        Self { what, folder, watch, files: Arc::new(Mutex::new(files)) }
    }
}

impl Source for ZoneFolder {
    fn what(&self) -> String {
        self.what.clone()
    }

    fn read(&mut self) -> Read<'_> {
        let files = Arc::clone(&self.files);
        Box::pin(beside(move || lock(&files).read()))
    }

    fn taken(&mut self, records: Option<usize>) {
        lock(&self.files).taken(records);
        let files = Arc::clone(&self.files);
        tokio::task::spawn_blocking(move || lock(&files).keep());
    }

    /// Everything is read at start, in the background.
    fn memory(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    fn watch(&mut self, told: mpsc::Sender<()>) -> Option<Box<dyn Any + Send>> {
        if !self.watch {
            return None;
        }
        let handler = move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| !event.kind.is_access()) {
                // A full channel already says what we have to say.
                let _ = told.try_send(());
            }
        };
        let started = notify::recommended_watcher(handler).and_then(|mut watcher| {
            watcher.watch(&self.folder, RecursiveMode::Recursive)?;
            Ok(watcher)
        });
        match started {
            Ok(watcher) => Some(Box::new(watcher)),
            Err(error) => {
                warn!(%error, "cannot watch {}; looking at each interval alone", self.what);
                None
            }
        }
    }
}

fn lock(files: &Mutex<FilesOfZones>) -> MutexGuard<'_, FilesOfZones> {
    files.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FilesOfZones {
    /// Files below a folder; copies are kept below `place`.
    pub(crate) fn new(what: String, folder: PathBuf, zones: ZoneFiles, place: &Path) -> Self {
        let kept = Kept::new(place.join(COPIES), folder.clone());
        Self {
            what,
            folder,
            zones,
            kept,
            known: BTreeMap::new(),
            whole: true,
            distinct: false,
            faults: Faults::default(),
            to_keep: Vec::new(),
        }
    }

    /// Reads what changed since the last time, or everything. `None`: nothing did.
    pub(crate) fn read(&mut self) -> Result<Option<Reading>, SourceError> {
        self.keep();
        let unreadable = |error| SourceError(format!("cannot read {}: {error}", self.what));
        let below = Below::new(&self.folder).map_err(unreadable)?;
        let mut chosen = chosen::choose(&below, &self.zones, &self.what)?;
        chosen.directory = below.root().join(&chosen.directory);
        let is_same = |(path, zone): (&PathBuf, &Zone)| {
            self.known.get(path).is_some_and(|known| known.is_same(&below, &chosen.directory, zone))
        };
        let changed: Vec<_> =
            chosen.files.iter().filter(|entry| !is_same(*entry)).map(|(path, _)| path.clone()).collect();
        let lost = self.known.keys().any(|path| !chosen.files.contains_key(path));
        let content = if self.whole {
            Some(self.everything(&below, &chosen)?)
        } else if changed.is_empty() && !lost {
            None
        } else {
            let change = if self.distinct { self.change(&below, &chosen, &changed) } else { None };
            Some(match change {
                Some(change) => change,
                None => self.everything(&below, &chosen)?,
            })
        };
        let faults = self.gather(&chosen);
        if content.is_none() && faults == self.faults {
            return Ok(None);
        }
        self.faults.clone_from(&faults);
        let count = self.known.len();
        let version = format!("{count} zone file{}", if count == 1 { "" } else { "s" });
        let content = content.unwrap_or(Content::Change { gone: Vec::new(), came: Vec::new() });
        Ok(Some(Reading { content, faults, version }))
    }

    /// What became of the last reading.
    pub(crate) fn taken(&mut self, records: Option<usize>) {
        self.whole = records.is_none();
        if self.whole {
            self.to_keep.clear();
            self.known.clear();
        }
        let told: usize = self.known.values().filter_map(|known| known.good.as_ref()).map(|good| good.records).sum();
        self.distinct = records == Some(told);
    }

    /// What was read last, once more: nothing came and nothing went.
    pub(crate) fn as_it_was(&self) -> Reading {
        let content = Content::Change { gone: Vec::new(), came: Vec::new() };
        Reading { content, faults: self.faults.clone(), version: String::new() }
    }

    /// Writes copies of what was read and taken.
    pub(crate) fn keep(&mut self) {
        for (path, copy) in std::mem::take(&mut self.to_keep) {
            let copied = self.copy(&path, &copy);
            if let Some(good) = self.known.get_mut(&path).and_then(|known| known.good.as_mut()) {
                good.copied = copied;
            }
        }
    }

    fn copy(&self, path: &Path, copy: &Copy) -> bool {
        let saved = self.kept.save(path, copy);
        if let Err(error) = &saved {
            warn!(%error, file = %path.display(), "cannot keep a copy of this zone file");
        }
        saved.is_ok()
    }

    /// Reads all files. Those that are bad are taken from their copies.
    fn everything(&mut self, below: &Below, chosen: &Chosen) -> Result<Content, SourceError> {
        self.whole = true;
        self.known.clear();
        self.to_keep.clear();
        let mut all = Vec::new();
        // Of records that say the same the first counts, and it is to be that of the last file.
        for (path, zone) in chosen.files.iter().rev() {
            let look = look::look(below, &chosen.directory, path, zone, None);
            let look_is_good = look.good.is_some();
            let (good, records) = match look.good {
                Some(Good { copy, zones, marks, records: Records::All(records) }) => {
                    let copied = self.kept.load(path).as_ref() == Some(&copy) || self.copy(path, &copy);
                    (Some(Served { records: records.len(), zones, marks, copied }), records)
                }
                _ => self.read_copy(path),
            };
            append(&mut all, records);
            self.known.insert(path.clone(), Known::new(chosen, zone, look.stamps, look.faults, good, look_is_good));
        }
        if self.known.values().all(|known| known.good.is_none()) {
            let why = self.gather(chosen).first().first().map(ToString::to_string).unwrap_or_default();
            return Err(SourceError(format!("no zone file can be used of {}: {why}", self.what)));
        }
        self.kept.only(chosen.files.keys());
        Ok(Content::Whole(all))
    }

    fn read_copy(&self, path: &Path) -> (Option<Served>, Vec<Record>) {
        let Some(copy) = self.kept.load(path) else { return (None, Vec::new()) };
        let parsed = look::again(&copy);
        let served = Served { records: parsed.records.len(), zones: parsed.zones, marks: parsed.marks, copied: true };
        (Some(served), parsed.records)
    }

    /// Reads the files that changed; `None` if it cannot be told what that does to the records.
    fn change(&mut self, below: &Below, chosen: &Chosen, changed: &[PathBuf]) -> Option<Content> {
        let (mut gone, mut came) = (Vec::new(), Vec::new());
        let lost: Vec<_> = self.known.keys().filter(|path| !chosen.files.contains_key(*path)).cloned().collect();
        for path in &lost {
            append(&mut gone, self.records_before(path)?);
            self.known.remove(path);
        }
        for path in changed {
            let zone = chosen.files.get(path)?;
            let served = self.known.get(path).and_then(|known| known.good.as_ref());
            let before = match served {
                Some(Served { copied: true, marks, zones, .. }) => {
                    self.kept.load(path).map(|copy| Before { copy, marks, zones })
                }
                _ => None,
            };
            let look = look::look(below, &chosen.directory, path, zone, before);
            let look_is_good = look.good.is_some();
            let good = match look.good {
                // It goes on being served as it was.
                None => self.known.remove(path).and_then(|known| known.good),
                Some(Good { copy, zones, marks, records }) => {
                    let count = served.map_or(0, |served| served.records);
                    let count = match records {
                        Records::Changed(changes) => {
                            let count = (count + changes.came.len()).checked_sub(changes.gone.len())?;
                            append(&mut gone, changes.gone);
                            append(&mut came, changes.came);
                            count
                        }
                        Records::All(records) if served.is_none() => {
                            let count = records.len();
                            append(&mut came, records);
                            count
                        }
                        Records::All(records) if records.len().max(count) <= MOST_COMPARED => {
                            let count = records.len();
                            append(&mut gone, self.records_before(path)?);
                            append(&mut came, records);
                            count
                        }
                        Records::All(_) => return None,
                    };
                    self.to_keep.push((path.clone(), copy));
                    Some(Served { records: count, zones, marks, copied: false })
                }
            };
            self.known.insert(path.clone(), Known::new(chosen, zone, look.stamps, look.faults, good, look_is_good));
        }
        // A record may have moved from one file to another.
        zone_file::cancel(&mut gone, &mut came);
        Some(Content::Change { gone, came })
    }

    /// The records that were told of a file.
    fn records_before(&self, path: &Path) -> Option<Vec<Record>> {
        match self.known.get(path)?.good.as_ref() {
            None => Some(Vec::new()),
            Some(served) if served.copied => Some(look::again(&self.kept.load(path)?).records),
            Some(_) => None,
        }
    }

    /// Everything that cannot be used.
    fn gather(&self, chosen: &Chosen) -> Faults {
        let mut all = chosen.faults.clone();
        let mut homes: HashMap<&Name, &Path> = HashMap::new();
        for (path, known) in &self.known {
            all.extend(&known.faults);
            for zone in known.good.iter().flat_map(|good| &good.zones) {
                if let Some(other) = homes.insert(zone, path) {
                    let what = format!("has the zone {zone}, as `{}` has; both are served together", other.display());
                    all.add(fault(path, 0, what));
                }
            }
        }
        all
    }
}

impl Known {
    /// After a look at the file, which is served as `good`: that is what was seen, or what was there before.
    fn new(chosen: &Chosen, zone: &Zone, stamps: Stamps, faults: Faults, good: Option<Served>, is_new: bool) -> Self {
        let faults = match (is_new, &good) {
            (true, _) => faults,
            (false, Some(_)) => faults.which_means("the file is served as it was when it was last good"),
            (false, None) => faults.which_means("nothing of the file is served, for it was never good"),
        };
        Self { zone: zone.clone(), directory: chosen.directory.clone(), stamps, faults, good }
    }

    /// Whether it would be read as it was.
    fn is_same(&self, below: &Below, directory: &Path, zone: &Zone) -> bool {
        let same = |(path, stamp): &(PathBuf, Option<_>)| stamp.is_some() && below.stamp(path) == *stamp;
        self.zone == *zone && self.directory == directory && self.stamps.iter().all(same)
    }
}

/// Moves all of `more` to the end of `all`.
fn append(all: &mut Vec<Record>, mut more: Vec<Record>) {
    if all.is_empty() { *all = more } else { all.append(&mut more) }
}
