//! From a frame to the store: a peer's records are read, tidied, judged and applied.
//!
//! Reading and hashing a snapshot takes time in proportion to it, so that happens beside the runtime. Judging and
//! applying are one step within the store (R7).

use super::{
    Shared, admin,
    extension::{Ack, Begin, DeltaFrame, Label},
    gathered::Gathered,
    message::{BadFrame, Message, RecordsFull, records_full_at_once, text_of},
    peer::Peer,
    policy::{self, Facts, Judgement, Kind},
};
use crate::{
    config::InvalidRecords,
    hash::ContentHash,
    store::{Content, Delta, Offer, StoreError, Verdict},
};
use std::{
    fmt,
    sync::{Arc, OnceLock},
};
use tracing::{info, warn};

/// Frames shorter than this are read where they are: handing them over would take longer.
const SHORT: usize = 16 << 10;

/// Senders remembered. Far above any real cluster, small enough that made-up ids cannot fill memory and disk.
const MAX_SENDERS: usize = 1024;

/// What a frame asks of us, or answers.
#[derive(Debug)]
pub(super) enum Request {
    /// With what the sender holds and its clock, if it is of our kind.
    Ping(Pulse),
    Pong(Pulse),
    /// With what the asker holds, if it takes a difference to that.
    Pull(Option<ContentHash>),
    Records(Prepared),
    Begin(Begin),
    /// Records of one part.
    Part(Gathered),
    End,
    Ack(Ack),
    /// Change our settings.
    Admin(admin::Apply),
    /// What became of a change of the peer's settings.
    AdminAnswer(Result<(), String>),
    /// `error` and why.
    Error(String),
    /// A type that we do not know or that nobody sends unasked.
    Other,
    Bad(BadFrame),
}

/// What a node says of itself in `ping` and `pong` on a kept connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pulse {
    pub(super) hash: Option<ContentHash>,
    /// Milliseconds since 1970.
    pub(super) clock: Option<u64>,
}

/// A snapshot or a difference, read and tidied.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) label: Label,
    content: Content,
    /// Content hash once applied.
    pub(super) hash: ContentHash,
    /// See [`DeltaFrame::informed`].
    informed: bool,
    /// Records that cannot be served: how many, and the first few.
    faults: usize,
    named: Vec<String>,
}

/// Who offers, and how.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// For logs: `pushed from …`, `pulled from …`.
    pub(super) via: String,
    pub(super) kind: Kind,
    /// Who is at the other end, if it says so: perhaps not the writer.
    pub(super) peer: Option<String>,
    /// See [`Facts::acknowledged`].
    pub(super) acknowledged: u64,
    /// When the write can have been made at the earliest, if the sender's own word is no use: an existing node stamps the
    /// answer to a pull with the time of sending.
    pub(super) not_before: Option<i64>,
    /// What the writer itself is known to have held before, if it is whom we talk to.
    pub(super) writer_held: Option<ContentHash>,
}

/// What became of a peer's snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It replaced our records.
    Applied {
        /// Records that came in or changed.
        added: usize,
        /// Records of ours that went or were overwritten.
        removed: usize,
    },
    /// Nothing new.
    Duplicate,
    /// It was a difference to something that we do not hold.
    NeedFull,
    /// Not applied, and why.
    Refused(String),
}

/// For people.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Applied { added: 0, removed: 0 } => f.write_str("applied; its records are the same as ours"),
            Self::Applied { added, removed } => {
                write!(f, "applied: {added} records came or changed, {removed} went or were overwritten")
            }
            Self::Duplicate => f.write_str("nothing new"),
            Self::NeedFull => f.write_str("a difference to other records than ours; all of them are needed"),
            Self::Refused(reason) => write!(f, "refused: {reason}"),
        }
    }
}

/// Reads a frame, beside the runtime if it is long.
pub(super) async fn read(body: Vec<u8>) -> Request {
    if body.len() < SHORT {
        return understand(body);
    }
    match tokio::task::spawn_blocking(|| understand(body)).await {
        Ok(request) => request,
        Err(error) => Request::Bad(BadFrame::Syntax(error.to_string())),
    }
}

fn understand(body: Vec<u8>) -> Request {
    let text = text_of(body);
    if let Some(full) = records_full_at_once(&text) {
        return Request::Records(Prepared::from(full));
    }
    let message = match Message::parse(&text) {
        Ok(message) => message,
        Err(bad) => return Request::Bad(bad),
    };
    let pulse = || Ok(Pulse { hash: message.hash("hash").ok().flatten(), clock: message.clock() });
    let understood = match message.kind() {
        "ping" => message.message().and_then(|_| pulse()).map(Request::Ping),
        "pong" => pulse().map(Request::Pong),
        "pull" => Ok(Request::Pull(message.hash("hash").ok().flatten())),
        "records_full" => message.records_full().map(|full| Request::Records(Prepared::from(full))),
        "records_delta" => message.delta().map(|delta| Request::Records(Prepared::from(delta))),
        "records_begin" => message.begin().map(Request::Begin),
        "records_part" => message.records("records").map(Request::Part),
        "records_end" => Ok(Request::End),
        "records_ack" => message.ack().map(Request::Ack),
        "admin_config_apply" => admin::Apply::read(&message).map(Request::Admin),
        "admin_config_ok" => Ok(Request::AdminAnswer(Ok(()))),
        "admin_config_fail" => message.message().map(|reason| Request::AdminAnswer(Err(reason))),
        "error" => message.message().map(Request::Error),
        _ => Ok(Request::Other),
    };
    understood.unwrap_or_else(Request::Bad)
}

impl From<RecordsFull> for Prepared {
    fn from(full: RecordsFull) -> Self {
        let RecordsFull { node_id, seq, timestamp, records } = full;
        let hash = ContentHash::of_all(records.records());
        Self::full(Label { node_id, seq, timestamp }, hash, records)
    }
}

impl From<DeltaFrame> for Prepared {
    fn from(frame: DeltaFrame) -> Self {
        let DeltaFrame { label, base, upserts, deletes, hash, informed } = frame;
        let (upserts, faults, named) = upserts.into_parts();
        let (deletes, ..) = deletes.into_parts();
        let content = Content::Delta(Delta { base, upserts, deletes });
        Self { label, content, hash, informed, faults, named }
    }
}

impl Prepared {
    /// All records of a writer.
    pub(super) fn full(label: Label, hash: ContentHash, gathered: Gathered) -> Self {
        let (records, faults, named) = gathered.into_parts();
        Self { label, content: Content::Full(records), hash, informed: false, faults, named }
    }

    /// Why none of it is applied, although the policy may let it in.
    fn fault(&self, invalid_records: InvalidRecords) -> Option<String> {
        let empty = matches!(&self.content, Content::Full(records) if records.is_empty());
        match invalid_records {
            InvalidRecords::Reject if self.faults > 0 => Some(self.faulty()),
            // What cannot be read was not meant to empty us (R9).
            InvalidRecords::Skip if self.faults > 0 && empty => {
                Some(format!("nothing of it is left: {}", self.faulty()))
            }
            _ => None,
        }
    }

    /// Whether it is a difference.
    pub(super) fn is_delta(&self) -> bool {
        matches!(self.content, Content::Delta(_))
    }

    fn faulty(&self) -> String {
        format!("{} of its records cannot be served: {}", self.faults, self.named.join("; "))
    }

    /// Whether it would leave us with nothing.
    fn empties(&self) -> bool {
        self.faults == 0
            && match &self.content {
                Content::Full(records) => records.is_empty(),
                Content::Delta(_) => self.hash == ContentHash::default(),
            }
    }

    /// Everything that the judge must know and the store cannot tell.
    fn facts(&self, shared: &Shared, source: &Source) -> Facts {
        let settings = shared.settings();
        Facts {
            policy: settings.policy,
            allowed_writers: settings.allowed_writers.clone(),
            own_id: shared.node_id(),
            sender: self.label.node_id.clone(),
            kind: source.kind,
            relayed: source.peer.as_ref().is_some_and(|peer| *peer != self.label.node_id),
            seq: self.label.seq,
            timestamp: source.not_before.unwrap_or(self.label.timestamp),
            empty: self.empties(),
            hash: self.hash,
            read_only: shared.store.read_only(),
            fault: self.fault(settings.invalid_records),
            acknowledged: source.acknowledged,
            held_before: false,
            content_is_senders: false,
        }
    }
}

/// Has a snapshot or difference judged and, if the judge says so, applied. When this returns, it is on disk.
pub(super) async fn take(shared: &Arc<Shared>, prepared: Prepared, source: &Source) -> Result<Taken, StoreError> {
    let view = shared.store.view();
    let sender = prepared.label.node_id.clone();
    if view.seen.len() >= MAX_SENDERS && !view.seen.contains_key(&sender) {
        let reason = format!("we remember {MAX_SENDERS} senders already, and it is another one");
        return Ok(Taken { outcome: Outcome::Refused(reason), hash: view.records.hash() });
    }
    let facts = prepared.facts(shared, source);
    let (faults, faulty) = (prepared.faults, (prepared.faults > 0).then(|| prepared.faulty()));
    let Prepared { label: Label { seq, .. }, content, hash, informed, .. } = prepared;
    let (timestamp, writer_held) = (facts.timestamp, source.writer_held);
    let offer = Offer { sender: sender.clone(), seq: seq.max(1), timestamp, content, hash, via: source.via.clone() };
    let kept_out = Arc::new(OnceLock::new());
    let (content, reasons) = (Arc::clone(&shared.content), Arc::clone(&kept_out));
    let judge = Box::new(move |standing: crate::store::Standing<'_>, offer: &Offer| {
        let facts = Facts {
            held_before: content.held(offer.hash),
            content_is_senders: content.is_senders(&offer.sender, standing.own.seq),
            ..facts
        };
        let fits = !matches!(&offer.content, Content::Delta(delta) if delta.base != standing.hash);
        match policy::judge(&facts, standing) {
            Judgement::Apply | Judgement::Restore if !fits => Verdict::NeedFull,
            Judgement::Apply => {
                content.applies(&offer.sender, offer.hash, standing.own.seq);
                Verdict::Apply { informed: informed || writer_held == Some(standing.hash) }
            }
            Judgement::Restore => Verdict::Restore,
            Judgement::Duplicate(reason) => {
                if let Some(reason) = reason {
                    let _ = reasons.set(reason);
                }
                Verdict::Duplicate
            }
            Judgement::Refuse { reason, seen } => Verdict::Refuse { reason, seen },
        }
    });
    let judged = shared.store.offer(offer, judge).await?;
    let (added, removed) = (judged.added, judged.removed);
    let outcome = match judged.verdict {
        Verdict::Apply { .. } | Verdict::Restore => Outcome::Applied { added, removed },
        Verdict::NeedFull => Outcome::NeedFull,
        Verdict::Duplicate => kept_out.get().cloned().map_or(Outcome::Duplicate, Outcome::Refused),
        Verdict::Refuse { reason, .. } => Outcome::Refused(reason),
    };
    match &outcome {
        Outcome::Applied { added, removed } => {
            info!(sender, seq, added, removed, via = source.via, "applied a peer's records");
            if let Some(faulty) = faulty.filter(|_| faults > 0) {
                warn!(sender, seq, "left out of a peer's snapshot: {faulty}");
            }
        }
        Outcome::Refused(reason) if shared.inbound.refusal_is_news(&sender, reason) => {
            warn!(sender, seq, reason, via = source.via, "refused a peer's snapshot");
        }
        _ => {}
    }
    shared.inbound.judged(&sender, seq, &outcome);
    Ok(Taken { outcome, hash: judged.hash })
}

/// What became of an offer, and what we hold now.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    pub(super) outcome: Outcome,
    pub(super) hash: ContentHash,
}

/// Tells the peers that are this node what became of its snapshot.
pub(super) fn note_for_peers(peers: &[Arc<Peer>], outcome: &Outcome) {
    let refusal = match outcome {
        Outcome::Refused(reason) => Some(reason.clone()),
        _ => None,
    };
    peers.iter().for_each(|peer| peer.pushed_to_us(refusal.clone()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn repeats_and_what_cannot_be_served_are_left_out_with_a_count_and_names() {
        let many: String = (0..20).map(|n| format!(r#"{{"name":"bad{n}.test","type":"A","value":"x"}},"#)).collect();
        let frame = format!(
            r#"{{"type":"records_full","node_id":"n","seq":3,"records":[{many}
            {{"name":"A.test.","type":"a","value":"192.0.2.1","ttl":1}},
            {{"name":"a.test","type":"A","value":"192.0.2.1","ttl":2}},
            {{"name":"a.test","type":"A","value":"192.0.2.2","ttl":2}},null]}}"#
        );
        let Request::Records(prepared) = read(frame.into_bytes()).await else { panic!("not a snapshot") };
        let Content::Full(records) = &prepared.content else { panic!("not a whole one") };
        assert_eq!((records.len(), records[0].ttl), (2, 1));
        assert_eq!((prepared.faults, prepared.named.len()), (21, 5));
        assert!(prepared.named[0].contains("bad0.test") && prepared.named[0].contains("value"));
        assert_eq!(prepared.hash, ContentHash::of_all(records));
    }
}
