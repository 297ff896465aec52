//! The commands of `cluster`.

use clap::{Args, Subcommand, ValueEnum};

const ROLES: &str = "\
Roles, set at the peer over the peer protocol (`cluster_admin` here, the same `cluster_admin_token` on both):
  full      it pushes its own writes to its peers
  readonly  it applies what others write and never pushes (`cluster_replica_only`)";

#[derive(Debug, Subcommand)]
pub(crate) enum ClusterCommand {
    /// Show this node's part in the cluster and how each peer is doing.
    Status,
    /// Fetch the records of peers now.
    #[command(visible_alias = "sync")]
    Pull {
        /// Peer addresses, such as 192.0.2.1:7946; none: all peers.
        #[arg(value_name = "PEER")]
        peers: Vec<String>,
    },
    /// Show what another node needs to know to join this one.
    #[command(visible_alias = "info")]
    Join,
    /// Change which peers this node has, and what they may do.
    #[command(subcommand)]
    Peer(PeerCommand),
    /// Send records or settings to one peer now, and hear what became of them.
    #[command(subcommand)]
    Push(PushCommand),
    /// List what peers overwrote here and which of their snapshots were refused, newest first.
    Conflicts {
        /// Also what a peer overwrote although it had seen it.
        #[arg(long)]
        all: bool,
    },
    /// Bring back what a conflict lost, as a new write of this node.
    Restore(Lost),
}

#[derive(Debug, Subcommand)]
pub(crate) enum PeerCommand {
    /// Add a peer to this node's list, saved at once.
    #[command(after_help = ROLES)]
    Add {
        /// host:port, or host for port 7946.
        #[arg(value_name = "ADDR")]
        address: String,
        /// Give it this role; without it, the peer decides.
        #[arg(value_name = "ROLE")]
        role: Option<Role>,
    },
    /// Take a peer out of this node's list, saved at once; it keeps its records.
    #[command(visible_alias = "rm")]
    Remove {
        /// As in the list: host:port, or host for port 7946.
        #[arg(value_name = "ADDR")]
        address: String,
    },
    /// Give a peer a role.
    #[command(after_help = ROLES)]
    SetRole {
        /// host:port, or host for port 7946.
        #[arg(value_name = "ADDR")]
        address: String,
        /// What it may do.
        #[arg(value_name = "ROLE")]
        role: Role,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum PushCommand {
    /// All records of this node.
    Records {
        /// host:port, or host for port 7946.
        #[arg(value_name = "ADDR")]
        address: String,
    },
    /// The settings that all nodes of the cluster share, with a list of peers that makes sense there.
    Config {
        /// host:port, or host for port 7946.
        #[arg(value_name = "ADDR")]
        address: String,
    },
}

/// What a peer may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Pushes its own writes to its peers.
    Full,
    /// Applies what others write and never pushes.
    Readonly,
}

impl Role {
    /// As the control plane wants to hear it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Readonly => "readonly",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Lost {
    /// The number of a conflict, as `cluster conflicts` shows it.
    #[arg(value_name = "ID")]
    pub id: u64,
    /// Only the records of this name.
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Only those of this type.
    #[arg(value_name = "TYPE")]
    pub kind: Option<String>,
}
