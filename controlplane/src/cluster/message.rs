//! What a frame says: JSON objects told apart by their `type`.
//!
//! Reading follows existing nodes to the letter, because they are who writes: first the whole text must be one JSON
//! object with a `type` we know, then the fields of that type must have the right JSON types, or the frame is refused
//! whole. Keys match without case, unknown ones are passed over, `null` is absent, the last of two equal keys wins.
//! Octets that are not UTF-8 and escapes of half a surrogate pair become U+FFFD.

use super::{
    extension::Label,
    frame::{MAX_FRAME, PREFIX, prefix_of},
    gathered::Gathered,
};
use crate::{record::json, records::Records};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt};

/// Longest `node_id` we take: existing nodes' are 21 characters, and every one seen is remembered.
const MAX_NODE_ID: usize = 255;

/// A frame that does not say what its type must say. Nothing of it was used (R8).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadFrame {
    #[error("it is not a JSON object: {0}")]
    Syntax(String),
    #[error("`{key}`: {fault}")]
    Field { key: &'static str, fault: String },
}

/// The text of a frame, with what is no text replaced by U+FFFD.
pub(super) fn text_of(body: Vec<u8>) -> String {
    let mut text = String::from_utf8(body).unwrap_or_else(|error| {
        let mut text = String::with_capacity(error.as_bytes().len());
        for chunk in error.as_bytes().utf8_chunks() {
            text.push_str(chunk.valid());
            text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
        }
        text
    });
    // Searching for one character is far faster than looking at each, and most frames hold few escapes or none.
    let Some(mut from) = text.find('\\') else {
        return text;
    };
    while let Some(at) = lone_surrogate(text.as_bytes(), from) {
        text.replace_range(at..at + ESCAPE, "\\ufffd");
        from = at + ESCAPE;
    }
    text
}

/// Length of an escape of four hexadecimal digits.
const ESCAPE: usize = 6;

/// Where the next of `\uD800` … `\uDFFF` stands without its other half (RFC 8259 §8.2). Backslashes occur only within
/// strings, so strings need not be told apart.
fn lone_surrogate(text: &[u8], from: usize) -> Option<usize> {
    let unit = |at: usize| {
        let digits = text.get(at..at + ESCAPE)?.strip_prefix(b"\\u")?;
        digits.iter().all(u8::is_ascii_hexdigit).then_some(())?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let mut at = from;
    while let Some(step) = text.get(at..)?.iter().position(|byte| *byte == b'\\') {
        at += step;
        at += match unit(at) {
            Some(0xD800..=0xDBFF) if matches!(unit(at + ESCAPE), Some(0xDC00..=0xDFFF)) => 2 * ESCAPE,
            Some(0xD800..=0xDFFF) => return Some(at),
            Some(_) => ESCAPE,
            None => 2,
        };
    }
    None
}

/// Keys that mean something to us; values of all others are checked for syntax and passed over.
const KEYS: [&str; 25] = [
    "type",
    "token",
    "message",
    "features",
    "node_id",
    "instance",
    "seq",
    "timestamp_unix",
    "records",
    "admin_token",
    "hash",
    "base_hash",
    "upserts",
    "deletes",
    "informed",
    "count",
    "verdict",
    "reason",
    "time_unix_ms",
    "cluster_auth_token",
    "cluster_peers",
    "cluster_replica_only",
    "cluster_reject_local_writes",
    "cluster_admin",
    "cluster_sync_interval_seconds",
];

/// A frame of which the outer shape was understood.
#[derive(Debug, Default)]
pub(super) struct Message<'a> {
    kind: String,
    fields: [Option<&'a RawValue>; KEYS.len()],
}

/// What a client says of itself in `auth`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Auth {
    pub(super) token: String,
    /// Present only when the client is of our kind.
    pub(super) greeting: Option<Greeting>,
}

/// What nodes of our kind tell each other beside the token. Existing nodes pass over it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Greeting {
    pub(super) features: Vec<String>,
    pub(super) node_id: String,
    /// Drawn at random when a process starts: tells ourselves from another node with our id (R11).
    pub(super) instance: String,
}

/// A `records_full`.
#[derive(Debug)]
pub(super) struct RecordsFull {
    pub(super) node_id: String,
    pub(super) seq: u64,
    pub(super) timestamp: i64,
    pub(super) records: Gathered,
}

impl<'a> Message<'a> {
    /// First stage: one JSON object, nothing after it, and the text of its `type` (empty if it has none).
    pub(super) fn parse(text: &'a str) -> Result<Self, BadFrame> {
        let message: Option<Self> = serde_json::from_str(text).map_err(|error| BadFrame::Syntax(error.to_string()))?;
        let mut message = message.unwrap_or_default();
        message.kind = message.field("type")?.unwrap_or_default();
        Ok(message)
    }

    /// The `type`, with its case.
    pub(super) fn kind(&self) -> &str {
        &self.kind
    }

    /// The `message` of `error`, `auth_fail` and, oddly, any `ping`.
    pub(super) fn message(&self) -> Result<String, BadFrame> {
        Ok(self.field("message")?.unwrap_or_default())
    }

    /// Reads it as `auth`.
    pub(super) fn auth(&self) -> Result<Auth, BadFrame> {
        Ok(Auth { token: self.field("token")?.unwrap_or_default(), greeting: self.greeting() })
    }

    /// What a node of our kind says of itself: `features` and `node_id` are both there. Wrong types are no error, they
    /// are somebody else's fields.
    pub(super) fn greeting(&self) -> Option<Greeting> {
        Some(Greeting {
            features: self.field("features").ok()??,
            node_id: self.field::<String>("node_id").ok()?.filter(|id| id.len() <= MAX_NODE_ID)?,
            instance: self.field("instance").ok().flatten().unwrap_or_default(),
        })
    }

    /// Reads it as `records_full`. Takes time in proportion to its length.
    pub(super) fn records_full(&self) -> Result<RecordsFull, BadFrame> {
        let Label { node_id, seq, timestamp } = self.label()?;
        Ok(RecordsFull { node_id, seq, timestamp, records: self.records("records")? })
    }

    /// The `node_id`, verbatim; empty if there is none.
    pub(super) fn node_id(&self) -> Result<String, BadFrame> {
        let node_id: String = self.field("node_id")?.unwrap_or_default();
        if node_id.len() > MAX_NODE_ID {
            let fault = format!("{} bytes; at most {MAX_NODE_ID} are taken", node_id.len());
            return Err(BadFrame::Field { key: "node_id", fault });
        }
        Ok(node_id)
    }

    /// A list of records, tidied; none if it is absent.
    pub(super) fn records(&self, key: &'static str) -> Result<Gathered, BadFrame> {
        Ok(self.field(key)?.unwrap_or_default())
    }

    pub(super) fn field<T: Deserialize<'a>>(&self, key: &'static str) -> Result<Option<T>, BadFrame> {
        let raw = KEYS.iter().position(|known| *known == key).and_then(|at| self.fields[at]);
        match raw {
            Some(raw) => serde_json::from_str::<Option<T>>(raw.get())
                .map_err(|error| BadFrame::Field { key, fault: error.to_string() }),
            None => Ok(None),
        }
    }
}

impl<'de> Deserialize<'de> for Message<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MessageVisitor;
        impl<'de> Visitor<'de> for MessageVisitor {
            type Value = Message<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Message<'de>, A::Error> {
                let mut message = Message::default();
                while let Some(key) = map.next_key::<Cow<'de, str>>()? {
                    match KEYS.iter().position(|known| known.eq_ignore_ascii_case(&key)) {
                        Some(at) => message.fields[at] = map.next_value::<Option<&RawValue>>()?.or(message.fields[at]),
                        None => _ = map.next_value::<IgnoredAny>()?,
                    }
                }
                Ok(message)
            }
        }
        deserializer.deserialize_map(MessageVisitor)
    }
}

/// Reads a well-formed `records_full` in one pass; `None` means no more than that the two stages must look at it.
pub(super) fn records_full_at_once(text: &str) -> Option<RecordsFull> {
    let ours = text.starts_with("{\"type\":\"records_full\",");
    let full = ours.then(|| serde_json::from_str::<RecordsFull>(text).ok()).flatten()?;
    (full.node_id.len() <= MAX_NODE_ID).then_some(full)
}

impl<'de> Deserialize<'de> for RecordsFull {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FullVisitor;
        impl<'de> Visitor<'de> for FullVisitor {
            type Value = RecordsFull;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("records_full")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RecordsFull, A::Error> {
                let records = Gathered::default();
                let mut full = RecordsFull { node_id: String::new(), seq: 0, timestamp: 0, records };
                let mut seen = [false; 5];
                while let Some(key) = map.next_key::<Cow<'de, str>>()? {
                    let known = ["type", "node_id", "seq", "timestamp_unix", "records"];
                    let Some(at) = known.iter().position(|known| known.eq_ignore_ascii_case(&key)) else {
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    };
                    // A key given twice has rules of its own.
                    if std::mem::replace(&mut seen[at], true) {
                        return Err(serde::de::Error::custom("a key given twice"));
                    }
                    match at {
                        0 => _ = map.next_value::<IgnoredAny>()?,
                        1 => full.node_id = map.next_value::<Option<String>>()?.unwrap_or_default(),
                        2 => full.seq = map.next_value::<Option<u64>>()?.unwrap_or_default(),
                        3 => full.timestamp = map.next_value::<Option<i64>>()?.unwrap_or_default(),
                        _ => full.records = map.next_value::<Option<Gathered>>()?.unwrap_or_default(),
                    }
                }
                Ok(full)
            }
        }
        deserializer.deserialize_map(FullVisitor)
    }
}

/// Frames that say no more than their type, and perhaps why.
#[derive(Serialize)]
struct Plain<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'a str,
}

#[derive(Serialize)]
struct Hello<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    features: Option<&'a [&'a str]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<&'a str>,
}

/// A frame with a type and, unless empty, a `message`.
pub(super) fn plain(kind: &str, message: &str) -> Vec<u8> {
    framed(&Plain { kind, message })
}

/// Our `auth`.
pub(super) fn auth(token: &str, features: &[&str], node_id: &str, instance: &str) -> Vec<u8> {
    let (features, node_id, instance) = (Some(features), Some(node_id), Some(instance));
    framed(&Hello { kind: "auth", token: Some(token), features, node_id, instance })
}

/// Our `auth_ok`: bare for existing nodes, with what we are for our own kind.
pub(super) fn auth_ok(ours: Option<(&[&str], &str, &str)>) -> Vec<u8> {
    let (features, node_id, instance) = match ours {
        Some((features, node_id, instance)) => (Some(features), Some(node_id), Some(instance)),
        None => (None, None, None),
    };
    framed(&Hello { kind: "auth_ok", token: None, features, node_id, instance })
}

pub(super) fn framed(value: &impl Serialize) -> Vec<u8> {
    // Strings and lists of strings always serialise.
    super::frame::encode(&json::to_vec(value).unwrap_or_default())
}

/// A store that does not fit into one frame, and how many bytes it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("our records take {size} bytes, more than the {MAX_FRAME} that one frame holds; they cannot be sent")]
pub(super) struct TooLarge {
    pub(super) size: usize,
}

/// Records as a whole frame, byte for byte what an existing node would send.
pub(super) fn snapshot(label: &Label, records: &Records) -> Result<Vec<u8>, TooLarge> {
    #[derive(Serialize)]
    struct Head<'a> {
        #[serde(rename = "type")]
        kind: &'a str,
        node_id: &'a str,
        seq: u64,
        #[serde(skip_serializing_if = "is_zero")]
        timestamp_unix: i64,
        records: (),
    }
    fn is_zero(seconds: &i64) -> bool {
        *seconds == 0
    }
    let mut frame = vec![0; PREFIX];
    let Label { node_id, seq, timestamp } = label;
    let head = Head { kind: "records_full", node_id, seq: *seq, timestamp_unix: *timestamp, records: () };
    // Only writing can fail, and writing to memory does not.
    let _ = json::to_writer(&mut frame, &head);
    let mut dropped = 0;
    if !records.is_empty() {
        frame.truncate(frame.len() - "null}".len());
        for (separator, row) in std::iter::once(b'[').chain(std::iter::repeat(b',')).zip(records.in_order()) {
            frame.push(separator);
            json::append_record(&mut frame, &row.record);
            if frame.len() > MAX_FRAME + PREFIX {
                // Only its size is of interest now.
                dropped += frame.len();
                frame.clear();
            }
        }
        frame.extend_from_slice(b"]}");
    }
    let size = dropped + frame.len() - PREFIX;
    if size > MAX_FRAME {
        return Err(TooLarge { size });
    }
    frame[..PREFIX].copy_from_slice(&prefix_of(size));
    Ok(frame)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kind(text: &str) -> Result<String, BadFrame> {
        Message::parse(text).map(|message| message.kind)
    }

    #[test]
    fn the_type_is_found_as_existing_nodes_find_it() {
        for (text, found) in [
            (r#"{"type":"ping"}"#, Some("ping")),
            ("\n\t{ \"TYPE\" : \"ping\" }\r\n", Some("ping")),
            (r#"{"type":"PING"}"#, Some("PING")),
            (r#"{"type":"x","type":"ping"}"#, Some("ping")),
            (r#"{"type":"ping","type":null}"#, Some("ping")),
            (r#"{"x":1}"#, Some("")),
            ("null", Some("")),
            (r#"{"type":5}"#, None),
            (r#"{"type":"ping"}x"#, None),
            ("\u{feff}{\"type\":\"ping\"}", None),
            ("[1]", None),
            ("", None),
            (r#"{"type":"ping","x":nul}"#, None),
        ] {
            assert_eq!(kind(text).ok().as_deref(), found, "{text}");
        }
    }

    #[test]
    fn a_frame_with_a_field_of_the_wrong_type_is_refused_and_says_which() {
        for (field, key) in [
            (r#""seq":7.0"#, "seq"),
            (r#""seq":7e0"#, "seq"),
            (r#""seq":"7""#, "seq"),
            (r#""seq":-1"#, "seq"),
            (r#""seq":18446744073709551616"#, "seq"),
            (r#""timestamp_unix":"1""#, "timestamp_unix"),
            (r#""node_id":5"#, "node_id"),
            (r#""records":{}"#, "records"),
            (r#""records":[{"name":"a"},{"name":5}]"#, "records"),
            (r#""records":[{"ttl":60.0}]"#, "records"),
        ] {
            let text = format!("{{\"type\":\"records_full\",{field}}}");
            let refused = Message::parse(&text).unwrap().records_full().unwrap_err();
            assert!(matches!(refused, BadFrame::Field { key: found, .. } if found == key), "{text}: {refused}");
        }
        let largest = r#"{"type":"records_full","node_id":"m","SEQ":18446744073709551615,"records":[null]}"#;
        let read = Message::parse(largest).unwrap().records_full().unwrap();
        assert_eq!((read.seq, read.records.count()), (u64::MAX, 1));
    }

    #[test]
    fn what_is_no_text_becomes_replacement_characters() {
        assert_eq!(text_of(b"\"\xff\xfe\"".to_vec()), "\"\u{fffd}\u{fffd}\"");
        assert_eq!(text_of(b"\"\xe2\x82\"".to_vec()), "\"\u{fffd}\u{fffd}\"", "one for each octet");
        for (written, kept) in [
            (r#""\ud800""#, r#""\ufffd""#),
            (r#""\uDC00x""#, r#""\ufffdx""#),
            (r#""\ud83d\ude42""#, r#""\ud83d\ude42""#),
            (r#""\ud83d\ud83d\ude42""#, r#""\ufffd\ud83d\ude42""#),
            (r#""\\ud800""#, r#""\\ud800""#),
            (r#""\\\ud800""#, r#""\\\ufffd""#),
            (r#""\ud8""#, r#""\ud8""#),
        ] {
            assert_eq!(text_of(written.as_bytes().to_vec()), kept);
        }
    }

    #[test]
    fn only_a_client_that_says_features_and_node_id_is_of_our_kind() {
        let greeting = |text| Message::parse(text).unwrap().auth().unwrap().greeting;
        assert_eq!(greeting(r#"{"type":"auth","token":"t","features":["x"],"v":{"a":1}}"#), None);
        assert_eq!(greeting(r#"{"type":"auth","token":"t","features":5,"node_id":"n"}"#), None);
        let ours = auth("t", &[], "n", "i");
        let text = text_of(ours[PREFIX..].to_vec());
        assert_eq!(text, r#"{"type":"auth","token":"t","features":[],"node_id":"n","instance":"i"}"#);
        assert!(greeting(&text).is_some_and(|greeting| greeting.instance == "i"));
        assert_eq!(auth_ok(None)[PREFIX..], *br#"{"type":"auth_ok"}"#);
        assert_eq!(plain("error", "auth required"), *b"\0\0\0\x2a{\"type\":\"error\",\"message\":\"auth required\"}");
    }

    proptest! {
        #[test]
        fn no_octets_make_reading_fail_otherwise_than_by_name(octets in prop::collection::vec(any::<u8>(), 0..200)) {
            let text = text_of(octets);
            if let Ok(message) = Message::parse(&text) {
                let _ = (message.auth(), message.message(), message.records_full().is_ok());
            }
        }

        #[test]
        fn repaired_text_is_read_wherever_the_original_was_a_string(text in "([a-c\"\\\\]|\\\\u(d8|dc|00)[0-9a-f]{2}|é){0,20}") {
            let quoted = format!("\"{}\"", text.replace('"', ""));
            let repaired = text_of(quoted.clone().into_bytes());
            if let Ok(original) = serde_json::from_str::<String>(&quoted) {
                prop_assert_eq!(serde_json::from_str::<String>(&repaired).unwrap(), original);
            }
        }
    }
}
