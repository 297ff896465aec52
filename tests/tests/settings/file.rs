//! The file: what is saved, what stays, and what a crash leaves.

use dnsplane_tests::{Node, Plan, node::TOKEN, peer::Wire, program::check_config};
use serde_json::{Value, json};
use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

const LIMIT: Duration = Duration::from_secs(20);

/// A file as somebody might have written it, with this node's ports and sockets.
fn odd_file(node: &Node) -> String {
    let api = node.api().port();
    let (peer, socket, feed) = (node.peer(), node.path("dnsplane.sock"), node.path("feed.sock"));
    format!(
        "{{\n\t\"//\": \"mine – do not touch\",\n\n\t\"api\":true, \"rest_port\" : \"{api}\",\n\t\"port\": \"1\",\n\t\"x_unknown\": \
         {{ \"b\":1.50, \"a\":[ 1,2 ] }},\n\t\"port\": \"{dns}\",\n\t\"dns_bind\": \"127.0.0.1\",\n\t\"server_socket\": \
         {socket:?},\n\t\"feed_socket\": {feed:?},\n\t\"stats_dashboard_enabled\": true,\n\t\"cluster_enabled\": \
         true,\n\t\"cluster_listen_addr\": \"{peer}\",\n\t\"cluster_auth_token\": \"{TOKEN}\",\n\n\t\"log\": {{\"Log_Severity\":  \
         \"info\"}},\n\t\"cache_records\": false\n}}\n\n",
        dns = node.dns().port(),
    )
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn a_save_changes_what_was_set_and_not_an_octet_besides() {
    let mut node = Plan::new("odd").prepare();
    let text = odd_file(&node);
    // The configuration is a link, and not private.
    fs::remove_file(node.path("dnsplane.json")).expect("the template");
    node.write("real.json", &text);
    fs::set_permissions(node.path("real.json"), fs::Permissions::from_mode(0o640)).expect("our own file");
    std::os::unix::fs::symlink("real.json", node.path("dnsplane.json")).expect("a link");
    node.start_control();
    node.wait_healthy();
    for (key, value) in [
        ("stats_dashboard_enabled", "false"),
        ("port", "5399"),
        ("apiport", "5398"),
        ("log.log_severity", "debug"),
        ("cluster_peers", "127.0.0.1:1,127.0.0.1:2"),
        ("cluster_node_id", "odd"),
    ] {
        node.ctl(&["server", "set", key, value]).success();
    }
    assert_eq!(read(&node.path("real.json")), text, "nothing is saved yet");
    let shown = node.ctl(&["--json", "server", "config"]).success();
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(shown["unsaved"].as_array().map(Vec::len), Some(6), "{shown}");
    assert_eq!(
        shown["at_next_start"],
        json!(["api", "api_bind", "apiport", "stats_dashboard_enabled", "log.log_severity"]),
        "{shown}"
    );
    node.ctl(&["server", "save"]).success();

    let wanted = text
        .replace("\"stats_dashboard_enabled\": true", "\"stats_dashboard_enabled\": false")
        .replace(&format!("\"port\": \"{}\"", node.dns().port()), "\"port\": \"5399\"")
        .replace(&format!("\"rest_port\" : \"{}\"", node.api().port()), "\"rest_port\" : \"5398\"")
        .replace("\"Log_Severity\":  \"info\"", "\"Log_Severity\":  \"debug\"")
        .replace(
            &format!("\"cluster_auth_token\": \"{TOKEN}\","),
            &format!(
                "\"cluster_auth_token\": \"{TOKEN}\",\n\t\"cluster_node_id\": \"odd\",\n\t\"cluster_peers\": \
                 [\"127.0.0.1:1\", \"127.0.0.1:2\"],"
            ),
        );
    let saved = read(&node.path("real.json"));
    // Which of two new keys comes first does not matter.
    let lines = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(lines(&saved), lines(&wanted));
    assert_eq!(saved.len(), wanted.len());
    let link = fs::symlink_metadata(node.path("dnsplane.json")).expect("the link");
    assert!(link.is_symlink());
    let mode = fs::metadata(node.path("real.json")).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    assert_eq!(check_config(&saved).0.code, Some(0));
}

#[test]
fn what_was_saved_is_there_after_a_restart_and_what_was_not_is_gone() {
    let mut node = Plan::new("n").start_control();
    node.ctl(&["server", "set", "cluster_replica_only", "true"]).success();
    node.ctl(&["server", "save"]).success();
    node.ctl(&["server", "set", "cluster_reject_local_writes", "true"]).success();
    node.control().kill();
    node.start_control();
    node.wait_healthy();
    assert_eq!(node.cluster_status()["replica_only"], true);
    let shown: Value = serde_json::from_str(&node.ctl(&["--json", "server", "config"]).success()).expect("JSON");
    assert_eq!(shown["settings"]["cluster_reject_local_writes"], false);
    assert_eq!(shown["unsaved"], json!([]));
}

#[test]
fn what_does_not_do_is_refused_and_changes_nothing() {
    let node = Plan::new("n").start_control();
    let before = node.ctl(&["--json", "server", "config"]).success();
    for (key, value, sentence) in [
        ("cluster_listen_addr", "7946", "`cluster_listen_addr` is `7946`; write an address and a port"),
        ("cluster_sync_interval_seconds", "-1", "write 0 for none, or a number of seconds"),
        ("cluster_enabled", "maybe", "`cluster_enabled` must be true or false, not \"maybe\""),
        ("cluster_peer", "x", "unknown key `cluster_peer`; did you mean `cluster_peers`?"),
        ("api_bind", "0.0.0.0", "opens the API on 0.0.0.0 to everybody who can reach it"),
        ("file_locations.records_source.type", "url", "which is no URL"),
        ("log", "{}", "`log` is an object"),
    ] {
        let ended = node.ctl(&["server", "set", "--", key, value]);
        assert_eq!(ended.code, Some(1), "{key}: {}", ended.said());
        assert!(ended.stderr.contains(sentence), "{key}: {}", ended.stderr);
    }
    assert_eq!(node.ctl(&["--json", "server", "config"]).success(), before);
}

#[test]
fn an_address_that_is_taken_is_told_at_once_and_the_old_one_stays() {
    let node = Plan::new("n").start_control();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let said = node.ctl(&["server", "set", "cluster_listen_addr", &address]).said();
    assert!(said.contains(&format!("cannot listen on {address}")), "{said}");
    Wire::authenticated(node.peer(), TOKEN);
    let said = node.ctl(&["server", "load"]).said();
    assert!(!said.contains("cannot listen") && said.contains("`cluster_listen_addr`"), "{said}");
}

#[test]
fn kill_9_during_saves_leaves_a_whole_file_with_everything_acknowledged() {
    let mut node = Plan::new("n").with(&json!({"cluster_admin_token": "adm", "x_mine": {"kept": [1, 2]}})).prepare();
    let keys = node.config().as_object().expect("settings are an object").len();
    for round in 1..=12_u64 {
        node.start_control();
        node.wait_healthy();
        // Saves in a row, over the door that needs no program started for each.
        let mut wire = Wire::authenticated(node.peer(), TOKEN);
        for step in 0..200 {
            let seconds = round * 1000 + step;
            wire.say(&format!(
                r#"{{"type":"admin_config_apply","admin_token":"adm","cluster_sync_interval_seconds":{seconds}}}"#
            ));
        }
        for _ in 0..round * 2 {
            assert_eq!(wire.hear_json(LIMIT), json!({"type": "admin_config_ok"}));
        }
        node.control().kill();
        let text = read(&node.path("dnsplane.json"));
        let file: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("round {round}: {error}: {text}"));
        let saved = file["cluster_sync_interval_seconds"].as_u64().expect("a number");
        assert!(saved >= round * 1000 + round * 2 - 1, "round {round}: acknowledged and gone: {saved}");
        assert_eq!(file.as_object().map(serde_json::Map::len), Some(keys + 1), "round {round}: {text}");
        assert_eq!(file["x_mine"], json!({"kept": [1, 2]}), "round {round}");
    }
    node.start_control();
    node.wait_healthy();
    let left: Vec<_> = fs::read_dir(node.dir())
        .expect("the node's folder")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with(".dnsplane.json."))
        .collect();
    assert_eq!(left, [""; 0], "what killed saves left is swept away at the next start");
}
