//! Shows block lists, and what they say of a name.

use super::{Object, list, scalar, whole_seconds};
use crate::print::Output;
use serde_json::Value;
use std::io;

/// Keys that columns and sentences make something of.
const KNOWN: [&str; 4] = ["sources", "count", "paused_until", "problem"];

/// All lists and how they are.
pub(crate) fn block_lists(document: &Value, out: &mut Output<'_>) -> io::Result<()> {
    let nothing = Object::new();
    let document = document.as_object().unwrap_or(&nothing);
    let lists = list(document, "sources");
    if lists.is_empty() {
        out.line("no lists, and no names added by hand")?;
    } else {
        out.table(
            &["LIST", "NAMES", "EXCEPTIONS", "SKIPPED", "UPDATED", "FROM"],
            lists.iter().map(|list| row(list)).collect(),
        )?;
    }
    for list in lists {
        let name = said(list, "Source").unwrap_or_default();
        if let Some(error) = said(list, "Error") {
            out.line(&format!("{name}: {error}"))?;
        }
        if let Some(skipped) = said(list, "FirstSkipped") {
            out.line(&format!("{name}: skipped {skipped}"))?;
        }
    }
    if let Some(count) = said(document, "count") {
        out.line(&format!("{count} names in all"))?;
    }
    paused(document, out)?;
    if let Some(problem) = said(document, "problem") {
        out.line(&problem)?;
    }
    let others = document.iter().filter(|(key, _)| !KNOWN.contains(&key.as_str()));
    others.into_iter().try_for_each(|(key, value)| out.line(&format!("{key}: {}", scalar(value))))
}

fn row(list: &Object) -> Vec<String> {
    let allow = list.get("Allow").and_then(Value::as_bool) == Some(true);
    let cell = |key: &str| said(list, key).unwrap_or_else(|| "-".to_owned());
    let name = format!("{}{}", if allow { "allow:" } else { "" }, cell("Source"));
    vec![name, cell("Count"), cell("Exceptions"), cell("Skipped"), whole_seconds(&cell("Updated")), cell("From")]
}

/// What lists say of a name.
pub(crate) fn blocked(document: &Value, out: &mut Output<'_>) -> io::Result<()> {
    let nothing = Object::new();
    let document = document.as_object().unwrap_or(&nothing);
    let name = said(document, "name").unwrap_or_default();
    let (blocked, allowed) = (list(document, "blocked_by"), list(document, "allowed_by"));
    let verdict = match (blocked.is_empty(), allowed.is_empty()) {
        (true, _) => "is not blocked",
        (false, true) => "is blocked",
        (false, false) => "is on a block list and let through",
    };
    out.line(&format!("{name} {verdict}"))?;
    let rows = |lists: &[&Object], what: &str| {
        let row = |says: &&Object| {
            let cell = |key| said(says, key).unwrap_or_default();
            vec![what.to_owned(), cell("entry"), cell("source")]
        };
        lists.iter().map(row).collect::<Vec<_>>()
    };
    let rows = [rows(&blocked, "blocks"), rows(&allowed, "lets through")].concat();
    if !rows.is_empty() {
        out.table(&["", "ENTRY", "LIST"], rows)?;
    }
    paused(document, out)
}

fn paused(document: &Object, out: &mut Output<'_>) -> io::Result<()> {
    match said(document, "paused_until") {
        Some(until) => {
            out.line(&format!("nothing is blocked until {}; `adblock resume` ends that", whole_seconds(&until)))
        }
        None => Ok(()),
    }
}

fn said(object: &Object, key: &str) -> Option<String> {
    object.get(key).filter(|value| !value.is_null()).map(scalar)
}
