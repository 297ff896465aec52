//! Where lists come from: files of this machine, looked at again and again, and the web, with a copy on our own disk.

mod copies;
mod fetch;

pub(super) use copies::Copies;
pub(super) use fetch::client;

use super::parse::{Parsed, parse};
use crate::{blocking::beside, config::ListPlace, stamp::Stamp, web::Validators};
use reqwest::{Client, Url};
use std::{
    fs::{File, Metadata},
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};
use tokio::sync::Semaphore;

/// Octets of a list. Far above any real one.
pub(super) const MOST_OCTETS: u64 = 256 << 20;
/// Octets of a list that are read at once.
const BUFFER: usize = 256 << 10;

/// What to look at.
pub(super) struct Look {
    pub(super) place: ListPlace,
    pub(super) allow: bool,
    /// How the file was when it was read.
    pub(super) stamp: Option<Stamp>,
    /// Of a list from the web: whether to ask for it, or to read the copy.
    pub(super) ask: bool,
    /// What the server said of the version that we have.
    pub(super) validators: Validators,
}

/// What was seen.
pub(super) enum Seen {
    /// Nothing has changed.
    Same,
    /// There is no copy yet.
    NoCopy,
    /// What it says now.
    Read {
        parsed: Box<Parsed>,
        stamp: Option<Stamp>,
        validators: Validators,
        /// When that was fetched, or written.
        updated: SystemTime,
    },
    /// Why it could not be read.
    Failed(String),
}

/// What lists are looked at with.
#[derive(Clone)]
pub(super) struct Means {
    /// Or why nothing can be fetched.
    pub(super) client: Result<Client, String>,
    pub(super) copies: Copies,
    /// Reading takes memory; one list after the other needs less of it.
    pub(super) turn: Arc<Semaphore>,
}

impl Means {
    /// Looks at a list.
    pub(super) async fn look(self, look: Look) -> Seen {
        let seen = match look.place.clone() {
            ListPlace::File(path) => self.look_at_file(path, look).await,
            ListPlace::Url(url) if look.ask => self.ask(&url, look).await,
            ListPlace::Url(url) => self.read_copy(&url, look.allow).await,
        };
        seen.unwrap_or_else(Seen::Failed)
    }

    async fn look_at_file(&self, path: PathBuf, look: Look) -> Result<Seen, String> {
        let shown = path.display().to_string();
        let cannot = |error: io::Error| format!("cannot read {shown}: {error}");
        let opening = path.clone();
        // A named pipe would keep us waiting, a folder cannot be read.
        let found = beside(move || open(&opening).map(|(file, metadata)| (file, Stamp::of(&metadata), metadata))).await;
        let (file, stamp, metadata) = found.map_err(cannot)?;
        if stamp.is_some() && stamp == look.stamp {
            return Ok(Seen::Same);
        }
        if metadata.len() > MOST_OCTETS {
            return Err(format!("{shown} is longer than {} MiB", MOST_OCTETS >> 20));
        }
        let parsed = self.read(file, look.allow).await.map_err(|why| format!("cannot use {shown}: {why}"))?;
        let updated = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        Ok(Seen::Read { parsed: Box::new(parsed), stamp, validators: Validators::default(), updated })
    }

    async fn read_copy(&self, url: &Url, allow: bool) -> Result<Seen, String> {
        let (copies, wanted) = (self.copies.clone(), url.clone());
        let Some(copy) = beside(move || copies.open(&wanted)).await.map_err(|error| error.to_string())? else {
            return Ok(Seen::NoCopy);
        };
        let parsed = self.read(copy.file, allow).await.map_err(|why| format!("cannot use our copy of {url}: {why}"))?;
        let (validators, updated) = (copy.validators, copy.fetched);
        Ok(Seen::Read { parsed: Box::new(parsed), stamp: None, validators, updated })
    }

    async fn ask(&self, url: &Url, look: Look) -> Result<Seen, String> {
        let Some(copy) =
            fetch::fetch(self.client.as_ref().map_err(Clone::clone)?, url, &look.validators, &self.copies).await?
        else {
            let (copies, url) = (self.copies.clone(), url.clone());
            beside(move || copies.still_true(&url)).await;
            return Ok(Seen::Same);
        };
        let file = copy.reopen().map_err(|error| format!("cannot read what was fetched: {error}"))?;
        let parsed = self.read(file, look.allow).await.map_err(|why| format!("cannot use what {url} says: {why}"))?;
        // Half of the web answers "not found" with a page and the code for success.
        if parsed.makes_no_sense() {
            return Err(format!("what {url} says is no list: there is no name in it that we can read"));
        }
        let validators = copy.validators().clone();
        let kept = beside(move || copy.keep()).await;
        kept.map_err(|error| format!("cannot keep what {url} says in {}: {error}", self.copies.folder().display()))?;
        let updated = SystemTime::now();
        Ok(Seen::Read { parsed: Box::new(parsed), stamp: None, validators, updated })
    }

    async fn read(&self, file: File, allow: bool) -> Result<Parsed, String> {
        // Never closed, so that it never fails.
        let turn = Arc::clone(&self.turn).acquire_owned().await;
        let reading = move || {
            let _turn = turn;
            // It may grow while it is read.
            parse(BufReader::with_capacity(BUFFER, file.take(MOST_OCTETS)), allow)
        };
        beside(reading).await.map_err(|error| error.to_string())
    }
}

fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let kind = std::fs::metadata(path)?.file_type();
    if !kind.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    Ok((file, metadata))
}
