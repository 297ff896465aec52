//! The command line as clap sees it: names, help and shapes, no behaviour.
//!
//! A line typed at the prompt ([`PromptLine`]) and the words after `dnsplanectl` ([`Cli`]) share [`Line`], so that what
//! works in one place works in the other.

mod adblock;
mod cache;
mod cluster;
mod dns;
mod server;
mod transfer;

pub(crate) use adblock::AdblockCommand;
pub(crate) use cache::{CacheCommand, Explain, Flushed};
pub(crate) use cluster::{ClusterCommand, Lost, PeerCommand, PushCommand, Role};
pub(crate) use dns::{ChangedServer, DnsCommand, GoneServer, Keys as ServerKeys, NewServer, Transport};
pub(crate) use server::{ServerCommand, Setting};
pub(crate) use transfer::{Export, Format, Import};

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

const EXIT_CODES: &str = "\
Without CONTEXT an interactive prompt opens. When standard input is not a terminal, commands are read from it instead, \
line by line; all of them are run, and the exit code is the gravest one seen (3, then 1, 2, 4).

Exit codes:
  0  done
  1  refused by the server, or the output could not be written; standard error says why
  2  the command line is not right
  3  the control plane (or, for `tools dig`, the DNS server) cannot be reached
  4  done in part: a peer did not do what it was asked for (pull, peer, push), `record check` found an error, or some
     records could not be exported or imported";

const PROMPT_HELP: &str = "\
Name a context to enter it; its commands then need no prefix. From anywhere, CONTEXT COMMAND … runs one command without \
moving.

  ..  back     leave the context         ?  help  h     help; also after a context or command
  /            go to the root            ls             what can be typed here
  history      lines typed so far (in `record`: what became of records)
  exit  quit  q  leave

Tab completes, Down chooses a suggestion or an earlier line. Ctrl-C drops the line; Ctrl-D or Escape goes up one level, \
and leaves at the root.";

const VALUE_HELP: &str = "\
With two words, one of them an IP address, the type is A or AAAA and the order does not matter.

Several words make one value:
  add example.org MX 10 mail.example.org
A quoted word with spaces or semicolons stays one string:
  add example.org TXT \"v=spf1 mx -all\"
A plain number at the end is the TTL if the type has a fixed number of fields and all are there without it:
  add www.example.org A 192.0.2.7 300
For TXT, SPF and types that end in data of any length, use --ttl. Words that begin with a dash go after `--`.";

const CHECK_HELP: &str = "\
Exit code: 0 without errors, 4 with some; with --strict, 4 with anything at all. Files can be checked before any node has \
them: dnsplane-cluster --check-records FILE...";

const UNDO_HELP: &str = "\
Refused if somebody has changed the same records since; the change to undo first is named then. An undo is a change, and \
can be undone. Without a terminal to ask at, --yes is needed.";

/// Talks to dnsplane's control plane.
#[derive(Debug, Parser)]
#[command(
    name = "dnsplanectl",
    version,
    max_term_width = 110,
    override_usage = "dnsplanectl [OPTIONS] [CONTEXT COMMAND …]",
    subcommand_help_heading = "Contexts",
    after_help = EXIT_CODES
)]
pub(crate) struct Cli {
    /// The control plane's admin socket (`server_socket` in its dnsplane.json).
    ///
    /// Default: /run/dnsplane/dnsplane.sock if it is there, else $TMPDIR/dnsplane.socket for root, and
    /// $XDG_RUNTIME_DIR/dnsplane.socket or ~/.config/dnsplane/dnsplane.socket for others.
    #[arg(long, global = true, env = "DNSPLANE_SOCKET", value_name = "PATH", hide_env_values = true)]
    pub socket: Option<PathBuf>,

    #[command(flatten)]
    pub line: Line,
}

/// What can be typed at the prompt.
#[derive(Debug, Parser)]
#[command(
    name = "",
    bin_name = "",
    no_binary_name = true,
    max_term_width = 110,
    override_usage = "[CONTEXT] COMMAND …",
    subcommand_help_heading = "Contexts",
    after_help = PROMPT_HELP
)]
pub(crate) struct PromptLine {
    #[command(flatten)]
    pub line: Line,
}

/// What a one-line call and a line at the prompt have in common.
#[derive(Debug, Args)]
pub(crate) struct Line {
    /// Print JSON instead of tables and sentences, and nothing else.
    #[arg(long, global = true)]
    pub json: bool,

    #[command(subcommand)]
    pub context: Option<Context>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Context {
    /// Local DNS records.
    #[command(subcommand, visible_alias = "records")]
    Record(RecordCommand),
    /// Upstream servers, which are asked for names that are not ours.
    #[command(subcommand)]
    Dns(DnsCommand),
    /// Names that are blocked.
    #[command(subcommand)]
    Adblock(AdblockCommand),
    /// What data planes remember of upstreams' answers.
    #[command(subcommand)]
    Cache(CacheCommand),
    /// This node and its peers.
    #[command(subcommand)]
    Cluster(ClusterCommand),
    /// The control plane, its settings and its data planes.
    #[command(subcommand)]
    Server(ServerCommand),
    /// Help with finding out what is going on.
    #[command(subcommand)]
    Tools(ToolsCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum RecordCommand {
    /// Add a record.
    #[command(after_help = VALUE_HELP)]
    Add(NewRecord),
    /// Replace a record, or add it if it is not there.
    #[command(after_help = VALUE_HELP)]
    Update(ChangedRecord),
    /// Remove a record.
    #[command(visible_alias = "rm")]
    Remove(Removal),
    /// List records.
    List(Listing),
    /// Read the records file, or the place that records come from, now.
    #[command(visible_alias = "reload")]
    Load,
    /// List what is wrong with the records: errors are not served, or not as written; warnings will surprise somebody.
    #[command(after_help = CHECK_HELP)]
    Check {
        /// Warnings count like errors.
        #[arg(long)]
        strict: bool,
    },
    /// Show what became of the records of a name, or of all, newest change first.
    History(Past),
    /// Take a change back, as a new change: what it brought goes, what it took comes back.
    #[command(after_help = UNDO_HELP)]
    Undo(Undone),
    /// Write records to a file: a JSON document, a zone file or a file of hosts.
    Export(Export),
    /// Take records from a file; shows what that changes, and asks.
    Import(Import),
}

#[derive(Debug, Args)]
pub(crate) struct Past {
    /// How many changes.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub limit: u32,
    /// Only changes before this one.
    #[arg(long, value_name = "CHANGE", default_value_t = 0, hide_default_value = true)]
    pub before: u64,
    /// Only changes of records of this name.
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Only those of this type.
    #[arg(value_name = "TYPE")]
    pub kind: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Undone {
    /// Only show what would go and come back.
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask.
    #[arg(long, short)]
    pub yes: bool,
    /// The number of a change, as `record history` shows it.
    #[arg(value_name = "CHANGE")]
    pub number: u64,
}

#[derive(Debug, Args)]
pub(crate) struct NewRecord {
    /// Time to live, seconds [default: 3600].
    #[arg(long, value_name = "SECONDS")]
    pub ttl: Option<u32>,
    /// NAME [TYPE] VALUE... [TTL]
    #[arg(required = true, value_name = "WORD")]
    pub words: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ChangedRecord {
    /// The record to replace; without it, the one with this name, type and value.
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
    #[command(flatten)]
    pub record: NewRecord,
}

#[derive(Debug, Args)]
pub(crate) struct Removal {
    /// Remove the record with this id.
    #[arg(long, value_name = "ID", conflicts_with_all = ["words", "all"])]
    pub id: Option<String>,
    /// Remove every record that matches; without it, more than one match is refused.
    #[arg(long)]
    pub all: bool,
    /// NAME [[TYPE] VALUE...]
    #[arg(required_unless_present = "id", value_name = "WORD")]
    pub words: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Listing {
    /// Also show ids, MAC addresses and times; the word `details` or `d` in front does the same.
    #[arg(long)]
    pub details: bool,
    /// Only this type.
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<String>,
    /// Only names that contain this text.
    #[arg(long, value_name = "TEXT")]
    pub name: Option<String>,
    /// [details|d] [FILTER]: FILTER is a record type, or else part of a name
    #[arg(num_args = 0..=2, value_name = "WORD")]
    pub words: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ToolsCommand {
    /// Ask a DNS server a question.
    Dig(Dig),
    /// Ask the data planes what a client would be told, and why.
    Explain(Explain),
}

#[derive(Debug, Args)]
pub(crate) struct Dig {
    /// Print the values of the answer only.
    #[arg(long)]
    pub short: bool,
    /// Repeat the question until the answer holds this value.
    #[arg(long, value_name = "VALUE")]
    pub until: Option<String>,
    /// How long --until goes on, seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, requires = "until")]
    pub within: u64,
    /// [TYPE] NAME|IP [TYPE] [@SERVER[:PORT]] [PORT]; an IP address asks for its name (PTR); without @SERVER the node
    /// behind the admin socket is asked
    #[arg(required = true, value_name = "WORD")]
    pub words: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_trees_hold_together() {
        Cli::command().debug_assert();
        PromptLine::command().debug_assert();
    }
}
