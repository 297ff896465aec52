//! `dnsplanectl record import` and `record export` against real nodes: nothing is lost on the way in and out, the
//! difference is shown first, and it becomes one change.

mod terminal;
mod zones;

use dnsplane_tests::{Node, Plan, Random, Record};
use serde_json::{Value, json};
use std::fs;
use terminal::Terminal;

#[track_caller]
fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("not JSON ({error}): {text}"))
}

/// Runs an import that has to go through; returns its document.
#[track_caller]
fn import(node: &Node, arguments: &[&str]) -> Value {
    let all = [&["--json", "record", "import"], arguments].concat();
    parse(&node.ctl(&all).success())
}

fn path(node: &Node, file: &str) -> String {
    node.path(file).to_string_lossy().into_owned()
}

#[test]
fn zones_of_every_type_come_out_as_they_went_in() {
    let mut node = Node::start("zones");
    let mut random = Random::new(6);
    let ([zone, exported], mut last) = (["in.zone", "out.zone"].map(|file| path(&node, file)), 0);
    for _ in 0..3 {
        let text = zones::zone(&mut random);
        fs::write(&zone, format!("$ORIGIN {}.\n{text}", zones::ZONE)).expect("the node's folder is writable");
        let told = import(&node, &["--yes", "--replace", &zone]);
        assert_eq!((&told["applied"], &told["counts"]["refused"]), (&json!(true), &json!(0)), "{told}");
        let number = told["number"].as_u64().expect("a number");
        assert!(last == 0 || number == last + 1, "one change for all of it: {last}, {number}");
        last = number;
        node.ctl(&["record", "export", "--zone", zones::ZONE, &exported]).success();
        let (before, after) = (node.path("in.zone"), node.path("out.zone"));
        assert_eq!(zones::canonical(&after), zones::canonical(&before), "seed {}", random.seed());
        let difference = zones::compared(&before, &after);
        assert_eq!(difference.trim(), "+0\t-0\t~0", "seed {}", random.seed());
        let again = import(&node, &["--yes", "--replace", &exported]);
        assert_eq!(again["applied"], false, "{again}");
        assert_eq!(again["counts"]["unchanged"].as_u64(), Some(node.records().len() as u64), "{again}");
    }
    node.eventually_answers("ns1.lab.test", "A", &["192.0.2.53"]);
    // The only zone needs no name, and standard output is a file like any other.
    let text = node.ctl(&["record", "export", "--format", "zone"]).success();
    assert_eq!(text, fs::read_to_string(&exported).expect("the export is there"));
}

#[test]
fn a_document_keeps_everything_that_records_carry() {
    let text = r#"{"records":[
        {"id":"5b0c0d53-6f6e-4f0a-9a55-0f6f4f6f9d10","name":"Host.lab.test","type":"A","value":"192.0.2.10","ttl":300,
            "added_on":"2026-05-04T09:30:00.5Z","mac":"02:00:5e:10:00:01","cache_record":true},
        {"name":"lab.test","type":"TXT","value":"\"a<b>c & d é\"","ttl":0},
        {"name":"odd.lab.test","type":"TYPE65280","value":"\\# 3 010203","ttl":60},
        {"name":"192.0.2.50","type":"PTR","value":"printer.lab.test","ttl":3600},
        {"name":"strange.lab.test","type":"BOGUS","value":"x","ttl":60}]}"#;
    let (old, new) = (Plan::new("old").file("dnsrecords.json", text).start_control(), Plan::new("new").start_control());
    let exported = path(&new, "all.json");
    old.ctl(&["record", "export", &exported]).success();
    let again = import(&old, &["--yes", "--replace", &exported]);
    assert_eq!(again["applied"], false, "what nobody can serve is no difference either: {again}");

    let ended = new.ctl(&["record", "import", "--yes", &exported]);
    assert_eq!(ended.code, Some(4), "one record cannot be taken: {}", ended.said());
    assert!(ended.stdout.contains("record 5") && ended.stdout.contains("`BOGUS`"), "{}", ended.said());
    let objects = |node: &Node| node.record_objects().as_array().cloned().unwrap_or_default();
    let (mut before, after) = (objects(&old), objects(&new));
    assert_eq!(before.pop().map(|record| record["type"].clone()), Some(json!("BOGUS")));
    assert_eq!(after.len(), 4, "{after:?}");
    for (before, after) in before.iter().zip(&after) {
        for key in ["name", "type", "value", "ttl", "mac", "cache_record"] {
            assert_eq!(before[key], after[key], "{key}");
        }
    }
    assert_eq!(before[0], after[0], "id and times are kept, too");
    assert!(after[1]["id"].as_str().is_some_and(|id| id.len() == 36), "who had no id gets one: {}", after[1]);
}

#[test]
fn a_file_of_hosts_brings_addresses_and_takes_away_no_more_than_those() {
    let node = Plan::new("hosts").records(&[
        Record::a("www.lab.test", "192.0.2.1"),
        Record::a("old.lab.test", "192.0.2.9"),
        Record::new("lab.test", "MX", "10 www.lab.test", 60),
    ]);
    let node = node
        .file("hosts", "# ours\n192.0.2.1 www.lab.test\n2001:db8::1 www.lab.test alias.lab.test # v6\nnonsense here\n");
    let node = node.start_control();
    let file = path(&node, "hosts");
    let ended = node.ctl(&["--json", "record", "import", "--yes", "--replace", &file]);
    assert_eq!(ended.code, Some(4), "{}", ended.said());
    let told = parse(&ended.stdout);
    assert_eq!(
        told["counts"],
        json!({"added": 2, "changed": 0, "removed": 1, "refused": 1, "unchanged": 1, "repeated": 0})
    );
    assert!(told["refused"][0]["reason"].as_str().is_some_and(|reason| reason.contains("line 4")), "{told}");
    let kept = [Record::a("www.lab.test", "192.0.2.1"), Record::new("lab.test", "MX", "10 www.lab.test", 60)];
    for record in kept {
        assert!(node.records().contains(&record), "{record} is as it was: {:?}", node.records());
    }
    let exported = node.ctl(&["record", "export", "--format", "hosts"]);
    assert_eq!(exported.code, Some(4), "the MX record cannot be said");
    assert!(exported.stderr.contains("1 of 4 records") && exported.stderr.contains("MX"), "{}", exported.said());
    let lines: Vec<_> = exported.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines.contains(&"192.0.2.1\twww.lab.test"), "{lines:?}");
}

#[test]
fn the_difference_is_shown_first_and_a_dry_run_leaves_it_at_that() {
    let before = [
        Record::new("alias.lab.test", "CNAME", "www.lab.test", 60),
        Record::a("gone.lab.test", "192.0.2.3"),
        Record::a("www.lab.test", "192.0.2.1"),
    ];
    let file = "$ORIGIN lab.test.\nwww 120 A 192.0.2.1\nalias 60 A 192.0.2.2\nbad 60 A 192.0.2\n";
    let node = Plan::new("dry").records(&before).file("lab.zone", file).start_control();
    let file = path(&node, "lab.zone");
    let command = ["record", "import", "--replace", "--zone", "lab.test", &file];
    let asked = node.ctl(&command);
    assert_eq!(asked.code, Some(2), "nobody can be asked: {}", asked.said());
    assert!(asked.stderr.contains("--yes"), "{}", asked.said());
    let shown = node.ctl(&[&command[..], &["--dry-run"]].concat());
    assert_eq!(shown.code, Some(4), "{}", shown.said());
    for line in [
        "+ alias.lab.test 60 A 192.0.2.2",
        "~ www.lab.test 60 A 192.0.2.1 -> TTL 120",
        "- alias.lab.test 60 CNAME www.lab.test",
        "- gone.lab.test 60 A 192.0.2.3",
        "1 added, 1 changed, 2 removed, 1 refused, 0 unchanged",
    ] {
        assert!(shown.stdout.lines().any(|it| it == line), "no line `{line}`: {}", shown.stdout);
    }
    assert!(shown.stdout.contains("lab.zone, line 4: "), "{}", shown.stdout);
    assert_eq!(node.records(), before, "nothing was changed");
    let done = node.ctl(&[&command[..], &["--yes"]].concat());
    assert_eq!(done.code, Some(4), "{}", done.said());
    assert_eq!(
        node.records(),
        [Record::a("alias.lab.test", "192.0.2.2"), Record::new("www.lab.test", "A", "192.0.2.1", 120)]
    );
    let adding = node
        .ctl_with_input(&["record", "import", "--yes", "--format", "zone", "-"], "alias.lab.test. 60 CNAME x.test.\n");
    assert_eq!(adding.code, Some(4), "{}", adding.said());
    assert!(adding.stdout.contains("RFC 1034 §3.6.2") && adding.stdout.contains("line 1"), "{}", adding.said());
}

#[test]
fn a_file_that_cannot_be_used_changes_nothing_and_says_why() {
    let node = Plan::new("broken").records(&[Record::a("a.test", "192.0.2.1")]).start_control();
    node.write("broken.json", "{\"records\":[\n{\"name\":\"b.test\",\"ttl\":\"x\"}]}");
    node.write("part.zone", "www.lab.test. 60 A 192.0.2.1\n");
    let refused = |arguments: &[&str]| {
        let ended = node.ctl(&[&["record", "import", "--yes"], arguments].concat());
        (ended.code, ended.stderr)
    };
    let (code, text) = refused(&[&path(&node, "broken.json")]);
    assert!(code == Some(1) && text.contains("line 2") && text.contains("records[0].ttl"), "{code:?} {text}");
    let (code, text) = refused(&["--replace", &path(&node, "part.zone")]);
    assert!(code == Some(1) && text.contains("--zone"), "{code:?} {text}");
    let (code, text) = refused(&[&path(&node, "missing.json")]);
    assert!(code == Some(2) && text.contains("missing.json"), "{code:?} {text}");
    assert_eq!(node.records(), [Record::a("a.test", "192.0.2.1")]);
}

#[test]
fn a_node_that_takes_no_writes_says_so_before_anything_is_read() {
    let node = Plan::new("closed").with(&json!({"cluster_reject_local_writes": true})).start_control();
    let ended = node.ctl_with_input(&["record", "import", "--yes", "--format", "json", "-"], "this is not even JSON");
    assert_eq!(ended.code, Some(1), "{}", ended.said());
    assert!(ended.stderr.contains("cluster_reject_local_writes"), "{}", ended.said());
}

#[test]
fn records_that_change_while_somebody_thinks_are_compared_and_asked_about_again() {
    let node = Plan::new("thinking").file("new.hosts", "192.0.2.1 www.lab.test\n").start_control();
    let mut terminal = Terminal::ctl(&node, &["record", "import", &path(&node, "new.hosts")]);
    terminal.wait_for("Make this change?");
    node.add(&Record::a("other.lab.test", "192.0.2.2"));
    terminal.say("y\r");
    terminal.wait_for("the records changed meanwhile");
    assert_eq!(node.records(), [Record::a("other.lab.test", "192.0.2.2")], "nothing is done unasked");
    terminal.wait_for("Make this change?");
    terminal.say("y\r");
    assert_eq!(terminal.end(), Some(0));
    let imported = Record::new("www.lab.test", "A", "192.0.2.1", 3600);
    assert_eq!(node.records(), [Record::a("other.lab.test", "192.0.2.2"), imported]);

    node.write("more.hosts", "192.0.2.3 more.lab.test\n");
    let mut terminal = Terminal::ctl(&node, &["record", "import", &path(&node, "more.hosts")]);
    terminal.wait_for("Make this change?");
    terminal.say("n\r");
    terminal.wait_for("nothing was changed");
    assert_eq!(terminal.end(), Some(0));
    assert_eq!(node.records().len(), 2);
}
