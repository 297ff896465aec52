//! A writer with an existing node as its peer, which takes whole snapshots only: what that costs the writer.

use crate::{
    load::{add, mib, peak_mib, write_records},
    spread::Spread,
};
use dnsplane_tests::{
    Plan, Record,
    http::Connection,
    peer::{Listener, Script},
};
use serde_json::json;
use std::{thread, time::Duration};

const RECORDS: u32 = 200_000;
const WRITES: u32 = 300;
/// Between two writes: a script that is at work.
const PAUSE: Duration = Duration::from_millis(20);

pub(crate) fn run() {
    println!("existing: {WRITES} writes, one each {PAUSE:?}, {RECORDS} A records on the writer");
    let alone = writes(None);
    println!("  acknowledged, without a peer           {}", alone.acknowledged);
    let peer = Listener::start(Script::default());
    let with = writes(Some(&peer));
    println!("  acknowledged, with an existing peer    {}", with.acknowledged);
    println!("  snapshots sent: {} for {WRITES} writes and the one before them", with.pushes);
    println!(
        "  resident memory of the writer: {} MiB with the store loaded ({} MiB while loading it)",
        with.loaded, with.at_start
    );
    println!("  the most it ever held: {} MiB; without a peer {} MiB\n", with.highest, alone.highest);
}

struct Outcome {
    acknowledged: Spread,
    pushes: usize,
    loaded: u64,
    at_start: u64,
    highest: u64,
}

fn writes(peer: Option<&Listener>) -> Outcome {
    let peers: Vec<_> = peer.iter().map(|peer| peer.address()).collect();
    let mut node = Plan::new("writer").with(&json!({"cluster_peers": peers})).prepare();
    write_records(&node, RECORDS);
    node.start_control();
    node.wait_healthy();
    let (loaded, at_start) = (mib(node.control()), peak_mib(node.control()));
    node.add(&Record::a("first.example", "192.0.2.1"));
    let mut api = Connection::open(node.api()).expect("the API listens");
    let mut acknowledged = Spread::default();
    for number in 0..WRITES {
        let record = Record::a(&format!("write-{number}.example"), "192.0.2.2");
        acknowledged.push(add(&mut api, &record));
        thread::sleep(PAUSE);
    }
    if let Some(peer) = peer {
        node.eventually("the peer has the last write", |node| {
            let status = node.peer_status(peer.address());
            let seq = node.cluster_status()["local_seq"].clone();
            if status["acknowledged_seq"] == seq { Ok(()) } else { Err(status.to_string()) }
        });
    }
    let pushes =
        peer.map_or(0, |peer| peer.dialogues().iter().flat_map(|d| &d.frames).filter(|f| f.len() > 1000).count());
    let highest = peak_mib(node.control());
    Outcome { acknowledged, pushes, loaded, at_start, highest }
}
