//! From the configuration to the source that it asks for.

use super::{
    Following,
    follower::Make,
    git::{Choice, Git},
    url::Url,
    zone_folder::ZoneFolder,
};
use crate::{config::RecordsSource, hash::hex};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// A source, and what it takes to open a store of its records.
pub(crate) enum Chosen {
    /// The records file, which the store writes.
    File(PathBuf),
    /// A place that is only read.
    Followed(Following),
}

impl Chosen {
    /// What the configuration asks for; `folder` is the store's, where sources may keep what they need.
    pub(crate) fn of(source: &RecordsSource, folder: &Path) -> Self {
        let (what, place) = (source.to_string(), folder.to_owned());
        let (refresh, make): (_, Make) = match source.clone() {
            RecordsSource::File { path, .. } => return Self::File(path),
            RecordsSource::Url { url, refresh } => (refresh, Box::new(move |memory| Box::new(Url::new(url, memory)))),
            RecordsSource::Git { repository: remote, branch, path, zones, refresh } => {
                let choice = Choice { what, remote, branch, path, zones };
                (refresh, Box::new(move |memory| Box::new(Git::new(choice, &place, memory))))
            }
            // It remembers nothing: all files are read at start.
            RecordsSource::BindDir { folder, zones, watch, refresh } => {
                (refresh, Box::new(move |_| Box::new(ZoneFolder::new(what, folder, zones, watch, &place))))
            }
        };
        Self::Followed(Following { kind: source.kind(), identity: identity(source), refresh, make })
    }
}

/// The same for sources that are the same place read in the same way. It may be shown, so a password is not in it.
fn identity(source: &RecordsSource) -> String {
    let zones = |zones: &crate::config::ZoneFiles| {
        let patterns: Vec<_> = zones.include.iter().map(glob::Pattern::as_str).collect();
        format!("{patterns:?} {:?}", zones.named_conf)
    };
    let place = match source {
        RecordsSource::File { path, .. } => path.display().to_string(),
        RecordsSource::Url { url, .. } => url.expose().to_owned(),
        RecordsSource::Git { repository, branch, path, zones: files, .. } => {
            format!("{} {branch:?} {path:?} {}", repository.expose(), zones(files))
        }
        RecordsSource::BindDir { folder, zones: files, .. } => format!("{folder:?} {}", zones(files)),
    };
    hex(&Sha256::digest(format!("{} {place}", source.kind())))
}
