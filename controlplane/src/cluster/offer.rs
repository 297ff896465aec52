//! From a frame to the store: a peer's records are read, tidied, judged and applied.
//!
//! Reading and hashing a snapshot takes time in proportion to it, so that happens beside the runtime. Judging and
//! applying are one step within the store (R7).

use super::{
    Shared,
    message::{BadFrame, Message, RecordsFull, records_full_at_once, text_of},
    peer::Peer,
    policy::{self, Facts, Judgement, Kind},
};
use crate::{
    config::InvalidRecords,
    hash::ContentHash,
    record::Record,
    records::name_hash,
    store::{Offer, StoreError, Verdict},
};
use std::{
    cmp::Ordering,
    collections::HashMap,
    fmt,
    hash::{BuildHasher, Hash, Hasher},
    sync::{Arc, OnceLock},
};
use tracing::{info, warn};

/// Frames shorter than this are read where they are: handing them over would take longer.
const SHORT: usize = 16 << 10;

/// Faulty records named in a log line; the others are counted.
const NAMED: usize = 5;

/// Senders remembered. Far above any real cluster, small enough that made-up ids cannot fill memory and disk.
const MAX_SENDERS: usize = 1024;

/// What a frame asks of us.
#[derive(Debug)]
pub(super) enum Request {
    Ping,
    Pull,
    Records(Prepared),
    /// `error` and why.
    Error(String),
    /// A type that we do not know or that nobody sends unasked.
    Other,
    Bad(BadFrame),
}

/// A snapshot, read and tidied.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) node_id: String,
    seq: u64,
    timestamp: i64,
    records: Vec<Record>,
    hash: ContentHash,
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
    /// See [`Facts::acknowledged`].
    pub(super) acknowledged: u64,
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
    let understood = match message.kind() {
        "ping" => message.message().map(|_| Request::Ping),
        "pull" => Ok(Request::Pull),
        "records_full" => message.records_full().map(|full| Request::Records(Prepared::from(full))),
        "error" => message.message().map(Request::Error),
        _ => Ok(Request::Other),
    };
    understood.unwrap_or_else(Request::Bad)
}

impl From<RecordsFull> for Prepared {
    /// Leaves out what cannot be served and what says the same as an earlier record.
    fn from(full: RecordsFull) -> Self {
        let (mut faults, mut named) = (0, Vec::new());
        let mut records = full.records;
        records.retain(|record| {
            if record.is_servable() {
                return true;
            }
            faults += 1;
            if named.len() < NAMED {
                let fault = record.fault().unwrap_or_default();
                let text = format!("`{}` {}: {fault}", record.name(), record.type_text());
                named.push(text.chars().take(200).collect());
            }
            false
        });
        let records = without_repeats(records);
        let hash = ContentHash::of_all(&records);
        let (node_id, seq, timestamp) = (full.node_id, full.seq, full.timestamp);
        Self { node_id, seq, timestamp, records, hash, faults, named }
    }
}

/// Of several records with one identity the first stays.
fn without_repeats(records: Vec<Record>) -> Vec<Record> {
    let state = foldhash::quality::RandomState::default();
    let mut places: foldhash::HashMap<u64, usize> =
        HashMap::with_capacity_and_hasher(records.len(), Default::default());
    let mut kept: Vec<Record> = Vec::with_capacity(records.len());
    'records: for record in records {
        let mut key = identity_hash(&state, &record);
        while let Some(place) = places.get(&key) {
            if kept[*place].cmp_identity(&record) == Ordering::Equal {
                continue 'records;
            }
            key = key.wrapping_add(1);
        }
        places.insert(key, kept.len());
        kept.push(record);
    }
    kept
}

fn identity_hash(state: &foldhash::quality::RandomState, record: &Record) -> u64 {
    let mut hasher = state.build_hasher();
    hasher.write_u64(name_hash(record.name()));
    record.type_text().hash(&mut hasher);
    record.normalised_value().hash(&mut hasher);
    hasher.finish()
}

/// Has a snapshot judged and, if the judge says so, applied. When this returns, it is on disk.
pub(super) async fn take(shared: &Arc<Shared>, prepared: Prepared, source: &Source) -> Result<Outcome, StoreError> {
    let settings = shared.settings();
    let Prepared { node_id: sender, seq, timestamp, records, hash, faults, named } = prepared;
    let faulty = || format!("{faults} of its records cannot be served: {}", named.join("; "));
    let view = shared.store.view();
    if view.seen.len() >= MAX_SENDERS && !view.seen.contains_key(&sender) {
        return Ok(Outcome::Refused(format!("we remember {MAX_SENDERS} senders already, and it is another one")));
    }
    let fault = match settings.invalid_records {
        InvalidRecords::Reject if faults > 0 => Some(faulty()),
        // What cannot be read was not meant to empty us (R9).
        InvalidRecords::Skip if faults > 0 && records.is_empty() => {
            Some(format!("nothing of it is left: {}", faulty()))
        }
        _ => None,
    };
    let facts = Facts {
        policy: settings.policy,
        own_id: shared.node_id(),
        sender: sender.clone(),
        kind: source.kind,
        seq,
        empty: records.is_empty() && faults == 0,
        hash,
        fault,
        acknowledged: source.acknowledged,
        held_before: false,
        content_is_senders: false,
    };
    let offer = Offer { sender: sender.clone(), seq: seq.max(1), timestamp, records, hash, via: source.via.clone() };
    let kept_out = Arc::new(OnceLock::new());
    let (content, reasons) = (Arc::clone(&shared.content), Arc::clone(&kept_out));
    let judge = Box::new(move |standing: crate::store::Standing<'_>, offer: &Offer| {
        let facts = Facts {
            held_before: content.held(offer.hash),
            content_is_senders: content.is_senders(&offer.sender, standing.own.seq),
            ..facts
        };
        match policy::judge(&facts, standing) {
            Judgement::Apply => {
                content.applies(&offer.sender, offer.hash, standing.own.seq);
                Verdict::Apply
            }
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
    let outcome = match judged.verdict {
        Verdict::Apply => Outcome::Applied { added: judged.added, removed: judged.removed },
        Verdict::Duplicate => kept_out.get().cloned().map_or(Outcome::Duplicate, Outcome::Refused),
        Verdict::Refuse { reason, .. } => Outcome::Refused(reason),
    };
    if let Outcome::Applied { added, removed } = &outcome {
        info!(sender, seq, added, removed, via = source.via, "applied a peer's snapshot");
        if faults > 0 {
            warn!(sender, seq, "left out of a peer's snapshot: {}", faulty());
        }
    } else if let Outcome::Refused(reason) = &outcome {
        shared.inbound.refusal_is_news(&sender, reason).then(|| {
            warn!(sender, seq, reason, via = source.via, "refused a peer's snapshot");
        });
    }
    shared.inbound.judged(&sender, seq, &outcome);
    Ok(outcome)
}

/// Tells the peers that are this node what became of its snapshot.
pub(super) fn note_for_peers(peers: &[Arc<Peer>], sender: &str, outcome: &Outcome) {
    let refusal = match outcome {
        Outcome::Refused(reason) => Some(reason.clone()),
        _ => None,
    };
    let is_senders = |peer: &&Arc<Peer>| peer.known().node_id.as_deref() == Some(sender);
    peers.iter().filter(is_senders).for_each(|peer| peer.pushed_to_us(refusal.clone()));
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
        assert_eq!((prepared.records.len(), prepared.records[0].ttl), (2, 1));
        assert_eq!((prepared.faults, prepared.named.len()), (21, NAMED));
        assert!(prepared.named[0].contains("bad0.test") && prepared.named[0].contains("value"));
        assert_eq!(prepared.hash, ContentHash::of_all(&prepared.records));
    }
}
