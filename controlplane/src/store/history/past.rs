//! One change as history tells it, and how it is read from an entry of the log.

use crate::{
    record::{Record, Time},
    store::entry::{Counts, Placed},
};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use std::{fmt, io};

/// Names that a change is described by.
const NAMED: usize = 5;

/// Which rows of a change are wanted, and how many of them are kept.
pub(in crate::store) struct Wanted<'a> {
    /// Whether a row is.
    pub(in crate::store) matches: &'a dyn Fn(&Record) -> bool,
    /// The name that all wanted rows have: entries without it need not be read.
    pub(in crate::store) name: Option<&'a str>,
    /// Rows kept on each side.
    pub(in crate::store) most: usize,
}

/// A change that was made.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// Its number, which is that of the generation afterwards.
    pub number: u64,
    /// Milliseconds since 1970.
    pub at: u64,
    /// Who asked for it.
    pub by: String,
    /// The node whose records came, if they were a peer's.
    pub node_id: Option<String>,
    /// Rows that went and came.
    pub removed: u64,
    /// See `removed`.
    pub added: u64,
    /// The first names among them.
    pub names: Vec<Box<str>>,
    /// Wanted rows that went, with their places.
    pub before: Vec<(u64, Record)>,
    /// Wanted rows that came.
    pub after: Vec<(u64, Record)>,
    /// Wanted rows beyond those kept.
    pub more: u64,
    /// So much changed that all records were written anew, and history has only the numbers.
    pub whole: bool,
}

/// What a change did to one record.
#[derive(Debug, PartialEq, Serialize)]
pub struct Step<'a> {
    /// As it was; nothing if it came.
    pub before: Option<&'a Record>,
    /// As it is afterwards; nothing if it went.
    pub after: Option<&'a Record>,
}

/// A change as programs are told.
#[derive(Serialize)]
pub(super) struct PastJson<'a> {
    number: u64,
    at: String,
    by: &'a str,
    /// Whose write it was.
    node_id: &'a str,
    /// Whether that is this node.
    local: bool,
    removed: u64,
    added: u64,
    names: &'a [Box<str>],
    records: Vec<Step<'a>>,
    /// Rows that were asked for and are not among `records`.
    more: u64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    whole: bool,
}

impl Past {
    /// Whether records changed: an entry may have learnt of a peer and nothing else.
    pub(super) fn is_change(&self) -> bool {
        self.removed + self.added > 0
    }

    /// Whether there is something to tell whoever asked.
    pub(super) fn is_wanted(&self) -> bool {
        self.is_change() && (self.whole || self.more > 0 || !self.before.is_empty() || !self.after.is_empty())
    }

    /// About what its rows take in an answer.
    pub(super) fn octets(&self) -> usize {
        /// Keys, times, an id.
        const BESIDE: usize = 300;
        let rows = self.before.iter().chain(&self.after);
        rows.map(|(_, record)| record.name().len() + record.value().len() + BESIDE).sum()
    }

    /// Record by record: a row that came in the place of another is what became of that one.
    pub fn steps(&self) -> Vec<Step<'_>> {
        let mut steps: Vec<_> = self.before.iter().map(|(place, record)| (*place, Some(record), None)).collect();
        steps.sort_unstable_by_key(|(place, ..)| *place);
        let held = steps.len();
        for (place, record) in &self.after {
            match steps[..held].binary_search_by_key(place, |(place, ..)| *place) {
                Ok(at) => steps[at].2 = Some(record),
                Err(_) => steps.push((*place, None, Some(record))),
            }
        }
        steps.sort_by_key(|(place, ..)| *place);
        steps.into_iter().map(|(_, before, after)| Step { before, after }).collect()
    }
}

impl<'a> PastJson<'a> {
    /// As seen on the node with this id.
    pub(super) fn of(past: &'a Past, own_id: &'a str) -> Self {
        Self {
            number: past.number,
            at: Time::at(past.at).to_string(),
            by: &past.by,
            node_id: past.node_id.as_deref().unwrap_or(own_id),
            local: past.node_id.is_none(),
            removed: past.removed,
            added: past.added,
            names: &past.names,
            records: past.steps(),
            more: past.more,
            whole: past.whole,
        }
    }
}

/// The number of an entry, which is the first thing in it.
pub(super) fn number_of(payload: &[u8]) -> Option<u64> {
    let rest = payload.strip_prefix(b"{\"number\":")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()
}

/// Whether an entry may be about this name: it occurs there, or JSON writes it with escapes, or rows were not kept.
pub(super) fn may_hold(payload: &[u8], name: &str) -> bool {
    let name = name.as_bytes();
    let occurs =
        |text: &[u8], payload: &[u8]| payload.windows(text.len()).any(|window| window.eq_ignore_ascii_case(text));
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'*');
    if name.is_empty() || !name.iter().all(plain) {
        return true;
    }
    // The counts stand before any rows, behind who asked.
    occurs(name, payload) || occurs(b"\"whole\":{", &payload[..payload.len().min(4096)])
}

/// Reads an entry, and of its rows those that are wanted.
pub(super) fn read(payload: impl io::Read, wanted: &Wanted<'_>) -> serde_json::Result<Past> {
    let mut deserializer = serde_json::Deserializer::from_reader(payload);
    EntrySeed(wanted).deserialize(&mut deserializer)
}

struct EntrySeed<'w>(&'w Wanted<'w>);

impl<'de> DeserializeSeed<'de> for EntrySeed<'_> {
    type Value = Past;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Past, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for EntrySeed<'_> {
    type Value = Past;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an entry of the change log")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Past, A::Error> {
        #[derive(Deserialize)]
        struct Node {
            node_id: String,
        }
        let mut past = Past::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "number" => past.number = map.next_value()?,
                "at" => past.at = map.next_value::<(u64, u32)>()?.0,
                "by" => past.by = map.next_value()?,
                "peer" => past.node_id = map.next_value::<Option<Node>>()?.map(|node| node.node_id),
                "before" => {
                    let count = map.next_value_seed(RowsSeed::new(self.0, &mut past, true))?;
                    past.removed += count;
                }
                "after" => {
                    let count = map.next_value_seed(RowsSeed::new(self.0, &mut past, false))?;
                    past.added += count;
                }
                "whole" => {
                    if let Some(counts) = map.next_value::<Option<Counts>>()? {
                        (past.whole, past.removed, past.added) = (true, counts.removed, counts.added);
                    }
                }
                _ => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(past)
    }
}

/// Reads rows one by one; comes to their number.
struct RowsSeed<'w> {
    wanted: &'w Wanted<'w>,
    kept: &'w mut Vec<(u64, Record)>,
    names: &'w mut Vec<Box<str>>,
    more: &'w mut u64,
}

impl<'w> RowsSeed<'w> {
    fn new(wanted: &'w Wanted<'w>, past: &'w mut Past, went: bool) -> Self {
        let kept = if went { &mut past.before } else { &mut past.after };
        Self { wanted, kept, names: &mut past.names, more: &mut past.more }
    }

    fn take(&mut self, Placed(place, record): Placed) {
        if self.names.len() < NAMED && !self.names.iter().any(|name| name.eq_ignore_ascii_case(record.name())) {
            self.names.push(record.name().into());
        }
        if (self.wanted.matches)(&record) {
            if self.kept.len() < self.wanted.most { self.kept.push((place, record)) } else { *self.more += 1 }
        }
    }
}

impl<'de> DeserializeSeed<'de> for RowsSeed<'_> {
    type Value = u64;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<u64, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for RowsSeed<'_> {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut rows: A) -> Result<u64, A::Error> {
        let mut count = 0;
        while let Some(row) = rows.next_element::<Placed>()? {
            count += 1;
            self.take(row);
        }
        Ok(count)
    }
}
