//! Where messages that came in streams are answered, whatever carried them: TCP, TLS, HTTPS, QUIC.
//!
//! Most replies are there at once. What must be fetched first is handed to the resolver with a way back, and its reply comes
//! when it comes: a connection goes on meanwhile.

use super::places::Places;
use crate::{
    Cache, Cookies, Limiter, Snapshot,
    answer::{Asker, Known, Outcome, TCP_IDLE, Transport},
    counters::{Counters, Registry},
    current::Current,
    resolve::{Client, Wanted, WayBack},
};
use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{sync::mpsc, time::timeout};
use tokio_util::task::TaskTracker;

/// A resolver replies within its time-out; one that has not by so much later never will.
const GRACE: Duration = Duration::from_secs(1);

/// Has something fetched, for somebody who waits or to have it ready. Never blocks.
pub(super) type Fetch = Arc<dyn Fn(Box<Wanted>, Option<Client>) + Send + Sync>;

/// How patient we are.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    /// How long a connection may be silent, or take for one query.
    pub(super) idle: Duration,
    /// How long a client may take to read what it asked for.
    pub(super) write: Duration,
    /// How long a TLS or QUIC handshake may take.
    pub(super) handshake: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { idle: TCP_IDLE, write: Duration::from_secs(5), handshake: Duration::from_secs(5) }
    }
}

/// What all streams of this process share.
pub(super) struct Desk {
    current: Arc<Current>,
    pub(super) counters: Arc<Counters>,
    cookies: Arc<Cookies>,
    limiter: Arc<Limiter>,
    fetch: Fetch,
    cache: Arc<Cache>,
    /// Milliseconds within which the resolver replies.
    resolver_timeout: AtomicU64,
    pub(super) places: Arc<Places>,
    pub(super) tasks: TaskTracker,
    pub(super) patience: Patience,
}

/// Why a message gets no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoReply {
    /// It was no query.
    NotAQuery,
    /// There was none to be had.
    Nothing,
}

impl Desk {
    pub(super) fn new(
        current: Arc<Current>,
        registry: &Registry,
        cookies: Arc<Cookies>,
        limiter: Arc<Limiter>,
        fetch: Fetch,
        cache: Arc<Cache>,
        patience: Patience,
    ) -> Arc<Self> {
        Arc::new(Self {
            patience,
            cookies,
            limiter,
            current,
            fetch,
            cache,
            resolver_timeout: AtomicU64::new(0),
            counters: registry.register(),
            places: Arc::default(),
            tasks: TaskTracker::new(),
        })
    }

    /// The resolver replies within this time from now on.
    pub(super) fn resolver_replies_within(&self, timeout: Duration) {
        self.resolver_timeout.store(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX), Relaxed);
    }

    /// After so long, no reply comes any more.
    pub(super) fn longest_wait(&self) -> Duration {
        Duration::from_millis(self.resolver_timeout.load(Relaxed)).saturating_add(GRACE)
    }

    /// What is answered from at this moment.
    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load()
    }

    /// Appends the reply to one message, if there is one at once, and counts what became of it.
    #[inline]
    pub(super) fn answer(&self, query: &[u8], from: &From<'_>, counts: &Counters, reply: &mut Vec<u8>) -> Outcome {
        match from.transport {
            Transport::Tls => counts.dot_queries.increment(),
            Transport::Https => counts.doh_queries.increment(),
            Transport::Quic => counts.doq_queries.increment(),
            Transport::Udp | Transport::Tcp => counts.tcp_queries.increment(),
        }
        let asker = Asker {
            transport: from.transport,
            address: from.address,
            now: from.now,
            cookies: &self.cookies,
            known: Known { cache: Some(&self.cache), fetched: None },
        };
        let outcome = self.limiter.answer(query, &asker, from.snapshot, reply);
        counts.count(&outcome);
        outcome
    }

    /// Has something fetched: the reply to `client` comes later.
    pub(super) fn fetch(&self, wanted: Box<Wanted>, client: Option<Client>) {
        (self.fetch)(wanted, client);
    }

    /// The reply to one message, however long it takes.
    pub(super) async fn reply_to(
        &self,
        query: &[u8],
        transport: Transport,
        address: IpAddr,
    ) -> Result<Vec<u8>, NoReply> {
        let mut reply = Vec::new();
        let outcome = {
            let counts = Counters::default();
            let from = From { transport, address, now: super::now(), snapshot: &self.snapshot() };
            let outcome = self.answer(query, &from, &counts, &mut reply);
            self.counters.add_all(&counts);
            outcome
        };
        let wanted = match outcome {
            Outcome::Replied(_) => return Ok(reply),
            Outcome::ToRenew(_, wanted) => {
                self.fetch(wanted, None);
                return Ok(reply);
            }
            Outcome::Dropped => return Err(NoReply::NotAQuery),
            Outcome::Withheld => return Err(NoReply::Nothing),
            Outcome::Unresolved(wanted) => wanted,
        };
        let (way_back, mut replies) = mpsc::channel(1);
        let way_back = WayBack::Stream(way_back);
        self.fetch(wanted, Some(Client { query: query.into(), transport, address, way_back }));
        timeout(self.longest_wait(), replies.recv()).await.ok().flatten().ok_or(NoReply::Nothing)
    }

    /// Waits until all connections are closed.
    pub(super) async fn drained(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Where messages come from, and what they are answered from.
pub(super) struct From<'a> {
    pub(super) transport: Transport,
    pub(super) address: IpAddr,
    pub(super) now: u32,
    pub(super) snapshot: &'a Snapshot,
}
