//! A commit of a Git repository: a document as `dnsrecords.json`, or a folder of zone files.
//!
//! A look asks what the branch is at, and fetches only what is new. Contents are read out of the commit. A branch that was
//! rewritten is just another commit; one that is gone is a reason, and what was read before is served.

mod address;
mod export;
mod program;
mod repository;

use super::{Faults, Read, Reading, Source, SourceError, read_document, zone_folder::FilesOfZones};
use crate::{
    blocking::beside,
    config::{Remote, ZoneFiles},
    hash::hex,
    record::Record,
};
use address::Address;
use export::Export;
use program::{Failure, Program};
use repository::{Entry, Kind, Repository};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{
    path::{Component, Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::timeout;

/// All of a look: the question, the transfer, the reading.
const WHOLE: Duration = Duration::from_secs(60);
/// Octets of a document. Far above any real one: a million records are 200 MB.
const MOST_OCTETS: u64 = 256 << 20;
/// Digits of a commit that people are shown.
const SHORT: usize = 10;

/// Which part of which repository.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    /// All of this in words.
    pub(crate) what: String,
    /// What is fetched from.
    pub(crate) remote: Remote,
    /// Which branch; `None` is the one that the repository has checked out.
    pub(crate) branch: Option<String>,
    /// What in it; `.` is all of it.
    pub(crate) path: PathBuf,
    /// Which files of a folder.
    pub(crate) zones: ZoneFiles,
}

impl Choice {
    /// Tells folders with its files from those with others.
    fn name(&self) -> String {
        let Self { remote, branch, path, .. } = self;
        let digest = Sha256::digest(format!("{} {branch:?} {path:?}", remote.expose()));
        hex(digest.get(..8).unwrap_or_default())
    }
}

/// A repository.
pub(crate) struct Git {
    choice: Choice,
    /// Where our copy is to be.
    folder: PathBuf,
    /// `None` until the first look.
    repository: Option<Repository>,
    export: Export,
    /// What was last read of the zone files in `export`; `None` until a commit was read in which there is a folder.
    zones: Option<Arc<Mutex<FilesOfZones>>>,
    /// The store's folder.
    place: PathBuf,
    /// What is at fault in the commit is known.
    looked: bool,
    /// The commit that was taken last.
    known: Option<Known>,
    /// The one that was read after that, and nobody has taken yet.
    read: Option<Known>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
struct Known {
    commit: String,
}

/// Why a look came to nothing.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    /// It could not be had, which may be our copy's fault.
    #[error(transparent)]
    Git(#[from] Failure),
    /// It was had, and is not what it should be.
    #[error("{0}")]
    Unfit(String),
    /// The same, in a sentence that says it all.
    #[error("{0}")]
    Whole(String),
}

impl Git {
    /// A source that goes on from what was kept of it; its copy is in `folder`.
    pub(crate) fn new(choice: Choice, folder: &Path, memory: Option<Value>) -> Self {
        Self {
            folder: folder.join("source.git"),
            repository: None,
            export: Export::into(&folder.join("source.files"), &choice.name()),
            zones: None,
            place: folder.to_owned(),
            looked: false,
            known: memory.and_then(|memory| Known::deserialize(memory).ok()),
            read: None,
            choice,
        }
    }

    async fn look(&mut self) -> Result<Option<Reading>, SourceError> {
        // What it would be compared with is what the store holds.
        self.read = None;
        let looked = timeout(WHOLE, self.look_for_as_long_as_it_takes()).await;
        let looked = looked.unwrap_or_else(|_| {
            // What they may have told meanwhile is lost.
            self.zones = None;
            Err(Trouble::Unfit(format!("it takes longer than {} s", WHOLE.as_secs())))
        });
        looked.map_err(|trouble| match trouble {
            Trouble::Whole(why) => SourceError(why),
            other => {
                let why = self.choice.remote.hide_in(&other.to_string());
                SourceError(format!("cannot read {}: {why}", self.choice.what))
            }
        })
    }

    async fn look_for_as_long_as_it_takes(&mut self) -> Result<Option<Reading>, Trouble> {
        let mut repository = match self.repository.take() {
            Some(repository) => repository,
            None => self.open().await?,
        };
        let looked = self.look_into(&mut repository).await;
        self.repository = Some(repository);
        looked
    }

    async fn open(&self) -> Result<Repository, Trouble> {
        let address = Address::new(&self.choice.remote).map_err(Trouble::Unfit)?;
        let cannot = |error| Trouble::Unfit(format!("cannot write to the store's folder: {error}"));
        let program = Program::new(self.folder.clone(), address).map_err(cannot)?;
        let repository = Repository::new(program, self.choice.branch.clone());
        if self.known.is_none() {
            // What is there may be another one.
            repository.remove().await?;
        }
        Ok(repository)
    }

    async fn look_into(&mut self, repository: &mut Repository) -> Result<Option<Reading>, Trouble> {
        let newest = repository.newest().await?;
        if self.looked && self.known.as_ref().is_some_and(|known| known.commit == newest) {
            return Ok(None);
        }
        let mut commit = repository.bring(&newest).await?;
        let mut reading = self.understand(repository, &commit).await;
        if matches!(reading, Err(Trouble::Git(Failure::Said(_) | Failure::Pipe(_)))) {
            // Most likely our copy is damaged.
            repository.remove().await?;
            commit = repository.bring(&newest).await?;
            reading = self.understand(repository, &commit).await;
        }
        let reading = reading?;
        self.read = Some(Known { commit });
        Ok(Some(reading))
    }

    async fn understand(&mut self, repository: &Repository, commit: &str) -> Result<Reading, Trouble> {
        let (time, subject) = repository.describe(commit).await?;
        let short = &commit[..SHORT.min(commit.len())];
        let version = format!("commit {short} of {time}: {subject}");
        let path = within(&self.choice.path);
        if path.is_empty() {
            return self.folder(repository, commit, version).await;
        }
        match repository.find(commit, &path).await? {
            Some(Entry { kind: Kind::Folder, id, .. }) => self.folder(repository, &id, version).await,
            Some(Entry { kind: Kind::File, size, .. }) if size > MOST_OCTETS => {
                Err(Trouble::Unfit(format!("`{path}` is longer than {} MiB", MOST_OCTETS >> 20)))
            }
            Some(Entry { kind: Kind::File, id, .. }) => {
                let octets = repository.content(&id, MOST_OCTETS).await?;
                // Differences between zone files are no longer differences from what was read.
                self.zones = None;
                let place = format!("`{path}` of commit {short}");
                let read = beside(move || document(&path, &octets)).await;
                let (records, faults) = read.map_err(|why| Trouble::Unfit(format!("{place}, {why}")))?;
                Ok(Reading::whole(records, faults, version))
            }
            Some(_) => Err(Trouble::Unfit(format!(
                "`{path}` of commit {short} is a link, and these are not followed; say in `path` where it leads"
            ))),
            None => {
                Err(Trouble::Unfit(format!("commit {short} holds no `{path}`; say in `path` where the records are")))
            }
        }
    }

    /// Reads the zone files of a folder.
    async fn folder(&mut self, repository: &Repository, folder: &str, version: String) -> Result<Reading, Trouble> {
        let entries = repository.list(folder).await?;
        let include = &self.choice.zones.include;
        let wanted = |path: &Path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            include.iter().any(|pattern| pattern.matches(&name))
        };
        let mut faults = self.export.update(repository, entries, wanted).await?;
        let zones = Arc::clone(self.zones.get_or_insert_with(|| {
            let Choice { what, zones, .. } = &self.choice;
            let files = FilesOfZones::new(what.clone(), self.export.folder().to_owned(), zones.clone(), &self.place);
            Arc::new(Mutex::new(files))
        }));
        let read = beside(move || {
            let mut zones = lock(&zones);
            zones.read().map(|reading| reading.unwrap_or_else(|| zones.as_it_was()))
        });
        let reading = read.await.map_err(|SourceError(why)| Trouble::Whole(why))?;
        faults.extend(&reading.faults);
        Ok(Reading { faults, version, ..reading })
    }
}

impl Source for Git {
    fn what(&self) -> String {
        self.choice.what.clone()
    }

    fn read(&mut self) -> Read<'_> {
        Box::pin(self.look())
    }

    fn taken(&mut self, records: Option<usize>) {
        // One that was not taken must come whole again.
        self.known = self.read.take().filter(|_| records.is_some());
        self.looked = self.known.is_some();
        if let Some(zones) = &self.zones {
            lock(zones).taken(records);
            let zones = Arc::clone(zones);
            tokio::task::spawn_blocking(move || lock(&zones).keep());
        }
    }

    fn memory(&self) -> Value {
        serde_json::to_value(&self.known).unwrap_or_default()
    }
}

fn lock(zones: &Mutex<FilesOfZones>) -> MutexGuard<'_, FilesOfZones> {
    zones.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A path as Git writes it; empty for the root.
fn within(path: &Path) -> String {
    let parts = path.components().filter_map(|part| match part {
        Component::Normal(part) => Some(part.to_string_lossy()),
        _ => None,
    });
    parts.collect::<Vec<_>>().join("/")
}

fn document(path: &str, octets: &[u8]) -> Result<(Vec<Record>, Faults), String> {
    let records = read_document(octets).map_err(|error| {
        format!(
            "{error}; it must be a document like dnsrecords.json, `{{\"records\": […]}}`, or the folder of zone files"
        )
    })?;
    let faults = Faults::of_records(path, &records);
    Ok((records, faults))
}
