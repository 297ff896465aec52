//! Asks DNS questions: own sockets, so that nothing is retried or cached behind a claim's back; replies parsed by
//! `hickory-proto`, which knows nothing of our encoder.

use hickory_proto::{
    op::{Edns, Message, MessageType, OpCode, Query, ResponseCode},
    rr::{Name, Record, RecordType},
};
use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream, UdpSocket},
    str::FromStr,
    sync::atomic::{AtomicU16, Ordering},
    time::{Duration, Instant},
};

/// How long one question waits for its reply. A server on this machine that is alive needs microseconds; only one that
/// lost the question needs longer.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(3);

/// A question, ready to be asked by any transport.
#[derive(Clone, Debug)]
pub struct Question {
    name: String,
    kind: RecordType,
    edns: Option<u16>,
    recursion_desired: bool,
}

/// A reply, as bytes and understood.
#[derive(Clone, Debug)]
pub struct Reply {
    /// As received.
    pub bytes: Vec<u8>,
    /// As parsed.
    pub message: Message,
}

impl Question {
    /// A question of class IN, without EDNS, with RD set as stub resolvers do.
    pub fn new(name: &str, kind: &str) -> Self {
        let kind = RecordType::from_str(kind).unwrap_or_else(|_| panic!("{kind} is not a record type"));
        Self { name: name.to_owned(), kind, edns: None, recursion_desired: true }
    }

    /// With an OPT record that offers this payload size.
    pub fn edns(mut self, payload: u16) -> Self {
        self.edns = Some(payload);
        self
    }

    /// Without RD.
    pub fn iterative(mut self) -> Self {
        self.recursion_desired = false;
        self
    }

    /// The question as a message.
    pub fn message(&self) -> Message {
        static ID: AtomicU16 = AtomicU16::new(1);
        // from_ascii keeps the case of the text, which from_utf8 would not.
        let mut name = Name::from_ascii(&self.name).unwrap_or_else(|error| panic!("{:?}: {error}", self.name));
        name.set_fqdn(true);
        let mut message = Message::new(ID.fetch_add(1, Ordering::Relaxed), MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = self.recursion_desired;
        message.add_query(Query::query(name, self.kind));
        if let Some(payload) = self.edns {
            let mut edns = Edns::new();
            edns.set_max_payload(payload);
            message.set_edns(edns);
        }
        message
    }

    /// Asks over UDP, once.
    pub fn udp(&self, server: SocketAddr) -> io::Result<Reply> {
        exchange(server, &encode(&self.message()))
    }

    /// Asks over a TCP connection of its own.
    pub fn tcp(&self, server: SocketAddr) -> io::Result<Reply> {
        let mut stream = TcpStream::connect_timeout(&server, ANSWER_LIMIT)?;
        stream.set_read_timeout(Some(ANSWER_LIMIT))?;
        stream.write_all(&with_length(&encode(&self.message())))?;
        read_tcp(&mut stream)
    }
}

impl Reply {
    /// Parses a message.
    pub fn parse(bytes: &[u8]) -> io::Result<Self> {
        let message = Message::from_vec(bytes).map_err(io::Error::other)?;
        Ok(Self { bytes: bytes.to_vec(), message })
    }

    /// Its response code.
    pub fn code(&self) -> ResponseCode {
        self.message.metadata.response_code
    }

    /// The answer section, as [`lines`].
    pub fn answers(&self) -> Vec<String> {
        lines(&self.message.answers)
    }

    /// The authority section, as [`lines`].
    pub fn authorities(&self) -> Vec<String> {
        lines(&self.message.authorities)
    }

    /// The values of the answer section alone, sorted.
    pub fn values(&self) -> Vec<String> {
        let mut values: Vec<_> = self.message.answers.iter().map(|record| record.data.to_string()).collect();
        values.sort();
        values
    }

    /// Response code and answers on one line, for failed waits.
    pub fn summary(&self) -> String {
        format!("{:?} {:?}", self.code(), self.answers())
    }
}

/// Sends one datagram and waits for the reply with its id.
pub fn exchange(server: SocketAddr, question: &[u8]) -> io::Result<Reply> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(server)?;
    socket.send(question)?;
    receive(&socket, &question[..2])
}

/// Waits on a connected socket for the reply with this id.
pub fn receive(socket: &UdpSocket, id: &[u8]) -> io::Result<Reply> {
    let deadline = Instant::now() + ANSWER_LIMIT;
    let mut buffer = vec![0; 65_535];
    loop {
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        socket.set_read_timeout(Some(left))?;
        let length = socket.recv(&mut buffer)?;
        if buffer[..length].starts_with(id) {
            return Reply::parse(&buffer[..length]);
        }
    }
}

/// A message with its length in front (RFC 1035 §4.2.2).
pub fn with_length(message: &[u8]) -> Vec<u8> {
    let mut bytes = (message.len() as u16).to_be_bytes().to_vec();
    bytes.extend_from_slice(message);
    bytes
}

/// Reads one message with its length in front (RFC 1035 §4.2.2).
pub fn read_tcp(stream: &mut TcpStream) -> io::Result<Reply> {
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut bytes = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut bytes)?;
    Reply::parse(&bytes)
}

/// The wire form of a question.
pub fn encode(message: &Message) -> Vec<u8> {
    message.to_vec().expect("our own questions can be encoded")
}

/// Records as `name ttl type value`, lower-case names, sorted: their order in a reply means nothing.
pub fn lines(records: &[Record]) -> Vec<String> {
    let mut lines: Vec<_> = records
        .iter()
        .map(|record| {
            let name = record.name.to_ascii().to_ascii_lowercase();
            format!("{name} {} {} {}", record.ttl, record.record_type(), record.data)
        })
        .collect();
    lines.sort();
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn replies_to_other_questions_are_not_taken() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let thread = thread::spawn(move || {
            let mut buffer = [0; 512];
            let (length, client) = server.recv_from(&mut buffer).unwrap();
            let mut reply = buffer[..length].to_vec();
            reply[2] |= 0x80;
            let mut other = reply.clone();
            other[0] ^= 0xff;
            server.send_to(&other, client).unwrap();
            server.send_to(&reply, client).unwrap();
        });
        let reply = Question::new("WWW.Example", "A").edns(1232).udp(address).unwrap();
        thread.join().unwrap();
        assert_eq!(reply.code(), ResponseCode::NoError);
        assert_eq!(reply.message.queries[0].name.to_ascii(), "WWW.Example.");
        assert_eq!(reply.message.edns.as_ref().map(Edns::max_payload), Some(1232));
    }
}
