//! Shows a status document to people.
//!
//! The control plane owns these documents and adds to them; this module knows a nice place for the keys it has heard of,
//! shows the others after them as they are, and does not mind a missing one.

use crate::print::Output;
use serde_json::{Map, Value};
use std::io;

type Object = Map<String, Value>;

/// Key in the document, and what people call it.
type Label = (&'static str, &'static str);

const NODE: &[Label] = &[
    ("node_id", "node"),
    ("enabled", "cluster enabled"),
    ("listen_addr", "listens on"),
    ("listening", "bound to"),
    ("listen_error", "listen error"),
    ("state_error", "state error"),
    ("node_id_conflict", "same id elsewhere"),
    ("advertise_addr", "advertises"),
    ("local_seq", "sequence"),
    ("generation", "generation"),
    ("records", "records"),
    ("content_hash", "content hash"),
    ("sync_policy", "policy"),
    ("allowed_writer_node_ids", "allowed writers"),
    ("last_global_lww_unix", "last write (unix)"),
    ("last_global_lww_node_id", "last writer"),
    ("replica_only", "replica only"),
    ("reject_local_writes", "rejects local writes"),
    ("cluster_admin", "cluster admin"),
];

const PEER: &[Label] = &[
    ("address", "PEER"),
    ("node_id", "NODE"),
    ("kind", "KIND"),
    ("state", "STATE"),
    ("reachable", "REACHABLE"),
    ("last_probe_rtt_ms", "RTT MS"),
    ("last_outbound_ok", "LAST PUSH"),
    ("last_pull_ok", "LAST PULL"),
];

const PEER_NOTES: &[Label] = &[
    ("last_outbound_error", "push error"),
    ("last_pull_error", "pull error"),
    ("last_probe_error", "probe error"),
    ("last_refusal", "its snapshot was refused"),
    ("note", "note"),
    ("last_inbound_ok", "last heard"),
    ("last_probe_ok", "last probe"),
    ("acknowledged_seq", "acknowledged sequence"),
];

const SERVER: &[Label] = &[
    ("version", "version"),
    ("uptime_seconds", "up (seconds)"),
    ("ready", "ready"),
    ("records", "records"),
    ("generation", "generation"),
    ("content_hash", "content hash"),
    ("store", "store"),
    ("records_file", "records file"),
    ("api", "API"),
];

const DATA_PLANE: &[Label] = &[
    ("follower", "DATA PLANE"),
    ("version", "VERSION"),
    ("records", "RECORDS"),
    ("records_generation", "RECORDS"),
    ("settings", "SETTINGS"),
    ("settings_generation", "SETTINGS"),
    ("connected_seconds", "CONNECTED S"),
    ("listening", "LISTENING"),
];

const DATA_PLANE_NOTES: &[Label] = &[("listen_error", "listen error"), ("last_refusal", "refused a transfer")];

/// The `cluster` object, alone or inside a bigger document.
pub(crate) fn cluster(document: &Value, out: &mut Output<'_>) -> io::Result<()> {
    let inner = document.get("cluster").filter(|value| value.is_object()).unwrap_or(document);
    let Some(node) = inner.as_object() else { return out.line(&scalar(inner)) };
    summary(node, NODE, &["peers"], out)?;
    out.line("")?;
    match list(node, "peers").as_slice() {
        [] => out.line("no peers"),
        peers => table(peers, PEER, PEER_NOTES, out),
    }
}

/// The document of `server status`.
pub(crate) fn server(document: &Value, out: &mut Output<'_>) -> io::Result<()> {
    let Some(server) = document.as_object() else { return out.line(&scalar(document)) };
    summary(server, SERVER, &["data_planes", "problems"], out)?;
    out.line("")?;
    match list(server, "data_planes").as_slice() {
        [] => out.line("no data plane follows this control plane")?,
        planes => table(planes, DATA_PLANE, DATA_PLANE_NOTES, out)?,
    }
    let problems = server.get("problems").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    for (number, problem) in problems.iter().enumerate() {
        if number == 0 {
            out.line("")?;
            out.line("problems:")?;
        }
        out.line(&format!("  {}", scalar(problem)))?;
    }
    Ok(())
}

/// Known keys in their order, then the others; two columns.
fn summary(object: &Object, known: &[Label], elsewhere: &[&str], out: &mut Output<'_>) -> io::Result<()> {
    let named = known.iter().filter_map(|(key, label)| Some(((*label).to_owned(), object.get(*key)?)));
    let is_known = |key: &str| elsewhere.contains(&key) || known.iter().any(|(known, _)| *known == key);
    let others = object.iter().filter(|(key, _)| !is_known(key)).map(|(key, value)| (key.replace('_', " "), value));
    let rows = named.chain(others).filter(|(_, value)| !is_empty(value));
    out.table(&[], rows.map(|(label, value)| vec![label, scalar(value)]).collect())
}

/// One row for each object; a column appears when any row has something in it. What has no column follows below the
/// table, a line each: errors are sentences, and would squeeze the other columns.
fn table(objects: &[&Object], columns: &[Label], notes: &[Label], out: &mut Output<'_>) -> io::Result<()> {
    let filled = |object: &Object, key: &str| object.get(key).filter(|value| !is_empty(value)).map(scalar);
    let shown = |key: &str| objects.iter().any(|object| filled(object, key).is_some());
    let columns: Vec<_> = columns.iter().filter(|(key, _)| shown(key)).collect();
    let header: Vec<_> = columns.iter().map(|(_, label)| *label).collect();
    let row = |object: &&Object| columns.iter().map(|(key, _)| filled(object, key).unwrap_or_default()).collect();
    out.table(&header, objects.iter().map(row).collect())?;
    for object in objects {
        let name = columns.first().and_then(|(key, _)| filled(object, key)).unwrap_or_default();
        let known = |key: &str| columns.iter().copied().chain(notes).any(|(known, _)| *known == key);
        let noted = notes.iter().filter_map(|(key, label)| Some(((*label).to_owned(), filled(object, key)?)));
        let others = object.keys().filter(|key| !known(key));
        let others = others.filter_map(|key| Some((key.replace('_', " "), filled(object, key)?)));
        for (label, value) in noted.chain(others) {
            out.line(&format!("  {name} {label}: {value}"))?;
        }
    }
    Ok(())
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(view: fn(&Value, &mut Output<'_>) -> io::Result<()>, document: Value) -> String {
        let mut bytes = Vec::new();
        view(&document, &mut Output::new(&mut bytes, false)).expect("memory takes everything");
        String::from_utf8(bytes).expect("UTF-8")
    }

    #[test]
    fn known_keys_come_first_and_unknown_ones_are_kept() {
        let text = shown(cluster, json!({"zebra_count": 3, "local_seq": 7, "node_id": "a", "peers": null}));
        let at = |word| text.find(word).unwrap_or_else(|| panic!("`{word}` in {text}"));
        assert!(at("node") < at("sequence") && at("sequence") < at("zebra count"), "{text}");
        assert!(text.contains("no peers"), "{text}");
    }

    #[test]
    fn peers_are_a_table_without_empty_columns() {
        let peers = json!([
            {"address": "192.0.2.1:7946", "reachable": true, "last_probe_rtt_ms": 2, "last_pull_error": ""},
            {"address": "192.0.2.2:7946", "reachable": false, "last_outbound_error": "refused", "moon": "full"}
        ]);
        let text = shown(cluster, json!({"cluster": {"node_id": "a", "peers": peers}}));
        for word in ["192.0.2.1:7946", "RTT MS", "192.0.2.2:7946 push error: refused", "moon: full", "yes", "no"] {
            assert!(text.contains(word), "`{word}` in {text}");
        }
        assert!(!text.contains("pull error") && !text.contains("LAST PULL"), "{text}");
    }

    #[test]
    fn a_server_document_may_lack_anything() {
        assert!(shown(server, json!({})).contains("no data plane"));
        let text = shown(
            server,
            json!({"version": "0.1.0", "ready": false, "data_planes": [{"follower": "h/1", "listening": ["udp [::]:53"],
                "counters": {"queries": 5}, "records": {"number": 8, "session": "0f"}}], "problems": ["port 53 is taken"]}),
        );
        for word in ["0.1.0", "h/1", "udp [::]:53", "queries 5", "8 of 0f", "problems:", "port 53 is taken"] {
            assert!(text.contains(word), "`{word}` in {text}");
        }
        assert!(shown(server, json!("odd")).contains("odd"));
    }

    #[test]
    fn times_lose_their_fraction_and_nothing_else_does() {
        assert_eq!(whole_seconds("2026-11-22T23:17:57.445407386Z"), "2026-11-22T23:17:57Z");
        assert_eq!(whole_seconds("2026-11-22T23:17:57.5+02:00"), "2026-11-22T23:17:57+02:00");
        for text in ["2026-11-22T23:17:57Z", "192.0.2.1", "", "a.b"] {
            assert_eq!(whole_seconds(text), text);
        }
    }

    #[test]
    fn counters_at_zero_are_left_out() {
        let counters = json!({"queries_total": 3, "refused": 0, "peers": []});
        let text = shown(server, json!({"data_planes": [{"follower": "h/1", "counters": counters}]}));
        assert!(text.contains("counters: queries_total 3\n"), "{text}");
    }
}
