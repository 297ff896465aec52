use super::{plan, replace, zone};
use dnsplane_tests::{Plan, Record};
use serde_json::json;

#[test]
fn nobody_but_the_zone_files_changes_records_and_each_is_told_why() {
    let mut node = plan("closed", json!({})).file("zones/one.test.db", &zone("www A 192.0.2.1\n")).start();
    node.eventually_answers("www.one.test", "A", &["192.0.2.1"]);
    let before = node.records();
    let record = Record::a("new.one.test", "192.0.2.8").to_json();
    for (method, path, body) in [
        ("POST", "/dns/records", Some(&record)),
        ("PUT", "/dns/records", Some(&record)),
        ("DELETE", "/dns/records?name=www.one.test", None),
    ] {
        let reply = node.request(method, path, body);
        assert_eq!(reply.status, 403, "{method}: {reply:?}");
        assert!(
            reply.body.contains("records come from the zone files in ") && reply.body.contains("make the change there"),
            "{reply:?}"
        );
    }
    let refused = node.ctl(&["record", "add", "new.one.test", "A", "192.0.2.8"]);
    assert!(refused.code == Some(1) && refused.stderr.contains("the zone files in "), "{refused:?}");
    let reason = node.cluster_status()["read_only_source"].to_string();
    assert!(reason.contains("the zone files in "), "{reason}");
    let source = node.records_source();
    assert_eq!(
        (&source["type"], &source["read_only"], &source["records"]),
        (&json!("bind_dir"), &json!(true), &json!(4))
    );
    assert_eq!(node.records(), before);
}

#[test]
fn peers_take_what_the_zone_files_say_and_cannot_overwrite_it() {
    let mut zones = plan("zones", json!({"watch": true})).file("zones/one.test.db", &zone("www A 192.0.2.1\n")).start();
    let mut peer = Plan::new("peer").peers(&[zones.peer()]).start();
    zones.configure(&json!({"cluster_peers": [peer.peer().to_string()]}));
    zones.control().signal(nix::sys::signal::Signal::SIGHUP);
    peer.eventually_answers("www.one.test", "A", &["192.0.2.1"]);
    replace(&zones, "zones/one.test.db", &zone("www A 192.0.2.2\n"));
    peer.eventually_answers("www.one.test", "A", &["192.0.2.2"]);
    peer.add(&Record::a("theirs.test", "192.0.2.9"));
    let address = peer.peer();
    zones.eventually("the peer's records are refused, and it is said why", |zones| {
        let status = zones.cluster_status();
        let text = status.to_string();
        if text.contains("records come from the zone files in ") && text.contains("last_refusal") {
            Ok(())
        } else {
            Err(format!("{address}: {text}"))
        }
    });
    zones.eventually_answers("theirs.test", "A", &[]);
    zones.eventually_answers("www.one.test", "A", &["192.0.2.2"]);
}

#[test]
fn another_source_is_used_from_the_next_start_on() {
    let mut node = Plan::new("switch").folder("zones").file("zones/one.test.db", &zone("www A 192.0.2.1\n")).start();
    node.add(&Record::a("here.test", "192.0.2.7"));
    let zones = node.path("zones").display().to_string();
    node.ctl(&["server", "set", "file_locations.records_source.location", &zones]).success();
    let told = node.ctl(&["server", "set", "file_locations.records_source.type", "bind_dir"]).success();
    assert!(told.contains("takes effect at the next start"), "{told}");
    node.add(&Record::a("still.test", "192.0.2.8"));
    node.ctl(&["server", "save"]).success();
    node.control().terminate(dnsplane_tests::node::TERMINATION_LIMIT);
    node.start_control();
    node.wait_ready();
    node.eventually_answers("www.one.test", "A", &["192.0.2.1"]);
    node.eventually_answers("here.test", "A", &[]);
    // And back: the file that was kept says what there is.
    node.configure(&json!({"file_locations": {"records_source": {"type": "file", "location": "dnsrecords.json"}}}));
    node.control().terminate(dnsplane_tests::node::TERMINATION_LIMIT);
    node.start_control();
    node.wait_ready();
    node.eventually_answers("here.test", "A", &["192.0.2.7"]);
    node.eventually_answers("www.one.test", "A", &[]);
}
