//! A peer for a node to talk to: it plays a script and writes down what it hears.

use super::{Heard, Wire};
use serde_json::{Value, json};
use std::{
    fmt,
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// How long a stopped [`Listener`] may take to notice.
const TICK: Duration = Duration::from_millis(50);

/// What a [`Listener`] says to a frame: payloads, or `None` for what it would say anyway.
#[derive(Clone)]
pub struct Answer(Arc<AnswerFn>);

type AnswerFn = dyn Fn(&Value) -> Option<Vec<String>> + Send + Sync;

impl Answer {
    /// Answers with what this returns.
    pub fn with(answer: impl Fn(&Value) -> Option<Vec<String>> + Send + Sync + 'static) -> Self {
        Self(Arc::new(answer))
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answer")
    }
}

/// How a [`Listener`] behaves. The default is an existing node that has nothing to offer.
#[derive(Clone, Debug)]
pub struct Script {
    /// Payloads sent after the first frame, whatever it was.
    pub on_auth: Vec<String>,
    /// Payload that answers `pull`.
    pub on_pull: String,
    /// Payload that answers `admin_config_apply`.
    pub on_admin: String,
    /// Payload sent after each `records_full`.
    pub after_push: Option<String>,
    /// Asked first, about every frame but `auth`.
    pub answer: Option<Answer>,
}

impl Script {
    /// A node of our kind that has nothing to offer and knows these features.
    pub fn of_our_kind(node_id: &str, features: &[&str]) -> Self {
        let auth_ok = json!({"type": "auth_ok", "features": features, "node_id": node_id});
        Self { on_auth: vec![auth_ok.to_string()], ..Self::default() }
    }
}

impl Default for Script {
    fn default() -> Self {
        Self {
            on_auth: vec![r#"{"type":"auth_ok"}"#.to_owned()],
            on_pull: r#"{"type":"error","message":"not ready"}"#.to_owned(),
            on_admin: r#"{"type":"admin_config_ok"}"#.to_owned(),
            after_push: None,
            answer: None,
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

    /// Every frame heard so far that is JSON, over all connections, those of one connection in order.
    pub fn frames(&self) -> Vec<Value> {
        let dialogues = self.dialogues();
        let texts = dialogues.iter().flat_map(|dialogue| dialogue.frames.iter());
        texts.filter_map(|text| serde_json::from_str(text).ok()).collect()
    }

    /// Every `records_full` heard so far, over all connections, by sequence.
    pub fn pushes(&self) -> Vec<Value> {
        let mut pushes = self.frames();
        pushes.retain(|frame| frame["type"] == "records_full");
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
        let frame = serde_json::from_str::<Value>(&text).unwrap_or_default();
        shared.dialogues()[number].frames.push(text);
        if std::mem::take(&mut first) {
            shared.script.on_auth.iter().for_each(|payload| wire.say(payload));
            continue;
        }
        if let Some(payloads) = shared.script.answer.as_ref().and_then(|answer| answer.0(&frame)) {
            payloads.iter().for_each(|payload| wire.say(payload));
            continue;
        }
        match frame["type"].as_str() {
            Some("ping") => wire.say(r#"{"type":"pong"}"#),
            Some("pull") => wire.say(&shared.script.on_pull),
            Some("admin_config_apply") => wire.say(&shared.script.on_admin),
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
}
