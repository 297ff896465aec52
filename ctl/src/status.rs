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
    ("state", "STATE"),
    ("reachable", "REACHABLE"),
    ("last_probe_rtt_ms", "RTT MS"),
    ("last_outbound_ok", "LAST PUSH"),
    ("last_pull_ok", "LAST PULL"),
    ("last_inbound_ok", "LAST HEARD"),
    ("last_outbound_error", "PUSH ERROR"),
    ("last_pull_error", "PULL ERROR"),
    ("last_probe_error", "PROBE ERROR"),
];

const SERVER: &[Label] = &[
    ("version", "version"),
    ("uptime_seconds", "up (seconds)"),
    ("ready", "ready"),
    ("records", "records"),
    ("generation", "generation"),
    ("store", "store"),
    ("api", "API"),
];

const DATA_PLANE: &[Label] = &[
    ("follower", "DATA PLANE"),
    ("version", "VERSION"),
    ("records_generation", "RECORDS"),
    ("settings_generation", "SETTINGS"),
    ("connected_seconds", "CONNECTED S"),
    ("listening", "LISTENING"),
    ("listen_error", "LISTEN ERROR"),
    ("counters", "COUNTERS"),
];

/// The `cluster` object, alone or inside a bigger document.
pub(crate) fn cluster(document: &Value, out: &mut Output<'_>) -> io::Result<()> {
    let inner = document.get("cluster").filter(|value| value.is_object()).unwrap_or(document);
    let Some(node) = inner.as_object() else { return out.line(&scalar(inner)) };
    summary(node, NODE, &["peers"], out)?;
    out.line("")?;
    match list(node, "peers").as_slice() {
        [] => out.line("no peers"),
        peers => columns(peers, PEER, out),
    }
}

/// The document of `server status`.
pub(crate) fn server(document: &Value, out: &mut Output<'_>) -> io::Result<()> {
    let Some(server) = document.as_object() else { return out.line(&scalar(document)) };
    summary(server, SERVER, &["data_planes", "problems"], out)?;
    out.line("")?;
    match list(server, "data_planes").as_slice() {
        [] => out.line("no data plane follows this control plane")?,
        planes => columns(planes, DATA_PLANE, out)?,
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

/// One row for each object; a column appears when any row has something in it. Unknown keys share the last column.
fn columns(objects: &[&Object], known: &[Label], out: &mut Output<'_>) -> io::Result<()> {
    let shown = |key: &str| objects.iter().any(|object| object.get(key).is_some_and(|value| !is_empty(value)));
    let known: Vec<_> = known.iter().filter(|(key, _)| shown(key)).collect();
    let others = |object: &Object| {
        let other = object
            .iter()
            .filter(|(key, value)| !is_empty(value) && !known.iter().any(|(known, _)| *known == key.as_str()));
        other.map(|(key, value)| format!("{key}: {}", scalar(value))).collect::<Vec<_>>().join(", ")
    };
    let more = objects.iter().any(|object| !others(object).is_empty());
    let header = known.iter().map(|(_, label)| *label).chain(more.then_some("MORE")).collect::<Vec<_>>();
    let row = |object: &&Object| {
        let cell = |key: &str| object.get(key).filter(|value| !is_empty(value)).map(scalar).unwrap_or_default();
        known.iter().map(|(key, _)| cell(key)).chain(more.then(|| others(object))).collect()
    };
    out.table(&header, objects.iter().map(row).collect())
}

/// The objects of a list that may be null or missing.
fn list<'a>(object: &'a Object, key: &str) -> Vec<&'a Object> {
    object.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object).collect()
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(scalar).collect::<Vec<_>>().join(", "),
        Value::Object(entries) => {
            entries.iter().map(|(key, value)| format!("{key} {}", scalar(value))).collect::<Vec<_>>().join(", ")
        }
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
        for word in ["192.0.2.1:7946", "RTT MS", "PUSH ERROR", "refused", "moon: full", "yes", "no"] {
            assert!(text.contains(word), "`{word}` in {text}");
        }
        assert!(!text.contains("PULL ERROR"), "{text}");
    }

    #[test]
    fn a_server_document_may_lack_anything() {
        assert!(shown(server, json!({})).contains("no data plane"));
        let text = shown(
            server,
            json!({"version": "0.1.0", "ready": false, "data_planes": [{"follower": "h/1", "listening": ["udp [::]:53"],
                "counters": {"queries": 5}}], "problems": ["port 53 is taken"]}),
        );
        for word in ["0.1.0", "h/1", "udp [::]:53", "queries 5", "problems:", "port 53 is taken"] {
            assert!(text.contains(word), "`{word}` in {text}");
        }
        assert!(shown(server, json!("odd")).contains("odd"));
    }
}
