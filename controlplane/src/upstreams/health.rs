//! How upstream servers are doing, from what data planes report, in the shape of existing nodes.

use crate::record::Time;
use dnsplane_proto::{Server, Upstreams, Way, pb::feed::UpstreamReport};
use serde::Serialize;

/// One server. The keys up to `last_success_at` are those of existing nodes; what follows is ours.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Health {
    /// `host:port`, or the URL of DNS over HTTPS.
    address_port: String,
    unhealthy: bool,
    consecutive_failures: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_probe_at: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    last_probe_error: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_success_at: Option<String>,
    /// As counters and explanations call it.
    pub(crate) name: String,
    transport: &'static str,
    /// What it is there for.
    role: &'static str,
    /// Smoothed; absent: not measured yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    rtt_ms: Option<f64>,
    queries: u64,
    failures: u64,
    spoofed: u64,
}

impl Health {
    /// Every server that data planes may ask, those of whom nobody has reported as well.
    pub(crate) fn of(upstreams: &Upstreams, reports: &[UpstreamReport]) -> Vec<Self> {
        let rows = upstreams.upstreams.iter().map(|upstream| (&upstream.server, "upstream"));
        let fallbacks =
            upstreams.upstreams.iter().filter_map(|upstream| Some((upstream.fallback.as_ref()?, "fallback")));
        let last = upstreams.last_resort.iter().map(|server| (server, "last_resort"));
        let mut found: Vec<Self> = Vec::new();
        for (server, role) in rows.chain(fallbacks).chain(last) {
            if found.iter().all(|known| known.name != server.name) {
                let reports: Vec<_> = reports.iter().filter(|report| report.name == server.name).collect();
                found.push(Self::one(server, role, &reports));
            }
        }
        found
    }

    /// What several data planes say of one server: the gravest state, the latest times, the sums.
    fn one(server: &Server, role: &'static str, reports: &[&UpstreamReport]) -> Self {
        let latest = reports.iter().max_by_key(|report| report.last_success_unix);
        let most = |of: fn(&UpstreamReport) -> u64| reports.iter().map(|report| of(report)).max().unwrap_or(0);
        let sum =
            |of: fn(&UpstreamReport) -> u64| reports.iter().fold(0, |sum: u64, report| sum.saturating_add(of(report)));
        let error = reports.iter().map(|report| &report.last_error).find(|error| !error.is_empty());
        Self {
            address_port: address_port(server),
            unhealthy: reports.iter().any(|report| report.unhealthy),
            consecutive_failures: reports.iter().map(|report| report.consecutive_failures).max().unwrap_or(0),
            last_probe_at: moment(most(|report| report.last_probe_unix)),
            last_probe_error: error.cloned().unwrap_or_default(),
            last_success_at: moment(most(|report| report.last_success_unix)),
            name: server.name.clone(),
            transport: transport(server),
            role,
            rtt_ms: latest.filter(|report| report.rtt_micros > 0).map(|report| f64::from(report.rtt_micros) / 1000.0),
            queries: sum(|report| report.queries),
            failures: sum(|report| report.failures),
            spoofed: sum(|report| report.spoofed),
        }
    }
}

fn address_port(server: &Server) -> String {
    match &server.way {
        Way::Https { .. } => server.name.split(' ').next().unwrap_or_default().to_owned(),
        _ => server.address.to_string(),
    }
}

/// As it is written in `dnsservers.json`.
pub(super) fn transport(server: &Server) -> &'static str {
    match server.way {
        Way::Udp => "udp",
        Way::Tcp => "tcp",
        Way::Tls { .. } => "dot",
        Way::Https { .. } => "doh",
        Way::Quic { .. } => "doq",
    }
}

fn moment(seconds: u64) -> Option<String> {
    (seconds > 0).then(|| Time::at(seconds.saturating_mul(1000)).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use dnsplane_proto::Upstream;
    use serde_json::json;

    fn server(name: &str, way: Way) -> Server {
        Server { name: name.to_owned(), address: "192.0.2.1:53".parse().unwrap(), way }
    }

    #[test]
    fn every_server_is_listed_once_with_what_all_data_planes_say() {
        let https = Way::Https { name: String::new(), path: String::new() };
        let upstreams = Upstreams {
            upstreams: vec![Upstream {
                server: server("192.0.2.1:53", Way::Udp),
                domains: Vec::new(),
                fallback: Some(server("https://dns.example/q at 192.0.2.1:443", https)),
            }],
            last_resort: Some(server("192.0.2.1:53", Way::Udp)),
            roots: Default::default(),
        };
        let report = UpstreamReport {
            name: "192.0.2.1:53".to_owned(),
            last_success_unix: 1_790_000_000,
            rtt_micros: 1500,
            queries: 3,
            ..UpstreamReport::default()
        };
        let failing = UpstreamReport {
            unhealthy: true,
            consecutive_failures: 4,
            last_success_unix: 0,
            last_probe_unix: 1_790_000_001,
            last_error: "timed out".to_owned(),
            rtt_micros: 0,
            failures: 4,
            queries: 4,
            ..report.clone()
        };
        let listed = Health::of(&upstreams, &[report, failing]);
        assert_eq!(
            serde_json::to_value(&listed).unwrap(),
            json!([
                {"address_port": "192.0.2.1:53", "unhealthy": true, "consecutive_failures": 4,
                 "last_probe_at": "2026-09-21T14:13:21Z", "last_probe_error": "timed out",
                 "last_success_at": "2026-09-21T14:13:20Z", "name": "192.0.2.1:53", "transport": "udp",
                 "role": "upstream", "rtt_ms": 1.5, "queries": 7, "failures": 4, "spoofed": 0},
                {"address_port": "https://dns.example/q", "unhealthy": false, "consecutive_failures": 0,
                 "name": "https://dns.example/q at 192.0.2.1:443", "transport": "doh", "role": "fallback",
                 "queries": 0, "failures": 0, "spoofed": 0}
            ])
        );
    }
}
