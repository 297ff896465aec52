//! The commands of `cache`, and `tools explain`.

use clap::{Args, Subcommand};
use std::net::IpAddr;

#[derive(Debug, Subcommand)]
pub(crate) enum CacheCommand {
    /// List what is remembered.
    List {
        /// Only this name and what is below it.
        name: Option<String>,
    },
    /// Forget what is remembered of a name, so that it is fetched anew.
    #[command(visible_alias = "remove")]
    Flush(Flushed),
    /// Forget everything.
    Clear,
    /// Show how full the caches are, and how useful they were.
    Stats,
}

#[derive(Debug, Args)]
pub(crate) struct Flushed {
    /// Also forget names below it.
    #[arg(long, conflicts_with = "all")]
    pub below: bool,
    /// Forget everything.
    #[arg(long, conflicts_with = "name")]
    pub all: bool,
    /// The name.
    #[arg(required_unless_present = "all")]
    pub name: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The name that is asked for.
    pub name: String,
    /// The type that is asked for.
    #[arg(value_name = "TYPE", default_value = "A")]
    pub kind: String,
    /// Who asks.
    #[arg(long, value_name = "ADDRESS")]
    pub client: Option<IpAddr>,
}
