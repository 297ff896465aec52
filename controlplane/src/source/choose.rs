//! From the configuration to the source that it asks for.

use super::{Following, Read, Source, SourceError};
use crate::{config::RecordsSource, hash::hex};
use sha2::{Digest, Sha256};
use std::{path::Path, time::Duration};

impl Following {
    /// What to follow; `folder` is the store's, where sources may keep what they need.
    pub(crate) fn of(source: &RecordsSource, folder: &Path) -> Self {
        let (chosen, _place) = (source.clone(), folder.to_owned());
        Self {
            kind: source.kind(),
            identity: identity(source),
            refresh: refresh(source),
            make: Box::new(move |_memory| Box::new(Unbuilt(chosen.to_string()))),
        }
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

    fn memory(&self) -> serde_json::Value {
        serde_json::Value::Null
    }
}
