//! The servers that may be asked, as one thread sees them, and whom to ask for a name.

use super::super::{
    exchange::{Client, Trust},
    route::{Route, candidates, route},
    upstream::{
        Book, Health,
        choice::{Candidate, Row, order},
        ports::Ports,
    },
};
use dnsplane_proto::{Server, Upstreams, Way};
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

/// A server, and the ways to it.
pub(super) struct Peer {
    pub(super) server: Server,
    /// Its name.
    pub(super) source: Arc<str>,
    pub(super) health: Arc<Health>,
    /// Sockets to ask it from over UDP.
    pub(super) ports: RefCell<Ports>,
    /// Connections to it. Opens none before it is used.
    pub(super) client: Client,
    pub(super) probe_at: Cell<Option<Instant>>,
}

impl Peer {
    /// Whether it is asked by datagrams.
    pub(super) fn is_datagram(&self) -> bool {
        self.server.way == Way::Udp
    }
}

/// All of them.
pub(super) struct Peers {
    upstreams: Arc<Upstreams>,
    all: Vec<Rc<Peer>>,
    /// For each upstream of the list: it, and who stands in for it.
    rows: Vec<(Rc<Peer>, Option<Rc<Peer>>)>,
    last_resort: Option<Rc<Peer>>,
}

impl Peers {
    pub(super) fn none() -> Self {
        Self { upstreams: Arc::default(), all: Vec::new(), rows: Vec::new(), last_resort: None }
    }

    /// Follows the list. Servers that stay keep their sockets.
    pub(super) fn follow(&mut self, upstreams: &Arc<Upstreams>, book: &Book) {
        if Arc::ptr_eq(&self.upstreams, upstreams) {
            return;
        }
        // Other authorities are believed: connections that were made under the old ones must not stay.
        let before = if self.upstreams.roots == upstreams.roots { std::mem::take(&mut self.all) } else { Vec::new() };
        let trust = Trust::new(&upstreams.roots);
        let mut all: Vec<Rc<Peer>> = Vec::new();
        let mut peer = |server: &Server| {
            if let Some(known) = all.iter().chain(&before).find(|known| known.server == *server).cloned() {
                super::fetches::note(&mut all, &known);
                return known;
            }
            let new = Rc::new(Peer {
                server: server.clone(),
                source: server.name.as_str().into(),
                health: book.health(server),
                ports: RefCell::new(Ports::new(server.address)),
                client: Client::new(server, &trust),
                probe_at: Cell::new(None),
            });
            all.push(new.clone());
            new
        };
        let rows = upstreams.upstreams.iter();
        self.rows = rows.map(|row| (peer(&row.server), row.fallback.as_ref().map(&mut peer))).collect();
        self.last_resort = upstreams.last_resort.as_ref().map(&mut peer);
        (self.all, self.upstreams) = (all, upstreams.clone());
    }

    /// All servers.
    pub(super) fn all(&self) -> &[Rc<Peer>] {
        &self.all
    }

    /// Whether servers have this name for themselves.
    pub(super) fn is_exclusive(&self, name: &[u8]) -> bool {
        route(&self.upstreams, name) == Route::Exclusive
    }

    /// Whom to ask for a name, in this order.
    pub(super) fn plan(&self, name: &[u8], failures: u32, random: u64) -> Vec<Rc<Peer>> {
        if let ([(only, None)], None) = (&self.rows[..], &self.last_resort)
            && self.upstreams.upstreams.iter().all(|row| row.domains.is_empty())
        {
            return vec![only.clone()];
        }
        let is_general = route(&self.upstreams, name) == Route::General;
        let mut rows = self.upstreams.upstreams.iter().zip(&self.rows);
        let rows = candidates(&self.upstreams, name)
            .filter_map(|listed| rows.find(|(row, _)| std::ptr::eq(*row, listed)))
            .map(|(_, (peer, fallback))| {
                (candidate(peer, failures), fallback.as_ref().map(|peer| candidate(peer, failures)))
            })
            .collect::<Vec<Row<ByPeer>>>();
        let last_resort = self.last_resort.as_ref().filter(|_| is_general).map(|peer| candidate(peer, failures));
        order(rows, last_resort, random).into_iter().map(|ByPeer(peer)| peer).collect()
    }
}

/// The same server is the same whatever is known of it.
struct ByPeer(Rc<Peer>);

impl PartialEq for ByPeer {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

fn candidate(peer: &Rc<Peer>, failures: u32) -> Candidate<ByPeer> {
    let rtt = Duration::from_micros(peer.health.rtt().smoothed.into());
    Candidate { server: ByPeer(peer.clone()), healthy: !peer.health.is_unhealthy(failures), rtt }
}
