//! What a large store costs: resident memory, build, lookup, change, and the way to disk and back.
//!
//! `cargo run --release -p dnsplane-dns --example million [NAMES] [--auto-ptr]`

use dnsplane_dns::{
    Asker, Builder, Cookies, Current, Known, Outcome, Rules, Snapshot, Transport, answer,
    last_good::{Folder, Keeper},
};
use dnsplane_proto::{Generation, Name, RecordData, RecordSet, RecordType};
use std::{error::Error, net::IpAddr, sync::Arc, time::Instant};

#[expect(clippy::print_stdout, reason = "the figures are what this program is for")]
fn main() -> Result<(), Box<dyn Error>> {
    let (switches, numbers): (Vec<_>, Vec<_>) = std::env::args().skip(1).partition(|text| text.starts_with('-'));
    let auto_ptr = switches.iter().any(|switch| switch == "--auto-ptr");
    let names: u64 = numbers.first().map_or(Ok(1_000_000), |text| text.parse())?;
    println!("at start                {:>8.1} MiB", resident()?);
    let begun = Instant::now();
    let mut builder = Builder::new();
    for at in 0..names {
        builder.apply(&set(at, 1)?)?;
    }
    println!("before it is settled    {:>8.1} MiB", resident()?);
    let mut snapshot = builder.finish(Generation { session: 1, number: 1 }, Rules::default());
    println!("{names} names loaded   {:>8.1} MiB   {:.0} ms", resident()?, millis(begun));
    if auto_ptr {
        let begun = Instant::now();
        snapshot = snapshot.under(Rules { auto_ptr, ..Rules::default() });
        let (octets, pairs) = snapshot.reverse_size();
        println!("names of addresses      {:>8.1} MiB   {:.0} ms", resident()?, millis(begun));
        println!("{pairs} pairs           {:>8.1} MiB", octets as f64 / (1 << 20) as f64);
    }

    let cookies = Cookies::with_secret([0; 16]);
    let asker = Asker {
        transport: Transport::Udp,
        address: IpAddr::from([127, 0, 0, 1]),
        now: 0,
        cookies: &cookies,
        known: Known::default(),
    };
    for (what, prefix) in [("hit", "host"), ("NXDOMAIN, loose", "none")] {
        let queries = (0..names.min(1 << 16)).map(|at| query(&format!("{prefix}{}.lab.test", scatter(at) % names)));
        let queries = queries.collect::<Result<Vec<_>, _>>()?;
        let (mut reply, mut answered) = (Vec::with_capacity(1232), 0u64);
        let begun = on_core()?;
        for query in queries.iter().cycle().take(2_000_000) {
            reply.clear();
            answered += u64::from(answer(query, &asker, &snapshot, &mut reply) != Outcome::Dropped);
        }
        println!("{what:<16} {:>6.0} ns an answer ({answered} answers)", (on_core()? - begun) / 2e6);
    }

    let queries = (0..names.min(1 << 16)).map(|at| query(&format!("host{}.lab.test", scatter(at) % names)));
    let queries = queries.collect::<Result<Vec<_>, _>>()?;
    for size in [1, 2, 3, 4, 8, 64] {
        let (mut reply, mut answered) = (Vec::with_capacity(1 << 16), 0u64);
        let begun = on_core()?;
        for batch in queries.chunks(size).cycle().take(2_000_000 / size) {
            snapshot.warm(batch.iter().map(|query| &query[12..query.len() - 4]));
            reply.clear();
            for query in batch {
                answered += u64::from(answer(query, &asker, &snapshot, &mut reply) != Outcome::Dropped);
            }
        }
        println!("hit, {size:>2} at once    {:>6.0} ns an answer ({answered} answers)", (on_core()? - begun) / 2e6);
    }

    let begun = Instant::now();
    let mut changed = snapshot.clone();
    for number in 0..1000 {
        changed = change(&changed, scatter(number) % names)?;
    }
    println!("a change of one name    {:>8.1} µs   {:.1} MiB", millis(begun), resident()?);

    let dir = tempfile::tempdir()?;
    let begun = Instant::now();
    let keeper = Keeper::start(Folder::open(dir.path())?, Arc::new(Current::new(changed)), None)?;
    keeper.whole();
    drop(keeper);
    println!("written to disk         {:>8.0} ms", millis(begun));
    let begun = Instant::now();
    let loaded = Folder::open(dir.path())?.load().snapshot.ok_or("nothing was kept")?;
    println!("read from disk          {:>8.0} ms   {} records", millis(begun), loaded.records());
    Ok(())
}

fn change(snapshot: &Snapshot, at: u64) -> Result<Snapshot, Box<dyn Error>> {
    let mut builder = Builder::on(snapshot);
    builder.apply(&set(at, 2)?)?;
    let Generation { session, number } = snapshot.generation;
    Ok(builder.finish(Generation { session, number: number + 1 }, snapshot.rules.clone()))
}

fn set(at: u64, octet: u8) -> Result<RecordSet, Box<dyn Error>> {
    let address = [10 + octet, (at >> 16) as u8, (at >> 8) as u8, at as u8];
    Ok(RecordSet {
        owner: Name::parse(&format!("host{at}.lab.test"))?,
        kind: RecordType::A,
        data: vec![RecordData { ttl: 300, rdata: address.to_vec().into() }],
    })
}

fn query(name: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut query = vec![1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    query.extend_from_slice(Name::parse(name)?.as_wire());
    query.extend_from_slice(&[0, 1, 0, 1]);
    Ok(query)
}

/// Spreads consecutive numbers.
fn scatter(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20
}

fn millis(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1000.0
}

/// Time that this process has had a core, which other programs on the machine change less than the clock on the wall.
fn on_core() -> Result<f64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/self/schedstat")?;
    Ok(text.split(' ').next().ok_or("empty")?.parse()?)
}

/// Resident memory of this process, MiB.
fn resident() -> Result<f64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
}
