//! Shows `record history`: which change did what to a record, when, and who asked for it where.

use super::{Object, count, flag, list, list_of_text, number, text, whole_seconds};
use crate::print::Output;
use serde_json::Value;
use std::io;

/// Steps of one change that are shown of a history of everything; one more is as short as saying that there is one.
const SHOWN: usize = 3;

/// The document; `whole` tells that nobody asked for a name.
pub(crate) fn history(document: &Value, whole: bool, out: &mut Output<'_>) -> io::Result<()> {
    let Some(history) = document.as_object() else { return out.line("the server sent no history") };
    let changes = list(history, "changes");
    if !changes.is_empty() {
        let header = ["CHANGE", "WHEN", "BY", "NODE", "RECORD"];
        out.table(&header, changes.iter().flat_map(|change| rows(change, whole)).collect())?;
        out.line("")?;
    }
    out.line(&end(history, changes.last().and_then(|change| number(change, "number"))))
}

/// A row for the change and its first step, and one for each further step.
fn rows(change: &Object, whole: bool) -> Vec<Vec<String>> {
    let field = |key| text(change, key).unwrap_or_default();
    let node = if flag(change, "local") == Some(true) { "this node" } else { field("node_id") };
    let first = [
        number(change, "number").unwrap_or_default().to_string(),
        whole_seconds(field("at")),
        field("by").to_owned(),
        node.to_owned(),
    ];
    let blank = first.each_ref().map(|_| String::new());
    let lines = lines(change, whole).into_iter().enumerate();
    lines.map(|(at, line)| (if at == 0 { &first } else { &blank }).iter().cloned().chain([line]).collect()).collect()
}

/// What it did, a line each.
fn lines(change: &Object, whole: bool) -> Vec<String> {
    let steps = list(change, "records");
    let more = number(change, "more").unwrap_or_default();
    let [removed, added] = ["removed", "added"].map(|key| number(change, key).unwrap_or_default());
    let rows = || format!("{} gone or replaced, {added} come or changed", count(removed, "row"));
    if flag(change, "whole") == Some(true) {
        return vec![format!("{}: too many to be kept one by one", rows())];
    }
    if whole && (more > 0 || steps.len() > SHOWN) {
        let others = if removed.max(added) > 5 { ", …" } else { "" };
        return vec![format!("{}: {}{others}", rows(), list_of_text(change, "names").join(", "))];
    }
    let mut lines: Vec<_> = steps.into_iter().map(step).collect();
    lines.extend((more > 0).then(|| format!("and {more} more")));
    lines
}

fn step(step: &Object) -> String {
    let side = |key: &str| step.get(key).and_then(Value::as_object);
    let said = |record: &Object| {
        let field = |key| text(record, key).unwrap_or_default();
        let ttl = number(record, "ttl").unwrap_or_default();
        format!("{} {ttl} {} {}", field("name"), field("type"), field("value"))
    };
    match (side("before"), side("after")) {
        (Some(before), Some(after)) if said(before) == said(after) => format!("~ {} (only its details)", said(after)),
        (Some(before), Some(after)) => format!("~ {}  →  {}", said(before), said(after)),
        (Some(before), None) => format!("- {}", said(before)),
        (None, Some(after)) => format!("+ {}", said(after)),
        (None, None) => String::new(),
    }
}

/// What comes before the last change that was shown, if there was one.
fn end(history: &Object, last: Option<u64>) -> String {
    if flag(history, "more") == Some(true) {
        let before = last.map_or_else(String::new, |last| format!(", or --before {last}"));
        return format!("older changes are kept: --limit shows more at once{before}");
    }
    let what = if last.is_none() { "no change is kept" } else { "that is all that is kept" };
    match (number(history, "oldest"), text(history, "oldest_at")) {
        (Some(oldest), Some(at)) => format!("{what}; history goes back to change {oldest}, {}", whole_seconds(at)),
        _ => format!("{what}: nothing was ever changed here"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(value: &str, ttl: u32) -> Value {
        json!({"name": "www.example", "type": "A", "value": value, "ttl": ttl})
    }

    #[test]
    fn each_step_says_what_came_went_or_changed() {
        let change = json!({
            "number": 7, "at": "2026-11-22T19:58:00.25Z", "by": "api 127.0.0.1", "node_id": "a", "local": true,
            "removed": 2, "added": 2, "names": ["www.example"], "more": 0,
            "records": [
                {"before": record("192.0.2.1", 60), "after": record("192.0.2.2", 60)},
                {"before": record("192.0.2.3", 60), "after": null},
                {"before": null, "after": record("192.0.2.4", 5)}
            ]
        });
        let rows = rows(change.as_object().expect("an object"), false);
        assert_eq!(rows[0][..4], ["7", "2026-11-22T19:58:00Z", "api 127.0.0.1", "this node"]);
        let steps: Vec<_> = rows.iter().map(|row| row[4].as_str()).collect();
        assert_eq!(
            steps,
            [
                "~ www.example 60 A 192.0.2.1  →  www.example 60 A 192.0.2.2",
                "- www.example 60 A 192.0.2.3",
                "+ www.example 5 A 192.0.2.4"
            ]
        );
        assert_eq!(rows[1][..4], [""; 4]);
    }

    #[test]
    fn large_changes_are_told_by_numbers_and_names() {
        let step = json!({"before": null, "after": record("192.0.2.1", 60)});
        let change = json!({
            "number": 8, "by": "peer b (10.0.0.2:7946)", "node_id": "b", "local": false, "removed": 0, "added": 900,
            "names": ["a.example", "b.example"], "records": [step, step, step, step], "more": 896
        });
        let told = lines(change.as_object().expect("an object"), true);
        assert_eq!(told, ["0 rows gone or replaced, 900 come or changed: a.example, b.example, …"]);
        let whole = json!({"whole": true, "removed": 1, "added": 2});
        assert!(lines(whole.as_object().expect("an object"), false)[0].contains("too many"));
    }

    #[test]
    fn the_end_says_how_far_history_goes() {
        let end = |history: Value, last| end(history.as_object().expect("an object"), last);
        assert!(end(json!({"more": true}), Some(7)).contains("--before 7"));
        let kept = json!({"more": false, "oldest": 3, "oldest_at": "2026-11-22T19:58:00.5Z"});
        assert_eq!(end(kept, None), "no change is kept; history goes back to change 3, 2026-11-22T19:58:00Z");
        assert!(end(json!({"more": false}), None).contains("ever"));
    }
}
