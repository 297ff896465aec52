//! What existing nodes get wrong when they answer, and that ours does not. Each claim is named after what is right.
//!
//! The upstream is a real server (NSD). What needs none has its claims elsewhere: owners in the case of the question, reverse
//! names of both kinds, wildcards, classes, opcodes and special names in `answers`; settings that are read and have no effect
//! in `settings`.

mod answers;
mod blocking;
mod cache;

use dnsplane_tests::{
    Node, Plan, Rival,
    rival::{Make, Zone},
};
use serde_json::{Value, json};
use std::net::SocketAddr;

/// What the upstream serves.
const ZONE: &str = "\
up.example. 300 IN SOA ns.up.example. mail.up.example. 1 3600 600 86400 60
up.example. 300 IN NS ns.up.example.
up.example. 300 IN NS ns2.up.example.
up.example. 300 IN MX 10 mail.up.example.
up.example. 300 IN MX 20 mail2.up.example.
up.example. 300 IN TXT \"v=spf1 include:x ~all\"
up.example. 300 IN TXT \"one\" \"two\"
up.example. 300 IN CAA 0 issue \"ca.example\"
up.example. 300 IN CAA 0 iodef \"mailto:x@up.example\"
_sip._tcp.up.example. 300 IN SRV 10 5 5060 ns.up.example.
_sip._tcp.up.example. 300 IN SRV 20 5 5060 ns2.up.example.
ns.up.example. 300 IN A 192.0.2.53
ns2.up.example. 300 IN A 192.0.2.54
mail.up.example. 300 IN A 192.0.2.25
mail.up.example. 300 IN A 192.0.2.26
mail.up.example. 300 IN AAAA 2001:db8::25
alias.up.example. 300 IN CNAME ns.up.example.
ads.up.example. 300 IN A 192.0.2.66
ads.up.example. 300 IN MX 10 mail.up.example.
ads.up.example. 300 IN HTTPS 1 . alpn=h2
";

/// An NSD that serves [`ZONE`], and more.
fn nsd(more: &str) -> Rival {
    Rival::start(Make::Nsd, &[Zone { origin: "up.example".to_owned(), text: format!("{ZONE}{more}") }])
}

/// A node that forwards to this server, and remembers what it says.
fn behind(upstream: SocketAddr) -> Plan {
    Plan::new("defects").with(&json!({
        "fallback_server_ip": upstream.ip().to_string(),
        "fallback_server_port": upstream.port().to_string(),
        "cache_records": true,
        "stale_while_revalidate": true,
    }))
}

/// One of the data plane's counters; its report comes once a second.
fn counter(node: &Node, name: &str) -> Result<u64, String> {
    let plane = node.data_plane_status()?;
    match &plane["counters"][name] {
        Value::Number(number) => Ok(number.as_u64().unwrap_or_default()),
        other => Err(format!("{name} is {other}")),
    }
}

/// Waits until a counter has this value.
#[track_caller]
fn counts(node: &mut Node, name: &str, expected: u64) {
    node.eventually(&format!("{name} is {expected}"), |node| match counter(node, name)? {
        value if value == expected => Ok(()),
        value => Err(value.to_string()),
    });
}
