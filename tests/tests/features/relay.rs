//! What a node passes on of what it applied.

use crate::{ALL, eventually_holds, full, many, now, twin::Twin};
use dnsplane_tests::{
    PATIENCE, Plan, Record, eventually,
    node::TOKEN,
    peer::{Listener, Wire},
};
use serde_json::Value;
use std::time::Duration;

/// Frames with records that a peer was sent of this origin.
fn of_origin(listener: &Listener, origin: &str) -> Vec<Value> {
    let mut frames = listener.frames();
    frames.retain(|frame| frame["type"].as_str().is_some_and(|kind| kind.starts_with("records_")));
    frames.retain(|frame| frame["node_id"] == origin);
    frames
}

#[test]
fn what_was_applied_goes_on_to_peers_that_agreed_and_to_nobody_else() {
    let [source, other] = ["source", "other"].map(|node_id| Twin::start(node_id, &ALL));
    let no_relay = Twin::start("no-relay", &["keep", "ack", "delta", "chunk"]);
    let existing = Twin::start("existing", &[]);
    let everybody = [&source, &other, &no_relay, &existing];
    let node = Plan::new("ours").peers(&everybody.map(|twin| twin.listener().address())).start_control();
    node.add(&Record::a("own.example", "192.0.2.1"));
    for twin in everybody {
        eventually("the node's own write is everywhere", PATIENCE, || {
            let held = twin.state().records.clone();
            if held.len() == 1 { Ok(()) } else { Err(format!("{held:?}")) }
        });
    }

    let (mut wire, _) = Wire::greeted(node.peer(), TOKEN, "source", &ALL);
    let records = many("r", 3);
    let (seq, timestamp) = (now() + 1_000, (now() + 1_000) / 1000);
    wire.say(&full("origin", seq, &records));
    eventually_holds(&node, &records);
    let relayed = eventually("it is passed on", PATIENCE, || {
        let frames = of_origin(other.listener(), "origin");
        if other.state().records == records { Ok(frames) } else { Err(format!("{frames:?}\n{}", node.logs())) }
    });
    for frame in &relayed {
        assert_eq!((&frame["seq"], &frame["timestamp_unix"]), (&seq.into(), &timestamp.into()), "{frame}");
    }

    // Again, and on another connection: known by node_id and seq, and not passed on a second time.
    wire.say(&full("origin", seq, &records));
    let (mut second, _) = Wire::greeted(node.peer(), TOKEN, "elsewhere", &ALL);
    second.say(&full("origin", seq, &records));
    // A write of the node's own shows that what would have been passed on before it has been.
    second.hear(Duration::from_secs(10));
    node.add(&Record::a("after.example", "192.0.2.2"));
    for twin in everybody {
        eventually("the next write is everywhere", PATIENCE, || {
            let held = twin.state().records.clone();
            if held == node.records() { Ok(()) } else { Err(format!("{held:?}\n{}", node.logs())) }
        });
    }
    assert_eq!(of_origin(other.listener(), "origin").len(), relayed.len(), "a repeat was passed on");
    for (twin, who) in [(&source, "its source"), (&no_relay, "a peer without relay"), (&existing, "an existing node")] {
        assert_eq!(of_origin(twin.listener(), "origin"), Vec::<Value>::new(), "passed on to {who}");
    }
    for twin in everybody {
        assert_eq!(twin.state().faults, Vec::<String>::new());
    }
}

#[test]
fn what_was_refused_is_not_passed_on() {
    let other = Twin::start("other", &ALL);
    let node = Plan::new("ours").peers(&[other.listener().address()]).start_control();
    node.add(&Record::a("own.example", "192.0.2.1"));
    let mut wire = Wire::authenticated(node.peer(), TOKEN);
    wire.say(&full("origin", 1, &[]));
    wire.say(&full("ours", now() + 1_000, &many("r", 1)));
    wire.expect_nothing_but_pong(Duration::from_secs(10));
    node.add(&Record::a("after.example", "192.0.2.2"));
    eventually("the next write is there", PATIENCE, || {
        let held = other.state().records.clone();
        if held == node.records() { Ok(()) } else { Err(format!("{held:?}\n{}", node.logs())) }
    });
    assert_eq!(of_origin(other.listener(), "origin"), Vec::<Value>::new());
    assert_eq!(other.state().records.len(), 2);
}
