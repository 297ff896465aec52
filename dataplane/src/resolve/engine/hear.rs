//! What comes back from servers: which question it answers, and what follows from it.
//!
//! Only a message that answers a question which was sent from the very socket it came in by is looked at. All others are
//! counted and change nothing, however many they are; but where there are many, questions go over connections, where
//! nobody can guess.

use super::{
    Fetched,
    core::Core,
    fetches::{Key, note},
    peers::Peer,
};
use crate::resolve::{
    Failure, Security, Wanted,
    cache::About,
    upstream::{
        ports::{Asked, Port},
        question::{Heard, Put, id, judge},
    },
};
use std::{
    io,
    rc::Rc,
    time::{Duration, Instant},
};
use tracing::info;

/// FORMERR and NOTIMP: what servers say that do not know EDNS (RFC 6891 §7).
const SAID_TO_EDNS: [u8; 2] = [1, 4];
const NOERROR: u8 = 0;
const SERVFAIL: u8 = 2;
const NXDOMAIN: u8 = 3;
const SERVFAIL_ALONE: &str = "it answers with SERVFAIL where others have an answer";

impl Core {
    /// Takes what a socket has received. Returns once there is no more.
    pub(super) fn receive(&mut self, peer: &Rc<Peer>, port: &Rc<Port>) -> io::Result<()> {
        let inbox = self.inbox.clone();
        let mut inbox = inbox.borrow_mut();
        loop {
            match inbox.receive(&port.socket) {
                Ok(more) => {
                    inbox.contents().for_each(|message| self.hear(peer, port, message));
                    if !more {
                        // So the socket is empty, which is what the caller must be told.
                        return Err(io::ErrorKind::WouldBlock.into());
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => self.nobody_there(peer, port),
                Err(error) => return Err(error),
            }
        }
    }

    fn hear(&mut self, peer: &Rc<Peer>, port: &Rc<Port>, message: &[u8]) {
        let Some(asked) = id(message).and_then(|id| port.asked(id)) else {
            return self.meet_stranger(peer, port);
        };
        let took = self.now.saturating_duration_since(asked.sent);
        let Some(wanted) = self.fetches.get(asked.fetch).map(|fetch| fetch.wanted.clone()) else {
            port.answered(asked.put.id);
            return came_late(peer, message, took);
        };
        match judge(&wanted, asked.put, message) {
            Heard::Stranger => self.meet_stranger(peer, port),
            Heard::WrongCase => {
                // What follows the question is not believed, but that the server can be reached is.
                self.meet_stranger(peer, port);
                if peer.health.came_in_wrong_case() {
                    info!(
                        server = peer.server.name,
                        "this server changes the case of names; it is asked in lower case from now on"
                    );
                }
                self.ask_over_connection(asked.fetch, peer);
            }
            heard => {
                port.answered(asked.put.id);
                if asked.put.case != 0 {
                    peer.health.came_in_right_case();
                }
                self.heard(asked, peer, heard, &wanted, message);
            }
        }
    }

    fn heard(&mut self, asked: Asked, peer: &Rc<Peer>, heard: Heard, wanted: &Wanted, message: &[u8]) {
        let Asked { fetch: key, put, sent } = asked;
        match heard {
            Heard::Answer => {
                self.answered_by(peer, sent);
                self.use_answer(key, peer, wanted, message);
            }
            Heard::Truncated => {
                self.answered_by(peer, sent);
                self.ask_over_connection(key, peer);
            }
            Heard::Code(code) if put.edns && SAID_TO_EDNS.contains(&code) => {
                if peer.health.reads_edns() {
                    info!(server = peer.server.name, "this server does not know EDNS; it is asked without for a while");
                }
                peer.health.cannot_read_edns();
                self.put(key, peer);
            }
            Heard::Code(code) => self.declined(key, peer, code),
            Heard::WrongCase | Heard::Stranger => self.fails(key, peer, "its reply does not belong to the question"),
        }
    }

    /// What came over a connection.
    pub(super) fn heard_by_connection(&mut self, key: Key, peer: &Rc<Peer>, put: Put, sent: Instant, message: &[u8]) {
        let Some(wanted) = self.fetches.get(key).map(|fetch| fetch.wanted.clone()) else {
            return came_late(peer, message, self.now.saturating_duration_since(sent));
        };
        match judge(&wanted, put, message) {
            Heard::Truncated => self.fails(key, peer, "its reply over a connection is cut short"),
            heard => self.heard(Asked { fetch: key, put, sent }, peer, heard, &wanted, message),
        }
    }

    fn answered_by(&self, peer: &Peer, sent: Instant) {
        peer.health.succeeded(self.now.saturating_duration_since(sent));
    }

    /// The server answered with a code that is no answer.
    fn declined(&mut self, key: Key, peer: &Rc<Peer>, code: u8) {
        let Some(fetch) = self.fetches.get(key) else { return };
        if code == SERVFAIL && !fetch.is_probe {
            // Whether it is the server's fault shows when somebody else answers.
            note(&mut fetch.suspects, peer);
            peer.health.failed_to_resolve();
            self.goes_on_without(key, peer);
        } else {
            self.fails(key, peer, &format!("it answers with {}", name_of(code)));
        }
    }

    fn use_answer(&mut self, key: Key, peer: &Rc<Peer>, wanted: &Wanted, message: &[u8]) {
        let Some(fetch) = self.fetches.get(key) else { return };
        if fetch.is_probe || fetch.is_for_messages() {
            let Some(fetch) = self.fetches.remove(key) else { return };
            return self.conclude(*fetch, &Fetched::Failed(Failure::Upstreams), Some(message));
        }
        match self.validator.clone().filter(|_| fetch.validates) {
            Some(validator) => self.validate(key, peer, &validator, message),
            None => self.keep(key, peer, wanted, message, &self.about(peer)),
        }
    }

    /// What is known of an answer of this server, as long as nobody has validated it.
    pub(super) fn about(&self, peer: &Peer) -> About {
        let now = crate::listen::now();
        About { source: peer.source.clone(), security: Security::Unchecked, at_most: u32::MAX, now }
    }

    /// Remembers an answer, and gives it to all who wait.
    pub(super) fn keep(&mut self, key: Key, peer: &Rc<Peer>, wanted: &Wanted, message: &[u8], about: &About) {
        match self.desk.cache.insert(wanted, message, about) {
            Ok(answer) => {
                let Some(fetch) = self.fetches.remove(key) else { return };
                // Others can answer this, so it was not the name.
                fetch.suspects.iter().for_each(|suspect| suspect.health.failed(SERVFAIL_ALONE));
                self.failures.forget(wanted);
                self.conclude(*fetch, &Fetched::Answer(answer), Some(message));
            }
            Err(unusable) => self.fails(key, peer, &unusable.to_string()),
        }
    }

    /// A message that answers nothing.
    fn meet_stranger(&mut self, peer: &Rc<Peer>, port: &Rc<Port>) {
        peer.health.spoofed();
        if port.met_stranger() {
            // Somebody guesses at this port. What waits here is asked for where guessing is in vain.
            peer.ports.borrow_mut().give_up(port);
            for asked in port.take_waiting() {
                self.ask_over_connection(asked.fetch, peer);
            }
        }
    }

    /// Puts the question over a connection, to a server that is otherwise asked by datagrams. Once.
    fn ask_over_connection(&mut self, key: Key, peer: &Rc<Peer>) {
        let Some(fetch) = self.fetches.get(key) else { return };
        if note(&mut fetch.connected, peer) {
            self.put_by_connection(key, peer);
        }
    }
}

/// Somebody else was faster. What the server would have said is worth knowing all the same.
fn came_late(peer: &Peer, message: &[u8], took: Duration) {
    match message.get(3).map_or(0, |octet| octet & 0x0f) {
        NOERROR | NXDOMAIN => peer.health.succeeded(took),
        SERVFAIL => peer.health.failed_to_resolve(),
        // It did not know EDNS, perhaps.
        code if SAID_TO_EDNS.contains(&code) => {}
        code => peer.health.failed(&format!("it answers with {}", name_of(code))),
    }
}

/// What codes are called (RFC 1035 §4.1.1, RFC 2136 §2.2).
fn name_of(code: u8) -> &'static str {
    match code {
        1 => "FORMERR",
        2 => "SERVFAIL",
        4 => "NOTIMP",
        5 => "REFUSED",
        9 => "NOTAUTH",
        _ => "an error that has no name here",
    }
}
