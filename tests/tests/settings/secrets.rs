//! Tokens are in the file and on the wire to peers, and nowhere else.

use dnsplane_tests::{
    Node, PATIENCE, Plan, Record,
    peer::{Wire, auth},
    program::{Ended, binary, check_config, run},
};
use nix::sys::signal::Signal;
use serde_json::json;
use std::{
    io::{Read, Write},
    net::TcpStream,
    process::Command,
};

/// Every secret of these nodes has this in it.
const MARK: &str = "hush";

/// Everything that was said, and by what.
#[derive(Default)]
struct Said(Vec<(String, String)>);

impl Said {
    fn add(&mut self, what: &str, text: impl Into<String>) {
        self.0.push((what.to_owned(), text.into()));
    }

    fn ctl(&mut self, node: &Node, words: &[&str]) -> Ended {
        let ended = node.ctl(words);
        self.add(&format!("{words:?}"), ended.said());
        ended
    }
}

/// A REST request with this token, as it comes back.
fn rest(node: &Node, path: &str, token: &str) -> String {
    let mut stream = TcpStream::connect(node.api()).expect("the API listens");
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it takes a request");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("it answers");
    reply
}

#[test]
fn no_token_appears_in_any_log_status_listing_or_error() {
    let keys = json!({
        "cluster_auth_token": "hush-cluster", "cluster_admin_token": "hush-admin", "api_auth_token": "hush-api",
        "cluster_admin": true, "log": {"log_severity": "trace"},
    });
    let (mut a, mut b) = (Plan::new("a").with(&keys).start_control(), Plan::new("b").with(&keys).start_control());
    let of_b = b.peer().to_string();
    let mut said = Said::default();

    // What works, and what does not.
    for words in [
        &["cluster", "peer", "add", of_b.as_str(), "full"][..],
        &["cluster", "push", "config", of_b.as_str()],
        &["cluster", "push", "records", of_b.as_str()],
        &["record", "add", "www.example", "192.0.2.7"],
        &["server", "set", "api_auth_token", "hush-api-2"],
        &["server", "set", "api_auth_token", "hush-api-2"],
        &["server", "set", "cluster_admin_token", "\"hush-admin-2\""],
        &["cluster", "peer", "set-role", of_b.as_str(), "readonly"],
        &["server", "set", "cluster_auth_token", "hush-cluster-2"],
        &["cluster", "push", "config", of_b.as_str()],
        &["cluster", "pull"],
        &["server", "save"],
        &["server", "set", "cluster_auth_token.x", "hush-cluster-3"],
        &["server", "set", "cluster_auth_tokn", "hush-cluster-3"],
    ] {
        said.ctl(&a, words);
    }
    a.eventually("the other token is told to have failed", |node| {
        let status = node.ctl(&["--json", "cluster", "status"]).success();
        if status.contains("auth failed") { Ok(()) } else { Err(status) }
    });
    for token in ["hush-wrong", "hush-cluster-2"] {
        let mut wire = Wire::connect(a.peer()).expect("the node listens");
        wire.say(&auth(token));
        said.add("auth", format!("{:?}", wire.hear(PATIENCE)));
        wire.say(r#"{"type":"admin_config_apply","admin_token":"hush-no","cluster_auth_token":"hush-cluster-4"}"#);
        said.add("admin", format!("{:?}", wire.hear(PATIENCE)));
        wire.say(r#"{"type":"admin_config_apply","admin_token":["hush-no"],"cluster_auth_token":7}"#);
    }
    for token in ["hush-wrong", "hush-api-2"] {
        for path in ["/dns/records", "/stats/dashboard/data", "/stats/dashboard", "/ready", "/version", "/none?x=1"] {
            said.add(path, rest(&a, path, token));
        }
    }
    // Files in which tokens are not what they should be.
    let whole = std::fs::read_to_string(a.path("dnsplane.json")).expect("a file");
    for broken in [
        "{\n\"cluster_auth_token\":\n\"hush-cluster-5",
        "{\n\"cluster_auth_token\":\n[\"hush-cluster-5\"]\n}",
        "{\"api_auth_token\": {\"hush-api-3\": 1}}",
        "{\"cluster_admin_token\": \"hush-admin-3\" \"port\": \"1\"}",
        "{\"cluster_auth_tokn\": \"hush-cluster-5\", \"port\": 1}",
    ] {
        said.add("--check", check_config(broken).0.said());
        a.write("dnsplane.json", broken);
        said.ctl(&a, &["server", "load"]);
        said.ctl(&a, &["server", "set", "cluster_replica_only", "true"]);
        said.ctl(&a, &["server", "save"]);
        said.ctl(&a, &["cluster", "peer", "add", "127.0.0.1:1"]);
        said.ctl(&a, &["server", "load"]);
    }
    a.write("dnsplane.json", &whole);
    a.control().signal(Signal::SIGHUP);
    for node in [&a, &b] {
        for words in [
            &["server", "config"][..],
            &["--json", "server", "config"],
            &["server", "status"],
            &["--json", "server", "status"],
            &["cluster", "status"],
            &["--json", "cluster", "status"],
            &["--json", "cluster", "join"],
            &["--json", "cluster", "conflicts", "--all"],
        ] {
            assert_eq!(said.ctl(node, words).code, Some(0), "{words:?}");
        }
    }
    let mut whole_check = Command::new(binary("dnsplane-cluster"));
    whole_check.arg("--config").arg(a.path("dnsplane.json")).arg("--check");
    said.add("--check", run(whole_check, "").said());
    said.add("log of a", a.control().said());
    said.add("log of b", b.control().said());

    let config = &said.0.iter().find(|(what, _)| what.contains("\"config\"]")).expect("the listing").1;
    assert!(config.contains("(secret)"), "{config}");
    assert!(
        said.0.iter().any(|(what, text)| what.starts_with("log") && text.contains("DEBUG")),
        "the logs are detailed"
    );
    for (what, text) in &said.0 {
        let found = text.lines().find(|line| line.contains(MARK));
        assert_eq!(found, None, "{what}");
    }
    // They are where they belong.
    assert!(whole.contains("hush-cluster-2") && whole.contains("hush-admin-2") && whole.contains("hush-api-2"));
    let record = Record::a("www.example", "192.0.2.7");
    b.eventually("the nodes did talk to each other", |node| {
        let list = node.ctl(&["record", "list"]).success();
        if list.contains(&record.name) { Ok(()) } else { Err(list) }
    });
}
