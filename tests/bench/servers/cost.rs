//! What a server costs: processor time and memory of its process and all that descend from it, by the kernel's count.

use std::{collections::HashMap, fs, time::Duration};

/// Length of the ticks in which `/proc` counts (`USER_HZ`, which is 100 everywhere that Linux shows it to programs).
const TICK: Duration = Duration::from_millis(10);

/// A process and its descendants.
pub(crate) fn tree(root: u32) -> Vec<u32> {
    let mut children = HashMap::<u32, Vec<u32>>::new();
    let entries = fs::read_dir("/proc").expect("/proc is mounted").flatten();
    for id in entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()) {
        // A process that has ended meanwhile is nobody's child.
        if let Some(parent) = stat(id).and_then(|fields| fields.get(1)?.parse().ok()) {
            children.entry(parent).or_default().push(id);
        }
    }
    let mut found = vec![root];
    let mut at = 0;
    while at < found.len() {
        found.extend(children.remove(&found[at]).unwrap_or_default());
        at += 1;
    }
    found
}

/// Processor time, user and system, of all threads of all these, with that of children that have ended.
pub(crate) fn processor_time(tree: &[u32]) -> Duration {
    let ticks = |id: &u32| -> u64 {
        let fields = stat(*id).unwrap_or_default();
        // utime, stime, cutime, cstime: fields 14 to 17 of proc_pid_stat(5).
        fields.iter().skip(11).take(4).filter_map(|field| field.parse::<u64>().ok()).sum()
    };
    TICK * tree.iter().map(ticks).sum::<u64>() as u32
}

/// Memory in MiB: the sum of proportional set sizes (PSS), so that what processes share counts once.
pub(crate) fn memory_mib(tree: &[u32]) -> f64 {
    let kib = |id: &u32| -> u64 {
        let text = fs::read_to_string(format!("/proc/{id}/smaps_rollup")).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap_or("0");
        line.trim().trim_end_matches("kB").trim().parse().unwrap_or(0)
    };
    tree.iter().map(kib).sum::<u64>() as f64 / 1024.0
}

/// The fields of `/proc/ID/stat` that follow the program's name, from the state on.
fn stat(id: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name is in parentheses and may hold anything, also parentheses.
    let (_, fields) = text.rsplit_once(')')?;
    Some(fields.split_whitespace().map(str::to_owned).collect())
}
