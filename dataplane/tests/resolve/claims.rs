//! What holds when nothing is wrong.

use crate::node::{Node, row, settings, upstreams, wanted};
use dnsplane_dns::resolve::{Failure, Fetched};
use dnsplane_proto::{Name, Probes, Upstreams};
use dnsplane_tests::{
    dns::Question,
    upstream::{Script, Upstream},
};
use std::{thread, time::Duration};

const RIGHT: &str = "192.0.2.7";

#[test]
fn what_was_fetched_is_remembered() {
    let upstream = Upstream::start(Script::default());
    let node = Node::start(upstreams(&[&upstream]));
    for _ in 0..3 {
        assert_eq!(node.told("www.example.org"), [RIGHT]);
    }
    assert_eq!(upstream.asked("www.example.org."), 1);
    let counts = ["queries_total", "forwarded", "answered_upstream", "answered_cache"].map(|name| node.count(name));
    assert_eq!(counts, [3, 1, 1, 2]);
    let state = node.state(upstream.address());
    assert_eq!((state.queries, state.failures, state.spoofed, state.unhealthy), (1, 0, 0, false));
    assert!(!state.rtt.is_zero() && state.last_success > 0);
}

#[test]
fn streams_get_their_answers_too() {
    let upstream = Upstream::start(Script::default());
    let node = Node::start(upstreams(&[&upstream]));
    let question = Question::new("www.example.org", "A");
    for _ in 0..2 {
        assert_eq!(question.tcp(node.address).expect("a reply").values(), [RIGHT]);
    }
    assert_eq!(upstream.asked("www.example.org."), 1);
}

#[test]
fn equal_questions_are_one_question_to_the_upstream() {
    let upstream = Upstream::start(Script { after: Duration::from_millis(200), ..Script::default() });
    let node = Node::start(upstreams(&[&upstream]));
    thread::scope(|scope| {
        for _ in 0..30 {
            scope.spawn(|| assert_eq!(node.told("www.example.org"), [RIGHT]));
        }
    });
    assert_eq!(node.count("forwarded"), 1);
    // The same question may be put again if its reply is late, but not thirty times.
    assert!(upstream.asked("www.example.org.") <= 2, "{}", upstream.asked("www.example.org."));
}

#[test]
fn names_that_a_server_has_for_itself_are_asked_of_it_alone() {
    let (general, own) = (Upstream::start(Script::default()), Upstream::start(Script::default()));
    let mut list = upstreams(&[&general, &own]);
    list.upstreams[1].domains.push(Name::parse("corp.test").expect("a name"));
    let node = Node::start(list);
    assert_eq!(node.told("www.corp.test"), [RIGHT]);
    assert_eq!(node.told("www.example.org"), [RIGHT]);
    assert_eq!([general.datagrams(), own.datagrams()], [1, 1]);
}

#[test]
fn servers_that_are_taken_from_the_list_are_asked_no_more() {
    let (one, other) = (Upstream::start(Script::default()), Upstream::start(Script::default()));
    let node = Node::start(upstreams(&[&one]));
    assert_eq!(node.told("a.example.org"), [RIGHT]);
    node.asks(upstreams(&[&other]));
    assert_eq!(node.told("b.example.org"), [RIGHT]);
    assert_eq!([one.datagrams(), other.datagrams()], [1, 1]);
    assert_eq!(node.engine.upstreams().len(), 1);
    node.asks(Upstreams::default());
    assert_eq!(node.ask("c.example.org").0.code().low(), 5);
}

#[test]
fn servers_are_asked_how_they_are_and_an_unhealthy_one_is_found_before_a_client_finds_it() {
    let mut probing = settings();
    let name = Name::parse("probe.example").expect("a name");
    probing.resolving.probes = Some(Probes { every: Duration::from_millis(50), failures: 2, name });
    let (good, gone) = (Upstream::start(Script::default()), crate::node::nobody());
    let node =
        Node::under(probing, Upstreams { upstreams: vec![row(good.address()), row(gone)], ..Upstreams::default() });
    node.eventually("the one that is gone is unhealthy", |node| node.state(gone).unhealthy);
    node.eventually("the other was asked", |_| good.asked("probe.example.") > 2);
    let (state, other) = (node.state(good.address()), node.state(gone));
    assert!(!state.unhealthy && state.last_probe > 0 && state.last_error.is_empty(), "{state:?}");
    assert!(!other.last_error.is_empty() && other.consecutive_failures >= 2, "{other:?}");
    assert_eq!(node.count("forwarded"), 0);
}

#[test]
fn whoever_wants_to_know_is_told_what_came_of_a_fetch() {
    let upstream = Upstream::start(Script::default());
    let node = Node::start(upstreams(&[&upstream]));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let fetched = runtime.block_on(node.engine.fetch(wanted(b"\x03www\x07example\x03org\x00")));
    assert!(matches!(fetched, Fetched::Answer(_)), "{fetched:?}");
    node.asks(Upstreams::default());
    let fetched = runtime.block_on(node.engine.fetch(wanted(b"\x03ftp\x07example\x03org\x00")));
    assert!(matches!(fetched, Fetched::Failed(Failure::Upstreams)), "{fetched:?}");
}
