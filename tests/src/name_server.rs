//! A name server that says what it is told to, over UDP and TCP, and counts what it is asked.

use crate::{dns::with_length, ports::both_kinds};
use hickory_proto::{
    op::{Message, ResponseCode},
    rr::{Name, RData, Record, rdata::SRV},
};
use std::{
    collections::HashMap,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// How long a stopped server may take to notice.
const TICK: Duration = Duration::from_millis(20);

/// What it answers.
#[derive(Clone, Debug)]
pub enum Says {
    /// SRV records: priority, weight, port, target. None at all is an answer without records.
    Srv(Vec<(u16, u16, u16, String)>),
    /// The same, but over UDP only that the answer is too long for UDP (TC).
    SrvOverTcp(Vec<(u16, u16, u16, String)>),
    /// This code and nothing else.
    Code(ResponseCode),
    /// Bytes that are no message, behind the right id.
    Garbage,
    /// Nothing.
    Silence,
}

/// The server; it stops when dropped.
#[derive(Debug)]
pub struct NameServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    says: Mutex<Says>,
    asked: Mutex<HashMap<String, usize>>,
    stop: AtomicBool,
}

impl NameServer {
    /// Starts on a port that is free for UDP and TCP.
    pub fn start(says: Says) -> Self {
        let (udp, tcp) = both_kinds(TICK);
        let address = udp.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared { says: Mutex::new(says), asked: Mutex::default(), stop: AtomicBool::new(false) });
        let (for_udp, for_tcp) = (Arc::clone(&shared), Arc::clone(&shared));
        let threads =
            vec![thread::spawn(move || serve_udp(&udp, &for_udp)), thread::spawn(move || serve_tcp(&tcp, &for_tcp))];
        Self { address, shared, threads }
    }

    /// Where it answers.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Says something else from now on.
    pub fn says(&self, says: Says) {
        *lock(&self.shared.says) = says;
    }

    /// How often it was asked for a name, written with the last dot.
    pub fn asked(&self, name: &str) -> usize {
        lock(&self.shared.asked).get(name).copied().unwrap_or(0)
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}

impl Shared {
    /// The reply to a question, if there is to be one.
    fn reply(&self, question: &[u8], over_tcp: bool) -> Option<Vec<u8>> {
        let question = Message::from_vec(question).ok()?;
        let name = question.queries.first()?.name.clone();
        *lock(&self.asked).entry(name.to_ascii().to_ascii_lowercase()).or_default() += 1;
        let mut reply = Message::response(question.metadata.id, question.metadata.op_code);
        reply.metadata.recursion_available = true;
        reply.queries.clone_from(&question.queries);
        match lock(&self.says).clone() {
            Says::Silence => return None,
            Says::Garbage => {
                let mut bytes = question.metadata.id.to_be_bytes().to_vec();
                bytes.extend([0x81, 0x80, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xc0, 0x0c]);
                return Some(bytes);
            }
            Says::Code(code) => reply.metadata.response_code = code,
            Says::SrvOverTcp(_) if !over_tcp => reply.metadata.truncation = true,
            Says::Srv(records) | Says::SrvOverTcp(records) => {
                for (priority, weight, port, target) in records {
                    let target = Name::from_ascii(&target).expect("a target is a name");
                    let data = RData::SRV(SRV::new(priority, weight, port, target));
                    reply.add_answer(Record::from_rdata(name.clone(), 1, data));
                }
            }
        }
        reply.to_vec().ok()
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

fn serve_udp(socket: &UdpSocket, shared: &Shared) {
    let mut buffer = [0; 4096];
    while !shared.is_stopped() {
        let Ok((length, client)) = socket.recv_from(&mut buffer) else { continue };
        if let Some(reply) = shared.reply(&buffer[..length], false) {
            let _gone = socket.send_to(&reply, client);
        }
    }
}

fn serve_tcp(listener: &TcpListener, shared: &Shared) {
    while !shared.is_stopped() {
        match listener.accept() {
            Ok((stream, _)) => drop(answer_once(stream, shared)),
            Err(_) => thread::sleep(TICK),
        }
    }
}

/// One question on a connection; clients here have no more.
fn answer_once(mut stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut question = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut question)?;
    match shared.reply(&question, true) {
        Some(reply) => stream.write_all(&with_length(&reply)),
        None => Ok(()),
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
    fn it_says_what_it_is_told_to_and_counts_the_questions() {
        let server = NameServer::start(Says::SrvOverTcp(vec![(1, 2, 3, "host.example.".to_owned())]));
        let question = Question::new("_d._tcp.example", "SRV");
        let udp = question.udp(server.address()).unwrap();
        assert!(udp.message.metadata.truncation && udp.answers().is_empty());
        let tcp = question.tcp(server.address()).unwrap();
        assert_eq!(tcp.answers(), ["_d._tcp.example. 1 SRV 1 2 3 host.example."]);
        server.says(Says::Code(ResponseCode::ServFail));
        assert_eq!(question.udp(server.address()).unwrap().code(), ResponseCode::ServFail);
        assert_eq!(server.asked("_d._tcp.example."), 3);
    }
}
