//! The settings of the peer protocol, checked.

use super::{check::Complaints, file::File, listen, secret::Secret};
use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    time::Duration,
};

/// How this node keeps its records in step with its peers.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Whether it does at all.
    pub enabled: bool,
    /// Where peers reach us.
    pub listen: Vec<SocketAddr>,
    /// The same as written, `:7946` for both families; for status.
    pub listen_addr: String,
    /// What others are told to dial, if the first address of this machine will not do.
    pub advertise: Option<String>,
    /// `host` or `host:port` of each peer as written, in the order of the file, none twice.
    pub peers: Vec<String>,
    /// What all nodes of a cluster know; an empty one refuses every peer.
    pub token: Secret,
    /// Our stable name, if it is not the generated one.
    pub node_id: Option<String>,
    /// Pause between pulls from every peer; `None` trusts pushes alone.
    pub pull_every: Option<Duration>,
    /// Apply and answer pulls, never push.
    pub replica_only: bool,
    /// Refuse writes through the API and dnsplanectl.
    pub reject_local_writes: bool,
    /// Whether we may change the settings of peers.
    pub admin: bool,
    /// What a peer must know to change ours; `None` lets nobody.
    pub admin_token: Option<Secret>,
    /// Whose snapshots to believe.
    pub policy: SyncPolicy,
    /// Node ids that [`SyncPolicy::PrimaryWriter`] believes.
    pub allowed_writers: Vec<String>,
    /// What becomes of a snapshot in which some records do not parse.
    pub invalid_records: InvalidRecords,
    /// How further peers are found.
    pub discovery: Option<Discovery>,
}

/// Whose snapshots to believe; docs/cluster-protocol.md says what each choice promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SyncPolicy {
    /// The newest of each sender.
    #[default]
    LwwPerNode,
    /// Those of listed senders.
    PrimaryWriter,
    /// The newest of all senders.
    GlobalLww,
}

impl SyncPolicy {
    /// The name in the file and in status.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LwwPerNode => "lww_per_node",
            Self::PrimaryWriter => "primary_writer",
            Self::GlobalLww => "global_lww",
        }
    }
}

/// What becomes of a snapshot in which some records do not parse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum InvalidRecords {
    /// The others are applied.
    #[default]
    Skip,
    /// None is.
    Reject,
}

/// Peers found through SRV records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovery {
    /// `_service._tcp.zone`.
    pub srv: String,
    /// Pause between queries; `None` asks once at start.
    pub every: Option<Duration>,
    /// Servers to ask; none means the system's.
    pub servers: Vec<SocketAddr>,
}

impl Discovery {
    /// Whether the name looks like one that SRV records are kept under: `_service._tcp.zone` or `_service._udp.zone` (RFC 2782).
    pub fn is_service(&self) -> bool {
        let name = self.srv.strip_suffix('.').unwrap_or(&self.srv);
        let mut labels = name.split('.');
        let (service, protocol) = (labels.next().unwrap_or_default(), labels.next().unwrap_or_default());
        let zone: Vec<_> = labels.collect();
        let known = ["_tcp", "_udp"].iter().any(|known| protocol.eq_ignore_ascii_case(known));
        let written = |label: &str| (1..=63).contains(&label.len()) && label.chars().all(|c| c.is_ascii_graphic());
        known
            && service.len() > 1
            && service.starts_with('_')
            && !zone.is_empty()
            && written(service)
            && zone.into_iter().all(written)
            && name.len() <= 253
    }
}

/// Understands the `cluster_*` keys.
pub(super) fn check(file: &File, complaints: &mut Complaints) -> Cluster {
    let text =
        |text: &Option<String>| text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    let listen = text(&file.cluster_listen_addr).unwrap_or_else(|| ":7946".to_owned());
    let interval = |complaints: &mut Complaints, key, seconds: Option<i64>, default: u64| {
        let seconds = seconds.map_or(Ok(default), |seconds| {
            u64::try_from(seconds).map_err(|_| format!("is {seconds}; write 0 for none, or a number of seconds"))
        });
        Some(Duration::from_secs(complaints.or_default(key, seconds))).filter(|pause| !pause.is_zero())
    };
    let cluster = Cluster {
        enabled: file.cluster_enabled.unwrap_or(false),
        listen: complaints.or_default("cluster_listen_addr", listen::address_and_port(&listen)),
        listen_addr: listen,
        advertise: text(&file.cluster_advertise_addr),
        peers: distinct(file.cluster_peers.as_deref()),
        token: Secret::new(file.cluster_auth_token.as_deref().unwrap_or_default()),
        node_id: text(&file.cluster_node_id),
        pull_every: interval(complaints, "cluster_sync_interval_seconds", file.cluster_sync_interval_seconds, 0),
        replica_only: file.cluster_replica_only.unwrap_or(false),
        reject_local_writes: file.cluster_reject_local_writes.unwrap_or(false),
        admin: file.cluster_admin.unwrap_or(false),
        admin_token: file.cluster_admin_token.as_deref().map(Secret::new).filter(|token| !token.is_empty()),
        policy: policy(file.cluster_sync_policy.as_deref().unwrap_or_default(), complaints),
        allowed_writers: distinct(file.cluster_allowed_writer_node_ids.as_deref()),
        invalid_records: complaints.or_default(
            "cluster_invalid_records",
            match file.cluster_invalid_records.as_deref().unwrap_or("skip") {
                "skip" => Ok(InvalidRecords::Skip),
                "reject" => Ok(InvalidRecords::Reject),
                other => Err(format!("is `{other}`; write `skip` or `reject`")),
            },
        ),
        discovery: None,
    };
    let every = interval(complaints, "cluster_discovery_interval_seconds", file.cluster_discovery_interval_seconds, 60);
    let servers = servers(file.cluster_discovery_servers.as_deref().unwrap_or_default());
    let servers = complaints.or_default("cluster_discovery_servers", servers);
    let discovery = text(&file.cluster_discovery_srv).map(|srv| Discovery { srv, every, servers });
    let cluster = Cluster { discovery, ..cluster };
    warn(&cluster, complaints);
    cluster
}

/// Settings that are legal and that somebody will wonder about.
fn warn(cluster: &Cluster, complaints: &mut Complaints) {
    if !cluster.enabled {
        return;
    }
    if cluster.token.is_empty() {
        complaints.warn("`cluster_auth_token` is empty: every peer is refused, and every peer refuses us");
    }
    if cluster.policy == SyncPolicy::PrimaryWriter && cluster.allowed_writers.is_empty() {
        complaints.warn(
            "`cluster_allowed_writer_node_ids` is empty: under `primary_writer` nothing that peers send is applied",
        );
    }
    if cluster.admin && cluster.admin_token.is_none() {
        complaints
            .warn("`cluster_admin` is true and `cluster_admin_token` is empty: no peer lets us change its settings");
    }
    if let Some(Discovery { srv, .. }) = cluster.discovery.as_ref().filter(|discovery| !discovery.is_service()) {
        complaints.warn(&format!(
            "`cluster_discovery_srv` is `{srv}`, which is not a service name such as `_dnsplane._tcp.example.com`: no peer is \
             found through it"
        ));
    }
    for peer in cluster.peers.iter().filter(|peer| !can_be_dialled(peer)) {
        complaints.warn(&format!(
            "peer `{peer}` of `cluster_peers` cannot be dialled: write a host or `host:port`, such as `192.0.2.2:7946` \
             or `[2001:db8::2]:7946`"
        ));
    }
}

/// Whether this may be a host, with a port or without.
pub(crate) fn can_be_dialled(peer: &str) -> bool {
    let host = match peer.rsplit_once(':') {
        Some((host, port)) if peer.parse::<Ipv6Addr>().is_err() => {
            let known = port.parse::<u16>().is_ok_and(|port| port > 0);
            Some(host).filter(|_| known)
        }
        _ => Some(peer),
    };
    host.is_some_and(|host| !host.is_empty() && !host.contains(char::is_whitespace))
}

fn policy(text: &str, complaints: &mut Complaints) -> SyncPolicy {
    match text.trim().to_ascii_lowercase().as_str() {
        "" | "lww_per_node" => SyncPolicy::LwwPerNode,
        "primary_writer" => SyncPolicy::PrimaryWriter,
        "global_lww" => SyncPolicy::GlobalLww,
        _ => {
            complaints.warn(&format!("`cluster_sync_policy` is `{text}`, which is none of lww_per_node, primary_writer and global_lww: taken as lww_per_node"));
            SyncPolicy::LwwPerNode
        }
    }
}

/// Trimmed, without empty ones, none twice.
fn distinct(items: Option<&[String]>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for item in items.unwrap_or_default().iter().map(|item| item.trim()).filter(|item| !item.is_empty()) {
        if !kept.iter().any(|earlier| earlier == item) {
            kept.push(item.to_owned());
        }
    }
    kept
}

fn servers(items: &[String]) -> Result<Vec<SocketAddr>, String> {
    let server = |item: &String| {
        let item = item.trim();
        let address = item.parse::<IpAddr>().map(|address| SocketAddr::new(address, 53)).or_else(|_| item.parse());
        address.map_err(|_| format!("names `{item}`; write IP addresses, with `:port` if it is not 53"))
    };
    items.iter().map(server).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_services_are_told_from_other_names() {
        let is_service = |srv: &str| Discovery { srv: srv.to_owned(), every: None, servers: Vec::new() }.is_service();
        for srv in ["_dnsplane._tcp.example.com", "_d._UDP.lab.", "_a-b._tcp.x.y.z"] {
            assert!(is_service(srv), "{srv}");
        }
        let long = format!("_d._tcp.{}", "label.".repeat(50));
        for srv in [
            "",
            ".",
            "_tcp.example",
            "dnsplane._tcp.example",
            "_._tcp.example",
            "_d._sctp.example",
            "_d._tcp",
            "_d._tcp.",
            "_d._tcp..x",
            "_d._tcp.a b",
            &long,
        ] {
            assert!(!is_service(srv), "{srv}");
        }
    }
}
