//! What dies does not take answers or acknowledged writes with it.

mod load;
mod writers;

use dnsplane_tests::{Cluster, Node, PATIENCE, Plan, Record, eventually, node::TERMINATION_LIMIT};
use load::Load;
use nix::sys::signal::Signal;
use serde_json::json;
use std::{
    net::TcpStream,
    time::{Duration, Instant},
};

/// Records for a load generator to ask for: `host-N.load.example` at 10.x.y.z.
fn records(count: u32) -> Vec<Record> {
    (0..count)
        .map(|number| {
            let [_, b, c, d] = number.to_be_bytes();
            Record::a(&format!("host-{number}.load.example"), &format!("10.{b}.{c}.{d}"))
        })
        .collect()
}

/// Waits until the data plane's copy on disk has caught up: it follows what is served without anyone waiting for it.
/// `newest`: the owner of the newest record, in wire form.
fn eventually_kept(node: &mut Node, newest: &[u8]) {
    node.eventually("all that is served is in the copy on disk", |node| {
        let read = |file: &str| std::fs::read(node.path("dns-state").join(file));
        for message in ["settings", "upstreams", "block_list"] {
            read(message).map_err(|error| format!("{message}: {error}"))?;
        }
        let records = ["records.base", "records.journal"].map(read);
        let holds = |file: &Vec<u8>| file.windows(newest.len()).any(|octets| octets == newest);
        if records.iter().flatten().any(holds) {
            Ok(())
        } else {
            Err("neither the base nor the journal has the newest record".to_owned())
        }
    });
}

#[test]
fn not_one_query_is_lost_or_wrong_when_the_control_plane_is_killed() {
    let records = records(1000);
    let mut node = Plan::new("load").records(&records).start();
    let load = Load::start(node.dns(), &records);
    load.pass(5_000);
    for _ in 0..3 {
        node.control().kill();
        load.pass(10_000);
        node.start_control();
        node.wait_ready();
        load.pass(5_000);
    }
    let asked = load.stop();
    assert!(asked >= 50_000, "only {asked} questions");
}

#[test]
fn answers_stay_right_while_records_change_under_load() {
    let records = records(1000);
    let node = Plan::new("load").records(&records).start();
    let load = Load::start(node.dns(), &records);
    for number in 0..200 {
        node.add(&Record::a(&format!("change-{number}.load.example"), "192.0.2.1"));
    }
    load.pass(1_000);
    load.stop();
}

#[test]
fn a_hung_control_plane_costs_no_answer_and_its_peers_no_write() {
    let mut cluster = Cluster::start(2);
    let (a, b) = cluster.pair();
    a.add(&Record::a("before.example", "192.0.2.1"));
    b.eventually_answers("before.example", "A", &["192.0.2.1"]);
    b.control().signal(Signal::SIGSTOP);
    let load = Load::start(b.dns(), &[Record::a("before.example", "192.0.2.1")]);
    for number in 0..10 {
        let start = Instant::now();
        a.add(&Record::a(&format!("during-{number}.example"), "192.0.2.2"));
        assert!(start.elapsed() < Duration::from_secs(5), "a write waited for a hung peer: {:?}", start.elapsed());
    }
    load.pass(2_000);
    b.control().signal(Signal::SIGCONT);
    b.eventually_answers("during-9.example", "A", &["192.0.2.2"]);
    load.stop();
}

#[test]
fn a_data_plane_restarted_without_a_control_plane_answers_from_its_last_good_copy() {
    let mut node = Plan::new("last-good").records(&records(100)).start();
    node.add(&Record::a("late.example", "192.0.2.9"));
    node.eventually_answers("late.example", "A", &["192.0.2.9"]);
    eventually_kept(&mut node, b"\x04late\x07example\x00");
    node.control().kill();
    for deed in ["killed", "terminated"] {
        if deed == "killed" {
            node.data().kill();
        } else {
            node.data().terminate(TERMINATION_LIMIT).expect("SIGTERM ends it");
        }
        node.start_data();
        node.eventually_answers("late.example", "A", &["192.0.2.9"]);
        node.eventually_answers("host-99.load.example", "A", &["10.0.0.99"]);
    }
}

#[test]
fn a_control_plane_that_comes_back_is_followed_without_a_full_reload() {
    let mut node = Plan::new("resume").records(&records(1000)).start();
    node.add(&Record::a("first.example", "192.0.2.1"));
    node.eventually_answers("first.example", "A", &["192.0.2.1"]);
    let before = node.server_status()["generation"].clone();
    node.control().kill();
    node.start_control();
    node.wait_ready();
    let plane = node.eventually("the data plane is known again, at the generation that it serves", |node| {
        let plane = node.data_plane_status()?;
        if plane["records"] == before { Ok(plane) } else { Err(plane.to_string()) }
    });
    assert_eq!((&plane["transfers_full"], &plane["transfers_delta"]), (&json!(0), &json!(0)), "{plane}");
    // A change after that goes as a difference.
    node.add(&Record::a("second.example", "192.0.2.2"));
    node.eventually_answers("second.example", "A", &["192.0.2.2"]);
    node.eventually("one difference was sent", |node| {
        let plane = node.data_plane_status()?;
        let sent = (&plane["transfers_full"], &plane["transfers_delta"]) == (&json!(0), &json!(1));
        if sent { Ok(()) } else { Err(plane.to_string()) }
    });
    // And what changed while the data plane was away, too.
    eventually_kept(&mut node, b"\x06second\x07example\x00");
    node.data().kill();
    node.add(&Record::a("third.example", "192.0.2.3"));
    node.start_data();
    node.eventually_answers("third.example", "A", &["192.0.2.3"]);
    let plane = node.data_plane_status().expect("one data plane");
    assert_eq!(plane["transfers_full"], 0, "{plane}");
}

#[test]
fn either_daemon_may_start_first() {
    for data_first in [true, false] {
        let mut node = Plan::new("order").records(&records(10)).prepare();
        if data_first {
            node.start_data();
            eventually("the data plane waits for the control plane", PATIENCE, || {
                let said = node.data().said();
                let ended = node.data().ended();
                assert!(ended.is_none(), "it ended: {ended:?}: {said}");
                if said.is_empty() { Err("it said nothing".to_owned()) } else { Ok(()) }
            });
            node.start_control();
        } else {
            node.start_control();
            node.wait_healthy();
            node.start_data();
        }
        node.wait_ready();
        node.eventually_answers("host-9.load.example", "A", &["10.0.0.9"]);
    }
}

#[test]
fn acknowledged_writes_survive_two_hundred_kills() {
    let survived = writers::kill_and_restart(&mut Plan::new("kills").prepare(), 200);
    assert!(survived > 1_000, "only {survived} writes were acknowledged in all that time");
}

#[test]
fn the_change_log_of_a_killed_node_reaches_its_peers_and_its_data_plane() {
    let mut cluster = Cluster::start(2);
    let (a, b) = cluster.pair();
    a.add(&Record::a("warm.example", "192.0.2.1"));
    b.eventually_answers("warm.example", "A", &["192.0.2.1"]);
    // Killed right after the acknowledgement: the push may not have left.
    a.add(&Record::a("last.example", "192.0.2.2"));
    a.control().kill();
    a.start_control();
    a.wait_ready();
    a.eventually_answers("last.example", "A", &["192.0.2.2"]);
    b.eventually_answers("last.example", "A", &["192.0.2.2"]);
}

#[test]
fn both_daemons_end_in_time_and_in_order_when_told_to() {
    let mut cluster = Cluster::start(2);
    let (a, b) = cluster.pair();
    a.add(&Record::a("www.example", "192.0.2.1"));
    b.eventually_answers("www.example", "A", &["192.0.2.1"]);
    let load = Load::start(b.dns(), &[Record::a("www.example", "192.0.2.1")]);
    // Idle connections of every kind; none of them may hold up the end.
    let _idle = [a.dns(), a.api(), a.peer()].map(|address| TcpStream::connect(address).expect("it listens"));
    let _peer = dnsplane_tests::peer::Wire::authenticated(a.peer(), dnsplane_tests::node::TOKEN);
    let _socket = std::os::unix::net::UnixStream::connect(a.path("dnsplane.sock")).expect("the admin socket");
    let control = a.control().terminate(TERMINATION_LIMIT);
    assert!(control.is_some_and(|status| status.success()), "control plane: {control:?}\n{}", a.logs());
    let data = a.data().terminate(TERMINATION_LIMIT);
    assert!(data.is_some_and(|status| status.success()), "data plane: {data:?}\n{}", a.logs());
    load.pass(1_000);
    load.stop();
    restarted_has(a, "www.example");
}

/// Starts both again and asks for a name.
fn restarted_has(node: &mut Node, name: &str) {
    node.start_control();
    node.start_data();
    node.wait_ready();
    node.eventually_answers(name, "A", &["192.0.2.1"]);
}
