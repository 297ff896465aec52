//! A peer made by hand that does all it has agreed to: it keeps the records it is sent, checks every hash against its own
//! arithmetic, and acknowledges.

use dnsplane_tests::{
    Record, content,
    peer::{Answer, Listener, Script},
};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The peer.
pub(crate) struct Twin {
    listener: Listener,
    state: Arc<Mutex<State>>,
}

/// What it holds and what it found.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Its records, sorted.
    pub(crate) records: Vec<Record>,
    /// Snapshots, chunked or not, and deltas that were applied.
    pub(crate) snapshots: usize,
    pub(crate) deltas: usize,
    /// Deltas that it is still going to refuse with `need_full`.
    pub(crate) refuse: usize,
    /// It says that it has applied what it throws away.
    pub(crate) drops: bool,
    /// What was wrong with what it was sent.
    pub(crate) faults: Vec<String>,
    /// Parts of a snapshot that has begun.
    parts: Option<(Value, Vec<Record>)>,
    features: Vec<String>,
}

impl Twin {
    /// Starts to listen, knowing these features.
    pub(crate) fn start(node_id: &str, features: &[&str]) -> Self {
        let features_owned = features.iter().map(ToString::to_string).collect();
        let state = Arc::new(Mutex::new(State { features: features_owned, ..State::default() }));
        let theirs = Arc::clone(&state);
        let script = match features {
            [] => Script::default(),
            _ => Script::of_our_kind(node_id, features),
        };
        let answer = Answer::with(move |frame| theirs.lock().unwrap_or_else(PoisonError::into_inner).take(frame));
        let listener = Listener::start(Script { answer: Some(answer), ..script });
        Self { listener, state }
    }

    /// What is heard.
    pub(crate) fn listener(&self) -> &Listener {
        &self.listener
    }

    /// What it holds and what it found.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn agreed(&self, feature: &str) -> bool {
        self.features.iter().any(|known| known == feature)
    }

    /// Deals with a frame; what is said to it.
    fn take(&mut self, frame: &Value) -> Option<Vec<String>> {
        match frame["type"].as_str()? {
            "ping" if self.agreed("keep") => {
                Some(vec![json!({"type": "pong", "hash": content::hash(&self.records)}).to_string()])
            }
            "records_full" if self.drops => Some(self.acknowledge(frame, "applied")),
            "records_full" => {
                self.records = Record::list(&frame["records"]);
                self.snapshots += 1;
                Some(self.acknowledge(frame, "applied"))
            }
            "records_begin" => {
                self.parts = Some((frame.clone(), Vec::new()));
                Some(Vec::new())
            }
            "records_part" => {
                self.part(frame);
                Some(Vec::new())
            }
            "records_end" => Some(self.end()),
            "records_delta" => Some(self.delta(frame)),
            _ => None,
        }
    }

    fn part(&mut self, frame: &Value) {
        let length = frame.to_string().len();
        if length > 1 << 20 {
            self.faults.push(format!("a part of {length} octets"));
        }
        match &mut self.parts {
            Some((_, records)) => records.extend(Record::list(&frame["records"])),
            None => self.faults.push("a part of nothing".to_owned()),
        }
    }

    fn end(&mut self) -> Vec<String> {
        let Some((begin, mut records)) = self.parts.take() else {
            self.faults.push("an end of nothing".to_owned());
            return Vec::new();
        };
        records.sort();
        let found = (json!(records.len()), json!(content::hash(&records)));
        if (&found.0, &found.1) != (&begin["count"], &begin["hash"]) {
            self.faults.push(format!("{begin} was followed by {found:?}"));
        }
        self.records = records;
        self.snapshots += 1;
        self.acknowledge(&begin, "applied")
    }

    fn delta(&mut self, frame: &Value) -> Vec<String> {
        if self.refuse > 0 {
            self.refuse -= 1;
            return self.acknowledge(frame, "need_full");
        }
        let before = content::hash(&self.records);
        if frame["base_hash"] != json!(before) {
            return self.acknowledge(frame, "need_full");
        }
        let mut after = self.records.clone();
        let key = |record: &Record| (record.name.clone(), record.kind.clone(), record.value.clone());
        let deletes = Record::list(&frame["deletes"]);
        let upserts = Record::list(&frame["upserts"]);
        after.retain(|held| !deletes.iter().chain(&upserts).any(|other| key(other) == key(held)));
        after.extend(upserts);
        after.sort();
        if frame["hash"] != json!(content::hash(&after)) {
            self.faults.push(format!("the hash is not that of the result {after:?}: {frame}"));
        }
        self.records = after;
        self.deltas += 1;
        self.acknowledge(frame, "applied")
    }

    fn acknowledge(&self, frame: &Value, verdict: &str) -> Vec<String> {
        if !self.agreed("ack") {
            return Vec::new();
        }
        let hash = content::hash(&self.records);
        let (node_id, seq) = (&frame["node_id"], &frame["seq"]);
        let ack = json!({"type": "records_ack", "node_id": node_id, "seq": seq, "verdict": verdict, "hash": hash});
        vec![ack.to_string()]
    }
}
