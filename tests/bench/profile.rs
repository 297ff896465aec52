//! Where the data plane's time goes while it answers: `perf record` beside dnsperf, told in a few lines.
//!
//! A virtual machine often has no counters of the processor, so samples are taken by the clock. That cannot interrupt code
//! that has interrupts off: what such code takes is charged to where they are turned on again, as in
//! `finish_task_switch` and `_raw_spin_unlock_irqrestore`.

use crate::servers::{
    Effort,
    dnsperf::{self, Way},
    start_ours,
    table::Table,
    zone::{Ask, Zone},
};
use std::{
    path::Path,
    process::{Command, Stdio},
};

/// Samples in a second: not a round number, so as not to keep step with anything.
const FREQUENCY: &str = "997";
/// Functions of ours that are named.
const OWN: usize = 8;

/// Both transports.
pub(crate) fn run(names: u32, effort: Effort) {
    for (way, title) in [(Way::Udp, "UDP"), (Way::Tcp, "TCP")] {
        println!("### Where the time goes: {title}, {names} names\n");
        one(way, Zone { names }, effort.seconds);
    }
}

fn one(way: Way, zone: Zone, seconds: u32) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (data, questions) = (dir.path().join("perf.data"), dir.path().join("questions"));
    zone.write_questions(Ask::Existing, &questions);
    let server = start_ours(zone);
    let id = server.tree()[0].to_string();
    let mut record = Command::new("perf");
    record.args(["record", "--quiet", "--event", "cpu-clock", "--freq", FREQUENCY, "--call-graph", "fp"]);
    // A second more than the load lasts: a process without load gets no samples.
    record.arg("--output").arg(&data).args(["--pid", &id, "--", "sleep", &(seconds + 1).to_string()]);
    let mut record = record
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start perf: {error}"));
    dnsperf::run(way, server.address, &questions, seconds);
    let ended = record.wait().expect("our own child can be waited for");
    assert!(ended.success(), "perf record: {ended}");
    let mut table = Table::new(&["what", "share of the data plane's time, %"]);
    for (share, binary) in report(&data, "--no-children", "dso").into_iter().take(3) {
        table.row([format!("all of `{binary}`"), format!("{share:.1}")]);
    }
    // `x64_sys_call` is the way to all of them.
    let system_call = |name: &str| name.contains("64_sys_") && !name.ends_with("_sys_call");
    for (share, call) in report(&data, "--children", "sym").into_iter().filter(|(_, name)| system_call(name)).take(4) {
        let name = call.rsplit("sys_").next().unwrap_or_default();
        table.row([format!("in the system call `{name}`"), format!("{share:.1}")]);
    }
    let own = report(&data, "--no-children", "sym").into_iter().filter(|(_, name)| name.starts_with("[.]")).take(OWN);
    for (share, name) in own {
        table.row([format!("`{}` itself", name.trim_start_matches("[.]").trim()), format!("{share:.1}")]);
    }
    table.print();
}

/// Shares, in percent, and what has them; the largest first.
fn report(data: &Path, children: &str, sort: &str) -> Vec<(f64, String)> {
    let mut command = Command::new("perf");
    command.args(["report", "--stdio", "--call-graph", "none", children, "--sort", sort, "--input"]).arg(data);
    let output = command.output().unwrap_or_else(|error| panic!("cannot start perf: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = text.lines().filter_map(|line| {
        // With children there are two shares: with what is called, and alone.
        let mut fields = line.split_whitespace().peekable();
        let share = fields.next()?.strip_suffix('%')?.parse().ok()?;
        while fields.next_if(|field| field.ends_with('%')).is_some() {}
        Some((share, fields.collect::<Vec<_>>().join(" ")))
    });
    let found: Vec<_> = lines.collect();
    assert!(!found.is_empty(), "perf report printed\n{text}{}", String::from_utf8_lossy(&output.stderr));
    found
}
