//! The settings in force, and every way to change them while we run.
//!
//! There is one owner of them ([`InForce`]) and several doors: SIGHUP, `dnsplanectl server …` and `cluster peer …`, and peers
//! that show the admin token. A change is checked as a whole file is checked; then everything that watches a part of the
//! configuration gets the new one. Doors that are bound once at start are named when they would have to move.

mod in_force;
#[cfg(test)]
mod tests;

pub use in_force::SettingsError;

use crate::{
    blocking::beside,
    cluster,
    config::{BlockLists, Change, Config, Forwarding, Loaded, Secret, Setting, Surroundings},
    store::Store,
};
use dnsplane_proto::Settings;
use in_force::InForce;
use sd_notify::NotifyState;
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{signal::unix::Signal, sync::watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

/// What the parts of the daemon watch.
pub(crate) struct Updates {
    /// For the cluster.
    pub(crate) cluster: watch::Receiver<Arc<cluster::Settings>>,
    /// For data planes.
    pub(crate) answering: watch::Receiver<Arc<Settings>>,
    /// For block lists.
    pub(crate) block_lists: watch::Receiver<Arc<BlockLists>>,
    /// For the list of upstream servers.
    pub(crate) forwarding: watch::Receiver<Arc<Forwarding>>,
    /// For the REST API.
    pub(crate) token: watch::Receiver<Option<Secret>>,
}

/// A handle on the settings in force; clones share it.
#[derive(Clone)]
pub struct Live(Arc<Mutex<InForce>>);

/// The settings in force, for people: secrets are masked.
#[derive(Clone, Debug, Serialize)]
pub struct Shown {
    /// The file.
    pub path: PathBuf,
    /// Keys that were set and are not in the file.
    pub unsaved: Vec<&'static str>,
    /// Keys of which the process still uses what it was started with.
    pub at_next_start: Vec<&'static str>,
    /// Every key with its value.
    #[serde(serialize_with = "as_object")]
    pub settings: Vec<(&'static str, Value)>,
}

impl Live {
    /// Starts from the configuration as loaded.
    pub(crate) fn new(path: &Path, loaded: Loaded, store: Store) -> (Self, Updates) {
        let (in_force, updates) = InForce::new(path, loaded, Surroundings::of_this_process(), store);
        (Self(Arc::new(Mutex::new(in_force))), updates)
    }

    /// Everything in force.
    pub async fn config(&self) -> Result<Shown, SettingsError> {
        self.with(|settings| settings.shown()).await
    }

    /// Checks one setting, written as people write it, and puts it in force; the file stays as it is. Returns what
    /// happened, one sentence each.
    pub async fn set(&self, key: String, text: String, by: String) -> Result<Vec<String>, SettingsError> {
        let messages = self.with(move |settings| settings.set(&key, &text).map(|done| (done, key))).await;
        messages.map(|(messages, key)| {
            info!(by, key, "setting changed");
            messages
        })
    }

    /// Writes what was set to the file, everything else in it left as it is.
    pub async fn save(&self, by: String) -> Result<Vec<String>, SettingsError> {
        let messages = self.with(InForce::save).await?;
        info!(by, "settings saved");
        Ok(messages)
    }

    /// Reads the file again and puts it in force; what was set and not saved goes.
    pub async fn load(&self, by: String) -> Result<Vec<String>, SettingsError> {
        let messages = self.with(InForce::load).await?;
        info!(by, "configuration read again");
        Ok(messages)
    }

    /// Puts changes in force and in the file, both or neither. What they are is decided looking at what is in force, with
    /// nobody else changing it meanwhile; no change at all is none to the file either.
    pub async fn change(
        &self,
        by: String,
        decide: impl FnOnce(&Config) -> Result<Vec<Change>, String> + Send + 'static,
    ) -> Result<Vec<String>, SettingsError> {
        let (keys, messages) = self.with(move |settings| settings.change(decide)).await?;
        if !keys.is_empty() {
            info!(by, ?keys, "settings changed and saved");
        }
        Ok(messages)
    }

    /// Has data planes block nothing until then, in seconds since 1970. Whoever asks for it remembers it over restarts.
    pub(crate) async fn pause_blocking(&self, until: u64) {
        self.with(move |settings| settings.pause_blocking(until)).await;
    }

    /// Reads the file again at each SIGHUP.
    pub(crate) async fn follow_hangups(self, mut hangups: Signal, shutdown: CancellationToken) -> anyhow::Result<()> {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                _ = hangups.recv() => {
                    let now = NotifyState::monotonic_usec_now();
                    let _ = now.map(|now| sd_notify::notify(&[NotifyState::Reloading, now]));
                    match self.load("SIGHUP".to_owned()).await {
                        Ok(messages) => warn_of(&messages),
                        Err(error) => error!("{error}; going on with the configuration that is in force"),
                    }
                    let _ = sd_notify::notify(&[NotifyState::Ready]);
                }
            }
        }
    }

    /// Reading and writing the file may wait for a disk, so it is done beside the runtime.
    async fn with<T: Send + 'static>(&self, work: impl FnOnce(&mut InForce) -> T + Send + 'static) -> T {
        let shared = Arc::clone(&self.0);
        beside(move || work(&mut shared.lock().unwrap_or_else(PoisonError::into_inner))).await
    }
}

/// What begins a message that is more than a report.
const WARNING: &str = "warning: ";

/// Remote administration: a peer's changes are changes like any other.
impl cluster::Administration for Live {
    fn apply(&self, change: cluster::SharedSettings, by: String) -> cluster::Applied<'_> {
        Box::pin(async move {
            let changes = changes(change)?;
            let messages = self.change(by, |_| Ok(changes)).await.map_err(|error| error.to_string())?;
            // The peer hears that it is done; what else there is to say is for whoever looks after this node.
            warn_of(&messages);
            Ok(())
        })
    }
}

/// Logs those messages that are more than a report.
fn warn_of(messages: &[String]) {
    messages.iter().filter_map(|said| said.strip_prefix(WARNING)).for_each(|said| warn!("{said}"));
}

/// A peer's change in terms of our file.
fn changes(change: cluster::SharedSettings) -> Result<Vec<Change>, String> {
    let cluster::SharedSettings { token, peers, replica_only, reject_local_writes, admin, sync_interval } = change;
    if token.as_ref().is_some_and(Secret::is_empty) {
        return Err("an empty cluster_auth_token would shut every peer out, you too; nothing was changed".to_owned());
    }
    let values = [
        ("cluster_auth_token", token.map(|token| Value::from(token.expose()))),
        ("cluster_peers", peers.map(Value::from)),
        ("cluster_replica_only", replica_only.map(Value::from)),
        ("cluster_reject_local_writes", reject_local_writes.map(Value::from)),
        ("cluster_admin", admin.map(Value::from)),
        ("cluster_sync_interval_seconds", sync_interval.map(Value::from)),
    ];
    let given = values.into_iter().filter_map(|(key, value)| Some((key, value?)));
    given.map(|(key, value)| Ok((Setting::named(key).map_err(|error| error.to_string())?, Some(value)))).collect()
}

fn as_object<S: Serializer>(settings: &[(&'static str, Value)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(settings.iter().map(|(key, value)| (key, value)))
}
