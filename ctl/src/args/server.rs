//! The commands of `server`.

use clap::{Args, Subcommand};

const SET_HELP: &str = "\
KEY is as in dnsplane.json, with dots between objects: log.log_severity. Several words make one value; lists are written \
with commas, or as JSON:
  server set cluster_enabled true
  server set cluster_peers 192.0.2.2:7946, 192.0.2.3:7946
  server set api_auth_token \"\"
Words that begin with a dash go after `--`. The value is checked and put in force at once; `server save` writes it to \
the file, `server load` drops it.";

#[derive(Debug, Subcommand)]
pub(crate) enum ServerCommand {
    /// Show the control plane, its store and the data planes that follow it.
    Status,
    /// Show the settings in force; secrets are masked.
    Config,
    /// Check one setting and put it in force, without saving it.
    #[command(after_help = SET_HELP)]
    Set(Setting),
    /// Write what was set to dnsplane.json; everything else in the file stays as it is.
    Save,
    /// Read dnsplane.json again and put it in force; what was set and not saved goes.
    Load,
}

#[derive(Debug, Args)]
pub(crate) struct Setting {
    /// As in dnsplane.json.
    #[arg(value_name = "KEY")]
    pub key: String,
    /// The new value; several words are joined by a space.
    #[arg(value_name = "VALUE", required = true, allow_negative_numbers = true)]
    pub words: Vec<String>,
}
