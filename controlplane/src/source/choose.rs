//! From the configuration to the source that it asks for.

use super::{
    Following, Read, Source, SourceError,
    git::{Choice, Git},
    url::Url,
    zone_folder::ZoneFolder,
};
use crate::{config::RecordsSource, hash::hex};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{path::Path, time::Duration};

impl Following {
    /// What to follow; `folder` is the store's, where sources may keep what they need.
    pub(crate) fn of(source: &RecordsSource, folder: &Path) -> Self {
        let (chosen, place) = (source.clone(), folder.to_owned());
        Self {
            kind: source.kind(),
            identity: identity(source),
            refresh: refresh(source),
            make: Box::new(move |memory| make(chosen, &place, memory)),
        }
    }
}

fn make(source: RecordsSource, place: &Path, memory: Option<Value>) -> Box<dyn Source> {
    let what = source.to_string();
    match source {
        RecordsSource::Url { url, .. } => Box::new(Url::new(url, memory)),
        RecordsSource::Git { repository: remote, branch, path, zones, .. } => {
            Box::new(Git::new(Choice { what, remote, branch, path, zones }, place, memory))
        }
        RecordsSource::BindDir { folder, zones, watch, .. } => {
            Box::new(ZoneFolder::new(what, folder, zones, watch, place))
        }
        RecordsSource::File { .. } => Box::new(Unbuilt(what)),
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

fn refresh(source: &RecordsSource) -> Duration {
    match source {
        RecordsSource::File { .. } => crate::hand_edits::POLL,
        RecordsSource::Url { refresh, .. }
        | RecordsSource::Git { refresh, .. }
        | RecordsSource::BindDir { refresh, .. } => *refresh,
    }
}

/// A source that this build cannot read.
struct Unbuilt(String);

impl Source for Unbuilt {
    fn what(&self) -> String {
        self.0.clone()
    }

    fn read(&mut self) -> Read<'_> {
        Box::pin(async { Err(SourceError(format!("{} cannot be read by this build", self.0))) })
    }

    fn taken(&mut self, _: Option<usize>) {}

    fn memory(&self) -> Value {
        Value::Null
    }
}
