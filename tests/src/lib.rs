//! Starts real nodes and asks them questions.
//!
//! The claims beside this crate (`tests/tests/*.rs`) speak in terms of a [`Node`]: a control plane and a data plane, the
//! release binaries, in a folder of their own and on ports of their own. They wait on conditions ([`wait`]), never for
//! a fixed time. The clients here are small and independent of the programs they test: frames are put together by hand
//! ([`peer`]), HTTP is written to a socket ([`http`]), and DNS messages are parsed by `hickory-proto` ([`dns`]).

pub mod clock;
pub mod cluster;
pub mod content;
pub mod daemon;
pub mod dns;
pub mod git;
pub mod git_server;
pub mod http;
pub mod list_server;
pub mod name_server;
pub mod net;
pub mod node;
pub mod peer;
pub mod ports;
pub mod program;
pub mod proxy;
pub mod random;
pub mod record;
pub mod record_server;
pub mod rival;
pub mod signed;
pub mod upstream;
pub mod vector;
pub mod wait;

pub use cluster::Cluster;
pub use daemon::Daemon;
pub use git::Repository;
pub use git_server::GitServer;
pub use list_server::{ListServer, Page};
pub use name_server::{NameServer, Says};
pub use net::{Net, Shape};
pub use node::{Node, Plan};
pub use proxy::{BOTH, Proxy, Way};
pub use random::Random;
pub use record::Record;
pub use record_server::{Document, Manner, RecordServer};
pub use rival::Rival;
pub use signed::Signed;
pub use wait::{PATIENCE, eventually};
