//! What the page shows: the document that `/stats/dashboard/data` serves, read back.
//!
//! Reading the published document keeps the page honest – it shows nothing that a script could not read there – and every key
//! that is absent while unknown is absent here.

use serde::Deserialize;

/// The document.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct View {
    pub(super) build: Build,
    pub(super) cluster: Cluster,
    pub(super) server: Server,
    /// What others dial; of `dnsplanectl cluster join`.
    pub(super) dial_address: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Build {
    pub(super) version: String,
}

/// See the keys in docs/cluster-protocol.md, here and below.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Cluster {
    pub(super) enabled: bool,
    pub(super) node_id: String,
    pub(super) features: Vec<String>,
    pub(super) listen_addr: String,
    pub(super) listening: Vec<String>,
    pub(super) replica_only: bool,
    pub(super) cluster_admin: bool,
    pub(super) reject_local_writes: bool,
    pub(super) read_only_source: Option<String>,
    pub(super) peers: Option<Vec<Peer>>,
    pub(super) local_seq: u64,
    pub(super) written: bool,
    pub(super) content_hash: String,
    pub(super) head: Option<Head>,
    pub(super) sync_policy: String,
    pub(super) allowed_writer_node_ids: Vec<String>,
    pub(super) last_global_lww_unix: Option<i64>,
    pub(super) last_global_lww_node_id: Option<String>,
    pub(super) cluster_discovery_srv: Option<String>,
    pub(super) cluster_discovery_interval_seconds: Option<u64>,
    pub(super) discovery_last_refresh: Option<String>,
    pub(super) discovery_last_error: Option<String>,
    pub(super) static_peer_count: u64,
    pub(super) srv_peer_count: u64,
    pub(super) effective_peer_count: u64,
    pub(super) conflicts: Option<Conflicts>,
    pub(super) state_error: Option<String>,
    pub(super) listen_error: Option<String>,
    pub(super) node_id_conflict: Option<String>,
    pub(super) inbound: Inbound,
}

/// Whose write our content is.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Head {
    pub(super) node_id: String,
    pub(super) seq: u64,
    pub(super) timestamp_unix: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Conflicts {
    pub(super) count: u64,
    pub(super) last_at: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Inbound {
    pub(super) connections: u64,
    pub(super) auth_failures: u64,
    pub(super) last_auth_failure: Option<Incident>,
    pub(super) bad_frames: u64,
    pub(super) last_bad_frame: Option<Incident>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Incident {
    pub(super) from: String,
    pub(super) at: String,
    pub(super) reason: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Peer {
    pub(super) address: String,
    pub(super) source: String,
    pub(super) node_id: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) reachable: bool,
    pub(super) last_probe_ok: Option<String>,
    pub(super) last_probe_rtt_ms: Option<f64>,
    pub(super) last_probe_error: Option<String>,
    pub(super) last_outbound_ok: Option<String>,
    pub(super) last_outbound_error: Option<String>,
    pub(super) last_inbound_ok: Option<String>,
    pub(super) last_pull_ok: Option<String>,
    pub(super) last_pull_error: Option<String>,
    pub(super) last_refusal: Option<String>,
    pub(super) refused_by_peer: Option<String>,
    pub(super) acknowledged_seq: Option<u64>,
    pub(super) lag_changes: Option<u64>,
    pub(super) lag_ms: Option<f64>,
    pub(super) hash_equal: Option<bool>,
    pub(super) differs: bool,
    pub(super) clock_skew_ms: Option<f64>,
    pub(super) features: Option<Vec<String>>,
    pub(super) bytes_sent: Option<u64>,
    pub(super) bytes_received: Option<u64>,
    pub(super) note: Option<String>,
}

/// The node besides its cluster.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Server {
    pub(super) uptime_seconds: u64,
    pub(super) ready: bool,
    pub(super) records: u64,
    pub(super) generation: Generation,
    pub(super) records_file: Option<RecordsFile>,
    pub(super) records_source: RecordsSource,
    pub(super) data_planes: Vec<Plane>,
    pub(super) problems: Vec<String>,
}

#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub(super) struct Generation {
    pub(super) session: String,
    pub(super) number: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RecordsFile {
    pub(super) path: String,
    pub(super) number: u64,
}

/// Where records come from.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RecordsSource {
    pub(super) r#type: String,
    pub(super) what: String,
    pub(super) read_at: Option<String>,
    pub(super) age_seconds: Option<u64>,
    pub(super) version: String,
    pub(super) problem: String,
    pub(super) fault_count: u64,
    pub(super) faults: Vec<Fault>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Fault {
    pub(super) file: String,
    pub(super) line: u64,
    pub(super) what: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Plane {
    pub(super) follower: String,
    pub(super) version: String,
    pub(super) records: Option<Generation>,
    pub(super) connected_seconds: u64,
    pub(super) listening: Vec<String>,
}

impl Peer {
    /// Whether it is this very node.
    pub(super) fn is_self(&self) -> bool {
        self.note.as_deref().is_some_and(|note| note.contains("ourselves"))
    }
}
