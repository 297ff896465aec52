//! Links that are cut, slow, half-open or hostile harm neither the node's own writes and answers nor its other peers.
//!
//! Each claim measures writes over REST and answers over UDP twice on one node, before the trouble and during it, prints
//! both, and fails when they are not the same but for what a busy machine does to anything.

#![expect(clippy::print_stdout, reason = "figures are for whoever reads what the tests print")]

mod coming_back;
mod hostile;
mod pulse;

use dnsplane_tests::{BOTH, Net, Node, PATIENCE, Proxy, Record, Shape, Way, eventually};
use pulse::{Pulse, alone, small};
use serde_json::json;
use std::{
    sync::MutexGuard,
    time::{Duration, Instant},
};

/// Writes of one measurement.
const WRITES: usize = 300;

/// Three nodes that all know each other: the first is written to, the second is in trouble, the third is well.
struct Trio {
    net: Net,
    before: Pulse,
    _alone: MutexGuard<'static, ()>,
}

impl Trio {
    /// All is well, and measured.
    fn start() -> Self {
        let alone = alone();
        let mut net = Net::prepare(3, Shape::Mesh, &json!({}));
        net.start_control();
        net.nodes[0].start_data();
        net.nodes[0].wait_ready();
        let before = Pulse::take(&mut net.nodes[0], "well", WRITES);
        net.eventually_agree("before the trouble", PATIENCE);
        Self { net, before, _alone: alone }
    }

    /// Brings trouble over the links between the first and the second node and measures again; the third node must
    /// notice nothing. Then the links are mended, and all three must agree.
    #[track_caller]
    fn suffer(mut self, what: &str, trouble: impl Fn(&Proxy)) {
        self.net.both((0, 1), trouble);
        let during = Pulse::take(&mut self.net.nodes[0], what, WRITES);
        // Written now, with the trouble well under way: whoever is well has it at once.
        let record = Record::a("now.example", "192.0.2.99");
        self.net.nodes[0].add(&record);
        let written = Instant::now();
        holds(&self.net.nodes[2], &record);
        let spread = written.elapsed();
        let memory = self.net.nodes[0].control().resident_kib();
        println!(
            "{what}:\n  before {}\n  during {during}\n  the peer that is well: {spread:?}; {memory} KiB",
            self.before
        );
        during.is_like(&self.before, what);
        small(memory, what);
        assert!(spread < Duration::from_secs(5), "{what}: the peer that is well waited {spread:?}");
        self.net.heal();
        let healed = Instant::now();
        self.net.eventually_agree(what, PATIENCE);
        println!("  all agree {:?} after the link was mended", healed.elapsed());
    }
}

/// Waits until a node holds this record, whatever else it holds.
#[track_caller]
fn holds(node: &Node, record: &Record) {
    eventually(&format!("{} holds {record}", node.name()), PATIENCE, || {
        if node.records().contains(record) { Ok(()) } else { Err("it does not".to_owned()) }
    });
}

#[test]
fn a_peer_whose_link_is_cut_delays_nobody() {
    Trio::start().suffer("cut", Proxy::cut);
}

#[test]
fn a_peer_that_is_cut_off_one_way_only_delays_nobody() {
    let trio = Trio::start();
    let dialled = trio.net.link(0, 1).address();
    trio.suffer("cut where we dial", move |link| {
        if link.address() == dialled {
            link.cut();
        }
    });
}

#[test]
fn a_peer_behind_a_slow_link_delays_nobody() {
    Trio::start().suffer("slow both ways", |link| {
        for way in BOTH {
            link.delay(way, Duration::from_millis(300));
            link.throttle(way, 20_000);
        }
    });
}

#[test]
fn a_peer_behind_a_link_that_has_gone_silent_delays_nobody() {
    Trio::start().suffer("half-open", Proxy::silence);
}

#[test]
fn a_peer_that_stops_taking_in_the_middle_of_a_frame_delays_nobody() {
    Trio::start().suffer("stalled in our frames", |link| link.stall_after(Way::Out, 333));
}

#[test]
fn a_peer_that_stops_talking_in_the_middle_of_a_frame_delays_nobody() {
    Trio::start().suffer("stalled in its answers", |link| link.stall_after(Way::Back, 33));
}
