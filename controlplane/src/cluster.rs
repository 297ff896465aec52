//! The cluster: how this node's records and its peers' come to agree.
//!
//! Every task here wakes on a change and on a timer, takes no message with it, reads the newest settings and records, and
//! makes the world match them. Each peer has tasks of its own, so that one which is slow or dead delays nobody (R14). What
//! goes over the wire and why is in docs/cluster-protocol.md.

mod admin;
pub(crate) mod backoff;
mod chunk;
mod content;
mod discovery;
mod extension;
mod features;
mod frame;
mod gathered;
mod history;
mod inbound;
mod link;
mod listen;
mod message;
mod offer;
mod outgoing;
mod peer;
mod policy;
mod probe;
mod pull;
mod pulse;
mod push;
mod serve;
mod settings;
mod snapshot;
mod state;
mod status;

#[cfg(test)]
mod tests;

pub use admin::{Administration, Applied, SharedSettings};
pub use inbound::{Counts, Incident, Sender};
pub use offer::Outcome;
pub use settings::{DEFAULT_PORT, InvalidListen, Listen, Settings, peer_address};
pub use state::{FILE_NAME, State, StateError};
pub use status::{JoinInfo, PeerStatus, Status};

use crate::{config::Secret, hash::ContentHash, store::Store};
use content::Content;
use discovery::Found;
use frame::Budget;
use history::History;
use inbound::Inbound;
use link::{Introduction, Link, LinkError};
use listen::Door;
use message::{Greeting, TooLarge};
use peer::Peer;
use push::Delivered;
use snapshot::Snapshots;
use std::{
    collections::HashMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, info, warn};

/// Pause before binding an address is tried again.
const LISTEN_AGAIN: Duration = Duration::from_secs(3);
/// The state file follows the store, which has the truth, at this distance.
const STATE_BEHIND: Duration = Duration::from_millis(200);
/// A node that has our id and was not heard of for so long has probably been given another; nodes probe every 30 s.
const CONFLICT_LASTS: Duration = Duration::from_secs(100);
/// Longest wait for changed settings to be acted on.
const FOLLOWED: Duration = Duration::from_secs(2);
/// Pause before a failed save is tried again.
const STATE_AGAIN: Duration = Duration::from_secs(10);

/// A handle on the cluster; clones share it.
#[derive(Clone)]
pub struct Cluster {
    shared: Arc<Shared>,
    tasks: TaskTracker,
}

/// What became of a pull that an operator asked for.
#[derive(Clone, Debug)]
pub struct Pulled {
    /// The peer.
    pub address: String,
    /// What its records came to, or why none came.
    pub result: Result<Outcome, String>,
}

impl Cluster {
    /// Starts what the settings ask for and keeps following them until `shutdown`. Without a state the cluster stays off
    /// and says why in its status; nothing else depends on it. `folder` is where the state file is kept.
    pub fn start(
        settings: watch::Receiver<Arc<Settings>>,
        state: Result<State, StateError>,
        store: Store,
        folder: PathBuf,
        shutdown: CancellationToken,
    ) -> Self {
        let (state, fault) = match state {
            Ok(state) => (Some(state), None),
            Err(error) => {
                error!(%error, "the cluster stays off");
                (None, Some(error.to_string()))
            }
        };
        let state_id = state.as_ref().map_or_else(String::new, |state| state.node_id.clone());
        let shared = Arc::new(Shared::new(settings, state_id, store));
        shared.faults().state = fault;
        let tasks = TaskTracker::new();
        if let Some(state) = state {
            tasks.spawn(Supervisor::new(&shared).run(shutdown.clone()));
            tasks.spawn(discovery::run(Arc::clone(&shared), shutdown.clone()));
            tasks.spawn(remember_content(Arc::clone(&shared), shutdown.clone()));
            tasks.spawn(keep_state(Arc::clone(&shared), state, folder, shutdown));
        }
        tasks.close();
        Self { shared, tasks }
    }

    /// Returns once the settings have been acted on for the first time: peers can connect, or status says why not.
    pub async fn settled(&self) {
        let mut settled = self.shared.settled.subscribe();
        let supervised = self.shared.faults().state.is_none();
        if supervised {
            // An error means that the cluster was told to stop; then there is nothing to wait for.
            let _ = settled.wait_for(Option::is_some).await;
        }
    }

    /// Returns once the settings of this moment have been acted on, but waits no longer than somebody at a terminal would;
    /// what peers meet with from then on is this: `Err` says why they cannot connect.
    pub async fn followed(&self) -> Result<(), String> {
        let (wanted, mut settled) = (self.shared.settings(), self.shared.settled.subscribe());
        let acted = settled.wait_for(|acted| acted.as_ref() == Some(&wanted));
        // Later is soon enough for the status.
        let _ = tokio::time::timeout(FOLLOWED, acted).await;
        let faults = self.shared.faults().clone();
        faults.state.or(faults.listen).filter(|_| wanted.enabled).map_or(Ok(()), Err)
    }

    /// How things stand.
    pub fn status(&self) -> Status {
        Status::of(&self.shared)
    }

    /// What another node needs to join.
    pub fn join_info(&self) -> JoinInfo {
        JoinInfo::of(&self.shared)
    }

    /// Pulls now from these peers, or from all if none are named, each at the same time. An address that is not among our
    /// peers is reported as such.
    pub async fn pull(&self, addresses: &[String]) -> Vec<Pulled> {
        let peers = self.shared.peers();
        let mut pulled = Vec::new();
        let mut pulls = JoinSet::new();
        let named = addresses.iter().map(|address| settings::with_port(address.trim()));
        let wanted: Vec<String> = match addresses {
            [] => peers.iter().map(|peer| peer.address.clone()).collect(),
            _ => named.collect(),
        };
        for (place, address) in wanted.into_iter().enumerate() {
            let Some(peer) = peers.iter().find(|peer| peer.address == address).map(Arc::clone) else {
                let reason =
                    if self.shared.settings().enabled { "it is not one of our peers" } else { "the cluster is off" };
                pulled.push((place, Pulled { address, result: Err(reason.to_owned()) }));
                continue;
            };
            let shared = Arc::clone(&self.shared);
            pulls.spawn(async move {
                let result = pull::once(&shared, &peer).await.map_err(|error| error.to_string());
                (place, Pulled { address, result })
            });
        }
        pulled.extend(pulls.join_all().await);
        pulled.sort_by_key(|(place, _)| *place);
        pulled.into_iter().map(|(_, pulled)| pulled).collect()
    }

    /// Sends our records to one of our peers now, whatever it knows already; a sentence that says what became of them there.
    pub async fn push_records(&self, address: &str) -> Result<String, String> {
        let address = settings::with_port(address.trim());
        if !self.shared.settings().enabled {
            return Err("the cluster is off".to_owned());
        }
        let Some(peer) = self.shared.peers().into_iter().find(|peer| peer.address == address) else {
            return Err(format!("{address} is not one of our peers; add it with `cluster peer add {address}`"));
        };
        match push::once(&self.shared, &peer).await.map_err(|error| format!("{address}: {error}"))? {
            Delivered::Confirmed(label) => {
                Ok(format!("{address} has our records (write {} of {})", label.seq, label.node_id))
            }
            Delivered::Refused(_, reason) => Err(format!("{address} refused our records: {reason}")),
            Delivered::Nothing if peer.known().is_self => Err(format!("{address} is this node itself")),
            Delivered::Nothing => Err("nobody has ever written our records; there is nothing to send".to_owned()),
        }
    }

    /// This node's id.
    pub fn node_id(&self) -> String {
        self.shared.node_id()
    }

    /// Returns when everything has stopped after `shutdown`, the state file written a last time.
    pub async fn stopped(&self) {
        self.tasks.wait().await;
    }
}

/// What all tasks share.
struct Shared {
    store: Store,
    settings: watch::Receiver<Arc<Settings>>,
    /// The id from the state file; the settings may give another.
    state_id: String,
    /// Drawn when this process started.
    instance: String,
    peers: RwLock<Vec<Arc<Peer>>>,
    /// Peers from SRV records, besides those of the settings.
    found: watch::Sender<Found>,
    inbound: Inbound,
    /// Who changes our settings for peers.
    administration: OnceLock<Arc<dyn Administration>>,
    content: Arc<Content>,
    history: History,
    snapshots: Snapshots,
    budget: Budget,
    /// Snapshots in parts are taken in one at a time: that bounds our memory.
    long_ones: Arc<Semaphore>,
    faults: Mutex<Faults>,
    /// First pulls that have not ended yet; what was written before the start is pushed after them.
    first_pulls: watch::Sender<usize>,
    /// The settings that were acted on last.
    settled: watch::Sender<Option<Arc<Settings>>>,
    seq_at_start: AtomicU64,
    told_too_large: AtomicBool,
}

/// What is wrong with this node's own end.
#[derive(Clone, Debug, Default)]
struct Faults {
    state: Option<String>,
    listen: Option<String>,
    /// And when it was last heard of.
    conflict: Option<(String, Instant)>,
    listening: Vec<SocketAddr>,
}

impl Shared {
    fn new(settings: watch::Receiver<Arc<Settings>>, state_id: String, store: Store) -> Self {
        // Without randomness two processes are merely not told apart.
        let instance = getrandom::u64().map(|number| format!("{number:016x}")).unwrap_or_default();
        Self {
            seq_at_start: AtomicU64::new(store.view().own.seq),
            store,
            settings,
            state_id,
            instance,
            peers: RwLock::default(),
            found: watch::Sender::default(),
            inbound: Inbound::default(),
            administration: OnceLock::new(),
            content: Arc::default(),
            history: History::default(),
            snapshots: Snapshots::default(),
            budget: Budget::default(),
            long_ones: Arc::new(Semaphore::new(1)),
            faults: Mutex::default(),
            first_pulls: watch::Sender::new(0),
            settled: watch::Sender::new(None),
            told_too_large: AtomicBool::new(false),
        }
    }

    fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.borrow())
    }

    fn node_id(&self) -> String {
        let settings = self.settings();
        settings.node_id.clone().filter(|id| !id.trim().is_empty()).unwrap_or_else(|| self.state_id.clone())
    }

    fn peers(&self) -> Vec<Arc<Peer>> {
        self.peers.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whom to deal with under these settings: configured peers, then those found through SRV records, each once (R11).
    fn effective_peers(&self, settings: &Settings) -> Vec<String> {
        let found = self.found.borrow();
        discovery::merge(settings.peer_addresses().into_iter().chain(found.targets(settings).iter().cloned()))
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seq_at_start(&self) -> u64 {
        self.seq_at_start.load(Ordering::Relaxed)
    }

    fn listening(&self, addresses: Vec<SocketAddr>) {
        let mut faults = self.faults();
        (faults.listening, faults.listen) = (addresses, None);
    }

    /// Keeps why peers cannot connect; told when the reason is a new one.
    fn listen_failed(&self, reason: Option<String>) {
        let mut faults = self.faults();
        if let Some(reason) = reason.as_ref().filter(|reason| faults.listen.as_ref() != Some(reason)) {
            error!(reason, "peers cannot connect to us");
        }
        faults.listen = reason;
    }

    /// Connects to a peer and learns who it is.
    async fn dial(&self, peer: &Peer, token: &Secret) -> Result<Link, LinkError> {
        let node_id = self.node_id();
        let us = Introduction { node_id: &node_id, instance: &self.instance };
        let link = Link::open(&peer.address, token, us, Arc::clone(&peer.traffic)).await?;
        peer.answered(link.greeting.as_ref(), link.features, &node_id, &self.instance);
        Ok(link)
    }

    /// Peers that are the node with this id.
    fn of_node(&self, node_id: &str) -> Vec<Arc<Peer>> {
        let is_it = |peer: &Arc<Peer>| peer.known().node_id.as_deref() == Some(node_id);
        self.peers().into_iter().filter(is_it).collect()
    }

    /// What the node with this id held when we last heard.
    fn writer_held(&self, node_id: &str) -> Option<ContentHash> {
        self.of_node(node_id).iter().find_map(|peer| peer.known().hash)
    }

    /// A node of our kind has connected to us: whoever we could not reach may be back.
    fn met(&self, greeting: &Greeting, from: SocketAddr) {
        if greeting.instance == self.instance {
            return;
        }
        if greeting.node_id == self.node_id() {
            let conflict =
                format!("the node at {} has our id {}; give one of them another", from.ip(), greeting.node_id);
            let mut faults = self.faults();
            if faults.conflict.as_ref().is_none_or(|(known, _)| *known != conflict) {
                warn!("{conflict}");
            }
            faults.conflict = Some((conflict, Instant::now()));
            return;
        }
        self.of_node(&greeting.node_id).iter().for_each(|peer| peer.poke.notify_one());
    }

    /// Logs once that our records do not fit into a frame.
    fn tell_too_large(&self, too_large: TooLarge) {
        if !self.told_too_large.swap(true, Ordering::Relaxed) {
            error!("{too_large}");
        }
    }
}

/// Makes the listener and the peers' tasks match the settings.
struct Supervisor {
    shared: Arc<Shared>,
    door: Door,
    running: HashMap<String, Running>,
    tasks: TaskTracker,
    enabled: bool,
    /// The first peers are still coming in, and what was written before the start waits for pulls from all of them.
    starting: bool,
}

/// A peer's tasks.
struct Running {
    peer: Arc<Peer>,
    stop: CancellationToken,
}

impl Supervisor {
    fn new(shared: &Arc<Shared>) -> Self {
        let door = Door::new(Arc::clone(shared));
        Self {
            shared: Arc::clone(shared),
            door,
            running: HashMap::new(),
            tasks: TaskTracker::new(),
            enabled: false,
            starting: false,
        }
    }

    async fn run(mut self, shutdown: CancellationToken) {
        let (mut latest, mut found) = (self.shared.settings.clone(), self.shared.found.subscribe());
        loop {
            found.borrow_and_update();
            let settings = Arc::clone(&latest.borrow_and_update());
            let listening = if settings.enabled {
                self.follow(&settings).await
            } else {
                self.stop().await;
                true
            };
            self.shared.settled.send_replace(Some(settings));
            tokio::select! {
                () = shutdown.cancelled() => break,
                changed = latest.changed() => if changed.is_err() {
                    // Nobody can change them any more; go on as we are.
                    shutdown.cancelled().await;
                    break;
                },
                Ok(()) = found.changed() => {}
                () = sleep(LISTEN_AGAIN), if !listening => {}
            }
        }
        self.stop().await;
    }

    /// Brings everything into line; false if peers cannot connect.
    async fn follow(&mut self, settings: &Settings) -> bool {
        let listening = self.door.listen(&settings.listen).await;
        let failed = listening.as_ref().err().map(|error| format!("cannot listen on {}: {error}", settings.listen));
        self.shared.listen_failed(failed);
        // Asked before the peers are: what it finds later wakes us again.
        let all_found = self.shared.found.borrow().is_settled(settings);
        let addresses = self.shared.effective_peers(settings);
        if !self.enabled {
            (self.enabled, self.starting) = (true, true);
            self.shared.seq_at_start.store(self.shared.store.view().own.seq, Ordering::Relaxed);
            // One more than there are peers, as long as there may be others.
            self.shared.first_pulls.send_replace(1);
            if settings.token.is_empty() {
                warn!("the cluster is enabled without a cluster_auth_token: every peer is refused");
            }
            info!(node_id = self.shared.node_id(), peers = addresses.len(), "cluster on");
        }
        self.match_peers(&addresses);
        if self.starting && all_found {
            self.starting = false;
            self.shared.first_pulls.send_modify(|left| *left = left.saturating_sub(1));
        }
        listening.is_ok()
    }

    async fn stop(&mut self) {
        if !self.enabled {
            return;
        }
        self.match_peers(&[]);
        self.tasks.close();
        self.tasks.wait().await;
        self.tasks.reopen();
        self.door.close().await;
        self.shared.listen_failed(None);
        self.enabled = false;
        info!("cluster off");
    }

    /// Starts tasks for new peers and stops those of peers that are gone (R11).
    fn match_peers(&mut self, addresses: &[String]) {
        self.running.retain(|address, running| {
            let stays = addresses.contains(address);
            if !stays {
                running.stop.cancel();
                info!(peer = address, "no longer a peer");
            }
            stays
        });
        for address in addresses {
            if !self.running.contains_key(address) {
                let running = self.start_peer(address);
                self.running.insert(address.clone(), running);
            }
        }
        let peers = addresses.iter().filter_map(|address| self.running.get(address));
        let peers = peers.map(|running| Arc::clone(&running.peer)).collect();
        *self.shared.peers.write().unwrap_or_else(PoisonError::into_inner) = peers;
    }

    fn start_peer(&self, address: &str) -> Running {
        if self.starting {
            self.shared.first_pulls.send_modify(|left| *left += 1);
        }
        let (peer, stop) = (Arc::new(Peer::new(address.to_owned())), CancellationToken::new());
        let [shared, shared_too, shared_again] = [&self.shared; 3].map(Arc::clone);
        self.tasks.spawn(pull::run(shared, Arc::clone(&peer), self.starting, stop.clone()));
        self.tasks.spawn(push::run(shared_too, Arc::clone(&peer), stop.clone()));
        self.tasks.spawn(probe::run(shared_again, Arc::clone(&peer), stop.clone()));
        Running { peer, stop }
    }
}

/// Keeps track of what our records have been.
async fn remember_content(shared: Arc<Shared>, shutdown: CancellationToken) {
    let mut views = shared.store.watch();
    let mut last = shared.store.view().generation.number;
    loop {
        let view = Arc::clone(&views.borrow_and_update());
        shared.content.holds(view.records.hash());
        let touched = shared.store.touched_since(last).map_or(usize::MAX / 4, |touched| touched.len());
        last = view.generation.number;
        shared.history.holds(&view, touched);
        tokio::select! {
            () = shutdown.cancelled() => return,
            changed = views.changed() => if changed.is_err() { return },
        }
    }
}

/// Keeps the state file in step with the store, a little behind it. A node that never took part has none.
async fn keep_state(shared: Arc<Shared>, state: State, folder: PathBuf, shutdown: CancellationToken) {
    let mut views = shared.store.watch();
    let mut settings = shared.settings.clone();
    let mut written = folder.join(FILE_NAME).exists().then(|| state.clone());
    loop {
        let wanted = shared.settings().enabled || written.is_some();
        let next = state.brought_up_to(&shared.node_id(), &shared.store.view());
        let mut pause = STATE_BEHIND;
        if wanted && written.as_ref() != Some(&next) {
            match save(&next, &folder).await {
                Ok(()) => {
                    shared.faults().state = None;
                    written = Some(next);
                }
                Err(reason) => {
                    let reason = format!("cannot write {}: {reason}", folder.join(FILE_NAME).display());
                    let mut faults = shared.faults();
                    if faults.state.as_ref() != Some(&reason) {
                        warn!(reason, "the change log keeps what that file would say");
                    }
                    faults.state = Some(reason);
                    pause = STATE_AGAIN;
                }
            }
        }
        if shutdown.is_cancelled() {
            return;
        }
        let failed = pause == STATE_AGAIN;
        views.borrow_and_update();
        settings.borrow_and_update();
        let current = written.as_ref() == Some(&state.brought_up_to(&shared.node_id(), &shared.store.view()));
        tokio::select! {
            () = shutdown.cancelled() => continue,
            Ok(()) = views.changed() => {}
            Ok(()) = settings.changed() => {}
            () = sleep(pause), if failed || wanted && !current => continue,
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = sleep(pause) => {}
        }
    }
}

async fn save(state: &State, folder: &Path) -> Result<(), String> {
    let (state, folder) = (state.clone(), folder.to_owned());
    match tokio::task::spawn_blocking(move || state.write(&folder)).await {
        Ok(written) => written.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}
