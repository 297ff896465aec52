//! Sockets from which one server is asked over UDP, by one thread.
//!
//! Each is connected, so that the kernel lets nobody else's datagrams through, and has a port that the kernel drew at random. A
//! socket is for so many questions, or so long, and then another takes its place: whoever forges replies must guess
//! one of many ports that do not stay, the id, and the case of each letter (RFC 5452 §4).
//!
//! All questions of one batch leave by the same socket, in one system call; the next batch draws another one.

use super::{question::Put, random::Random};
use crate::{listen::batch::Post, resolve::engine::Key};
use foldhash::fast::RandomState;
use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, hash_map::Entry},
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket as StdSocket},
    rc::Rc,
    time::{Duration, Instant},
};
use tokio::{net::UdpSocket, task::AbortHandle};

/// Sockets among which one is drawn.
const PLACES: usize = 16;
/// Questions that one socket is for.
const MOST_QUESTIONS: u32 = 2048;
/// How long a socket is for.
const MOST_AGE: Duration = Duration::from_secs(60);
/// Questions of one socket that wait for a reply at the same time: so few of all ids that a free one is soon found.
const MOST_WAITING: usize = 8192;
/// A reply that has not come by then will not come.
const LOST_AFTER: Duration = Duration::from_millis(1500);
/// Messages that answer nothing, before a socket is given up: somebody guesses.
const MOST_STRANGERS: u32 = 20;

/// The sockets.
pub(crate) struct Ports {
    server: SocketAddr,
    places: [Option<Rc<Port>>; PLACES],
    /// Past their time, and still waited on.
    retired: Vec<Rc<Port>>,
    /// That of this batch.
    current: Option<Rc<Port>>,
}

/// One socket, and what waits for replies there.
pub(crate) struct Port {
    pub(crate) socket: UdpSocket,
    /// Questions to be sent.
    pub(crate) post: RefCell<Post>,
    waiting: RefCell<HashMap<u16, Asked, RandomState>>,
    opened: Instant,
    questions: Cell<u32>,
    strangers: Cell<u32>,
    task: RefCell<Option<AbortHandle>>,
}

/// A question that was sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    /// For what.
    pub(crate) fetch: Key,
    /// How.
    pub(crate) put: Put,
    /// When.
    pub(crate) sent: Instant,
}

impl Ports {
    pub(crate) fn new(server: SocketAddr) -> Self {
        Self { server, places: Default::default(), retired: Vec::new(), current: None }
    }

    /// The socket of this batch. `attend` is called with one that was opened just now, and returns what stops the task that
    /// receives from it.
    pub(crate) fn current(
        &mut self,
        random: &mut Random,
        now: Instant,
        attend: impl FnOnce(&Rc<Port>) -> AbortHandle,
    ) -> io::Result<Rc<Port>> {
        if let Some(port) = self.current.as_ref().filter(|port| !port.is_spent(now)) {
            return Ok(port.clone());
        }
        let place = &mut self.places[random.below(PLACES)];
        if let Some(spent) = place.take_if(|port| port.is_spent(now)) {
            self.retired.push(spent);
        }
        let port = match place {
            Some(port) => port.clone(),
            None => {
                let port = Rc::new(Port::open(self.server, now)?);
                port.task.replace(Some(attend(&port)));
                place.insert(port).clone()
            }
        };
        Ok(self.current.insert(port).clone())
    }

    /// The batch is over.
    pub(crate) fn next_batch(&mut self) {
        self.current = None;
    }

    /// Gives up a socket that somebody guesses at, or that has nobody at its other end.
    pub(crate) fn give_up(&mut self, port: &Rc<Port>) {
        let is = |place: &Rc<Port>| Rc::ptr_eq(place, port);
        self.current.take_if(|current| is(current));
        self.places.iter_mut().for_each(|place| drop(place.take_if(|place| is(place))));
        self.retired.retain(|retired| !is(retired));
        port.close();
    }

    /// Takes questions whose reply will not come, and closes sockets that nothing waits for any more.
    pub(crate) fn sweep(&mut self, now: Instant, mut lost: impl FnMut(Asked)) {
        for place in &mut self.places {
            if let Some(spent) = place.take_if(|port| now.duration_since(port.opened) >= MOST_AGE) {
                self.retired.push(spent);
            }
        }
        for port in self.places.iter().flatten().chain(&self.retired) {
            port.waiting.borrow_mut().retain(|_, asked| {
                let is_lost = now.duration_since(asked.sent) >= LOST_AFTER;
                if is_lost {
                    lost(*asked);
                }
                !is_lost
            });
        }
        self.retired.retain(|port| {
            let waits = !port.waiting.borrow().is_empty();
            if !waits {
                port.close();
            }
            waits
        });
    }
}

impl Drop for Ports {
    fn drop(&mut self) {
        self.places.iter().flatten().chain(&self.retired).for_each(|port| port.close());
    }
}

impl Port {
    fn open(server: SocketAddr, now: Instant) -> io::Result<Self> {
        let any = match server {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        let socket = StdSocket::bind(any)?;
        socket.connect(server)?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket: UdpSocket::from_std(socket)?,
            post: RefCell::default(),
            waiting: RefCell::default(),
            opened: now,
            questions: Cell::new(0),
            strangers: Cell::new(0),
            task: RefCell::new(None),
        })
    }

    fn is_spent(&self, now: Instant) -> bool {
        self.questions.get() >= MOST_QUESTIONS
            || self.waiting.borrow().len() >= MOST_WAITING
            || now.duration_since(self.opened) >= MOST_AGE
    }

    /// Notes a question, under an id that is free here; returns how to put it.
    pub(crate) fn note(&self, random: &mut Random, fetch: Key, put: Put, sent: Instant) -> Put {
        let mut waiting = self.waiting.borrow_mut();
        self.questions.set(self.questions.get() + 1);
        loop {
            // Far fewer than all ids are taken, so this ends soon.
            let draw = random.next();
            for id in [0, 16, 32, 48].map(|shift| (draw >> shift) as u16) {
                if let Entry::Vacant(vacant) = waiting.entry(id) {
                    let put = Put { id, ..put };
                    vacant.insert(Asked { fetch, put, sent });
                    return put;
                }
            }
        }
    }

    /// What waits for a reply with this id.
    pub(crate) fn asked(&self, id: u16) -> Option<Asked> {
        self.waiting.borrow().get(&id).copied()
    }

    /// The question has its reply.
    pub(crate) fn answered(&self, id: u16) {
        self.waiting.borrow_mut().remove(&id);
    }

    /// A message answered nothing; whether that happened too often.
    pub(crate) fn met_stranger(&self) -> bool {
        self.strangers.set(self.strangers.get() + 1);
        self.strangers.get() > MOST_STRANGERS
    }

    /// All that waits for replies; none will be taken.
    pub(crate) fn take_waiting(&self) -> Vec<Asked> {
        self.waiting.take().into_values().collect()
    }

    fn close(&self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}
