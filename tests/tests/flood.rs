//! Very many clients that ask for very many names: what the data plane remembers of them is bounded.
#![expect(clippy::print_stdout, reason = "figures of the run, for whoever looks")]

use dnsplane_tests::{
    Node, Plan, Random, Rival,
    dns::{Question, encode},
    rival::{Make, Zone},
};
use serde_json::json;
use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

const ZONE: &str = "\
up.example. 3600 IN SOA ns.up.example. mail.up.example. 1 3600 600 86400 60
up.example. 3600 IN NS ns.up.example.
ns.up.example. 3600 IN A 192.0.2.53
*.w.up.example. 3600 IN A 192.0.2.1
*.w.up.example. 3600 IN TXT \"a text that is somewhat longer than an address, so that entries are of several sizes\"
";
/// Addresses of clients.
const CLIENTS: u32 = 100_000;
/// What the cache may take.
const CACHE_MIB: u64 = 32;
/// Beyond the cache and what the data plane held before: fetches under way, counts for each client, and what the heap keeps
/// between blocks of many sizes.
const SLACK_MIB: u64 = 32;
/// Questions of one client on its way to the next.
const QUESTIONS: usize = 3;

fn client(number: u32) -> SocketAddr {
    let [_, b, c, d] = (number + 0x0001_0000).to_be_bytes();
    (Ipv4Addr::new(127, b, c, d), 0).into()
}

/// Asks as client after client until time is up; counts questions and replies.
fn ask(server: SocketAddr, next: &AtomicU32, until: Instant, [asked, answered]: [&AtomicU64; 2], seed: u64) {
    let mut random = Random::new(seed);
    let mut buffer = [0; 1500];
    while Instant::now() < until {
        let address = client(next.fetch_add(1, Relaxed) % CLIENTS);
        let socket = UdpSocket::bind(address).expect("every address of 127.0.0.0/8 is ours");
        socket.connect(server).expect("a local address");
        socket.set_read_timeout(Some(Duration::from_millis(500))).expect("above zero");
        for _ in 0..QUESTIONS {
            let name = format!("n{:x}.w.up.example", random.within(0..u64::MAX));
            let kind = ["A", "TXT", "AAAA"][random.within(0..3) as usize];
            socket.send(&encode(&Question::new(&name, kind).message())).expect("sent");
        }
        asked.fetch_add(QUESTIONS as u64, Relaxed);
        for _ in 0..QUESTIONS {
            answered.fetch_add(u64::from(socket.recv(&mut buffer).is_ok()), Relaxed);
        }
    }
}

fn flood(node: &Node, how_long: Duration) -> [u64; 2] {
    let (next, asked, answered) = (AtomicU32::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let until = Instant::now() + how_long;
    thread::scope(|scope| {
        for seed in 0..8 {
            let (next, counts, server) = (&next, [&asked, &answered], node.dns());
            scope.spawn(move || ask(server, next, until, counts, seed));
        }
    });
    println!(
        "{} clients, {} questions, {} replies",
        next.into_inner().min(CLIENTS),
        asked.load(Relaxed),
        answered.load(Relaxed)
    );
    [asked.into_inner(), answered.into_inner()]
}

#[test]
fn a_hundred_thousand_clients_that_ask_for_random_names_cannot_make_it_hold_more_than_it_may() {
    let upstream = Rival::start(Make::Nsd, &[Zone { origin: "up.example".to_owned(), text: ZONE.to_owned() }]);
    let mut node = Plan::new("flood")
        .with(&json!({
            "fallback_server_ip": upstream.address().ip().to_string(),
            "fallback_server_port": upstream.address().port().to_string(),
            "cache_records": true,
            "cache_max_mb": CACHE_MIB,
            // Counted for each client, and never reached.
            "dns_rate_limit_rps": 1000.0,
            "dns_rate_limit_burst": 1000,
            "dns_response_limit_mode": "rrl",
            "dns_rrl_max_per_bucket": 100_000,
        }))
        .start();
    node.eventually_answers("first.w.up.example", "A", &["192.0.2.1"]);
    let before = node.data().resident_kib() / 1024;
    let long = std::env::var_os("DNSPLANE_LONG").is_some();
    let [asked, answered] = flood(&node, Duration::from_secs(if long { 60 } else { 8 }));
    let after = node.data().resident_kib() / 1024;
    println!("resident: {before} MiB before, {after} MiB after; the cache may take {CACHE_MIB} MiB");
    assert!(answered * 10 >= asked * 9, "{answered} replies to {asked} questions\n{}", node.logs());
    assert!(after <= before + CACHE_MIB + SLACK_MIB, "{before} MiB became {after} MiB\n{}", node.logs());
    node.eventually_answers("last.w.up.example", "A", &["192.0.2.1"]);
}
