//! Mixed with existing nodes: snapshots they push, and a stand-in for one that we push to, pull from and probe.

use super::*;
use tokio::net::TcpListener;

#[tokio::test]
async fn snapshots_are_applied_once_in_order_and_before_the_pong() {
    let node = Node::start(settings("c")).await;
    let mut peer = Plain::join(node.address()).await;
    let steps: [(&str, u64, &[&str], &[&str]); 9] = [
        ("ext", 5, &["a.test."], &["a.test"]),
        ("ext", 4, &["b.test"], &["a.test"]),
        ("", 9, &["b.test"], &["a.test"]),
        ("c", 9, &["b.test"], &["a.test"]),
        (" ext ", 1, &["b.test"], &["b.test"]),
        ("zero", 0, &["z.test"], &["b.test"]),
        ("zero", 1, &["z.test"], &["z.test"]),
        ("ext", u64::MAX, &["m.test", "M.test.", "n.test"], &["m.test", "n.test"]),
        ("two", 2, &[], &[]),
    ];
    for (sender, seq, names, held) in steps {
        peer.offer(sender, seq, names).await;
        assert_eq!(node.names(), held, "{sender:?} {seq}");
    }
    let inbound = node.cluster.status().inbound;
    assert!(inbound.peers["c"].last_refusal.as_ref().unwrap().contains("own node id"));
    assert_eq!((inbound.peers["ext"].last_verdict, inbound.peers["ext"].applied), ("applied", Some(u64::MAX)));
}

#[tokio::test]
async fn r8_a_bad_frame_is_refused_whole_and_its_sequence_stays_free() {
    let node = Node::start(settings("c")).await;
    let mut peer = Plain::join(node.address()).await;
    peer.offer("ext", 6, &["a.test"]).await;
    for bad in [
        r#""seq":7.0,"records":[]"#,
        r#""seq":7e0,"records":[]"#,
        r#""seq":-1,"records":[]"#,
        r#""seq":18446744073709551616,"records":[]"#,
        r#""seq":7,"timestamp_unix":"x","records":[]"#,
        r#""seq":7,"records":{}"#,
        r#""seq":7,"records":[{"name":"b.test","type":"A","value":"192.0.2.1"},{"name":5}]"#,
        r#""seq":7,"records":[{"name":"b.test","type":"A","value":"192.0.2.1","ttl":60.0}]"#,
        r#""seq":7,"records":[{"name":"b.test","type":"A","value":"192.0.2.1","added_on":""}]"#,
    ] {
        peer.say(&format!(r#"{{"type":"records_full","node_id":"ext",{bad}}}"#)).await;
        peer.hears_only_pong().await;
        assert_eq!(node.names(), ["a.test"], "{bad}");
    }
    let inbound = node.cluster.status().inbound;
    assert_eq!(inbound.bad_frames, 9);
    assert!(inbound.last_bad_frame.unwrap().reason.contains("records"));
    peer.offer("ext", 7, &["b.test"]).await;
    assert_eq!(node.names(), ["b.test"]);
}

#[tokio::test]
async fn r8_records_that_cannot_be_served_are_left_out_or_refuse_the_snapshot() {
    let node = Node::start(settings("c")).await;
    let mut peer = Plain::join(node.address()).await;
    let mixed = |seq| {
        format!(
            r#"{{"type":"records_full","node_id":"ext","seq":{seq},"records":[
            {{"name":"good{seq}.test","type":"A","value":"192.0.2.1"}},{{"name":"bad.test","type":"A","value":"nonsense"}}]}}"#
        )
    };
    peer.say(&mixed(1)).await;
    peer.hears_only_pong().await;
    assert_eq!(node.names(), ["good1.test"]);
    node.change(|settings| settings.invalid_records = InvalidRecords::Reject);
    peer.say(&mixed(2)).await;
    peer.hears_only_pong().await;
    assert_eq!(node.names(), ["good1.test"]);
    let refusal = node.cluster.status().inbound.peers["ext"].last_refusal.clone().unwrap();
    assert!(refusal.contains("bad.test") && refusal.contains("value"), "{refusal}");
    node.change(|settings| settings.invalid_records = InvalidRecords::Skip);
    peer.say(&mixed(2)).await;
    peer.hears_only_pong().await;
    assert_eq!(node.names(), ["good2.test"], "R6: what was refused comes in when its reason is gone");
    let nothing_left =
        r#"{"type":"records_full","node_id":"ext","seq":3,"records":[{"name":"bad.test","type":"A","value":"x"}]}"#;
    peer.say(nothing_left).await;
    peer.hears_only_pong().await;
    assert_eq!(node.names(), ["good2.test"], "R9: what cannot be read was not meant to empty us");
}

#[tokio::test]
async fn primary_writer_takes_the_listed_and_r6_a_writer_listed_later_comes_in() {
    let settings =
        Settings { policy: SyncPolicy::PrimaryWriter, allowed_writers: vec!["writer".to_owned()], ..settings("c") };
    let node = Node::start(settings).await;
    let mut peer = Plain::join(node.address()).await;
    peer.offer("writer", 5, &["a.test"]).await;
    peer.offer("other", 5, &["b.test"]).await;
    assert_eq!(node.names(), ["a.test"]);
    let refusal = node.status()["inbound"]["peers"]["other"]["last_refusal"].clone();
    assert!(refusal.as_str().unwrap().contains("other is not in cluster_allowed_writer_node_ids"));
    let conflict = node.store.view().conflicts.newest_first().next().cloned().unwrap();
    assert_eq!((conflict.lost[0].name(), conflict.won[0].name()), ("a.test", "b.test"), "with both sides");
    node.change(|settings| settings.allowed_writers = vec!["other".to_owned()]);
    peer.offer("other", 5, &["b.test"]).await;
    assert_eq!(node.names(), ["b.test"]);
}

#[tokio::test]
async fn a_source_that_may_only_be_read_refuses_writes_and_peers_and_says_so() {
    let node = Node::start(settings("c")).await;
    node.store.set_read_only(Some("the records come from `git`".to_owned()));
    Plain::join(node.address()).await.offer("ext", 5, &["a.test"]).await;
    assert!(node.names().is_empty());
    let refusal = node.status()["inbound"]["peers"]["ext"]["last_refusal"].clone();
    assert!(refusal.as_str().unwrap().contains("come from `git`"));
    let new = NewRecord {
        name: "b.test".to_owned(),
        kind: "A".to_owned(),
        value: "192.0.2.1".to_owned(),
        ..NewRecord::default()
    };
    let refused = node.store.edit(Edit::Add(new), "test").await.unwrap_err().to_string();
    assert!(refused.contains("come from `git`; make the change there"), "{refused}");
}

#[tokio::test]
async fn r7_two_connections_of_one_sender_leave_the_newest_snapshot() {
    let node = Node::start(settings("c")).await;
    let mut connections = Vec::new();
    for _ in 0..4 {
        connections.push(Plain::join(node.address()).await);
    }
    let mut offers = JoinSet::new();
    for (lane, mut peer) in connections.into_iter().enumerate() {
        offers.spawn(async move {
            for round in 0..25 {
                let seq = 1 + round * 4 + lane as u64;
                peer.offer("ext", seq, &[&format!("s{seq}.test")]).await;
            }
        });
    }
    offers.join_all().await;
    assert_eq!(node.names(), ["s100.test"]);
}

/// Accepts one connection of ours as an existing node would, up to `auth_ok`, and tells what it is for.
async fn accepted(listener: &TcpListener) -> (Plain, Value) {
    let (stream, _) = timeout(PATIENCE, listener.accept()).await.expect("a connection").unwrap();
    let mut peer = Plain(stream);
    let auth: Value = serde_json::from_str(&peer.hear().await.unwrap()).unwrap();
    assert_eq!((&auth["type"], &auth["token"]), (&"auth".into(), &TOKEN.into()));
    peer.say(r#"{"type":"auth_ok"}"#).await;
    let request = serde_json::from_str(&peer.hear().await.unwrap()).unwrap();
    (peer, request)
}

/// Goes on accepting, answering pulls with `pulled` and probes, until a snapshot comes.
async fn next_push(listener: &TcpListener, pulled: &str) -> (Plain, Value) {
    loop {
        let (mut peer, request) = accepted(listener).await;
        match request["type"].as_str().unwrap() {
            "pull" => peer.say(pulled).await,
            "ping" => peer.say(r#"{"type":"pong"}"#).await,
            "records_full" => return (peer, request),
            other => panic!("{other}"),
        }
    }
}

const NOTHING: &str = r#"{"type":"error","message":"not ready"}"#;

#[tokio::test]
async fn a_write_reaches_an_existing_node_and_its_pong_is_the_receipt() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peers = vec![listener.local_addr().unwrap().to_string()];
    let node = Node::start(Settings { peers, ..settings("a") }).await;
    node.add("one.test").await;
    let (mut peer, pushed) = next_push(&listener, NOTHING).await;
    let view = node.store.view();
    assert_eq!((&pushed["node_id"], &pushed["seq"]), (&"a".into(), &view.own.seq.into()));
    assert_eq!(pushed["timestamp_unix"], view.own.written_at);
    assert_eq!(pushed["records"][0]["name"], "one.test");
    peer.hears(r#"{"type":"ping"}"#).await;
    assert_eq!(node.cluster.status().peers.unwrap()[0].last_outbound_ok, None, "not before the receipt");
    // While that push waits, two more writes come: they travel together, over the same connection.
    node.add("two.test").await;
    node.add("three.test").await;
    peer.say(r#"{"type":"pong"}"#).await;
    let pushed: Value = serde_json::from_str(&peer.hear().await.unwrap()).unwrap();
    assert_eq!(pushed["records"].as_array().unwrap().len(), 3);
    peer.hears(r#"{"type":"ping"}"#).await;
    peer.say(r#"{"type":"pong"}"#).await;
    node.until_peers_confirmed().await;
    let status = node.cluster.status().peers.unwrap().remove(0);
    assert_eq!((status.kind, status.last_outbound_error), (Some("existing"), None));
    for name in ["one.test", "two.test", "three.test"] {
        node.remove(name).await;
    }
    let mut last = Value::Null;
    while last["seq"] != node.store.view().own.seq {
        last = serde_json::from_str(&peer.hear().await.unwrap()).unwrap();
        peer.hears(r#"{"type":"ping"}"#).await;
        peer.say(r#"{"type":"pong"}"#).await;
    }
    assert!(last["records"].is_null(), "an empty store is pushed as null");
}

#[tokio::test]
async fn r10_a_push_is_repeated_until_it_is_confirmed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peers = vec![listener.local_addr().unwrap().to_string()];
    let node = Node::start(Settings { peers, ..settings("a") }).await;
    node.add("one.test").await;
    let (peer, _) = next_push(&listener, NOTHING).await;
    drop(peer);
    node.until("told", |node| node.cluster.status().peers.unwrap()[0].last_outbound_error.is_some()).await;
    let (mut peer, pushed) = next_push(&listener, NOTHING).await;
    assert_eq!(pushed["records"][0]["name"], "one.test");
    peer.hears(r#"{"type":"ping"}"#).await;
    peer.say(r#"{"type":"pong"}"#).await;
    node.until_peers_confirmed().await;
    assert_eq!(node.cluster.status().peers.unwrap()[0].last_outbound_error, None);
    // An existing node closes what was idle; that costs no error.
    drop(peer);
    node.add("two.test").await;
    let (mut peer, _) = next_push(&listener, NOTHING).await;
    peer.hears(r#"{"type":"ping"}"#).await;
    assert_eq!(node.cluster.status().peers.unwrap()[0].last_outbound_error, None);
}

#[tokio::test]
async fn r2_applying_a_snapshot_pushes_nothing_and_moves_no_sequence() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peers = vec![listener.local_addr().unwrap().to_string()];
    let node = Node::start(Settings { peers, ..settings("a") }).await;
    node.add("one.test").await;
    let (mut peer, _) = next_push(&listener, NOTHING).await;
    peer.hears(r#"{"type":"ping"}"#).await;
    peer.say(r#"{"type":"pong"}"#).await;
    node.until_peers_confirmed().await;
    let before = node.store.view().own;
    Plain::join(node.address()).await.offer("ext", 7, &["ext.test"]).await;
    assert_eq!((node.names(), node.store.view().own), (vec!["ext.test".to_owned()], before));
    // The next thing pushed is the next write, with what was applied in it.
    node.add("two.test").await;
    let pushed: Value = serde_json::from_str(&peer.hear().await.unwrap()).unwrap();
    assert_eq!((&pushed["seq"], pushed["records"].as_array().unwrap().len()), (&node.store.view().own.seq.into(), 2));
}

#[tokio::test]
async fn a_peer_is_not_sent_its_own_snapshot_back() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peers = vec![listener.local_addr().unwrap().to_string()];
    let node = Node::start(Settings { peers, ..settings("a") }).await;
    // The first pull tells us that "ext" lives there.
    let (mut peer, _) = loop {
        let (mut peer, request) = accepted(&listener).await;
        match request["type"].as_str().unwrap() {
            "pull" => {
                peer.say(&snapshot_of("ext", 5, &["old.test"])).await;
                break (peer, request);
            }
            _ => peer.say(r#"{"type":"pong"}"#).await,
        }
    };
    peer.hears_nothing_more().await;
    node.until_it_holds(&["old.test"]).await;
    node.add("mine.test").await;
    let (peer, _) = next_push(&listener, NOTHING).await;
    // Our write does not get through, and meanwhile theirs replaces it here.
    Plain::join(node.address()).await.offer("ext", 6, &["theirs.test"]).await;
    drop(peer);
    assert_eq!(node.names(), ["theirs.test"]);
    node.add("later.test").await;
    let (_peer, pushed) = next_push(&listener, NOTHING).await;
    assert_eq!(pushed["records"].as_array().unwrap().len(), 2, "only the next write was worth a push: {pushed}");
}

#[tokio::test]
async fn r5_an_existing_node_that_did_not_move_its_sequence_is_still_heard() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let node = Node::start(Settings { peers: vec![address], ..settings("a") }).await;
    let contents: [&[&str]; 4] = [&["x.test"], &["x.test", "y.test"], &["x.test"], &["z.test"]];
    let serving = tokio::spawn(async move {
        let mut pulls = 0;
        loop {
            let (mut peer, request) = accepted(&listener).await;
            if request["type"] == "pull" {
                peer.say(&snapshot_of("ext", 5, contents[pulls.min(3)])).await;
                pulls += 1;
            } else {
                peer.say(r#"{"type":"pong"}"#).await;
            }
        }
    });
    node.until_it_holds(contents[0]).await;
    for held in &contents[1..] {
        assert!(node.cluster.pull(&[]).await[0].result.is_ok());
        assert_eq!(node.names(), *held, "its last snapshot is all we hold, so any change of it is news");
    }
    serving.abort();
}

#[tokio::test]
async fn refusals_and_junk_of_a_peer_are_told_in_status() {
    for (answer, said) in [
        (r#"{"type":"auth_fail","message":"unauthorized"}"#, "unauthorized"),
        (r#"{"type":"error","message":"busy"}"#, "busy"),
        ("junk", "neither"),
        (r#"{"type":"hello"}"#, "neither"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peers = vec![listener.local_addr().unwrap().to_string()];
        let node = Node::start(Settings { peers, ..settings("a") }).await;
        node.add("one.test").await;
        let serving = tokio::spawn(async move {
            loop {
                let mut peer = Plain(listener.accept().await.unwrap().0);
                peer.hear().await.unwrap();
                peer.say(answer).await;
                assert_eq!(peer.hear().await, None, "nothing is sent to a peer that did not say auth_ok");
            }
        });
        node.until("told", |node| {
            let peer = node.cluster.status().peers.unwrap().remove(0);
            let errors = [peer.last_outbound_error, peer.last_pull_error, peer.last_probe_error];
            errors.iter().all(|error| {
                error.as_ref().is_some_and(|error| error.starts_with("auth failed") && error.contains(said))
            })
        })
        .await;
        assert!(!serving.is_finished());
        serving.abort();
    }
}
