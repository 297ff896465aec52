//! How names that are not ours are resolved, and whom to ask for them.

use crate::name::Name;
use crate::record::RecordType;
use bytes::Bytes;
use ipnet::IpNet;
use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

/// How names that are not ours are resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolving {
    /// Who may have names resolved that are not ours. Nobody else: a public node is no open resolver by accident.
    pub networks: Arc<[IpNet]>,
    /// Within which a client has a reply, whatever happens. Above zero.
    pub timeout: Duration,
    /// Upstreams that are asked at the same time for one question. Above zero.
    pub in_flight: u32,
    /// What is remembered; `None`: nothing.
    pub cache: Option<CacheRules>,
    /// Whether answers are validated (RFC 4035 §4).
    pub validation: Option<Arc<Validation>>,
    /// Whether upstreams are asked how they are; else only queries tell.
    pub probes: Option<Probes>,
}

/// What is remembered of upstreams' answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheRules {
    /// Octets that it may take.
    pub octets: u64,
    /// Seconds for which an answer is kept at least, whatever its TTL says.
    pub least_ttl: u32,
    /// Seconds for which an answer may be used after its time (RFC 8767); 0: none.
    pub stale: u32,
    /// Popular answers are renewed shortly before their time ends.
    pub prefetch: bool,
}

/// How answers are validated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validation {
    /// What cannot be told to be secure or insecure is bogus.
    pub strict: bool,
    /// Where trust begins; none: at the root, with the keys that are built in.
    pub anchors: Vec<TrustAnchor>,
}

/// A key that is trusted as it stands, or its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustAnchor {
    /// The zone.
    pub owner: Name,
    /// DNSKEY or DS.
    pub kind: RecordType,
    /// Wire form.
    pub rdata: Bytes,
}

/// How upstreams are asked how they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probes {
    /// Time between probes of one upstream. Above zero.
    pub every: Duration,
    /// Failures in a row that make an upstream unhealthy. Above zero.
    pub failures: u32,
    /// The name whose address is asked for. Any reply but a failure will do, NXDOMAIN too.
    pub name: Name,
}

/// Whom to ask for names that are not ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upstreams {
    /// Those that are active.
    pub upstreams: Vec<Upstream>,
    /// Asked when general ones fail, or there are none. Never for a name that an upstream has for itself.
    pub last_resort: Option<Server>,
    /// PEM. Authorities that are believed beside the public ones.
    pub roots: Bytes,
}

/// A server, what it is for, and who stands in for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// The server.
    pub server: Server,
    /// These names and what is below them are asked of it alone. None: it is for all names.
    pub domains: Vec<Name>,
    /// Asked when it fails.
    pub fallback: Option<Server>,
}

/// A DNS server of somebody else, and how to reach it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Server {
    /// For people and counters: `192.0.2.1:53`, or a URL.
    pub name: String,
    /// Where it is.
    pub address: SocketAddr,
    /// How to talk to it.
    pub way: Way,
}

/// How to talk to a server. `name` is whom its certificate must name; empty: its address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// Datagrams; over TCP what does not fit.
    Udp,
    /// TCP alone.
    Tcp,
    /// DNS over TLS (RFC 7858).
    Tls {
        /// Whom its certificate must name.
        name: String,
    },
    /// DNS over HTTPS (RFC 8484).
    Https {
        /// Whom its certificate must name.
        name: String,
        /// Such as `/dns-query`.
        path: String,
    },
    /// DNS over QUIC (RFC 9250).
    Quic {
        /// Whom its certificate must name.
        name: String,
    },
}

/// Where to answer over encrypted transports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Doors {
    /// DNS over TLS.
    pub tls: Option<Door>,
    /// DNS over HTTPS.
    pub https: Option<Door>,
    /// DNS over QUIC.
    pub quic: Option<Door>,
}

/// Addresses, and what identifies us there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Door {
    /// Where to listen.
    pub listen: Vec<SocketAddr>,
    /// PEM file of the certificate and its chain; an absolute path.
    pub certificate: PathBuf,
    /// PEM file of its key; an absolute path.
    pub key: PathBuf,
    /// Of HTTPS: the path of its URLs. Empty for others.
    pub path: String,
}

impl Default for Resolving {
    /// As a control plane has it when nothing is configured, but for the cache: private networks may ask.
    fn default() -> Self {
        Self {
            networks: private_networks().into(),
            timeout: Duration::from_secs(2),
            in_flight: 1,
            cache: None,
            validation: None,
            probes: None,
        }
    }
}

/// Networks that are nobody's but the operator's: loopback, private and link-local addresses (RFC 1918, RFC 6598, RFC 3927,
/// RFC 4193, RFC 4291).
pub fn private_networks() -> Vec<IpNet> {
    const PRIVATE: [&str; 9] = [
        "127.0.0.0/8",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "::1/128",
        "fc00::/7",
        "fe80::/10",
    ];
    PRIVATE.iter().filter_map(|text| text.parse().ok()).collect()
}
