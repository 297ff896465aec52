//! Arguments in, exit code out.

use anyhow::Context;
use clap::Parser;
use dnsplane_dns::Options;
use std::{io::IsTerminal, path::PathBuf, process::ExitCode, time::Duration};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// Answers DNS queries from the records that dnsplane-cluster feeds it, and goes on when that is gone.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Socket of the control plane: `unix:PATH`, with the path that `feed_socket` has in dnsplane.json
    #[arg(long, value_name = "unix:PATH", value_parser = unix_path)]
    feed: PathBuf,

    /// Folder for the copy that queries are answered from when the control plane is gone; each data plane needs its own
    #[arg(long, value_name = "DIR")]
    state: PathBuf,

    /// Query threads for each listen address [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

fn unix_path(text: &str) -> Result<PathBuf, String> {
    match text.strip_prefix("unix:") {
        Some("") => Err("the path is missing after `unix:`".to_owned()),
        Some(path) => Ok(path.into()),
        None => Err("write the socket as unix:PATH, such as unix:/run/dnsplane/feed.sock".to_owned()),
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    // hickory-proto warns of what it finds odd in messages, and those come from strangers.
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,hickory_proto=off"));
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours).init();
    match start(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(args: Args) -> anyhow::Result<()> {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let options = Options { feed: args.feed, state: args.state, threads: args.threads.map_or_else(cores, usize::from) };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?;
    let result = runtime.block_on(async {
        let stop = CancellationToken::new();
        let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
        let on_signal = stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            on_signal.cancel();
        });
        Ok(dnsplane_dns::run(options, stop).await?)
    });
    // What still blocks, a disk that hangs, must not keep the process.
    runtime.shutdown_timeout(Duration::from_millis(200));
    result
}
