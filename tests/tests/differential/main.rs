//! The same zones and the same questions for NSD, Knot, BIND and us.

mod asking;
mod kinds;
mod known;
mod question;
mod reading;
mod tally;
mod verdict;
mod zone;

use asking::{Door, ask};
use dnsplane_tests::{
    Plan, Random, Rival,
    rival::{MAKES, UDP_PAYLOAD},
};
use question::Questions;
use serde_json::json;
use std::{
    env,
    io::{self, Write},
};
use tally::Tally;
use verdict::Case;
use zone::Zone;

/// Zones that are served at once.
const BATCH: u64 = 24;
const QUESTIONS: u64 = 1000;
/// Questions that are under way at once.
const WINDOW: u64 = 20;

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().and_then(|text| text.parse().ok())
}

fn say(text: &str) {
    // Not captured: the figures are worth reading when all is well, too.
    io::stderr().write_all(text.as_bytes()).expect("somebody listens");
}

/// Asks about the zones of these seeds.
fn compare(seeds: std::ops::Range<u64>, questions: u64, tally: &mut Tally) -> Vec<Zone> {
    let zones: Vec<_> = seeds.clone().map(Zone::of).collect();
    let files: Vec<_> = zones.iter().flat_map(Zone::files).collect();
    let records: Vec<_> = zones.iter().flat_map(Zone::all_records).collect();
    let node = Plan::new("compared").with(&json!({"dns_max_edns_udp_payload": UDP_PAYLOAD})).records(&records).start();
    let rivals = MAKES.map(|make| Rival::start(make, &files));
    let [nsd, knot, bind] = rivals.each_ref().map(Rival::address);
    let mut doors = [nsd, knot, bind, node.dns()].map(Door::to);
    for (seed, zone) in seeds.zip(&zones) {
        let (about, mut random) = (Questions::about(zone), Random::of(!seed));
        for _ in 0..questions / WINDOW {
            let asked: Vec<_> = (0..WINDOW).map(|_| about.one(&mut random)).collect();
            for (question, [nsd, knot, bind, ours]) in asked.iter().zip(ask(&mut doors, &asked)) {
                tally.add(&Case { zone, question, theirs: [nsd, knot, bind], ours });
            }
        }
    }
    zones
}

#[test]
fn we_answer_as_nsd_knot_and_bind_do_where_they_agree() {
    let first = Random::new(1).seed();
    let count = number("DNSPLANE_SEEDS").unwrap_or(BATCH);
    let mut tally = Tally::default();
    let started = std::time::Instant::now();
    let mut deeds = std::collections::BTreeSet::new();
    for start in (first..first + count).step_by(BATCH as usize) {
        let zones = compare(start..(start + BATCH).min(first + count), QUESTIONS, &mut tally);
        deeds.extend(zones.into_iter().flat_map(|zone| zone.deeds));
    }
    say(&format!("{tally}{:?}\n", started.elapsed()));
    assert_eq!(tally.unexplained(), 0, "\n{}", tally.differences());
}
