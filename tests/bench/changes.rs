//! What clients notice of ten thousand changes: questions at half of the rate that the data plane can take, first while
//! nothing else happens, then while a record changes, and another, over REST.
//!
//! Each change is another TTL of a name that is being asked for. At the end every name is asked once more.

use crate::{
    servers::{
        Effort, dnsperf,
        goal::Goal,
        table::{Table, median, spread},
        zone::{Ask, Zone},
    },
    steady::{Outcome, Steady, dropped},
};
use dnsplane_tests::{
    Node, Plan, Random,
    dns::{Question, encode},
    http::Connection,
};
use serde_json::json;
use std::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

/// Names, and as many changes: one of each.
const NAMES: u32 = 10_000;
/// Connections over which changes are written: the store takes what waits in one write to the disk.
const WRITERS: usize = 8;
/// Longest time until the last change is answered.
const LIMIT: Duration = Duration::from_secs(120);

/// Rounds of both, one after the other.
pub(crate) fn run(effort: Effort, per_second: u32) {
    let zone = Zone { names: NAMES };
    let mut node = Plan::new("bench").prepare();
    zone.write_records(&node);
    node.start_control();
    node.start_data();
    node.wait_ready();
    let peak = peak(&node, zone, effort.seconds);
    let questions = questions();
    let steady = Steady { server: node.dns(), questions: &questions, per_second: peak / 2.0 };
    println!("### {NAMES} changes under load, {NAMES} names\n");
    println!(
        "dnsperf gets {:.0} k answers/s; asked for {:.0} k/s while nothing changes and while {NAMES} records change, {}, over \
         {WRITERS} connections.\n",
        peak / 1e3,
        steady.per_second / 1e3,
        if per_second == 0 { "as fast as it goes".to_owned() } else { format!("{per_second} a second") },
    );
    let rounds: Vec<_> =
        (0..effort.rounds).map(|round| measure(&node, &steady, round as u32, effort, per_second)).collect();
    print(&rounds);
    println!("Queries that the data plane's sockets had no room for: {}.\n", dropped(node.dns()));
    let lost: u64 = rounds.iter().map(|round| round.changing.lost).sum();
    let p99 = median(rounds.iter().map(|round| micros(&round.changing, 0.99) / micros(&round.idle, 0.99)));
    Goal::print(&[
        Goal::at_most("lost while records change", lost as f64, 0.0),
        Goal::at_most("p99 while records change ÷ while nothing changes", p99, 2.0),
    ]);
}

/// One round: as it is without changes, and with.
struct Round {
    idle: Outcome,
    changing: Outcome,
}

impl Round {
    fn idle(&self) -> &Outcome {
        &self.idle
    }

    fn changing(&self) -> &Outcome {
        &self.changing
    }
}

fn peak(node: &Node, zone: Zone, seconds: u32) -> f64 {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    zone.write_questions(Ask::Existing, file.path());
    dnsperf::run(dnsperf::Way::Udp, node.dns(), file.path(), seconds).per_second
}

/// Every name a few times, in random order.
fn questions() -> Vec<Vec<u8>> {
    let mut random = Random::new(2);
    let names = (0..NAMES * 4).map(|_| random.within(0..NAMES.into()) as u32);
    names.map(|number| encode(&Question::new(&crate::load::record(number).name, "A").message())).collect()
}

fn measure(node: &Node, steady: &Steady<'_>, round: u32, effort: Effort, per_second: u32) -> Round {
    let ttl = 1000 + round;
    let seconds = Duration::from_secs(effort.seconds.into());
    let idle = steady.run(|elapsed| elapsed < seconds);
    let done = AtomicBool::new(false);
    let changing = thread::scope(|scope| {
        let writers = scope.spawn(|| {
            change_all(node.api(), ttl, per_second);
            await_change(node.dns(), NAMES - 1, ttl);
            done.store(true, Relaxed);
        });
        let outcome = steady.run(|elapsed| !done.load(Relaxed) && elapsed < LIMIT);
        writers.join().expect("the writers succeed");
        outcome
    });
    (0..NAMES).for_each(|number| await_change(node.dns(), number, ttl));
    Round { idle, changing }
}

/// Gives every record this TTL; returns when all changes are acknowledged.
fn change_all(api: SocketAddr, ttl: u32, per_second: u32) {
    let begun = Instant::now();
    let next = AtomicU32::new(0);
    thread::scope(|scope| {
        for _ in 0..WRITERS {
            scope.spawn(|| {
                let mut connection = Connection::open(api).expect("the API listens");
                loop {
                    let number = next.fetch_add(1, Relaxed);
                    if number >= NAMES {
                        return;
                    }
                    if per_second > 0 {
                        let due = Duration::from_secs_f64(f64::from(number) / f64::from(per_second));
                        thread::sleep(due.saturating_sub(begun.elapsed()));
                    }
                    let mut record = crate::load::record(number).to_json();
                    record["ttl"] = json!(ttl);
                    let reply = connection.request("PUT", "/dns/records", Some(&record)).expect("a reply");
                    assert_eq!(reply.status, 200, "{reply:?}");
                }
            });
        }
    });
}

/// Waits until a name is answered with this TTL, and nothing else.
fn await_change(server: SocketAddr, number: u32, ttl: u32) {
    let deadline = Instant::now() + LIMIT;
    let record = crate::load::record(number);
    let expected = format!("{}. {ttl} A {}", record.name, record.value);
    while Question::new(&record.name, "A").udp(server).expect("a reply").answers() != [expected.clone()] {
        assert!(Instant::now() < deadline, "{record} does not get the TTL {ttl}");
    }
}

fn print(rounds: &[Round]) {
    let both = [("nothing changes", Round::idle as fn(&Round) -> &Outcome), ("records change", Round::changing)];
    let mut heads = vec!["while", "queries/s", "sent", "lost", "wrong", "dropped by the client"];
    let shares = [("p50, µs", 0.5), ("p99, µs", 0.99), ("p99.9, µs", 0.999)];
    heads.extend(shares.map(|(head, _)| head));
    let mut table = Table::new(&heads);
    for (name, of) in both {
        let sum = |figure: fn(&Outcome) -> u64| rounds.iter().map(|round| figure(of(round))).sum::<u64>().to_string();
        let rate = median(rounds.iter().map(|round| of(round).sent as f64 / of(round).lasted.as_secs_f64()));
        let mut row = vec![name.to_owned(), format!("{:.1} k", rate / 1e3)];
        row.extend([sum(|o| o.sent), sum(|o| o.lost), sum(|o| o.wrong), sum(|o| o.dropped_here)]);
        row.extend(
            shares.map(|(_, share)| format!("{:.0}", median(rounds.iter().map(|round| micros(of(round), share))))),
        );
        table.row(row);
    }
    let mut row = vec!["ratio within a round".to_owned()];
    row.extend(std::iter::repeat_n(String::new(), 5));
    row.extend(shares.map(|(_, share)| {
        let ratios: Vec<_> =
            rounds.iter().map(|round| micros(&round.changing, share) / micros(&round.idle, share)).collect();
        spread(&ratios)
    }));
    table.row(row);
    table.print();
    let lasted: Vec<_> = rounds.iter().map(|round| round.changing.lasted.as_secs_f64()).collect();
    println!("{NAMES} changes, acknowledged and answered, took {} s.", spread(&lasted));
}

fn micros(outcome: &Outcome, share: f64) -> f64 {
    outcome.latency.quantile(share).as_secs_f64() * 1e6
}
