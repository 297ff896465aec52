//! Runs dnsperf and understands what it prints.

use std::{net::SocketAddr, path::Path, process::Command, time::Duration};

/// How questions are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Udp,
    Tcp,
    Tls,
}

/// What one run measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report {
    pub(crate) completed: u64,
    pub(crate) lost: u64,
    pub(crate) per_second: f64,
    /// Mean.
    pub(crate) latency: Duration,
    /// Mean, octets.
    pub(crate) reply_octets: u64,
}

/// Eight sockets, so that a server with a socket for each core gets some of the clients on each; two threads, so that
/// dnsperf can use both cores of a small machine. Over UDP there are a hundred questions outstanding, dnsperf's usual number:
/// enough to keep every server busy, and even if all went to one socket they would fit into a receive buffer of Linux's
/// usual size (some 270 datagrams), which Knot leaves as it is. With 400 the size of that buffer was measured: Knot lost
/// two hundred in each run. TCP has no such limit, and what is gained by taking many questions at once shows with many.
pub(crate) fn arguments(way: Way) -> Vec<&'static str> {
    match way {
        Way::Udp => vec!["-c", "8", "-T", "2", "-q", "100"],
        Way::Tcp => vec!["-m", "tcp", "-c", "8", "-T", "2", "-q", "400"],
        Way::Tls => vec!["-m", "dot", "-c", "8", "-T", "2", "-q", "400"],
    }
}

/// Asks a server these questions for so many seconds.
pub(crate) fn run(way: Way, server: SocketAddr, questions: &Path, seconds: u32) -> Report {
    report(way, server, questions, &["-l", &seconds.to_string()])
}

/// Asks a server each of these questions once.
pub(crate) fn once(way: Way, server: SocketAddr, questions: &Path) -> Report {
    report(way, server, questions, &["-n", "1"])
}

fn report(way: Way, server: SocketAddr, questions: &Path, how_long: &[&str]) -> Report {
    let mut command = Command::new("dnsperf");
    command.args(arguments(way)).arg("-d").arg(questions);
    command.args(["-s", &server.ip().to_string(), "-p", &server.port().to_string()]);
    command.args(how_long).args(["-t", "2"]);
    let output = command.output().unwrap_or_else(|error| panic!("cannot start dnsperf: {error}"));
    let text = String::from_utf8_lossy(&output.stdout);
    parse(&text).unwrap_or_else(|| panic!("{command:?} printed\n{text}{}", String::from_utf8_lossy(&output.stderr)))
}

fn parse(text: &str) -> Option<Report> {
    let after = |label: &str| text.lines().find_map(|line| line.trim().strip_prefix(label));
    let first = |label: &str| after(label)?.split_whitespace().next()?.parse::<f64>().ok();
    Some(Report {
        completed: first("Queries completed:")? as u64,
        lost: first("Queries lost:")? as u64,
        per_second: first("Queries per second:")?,
        latency: Duration::from_secs_f64(first("Average Latency (s):")?),
        reply_octets: after("Average packet size:")?.rsplit(' ').next()?.parse().ok()?,
    })
}
