//! Brings one peer what our records have become, whenever there is a write that it has not confirmed.
//!
//! To an existing node only our own writes go, keyed on our own sequence: applying somebody's snapshot pushes nothing (R2). A
//! peer that agreed `relay` is sent whatever we hold, under the name of its writer, so that any connected topology converges.
//! One push is under way at a time and always takes the newest records, so changes that come meanwhile travel together
//! (R10). A push that could not be delivered is tried again with whatever we hold by then: if a peer's snapshot has
//! replaced our write meanwhile, that is what our store says now, and what an existing node would send. Only the peer whose
//! snapshot it was is left out: sending it its own records back could undo what it has written since.

use super::{
    Shared,
    backoff::Backoff,
    extension::{Ack, Label, Word},
    features::Features,
    link::{Link, LinkError, within},
    message::TooLarge,
    outgoing::Outgoing,
    peer::Peer,
    policy::Kind,
};
use crate::{config::SyncPolicy, store::View};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// Everything about one push: connecting, sending, receipt.
const LIMIT: Duration = Duration::from_secs(30);
/// The same for a snapshot in parts, and each step of it.
const LONG_LIMIT: Duration = Duration::from_secs(600);
const STEP: Duration = Duration::from_secs(30);
/// A peer that agreed to `ack` answers short frames within this time, or the connection is dead.
const ANSWER: Duration = Duration::from_secs(10);
/// Between the starts of two pushes: what changes within it travels together. The first change never waits.
const GATHER: Duration = Duration::from_millis(5);
/// The same where only differences travel.
const GATHER_DELTAS: Duration = Duration::from_millis(1);
/// The same for existing nodes under `global_lww`, which tell snapshots apart by the second (R4).
const GATHER_SECONDS: Duration = Duration::from_secs(1);
/// Somebody else's write is passed on a little later, by a different while on each node: whoever has it from another by
/// then says so, and is spared.
const RELAY_SPREAD: Duration = Duration::from_millis(20);
/// First pause after a failed push.
const FIRST_RETRY: Duration = Duration::from_millis(100);
/// Longest pause after failed pushes.
const LAST_RETRY: Duration = Duration::from_secs(30);
/// A connection to an existing node waits this long for the next push. It closes its end after 120 s; ours must be gone before.
const KEEP: Duration = Duration::from_secs(10);
/// Differences tried in one push before the whole is sent.
const TRIES: usize = 3;

/// Why a push failed.
#[derive(Debug, thiserror::Error)]
enum PushError {
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}

/// What became of a push that reached the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Delivered {
    /// It holds this now.
    Confirmed(Label),
    /// It takes it not, and why.
    Refused(Label, String),
    /// There was nothing to send.
    Nothing,
}

/// What is needed to push to one peer.
struct Pusher {
    shared: Arc<Shared>,
    peer: Arc<Peer>,
    /// A connection to a node that did not agree to `keep`.
    link: Option<Link>,
    link_until: Instant,
    backoff: Backoff,
    /// Not before then, unless something newer is there to send.
    not_before: Instant,
    last_start: Option<Instant>,
    tried: Option<Label>,
    /// What is due, and when it is passed on at the earliest.
    pending: Option<(Label, Instant)>,
}

/// Pushes to this peer until stopped.
pub(super) async fn run(shared: Arc<Shared>, peer: Arc<Peer>, stop: CancellationToken) {
    let now = Instant::now();
    let mut pusher = Pusher {
        shared,
        peer,
        link: None,
        link_until: now,
        backoff: Backoff::new(FIRST_RETRY, LAST_RETRY),
        not_before: now,
        last_start: None,
        tried: None,
        pending: None,
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = pusher.run() => {}
    }
}

impl Pusher {
    async fn run(&mut self) {
        let mut views = self.shared.store.watch();
        let mut settings = self.shared.settings.clone();
        let mut first_pulls = self.shared.first_pulls.subscribe();
        loop {
            views.borrow_and_update();
            settings.borrow_and_update();
            first_pulls.borrow_and_update();
            let due = self.due();
            if due.is_some_and(|at| at <= Instant::now()) {
                self.turn().await;
                continue;
            }
            let peer = Arc::clone(&self.peer);
            tokio::select! {
                Ok(()) = views.changed() => {}
                Ok(()) = settings.changed() => {}
                Ok(()) = first_pulls.changed() => {}
                () = peer.poke.notified() => self.not_before = Instant::now(),
                () = sleep_until(due.unwrap_or(self.link_until)), if due.is_some() => {}
                () = sleep_until(self.link_until), if self.link.is_some() => self.link = None,
            }
        }
    }

    /// When to push, if this peer should have something that it has not.
    fn due(&mut self) -> Option<Instant> {
        let view = self.shared.store.view();
        let Some(label) = self.shared.owed(&self.peer, &view) else {
            self.pending = None;
            return None;
        };
        let own = label.node_id == self.shared.node_id();
        // What was written before we started waits until we have asked the others what was written meanwhile.
        if own && view.own.seq <= self.shared.seq_at_start() && *self.shared.first_pulls.borrow() > 0 {
            return None;
        }
        let now = Instant::now();
        let first = match &self.pending {
            Some((pending, at)) if *pending == label => *at,
            _ if own => now,
            _ => {
                now + RELAY_SPREAD
                    .mul_f64(getrandom::u32().map_or(0.5, |random| f64::from(random) / f64::from(u32::MAX)))
            }
        };
        let newer = self.tried.as_ref() != Some(&label);
        self.pending = Some((label, first));
        let at = match self.last_start {
            Some(last) if newer && self.backoff.is_failing() => self.not_before.min(last + FIRST_RETRY),
            Some(last) if newer => last + self.gather(),
            _ => self.not_before,
        };
        Some(at.max(first))
    }

    fn gather(&self) -> Duration {
        let known = self.peer.known();
        match known.kind {
            Some(Kind::Ours) if known.features.delta => GATHER_DELTAS,
            Some(Kind::Existing) if self.shared.settings().policy == SyncPolicy::GlobalLww => GATHER_SECONDS,
            _ => GATHER,
        }
    }

    async fn turn(&mut self) {
        let started = Instant::now();
        self.last_start = Some(started);
        self.tried = self.pending.as_ref().map(|(label, _)| label.clone());
        let limit = if self.peer.known().features.chunk { LONG_LIMIT } else { LIMIT };
        match within(limit, self.push()).await {
            Ok(delivered) => {
                self.backoff.reset();
                self.not_before = Instant::now();
                self.link_until = Instant::now() + KEEP;
                self.shared.delivered(&self.peer, delivered);
            }
            Err(PushError::TooLarge(too_large)) => {
                self.shared.tell_too_large(too_large);
                let mut known = self.peer.known();
                known.too_large = Some(self.shared.store.view().generation.number);
                known.last_outbound_error = Some(too_large.to_string());
            }
            Err(PushError::Link(error)) => {
                self.link = None;
                self.peer.push_failed(error.to_string());
                // A try that was made early, for something newer, says no more than the one before it: it must not
                // make the pause longer, or a burst of writes would keep a peer waiting that is back at once.
                if started >= self.not_before {
                    self.not_before = Instant::now() + self.backoff.next();
                }
            }
        }
    }

    /// One push, over the open connection if there is one. Its peer may have closed that, which costs a second try.
    async fn push(&mut self) -> Result<Delivered, PushError> {
        let token = self.shared.settings().token.clone();
        let peer = Arc::clone(&self.peer);
        {
            let mut kept = peer.kept.lock().await;
            if let Some(mut link) = kept.take().filter(|link| link.token == token) {
                match deliver(&self.shared, &peer, &mut link, false).await {
                    Err(PushError::Link(_)) => {}
                    result => {
                        *kept = Some(link);
                        return result;
                    }
                }
            }
        }
        if let Some(mut link) = self.link.take().filter(|link| link.token == token) {
            match deliver(&self.shared, &peer, &mut link, false).await {
                Err(PushError::Link(_)) => {}
                result => {
                    self.link = Some(link);
                    return result;
                }
            }
        }
        let mut link = within::<_, LinkError>(STEP, self.shared.dial(&peer, &token)).await?;
        let delivered = deliver(&self.shared, &peer, &mut link, false).await?;
        if link.features.keep {
            *peer.kept.lock().await = Some(link);
        } else {
            self.link = Some(link);
        }
        Ok(delivered)
    }
}

/// Pushes now because an operator says so, also what the peer has confirmed before; over a connection of its own.
pub(super) async fn once(shared: &Arc<Shared>, peer: &Arc<Peer>) -> Result<Delivered, String> {
    let pushing = async {
        let token = shared.settings().token.clone();
        let mut link = within::<_, LinkError>(STEP, shared.dial(peer, &token)).await?;
        deliver(shared, peer, &mut link, true).await
    };
    let delivered = within::<_, PushError>(LONG_LIMIT, pushing).await.map_err(|error| error.to_string())?;
    shared.delivered(peer, delivered.clone());
    Ok(delivered)
}

/// Sends what the peer is owed and waits until it has said what it made of it.
async fn deliver(
    shared: &Arc<Shared>,
    peer: &Arc<Peer>,
    link: &mut Link,
    anyway: bool,
) -> Result<Delivered, PushError> {
    for attempt in 0..=TRIES {
        let view = shared.store.view();
        let owed = if anyway { shared.anyhow_owed(peer, &view) } else { shared.owed(peer, &view) };
        let Some(label) = owed else { return Ok(Delivered::Nothing) };
        let features = link.features;
        let mut theirs = peer.known().hash.filter(|_| features.delta && features.ack && attempt < TRIES);
        if features.keep && theirs.is_none_or(|theirs| shared.history.with(theirs).is_none()) {
            // All of it may be much; that the peer holds it, or nearly, is quickly asked.
            theirs = shared.pulse(peer, link).await?.filter(|_| attempt < TRIES);
        }
        let theirs = theirs.filter(|_| features.delta && features.ack);
        let outgoing = Outgoing::of(shared, &view, &label, features, theirs).await?;
        let (is_delta, is_long) = (outgoing.is_delta(), outgoing.is_long());
        if peer.known().kind != Some(Kind::Ours) {
            shared.store.offered(label.timestamp);
        }
        for frame in outgoing.frames() {
            within(STEP, link.send(frame.as_ref())).await?;
        }
        if !features.ack {
            let theirs = within(STEP, link.pulse(shared.our_pulse())).await?;
            // A plain peer that has taken it in holds what it was sent, as far as anybody can tell.
            peer.it_holds(theirs.hash.unwrap_or_else(|| view.records.hash()));
            return Ok(Delivered::Confirmed(label));
        }
        let patience = if is_delta {
            ANSWER
        } else if is_long {
            LONG_LIMIT
        } else {
            STEP
        };
        let Ack { seq, word, reason, hash } = within(patience, link.ack()).await?;
        peer.it_holds(hash);
        match word {
            _ if seq != label.seq => return Err(LinkError::Unasked.into()),
            Word::Applied | Word::Duplicate => return Ok(Delivered::Confirmed(label)),
            Word::Refused => return Ok(Delivered::Refused(label, reason)),
            Word::NeedFull if !is_delta => return Err(LinkError::Unasked.into()),
            Word::NeedFull => {}
        }
    }
    Err(LinkError::Unasked.into())
}

impl Shared {
    /// Whose write this peer should be told of, if there is one that it does not know of.
    pub(super) fn owed(&self, peer: &Peer, view: &View) -> Option<Label> {
        let mut known = peer.known();
        let label = self.label_for(known.features, view)?;
        let own = label.node_id == self.node_id();
        let silent = self.settings().replica_only
            || known.is_self
            || known.shares_our_id
            || known.being_served > 0
            || known.too_large == Some(view.generation.number)
            || known.holds.as_ref() == Some(&label);
        if silent || known.node_id.as_deref() == Some(&label.node_id) {
            return None;
        }
        if !own {
            return (known.hash != Some(view.records.hash())).then_some(label);
        }
        if label.seq <= known.acknowledged.max(known.superseded) {
            return None;
        }
        let theirs = known
            .node_id
            .as_deref()
            .is_some_and(|node_id| self.content.is_exactly_senders(node_id, view.own.seq, view.records.hash()));
        if theirs {
            known.superseded = view.own.seq;
            return None;
        }
        Some(label)
    }

    /// The same when an operator wants it sent whatever the peer knows.
    fn anyhow_owed(&self, peer: &Peer, view: &View) -> Option<Label> {
        let known = peer.known();
        self.label_for(known.features, view).filter(|_| !known.is_self && !known.shares_our_id)
    }

    /// Under whose name a peer with these features is sent our records.
    pub(super) fn label_for(&self, features: Features, view: &View) -> Option<Label> {
        if features.relay { self.head(view) } else { self.own_label(view) }
    }

    /// Takes in what became of a push. A peer that has it and still holds something else is asked for that at once.
    fn delivered(&self, peer: &Arc<Peer>, delivered: Delivered) {
        match delivered {
            Delivered::Confirmed(label) => {
                let own = (label.node_id == self.node_id()).then_some(label.seq);
                peer.push_confirmed(own);
                peer.known().holds = Some(label);
            }
            Delivered::Refused(label, reason) => {
                peer.push_refused(reason);
                peer.known().holds = Some(label);
            }
            Delivered::Nothing => {}
        }
        if peer.known().features.keep {
            self.compare(peer);
        }
    }
}
