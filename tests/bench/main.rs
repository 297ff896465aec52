//! Figures: how long a write takes to be durable and visible, what a million records cost, what the disk costs.
//!
//! These are measurements to be read beside each other, taken on whatever machine they run; no test passes or fails by
//! them. `tests/bench/run` builds the release binaries and runs all of them.
#![expect(clippy::print_stdout, reason = "printing figures is what this is for")]

mod fsync;
mod million;
mod probe;
mod spread;
mod visible;

fn main() {
    let names: Vec<String> = std::env::args().skip(1).collect();
    if names.is_empty() {
        println!("usage: bench fsync|visible|million …");
        std::process::exit(2);
    }
    for name in names {
        match name.as_str() {
            "fsync" => fsync::run(),
            "visible" => visible::run(),
            "million" => million::run(),
            other => panic!("there is no benchmark {other:?}"),
        }
    }
}
