//! Opens a store of many records and prints what that costs: `cargo run --release --example store -- FOLDER RECORDS`.
//!
//! A missing `dnsrecords.json` is generated first. Figures are printed, not judged.

use dnsplane_cluster::store::{Edit, NewRecord, Opening, Seed, Store};
use std::{error::Error, fs, io::Write, path::PathBuf, time::Instant};
use tokio_util::sync::CancellationToken;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(folder), Some(count)) = (args.next(), args.next()) else {
        return Err("usage: store FOLDER RECORDS".into());
    };
    let (folder, count) = (PathBuf::from(folder), count.parse::<usize>()?);
    fs::create_dir_all(&folder)?;
    let records_file = folder.join("dnsrecords.json");
    if !records_file.exists() {
        generate(&records_file, count)?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure(Opening {
        folder: folder.join("store"),
        records_file,
        pretty: false,
        seed: Seed::default(),
    }))
}

async fn measure(opening: Opening) -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout();
    let shutdown = CancellationToken::new();
    let started = Instant::now();
    let (store, keeper) = Store::open(opening, shutdown.clone())?;
    store.reload().await?;
    writeln!(out, "open: {:?}, {} records, {}", started.elapsed(), store.view().records.len(), resident())?;
    let mut times = Vec::new();
    for n in 0..100 {
        let name = format!("extra{n}.example.test");
        let record = NewRecord { name, kind: "A".into(), value: "192.0.2.1".into(), ..NewRecord::default() };
        let started = Instant::now();
        store
            .edit(
                Edit::Update(NewRecord { ttl: Some(started.elapsed().subsec_nanos() % 1000 + n), ..record }),
                "example",
            )
            .await?;
        times.push(started.elapsed());
    }
    times.sort();
    writeln!(out, "write: median {:?}, slowest {:?}, {}", times[50], times[99], resident())?;
    let started = Instant::now();
    shutdown.cancel();
    keeper.await?;
    writeln!(out, "file written and closed: {:?}, {}", started.elapsed(), resident())?;
    Ok(())
}

fn generate(path: &std::path::Path, count: usize) -> std::io::Result<()> {
    let mut file = std::io::BufWriter::new(fs::File::create(path)?);
    write!(file, "{{\"records\":[")?;
    for n in 0..count {
        let comma = if n == 0 { "" } else { "," };
        let (a, b, c) = (n >> 16 & 255, n >> 8 & 255, n & 255);
        write!(
            file,
            "{comma}{{\"name\":\"host{n}.example.test\",\"type\":\"A\",\"value\":\"10.{a}.{b}.{c}\",\"ttl\":300}}"
        )?;
    }
    writeln!(file, "]}}")?;
    file.flush()
}

fn resident() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let lines = status.lines().filter(|line| line.starts_with("VmRSS") || line.starts_with("VmHWM"));
    lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join(", ")
}
