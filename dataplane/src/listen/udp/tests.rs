use super::*;
use crate::{Builder, Rules};
use dnsplane_proto::{Generation, Name, RecordData, RecordSet, RecordType};

fn snapshot() -> crate::Snapshot {
    let mut builder = Builder::new();
    let wire = |name: &str| Name::parse(name).unwrap().as_wire().to_vec();
    let soa = [wire("ns.lab.test"), wire("root.lab.test"), vec![0; 20]].concat();
    // So many that a batch of lookups is prepared together.
    for at in 0..60_000u32 {
        builder.apply(&set(&format!("h{at}.lab.test"), RecordType::A, at.to_be_bytes().to_vec())).unwrap();
    }
    for (owner, kind, rdata) in [
        ("lab.test", RecordType::SOA, soa),
        ("lab.test", RecordType::NS, wire("ns.lab.test")),
        ("ns.lab.test", RecordType::A, vec![192, 0, 2, 53]),
        ("alias.lab.test", RecordType::CNAME, wire("h7.lab.test")),
        ("*.wild.lab.test", RecordType::A, vec![192, 0, 2, 9]),
        ("sub.lab.test", RecordType::NS, wire("ns.sub.lab.test")),
        ("ns.sub.lab.test", RecordType::A, vec![192, 0, 2, 8]),
        ("also.lab.test", RecordType::A, vec![0, 0, 0, 5]),
    ] {
        builder.apply(&set(owner, kind, rdata)).unwrap();
    }
    builder.finish(Generation { session: 1, number: 1 }, Rules { auto_ptr: true, ..Rules::default() })
}

fn set(owner: &str, kind: RecordType, rdata: Vec<u8>) -> RecordSet {
    let data = vec![RecordData { ttl: 60, rdata: rdata.into() }];
    RecordSet { owner: Name::parse(owner).unwrap(), kind, data }
}

/// With EDNS and a client's cookie, as resolvers ask.
fn query(name: &str, kind: RecordType) -> Vec<u8> {
    let mut query = vec![1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    query.extend_from_slice(Name::parse(name).unwrap().as_wire());
    query.extend_from_slice(&kind.0.to_be_bytes());
    query.extend_from_slice(&[0, 1, 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 12, 0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8]);
    query
}

fn work(current: &Arc<Current>, registry: &Arc<Registry>) -> Work {
    let (cookies, limiter) = (Arc::new(Cookies::with_secret([7; 16])), Arc::<Limiter>::default());
    let parts = crate::resolve::engine::Parts {
        current: current.clone(),
        registry: registry.clone(),
        cookies: cookies.clone(),
        limiter: limiter.clone(),
        settings: tokio::sync::watch::channel(None).1,
    };
    Work {
        reader: current.reader(),
        counters: registry.register(),
        engine: Engine::start(parts, 1, &tokio_util::sync::CancellationToken::new()).unwrap(),
        jobs: Vec::new(),
        cookies,
        limiter,
        stop: Arc::default(),
        heartbeat: Arc::default(),
    }
}

#[test]
fn nothing_is_allocated_between_query_and_reply() {
    let (current, registry) = (Arc::new(Current::new(snapshot())), Arc::new(Registry::default()));
    let mut work = work(&current, &registry);
    let socket = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.connect(socket.local_addr().unwrap()).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut batch = Batch::new(socket);
    let queries = [
        query("h5.lab.test", RecordType::A),
        query("H59999.Lab.Test", RecordType::A),
        query("h5.lab.test", RecordType::AAAA),
        query("nothing.lab.test", RecordType::A),
        query("alias.lab.test", RecordType::A),
        query("x.wild.lab.test", RecordType::A),
        query("www.sub.lab.test", RecordType::A),
        query("elsewhere.example", RecordType::A),
        query("elsewhere.test", RecordType::A),
        // Two names have this address.
        query("5.0.0.0.in-addr.arpa", RecordType::PTR),
        query("h5.lab.test", RecordType::ANY),
        vec![0xff; 3],
        vec![1, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0],
        vec![7; batch::MAX_QUERY + 1],
    ];
    let mut rcodes = Vec::new();
    for _ in 0..3 {
        queries.iter().for_each(|query| assert_eq!(client.send(query).unwrap(), query.len()));
        let mut received = 0;
        while received < queries.len() {
            let allocated = allocation_counter::measure(|| {
                let count = batch.receive().unwrap();
                work.handle(&mut batch, count);
                received += count;
            });
            assert_eq!((allocated.count_total, allocated.bytes_total), (0, 0));
        }
        let mut reply = [0; 1500];
        for _ in 0..queries.len() - 2 {
            client.recv(&mut reply).unwrap();
            rcodes.push(reply[3] & 15);
        }
    }
    assert_eq!(rcodes, [0, 0, 0, 3, 0, 0, 0, 5, 3, 0, 0, 1].repeat(3));
    let totals = registry.totals();
    for (name, count) in
        [("queries_total", 42), ("udp_queries", 42), ("answered_special", 3), ("dropped", 6), ("send_errors", 0)]
    {
        assert!(totals.contains(&(name, count)), "{name}: {totals:?}");
    }
}

#[test]
fn only_one_module_has_unsafe() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut folders: Vec<_> = ["proto", "dataplane", "controlplane", "ctl", "tests"].map(|name| root.join(name)).into();
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                folders.extend((entry.file_name() != "target").then_some(path));
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                // The lint holds everywhere; what is looked for is who is exempt from it, modules below included.
                if ["expect", "allow"].iter().any(|exempt| text.contains(&format!("{exempt}(unsafe_code"))) {
                    found.push(path.strip_prefix(root).unwrap().to_owned());
                }
            }
        }
    }
    assert_eq!(found, [std::path::PathBuf::from("dataplane/src/listen/batch.rs")]);
}
