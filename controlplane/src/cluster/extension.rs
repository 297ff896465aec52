//! The frames of our extension: receipts, differences, snapshots in parts. Sent only where they were agreed on.

use super::{
    frame::{PREFIX, prefix_of},
    gathered::Gathered,
    message::{BadFrame, Message, framed},
};
use crate::{
    hash::ContentHash,
    record::{Record, json},
    records::{Records, Row},
    store::{SetKey, Touched},
};
use serde::Serialize;
use std::sync::Arc;

/// Longest part of a snapshot, octets.
pub(super) const PART: usize = 1 << 20;
/// A part of this length is sent; the largest record, of 64 KiB in the longest spelling, still fitted in.
const FULL_PART: usize = PART / 2;

/// Whose write a content is: what snapshots and differences are judged by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Label {
    pub(super) node_id: String,
    pub(super) seq: u64,
    pub(super) timestamp: i64,
}

/// What a receiver made of a snapshot or difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Applied,
    Duplicate,
    Refused,
    /// The difference is to something that the receiver does not hold.
    NeedFull,
}

impl Word {
    const ALL: [Self; 4] = [Self::Applied, Self::Duplicate, Self::Refused, Self::NeedFull];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Duplicate => "duplicate",
            Self::Refused => "refused",
            Self::NeedFull => "need_full",
        }
    }
}

/// `records_ack`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ack {
    pub(super) seq: u64,
    pub(super) word: Word,
    pub(super) reason: String,
    /// The receiver's content afterwards.
    pub(super) hash: ContentHash,
}

/// `records_delta`.
#[derive(Debug)]
pub(super) struct DeltaFrame {
    pub(super) label: Label,
    /// Content hash of the records that it is about.
    pub(super) base: ContentHash,
    /// Records that come, or replace the one of their identity.
    pub(super) upserts: Gathered,
    /// Records that go.
    pub(super) deletes: Gathered,
    /// Content hash once applied.
    pub(super) hash: ContentHash,
    /// The writer made it on top of `base`, of nothing but its own writes.
    pub(super) informed: bool,
}

/// `records_begin`.
#[derive(Clone, Debug)]
pub(super) struct Begin {
    pub(super) label: Label,
    pub(super) count: u64,
    pub(super) hash: ContentHash,
}

impl Message<'_> {
    pub(super) fn label(&self) -> Result<Label, BadFrame> {
        Ok(Label {
            node_id: self.node_id()?,
            seq: self.field("seq")?.unwrap_or_default(),
            timestamp: self.field("timestamp_unix")?.unwrap_or_default(),
        })
    }

    /// A content hash, which may be absent.
    pub(super) fn hash(&self, key: &'static str) -> Result<Option<ContentHash>, BadFrame> {
        let Some(text) = self.field::<String>(key)? else { return Ok(None) };
        let fault = || BadFrame::Field { key, fault: "not 64 hexadecimal digits".to_owned() };
        ContentHash::parse(&text).map(Some).ok_or_else(fault)
    }

    fn needed_hash(&self, key: &'static str) -> Result<ContentHash, BadFrame> {
        self.hash(key)?.ok_or_else(|| BadFrame::Field { key, fault: "missing".to_owned() })
    }

    /// Reads it as `records_ack`.
    pub(super) fn ack(&self) -> Result<Ack, BadFrame> {
        let said: String = self.field("verdict")?.unwrap_or_default();
        let word = Word::ALL.into_iter().find(|word| word.as_str() == said);
        let fault = || BadFrame::Field { key: "verdict", fault: format!("`{said}` is no verdict") };
        Ok(Ack {
            seq: self.field("seq")?.unwrap_or_default(),
            word: word.ok_or_else(fault)?,
            reason: self.field::<String>("reason")?.unwrap_or_default().chars().take(500).collect(),
            hash: self.needed_hash("hash")?,
        })
    }

    /// Reads it as `records_delta`. Takes time in proportion to its length.
    pub(super) fn delta(&self) -> Result<DeltaFrame, BadFrame> {
        Ok(DeltaFrame {
            label: self.label()?,
            base: self.needed_hash("base_hash")?,
            upserts: self.records("upserts")?,
            deletes: self.records("deletes")?,
            hash: self.needed_hash("hash")?,
            informed: self.field("informed")?.unwrap_or_default(),
        })
    }

    /// Reads it as `records_begin`.
    pub(super) fn begin(&self) -> Result<Begin, BadFrame> {
        Ok(Begin {
            label: self.label()?,
            count: self.field("count")?.unwrap_or_default(),
            hash: self.needed_hash("hash")?,
        })
    }

    /// The sender's clock, milliseconds since 1970.
    pub(super) fn clock(&self) -> Option<u64> {
        self.field("time_unix_ms").ok().flatten()
    }
}

/// `ping` or `pong` on a kept connection: what we hold, and what time it is here.
pub(super) fn pulse(kind: &str, hash: ContentHash, now_ms: u64) -> Vec<u8> {
    #[derive(Serialize)]
    struct Pulse<'a> {
        r#type: &'a str,
        hash: String,
        time_unix_ms: u64,
    }
    framed(&Pulse { r#type: kind, hash: hash.to_string(), time_unix_ms: now_ms })
}

/// `pull` from a peer that may answer with a difference to what we hold.
pub(super) fn pull(hash: ContentHash) -> Vec<u8> {
    #[derive(Serialize)]
    struct Pull {
        r#type: &'static str,
        hash: String,
    }
    framed(&Pull { r#type: "pull", hash: hash.to_string() })
}

/// `records_ack`.
pub(super) fn ack(label: &Label, word: Word, reason: &str, hash: ContentHash) -> Vec<u8> {
    #[derive(Serialize)]
    struct AckFrame<'a> {
        r#type: &'static str,
        node_id: &'a str,
        seq: u64,
        verdict: &'static str,
        #[serde(skip_serializing_if = "str::is_empty")]
        reason: &'a str,
        hash: String,
    }
    let Label { node_id, seq, .. } = label;
    framed(&AckFrame {
        r#type: "records_ack",
        node_id,
        seq: *seq,
        verdict: word.as_str(),
        reason,
        hash: hash.to_string(),
    })
}

/// The beginning of frames with a label: an object that is still open.
fn head(kind: &str, label: &Label, more: &[(&str, &str)]) -> Vec<u8> {
    let mut frame = vec![0; PREFIX];
    let text = |frame: &mut Vec<u8>, text: &str| {
        // A string always serialises, and memory always takes it.
        let _ = json::to_writer(frame, &text);
    };
    frame.extend_from_slice(b"{\"type\":");
    text(&mut frame, kind);
    frame.extend_from_slice(b",\"node_id\":");
    text(&mut frame, &label.node_id);
    frame.extend_from_slice(format!(",\"seq\":{},\"timestamp_unix\":{}", label.seq, label.timestamp).as_bytes());
    for (key, value) in more {
        frame.extend_from_slice(format!(",\"{key}\":\"{value}\"").as_bytes());
    }
    frame
}

fn close(mut frame: Vec<u8>) -> Vec<u8> {
    let length = prefix_of(frame.len() - PREFIX);
    frame[..PREFIX].copy_from_slice(&length);
    frame
}

/// `records_delta`: what turns `base` into `now`, given the sets that differ. `None` if a whole snapshot is shorter.
pub(super) fn delta(
    label: &Label,
    base: &Records,
    now: &Records,
    touched: &Touched,
    informed: bool,
) -> Option<Vec<u8>> {
    if touched.len() > now.len() / 2 + 100 {
        return None;
    }
    let (from, to) = (base.hash().to_string(), now.hash().to_string());
    let mut frame = head("records_delta", label, &[("base_hash", &from), ("hash", &to)]);
    if informed {
        frame.extend_from_slice(b",\"informed\":true");
    }
    let sets = || touched.iter().map(|SetKey { name, kind }| (base.of_set(name, *kind), now.of_set(name, *kind)));
    frame.extend_from_slice(b",\"upserts\":[");
    let mut first = true;
    for (old, new) in sets() {
        for row in
            new.iter().filter(|row| row.record.is_servable() && !old.iter().any(|held| held.record == row.record))
        {
            separate(&mut frame, &mut first);
            json::append_record_lean(&mut frame, &row.record);
        }
    }
    frame.extend_from_slice(b"],\"deletes\":[");
    first = true;
    for (old, new) in sets() {
        for row in old.iter().filter(|row| row.record.is_servable() && !holds(new, &row.record)) {
            separate(&mut frame, &mut first);
            json::append_identity(&mut frame, &row.record);
        }
    }
    frame.extend_from_slice(b"]}");
    Some(close(frame))
}

fn holds(rows: &[Arc<Row>], record: &Record) -> bool {
    rows.iter().any(|row| row.record.cmp_identity(record).is_eq())
}

fn separate(frame: &mut Vec<u8>, first: &mut bool) {
    if !std::mem::take(first) {
        frame.push(b',');
    }
}

/// `records_begin`.
pub(super) fn begin(label: &Label, count: usize, hash: ContentHash) -> Vec<u8> {
    let mut frame = head("records_begin", label, &[("hash", &hash.to_string())]);
    frame.extend_from_slice(format!(",\"count\":{count}}}").as_bytes());
    close(frame)
}

/// `records_end`.
pub(super) fn end() -> Vec<u8> {
    super::message::plain("records_end", "")
}

/// The `records_part` frames of a store, each made when it is asked for.
pub(super) struct Parts {
    records: Records,
    /// Shard that comes next; rows of one are never split over so many parts that it matters.
    shard: usize,
    within: usize,
}

impl Parts {
    pub(super) fn of(records: Records) -> Self {
        Self { records, shard: 0, within: 0 }
    }

    /// The next frame; `None` when all have been made.
    pub(super) fn next(&mut self) -> Option<Vec<u8>> {
        let mut frame = vec![0; PREFIX];
        frame.extend_from_slice(b"{\"type\":\"records_part\",\"records\":[");
        let mut first = true;
        while let Some(rows) = self.records.shard(self.shard) {
            while let Some(row) = rows.get(self.within) {
                if frame.len() >= FULL_PART && !first {
                    frame.extend_from_slice(b"]}");
                    return Some(close(frame));
                }
                self.within += 1;
                if row.record.is_servable() {
                    separate(&mut frame, &mut first);
                    json::append_record_lean(&mut frame, &row.record);
                }
            }
            (self.shard, self.within) = (self.shard + 1, 0);
        }
        if first {
            return None;
        }
        frame.extend_from_slice(b"]}");
        Some(close(frame))
    }
}
