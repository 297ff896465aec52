//! Five nodes, in every shape and under every policy: writes, restarts and cut links as chance has it. When the links are
//! whole again, nodes agree that the policy says must agree, and what got lost is listed where it was lost.

#![expect(clippy::print_stdout, reason = "figures are for whoever reads what the tests print")]

mod fate;
mod ledger;

use dnsplane_tests::{Net, Node, PATIENCE, Proxy, Record, Shape, eventually};
use fate::Fate;
use ledger::Ledger;
use serde_json::{Value, json};
use std::time::Instant;

/// Nodes of a cluster.
const NODES: usize = 5;
/// Things that happen to it.
const STEPS: usize = 200;

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
    let what = format!("{policy}, {shape}, seed {}", fate.seed());
    let agreed = net.eventually_agree(&what, PATIENCE);
    let took = healed.elapsed();
    eventually(&format!("{what}: every node says that all agree"), PATIENCE, || {
        let different: Vec<_> = net.nodes.iter().flat_map(peers_that_differ).collect();
        if different.is_empty() { Ok(()) } else { Err(format!("{different:?}")) }
    });
    let known = healed.elapsed();
    println!("{what}: {:?}; mended, they agreed after {took:?} and knew it after {known:?}", fate.summary());
    assert!(net.hashes().iter().all(|hash| *hash == agreed), "{what}: they agreed and then changed their minds");
    (net, fate.into_ledger())
}

/// Peers that a node does not know to hold what it holds itself.
fn peers_that_differ(node: &Node) -> Vec<String> {
    let peers = node.cluster_status()["peers"].take();
    let different = peers.as_array().into_iter().flatten().filter(|peer| peer["hash_equal"] != true);
    different.map(|peer| format!("{} of {}: {}", peer["node_id"], node.name(), peer["hash_equal"])).collect()
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

/// What a node's status says about its only peer: whether it holds the same records, and whether the policy keeps it so.
fn said(node: &Node) -> (Option<bool>, Option<bool>) {
    let peer: Value = node.cluster_status()["peers"][0].take();
    (peer["hash_equal"].as_bool(), peer["differs"].as_bool())
}

/// So many looks in a row must show the same before it counts as settled.
const LOOKS: usize = 40;

#[test]
fn two_writers_cut_from_each_other_agree_or_say_that_they_differ() {
    let mut net = Net::prepare(2, Shape::Mesh, &json!({"cluster_sync_policy": "lww_per_node"}));
    net.start_control();
    net.nodes[0].add(&Record::a("both.example", "192.0.2.1"));
    net.eventually_agree("before the cut", PATIENCE);
    net.both((0, 1), Proxy::cut);
    let mut ledger = Ledger::new(2);
    for (number, name) in ["only-a.example", "only-b.example"].into_iter().enumerate() {
        ledger.add(&net.nodes[number], number, &Record::a(name, "192.0.2.2"));
    }
    net.heal();
    let mut looks = 0;
    let settled = eventually("both know where they stand, and nothing moves any more", PATIENCE, || {
        let hashes = net.hashes();
        let said: Vec<_> = net.nodes.iter().map(said).collect();
        let same = hashes[0] == hashes[1];
        let right = (Some(same), Some(!same));
        looks = if said == [right, right] { looks + 1 } else { 0 };
        if looks >= LOOKS { Ok(same) } else { Err(format!("{hashes:?}, and they say {said:?}")) }
    });
    println!("two writers under lww_per_node: they agree: {settled}");
    assert_eq!(ledger.lost_without_a_word(&net.nodes), Vec::<String>::new());
}
