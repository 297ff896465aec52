//! Shows `cluster status`: this node's part in a few lines, a row for each peer, and a sentence for each problem.

use super::{Object, count, flag, is_empty, number, peers, rest, scalar, text};
use crate::{
    print::Output,
    time::{text_ago, unix_ago},
};
use jiff::Timestamp;
use serde_json::Value;
use std::io;

/// Digits of a content hash that people compare.
const HASH_DIGITS: usize = 12;

/// Keys that the lines and sentences below make something of.
const KNOWN: &[&str] = &[
    "node_id",
    "enabled",
    "listen_addr",
    "listening",
    "advertise_addr",
    "sync_policy",
    "allowed_writer_node_ids",
    "local_seq",
    "written",
    "records",
    "content_hash",
    "head",
    "last_global_lww_unix",
    "last_global_lww_node_id",
    "cluster_discovery_srv",
    "cluster_discovery_interval_seconds",
    "discovery_last_refresh",
    "discovery_last_error",
    "static_peer_count",
    "srv_peer_count",
    "effective_peer_count",
    "replica_only",
    "cluster_admin",
    "reject_local_writes",
    "read_only_source",
    "conflicts",
    "features",
    "state_error",
    "listen_error",
    "node_id_conflict",
    "inbound",
    "peers",
];

/// The `cluster` object, alone or inside a bigger document.
pub(crate) fn cluster(document: &Value, out: &mut Output<'_>) -> io::Result<()> {
    cluster_at(document, Timestamp::now(), out)
}

fn cluster_at(document: &Value, now: Timestamp, out: &mut Output<'_>) -> io::Result<()> {
    let inner = document.get("cluster").filter(|value| value.is_object()).unwrap_or(document);
    let Some(node) = inner.as_object() else { return out.line(&scalar(inner)) };
    let known = [
        ("node", text(node, "node_id").map(str::to_owned)),
        ("cluster", (flag(node, "enabled") == Some(false)).then(|| OFF.to_owned())),
        ("listens on", listens(node)),
        ("policy", policy(node)),
        ("sequence", sequence(node)),
        ("content", content(node, now)),
        ("winner", winner(node, now)),
        ("part", part(node)),
        ("peers", counts(node)),
        ("discovery", discovery(node, now)),
        ("conflicts", conflicts(node, now)),
        ("features", node.get("features").filter(|list| !is_empty(list)).map(scalar)),
    ];
    let known = known.into_iter().filter_map(|(label, text)| Some((label.to_owned(), text?)));
    let rows = known.chain(rest(node, KNOWN)).map(|(label, text)| vec![label, text]);
    out.table(&[], rows.collect())?;
    out.line("")?;
    peers::table(node, out)?;
    let mut sentences = problems(node, now);
    sentences.extend(peers::sentences(node, now));
    if !sentences.is_empty() {
        out.line("")?;
    }
    sentences.iter().try_for_each(|sentence| out.line(sentence))
}

const OFF: &str = "off; to turn it on: dnsplanectl server set cluster_enabled true";

fn listens(node: &Object) -> Option<String> {
    let bound = node.get("listening").filter(|list| !is_empty(list)).map(scalar);
    let mut shown = bound.or_else(|| {
        let configured = text(node, "listen_addr")?;
        let nothing = if node.contains_key("listening") { " (nothing is bound)" } else { "" };
        Some(format!("{configured}{nothing}"))
    })?;
    if let Some(advertised) = text(node, "advertise_addr") {
        shown += &format!("; peers dial {advertised}");
    }
    Some(shown)
}

fn policy(node: &Object) -> Option<String> {
    let policy = text(node, "sync_policy")?;
    let writers = node.get("allowed_writer_node_ids").filter(|list| !is_empty(list)).map(scalar);
    Some(match (policy, writers) {
        (_, Some(writers)) => format!("{policy}; believes {writers}"),
        ("primary_writer", None) => format!("{policy}; believes nobody: cluster_allowed_writer_node_ids is empty"),
        (_, None) => policy.to_owned(),
    })
}

fn sequence(node: &Object) -> Option<String> {
    let sequence = number(node, "local_seq")?;
    let unwritten = "; nothing was ever written here, so these records have no authority over peers";
    Some(format!("{sequence}{}", if flag(node, "written") == Some(false) { unwritten } else { "" }))
}

/// Which records these are, and whose write they are from.
fn content(node: &Object, now: Timestamp) -> Option<String> {
    let records = number(node, "records").map(|records| count(records, "record"));
    let hash =
        text(node, "content_hash").map(|hash| format!("hash {}", hash.chars().take(HASH_DIGITS).collect::<String>()));
    let head = node.get("head").and_then(Value::as_object).and_then(|head| {
        let (writer, sequence) = (text(head, "node_id")?, number(head, "seq")?);
        let ours = text(node, "node_id") == Some(writer);
        let whose = if ours { "our own".to_owned() } else { format!("{writer}'s") };
        let when = head.get("timestamp_unix").and_then(Value::as_i64).filter(|seconds| *seconds > 0);
        let when = when.map(|seconds| format!(", {}", unix_ago(seconds, now))).unwrap_or_default();
        Some(format!("{whose} write {sequence}{when}"))
    });
    let parts: Vec<_> = [records, hash, head].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// The write that the next one must beat under `global_lww`.
fn winner(node: &Object, now: Timestamp) -> Option<String> {
    let writer = text(node, "last_global_lww_node_id")?;
    let seconds = node.get("last_global_lww_unix").and_then(Value::as_i64).filter(|seconds| *seconds > 0);
    let when = seconds.map(|seconds| format!(", {}", unix_ago(seconds, now))).unwrap_or_default();
    (text(node, "sync_policy") == Some("global_lww")).then(|| format!("{writer}{when}"))
}

/// What this node does and does not do.
fn part(node: &Object) -> Option<String> {
    let on = |key, words: &str| (flag(node, key) == Some(true)).then(|| words.to_owned());
    let parts = [
        on("replica_only", "replica: never pushes"),
        on("reject_local_writes", "refuses local writes"),
        on("cluster_admin", "may change settings of peers"),
        text(node, "read_only_source").map(|reason| format!("read-only: {reason}")),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn counts(node: &Object) -> Option<String> {
    let (fixed, found) = (number(node, "static_peer_count")?, number(node, "srv_peer_count")?);
    let both = number(node, "effective_peer_count")?;
    Some(match found {
        0 => both.to_string(),
        _ => format!("{both}, of which {fixed} configured, {found} found through SRV records"),
    })
}

fn discovery(node: &Object, now: Timestamp) -> Option<String> {
    let name = text(node, "cluster_discovery_srv")?;
    let pause = number(node, "cluster_discovery_interval_seconds").map(|seconds| match seconds {
        0 => ", once at start".to_owned(),
        _ => format!(", every {seconds} s"),
    });
    let last = text(node, "discovery_last_refresh").map(|at| format!("; last answer {}", text_ago(at, now)));
    Some(format!("{name}{}{}", pause.unwrap_or_default(), last.unwrap_or_default()))
}

fn conflicts(node: &Object, now: Timestamp) -> Option<String> {
    let conflicts = node.get("conflicts")?.as_object()?;
    let number = number(conflicts, "count")?;
    if number == 0 {
        return Some("none".to_owned());
    }
    let last = text(conflicts, "last_at").map(|at| format!(", the last {}", text_ago(at, now)));
    Some(format!("{}{}: dnsplanectl cluster conflicts", count(number, "conflict"), last.unwrap_or_default()))
}

/// What is wrong with this node, a sentence each.
fn problems(node: &Object, now: Timestamp) -> Vec<String> {
    let told = |key, what: &str| text(node, key).map(|reason| format!("{what}: {reason}"));
    let own = [
        told("state_error", "the cluster is off"),
        told("listen_error", "peers cannot connect to this node"),
        told("node_id_conflict", "this node's id is used twice"),
        told("discovery_last_error", "peers could not be looked up"),
    ];
    let mut sentences: Vec<_> = own.into_iter().flatten().collect();
    let Some(inbound) = node.get("inbound").and_then(Value::as_object) else { return sentences };
    for (many, last, noun, did) in [
        ("auth_failures", "last_auth_failure", "connection", "did not authenticate"),
        ("bad_frames", "last_bad_frame", "frame", "could not be read"),
    ] {
        let Some(many) = number(inbound, many).filter(|many| *many > 0) else { continue };
        let last = inbound.get(last).and_then(Value::as_object);
        let last = last.and_then(|last| {
            let when = text(last, "at").map(|at| format!(" {}", text_ago(at, now))).unwrap_or_default();
            Some(format!("; the last, from {}{when}: {}", text(last, "from")?, text(last, "reason")?))
        });
        sentences.push(format!("{} {did}{}", count(many, noun), last.unwrap_or_default()));
    }
    if let Some(many) = number(inbound, "turned_away").filter(|many| *many > 0) {
        sentences.push(format!("{} turned away because too many were open", count(many, "connection")));
    }
    sentences
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(document: &Value) -> String {
        let now = "2026-11-22T20:00:00Z".parse().expect("a time");
        let mut bytes = Vec::new();
        cluster_at(document, now, &mut Output::new(&mut bytes, false)).expect("memory takes everything");
        String::from_utf8(bytes).expect("UTF-8")
    }

    #[test]
    fn a_node_and_its_peers_fit_on_a_screen() {
        let now = 1_795_377_600;
        let text = shown(&json!({"cluster": {
            "enabled": true, "node_id": "a", "listen_addr": ":7946", "listening": ["[::]:7946"],
            "advertise_addr": "192.0.2.1:7946", "sync_policy": "global_lww", "local_seq": 12, "written": true,
            "content_hash": "5f8b5e0c6f1d2a3b4c5d6e7f", "last_global_lww_unix": now - 60,
            "last_global_lww_node_id": "b", "head": {"node_id": "b", "seq": 7, "timestamp_unix": now - 60},
            "conflicts": {"count": 3, "last_id": 9, "last_at": "2026-11-22T19:58:00Z"},
            "cluster_discovery_srv": "_dnsplane._tcp.example", "cluster_discovery_interval_seconds": 60,
            "discovery_last_refresh": "2026-11-22T19:59:57Z", "static_peer_count": 1, "srv_peer_count": 1,
            "effective_peer_count": 2, "replica_only": false, "cluster_admin": true, "features": ["keep", "ack"],
            "read_only_source": "records come from the file alone",
            "inbound": {"connections": 1, "auth_failures": 2, "bad_frames": 0, "last_auth_failure":
                {"from": "192.0.2.9:5", "at": "2026-11-22T19:59:00Z", "reason": "unauthorized"}},
            "peers": [
                {"address": "192.0.2.2:7946", "node_id": "b", "kind": "dnsplane", "source": "static",
                    "reachable": true, "last_probe_rtt_ms": 1, "acknowledged_seq": 12, "lag_changes": 0,
                    "hash_equal": true, "clock_skew_ms": -40, "bytes_sent": 5},
                {"address": "192.0.2.3:7946", "kind": "existing", "source": "srv", "reachable": false,
                    "lag_changes": 12, "lag_ms": 340, "hash_equal": false, "refused_by_peer": "unknown writer"}
            ]
        }}));
        let expected = "\
node        a
listens on  [::]:7946; peers dial 192.0.2.1:7946
policy      global_lww
sequence    12
content     hash 5f8b5e0c6f1d; b's write 7, 1 min ago
winner      b, 1 min ago
part        may change settings of peers; read-only: records come from the file alone
peers       2, of which 1 configured, 1 found through SRV records
discovery   _dnsplane._tcp.example, every 60 s; last answer 3 s ago
conflicts   3 conflicts, the last 2 min ago: dnsplanectl cluster conflicts
features    keep, ack

PEER            NODE  KIND      FOUND BY  REACHABLE  OUR WRITES                 CONTENT
192.0.2.2:7946  b     dnsplane  -         yes, 1 ms  in step                    same
192.0.2.3:7946  -     existing  SRV       no         12 changes, 340 ms behind  differs

2 connections did not authenticate; the last, from 192.0.2.9:5 1 min ago: unauthorized
192.0.2.3:7946: it refused our records: unknown writer
";
        assert_eq!(text, expected, "{text}");
    }

    #[test]
    fn an_older_server_may_lack_anything_and_a_newer_one_say_more() {
        assert_eq!(shown(&json!({})).trim(), "no peers");
        assert_eq!(shown(&json!("odd")).trim(), "odd");
        let text = shown(&json!({"zebra_count": 3, "local_seq": 0, "written": false, "node_id": "a", "enabled": false,
            "listen_addr": ":7946", "listening": [], "peers": null, "state_error": "cannot read the state"}));
        for words in [
            "server set cluster_enabled true",
            "nothing is bound",
            "no authority",
            "zebra count  3",
            "no peers",
            "the cluster is off: cannot read the state",
        ] {
            assert!(text.contains(words), "`{words}` in {text}");
        }
    }

    #[test]
    fn policies_say_whom_they_believe() {
        let policy = |document: Value| policy(document.as_object().expect("an object")).expect("a policy");
        assert_eq!(policy(json!({"sync_policy": "lww_per_node"})), "lww_per_node");
        let listed = json!({"sync_policy": "primary_writer", "allowed_writer_node_ids": ["a", "b"]});
        assert_eq!(policy(listed), "primary_writer; believes a, b");
        assert!(policy(json!({"sync_policy": "primary_writer"})).contains("nobody"));
    }
}
