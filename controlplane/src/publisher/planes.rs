//! What we know of each connected data plane.

use super::ask::{MAX_WAITING, Question};
use dnsplane_proto::{Generation, pb::feed::UpstreamReport};
use serde::{Serialize, Serializer};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};
use tokio::sync::mpsc;
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
    /// Upstreams that it asks.
    #[serde(serialize_with = "generation")]
    pub upstream_servers: Option<Generation>,
    /// The block list that it obeys.
    #[serde(serialize_with = "generation")]
    pub block_list: Option<Generation>,
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
    /// Why it refused the last transfer; empty once one of the same resource was installed.
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
    planes: BTreeMap<u64, Plane>,
}

struct Plane {
    status: PlaneStatus,
    /// Where questions go in; `None`: it takes none.
    door: Option<mpsc::Sender<Question>>,
}

/// A place in the table for as long as a data plane is connected.
pub(super) struct Place {
    planes: Planes,
    key: u64,
}

impl Planes {
    /// All connected data planes.
    pub fn list(&self) -> Vec<PlaneStatus> {
        self.with(|table| table.planes.values().map(|plane| plane.status.clone()).collect())
    }

    /// Where each takes questions, if it does.
    pub(super) fn doors(&self) -> Vec<(String, Option<mpsc::Sender<Question>>)> {
        let door = |plane: &Plane| (plane.status.follower.clone(), plane.door.clone());
        self.with(|table| table.planes.values().map(door).collect())
    }

    /// Enters a data plane, and says where its questions come out; `None` if there are too many.
    pub(super) fn enter(
        &self,
        follower: String,
        version: String,
        takes_questions: bool,
    ) -> Option<(Place, mpsc::Receiver<Question>)> {
        info!(follower, version, "data plane connected");
        let (door, questions) = mpsc::channel(MAX_WAITING);
        let status = PlaneStatus {
            follower,
            version,
            records: None,
            settings: None,
            upstream_servers: None,
            block_list: None,
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
            table.planes.insert(table.next, Plane { status, door: takes_questions.then_some(door) });
            Some((Place { planes: self.clone(), key: table.next }, questions))
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut Table) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Place {
    /// Changes what is known of this data plane.
    pub(super) fn update(&self, change: impl FnOnce(&mut PlaneStatus)) {
        self.planes.with(|table| table.planes.get_mut(&self.key).map(|plane| change(&mut plane.status)));
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(plane) = self.planes.with(|table| table.planes.remove(&self.key)) {
            info!(follower = plane.status.follower, "data plane disconnected");
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
