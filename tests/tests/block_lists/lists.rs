//! Where lists come from, and how they are looked after: all of it as REST and dnsplanectl show it.

use crate::{blocked_by, eventually_blocked_by, source, timed};
use dnsplane_tests::{ListServer, Node, Page, Plan, node::TERMINATION_LIMIT};
use serde_json::{Value, json};
use std::{fs, time::Duration};

#[test]
fn a_file_counts_within_a_second_of_each_change() {
    let plan = Plan::new("a").with(&json!({"adblock_list_files": ["ads.txt", "missing.txt"]}));
    let mut node = plan.file("ads.txt", "0.0.0.0 ads.example\n").start_control();
    eventually_blocked_by(&mut node, "x.ads.example", &["ads.txt"]);
    let mut times: Vec<_> = (0..5)
        .map(|round| {
            let name = format!("new{round}.example");
            timed(|| {
                node.write("ads.txt", &format!("{name}\n# {round}\n"));
                eventually_blocked_by(&mut node, &name, &["ads.txt"]);
            })
        })
        .collect();
    times.sort();
    // The machine may be busy with much else: most, not all.
    assert!(times[2] < Duration::from_secs(1), "{times:?}");
    assert_eq!(blocked_by(&node, "ads.example"), [""; 0], "what the file no longer says is gone");

    let missing = source(&node, "missing.txt");
    assert!(missing["Error"].as_str().is_some_and(|error| error.contains("missing.txt")), "{missing}");
    node.write("missing.txt", "late.example\n");
    eventually_blocked_by(&mut node, "late.example", &["missing.txt"]);
    assert_eq!(source(&node, "missing.txt")["Error"], Value::Null);
    fs::remove_file(node.path("missing.txt")).expect("it is there");
    node.eventually("its absence is told", |node| {
        let source = source(node, "missing.txt");
        if source["Error"].is_string() { Ok(()) } else { Err(source.to_string()) }
    });
    assert_eq!(blocked_by(&node, "late.example"), ["missing.txt"], "the names that it had stay");
}

#[test]
fn a_list_from_the_web_is_fetched_once_and_then_only_if_it_has_changed() {
    let server = ListServer::start(Page::list("\"v1\"", "||ads.example^\n@@||good.ads.example^\nsite.example##.ad\n"));
    let url = server.url();
    let mut node = Plan::new("a").with(&json!({"adblock_list_files": [&url]})).start_control();
    eventually_blocked_by(&mut node, "ads.example", &[&url]);
    let shown = source(&node, &url);
    assert_eq!(
        (&shown["Count"], &shown["Exceptions"], &shown["Skipped"]),
        (&json!(1), &json!(1), &json!(1)),
        "{shown}"
    );
    assert_eq!(shown["FirstSkipped"], "line 3: not a domain name", "{shown}");
    assert!(shown["Updated"].is_string() && shown["Error"].is_null(), "{shown}");
    let asked = server.asked();
    assert_eq!((asked.requests, asked.unchanged), (1, 0));

    // Asked for by hand it is fetched again, if it is another.
    let said = node.ctl(&["adblock", "load", &url]).success();
    assert!(said.contains("blocks 1 names and lets 1 through"), "{said}");
    let asked = server.asked();
    assert_eq!((asked.requests, asked.unchanged), (2, 1));
    server.serve(Page::list("\"v2\"", "ads.example\nmore.example\n"));
    node.ctl(&["adblock", "load", &url]).success();
    assert_eq!(blocked_by(&node, "more.example"), [url.as_str()]);

    // Whatever goes wrong, what was good stays, over a restart too.
    let wrong = [
        Page { status: "404 Not Found".to_owned(), ..Page::list("", "not here") },
        Page { kind: "text/html; charset=utf-8".to_owned(), ..Page::list("", "other.example\n") },
        Page::list("", "We are sorry.\nThe list has moved.\n"),
    ];
    for page in wrong {
        server.serve(page);
        let refused = node.ctl(&["adblock", "load", &url]);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(source(&node, &url)["Error"].as_str().is_some_and(|error| error.contains(&url)));
        assert_eq!(blocked_by(&node, "more.example"), [url.as_str()]);
    }
    drop(server);
    node.control().terminate(TERMINATION_LIMIT);
    node.start_control();
    node.wait_healthy();
    eventually_blocked_by(&mut node, "more.example", &[&url]);
    // Asked again a day after it was fetched, not at each start.
    assert_eq!(source(&node, &url)["Error"], Value::Null);
}

#[test]
fn a_list_that_is_loaded_stays_loaded_until_it_is_unloaded() {
    let mut node = Plan::new("a").file("ads.txt", "ads.example\ngood.example\n").start_control();
    node.write("good.txt", "good.example\n");
    let refused = node.ctl(&["adblock", "load", "nowhere.txt"]);
    assert!(refused.code == Some(1) && refused.stderr.contains("nowhere.txt"), "{refused:?}");
    let (ads, good) = (node.path("ads.txt").display().to_string(), node.path("good.txt").display().to_string());
    node.ctl(&["adblock", "load", &ads]).success();
    node.ctl(&["adblock", "load", &format!("allow:{good}")]).success();
    let check = |node: &Node, name: &str| node.ctl(&["adblock", "check", name]).success();
    assert!(check(&node, "x.ads.example").starts_with("x.ads.example is blocked\n"));
    assert!(check(&node, "good.example").starts_with("good.example is on a block list and let through\n"));
    node.control().kill();
    node.start_control();
    node.wait_healthy();
    eventually_blocked_by(&mut node, "good.example", &[&ads]);
    let listed = node.ctl(&["adblock", "list"]).success();
    assert!(listed.contains(&format!("allow:{good}")) && listed.contains("loaded"), "{listed}");
    assert_eq!(node.ctl(&["adblock", "domains"]).success(), "ads.example\ngood.example\n");
    assert_eq!(node.ctl(&["adblock", "domains", "goo"]).success(), "good.example\n");
    node.ctl(&["adblock", "unload", &ads]).success();
    assert_eq!(blocked_by(&node, "good.example"), [""; 0]);
    let refused = node.ctl(&["adblock", "unload", &ads]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
}

#[test]
fn lists_of_the_configuration_come_and_go_with_it_while_the_node_runs() {
    let plan = Plan::new("a").file("one.txt", "one.example\n").file("two.txt", "two.example\n");
    let mut node = plan.with(&json!({"adblock_list_files": ["one.txt"]})).start_control();
    eventually_blocked_by(&mut node, "one.example", &["one.txt"]);
    node.ctl(&["server", "set", "adblock_list_files", "two.txt, allow:one.txt"]).success();
    eventually_blocked_by(&mut node, "two.example", &["two.txt"]);
    assert_eq!(source(&node, "one.txt")["Allow"], true);
    // One that the configuration names is taken out there.
    let said = node.ctl(&["adblock", "unload", "two.txt"]).success();
    assert!(said.contains("adblock_list_files"), "{said}");
    let file: Value =
        serde_json::from_str(&fs::read_to_string(node.path("dnsplane.json")).expect("readable")).expect("JSON");
    assert_eq!(file["adblock_list_files"], json!(["allow:one.txt"]));
    let refused = node.ctl(&["server", "set", "adblock_list_files", "ftp://lists.example/ads"]);
    assert!(refused.code == Some(1) && refused.stderr.contains("http"), "{refused:?}");
}

#[test]
fn names_are_added_and_removed_as_scripts_know_it_and_survive_a_crash() {
    let plan = Plan::new("a").with(&json!({"adblock_list_files": ["ads.txt"]}));
    let mut node = plan.file("ads.txt", "listed.example\n").start_control();
    eventually_blocked_by(&mut node, "listed.example", &["ads.txt"]);
    let domains = |node: &Node| node.request("GET", "/adblock/domains", None).json();
    let added = node.request(
        "POST",
        "/adblock/domains",
        Some(&json!({"domain": "B.example.", "domains": ["*.a.example", "listed.example"]})),
    );
    assert_eq!((added.status, &added.json()["status"]), (201, &json!("domains added")), "{added:?}");
    node.eventually("three names in all", |node| {
        let reply = node.request("POST", "/adblock/domains", Some(&json!({"domain": "b.example"})));
        if reply.json()["count"] == 3 { Ok(()) } else { Err(format!("{reply:?}")) }
    });
    node.control().kill();
    node.start_control();
    node.wait_healthy();
    eventually_blocked_by(&mut node, "listed.example", &["added by hand", "ads.txt"]);
    assert_eq!(domains(&node), json!({"domains": ["*.a.example", "b.example", "listed.example"]}));
    assert_eq!((blocked_by(&node, "a.example").len(), blocked_by(&node, "x.a.example").len()), (0, 1));

    let removed = node.request("DELETE", "/adblock/domains?domains=*.a.example,b.example", None);
    assert_eq!((removed.status, &removed.json()["status"]), (200, &json!("domains removed")), "{removed:?}");
    let removed = node.request("DELETE", "/adblock/domains", Some(&json!({"domain": "listed.example"})));
    assert!(removed.status == 200 && removed.body.contains("ads.txt"), "the list still blocks it: {removed:?}");
    let refused = node.request("DELETE", "/adblock/domains?domain=x.listed.example", None);
    assert!(refused.status == 400 && refused.body.contains("adblock allow"), "{refused:?}");
    for bad in [json!({"domain": "a b"}), json!({"domain": "192.0.2.1"}), json!({}), json!({"domains": []})] {
        let reply = node.request("POST", "/adblock/domains", Some(&bad));
        assert_eq!((reply.status, &reply.json()["error"]), (400, &json!("invalid arguments")), "{bad}: {reply:?}");
    }
    for bad in [json!({"domain": 1}), json!({"domains": [1]}), json!([])] {
        let reply = node.request("POST", "/adblock/domains", Some(&bad));
        assert_eq!((reply.status, &reply.json()["error"]), (400, &json!("invalid input")), "{bad}: {reply:?}");
    }

    let allowed = node.request("POST", "/adblock/allow", Some(&json!({"domain": "listed.example"})));
    assert_eq!(allowed.status, 201, "{allowed:?}");
    let explained = node.request("GET", "/adblock/explain?name=x.listed.example", None).json();
    let by_hand = json!([{"source": "added by hand", "entry": "listed.example"}]);
    assert_eq!((&explained["blocked"], &explained["allowed_by"]), (&json!(false), &by_hand));
    assert_eq!(node.request("GET", "/adblock/allow", None).json(), json!({"domains": ["listed.example"]}));
    node.request("DELETE", "/adblock/allow?domain=listed.example", None);
    assert_eq!(node.request("GET", "/adblock/explain?name=listed.example", None).json()["blocked"], true);
}

#[test]
fn clearing_forgets_lists_and_names_also_in_the_configuration() {
    let plan = Plan::new("a").with(&json!({"adblock_list_files": ["ads.txt"]}));
    let mut node = plan.file("ads.txt", "listed.example\n").file("more.txt", "more.example\n").start_control();
    eventually_blocked_by(&mut node, "listed.example", &["ads.txt"]);
    node.ctl(&["adblock", "load", &node.path("more.txt").display().to_string()]).success();
    node.ctl(&["adblock", "add", "own.example"]).success();
    let cleared = node.request("POST", "/adblock/clear", None);
    assert_eq!((cleared.status, &cleared.json()["status"]), (200, &json!("adblock cleared")), "{cleared:?}");
    for restarted in [false, true] {
        if restarted {
            node.control().kill();
            node.start_control();
            node.wait_healthy();
        }
        node.eventually("no names and no lists", |node| {
            let sources = node.request("GET", "/adblock/sources", None).json();
            if sources == json!({"sources": [], "count": 0}) { Ok(()) } else { Err(sources.to_string()) }
        });
        assert_eq!(node.request("GET", "/adblock/domains", None).json(), json!({"domains": []}));
    }
}

#[test]
fn what_was_said_by_hand_is_not_written_over_when_it_cannot_be_read() {
    let plan = Plan::new("a").file("adblock.json", "{\"domains\": [\"own.example\"],");
    let node = plan.start_control();
    let refused = node.ctl(&["adblock", "add", "ads.example"]);
    assert!(refused.code == Some(1) && refused.stderr.contains("adblock.json"), "{refused:?}");
    let sources = node.request("GET", "/adblock/sources", None).json();
    assert!(sources["problem"].as_str().is_some_and(|problem| problem.contains("adblock.json")), "{sources}");
    assert!(fs::read_to_string(node.path("adblock.json")).expect("readable").contains("own.example"));
}
