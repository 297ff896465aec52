//! Every change says who made it, when and where, and can be taken back.

use dnsplane_tests::{Cluster, Node, Plan, Record, http};
use serde_json::{Value, json};
use std::{fs, net::SocketAddr, thread};

fn history(node: &Node, words: &[&str]) -> Vec<Value> {
    let text = node.ctl(&[&["--json", "record", "history"], words].concat()).success();
    let document: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    document["changes"].as_array().unwrap_or_else(|| panic!("no changes: {text}")).clone()
}

fn number(change: &Value) -> String {
    change["number"].as_u64().unwrap_or_else(|| panic!("no number: {change}")).to_string()
}

/// Numbers of all changes, newest first, page by page.
fn all_numbers(node: &Node) -> Vec<u64> {
    let mut numbers = Vec::new();
    loop {
        let before = numbers.last().map_or_else(|| "0".to_owned(), u64::to_string);
        let page = history(node, &["--limit", "100", "--before", &before]);
        if page.is_empty() {
            return numbers;
        }
        numbers.extend(page.iter().filter_map(|change| change["number"].as_u64()));
    }
}

/// Number of the newest change of this name.
fn newest(node: &Node, name: &str) -> String {
    number(history(node, &[name]).first().unwrap_or_else(|| panic!("nothing ever happened to {name}")))
}

fn values(change: &Value, side: &str) -> Vec<String> {
    let steps = change["records"].as_array().expect("steps");
    steps.iter().filter_map(|step| step[side]["value"].as_str().map(str::to_owned)).collect()
}

#[test]
fn every_door_leaves_its_name_and_a_time() {
    let mut cluster = Cluster::start(2);
    let (a, b) = cluster.pair();
    a.add(&Record::a("www.example", "192.0.2.1"));
    a.ctl(&["record", "update", "www.example", "A", "192.0.2.1", "300"]).success();
    a.eventually("the file follows", |a| {
        let text = fs::read_to_string(a.path("dnsrecords.json")).map_err(|error| error.to_string())?;
        if text.contains("300") { Ok(()) } else { Err(text) }
    });
    let edited = json!({"records": [Record::new("www.example", "A", "192.0.2.9", 300).to_json()]});
    a.write("dnsrecords.json.edited", &edited.to_string());
    fs::rename(a.path("dnsrecords.json.edited"), a.path("dnsrecords.json")).expect("a file can be renamed");
    a.eventually_answers("www.example", "A", &["192.0.2.9"]);
    b.eventually_answers("www.example", "A", &["192.0.2.9"]);
    b.ctl(&["record", "remove", "www.example"]).success();
    a.eventually_answers("www.example", "A", &[]);

    let changes = history(a, &["www.example"]);
    let told: Vec<_> = changes.iter().map(|change| (change["by"].as_str().expect("who"), &change["node_id"])).collect();
    let starts = [("peer b", "b"), ("", "a"), ("dnsplanectl", "a"), ("api 127.0.0.1", "a")];
    assert_eq!(told.len(), starts.len(), "{changes:#?}");
    for ((by, node), (start, expected)) in told.iter().zip(starts) {
        assert!(by.starts_with(start) && **node == expected, "{by} at {node}, not {start} at {expected}");
    }
    assert!(told[1].0.contains("records file") || told[1].0.contains("dnsrecords.json"), "{told:?}");
    for change in &changes {
        let at: jiff::Timestamp = change["at"].as_str().expect("a time").parse().expect("RFC 3339");
        assert!(at.as_second() > 1_700_000_000, "{change}");
    }
    assert_eq!(
        (values(&changes[1], "before"), values(&changes[1], "after")),
        (vec!["192.0.2.1".into()], vec!["192.0.2.9".into()])
    );
    assert_eq!((values(&changes[0], "before"), values(&changes[0], "after")), (vec!["192.0.2.9".to_owned()], vec![]));

    // REST tells the same, and people are shown it.
    let rest = a.request("GET", "/dns/records/history?name=WWW.example.&limit=2", None);
    let rest = (rest.status, rest.json());
    assert_eq!((rest.0, rest.1["changes"].as_array().map(Vec::as_slice)), (200, Some(&changes[..2])));
    assert_eq!(a.request("GET", "/dns/records/history?limit=x", None).status, 400);
    let shown = a.ctl(&["record", "history", "www.example"]).success();
    assert!(shown.contains("www.example 300 A 192.0.2.1") && shown.contains("this node"), "{shown}");
    assert_eq!(history(a, &["www.example", "TXT"]), [] as [Value; 0]);
    assert_eq!(history(a, &["--limit", "1"]).len(), 1);
    assert_eq!(history(b, &["www.example"]).first().map(|change| change["node_id"].clone()), Some(json!("b")));
}

#[test]
fn an_undo_restores_answers_and_can_be_undone() {
    let mut node = Node::start("undo");
    node.add(&Record::a("www.example", "192.0.2.1"));
    node.add(&Record::new("www.example", "TXT", "\"kept\"", 60));
    let before = node.record_objects();
    node.ctl(&["record", "remove", "www.example", "--all"]).success();
    node.eventually_answers("www.example", "A", &[]);
    let change = newest(&node, "www.example");

    let preview = node.ctl(&["record", "undo", &change, "--dry-run"]).success();
    assert!(preview.contains("comes back: www.example 60 A 192.0.2.1"), "{preview}");
    assert_eq!(node.records(), [], "a dry run does nothing");
    let asked = node.ctl(&["record", "undo", &change]);
    assert_eq!(asked.code, Some(2), "there is nobody to ask: {}", asked.said());
    assert!(asked.said().contains("--yes"), "{}", asked.said());

    node.ctl(&["record", "undo", &change, "--yes"]).success();
    node.eventually_answers("www.example", "A", &["192.0.2.1"]);
    assert_eq!(node.record_objects(), before, "ids, times and places are as they were");
    let undone = history(&node, &["www.example"]).remove(0);
    let by = undone["by"].as_str().expect("who");
    assert!(by.starts_with("dnsplanectl") && by.ends_with(&format!("undoes change {change}")), "{by}");

    node.ctl(&["record", "undo", &number(&undone), "--yes"]).success();
    node.eventually_answers("www.example", "A", &[]);
    assert_eq!(node.records(), []);
}

#[test]
fn an_undo_that_would_undo_more_is_refused_with_the_later_change() {
    let node = Plan::new("refused").start_control();
    node.add(&Record::a("www.example", "192.0.2.1"));
    let added = newest(&node, "www.example");
    node.add(&Record::a("other.example", "192.0.2.2"));
    node.ctl(&["record", "update", "www.example", "A", "192.0.2.1", "300"]).success();
    node.ctl(&["record", "remove", "www.example"]).success();
    let removed = newest(&node, "www.example");
    let refused = node.ctl(&["record", "undo", &added, "--yes"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.said().contains(&format!("undo change {removed} first")), "{}", refused.said());
    assert_eq!(node.records(), [Record::a("other.example", "192.0.2.2")]);
    // One after the other it goes.
    node.ctl(&["record", "undo", &removed, "--yes"]).success();
    assert_eq!(node.records().len(), 2);
    // A rule that holds for every edit holds here.
    node.ctl(&["record", "remove", "www.example"]).success();
    let removed = newest(&node, "www.example");
    node.ctl(&["record", "add", "www.example", "CNAME", "other.example"]).success();
    let refused = node.ctl(&["record", "undo", &removed, "--yes"]);
    assert!(refused.code == Some(1) && refused.said().contains("CNAME"), "{}", refused.said());
    for (number, part) in [("9999", "there is no change 9999"), ("0", "there is no change 0")] {
        let unknown = node.ctl(&["record", "undo", number, "--yes"]);
        assert!(unknown.code == Some(1) && unknown.said().contains(part), "{}", unknown.said());
    }
    node.ctl(&["server", "set", "cluster_reject_local_writes", "true"]).success();
    let rejected = node.ctl(&["record", "undo", &removed, "--dry-run"]);
    assert!(rejected.said().contains("cluster_reject_local_writes"), "{}", rejected.said());
}

#[test]
fn a_peers_change_is_undone_here_and_the_peer_follows() {
    let mut cluster = Cluster::start(2);
    let (a, b) = cluster.pair();
    a.add(&Record::a("www.example", "192.0.2.1"));
    b.eventually_answers("www.example", "A", &["192.0.2.1"]);
    b.ctl(&["record", "remove", "www.example"]).success();
    a.eventually_answers("www.example", "A", &[]);
    let change = history(a, &["www.example"]).remove(0);
    assert_eq!((&change["node_id"], &change["local"]), (&json!("b"), &json!(false)));
    a.ctl(&["record", "undo", &number(&change), "--yes"]).success();
    for node in [a, b] {
        node.eventually_answers("www.example", "A", &["192.0.2.1"]);
    }
}

/// Names of files in the store whose names begin like this.
fn segments(node: &Node, prefix: &str) -> Vec<String> {
    let entries = fs::read_dir(node.path("store")).expect("a store");
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    let mut names: Vec<_> = names.filter(|name| name.starts_with(prefix)).collect();
    names.sort();
    names
}

/// Changes a record again and again, `most` times or until nobody answers any more; returns how often that was acknowledged.
fn change_a_lot(api: SocketAddr, most: usize) -> usize {
    // A change holds both sides of it: some 120 KB each.
    let value = |fill: char| format!("\"{}\"", fill.to_string().repeat(60_000));
    let record = |round: usize| {
        let fill = if round.is_multiple_of(2) { 'x' } else { 'y' };
        json!({"name": "long.example", "type": "TXT", "value": value(fill), "ttl": 60 + round,
               "id": "11111111-1111-4111-8111-111111111111"})
    };
    // Unknown ids are refused, so that the first one is added; it may be there from an earlier time.
    let _known = http::request(api, "POST", "/dns/records", Some(&record(0)));
    let change = |round: &usize| {
        http::request(api, "PUT", "/dns/records", Some(&record(*round))).is_ok_and(|it| it.status == 200)
    };
    (1..=most).take_while(change).count()
}

/// Writes so much that the log is replaced by an image.
fn make_the_log_long(node: &Node) {
    assert_eq!(change_a_lot(node.api(), 149), 149, "{}", node.logs());
}

#[test]
fn history_survives_restarts_and_the_compaction_of_the_log() {
    let mut node = Plan::new("compact").start_control();
    node.add(&Record::a("www.example", "192.0.2.1"));
    node.ctl(&["record", "remove", "www.example"]).success();
    let removed = newest(&node, "www.example");
    make_the_log_long(&node);
    node.eventually("the log has been compacted", |node| match segments(node, "history-") {
        names if names.is_empty() => Err("no segment is history".to_owned()),
        names => Ok(names),
    });
    assert_eq!(history(&node, &["www.example"]).len(), 2);
    node.control().kill();
    node.start_control();
    node.wait_healthy();
    let changes = history(&node, &["www.example"]);
    assert_eq!(changes.iter().map(number).collect::<Vec<_>>(), [removed.as_str(), "1"]);
    assert_eq!(all_numbers(&node).len(), 152);
    node.ctl(&["record", "undo", &removed, "--yes"]).success();
    assert!(node.records().contains(&Record::a("www.example", "192.0.2.1")));
}

#[test]
fn killed_in_the_middle_of_compaction_nothing_is_lost() {
    // So many that writing the image takes a moment.
    let records: Vec<_> = (0..20_000).map(|number| Record::a(&format!("n{number}.example"), "192.0.2.1")).collect();
    let mut node = Plan::new("killed").records(&records).start_control();
    node.add(&Record::a("www.example", "192.0.2.1"));
    let first = newest(&node, "www.example");
    for round in 0..2 {
        let api = node.api();
        let old = segments(&node, "history-").len();
        let writing = thread::spawn(move || change_a_lot(api, 180));
        node.eventually("an image is being written, or just was", |node| {
            let (new, now) = (segments(node, ".image.").len(), segments(node, "history-").len());
            if now > old || round == 0 && new > 0 {
                Ok(())
            } else {
                Err(format!("{new} new images, {now} old segments"))
            }
        });
        node.control().kill();
        let acknowledged = writing.join().expect("the writer ends");
        node.start_control();
        node.wait_healthy();
        assert_eq!(history(&node, &["www.example"]).len(), 1, "round {round}");
        let numbers = all_numbers(&node);
        let gaps: Vec<_> = numbers.windows(2).filter(|pair| pair[0] != pair[1] + 1).collect();
        assert!(gaps.is_empty(), "round {round}: {gaps:?}");
        assert_eq!(numbers.last().map(u64::to_string).as_ref(), Some(&first), "round {round}");
        assert!(numbers.len() > acknowledged, "round {round}: {acknowledged} changes, {} in history", numbers.len());
        assert_eq!(node.records().len(), records.len() + 2, "round {round}");
    }
}

#[test]
fn what_is_too_old_says_so() {
    let mut node = Plan::new("old").start_control();
    node.add(&Record::a("www.example", "192.0.2.1"));
    make_the_log_long(&node);
    node.eventually("the log has been compacted", |node| match segments(node, "history-") {
        names if names.is_empty() => Err("no segment is history".to_owned()),
        names => Ok(names),
    });
    node.control().kill();
    for name in segments(&node, "history-") {
        fs::remove_file(node.path("store").join(name)).expect("a file can be removed");
    }
    node.start_control();
    node.wait_healthy();
    assert!(node.records().contains(&Record::a("www.example", "192.0.2.1")), "history is no part of the records");
    let old = node.ctl(&["record", "undo", "1", "--yes"]);
    assert!(old.code == Some(1) && old.said().contains("change 1 is too old to be known"), "{}", old.said());
    assert_eq!(history(&node, &["www.example"]), [] as [Value; 0]);
}
