//! Servers side by side: the same zone, the same questions, one after the other within each round.
//!
//! What counts is each server's ratio to another one within a round, and of these the median over the rounds: a machine
//! that is slower for a while then is so for all of them. All servers stay up throughout; who is not asked takes no time.

mod cost;
pub(crate) mod dnsperf;
mod others;
mod ours;
mod server;
pub(crate) mod table;
pub(crate) mod zone;

use dnsperf::{Report, Way};
use server::{Knock, Server};
use std::{path::Path, time::Duration};
use table::{Table, median, spread};
use zone::{Ask, Zone};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    /// Of each run.
    pub(crate) seconds: u32,
}

/// Starts of which the median is told.
const STARTS: usize = 3;
/// Before the first round each server answers for so many seconds, which are not counted.
const WARM_UP: u32 = 1;

/// One run against one server.
#[derive(Clone, Copy, Debug)]
struct Sample {
    report: Report,
    /// Processor time of the server for each answer, µs.
    cost: f64,
}

/// UDP: questions for what is there and for what is missing; memory; time to start.
pub(crate) fn udp(names: u32, effort: Effort) {
    let zone = Zone { names };
    let cores = cores();
    let (ours, loaded) = ours::ours(zone, cores);
    let mut servers = [others::floor(cores), others::nsd(zone, cores), others::knot(zone, cores), ours];
    println!("## UDP, {names} names\n");
    introduce(Way::Udp, effort);
    let starts: Vec<_> = servers.iter_mut().map(|server| start(server, zone, Way::Udp)).collect();
    for (ask, what) in [
        (Ask::Existing, "Names and types that are there"),
        (Ask::Missing, "By turns a name that is not there (NXDOMAIN) and a type that is not there (NODATA)"),
    ] {
        let samples = rounds(&servers, zone, ask, Way::Udp, effort);
        println!("{what}:\n");
        print_samples(&servers, &samples, &["NSD", "echo"], &["NSD", "Knot", "echo"]);
    }
    print_starts(&servers, &starts);
    println!("dnsplane starts from its last-good copy; after a full load over the feed it held {loaded:.0} MiB.\n");
}

/// TCP: eight connections, many questions under way on each.
pub(crate) fn tcp(names: u32, effort: Effort) {
    let zone = Zone { names };
    let cores = cores();
    let (ours, _) = ours::ours(zone, cores);
    let mut servers = [others::nsd(zone, cores), others::knot(zone, cores), others::unbound(zone, cores), ours];
    println!("## TCP, {names} names\n");
    introduce(Way::Tcp, effort);
    servers.iter_mut().for_each(|server| drop(start(server, zone, Way::Tcp)));
    let samples = rounds(&servers, zone, Ask::Existing, Way::Tcp, effort);
    print_samples(&servers, &samples, &["NSD", "Knot"], &["NSD", BEST]);
}

/// Our data plane, serving the zone.
pub(crate) fn start_ours(zone: Zone) -> Server {
    let (mut server, _) = ours::ours(zone, cores());
    start(&mut server, zone, Way::Udp);
    server
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn introduce(way: Way, effort: Effort) {
    let Effort { rounds, seconds } = effort;
    println!(
        "{rounds} rounds, {seconds} s for each server and round: `dnsperf {}`.\n",
        dnsperf::arguments(way).join(" ")
    );
}

/// Starts a server some times, and checks that it serves the zone; the seconds from each start to the first answer.
fn start(server: &mut Server, zone: Zone, way: Way) -> Vec<f64> {
    let (address, last) = (server.address, zone.last());
    if way == Way::Tcp {
        server.start(|| server::answers(&last, |question| question.tcp(address)));
        server::check(server.name, zone, |question| question.tcp(address));
        return Vec::new();
    }
    // The echo knows no record: any reply will do.
    let is_echo = server.name == "echo";
    let knock = Knock::new(address, &last.name, (!is_echo).then(|| last.value.clone()));
    let times = (0..STARTS).map(|_| server.start(|| knock.is_answered()).as_secs_f64()).collect();
    if !is_echo {
        server::check(server.name, zone, |question| question.udp(address));
    }
    times
}

/// Asks all servers in turn, again and again; a list of rounds for each server.
fn rounds(servers: &[Server], zone: Zone, ask: Ask, way: Way, effort: Effort) -> Vec<Vec<Sample>> {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    zone.write_questions(ask, file.path());
    for server in servers {
        measure(server, way, file.path(), WARM_UP);
    }
    let mut samples = vec![Vec::new(); servers.len()];
    for round in 0..effort.rounds {
        for turn in 0..servers.len() {
            // Each round begins with another one, so that none is always the one after the slowest.
            let at = (turn + round) % servers.len();
            samples[at].push(measure(&servers[at], way, file.path(), effort.seconds));
        }
    }
    samples
}

fn measure(server: &Server, way: Way, questions: &Path, seconds: u32) -> Sample {
    let tree = server.tree();
    let before = cost::processor_time(&tree);
    let report = dnsperf::run(way, server.address, questions, seconds);
    let spent = cost::processor_time(&tree) - before;
    Sample { report, cost: spent.as_secs_f64() * 1e6 / report.completed as f64 }
}

/// One row for each server: processor time relative to each of `costs`, queries answered relative to each of `rates`.
fn print_samples(servers: &[Server], samples: &[Vec<Sample>], costs: &[&str], rates: &[&str]) {
    let mut heads = vec!["server".to_owned(), "queries/s".to_owned(), "CPU µs per answer".to_owned()];
    heads.extend(costs.iter().map(|name| format!("CPU ÷ {name}")));
    heads.extend(rates.iter().map(|name| format!("queries/s ÷ {name}")));
    heads.extend(["lost", "mean latency, ms", "octets per reply"].map(str::to_owned));
    let mut table = Table::new(&heads.iter().map(String::as_str).collect::<Vec<_>>());
    for (server, own) in servers.iter().zip(samples) {
        let figure = |of: fn(&Sample) -> f64| median(own.iter().map(of));
        let ratio = |of: fn(&Sample) -> f64, name: &str| {
            let others = reference(servers, samples, name, of);
            spread(&own.iter().zip(others).map(|(own, other)| of(own) / other).collect::<Vec<_>>())
        };
        let mut row =
            vec![server.name.to_owned(), format!("{:.0} k", figure(rate) / 1e3), format!("{:.2}", figure(cost))];
        row.extend(costs.iter().map(|name| ratio(cost, name)));
        row.extend(rates.iter().map(|name| ratio(rate, name)));
        row.push(own.iter().map(|sample| sample.report.lost).sum::<u64>().to_string());
        row.push(format!("{:.2}", figure(|sample| millis(sample.report.latency))));
        row.push(format!("{:.0}", figure(|sample| sample.report.reply_octets as f64)));
        table.row(row);
    }
    table.print();
}

/// Stands for the largest figure that a server which is neither ours nor the floor has in the round.
const BEST: &str = "the best other";

/// What a server, or the best of those that are not ours, had in each round.
fn reference(servers: &[Server], samples: &[Vec<Sample>], name: &str, of: fn(&Sample) -> f64) -> Vec<f64> {
    let counts = |server: &Server| match name {
        BEST => !["echo", "dnsplane"].contains(&server.name),
        name => server.name == name,
    };
    let chosen: Vec<_> = servers.iter().zip(samples).filter(|(server, _)| counts(server)).collect();
    assert!(!chosen.is_empty(), "{name} is not measured");
    let best = |round: usize| chosen.iter().map(|(_, rounds)| of(&rounds[round])).fold(f64::NEG_INFINITY, f64::max);
    (0..chosen[0].1.len()).map(best).collect()
}

fn cost(sample: &Sample) -> f64 {
    sample.cost
}

fn rate(sample: &Sample) -> f64 {
    sample.report.per_second
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn print_starts(servers: &[Server], starts: &[Vec<f64>]) {
    let mut table = Table::new(&["server", "start to first answer, s", "memory after the rounds (sum of PSS), MiB"]);
    for (server, times) in servers.iter().zip(starts) {
        table.row([server.name.to_owned(), spread(times), format!("{:.0}", cost::memory_mib(&server.tree()))]);
    }
    table.print();
}
