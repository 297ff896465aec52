//! What two nodes that keep a connection tell each other now and then: what they hold, and what time it is.

use super::{
    Shared,
    link::{Link, LinkError, within},
    offer::Pulse,
    peer::Peer,
};
use crate::{hash::ContentHash, store::wall_ms};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Time for an answer.
const LIMIT: Duration = Duration::from_secs(15);

impl Shared {
    /// What we hold now.
    pub(super) fn our_pulse(&self) -> Pulse {
        Pulse { hash: Some(self.store.view().records.hash()), clock: Some(wall_ms()) }
    }

    /// Asks a peer what it holds; `None` from nodes that do not say.
    pub(super) async fn pulse(&self, peer: &Peer, link: &mut Link) -> Result<Option<ContentHash>, LinkError> {
        let (started, before) = (Instant::now(), wall_ms());
        let theirs = within(LIMIT, link.pulse(self.our_pulse())).await?;
        if let Some(clock) = theirs.clock {
            let half = u64::try_from(started.elapsed().as_millis() / 2).unwrap_or(0);
            peer.known().skew_ms = Some(signed(clock) - signed(before + half));
        }
        if let Some(hash) = theirs.hash {
            peer.it_holds(hash);
        }
        Ok(theirs.hash)
    }

    /// A peer of our kind has told us what it holds. If that is something else, and we owe it nothing, we ask for it.
    pub(super) fn compare(&self, peer: &Arc<Peer>) {
        let view = self.store.view();
        let (ours, theirs) = (view.records.hash(), peer.known().hash);
        let Some(theirs) = theirs.filter(|theirs| *theirs != ours) else { return };
        if self.owed(peer, &view).is_some() {
            peer.poke.notify_one();
        } else if peer.known().compared != Some((ours, theirs)) {
            peer.differs.notify_one();
        }
    }
}

fn signed(milliseconds: u64) -> i64 {
    i64::try_from(milliseconds).unwrap_or(i64::MAX)
}
