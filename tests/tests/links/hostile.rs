//! Peers that know the token and mean no good.

use crate::{
    WRITES,
    pulse::{Pulse, alone, small},
};
use dnsplane_tests::{
    Node, Plan, Random, Record,
    node::TOKEN,
    peer::{Wire, auth, frame},
};
use serde_json::json;
use std::{
    env,
    io::Write,
    net::{SocketAddr, TcpStream},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

/// The largest frame.
const LARGEST: usize = 64 << 20;
/// Most memory that several frames of the largest size may cost at once, KiB: their octets, and the records read of them.
const LARGE_FRAMES_KIB: u64 = 1 << 20;

/// How long the noise lasts: a minute when there is time (`DNSPLANE_LONG=1`), or a little.
fn noise_lasts() -> Duration {
    let long = env::var_os("DNSPLANE_LONG").is_some();
    Duration::from_secs(if long { 60 } else { 5 })
}

/// A node with one peer-to-be, measured while all is well.
fn node() -> (Node, Pulse) {
    let mut node = Plan::new("ours").start();
    let before = Pulse::take(&mut node, "well", WRITES);
    (node, before)
}

/// Runs so many hostile peers beside a measurement; returns how often they did their deed, and the most memory seen.
#[track_caller]
fn beside(
    node: &mut Node,
    what: &str,
    (crowd, least): (u64, Duration),
    before: &Pulse,
    deed: impl Fn(SocketAddr, u64) + Sync,
) -> (u64, u64) {
    let busy = on_a_busy_machine(node, crowd);
    let (stop, deeds) = (AtomicBool::new(false), AtomicU64::new(0));
    let address = node.peer();
    let mut most = 0;
    thread::scope(|scope| {
        for number in 0..crowd {
            let (stop, deeds, deed) = (&stop, &deeds, &deed);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    deed(address, number);
                    deeds.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let _stopped = Stop(&stop);
        let started = Instant::now();
        loop {
            let during = Pulse::take(node, what, WRITES);
            most = most.max(node.control().resident_kib());
            if started.elapsed() >= least && deeds.load(Ordering::Relaxed) >= crowd {
                println!("{what}:\n  before {before}\n  on a busy machine {busy}\n  during {during}; {most} KiB");
                during.is_like(&busy, what);
                break;
            }
        }
    });
    (deeds.into_inner(), most)
}

/// The node beside as many busy threads as a crowd keeps busy, one of its own and one of the node's for each, which do
/// nothing to the node. What is slower than this the node has let itself be slowed down by.
#[track_caller]
fn on_a_busy_machine(node: &mut Node, crowd: u64) -> Pulse {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 * crowd {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let _stopped = Stop(&stop);
        Pulse::take(node, "on a busy machine", WRITES)
    })
}

/// Stops the crowd even if the measurement fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The node is as it was: it takes writes, answers, lets peers in, and has not said much.
#[track_caller]
fn is_well(node: &mut Node, what: &str) {
    let record = Record::a("after.example", "192.0.2.3");
    node.add(&record);
    node.eventually_answers("after.example", "A", &["192.0.2.3"]);
    Wire::authenticated(node.peer(), TOKEN).expect_nothing_but_pong(Duration::from_secs(15));
    let said = node.control().said();
    assert!(!said.contains("panicked"), "{what}: {said}");
    let lines = said.lines().count();
    assert!(lines < 200, "{what}: {lines} lines: {}", node.logs());
}

/// A frame of exactly the largest size.
fn largest(head: &str, filler: &str, tail: &str) -> Vec<u8> {
    let mut payload = Vec::with_capacity(LARGEST);
    payload.extend_from_slice(head.as_bytes());
    while payload.len() + filler.len() + tail.len() <= LARGEST {
        payload.extend_from_slice(filler.as_bytes());
    }
    payload.resize(LARGEST - tail.len(), b' ');
    payload.extend_from_slice(tail.as_bytes());
    frame(&payload)
}

#[test]
fn frames_of_the_largest_size_cost_others_nothing_and_memory_a_bounded_amount() {
    let _alone = alone();
    let (mut node, before) = node();
    let junk = largest(r#"{"type":"what is this","x":""#, "blah", r#""}"#);
    // Read to the end and refused then: it carries the node's own id.
    let record = r#"{"name":"r.example","type":"A","value":"192.0.2.1","ttl":60},"#;
    let head = r#"{"type":"records_full","node_id":"ours","seq":9,"records":["#;
    let records = largest(head, record, r#"{"name":"last.example","type":"A","value":"192.0.2.2","ttl":60}]}"#);
    let frames = [junk, records];
    let what = "frames of 64 MiB";
    let (deeds, most) = beside(&mut node, what, (2, Duration::from_secs(3)), &before, |address, number| {
        let Ok(mut stream) = TcpStream::connect(address) else { return };
        let _closed = stream.write_all(&frame(auth(TOKEN).as_bytes()));
        let _closed = stream.write_all(&frames[number as usize % frames.len()]);
        let _closed = stream.write_all(&frame(br#"{"type":"ping"}"#));
        // The pong says that the frame has been dealt with; a node that has closed is fine, too.
        let mut wire = Wire::over_stream(stream);
        wire.hear(Duration::from_secs(2));
        wire.hear(Duration::from_secs(60));
    });
    println!("  {deeds} frames");
    assert!(most < LARGE_FRAMES_KIB, "{most} KiB");
    is_well(&mut node, what);
}

#[test]
fn peers_that_announce_much_and_send_little_hold_neither_memory_nor_anybody_up() {
    let _alone = alone();
    let (mut node, before) = node();
    // More of them than large frames are read at once.
    let mut waiting: Vec<TcpStream> = Vec::new();
    for _ in 0..32 {
        let mut stream = TcpStream::connect(node.peer()).expect("the node listens");
        stream.write_all(&frame(auth(TOKEN).as_bytes())).expect("it is sent");
        stream.write_all(&(LARGEST as u32).to_be_bytes()).expect("it is sent");
        stream.write_all(&[b' '; 100_000]).expect("it is sent");
        waiting.push(stream);
    }
    let what = "32 frames begun";
    let during = Pulse::take(&mut node, what, WRITES);
    let memory = node.control().resident_kib();
    println!("{what}:\n  before {before}\n  during {during}; {memory} KiB");
    during.is_like(&before, what);
    small(memory, what);
    // A small snapshot comes through beside them.
    let mut wire = Wire::authenticated(node.peer(), TOKEN);
    let record = Record::a("beside.example", "192.0.2.5");
    let records = [record.to_json()];
    let seq = 1_900_000_000_000_u64;
    wire.say(&json!({"type": "records_full", "node_id": "other", "seq": seq, "records": records}).to_string());
    wire.expect_nothing_but_pong(Duration::from_secs(30));
    assert_eq!(node.records(), [record]);
    drop(waiting);
    is_well(&mut node, what);
}

#[test]
fn a_peer_that_sends_garbage_for_long_harms_nobody() {
    let _alone = alone();
    let (mut node, before) = node();
    let seed = AtomicU64::new(77);
    let what = "garbage";
    // It keeps one core busy here and one in the node, on a machine that may have two.
    let (deeds, most) = beside(&mut node, what, (1, noise_lasts()), &before, |address, _| {
        let mut random = Random::new(seed.fetch_add(1, Ordering::Relaxed));
        let Ok(mut stream) = TcpStream::connect(address) else { return };
        // Every second time as one who knows the token.
        if random.one_in(2) {
            let _closed = stream.write_all(&frame(auth(TOKEN).as_bytes()));
        }
        // Some of it in frames, so that it is read as such; some not even that.
        for _ in 0..200 {
            let octets = match random.within(0..4) {
                0 => random.octets(2_000),
                1 => frame(&random.octets(2_000)),
                2 => frame(spoiled(&mut random).as_bytes()),
                _ => frame(b""),
            };
            if stream.write_all(&octets).is_err() {
                return;
            }
        }
    });
    println!("  {deeds} connections");
    small(most, what);
    is_well(&mut node, what);
    let inbound = node.cluster_status()["inbound"].clone();
    assert!(inbound["bad_frames"].as_u64() > Some(0) && inbound["auth_failures"].as_u64() > Some(0), "{inbound}");
}

/// A frame that once made sense. None of them gets a sequence, whatever becomes of it: an empty snapshot with one would
/// be taken for what its sender means (R9), and rightly so.
fn spoiled(random: &mut Random) -> String {
    let sense = [
        r#"{"type":"records_full","node_id":"x","seq":"x","records":[{"name":"a.example","type":"A","value":"y"}]}"#,
        r#"{"type":"records_delta","node_id":"x","seq":"x","base_hash":"00","hash":"00","upserts":[],"deletes":[]}"#,
        r#"{"type":"records_begin","node_id":"x","seq":"x","count":4,"hash":"00"}"#,
        r#"{"type":"records_part","records":[]}"#,
        r#"{"type":"admin_config_apply","admin_token":"x","cluster_peers":["y"]}"#,
        r#"{"type":"ping","hash":7}"#,
    ];
    let mut octets = random.one_of(&sense).as_bytes().to_vec();
    for _ in 0..random.within(1..5) {
        let at = random.within(0..octets.len() as u64) as usize;
        octets[at] = b' ' + (random.number() % 95) as u8;
    }
    String::from_utf8_lossy(&octets).into_owned()
}
