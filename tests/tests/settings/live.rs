//! Each cluster setting, changed on a running node in each of the ways.

use crate::Door;
use dnsplane_tests::{
    Node, PATIENCE, Plan, Record, eventually,
    peer::{Heard, Listener, Script, Wire, auth},
};
use serde_json::{Value, json};
use std::{
    net::{SocketAddr, TcpStream},
    time::Duration,
};

const LIMIT: Duration = Duration::from_secs(10);

#[test]
fn every_cluster_setting_takes_effect_when_it_is_set() {
    every_setting(Door::Set);
}

#[test]
fn every_cluster_setting_takes_effect_when_the_file_is_loaded() {
    every_setting(Door::Load);
}

#[test]
fn every_cluster_setting_takes_effect_on_sighup() {
    every_setting(Door::Hangup);
}

fn every_setting(door: Door) {
    let mut node = Plan::new("n").with(&json!({"cluster_enabled": false})).start_control();
    enabling_and_disabling(&mut node, door);
    another_address_to_listen_on(&mut node, door);
    another_token(&mut node, door);
    identity(&mut node, door);
    peers_interval_and_role(&mut node, door);
    local_writes(&mut node, door);
    administration(&mut node, door);
    policies(&mut node, door);
    discovery(&mut node, door);
}

/// Waits until the node's status says so.
#[track_caller]
fn status_says(node: &mut Node, key: &str, value: &Value) {
    node.eventually(&format!("`{key}` is {value}"), |node| {
        let status = node.cluster_status();
        if status[key] == *value { Ok(()) } else { Err(status.to_string()) }
    });
}

#[track_caller]
fn accepts(address: SocketAddr, wanted: bool) {
    eventually(&format!("{address} accepts connections: {wanted}"), PATIENCE, || {
        match (TcpStream::connect_timeout(&address, LIMIT), wanted) {
            (Ok(_), true) | (Err(_), false) => Ok(()),
            (other, _) => Err(format!("{other:?}")),
        }
    });
}

/// What the node says to an `auth` with this token.
fn answer_to(node: &Node, token: &str) -> String {
    let Ok(mut wire) = Wire::connect(node.peer()) else { return "nobody listens".to_owned() };
    wire.say(&auth(token));
    match wire.hear(LIMIT) {
        Heard::Frame(text) => text,
        other => format!("{other:?}"),
    }
}

fn enabling_and_disabling(node: &mut Node, door: Door) {
    accepts(node.peer(), false);
    door.change(node, "cluster_enabled", json!(true));
    accepts(node.peer(), true);
    let mut open = Wire::authenticated(node.peer(), dnsplane_tests::node::TOKEN);
    door.change(node, "cluster_enabled", json!(false));
    accepts(node.peer(), false);
    assert_eq!(open.hear(LIMIT), Heard::Closed, "connections end with it");
    door.change(node, "cluster_enabled", json!(true));
    accepts(node.peer(), true);
}

fn another_address_to_listen_on(node: &mut Node, door: Door) {
    let spare = Plan::new("spare").prepare();
    let mut open = Wire::authenticated(node.peer(), dnsplane_tests::node::TOKEN);
    door.change(node, "cluster_listen_addr", json!(spare.peer().to_string()));
    accepts(spare.peer(), true);
    accepts(node.peer(), false);
    open.say(r#"{"type":"ping"}"#);
    assert_eq!(open.hear_json(LIMIT), json!({"type": "pong"}), "connections outlive the door they came through");
    // A door that cannot be opened: the old one stays, and the reason is told.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = taken.local_addr().map(|address| (taken, address)).expect("an address");
    door.change(node, "cluster_listen_addr", json!(taken.1.to_string()));
    node.eventually("the status says why peers cannot connect there", |node| {
        let status = node.cluster_status();
        let said = status["listen_error"].as_str().is_some_and(|text| text.contains(&taken.1.to_string()));
        if said { Ok(()) } else { Err(status.to_string()) }
    });
    accepts(spare.peer(), true);
    door.change(node, "cluster_listen_addr", json!(node.peer().to_string()));
    accepts(node.peer(), true);
}

fn another_token(node: &mut Node, door: Door) {
    let mut open = Wire::authenticated(node.peer(), dnsplane_tests::node::TOKEN);
    door.change(node, "cluster_auth_token", json!("another"));
    node.eventually("the new token is the one", |node| {
        let said = answer_to(node, "another");
        if said.contains("auth_ok") { Ok(()) } else { Err(said) }
    });
    assert!(answer_to(node, dnsplane_tests::node::TOKEN).contains("auth_fail"));
    open.say(r#"{"type":"ping"}"#);
    assert_eq!(open.hear_json(LIMIT), json!({"type": "pong"}));
    door.change(node, "cluster_auth_token", json!(dnsplane_tests::node::TOKEN));
    node.eventually("the old token is back", |node| {
        let said = answer_to(node, dnsplane_tests::node::TOKEN);
        if said.contains("auth_ok") { Ok(()) } else { Err(said) }
    });
}

fn identity(node: &mut Node, door: Door) {
    door.change(node, "cluster_node_id", json!("renamed"));
    status_says(node, "node_id", &json!("renamed"));
    door.change(node, "cluster_advertise_addr", json!("ns1.lab.test:7"));
    status_says(node, "advertise_addr", &json!("ns1.lab.test:7"));
    let join: Value = serde_json::from_str(&node.ctl(&["--json", "cluster", "join"]).success()).expect("JSON");
    assert_eq!(join["dial_address"], "ns1.lab.test:7", "{join}");
}

fn peers_interval_and_role(node: &mut Node, door: Door) {
    let peer = Listener::start(Script::default());
    door.change(node, "cluster_peers", json!([peer.address().to_string()]));
    let pulls = |more_than: usize| {
        eventually(&format!("more than {more_than} pulls"), PATIENCE, || {
            let pulls = peer.dialogues_of("pull").len();
            if pulls > more_than { Ok(pulls) } else { Err(format!("{pulls}")) }
        })
    };
    pulls(0);
    door.change(node, "cluster_sync_interval_seconds", json!(1));
    let so_far = pulls(2);
    pulls(so_far + 1);
    door.change(node, "cluster_sync_interval_seconds", json!(0));

    door.change(node, "cluster_replica_only", json!(true));
    status_says(node, "replica_only", &json!(true));
    node.add(&Record::a("replica.lab.test", "192.0.2.1"));
    // Pushing is what it begins with below; a push that came from this write would be there by then, too.
    assert!(peer.pushes().is_empty(), "{:?}", peer.pushes());
    door.change(node, "cluster_replica_only", json!(false));
    eventually("what was written meanwhile is pushed", PATIENCE, || {
        let pushes = peer.pushes();
        if pushes.is_empty() { Err(node.logs()) } else { Ok(()) }
    });
    door.change(node, "cluster_peers", json!([]));
    status_says(node, "peers", &Value::Null);
}

fn local_writes(node: &mut Node, door: Door) {
    door.change(node, "cluster_reject_local_writes", json!(true));
    let record = Record::a("refused.lab.test", "192.0.2.1").to_json();
    node.eventually("writes are refused", |node| {
        let reply = node.request("PUT", "/dns/records", Some(&record));
        if reply.status == 403 { Ok(()) } else { Err(format!("{reply:?}")) }
    });
    door.change(node, "cluster_reject_local_writes", json!(false));
    node.eventually("writes are taken", |node| {
        let reply = node.request("PUT", "/dns/records", Some(&record));
        if reply.status == 200 { Ok(()) } else { Err(format!("{reply:?}")) }
    });
}

fn administration(node: &mut Node, door: Door) {
    let apply = |node: &Node| {
        let mut wire = Wire::authenticated(node.peer(), dnsplane_tests::node::TOKEN);
        wire.say(r#"{"type":"admin_config_apply","admin_token":"adm"}"#);
        wire.hear_json(LIMIT)
    };
    assert_eq!(apply(node)["message"], "remote admin disabled (empty cluster_admin_token)");
    door.change(node, "cluster_admin_token", json!("adm"));
    node.eventually("who shows the admin token is let in", |node| {
        let said = apply(node);
        if said["type"] == "admin_config_ok" { Ok(()) } else { Err(said.to_string()) }
    });
    let peer = Listener::start(Script::default());
    let address = peer.address().to_string();
    let set_role = |node: &Node| node.ctl(&["cluster", "peer", "set-role", &address, "readonly"]);
    assert!(set_role(node).said().contains("cluster_admin"));
    door.change(node, "cluster_admin", json!(true));
    node.eventually("it may administer others", |node| {
        let ended = set_role(node);
        if ended.code == Some(0) { Ok(()) } else { Err(ended.said()) }
    });
    let heard = peer.dialogues_of("admin_config_apply");
    assert!(heard.iter().any(|dialogue| dialogue.frames[1].contains(r#""cluster_replica_only":true"#)), "{heard:?}");
}

/// Sends a snapshot of one record, and whatever else, and waits until it has been judged.
fn offer(node: &Node, sender: &str, seq: u64, records: &Value) -> Vec<String> {
    let mut wire = Wire::authenticated(node.peer(), dnsplane_tests::node::TOKEN);
    let frame =
        json!({"type": "records_full", "node_id": sender, "seq": seq, "timestamp_unix": seq, "records": records});
    wire.say(&frame.to_string());
    wire.say(r#"{"type":"ping"}"#);
    assert_eq!(wire.hear_json(LIMIT), json!({"type": "pong"}));
    node.records().into_iter().map(|record| record.name).collect()
}

fn policies(node: &mut Node, door: Door) {
    let of = |name: &str| json!([Record::a(name, "192.0.2.1").to_json()]);
    let far = 4_000_000_000;
    assert_eq!(offer(node, "w", far, &of("one.lab.test")), ["one.lab.test"]);
    door.change(node, "cluster_sync_policy", json!("primary_writer"));
    status_says(node, "sync_policy", &json!("primary_writer"));
    assert_eq!(offer(node, "w", far + 1, &of("two.lab.test")), ["one.lab.test"], "nobody is believed");
    door.change(node, "cluster_allowed_writer_node_ids", json!(["w"]));
    status_says(node, "allowed_writer_node_ids", &json!(["w"]));
    assert_eq!(
        offer(node, "w", far + 1, &of("two.lab.test")),
        ["two.lab.test"],
        "R6: allowed later, taken at the next offer"
    );
    door.change(node, "cluster_sync_policy", json!("global_lww"));
    status_says(node, "sync_policy", &json!("global_lww"));
    assert_eq!(offer(node, "x", far - 5, &of("old.lab.test")), ["two.lab.test"], "older than what we hold");
    assert_eq!(offer(node, "x", far + 5, &of("new.lab.test")), ["new.lab.test"]);

    let half = |name: &str| {
        json!([Record::a(name, "192.0.2.1").to_json(), Record::a("bad.lab.test", "not an address").to_json()])
    };
    assert_eq!(
        offer(node, "x", far + 6, &half("half.lab.test")),
        ["half.lab.test"],
        "what cannot be served is left out"
    );
    door.change(node, "cluster_invalid_records", json!("reject"));
    // Nothing shows this setting but its effect; after SIGHUP it comes a moment later.
    let mut seq = far + 7;
    node.eventually("such snapshots are refused whole", |node| {
        seq += 1;
        let name = format!("half-{seq}.lab.test");
        let held = offer(node, "x", seq, &half(&name));
        if held.contains(&name) { Err(format!("{held:?}")) } else { Ok(()) }
    });
}

fn discovery(node: &mut Node, door: Door) {
    door.change(node, "cluster_discovery_servers", json!(["127.0.0.1:1"]));
    for (key, value) in
        [("cluster_discovery_srv", json!("_dnsplane._tcp.lab.test")), ("cluster_discovery_interval_seconds", json!(7))]
    {
        door.change(node, key, value.clone());
        status_says(node, key, &value);
    }
    node.eventually("it asks the server that was set, and says that nobody answers", |node| {
        let status = node.cluster_status();
        if status["discovery_last_error"].is_string() { Ok(()) } else { Err(status.to_string()) }
    });
}
