//! Our data plane as a resolver and over TLS.

use super::others::{Upstream, certificate};
use crate::servers::{ours::alone, server::Server, zone::Zone};
use dnsplane_tests::{Plan, ports::Ports};
use serde_json::json;

/// Forwarding all names.
pub(crate) fn ours(upstream: &Upstream, cores: usize) -> Server {
    let settings = json!({
        "fallback_server_ip": upstream.address().ip().to_string(),
        "fallback_server_port": upstream.address().port().to_string(),
        "cache_records": true,
        "cache_max_mb": 512,
    });
    let node = Plan::new("bench").with(&settings).prepare();
    let address = node.dns();
    alone(node, upstream.zone, address, cores).0
}

/// With the zone for itself, over TLS.
pub(crate) fn over_tls(zone: Zone, cores: usize) -> Server {
    let door = Ports::reserve();
    let mut node = Plan::new("bench").prepare();
    let (certificate, key) = certificate(node.dir());
    node.configure(&json!({
        "dot_enabled": true,
        "dot_bind": "127.0.0.1",
        "dot_port": door.dns().port().to_string(),
        "dot_cert_file": certificate,
        "dot_key_file": key,
    }));
    zone.write_records(&node);
    alone(node, zone, door.dns(), cores).0
}
