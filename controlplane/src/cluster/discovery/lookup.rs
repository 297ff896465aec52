//! One query for SRV records, through `hickory-resolver`.
//!
//! Each query has a resolver of its own: nothing is cached beyond what the asked server says, and a changed
//! `/etc/resolv.conf` counts at the next query. Servers are asked one after another, each by a resolver that knows it alone:
//! in a resolver that knows several, the first failure would end the query.

use crate::config::Discovery;
use hickory_resolver::{
    Resolver,
    config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts},
    net::{DnsError, NetError, NoRecords, runtime::TokioRuntimeProvider},
    proto::{
        op::ResponseCode,
        rr::{Name, RData},
    },
    system_conf::read_system_conf,
};
use std::{net::SocketAddr, time::Duration};
use tokio::time::timeout;

/// One server must have answered by then, a lost packet and a second try over TCP included.
const ONE_SERVER: Duration = Duration::from_secs(5);
/// Before a lost packet is sent again.
const ONE_TRY: Duration = Duration::from_secs(2);
/// More servers are not asked; three is what a stub resolver takes.
const MAX_SERVERS: usize = 5;

/// One SRV record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) priority: u16,
    pub(super) weight: u16,
    /// Lower case, no dot at the end; empty for the target `.`.
    pub(super) host: String,
    pub(super) port: u16,
}

/// Why a query brought no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum LookupError {
    #[error("`{0}` is not a service name such as `_dnsplane._tcp.example.com`; correct `cluster_discovery_srv`")]
    NotAService(String),
    #[error("the system's resolver configuration cannot be used: {0}; set `cluster_discovery_servers`")]
    System(NetError),
    #[error("the system's resolver configuration names no server; set `cluster_discovery_servers`")]
    NoServer,
    #[error("{0}")]
    Failed(String),
}

/// Asks the servers one after another until one has an answer. No record is an answer; a name that does not exist is not.
pub(super) async fn targets(wanted: &Discovery) -> Result<Vec<Target>, LookupError> {
    let not_a_service = || LookupError::NotAService(wanted.srv.clone());
    if !wanted.is_service() {
        return Err(not_a_service());
    }
    let mut name = Name::from_ascii(&wanted.srv).map_err(|_| not_a_service())?;
    name.set_fqdn(true);
    let servers = match wanted.servers[..] {
        [] => read_system_conf().map_err(LookupError::System)?.0.name_servers().to_vec(),
        ref listed => listed.iter().map(|server| name_server(*server)).collect(),
    };
    let mut error = LookupError::NoServer;
    for server in servers.into_iter().take(MAX_SERVERS) {
        match ask(server, &name).await {
            Ok(targets) => return Ok(targets),
            // The name itself is wrong; another server would say no less.
            Err(Failure::NoSuchName(said)) => return Err(LookupError::Failed(said)),
            Err(Failure::Server(said)) => error = LookupError::Failed(said),
        }
    }
    Err(error)
}

/// Whose failure it was.
enum Failure {
    NoSuchName(String),
    Server(String),
}

async fn ask(server: NameServerConfig, name: &Name) -> Result<Vec<Target>, Failure> {
    let said_by = match server.connections.first() {
        Some(connection) => SocketAddr::new(server.ip, connection.port).to_string(),
        None => server.ip.to_string(),
    };
    let failed = |why: &str| Failure::Server(format!("{said_by} {why} for {name} SRV"));
    let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
    let mut options = ResolverOpts::default();
    (options.cache_size, options.use_hosts_file) = (0, ResolveHosts::Never);
    (options.timeout, options.attempts) = (ONE_TRY, 1);
    let resolver = Resolver::builder_with_config(config, TokioRuntimeProvider::default()).with_options(options).build();
    let resolver = resolver.map_err(|error| failed(&format!("cannot be asked ({error})")))?;
    let error = match timeout(ONE_SERVER, resolver.srv_lookup(name.clone())).await {
        Ok(Ok(lookup)) => return Ok(lookup.answers().iter().filter_map(|record| target(&record.data)).collect()),
        Ok(Err(error)) => error,
        Err(_) => NetError::Timeout,
    };
    Err(match error {
        NetError::Dns(DnsError::NoRecordsFound(NoRecords { response_code, .. })) => match response_code {
            ResponseCode::NoError => return Ok(Vec::new()),
            ResponseCode::NXDomain => Failure::NoSuchName(format!("{said_by} says that {name} does not exist")),
            code => failed(&format!("answered {code}")),
        },
        NetError::Dns(DnsError::ResponseCode(code)) => failed(&format!("answered `{code}`")),
        NetError::Timeout => failed("did not answer in time"),
        other => failed(&format!("gave no usable answer ({other})")),
    })
}

fn target(data: &RData) -> Option<Target> {
    let RData::SRV(srv) = data else { return None };
    let host = srv.target.to_ascii().to_ascii_lowercase();
    let host = host.strip_suffix('.').unwrap_or(&host).to_owned();
    Some(Target { priority: srv.priority, weight: srv.weight, host, port: srv.port })
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let mut server = NameServerConfig::udp_and_tcp(address.ip());
    for connection in &mut server.connections {
        connection.port = address.port();
    }
    server
}
