//! The one owner of the settings in force: the file as it was read, and what was set since.

use super::{Shown, Updates, WARNING};
use crate::{
    cluster,
    config::{
        self, BlockLists, Change, Config, ConfigError, Forwarding, Loaded, RecordsSource, Secret, Setting,
        Surroundings, Understood, UnknownKey, save,
    },
    store::Store,
};
use dnsplane_proto::Settings;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::sync::watch;

/// Why settings were not changed, shown or saved. Each is a whole sentence; nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// No such key.
    #[error(transparent)]
    Key(#[from] UnknownKey),
    /// The value does not do, or not together with the others.
    #[error("{0}")]
    Refused(String),
    /// The file as it stands now does not do.
    #[error("{0}")]
    File(String),
    /// The file could not be written.
    #[error("cannot write `{}`: {source}; is its folder writable for this process?", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The settings in force, and where they are sent.
pub(super) struct InForce {
    path: PathBuf,
    surroundings: Surroundings,
    /// The file when it was read or written last.
    text: String,
    /// What was set since; `None` is the default.
    unsaved: BTreeMap<&'static str, Option<Value>>,
    config: Config,
    /// What was said about these settings.
    advice: Vec<String>,
    /// What the sockets and files of this process were opened from.
    started: Config,
    store: Store,
    cluster: watch::Sender<Arc<cluster::Settings>>,
    answering: watch::Sender<Arc<Settings>>,
    block_lists: watch::Sender<Arc<BlockLists>>,
    forwarding: watch::Sender<Arc<Forwarding>>,
    token: watch::Sender<Option<Secret>>,
    /// Not a setting: it ends by itself, and is kept with the block lists.
    blocking_paused_until: u64,
}

impl InForce {
    pub(super) fn new(path: &Path, loaded: Loaded, surroundings: Surroundings, store: Store) -> (Self, Updates) {
        save::sweep(path);
        let Loaded { config, warnings, text, .. } = loaded;
        let (cluster, cluster_updates) = watch::channel(Arc::new(cluster::Settings::from(&config.cluster)));
        let (answering, answering_updates) = watch::channel(Arc::new(config.answering.clone()));
        let (block_lists, block_lists_updates) = watch::channel(Arc::new(config.block_lists.clone()));
        let (forwarding, forwarding_updates) = watch::channel(Arc::new(config.forwarding.clone()));
        let (token, token_updates) = watch::channel(config.api.as_ref().and_then(|api| api.token.clone()));
        let started = config.clone();
        let settings = Self {
            path: path.to_owned(),
            surroundings,
            text,
            unsaved: BTreeMap::new(),
            config,
            advice: warnings,
            started,
            store,
            cluster,
            answering,
            block_lists,
            forwarding,
            token,
            blocking_paused_until: 0,
        };
        settings.tell();
        let updates = Updates {
            cluster: cluster_updates,
            answering: answering_updates,
            block_lists: block_lists_updates,
            forwarding: forwarding_updates,
            token: token_updates,
        };
        (settings, updates)
    }

    pub(super) fn shown(&self) -> Result<Shown, SettingsError> {
        let meant = self.understand(&self.with_unsaved()?)?.meant;
        let value = |setting: &'static Setting| {
            let known =
                setting.value(&meant).unwrap_or_else(|| Value::from(self.config.admin_socket.to_string_lossy()));
            (setting.key, setting.shown(known))
        };
        Ok(Shown {
            path: self.path.clone(),
            unsaved: self.unsaved.keys().copied().collect(),
            at_next_start: self.at_next_start(&self.config),
            settings: Setting::all().iter().map(value).collect(),
        })
    }

    pub(super) fn set(&mut self, key: &str, text: &str) -> Result<Vec<String>, SettingsError> {
        let setting = Setting::named(key)?;
        let value = setting.understand(text).map_err(SettingsError::Refused)?;
        let before = self.understand(&self.with_unsaved()?)?.meant;
        let mut unsaved = self.unsaved.clone();
        unsaved.insert(setting.key, value);
        let new = self.edited(&self.text, &unsaved)?;
        let understood = self.understand(&new).map_err(refused)?;
        let (was, is) = (setting.value(&before), setting.value(&understood.meant));
        if is == setting.value(&self.understand(&self.text)?.meant) {
            unsaved.remove(setting.key);
        }
        let mut messages = vec![match (&is, was == is) {
            (_, true) => format!("{setting} is {} already", said(setting, is.as_ref())),
            (_, false) => format!("{setting} is {} now", said(setting, is.as_ref())),
        }];
        self.unsaved = unsaved;
        let advice = self.put_in_force(understood);
        if self.at_next_start(&self.config).contains(&setting.key) {
            messages.push(format!("{setting} takes effect at the next start: save it, then restart dnsplane-cluster"));
        }
        if self.unsaved.contains_key(setting.key) {
            messages.push(format!("it is not in {} yet; `server save` writes it there", self.path.display()));
        }
        if self.config.unused.contains(&setting.key) {
            messages.push(format!("{WARNING}{setting} is accepted and not used yet"));
        }
        messages.extend(advice);
        Ok(messages)
    }

    pub(super) fn save(&mut self) -> Result<Vec<String>, SettingsError> {
        if self.unsaved.is_empty() {
            return Ok(vec![format!("nothing to save: nothing was set since {} was read", self.path.display())]);
        }
        let found = self.file_now()?;
        let new = self.edited(&found, &self.unsaved)?;
        self.understand(&new).map_err(|error| self.file_does_not_do(&error))?;
        self.write(&new)?;
        let keys: Vec<_> = self.unsaved.keys().map(|key| format!("`{key}`")).collect();
        let mut messages = vec![format!("saved {} in {}", keys.join(", "), self.path.display())];
        let unsaved = std::mem::take(&mut self.unsaved);
        self.text = self.text_after(&found, new, &unsaved, &mut messages)?;
        Ok(messages)
    }

    pub(super) fn load(&mut self) -> Result<Vec<String>, SettingsError> {
        let read = config::text(&self.path)
            .and_then(|text| Ok((config::understand(&self.path, &text, &self.surroundings)?, text)));
        let (understood, text) = read.map_err(|error| SettingsError::File(whole(&error)))?;
        let mut messages = vec![format!("{} read again", self.path.display())];
        let gone: Vec<_> = std::mem::take(&mut self.unsaved).into_keys().map(|key| format!("`{key}`")).collect();
        if !gone.is_empty() {
            messages.push(format!("{WARNING}what was set and not saved is gone: {}", gone.join(", ")));
        }
        self.text = text;
        messages.extend(understood.about_text.iter().map(|warning| format!("{WARNING}{warning}")));
        // Said in full: whoever has the file read again wants to know about all of it.
        self.advice.clear();
        messages.extend(self.put_in_force(understood));
        let path = self.path.display();
        let later = self.at_next_start(&self.config).into_iter();
        messages.extend(
            later.map(|key| format!("{WARNING}{path}: `{key}` has changed, which takes effect at the next start")),
        );
        Ok(messages)
    }

    /// Both in force and in the file, or neither. Returns the keys that changed, and what to tell.
    pub(super) fn change(
        &mut self,
        decide: impl FnOnce(&Config) -> Result<Vec<Change>, String>,
    ) -> Result<(Vec<&'static str>, Vec<String>), SettingsError> {
        let changes = decide(&self.config).map_err(SettingsError::Refused)?;
        let changes: BTreeMap<_, _> = changes.into_iter().map(|(setting, value)| (setting.key, value)).collect();
        if changes.is_empty() {
            return Ok((Vec::new(), Vec::new()));
        }
        let mut unsaved = self.unsaved.clone();
        unsaved.retain(|key, _| !changes.contains_key(key));
        let in_force = self.edited(&self.edited(&self.text, &changes)?, &unsaved)?;
        let understood = self.understand(&in_force).map_err(refused)?;
        let found = self.file_now()?;
        let new = self.edited(&found, &changes)?;
        self.understand(&new).map_err(|error| self.file_does_not_do(&error))?;
        if new != found {
            self.write(&new)?;
        }
        let mut messages = Vec::new();
        self.text = self.text_after(&found, new, &changes, &mut messages)?;
        self.unsaved = unsaved;
        messages.extend(self.put_in_force(understood));
        Ok((changes.into_keys().collect(), messages))
    }

    /// Has data planes block nothing until then.
    pub(super) fn pause_blocking(&mut self, until: u64) {
        self.blocking_paused_until = until;
        self.tell();
    }

    /// What the file would say if it held what is in force, once `found` was replaced by `new` there. Whoever edited the
    /// file by hand wants that edit kept, and has not asked for it to take effect.
    fn text_after(
        &self,
        found: &str,
        new: String,
        changes: &BTreeMap<&'static str, Option<Value>>,
        messages: &mut Vec<String>,
    ) -> Result<String, SettingsError> {
        let meaning = |text: &str| serde_json::from_str::<Value>(text).ok();
        if meaning(found) == meaning(&self.text) {
            return Ok(new);
        }
        messages.push(format!(
            "{WARNING}{} had been edited since it was read; that stays in it, and `server load` puts it in force",
            self.path.display()
        ));
        self.edited(&self.text, changes)
    }

    /// Sends the new settings to everybody who watches them; returns what is new to say about them.
    fn put_in_force(&mut self, new: Understood) -> Vec<String> {
        self.config = new.config;
        self.tell();
        let old = std::mem::replace(&mut self.advice, new.about_settings);
        let news = self.advice.iter().filter(|said| !old.contains(said));
        news.map(|said| format!("{WARNING}{said}")).collect()
    }

    fn tell(&self) {
        let config = &self.config;
        self.store.reject_local_writes(config.cluster.reject_local_writes);
        // Another source is read from the next start on.
        let records = match (&self.started.records, &config.records) {
            (RecordsSource::File { .. }, new @ RecordsSource::File { .. }) => new,
            (started, _) => started,
        };
        self.store.set_read_only(records.read_only());
        send(&self.cluster, Arc::new(cluster::Settings::from(&config.cluster)));
        let blocking_paused_until = self.blocking_paused_until;
        send(&self.answering, Arc::new(Settings { blocking_paused_until, ..config.answering.clone() }));
        send(&self.block_lists, Arc::new(config.block_lists.clone()));
        send(&self.forwarding, Arc::new(config.forwarding.clone()));
        if !self.token_must_stay(config) {
            send(&self.token, config.api.as_ref().and_then(|api| api.token.clone()));
        }
    }

    /// The API goes on listening where it was bound at start. A token that was needed there is given up only together
    /// with that address, at the next start; so is that of an API which is to be off then.
    fn token_must_stay(&self, new: &Config) -> bool {
        let exposed = |api: &config::Api| api.listen.iter().any(|at| !at.ip().to_canonical().is_loopback());
        let guarded = self.started.api.as_ref().is_some_and(|api| api.token.is_some() && exposed(api));
        match &new.api {
            None => true,
            Some(api) => api.token.is_none() && guarded,
        }
    }

    /// Keys of which the process goes on using what it was started with.
    fn at_next_start(&self, new: &Config) -> Vec<&'static str> {
        let old = &self.started;
        let doors = |config: &Config| config.api.as_ref().map(|api| api.listen.clone());
        let source = old.records.at_next_start(&new.records);
        let changed: [(&[&str], bool); 8] = [
            (&["feed_socket"], old.feed_socket != new.feed_socket),
            (&["server_socket"], old.admin_socket != new.admin_socket),
            (&["api", "api_bind", "apiport"], doors(old) != doors(new)),
            (&["api_auth_token"], new.api.is_some() && self.token_must_stay(new)),
            (&source, true),
            (&["stats_dashboard_enabled"], old.dashboard != new.dashboard),
            (&["pretty_json"], old.pretty_json != new.pretty_json),
            (&["log.log_severity"], old.log != new.log),
        ];
        changed.into_iter().filter(|(_, changed)| *changed).flat_map(|(keys, _)| keys).copied().collect()
    }

    fn with_unsaved(&self) -> Result<String, SettingsError> {
        self.edited(&self.text, &self.unsaved)
    }

    fn edited(&self, text: &str, changes: &BTreeMap<&'static str, Option<Value>>) -> Result<String, SettingsError> {
        let changes = changes.iter().map(|(key, value)| Ok((Setting::named(key)?, value.as_ref())));
        let changes: Vec<_> = changes.collect::<Result<_, UnknownKey>>()?;
        config::edited(&self.path, text, changes).map_err(|error| self.file_does_not_do(&error))
    }

    fn understand(&self, text: &str) -> Result<Understood, ConfigError> {
        config::understand(&self.path, text, &self.surroundings)
    }

    fn file_now(&self) -> Result<String, SettingsError> {
        config::text(&self.path).map_err(|error| SettingsError::File(whole(&error)))
    }

    fn file_does_not_do(&self, error: &ConfigError) -> SettingsError {
        let path = self.path.display();
        SettingsError::File(format!("{path} does not do with this change, it was left as it is: {}", error.sentences()))
    }

    fn write(&self, text: &str) -> Result<(), SettingsError> {
        save::replace(&self.path, text).map_err(|source| SettingsError::Write { path: self.path.clone(), source })
    }
}

impl From<ConfigError> for SettingsError {
    fn from(error: ConfigError) -> Self {
        Self::File(whole(&error))
    }
}

fn refused(error: ConfigError) -> SettingsError {
    SettingsError::Refused(error.sentences())
}

/// An error with its cause, places and excerpts.
fn whole(error: &ConfigError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

fn said(setting: &Setting, value: Option<&Value>) -> String {
    value.map_or_else(
        || "its default".to_owned(),
        |value| match setting.shown(value.clone()) {
            Value::String(text) if setting.is_secret() => text,
            value => value.to_string(),
        },
    )
}

/// Wakes nobody when nothing has changed.
fn send<T: PartialEq>(to: &watch::Sender<T>, new: T) {
    to.send_if_modified(|now| {
        let changed = *now != new;
        *now = new;
        changed
    });
}
