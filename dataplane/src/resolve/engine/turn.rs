//! What one thread does all day: takes what it is given, hears what comes back, and looks at the clock.

use super::{
    check::Court,
    core::Core,
    failures::Failures,
    fetches::{Fetch, Fetches, Key},
    lane::{Job, Lane},
    mail::{Desk, Mail},
    peers::{Peer, Peers},
    wheel::Wheel,
};
use crate::{
    counters::Counters,
    listen::batch::Inbox,
    resolve::{
        Wanted,
        upstream::{Book, ports::Port, random::Random},
    },
};
use dnsplane_proto::{RecordType, Settings};
use std::{
    cell::RefCell,
    io,
    rc::{Rc, Weak},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::Interest,
    runtime::Builder,
    sync::watch,
    task::{AbortHandle, LocalSet, spawn_local, yield_now},
    time::{MissedTickBehavior, interval, sleep_until},
};
use tokio_util::sync::CancellationToken;

/// Jobs taken before what came back meanwhile is heard.
const BURST: usize = 128;
/// How often lost questions are counted, old sockets closed and servers probed.
const HOUSEKEEPING: Duration = Duration::from_millis(250);

/// What one thread is given.
pub(super) struct Setup {
    pub(super) number: usize,
    pub(super) lane: Arc<Lane>,
    pub(super) desk: Desk,
    pub(super) book: Arc<Book>,
    pub(super) court: Arc<Court>,
    pub(super) counters: Arc<Counters>,
    pub(super) settings: watch::Receiver<Option<Arc<Settings>>>,
    pub(super) most_fetches: usize,
    pub(super) most_clients: usize,
    pub(super) random: Random,
    pub(super) stop: CancellationToken,
}

/// Starts the thread; it ends after `stop`.
pub(super) fn start(setup: Setup) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("resolve".to_owned()).spawn(move || {
        let here = LocalSet::new();
        here.block_on(&runtime, run(setup));
    })?;
    Ok(())
}

async fn run(setup: Setup) {
    let Setup { number, lane, desk, book, court, counters, settings, most_fetches, most_clients, random, stop } = setup;
    let (now, snapshot) = (Instant::now(), desk.current.load());
    let core = Rc::new_cyclic(|me| {
        RefCell::new(Core {
            me: me.clone(),
            desk,
            book,
            court,
            validator: None,
            counters,
            settings,
            random,
            most_fetches,
            most_clients,
            is_first: number == 0,
            resolving: Rc::default(),
            failures_allowed: super::FAILURES,
            peers: Peers::none(),
            fetches: Fetches::default(),
            clients: 0,
            wheel: Wheel::new(now),
            failures: Failures::default(),
            snapshot,
            mail: Mail::default(),
            written: Vec::new(),
            inbox: Rc::new(RefCell::new(Inbox::new())),
            now,
        })
    });
    core.borrow_mut().obey();
    let mut housekeeping = interval(HOUSEKEEPING);
    housekeeping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut jobs, mut due) = (Vec::new(), Vec::new());
    loop {
        let next = core.borrow().wheel.next();
        tokio::select! {
            () = stop.cancelled() => return,
            () = lane.filled() => lane.take(&mut jobs),
            () = at(next) => {}
            _ = housekeeping.tick() => core.borrow_mut().keep_house(),
        }
        let mut waiting = jobs.drain(..);
        core.borrow_mut().burst(&mut waiting, &mut due);
        while waiting.len() > 0 {
            // What came back meanwhile is heard first.
            yield_now().await;
            core.borrow_mut().burst(&mut waiting, &mut due);
        }
    }
}

/// Waits until then; for ever if there is no such time.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}

/// Receives from a socket as long as it is open. The task ends when it is aborted, or when nobody needs it any more.
pub(super) fn attend(core: Weak<RefCell<Core>>, peer: &Rc<Peer>, port: &Rc<Port>) -> AbortHandle {
    let (peer, port) = (Rc::downgrade(peer), port.clone());
    let task = spawn_local(async move {
        // An error is what the kernel was told of earlier datagrams: that nobody is there to take them.
        let interest = Interest::READABLE | Interest::ERROR;
        while let Ok(ready) = port.socket.ready(interest).await {
            // tokio tells one of them at a time as over.
            let interest = if ready.is_readable() { Interest::READABLE } else { Interest::ERROR };
            let (Some(core), Some(peer)) = (core.upgrade(), peer.upgrade()) else { return };
            let mut core = core.borrow_mut();
            core.begin();
            // "Would block" is how it ends, and how the socket knows that it is to wait again.
            let _ = port.socket.try_io(interest, || core.receive(&peer, &port));
            core.flush();
        }
    });
    task.abort_handle()
}

impl Core {
    /// Looks at what is due, and takes some jobs.
    fn burst(&mut self, jobs: &mut impl Iterator<Item = Job>, due: &mut Vec<Key>) {
        self.begin();
        self.wheel.turn(self.now, due);
        due.drain(..).for_each(|key| self.look_at(key));
        jobs.take(BURST).for_each(|job| self.take(job));
        self.flush();
    }

    fn keep_house(&mut self) {
        self.begin();
        for peer in self.peers.all().to_vec() {
            peer.ports.borrow_mut().sweep(self.now, |_| peer.health.failed("no reply"));
            if self.is_first {
                self.probe(&peer);
            }
        }
        if self.is_first {
            self.book.keep(&self.snapshot.upstreams);
        }
    }

    /// Asks a server how it is, if it is time to.
    fn probe(&mut self, peer: &Rc<Peer>) {
        let Some(probes) = self.resolving.probes.clone() else { return peer.probe_at.set(None) };
        let at = peer.probe_at.get().unwrap_or(self.now).min(self.now + probes.every);
        if at > self.now {
            return peer.probe_at.set(Some(at));
        }
        peer.probe_at.set(Some(self.now + probes.every));
        peer.health.probed();
        let name = probes.name.as_wire().into();
        let wanted = Wanted { name, kind: RecordType::A, dnssec_ok: false, checking_disabled: false };
        let deadline = self.now + self.resolving.timeout;
        let probe = Fetch { is_probe: true, ..Fetch::new(wanted, None, vec![peer.clone()], deadline) };
        let key = self.fetches.add(probe);
        self.ask_next(key);
        self.wheel.add(key, deadline, self.now);
    }
}
