//! Block lists: files, the web, what is added by hand, pauses; what status and answers make of them.

mod answers;
mod lists;

use dnsplane_tests::Node;
use serde_json::Value;
use std::time::{Duration, Instant};

/// Who blocks a name, a pause aside: the names of lists.
fn blocked_by(node: &Node, name: &str) -> Vec<String> {
    let said = node.request("GET", &format!("/adblock/explain?name={name}"), None).json();
    let lists = said["blocked_by"].as_array().cloned().unwrap_or_default();
    lists.iter().map(|says| says["source"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Waits until these lists and no others block a name.
#[track_caller]
fn eventually_blocked_by(node: &mut Node, name: &str, lists: &[&str]) {
    node.eventually(&format!("{name} is blocked by {lists:?}"), |node| {
        let said = blocked_by(node, name);
        if said == lists { Ok(()) } else { Err(format!("by {said:?}")) }
    });
}

/// What is shown of a list.
#[track_caller]
fn source(node: &Node, list: &str) -> Value {
    let sources = node.request("GET", "/adblock/sources", None).json();
    let found = sources["sources"].as_array().into_iter().flatten().find(|source| source["Source"] == list);
    found.cloned().unwrap_or_else(|| panic!("no list {list}: {sources}"))
}

/// What this took.
fn timed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}
