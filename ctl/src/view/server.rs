//! Shows `server status`.

use super::{Object, is_empty, list, scalar, text, whole_seconds};
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
    ("records_from", "records come from"),
    ("last_read", "last read"),
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
    let mut server = server.clone();
    let source = server.remove("records_source").unwrap_or_default();
    // A file that is written as well has a line of its own.
    if let Some(source) = source.as_object().filter(|source| text(source, "type") != Some("file")) {
        let (what, version) = (text(source, "what").unwrap_or_default(), text(source, "version"));
        let from = version.map_or_else(|| what.to_owned(), |version| format!("{what}, {version}"));
        let age = source.get("age_seconds").and_then(Value::as_u64);
        let read = text(source, "read_at").zip(age).map(|(at, age)| format!("{}, {age} s ago", whole_seconds(at)));
        server.insert("records_from".to_owned(), Value::from(from));
        server.insert("last_read".to_owned(), Value::from(read.unwrap_or_else(|| "never".to_owned())));
    }
    let server = &server;
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
    faults(&source, out)
}

/// What in the source of the records cannot be used, with file and line.
fn faults(source: &Value, out: &mut Output<'_>) -> io::Result<()> {
    let faults: Vec<_> = source.as_object().map(|source| list(source, "faults")).unwrap_or_default();
    let count = source.get("fault_count").and_then(Value::as_u64).unwrap_or_default();
    if count == 0 {
        return Ok(());
    }
    out.line("")?;
    out.line(&format!("faults in {}:", source.get("what").map(scalar).unwrap_or_default()))?;
    for fault in &faults {
        let line = fault.get("line").and_then(Value::as_u64).filter(|line| *line > 0);
        let place = line.map_or_else(String::new, |line| format!(", line {line}"));
        let said = |key| text(fault, key).unwrap_or_default();
        out.line(&format!("  {}{place}: {}", said("file"), said("what")))?;
    }
    match count.saturating_sub(faults.len() as u64) {
        0 => Ok(()),
        more => out.line(&format!("  and {more} more")),
    }
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
    fn the_source_of_the_records_is_shown_with_its_faults() {
        let fault = json!({"file": "a.db", "line": 7, "what": "A: no address"});
        let source = json!({"type": "bind_dir", "what": "the zone files in `/z`", "version": "2 zone files", "age_seconds": 5,
            "read_at": "2026-11-24T18:00:00.5Z", "fault_count": 3, "faults": [fault]});
        let text = shown(json!({"records_source": source}));
        for words in [
            "the zone files in `/z`, 2 zone files",
            "2026-11-24T18:00:00Z, 5 s ago",
            "  a.db, line 7: A: no address",
            "  and 2 more",
        ] {
            assert!(text.contains(words), "`{words}` in {text}");
        }
        let never = shown(json!({"records_source": {"type": "url", "what": "the URL `u`"}}));
        assert!(never.contains("never"), "{never}");
        let file = shown(json!({"records_source": {"type": "file", "what": "the records file"}}));
        assert!(!file.contains("come from"), "{file}");
    }

    #[test]
    fn counters_at_zero_are_left_out() {
        let counters = json!({"queries_total": 3, "refused": 0, "peers": []});
        let text = shown(json!({"data_planes": [{"follower": "h/1", "counters": counters}]}));
        assert!(text.contains("counters: queries_total 3\n"), "{text}");
    }
}
