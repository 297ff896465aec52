//! An upstream server that answers as its script says: late, now and then, wrong, or not at all. Messages are written
//! octet by octet, so that they can be wrong in any way.

use crate::ports::both_kinds;
use std::{
    collections::HashMap,
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// How long a server that was stopped may take to notice.
const TICK: Duration = Duration::from_millis(20);
const HEADER: usize = 12;
const QR: u8 = 0x80;
const TC: u8 = 2;
const RA: u8 = 0x80;
const FORMERR: u8 = 1;

/// How it answers. The default is a server without faults.
#[derive(Clone, Debug)]
pub struct Script {
    /// What it says.
    pub says: Says,
    /// So long after it was asked.
    pub after: Duration,
    /// Every so manieth datagram with a question is lost; 0: none.
    pub loses_every: usize,
    /// So many forged replies come before the real one.
    pub forged: usize,
    /// What is wrong with them.
    pub forgery: Forgery,
    /// All letters of replies over UDP are lower case.
    pub lowers_case: bool,
    /// Over UDP it says that the reply does not fit.
    pub truncates: bool,
    /// Questions with additional records get FORMERR.
    pub without_edns: bool,
}

/// What replies say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// One address record with this TTL, whatever is asked for.
    Address([u8; 4], u32),
    /// This code, and no records.
    Code(u8),
    /// Nothing: no reply.
    Nothing,
    /// Octets behind the question that are no records, though the header says so.
    Garbage,
}

/// What is wrong with forged replies. The address that they say is 192.0.2.66.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgery {
    /// Their id.
    Id,
    /// Their question: its type.
    Question,
    /// The case of their letters.
    Case,
}

/// What forged replies say.
pub const FORGED: [u8; 4] = [192, 0, 2, 66];

impl Default for Script {
    fn default() -> Self {
        Self {
            says: Says::Address([192, 0, 2, 7], 300),
            after: Duration::ZERO,
            loses_every: 0,
            forged: 0,
            forgery: Forgery::Id,
            lowers_case: false,
            truncates: false,
            without_edns: false,
        }
    }
}

/// The server, on UDP and TCP; it stops when dropped.
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    script: Mutex<Script>,
    asked: Mutex<HashMap<Vec<u8>, usize>>,
    datagrams: AtomicUsize,
    connections: AtomicUsize,
    stop: AtomicBool,
}

impl Upstream {
    /// Starts on a port that is free for UDP and TCP.
    pub fn start(script: Script) -> Self {
        let (udp, tcp) = both_kinds(TICK);
        let address = udp.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            script: Mutex::new(script),
            asked: Mutex::default(),
            datagrams: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
        });
        let (for_udp, for_tcp) = (Arc::clone(&shared), Arc::clone(&shared));
        let threads = vec![
            thread::spawn(move || serve_datagrams(&udp, &for_udp)),
            thread::spawn(move || serve_connections(&tcp, &for_tcp)),
        ];
        Self { address, shared, threads }
    }

    /// Where it answers.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes what it does from now on.
    pub fn change(&self, change: impl FnOnce(&mut Script)) {
        change(&mut lock(&self.shared.script));
    }

    /// How often it was asked for a name, given as text with its last dot.
    pub fn asked(&self, name: &str) -> usize {
        lock(&self.shared.asked).get(&wire(name)).copied().unwrap_or(0)
    }

    /// Questions that came by datagram, those that it lost included.
    pub fn datagrams(&self) -> usize {
        self.shared.datagrams.load(Relaxed)
    }

    /// Questions that came over connections.
    pub fn over_connections(&self) -> usize {
        self.shared.connections.load(Relaxed)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.shared.stop.store(true, Relaxed);
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}

impl Shared {
    fn script(&self) -> Script {
        lock(&self.script).clone()
    }

    fn note(&self, query: &[u8]) {
        let name = query.get(HEADER..).unwrap_or_default();
        let end = name.iter().position(|octet| *octet == 0).map_or(0, |end| end + 1);
        *lock(&self.asked).entry(name[..end].to_ascii_lowercase()).or_default() += 1;
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Relaxed)
    }
}

impl Script {
    /// The real reply, if there is to be one.
    fn reply(&self, query: &[u8], by_datagram: bool) -> Option<Vec<u8>> {
        let mut reply = question_of(query)?;
        if by_datagram && self.lowers_case {
            reply[HEADER..].make_ascii_lowercase();
        }
        if self.without_edns && query[11] > 0 {
            reply[3] |= FORMERR;
        } else if by_datagram && self.truncates {
            reply[2] |= TC;
        } else {
            match self.says {
                Says::Address(address, ttl) => add_address(&mut reply, address, ttl),
                Says::Code(code) => reply[3] |= code,
                Says::Nothing => return None,
                Says::Garbage => {
                    reply[7] = 5;
                    reply.extend([0xc0; 9]);
                }
            }
        }
        Some(reply)
    }

    fn forged(&self, query: &[u8]) -> Option<Vec<u8>> {
        let mut reply = question_of(query)?;
        let end = reply.len();
        match self.forgery {
            Forgery::Id => reply[1] ^= 1,
            Forgery::Question => reply[end - 3] ^= 0x40,
            Forgery::Case => reply[HEADER..end - 4].iter_mut().for_each(|octet| {
                if octet.is_ascii_alphabetic() {
                    *octet ^= 0x20;
                }
            }),
        }
        add_address(&mut reply, FORGED, 300);
        Some(reply)
    }
}

/// Header and question of a reply.
fn question_of(query: &[u8]) -> Option<Vec<u8>> {
    let name = query.get(HEADER..)?;
    let end = HEADER + name.iter().position(|octet| *octet == 0)? + 5;
    let mut reply = query.get(..end)?.to_vec();
    reply[2] |= QR;
    reply[3] = RA;
    reply[6..HEADER].fill(0);
    Some(reply)
}

fn add_address(reply: &mut Vec<u8>, address: [u8; 4], ttl: u32) {
    reply[7] = 1;
    reply.extend([0xc0, 12, 0, 1, 0, 1]);
    reply.extend(ttl.to_be_bytes());
    reply.extend([0, 4]);
    reply.extend(address);
}

/// A name in wire form, lower case.
fn wire(name: &str) -> Vec<u8> {
    let labels = name.trim_end_matches('.').split('.').filter(|label| !label.is_empty());
    let mut wire: Vec<u8> = labels.flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat()).collect();
    wire.push(0);
    wire.make_ascii_lowercase();
    wire
}

fn serve_datagrams(socket: &UdpSocket, shared: &Shared) {
    let mut buffer = [0; 4096];
    while !shared.is_stopped() {
        let Ok((length, client)) = socket.recv_from(&mut buffer) else { continue };
        let (query, script) = (&buffer[..length], shared.script());
        let number = shared.datagrams.fetch_add(1, Relaxed) + 1;
        shared.note(query);
        if script.loses_every > 0 && number.is_multiple_of(script.loses_every) {
            continue;
        }
        let forged = script.forged(query).filter(|_| script.forged > 0);
        for forged in forged.iter().cycle().take(if forged.is_some() { script.forged } else { 0 }) {
            let _gone = socket.send_to(forged, client);
        }
        let Some(reply) = script.reply(query, true) else { continue };
        if script.after.is_zero() {
            let _gone = socket.send_to(&reply, client);
        } else {
            let socket = socket.try_clone().expect("a descriptor");
            thread::spawn(move || {
                thread::sleep(script.after);
                let _gone = socket.send_to(&reply, client);
            });
        }
    }
}

fn serve_connections(listener: &TcpListener, shared: &Arc<Shared>) {
    while !shared.is_stopped() {
        match listener.accept() {
            Ok((stream, _)) => {
                let shared = Arc::clone(shared);
                thread::spawn(move || drop(converse(stream, &shared)));
            }
            Err(_) => thread::sleep(TICK),
        }
    }
}

/// One question after the other, until the client closes.
fn converse(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    loop {
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut query)?;
        shared.connections.fetch_add(1, Relaxed);
        shared.note(&query);
        let script = shared.script();
        thread::sleep(script.after);
        if let Some(reply) = script.reply(&query, false) {
            stream.write_all(&[&(reply.len() as u16).to_be_bytes()[..], &reply].concat())?;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::Question;

    #[test]
    fn it_follows_its_script_and_counts_the_questions() {
        let server = Upstream::start(Script { truncates: true, ..Script::default() });
        let question = Question::new("www.Example.org", "A");
        assert!(question.udp(server.address()).unwrap().message.metadata.truncation);
        let tcp = question.tcp(server.address()).unwrap();
        assert_eq!(tcp.answers(), ["www.example.org. 300 A 192.0.2.7"]);
        server.change(|script| (script.truncates, script.says) = (false, Says::Code(2)));
        assert_eq!(question.udp(server.address()).unwrap().code().low(), 2);
        assert_eq!([server.asked("WWW.example.org."), server.datagrams(), server.over_connections()], [3, 2, 1]);
    }
}
