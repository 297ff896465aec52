//! One configured peer: what we know of it, and how our dealings with it went.

use super::{
    extension::Label,
    features::Features,
    link::{Link, Traffic},
    message::Greeting,
    policy::Kind,
};
use crate::{hash::ContentHash, record::Time};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;
use tracing::{info, warn};

/// A peer by address. Shared by its tasks and by status.
#[derive(Debug)]
pub(super) struct Peer {
    /// Host and port.
    pub(super) address: String,
    known: Mutex<Known>,
    /// The connection that is kept for everything, if that was agreed (`keep`). Whoever uses it holds the lock; whoever makes
    /// a new one does not.
    pub(super) kept: tokio::sync::Mutex<Option<Link>>,
    pub(super) traffic: Arc<Traffic>,
    /// Its records differ from ours, and nothing is on its way: asking for them is worth a try.
    pub(super) differs: Notify,
    /// Pushing is worth another try now.
    pub(super) poke: Notify,
    /// Something contradicts what the last probe found.
    pub(super) doubt: Notify,
}

/// What we know of a peer.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// `None` until it has answered once.
    pub(super) kind: Option<Kind>,
    pub(super) node_id: Option<String>,
    /// It is this very process (R11).
    pub(super) is_self: bool,
    /// It is another node with our id (R11).
    pub(super) shares_our_id: bool,
    /// What was agreed when we last connected.
    pub(super) features: Features,
    /// Content hash of what it holds, as it last said.
    pub(super) hash: Option<ContentHash>,
    /// Whose write it last told us that it holds, or confirmed, or refused: not to be sent again.
    pub(super) holds: Option<Label>,
    /// It is being sent all our records because it asked; a push would bring them a second time.
    pub(super) being_served: usize,
    /// Our content and its when we last asked for its records and they differed still.
    pub(super) compared: Option<(ContentHash, ContentHash)>,
    /// Why it refused what we last sent.
    pub(super) refused_by_peer: Option<String>,
    /// Its clock minus ours, milliseconds.
    pub(super) skew_ms: Option<i64>,
    /// Sequence in its last answer to a pull, and when that was, Unix seconds; for existing nodes.
    pub(super) pulled: Option<(u64, i64)>,
    /// Our last sequence that it has confirmed to have on disk.
    pub(super) acknowledged: u64,
    /// Our last sequence that need not be sent, because this peer's own snapshot has replaced it here.
    pub(super) superseded: u64,
    /// Generation that was too large for a frame.
    pub(super) too_large: Option<u64>,
    pub(super) last_outbound_ok: Option<Time>,
    pub(super) last_outbound_error: Option<String>,
    pub(super) last_inbound_ok: Option<Time>,
    pub(super) last_pull_ok: Option<Time>,
    pub(super) last_pull_error: Option<String>,
    pub(super) last_refusal: Option<String>,
    pub(super) last_probe_ok: Option<Time>,
    pub(super) last_probe_error: Option<String>,
    pub(super) rtt: Option<Duration>,
    pub(super) reachable: bool,
}

impl Known {
    /// Whether the last probe, if it is over, failed for this reason, too.
    fn probe_says(&self, reason: &str) -> bool {
        !self.reachable && self.last_probe_error.as_ref().is_none_or(|said| said == reason)
    }
}

impl Peer {
    pub(super) fn new(address: String) -> Self {
        Self {
            address,
            known: Mutex::default(),
            kept: tokio::sync::Mutex::default(),
            traffic: Arc::default(),
            differs: Notify::new(),
            poke: Notify::new(),
            doubt: Notify::new(),
        }
    }

    /// What we know; hold it no longer than it takes to look.
    pub(super) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in how it answered our `auth`; `greeting` is absent from existing nodes.
    pub(super) fn answered(&self, greeting: Option<&Greeting>, features: Features, own_id: &str, own_instance: &str) {
        let mut known = self.known();
        if std::mem::replace(&mut known.features, features) != features {
            // What it may be sent depends on that.
            self.poke.notify_one();
        }
        known.kind = Some(if greeting.is_some() { Kind::Ours } else { Kind::Existing });
        let Some(greeting) = greeting else {
            known.is_self = false;
            return;
        };
        let is_self = greeting.instance == own_instance;
        if is_self && !known.is_self {
            info!(peer = self.address, "this peer is ourselves; it is left out");
        }
        known.is_self = is_self;
        drop(known);
        self.is_node(&greeting.node_id, own_id);
    }

    /// Takes in whose snapshots it sends.
    pub(super) fn is_node(&self, node_id: &str, own_id: &str) {
        let mut known = self.known();
        let shares = !known.is_self && node_id == own_id;
        if shares && !known.shares_our_id {
            warn!(
                peer = self.address,
                node_id, "this peer is another node with our id; give one of them another cluster_node_id"
            );
        }
        known.shares_our_id = shares;
        if known.node_id.as_deref() != Some(node_id) {
            // Another node lives there now; it has confirmed nothing.
            if known.node_id.is_some() {
                (known.acknowledged, known.superseded) = (0, 0);
                (known.hash, known.holds, known.pulled) = (None, None, None);
            }
            known.node_id = Some(node_id.to_owned());
        }
    }

    /// A push has been confirmed; `own` is our sequence in it, if it was a write of ours.
    pub(super) fn push_confirmed(&self, own: Option<u64>) {
        let mut known = self.known();
        if known.last_outbound_error.take().is_some() {
            info!(peer = self.address, "peer has our records again");
        }
        known.acknowledged = known.acknowledged.max(own.unwrap_or(0));
        known.refused_by_peer = None;
        known.last_outbound_ok = Some(Time::now());
        self.doubt_unless(known.reachable);
    }

    /// The peer has what we pushed and does not take it. Told when the reason is a new one.
    pub(super) fn push_refused(&self, reason: String) {
        let mut known = self.known();
        if known.refused_by_peer.as_ref() != Some(&reason) {
            info!(peer = self.address, reason, "the peer refuses our records");
        }
        (known.refused_by_peer, known.last_outbound_error) = (Some(reason), None);
        self.doubt_unless(known.reachable);
    }

    /// It said what it holds.
    pub(super) fn it_holds(&self, hash: ContentHash) {
        self.known().hash = Some(hash);
    }

    /// Has it probed again at once if what we met with speaks against the last probe.
    fn doubt_unless(&self, agrees: bool) {
        if !agrees {
            self.doubt.notify_one();
        }
    }

    /// A push has failed. Told when the reason is a new one.
    pub(super) fn push_failed(&self, reason: String) {
        let mut known = self.known();
        if known.last_outbound_error.as_ref() != Some(&reason) {
            warn!(peer = self.address, reason, "cannot push our records; trying again until it works");
        }
        self.doubt_unless(known.probe_says(&reason));
        known.last_outbound_error = Some(reason);
    }

    /// A pull was answered, and the answer needed no refusal.
    pub(super) fn pull_worked(&self) {
        let mut known = self.known();
        known.last_pull_ok = Some(Time::now());
        known.last_pull_error = None;
        self.doubt_unless(known.reachable);
    }

    /// A pull has failed, perhaps because the peer `answered` something else. Told when the reason is a new one.
    pub(super) fn pull_failed(&self, reason: String, answered: bool) {
        let mut known = self.known();
        if known.last_pull_error.as_ref() != Some(&reason) {
            info!(peer = self.address, reason, "cannot pull this peer's records");
        }
        self.doubt_unless(if answered { known.reachable } else { known.probe_says(&reason) });
        known.last_pull_error = Some(reason);
    }

    /// It answered a ping. True if it had not before.
    pub(super) fn probe_worked(&self, rtt: Duration) -> bool {
        let mut known = self.known();
        let came_back = !known.reachable;
        if came_back {
            info!(peer = self.address, rtt_ms = rtt.as_secs_f64() * 1000.0, "peer is reachable");
        }
        (known.reachable, known.rtt) = (true, Some(rtt));
        (known.last_probe_ok, known.last_probe_error) = (Some(Time::now()), None);
        came_back
    }

    /// It did not.
    pub(super) fn probe_failed(&self, reason: String) {
        let mut known = self.known();
        if known.last_probe_error.as_ref() != Some(&reason) {
            warn!(peer = self.address, reason, "peer is not reachable");
        }
        (known.reachable, known.last_probe_error) = (false, Some(reason));
    }

    /// A snapshot of this peer's was pushed to us.
    pub(super) fn pushed_to_us(&self, refusal: Option<String>) {
        let mut known = self.known();
        known.last_inbound_ok = Some(Time::now());
        known.last_refusal = refusal;
    }
}
