//! Servers that are asked: how they are doing, whom to prefer, and how they are asked over UDP.
//!
//! What is known of a server outlives changes of the list: [`Book`] keeps it for as long as the server is on it, for all threads together.
//! The rest is each thread's own.

pub mod choice;
pub mod health;
pub(crate) mod ports;
pub(crate) mod question;
pub(crate) mod random;
pub(crate) mod rtt;

pub use health::{Health, UpstreamState};

use dnsplane_proto::{Server, Upstreams};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// What is known of all servers.
#[derive(Debug, Default)]
pub struct Book {
    servers: Mutex<HashMap<Server, Arc<Health>>>,
}

impl Book {
    /// What is known of a server; of a new one, nothing yet.
    pub fn health(&self, server: &Server) -> Arc<Health> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner).entry(server.clone()).or_default().clone()
    }

    /// Forgets servers that are no longer on the list.
    pub fn keep(&self, upstreams: &Upstreams) {
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        servers.retain(|server, _| all(upstreams).any(|listed| listed == server));
    }

    /// How the servers of the list are doing, in its order, each once.
    pub fn states(&self, upstreams: &Upstreams, failures: u32) -> Vec<UpstreamState> {
        let servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut states: Vec<UpstreamState> = Vec::new();
        for server in all(upstreams) {
            if states.iter().all(|state| state.name != server.name) {
                let health = servers.get(server).cloned().unwrap_or_default();
                states.push(health.state(&server.name, failures));
            }
        }
        states
    }
}

/// All servers of the list; some may be there more than once.
pub(crate) fn all(upstreams: &Upstreams) -> impl Iterator<Item = &Server> {
    let rows = upstreams.upstreams.iter().flat_map(|row| [Some(&row.server), row.fallback.as_ref()]);
    rows.flatten().chain(upstreams.last_resort.as_ref())
}
