//! Shows `cluster conflicts`: what peers' snapshots overwrote here, and which were refused.

use super::{Object, flag, list, number, scalar, text};
use crate::{print::Output, time::text_ago};
use jiff::Timestamp;
use serde_json::Value;
use std::io;

/// Losses of one conflict that are shown; `--json` has all that were kept.
const SHOWN: usize = 4;

/// The list, newest first as it came; `all` tells what was asked for.
pub(crate) fn conflicts(document: &Value, all: bool, out: &mut Output<'_>) -> io::Result<()> {
    let conflicts: Vec<_> = document.as_array().into_iter().flatten().filter_map(Value::as_object).collect();
    if conflicts.is_empty() {
        return out.line(if all {
            "no conflicts: no peer's records have replaced any of this node, and none were refused"
        } else {
            "no conflicts: no peer has overwritten a write that it had not seen, and no snapshot was refused (--all: \
             also what a peer overwrote although it had seen it)"
        });
    }
    let now = Timestamp::now();
    let header = ["ID", "WHEN", "KIND", "WINNER", "WRITE", "LOST HERE"];
    out.table(&header, conflicts.iter().flat_map(|conflict| rows(conflict, now)).collect())?;
    let restorable = |conflict: &&Object| !list(conflict, "lost").is_empty();
    if conflicts.iter().any(restorable) {
        out.line("")?;
        out.line("to bring back what one lost: dnsplanectl cluster restore ID [NAME [TYPE]]")?;
    }
    Ok(())
}

/// A row for the conflict and its first loss, and one for each further loss.
fn rows(conflict: &Object, now: Timestamp) -> Vec<Vec<String>> {
    let winner = conflict.get("winner").and_then(Value::as_object);
    let kind = text(conflict, "kind").unwrap_or("-");
    let told = |kind: &str| match flag(conflict, "informed") {
        Some(true) if kind == "overwritten" => "overwritten, seen".to_owned(),
        _ => kind.to_owned(),
    };
    let first = [
        conflict.get("id").map(scalar).unwrap_or_default(),
        text(conflict, "at").map(|at| text_ago(at, now)).unwrap_or_default(),
        told(kind),
        winner.and_then(|winner| text(winner, "node_id")).unwrap_or("-").to_owned(),
        winner.and_then(|winner| number(winner, "seq")).map(|seq| seq.to_string()).unwrap_or_default(),
    ];
    let blank = first.each_ref().map(|_| String::new());
    let row = |(number, loss): (usize, String)| {
        let start = if number == 0 { first.clone() } else { blank.clone() };
        start.into_iter().chain([loss]).collect()
    };
    losses(conflict).into_iter().enumerate().map(row).collect()
}

/// What was lost, a line each; of a refused snapshot, why it was refused.
fn losses(conflict: &Object) -> Vec<String> {
    let field = |object: &Object, key| text(object, key).unwrap_or_default().to_owned();
    let record = |it: &&Object| format!("{} {} {}", field(it, "name"), field(it, "type"), field(it, "value"));
    let deletion = |it: &&Object| format!("the deletion of {} {}", field(it, "name"), field(it, "type"));
    let (lost, deletions) = (list(conflict, "lost"), list(conflict, "lost_deletions"));
    let mut lines: Vec<_> = lost.iter().map(record).chain(deletions.iter().map(deletion)).collect();
    let hidden = lines.len().saturating_sub(SHOWN);
    lines.truncate(SHOWN);
    let more = hidden as u64 + number(conflict, "more").unwrap_or_default();
    if more > 0 {
        lines.push(format!("+ {more} more"));
    }
    if let Some(reason) = text(conflict, "reason") {
        let from = conflict.get("loser").and_then(Value::as_object).and_then(|loser| text(loser, "node_id"));
        lines.insert(0, from.map_or_else(|| reason.to_owned(), |from| format!("nothing; {from}: {reason}")));
    }
    if lines.is_empty() {
        lines.push("-".to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_first_losses_are_shown_and_the_others_counted() {
        let record =
            |number| json!({"name": format!("h{number}.example"), "type": "A", "value": "192.0.2.1", "ttl": 60});
        let conflict = json!({
            "id": 7, "at": "2026-11-22T19:58:00Z", "kind": "overwritten", "informed": false,
            "winner": {"node_id": "b", "seq": 12, "timestamp_unix": 1},
            "lost": (0..6).map(record).collect::<Vec<_>>(), "won": [],
            "lost_deletions": [{"name": "gone.example", "type": "TXT"}], "more": 4
        });
        let now = "2026-11-22T20:00:00Z".parse().expect("a time");
        let rows = rows(conflict.as_object().expect("an object"), now);
        assert_eq!(rows[0], ["7", "2 min ago", "overwritten", "b", "12", "h0.example A 192.0.2.1"]);
        assert_eq!(rows[1][..], ["", "", "", "", "", "h1.example A 192.0.2.1"]);
        assert_eq!(rows.len(), 5);
        assert_eq!(rows[4][5], "+ 7 more");
    }

    #[test]
    fn refusals_and_lost_deletions_are_told_in_words() {
        let refused = json!({"id": 8, "kind": "refused", "reason": "c is no allowed writer"});
        assert_eq!(losses(refused.as_object().expect("an object")), ["c is no allowed writer"]);
        let from = json!({"kind": "refused", "reason": "too old", "loser": {"node_id": "c"}});
        assert_eq!(losses(from.as_object().expect("an object")), ["nothing; c: too old"]);
        let deleted = json!({"lost_deletions": [{"name": "gone.example", "type": "TXT"}]});
        assert_eq!(losses(deleted.as_object().expect("an object")), ["the deletion of gone.example TXT"]);
        assert_eq!(losses(&Object::new()), ["-"]);
    }
}
