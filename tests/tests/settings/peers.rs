//! Peers added, removed, given roles and settings, on both nodes.

use dnsplane_tests::{Node, Plan, Record, node::TOKEN};
use serde_json::{Value, json};
use std::fs;

/// A node that administers and may be administered.
fn node(name: &str) -> Node {
    Plan::new(name).with(&json!({"cluster_admin": true, "cluster_admin_token": "adm"})).start_control()
}

fn file(node: &Node) -> Value {
    serde_json::from_str(&fs::read_to_string(node.path("dnsplane.json")).expect("a file")).expect("JSON")
}

#[test]
fn a_peer_is_added_given_a_role_and_settings_and_removed_again() {
    let (mut a, mut b) = (node("a"), node("b"));
    let (of_a, of_b) = (a.peer().to_string(), b.peer().to_string());
    a.add(&Record::a("www.example", "192.0.2.7"));

    a.ctl(&["cluster", "peer", "add", &of_b, "readonly"]).success();
    assert_eq!(file(&a)["cluster_peers"], json!([of_b]));
    assert_eq!((&file(&b)["cluster_replica_only"], &b.cluster_status()["replica_only"]), (&json!(true), &json!(true)));
    b.eventually("the new peer gets the records", |node| match node.records().as_slice() {
        [record] if record.name == "www.example" => Ok(()),
        other => Err(format!("{other:?}")),
    });

    let ended = a.ctl(&["cluster", "push", "config", &of_b]);
    assert!(ended.success().contains(&of_a));
    assert_eq!(file(&b)["cluster_peers"], json!([of_a]), "us added, itself removed");
    a.ctl(&["cluster", "peer", "set-role", &of_b, "full"]).success();
    assert_eq!(b.cluster_status()["replica_only"], false);
    b.add(&Record::a("mail.example", "192.0.2.8"));
    a.eventually("what the other writes comes back", |node| {
        let held = node.records();
        if held.len() == 2 { Ok(()) } else { Err(format!("{held:?}")) }
    });

    a.ctl(&["cluster", "peer", "remove", &of_b]).success();
    assert_eq!((&file(&a)["cluster_peers"], &a.cluster_status()["effective_peer_count"]), (&json!([]), &json!(0)));
    assert!(a.control().said().contains("no longer a peer"));
    let log = b.control().said();
    assert!(
        log.contains("cluster_replica_only") && log.contains("peer a at 127.0.0.1"),
        "who changed what is logged: {log}"
    );
}

#[test]
fn a_peer_is_not_told_to_dial_itself_under_another_name() {
    let (mut a, b) = (node("a"), node("b"));
    let alias = format!("localhost:{}", b.peer().port());
    a.ctl(&["cluster", "peer", "add", &b.peer().to_string()]).success();
    a.ctl(&["cluster", "peer", "add", &alias]).success();
    a.ctl(&["cluster", "peer", "add", "127.0.0.1:1"]).success();
    a.eventually("both names are known to be one node", |node| {
        let status = node.cluster_status();
        let peers = status["peers"].as_array().cloned().unwrap_or_default();
        if peers.iter().filter(|peer| peer["node_id"] == "b").count() == 2 { Ok(()) } else { Err(status.to_string()) }
    });
    a.ctl(&["cluster", "push", "config", &alias]).success();
    assert_eq!(file(&b)["cluster_peers"], json!([a.peer().to_string(), "127.0.0.1:1"]));
}

#[test]
fn what_makes_no_sense_is_refused_and_changes_nothing() {
    let a = node("a");
    let own = a.peer().to_string();
    a.ctl(&["cluster", "peer", "add", "127.0.0.1:1"]).success();
    for (words, sentence) in [
        (vec!["add", "127.0.0.1:1"], "is one of our peers already"),
        (vec!["add", own.as_str()], "is this node itself"),
        (vec!["add", "no port:x"], "cannot be dialled"),
        (vec!["remove", "127.0.0.1:2"], "is not in our cluster_peers, which are 127.0.0.1:1"),
    ] {
        let ended = a.ctl(&[&["cluster", "peer"], words.as_slice()].concat());
        assert_eq!(ended.code, Some(1), "{words:?}: {}", ended.said());
        assert!(ended.stderr.contains(sentence), "{words:?}: {}", ended.stderr);
    }
    assert_eq!(file(&a)["cluster_peers"], json!(["127.0.0.1:1"]));
}

#[test]
fn what_goes_wrong_at_the_peer_is_told_and_what_was_done_here_stays() {
    let (a, b) = (node("a"), Plan::new("b").with(&json!({"cluster_admin_token": "other"})).start_control());
    let of_b = b.peer().to_string();
    let ended = a.ctl(&["cluster", "peer", "add", &of_b, "readonly"]);
    assert_eq!(ended.code, Some(4), "{}", ended.said());
    assert!(
        ended.said().contains("is one of our peers now") && ended.said().contains("invalid admin token"),
        "{}",
        ended.said()
    );
    assert_eq!(file(&a)["cluster_peers"], json!([of_b]));
    let down = a.ctl(&["cluster", "push", "config", "127.0.0.1:1"]);
    assert_eq!(down.code, Some(4), "{}", down.said());
    assert!(down.said().contains("cannot connect"), "{}", down.said());
    let before = file(&b);
    for command in [&["push", "config", of_b.as_str()][..], &["peer", "set-role", of_b.as_str(), "readonly"]] {
        let ended = a.ctl(&[&["cluster"], command].concat());
        assert_eq!(ended.code, Some(4), "{command:?}: {}", ended.said());
    }
    assert_eq!(file(&b), before);
}

#[test]
fn a_peer_with_a_file_that_cannot_be_written_says_so_and_stays_as_it_is() {
    let (a, mut b) = (node("a"), node("b"));
    // Somebody is in the middle of an edit.
    let text = fs::read_to_string(b.path("dnsplane.json")).expect("a file");
    b.write("dnsplane.json", &text[..text.len() / 2]);
    let ended = a.ctl(&["cluster", "peer", "set-role", &b.peer().to_string(), "readonly"]);
    assert_eq!(ended.code, Some(4), "{}", ended.said());
    assert!(ended.said().contains("it was left as it is"), "{}", ended.said());
    assert!(!ended.said().contains(TOKEN) && !ended.said().contains("adm\""), "{}", ended.said());
    assert_eq!(b.cluster_status()["replica_only"], false);
    assert_eq!(fs::read_to_string(b.path("dnsplane.json")).expect("a file"), text[..text.len() / 2]);
    b.write("dnsplane.json", &text);
    a.ctl(&["cluster", "peer", "set-role", &b.peer().to_string(), "readonly"]).success();
    assert!(b.control().said().contains("cluster_replica_only"));
}

#[test]
fn records_of_a_read_only_file_are_changed_by_nobody_but_its_editor() {
    let mut node = Plan::new("n").records(&[Record::a("own.example", "192.0.2.1")]).start_control();
    node.ctl(&["server", "set", "file_locations.records_source.read_only", "true"]).success();
    let reply = node.request("POST", "/dns/records", Some(&Record::a("www.example", "192.0.2.7").to_json()));
    assert_eq!(reply.status, 403, "{reply:?}");
    assert!(reply.body.contains("read_only"), "{reply:?}");
    let refused = node.ctl(&["record", "remove", "own.example"]);
    assert_eq!(refused.code, Some(1), "{}", refused.said());

    let mut wire = dnsplane_tests::peer::Wire::authenticated(node.peer(), TOKEN);
    let theirs = json!([Record::a("theirs.example", "192.0.2.9").to_json()]);
    wire.say(
        &json!({"type": "records_full", "node_id": "w", "seq": 9, "timestamp_unix": 9, "records": theirs}).to_string(),
    );
    wire.say(r#"{"type":"ping"}"#);
    assert_eq!(wire.hear_json(dnsplane_tests::PATIENCE), json!({"type": "pong"}));
    assert_eq!(node.records()[0].name, "own.example");
    assert!(node.cluster_status()["read_only_source"].is_string());

    let edited = json!({"records": [Record::a("edited.example", "192.0.2.2").to_json()]});
    node.write("dnsrecords.json", &edited.to_string());
    node.eventually("an edit of the file comes in", |node| match node.records().as_slice() {
        [record] if record.name == "edited.example" => Ok(()),
        other => Err(format!("{other:?}")),
    });
}
