//! Puts one question to a DNS server: over UDP, and again over TCP when the reply was cut short (RFC 7766 §5).

use crate::client::Failure;
use hickory_proto::op::{Edns, Message, MessageType, Query};
use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    time::timeout,
};

/// A datagram may be lost; three of them rarely are.
const TRIES: u32 = 3;
/// Wait for each reply. A resolver that has to ask others should have answered by then.
const WAIT: Duration = Duration::from_secs(2);
/// What passes everywhere unfragmented (RFC 9715), as our own servers say.
const PAYLOAD: u16 = 1232;

/// A reply, and how it came.
pub(crate) struct Answer {
    pub message: Message,
    pub protocol: &'static str,
    pub took: Duration,
}

/// Asks and waits; replies that do not belong to the question are passed over.
pub(crate) async fn ask(server: SocketAddr, query: &Query) -> Result<Answer, Failure> {
    let question = question(query);
    let wire = question.to_vec().map_err(|error| Failure::Usage(format!("cannot ask for this name: {error}")))?;
    let start = Instant::now();
    let message = over_udp(server, &question, &wire).await.map_err(|error| explain(server, "UDP", &error))?;
    if !message.metadata.truncation {
        return Ok(Answer { message, protocol: "UDP", took: start.elapsed() });
    }
    let reply = timeout(WAIT, over_tcp(server, &wire)).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    let message = reply
        .and_then(|bytes| parse(&question, &bytes).ok_or_else(|| io::Error::other("the reply is not to our question")))
        .map_err(|error| explain(server, "TCP", &error))?;
    Ok(Answer { message, protocol: "TCP", took: start.elapsed() })
}

fn question(query: &Query) -> Message {
    let mut message = Message::query();
    message.metadata.recursion_desired = true;
    message.add_query(query.clone());
    let mut edns = Edns::new();
    edns.set_max_payload(PAYLOAD);
    message.set_edns(edns);
    message
}

async fn over_udp(server: SocketAddr, question: &Message, wire: &[u8]) -> io::Result<Message> {
    let any: SocketAddr =
        if server.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(server).await?;
    let mut buffer = vec![0; usize::from(u16::MAX)];
    for _ in 0..TRIES {
        socket.send(wire).await?;
        let reply = async {
            loop {
                let length = socket.recv(&mut buffer).await?;
                if let Some(message) = parse(question, &buffer[..length]) {
                    return Ok(message);
                }
            }
        };
        if let Ok(reply) = timeout(WAIT, reply).await {
            return reply;
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}

async fn over_tcp(server: SocketAddr, wire: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(wire.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), wire].concat()).await?;
    let mut reply = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut reply).await?;
    Ok(reply)
}

/// A reply has our id, and repeats our question unless it could not read it (RFC 5452 §9.1).
fn parse(question: &Message, bytes: &[u8]) -> Option<Message> {
    let reply = Message::from_vec(bytes).ok()?;
    let header = &reply.metadata;
    let ours = header.id == question.metadata.id && header.message_type == MessageType::Response;
    (ours && (reply.queries == question.queries || reply.queries.is_empty())).then_some(reply)
}

fn explain(server: SocketAddr, protocol: &str, error: &io::Error) -> Failure {
    let wrong = match error.kind() {
        io::ErrorKind::ConnectionRefused => "nothing listens there".to_owned(),
        io::ErrorKind::TimedOut => format!("no reply to {TRIES} questions, {} s each", WAIT.as_secs()),
        _ => error.to_string(),
    };
    Failure::Unreachable(format!("no answer from DNS server {server} over {protocol}: {wrong}"))
}
