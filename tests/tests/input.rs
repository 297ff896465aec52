//! Bad input gets a sentence that names the deed and the thing.

use dnsplane_tests::{
    Daemon, Node, PATIENCE, Plan, Record,
    program::{self, binary, check_config},
};
use serde_json::json;
use std::{
    fs,
    net::{TcpListener, UdpSocket},
    path::{Path, PathBuf},
    process::Command,
};

/// Fails unless every one of these is in the text.
#[track_caller]
fn mentions(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "no {word:?} in: {text}");
    }
}

/// Whether the text names this line, and some column, in one of the usual ways.
fn names_line(text: &str, line: usize) -> bool {
    let compact = format!(":{line}:");
    let after = text.split(&compact).nth(1);
    after.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        || text.contains(&format!("line {line}")) && text.contains("column")
}

/// Starts the control plane of a node that cannot start; returns what it said.
#[track_caller]
fn refuses_to_start(node: &mut Node) -> String {
    node.start_control();
    let status = node.control().wait(PATIENCE);
    let said = node.control().said();
    let code = status.unwrap_or_else(|| panic!("it runs: {said}")).code();
    assert!(code.is_some_and(|code| code != 0), "it ended with {code:?}: {said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}

#[test]
fn a_config_that_does_not_parse_is_named_with_line_column_and_key() {
    let (ended, _) = check_config("{\n  \"port\": \"5300\",\n  \"cluster_enabled\": \"yes\"\n}\n");
    assert_eq!(ended.code, Some(1), "{}", ended.said());
    mentions(&ended.said(), &["dnsplane.json", "cluster_enabled"]);
    assert!(names_line(&ended.said(), 3), "{}", ended.said());

    let (ended, _) = check_config("{\n  \"file_locations\": {\"records_source\": {\"type\": 5}}\n}\n");
    assert_eq!(ended.code, Some(1), "{}", ended.said());
    mentions(&ended.said(), &["file_locations.records_source.type"]);
    assert!(names_line(&ended.said(), 2), "{}", ended.said());

    let (ended, _) = check_config("{\n  \"port\": \"5300\"\n  \"api\": true\n}\n");
    assert_eq!(ended.code, Some(1), "{}", ended.said());
    assert!(names_line(&ended.said(), 3), "{}", ended.said());

    // The right type is not enough.
    let (ended, _) = check_config("{\"port\": \"70000\"}");
    assert_eq!(ended.code, Some(1), "{}", ended.said());
    mentions(&ended.said(), &["port", "70000"]);
}

#[test]
fn an_unknown_key_is_warned_about_with_the_nearest_known_one() {
    let (ended, _) = check_config("{\"cluster_enable\": true, \"log\": {\"log_sevrity\": \"info\"}}");
    assert_eq!(ended.code, Some(0), "{}", ended.said());
    mentions(&ended.said(), &["cluster_enable", "cluster_enabled", "log_sevrity", "log_severity"]);
}

#[test]
fn check_binds_nothing_and_leaves_nothing() {
    let node = Plan::new("checked").prepare();
    // Everything that it would bind is taken.
    let _dns = UdpSocket::bind(node.dns()).expect("a reserved port");
    let _taken = [node.dns(), node.api(), node.peer()].map(|address| TcpListener::bind(address).expect("a port"));
    let (ended, files) = check_config(&node.config().to_string());
    assert_eq!(ended.code, Some(0), "{}", ended.said());
    assert_eq!(files, ["dnsplane.json"]);
    let theirs: Vec<_> =
        fs::read_dir(node.dir()).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    assert_eq!(theirs, [node.path("dnsplane.json")], "the folder that the settings name");
}

#[test]
fn a_port_in_use_is_named() {
    let mut node = Plan::new("api").prepare();
    let taken = TcpListener::bind(node.api()).expect("a reserved port");
    let said = refuses_to_start(&mut node);
    mentions(&said, &[&node.api().to_string(), "in use"]);
    drop(taken);

    // The cluster can wait; names are answered and written meanwhile, and the reason is in the status.
    let mut node = Plan::new("peer").prepare();
    let taken = TcpListener::bind(node.peer()).expect("a reserved port");
    node.start_control();
    node.wait_healthy();
    let address = node.peer().to_string();
    node.eventually("the log names the peer port", |node| {
        let said = node.control().said();
        if said.contains(&address) && said.contains("in use") { Ok(()) } else { Err(said) }
    });
    drop(taken);

    let mut node = Plan::new("dns").prepare();
    let taken = UdpSocket::bind(node.dns()).expect("a reserved port");
    node.start_control();
    node.start_data();
    node.wait_healthy();
    let address = node.dns().to_string();
    node.eventually("the log and the status name the DNS port", |node| {
        let said = node.data().said();
        let told = node.data_plane_status()?["listen_error"].to_string();
        let named = [&said, &told].into_iter().all(|text| text.contains(&address) && text.contains("in use"));
        if named { Ok(()) } else { Err(format!("{told}; {said}")) }
    });
    // And when it is free, it is taken.
    drop(taken);
    node.wait_ready();
}

#[test]
fn a_folder_that_cannot_be_used_is_named_and_nothing_starts_empty() {
    // Tests may run as root, who can read everything; but nobody can look into a file.
    let mut node = Plan::new("folder").file("not-a-folder", "").prepare();
    let location = node.path("not-a-folder").join("dnsrecords.json");
    node.configure(&json!({"file_locations": {"records_source": {"type": "file", "location": location}}}));
    let said = refuses_to_start(&mut node);
    mentions(&said, &["not-a-folder"]);

    let mut node = Plan::new("unreadable").prepare();
    fs::create_dir(node.path("dnsrecords.json")).expect("a folder in place of the file");
    let said = refuses_to_start(&mut node);
    mentions(&said, &["dnsrecords.json"]);

    let mut node =
        Plan::new("halved").file("dnsrecords.json", r#"{"records":[{"name":"a.example","type":"A""#).prepare();
    let said = refuses_to_start(&mut node);
    mentions(&said, &["dnsrecords.json"]);
    assert!(names_line(&said, 1), "{said}");

    let dir = tempfile::tempdir().expect("a temporary folder");
    fs::write(dir.path().join("file"), "").expect("a file");
    let mut command = Command::new(binary("dnsplane-dns"));
    command.args(["--feed", "unix:feed.sock", "--state", "file/state"]).current_dir(dir.path());
    let mut daemon = Daemon::start(command, &dir.path().join("log"));
    let status = daemon.wait(PATIENCE);
    mentions(&daemon.said(), &["file/state"]);
    assert!(status.is_some_and(|status| !status.success()), "{status:?}: {}", daemon.said());
}

/// The files in which the control plane keeps its changes: everything below its folder that is not known by name.
fn change_logs(folder: &Path) -> Vec<PathBuf> {
    let known = ["dnsplane.json", "dnsrecords.json", "cluster_state.json", "control.log", "data.log", "dns-state"];
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if known.contains(&name.as_str()) || name.ends_with(".sock") {
            continue;
        }
        if path.is_dir() {
            found.extend(change_logs(&path));
        } else if path.metadata().is_ok_and(|metadata| metadata.is_file()) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// A node that has taken fifty changes and was killed.
fn killed_after_changes() -> (Node, PathBuf) {
    let mut node = Plan::new("log").start_control();
    for number in 0..50 {
        node.add(&Record::a(&format!("name-{number}.example"), "192.0.2.1"));
    }
    node.control().kill();
    let logs = change_logs(node.dir());
    let log = logs.iter().max_by_key(|path| fs::metadata(path).map_or(0, |metadata| metadata.len()));
    let log = log.unwrap_or_else(|| panic!("no change log below {}", node.dir().display())).clone();
    (node, log)
}

#[test]
fn a_change_log_that_was_damaged_is_named_and_nothing_starts_empty() {
    let (mut node, log) = killed_after_changes();
    let mut bytes = fs::read(&log).expect("the log can be read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(&log, bytes).expect("the log can be written");
    let said = refuses_to_start(&mut node);
    mentions(&said, &[&log.to_string_lossy()]);
}

#[test]
fn a_torn_tail_is_cut_off_and_said() {
    let (mut node, log) = killed_after_changes();
    let bytes = fs::read(&log).expect("the log can be read");
    fs::write(&log, &bytes[..bytes.len() - 3]).expect("the log can be written");
    // Only the log counts: the mirror is read again, which may well bring the last record back.
    node.start_control();
    node.wait_healthy();
    mentions(&node.control().said(), &["change log"]);
    let held = node.records();
    for number in 0..49 {
        assert!(held.contains(&Record::a(&format!("name-{number}.example"), "192.0.2.1")), "name-{number} is lost");
    }
}

#[test]
fn a_record_that_does_not_parse_is_refused_with_the_field_and_the_reason() {
    let node = Plan::new("records").start_control();
    for (body, words) in [
        (json!({"name": "a.example", "type": "A", "value": "300.1.2.3"}), &["value", "300.1.2.3"][..]),
        (json!({"name": "a.example", "type": "A", "value": "2001:db8::1"}), &["value", "2001:db8::1"]),
        (json!({"name": "a.example", "type": "MX", "value": "mail.example"}), &["value", "MX"]),
        (json!({"name": "a..example", "type": "A", "value": "192.0.2.1"}), &["name", "a..example"]),
        (json!({"name": "a b.example", "type": "A", "value": "192.0.2.1"}), &["name"]),
        (json!({"name": "a.example", "type": "NOPE", "value": "x"}), &["type", "NOPE"]),
        (json!({"name": "", "type": "A", "value": "192.0.2.1"}), &["name"]),
    ] {
        let reply = node.request("POST", "/dns/records", Some(&body));
        assert_eq!(reply.status, 400, "{body}: {reply:?}");
        assert!(reply.json()["error"].is_string(), "{reply:?}");
        mentions(&reply.json()["messages"].to_string(), words);
    }
    // A number where text belongs, or the other way round, is not a record at all.
    for body in [json!({"name": "a.example", "type": "A", "value": "192.0.2.1", "ttl": "60"}), json!([1])] {
        let reply = node.request("POST", "/dns/records", Some(&body));
        assert_eq!(reply.status, 400, "{body}: {reply:?}");
        assert!(reply.json()["error"].is_string(), "{reply:?}");
    }
    // Rules between records.
    node.add(&Record::a("host.example", "192.0.2.1"));
    let body = json!({"name": "host.example", "type": "CNAME", "value": "other.example"});
    let reply = node.request("POST", "/dns/records", Some(&body));
    assert_eq!(reply.status, 400, "{reply:?}");
    mentions(&reply.body, &["CNAME"]);
    assert_eq!(node.records(), [Record::a("host.example", "192.0.2.1")]);
}

#[test]
fn a_wrong_socket_path_is_a_sentence() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let missing = dir.path().join("nowhere.sock");
    let mut command = Command::new(binary("dnsplanectl"));
    command.arg("--socket").arg(&missing).args(["record", "list"]);
    let ended = program::run(command, "");
    assert_eq!(ended.code, Some(3), "{}", ended.said());
    mentions(&ended.stderr, &[&missing.to_string_lossy()]);
    assert!(ended.stderr.lines().count() <= 3, "one sentence is enough: {}", ended.stderr);
}
