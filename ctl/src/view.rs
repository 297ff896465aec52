//! Shows the control plane's documents to people.
//!
//! The control plane owns these documents and adds to them; a view knows a nice place for the keys it has heard of, shows
//! the others after them as they are, and does not mind a missing one.

mod adblock;
mod cluster;
mod config;
mod conflicts;
mod dns;
mod history;
mod peers;
mod server;

pub(crate) use adblock::{block_lists, blocked};
pub(crate) use cluster::cluster;
pub(crate) use config::config;
pub(crate) use conflicts::conflicts;
pub(crate) use dns::dns;
pub(crate) use history::history;
pub(crate) use server::server;

use serde_json::{Map, Value};

type Object = Map<String, Value>;

/// The objects of a list that may be null or missing.
fn list<'a>(object: &'a Object, key: &str) -> Vec<&'a Object> {
    object.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object).collect()
}

/// Whether there is nothing to say. Inside objects zero is nothing too: counters that never counted are noise.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.values().all(is_nothing),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn is_nothing(value: &Value) -> bool {
    is_empty(value) || value.as_u64() == Some(0)
}

fn scalar(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => whole_seconds(text),
        Value::Array(items) => items.iter().map(scalar).collect::<Vec<_>>().join(", "),
        Value::Object(entries) => match (entries.get("number"), entries.get("session")) {
            // A generation: the number is what people compare, the session when it does not fit.
            (Some(number), Some(session)) if entries.len() == 2 => format!("{} of {}", scalar(number), scalar(session)),
            _ => {
                let said = entries.iter().filter(|(_, value)| !is_nothing(value));
                said.map(|(key, value)| format!("{key} {}", scalar(value))).collect::<Vec<_>>().join(", ")
            }
        },
    }
}

/// An RFC 3339 time without the fraction of its second, which only machines read; other text as it is.
pub(crate) fn whole_seconds(text: &str) -> String {
    let shape = |start: &str| {
        let digits = start.bytes().map(|byte| if byte.is_ascii_digit() { b'0' } else { byte });
        digits.eq("0000-00-00T00:00:00".bytes())
    };
    match text.split_once('.') {
        Some((start, rest)) if shape(start) => {
            format!("{start}{}", rest.trim_start_matches(|character: char| character.is_ascii_digit()))
        }
        _ => text.to_owned(),
    }
}

/// The texts of a list that may be missing.
fn list_of_text(object: &Object, key: &str) -> Vec<String> {
    let items = object.get(key).and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// A text that is there and says something.
fn text<'a>(object: &'a Object, key: &str) -> Option<&'a str> {
    object.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn number(object: &Object, key: &str) -> Option<u64> {
    object.get(key).and_then(Value::as_u64)
}

fn flag(object: &Object, key: &str) -> Option<bool> {
    object.get(key).and_then(Value::as_bool)
}

/// What no view has heard of, with labels of its own keys.
fn rest<'a>(object: &'a Object, known: &'a [&str]) -> impl Iterator<Item = (String, String)> + 'a {
    let others = object.iter().filter(|(key, value)| !known.contains(&key.as_str()) && !is_empty(value));
    others.map(|(key, value)| (key.replace('_', " "), scalar(value)))
}

/// `1 record`, `2 records`.
fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_lose_their_fraction_and_nothing_else_does() {
        assert_eq!(whole_seconds("2026-11-22T23:17:57.445407386Z"), "2026-11-22T23:17:57Z");
        assert_eq!(whole_seconds("2026-11-22T23:17:57.5+02:00"), "2026-11-22T23:17:57+02:00");
        for text in ["2026-11-22T23:17:57Z", "192.0.2.1", "", "a.b"] {
            assert_eq!(whole_seconds(text), text);
        }
    }
}
