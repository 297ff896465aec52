//! The commands of `adblock`.

use clap::{Args, Subcommand};

const LIST_HELP: &str = "\
A list is a file or a URL; `allow:` in front makes it a list of names that are let through. Hosts files, one name a line, \
and `||name^` rules of ad blockers are read:
  adblock load /etc/dnsplane/ads.txt
  adblock load https://lists.example/hosts
  adblock load allow:/etc/dnsplane/good.txt";

const NAME_HELP: &str = "\
A name stands for itself and all names below it; with `*.` in front for those below it alone.";

#[derive(Debug, Subcommand)]
pub(crate) enum AdblockCommand {
    /// Read a list now and from now on.
    #[command(after_help = LIST_HELP)]
    Load(BlockList),
    /// Forget a list; one that dnsplane.json names is taken out there.
    Unload(BlockList),
    /// Show all lists and how they are.
    #[command(visible_alias = "sources")]
    List,
    /// List the names that are blocked.
    Domains(Part),
    /// Block names.
    #[command(after_help = NAME_HELP)]
    Add(Names),
    /// Take back that names are blocked; what lists say of them stays.
    #[command(visible_alias = "rm")]
    Remove(Names),
    /// Let names through, whatever blocks them.
    #[command(after_help = NAME_HELP)]
    Allow(Names),
    /// Take back that names are let through.
    Disallow(Names),
    /// Forget all lists, and all names that were added by hand.
    Clear,
    /// Block nothing for some minutes.
    Pause(Pause),
    /// End a pause.
    Resume,
    /// Say what blocks a name, and what lets it through.
    Check(OneName),
}

#[derive(Debug, Args)]
pub(crate) struct BlockList {
    /// A path or a URL, perhaps after `allow:`.
    #[arg(value_name = "LIST")]
    pub list: String,
}

#[derive(Debug, Args)]
pub(crate) struct Part {
    /// Only names that contain this text.
    #[arg(value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub contains: String,
}

#[derive(Debug, Args)]
pub(crate) struct Names {
    /// Domain names.
    #[arg(value_name = "NAME", required = true)]
    pub names: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Pause {
    /// For how long.
    #[arg(value_name = "MINUTES", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    pub minutes: u64,
}

#[derive(Debug, Args)]
pub(crate) struct OneName {
    /// A domain name.
    #[arg(value_name = "NAME")]
    pub name: String,
}
