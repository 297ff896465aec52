//! What clients are told.

use crate::timed;
use dnsplane_tests::{Node, PATIENCE, Plan, Record, dns::Question};
use hickory_proto::op::ResponseCode;
use serde_json::json;
use std::{
    fmt::Write,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

/// How a name is answered.
fn seen(node: &Node, name: &str, kind: &str) -> (ResponseCode, Vec<String>) {
    let reply = node.ask(name, kind);
    (reply.code(), reply.answers())
}

#[track_caller]
fn eventually_blocked(node: &mut Node, name: &str) {
    node.eventually_answers(name, "A", &["0.0.0.0"]);
}

/// Names that are not ours are REFUSED: these nodes have no upstream.
#[track_caller]
fn eventually_not_blocked(node: &mut Node, name: &str) {
    node.eventually(&format!("{name} is not blocked"), |node| {
        let (code, answers) = seen(node, name, "A");
        if code == ResponseCode::Refused { Ok(()) } else { Err(format!("{code} {answers:?}")) }
    });
}

#[test]
fn a_blocked_name_leads_nowhere_and_what_is_let_through_does_not() {
    let plan = Plan::new("a").with(&json!({"adblock_list_files": ["ads.txt"]}));
    let plan = plan.file("ads.txt", "||ads.example^\n@@||good.ads.example^\n*.wild.example\n");
    let mut node = plan.records(&[Record::a("own.ads.example", "192.0.2.7")]).start();
    eventually_blocked(&mut node, "ads.example");
    assert_eq!(seen(&node, "x.Ads.example", "A").1, ["x.ads.example. 300 A 0.0.0.0"]);
    assert_eq!(seen(&node, "ads.example", "AAAA").1, ["ads.example. 300 AAAA ::"]);
    assert_eq!(seen(&node, "ads.example", "HTTPS"), (ResponseCode::NoError, vec![]));
    assert_eq!(seen(&node, "a.wild.example", "A").1, ["a.wild.example. 300 A 0.0.0.0"]);
    for name in ["wild.example", "good.ads.example", "x.good.ads.example", "example"] {
        assert_eq!(seen(&node, name, "A").0, ResponseCode::Refused, "{name}");
    }
    assert_eq!(node.ask("own.ads.example", "A").values(), ["192.0.2.7"], "what is ours is not blocked");

    node.ctl(&["adblock", "allow", "ads.example"]).success();
    eventually_not_blocked(&mut node, "x.ads.example");
    node.ctl(&["adblock", "disallow", "ads.example"]).success();
    eventually_blocked(&mut node, "x.ads.example");
    node.ctl(&["adblock", "add", "new.example"]).success();
    eventually_blocked(&mut node, "new.example");

    // The data plane remembers, with no control plane to ask.
    node.control().kill();
    node.data().kill();
    node.start_data();
    node.eventually("it answers from its own copy", |node| {
        let reply = Question::new("new.example", "A").udp(node.dns()).map_err(|error| error.to_string())?;
        if reply.values() == ["0.0.0.0"] { Ok(()) } else { Err(reply.summary()) }
    });
}

#[test]
fn a_pause_holds_over_restarts_and_ends_when_it_is_told_to() {
    let mut node = Plan::new("a").start();
    node.ctl(&["adblock", "add", "ads.example"]).success();
    eventually_blocked(&mut node, "ads.example");
    let paused = node.request("POST", "/adblock/pause", Some(&json!({"minutes": 10})));
    assert_eq!((paused.status, &paused.json()["status"]), (200, &json!("adblock paused")), "{paused:?}");
    eventually_not_blocked(&mut node, "ads.example");
    node.control().kill();
    node.data().kill();
    node.start_control();
    node.start_data();
    node.wait_ready();
    eventually_not_blocked(&mut node, "ads.example");
    let said = node.ctl(&["adblock", "check", "ads.example"]).success();
    assert!(said.starts_with("ads.example is blocked\n") && said.contains("nothing is blocked until"), "{said}");
    node.ctl(&["adblock", "resume"]).success();
    eventually_blocked(&mut node, "ads.example");
    for minutes in [json!(0), json!(-1), json!("5"), json!(1.5), json!(10_000_000)] {
        let reply = node.request("POST", "/adblock/pause", Some(&json!({"minutes": minutes})));
        assert_eq!(reply.status, 400, "{minutes}: {reply:?}");
    }
}

/// Two million names with `DNSPLANE_LONG`, a tenth of that without.
#[test]
fn a_large_list_is_swapped_while_every_query_is_answered() {
    let count = if std::env::var_os("DNSPLANE_LONG").is_some() { 2_000_000 } else { 200_000 };
    let mut node = Plan::new("a").with(&json!({"adblock_list_files": ["ads.txt"]})).file("ads.txt", "").start();
    node.add(&Record::a("own.example", "192.0.2.7"));
    node.eventually_answers("own.example", "A", &["192.0.2.7"]);
    let stop = AtomicBool::new(false);
    let server = node.dns();
    let (took, asked) = thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut asked = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                let reply = Question::new("own.example", "A").udp(server).expect("no query is lost");
                assert_eq!(reply.values(), ["192.0.2.7"]);
                asked += 1;
            }
            asked
        });
        let mut took = Vec::new();
        for round in 0..2 {
            let mut list = String::new();
            for number in 0..count {
                let _ = writeln!(list, "0.0.0.0 r{round}-{}.track{}.example", number % 97, number / 97);
            }
            let last = format!("x.r{round}-{}.track{}.example", (count - 1) % 97, (count - 1) / 97);
            node.write("ads.txt", &list);
            took.push(timed(|| eventually_blocked(&mut node, &last)));
        }
        stop.store(true, Ordering::Relaxed);
        (took, asking.join().expect("every answer was right"))
    });
    println!("{count} names: {took:?} from the file to answers; {asked} queries meanwhile");
    eventually_not_blocked(&mut node, "r0-0.track0.example");
    assert!(took.iter().all(|took| *took < PATIENCE / 2), "{took:?}");
}
