//! Resolvers side by side: each asks the same NSD for what it does not know. Once with everything remembered, once with every
//! name new. And DNS over TLS, where NSD answers for itself.

mod others;
mod ours;

use crate::{
    load::record,
    servers::{
        Effort, cores,
        dnsperf::{self, Way},
        figures::{BEST, FLOOR, Figures, Sample, cpu, rate},
        goal::Goal,
        introduce, measure, others as authoritative, sample,
        server::{Knock, Server, check},
        zone::{APEX, Ask, Zone, write_lines},
    },
};
use others::Upstream;
use std::net::TcpStream;
use tempfile::NamedTempFile;

/// Names that are asked for when all is remembered.
const NAMES: u32 = 10_000;
/// Names that are asked for in each run in which each is new.
const NEW_NAMES: u32 = 100_000;

/// Everything is remembered.
pub(crate) fn cached(effort: Effort) {
    let upstream = Upstream::start(NAMES);
    let zone = Zone { names: NAMES };
    let mut servers = all(&upstream);
    servers.insert(0, authoritative::floor(cores()));
    println!("### UDP, {NAMES} names, all remembered\n");
    introduce(Way::Udp, effort);
    let questions = NamedTempFile::new().expect("a temporary file");
    zone.write_questions(Ask::Existing, questions.path());
    for server in &mut servers {
        start(server, zone);
        if server.name != FLOOR {
            remember(server, zone, Way::Udp);
        }
    }
    let figures = rounds(&servers, effort, |server, _, seconds| measure(server, Way::Udp, questions.path(), seconds));
    figures.print(&["Unbound", FLOOR], &["Unbound", BEST, FLOOR]);
    Goal::print(&[
        Goal::at_most("CPU per answer ÷ Unbound", figures.ours("Unbound", cpu), 0.90),
        Goal::at_most("CPU per answer ÷ echo", figures.ours(FLOOR, cpu), 1.10),
        Goal::at_least("queries/s ÷ the best other", figures.ours(BEST, rate), 1.0),
    ]);
}

/// Nothing is remembered: every question is for another name.
pub(crate) fn cold(effort: Effort) {
    let upstream = Upstream::start(NAMES);
    let zone = Zone { names: NAMES };
    let mut servers = all(&upstream);
    println!("### UDP, every name new\n");
    println!(
        "{} rounds of {NEW_NAMES} questions for each server: `dnsperf {} -n 1`.\n",
        effort.rounds,
        dnsperf::arguments(Way::Udp).join(" ")
    );
    servers.iter_mut().for_each(|server| start(server, zone));
    let figures = rounds(&servers, effort, |server, round, _| {
        let questions = NamedTempFile::new().expect("a temporary file");
        let names = (0..NEW_NAMES).map(|number| format!("n{round}-{number}.new.{APEX} A"));
        write_lines(questions.path(), names);
        sample(server, || dnsperf::once(Way::Udp, server.address, questions.path()))
    });
    figures.print(&["Unbound"], &["Unbound", BEST]);
    Goal::print(&[Goal::at_least("queries/s ÷ Unbound", figures.ours("Unbound", rate), 0.9)]);
}

/// DNS over TLS.
pub(crate) fn tls(effort: Effort) {
    let zone = Zone { names: NAMES };
    let upstream = Upstream::start(NAMES);
    let mut servers =
        [others::nsd_tls(zone, cores()), others::dnsdist_tls(&upstream, cores()), ours::over_tls(zone, cores())];
    println!("### DNS over TLS, {NAMES} names\n");
    introduce(Way::Tls, effort);
    let questions = NamedTempFile::new().expect("a temporary file");
    zone.write_questions(Ask::Existing, questions.path());
    for server in &mut servers {
        let address = server.address;
        server.start(|| TcpStream::connect(address).is_ok());
        remember(server, zone, Way::Tls);
    }
    let figures = rounds(&servers, effort, |server, _, seconds| measure(server, Way::Tls, questions.path(), seconds));
    figures.print(&["NSD", "dnsdist"], &["NSD", "dnsdist"]);
    Goal::print(&[
        Goal::at_most("CPU per answer ÷ NSD", figures.ours("NSD", cpu), 0.5),
        Goal::at_most("CPU per answer ÷ dnsdist", figures.ours("dnsdist", cpu), 0.5),
        Goal::at_least("queries/s ÷ dnsdist", figures.ours("dnsdist", rate), 1.5),
    ]);
}

/// Every resolver; ours is the last.
fn all(upstream: &Upstream) -> Vec<Server> {
    let cores = cores();
    vec![
        others::unbound(upstream, cores),
        others::recursor(upstream, cores),
        others::dnsdist(upstream, cores),
        ours::ours(upstream, cores),
    ]
}

/// Starts a server, and sees to it that it answers what its upstream does.
fn start(server: &mut Server, zone: Zone) {
    let (address, last) = (server.address, zone.last());
    let is_echo = server.name == FLOOR;
    let knock = Knock::new(address, &last.name, (!is_echo).then(|| last.value.clone()));
    server.start(|| knock.is_answered());
    if !is_echo {
        check(server.name, zone, |question| question.udp(address));
    }
}

/// Asks for each name once, and once more for those of which the answer was lost.
fn remember(server: &Server, zone: Zone, way: Way) {
    let names = NamedTempFile::new().expect("a temporary file");
    write_lines(names.path(), (0..zone.names).map(|number| format!("{} A", record(number).name)));
    for _ in 0..2 {
        let report = dnsperf::once(way, server.address, names.path());
        assert!(report.completed > 0, "{} answers nothing", server.name);
    }
}

/// Asks all servers in turn, again and again.
fn rounds(servers: &[Server], effort: Effort, run: impl Fn(&Server, usize, u32) -> Sample) -> Figures {
    let mut samples = vec![Vec::new(); servers.len()];
    for round in 0..effort.rounds {
        for turn in 0..servers.len() {
            // Each round begins with another one, so that none is always the one after the slowest.
            let at = (turn + round) % servers.len();
            samples[at].push(run(&servers[at], round, effort.seconds));
        }
    }
    Figures(servers.iter().map(|server| server.name).zip(samples).collect())
}
