//! Five nodes, in every shape and under every policy: writes, restarts and cut links as chance has it. When the links are
//! whole again, nodes agree that the policy says must agree, and what got lost is listed where it was lost.

mod fate;
mod ledger;

use dnsplane_tests::{Net, Node, PATIENCE, Record, Shape};
use fate::Fate;
use ledger::Ledger;
use serde_json::{Value, json};
use std::time::Instant;

/// Nodes of a cluster.
const NODES: usize = 5;
/// Things that happen to it.
const STEPS: usize = 60;

/// Lets chance loose on a cluster and waits until it has settled again; returns it and what was acknowledged.
fn survive(shape: Shape, policy: &str, writers: &[usize], seed: u64) -> (Net, Ledger) {
    let keys = json!({"cluster_sync_policy": policy, "cluster_allowed_writer_node_ids": ["a"]});
    let mut net = Net::prepare(NODES, shape, &keys);
    net.start_control();
    let mut fate = Fate::new(seed, writers);
    println!("{policy}, {shape}: seed {}", fate.seed());
    for _ in 0..STEPS {
        fate.step(&mut net);
    }
    net.heal();
    let healed = Instant::now();
    // One more write, because existing nodes would need it; ours have to agree without, so it is not made.
    net.eventually_agree(&format!("{policy}, {shape}, seed {}", fate.seed()), PATIENCE);
    println!(
        "{policy}, {shape}: {:?}, agreed {:?} after the last cut link was mended",
        fate.summary(),
        healed.elapsed()
    );
    (net, fate.into_ledger())
}

/// Fails unless every node holds exactly what the only writer was told it has.
#[track_caller]
fn all_hold(net: &Net, ledger: &Ledger, writer: usize) {
    let expected = ledger.known(writer);
    for node in &net.nodes {
        assert_eq!(node.records(), expected, "{}", node.logs());
    }
}

/// The three shapes under one policy with one writer, whose every acknowledged write must be everywhere.
fn one_writer(policy: &str, shape: Shape, seed: u64) {
    let (net, ledger) = survive(shape, policy, &[0], seed);
    all_hold(&net, &ledger, 0);
    assert_eq!(ledger.lost_without_a_word(&net.nodes), Vec::<String>::new());
}

/// Any writers under `global_lww`: whose write came last has its store everywhere, and who lost something says so.
fn any_writer(shape: Shape, seed: u64) {
    let (net, ledger) = survive(shape, "global_lww", &[0, 1, 2, 3, 4], seed);
    assert_eq!(ledger.lost_without_a_word(&net.nodes), Vec::<String>::new());
}

#[test]
fn a_mesh_with_one_writer_agrees_under_lww_per_node() {
    one_writer("lww_per_node", Shape::Mesh, 11);
}

#[test]
fn a_line_with_one_writer_agrees_under_lww_per_node() {
    one_writer("lww_per_node", Shape::Line, 12);
}

#[test]
fn a_star_with_one_writer_agrees_under_lww_per_node() {
    one_writer("lww_per_node", Shape::Star, 13);
}

#[test]
fn a_mesh_agrees_with_the_writer_under_primary_writer() {
    one_writer("primary_writer", Shape::Mesh, 21);
}

#[test]
fn a_line_agrees_with_the_writer_under_primary_writer() {
    one_writer("primary_writer", Shape::Line, 22);
}

#[test]
fn a_star_agrees_with_the_writer_under_primary_writer() {
    one_writer("primary_writer", Shape::Star, 23);
}

#[test]
fn a_mesh_of_writers_agrees_under_global_lww() {
    any_writer(Shape::Mesh, 31);
}

#[test]
fn a_line_of_writers_agrees_under_global_lww() {
    any_writer(Shape::Line, 32);
}

#[test]
fn a_star_of_writers_agrees_under_global_lww() {
    any_writer(Shape::Star, 33);
}

/// What the status says about the only peer: whether it holds the same records, if it is known.
fn says_equal(node: &Node) -> Option<bool> {
    node.cluster_status()["peers"][0]["hash_equal"].as_bool()
}

#[test]
fn two_writers_cut_from_each_other_agree_or_say_that_they_differ() {
    let mut net = Net::prepare(2, Shape::Mesh, &json!({"cluster_sync_policy": "lww_per_node"}));
    net.start_control();
    net.nodes[0].add(&Record::a("both.example", "192.0.2.1"));
    net.eventually_agree("before the cut", PATIENCE);
    net.both((0, 1), dnsplane_tests::Proxy::cut);
    let mut ledger = Ledger::new(2);
    for (number, name) in ["only-a.example", "only-b.example"].into_iter().enumerate() {
        ledger.add(&net.nodes[number], number, &Record::a(name, "192.0.2.2"));
    }
    net.heal();
    dnsplane_tests::eventually("both know where they stand", PATIENCE, || {
        let hashes = net.hashes();
        let said: Vec<_> = net.nodes.iter().map(says_equal).collect();
        let right = Some(hashes[0] == hashes[1]);
        if said == [right, right] { Ok(()) } else { Err(format!("{hashes:?}, and they say {said:?}")) }
    });
    assert_eq!(ledger.lost_without_a_word(&net.nodes), Vec::<String>::new());
    for node in &net.nodes {
        let peer: Value = node.cluster_status()["peers"][0].take();
        println!(
            "{}: hash_equal {}, differs {}, note {}",
            node.peer(),
            peer["hash_equal"],
            peer["differs"],
            peer["note"]
        );
    }
}
