//! `dnsplane-cluster`: arguments in, exit code out.

use anyhow::Context;
use clap::Parser;
use dnsplane_cluster::config::{Config, Loaded, Surroundings};
use std::{path::PathBuf, process::ExitCode};
use tracing_subscriber::{EnvFilter, fmt};

/// The control plane of a dnsplane node: owns configuration and records, replicates them to peers, and feeds the data
/// planes of this machine.
#[derive(Parser)]
#[command(name = "dnsplane-cluster", version)]
struct Args {
    /// The configuration, or its folder; a missing file is created with defaults.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Check the configuration, say what is wrong with it, and exit without binding anything.
    #[arg(long)]
    check: bool,
}

fn main() -> ExitCode {
    match start(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            use std::io::Write;
            // Whatever level of logging is configured, why we stop must be said.
            let _ = writeln!(std::io::stderr(), "dnsplane-cluster: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(args: &Args) -> anyhow::Result<()> {
    let path = Surroundings::of_this_process().locate(args.config.as_deref())?;
    let created = !path.exists();
    if created {
        Config::create_default(&path)?;
    }
    let loaded = Config::load(&path)?;
    let level = loaded.config.log.as_filter();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    if args.check {
        return check(&path, &loaded, created);
    }
    step_back();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    let outcome = runtime.block_on(dnsplane_cluster::run(path, loaded));
    // What still runs has had its time.
    runtime.shutdown_background();
    outcome
}

/// Lets the data plane go first where processors are short: answers cannot wait, changes can. Measured with both on two
/// busy processors (docs/performance.md). Threads that are started later inherit it.
fn step_back() {
    const NICENESS: i32 = 10;
    // Nobody may be refused this; should it be, we are merely less polite.
    let _ = rustix::process::nice(NICENESS);
}

/// `--check`: what would be complained about at start.
fn check(path: &std::path::Path, loaded: &Loaded, created: bool) -> anyhow::Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    if created {
        writeln!(out, "{} was missing; created with defaults", path.display())?;
    }
    for warning in &loaded.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    for warning in &loaded.about_servers {
        writeln!(out, "warning: {warning}")?;
    }
    if !loaded.config.unused.is_empty() {
        writeln!(out, "note: accepted and not used yet: {}", loaded.config.unused.join(", "))?;
    }
    writeln!(out, "{} is fine", path.display())?;
    Ok(())
}
