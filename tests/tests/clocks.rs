//! Clocks that are wrong by an hour, and clocks that are set while the node runs.
//!
//! `global_lww` decides by the time of the write and then by the node's id. A node whose clock is behind does not lose what
//! it writes after it has heard of the others: its own writes are always later than whatever it knows of.

use dnsplane_tests::{
    Net, Node, PATIENCE, Plan, Proxy, Record, Shape,
    clock::Clock,
    eventually,
    peer::{Listener, Script},
};
use serde_json::{Value, json};

const HOUR: i64 = 3600;

/// Two nodes under `global_lww` whose clocks are ahead by so much, up and in step.
fn pair(ahead: [i64; 2]) -> (Net, [Clock; 2]) {
    let clocks = ahead.map(Clock::ahead);
    let keys = json!({"cluster_sync_policy": "global_lww"});
    let plans = ["a", "b"].into_iter().zip(&clocks).map(|(name, clock)| Plan::new(name).with(&keys).clock(clock));
    let mut net = Net::of(plans.collect(), Shape::Mesh);
    net.start_control();
    (net, clocks)
}

/// Waits until both nodes hold exactly these names.
#[track_caller]
fn eventually_both_hold(net: &Net, names: &[&str]) {
    eventually(&format!("both hold {names:?}"), PATIENCE, || {
        let held: Vec<Vec<_>> =
            net.nodes.iter().map(|node| node.records().into_iter().map(|record| record.name).collect()).collect();
        if held.iter().all(|held| held == names) { Ok(()) } else { Err(format!("{held:?}")) }
    });
}

/// Whether a node lists this name among the records it lost.
fn lists_as_lost(node: &Node, name: &str) -> bool {
    let overwritten = node.conflicts().into_iter().filter(|conflict| conflict["kind"] == "overwritten");
    overwritten.flat_map(|conflict| Record::list(&conflict["lost"])).any(|record| record.name == name)
}

/// One write on each of two nodes that do not hear of each other, `a` first; then they do. Who wins has both stores, and
/// the other one lists its loss. What the loser writes next wins nevertheless.
#[track_caller]
fn apart_and_together(ahead: [i64; 2], winner: usize) {
    let (net, _clocks) = pair(ahead);
    net.both((0, 1), Proxy::cut);
    let names = ["a.example", "b.example"];
    for (node, name) in net.nodes.iter().zip(names) {
        node.add(&Record::a(name, "192.0.2.1"));
    }
    net.heal();
    let loser = 1 - winner;
    eventually_both_hold(&net, &[names[winner]]);
    assert!(lists_as_lost(&net.nodes[loser], names[loser]), "{ahead:?}: {:?}", net.nodes[loser].conflicts());
    assert!(
        !lists_as_lost(&net.nodes[winner], names[winner]),
        "{ahead:?}: the winner lost nothing: {:?}",
        net.nodes[winner].conflicts()
    );
    let told = &net.nodes[loser].cluster_status()["last_global_lww_node_id"];
    assert_eq!(*told, net.nodes[winner].name(), "{ahead:?}");

    net.nodes[loser].add(&Record::a("c.example", "192.0.2.2"));
    let mut both = [names[winner], "c.example"];
    both.sort_unstable();
    eventually_both_hold(&net, &both);
    // And back: each hears the other, whatever its clock says.
    net.nodes[winner].add(&Record::a("d.example", "192.0.2.3"));
    eventually_both_hold(&net, &[both[0], both[1], "d.example"]);
}

#[test]
fn with_clocks_that_agree_the_later_write_wins() {
    apart_and_together([0, 2], 1);
}

#[test]
fn a_clock_that_is_an_hour_ahead_wins_over_a_write_that_was_later() {
    apart_and_together([HOUR, 0], 0);
}

#[test]
fn a_clock_that_is_an_hour_behind_loses_to_a_write_that_was_earlier() {
    apart_and_together([0, -HOUR], 0);
}

#[test]
fn what_a_node_writes_is_later_than_what_it_wrote_before_wherever_its_clock_goes() {
    let existing = Listener::start(Script::default());
    let clock = Clock::ahead(0);
    let keys = json!({"cluster_sync_policy": "global_lww"});
    let mut node = Plan::new("a").with(&keys).clock(&clock).peers(&[existing.address()]).start_control();
    let heard = |node: &mut Node, number: usize| {
        node.add(&Record::a(&format!("n{number}.example"), "192.0.2.1"));
        node.eventually("the write is pushed", |node| {
            let pushes = existing.pushes();
            let last = pushes.last().map(|push| Record::list(&push["records"]).len()).unwrap_or_default();
            if last == number { Ok(()) } else { Err(format!("{last} records\n{}", node.logs())) }
        });
    };
    heard(&mut node, 1);
    clock.set_ahead(-HOUR);
    // Two in one second, too.
    heard(&mut node, 2);
    heard(&mut node, 3);
    node.control().kill();
    clock.set_ahead(-2 * HOUR);
    node.start_control();
    node.wait_healthy();
    heard(&mut node, 4);
    clock.set_ahead(HOUR);
    heard(&mut node, 5);
    let pushes = existing.pushes();
    let numbers = |key: &str| pushes.iter().map(|push| push[key].as_u64().unwrap_or_default()).collect::<Vec<_>>();
    let (sequences, times) = (numbers("seq"), numbers("timestamp_unix"));
    println!("sequences {sequences:?}, times {times:?}");
    // Sorted by sequence already. An existing node takes a snapshot only if its time is greater than the last one's.
    let mut firsts: Vec<_> = sequences.iter().zip(&times).collect();
    firsts.dedup();
    assert!(firsts.len() >= 5, "{firsts:?}");
    for two in firsts.windows(2) {
        assert!(two[0].0 < two[1].0 && two[0].1 < two[1].1, "{two:?} in {firsts:?}");
    }
    assert!(times[times.len() - 1] - times[0] >= HOUR as u64, "the clock counts again when it is ahead: {times:?}");
}

#[test]
fn a_peer_whose_clock_is_off_is_shown_with_the_number() {
    let (mut net, _clocks) = pair([0, 40]);
    net.nodes[0].add(&Record::a("a.example", "192.0.2.1"));
    net.eventually_agree("a write", PATIENCE);
    for (number, skew) in [(0, 40_000), (1, -40_000)] {
        let address = net.link(number, 1 - number).address();
        net.nodes[number].eventually("the status shows how far the peer's clock is off", |node| {
            let status = node.peer_status(address);
            let shown = status["clock_skew_ms"].as_i64().is_some_and(|shown| (shown - skew).abs() < 2_500);
            let said = status["note"].as_str().is_some_and(|note| note.contains("40") || note.contains("39"));
            if shown && said { Ok(()) } else { Err(format!("{status}, where {skew} ms are expected")) }
        });
    }
}

#[test]
fn a_peer_whose_clock_is_nearly_right_is_not_talked_about() {
    let (mut net, _clocks) = pair([0, 3]);
    net.nodes[0].add(&Record::a("a.example", "192.0.2.1"));
    net.eventually_agree("a write", PATIENCE);
    let address = net.link(0, 1).address();
    net.nodes[0].eventually("the status shows three seconds and says nothing", |node| {
        let status = node.peer_status(address);
        let shown = status["clock_skew_ms"].as_i64().is_some_and(|shown| (shown - 3_000).abs() < 2_000);
        if shown && status.get("note").is_none_or(Value::is_null) { Ok(()) } else { Err(status.to_string()) }
    });
}
