//! The timetable: open, bind, start, wait, stop.

use crate::{
    admin::Admin,
    api::Api,
    block_list::BlockLists,
    cluster::{self, Cluster},
    config::{Config, Loaded, RecordsSource},
    dashboard::Sessions,
    live::Live,
    publisher::{Planes, Publisher, Resources},
    sockets,
    source::Chosen,
    status::{Listeners, Node},
    store::{Opening, Store},
    upstreams::Servers,
};
use anyhow::Context;
use sd_notify::NotifyState;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::{TcpListener, UnixListener},
    signal::unix::{Signal, SignalKind, signal},
    task::JoinSet,
};
use tokio_stream::wrappers::UnixListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tracing::{info, warn};

/// Everything must have stopped this long after it was told to; then we leave anyway.
const STOP_WITHIN: Duration = Duration::from_secs(4);

/// For how long the very first start waits for a source that was never read.
const FIRST_READING: Duration = Duration::from_secs(30);

/// Runs the control plane until a signal or the first failure.
pub async fn run(path: PathBuf, loaded: Loaded) -> anyhow::Result<()> {
    let config = loaded.config.clone();
    speak_up(&path, &config, &loaded.warnings);
    let shutdown = CancellationToken::new();

    let doors = Doors::bind(&config).await?;
    let state = cluster::State::read(&config.folder);
    let (store, records_file) = open_store(&config, &state, &shutdown).await?;
    // Before anybody can see that we are up: a signal that nobody listens for ends a process at once.
    let Signals { stop, hangup } = Signals::listen()?;
    let (live, updates) = Live::new(&path, loaded, store.clone());
    let cluster = Cluster::start(updates.cluster, state, store.clone(), config.folder.clone(), shutdown.clone());
    cluster.administered_by(Arc::new(live.clone()));
    // Whoever sees the API answer may count on the peer port, too.
    cluster.settled().await;
    let (block_lists, blocking) =
        BlockLists::open(&config.folder, updates.block_lists, live.clone(), shutdown.clone()).await;
    let planes = Planes::default();
    let servers = Servers::open(updates.forwarding.borrow().clone(), planes.clone())?;
    let resources = Resources::follow(updates.answering, servers.watch(), block_lists.merged());
    let node = Node::new(store.clone(), planes.clone(), resources.clone(), doors.listeners(&config));

    let mut tasks = JoinSet::new();
    let publisher = Publisher { store: store.clone(), resources, planes, shutdown: shutdown.clone() }.service();
    tasks.spawn(blocking);
    let admin = Admin {
        store: store.clone(),
        block_lists: block_lists.clone(),
        cluster: cluster.clone(),
        live: live.clone(),
        servers: servers.clone(),
        node: node.clone(),
    };
    tasks.spawn(serve(Server::builder().add_service(publisher), doors.feed, "feed", shutdown.clone()));
    tasks.spawn(serve(Server::builder().add_service(admin.service()), doors.admin, "admin", shutdown.clone()));
    let api = Api {
        store: store.clone(),
        block_lists,
        cluster: cluster.clone(),
        servers: servers.clone(),
        node,
        dashboard: config.dashboard,
        sessions: Sessions::default(),
        token: updates.token,
    };
    for listener in doors.api {
        let (api, shutdown) = (api.clone(), shutdown.clone());
        tasks.spawn(async move { api.serve(listener, shutdown).await.context("the REST API stopped") });
    }
    tasks.spawn(watchdog(store.clone(), shutdown.clone()));
    tasks.spawn(live.follow_hangups(hangup, shutdown.clone()));
    tasks.spawn(servers.follow(updates.forwarding, shutdown.clone()));
    tasks.spawn(mind_the_writer(store.clone(), shutdown.clone()));
    let _ = sd_notify::notify(&[NotifyState::Ready]);
    info!(version = crate::status::VERSION, config = %path.display(), "control plane ready");

    let outcome = until_stopped(stop, &mut tasks).await;
    info!("stopping");
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
    shutdown.cancel();
    let stopped = async {
        while tasks.join_next().await.is_some() {}
        cluster.stopped().await;
        records_file.await
    };
    if tokio::time::timeout(STOP_WITHIN, stopped).await.is_err() {
        warn!("some connections did not close in time; leaving them");
    }
    outcome
}

/// Says what the operator should know about the configuration.
fn speak_up(path: &Path, config: &Config, warnings: &[String]) {
    for warning in warnings {
        warn!("{}: {warning}", path.display());
    }
    if !config.unused.is_empty() {
        warn!("{}: these keys are accepted and not used yet: {}", path.display(), config.unused.join(", "));
    }
}

/// Sockets, bound before anything runs.
struct Doors {
    feed: UnixListener,
    admin: UnixListener,
    api: Vec<TcpListener>,
}

impl Doors {
    async fn bind(config: &Config) -> anyhow::Result<Self> {
        let mut api = Vec::new();
        for address in config.api.iter().flat_map(|api| &api.listen) {
            match TcpListener::bind(address).await {
                Ok(listener) => api.push(listener),
                // A host without IPv6 still has its IPv4 door.
                Err(error) if error.kind() == std::io::ErrorKind::AddrNotAvailable && !api.is_empty() => {
                    warn!(%address, "this host has no such address; the REST API is not served there");
                }
                Err(error) => return Err(cannot_listen(*address, error)),
            }
        }
        let feed = sockets::bind(&config.feed_socket).await.context("`feed_socket`")?;
        let admin = sockets::bind(&config.admin_socket).await.context("`server_socket`")?;
        Ok(Self { feed, admin, api })
    }

    fn listeners(&self, config: &Config) -> Listeners {
        let port = |address: Option<&SocketAddr>| address.map(|address| address.port().to_string()).unwrap_or_default();
        let api: Vec<_> = self.api.iter().filter_map(|listener| listener.local_addr().ok()).collect();
        Listeners {
            api_port: port(api.first()),
            api,
            dns_port: port(config.answering.listen.first()),
            admin_socket: config.admin_socket.display().to_string(),
        }
    }
}

fn cannot_listen(address: SocketAddr, error: std::io::Error) -> anyhow::Error {
    let hint = match error.kind() {
        std::io::ErrorKind::AddrInUse => "; another program uses this port, stop it or change `apiport`",
        std::io::ErrorKind::PermissionDenied => "; ports below 1024 need a privilege, choose another `apiport`",
        std::io::ErrorKind::AddrNotAvailable => "; this host has no such address, change `api_bind`",
        _ => "",
    };
    anyhow::anyhow!("the REST API cannot listen on {address}: {error}{hint}")
}

async fn open_store(
    config: &Config,
    state: &Result<cluster::State, cluster::StateError>,
    shutdown: &CancellationToken,
) -> anyhow::Result<(Store, tokio::task::JoinHandle<()>)> {
    let folder = config.folder.join("store");
    let seed = state.as_ref().map(cluster::State::seed).unwrap_or_default();
    // Reading a large store takes a second: not on the thread that other tasks wait for.
    let (runtime, shutdown, source) = (tokio::runtime::Handle::current(), shutdown.clone(), config.records.clone());
    let pretty = config.pretty_json;
    let opened = tokio::task::spawn_blocking(move || {
        let _runtime = runtime.enter();
        match Chosen::of(&source, &folder) {
            Chosen::File(records_file) => Store::open(Opening { folder, records_file, pretty, seed }, shutdown),
            Chosen::Followed(following) => Store::follow(folder, &seed, following, shutdown),
        }
    });
    let (store, keeper) = opened.await.context("opening the store failed")??;
    if let RecordsSource::File { .. } = config.records {
        // What was edited by hand while we were down comes in before anybody is told what we hold.
        if let Err(error) = store.reload().await {
            warn!("{error}; going on with the records in the change log");
        }
    } else if !store.has_records() {
        // The source has a limit of its own; what cannot be read within ours is read later.
        let _ = tokio::time::timeout(FIRST_READING, store.source_looked_at()).await;
    }
    Ok((store, keeper))
}

/// Serves one gRPC service on one Unix socket.
async fn serve(
    router: tonic::transport::server::Router,
    listener: UnixListener,
    name: &'static str,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let incoming = UnixListenerStream::new(listener);
    router
        .serve_with_incoming_shutdown(incoming, shutdown.cancelled_owned())
        .await
        .with_context(|| format!("the {name} socket stopped"))
}

/// What this process listens for.
struct Signals {
    stop: [Signal; 2],
    hangup: Signal,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        let stop = [listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?];
        Ok(Self { stop, hangup: listen(SignalKind::hangup())? })
    }
}

/// Waits for a signal, or for the first task that fails.
async fn until_stopped(stop: [Signal; 2], tasks: &mut JoinSet<anyhow::Result<()>>) -> anyhow::Result<()> {
    let [mut terminate, mut interrupt] = stop;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
        Some(ended) = tasks.join_next() => ended.context("a task of the control plane panicked")?,
    }
}

/// A control plane that can no longer write must not linger: whoever started it starts it again.
async fn mind_the_writer(store: Store, shutdown: CancellationToken) -> anyhow::Result<()> {
    tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        () = store.writer_ended() => Err(anyhow::anyhow!("the thread that writes records has ended; see above for why")),
    }
}

/// Tells systemd that we are alive, as long as the runtime turns.
async fn watchdog(store: Store, shutdown: CancellationToken) -> anyhow::Result<()> {
    let Some(period) = sd_notify::watchdog_enabled() else {
        shutdown.cancelled().await;
        return Ok(());
    };
    let mut beat = tokio::time::interval(period / 3);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            _ = beat.tick() => {
                let view = store.view();
                let status = format!("generation {}, {} records", view.generation.number, view.records.len());
                let _ = sd_notify::notify(&[NotifyState::Watchdog, NotifyState::Status(&status)]);
            }
        }
    }
}
