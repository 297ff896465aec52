//! Asks the same of several servers, by both transports.

use crate::{
    question::Question,
    reading::{self, Said},
};
use dnsplane_tests::dns::with_length;
use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream, UdpSocket},
    time::{Duration, Instant},
};

/// How long a datagram is waited for before it is sent again, …
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

    fn send(&mut self, message: &[u8], tcp: bool) {
        if tcp {
            // A server may have closed the connection meanwhile; what cannot be sent is sent when the reply is waited for.
            let _ = self.stream().and_then(|stream| stream.write_all(&with_length(message)));
        } else {
            self.udp.send(message).expect("a datagram can be sent to this machine");
        }
    }

    /// The reply, if there is one.
    fn receive(&mut self, message: &[u8], tcp: bool) -> Option<Vec<u8>> {
        for attempt in 0..TRIES {
            if attempt > 0 {
                self.send(message, tcp);
            }
            let reply = if tcp { self.read_tcp() } else { self.read_udp(&message[..2]) };
            match reply {
                Ok(reply) if reply.starts_with(&message[..2]) => return Some(reply),
                _ => self.tcp = None,
            }
        }
        None
    }

    fn read_udp(&self, id: &[u8]) -> io::Result<Vec<u8>> {
        let deadline = Instant::now() + RETRY;
        let mut buffer = vec![0; 65_535];
        loop {
            let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            self.udp.set_read_timeout(Some(left))?;
            let length = self.udp.recv(&mut buffer)?;
            // Not the late reply to an earlier question.
            if buffer[..length].starts_with(id) {
                buffer.truncate(length);
                return Ok(buffer);
            }
        }
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

/// What each says to the same octets; `None`: nothing.
#[track_caller]
pub(crate) fn ask<const N: usize>(doors: &mut [Door; N], question: &Question, id: u16) -> [Option<Said>; N] {
    let message = question.bytes(id);
    doors.iter_mut().for_each(|door| door.send(&message, question.tcp));
    doors.each_mut().map(|door| {
        let reply = door.receive(&message, question.tcp)?;
        let said = reading::read(&reply);
        Some(said.unwrap_or_else(|| panic!("{} says what is no message to {question}: {reply:02x?}", door.address)))
    })
}
