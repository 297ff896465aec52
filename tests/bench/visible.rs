//! From a write on A to the answer on B, with 10,000 records loaded.

use crate::{probe::Probe, spread::Spread};
use dnsplane_tests::{Cluster, Record, http::Connection};
use serde_json::json;
use std::time::{Duration, Instant};

const LOADED: u32 = 10_000;
const WRITES: u32 = 100;
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) fn run() {
    let mut cluster = Cluster::prepare(2, &json!({}));
    let (a, b) = cluster.pair();
    let records: Vec<_> = (0..LOADED)
        .map(|number| {
            Record::a(&format!("host-{number}.load.example"), &format!("10.0.{}.{}", number >> 8, number & 255))
        })
        .map(|record| record.to_json())
        .collect();
    a.write("dnsrecords.json", &json!({"records": records}).to_string());
    for node in [&mut *a, &mut *b] {
        node.start_control();
        node.start_data();
    }
    a.wait_ready();
    b.wait_ready();
    // The first write brings everything over; it is not counted.
    a.add(&Record::a("first.example", "192.0.2.1"));
    b.eventually_answers(&format!("host-{}.load.example", LOADED - 1), "A", &["10.0.39.15"]);

    let mut api = Connection::open(a.api()).expect("the API listens");
    let (here, there) = (Probe::new(a.dns()), Probe::new(b.dns()));
    let [mut acknowledged, mut visible_here, mut visible_there] = [(); 3].map(|()| Spread::default());
    for number in 0..WRITES {
        let record = Record::a(&format!("write-{number}.example"), "192.0.2.2");
        let start = Instant::now();
        let reply = api.request("POST", "/dns/records", Some(&record.to_json())).expect("a reply");
        acknowledged.push(start.elapsed());
        assert_eq!(reply.status, 201, "{reply:?}");
        here.until(&record.name, &record.value, LIMIT);
        visible_here.push(start.elapsed());
        there.until(&record.name, &record.value, LIMIT);
        visible_there.push(start.elapsed());
    }
    println!("visible: {WRITES} writes on A, one after another, with {LOADED} records on both nodes");
    println!("  acknowledged         {acknowledged}");
    println!("  answered by A        {visible_here}");
    println!("  answered by B        {visible_there}\n");
}
