//! Fetches what nobody remembers: one question to servers for all clients that wait for its answer.
//!
//! ```text
//! listeners → lanes (bounded queues) → fetches → ports (UDP) or clients of exchange → cache → answer again → clients
//! ```
//! A few threads share the names among them, so that equal questions meet. Each runs everything of its own, without locks and
//! without a task per question: what came in is worked off in bursts, and what a burst wants to say, to servers and to
//! clients, leaves at its end, many datagrams per system call.
//!
//! Whatever happens, a client has a reply within the time that settings give it; and whatever strangers do, what is held is bounded: in
//! queues, in fetches, in clients that wait.

mod check;
mod connect;
mod core;
mod failures;
mod fetches;
mod hear;
mod lane;
mod mail;
mod peers;
mod turn;
mod wheel;

pub(crate) use fetches::Key;

use super::{
    Cache, Failure, Fetched, Wanted,
    upstream::{Book, UpstreamState},
};
use crate::{
    Cookies, Current, Limiter, Transport,
    counters::{Counters, Registry},
    listen::batch::{Outlet, Return},
};
use dnsplane_proto::{Probes, Settings};
use foldhash::quality::RandomState;
use lane::{Job, Lane};
use mail::Desk;
use std::{
    hash::BuildHasher,
    io,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

/// Fetches under way at the same time, in all threads together. More are not begun: their clients get SERVFAIL, or what is stale.
const MOST_FETCHES: usize = 10_000;
/// Clients that wait at the same time, in all threads together.
const MOST_CLIENTS: usize = 20_000;
/// Failures in a row that make a server unhealthy, unless settings say otherwise.
const FAILURES: u32 = 3;

/// A client that waits for its answer.
#[derive(Debug)]
pub struct Client {
    /// Its query.
    pub query: Box<[u8]>,
    /// How it came.
    pub transport: Transport,
    /// Where it came from.
    pub address: IpAddr,
    /// Where its reply goes.
    pub way_back: WayBack,
}

/// Where a reply goes.
#[derive(Debug)]
pub enum WayBack {
    /// Out of the socket that the query came in by.
    Udp(Datagram),
    /// To whoever has the connection: a message, without a length in front. What it has no room for is lost.
    Stream(mpsc::Sender<Vec<u8>>),
}

/// A reply by datagram.
#[derive(Debug)]
pub struct Datagram {
    pub(crate) outlet: Outlet,
    pub(crate) to: Return,
}

/// What the engine works with.
pub struct Parts {
    /// What queries are answered from.
    pub current: Arc<Current>,
    /// Where counts go.
    pub registry: Arc<Registry>,
    /// Makes the server cookies of replies.
    pub cookies: Arc<Cookies>,
    /// What a client may have.
    pub limiter: Arc<Limiter>,
    /// What is told of how to resolve.
    pub settings: watch::Receiver<Option<Arc<Settings>>>,
}

/// The handle of the engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    lanes: Vec<Arc<Lane>>,
    hasher: RandomState,
    desk: Desk,
    book: Arc<Book>,
    settings: watch::Receiver<Option<Arc<Settings>>>,
    /// Of replies to clients for whom no queue had room.
    overflow: Mutex<Arc<Counters>>,
}

/// The engine could not start.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// No thread could be started.
    #[error("cannot start a thread that resolves")]
    Thread(#[from] io::Error),
    /// The system gave no random octets.
    #[error("cannot draw random numbers")]
    Random(#[from] getrandom::Error),
}

impl Engine {
    /// Starts so many threads; they end after `stop`.
    pub fn start(parts: Parts, threads: usize, stop: &CancellationToken) -> Result<Self, EngineError> {
        let Parts { current, registry, cookies, limiter, settings } = parts;
        let cache = Arc::new(Cache::default());
        cache.obey(settings.borrow().as_ref().and_then(|settings| settings.resolving.cache));
        let desk = Desk { current, cookies, limiter, cache };
        let (book, court) = (Arc::new(Book::default()), Arc::default());
        let lanes: Vec<_> = (0..threads.max(1)).map(|_| Arc::new(Lane::default())).collect();
        for (number, lane) in lanes.iter().enumerate() {
            let setup = turn::Setup {
                number,
                lane: lane.clone(),
                desk: desk.clone(),
                book: book.clone(),
                court: Arc::clone(&court),
                counters: registry.register(),
                settings: settings.clone(),
                most_fetches: MOST_FETCHES / lanes.len(),
                most_clients: MOST_CLIENTS / lanes.len(),
                random: super::upstream::random::Random::new()?,
                stop: stop.clone(),
            };
            turn::start(setup)?;
        }
        let overflow = Mutex::new(registry.register());
        let shared = Shared { lanes, hasher: RandomState::default(), desk, book, settings, overflow };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// What is remembered.
    pub fn cache(&self) -> &Arc<Cache> {
        &self.shared.desk.cache
    }

    /// Has this fetched. The client, if there is one, has its reply within the time that settings give it. Never waits.
    pub fn resolve(&self, wanted: Box<Wanted>, client: Option<Client>) {
        if let Some(Job::Resolve(wanted, Some(client))) = self.lane(&wanted).push(Job::Resolve(wanted, client)) {
            self.refuse(&wanted, &client);
        }
    }

    /// The same for all that a batch of queries wants. Leaves `jobs` empty.
    pub(crate) fn resolve_all(&self, jobs: &mut Vec<(Box<Wanted>, Option<Client>)>) {
        let shared = &*self.shared;
        for lane in &shared.lanes {
            let is_its = |wanted: &Wanted| shared.lanes.len() == 1 || Arc::ptr_eq(self.lane(wanted), lane);
            let its = jobs.extract_if(.., |(wanted, _)| is_its(wanted));
            let refused = lane.push_all(its.map(|(wanted, client)| Job::Resolve(wanted, client)));
            for job in refused {
                if let Job::Resolve(wanted, Some(client)) = job {
                    self.refuse(&wanted, &client);
                }
            }
        }
    }

    /// Fetches this and says what came of it.
    pub async fn fetch(&self, wanted: Wanted) -> Fetched {
        let (teller, told) = oneshot::channel();
        let wanted = Box::new(wanted);
        // A job that no queue took was dropped, and the teller with it.
        drop(self.lane(&wanted).push(Job::Tell(wanted, teller)));
        told.await.unwrap_or(Fetched::Failed(Failure::Busy))
    }

    /// How the servers are doing.
    pub fn upstreams(&self) -> Vec<UpstreamState> {
        let failures = failures(self.shared.settings.borrow().as_ref());
        self.shared.book.states(&self.shared.desk.current.load().upstreams, failures)
    }

    fn lane(&self, wanted: &Wanted) -> &Arc<Lane> {
        let lanes = &self.shared.lanes;
        let number = if lanes.len() == 1 { 0 } else { self.shared.hasher.hash_one(wanted) as usize % lanes.len() };
        &lanes[number]
    }

    /// Answers that too much is being fetched already.
    fn refuse(&self, wanted: &Wanted, client: &Client) {
        let (desk, now) = (&self.shared.desk, crate::listen::now());
        let (snapshot, fetched) = (desk.current.load(), Fetched::Failed(Failure::Busy));
        let mut mail = mail::Mail::default();
        let outcome = mail.reply(desk, &snapshot, client, (wanted, &fetched), now);
        let unsent = mail.send();
        let counters = self.shared.overflow.lock().unwrap_or_else(PoisonError::into_inner);
        mail::count(&counters, &outcome);
        counters.send_errors.add(unsent as u64);
    }
}

/// Failures in a row that make a server unhealthy.
fn failures(settings: Option<&Arc<Settings>>) -> u32 {
    let probes: Option<&Probes> = settings.and_then(|settings| settings.resolving.probes.as_ref());
    probes.map_or(FAILURES, |probes| probes.failures)
}
