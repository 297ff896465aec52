//! The sockets: makes those that are open match those that the settings ask for.
//!
//! New addresses are bound before old ones are given up, so a change of the list loses no query on an address that stays.
//! An address that cannot be bound does not keep the others from answering; it is tried again each second, and why it
//! failed is said once in the log and in every report.

pub(crate) mod batch;
mod certificate;
mod desk;
mod doors;
pub mod framing;
mod https;
mod places;
mod quic;
mod tcp;
mod tls;
mod udp;

use crate::{Cookies, Limiter, counters::Registry, current::Current, resolve::Engine};
use desk::{Desk, Fetch, Patience};
use dnsplane_proto::Settings;
use doors::Doors;
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::{sync::watch, task::JoinHandle, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// How often failed binds are tried again, and threads are looked after.
const RETRY: Duration = Duration::from_secs(1);
/// Tries to find a port that is free for UDP and TCP, when any port will do.
const FREE_PORT_TRIES: usize = 20;

/// What the sockets are at, for reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listening {
    /// Sockets that answer, such as `udp 127.0.0.1:53`.
    pub sockets: Vec<String>,
    /// Why a socket that the settings ask for is not open; empty when all are.
    pub error: String,
}

/// A socket could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {protocol} {address}: {}", advice(source, "port"))]
struct BindError {
    protocol: &'static str,
    address: SocketAddr,
    source: io::Error,
}

/// Owner of all sockets and their threads.
pub struct Listeners {
    threads: usize,
    current: Arc<Current>,
    registry: Arc<Registry>,
    cookies: Arc<Cookies>,
    limiter: Arc<Limiter>,
    engine: Engine,
    desk: Arc<Desk>,
    doors: Doors,
    open: BTreeMap<SocketAddr, Endpoint>,
    state: watch::Sender<Listening>,
    pulse: Arc<Pulse>,
}

impl Listeners {
    /// Without any socket. `threads` answer on each address.
    pub fn new(
        threads: usize,
        current: Arc<Current>,
        registry: Arc<Registry>,
        cookies: Arc<Cookies>,
        limiter: Arc<Limiter>,
        engine: Engine,
    ) -> Self {
        let resolver = engine.clone();
        let fetch: Fetch = Arc::new(move |wanted, client| resolver.resolve(wanted, client));
        let (cache, patience) = (engine.cache().clone(), Patience::default());
        let desk = Desk::new(current.clone(), &registry, cookies.clone(), limiter.clone(), fetch, cache, patience);
        let (state, _) = watch::channel(Listening::default());
        let doors = Doors::new(desk.clone());
        let (open, pulse) = (BTreeMap::new(), Arc::default());
        Self { threads, current, registry, cookies, limiter, engine, desk, doors, open, state, pulse }
    }

    /// What the sockets are at, now and later.
    pub fn state(&self) -> watch::Receiver<Listening> {
        self.state.subscribe()
    }

    /// Tells whether the query threads live.
    pub fn pulse(&self) -> Arc<Pulse> {
        self.pulse.clone()
    }

    /// Follows the settings until `stop`, then closes everything, connections last.
    pub async fn run(mut self, mut settings: watch::Receiver<Option<Arc<Settings>>>, stop: CancellationToken) {
        let mut retry = tokio::time::interval(RETRY);
        retry.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let wanted = settings.borrow_and_update().clone();
            if let Some(wanted) = wanted {
                self.desk.resolver_replies_within(wanted.resolving.timeout);
                let mut errors = self.match_to(&wanted.listen.iter().copied().collect());
                errors.extend(self.doors.match_to(&wanted.doors));
                self.report(errors.join("; "));
            }
            tokio::select! {
                () = stop.cancelled() => break,
                changed = settings.changed() => if changed.is_err() { break },
                () = self.doors.news() => {}
                _ = retry.tick() => {}
            }
        }
        self.doors.close();
        let open = std::mem::take(&mut self.open);
        open.values().for_each(Endpoint::stop);
        let threads = tokio::task::spawn_blocking(move || drop(open));
        self.desk.drained().await;
        let _ = threads.await;
    }

    /// Opens and closes what answers without encryption; returns what is wrong.
    fn match_to(&mut self, wanted: &BTreeSet<SocketAddr>) -> Vec<String> {
        // A thread that panicked took its socket with it; the others of its group would go on without its clients.
        let dead: Vec<_> = self.open.iter().filter(|(_, endpoint)| endpoint.is_dead()).map(|(at, _)| *at).collect();
        for address in dead {
            warn!(%address, "a query thread has ended; its address is opened anew");
            if let Some(endpoint) = self.open.remove(&address) {
                endpoint.retire();
            }
        }
        let mut errors = Vec::new();
        for address in wanted {
            if self.open.contains_key(address) {
                continue;
            }
            match self.open_endpoint(*address) {
                Ok(endpoint) => {
                    info!(address = %endpoint.bound, threads = self.threads, "listening on UDP and TCP");
                    self.open.insert(*address, endpoint);
                }
                Err(error) => errors.push(error.to_string()),
            }
        }
        for (_, endpoint) in self.open.extract_if(.., |address, _| !wanted.contains(address)) {
            info!(address = %endpoint.bound, "no longer listening");
            endpoint.retire();
        }
        errors
    }

    fn report(&self, error: String) {
        let bound = |protocol: &'static str| self.open.values().map(move |open| format!("{protocol} {}", open.bound));
        let sockets = bound("udp").chain(bound("tcp")).chain(self.doors.sockets()).collect();
        let now = Listening { sockets, error };
        self.pulse.watch(self.open.values());
        self.state.send_if_modified(|before| {
            if *before == now {
                return false;
            }
            if !now.error.is_empty() && before.error != now.error {
                warn!("{}; trying again each second", now.error);
            }
            *before = now;
            true
        });
    }

    fn open_endpoint(&self, address: SocketAddr) -> Result<Endpoint, BindError> {
        let tries = if address.port() == 0 { FREE_PORT_TRIES } else { 1 };
        let mut result = self.try_open(address);
        for _ in 1..tries {
            if result.is_ok() {
                break;
            }
            result = self.try_open(address);
        }
        result
    }

    fn try_open(&self, address: SocketAddr) -> Result<Endpoint, BindError> {
        let udp_error = |source| BindError { protocol: "UDP", address, source };
        // Our own sockets on this port would look like somebody else's.
        if !self.open.keys().any(|open| open.port() == address.port()) {
            udp::is_taken(address).map_err(udp_error)?;
        }
        let first = udp::bind(address).map_err(udp_error)?;
        let bound = first.local_addr().map_err(udp_error)?;
        let tcp = tcp::bind(bound).map_err(|source| BindError { protocol: "TCP", address: bound, source })?;
        let mut sockets = vec![first];
        for _ in 1..self.threads {
            sockets.push(udp::bind(bound).map_err(udp_error)?);
        }
        // All sockets are there before the first thread starts, so that the kernel's spreading does not change midway.
        let start = |socket| {
            udp::Worker::start(socket, &self.current, &self.registry, &self.cookies, &self.limiter, &self.engine)
        };
        let workers = sockets.into_iter().map(start).collect::<io::Result<_>>().map_err(udp_error)?;
        let stop = CancellationToken::new();
        let accept = tokio::spawn(tcp::serve(tcp, self.desk.clone(), stop.clone()));
        Ok(Endpoint { bound, workers, accept, stop })
    }
}

/// One address: its query threads and its TCP listener.
struct Endpoint {
    bound: SocketAddr,
    workers: Vec<udp::Worker>,
    accept: JoinHandle<()>,
    stop: CancellationToken,
}

impl Endpoint {
    fn stop(&self) {
        self.stop.cancel();
        self.workers.iter().for_each(udp::Worker::stop);
    }

    /// Stops without keeping the caller waiting for the threads.
    fn retire(self) {
        self.stop();
        tokio::task::spawn_blocking(move || drop(self));
    }

    fn is_dead(&self) -> bool {
        self.accept.is_finished() || self.workers.iter().any(udp::Worker::is_finished)
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Whether the query threads live. Asked by the watchdog.
#[derive(Default)]
pub struct Pulse {
    last: Mutex<Beats>,
    stuck: AtomicBool,
}

#[derive(Default)]
struct Beats {
    taken: Option<Instant>,
    beats: Vec<u64>,
}

impl Pulse {
    /// `false` while some thread has gone through a whole second without looking up.
    pub fn is_steady(&self) -> bool {
        !self.stuck.load(Relaxed)
    }

    fn watch<'a>(&self, endpoints: impl Iterator<Item = &'a Endpoint>) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // Less than a second says nothing: a thread may wait for a query for a good part of it.
        if last.taken.is_some_and(|taken| taken.elapsed() < RETRY) {
            return;
        }
        let now: Vec<u64> = endpoints.flat_map(|endpoint| &endpoint.workers).map(udp::Worker::heartbeat).collect();
        let stuck = last.beats.len() == now.len() && last.beats.iter().zip(&now).any(|(before, now)| before == now);
        self.stuck.store(stuck, Relaxed);
        *last = Beats { taken: Some(Instant::now()), beats: now };
    }
}

/// A socket with the options that UDP and TCP share.
fn socket(address: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if address.is_ipv6() {
        // So that `0.0.0.0` and `[::]` can both be bound.
        socket.set_only_v6(true)?;
    }
    if kind == Type::STREAM {
        // Connections of an earlier run that linger must not keep us from starting.
        socket.set_reuse_address(true)?;
    }
    socket.set_reuse_port(true)?;
    Ok(socket)
}

/// Seconds since 1970, as [`Asker::now`](crate::Asker::now) wants them.
pub(crate) fn now() -> u32 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as u32)
}

/// What went wrong, and what to do about it where we know.
/// `key` is what says which port.
fn advice(error: &io::Error, key: &str) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => format!("the port is in use by another program; stop it, or change `{key}`"),
        io::ErrorKind::AddrNotAvailable => "this machine does not have this address".to_owned(),
        io::ErrorKind::PermissionDenied => {
            format!("not permitted; ports below 1024 need CAP_NET_BIND_SERVICE, or change `{key}`")
        }
        _ => error.to_string(),
    }
}
