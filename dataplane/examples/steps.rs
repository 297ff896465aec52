//! What each step of answering costs: nanoseconds of processor time per query, on one thread, without a socket.
//!
//! `steps [NAMES]`: so many names are known locally, and as many are remembered (100,000 unless said otherwise).

#![expect(clippy::print_stdout, reason = "a measurement is printed")]

use dnsplane_dns::{
    Asker, Builder, Cache, Cookies, Known, Outcome, Rules, Snapshot, Transport, answer,
    filter::BlockList,
    resolve::{Security, Wanted, cache::About},
};
use dnsplane_proto::{
    CacheRules, Generation, Name, RecordData, RecordSet, RecordType, Server, Upstream, Upstreams, Way,
    block_list::{HashKey, Packed, Packing, Scope, value},
};
use std::{env, error::Error, fs, hint::black_box, sync::Arc};

const NOW: u32 = 1_600_000_000;
const ROUNDS: usize = 5;
/// At least so many are asked in each round.
const QUERIES: usize = 500_000;

fn main() -> Result<(), Box<dyn Error>> {
    let names: usize = env::args().nth(1).map_or(Ok(100_000), |text| text.parse())?;
    let snapshot = snapshot(names)?;
    let cache = Cache::default();
    cache.obey(Some(CacheRules { octets: 1 << 30, least_ttl: 0, stale: 100_000, prefetch: true }));
    let started = now()?;
    for number in 0..names {
        let (wanted, message) = upstreams(&format!("host{number}.example.org"))?;
        let about = About { source: "one".into(), security: Security::Unchecked, at_most: u32::MAX, now: NOW };
        cache.insert(&wanted, &message, &about)?;
    }
    println!("{:<24} {:6.0} ns", "message remembered", since(started, names)?);
    let figures = cache.figures();
    println!("{:<24} {:6} octets", "one answer takes", figures.octets / figures.entries.max(1));
    let cookies = Cookies::with_secret([7; 16]);
    for (what, prefix, suffix, late) in [
        ("local", "host", ".lab.test", 0),
        ("remembered", "host", ".example.org", 0),
        ("past its time", "host", ".example.org", 1000),
        ("blocked", "host", ".ads.example", 0),
        ("unresolved", "other", ".example.org", 0),
        ("special", "host", ".localhost", 0),
    ] {
        let queries: Vec<Vec<u8>> =
            (0..names).map(|number| query(&format!("{prefix}{number}{suffix}"))).collect::<Result<_, _>>()?;
        // A stride that visits all, in an order that no processor foresees.
        let order: Vec<usize> = (0..names).map(|number| number * 7919 % names).collect();
        let asker = Asker {
            transport: Transport::Udp,
            address: [192, 168, 1, 7].into(),
            now: NOW + late,
            cookies: &cookies,
            known: Known { cache: Some(&cache), fetched: None },
        };
        let mut reply = Vec::with_capacity(4096);
        let mut best = f64::MAX;
        // What the kernel says of a thread's time may be as coarse as its ticks.
        let passes = (QUERIES / names).max(1);
        for _ in 0..ROUNDS {
            let started = now()?;
            for number in (0..passes).flat_map(|_| &order) {
                reply.clear();
                let outcome = answer(black_box(&queries[*number]), &asker, &snapshot, &mut reply);
                if matches!(outcome, Outcome::Dropped) {
                    return Err("a query was dropped".into());
                }
            }
            best = best.min(since(started, passes * names)?);
        }
        println!("{what:<24} {best:6.0} ns");
    }
    Ok(())
}

/// Nanoseconds that this thread has been on a processor (proc(5), schedstat).
fn now() -> Result<u64, Box<dyn Error>> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split(' ').next().ok_or("no number")?.parse()?)
}

fn since(started: u64, times: usize) -> Result<f64, Box<dyn Error>> {
    Ok((now()? - started) as f64 / times as f64)
}

fn snapshot(names: usize) -> Result<Snapshot, Box<dyn Error>> {
    let mut builder = Builder::new();
    for number in 0..names {
        let data = vec![RecordData { ttl: 300, rdata: vec![192, 0, 2, number as u8].into() }];
        builder.apply(&RecordSet {
            owner: Name::parse(&format!("host{number}.lab.test"))?,
            kind: RecordType::A,
            data,
        })?;
    }
    let rules = Rules { stale: 100_000, prefetch: true, ..Rules::default() };
    let mut snapshot = builder.finish(Generation { session: 1, number: 1 }, rules);
    let server = Server { name: "one".to_owned(), address: "192.0.2.53:53".parse()?, way: Way::Udp };
    let upstreams = vec![Upstream { server, domains: vec![], fallback: None }];
    snapshot.upstreams = Arc::new(Upstreams { upstreams, ..Upstreams::default() });
    let key = HashKey(*b"any will do here");
    let mut listed = Packing::new(key, names + 1);
    for name in (0..names).map(|number| format!("ads{number}.example.com")).chain(["ads.example".to_owned()]) {
        listed.push(Name::parse(&name)?.as_wire(), value(Scope::Whole, 0));
    }
    let list = BlockList::new(key, listed.finish(), Packed::default(), vec!["list".into()], vec![vec![0]])?;
    snapshot.block_list = Some(Arc::new(list));
    Ok(snapshot)
}

/// A query for addresses, with EDNS.
fn query(name: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let name = Name::parse(name)?;
    Ok([
        &[1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1][..],
        name.as_wire(),
        &[0, 1, 0, 1],
        &[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0],
    ]
    .concat())
}

/// An upstream's reply of one address.
fn upstreams(name: &str) -> Result<(Wanted, Vec<u8>), Box<dyn Error>> {
    let name = Name::parse(name)?;
    let record = b"\xc0\x0c\0\x01\0\x01\0\0\x01\x2c\0\x04\xc0\0\x02\x01";
    let message = [&[1, 2, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0][..], name.as_wire(), &[0, 1, 0, 1], record].concat();
    let wanted =
        Wanted { name: name.as_wire().into(), kind: RecordType::A, dnssec_ok: false, checking_disabled: false };
    Ok((wanted, message))
}
