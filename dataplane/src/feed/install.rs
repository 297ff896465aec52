//! Puts what the feed brought into service: one pointer swap, then the copy on disk, then the receipt.

use super::transfer::{Complete, Refusal, Transfer};
use crate::{Current, Snapshot, current::Retired, last_good::Keeper, snapshot::Rules};
use dnsplane_proto::{Generation, Settings, pb::feed as pb};
use std::sync::Arc;
use tokio::sync::watch;
use tracing::{debug, info};

/// The only one that changes what is served.
pub struct Installer {
    current: Arc<Current>,
    retired: Retired,
    settings: watch::Sender<Option<Arc<Settings>>>,
    settings_generation: Option<Generation>,
    keeper: Keeper,
}

impl Installer {
    /// `settings_generation` is that of the settings that the last-good copy held, if it held any.
    pub fn new(
        current: Arc<Current>,
        settings: watch::Sender<Option<Arc<Settings>>>,
        settings_generation: Option<Generation>,
        keeper: Keeper,
    ) -> Self {
        Self { current, retired: Retired::default(), settings, settings_generation, keeper }
    }

    /// What is served of each resource.
    pub(super) fn held(&self) -> Vec<pb::Held> {
        let held = |resource: pb::Resource, generation: Generation| pb::Held {
            resource: resource.into(),
            generation: Some(generation.into()),
        };
        let settings = self.settings_generation.map(|generation| held(pb::Resource::Settings, generation));
        let records = self.records_generation().map(|generation| held(pb::Resource::Records, generation));
        settings.into_iter().chain(records).collect()
    }

    pub(super) fn serving(&self, resource: i32) -> Option<Generation> {
        match pb::Resource::try_from(resource) {
            Ok(pb::Resource::Settings) => self.settings_generation,
            Ok(pb::Resource::Records) => self.records_generation(),
            _ => None,
        }
    }

    pub(super) fn begin(&self, begin: &pb::Begin) -> Transfer {
        Transfer::begin(begin, self.serving(begin.resource), &self.current.load())
    }

    /// Serves what arrived; the answer is for the control plane.
    pub(super) fn install(
        &mut self,
        complete: Result<Complete, Refusal>,
    ) -> Result<(pb::outcome::Kind, Generation), Refusal> {
        match complete? {
            Complete::AlreadyServing(generation) => Ok((pb::outcome::Kind::AlreadyServing, generation)),
            Complete::Settings(generation, settings) => {
                self.install_settings(generation, settings);
                Ok((pb::outcome::Kind::Installed, generation))
            }
            Complete::Records { builder, generation, difference } => {
                let (now, whole) = (self.current.load(), difference.is_none());
                // Squeezing a large load takes tens of milliseconds; nobody else waits for this thread.
                let mut next = builder.finish(generation, now.rules.clone());
                next.upstreams = now.upstreams.clone();
                next.block_list = now.block_list.clone();
                drop(now);
                let records = next.records();
                self.retired.push(self.current.replace(next));
                if whole {
                    info!(%generation, records, "serving new snapshot");
                } else {
                    debug!(%generation, records, "serving new snapshot");
                }
                match difference {
                    Some((from, Some(bodies))) => self.keeper.difference(from, generation, bodies),
                    Some((_, None)) | None => self.keeper.whole(),
                }
                Ok((pb::outcome::Kind::Installed, generation))
            }
        }
    }

    /// Whether there are settings and records to answer from.
    pub(super) fn is_serving(&self) -> bool {
        self.settings_generation.is_some() && self.records_generation().is_some()
    }

    /// Frees snapshots that nobody uses any more.
    pub(super) fn sweep(&mut self) {
        self.retired.sweep();
    }

    fn install_settings(&mut self, generation: Generation, settings: Settings) {
        let settings = Arc::new(settings);
        let (now, rules) = (self.current.load(), Rules::from(&*settings));
        let next = Snapshot::clone(&now).under(rules);
        self.retired.push(self.current.replace(next));
        self.settings_generation = Some(generation);
        info!(%generation, listen = ?settings.listen, "new settings");
        self.keeper.settings(generation, settings.clone());
        self.settings.send_replace(Some(settings));
    }

    fn records_generation(&self) -> Option<Generation> {
        Some(self.current.load().generation).filter(|generation| *generation != Generation::default())
    }
}
