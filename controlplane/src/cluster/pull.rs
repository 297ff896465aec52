//! Asks one peer for its records: when we start, at every interval, and when an operator says so.
//!
//! The first pull is repeated until it has been answered once, so that a node which comes up before its peers gets what
//! they have; existing nodes never push what they wrote before.

use super::{
    Shared,
    backoff::Backoff,
    link::{LinkError, within},
    message,
    offer::{self, Outcome, Request, Source},
    peer::Peer,
    policy::Kind,
};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// Everything about one pull: connecting, asking, answer.
const LIMIT: Duration = Duration::from_secs(30);
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
        Ok(Outcome::Applied { .. } | Outcome::Duplicate) => {
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
            peer.pull_failed(error.to_string());
        }
    }
    result
}

async fn ask(shared: &Arc<Shared>, peer: &Arc<Peer>) -> Result<Outcome, PullError> {
    let settings = shared.settings();
    let mut link = shared.dial(peer, &settings.token).await?;
    if peer.known().is_self {
        return Err(PullError::Ourselves);
    }
    // What it had confirmed before it is asked is certainly in, or overwritten by, what it answers.
    let acknowledged = if settings.replica_only { u64::MAX } else { peer.known().acknowledged };
    link.send(&message::plain("pull", "")).await?;
    let (body, _share) = link.receive(&shared.budget).await?;
    match offer::read(body).await {
        Request::Records(prepared) => {
            peer.is_node(&prepared.node_id, &shared.node_id());
            let kind = if link.greeting.is_some() { Kind::Ours } else { Kind::Existing };
            let source = Source { via: format!("pulled from {}", peer.address), kind, acknowledged };
            Ok(offer::take(shared, prepared, &source).await?)
        }
        Request::Error(said) => Err(PullError::PeerSays(said.chars().take(200).collect())),
        Request::Bad(bad) => Err(bad.into()),
        Request::Ping | Request::Pull | Request::Other => Err(PullError::Unexpected),
    }
}
