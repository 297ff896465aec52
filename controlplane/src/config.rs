//! Configuration: `dnsplane.json` is read, then understood.
//!
//! `file.rs` mirrors the file, `check.rs` turns it into the [`Config`] that the rest of the program sees, which holds only
//! usable values; `diagnose.rs` says what is wrong, where and what to write instead. Existing nodes skip what they do not
//! understand, which hides mistakes; here a key of the wrong type is an error, and an unknown key a warning.

mod block_lists;
mod check;
mod cluster;
mod default;
mod diagnose;
mod doors;
mod edit;
mod file;
mod forwarding;
mod keys;
mod limits;
mod listen;
mod locate;
mod named_file;
mod places;
mod read;
mod records_source;
mod remote;
mod resolving;
pub(crate) mod save;
mod secret;
mod setting;
#[cfg(test)]
mod tests;
mod trust_anchor;
mod unused;

pub use block_lists::{BlockLists, ListEntry, ListPlace};
pub(crate) use cluster::can_be_dialled;
pub use cluster::{Cluster, Discovery, InvalidRecords, SyncPolicy};
pub use diagnose::{ConfigError, Problem};
pub use locate::Surroundings;
pub use places::Position;
pub use records_source::{RecordsSource, ZoneFiles};
pub use remote::Remote;
pub use resolving::Probing;
pub use secret::Secret;
pub use setting::{Change, Setting, UnknownKey};

use crate::upstreams;
use bytes::Bytes;
use dnsplane_proto::{Server, Settings};
use serde_json::{Map, Value};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// Everything the control plane was told, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Folder of `dnsplane.json`; relative paths in it start here, and `cluster_state.json` lives here.
    pub folder: PathBuf,
    /// Socket on which data planes follow us.
    pub feed_socket: PathBuf,
    /// Socket for dnsplanectl.
    pub admin_socket: PathBuf,
    /// What data planes are told about answering.
    pub answering: Settings,
    /// Whom they ask for names that are not ours, as far as this file has it.
    pub forwarding: Forwarding,
    /// The REST API, if it is on.
    pub api: Option<Api>,
    /// Whether the API serves the dashboard.
    pub dashboard: bool,
    /// Where records come from.
    pub records: RecordsSource,
    /// Lists of names that are blocked.
    pub block_lists: BlockLists,
    /// Whether `dnsrecords.json` is indented.
    pub pretty_json: bool,
    /// How we keep in step with peers.
    pub cluster: Cluster,
    /// What is logged.
    pub log: Severity,
    /// Keys that are set and have no effect in this build.
    pub unused: Vec<&'static str>,
}

/// Upstream servers, as far as `dnsplane.json` has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarding {
    /// The file that lists them.
    pub servers: PathBuf,
    /// Asked when general ones fail, or there are none.
    pub last_resort: Option<Server>,
    /// PEM. Authorities that are believed beside the public ones.
    pub roots: Bytes,
    /// How their health is looked after.
    pub probing: Probing,
    /// Whether the file that lists them is indented.
    pub pretty: bool,
    /// Where this node itself answers: a server at such an address would send questions round in circles.
    pub own: Vec<SocketAddr>,
}

/// The REST API.
#[derive(Clone, Debug)]
pub struct Api {
    /// Where it listens.
    pub listen: Vec<SocketAddr>,
    /// What requests must carry; `None` admits everybody who can connect.
    pub token: Option<Secret>,
}

/// The least severe messages that are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Severity {
    /// Nothing is.
    None,
    /// Errors.
    Error,
    /// Warnings, too.
    Warn,
    /// What changes, too.
    #[default]
    Info,
    /// What strangers do, too.
    Debug,
    /// Everything.
    Trace,
}

impl Severity {
    /// The level as `RUST_LOG` and `tracing` write it.
    pub fn as_filter(self) -> &'static str {
        match self {
            Self::None => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// A configuration and what came with it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What to do.
    pub config: Config,
    /// What the operator should know, a sentence each.
    pub warnings: Vec<String>,
    /// What is odd about the list of upstream servers, likewise.
    pub about_servers: Vec<String>,
    /// The file as it was, for whoever saves it again.
    pub text: String,
}

/// What a text that may become a configuration file comes to.
#[derive(Clone, Debug)]
pub(crate) struct Understood {
    pub(crate) config: Config,
    /// What is odd about the text: unknown keys, keys given twice. With file and line.
    pub(crate) about_text: Vec<String>,
    /// What is odd about the settings.
    pub(crate) about_settings: Vec<String>,
    /// The text without comments, the keys of case-free objects in lower case.
    pub(crate) meant: Map<String, Value>,
}

impl Config {
    /// Reads and checks a file; binds nothing.
    pub fn load(path: &Path) -> Result<Loaded, ConfigError> {
        Self::load_in(path, &Surroundings::of_this_process())
    }

    /// As [`Config::load`], with the surroundings that defaults depend on.
    pub fn load_in(path: &Path, surroundings: &Surroundings) -> Result<Loaded, ConfigError> {
        let text = text(path)?;
        let Understood { config, mut about_text, about_settings, .. } = understand(path, &text, surroundings)?;
        about_text.extend(about_settings);
        let about_servers = upstreams::check(&config.forwarding)?;
        Ok(Loaded { config, warnings: about_text, about_servers, text })
    }

    /// Writes a commented file of defaults; an existing file is left alone and is an error.
    pub fn create_default(path: &Path) -> Result<(), ConfigError> {
        default::create(path, &Surroundings::of_this_process())
    }
}

/// The text of a file.
pub(crate) fn text(path: &Path) -> Result<String, ConfigError> {
    let octets = std::fs::read(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    String::from_utf8(octets)
        .map_err(|fault| ConfigError::NotText { path: path.to_owned(), offset: fault.utf8_error().valid_up_to() })
}

/// Checks a text as if the file at `path` held it.
pub(crate) fn understand(path: &Path, text: &str, surroundings: &Surroundings) -> Result<Understood, ConfigError> {
    let folder = std::path::absolute(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    let folder = folder.parent().unwrap_or(Path::new("/"));
    let read = read::read(path, text)?;
    match check::check(&read.file, &read.meant, folder, surroundings) {
        Ok((config, about_settings)) => {
            Ok(Understood { config, about_text: read.warnings, about_settings, meant: read.meant })
        }
        Err(complaints) => Err(ConfigError::Invalid {
            path: path.to_owned(),
            problems: complaints.problems.into_iter().map(|(key, why)| read.source.problem(key, why)).collect(),
        }),
    }
}

/// A text with settings changed, everything else in it left as it is.
pub(crate) fn edited<'a>(
    path: &Path,
    text: &str,
    changes: impl IntoIterator<Item = (&'static Setting, Option<&'a Value>)>,
) -> Result<String, ConfigError> {
    let mut text = text.to_owned();
    for (setting, value) in changes {
        // Which name the file has for it may depend on the change before.
        text = setting.edit(&text, &read::read(path, &text)?.meant, value);
    }
    Ok(text)
}
