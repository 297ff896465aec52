//! Asks the same of several servers, by both transports.

use crate::{
    question::Question,
    reading::{self, Said},
};
use dnsplane_tests::dns::with_length;
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream, UdpSocket},
    time::Duration,
};

/// How long a reply is waited for before the question is sent again, …
const RETRY: Duration = Duration::from_millis(700);
/// … and how often in all. Then it counts as ignored.
const TRIES: usize = 3;

/// The way to one server.
pub(crate) struct Door {
    address: SocketAddr,
    udp: UdpSocket,
    tcp: Option<TcpStream>,
}

impl Door {
    pub(crate) fn to(address: SocketAddr) -> Self {
        let udp = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        udp.connect(address).expect("a local address");
        Self { address, udp, tcp: None }
    }

    /// Sends questions. What a closed connection does not take is sent again when its reply is missed.
    fn send<'m>(&mut self, messages: impl Iterator<Item = (&'m Vec<u8>, bool)>) {
        let mut stream = Vec::new();
        for (message, tcp) in messages {
            if tcp {
                stream.extend(with_length(message));
            } else {
                self.udp.send(message).expect("a datagram can be sent to this machine");
            }
        }
        if !stream.is_empty() && self.stream().and_then(|tcp| tcp.write_all(&stream)).is_err() {
            self.tcp = None;
        }
    }

    /// Replies by their ids, in whatever order they come, until all are there or one takes too long.
    fn receive(&mut self, wanted: &[(u16, bool)], replies: &mut BTreeMap<u16, Vec<u8>>) {
        for by_tcp in [false, true] {
            let mut missing: BTreeSet<u16> = wanted
                .iter()
                .filter(|(id, tcp)| *tcp == by_tcp && !replies.contains_key(id))
                .map(|(id, _)| *id)
                .collect();
            while !missing.is_empty() {
                let Ok(reply) = (if by_tcp { self.read_tcp() } else { self.read_udp() }) else {
                    if by_tcp {
                        self.tcp = None;
                    }
                    break;
                };
                let id = reply.first_chunk().map_or(0, |octets| u16::from_be_bytes(*octets));
                // Not the late reply to an earlier question.
                if missing.remove(&id) {
                    replies.insert(id, reply);
                }
            }
        }
    }

    fn read_udp(&self) -> io::Result<Vec<u8>> {
        let mut buffer = vec![0; 65_535];
        self.udp.set_read_timeout(Some(RETRY))?;
        let length = self.udp.recv(&mut buffer)?;
        buffer.truncate(length);
        Ok(buffer)
    }

    fn read_tcp(&mut self) -> io::Result<Vec<u8>> {
        let stream = self.stream()?;
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut reply = vec![0; u16::from_be_bytes(length).into()];
        stream.read_exact(&mut reply)?;
        Ok(reply)
    }

    fn stream(&mut self) -> io::Result<&mut TcpStream> {
        if self.tcp.is_none() {
            let stream = TcpStream::connect_timeout(&self.address, RETRY)?;
            stream.set_read_timeout(Some(RETRY))?;
            stream.set_nodelay(true)?;
            self.tcp = Some(stream);
        }
        Ok(self.tcp.as_mut().expect("it was opened"))
    }
}

/// What each says to the same octets, question by question; `None`: nothing. All are sent before the first reply is read.
#[track_caller]
pub(crate) fn ask<const N: usize>(doors: &mut [Door; N], questions: &[Question]) -> Vec<[Option<Said>; N]> {
    let messages: Vec<_> = questions.iter().zip(0..).map(|(question, id)| (question.bytes(id), question.tcp)).collect();
    let wanted: Vec<_> = questions.iter().zip(0..).map(|(question, id)| (id, question.tcp)).collect();
    let mut replies = [(); N].map(|()| BTreeMap::new());
    for _ in 0..TRIES {
        for (door, replies) in doors.iter_mut().zip(&replies) {
            let missing = messages.iter().zip(0u16..).filter(|(_, id)| !replies.contains_key(id));
            door.send(missing.map(|((message, tcp), _)| (message, *tcp)));
        }
        doors.iter_mut().zip(&mut replies).for_each(|(door, replies)| door.receive(&wanted, replies));
    }
    let mut said = |door: usize, id: u16| {
        let reply = replies[door].remove(&id)?;
        let said = reading::read(&reply);
        let (address, question) = (doors[door].address, &questions[usize::from(id)]);
        Some(said.unwrap_or_else(|| panic!("{address} says what is no message to {question}: {reply:02x?}")))
    };
    (0..questions.len() as u16).map(|id| std::array::from_fn(|door| said(door, id))).collect()
}
