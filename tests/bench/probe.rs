//! Asks one question again and again until the answer is right: how long something takes to be visible.

use dnsplane_tests::dns::{Question, encode, exchange};
use std::{
    net::{SocketAddr, UdpSocket},
    thread,
    time::{Duration, Instant},
};

/// Between two questions. Asking without a pause would take the processor from what is being measured.
const PAUSE: Duration = Duration::from_micros(200);

/// A socket that stays open between questions.
pub(crate) struct Probe {
    socket: UdpSocket,
}

impl Probe {
    pub(crate) fn new(server: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        socket.connect(server).expect("a local address");
        Self { socket }
    }

    /// Asks until the answer has exactly this value; panics after `limit`.
    pub(crate) fn until(&self, name: &str, value: &str, limit: Duration) {
        let deadline = Instant::now() + limit;
        let question = Question::new(name, "A");
        loop {
            let bytes = encode(&question.message());
            // An error here is a port that nobody has bound yet: asked again like a wrong answer.
            let reply = self.socket.send(&bytes).and_then(|_| dnsplane_tests::dns::receive(&self.socket, &bytes[..2]));
            if reply.is_ok_and(|reply| reply.values() == [value]) {
                return;
            }
            assert!(Instant::now() < deadline, "{name} does not become {value} within {limit:?}");
            thread::sleep(PAUSE);
        }
    }
}

/// The same, from nothing: waits for a server that is just starting.
pub(crate) fn first_answer(server: SocketAddr, name: &str, value: &str, limit: Duration) {
    let deadline = Instant::now() + limit;
    while !exchange(server, &encode(&Question::new(name, "A").message())).is_ok_and(|reply| reply.values() == [value]) {
        assert!(Instant::now() < deadline, "{name} is not answered within {limit:?}");
        thread::sleep(PAUSE);
    }
}
