//! Zone files as the place that records come from: what changes in them is answered, what is bad in them is told and costs
//! nothing else, and nobody but whoever edits them changes records.

mod changes;
mod hostile;
mod outsiders;

use dnsplane_tests::{Node, Plan};
use serde_json::{Value, json};
use std::fs;

const SOA: &str = "$TTL 60\n@ SOA ns host 1 3600 600 86400 60\n@ NS ns\nns A 192.0.2.53\n";

/// A node to be whose records come from its folder `zones`.
fn plan(name: &str, keys: Value) -> Plan {
    let mut source = json!({"type": "bind_dir", "location": "zones", "refresh_interval_seconds": 1});
    let (all, more) = (source.as_object_mut().expect("an object"), keys.as_object().expect("an object"));
    all.extend(more.clone());
    let plan = Plan::new(name).with(&json!({"file_locations": {"records_source": source}, "cluster_enabled": true}));
    plan.folder("zones")
}

/// A zone with these lines.
fn zone(lines: &str) -> String {
    format!("{SOA}{lines}")
}

/// Puts another file in the place of a zone file, as editors and panels do.
fn replace(node: &Node, file: &str, text: &str) {
    node.write(&format!("{file}.edited"), text);
    fs::rename(node.path(&format!("{file}.edited")), node.path(file)).expect("a file can be renamed");
}

/// The faults that status shows: `file:line what`.
fn faults(node: &Node) -> Vec<String> {
    let source = node.records_source();
    let faults = source["faults"].as_array().cloned().unwrap_or_default();
    faults
        .iter()
        .map(|fault| format!("{}:{} {}", fault["file"].as_str().unwrap_or("?"), fault["line"], fault["what"]))
        .collect()
}

/// Waits until status shows these faults and no others, by how they begin.
#[track_caller]
fn eventually_faults(node: &mut Node, wanted: &[&str]) {
    node.eventually(&format!("status shows {wanted:?}"), |node| {
        let found = faults(node);
        let same =
            found.len() == wanted.len() && found.iter().zip(wanted).all(|(found, wanted)| found.starts_with(wanted));
        if same { Ok(()) } else { Err(format!("{found:?}")) }
    });
}
