//! The commands of `dns`.

use clap::{Args, Subcommand, ValueEnum};

const KEYS_HELP: &str = "\
Keys may be options, or words as existing nodes have them (active:, localresolver:, adblocker:, whitelist:, transport:, \
doh_url:, tls_name:, fallback_address:, fallback_port:, fallback_transport:, fallback_doh_url:, fallback_tls_name:):
  dns add 192.0.2.53
  dns add 192.0.2.54 5353 whitelist:corp.example,lab.example
  dns add 192.0.2.55 --transport dot --tls-name dns.example
  dns add 192.0.2.56 --doh-url https://dns.example/dns-query
  dns update 192.0.2.53 active:false
  dns update 192.0.2.54 whitelist: --fallback-address \"\"
Nothing after a key takes it away. Each change is in dnsservers.json, and in force, at once.";

#[derive(Debug, Subcommand)]
pub(crate) enum DnsCommand {
    /// Add an upstream server.
    #[command(after_help = KEYS_HELP)]
    Add(NewServer),
    /// Change an upstream server; what is not given stays as it is.
    #[command(after_help = KEYS_HELP)]
    Update(ChangedServer),
    /// Remove an upstream server.
    #[command(visible_alias = "rm")]
    Remove(GoneServer),
    /// List upstream servers, and how they are doing.
    List,
    /// Remove all upstream servers.
    Clear,
    /// Read dnsservers.json again; edits by hand are noticed within a second anyway.
    Load,
    /// Do nothing: existing nodes need it, here every change is saved at once.
    #[command(hide = true)]
    Save,
}

#[derive(Debug, Args)]
pub(crate) struct NewServer {
    /// ADDRESS [PORT] [KEY:VALUE...]
    #[arg(required = true, value_name = "WORD")]
    pub words: Vec<String>,
    #[command(flatten)]
    pub keys: Keys,
}

#[derive(Debug, Args)]
pub(crate) struct ChangedServer {
    /// Of several servers with this address, the one that has this port.
    #[arg(long, value_name = "PORT")]
    pub at_port: Option<String>,
    /// Of several servers with this address, the one that has this transport.
    #[arg(long, value_name = "TRANSPORT")]
    pub at_transport: Option<Transport>,
    /// ADDRESS [PORT] [KEY:VALUE...]
    #[arg(required = true, value_name = "WORD")]
    pub words: Vec<String>,
    #[command(flatten)]
    pub keys: Keys,
}

#[derive(Debug, Args)]
pub(crate) struct GoneServer {
    /// Its address.
    #[arg(value_name = "ADDRESS")]
    pub address: String,
    /// Its port, if several servers have this address.
    #[arg(value_name = "PORT")]
    pub port: Option<String>,
    /// Its transport, if several servers have this address.
    #[arg(long, value_name = "TRANSPORT")]
    pub transport: Option<Transport>,
}

/// What a server is to be like.
#[derive(Debug, Args)]
pub(crate) struct Keys {
    /// Its port [default: 53, or 853 for dot and doq, 443 for doh].
    #[arg(long, value_name = "PORT")]
    pub port: Option<String>,
    /// How to talk to it [default: udp].
    #[arg(long, value_name = "TRANSPORT")]
    pub transport: Option<Transport>,
    /// Whether it is asked [default: true].
    #[arg(long, value_name = "BOOL")]
    pub active: Option<bool>,
    /// Kept for existing nodes; has no effect.
    #[arg(long, value_name = "BOOL", hide = true)]
    pub local_resolver: Option<bool>,
    /// Kept for existing nodes; has no effect.
    #[arg(long, value_name = "BOOL", hide = true)]
    pub adblocker: Option<bool>,
    /// Domains, with commas between them, that are asked of it alone.
    #[arg(long, value_name = "DOMAINS")]
    pub whitelist: Option<String>,
    /// The URL of DNS over HTTPS.
    #[arg(long, value_name = "URL")]
    pub doh_url: Option<String>,
    /// Whom its certificate must name.
    #[arg(long, value_name = "NAME")]
    pub tls_name: Option<String>,
    /// The server that is asked when it fails.
    #[arg(long, value_name = "ADDRESS")]
    pub fallback_address: Option<String>,
    /// Its port.
    #[arg(long, value_name = "PORT")]
    pub fallback_port: Option<String>,
    /// How to talk to it.
    #[arg(long, value_name = "TRANSPORT")]
    pub fallback_transport: Option<Transport>,
    /// Its URL.
    #[arg(long, value_name = "URL")]
    pub fallback_doh_url: Option<String>,
    /// Whom its certificate must name.
    #[arg(long, value_name = "NAME")]
    pub fallback_tls_name: Option<String>,
}

/// How to talk to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Transport {
    /// Datagrams; over TCP what does not fit.
    Udp,
    /// TCP alone.
    Tcp,
    /// DNS over TLS.
    Dot,
    /// DNS over HTTPS.
    Doh,
    /// DNS over QUIC.
    Doq,
}

impl Transport {
    /// As in dnsservers.json.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Dot => "dot",
            Self::Doh => "doh",
            Self::Doq => "doq",
        }
    }
}
