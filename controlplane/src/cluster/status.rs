//! The cluster as people see it: in the JSON shape of existing nodes, with what they cannot say added.

use super::{
    CONFLICT_LASTS, Shared,
    features::NAMES,
    history::Lag,
    inbound::Counts,
    peer::{Known, Peer},
    policy::Kind,
};
use crate::{record::Time, store::View};
use serde::Serialize;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// `GET /stats/dashboard/data` → `cluster`, and `dnsplanectl cluster status`.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// As configured; `state_error` and `listen_error` say what keeps it from working.
    pub enabled: bool,
    /// Our id.
    pub node_id: String,
    /// As configured.
    pub listen_addr: String,
    /// As configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advertise_addr: Option<String>,
    /// Never pushes.
    pub replica_only: bool,
    /// Refuses writes over REST and dnsplanectl.
    pub reject_local_writes: bool,
    /// May send remote administration.
    pub cluster_admin: bool,
    /// In the order configured; `null` when there is none.
    pub peers: Option<Vec<PeerStatus>>,
    /// Our last sequence.
    pub local_seq: u64,
    /// Whether this node has ever accepted a write. Until then its records have no authority.
    pub written: bool,
    /// Equal on nodes that hold the same records.
    pub content_hash: String,
    /// The policy in force.
    pub sync_policy: &'static str,
    /// As configured.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed_writer_node_ids: Vec<String>,
    /// Time of the write that our records are, Unix seconds; the winner under `global_lww`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_global_lww_unix: Option<i64>,
    /// Node of that write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_global_lww_node_id: Option<String>,
    /// Whose write our records are; absent while nobody ever wrote them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<HeadStatus>,
    /// What peers' snapshots cost us.
    pub conflicts: ConflictCount,
    /// Why neither we nor peers may change our records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_only_source: Option<String>,
    /// What we offer beside the plain protocol.
    pub features: [&'static str; NAMES.len()],
    /// As configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_discovery_srv: Option<String>,
    /// Pause between queries, 0 is once at start; absent without discovery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_discovery_interval_seconds: Option<u64>,
    /// The last query for SRV records that worked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discovery_last_refresh: Option<String>,
    /// Why the last one failed; absent once one has worked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discovery_last_error: Option<String>,
    /// Peers from the configuration.
    pub static_peer_count: usize,
    /// Peers from SRV records.
    pub srv_peer_count: usize,
    /// Peers altogether.
    pub effective_peer_count: usize,
    /// Where we really listen.
    pub listening: Vec<SocketAddr>,
    /// What keeps the cluster off, or its state from being saved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_error: Option<String>,
    /// Why peers cannot connect to us.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen_error: Option<String>,
    /// Another node with our id has been heard of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_id_conflict: Option<String>,
    /// What came in.
    pub inbound: Counts,
}

/// Whose write our records are.
#[derive(Clone, Debug, Serialize)]
pub struct HeadStatus {
    /// The writer.
    pub node_id: String,
    /// Its sequence.
    pub seq: u64,
    /// Its time of the write, Unix seconds.
    pub timestamp_unix: i64,
}

/// How many conflicts are kept, and the last of them.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ConflictCount {
    /// Conflicts, those of which the other node knew what it overwrote not counted.
    pub count: usize,
    /// The last one's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_id: Option<u64>,
    /// When it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_at: Option<String>,
}

/// One peer.
#[derive(Clone, Debug, Serialize)]
pub struct PeerStatus {
    /// Host and port.
    pub address: String,
    /// `static` if configured, `srv` if found through SRV records alone.
    pub source: &'static str,
    /// Last confirmed push.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_outbound_ok: Option<String>,
    /// Why the last push failed; absent once one has worked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_outbound_error: Option<String>,
    /// Last snapshot that it pushed to us.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_inbound_ok: Option<String>,
    /// Last pull that was answered with records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_pull_ok: Option<String>,
    /// Why the last pull brought nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_pull_error: Option<String>,
    /// Why its last snapshot was not applied; absent once one was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_refusal: Option<String>,
    /// Last answered probe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_probe_ok: Option<String>,
    /// How long that took, milliseconds: connecting, authenticating and `pong`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_probe_rtt_ms: Option<u64>,
    /// Why the last probe was not answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_probe_error: Option<String>,
    /// Whether the last probe was answered.
    pub reachable: bool,
    /// Our last sequence that it has confirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acknowledged_seq: Option<u64>,
    /// Content hash of what it holds, as it last said; of existing nodes, as it must be after what they last got or sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_hash: Option<String>,
    /// Whether that is what we hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash_equal: Option<bool>,
    /// Changes of ours that it lacks, if it holds something that we held not long ago.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag_changes: Option<u64>,
    /// For how long it has lacked the first of them, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag_ms: Option<u64>,
    /// It differs from us, nothing is on its way, and asking for its records did not help: the policy keeps it so.
    pub differs: bool,
    /// Why it refused what we last sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused_by_peer: Option<String>,
    /// Its clock minus ours, milliseconds. Of an existing node only known from its answers to pulls, to the second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_skew_ms: Option<i64>,
    /// What was agreed beside the plain protocol.
    pub features: Vec<&'static str>,
    /// Octets sent over connections that we opened.
    pub bytes_sent: u64,
    /// Octets received over them.
    pub bytes_received: u64,
    /// `dnsplane` for our kind, `existing` for the plain protocol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'static str>,
    /// Its id, once known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_id: Option<String>,
    /// What an operator should know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What another node must be told to join.
#[derive(Clone, Debug, Serialize)]
pub struct JoinInfo {
    /// Whether the cluster is on.
    pub enabled: bool,
    /// Our id.
    pub node_id: String,
    /// As configured.
    pub listen: String,
    /// What to put into the other node's `cluster_peers`.
    pub dial_address: String,
    /// SHA-256 of the shared token in hex, to compare; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_sha256: Option<String>,
}

impl Status {
    pub(super) fn of(shared: &Shared) -> Self {
        let (settings, view, faults) = (shared.settings(), shared.store.view(), shared.faults().clone());
        let (found, configured) = (shared.found.borrow().clone(), settings.peer_addresses());
        let peers = shared.peers();
        let peers = peers.iter().map(|peer| PeerStatus {
            source: if configured.contains(&peer.address) { "static" } else { "srv" },
            ..PeerStatus::of(shared, peer, &view)
        });
        let peers: Vec<PeerStatus> = peers.collect();
        let head = shared.head(&view);
        let conflict = faults.conflict.filter(|(_, heard)| heard.elapsed() < CONFLICT_LASTS);
        Self {
            enabled: settings.enabled,
            node_id: shared.node_id(),
            listen_addr: settings.listen.to_string(),
            advertise_addr: settings.advertise.clone(),
            replica_only: settings.replica_only,
            reject_local_writes: shared.store.rejects_local_writes(),
            cluster_admin: settings.admin,
            local_seq: view.own.seq,
            written: view.own.seq > 0,
            content_hash: view.records.hash().to_string(),
            sync_policy: settings.policy.as_str(),
            allowed_writer_node_ids: settings.allowed_writers.clone(),
            last_global_lww_unix: head.as_ref().map(|head| head.timestamp),
            last_global_lww_node_id: head.as_ref().map(|head| head.node_id.clone()),
            head: head.map(|head| HeadStatus { node_id: head.node_id, seq: head.seq, timestamp_unix: head.timestamp }),
            conflicts: ConflictCount::of(&view),
            read_only_source: shared.store.read_only(),
            features: NAMES,
            cluster_discovery_srv: settings.discovery.as_ref().map(|discovery| discovery.srv.clone()),
            cluster_discovery_interval_seconds: settings
                .discovery
                .as_ref()
                .map(|discovery| discovery.every.map_or(0, |every| every.as_secs())),
            discovery_last_refresh: found.last_refresh.as_ref().map(Time::to_string),
            discovery_last_error: found.last_error,
            static_peer_count: configured.len(),
            srv_peer_count: found.targets.len(),
            effective_peer_count: peers.len(),
            peers: (!peers.is_empty()).then_some(peers),
            listening: faults.listening,
            state_error: faults.state,
            listen_error: faults.listen,
            node_id_conflict: conflict.map(|(text, _)| text),
            inbound: shared.inbound.snapshot(),
        }
    }
}

impl ConflictCount {
    fn of(view: &View) -> Self {
        let mut worth_a_look = view.conflicts.newest_first().filter(|conflict| !conflict.informed).peekable();
        let last = worth_a_look.peek().map(|last| (last.id, Time::at(last.at).to_string()));
        let (last_id, last_at) = last.unzip();
        Self { count: worth_a_look.count(), last_id, last_at }
    }
}

/// A clock that differs by more than this is told: under `global_lww` it decides.
const SKEW_WORTH_TELLING: i64 = 5_000;

impl PeerStatus {
    fn of(shared: &Shared, peer: &Peer, view: &View) -> Self {
        let owed = shared.owed(peer, view).is_some();
        let known = peer.known().clone();
        let text = |time: &Option<Time>| time.as_ref().map(Time::to_string);
        let hash = known.hash;
        let lag = hash.and_then(|hash| shared.history.lag(hash, view));
        let ours = view.records.hash();
        let (bytes_sent, bytes_received) = peer.traffic.octets();
        Self {
            address: peer.address.clone(),
            source: "static",
            last_outbound_ok: text(&known.last_outbound_ok),
            last_outbound_error: known.last_outbound_error.clone(),
            last_inbound_ok: text(&known.last_inbound_ok),
            last_pull_ok: text(&known.last_pull_ok),
            last_pull_error: known.last_pull_error.clone(),
            last_refusal: known.last_refusal.clone(),
            last_probe_ok: text(&known.last_probe_ok),
            last_probe_rtt_ms: known.rtt.map(|rtt| u64::try_from(rtt.as_millis()).unwrap_or(u64::MAX)),
            last_probe_error: known.last_probe_error.clone(),
            reachable: known.reachable,
            acknowledged_seq: (known.acknowledged > 0).then_some(known.acknowledged),
            kind: known.kind.map(|kind| match kind {
                Kind::Ours => "dnsplane",
                Kind::Existing => "existing",
            }),
            content_hash: hash.map(|hash| hash.to_string()),
            hash_equal: hash.map(|hash| hash == ours),
            lag_changes: lag.map(|Lag { changes, .. }| changes),
            lag_ms: lag.map(|Lag { ms, .. }| ms),
            differs: !owed && hash.is_some_and(|hash| hash != ours && known.compared == Some((ours, hash))),
            refused_by_peer: known.refused_by_peer.clone(),
            clock_skew_ms: known.skew_ms,
            features: known.features.names(),
            bytes_sent,
            bytes_received,
            node_id: known.node_id.clone(),
            note: note(&known),
        }
    }
}

/// What an operator should know of a peer.
fn note(known: &Known) -> Option<String> {
    if known.is_self {
        return Some("this is ourselves; it is left out".to_owned());
    }
    if known.shares_our_id {
        return Some("another node with our id; give one of them another cluster_node_id".to_owned());
    }
    let skew = known.skew_ms.filter(|skew| skew.abs() > SKEW_WORTH_TELLING)?;
    let (seconds, where_to) = (skew.unsigned_abs() as f64 / 1000.0, if skew > 0 { "ahead of" } else { "behind" });
    Some(format!("its clock is {seconds:.1} s {where_to} ours; set both by NTP, above all under global_lww"))
}

impl JoinInfo {
    pub(super) fn of(shared: &Shared) -> Self {
        let settings = shared.settings();
        let port = shared.faults().listening.first().map_or(settings.listen.port(), SocketAddr::port);
        let dial_address = settings.advertise.clone().unwrap_or_else(|| match settings.listen.host() {
            Some(host) => match host.parse::<IpAddr>() {
                Ok(address) if address.is_unspecified() => SocketAddr::new(own_address(), port).to_string(),
                Ok(address) => SocketAddr::new(address, port).to_string(),
                Err(_) => format!("{host}:{port}"),
            },
            None => SocketAddr::new(own_address(), port).to_string(),
        });
        Self {
            enabled: settings.enabled,
            node_id: shared.node_id(),
            listen: settings.listen.to_string(),
            dial_address,
            token_sha256: settings.token.fingerprint(),
        }
    }
}

/// The address from which this host reaches others. Connecting a UDP socket asks the routing table and sends nothing; the
/// addresses are reserved for documentation (RFC 5737, RFC 3849).
fn own_address() -> IpAddr {
    let towards = |from: IpAddr, to: &str| {
        let socket = UdpSocket::bind((from, 0)).ok()?;
        socket.connect(to).ok()?;
        socket.local_addr().ok().map(|address| address.ip()).filter(|address| !address.is_unspecified())
    };
    towards(Ipv4Addr::UNSPECIFIED.into(), "192.0.2.1:9")
        .or_else(|| towards(Ipv6Addr::UNSPECIFIED.into(), "[2001:db8::1]:9"))
        .unwrap_or(Ipv4Addr::LOCALHOST.into())
}
