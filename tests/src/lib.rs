//! Starts real nodes and asks them questions.
//!
//! The claims beside this crate (`tests/tests/*.rs`) speak in terms of a [`Node`]: a control plane and a data plane, the
//! release binaries, in a folder of their own and on ports of their own. They wait on conditions ([`wait`]), never for
//! a fixed time. The clients here are small and independent of the programs they test: frames are put together by hand
//! ([`peer`]), HTTP is written to a socket ([`http`]), and DNS messages are parsed by `hickory-proto` ([`dns`]).

pub mod cluster;
pub mod daemon;
pub mod dns;
pub mod http;
pub mod name_server;
pub mod node;
pub mod peer;
pub mod ports;
pub mod program;
pub mod record;
pub mod vector;
pub mod wait;

pub use cluster::Cluster;
pub use daemon::Daemon;
pub use name_server::{NameServer, Says};
pub use node::{Node, Plan};
pub use record::Record;
pub use wait::{PATIENCE, eventually};
