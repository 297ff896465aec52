//! Answers over TLS, HTTPS and QUIC, asked for by Debian's kdig and curl, which know nothing of how we do it.

mod certificates;
mod https;

use dnsplane_tests::{Node, Plan, Record, program};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use std::{net::SocketAddr, path::PathBuf, process::Command};

/// The name in certificates.
const NAME: &str = "ns1.lab.test";

/// An authority of one certificate, PEM.
pub(crate) struct Pair {
    pub(crate) authority: String,
    pub(crate) chain: String,
    pub(crate) key: String,
}

impl Pair {
    /// For [`NAME`], and the name that people see.
    pub(crate) fn new(called: &str) -> Self {
        let keys = || KeyPair::generate().expect("a key");
        let mut above = CertificateParams::new([]).expect("names");
        above.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let above_key = keys();
        let authority = above.self_signed(&above_key).expect("a certificate").pem();
        let mut params = CertificateParams::new([NAME.to_owned()]).expect("names");
        params.distinguished_name.push(DnType::CommonName, called);
        let key = keys();
        let certificate = params.signed_by(&key, &Issuer::new(above, above_key)).expect("a certificate");
        Self { chain: certificate.pem() + &authority, authority, key: key.serialize_pem() }
    }
}

/// A node with all doors open, on ports that the system chose.
pub(crate) struct Encrypted {
    pub(crate) node: Node,
    pub(crate) tls: SocketAddr,
    pub(crate) https: SocketAddr,
    pub(crate) quic: SocketAddr,
}

impl Encrypted {
    pub(crate) fn start() -> Self {
        Self::start_with(&json!({}))
    }

    /// With these settings, too.
    pub(crate) fn start_with(more: &Value) -> Self {
        let pair = Pair::new("first");
        let mut settings = json!({"DNSRecordSettings": {"auto_build_ptr_from_a": true}});
        for door in ["dot", "doh", "doq"] {
            for (key, value) in [("enabled", json!(true)), ("bind", json!("127.0.0.1")), ("port", json!("0"))] {
                settings[format!("{door}_{key}")] = value;
            }
            settings[format!("{door}_cert_file")] = json!("chain.pem");
            settings[format!("{door}_key_file")] = json!("key.pem");
        }
        let plan = Plan::new("a").with(&settings).with(more).file("chain.pem", &pair.chain).file("key.pem", &pair.key);
        let plan = plan.file("authority.pem", &pair.authority);
        let mut records: Vec<_> = (1..=60).map(|last| Record::a("many.lab.test", &format!("192.0.2.{last}"))).collect();
        records.push(Record::new("www.lab.test", "A", "192.0.2.7", 300));
        records.push(Record::new("lab.test", "SOA", "ns1.lab.test. h.lab.test. 1 3600 600 86400 40", 3600));
        let mut node = plan.records(&records).start();
        let [tls, https, quic] = ["dot", "doh", "doq"].map(|kind| door(&mut node, kind));
        Self { node, tls, https, quic }
    }

    /// What kdig prints when asked in this way.
    pub(crate) fn kdig(&self, at: SocketAddr, arguments: &[&str]) -> program::Ended {
        let mut command = Command::new("kdig");
        command.arg(format!("@{}", at.ip())).args(["-p", &at.port().to_string()]).args(arguments);
        program::run(command, "")
    }

    /// For kdig: believe the node's first certificate and no other.
    pub(crate) fn verified(&self) -> [String; 2] {
        [format!("+tls-ca={}", self.authority().display()), format!("+tls-hostname={NAME}")]
    }

    /// Whom clients believe.
    pub(crate) fn authority(&self) -> PathBuf {
        self.node.path("authority.pem")
    }
}

/// Where this door is open, as the node says.
pub(crate) fn door(node: &mut Node, kind: &str) -> SocketAddr {
    node.eventually(&format!("the door {kind} is open"), |node| {
        let status = node.data_plane_status()?;
        let sockets = status["listening"].as_array().into_iter().flatten().filter_map(|socket| socket.as_str());
        let address = sockets.filter_map(|socket| socket.strip_prefix(kind)?.trim().parse().ok()).next();
        address.ok_or_else(|| status.to_string())
    })
}

#[test]
fn rfc7858_rfc8484_rfc9250_kdig_gets_the_same_answers_over_each_transport() {
    let encrypted = Encrypted::start();
    let [ca, hostname] = encrypted.verified();
    for (at, how) in [
        (encrypted.tls, &["+tls"][..]),
        (encrypted.https, &["+https=/dns-query"]),
        (encrypted.https, &["+https=/dns-query", "+https-get"]),
        (encrypted.quic, &["+quic"]),
    ] {
        let ask = |more: &[&str]| {
            // Debian's kdig 3.2 crashes when it is to verify over QUIC.
            let verified: &[&str] = if how == ["+quic"] { &[] } else { &[&ca, &hostname] };
            let arguments = [how, verified, more].concat();
            encrypted.kdig(at, &arguments).success()
        };
        assert_eq!(ask(&["+short", "www.lab.test", "A"]), "192.0.2.7\n", "{how:?}");
        // Over 1232 octets, so over UDP it would be truncated.
        assert_eq!(ask(&["+short", "+noedns", "many.lab.test", "A"]).lines().count(), 60, "{how:?}");
        let nothing = ask(&["nothing.lab.test", "A"]);
        assert!(nothing.contains("status: NXDOMAIN") && nothing.contains("lab.test."), "{how:?}: {nothing}");
        // RFC 8467 §4.1
        let padded = ask(&["+padding=64", "www.lab.test", "A"]);
        assert!(padded.contains("Received 468 B"), "{how:?}: {padded}");
    }
    // Somebody else's certificate would not do.
    let stranger = encrypted.kdig(encrypted.tls, &["+tls", &ca, "+tls-hostname=other.lab.test", "www.lab.test", "A"]);
    assert_ne!(stranger.code, Some(0), "{}", stranger.said());
}

#[test]
fn doors_open_and_close_while_the_node_runs() {
    let mut encrypted = Encrypted::start();
    encrypted.node.ctl(&["server", "set", "dot_enabled", "false"]).success();
    encrypted.node.eventually("the door for TLS is closed", |node| {
        let status = node.data_plane_status()?;
        if status["listening"].to_string().contains("dot ") { Err(status.to_string()) } else { Ok(()) }
    });
    let at = encrypted.tls;
    encrypted.node.eventually("nobody listens there", |_| match std::net::TcpStream::connect(at) {
        Ok(_) => Err("somebody does".to_owned()),
        Err(_) => Ok(()),
    });
    let refused = encrypted.node.ctl(&["server", "set", "doh_path", "dns"]);
    assert!(refused.code != Some(0) && refused.said().contains("`doh_path` is `dns`"), "{}", refused.said());
    encrypted.node.ctl(&["server", "set", "dot_enabled", "true"]).success();
    let tls = door(&mut encrypted.node, "dot");
    let [ca, hostname] = encrypted.verified();
    let said = encrypted.kdig(tls, &["+tls", &ca, &hostname, "+short", "www.lab.test", "A"]).success();
    assert_eq!(said, "192.0.2.7\n");
}

#[test]
fn names_of_others_are_resolved_for_clients_of_each_transport() {
    let records: Vec<_> = (1..=4).map(|at| Record::a(&format!("at{at}.example"), &format!("192.0.2.{at}"))).collect();
    let upstream = Plan::new("upstream").records(&records).start();
    let encrypted = Encrypted::start_with(&json!({
        "fallback_server_ip": "127.0.0.1",
        "fallback_server_port": upstream.dns().port().to_string(),
    }));
    let ways = [
        (encrypted.tls, &["+tls"][..]),
        (encrypted.https, &["+https=/dns-query"]),
        (encrypted.https, &["+https=/dns-query", "+https-get"]),
        (encrypted.quic, &["+quic"]),
    ];
    for (at, (door, how)) in (1..).zip(ways) {
        // Fetched, then remembered.
        for _ in 0..2 {
            let said = encrypted.kdig(door, &[how, &["+short", &format!("at{at}.example"), "A"]].concat()).success();
            assert_eq!(said, format!("192.0.2.{at}\n"), "{how:?}");
        }
    }
}
