//! Sends our records to one peer, whenever we have written something that it has not confirmed.
//!
//! What is pushed is keyed on our own sequence, not on the generation: applying somebody's snapshot pushes nothing (R2).
//! One push is under way at a time and always takes the newest records, so changes that come meanwhile travel together
//! (R10). A push that could not be delivered is tried again with whatever we hold by then: if a peer's snapshot has
//! replaced our write meanwhile, that is what our store says now, and what an existing node would send. Only the peer whose
//! snapshot it was is left out: sending it its own records back could undo what it has written since.

use super::{
    Shared,
    backoff::Backoff,
    link::{Link, LinkError, within},
    message::TooLarge,
    peer::Peer,
};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// Everything about one push: connecting, sending, receipt.
const LIMIT: Duration = Duration::from_secs(30);
/// Between the starts of two pushes: what changes within it travels together. The first change never waits.
const GATHER: Duration = Duration::from_millis(5);
/// First pause after a failed push.
const FIRST_RETRY: Duration = Duration::from_millis(100);
/// Longest pause after failed pushes.
const LAST_RETRY: Duration = Duration::from_secs(30);
/// A connection waits this long for the next push. Existing nodes close theirs after 120 s; ours must be gone before.
const KEEP: Duration = Duration::from_secs(10);

/// Why a push failed.
#[derive(Debug, thiserror::Error)]
enum PushError {
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}

/// What is needed to push to one peer.
struct Pusher {
    shared: Arc<Shared>,
    peer: Arc<Peer>,
    link: Option<Link>,
    link_until: Instant,
    backoff: Backoff,
    /// Not before then, unless something newer is there to send.
    not_before: Instant,
    last_start: Option<Instant>,
    tried: u64,
}

/// Pushes to this peer until stopped.
pub(super) async fn run(shared: Arc<Shared>, peer: Arc<Peer>, stop: CancellationToken) {
    let now = Instant::now();
    let backoff = Backoff::new(FIRST_RETRY, LAST_RETRY);
    let mut pusher =
        Pusher { shared, peer, link: None, link_until: now, backoff, not_before: now, last_start: None, tried: 0 };
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
            let due = self.due().map(|seq| self.when(seq));
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

    /// Our sequence, if this peer should have it and has not.
    fn due(&self) -> Option<u64> {
        let (settings, view) = (self.shared.settings(), self.shared.store.view());
        let known = self.peer.known();
        let seq = view.own.seq;
        let wanted = seq > known.acknowledged.max(known.superseded)
            && !settings.replica_only
            && !known.is_self
            && !known.shares_our_id
            && known.too_large != Some(view.generation.number);
        // What was written before we started waits until we have asked the others what was written meanwhile.
        (wanted && (seq > self.shared.seq_at_start() || *self.shared.first_pulls.borrow() == 0)).then_some(seq)
    }

    /// When to try: after the pause, but for something newer almost at once.
    fn when(&self, seq: u64) -> Instant {
        match self.last_start {
            Some(last) if seq > self.tried && self.backoff.is_failing() => self.not_before.min(last + FIRST_RETRY),
            Some(last) if seq > self.tried => last + GATHER,
            _ => self.not_before,
        }
    }

    async fn turn(&mut self) {
        self.last_start = Some(Instant::now());
        self.tried = self.shared.store.view().own.seq;
        match within(LIMIT, self.push()).await {
            Ok(confirmed) => {
                self.backoff.reset();
                self.not_before = Instant::now();
                self.link_until = Instant::now() + KEEP;
                if let Some(seq) = confirmed {
                    self.peer.push_confirmed(seq);
                }
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
                self.not_before = Instant::now() + self.backoff.next();
            }
        }
    }

    /// One push, over the open connection if there is one. Its peer may have closed that, which costs a second try.
    async fn push(&mut self) -> Result<Option<u64>, PushError> {
        let token = self.shared.settings().token.clone();
        if let Some(mut link) = self.link.take().filter(|link| link.token == token) {
            match self.send(&mut link).await {
                Ok(confirmed) => {
                    self.link = Some(link);
                    return Ok(confirmed);
                }
                Err(PushError::Link(_)) => {}
                Err(other) => return Err(other),
            }
        }
        let mut link = self.shared.dial(&self.peer, &token).await?;
        let confirmed = self.send(&mut link).await?;
        self.link = Some(link);
        Ok(confirmed)
    }

    /// Sends the newest records and waits for the receipt; `None` if there turns out to be nothing to send.
    async fn send(&self, link: &mut Link) -> Result<Option<u64>, PushError> {
        let view = self.shared.store.view();
        {
            let mut known = self.peer.known();
            let theirs = known.node_id.as_deref().is_some_and(|node_id| {
                self.shared.content.is_exactly_senders(node_id, view.own.seq, view.records.hash())
            });
            if theirs {
                known.superseded = view.own.seq;
            }
            if theirs || known.is_self || known.shares_our_id {
                return Ok(None);
            }
        }
        let snapshot = self.shared.snapshots.of(self.shared.node_id(), view).await?;
        link.send(&snapshot.frame).await?;
        link.receipt().await?;
        Ok(Some(snapshot.seq))
    }
}
