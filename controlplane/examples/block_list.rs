//! How long it takes to read and merge two block lists, and how large the table is.
//!
//! `cargo run --release --example block_list [NAMES]`: so many names in all (two million), half of them on both lists. Names
//! look like those of real lists: most below some company, with words, digits and hyphens.

use dnsplane_cluster::block_list::merge_texts;
use dnsplane_proto::block_list::Table;
use std::{error::Error, fmt::Write as _, io::Write as _, time::Instant};

const WORDS: [&str; 32] = [
    "ad",
    "ads",
    "adserver",
    "analytics",
    "api",
    "banner",
    "beacon",
    "cdn",
    "click",
    "collect",
    "data",
    "events",
    "feed",
    "images",
    "log",
    "mail",
    "marketing",
    "metrics",
    "mobile",
    "news",
    "pixel",
    "promo",
    "push",
    "secure",
    "stats",
    "sync",
    "tag",
    "telemetry",
    "track",
    "tracker",
    "video",
    "www",
];
const TOPS: [&str; 16] = [
    "com", "com", "com", "com", "com", "net", "org", "info", "xyz", "top", "de", "ru", "co.uk", "online", "site",
    "com.br",
];

fn main() -> Result<(), Box<dyn Error>> {
    let names: usize = std::env::args().nth(1).map_or(Ok(2_000_000), |text| text.parse())?;
    // Of N names the first three quarters are on one list, the last three quarters on the other.
    let (mut one, mut other) = (String::new(), String::new());
    let mut random = Random(1);
    for number in 0..names {
        let name = name(&mut random);
        if number < names * 3 / 4 {
            writeln!(one, "0.0.0.0 {name}")?;
        }
        if number >= names / 4 {
            writeln!(other, "||{name}^")?;
        }
    }
    let used = processor_time()?;
    let (merged, [read, merge]) = merge_texts(&[("one", one.as_bytes()), ("other", other.as_bytes())])?;
    let used = processor_time()? - used;
    let begun = Instant::now();
    let table = Table::new(merged.blocked, merged.combinations.len())?;
    let checked = begun.elapsed();
    let kept = table.len();
    let text = (one.len() + other.len()) as f64 / 1e6;
    writeln!(
        std::io::stdout(),
        "{names} names, {text:.0} MB of text: {:.2} s reading, {:.2} s merging ({used:.2} s of processors), \
         {:.0} ms checking; table of {kept} names, {:.1} MB ({:.1} octets a name); peak of the process {} MB, of \
         which the text is {text:.0}",
        read.as_secs_f64(),
        merge.as_secs_f64(),
        checked.as_secs_f64() * 1e3,
        table.octets() as f64 / 1e6,
        table.octets() as f64 / kept as f64,
        peak()? / 1000,
    )?;
    Ok(())
}

/// A name such as `track-7.pixel.kumoralist.com`.
fn name(random: &mut Random) -> String {
    let mut name = String::new();
    for _ in 0..random.below(3) {
        name.push_str(WORDS[random.below(WORDS.len())]);
        if random.below(2) == 0 {
            let _ = write!(name, "-{}", random.below(100));
        }
        name.push('.');
    }
    for _ in 0..2 + random.below(4) {
        name.push(b"bcdfgklmnprstvz"[random.below(15)] as char);
        name.push(b"aeiou"[random.below(5)] as char);
        if random.below(4) == 0 {
            name.push(b"lnrst0123456789-"[random.below(15)] as char);
        }
    }
    name.push('.');
    name + TOPS[random.below(TOPS.len())]
}

/// xorshift64*: the same names in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % end
    }
}

/// Seconds that threads of this process have had (`proc(5)`; 100 ticks a second).
fn processor_time() -> Result<f64, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit_once(')').ok_or("no name")?.1;
    let ticks: Result<Vec<u64>, _> = after_name.split_whitespace().skip(11).take(2).map(str::parse).collect();
    Ok(ticks?.iter().sum::<u64>() as f64 / 100.0)
}

/// The most memory that this process had, kB (`proc(5)`).
fn peak() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
