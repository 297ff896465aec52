//! The peer protocol from outside: a client that says exactly what it is told to, and a peer that writes down what it
//! hears. Neither shares code with the control plane.

mod listener;

pub use listener::{Answer, Dialogue, Listener, Script};

use serde_json::{Value, json};
use std::{
    io::{self, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

/// A payload with its length in front.
pub fn frame(payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_be_bytes().to_vec();
    bytes.extend_from_slice(payload);
    bytes
}

/// The `auth` frame of an existing node.
pub fn auth(token: &str) -> String {
    json!({"type": "auth", "token": token}).to_string()
}

/// The `auth` frame of a node of our kind.
pub fn greeting(token: &str, node_id: &str, features: &[&str]) -> String {
    json!({"type": "auth", "token": token, "features": features, "node_id": node_id}).to_string()
}

/// What a wait on a connection ended with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The payload of one frame.
    Frame(String),
    /// The other side has closed the connection.
    Closed,
    /// Neither, within the time given.
    Nothing,
}

/// One connection, at either end.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    pending: Vec<u8>,
}

impl Wire {
    /// Connects to a node.
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        Self::over(TcpStream::connect_timeout(&address, Duration::from_secs(5))?)
    }

    /// Goes on with a connection that has been opened already.
    pub fn over_stream(stream: TcpStream) -> Self {
        Self { stream, pending: Vec::new() }
    }

    /// Connects and authenticates; fails the test if that does not work.
    #[track_caller]
    pub fn authenticated(address: SocketAddr, token: &str) -> Self {
        let mut wire = Self::connect(address).unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"));
        wire.say(&auth(token));
        let reply = wire.hear(Duration::from_secs(10));
        assert!(matches!(&reply, Heard::Frame(text) if text.contains("auth_ok")), "{reply:?}");
        wire
    }

    /// Connects and authenticates as a node of our kind that knows these features; returns those that both know.
    #[track_caller]
    pub fn greeted(address: SocketAddr, token: &str, node_id: &str, features: &[&str]) -> (Self, Vec<String>) {
        let mut wire = Self::connect(address).unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"));
        wire.say(&greeting(token, node_id, features));
        let reply = wire.hear_json(Duration::from_secs(10));
        assert_eq!(reply["type"], "auth_ok", "{reply}");
        assert!(reply["node_id"].is_string(), "a node of our kind says who it is: {reply}");
        let agreed = reply["features"].as_array().unwrap_or_else(|| panic!("no features: {reply}"));
        let agreed = agreed.iter().map(|feature| feature.as_str().expect("a feature is a word").to_owned()).collect();
        (wire, agreed)
    }

    /// Sends `ping` and fails the test unless `pong` is the very next thing heard, so that nothing before was answered.
    #[track_caller]
    pub fn expect_nothing_but_pong(&mut self, limit: Duration) -> Value {
        self.say(r#"{"type":"ping"}"#);
        let heard = self.hear_json(limit);
        assert_eq!(heard["type"], "pong", "{heard}");
        heard
    }

    fn over(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, pending: Vec::new() })
    }

    /// Sends one frame. Errors are not reported: a node that closed is noticed by [`Wire::hear`].
    pub fn say(&mut self, payload: &str) {
        self.send(&frame(payload.as_bytes()));
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) {
        let _closed = self.stream.write_all(bytes);
    }

    /// Waits for one frame.
    pub fn hear(&mut self, limit: Duration) -> Heard {
        let deadline = Instant::now() + limit;
        let mut buffer = [0; 65_536];
        loop {
            if let Some(payload) = self.take_frame() {
                return Heard::Frame(String::from_utf8_lossy(&payload).into_owned());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Heard::Nothing;
            }
            self.stream.set_read_timeout(Some(left)).expect("a read timeout above zero can be set");
            match self.stream.read(&mut buffer) {
                Ok(0) => return Heard::Closed,
                Ok(length) => self.pending.extend_from_slice(&buffer[..length]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Heard::Closed,
            }
        }
    }

    /// Waits for a frame and reads it as JSON; anything else fails the test.
    #[track_caller]
    pub fn hear_json(&mut self, limit: Duration) -> Value {
        match self.hear(limit) {
            Heard::Frame(text) => serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")),
            other => panic!("no frame: {other:?}"),
        }
    }

    fn take_frame(&mut self) -> Option<Vec<u8>> {
        let (head, rest) = self.pending.split_first_chunk::<4>()?;
        let length = u32::from_be_bytes(*head) as usize;
        let payload = rest.get(..length)?.to_vec();
        self.pending.drain(..4 + length);
        Some(payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{net::TcpListener, thread};

    const LIMIT: Duration = Duration::from_secs(10);

    #[test]
    fn frames_arrive_whole_however_they_were_sent() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let thread = thread::spawn(move || {
            let (mut stream, _) = server.accept().unwrap();
            stream.set_nodelay(true).unwrap();
            let mut bytes = frame(b"one");
            bytes.extend(frame(b""));
            bytes.extend(frame(b"two"));
            bytes.chunks(3).for_each(|part| stream.write_all(part).unwrap());
        });
        let mut wire = Wire::connect(address).unwrap();
        for expected in ["one", "", "two"] {
            assert_eq!(wire.hear(LIMIT), Heard::Frame(expected.to_owned()));
        }
        assert_eq!(wire.hear(LIMIT), Heard::Closed);
        thread.join().unwrap();
    }
}
