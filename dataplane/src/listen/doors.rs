//! The encrypted doors: makes those that are open match those that the settings ask for.
//!
//! A door that is to be opened with other files or another path stays as it is until that can be done.

use super::{
    certificate::{Files, Identity},
    desk::Desk,
    https, quic, tcp, tls, udp,
};
use rustls::{crypto::ring::Ticketer, server::ProducesTickets};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::SocketAddr,
    sync::Arc,
};
use tokio::{sync::Notify, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tracing::info;

/// What is spoken behind a door.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Tls,
    Https,
    Quic,
}

/// Why a door is not open.
#[derive(Debug, thiserror::Error)]
enum DoorError {
    #[error("cannot listen for {} on {address}: {}", kind.name(), kind.advice(error))]
    Bind { kind: Kind, address: SocketAddr, error: io::Error },
    #[error("cannot offer {} on {address}", kind.name())]
    Tls { kind: Kind, address: SocketAddr, source: Box<dyn std::error::Error> },
}

/// How a door is to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Plan {
    files: Files,
    path: Arc<str>,
}

/// Owner of all doors.
pub(super) struct Doors {
    desk: Arc<Desk>,
    identities: BTreeMap<Files, Identity>,
    open: BTreeMap<(Kind, SocketAddr), Open>,
    /// So that clients can resume their sessions; `None` if there were no random numbers for its keys.
    tickets: Option<Arc<dyn ProducesTickets>>,
    news: Arc<Notify>,
}

struct Open {
    bound: SocketAddr,
    plan: Plan,
    task: JoinHandle<()>,
    stop: CancellationToken,
}

impl Doors {
    /// All closed.
    pub(super) fn new(desk: Arc<Desk>) -> Self {
        let tickets = Ticketer::new().ok();
        Self { desk, identities: BTreeMap::new(), open: BTreeMap::new(), tickets, news: Arc::default() }
    }

    /// Waits until there is news of a certificate.
    pub(super) fn news(&self) -> impl Future<Output = ()> + use<> {
        let news = self.news.clone();
        async move { news.notified().await }
    }

    /// Such as `dot 127.0.0.1:853`.
    pub(super) fn sockets(&self) -> impl Iterator<Item = String> {
        self.open.iter().map(|((kind, _), open)| format!("{} {}", kind.short(), open.bound))
    }

    /// Opens and closes; returns what is wrong.
    pub(super) fn match_to(&mut self, wanted: &dnsplane_proto::Doors) -> Vec<String> {
        let wanted = plans(wanted);
        let files: BTreeSet<_> = wanted.values().map(|plan| plan.files.clone()).collect();
        for files in &files {
            let new = || Identity::of(files.clone(), self.news.clone());
            self.identities.entry(files.clone()).or_insert_with(new);
        }
        let mut errors = Vec::new();
        for (place, plan) in &wanted {
            if self.open.get(place).is_some_and(|open| open.plan == *plan && !open.task.is_finished()) {
                continue;
            }
            match self.identities.get(&plan.files).filter(|identity| identity.is_usable()) {
                None => {}
                Some(identity) => match self.open_door(*place, plan, identity) {
                    Ok(open) => {
                        info!(address = %open.bound, "listening for {}", place.0.name());
                        // The one before is dropped, which stops it.
                        self.open.insert(*place, open);
                    }
                    Err(error) => errors.push(crate::chain(&error)),
                },
            }
        }
        for ((kind, _), open) in self.open.extract_if(.., |place, _| !wanted.contains_key(place)) {
            info!(address = %open.bound, "no longer listening for {}", kind.name());
        }
        // Handshakes of doors that are still open with files of before hold on to what they need.
        self.identities.retain(|these, _| files.contains(these));
        errors.extend(self.identities.values().filter_map(Identity::fault));
        errors
    }

    /// Stops accepting.
    pub(super) fn close(&mut self) {
        self.open.clear();
    }

    fn open_door(&self, place: (Kind, SocketAddr), plan: &Plan, identity: &Identity) -> Result<Open, DoorError> {
        let (kind, address) = place;
        let bind = |error| DoorError::Bind { kind, address, error };
        let unable = |source: Box<dyn std::error::Error>| DoorError::Tls { kind, address, source };
        // Our own socket there would look like somebody else's.
        if !self.open.contains_key(&place) {
            kind.is_taken(address).map_err(bind)?;
        }
        // One that is opened anew on a port that the system chose stays there.
        let address = self.open.get(&place).map_or(address, |open| open.bound);
        let tls = tls::config(identity, self.tickets.as_ref(), kind.alpn()).map_err(|error| unable(error.into()))?;
        let (desk, stop) = (self.desk.clone(), CancellationToken::new());
        let (bound, task) = if kind == Kind::Quic {
            let config = quic::config(tls, desk.patience.idle).map_err(|error| unable(error.into()))?;
            let endpoint = quic::bind(address).and_then(|socket| quic::open(socket, config)).map_err(bind)?;
            let bound = endpoint.local_addr().map_err(bind)?;
            // Tracked, so that who waits for connections to be closed waits for it.
            (bound, self.desk.tasks.spawn(quic::serve(endpoint, desk, stop.clone())))
        } else {
            let listener = tcp::bind(address).map_err(bind)?;
            let bound = listener.local_addr().map_err(bind)?;
            let (config, path) = (Arc::new(tls), plan.path.clone());
            let task = if kind == Kind::Https {
                tokio::spawn(https::serve(listener, config, path, desk, stop.clone()))
            } else {
                tokio::spawn(tls::serve(listener, config, desk, stop.clone()))
            };
            (bound, task)
        };
        Ok(Open { bound, plan: plan.clone(), task, stop })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Tls => "DNS over TLS",
            Self::Https => "DNS over HTTPS",
            Self::Quic => "DNS over QUIC",
        }
    }

    fn short(self) -> &'static str {
        match self {
            Self::Tls => "dot",
            Self::Https => "doh",
            Self::Quic => "doq",
        }
    }

    fn alpn(self) -> &'static [&'static [u8]] {
        match self {
            Self::Tls => tls::ALPN,
            Self::Https => https::ALPN,
            Self::Quic => quic::ALPN,
        }
    }

    fn is_taken(self, address: SocketAddr) -> io::Result<()> {
        if self == Self::Quic { udp::is_taken(address) } else { tcp::is_taken(address) }
    }

    fn advice(self, error: &io::Error) -> String {
        super::advice(error, &format!("{}_port", self.short()))
    }
}

fn plans(wanted: &dnsplane_proto::Doors) -> BTreeMap<(Kind, SocketAddr), Plan> {
    let doors = [(Kind::Tls, &wanted.tls), (Kind::Https, &wanted.https), (Kind::Quic, &wanted.quic)];
    let mut plans = BTreeMap::new();
    for (kind, door) in doors {
        let Some(door) = door else { continue };
        let files = Files { certificate: door.certificate.clone(), key: door.key.clone() };
        let plan = Plan { files, path: door.path.as_str().into() };
        plans.extend(door.listen.iter().map(|address| ((kind, *address), plan.clone())));
    }
    plans
}

#[cfg(test)]
mod tests;
