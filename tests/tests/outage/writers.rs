//! Writers that remember what they were told, and a control plane that is killed under them again and again.
//!
//! Each writer owns its names: it adds, updates and deletes them one at a time and notes what a record is known to be
//! after each acknowledgement. A write whose acknowledgement did not arrive may or may not have happened; its name is
//! left alone from then on, and both states are right. No write that was acknowledged may be missing, and no deleted
//! record may come back.

use dnsplane_tests::{Node, Record, http::Connection};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashMap},
    fs,
    net::SocketAddr,
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::Duration,
};

const WRITERS: u64 = 4;
/// Rounds between full checks. A lost write stays lost, so the last check alone would do; these say when it happened.
const CHECK_EVERY: u64 = 20;

/// The TTLs that a name's record may have now; `None` is no record.
type Known = BTreeMap<String, Vec<Option<u64>>>;

/// Runs writers against a node and kills its control plane `rounds` times; returns how many writes were acknowledged.
pub(crate) fn kill_and_restart(node: &mut Node, rounds: u64) -> u64 {
    let mut known: Vec<Known> = (0..WRITERS).map(|_| Known::new()).collect();
    let acknowledged = AtomicU64::new(0);
    let mirror = node.path("dnsrecords.json");
    for round in 0..rounds {
        node.start_control();
        node.wait_healthy();
        if round % CHECK_EVERY == 0 {
            check(node, &known, round);
        }
        let stop = AtomicBool::new(false);
        let api = node.api();
        thread::scope(|scope| {
            for (writer, known) in known.iter_mut().enumerate() {
                let (stop, acknowledged) = (&stop, &acknowledged);
                scope.spawn(move || write(api, &format!("w{writer}-r{round}"), known, stop, acknowledged));
            }
            scope.spawn(|| parse_until(&mirror, &stop));
            // Some moment between the first write and a few dozen writes later, another one in each round.
            thread::sleep(Duration::from_micros(1_000 + round * 7_919 % 60_000));
            node.control().kill();
            stop.store(true, Ordering::Relaxed);
        });
        parses(&mirror);
    }
    node.start_control();
    node.wait_healthy();
    check(node, &known, rounds);
    acknowledged.into_inner()
}

/// Writes until the connection breaks.
fn write(api: SocketAddr, prefix: &str, known: &mut Known, stop: &AtomicBool, acknowledged: &AtomicU64) {
    let Ok(mut connection) = Connection::open(api) else { return };
    for number in 0.. {
        let name = format!("{prefix}-{number}.example");
        // Added, changed every second time, deleted every third time.
        let mut deeds = vec![("POST", Some(60))];
        if number % 2 == 0 {
            deeds.push(("PUT", Some(120)));
        }
        if number % 3 == 0 {
            deeds.push(("DELETE", None));
        }
        let mut state = None;
        for (method, next) in deeds {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            known.insert(name.clone(), vec![state, next]);
            let body = json!({"name": name, "type": "A", "value": "192.0.2.1", "ttl": next.unwrap_or(60)});
            let (path, body) = match method {
                "DELETE" => (format!("/dns/records?name={name}"), None),
                _ => ("/dns/records".to_owned(), Some(&body)),
            };
            match connection.request(method, &path, body) {
                Ok(reply) if reply.status == 200 || reply.status == 201 => {
                    acknowledged.fetch_add(1, Ordering::Relaxed);
                    known.insert(name.clone(), vec![next]);
                    state = next;
                }
                Ok(reply) => panic!("{method} {name}: {reply:?}"),
                Err(_) => return,
            }
        }
    }
}

/// Fails unless the node holds every record in a state that it may have, and nothing else.
#[track_caller]
fn check(node: &Node, known: &[Known], round: u64) {
    let held: HashMap<String, u64> =
        node.records().into_iter().map(|record: Record| (record.name, record.ttl)).collect();
    for (name, states) in known.iter().flatten() {
        let found = held.get(name).copied();
        assert!(states.contains(&found), "before round {round}: {name} has {found:?}, not one of {states:?}");
    }
    let foreign = held.keys().find(|name| !known.iter().any(|known| known.contains_key(*name)));
    assert_eq!(foreign, None, "before round {round}: a record that nobody wrote");
}

/// Reads the mirror over and over; it must never be seen half-written.
fn parse_until(mirror: &Path, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        parses(mirror);
        thread::sleep(Duration::from_millis(10));
    }
}

/// Fails if the file is there and does not parse.
#[track_caller]
fn parses(mirror: &Path) {
    let Ok(text) = fs::read_to_string(mirror) else { return };
    let document: Value =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("the mirror does not parse: {error}: {text}"));
    Record::list(&document["records"]);
}
