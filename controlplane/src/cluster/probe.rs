//! Finds out whether a peer answers, and how fast.

use super::{
    Shared,
    link::{LinkError, within},
    peer::Peer,
};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

/// Pause between probes.
const EVERY: Duration = Duration::from_secs(30);
/// Everything about one probe: connecting, authenticating, `pong`.
const LIMIT: Duration = Duration::from_secs(15);
/// A connection that is in use for longer than this need not be probed.
const BUSY: Duration = Duration::from_secs(5);

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
    match within::<_, LinkError>(LIMIT, ping(shared, peer)).await {
        Ok(Some(waited)) => {
            if peer.probe_worked(started.elapsed().saturating_sub(waited)) {
                peer.poke.notify_one();
            }
            shared.compare(peer);
        }
        Ok(None) => {}
        Err(error) => peer.probe_failed(error.to_string()),
    }
}

/// Over the connection that is kept, if there is one, which this also keeps alive. How long we waited for it; `None` if it
/// is in use: that will show whether the peer is there.
async fn ping(shared: &Arc<Shared>, peer: &Arc<Peer>) -> Result<Option<Duration>, LinkError> {
    let token = shared.settings().token.clone();
    let started = Instant::now();
    let Ok(mut kept) = timeout(BUSY, peer.kept.lock()).await else { return Ok(None) };
    let mut waited = started.elapsed();
    if let Some(mut link) = kept.take().filter(|link| link.token == token) {
        let asked = Instant::now();
        if shared.pulse(peer, &mut link).await.is_ok() {
            *kept = Some(link);
            return Ok(Some(waited));
        }
        waited += asked.elapsed();
    }
    // Whoever else wants to connect need not wait until we have.
    drop(kept);
    let mut link = shared.dial(peer, &token).await?;
    shared.pulse(peer, &mut link).await?;
    if link.features.keep {
        *peer.kept.lock().await = Some(link);
    }
    Ok(Some(waited))
}
