//! Finds out whether a peer answers, and how fast.

use super::{
    Shared,
    link::{LinkError, within},
    peer::Peer,
};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Pause between probes.
const EVERY: Duration = Duration::from_secs(30);
/// Everything about one probe: connecting, authenticating, `pong`.
const LIMIT: Duration = Duration::from_secs(15);

/// Probes this peer until stopped: at once, then at intervals, and whenever a push or pull speaks against the last probe.
pub(super) async fn run(shared: Arc<Shared>, peer: Arc<Peer>, stop: CancellationToken) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
            () = peer.doubt.notified() => ticks.reset(),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = once(&shared, &peer) => {}
        }
    }
}

async fn once(shared: &Arc<Shared>, peer: &Arc<Peer>) {
    let started = Instant::now();
    let probing = async {
        let token = shared.settings().token.clone();
        shared.dial(peer, &token).await?.receipt().await
    };
    match within::<_, LinkError>(LIMIT, probing).await {
        Ok(()) => {
            if peer.probe_worked(started.elapsed()) {
                peer.poke.notify_one();
            }
        }
        Err(error) => peer.probe_failed(error.to_string()),
    }
}
