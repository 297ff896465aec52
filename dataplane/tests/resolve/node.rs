//! A data plane without a control plane: sockets, engine and cache, under settings of the test's own.

use dnsplane_dns::{
    Cookies, Current, Limiter, Snapshot,
    counters::Registry,
    listen::Listeners,
    resolve::{Engine, Wanted, cache::About, engine::Parts, upstream::UpstreamState},
};
use dnsplane_proto::{CacheRules, Name, RecordType, Resolving, Server, Settings, Upstream as Row, Upstreams, Way};
use dnsplane_tests::{
    dns::{Question, Reply},
    upstream::Upstream,
};
use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{runtime::Runtime, sync::watch};
use tokio_util::sync::CancellationToken;

/// Within which a client has its reply.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(2);
/// How long a condition may take to come true.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    pub(crate) engine: Engine,
    pub(crate) registry: Arc<Registry>,
    current: Arc<Current>,
    stop: CancellationToken,
    _settings: watch::Sender<Option<Arc<Settings>>>,
    _runtime: Runtime,
}

/// As they are when nothing is configured, with a cache, on a port that is free.
pub(crate) fn settings() -> Settings {
    let cache = CacheRules { octets: 8 << 20, least_ttl: 0, stale: 3600, prefetch: false };
    Settings {
        listen: vec!["127.0.0.1:0".parse().expect("an address")],
        max_udp_payload: 1232,
        refuse_any: false,
        local_records: true,
        missing_type_is_nodata: true,
        auto_ptr: false,
        identity: Default::default(),
        limits: Default::default(),
        resolving: Resolving { timeout: TIMEOUT, cache: Some(cache), ..Resolving::default() },
        doors: Default::default(),
        blocking_paused_until: 0,
    }
}

/// General upstreams, asked over UDP.
pub(crate) fn upstreams(servers: &[&Upstream]) -> Upstreams {
    Upstreams { upstreams: servers.iter().map(|server| row(server.address())).collect(), ..Upstreams::default() }
}

pub(crate) fn row(address: SocketAddr) -> Row {
    Row { server: server(address), domains: Vec::new(), fallback: None }
}

pub(crate) fn server(address: SocketAddr) -> Server {
    Server { name: address.to_string(), address, way: Way::Udp }
}

/// A port of this machine where nobody listens.
pub(crate) fn nobody() -> SocketAddr {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
    socket.local_addr().expect("an address")
}

impl Node {
    pub(crate) fn start(upstreams: Upstreams) -> Self {
        Self::under(settings(), upstreams)
    }

    pub(crate) fn under(settings: Settings, upstreams: Upstreams) -> Self {
        let current = Arc::new(Current::new(Snapshot::empty()));
        let rules = dnsplane_dns::Rules::from(&settings);
        let mut snapshot = Snapshot::empty().under(rules);
        snapshot.upstreams = Arc::new(upstreams);
        current.replace(snapshot);
        let registry = Arc::new(Registry::default());
        let (cookies, limiter) = (Arc::new(Cookies::with_secret([7; 16])), Arc::new(Limiter::new()));
        let (sender, receiver) = watch::channel(Some(Arc::new(settings)));
        let parts = Parts {
            current: current.clone(),
            registry: registry.clone(),
            cookies: cookies.clone(),
            limiter: limiter.clone(),
            settings: receiver.clone(),
        };
        let stop = CancellationToken::new();
        let engine = Engine::start(parts, 1, &stop).expect("an engine");
        let listeners = Listeners::new(2, current.clone(), registry.clone(), cookies, limiter, engine.clone());
        let mut listening = listeners.state();
        let runtime = Runtime::new().expect("a runtime");
        runtime.spawn(listeners.run(receiver, stop.clone()));
        let address = runtime.block_on(async {
            let listening =
                listening.wait_for(|listening| !listening.sockets.is_empty()).await.expect("listeners live");
            let udp = listening.sockets.iter().find_map(|socket| socket.strip_prefix("udp ")).expect("UDP");
            udp.parse().expect("an address")
        });
        Self { address, engine, registry, current, stop, _settings: sender, _runtime: runtime }
    }

    /// Has other upstreams from now on.
    pub(crate) fn asks(&self, upstreams: Upstreams) {
        let mut next = Snapshot::clone(&self.current.load());
        next.upstreams = Arc::new(upstreams);
        self.current.replace(next);
    }

    /// The reply to a client that asks over UDP, and how long it took.
    pub(crate) fn ask(&self, name: &str) -> (Reply, Duration) {
        let started = Instant::now();
        let reply = Question::new(name, "A").edns(1232).udp(self.address);
        let reply = reply.unwrap_or_else(|error| panic!("{name}: {error}"));
        (reply, started.elapsed())
    }

    /// The addresses that a client is told in time.
    pub(crate) fn told(&self, name: &str) -> Vec<String> {
        let (reply, took) = self.ask(name);
        assert!(took < TIMEOUT, "{name} took {took:?}");
        assert_eq!(reply.code().low(), 0, "{name}: {}", reply.summary());
        reply.values()
    }

    /// How a server is doing.
    pub(crate) fn state(&self, server: SocketAddr) -> UpstreamState {
        let states = self.engine.upstreams();
        let state = states.iter().find(|state| state.name == server.to_string());
        state.unwrap_or_else(|| panic!("no {server} among {states:?}")).clone()
    }

    /// Waits until a condition holds.
    pub(crate) fn eventually(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let started = Instant::now();
        while !holds(self) {
            assert!(started.elapsed() < PATIENCE, "{what}: not after {PATIENCE:?}; {:?}", self.engine.upstreams());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn count(&self, name: &str) -> u64 {
        self.registry.totals().iter().find(|(counter, _)| *counter == name).expect("a counter").1
    }

    /// Remembers an address that was right a day ago, for a minute.
    pub(crate) fn remember(&self, name: &str, address: [u8; 4]) {
        let name = Name::parse(name).expect("a name");
        let mut message = vec![0, 0, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0];
        message.extend(name.as_wire());
        message.extend([0, 1, 0, 1, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        message.extend(address);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        let about = About {
            source: "yesterday".into(),
            security: Default::default(),
            at_most: u32::MAX,
            now: (now.as_secs() - 600) as u32,
        };
        // As the client of `ask` wants it.
        self.engine.cache().insert(&wanted(name.as_wire()), &message, &about).expect("a message");
    }
}

pub(crate) fn wanted(name: &[u8]) -> Wanted {
    Wanted { name: name.into(), kind: RecordType::A, dnssec_ok: false, checking_disabled: false }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
