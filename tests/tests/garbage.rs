//! Noise on every socket: the node goes on answering, holds no more memory, and does not write a line for each.

use dnsplane_tests::{
    Node, Plan, Random, Record,
    dns::{Question, encode, with_length},
    node::TOKEN,
    peer::{Heard, Wire},
};
use serde_json::json;
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream, UdpSocket},
    os::unix::net::UnixStream,
    time::Duration,
};

/// Growth that noise may cause, KiB: buffers of a few connections, and what an allocator keeps.
const GROWTH_KIB: u64 = 64 << 10;
/// Lines that noise may cause, however much of it there is.
const LINES: usize = 100;

/// A few octets of these changed, and perhaps their end cut off.
fn spoiled(random: &mut Random, octets: &[u8]) -> Vec<u8> {
    let mut octets = octets.to_vec();
    for _ in 0..random.within(1..5) {
        let at = random.within(0..octets.len() as u64) as usize;
        octets[at] = random.number() as u8;
    }
    if random.one_in(3) {
        octets.truncate(random.within(0..octets.len() as u64) as usize);
    }
    octets
}

/// A node with one record, and what it looked like before.
struct Quiet {
    node: Node,
    memory: (u64, u64),
    lines: (usize, usize),
}

impl Quiet {
    fn start() -> Self {
        let mut node = Plan::new("noise").records(&[Record::a("www.example", "192.0.2.1")]).start();
        // Written to, so that peers may pull.
        node.add(&Record::a("own.example", "192.0.2.2"));
        node.eventually_answers("own.example", "A", &["192.0.2.2"]);
        let memory = (node.control().resident_kib(), node.data().resident_kib());
        let lines = (node.control().said().lines().count(), node.data().said().lines().count());
        Self { node, memory, lines }
    }

    /// Fails unless all is as it was.
    #[track_caller]
    fn check(mut self) {
        let node = &mut self.node;
        node.eventually_answers("www.example", "A", &["192.0.2.1"]);
        node.add(&Record::a("after.example", "192.0.2.3"));
        node.eventually_answers("after.example", "A", &["192.0.2.3"]);
        assert_eq!(node.records().len(), 3);
        let before = [self.memory.0, self.memory.1];
        let lines = [self.lines.0, self.lines.1];
        let now =
            [(node.control().resident_kib(), node.control().said()), (node.data().resident_kib(), node.data().said())];
        for ((before, lines), (memory, said)) in before.into_iter().zip(lines).zip(now) {
            assert!(memory < before + GROWTH_KIB, "from {before} KiB to {memory} KiB");
            assert!(!said.contains("panicked"), "{said}");
            let more = said.lines().count() - lines;
            assert!(more < LINES, "{more} lines more: {}", node.logs());
        }
    }
}

#[test]
fn datagrams_that_mean_nothing_do_no_harm() {
    let quiet = Quiet::start();
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    socket.connect(quiet.node.dns()).expect("a local address");
    socket.set_nonblocking(true).expect("a socket option");
    let mut noise = Random::new(1);
    let valid = encode(&Question::new("www.example", "A").edns(1232).message());
    let mut replies = [0; 4096];
    for number in 0..50_000 {
        let datagram = if number % 2 == 0 { spoiled(&mut noise, &valid) } else { noise.octets(600) };
        // A full buffer is as good a place for noise as any.
        let _full = socket.send(&datagram);
        while socket.recv(&mut replies).is_ok() {}
        if number % 100 == 0 {
            quiet.node.ask("www.example", "A");
        }
    }
    quiet.check();
}

#[test]
fn streams_that_mean_nothing_do_no_harm() {
    let quiet = Quiet::start();
    let mut noise = Random::new(2);
    let question = with_length(&encode(&Question::new("www.example", "A").message()));
    let auth = dnsplane_tests::peer::frame(dnsplane_tests::peer::auth(TOKEN).as_bytes());
    let request =
        b"POST /dns/records HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n{\"name\":\"x\",\"type\":1}".to_vec();
    for (address, valid) in [(quiet.node.dns(), question), (quiet.node.peer(), auth), (quiet.node.api(), request)] {
        for number in 0..500 {
            let bytes = if number % 2 == 0 { spoiled(&mut noise, &valid) } else { noise.octets(5_000) };
            pour(address, &bytes);
        }
    }
    for socket in ["feed.sock", "dnsplane.sock"] {
        for _ in 0..200 {
            let mut stream = UnixStream::connect(quiet.node.path(socket)).expect("the socket is there");
            let _closed = stream.write_all(&noise.octets(5_000));
        }
    }
    quiet.check();
}

/// Writes some bytes to a connection of their own, listens for a moment, and goes.
fn pour(address: SocketAddr, bytes: &[u8]) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let _closed = stream.write_all(bytes);
    let _closed = stream.shutdown(std::net::Shutdown::Write);
    stream.set_read_timeout(Some(Duration::from_millis(2))).expect("a timeout can be set");
    let _nothing = stream.read(&mut [0; 4096]);
}

#[test]
fn before_authentication_little_is_held() {
    let quiet = Quiet::start();
    // Announces as much as an authenticated peer may send, and sends as much as it gets rid of.
    let mut wires: Vec<Wire> = Vec::new();
    for _ in 0..40 {
        let mut wire = Wire::connect(quiet.node.peer()).expect("it listens");
        wire.send(&(64_u32 << 20).to_be_bytes());
        wire.send(&vec![b' '; 200_000]);
        wires.push(wire);
    }
    // Over 64 KiB: refused at the announcement, not when the bytes have arrived.
    for wire in &mut wires {
        let heard = wire.hear(Duration::from_secs(10));
        assert_ne!(heard, Heard::Nothing, "a frame of 64 MiB before authentication is waited for");
    }
    quiet.check();
}

#[test]
fn idle_connections_keep_nobody_out() {
    let quiet = Quiet::start();
    let node = &quiet.node;
    let mut idle: Vec<TcpStream> = Vec::new();
    // Fewer than one address may have open, so that none is turned away for being one too many.
    for _ in 0..40 {
        idle.extend([node.dns(), node.peer()].map(|address| TcpStream::connect(address).expect("it listens")));
    }
    let mut wire = Wire::authenticated(node.peer(), TOKEN);
    wire.say(r#"{"type":"ping"}"#);
    assert_eq!(wire.hear_json(Duration::from_secs(10)), json!({"type": "pong"}));
    let reply = Question::new("www.example", "A").tcp(node.dns()).expect("an answer over TCP");
    assert_eq!(reply.values(), ["192.0.2.1"]);
    drop(idle);
    quiet.check();
}
