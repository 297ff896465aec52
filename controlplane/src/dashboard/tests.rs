//! Claims about the markup.

use super::page::{Tone, page, verdict};
use serde_json::{Value, json};

fn rendered(cluster: Value, server: Value) -> String {
    let document = json!({"cluster": cluster, "server": server, "dial_address": "192.0.2.1:7946"});
    page(&serde_json::from_value(document).unwrap(), false).into_string()
}

#[test]
fn the_headline_says_the_worst_of_how_the_cluster_is() {
    let peer =
        |reachable: bool, equal: Option<bool>| json!({"address": "x", "reachable": reachable, "hash_equal": equal});
    let ourselves = json!({"address": "x", "note": "this is ourselves; it is left out"});
    for (enabled, peers, tone, words) in [
        (false, vec![], Tone::Quiet, "off"),
        (true, vec![], Tone::Warn, "no peers"),
        (true, vec![ourselves.clone()], Tone::Warn, "no peers"),
        (
            true,
            vec![peer(true, Some(true)), ourselves],
            Tone::Ok,
            "The only peer is reachable and holds the same records",
        ),
        (true, vec![peer(true, None), peer(true, Some(true))], Tone::Ok, "All peers are reachable"),
        (true, vec![peer(true, Some(false)), peer(true, Some(true))], Tone::Warn, "1 of 2 peers does not hold"),
        (true, vec![peer(false, None), peer(true, Some(false))], Tone::Bad, "1 of 2 peers cannot be reached"),
    ] {
        let cluster = serde_json::from_value(json!({"enabled": enabled, "peers": peers})).unwrap();
        let (seen, sentence) = verdict(&cluster);
        assert_eq!(seen, tone, "{sentence}");
        assert!(sentence.contains(words), "{sentence}");
    }
}

#[test]
fn text_of_strangers_is_escaped_and_clipped_wherever_it_stands() {
    let evil = "<script>alert('x')</script>\" onload=\"x";
    let incident = json!({"from": evil, "at": evil, "reason": evil});
    let long = format!("{evil}{}", "y".repeat(100_000));
    let page = rendered(
        json!({
            "enabled": true, "node_id": evil, "content_hash": evil, "sync_policy": evil, "listening": [evil], "listen_addr": evil,
            "allowed_writer_node_ids": [evil], "last_global_lww_unix": 1, "last_global_lww_node_id": evil, "features": [evil],
            "head": {"node_id": evil, "seq": 1, "timestamp_unix": 1}, "read_only_source": evil, "state_error": evil,
            "cluster_discovery_srv": evil, "discovery_last_refresh": evil, "discovery_last_error": evil,
            "conflicts": {"count": 1, "last_at": evil},
            "inbound": {"last_auth_failure": incident, "last_bad_frame": incident},
            "peers": [{
                "address": evil, "node_id": long, "kind": evil, "last_probe_ok": evil, "last_probe_error": evil, "refused_by_peer": evil,
                "last_outbound_ok": evil, "last_outbound_error": long, "last_pull_ok": evil, "last_inbound_ok": evil,
                "last_pull_error": evil, "last_refusal": evil, "features": [evil], "note": evil,
            }],
        }),
        json!({
            "problems": [evil], "records_source": {
                "what": evil, "version": evil, "problem": evil, "fault_count": 1, "faults": [{"file": evil, "what": long, "line": 3}],
            }, "generation": {"session": evil},
            "data_planes": [{"follower": evil, "version": evil, "listening": [evil]}],
        }),
    );
    assert!(!page.contains("<script>alert") && !page.contains("\" onload=\""), "{page}");
    assert_eq!(page.matches("<script").count(), 1, "only our own");
    assert!(page.len() < 50_000, "{}", page.len());
    assert!(page.contains("&lt;script&gt;alert"));
}

#[test]
fn a_peers_row_says_what_is_known_and_nothing_else() {
    let known = json!({
        "address": "192.0.2.2:7946", "source": "srv", "node_id": "b", "kind": "dnsplane", "reachable": true, "last_probe_rtt_ms": 3,
        "acknowledged_seq": 7, "lag_changes": 12, "lag_ms": 340, "hash_equal": false, "differs": true, "clock_skew_ms": -7200,
        "features": ["keep", "ack"], "bytes_sent": 1500, "bytes_received": 20,
    });
    let page = rendered(json!({"enabled": true, "written": true, "local_seq": 19, "peers": [known]}), json!({}));
    for words in [
        "12 changes behind, 340 ms",
        "up to 7",
        "7.2 s behind",
        "keep ack",
        "↑ 1.5 kB",
        "3 ms",
        "SRV",
        "the policy keeps it so",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let page = rendered(json!({"enabled": true, "peers": [{"address": "x"}]}), json!({}));
    assert!(page.contains("not asked yet") && !page.contains("same as ours") && !page.contains("differs"), "{page}");
}
