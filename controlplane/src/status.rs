//! What this node says of itself, over REST and to dnsplanectl alike.

use crate::{
    publisher::{GenerationJson, PlaneStatus, Planes, Resources},
    record::Time,
    source::SourceStatus,
    store::{MirrorStatus, Store},
};
use serde::Serialize;
use std::{net::SocketAddr, sync::Arc, time::Instant};

/// This build's version, as `/version` and the feed tell it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Where the status is read from; clones share it.
#[derive(Clone)]
pub struct Node {
    store: Store,
    planes: Planes,
    resources: Resources,
    started: Instant,
    listeners: Arc<Listeners>,
}

/// The node's own doors, for `/ready`.
#[derive(Clone, Debug, Default)]
pub struct Listeners {
    /// REST addresses that are bound.
    pub api: Vec<SocketAddr>,
    /// Port that the configuration gives data planes.
    pub dns_port: String,
    /// Port of the REST API, also when it is off.
    pub api_port: String,
    /// Socket of dnsplanectl.
    pub admin_socket: String,
}

/// The `server status` document.
#[derive(Serialize)]
pub struct ServerStatus {
    version: &'static str,
    uptime_seconds: u64,
    ready: bool,
    records: usize,
    generation: GenerationJson,
    /// What data planes should serve beside these records.
    settings: Option<GenerationJson>,
    upstream_servers: Option<GenerationJson>,
    block_list: Option<GenerationJson>,
    content_hash: String,
    /// Where records come from, and how old they are.
    records_source: SourceStatus,
    /// How far the records file is, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    records_file: Option<MirrorStatus>,
    data_planes: Vec<PlaneStatus>,
    api: ApiStatus,
    problems: Vec<String>,
}

#[derive(Serialize)]
struct ApiStatus {
    enabled: bool,
    listening: Vec<SocketAddr>,
}

/// The `/ready` document, in the shape of existing nodes.
#[derive(Serialize)]
pub struct Ready {
    api: bool,
    build: Build,
    dns: bool,
    listeners: ReadyListeners,
    /// Whether queries are answered from the newest generation.
    pub ready: bool,
    tui_client: TuiClient,
}

/// The `/version` document. `go_version` is a key that scripts know; here it names our compiler's language.
#[derive(Serialize)]
pub struct Build {
    version: &'static str,
    go_version: &'static str,
    os: &'static str,
    arch: &'static str,
}

#[derive(Serialize)]
struct ReadyListeners {
    api_enabled: bool,
    api_port: String,
    client_socket_path: String,
    client_tcp_address: &'static str,
    dns_port: String,
}

#[derive(Serialize)]
struct TuiClient {
    connected: bool,
}

impl Node {
    /// Reads from these.
    pub fn new(store: Store, planes: Planes, resources: Resources, listeners: Listeners) -> Self {
        Self { store, planes, resources, started: Instant::now(), listeners: Arc::new(listeners) }
    }

    /// The data planes.
    pub fn planes(&self) -> &Planes {
        &self.planes
    }

    /// When this process started.
    pub fn started_at(&self) -> Time {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Time::at(u64::try_from(since.saturating_sub(self.started.elapsed()).as_millis()).unwrap_or_default())
    }

    /// The `server status` document. `problems` holds what the caller knows besides.
    pub fn server_status(&self, mut problems: Vec<String>) -> ServerStatus {
        let view = self.store.view();
        let records_file = self.store.mirror();
        let data_planes = self.planes.list();
        if data_planes.is_empty() {
            problems
                .push("no data plane is connected; is dnsplane-dns running with this node's feed socket?".to_owned());
        }
        let of_planes = data_planes
            .iter()
            .flat_map(|plane| [&plane.listen_error, &plane.last_refusal].map(|text| (&plane.follower, text)));
        let of_planes = of_planes.filter(|(_, text)| !text.is_empty());
        problems.extend(of_planes.map(|(follower, text)| format!("data plane {follower}: {text}")));
        problems.extend(self.store.source_problems());
        let [settings, upstream_servers, block_list] =
            self.resources.generations().map(|generation| generation.map(GenerationJson::from));
        ServerStatus {
            version: VERSION,
            uptime_seconds: self.started.elapsed().as_secs(),
            ready: self.dns_ready(),
            records: view.records.len(),
            generation: view.generation.into(),
            settings,
            upstream_servers,
            block_list,
            content_hash: view.records.hash().to_string(),
            records_source: self.store.source(),
            records_file,
            data_planes,
            api: ApiStatus { enabled: !self.listeners.api.is_empty(), listening: self.listeners.api.clone() },
            problems,
        }
    }

    /// The `/ready` document.
    pub fn ready(&self) -> Ready {
        let api = !self.listeners.api.is_empty();
        let dns = self.dns_ready();
        Ready {
            api,
            build: Build::this(),
            dns,
            listeners: ReadyListeners {
                api_enabled: api,
                api_port: self.listeners.api_port.clone(),
                client_socket_path: self.listeners.admin_socket.clone(),
                client_tcp_address: "",
                dns_port: self.listeners.dns_port.clone(),
            },
            ready: dns,
            tui_client: TuiClient { connected: false },
        }
    }

    /// Whether some data plane answers from the newest generation.
    fn dns_ready(&self) -> bool {
        let generation = self.store.view().generation;
        self.planes.list().iter().any(|plane| plane.answers_from(generation))
    }
}

impl Build {
    /// This build.
    pub fn this() -> Self {
        Self { version: VERSION, go_version: "rust", os: std::env::consts::OS, arch: std::env::consts::ARCH }
    }
}
