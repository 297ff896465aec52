//! The same zones and the same questions for NSD, Knot, BIND and us: where they agree, we say the same.
//!
//! Zones and questions are made by chance, each from a seed. Response code, AA, answer and authority are compared one by
//! one with what all three say, or two of them. TC and the additional section are counted, no more. What we do otherwise
//! on purpose is listed in `known.rs` with the paragraph that we follow; any other difference fails the test and is shown
//! with a `dig` command and the zone.
//!
//! What runs in `tests/run` are few zones. More of them, by hand:
//!
//! ```text
//! DNSPLANE_SEEDS=500 cargo test --release -p dnsplane-tests --test differential     # so many zones
//! DNSPLANE_SEED=1234 DNSPLANE_SEEDS=1 cargo test …                                  # this one alone
//! DNSPLANE_LONG=1 cargo test …                                                      # 120 zones, 1,000 questions on each
//! ```

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
    collections::BTreeSet,
    env,
    io::{self, Write},
    ops::Range,
    time::Instant,
};
use tally::Tally;
use verdict::Case;
use zone::Zone;

/// Zones that are served at once.
const BATCH: u64 = 40;
/// Questions that are under way at once.
const WINDOW: u64 = 20;

/// How much is asked.
struct Extent {
    seeds: Range<u64>,
    /// About each zone.
    questions: u64,
}

impl Extent {
    fn from_environment() -> Self {
        let (zones, questions) = if env::var_os("DNSPLANE_LONG").is_some() { (120, 1000) } else { (20, 400) };
        let zones = env::var("DNSPLANE_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(zones);
        let first = Random::new(1).seed();
        Self { seeds: first..first + zones, questions }
    }

    /// As many zones at a time as are served at once.
    fn batches(&self) -> impl Iterator<Item = Vec<Zone>> {
        let end = self.seeds.end;
        self.seeds
            .clone()
            .step_by(BATCH as usize)
            .map(move |from| (from..end.min(from + BATCH)).map(Zone::of).collect())
    }
}

/// Asks about zones that all four serve.
fn compare(zones: &[Zone], questions: u64, tally: &mut Tally) {
    let records: Vec<_> = zones.iter().flat_map(Zone::all_records).collect();
    let files: Vec<_> = zones.iter().flat_map(Zone::files).collect();
    let node = Plan::new("compared").with(&json!({"dns_max_edns_udp_payload": UDP_PAYLOAD})).records(&records).start();
    assert_eq!(node.records().len(), records.len(), "every record is taken\n{}", node.logs());
    let rivals = MAKES.map(|make| Rival::start(make, &files));
    let [nsd, knot, bind] = rivals.each_ref().map(Rival::address);
    let mut doors = [nsd, knot, bind, node.dns()].map(Door::to);
    for zone in zones {
        let (about, mut random) = (Questions::about(zone), Random::of(!zone.seed));
        for _ in 0..questions / WINDOW {
            let asked: Vec<_> = (0..WINDOW).map(|_| about.one(&mut random)).collect();
            for (question, [nsd, knot, bind, ours]) in asked.iter().zip(ask(&mut doors, &asked)) {
                tally.add(&Case { zone, question, theirs: [nsd, knot, bind], ours });
            }
        }
    }
}

#[test]
fn we_answer_as_nsd_knot_and_bind_do_where_they_agree() {
    let (extent, started) = (Extent::from_environment(), Instant::now());
    let mut tally = Tally::default();
    for zones in extent.batches() {
        compare(&zones, extent.questions, &mut tally);
    }
    let text = format!("seeds {:?}, {:.0?}\n{tally}", extent.seeds, started.elapsed());
    // Past the capture of the test harness: the figures are worth reading when all is well, too.
    io::stderr().write_all(text.as_bytes()).expect("standard error is open");
    assert!(tally.is_explained(), "unexplained differences\n{}", tally.differences());
    if extent.seeds.end - extent.seeds.start >= 20 {
        tally.assert_nothing_missed();
    }
}

#[test]
fn twenty_zones_have_everything_that_answers_can_depend_on() {
    let done: BTreeSet<_> = (1..=20).map(Zone::of).flat_map(|zone| zone.deeds).collect();
    let missed: Vec<_> = zone::deeds().filter(|deed| !done.contains(deed)).collect();
    assert!(missed.is_empty(), "no zone has: {missed:?}");
}
