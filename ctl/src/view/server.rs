//! Shows `server status`.

use super::{Object, is_empty, list, scalar};
use crate::print::Output;
use serde_json::Value;
use std::io;

/// Key in the document, and what people call it.
type Label = (&'static str, &'static str);

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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(document: Value) -> String {
        let mut bytes = Vec::new();
        server(&document, &mut Output::new(&mut bytes, false)).expect("memory takes everything");
        String::from_utf8(bytes).expect("UTF-8")
    }

    #[test]
    fn a_server_document_may_lack_anything() {
        assert!(shown(json!({})).contains("no data plane"));
        let text = shown(
            json!({"version": "0.1.0", "ready": false, "data_planes": [{"follower": "h/1", "listening": ["udp [::]:53"],
                "counters": {"queries": 5}, "records": {"number": 8, "session": "0f"}}], "problems": ["port 53 is taken"]}),
        );
        for word in ["0.1.0", "h/1", "udp [::]:53", "queries 5", "8 of 0f", "problems:", "port 53 is taken"] {
            assert!(text.contains(word), "`{word}` in {text}");
        }
        assert!(shown(json!("odd")).contains("odd"));
    }

    #[test]
    fn counters_at_zero_are_left_out() {
        let counters = json!({"queries_total": 3, "refused": 0, "peers": []});
        let text = shown(json!({"data_planes": [{"follower": "h/1", "counters": counters}]}));
        assert!(text.contains("counters: queries_total 3\n"), "{text}");
    }
}
