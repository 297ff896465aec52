//! One thread's share: begins fetches, asks servers in turn, and sees to it that nobody waits for too long.
//!
//! Nothing here waits. Whoever calls has the time in `now`, and calls [`Core::flush`] when the burst is over.

use super::{
    Fetched, Wanted,
    check::Court,
    failures::Failures,
    fetches::{Fetch, Fetches, Key, Waiter, Waiting, backed_off},
    lane::Job,
    mail::{Desk, Mail, count},
    peers::{Peer, Peers},
    wheel::Wheel,
};
use crate::{
    Outcome, Snapshot,
    counters::Counters,
    listen::batch::Inbox,
    resolve::{
        Failure,
        upstream::{
            Book,
            ports::Port,
            question::{self, Put},
            random::Random,
        },
        validate::Validator,
    },
};
use dnsplane_proto::{Resolving, Settings};
use std::{
    cell::RefCell,
    rc::{Rc, Weak},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// Fetches in a row that one query may need, each because of an alias that the one before has brought.
const MOST_ROUNDS: u32 = 8;
/// Questions that leave together, at most.
const FULL_POST: usize = 64;
/// The name that all others are below.
const ROOT: &[u8] = &[0];

/// The thread's share.
pub(super) struct Core {
    pub(super) me: Weak<RefCell<Core>>,
    pub(super) desk: Desk,
    pub(super) book: Arc<Book>,
    pub(super) court: Arc<Court>,
    pub(super) validator: Option<Arc<Validator>>,
    pub(super) counters: Arc<Counters>,
    pub(super) settings: watch::Receiver<Option<Arc<Settings>>>,
    pub(super) random: Random,
    pub(super) most_fetches: usize,
    pub(super) most_clients: usize,
    /// The first thread does what is to be done once.
    pub(super) is_first: bool,
    pub(super) resolving: Rc<Resolving>,
    pub(super) failures_allowed: u32,
    pub(super) peers: Peers,
    pub(super) fetches: Fetches,
    pub(super) clients: usize,
    pub(super) wheel: Wheel,
    pub(super) failures: Failures,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) mail: Mail,
    /// Sockets with questions to be sent.
    pub(super) written: Vec<(Rc<Peer>, Rc<Port>)>,
    pub(super) inbox: Rc<RefCell<Inbox>>,
    pub(super) now: Instant,
}

impl Core {
    /// Begins a burst: what was changed meanwhile counts.
    pub(super) fn begin(&mut self) {
        self.now = Instant::now();
        self.snapshot = self.desk.current.load();
        self.peers.follow(&self.snapshot.upstreams, &self.book);
        if self.settings.has_changed().unwrap_or(false) {
            self.obey();
        }
    }

    /// Follows the settings.
    pub(super) fn obey(&mut self) {
        let settings = self.settings.borrow_and_update().clone();
        self.failures_allowed = super::failures(settings.as_ref());
        let resolving = Rc::new(settings.map(|settings| settings.resolving.clone()).unwrap_or_default());
        // What one way of validating let through may be bogus by another.
        let judged_otherwise = resolving.validation != self.resolving.validation;
        self.resolving = resolving;
        self.validator = self.resolving.validation.as_ref().map(|rules| self.court.under(rules));
        if judged_otherwise {
            self.desk.cache.flush(ROOT, true);
        }
        if self.is_first {
            self.desk.cache.obey(self.resolving.cache);
        }
    }

    pub(super) fn take(&mut self, job: Job) {
        let deadline = self.now + patience_of_clients(self.resolving.timeout);
        match job {
            Job::Resolve(wanted, Some(client)) => {
                self.join(*wanted, Some(Waiter::Client(Waiting { client, deadline, rounds: 1 })), deadline);
            }
            Job::Resolve(wanted, None) => self.renew(*wanted, deadline),
            Job::Tell(wanted, teller) => self.join(*wanted, Some(Waiter::Told(teller)), deadline),
        }
    }

    fn renew(&mut self, wanted: Wanted, deadline: Instant) {
        if !self.failures.forbid_renewal(&wanted, self.now) {
            self.join(wanted, None, deadline);
        }
    }

    /// Waits for what is being fetched already, or fetches it.
    pub(super) fn join(&mut self, wanted: Wanted, waiter: Option<Waiter>, deadline: Instant) {
        if let Some(key) = self.fetches.find(&wanted) {
            return self.wait_for(key, waiter);
        }
        let failure = self.failures.recent(&wanted, self.now);
        let is_full = self.fetches.len() >= self.most_fetches || self.clients >= self.most_clients;
        match failure.or_else(|| is_full.then_some(Failure::Busy)) {
            Some(failure) => self.tell(&wanted, waiter, &Fetched::Failed(failure), None),
            None => self.start(wanted, waiter, deadline),
        }
    }

    fn wait_for(&mut self, key: Key, waiter: Option<Waiter>) {
        let Some(waiter) = waiter else { return };
        if self.clients >= self.most_clients {
            let Some(wanted) = self.fetches.get(key).map(|fetch| fetch.wanted.clone()) else { return };
            return self.tell(&wanted, Some(waiter), &Fetched::Failed(Failure::Busy), None);
        }
        let Some(fetch) = self.fetches.get(key) else { return };
        if let Waiter::Client(waiting) = &waiter
            && waiting.deadline < fetch.due()
        {
            self.wheel.add(key, waiting.deadline, self.now);
        }
        fetch.waiting.push(waiter);
        self.clients += 1;
    }

    fn start(&mut self, wanted: Wanted, waiter: Option<Waiter>, deadline: Instant) {
        let plan = self.peers.plan(&wanted.name, self.failures_allowed, self.random.next());
        if plan.is_empty() {
            return self.tell(&wanted, waiter, &Fetched::Failed(Failure::Upstreams), None);
        }
        self.counters.forwarded.increment();
        self.clients += usize::from(waiter.is_some());
        let at_once = self.resolving.in_flight.max(1) as usize;
        let chances: Vec<_> = plan.iter().skip(at_once).filter(|peer| self.has_second_chance(peer)).cloned().collect();
        let validates = self.validator.is_some() && !wanted.checking_disabled && !self.peers.is_exclusive(&wanted.name);
        let key = self.fetches.add(Fetch { validates, ..Fetch::new(wanted, waiter, plan, deadline) });
        for _ in 0..at_once {
            self.ask_next(key);
        }
        chances.iter().for_each(|peer| self.put(key, peer));
        if let Some(fetch) = self.fetches.get(key) {
            let due = fetch.due();
            self.wheel.add(key, due, self.now);
        }
    }

    /// Whether one that is unhealthy is asked beside the others, to see whether it still is.
    fn has_second_chance(&self, peer: &Peer) -> bool {
        peer.health.is_unhealthy(self.failures_allowed) && peer.health.second_chance()
    }

    /// Asks the next of the plan; `false`: all were asked.
    pub(super) fn ask_next(&mut self, key: Key) -> bool {
        let Some(fetch) = self.fetches.get(key) else { return false };
        let Some(peer) = fetch.plan.get(fetch.next).cloned() else { return false };
        fetch.next += 1;
        fetch.hedge_at = self.now + peer.health.rtt().patience();
        self.put(key, &peer);
        true
    }

    /// Puts the question to a server, by its own way.
    pub(super) fn put(&mut self, key: Key, peer: &Rc<Peer>) {
        if peer.is_datagram() { self.put_by_datagram(key, peer) } else { self.put_by_connection(key, peer) }
    }

    pub(super) fn put_by_datagram(&mut self, key: Key, peer: &Rc<Peer>) {
        let Some((wanted, validates)) = self.fetches.get(key).map(|fetch| (fetch.wanted.clone(), fetch.validates))
        else {
            return;
        };
        let attend = |port: &Rc<Port>| super::turn::attend(self.me.clone(), peer, port);
        let port = match peer.ports.borrow_mut().current(&mut self.random, self.now, attend) {
            Ok(port) => port,
            // Out of file descriptors, or no route.
            Err(error) => return self.fails(key, peer, &format!("cannot be asked: {error}")),
        };
        peer.health.asked();
        let case = if peer.health.keeps_case() { self.random.next() } else { 0 };
        let put = Put { id: 0, case, edns: peer.health.reads_edns(), validates };
        let put = port.note(&mut self.random, key, put, self.now);
        let mut post = port.post.borrow_mut();
        post.write(None, |message| question::write(&wanted, put, message));
        let written = post.len();
        drop(post);
        if written == 1 {
            self.written.push((peer.clone(), port));
        } else if written >= FULL_POST {
            self.send();
        }
    }

    /// Looks at a fetch again, if it is its time.
    pub(super) fn look_at(&mut self, key: Key) {
        let (now, snapshot) = (self.now, self.snapshot.clone());
        let Some(fetch) = self.fetches.get(key) else { return };
        if fetch.deadline <= now {
            let failure = fetch.failure();
            return self.fail(key, failure);
        }
        let (wanted, overdue) = (fetch.wanted.clone(), fetch.overdue(now));
        let hedge = fetch.hedge_at <= now;
        for waiting in overdue {
            self.clients -= 1;
            let fetched = Fetched::Failed(Failure::Silence);
            self.reply(&snapshot, waiting, (&wanted, &fetched));
        }
        if hedge && !self.ask_next(key) {
            self.repeat(key);
        }
        if let Some(fetch) = self.fetches.get(key) {
            let due = fetch.due();
            self.wheel.add(key, due, now);
        }
    }

    /// All were asked, and nobody has answered: datagrams may have been lost.
    fn repeat(&mut self, key: Key) {
        let Some(fetch) = self.fetches.get(key) else { return };
        let may_answer =
            |peer: &&Rc<Peer>| peer.is_datagram() && !fetch.failed.iter().any(|failed| Rc::ptr_eq(failed, peer));
        let again: Vec<_> = fetch.plan.iter().filter(may_answer).cloned().collect();
        let patience = again.iter().map(|peer| peer.health.rtt().patience()).max();
        let Some(patience) = patience.filter(|_| !fetch.is_probe) else {
            fetch.hedge_at = fetch.deadline;
            return;
        };
        fetch.repeats += 1;
        fetch.hedge_at = self.now + backed_off(patience, fetch.repeats);
        again.iter().for_each(|peer| self.put(key, peer));
    }

    /// One server says, or shows, that it cannot answer, and it is its own fault.
    pub(super) fn fails(&mut self, key: Key, peer: &Rc<Peer>, why: &str) {
        peer.health.failed(why);
        self.goes_on_without(key, peer);
    }

    /// One server cannot answer: the next one is asked, if there is one.
    pub(super) fn goes_on_without(&mut self, key: Key, peer: &Rc<Peer>) {
        let Some(fetch) = self.fetches.get(key) else { return };
        fetch.failed_at(peer);
        if fetch.is_hopeless() {
            let failure = fetch.failure();
            self.fail(key, failure);
        } else {
            self.ask_next(key);
        }
    }

    /// Nobody has an answer.
    pub(super) fn fail(&mut self, key: Key, failure: Failure) {
        let Some(fetch) = self.fetches.remove(key) else { return };
        if !fetch.is_probe {
            self.failures.note(&fetch.wanted, failure, self.now);
        }
        self.conclude(*fetch, &Fetched::Failed(failure), None);
    }

    /// Tells all who wait.
    pub(super) fn conclude(&mut self, fetch: Fetch, fetched: &Fetched, message: Option<&[u8]>) {
        self.clients -= fetch.waiting.len();
        for waiter in fetch.waiting {
            self.tell(&fetch.wanted, Some(waiter), fetched, message);
        }
    }

    fn tell(&mut self, wanted: &Wanted, waiter: Option<Waiter>, fetched: &Fetched, message: Option<&[u8]>) {
        match waiter {
            Some(Waiter::Client(waiting)) => {
                let snapshot = self.snapshot.clone();
                self.reply(&snapshot, waiting, (wanted, fetched));
            }
            // Who has stopped waiting need not be told.
            Some(Waiter::Told(teller)) => drop(teller.send(fetched.clone())),
            Some(Waiter::Message(teller)) => {
                let failure = if let Fetched::Failed(failure) = fetched { *failure } else { Failure::Upstreams };
                drop(teller.send(message.map(<[u8]>::to_vec).ok_or(failure)));
            }
            None => {}
        }
    }

    /// Writes a client's reply, or has fetched what it needs next.
    fn reply(&mut self, snapshot: &Snapshot, waiting: Waiting, news: (&Wanted, &Fetched)) {
        let now = crate::listen::now();
        let outcome = self.mail.reply(&self.desk, snapshot, &waiting.client, news, now);
        count(&self.counters, &outcome);
        match outcome {
            Outcome::Unresolved(next) if waiting.rounds < MOST_ROUNDS && waiting.deadline > self.now => {
                let (deadline, rounds) = (waiting.deadline, waiting.rounds + 1);
                self.join(*next, Some(Waiter::Client(Waiting { rounds, ..waiting })), deadline);
            }
            Outcome::Unresolved(next) => {
                let failed = Fetched::Failed(Failure::Upstreams);
                let outcome = self.mail.reply(&self.desk, snapshot, &waiting.client, (&next, &failed), now);
                count(&self.counters, &outcome);
            }
            Outcome::ToRenew(_, wanted) => self.renew(*wanted, self.now + patience_of_clients(self.resolving.timeout)),
            Outcome::Dropped | Outcome::Withheld | Outcome::Replied(_) => {}
        }
    }

    /// Sends what the burst has written.
    pub(super) fn flush(&mut self) {
        self.send();
        let unsent = self.mail.send();
        self.counters.send_errors.add(unsent as u64);
    }

    fn send(&mut self) {
        // Who is not there any more makes others be asked, who may not be there either; each of a plan once.
        while !self.written.is_empty() {
            for (peer, port) in std::mem::take(&mut self.written) {
                let sent = port.post.borrow_mut().send(&port.socket);
                peer.ports.borrow_mut().next_batch();
                self.counters.send_errors.add(sent.unsent as u64);
                if sent.refused {
                    self.nobody_there(&peer, &port);
                }
            }
        }
    }

    /// The kernel has been told that nobody has the port that was asked.
    pub(super) fn nobody_there(&mut self, peer: &Rc<Peer>, port: &Rc<Port>) {
        peer.ports.borrow_mut().give_up(port);
        for asked in port.take_waiting() {
            self.fails(asked.fetch, peer, "nobody listens there");
        }
    }
}

/// Within which a client must be told, so that its reply is there in time.
fn patience_of_clients(timeout: Duration) -> Duration {
    timeout - (timeout / 10).min(Duration::from_millis(100))
}
