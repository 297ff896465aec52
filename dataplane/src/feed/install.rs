//! Puts what the feed brought into service: one pointer swap, then the copy on disk, then the receipt.

use super::transfer::{Complete, Content, Loaded, Refusal, Transfer, Whole};
use crate::{
    Current, Snapshot,
    current::Retired,
    last_good::{Keeper, LastGood},
    snapshot::Rules,
};
use dnsplane_proto::{Generation, Settings, pb::feed as pb};
use std::sync::Arc;
use tokio::sync::watch;
use tracing::{debug, info};

/// The only one that changes what is served.
pub struct Installer {
    current: Arc<Current>,
    retired: Retired,
    /// What is served of resources that are one message, as [`Whole::ALL`] has them.
    served: [Option<Generation>; Whole::ALL.len()],
    /// For those who look at settings without a query.
    settings: watch::Sender<Option<Arc<Settings>>>,
    keeper: Keeper,
}

impl Installer {
    /// Serves what the last-good copy held, if anything. `keep` starts keeping that copy up to date, given what is served and
    /// the generation of its records.
    pub fn start<E>(
        last_good: LastGood,
        settings: watch::Sender<Option<Arc<Settings>>>,
        keep: impl FnOnce(Arc<Current>, Option<Generation>) -> Result<Keeper, E>,
    ) -> Result<Self, E> {
        let held = last_good.snapshot.as_ref().map(|snapshot| snapshot.generation);
        let mut snapshot = last_good.snapshot.unwrap_or_else(Snapshot::empty);
        let mut served = [None; Whole::ALL.len()];
        for (generation, Loaded { what, .. }) in last_good.messages {
            served[what.whole() as usize] = Some(generation);
            snapshot = with(snapshot, &what);
            tell(&settings, what);
        }
        if let Some(generation) = held {
            info!(%generation, records = snapshot.records(), "serving new snapshot");
        }
        let current = Arc::new(Current::new(snapshot));
        let keeper = keep(current.clone(), held)?;
        Ok(Self { current, retired: Retired::default(), served, settings, keeper })
    }

    /// What is served.
    pub fn current(&self) -> &Arc<Current> {
        &self.current
    }

    /// What is served of each resource.
    pub(super) fn held(&self) -> Vec<pb::Held> {
        let resources = Whole::ALL.map(Whole::resource).into_iter().chain([pb::Resource::Records]);
        let held = resources.filter_map(|resource| {
            let generation = self.serving(resource.into())?;
            Some(pb::Held { resource: resource.into(), generation: Some(generation.into()) })
        });
        held.collect()
    }

    pub(super) fn serving(&self, resource: i32) -> Option<Generation> {
        let resource = pb::Resource::try_from(resource).ok()?;
        match Whole::of(resource) {
            Some(whole) => self.served[whole as usize],
            None => self.records_generation().filter(|_| resource == pb::Resource::Records),
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
            Complete::Whole(generation, loaded) => {
                self.install_message(generation, loaded);
                Ok((pb::outcome::Kind::Installed, generation))
            }
            Complete::Records { builder, generation, difference } => {
                let (now, whole) = (self.current.load(), difference.is_none());
                // Squeezing a large load takes tens of milliseconds; nobody else waits for this thread.
                let next = builder.finish_beside(generation, &now);
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
        self.serving(pb::Resource::Settings.into()).is_some() && self.records_generation().is_some()
    }

    /// Frees snapshots that nobody uses any more.
    pub(super) fn sweep(&mut self) {
        self.retired.sweep();
    }

    fn install_message(&mut self, generation: Generation, Loaded { what, body }: Loaded) {
        let whole = what.whole();
        let next = with(Snapshot::clone(&self.current.load()), &what);
        self.retired.push(self.current.replace(next));
        self.served[whole as usize] = Some(generation);
        what.log(generation);
        self.keeper.message(whole, generation, body);
        tell(&self.settings, what);
    }

    fn records_generation(&self) -> Option<Generation> {
        Some(self.current.load().generation).filter(|generation| *generation != Generation::default())
    }
}

/// The snapshot with this resource in it.
fn with(snapshot: Snapshot, what: &Content) -> Snapshot {
    match what {
        Content::Settings(settings) => snapshot.under(Rules::from(&**settings)),
        Content::Upstreams(upstreams) => Snapshot { upstreams: upstreams.clone(), ..snapshot },
        Content::BlockList(block_list) => Snapshot { block_list: block_list.clone(), ..snapshot },
    }
}

fn tell(settings: &watch::Sender<Option<Arc<Settings>>>, what: Content) {
    if let Content::Settings(new) = what {
        settings.send_replace(Some(new));
    }
}
