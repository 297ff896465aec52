//! What was written while a peer could not be reached, it has one step of the backoff after it can be reached again.
//! Nothing here pulls at intervals: only what the writer sends again can bring it.

use crate::holds;
use dnsplane_tests::{
    Net, Node, PATIENCE, Plan, Proxy, Record, Shape, eventually,
    peer::{Listener, Script},
};
use serde_json::json;
use std::time::{Duration, Instant};

/// How long the peer cannot be reached.
const OUTAGE: Duration = Duration::from_secs(2);

/// The longest pause that can be running after an outage: pauses double, and each is at least half as long as it might
/// be, so all before the last together are at least half as long as the last. Beside that, what a busy machine needs.
fn one_step(outage: Duration) -> Duration {
    outage * 2 + Duration::from_millis(100) + Duration::from_secs(1)
}

/// Writes while the peer cannot be reached, in the first part of the outage: none of them may make the rest longer.
const MISSED: u32 = 7;

/// The last of them.
fn last_missed() -> Record {
    Record::a(&format!("missed{MISSED}.example"), "192.0.2.2")
}

/// Lets the outage last its time, with a write in each of its first tenths.
fn write_through(node: &Node) {
    let started = Instant::now();
    let mut number = 0;
    eventually("the outage is over", PATIENCE, || {
        if number < MISSED && started.elapsed() >= OUTAGE / 10 * number {
            number += 1;
            node.add(&Record::a(&format!("missed{number}.example"), "192.0.2.2"));
        }
        if started.elapsed() >= OUTAGE { Ok(()) } else { Err(format!("{number} writes")) }
    });
}

#[test]
fn a_peer_of_our_kind_has_the_writes_it_missed_one_step_after_its_link_is_mended() {
    let mut net = Net::prepare(2, Shape::Mesh, &json!({}));
    net.start_control();
    net.nodes[0].add(&Record::a("before.example", "192.0.2.1"));
    net.eventually_agree("before the cut", PATIENCE);
    net.both((0, 1), Proxy::cut);
    let cut = Instant::now();
    write_through(&net.nodes[0]);
    let outage = cut.elapsed();
    net.heal();
    let healed = Instant::now();
    holds(&net.nodes[1], &last_missed());
    let took = healed.elapsed();
    println!("ours: after an outage of {outage:?} it took {took:?}");
    assert!(took <= one_step(outage), "{took:?}");
    assert_eq!(net.nodes[0].records(), net.nodes[1].records());
}

#[test]
fn a_peer_of_our_kind_that_was_down_has_the_writes_it_missed_one_step_after_it_is_back() {
    let mut net = Net::prepare(2, Shape::Mesh, &json!({}));
    net.start_control();
    net.nodes[0].add(&Record::a("before.example", "192.0.2.1"));
    net.eventually_agree("before the kill", PATIENCE);
    net.nodes[1].control().kill();
    let killed = Instant::now();
    write_through(&net.nodes[0]);
    let outage = killed.elapsed();
    net.nodes[1].start_control();
    net.nodes[1].wait_healthy();
    let back = Instant::now();
    holds(&net.nodes[1], &last_missed());
    let took = back.elapsed();
    println!("ours, killed: after an outage of {outage:?} it took {took:?}");
    assert!(took <= one_step(outage), "{took:?}");
}

#[test]
fn an_existing_node_has_the_writes_it_missed_one_step_after_its_link_is_mended() {
    let existing = Listener::start(Script::default());
    let link = Proxy::to(existing.address());
    let node = Plan::new("ours").peers(&[link.address()]).start_control();
    let heard = |name: &str| {
        eventually(&format!("{name} is heard"), PATIENCE, || {
            let pushes = existing.pushes();
            let last = pushes.last().map(|push| Record::list(&push["records"])).unwrap_or_default();
            if last.iter().any(|record| record.name == name) { Ok(()) } else { Err(format!("{last:?}")) }
        });
    };
    node.add(&Record::a("before.example", "192.0.2.1"));
    heard("before.example");
    link.cut();
    let cut = Instant::now();
    write_through(&node);
    let outage = cut.elapsed();
    let before = existing.pushes().len();
    link.heal();
    let healed = Instant::now();
    heard(&last_missed().name);
    let took = healed.elapsed();
    println!("existing: after an outage of {outage:?} it took {took:?}");
    assert!(took <= one_step(outage), "{took:?}");
    // Several writes, one store: they travel together (R10).
    let pushes = existing.pushes().len() - before;
    assert_eq!(pushes, 1, "pushes after the outage");
}
