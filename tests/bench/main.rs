//! Figures: servers side by side, how long a write takes to be durable and visible, what a million records cost, what the
//! disk costs.
//!
//! These are measurements to be read beside each other, taken on whatever machine they run; no test passes or fails by
//! them. `tests/bench/run` builds the release binaries and runs all of them.
#![expect(clippy::print_stdout, reason = "printing figures is what this is for")]

mod changes;
mod echo;
mod existing;
mod fsync;
mod load;
mod million;
mod pair;
mod probe;
mod profile;
mod resolvers;
mod servers;
mod spread;
mod steady;
mod zones;

use servers::Effort;
use std::{fmt::Display, process::exit, str::FromStr};

const USAGE: &str = "usage: bench [--rounds N] [--seconds N] [--changes-per-second N] NAME …
names: servers servers-million servers-tcp resolvers resolvers-cold tls changes profile fsync pair pair-million existing million zones";

fn main() {
    let mut effort = Effort { rounds: 5, seconds: 3 };
    let mut pace = 0;
    let mut names = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--rounds" => effort.rounds = number(arguments.next()),
            "--seconds" => effort.seconds = number(arguments.next()),
            "--changes-per-second" => pace = number(arguments.next()),
            // How the benchmarks start it, in a process of its own.
            "echo" => return echo::run(number(arguments.next()), number(arguments.next())),
            _ => names.push(argument),
        }
    }
    if names.is_empty() {
        fail(USAGE);
    }
    for name in names {
        match name.as_str() {
            "servers" => servers::udp(10_000, effort),
            "servers-million" => servers::udp(1_000_000, effort),
            "servers-tcp" => servers::tcp(10_000, effort),
            "resolvers" => resolvers::cached(effort),
            "resolvers-cold" => resolvers::cold(effort),
            "tls" => resolvers::tls(effort),
            "changes" => changes::run(effort, pace),
            "profile" => profile::run(10_000, effort),
            "fsync" => fsync::run(),
            "pair" => pair::run(10_000),
            "pair-million" => pair::run(1_000_000),
            "existing" => existing::run(),
            "million" => million::run(),
            "zones" => zones::run(),
            other => fail(format!("there is no benchmark {other:?}\n{USAGE}")),
        }
    }
}

/// The value of an argument.
fn number<T: FromStr<Err: Display>>(text: Option<String>) -> T {
    let text = text.unwrap_or_default();
    text.parse().unwrap_or_else(|error| fail(format!("{text:?}: {error}\n{USAGE}")))
}

fn fail(text: impl Display) -> ! {
    println!("{text}");
    exit(2)
}
