//! What is being fetched, and who waits for it.

use super::{Client, Fetched, Wanted, peers::Peer};
use crate::resolve::Failure;
use foldhash::fast::RandomState;
use std::{
    collections::HashMap,
    rc::Rc,
    time::{Duration, Instant},
};
use tokio::sync::oneshot;

/// A fetch, for as long as it lasts: a place that is used again has another generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(super) place: u32,
    pub(super) generation: u32,
}

/// Something that is being fetched.
pub(super) struct Fetch {
    pub(super) wanted: Rc<Wanted>,
    /// Asks how a server is, and nothing else.
    pub(super) is_probe: bool,
    /// The answer is validated before anybody gets it.
    pub(super) validates: bool,
    /// How an answer was not what its zone signed.
    pub(super) bogus: Option<u16>,
    pub(super) waiting: Vec<Waiter>,
    /// Whom to ask, in this order.
    pub(super) plan: Vec<Rc<Peer>>,
    /// How many of the plan were asked.
    pub(super) next: usize,
    /// Rounds through the plan beyond the first.
    pub(super) repeats: u32,
    /// Of the plan, those that said they cannot answer.
    pub(super) failed: Vec<Rc<Peer>>,
    /// Of them, those for whom the name may be to blame.
    pub(super) suspects: Vec<Rc<Peer>>,
    /// Those that are being asked over a connection because a datagram will not do.
    pub(super) connected: Vec<Rc<Peer>>,
    /// When somebody else is asked, or the same again.
    pub(super) hedge_at: Instant,
    /// When there is no use in waiting any longer.
    pub(super) deadline: Instant,
}

/// Somebody who waits.
pub(super) enum Waiter {
    /// For a reply.
    Client(Waiting),
    /// To know what came of it.
    Told(oneshot::Sender<Fetched>),
    /// For the message itself.
    Message(oneshot::Sender<Result<Vec<u8>, Failure>>),
}

/// A client, and how long it waits.
pub(super) struct Waiting {
    pub(super) client: Client,
    pub(super) deadline: Instant,
    /// Fetches that it has waited for, this one included: an alias may lead to the next.
    pub(super) rounds: u32,
}

impl Fetch {
    /// Nobody was asked yet.
    pub(super) fn new(wanted: Wanted, waiter: Option<Waiter>, plan: Vec<Rc<Peer>>, deadline: Instant) -> Self {
        Self {
            wanted: Rc::new(wanted),
            is_probe: false,
            validates: false,
            bogus: None,
            waiting: waiter.into_iter().collect(),
            plan,
            next: 0,
            repeats: 0,
            failed: Vec::new(),
            suspects: Vec::new(),
            connected: Vec::new(),
            hedge_at: deadline,
            deadline,
        }
    }

    /// What there is to say if it ends now.
    pub(super) fn failure(&self) -> Failure {
        match self.bogus {
            Some(code) => Failure::Bogus(code),
            None if self.failed.is_empty() => Failure::Silence,
            None => Failure::Upstreams,
        }
    }

    /// Whether all who wait want the message itself, and nothing made of it.
    pub(super) fn is_for_messages(&self) -> bool {
        !self.waiting.is_empty() && self.waiting.iter().all(|waiter| matches!(waiter, Waiter::Message(_)))
    }

    /// When to look at it again.
    pub(super) fn due(&self) -> Instant {
        let clients = self.waiting.iter().filter_map(|waiter| match waiter {
            Waiter::Client(waiting) => Some(waiting.deadline),
            Waiter::Told(_) | Waiter::Message(_) => None,
        });
        clients.fold(self.deadline.min(self.hedge_at), Instant::min)
    }

    /// Whether all that could be asked have said that they cannot answer.
    pub(super) fn is_hopeless(&self) -> bool {
        self.failed.len() >= self.plan.len()
    }

    /// Notes that this one cannot answer.
    pub(super) fn failed_at(&mut self, peer: &Rc<Peer>) {
        note(&mut self.failed, peer);
    }

    /// Takes those clients that wait no longer.
    pub(super) fn overdue(&mut self, now: Instant) -> Vec<Waiting> {
        let is_overdue = |waiter: &mut Waiter| matches!(waiter, Waiter::Client(waiting) if waiting.deadline <= now);
        let overdue = self.waiting.extract_if(.., is_overdue);
        overdue.filter_map(|waiter| if let Waiter::Client(waiting) = waiter { Some(waiting) } else { None }).collect()
    }
}

/// Adds it, unless it is there.
pub(super) fn note(peers: &mut Vec<Rc<Peer>>, peer: &Rc<Peer>) -> bool {
    let is_new = !peers.iter().any(|known| Rc::ptr_eq(known, peer));
    if is_new {
        peers.push(peer.clone());
    }
    is_new
}

/// All fetches of one thread.
#[derive(Default)]
pub(super) struct Fetches {
    places: Vec<Place>,
    free: Vec<u32>,
    by_wanted: HashMap<Rc<Wanted>, Key, RandomState>,
    under_way: usize,
}

#[derive(Default)]
struct Place {
    generation: u32,
    fetch: Option<Box<Fetch>>,
}

impl Fetches {
    pub(super) fn len(&self) -> usize {
        self.under_way
    }

    /// That for the same, if there is one.
    pub(super) fn find(&self, wanted: &Wanted) -> Option<Key> {
        self.by_wanted.get(wanted).copied()
    }

    pub(super) fn get(&mut self, key: Key) -> Option<&mut Fetch> {
        let place = self.places.get_mut(key.place as usize).filter(|place| place.generation == key.generation)?;
        place.fetch.as_deref_mut()
    }

    pub(super) fn add(&mut self, fetch: Fetch) -> Key {
        self.under_way += 1;
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place::default());
            (self.places.len() - 1) as u32
        });
        let (wanted, is_probe) = (fetch.wanted.clone(), fetch.is_probe);
        let slot = &mut self.places[place as usize];
        slot.generation = slot.generation.wrapping_add(1);
        slot.fetch = Some(Box::new(fetch));
        let key = Key { place, generation: slot.generation };
        if !is_probe {
            self.by_wanted.insert(wanted, key);
        }
        key
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<Box<Fetch>> {
        let place = self.places.get_mut(key.place as usize).filter(|place| place.generation == key.generation)?;
        let fetch = place.fetch.take()?;
        self.under_way -= 1;
        self.free.push(key.place);
        if !fetch.is_probe {
            self.by_wanted.remove(&fetch.wanted);
        }
        Some(fetch)
    }
}

/// So long after the first round through a plan that brought nothing the next ones begin.
pub(super) fn backed_off(patience: Duration, repeats: u32) -> Duration {
    patience * (1 << repeats.min(6))
}
