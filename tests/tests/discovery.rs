//! Peers that are found through SRV records.

use dnsplane_tests::{
    NameServer, Node, Plan, Record, Says,
    peer::{Listener, Script},
    program::check_config,
};
use hickory_proto::op::ResponseCode;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

const NAME: &str = "_dnsplane._tcp.lab.test";

/// A node that asks this server every second.
fn asking(name: &str, server: SocketAddr) -> Plan {
    Plan::new(name).with(&json!({
        "cluster_discovery_srv": NAME,
        "cluster_discovery_interval_seconds": 1,
        "cluster_discovery_servers": [server],
    }))
}

/// An SRV record's parts for something that listens on this machine.
fn local(priority: u16, weight: u16, address: SocketAddr) -> (u16, u16, u16, String) {
    (priority, weight, address.port(), "localhost.".to_owned())
}

/// An address as a target is written in status.
fn dialled(address: SocketAddr) -> String {
    format!("localhost:{}", address.port())
}

/// `address source` of each peer, in order.
fn peers(cluster: &Value) -> Vec<String> {
    let text = |peer: &Value, key: &str| peer[key].as_str().unwrap_or("?").to_owned();
    let peers = cluster["peers"].as_array().into_iter().flatten();
    peers.map(|peer| format!("{} {}", text(peer, "address"), text(peer, "source"))).collect()
}

/// Waits until the node has exactly these peers; returns its status then.
fn eventually_has(node: &mut Node, expected: &[String]) -> Value {
    node.eventually(&format!("the peers are {expected:?}"), |node| {
        let cluster = node.cluster_status();
        if peers(&cluster) == expected { Ok(cluster) } else { Err(cluster.to_string()) }
    })
}

/// Waits until the last query has failed for a reason with these words, or has worked if there are none.
fn eventually_fails(node: &mut Node, words: &str) -> Value {
    node.eventually(&format!("discovery_last_error has {words:?}"), |node| {
        let cluster = node.cluster_status();
        let as_expected = match &cluster["discovery_last_error"] {
            Value::String(error) => !words.is_empty() && error.contains(words),
            _ => words.is_empty() && cluster["discovery_last_refresh"].is_string(),
        };
        if as_expected { Ok(cluster) } else { Err(cluster.to_string()) }
    })
}

#[test]
fn peers_come_and_go_with_the_srv_records_that_one_of_our_nodes_serves() {
    let zone = Node::start("zone");
    let mut b = Plan::new("b").start_control();
    let mut a = asking("a", zone.dns()).start_control();
    let service = |priority: u16, address: SocketAddr| {
        Record::new(NAME, "SRV", &format!("{priority} 0 {} localhost.", address.port()), 1)
    };
    zone.add(&service(20, b.peer()));
    let cluster = eventually_has(&mut a, &[format!("{} srv", dialled(b.peer()))]);
    assert_eq!(
        [&cluster["static_peer_count"], &cluster["srv_peer_count"], &cluster["effective_peer_count"]],
        [&json!(0), &json!(1), &json!(1)]
    );
    assert_eq!(
        [&cluster["cluster_discovery_srv"], &cluster["cluster_discovery_interval_seconds"]],
        [&json!(NAME), &json!(1)]
    );
    a.add(&Record::a("www.example", "192.0.2.7"));
    b.eventually("the peer that was found has what was written", |b| {
        let records = b.records();
        if records == [Record::a("www.example", "192.0.2.7")] { Ok(()) } else { Err(format!("{records:?}")) }
    });

    let c = Plan::new("c").start_control();
    let start = Instant::now();
    zone.add(&service(10, c.peer()));
    eventually_has(&mut a, &[format!("{} srv", dialled(c.peer())), format!("{} srv", dialled(b.peer()))]);
    let added = start.elapsed();
    let start = Instant::now();
    let reply = zone.request(
        "DELETE",
        &format!("/dns/records?name={NAME}&type=SRV&value={}", encoded(&service(20, b.peer()))),
        None,
    );
    assert_eq!(reply.status, 200, "{reply:?}");
    eventually_has(&mut a, &[format!("{} srv", dialled(c.peer()))]);
    let removed = start.elapsed();
    println!("SRV record added, followed after {added:?}; removed, followed after {removed:?} (interval 1 s, TTL 1 s)");
    assert!(added.max(removed) < Duration::from_secs(6), "{added:?} {removed:?}");
}

/// A record's value in a query.
fn encoded(record: &Record) -> String {
    record.value.replace(' ', "%20")
}

#[test]
fn targets_come_behind_configured_peers_by_priority_then_weight_and_equal_addresses_once() {
    let at = |priority, weight, port, host: &str| (priority, weight, port, host.to_owned());
    let server = NameServer::start(Says::Srv(vec![
        at(20, 0, 1, "d.invalid."),
        at(10, 5, 1, "c.invalid."),
        at(10, 50, 1, "b.invalid."),
        at(0, 0, 7946, "NS2.invalid."),
        at(10, 5, 1, "C.invalid."),
        at(30, 0, 0, "."),
    ]));
    let plan = asking("a", server.address()).with(&json!({"cluster_peers": ["z.invalid:1", "ns2.invalid"]}));
    let mut a = plan.start_control();
    let expected =
        ["z.invalid:1 static", "ns2.invalid:7946 static", "b.invalid:1 srv", "c.invalid:1 srv", "d.invalid:1 srv"];
    let cluster = eventually_has(&mut a, &expected.map(str::to_owned));
    assert_eq!(
        [&cluster["static_peer_count"], &cluster["srv_peer_count"], &cluster["effective_peer_count"]],
        [&json!(2), &json!(4), &json!(5)]
    );
}

#[test]
fn r13_a_failed_query_keeps_configured_peers_and_is_shown_until_the_next_success() {
    let (configured, found) = (Listener::start(Script::default()), Listener::start(Script::default()));
    let good = Says::Srv(vec![local(1, 1, found.address())]);
    let server = NameServer::start(good.clone());
    let mut a = asking("a", server.address()).peers(&[configured.address()]).start_control();
    let only = [format!("{} static", configured.address())];
    let both = [only[0].clone(), format!("{} srv", dialled(found.address()))];
    for (says, words) in [
        (Says::Code(ResponseCode::ServFail), "Server Failure"),
        (Says::Code(ResponseCode::Refused), "Refused"),
        (Says::Code(ResponseCode::NXDomain), "does not exist"),
        (Says::Garbage, "SRV"),
        (Says::Silence, "did not answer in time"),
    ] {
        let seen = format!("{says:?}");
        server.says(good.clone());
        eventually_fails(&mut a, "");
        eventually_has(&mut a, &both);
        server.says(says);
        let cluster = eventually_fails(&mut a, words);
        println!("{seen}: {}", cluster["discovery_last_error"]);
        // The list of peers follows what was found a moment later.
        eventually_has(&mut a, &only);
        assert!(cluster["discovery_last_refresh"].is_string(), "the last success stays in view: {cluster}");
        assert!(cluster["discovery_last_error"].to_string().contains(&server.address().to_string()), "{cluster}");
    }
    server.says(good);
    eventually_fails(&mut a, "");
    eventually_has(&mut a, &both);
}

#[test]
fn an_answer_without_records_is_a_success_without_targets() {
    let found = Listener::start(Script::default());
    for none in [Says::Srv(Vec::new()), Says::Srv(vec![(0, 0, 0, ".".to_owned())])] {
        let server = NameServer::start(Says::Srv(vec![local(1, 1, found.address())]));
        let mut a = asking("a", server.address()).start_control();
        eventually_has(&mut a, &[format!("{} srv", dialled(found.address()))]);
        server.says(none);
        let cluster = eventually_has(&mut a, &[]);
        assert_eq!(
            (&cluster["discovery_last_error"], &cluster["srv_peer_count"]),
            (&Value::Null, &json!(0)),
            "{cluster}"
        );
    }
}

#[test]
fn an_answer_too_long_for_udp_is_fetched_over_tcp_and_a_dead_server_is_passed_over() {
    let found = Listener::start(Script::default());
    let dead = NameServer::start(Says::Code(ResponseCode::ServFail));
    let server = NameServer::start(Says::SrvOverTcp(vec![local(1, 1, found.address())]));
    let plan = asking("a", server.address());
    let mut a = plan.with(&json!({"cluster_discovery_servers": [dead.address(), server.address()]})).start_control();
    let cluster = eventually_has(&mut a, &[format!("{} srv", dialled(found.address()))]);
    assert_eq!(cluster["discovery_last_error"], Value::Null, "{cluster}");
    assert!(dead.asked(&format!("{NAME}.")) > 0, "servers are asked in the order given");
}

#[test]
fn every_key_takes_effect_at_once() {
    let found = Listener::start(Script::default());
    let target = [format!("{} srv", dialled(found.address()))];
    let good = Says::Srv(vec![local(1, 1, found.address())]);
    let (server, silent) = (NameServer::start(good), NameServer::start(Says::Code(ResponseCode::ServFail)));
    let mut a = Plan::new("a").start_control();
    let change = |a: &mut Node, keys: &Value| {
        a.configure(keys);
        a.control().signal(Signal::SIGHUP);
    };
    // An interval of an hour: whatever happens now happens because a key changed.
    change(
        &mut a,
        &json!({
            "cluster_discovery_srv": NAME, "cluster_discovery_interval_seconds": 3600,
            "cluster_discovery_servers": [server.address()],
        }),
    );
    eventually_has(&mut a, &target);
    change(&mut a, &json!({"cluster_discovery_servers": [silent.address()]}));
    eventually_has(&mut a, &[]);
    change(&mut a, &json!({"cluster_discovery_servers": [server.address()]}));
    eventually_has(&mut a, &target);
    change(&mut a, &json!({"cluster_discovery_srv": "_other._udp.lab.test"}));
    a.eventually("the other name is asked for", |_| {
        if server.asked("_other._udp.lab.test.") > 0 { Ok(()) } else { Err("not yet".to_owned()) }
    });
    change(&mut a, &json!({"cluster_discovery_srv": ""}));
    a.eventually("nobody is looked for, and status has no word of it", |a| {
        let cluster = a.cluster_status();
        let keys = [
            "cluster_discovery_srv",
            "cluster_discovery_interval_seconds",
            "discovery_last_refresh",
            "discovery_last_error",
        ];
        let gone = keys.iter().all(|key| cluster.get(*key).is_none()) && peers(&cluster).is_empty();
        if gone { Ok(()) } else { Err(cluster.to_string()) }
    });
    change(&mut a, &json!({"cluster_discovery_srv": NAME, "cluster_enabled": false}));
    a.eventually("a cluster that is off looks for nobody", |a| {
        let cluster = a.cluster_status();
        if cluster["enabled"] == false && cluster["srv_peer_count"] == 0 { Ok(()) } else { Err(cluster.to_string()) }
    });
    change(&mut a, &json!({"cluster_enabled": true}));
    eventually_has(&mut a, &target);
    assert!(!a.control().said().contains("not used yet: cluster_discovery"));
}

#[test]
fn with_interval_0_a_node_asks_until_it_was_answered_once_and_never_again() {
    let found = Listener::start(Script::default());
    let server = NameServer::start(Says::Code(ResponseCode::ServFail));
    let once = json!({"cluster_discovery_interval_seconds": 0});
    let mut a = asking("a", server.address()).with(&once).start_control();
    eventually_fails(&mut a, "Server Failure");
    server.says(Says::Srv(vec![local(1, 1, found.address())]));
    eventually_has(&mut a, &[format!("{} srv", dialled(found.address()))]);
    // A second node that asks every second under another name tells the time.
    let clock = json!({"cluster_discovery_srv": "_clock._tcp.lab.test"});
    let mut b = asking("b", server.address()).with(&clock).start_control();
    let asked = server.asked(&format!("{NAME}."));
    b.eventually("a few seconds have passed", |_| match server.asked("_clock._tcp.lab.test.") {
        asked if asked > 3 => Ok(()),
        asked => Err(format!("asked {asked} times")),
    });
    assert_eq!(server.asked(&format!("{NAME}.")), asked, "it asked again");
    assert_eq!(peers(&a.cluster_status()).len(), 1);
}

#[test]
fn r11_ourselves_among_the_targets_are_recognised() {
    let b = Plan::new("b").start_control();
    let server = NameServer::start(Says::Silence);
    let mut a = asking("a", server.address()).prepare();
    server.says(Says::Srv(vec![local(1, 1, a.peer()), local(2, 1, b.peer())]));
    a.start_control();
    a.wait_healthy();
    let ours = dialled(a.peer());
    a.eventually("we are told from the other", |a| {
        let cluster = a.cluster_status();
        let of = |address: &str, key: &str| {
            let peers = cluster["peers"].as_array().into_iter().flatten();
            peers.filter(|peer| peer["address"] == address).map(|peer| peer[key].clone()).next().unwrap_or_default()
        };
        let note = of(&ours, "note");
        let told = note.as_str().is_some_and(|note| note.contains("ourselves"));
        if told && of(&dialled(b.peer()), "node_id") == "b" { Ok(()) } else { Err(cluster.to_string()) }
    });
}

#[test]
fn what_was_written_before_the_start_waits_for_what_found_peers_have() {
    let mut a = Plan::new("a").start_control();
    a.add(&Record::a("www.example", "192.0.2.7"));
    a.control().terminate(Duration::from_secs(10)).expect("it stops");
    let found = Listener::start(Script::default());
    let server = NameServer::start(Says::Srv(vec![local(1, 1, found.address())]));
    a.configure(&json!({
        "cluster_discovery_srv": NAME, "cluster_discovery_interval_seconds": 3600,
        "cluster_discovery_servers": [server.address()],
    }));
    a.start_control();
    let dialogues = a.eventually("the peer that was found gets our records", |_| {
        let dialogues = found.dialogues();
        let pushed = dialogues.iter().any(|dialogue| dialogue.kind(1) == "records_full");
        if pushed { Ok(dialogues) } else { Err(format!("{dialogues:?}")) }
    });
    let first = |kind: &str| dialogues.iter().position(|dialogue| dialogue.kind(1) == kind);
    assert!(first("pull").is_some() && first("pull") < first("records_full"), "{dialogues:?}");
}

#[test]
fn a_name_that_is_no_service_is_told_and_nobody_is_asked() {
    let check = |srv: &str| {
        let config = json!({"cluster_enabled": true, "cluster_auth_token": "t", "cluster_discovery_srv": srv});
        check_config(&config.to_string()).0.said()
    };
    assert!(check("lab.test").contains("not a service name"), "{}", check("lab.test"));
    assert!(!check(NAME).contains("cluster_discovery"), "{}", check(NAME));
    let server = NameServer::start(Says::Silence);
    let wrong = json!({"cluster_discovery_srv": "lab.test"});
    let mut a = asking("a", server.address()).with(&wrong).start_control();
    let cluster = eventually_fails(&mut a, "`lab.test` is not a service name");
    assert_eq!((&cluster["srv_peer_count"], server.asked("lab.test.")), (&json!(0), 0));
}
