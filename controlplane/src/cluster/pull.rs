//! Asks one peer for its records: when we start, at every interval, and when an operator says so.
//!
//! The first pull is repeated until it has been answered once, so that a node which comes up before its peers gets what
//! they have; existing nodes never push what they wrote before.

use super::{
    Shared,
    backoff::Backoff,
    chunk::Incoming,
    extension::{self, Begin},
    link::{Link, LinkError, within},
    message,
    offer::{self, Outcome, Prepared, Request, Source, Taken},
    peer::Peer,
    policy::Kind,
};
use crate::{config::SyncPolicy, store::wall_ms};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// Connecting and asking, and each frame of the answer.
const STEP: Duration = Duration::from_secs(30);
/// Everything about one pull. Only a snapshot in parts needs more than a step.
const LIMIT: Duration = Duration::from_secs(600);
/// First pause before the first pull is tried again.
const FIRST_RETRY: Duration = Duration::from_millis(500);
/// Longest pause.
const LAST_RETRY: Duration = Duration::from_secs(30);

/// Why a pull brought nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum PullError {
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error("the peer says: {0}")]
    PeerSays(String),
    #[error("the peer's answer was refused: {0}")]
    Bad(#[from] message::BadFrame),
    #[error("the peer answered with neither records nor an error")]
    Unexpected,
    #[error("this peer is ourselves")]
    Ourselves,
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
}

/// Counts this peer's first pull as done, however it ends.
struct FirstPull(Option<Arc<Shared>>);

impl FirstPull {
    fn done(&mut self) {
        if let Some(shared) = self.0.take() {
            shared.first_pulls.send_modify(|left| *left = left.saturating_sub(1));
        }
    }
}

impl Drop for FirstPull {
    fn drop(&mut self) {
        self.done();
    }
}

/// Pulls from this peer until stopped. `counted`: pushes wait for its first pull.
pub(super) async fn run(shared: Arc<Shared>, peer: Arc<Peer>, counted: bool, stop: CancellationToken) {
    let first = FirstPull(counted.then(|| Arc::clone(&shared)));
    tokio::select! {
        () = stop.cancelled() => {}
        () = keep_pulling(shared, peer, first) => {}
    }
}

async fn keep_pulling(shared: Arc<Shared>, peer: Arc<Peer>, mut first: FirstPull) {
    let mut settings = shared.settings.clone();
    let mut backoff = Backoff::new(FIRST_RETRY, LAST_RETRY);
    let mut answered = false;
    loop {
        let result = once(&shared, &peer).await;
        shared.compared(&peer);
        let started = Instant::now();
        first.done();
        answered |= !matches!(result, Err(PullError::Link(_)));
        let retry = (!answered).then(|| started + backoff.next());
        loop {
            let interval = settings.borrow_and_update().sync_interval;
            let next = retry.into_iter().chain(interval.map(|interval| started + interval)).min();
            tokio::select! {
                Ok(()) = settings.changed() => {}
                () = sleep_until(next.unwrap_or(started)), if next.is_some() => break,
                () = peer.differs.notified() => break,
                // Until stopped: nobody can change the settings any more, and there is no interval.
                () = std::future::pending() => {}
            }
        }
    }
}

/// One pull. What became of it is also kept for status.
pub(super) async fn once(shared: &Arc<Shared>, peer: &Arc<Peer>) -> Result<Outcome, PullError> {
    if peer.known().is_self {
        return Err(PullError::Ourselves);
    }
    let result = within(LIMIT, ask(shared, peer)).await;
    match &result {
        Ok(Outcome::Applied { .. } | Outcome::Duplicate | Outcome::NeedFull) => {
            peer.pull_worked();
            peer.known().last_refusal = None;
        }
        Ok(Outcome::Refused(reason)) => {
            peer.pull_worked();
            peer.known().last_refusal = Some(reason.clone());
        }
        Err(PullError::Ourselves) => peer.known().last_pull_error = None,
        Err(error) => {
            if let PullError::Bad(bad) = error {
                shared.inbound.bad_frame(&peer.address, bad);
            }
            let answered = !matches!(error, PullError::Link(_));
            peer.pull_failed(error.to_string(), answered);
        }
    }
    result
}

/// Over the connection that is kept, if there is one; its peer may have closed that, which costs a second try.
async fn ask(shared: &Arc<Shared>, peer: &Arc<Peer>) -> Result<Outcome, PullError> {
    let settings = shared.settings();
    {
        let mut kept = peer.kept.lock().await;
        if let Some(mut link) = kept.take().filter(|link| link.token == settings.token) {
            match ask_over(shared, peer, &mut link).await {
                Err(PullError::Link(_)) => {}
                result => {
                    *kept = Some(link);
                    return result;
                }
            }
        }
    }
    let mut link = within::<_, LinkError>(STEP, shared.dial(peer, &settings.token)).await?;
    if peer.known().is_self {
        return Err(PullError::Ourselves);
    }
    let result = ask_over(shared, peer, &mut link).await;
    if link.features.keep && !matches!(result, Err(PullError::Link(_))) {
        *peer.kept.lock().await = Some(link);
    }
    result
}

async fn ask_over(shared: &Arc<Shared>, peer: &Arc<Peer>, link: &mut Link) -> Result<Outcome, PullError> {
    // What it had confirmed before it is asked is certainly in, or overwritten by, what it answers.
    let acknowledged = if shared.settings().replica_only { u64::MAX } else { peer.known().acknowledged };
    let pull = match link.features.delta {
        true => extension::pull(shared.store.view().records.hash()),
        false => message::plain("pull", ""),
    };
    within(STEP, link.send(&pull)).await?;
    let Some(prepared) = answer(shared, link).await? else { return Ok(Outcome::Duplicate) };
    let greeting = link.greeting.as_ref().map(|greeting| greeting.node_id.clone());
    let ours = greeting.is_some();
    if !ours {
        peer.is_node(&prepared.label.node_id, &shared.node_id());
    }
    let source = source(shared, peer, &prepared, acknowledged, greeting);
    let (label, hash) = (prepared.label.clone(), prepared.hash);
    let Taken { outcome, .. } = offer::take(shared, prepared, &source).await?;
    if outcome == Outcome::NeedFull {
        // Our records have changed since we asked; what we are sent next is about those.
        return Ok(outcome);
    }
    let mut known = peer.known();
    known.hash = Some(hash);
    if ours {
        known.holds = Some(label);
    } else {
        known.pulled = Some((label.seq, seconds()));
    }
    drop(known);
    Ok(outcome)
}

/// The answer to a pull; `None` if the peer turns out to hold what we hold.
async fn answer(shared: &Arc<Shared>, link: &mut Link) -> Result<Option<Prepared>, PullError> {
    match next(shared, link).await?.0 {
        Request::Records(prepared) => Ok(Some(prepared)),
        Request::Begin(begin) => parts(shared, link, begin).await,
        Request::Error(said) => Err(PullError::PeerSays(said.chars().take(200).collect())),
        Request::Bad(bad) => Err(bad.into()),
        _ => Err(PullError::Unexpected),
    }
}

async fn next(shared: &Arc<Shared>, link: &mut Link) -> Result<(Request, usize), LinkError> {
    let received = within(STEP, link.receive(&shared.budget)).await?;
    Ok((received.request, received.octets))
}

/// A snapshot in parts. One is taken in at a time, whoever sends it: that bounds our memory.
async fn parts(shared: &Arc<Shared>, link: &mut Link, begin: Begin) -> Result<Option<Prepared>, PullError> {
    let _turn = shared.long_ones.acquire().await;
    if begin.hash == shared.store.view().records.hash() {
        // Somebody else has brought it meanwhile. Closing the connection is the way not to be sent all of it.
        return Err(LinkError::Closed.into());
    }
    let mut incoming = Incoming::new(begin);
    loop {
        match next(shared, link).await? {
            (Request::Part(records), octets) => incoming.part(records, octets)?,
            (Request::End, _) => return Ok(Some(crate::blocking::beside(move || incoming.finish()).await?)),
            (Request::Bad(bad), _) => return Err(bad.into()),
            _ => return Err(PullError::Unexpected),
        }
    }
}

/// How to judge what came. An existing node stamps its answer with the time of sending. Where times decide, all we know of
/// its write then is that it was made after the last answer that did not have it.
fn source(shared: &Shared, peer: &Peer, prepared: &Prepared, acknowledged: u64, greeting: Option<String>) -> Source {
    let ours = greeting.is_some();
    let mut known = peer.known();
    let label = &prepared.label;
    let kind = if ours { Kind::Ours } else { Kind::Existing };
    if !ours && label.timestamp > 0 {
        known.skew_ms = Some((label.timestamp - seconds()).saturating_mul(1000));
    }
    let times_decide = shared.settings().policy == SyncPolicy::GlobalLww;
    let not_before = (!ours && times_decide).then(|| match known.pulled {
        Some((seq, at)) if seq < label.seq => at,
        _ => 1,
    });
    let writer_held = known.hash.filter(|_| !ours && known.node_id.as_deref() == Some(&label.node_id));
    let via = format!("pulled from {}", peer.address);
    Source { via, kind, peer: greeting, acknowledged, not_before, writer_held }
}

fn seconds() -> i64 {
    i64::try_from(wall_ms() / 1000).unwrap_or(i64::MAX)
}

impl Shared {
    /// A pull has ended: what both hold now is noted, so that nobody asks again until something changes.
    fn compared(&self, peer: &Peer) {
        let ours = self.store.view().records.hash();
        let mut known = peer.known();
        known.compared = known.hash.filter(|theirs| *theirs != ours).map(|theirs| (ours, theirs));
    }
}
