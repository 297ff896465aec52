//! Documents on the web.

use crate::{LOOK_LIMIT, eventually_says, look, look_fails, plan, records, start_again};
use dnsplane_tests::{Document, Manner, Node, Plan, Record, RecordServer, eventually};
use serde_json::json;

fn node(url: &str) -> Node {
    plan("a", json!({"type": "url", "location": url})).start()
}

/// Waits until the server was asked so often once more.
fn eventually_asked(server: &RecordServer, more: usize) {
    let before = server.asked().requests;
    eventually("the server is asked again", LOOK_LIMIT, || {
        let asked = server.asked();
        if asked.requests >= before + more { Ok(()) } else { Err(format!("{asked:?}")) }
    });
}

#[test]
fn a_changed_document_is_one_change_and_an_unchanged_one_is_none() {
    let documents = |address: &str| Document::of(&records(address));
    type Versioned = fn(Document, usize) -> Document;
    let versions: [(&str, Versioned); 3] = [
        ("ETag", |document, version| document.called(&format!("\"v{version}\""))),
        ("Last-Modified", |document, version| document.changed(&format!("Tue, 24 Nov 2026 10:00:0{version} GMT"))),
        ("the text", |document, _| document),
    ];
    for (by, versioned) in versions {
        let server = RecordServer::start(versioned(documents("192.0.2.7"), 1));
        let mut node = node(&server.url());
        node.eventually_answers("www.dns.test", "A", &["192.0.2.7"]);
        let before = node.generation();
        eventually_asked(&server, 3);
        assert_eq!(node.generation(), before, "{by}");
        let unchanged = server.asked().unchanged;
        assert!(if by == "the text" { unchanged == 0 } else { unchanged >= 2 }, "{by}: {:?}", server.asked());

        server.serve(versioned(documents("192.0.2.8"), 2));
        node.eventually_answers("www.dns.test", "A", &["192.0.2.8"]);
        assert_eq!(node.generation(), before + 1, "{by}");
        assert_eq!(node.records().len(), 50);
        let said = node.records_source();
        assert_eq!((&said["type"], &said["problem"]), (&json!("url"), &json!("")), "{said}");
        assert!(said["age_seconds"].as_u64().is_some_and(|age| age < 60), "{said}");
    }
}

#[test]
fn whatever_is_no_whole_document_is_a_reason_and_the_last_good_set_stays() {
    let good = || Document::of(&records("192.0.2.7"));
    let server = RecordServer::start(good());
    let mut node = node(&server.url());
    node.eventually_answers("www.dns.test", "A", &["192.0.2.7"]);
    for (document, words) in [
        (good().served(Manner::Truncated), "cannot read the URL"),
        (good().served(Manner::Unchunked), "cannot read the URL"),
        (good().served(Manner::Status(500)), "the server says 500"),
        (good().served(Manner::Status(404)), "the server says 404"),
        (good().served(Manner::Status(304)), "the server says 304"),
        (good().served(Manner::Redirected), "redirects again and again"),
        (Document::text("{}"), "missing field `records`"),
        (Document::text(""), "it sends nothing at all"),
        (Document::text("<!doctype html><title>Not found</title>"), "it sends a page for people"),
        (
            Document::text("{\"records\": [\n  {\"name\": \"a.test\", \"ttl\": \"x\"}]}"),
            "line 2, column 31 (`records[0].ttl`)",
        ),
        (Document::text("{\"records\": [{\"name\": \"a.test\"}"), "line 1, column 31 (`records`): EOF"),
    ] {
        server.serve(document);
        look_fails(&node, words);
    }
    node.eventually_answers("www.dns.test", "A", &["192.0.2.7"]);
    assert_eq!(node.records().len(), 50);

    server.serve(Document::of(&records("192.0.2.9")));
    node.eventually_answers("www.dns.test", "A", &["192.0.2.9"]);
    assert_eq!(node.records_source()["problem"], "");
    server.serve(Document::text(r#"{"records": []}"#));
    look(&node);
    assert_eq!(node.records(), [], "no records at all are a set, too");
}

#[test]
fn a_server_that_falls_silent_is_given_up_after_half_a_minute() {
    let server = RecordServer::start(Document::of(&records("192.0.2.7")));
    let mut node = node(&server.url());
    node.eventually_answers("www.dns.test", "A", &["192.0.2.7"]);
    server.serve(Document::of(&records("192.0.2.8")).served(Manner::Hanging));
    eventually_says(&mut node, "cannot read the URL");
    node.eventually_answers("www.dns.test", "A", &["192.0.2.7"]);
    server.serve(Document::of(&records("192.0.2.8")));
    node.eventually_answers("www.dns.test", "A", &["192.0.2.8"]);
}

#[test]
fn a_document_without_end_is_refused_in_bounded_memory() {
    let server = RecordServer::start(Document::of(&records("192.0.2.7")));
    let mut node = node(&server.url());
    node.eventually_answers("www.dns.test", "A", &["192.0.2.7"]);
    server.serve(Document::text("").served(Manner::Endless));
    eventually_says(&mut node, "it is longer than 256 MiB");
    let resident = node.control().resident_kib();
    assert!(resident < 700 << 10, "{resident} KiB");
    node.eventually_answers("www.dns.test", "A", &["192.0.2.7"]);
}

#[test]
fn a_node_that_starts_while_the_server_is_down_answers_from_what_it_read_before() {
    let server = RecordServer::start(Document::of(&records("192.0.2.7")).called("\"v1\""));
    let address = server.address();
    let mut node = node(&server.url());
    node.eventually_answers("www.dns.test", "A", &["192.0.2.7"]);
    drop(server);
    start_again(&mut node);
    node.eventually_answers("www.dns.test", "A", &["192.0.2.7"]);
    let said = eventually_says(&mut node, "ago is served");
    assert!(said["age_seconds"].is_u64() && said["read_at"].is_string(), "{said}");
    assert!(node.control().said().contains("ago; serving that until it is read again"), "{}", node.logs());

    let server = RecordServer::start_on(address, Document::of(&records("192.0.2.8")).called("\"v2\""));
    node.eventually_answers("www.dns.test", "A", &["192.0.2.8"]);
    assert_eq!(node.records_source()["problem"], "");
    drop(server);
}

#[test]
fn a_node_that_never_read_anything_starts_when_the_server_does() {
    let server = RecordServer::start(Document::text("{}"));
    let mut node = plan("a", json!({"type": "url", "location": server.url()})).prepare();
    node.start_control();
    node.start_data();
    node.wait_healthy();
    eventually_says(&mut node, "missing field `records`");
    assert_eq!(node.generation(), 0);
    server.serve(Document::of(&records("192.0.2.7")));
    node.eventually_answers("www.dns.test", "A", &["192.0.2.7"]);
}

#[test]
fn nobody_but_the_server_changes_these_records() {
    let server = RecordServer::start(Document::of(&records("192.0.2.7")));
    let mut node = node(&server.url());
    node.eventually_answers("www.dns.test", "A", &["192.0.2.7"]);
    let reply = node.request("POST", "/dns/records", Some(&Record::a("new.dns.test", "192.0.2.1").to_json()));
    assert!(reply.status == 403 && reply.body.contains(&server.url()), "{reply:?}");
    let refused = node.ctl(&["record", "remove", "www.dns.test"]);
    assert!(refused.code == Some(1) && refused.stderr.contains(&server.url()), "{refused:?}");

    let mut peer = Plan::new("b").peers(&[node.peer()]).start();
    peer.add(&Record::a("theirs.dns.test", "192.0.2.2"));
    node.eventually("the peer's snapshot is refused", |node| {
        let conflicts = node.conflicts();
        let told = serde_json::to_string(&conflicts).unwrap_or_default();
        if told.contains(&server.url()) { Ok(()) } else { Err(told) }
    });
    assert_eq!(node.records().len(), 50);
    peer.eventually_answers("theirs.dns.test", "A", &["192.0.2.2"]);
    node.eventually_answers("theirs.dns.test", "A", &[]);
}

#[test]
fn a_login_in_the_url_is_told_to_the_server_and_to_nobody_else() {
    let server = RecordServer::start(Document::of(&records("192.0.2.7")));
    let mut node = node(&server.url_as("me:s3cret"));
    node.eventually_answers("www.dns.test", "A", &["192.0.2.7"]);
    assert_eq!(server.asked().login.as_deref(), Some("Basic bWU6czNjcmV0"));
    server.serve(Document::text("").served(Manner::Status(500)));
    look_fails(&node, "the server says 500");
    drop(server);
    look_fails(&node, "cannot read the URL");
    let refused = node.request("POST", "/dns/records", Some(&Record::a("new.dns.test", "192.0.2.1").to_json()));
    let page = node.request("GET", "/stats/dashboard/data", None);
    let note = std::fs::read_to_string(node.path("store/source.json")).expect("the store has a note");
    for said in [node.server_status().to_string(), refused.body, page.body, note, node.control().said()] {
        assert!(!said.contains("s3cret"), "{said}");
    }
}
