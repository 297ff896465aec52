//! The peers of `cluster status`.

use super::{Object, count, flag, list, number, rest, text};
use crate::{
    print::Output,
    time::{milliseconds, text_ago},
};
use jiff::Timestamp;
use std::io;

/// Clocks that differ by less do not decide anything that people would mind.
const SKEW_TOLD_MS: u64 = 5_000;

/// Keys that columns and sentences make something of, and figures for programs.
const KNOWN: &[&str] = &[
    "address",
    "node_id",
    "kind",
    "source",
    "reachable",
    "last_probe_rtt_ms",
    "acknowledged_seq",
    "lag_changes",
    "lag_ms",
    "content_hash",
    "hash_equal",
    "clock_skew_ms",
    "differs",
    "note",
    "features",
    "refused_by_peer",
    "last_refusal",
    "last_outbound_ok",
    "last_outbound_error",
    "last_inbound_ok",
    "last_pull_ok",
    "last_pull_error",
    "last_probe_ok",
    "last_probe_error",
    "bytes_sent",
    "bytes_received",
];

/// A row for each; columns in which no peer has anything are left out.
pub(super) fn table(node: &Object, out: &mut Output<'_>) -> io::Result<()> {
    let peers = list(node, "peers");
    if peers.is_empty() {
        return out.line("no peers");
    }
    type Cell = fn(&Object, &Object) -> Option<String>;
    let columns: [(&str, Cell); 8] = [
        ("PEER", |_, peer| text(peer, "address").map(str::to_owned)),
        ("NODE", |_, peer| text(peer, "node_id").map(str::to_owned)),
        ("KIND", |_, peer| text(peer, "kind").map(str::to_owned)),
        // Worth a column only where both kinds occur.
        ("FOUND BY", |_, peer| text(peer, "source").filter(|source| *source != "static").map(str::to_uppercase)),
        ("REACHABLE", |_, peer| reachable(peer)),
        ("OUR WRITES", our_writes),
        ("CONTENT", |node, peer| same(node, peer).map(|same| if same { "same" } else { "differs" }.to_owned())),
        ("CLOCK", |_, peer| skew(peer)),
    ];
    let cells = columns.map(|(title, cell)| (title, peers.iter().map(|peer| cell(node, peer)).collect::<Vec<_>>()));
    let columns: Vec<_> = cells.into_iter().filter(|(_, cells)| cells.iter().any(Option::is_some)).collect();
    let header: Vec<_> = columns.iter().map(|(title, _)| *title).collect();
    let cell = |cells: &[Option<String>], row: usize| cells[row].clone().unwrap_or_else(|| "-".to_owned());
    let rows = (0..peers.len()).map(|row| columns.iter().map(|(_, cells)| cell(cells, row)).collect());
    out.table(&header, rows.collect())
}

fn reachable(peer: &Object) -> Option<String> {
    let reachable = flag(peer, "reachable")?;
    let rtt = number(peer, "last_probe_rtt_ms").filter(|_| reachable);
    let rtt = rtt.map(|rtt| if rtt == 0 { ", < 1 ms".to_owned() } else { format!(", {}", milliseconds(rtt)) });
    let rtt = rtt.unwrap_or_default();
    Some(format!("{}{rtt}", if reachable { "yes" } else { "no" }))
}

/// Whether the peer has what was written here.
fn our_writes(node: &Object, peer: &Object) -> Option<String> {
    let late = number(peer, "lag_ms").filter(|late| *late > 0).map(|late| format!(", {}", milliseconds(late)));
    let behind = |changes: &str| format!("{changes}{} behind", late.clone().unwrap_or_default());
    match (number(peer, "lag_changes"), number(peer, "acknowledged_seq")) {
        (Some(0), _) => Some("in step".to_owned()),
        (Some(changes), _) => Some(behind(&count(changes, "change"))),
        // Without a count the sequences tell whether it is in step, but not by how much it is not.
        (None, Some(seen)) if number(node, "local_seq") == Some(seen) => Some("in step".to_owned()),
        (None, Some(_)) => Some(behind("some changes")),
        (None, None) if number(node, "local_seq") == Some(0) => None,
        (None, None) => Some("not confirmed".to_owned()),
    }
}

fn same(node: &Object, peer: &Object) -> Option<bool> {
    let hashes = || Some(text(node, "content_hash")? == text(peer, "content_hash")?);
    flag(peer, "hash_equal").or_else(hashes)
}

fn skew(peer: &Object) -> Option<String> {
    let skew = peer.get("clock_skew_ms")?.as_i64().filter(|skew| skew.unsigned_abs() > SKEW_TOLD_MS)?;
    Some(format!("{} {}", milliseconds(skew.unsigned_abs()), if skew > 0 { "ahead" } else { "behind" }))
}

/// What is wrong with each peer, and what else is said of it.
pub(super) fn sentences(node: &Object, now: Timestamp) -> Vec<String> {
    list(node, "peers").into_iter().flat_map(|peer| about(peer, now)).collect()
}

fn about(peer: &Object, now: Timestamp) -> Vec<String> {
    let address = text(peer, "address").unwrap_or("a peer");
    let mut said = failures(peer, now);
    let told = |key, what: &str| text(peer, key).map(|reason| format!("{what}: {reason}"));
    said.extend(told("refused_by_peer", "it refused our records"));
    said.extend(told("last_refusal", "its records were refused here"));
    let note = text(peer, "note").map(str::to_owned);
    let clock = || skew(peer).map(|skew| format!("its clock is {skew} ours: set both by the same time service"));
    said.extend(note.or_else(clock));
    if flag(peer, "differs") == Some(true) {
        said.push(format!(
            "idle, and its records differ from ours, which the policy allows: the next write decides, or send ours now \
             with `dnsplanectl cluster push records {address}`"
        ));
    }
    let others = rest(peer, KNOWN).map(|(label, value)| format!("{label}: {value}"));
    said.into_iter().chain(others).map(|sentence| format!("{address}: {sentence}")).collect()
}

/// What failed, told once when push, pull and probe failed for the same reason.
fn failures(peer: &Object, now: Timestamp) -> Vec<String> {
    // What a pull could not fetch matters as long as there is something to fetch.
    let is_same = flag(peer, "hash_equal") == Some(true) && flag(peer, "reachable") == Some(true);
    let mut failures: Vec<(&str, Vec<&str>)> = Vec::new();
    for (key, deed) in [("last_outbound_error", "push"), ("last_pull_error", "pull"), ("last_probe_error", "probe")] {
        let Some(reason) = text(peer, key).filter(|_| !(deed == "pull" && is_same)) else { continue };
        match failures.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, deeds)) => deeds.push(deed),
            None => failures.push((reason, vec![deed])),
        }
    }
    let last = ["last_outbound_ok", "last_pull_ok", "last_probe_ok", "last_inbound_ok"];
    // Times of one clock in one form: the text sorts as the times do.
    let last = last.iter().filter_map(|key| text(peer, key)).filter_map(|at| at.parse::<Timestamp>().ok()).max();
    let last = last.map(|at| format!(" (last heard of {})", text_ago(&at.to_string(), now))).unwrap_or_default();
    let sentence = |(reason, deeds): (&str, Vec<&str>)| format!("{} failed: {reason}{last}", deeds.join(", "));
    failures.into_iter().map(sentence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn object(value: Value) -> Object {
        value.as_object().expect("an object").clone()
    }

    #[test]
    fn whether_a_peer_has_our_writes_is_told_in_words() {
        let node = object(json!({"local_seq": 9}));
        for (peer, told) in [
            (json!({"lag_changes": 0, "acknowledged_seq": 7}), "in step"),
            (json!({"lag_changes": 12, "lag_ms": 340}), "12 changes, 340 ms behind"),
            (json!({"lag_changes": 1}), "1 change behind"),
            (json!({"acknowledged_seq": 9}), "in step"),
            (json!({"acknowledged_seq": 8}), "some changes behind"),
            (json!({}), "not confirmed"),
        ] {
            assert_eq!(our_writes(&node, &object(peer.clone())).as_deref(), Some(told), "{peer}");
        }
        assert_eq!(our_writes(&object(json!({"local_seq": 0})), &Object::new()), None);
    }

    #[test]
    fn content_is_compared_where_the_server_has_not_done_it() {
        let node = object(json!({"content_hash": "ab"}));
        for (peer, told) in [
            (json!({"hash_equal": false, "content_hash": "ab"}), Some(false)),
            (json!({"content_hash": "ab"}), Some(true)),
            (json!({"content_hash": "cd"}), Some(false)),
            (json!({}), None),
        ] {
            assert_eq!(same(&node, &object(peer.clone())), told, "{peer}");
        }
    }

    #[test]
    fn one_reason_for_several_failures_is_told_once() {
        let now = "2026-11-22T20:00:00Z".parse().expect("a time");
        let peer = object(json!({
            "address": "192.0.2.2:7946", "last_outbound_error": "connection refused",
            "last_pull_error": "connection refused", "last_probe_error": "no answer within 15 s",
            "last_probe_ok": "2026-11-22T19:57:00Z", "last_pull_ok": "2026-11-22T19:00:00Z",
            "clock_skew_ms": -61_000, "differs": true, "moon": "full"
        }));
        let said = about(&peer, now);
        let expected = [
            "192.0.2.2:7946: push, pull failed: connection refused (last heard of 3 min ago)",
            "192.0.2.2:7946: probe failed: no answer within 15 s (last heard of 3 min ago)",
            "192.0.2.2:7946: its clock is 1 min behind ours: set both by the same time service",
            "192.0.2.2:7946: idle, and its records differ",
            "192.0.2.2:7946: moon: full",
        ];
        assert_eq!(said.len(), expected.len(), "{said:#?}");
        for (sentence, start) in said.iter().zip(expected) {
            assert!(sentence.starts_with(start), "{sentence}");
        }
        assert_eq!(about(&object(json!({"address": "a", "clock_skew_ms": 4_999, "differs": false})), now), [""; 0]);
        let idle =
            json!({"address": "a", "last_pull_error": "nothing to offer", "hash_equal": true, "reachable": true});
        assert_eq!(about(&object(idle), now), [""; 0], "there is nothing to fetch");
        let noted = about(&object(json!({"address": "a", "note": "its clock is off", "clock_skew_ms": 9_000})), now);
        assert_eq!(noted, ["a: its clock is off"]);
    }
}
