//! `dnsplane-cluster`: arguments in, exit code out.

use anyhow::Context;
use clap::Parser;
use dnsplane_cluster::{
    check::files::{Checked, Format},
    config::{Config, Loaded, Surroundings},
};
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
    /// Check files of records, all together, as the records of one node: JSON, zone files or hosts. Needs no node and no
    /// configuration. Exit code: 0 without errors, 1 with some, 2 if a file cannot be read.
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = ["config", "check"])]
    check_records: Vec<PathBuf>,
    /// What these files are written in; without it, their names tell: *.json, hosts or *.hosts, and zone files.
    #[arg(long, requires = "check_records")]
    format: Option<Format>,
    /// Warnings count like errors.
    #[arg(long, requires = "check_records")]
    strict: bool,
    /// Print findings as a list in JSON.
    #[arg(long, requires = "check_records")]
    json: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if !args.check_records.is_empty() {
        return check_records(&args);
    }
    match start(&args) {
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

/// `--check-records`: what is wrong with files of records.
fn check_records(args: &Args) -> ExitCode {
    use std::io::Write;
    let mut checked = Checked::default();
    let mut unread = false;
    for path in &args.check_records {
        if let Err(error) = checked.read(path, args.format) {
            unread = true;
            let _ = writeln!(std::io::stderr(), "dnsplane-cluster: cannot read {}: {error}", path.display());
        }
    }
    let found = checked.findings();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let written = if args.json {
        serde_json::to_writer(&mut out, &found).map_err(Into::into).and_then(|()| writeln!(out))
    } else {
        found.iter().try_for_each(|line| writeln!(out, "{line}"))
    };
    // Whoever reads may stop at any time; the exit code stays what it is.
    let _ = written.and_then(|()| out.flush());
    match found.iter().any(|line| args.strict || line.is_error()) {
        _ if unread => ExitCode::from(2),
        bad => ExitCode::from(u8::from(bad)),
    }
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
