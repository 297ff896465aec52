//! The peer protocol from outside: a client that says exactly what it is told to, and a peer that writes down what it
//! hears. Neither shares code with the control plane.

use serde_json::{Value, json};
use std::{
    io::{self, ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// How long a stopped [`Listener`] may take to notice.
const TICK: Duration = Duration::from_millis(50);

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

    /// Connects and authenticates; fails the test if that does not work.
    #[track_caller]
    pub fn authenticated(address: SocketAddr, token: &str) -> Self {
        let mut wire = Self::connect(address).unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"));
        wire.say(&auth(token));
        let reply = wire.hear(Duration::from_secs(10));
        assert!(matches!(&reply, Heard::Frame(text) if text.contains("auth_ok")), "{reply:?}");
        wire
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

/// How a [`Listener`] behaves. The default is an existing node that has nothing to offer.
#[derive(Clone, Debug)]
pub struct Script {
    /// Payloads sent after the first frame, whatever it was.
    pub on_auth: Vec<String>,
    /// Payload that answers `pull`.
    pub on_pull: String,
    /// Payload sent after each `records_full`.
    pub after_push: Option<String>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            on_auth: vec![r#"{"type":"auth_ok"}"#.to_owned()],
            on_pull: r#"{"type":"error","message":"not ready"}"#.to_owned(),
            after_push: None,
        }
    }
}

/// What one connection to a [`Listener`] brought.
#[derive(Clone, Debug, Default)]
pub struct Dialogue {
    /// Payloads from the node, in order.
    pub frames: Vec<String>,
    /// Whether the node has closed.
    pub closed: bool,
}

impl Dialogue {
    /// The `type` of the frame at this place; empty if there is none or it is not JSON.
    pub fn kind(&self, at: usize) -> String {
        let parsed = self.frames.get(at).and_then(|text| serde_json::from_str::<Value>(text).ok());
        parsed.and_then(|frame| frame["type"].as_str().map(str::to_owned)).unwrap_or_default()
    }
}

/// A peer for a node to talk to. Answers as its [`Script`] says, and `ping` with `pong`.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<thread::JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    script: Script,
    dialogues: Mutex<Vec<Dialogue>>,
    stop: AtomicBool,
}

impl Listener {
    /// Starts to listen on a free port.
    pub fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared { script, dialogues: Mutex::default(), stop: AtomicBool::new(false) });
        let theirs = Arc::clone(&shared);
        let accepting = thread::spawn(move || accept(&listener, &theirs));
        Self { address, shared, accepting: Some(accepting) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything heard so far, one entry for each connection.
    pub fn dialogues(&self) -> Vec<Dialogue> {
        self.shared.dialogues().clone()
    }

    /// Dialogues whose second frame, the one after `auth`, is of this type.
    pub fn dialogues_of(&self, kind: &str) -> Vec<Dialogue> {
        self.dialogues().into_iter().filter(|dialogue| dialogue.kind(1) == kind).collect()
    }

    /// Every `records_full` heard so far, over all connections, by sequence.
    pub fn pushes(&self) -> Vec<Value> {
        let mut pushes: Vec<Value> = self
            .dialogues()
            .iter()
            .flat_map(|dialogue| dialogue.frames.iter())
            .filter_map(|text| serde_json::from_str(text).ok())
            .filter(|frame: &Value| frame["type"] == "records_full")
            .collect();
        pushes.sort_by_key(|frame| frame["seq"].as_u64());
        pushes
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        // Wakes the accept loop.
        let _refused = TcpStream::connect(self.address);
        if let Some(thread) = self.accepting.take() {
            let _panicked = thread.join();
        }
    }
}

impl Shared {
    fn dialogues(&self) -> MutexGuard<'_, Vec<Dialogue>> {
        self.dialogues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// Takes connections until told to stop.
fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept() {
        if shared.stopped() {
            return;
        }
        let Ok(wire) = Wire::over(stream) else { continue };
        let shared = Arc::clone(shared);
        thread::spawn(move || converse(wire, &shared));
    }
}

/// One connection, to its end.
fn converse(mut wire: Wire, shared: &Shared) {
    let number = {
        let mut dialogues = shared.dialogues();
        dialogues.push(Dialogue::default());
        dialogues.len() - 1
    };
    let mut first = true;
    while !shared.stopped() {
        let text = match wire.hear(TICK) {
            Heard::Nothing => continue,
            Heard::Closed => {
                shared.dialogues()[number].closed = true;
                return;
            }
            Heard::Frame(text) => text,
        };
        let kind = serde_json::from_str::<Value>(&text).ok().and_then(|f| f["type"].as_str().map(str::to_owned));
        shared.dialogues()[number].frames.push(text);
        if std::mem::take(&mut first) {
            shared.script.on_auth.iter().for_each(|payload| wire.say(payload));
            continue;
        }
        match kind.as_deref() {
            Some("ping") => wire.say(r#"{"type":"pong"}"#),
            Some("pull") => wire.say(&shared.script.on_pull),
            Some("records_full") => shared.script.after_push.iter().for_each(|payload| wire.say(payload)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait::{PATIENCE, eventually};

    const LIMIT: Duration = Duration::from_secs(10);

    #[test]
    fn the_listener_plays_its_script_and_writes_down_what_it_heard() {
        let listener = Listener::start(Script { after_push: Some("thanks".to_owned()), ..Script::default() });
        let mut wire = Wire::authenticated(listener.address(), "t");
        wire.say(r#"{"type":"pull"}"#);
        assert_eq!(wire.hear_json(LIMIT)["type"], "error");
        wire.say(r#"{"type":"records_full","seq":7}"#);
        assert_eq!(wire.hear(LIMIT), Heard::Frame("thanks".to_owned()));
        wire.say(r#"{"type":"ping"}"#);
        assert_eq!(wire.hear_json(LIMIT)["type"], "pong");
        assert_eq!(wire.hear(Duration::from_millis(20)), Heard::Nothing);
        drop(wire);
        let dialogue = eventually("the connection ends", PATIENCE, || {
            let dialogues = listener.dialogues_of("pull");
            dialogues.into_iter().find(|d| d.closed).ok_or_else(|| "open".to_owned())
        });
        assert_eq!(dialogue.frames.len(), 4);
        assert_eq!(listener.pushes()[0]["seq"], 7);
    }

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
