//! Who may stay: a bounded number of connections, in all and of each client.
//!
//! A new connection is worth more than one that nobody has used for a while (RFC 7766 §6.2.3 lets a server close those when
//! it needs what they hold). So when all places are taken, the one that has been idle for the longest time is taken from its
//! connection: among those of the same client, if it is the client that has too many. Connections in use are left alone.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};

/// Connections in all: below the usual limit of 1024 open files, with room for everything else.
pub(super) const MAX_CONNECTIONS: usize = 768;
/// Connections of one address.
pub(super) const MAX_PER_CLIENT: usize = 128;
/// Who has asked, or arrived, less than this ago is not idle. Long enough for a first question to come from anywhere.
const IN_USE: Duration = Duration::from_millis(500);

/// All places, taken or not.
pub(super) struct Places {
    begun: Instant,
    open: Mutex<Open>,
    /// Connections in all, and of each client.
    most: (usize, usize),
    in_use: Duration,
}

#[derive(Default)]
struct Open {
    guests: HashMap<u64, Arc<Guest>>,
    next: u64,
}

struct Guest {
    client: IpAddr,
    /// When it was last answered, in milliseconds since the places were opened.
    used: AtomicU64,
    wanted: Notify,
}

/// A place that a connection has, given back when dropped.
pub(super) struct Place {
    places: Arc<Places>,
    number: u64,
    guest: Arc<Guest>,
}

impl Default for Places {
    fn default() -> Self {
        Self::new((MAX_CONNECTIONS, MAX_PER_CLIENT), IN_USE)
    }
}

impl Places {
    fn new(most: (usize, usize), in_use: Duration) -> Self {
        Self { begun: Instant::now(), open: Mutex::default(), most, in_use }
    }

    /// A place for one more connection of this client, and whether another one had to go for it; `None` if all are in use.
    pub(super) fn enter(self: &Arc<Self>, client: IpAddr) -> Option<(Place, bool)> {
        self.enter_at(client, self.at(Instant::now()))
    }

    fn enter_at(self: &Arc<Self>, client: IpAddr, now: u64) -> Option<(Place, bool)> {
        let guest = Arc::new(Guest { client, used: AtomicU64::new(now), wanted: Notify::new() });
        let mut open = self.lock();
        let (most, most_per_client) = self.most;
        let mut evicted = false;
        if open.of(client).count() >= most_per_client {
            self.evict(&mut open, now, |guest| guest.client == client)?;
            evicted = true;
        } else if open.guests.len() >= most {
            self.evict(&mut open, now, |_| true)?;
            evicted = true;
        }
        let number = open.next;
        open.next += 1;
        open.guests.insert(number, guest.clone());
        Some((Place { places: self.clone(), number, guest }, evicted))
    }

    /// Takes the place of the guest that has been idle for the longest time, of those that may have to go.
    fn evict(&self, open: &mut Open, now: u64, may: impl Fn(&Guest) -> bool) -> Option<()> {
        let idle = |guest: &Guest| now.saturating_sub(guest.used.load(Relaxed));
        let candidates = open.guests.iter().filter(|(_, guest)| may(guest));
        let (number, guest) = candidates.max_by_key(|(_, guest)| idle(guest))?;
        if u128::from(idle(guest)) < self.in_use.as_millis() {
            return None;
        }
        guest.wanted.notify_one();
        let number = *number;
        open.guests.remove(&number);
        Some(())
    }

    fn at(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.begun).as_millis()).unwrap_or(u64::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn of(&self, client: IpAddr) -> impl Iterator<Item = &Arc<Guest>> {
        self.guests.values().filter(move |guest| guest.client == client)
    }
}

impl Place {
    /// Whose it is.
    pub(super) fn client(&self) -> IpAddr {
        self.guest.client
    }

    /// The connection was answered just now.
    pub(super) fn used(&self, now: Instant) {
        self.guest.used.store(self.places.at(now), Relaxed);
    }

    /// Waits until somebody else is to have the place.
    pub(super) async fn wanted(&self) {
        self.guest.wanted.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().guests.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(number: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, number])
    }

    /// A place that was last used so many milliseconds after the beginning.
    fn used(places: &Arc<Places>, number: u8, at: u64) -> Place {
        let (place, evicted) = places.enter_at(client(number), 0).unwrap();
        place.used(places.begun + Duration::from_millis(at));
        assert!(!evicted);
        place
    }

    async fn is_wanted(place: &Place) -> bool {
        tokio::select! {
            biased;
            () = place.wanted() => true,
            () = std::future::ready(()) => false,
        }
    }

    #[tokio::test]
    async fn rfc7766_s6_2_3_the_longest_idle_connection_makes_room() {
        let places = Arc::new(Places::new((3, 2), Duration::from_millis(50)));
        let held = [(0, 30), (1, 10), (2, 20)].map(|(number, at)| used(&places, number, at));
        assert!(places.enter_at(client(9), 59).is_none(), "all are in use");
        let (newcomer, evicted) = places.enter_at(client(9), 60).unwrap();
        assert!(evicted);
        let mut wanted = Vec::new();
        for place in held.iter().chain([&newcomer]) {
            wanted.push(is_wanted(place).await);
        }
        assert_eq!(wanted, [false, true, false, false]);
        drop(held);
        assert_eq!(places.lock().guests.len(), 1, "a place is given back once");
    }

    #[tokio::test]
    async fn a_client_with_too_many_loses_one_of_its_own() {
        let places = Arc::new(Places::new((10, 2), Duration::from_millis(50)));
        let held = [(1, 0), (2, 20), (2, 10)].map(|(number, at)| used(&places, number, at));
        assert!(places.enter_at(client(2), 59).is_none(), "both of its own are in use");
        let (_third, evicted) = places.enter_at(client(2), 60).unwrap();
        assert!(evicted);
        let [other, newer, older] = &held;
        assert_eq!((is_wanted(other).await, is_wanted(newer).await, is_wanted(older).await), (false, false, true));
    }
}
