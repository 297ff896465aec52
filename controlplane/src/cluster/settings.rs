//! What the configuration says about the cluster, checked and ready to use.
//!
//! Kept on a watch channel: every task reads the newest one whenever it wakes, so that each key takes effect while we
//! run.

use crate::config::{self, Discovery, InvalidRecords, Secret, SyncPolicy};
use std::{fmt, net::SocketAddr, str::FromStr, time::Duration};

/// Port that peers listen on unless told otherwise.
pub const DEFAULT_PORT: u16 = 7946;

/// How this node takes part in its cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Whether it does at all (`cluster_enabled`).
    pub enabled: bool,
    /// Where we accept peers (`cluster_listen_addr`).
    pub listen: Listen,
    /// What others should dial, if not our first address (`cluster_advertise_addr`).
    pub advertise: Option<String>,
    /// Whom we push to, pull from and probe (`cluster_peers`), as written: host and port.
    pub peers: Vec<String>,
    /// The shared secret (`cluster_auth_token`).
    pub token: Secret,
    /// Replaces the generated id (`cluster_node_id`).
    pub node_id: Option<String>,
    /// Pause between pulls (`cluster_sync_interval_seconds`); `None` trusts pushes alone.
    pub sync_interval: Option<Duration>,
    /// Apply and answer, but never push (`cluster_replica_only`).
    pub replica_only: bool,
    /// Whose snapshots to believe (`cluster_sync_policy`).
    pub policy: SyncPolicy,
    /// Senders that `primary_writer` believes (`cluster_allowed_writer_node_ids`).
    pub allowed_writers: Vec<String>,
    /// What to do with a snapshot that holds records which cannot be served (`cluster_invalid_records`).
    pub invalid_records: InvalidRecords,
    /// May send remote administration (`cluster_admin`).
    pub admin: bool,
    /// What whoever administers us must show, and what we show others (`cluster_admin_token`); an empty one admits nobody.
    pub admin_token: Secret,
    /// Further peers (`cluster_discovery_srv` and what belongs to it).
    pub discovery: Option<Discovery>,
}

impl Settings {
    /// The peers to deal with: trimmed, with a port, each once, in the order written.
    pub(super) fn peer_addresses(&self) -> Vec<String> {
        let mut addresses: Vec<String> = Vec::new();
        for peer in &self.peers {
            let address = with_port(peer.trim());
            if !address.is_empty() && !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        addresses
    }
}

impl From<&config::Cluster> for Settings {
    fn from(checked: &config::Cluster) -> Self {
        Self {
            enabled: checked.enabled,
            listen: checked.listen_addr.parse().unwrap_or_default(),
            advertise: checked.advertise.clone(),
            peers: checked.peers.clone(),
            token: checked.token.clone(),
            node_id: checked.node_id.clone(),
            sync_interval: checked.pull_every,
            replica_only: checked.replica_only,
            policy: checked.policy,
            allowed_writers: checked.allowed_writers.clone(),
            invalid_records: checked.invalid_records,
            admin: checked.admin,
            admin_token: checked.admin_token.clone().unwrap_or_default(),
            discovery: checked.discovery.clone(),
        }
    }
}

/// A peer's address as we know it: trimmed, with a port.
pub fn peer_address(text: &str) -> String {
    with_port(text.trim())
}

/// Adds the default port to an address without one.
pub(super) fn with_port(address: &str) -> String {
    let has_port = address.rsplit_once(':').is_some_and(|(host, port)| {
        port.parse::<u16>().is_ok() && (!host.contains(':') || (host.starts_with('[') && host.ends_with(']')))
    });
    match address {
        "" => String::new(),
        _ if has_port => address.to_owned(),
        _ if address.parse::<std::net::Ipv6Addr>().is_ok() => format!("[{address}]:{DEFAULT_PORT}"),
        _ => format!("{address}:{DEFAULT_PORT}"),
    }
}

/// An address to listen on. `:7946` means every address of the host, IPv4 and IPv6.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    text: String,
    host: Option<String>,
    port: u16,
}

/// The text is no address to listen on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an address to listen on, such as :7946, 192.0.2.1:7946 or [2001:db8::1]:7946")]
pub struct InvalidListen(pub String);

impl FromStr for Listen {
    type Err = InvalidListen;

    fn from_str(text: &str) -> Result<Self, InvalidListen> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Self::default());
        }
        let invalid = || InvalidListen(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(invalid)?;
        let port = port.parse().map_err(|_| invalid())?;
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let host = match (bare, host) {
            (Some(literal), _) => {
                literal.parse::<std::net::Ipv6Addr>().map(|_| Some(literal)).map_err(|_| invalid())?
            }
            (None, "" | "*") => None,
            (None, host) if host.contains([':', '[', ']']) || host.contains(char::is_whitespace) => {
                return Err(invalid());
            }
            (None, host) => Some(host),
        };
        Ok(Self { text: text.to_owned(), host: host.map(str::to_owned), port })
    }
}

impl Default for Listen {
    fn default() -> Self {
        Self { text: format!(":{DEFAULT_PORT}"), host: None, port: DEFAULT_PORT }
    }
}

impl Listen {
    /// The host to bind, if not all addresses.
    pub(super) fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// The port; 0 takes any free one.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// As written.
impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<SocketAddr> for Listen {
    fn from(address: SocketAddr) -> Self {
        Self { text: address.to_string(), host: Some(address.ip().to_string()), port: address.port() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_to_listen_on_are_understood_or_refused() {
        for (text, host, port) in [
            (":7946", None, 7946),
            ("", None, 7946),
            ("127.0.0.1:0", Some("127.0.0.1"), 0),
            ("[::1]:7946", Some("::1"), 7946),
            ("ns1.lab.test:53", Some("ns1.lab.test"), 53),
        ] {
            let listen: Listen = text.parse().unwrap();
            assert_eq!((listen.host(), listen.port()), (host, port), "{text}");
        }
        for text in ["7946", "127.0.0.1", "::1", "1.2.3.4:70000", "a b:1", "[x]:1"] {
            assert!(text.parse::<Listen>().is_err(), "{text}");
        }
    }

    #[test]
    fn each_peer_counts_once_and_gets_a_port() {
        let peers = [" 192.0.2.1:7946", "192.0.2.1", "", "2001:db8::1", "[2001:db8::1]:7946", "ns2.lab.test:1"];
        let settings = Settings { peers: peers.map(str::to_owned).to_vec(), ..Settings::default() };
        assert_eq!(settings.peer_addresses(), ["192.0.2.1:7946", "[2001:db8::1]:7946", "ns2.lab.test:1"]);
    }

    #[test]
    fn every_address_that_the_configuration_accepts_is_listened_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dnsplane.json");
        for text in [":7950", "127.0.0.1:7951", "[::1]:7952", "[::]:7953", "0.0.0.0:7954", " :7955 "] {
            std::fs::write(&path, serde_json::json!({"cluster_listen_addr": text}).to_string()).unwrap();
            let checked = config::Config::load(&path).unwrap().config.cluster;
            assert_eq!(Settings::from(&checked).listen.port(), checked.listen[0].port(), "{text}");
        }
    }
}
