//! A changed configuration takes effect while we run.
//!
//! On SIGHUP the file is read again. If it is in order, everything that watches a part of it gets the new one; if not,
//! what is wrong is said and nothing changes. Doors that are bound once at start are named when they would have to move.

use crate::{
    cluster,
    config::{Config, Loaded, Secret},
    store::Store,
};
use anyhow::Context;
use dnsplane_proto::Settings;
use sd_notify::NotifyState;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

/// What the parts of the daemon watch.
pub(crate) struct Updates {
    /// For the cluster.
    pub(crate) cluster: watch::Receiver<Arc<cluster::Settings>>,
    /// For data planes.
    pub(crate) answering: watch::Receiver<Arc<Settings>>,
    /// For the REST API.
    pub(crate) token: watch::Receiver<Option<Secret>>,
}

/// The sending ends, and what is in force.
pub(crate) struct Live {
    path: PathBuf,
    config: Config,
    store: Store,
    cluster: watch::Sender<Arc<cluster::Settings>>,
    answering: watch::Sender<Arc<Settings>>,
    token: watch::Sender<Option<Secret>>,
}

impl Live {
    /// Starts from the configuration as loaded.
    pub(crate) fn new(path: &Path, config: &Config, store: Store) -> (Self, Updates) {
        store.reject_local_writes(config.cluster.reject_local_writes);
        let (cluster, cluster_updates) = watch::channel(Arc::new(cluster::Settings::from(&config.cluster)));
        let (answering, answering_updates) = watch::channel(Arc::new(config.answering.clone()));
        let (token, token_updates) = watch::channel(token_of(config));
        let live = Self { path: path.to_owned(), config: config.clone(), store, cluster, answering, token };
        (live, Updates { cluster: cluster_updates, answering: answering_updates, token: token_updates })
    }

    /// Reads the file again at each SIGHUP.
    pub(crate) async fn follow_hangups(mut self, shutdown: CancellationToken) -> anyhow::Result<()> {
        let mut hangups = signal(SignalKind::hangup()).context("cannot listen for signals")?;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                _ = hangups.recv() => {
                    let now = NotifyState::monotonic_usec_now();
                    let _ = now.map(|now| sd_notify::notify(&[NotifyState::Reloading, now]));
                    self.reload();
                    let _ = sd_notify::notify(&[NotifyState::Ready]);
                }
            }
        }
    }

    fn reload(&mut self) {
        let Loaded { config, warnings, .. } = match Config::load(&self.path) {
            Ok(loaded) => loaded,
            Err(error) => {
                error!("{error}; going on with the configuration that is in force");
                return;
            }
        };
        warnings.iter().for_each(|warning| warn!("{}: {warning}", self.path.display()));
        for key in self.bound_at_start(&config) {
            warn!("{}: `{key}` has changed, which takes effect at the next start", self.path.display());
        }
        self.store.reject_local_writes(config.cluster.reject_local_writes);
        self.cluster.send_replace(Arc::new(cluster::Settings::from(&config.cluster)));
        self.answering.send_if_modified(|settings| {
            let changed = **settings != config.answering;
            *settings = Arc::new(config.answering.clone());
            changed
        });
        self.token.send_replace(token_of(&config));
        self.config = config;
        info!(config = %self.path.display(), "configuration read again");
    }

    /// Keys whose change cannot take effect now.
    fn bound_at_start(&self, new: &Config) -> Vec<&'static str> {
        let old = &self.config;
        let doors = |config: &Config| config.api.as_ref().map(|api| api.listen.clone());
        let changed = [
            ("feed_socket", old.feed_socket != new.feed_socket),
            ("server_socket", old.admin_socket != new.admin_socket),
            ("api, api_bind or apiport", doors(old) != doors(new)),
            ("file_locations.records_source", old.records != new.records),
            ("stats_dashboard_enabled", old.dashboard != new.dashboard),
            ("pretty_json", old.pretty_json != new.pretty_json),
            ("log.log_severity", old.log != new.log),
        ];
        changed.into_iter().filter(|(_, changed)| *changed).map(|(key, _)| key).collect()
    }
}

fn token_of(config: &Config) -> Option<Secret> {
    config.api.as_ref()?.token.clone()
}
