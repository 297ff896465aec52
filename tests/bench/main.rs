//! Figures: how long a write takes to be durable and visible, what a million records cost, what the disk costs.
//!
//! These are measurements to be read beside each other, taken on whatever machine they run; no test passes or fails by
//! them. `tests/bench/run` builds the release binaries and runs all of them.
#![expect(clippy::print_stdout, reason = "printing figures is what this is for")]

mod existing;
mod fsync;
mod load;
mod million;
mod pair;
mod probe;
mod spread;

fn main() {
    let names: Vec<String> = std::env::args().skip(1).collect();
    if names.is_empty() {
        println!("usage: bench fsync|pair|pair-million|existing|million …");
        std::process::exit(2);
    }
    for name in names {
        match name.as_str() {
            "fsync" => fsync::run(),
            "pair" => pair::run(10_000),
            "pair-million" => pair::run(1_000_000),
            "existing" => existing::run(),
            "million" => million::run(),
            other => panic!("there is no benchmark {other:?}"),
        }
    }
}
