//! How long it takes to read a large zone file, to find one changed line in it, and to write it again.
//!
//! `cargo run --release --example zone_file [LINES]`: so many lines (a million), most of them addresses, as zones of hosting
//! companies have them.

use dnsplane_cluster::zone_file::{NoFiles, Start, changes, parse, write_zone};
use std::{error::Error, fmt::Write as _, io::Write as _, path::Path, time::Instant};

fn main() -> Result<(), Box<dyn Error>> {
    let lines: usize = std::env::args().nth(1).map_or(Ok(1_000_000), |text| text.parse())?;
    let text = zone(lines)?;
    let start = Start { origin: Some("example.test".parse()?), one_zone: true, ..Start::default() };
    let (begun, used) = (Instant::now(), processor_time()?);
    let parsed = parse(Path::new("zone"), text.as_bytes(), &start, &mut NoFiles);
    let read = begun.elapsed();
    let used = processor_time()? - used;
    if parsed.faults.count() > 0 {
        return Err(parsed.faults.first()[0].to_string().into());
    }
    let changed = text.replacen("192.0.2.1", "192.0.2.2", 1).replace("host 1 3600", "host 2 3600");
    let begun = Instant::now();
    let difference = changes(text.as_bytes(), changed.as_bytes(), &parsed.marks, &start).ok_or("not told cheaply")?;
    let compared = begun.elapsed();
    let begun = Instant::now();
    let mut written = Vec::new();
    write_zone(&parsed.records, &"example.test".parse()?, &mut written)?;
    let wrote = begun.elapsed();
    writeln!(
        std::io::stdout(),
        "{} records, {:.0} MB of text: {:.2} s reading ({used:.2} s of processors); {:.0} ms for a difference of {} and {}; {:.2} s writing {:.0} MB",
        parsed.records.len(),
        text.len() as f64 / 1e6,
        read.as_secs_f64(),
        compared.as_secs_f64() * 1e3,
        difference.gone.len(),
        difference.came.len(),
        wrote.as_secs_f64(),
        written.len() as f64 / 1e6,
    )?;
    Ok(())
}

/// Seconds that threads of this process have had (`proc(5)`; 100 ticks a second).
fn processor_time() -> Result<f64, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit_once(')').ok_or("no name")?.1;
    let ticks: Result<Vec<u64>, _> = after_name.split_whitespace().skip(11).take(2).map(str::parse).collect();
    Ok(ticks?.iter().sum::<u64>() as f64 / 100.0)
}

/// Of a hundred hosts most have A, some AAAA, MX, TXT or CNAME.
fn zone(lines: usize) -> Result<String, std::fmt::Error> {
    let mut text = "$TTL 3600\n@ SOA ns host 1 3600 600 86400 60\n@ NS ns\nns A 192.0.2.1\n".to_owned();
    for at in 0..lines.saturating_sub(3) {
        match at % 20 {
            15 | 16 => writeln!(text, "host{at} 300 IN AAAA 2001:db8::{:x}:{:x}", at >> 16, at & 0xffff)?,
            17 => writeln!(text, "host{at} IN MX 10 mail{}", at % 1000)?,
            18 => writeln!(text, "host{at} IN TXT \"v=spf1 include:_spf{}.example.test -all\"", at % 1000)?,
            19 => writeln!(text, "www.host{at} IN CNAME host{}", at - 19)?,
            _ => writeln!(text, "host{at} 300 IN A 10.{}.{}.{}", at >> 16 & 255, at >> 8 & 255, at & 255)?,
        }
    }
    Ok(text)
}
