//! A link between two nodes that can be cut, slowed and silenced while it is used.
//!
//! A proxy stands for one direction of dialling: a node knows its peer by the proxy's address alone. What is claimed
//! about links therefore needs no privileges and no network of its own.

mod pump;

use crate::ports::Ports;
use pump::{Ends, Pump};
use std::{
    io,
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// Connections that a proxy carries at once; more are closed as they come.
const MAX_CONNECTIONS: usize = 256;
/// Longest time that a proxy's own dialling may take.
const DIAL_LIMIT: Duration = Duration::from_secs(5);

/// A direction of travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the node that connected.
    Out,
    /// To the node that connected.
    Back,
}

/// Both directions.
pub const BOTH: [Way; 2] = [Way::Out, Way::Back];

/// A link to one address.
#[derive(Debug)]
pub struct Proxy {
    shared: Arc<Shared>,
    address: SocketAddr,
    accepting: Option<JoinHandle<()>>,
    _ports: Ports,
}

/// How a link is at the moment.
#[derive(Clone, Copy, Debug, Default)]
struct Weather {
    state: State,
    ways: [Conditions; 2],
}

/// Whether anything gets through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    /// Nobody listens, and connections are closed.
    Cut,
    /// Everything sent vanishes; connections stay and new ones are taken, but neither side hears anything.
    Silent,
    /// For good.
    Ended,
}

/// What happens to octets that go one way.
#[derive(Clone, Copy, Debug, Default)]
struct Conditions {
    delay: Duration,
    /// Octets per second.
    rate: Option<u64>,
    /// Octets that may still pass before everything stands still.
    allowance: Option<u64>,
}

#[derive(Debug)]
struct Shared {
    target: SocketAddr,
    link: Mutex<Link>,
    changed: Condvar,
    passed: [AtomicU64; 2],
}

#[derive(Debug, Default)]
struct Link {
    weather: Weather,
    /// Whether the listening socket is there.
    listening: bool,
    /// Open connections by number; their sockets can be shut down from outside.
    open: Vec<(u64, Ends)>,
    opened: u64,
}

impl Proxy {
    /// A link in good condition to this address, which need not be there yet.
    pub fn to(target: SocketAddr) -> Self {
        let ports = Ports::reserve();
        let address = ports.peer();
        let link = Mutex::new(Link { listening: true, ..Link::default() });
        let shared = Arc::new(Shared { target, link, changed: Condvar::new(), passed: Default::default() });
        let listener = TcpListener::bind(address).expect("a reserved port is free");
        let theirs = Arc::clone(&shared);
        let accepting = Some(thread::spawn(move || accept(listener, &theirs)));
        Self { shared, address, accepting, _ports: ports }
    }

    /// Where to connect in place of the target.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes every connection and refuses new ones, until [`Proxy::heal`].
    pub fn cut(&self) {
        self.enter(State::Cut);
    }

    /// Lets everything sent vanish without a word, until [`Proxy::heal`].
    pub fn silence(&self) {
        self.enter(State::Silent);
    }

    /// As good as new. Connections from which something was taken are closed: what they miss cannot be made up for.
    pub fn heal(&self) {
        self.shared.link().weather.ways = Default::default();
        self.enter(State::Open);
    }

    /// Lets everything that goes this way arrive so much later.
    pub fn delay(&self, way: Way, delay: Duration) {
        self.set(way, |conditions| conditions.delay = delay);
    }

    /// Lets so many octets a second through this way.
    pub fn throttle(&self, way: Way, rate: u64) {
        self.set(way, |conditions| conditions.rate = Some(rate.max(1)));
    }

    /// Lets so many octets more through this way, then nothing: connections stay open, and senders find them full.
    pub fn stall_after(&self, way: Way, octets: u64) {
        self.set(way, |conditions| conditions.allowance = Some(octets));
    }

    /// Octets that have arrived this way so far.
    pub fn passed(&self, way: Way) -> u64 {
        self.shared.passed[way as usize].load(Ordering::Relaxed)
    }

    /// Connections open now.
    pub fn connections(&self) -> usize {
        self.shared.link().open.len()
    }

    fn set(&self, way: Way, change: impl FnOnce(&mut Conditions)) {
        change(&mut self.shared.link().weather.ways[way as usize]);
        self.shared.changed.notify_all();
    }

    /// Changes the state; returns when the listening socket has followed.
    fn enter(&self, state: State) {
        let mut link = self.shared.link();
        let before = std::mem::replace(&mut link.weather.state, state);
        if state == State::Cut || before == State::Silent {
            link.close_all();
        }
        self.shared.changed.notify_all();
        let listens = state != State::Cut;
        while link.listening != listens {
            drop(link);
            // The accepting thread looks at the state after each connection.
            let _refused = TcpStream::connect(self.address);
            link = self.shared.link();
            let waited = self.shared.changed.wait_timeout(link, Duration::from_millis(10));
            link = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let mut link = self.shared.link();
        link.weather.state = State::Ended;
        link.close_all();
        drop(link);
        self.shared.changed.notify_all();
        let _refused = TcpStream::connect(self.address);
        if let Some(thread) = self.accepting.take() {
            let _panicked = thread.join();
        }
    }
}

impl Link {
    fn close_all(&mut self) {
        for (_, ends) in self.open.drain(..) {
            ends.shut();
        }
    }
}

impl Shared {
    fn link(&self) -> MutexGuard<'_, Link> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, link: MutexGuard<'a, Link>) -> MutexGuard<'a, Link> {
        self.changed.wait(link).unwrap_or_else(PoisonError::into_inner)
    }

    /// Connects through and starts to carry; failing that, the connection is closed, as a dead target's would be.
    fn carry(self: &Arc<Self>, client: TcpStream) -> io::Result<()> {
        let target = TcpStream::connect_timeout(&self.target, DIAL_LIMIT)?;
        client.set_nodelay(true)?;
        target.set_nodelay(true)?;
        let ends = Ends { client: client.try_clone()?, target: target.try_clone()? };
        let number = {
            let mut link = self.link();
            if link.weather.state == State::Cut || link.open.len() >= MAX_CONNECTIONS {
                return client.shutdown(Shutdown::Both);
            }
            link.opened += 1;
            let number = link.opened;
            link.open.push((number, ends));
            number
        };
        let (from_client, from_target) = (client.try_clone()?, target.try_clone()?);
        let pumps = [(from_client, target, Way::Out), (from_target, client, Way::Back)];
        for (from, to, way) in pumps {
            let pump = Pump { shared: Arc::clone(self), number, from, to, way };
            thread::spawn(move || pump.run());
        }
        Ok(())
    }
}

/// Takes connections until the proxy ends. While the link is cut there is no socket at all.
fn accept(listener: TcpListener, shared: &Arc<Shared>) {
    let address = listener.local_addr().expect("a bound socket has an address");
    let mut socket = Some(listener);
    loop {
        let accepted = socket.as_ref().map(TcpListener::accept);
        let mut link = shared.link();
        if link.weather.state == State::Cut {
            socket = None;
            link.listening = false;
            shared.changed.notify_all();
            while link.weather.state == State::Cut {
                link = shared.wait(link);
            }
        }
        if link.weather.state == State::Ended {
            return;
        }
        drop(link);
        match (&socket, accepted) {
            (None, _) => {
                socket = Some(TcpListener::bind(address).expect("the port is still ours"));
                shared.link().listening = true;
                shared.changed.notify_all();
            }
            (Some(_), Some(Ok((client, _)))) => {
                let theirs = Arc::clone(shared);
                // Dialling may take time, for which nobody else has to wait.
                thread::spawn(move || theirs.carry(client));
            }
            (Some(_), _) => {}
        }
    }
}

#[cfg(test)]
mod tests;
