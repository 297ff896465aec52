//! Upstream servers: `dnsservers.json`, who may change it, and what data planes are told of it.
//!
//! The way of a server: [`document`] is the file as it is written, [`row`] and [`endpoint`] what a row means, [`patch`] and
//! [`edit`] a change, [`book`] the one owner of file and list, [`health`] what data planes report. A file that cannot be
//! read changes nothing; a row that does not do is named, not asked, and kept.

mod book;
mod document;
mod edit;
mod endpoint;
mod health;
mod patch;
mod row;
#[cfg(test)]
mod tests;

pub use book::ServersError;
pub(crate) use edit::{Edit, Edited, Selection};
pub(crate) use endpoint::{Fault, Part, Written, is_ourselves};
pub(crate) use health::Health;
pub(crate) use patch::Patch;

use crate::{
    blocking::beside,
    config::{Forwarding, Probing},
    hand_edits::{POLL, SETTLE, watch_file},
    publisher::Planes,
};
use book::Book;
use dnsplane_proto::Upstreams;
use serde::Serialize;
use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};
use tokio::{
    sync::{mpsc, watch},
    time::sleep_until,
};
use tokio_util::sync::CancellationToken;
use tracing::info;

/// A handle on the list of servers; clones share it.
#[derive(Clone)]
pub struct Servers {
    book: Arc<Mutex<Book>>,
    told: watch::Receiver<Arc<Upstreams>>,
    planes: Planes,
}

/// `GET /dns/servers`, and what dnsplanectl lists.
#[derive(Serialize)]
pub(crate) struct Listing {
    servers: Vec<serde_json::Value>,
    upstream_health: Vec<Health>,
    upstream_health_check_enabled: bool,
    upstream_health_check_failures: u32,
    upstream_health_check_interval_seconds: u64,
    /// What is wrong with the file, or with rows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    messages: Vec<String>,
}

/// `GET /dns/upstreams/health`.
#[derive(Serialize)]
pub(crate) struct HealthListing {
    upstreams: Vec<Health>,
    upstream_health_check_enabled: bool,
    upstream_health_check_failures: u32,
    upstream_health_check_interval_seconds: u64,
    upstream_health_check_query_name: String,
}

/// What would be said of the servers file at `path` at start: complaints about rows; an error if it cannot be read.
pub(crate) fn check(forwarding: &Forwarding) -> Result<Vec<String>, ServersError> {
    let (_, document) = book::read(&forwarding.servers)?;
    Ok(book::understood(&document, forwarding).1)
}

impl Servers {
    /// Reads the file. One that is not there is an empty list; one that cannot be read is an error.
    pub(crate) fn open(forwarding: Arc<Forwarding>, planes: Planes) -> Result<Self, ServersError> {
        let book = Book::open(forwarding)?;
        let told = book.watch();
        Ok(Self { book: Arc::new(Mutex::new(book)), told, planes })
    }

    /// What data planes are told, now and from now on.
    pub fn watch(&self) -> watch::Receiver<Arc<Upstreams>> {
        self.told.clone()
    }

    /// What keeps the list from being as its owner wants it, a sentence each.
    pub(crate) async fn problems(&self) -> Vec<String> {
        self.with(|book| book.problems()).await
    }

    /// Changes the list and its file, both or neither.
    pub(crate) async fn edit(&self, edit: Edit, by: String) -> Result<Edited, ServersError> {
        let edited = self.with(|book| book.edit(edit)).await?;
        if edited.changed {
            info!(by, done = edited.messages.join("; "), "upstream servers changed");
        }
        Ok(edited)
    }

    /// Reads the file again; says what it holds.
    pub(crate) async fn load(&self) -> Result<Edited, ServersError> {
        let load = |book: &mut Book| {
            let changed = book.take_in()?;
            let (rows, path) = (book.document.rows.len(), book.forwarding.servers.display().to_string());
            let servers = if rows == 1 { "1 server".to_owned() } else { format!("{rows} servers") };
            let mut messages = vec![format!("{path} read again: {servers}")];
            messages.extend(book.problems().iter().map(|problem| format!("warning: {problem}")));
            Ok(Edited { changed, messages })
        };
        self.with(load).await
    }

    /// Everything about the servers.
    pub(crate) async fn listing(&self) -> Listing {
        let (servers, messages, probing) =
            self.with(|book| (rows(book), book.problems(), book.forwarding.probing.clone())).await;
        Listing {
            servers,
            upstream_health: self.health(),
            upstream_health_check_enabled: probing.enabled,
            upstream_health_check_failures: probing.probes.failures,
            upstream_health_check_interval_seconds: probing.probes.every.as_secs(),
            messages,
        }
    }

    /// How they are doing.
    pub(crate) async fn health_listing(&self) -> HealthListing {
        let Probing { enabled, probes } = self.with(|book| book.forwarding.probing.clone()).await;
        HealthListing {
            upstreams: self.health(),
            upstream_health_check_enabled: enabled,
            upstream_health_check_failures: probes.failures,
            upstream_health_check_interval_seconds: probes.every.as_secs(),
            upstream_health_check_query_name: probes.name.to_string(),
        }
    }

    fn health(&self) -> Vec<Health> {
        let upstreams = self.told.borrow().clone();
        let reports: Vec<_> = self.planes.list().into_iter().flat_map(|plane| plane.upstreams).collect();
        Health::of(&upstreams, &reports)
    }

    /// Follows the settings and what is edited by hand, until told to stop.
    pub(crate) async fn follow(
        self,
        mut settings: watch::Receiver<Arc<Forwarding>>,
        shutdown: CancellationToken,
    ) -> anyhow::Result<()> {
        let (told, mut edits) = mpsc::channel(1);
        let watcher = |path: &Path| watch_file(path, told.clone());
        let mut path = settings.borrow().servers.clone();
        let mut _watching = watcher(&path);
        let mut poll = tokio::time::interval(POLL);
        let mut look_at = None;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                changed = settings.changed() => {
                    changed?;
                    let forwarding = settings.borrow_and_update().clone();
                    if forwarding.servers != path {
                        path.clone_from(&forwarding.servers);
                        _watching = watcher(&path);
                    }
                    self.with(|book| book.settle(forwarding)).await;
                }
                Some(()) = edits.recv() => look_at = Some(Instant::now() + SETTLE),
                _ = poll.tick() => look_at = Some(Instant::now()),
                () = sleep_until(look_at.unwrap_or_else(Instant::now).into()), if look_at.is_some() => {
                    look_at = None;
                    self.with(Book::look).await;
                }
            }
        }
    }

    /// Reading and writing the file may wait for a disk, so it is done beside the runtime.
    async fn with<T: Send + 'static>(&self, work: impl FnOnce(&mut Book) -> T + Send + 'static) -> T {
        let shared = Arc::clone(&self.book);
        beside(move || work(&mut shared.lock().unwrap_or_else(PoisonError::into_inner))).await
    }
}

/// The rows as they are written, each with what health and counters call it, and with what is wrong with it.
fn rows(book: &Book) -> Vec<serde_json::Value> {
    let shown = book.document.rows.iter().filter_map(|row| {
        let mut shown = serde_json::to_value(row.fields()?).ok()?;
        let object = shown.as_object_mut()?;
        object.insert("name".to_owned(), edit::label(row).into());
        if let Err(why) = row::Meaning::of(row).upstream {
            object.insert("problem".to_owned(), why.into());
        }
        Some(shown)
    });
    shown.collect()
}
