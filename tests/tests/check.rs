//! What is wrong with records is found and named: on a node, and in files that no node has yet.

use dnsplane_tests::{
    Plan, Record,
    program::{self, Ended, binary},
};
use serde_json::{Value, json};
use std::{fs, path::Path, process::Command};

/// Records that break a rule of each kind; file and node alike take them.
fn broken() -> Value {
    json!({"records": [
        {"name": "lab.test", "type": "SOA", "value": "ns.lab.test. admin.lab.test. 1 2 3 4 5", "ttl": 60},
        {"id": "0c1f8f0e-6a4e-4f0f-9d0e-000000000001", "name": "bad.lab.test", "type": "A", "value": "::1", "ttl": 60},
        {"name": "www.lab.test", "type": "CNAME", "value": "host.lab.test", "ttl": 60},
        {"name": "www.lab.test", "type": "A", "value": "192.0.2.1", "ttl": 60},
        {"name": "host.lab.test", "type": "A", "value": "192.0.2.2", "ttl": 60},
        {"name": "host.lab.test", "type": "A", "value": "192.0.2.3", "ttl": 61},
    ]})
}

/// Runs `dnsplane-cluster --check-records` in a folder.
fn check(folder: &Path, arguments: &[&str]) -> Ended {
    let mut command = Command::new(binary("dnsplane-cluster"));
    command.arg("--check-records").args(arguments).current_dir(folder);
    program::run(command, "")
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("the folder is writable");
    }
    folder
}

#[test]
fn a_node_names_each_finding_and_its_record_and_the_exit_code_tells_errors_from_warnings() {
    let node = Plan::new("check").file("dnsrecords.json", &broken().to_string()).start_control();
    let ended = node.ctl(&["record", "check"]);
    assert_eq!(ended.code, Some(4), "{}", ended.said());
    for part in ["bad.lab.test", "0c1f8f0e-6a4e-4f0f-9d0e-000000000001", "RFC 1034 §3.6.2", "no. 3", "4 problems"] {
        assert!(ended.stdout.contains(part), "{part} is missing: {}", ended.stdout);
    }
    let found: Value = serde_json::from_str(&node.ctl(&["--json", "record", "check"]).stdout).expect("JSON");
    let told = found.as_array().expect("a list").iter();
    let told: Vec<_> = told.map(|it| (it["place"].as_u64(), it["severity"].as_str(), it["rule"].as_str())).collect();
    let expected = [
        (Some(1), Some("warning"), Some("no-name-servers")),
        (Some(2), Some("error"), Some("unservable")),
        (Some(3), Some("error"), Some("beside")),
        (Some(6), Some("warning"), Some("ttl")),
    ];
    assert_eq!(told, expected, "{found}");

    node.ctl(&["record", "remove", "--id", "0c1f8f0e-6a4e-4f0f-9d0e-000000000001"]).success();
    node.ctl(&["record", "remove", "www.lab.test", "CNAME"]).success();
    assert!(node.ctl(&["record", "check"]).success().contains("warning"), "warnings are no failure");
    assert_eq!(node.ctl(&["record", "check", "--strict"]).code, Some(4));
    node.ctl(&["record", "update", "host.lab.test", "A", "192.0.2.3", "60"]).success();
    node.add(&Record::new("lab.test", "NS", "host.lab.test", 60));
    assert_eq!(node.ctl(&["record", "check", "--strict"]).success(), "no problems\n");
}

#[test]
fn files_are_checked_without_a_node_and_each_finding_has_its_line() {
    let folder = folder(&[("dns.json", &format!("{:#}", broken()))]);
    let ended = check(folder.path(), &["dns.json"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(1), ""), "{}", ended.said());
    let text = fs::read_to_string(folder.path().join("dns.json")).expect("the file is there");
    let opening = |name: &str| {
        let lines: Vec<_> = text.lines().collect();
        let named = lines.iter().position(|line| line.contains(name)).expect("a line");
        lines[..named].iter().rposition(|line| line.trim() == "{").expect("its record begins") + 1
    };
    let bad = format!("dns.json:{}: error: bad.lab.test A: value: ", opening("bad.lab.test"));
    assert!(ended.stdout.lines().any(|line| line.starts_with(&bad)), "{bad}: {}", ended.stdout);
    assert_eq!(ended.stdout.lines().count(), 4, "{}", ended.stdout);
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing else is written");
}

#[test]
fn exit_codes_tell_clean_files_from_bad_and_unreadable_ones() {
    let zone = "$ORIGIN lab.test.\n$TTL 60\n@ SOA ns admin 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n";
    let files = [
        ("good.zone", zone),
        ("warning.zone", &format!("{zone}ns 61 A 192.0.2.2\n")),
        ("bad.zone", &format!("{zone}x A 192.0.2.256\n")),
        ("broken.json", "{\"records\": [\n  {\"name\": \"a\"\n"),
        ("odd.txt", "192.0.2.1 a.lab.test\n"),
    ];
    let folder = folder(&files.map(|(name, text)| (name, text as &str)));
    let run = |arguments: &[&str]| check(folder.path(), arguments);
    let good = run(&["good.zone"]);
    assert_eq!((good.code, good.said().as_str()), (Some(0), ""));
    assert_eq!(run(&["warning.zone"]).code, Some(0));
    assert_eq!(run(&["warning.zone", "--strict"]).code, Some(1));
    let bad = run(&["bad.zone"]);
    assert!(bad.code == Some(1) && bad.stdout.starts_with("bad.zone:6: error: "), "{bad:?}");
    let broken = run(&["broken.json"]);
    assert!(broken.code == Some(1) && broken.stdout.starts_with("broken.json:3: error: column "), "{broken:?}");
    assert_eq!(run(&["odd.txt", "--format", "hosts"]).code, Some(0));
    let missing = run(&["missing.zone", "bad.zone"]);
    assert_eq!(missing.code, Some(2));
    assert!(missing.stderr.contains("missing.zone") && missing.stdout.contains("bad.zone:6"), "{missing:?}");
    let listed: Value = serde_json::from_str(&run(&["bad.zone", "--json"]).stdout).expect("JSON");
    assert_eq!((&listed[0]["file"], &listed[0]["line"]), (&json!("bad.zone"), &json!(6)));
}
