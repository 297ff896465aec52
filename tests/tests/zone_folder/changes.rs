use super::{eventually_faults, plan, replace, zone};
use dnsplane_tests::{Plan, Record, node::TERMINATION_LIMIT};
use serde_json::json;
use std::{
    fs,
    time::{Duration, Instant},
};

#[test]
fn zones_of_a_folder_are_answered_and_a_changed_line_is_one_change() {
    let mut node = plan("zones", json!({"watch": true, "refresh_interval_seconds": 3600}))
        .file("zones/one.test.db", &zone("www A 192.0.2.1\ntxt TXT \"a ; b\" c\n"))
        .file(
            "zones/db.two.test.db",
            "$ORIGIN two.test.\n@ 5 IN SOA ns.one.test. host (\n 1 2 3 4 5 )\n@ 5 MX 10 mail\n",
        )
        .start();
    node.eventually_answers("www.one.test", "A", &["192.0.2.1"]);
    node.eventually_answers("two.test", "MX", &["10 mail.two.test."]);
    node.eventually_answers("txt.one.test", "TXT", &["a ; bc"]);
    assert_eq!(node.records_source()["version"], "2 zone files");
    let before = node.generation();
    replace(&node, "zones/one.test.db", &zone("www A 192.0.2.2\ntxt TXT \"a ; b\" c\n"));
    node.eventually_answers("www.one.test", "A", &["192.0.2.2"]);
    assert_eq!(node.generation(), before + 1);
    // A file that is touched says what it said.
    replace(&node, "zones/one.test.db", &zone("www A 192.0.2.2\ntxt TXT \"a ; b\" c\n"));
    node.write("zones/three.test.db", &zone("www A 192.0.2.3\n"));
    node.eventually_answers("www.three.test", "A", &["192.0.2.3"]);
    assert_eq!(node.generation(), before + 2);
    fs::remove_file(node.path("zones/three.test.db")).expect("it is there");
    node.eventually_answers("www.three.test", "A", &[]);
    node.eventually_answers("www.one.test", "A", &["192.0.2.2"]);
}

#[test]
fn a_file_with_a_bad_line_is_told_with_file_and_line_and_served_as_it_was_over_restarts() {
    let mut node = plan("bad", json!({"watch": true}))
        .file("zones/one.test.db", &zone("www A 192.0.2.1\n"))
        .file("zones/two.test.db", &zone("www A 192.0.2.1\n"))
        .start();
    node.eventually_answers("www.one.test", "A", &["192.0.2.1"]);
    replace(&node, "zones/one.test.db", &zone("www A 192.0.2.9\nbad A nowhere\n"));
    replace(&node, "zones/two.test.db", &zone("www A 192.0.2.2\n"));
    node.write("zones/new.test.db", &zone("www A 192.0.2\n"));
    eventually_faults(&mut node, &["new.test.db:5 ", "one.test.db:6 "]);
    node.eventually_answers("www.two.test", "A", &["192.0.2.2"]);
    node.eventually_answers("www.one.test", "A", &["192.0.2.1"]);
    node.eventually_answers("www.new.test", "A", &[]);
    let shown = node.ctl(&["server", "status"]).success();
    assert!(shown.contains("one.test.db, line 6: "), "{shown}");
    assert!(shown.contains("the file is served as it was when it was last good"), "{shown}");
    let page = node.request("GET", "/stats/dashboard", None).body;
    assert!(page.contains("one.test.db") && page.contains("2 faults"), "{page}");

    for kill in [false, true] {
        if kill {
            node.control().kill();
        } else {
            assert!(node.control().terminate(TERMINATION_LIMIT).is_some(), "{}", node.logs());
        }
        let before = "www.one.test";
        node.start_control();
        node.wait_ready();
        eventually_faults(&mut node, &["new.test.db:5 ", "one.test.db:6 "]);
        node.eventually_answers(before, "A", &["192.0.2.1"]);
    }
    replace(&node, "zones/one.test.db", &zone("www A 192.0.2.9\n"));
    replace(&node, "zones/new.test.db", &zone("www A 192.0.2.7\n"));
    eventually_faults(&mut node, &[]);
    node.eventually_answers("www.one.test", "A", &["192.0.2.9"]);
    node.eventually_answers("www.new.test", "A", &["192.0.2.7"]);
}

#[test]
fn a_folder_that_is_gone_leaves_its_records_and_says_how_old_they_are() {
    let mut node = plan("gone", json!({})).file("zones/one.test.db", &zone("www A 192.0.2.1\n")).start();
    node.eventually_answers("www.one.test", "A", &["192.0.2.1"]);
    fs::rename(node.path("zones"), node.path("away")).expect("a folder can be renamed");
    let said = |node: &mut dnsplane_tests::Node, words: &str| {
        node.eventually(&format!("status says {words}"), |node| {
            let source = node.records_source();
            let said = source["problem"].as_str().unwrap_or_default();
            if said.contains(words) { Ok(()) } else { Err(source.to_string()) }
        });
    };
    said(&mut node, "cannot read the zone files in ");
    let load = node.ctl(&["record", "load"]);
    assert!(
        load.code == Some(1)
            && load.stderr.contains("cannot read the zone files")
            && load.stderr.contains("ago is served"),
        "{load:?}"
    );
    assert!(node.control().terminate(TERMINATION_LIMIT).is_some(), "{}", node.logs());
    node.start_control();
    node.wait_ready();
    said(&mut node, " ago is served");
    assert!(node.records_source()["age_seconds"].is_u64(), "{}", node.records_source());
    assert!(node.control().said().contains("serving that until it is read again"), "{}", node.logs());
    node.eventually_answers("www.one.test", "A", &["192.0.2.1"]);
    fs::create_dir(node.path("zones")).expect("a folder can be made");
    said(&mut node, "no file there has a name like `*.db`");
    node.eventually_answers("www.one.test", "A", &["192.0.2.1"]);
    node.write("zones/one.test.db", &zone("www A 192.0.2.2\n"));
    node.eventually_answers("www.one.test", "A", &["192.0.2.2"]);
    assert_eq!(node.records_source()["problem"], "");
}

#[test]
fn record_load_reads_at_once_and_says_what_changed() {
    let mut node = plan("load", json!({"refresh_interval_seconds": 3600}))
        .file("zones/one.test.db", &zone("www A 192.0.2.1\n"))
        .start();
    node.eventually_answers("www.one.test", "A", &["192.0.2.1"]);
    let same = node.ctl(&["record", "load"]).success();
    assert!(same.contains("says what it said before") || same.contains("0 records taken"), "{same}");
    node.write("zones/one.test.db", &zone("www A 192.0.2.1\nnew A 192.0.2.2\n"));
    let loaded = node.ctl(&["record", "load"]).success();
    assert!(loaded.contains("1 records taken from the zone files in "), "{loaded}");
    node.eventually_answers("new.one.test", "A", &["192.0.2.2"]);
    node.write("zones/one.test.db", &zone("www A 192.0.2.1\nnew A x\n"));
    let faulty = node.ctl(&["record", "reload"]).success();
    assert!(faulty.contains("one.test.db, line 6: "), "{faulty}");
    let reload = node.request("POST", "/dns/records/reload", None);
    assert_eq!((reload.status, &reload.json()["records"]), (200, &json!(5)), "{reload:?}");
}

#[test]
fn a_first_start_without_the_zones_leaves_a_data_plane_the_copy_that_it_has() {
    let mut node = Plan::new("first").records(&[Record::a("old.one.test", "192.0.2.1")]).start();
    node.eventually_answers("old.one.test", "A", &["192.0.2.1"]);
    node.eventually("the data plane has a copy", |node| {
        let status = node.data_plane_status()?;
        if status["records"].is_object() { Ok(()) } else { Err(status.to_string()) }
    });
    assert!(node.data().terminate(TERMINATION_LIMIT).is_some(), "{}", node.logs());
    assert!(node.control().terminate(TERMINATION_LIMIT).is_some(), "{}", node.logs());
    // The store is lost, and with it the records; the zone files are not there yet.
    fs::remove_dir_all(node.path("store")).expect("it is there");
    node.configure(&json!({"file_locations": {"records_source": {"type": "bind_dir", "location": "zones", "refresh_interval_seconds": 1}}}));
    node.start_control();
    node.start_data();
    node.wait_healthy();
    node.eventually("status tells", |node| {
        let said = node.records_source()["problem"].to_string();
        if said.contains("data planes are told of no records until it is") { Ok(()) } else { Err(said) }
    });
    node.eventually_answers("old.one.test", "A", &["192.0.2.1"]);
    fs::create_dir(node.path("zones")).expect("a folder can be made");
    node.write("zones/one.test.db", &zone("www A 192.0.2.2\n"));
    node.eventually_answers("www.one.test", "A", &["192.0.2.2"]);
    node.eventually_answers("old.one.test", "A", &[]);
}

#[test]
fn a_file_of_bind_says_which_zones_there_are() {
    let conf = "// the zones of this server\noptions { directory \"/var/named\"; };\n\
        zone \"one.test\" { type primary; file \"first\"; }; # one\n\
        zone \"other.test\" { type secondary; file \"other\"; };\n\
        include \"more.conf\";\n";
    let mut node = plan("conf", json!({"named_conf": "named.conf"}))
        .file("zones/named.conf", conf)
        .file("zones/more.conf", "/* more */ zone \"two.test\" IN { type master; file \"second\"; };")
        .file("zones/first", &zone("www A 192.0.2.1\n"))
        .file("zones/second", &zone("www A 192.0.2.2\n"))
        .file("zones/other", &zone("www A 192.0.2.3\n"))
        .start();
    node.eventually_answers("www.one.test", "A", &["192.0.2.1"]);
    node.eventually_answers("www.two.test", "A", &["192.0.2.2"]);
    node.eventually_answers("www.other.test", "A", &[]);
    assert_eq!(node.records_source()["version"], "2 zone files");
    node.write("zones/named.conf", "zone \"one.test\" {\n type primary; file \"first\"; }");
    node.eventually("status says where", |node| {
        let said = node.records_source()["problem"].to_string();
        if said.contains("named.conf, line 2: ") { Ok(()) } else { Err(said) }
    });
    node.eventually_answers("www.two.test", "A", &["192.0.2.2"]);
}

#[test]
fn a_changed_line_of_many_is_answered_within_a_second_of_the_files_change() {
    // What it takes does not depend on the file; a million lines are measured in tests/bench.
    const LINES: u32 = 50_000;
    let text = |last: &str| {
        let mut text = zone("");
        for number in 0..LINES {
            text.push_str(&format!("h{number} A 192.0.2.{}\n", number % 250));
        }
        text.push_str(&format!("last A {last}\n"));
        text
    };
    let mut node = plan("large", json!({"watch": true, "refresh_interval_seconds": 3600}))
        .file("zones/one.test.db", &text("192.0.2.1"))
        .start();
    node.eventually_answers("last.one.test", "A", &["192.0.2.1"]);
    let before = node.generation();
    let mut took = Vec::new();
    for number in 2..7 {
        let address = format!("192.0.2.{number}");
        replace(&node, "zones/one.test.db", &text(&address));
        let start = Instant::now();
        node.eventually_answers("last.one.test", "A", &[&address]);
        took.push(start.elapsed());
    }
    assert_eq!(node.generation(), before + 5);
    took.sort();
    // Half of them: a machine that others keep busy may be late now and then.
    assert!(took[2] < Duration::from_secs(1), "{took:?}");
}
