//! What we know of each connected data plane.

use dnsplane_proto::{Generation, pb::feed::UpstreamReport};
use serde::{Serialize, Serializer};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};
use tracing::info;

/// Data planes kept in the table; more than a machine could sensibly run.
const MAX_PLANES: usize = 64;

/// One data plane, as it last described itself.
#[derive(Clone, Debug, Serialize)]
pub struct PlaneStatus {
    /// Its name for itself.
    pub follower: String,
    /// Its version.
    pub version: String,
    /// Records that it serves.
    #[serde(serialize_with = "generation")]
    pub records: Option<Generation>,
    /// Settings that it serves.
    #[serde(serialize_with = "generation")]
    pub settings: Option<Generation>,
    /// How long it has been connected.
    #[serde(rename = "connected_seconds", serialize_with = "seconds")]
    pub since: Instant,
    /// Sockets that answer.
    pub listening: Vec<String>,
    /// Why a socket is not bound.
    pub listen_error: String,
    /// Its counters since it started.
    pub counters: BTreeMap<String, u64>,
    /// How upstream servers do as it sees them; told by `GET /dns/upstreams/health`.
    #[serde(skip)]
    pub upstreams: Vec<UpstreamReport>,
    /// Whole resources sent on this connection.
    pub transfers_full: u64,
    /// Differences sent on this connection.
    pub transfers_delta: u64,
    /// Octets of both.
    pub bytes_sent: u64,
    /// Why it refused the last transfer of records; empty once one was installed.
    pub last_refusal: String,
}

impl PlaneStatus {
    /// Whether it answers queries from this generation of records.
    pub fn answers_from(&self, generation: Generation) -> bool {
        !self.listening.is_empty() && self.records == Some(generation)
    }
}

/// The table of connected data planes; clones share it.
#[derive(Clone, Default)]
pub struct Planes(Arc<Mutex<Table>>);

#[derive(Default)]
struct Table {
    next: u64,
    planes: BTreeMap<u64, PlaneStatus>,
}

/// A place in the table for as long as a data plane is connected.
pub(super) struct Place {
    planes: Planes,
    key: u64,
}

impl Planes {
    /// All connected data planes.
    pub fn list(&self) -> Vec<PlaneStatus> {
        self.with(|table| table.planes.values().cloned().collect())
    }

    /// Enters a data plane; `None` if there are too many.
    pub(super) fn enter(&self, follower: String, version: String) -> Option<Place> {
        info!(follower, version, "data plane connected");
        let plane = PlaneStatus {
            follower,
            version,
            records: None,
            settings: None,
            since: Instant::now(),
            listening: Vec::new(),
            listen_error: String::new(),
            counters: BTreeMap::new(),
            upstreams: Vec::new(),
            transfers_full: 0,
            transfers_delta: 0,
            bytes_sent: 0,
            last_refusal: String::new(),
        };
        self.with(|table| {
            if table.planes.len() >= MAX_PLANES {
                return None;
            }
            table.next += 1;
            table.planes.insert(table.next, plane);
            Some(Place { planes: self.clone(), key: table.next })
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut Table) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Place {
    /// Changes what is known of this data plane.
    pub(super) fn update(&self, change: impl FnOnce(&mut PlaneStatus)) {
        self.planes.with(|table| table.planes.get_mut(&self.key).map(change));
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(plane) = self.planes.with(|table| table.planes.remove(&self.key)) {
            info!(follower = plane.follower, "data plane disconnected");
        }
    }
}

fn generation<S: Serializer>(generation: &Option<Generation>, serializer: S) -> Result<S::Ok, S::Error> {
    generation.map(GenerationJson::from).serialize(serializer)
}

fn seconds<S: Serializer>(since: &Instant, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(since.elapsed().as_secs())
}

/// A generation in JSON. The session is text: many readers of JSON lose digits of large numbers.
#[derive(Serialize)]
pub struct GenerationJson {
    session: String,
    number: u64,
}

impl From<Generation> for GenerationJson {
    fn from(generation: Generation) -> Self {
        Self { session: format!("{:016x}", generation.session), number: generation.number }
    }
}
