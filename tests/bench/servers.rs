//! Servers side by side: the same zone, the same questions, one after the other within each round.
//!
//! What counts is each server's ratio to another one within a round, and of these the median over the rounds: a machine
//! that is slower for a while then is so for all of them. All servers stay up throughout; who is not asked takes no time.

pub(crate) mod cost;
pub(crate) mod dnsperf;
pub(crate) mod figures;
pub(crate) mod goal;
pub(crate) mod others;
pub(crate) mod ours;
pub(crate) mod server;
pub(crate) mod table;
pub(crate) mod zone;

use dnsperf::{Report, Way};
use figures::{BEST, FLOOR, Figures, OURS, Sample, cpu, rate};
use goal::Goal;
use server::{Knock, Server};
use std::path::Path;
use table::{Table, median, spread};
use zone::{Ask, Zone};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    /// Of each run.
    pub(crate) seconds: u32,
}

/// Names from which the goals for a large zone hold.
const MANY: u32 = 1_000_000;
/// Starts of which the median is told.
const STARTS: usize = 3;
/// Before the first round each server answers for so many seconds, which are not counted.
const WARM_UP: u32 = 1;

/// UDP: questions for what is there and for what is missing; memory; time to start.
pub(crate) fn udp(names: u32, effort: Effort) {
    let zone = Zone { names };
    let cores = cores();
    let (ours, loaded) = ours::ours(zone, cores);
    // Ours is the last, which the goals below rely on.
    let mut servers = [others::floor(cores), others::nsd(zone, cores), others::knot(zone, cores), ours];
    println!("### UDP, {names} names\n");
    introduce(Way::Udp, effort);
    let starts: Vec<_> = servers.iter_mut().map(|server| start(server, zone, Way::Udp)).collect();
    let [existing, missing] = [Ask::Existing, Ask::Missing].map(|ask| rounds(&servers, zone, ask, Way::Udp, effort));
    for (what, figures) in [
        ("Names and types that are there", &existing),
        ("By turns a name that is not there (NXDOMAIN) and a type that is not there (NODATA)", &missing),
    ] {
        println!("{what}:\n");
        figures.print(&["NSD", FLOOR], &["NSD", "Knot", FLOOR]);
    }
    let memory: Vec<_> = servers.iter().map(|server| cost::memory_mib(&server.tree())).collect();
    print_starts(&servers, &starts, &memory);
    println!("{OURS} starts from its last-good copy; after a full load over the feed it held {loaded:.0} MiB.\n");
    let mut goals = vec![
        Goal::at_most("CPU per answer ÷ echo", existing.ours(FLOOR, cpu), 1.05),
        Goal::at_most("CPU per answer ÷ NSD", existing.ours("NSD", cpu), if names < MANY { 0.95 } else { 0.85 }),
        Goal::at_least("queries/s ÷ NSD", existing.ours("NSD", rate), 1.0),
        Goal::at_least("queries/s ÷ Knot", existing.ours("Knot", rate), 1.0),
    ];
    if names >= MANY {
        goals.push(Goal::at_most("start to first answer, s", median(starts[3].iter().copied()), 0.15));
        goals.push(Goal::at_most("memory, MiB", memory[3], 80.0));
    }
    Goal::print(&goals);
}

/// TCP: eight connections, many questions under way on each.
pub(crate) fn tcp(names: u32, effort: Effort) {
    let zone = Zone { names };
    let cores = cores();
    let (ours, _) = ours::ours(zone, cores);
    let mut servers = [others::nsd(zone, cores), others::knot(zone, cores), others::unbound(zone, cores), ours];
    println!("### TCP, {names} names\n");
    introduce(Way::Tcp, effort);
    servers.iter_mut().for_each(|server| drop(start(server, zone, Way::Tcp)));
    let figures = rounds(&servers, zone, Ask::Existing, Way::Tcp, effort);
    figures.print(&["NSD", "Knot"], &["NSD", BEST]);
    Goal::print(&[
        Goal::at_most("CPU per answer ÷ Knot", figures.ours("Knot", cpu), 0.4),
        Goal::at_least("queries/s ÷ the best other", figures.ours(BEST, rate), 2.0),
    ]);
}

/// Our data plane, serving the zone.
pub(crate) fn start_ours(zone: Zone) -> Server {
    let (mut server, _) = ours::ours(zone, cores());
    start(&mut server, zone, Way::Udp);
    server
}

pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

pub(crate) fn introduce(way: Way, effort: Effort) {
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
    let is_echo = server.name == FLOOR;
    let start = |_| {
        // Another socket each time, which gets no late answer of the one before.
        let knock = Knock::new(address, &last.name, (!is_echo).then(|| last.value.clone()));
        server.start(|| knock.is_answered()).as_secs_f64()
    };
    let times = (0..STARTS).map(start).collect();
    if !is_echo {
        server::check(server.name, zone, |question| question.udp(address));
    }
    times
}

/// Asks all servers in turn, again and again.
fn rounds(servers: &[Server], zone: Zone, ask: Ask, way: Way, effort: Effort) -> Figures {
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
    Figures(servers.iter().map(|server| server.name).zip(samples).collect())
}

pub(crate) fn measure(server: &Server, way: Way, questions: &Path, seconds: u32) -> Sample {
    sample(server, || dnsperf::run(way, server.address, questions, seconds))
}

/// What a run against a server measured, and what it cost the server.
pub(crate) fn sample(server: &Server, run: impl FnOnce() -> Report) -> Sample {
    let tree = server.tree();
    let before = cost::processor_time(&tree);
    let report = run();
    let spent = cost::processor_time(&tree) - before;
    Sample { report, cost: spent.as_secs_f64() * 1e6 / report.completed as f64 }
}

fn print_starts(servers: &[Server], starts: &[Vec<f64>], memory: &[f64]) {
    let mut table = Table::new(&["server", "start to first answer, s", "memory after the rounds (sum of PSS), MiB"]);
    for ((server, times), memory) in servers.iter().zip(starts).zip(memory) {
        table.row([server.name.to_owned(), spread(times), format!("{memory:.0}")]);
    }
    table.print();
}
