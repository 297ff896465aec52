//! Upstreams that make trouble.

use crate::node::{Node, TIMEOUT, nobody, row, server, settings, upstreams};
use dnsplane_proto::Upstreams;
use dnsplane_tests::{
    dns::Question,
    upstream::{FORGED, Forgery, Says, Script, Upstream},
};
use std::{collections::HashSet, time::Duration};

const RIGHT: &str = "192.0.2.7";
const SERVFAIL: u8 = 2;

fn script(change: impl FnOnce(&mut Script)) -> Script {
    let mut script = Script::default();
    change(&mut script);
    script
}

#[test]
fn a_server_that_loses_every_tenth_question_is_asked_again_and_nobody_waits_in_vain() {
    let upstream = Upstream::start(script(|script| script.loses_every = 10));
    let node = Node::start(upstreams(&[&upstream]));
    for number in 0..200 {
        assert_eq!(node.told(&format!("n{number}.example.org")), [RIGHT]);
    }
    assert!(upstream.datagrams() > 200 && upstream.over_connections() == 0);
}

#[test]
fn rfc5452_s9_1_forged_replies_are_counted_and_never_believed() {
    for (forgery, connections) in [(Forgery::Id, 0), (Forgery::Question, 0), (Forgery::Case, 1)] {
        let upstream = Upstream::start(script(|script| (script.forged, script.forgery) = (2, forgery)));
        let node = Node::start(upstreams(&[&upstream]));
        assert_eq!(node.told("www.example.org"), [RIGHT], "{forgery:?}");
        let state = node.state(upstream.address());
        assert!(state.spoofed == 2 && state.failures == 0, "{forgery:?}: {state:?}");
        // Wrong letters alone may be a habit of the server, so it is asked where nobody forges; its datagram may be faster.
        assert!(upstream.over_connections() <= connections, "{forgery:?}");
        assert_ne!(RIGHT, FORGED.map(|octet| octet.to_string()).join("."));
    }
}

#[test]
fn where_many_replies_are_forged_questions_go_over_connections() {
    // The real reply comes last, and late.
    let upstream = Upstream::start(script(|script| (script.forged, script.after) = (60, Duration::from_millis(400))));
    let node = Node::start(upstreams(&[&upstream]));
    assert_eq!(node.told("www.example.org"), [RIGHT]);
    assert_eq!(upstream.over_connections(), 1);
    assert!(node.state(upstream.address()).spoofed > 20);
}

#[test]
fn a_server_that_lowers_letters_is_asked_over_connections_and_in_the_end_in_lower_case() {
    let upstream = Upstream::start(script(|script| script.lowers_case = true));
    let node = Node::start(upstreams(&[&upstream]));
    // Long names, so that one of them can hardly be in lower case by chance.
    let name = |number: usize| format!("abcdefghijklmnopqrstuvwxyz.n{number}.example.org");
    for number in 0..10 {
        assert_eq!(node.told(&name(number)), [RIGHT]);
    }
    assert_eq!(upstream.over_connections(), 3);
    assert_eq!(node.state(upstream.address()).spoofed, 3);
}

#[test]
fn what_does_not_fit_a_datagram_is_asked_for_over_a_connection() {
    let upstream = Upstream::start(script(|script| script.truncates = true));
    let node = Node::start(upstreams(&[&upstream]));
    assert_eq!(node.told("www.example.org"), [RIGHT]);
    assert_eq!([upstream.datagrams(), upstream.over_connections()], [1, 1]);
}

#[test]
fn rfc6891_s7_a_server_that_does_not_know_edns_is_asked_without_and_that_is_remembered() {
    let upstream = Upstream::start(script(|script| script.without_edns = true));
    let node = Node::start(upstreams(&[&upstream]));
    assert_eq!(node.told("a.example.org"), [RIGHT]);
    assert_eq!(node.told("b.example.org"), [RIGHT]);
    assert_eq!(upstream.datagrams(), 3);
    assert_eq!(node.state(upstream.address()).failures, 0);
}

#[test]
fn what_one_server_cannot_answer_is_asked_of_the_next() {
    for code in [SERVFAIL, 4, 5, 9] {
        let (bad, good) = (Upstream::start(script(|s| s.says = Says::Code(code))), Upstream::start(Script::default()));
        let node = Node::start(upstreams(&[&bad, &good]));
        for number in 0..10 {
            assert_eq!(node.told(&format!("n{number}.example.org")), [RIGHT], "code {code}");
        }
        assert!(node.state(bad.address()).failures > 0);
    }
}

#[test]
fn a_server_that_refuses_is_left_out_after_a_while() {
    let (bad, good) = (Upstream::start(script(|s| s.says = Says::Code(5))), Upstream::start(Script::default()));
    let node = Node::start(upstreams(&[&bad, &good]));
    let mut number = 0;
    node.eventually("it is unhealthy", |node| {
        number += 1;
        assert_eq!(node.told(&format!("n{number}.example.org")), [RIGHT]);
        node.state(bad.address()).unhealthy
    });
    let before = bad.datagrams();
    for number in 0..20 {
        assert_eq!(node.told(&format!("m{number}.example.org")), [RIGHT]);
    }
    assert!(bad.datagrams() - before <= 2, "it is tried again, rarely");
    let state = node.state(bad.address());
    assert_eq!(state.last_error, "it answers with REFUSED");
}

#[test]
fn a_name_that_nobody_can_resolve_is_no_servers_fault() {
    let servers = [(); 2].map(|()| Upstream::start(script(|script| script.says = Says::Code(SERVFAIL))));
    let node = Node::start(upstreams(&servers.each_ref()));
    for number in 0..5 {
        let (reply, took) = node.ask(&format!("n{number}.example.org"));
        assert_eq!(reply.code().low(), SERVFAIL);
        assert!(took < TIMEOUT / 2, "nothing is waited for: {took:?}");
    }
    for server in &servers {
        assert_eq!(server.datagrams(), 5);
        assert!(!node.state(server.address()).unhealthy);
    }
}

#[test]
fn rfc9520_s3_2_a_failure_is_remembered_for_a_second() {
    let upstream = Upstream::start(script(|script| script.says = Says::Code(SERVFAIL)));
    let node = Node::start(upstreams(&[&upstream]));
    for _ in 0..5 {
        assert_eq!(node.ask("www.example.org").0.code().low(), SERVFAIL);
    }
    assert_eq!(upstream.datagrams(), 1);
    upstream.change(|script| script.says = Script::default().says);
    node.eventually("it is asked for again", |node| node.ask("www.example.org").0.values() == [RIGHT]);
}

#[test]
fn octets_that_are_no_records_are_no_answer() {
    let (bad, good) = (Upstream::start(script(|s| s.says = Says::Garbage)), Upstream::start(Script::default()));
    let node = Node::start(upstreams(&[&bad, &good]));
    for number in 0..5 {
        assert_eq!(node.told(&format!("n{number}.example.org")), [RIGHT]);
    }
    assert!(bad.datagrams() > 0);
}

#[test]
fn a_dead_server_costs_the_first_clients_a_moment_and_then_nobody_anything() {
    let (dead, good) = (Upstream::start(script(|s| s.says = Says::Nothing)), Upstream::start(Script::default()));
    let node = Node::start(upstreams(&[&dead, &good]));
    for number in 0..5 {
        assert_eq!(node.told(&format!("n{number}.example.org")), [RIGHT]);
    }
    node.eventually("it is unhealthy", |node| node.state(dead.address()).unhealthy);
    let before = dead.datagrams();
    for number in 0..50 {
        assert_eq!(node.told(&format!("m{number}.example.org")), [RIGHT]);
    }
    assert!(dead.datagrams() - before <= 2, "it is tried again, rarely");
    dead.change(|script| script.says = Script::default().says);
    node.eventually("it is found to live again", |node| {
        node.told(&format!("r{}.example.org", dead.datagrams() + good.datagrams()));
        !node.state(dead.address()).unhealthy
    });
}

#[test]
fn where_nobody_listens_nobody_waits() {
    let node = Node::start(Upstreams { upstreams: vec![row(nobody())], ..Upstreams::default() });
    let (reply, took) = node.ask("www.example.org");
    assert_eq!(reply.code().low(), SERVFAIL);
    assert!(took < TIMEOUT / 4, "{took:?}");
}

#[test]
fn silence_ends_in_servfail_within_the_time_that_clients_are_given() {
    let upstream = Upstream::start(script(|script| script.says = Says::Nothing));
    let node = Node::start(upstreams(&[&upstream]));
    let (reply, took) = node.ask("www.example.org");
    assert_eq!(reply.code().low(), SERVFAIL);
    assert!(took < TIMEOUT && took > TIMEOUT / 2, "{took:?}");
    assert!(upstream.datagrams() > 2, "datagrams may have been lost");
}

#[test]
fn rfc8767_s4_what_is_stale_is_better_than_nothing() {
    let upstream = Upstream::start(script(|script| script.says = Says::Nothing));
    let node = Node::start(upstreams(&[&upstream]));
    node.remember("www.example.org", [192, 0, 2, 99]);
    assert_eq!(node.told("www.example.org"), ["192.0.2.99"]);
    upstream.change(|script| script.says = Script::default().says);
    node.eventually("it is renewed", |node| node.told("www.example.org") == [RIGHT]);
}

#[test]
fn who_stands_in_is_asked_when_a_server_fails_and_the_last_resort_when_all_do() {
    let (dead, good) = (Upstream::start(script(|s| s.says = Says::Code(5))), Upstream::start(Script::default()));
    let mut one = upstreams(&[&dead]);
    one.upstreams[0].fallback = Some(server(good.address()));
    let node = Node::start(one);
    assert_eq!(node.told("a.example.org"), [RIGHT]);
    node.asks(Upstreams { last_resort: Some(server(good.address())), ..upstreams(&[&dead]) });
    assert_eq!(node.told("b.example.org"), [RIGHT]);
    node.asks(Upstreams { last_resort: Some(server(good.address())), ..Upstreams::default() });
    assert_eq!(node.told("c.example.org"), [RIGHT]);
    assert_eq!(good.datagrams(), 3);
}

#[test]
fn a_slow_server_is_not_waited_for_when_another_is_fast() {
    let slow = Upstream::start(script(|script| script.after = Duration::from_millis(1200)));
    let fast = Upstream::start(Script::default());
    let node = Node::start(upstreams(&[&slow, &fast]));
    for number in 0..20 {
        let (reply, took) = node.ask(&format!("n{number}.example.org"));
        assert_eq!(reply.values(), [RIGHT]);
        assert!(took < Duration::from_millis(1000), "{took:?}");
    }
    let mut racing = settings();
    racing.resolving.in_flight = 2;
    let node = Node::under(racing, upstreams(&[&slow, &fast]));
    let before = slow.datagrams();
    let (_, took) = node.ask("race.example.org");
    assert!(took < Duration::from_millis(250), "both are asked at once: {took:?}");
    assert_eq!(slow.datagrams() - before, 1);
}

#[test]
fn too_many_fetches_end_in_servfail_at_once_and_not_in_memory() {
    let upstream = Upstream::start(script(|script| script.says = Says::Nothing));
    let node = Node::start(upstreams(&[&upstream]));
    let client = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    client.connect(node.address).expect("a connection");
    let mut refused = HashSet::new();
    let mut buffer = [0; 1500];
    client.set_nonblocking(true).expect("it need not block");
    for number in 0..25_000 {
        let message = Question::new(&format!("n{number}.example.org"), "A").edns(1232).message();
        client.send(&message.to_vec().expect("a message")).expect("it is sent");
        while let Ok(length) = client.recv(&mut buffer) {
            assert_eq!(buffer[3] & 15, SERVFAIL);
            refused.insert(buffer[..length].to_vec());
        }
    }
    node.eventually("who has no place is told so", |_| {
        while let Ok(length) = client.recv(&mut buffer) {
            refused.insert(buffer[..length].to_vec());
        }
        refused.len() > 1000
    });
    assert!(node.count("forwarded") <= 30_000);
}
