//! What each node has been told and has acknowledged, and whether it is still there or listed as lost.
//!
//! Every name belongs to the node that added it, so that a name which is not as its node left it was changed by a
//! peer's records and by nothing else.

use dnsplane_tests::{Node, Record};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Acknowledged writes, by node.
pub(crate) struct Ledger {
    /// For each node, what its own names were last known to hold there; `None` is a deletion.
    last: Vec<BTreeMap<String, Option<Record>>>,
}

impl Ledger {
    /// For so many nodes.
    pub(crate) fn new(nodes: usize) -> Self {
        Self { last: vec![BTreeMap::new(); nodes] }
    }

    /// The names that this node holds, as far as it was told.
    pub(crate) fn names(&self, node: usize) -> Vec<String> {
        self.last[node].iter().filter(|(_, record)| record.is_some()).map(|(name, _)| name.clone()).collect()
    }

    /// The records that this node holds if nobody else has written, sorted.
    pub(crate) fn known(&self, node: usize) -> Vec<Record> {
        let mut records: Vec<_> = self.last[node].values().flatten().cloned().collect();
        records.sort();
        records
    }

    /// Adds a record of a new name.
    #[track_caller]
    pub(crate) fn add(&mut self, node: &Node, number: usize, record: &Record) {
        node.add(record);
        self.last[number].insert(record.name.clone(), Some(record.clone()));
    }

    /// Gives a name another address. One that a peer has taken away meanwhile, or changed, stays as it is.
    #[track_caller]
    pub(crate) fn update(&mut self, node: &Node, number: usize, name: &str, address: &str) {
        let Some(id) = self.id_of(node, number, name) else { return };
        let record = Record::a(name, address);
        let body = json!({"id": id, "name": name, "type": record.kind, "value": record.value, "ttl": record.ttl});
        if self.acknowledged(node, "PUT", "/dns/records", Some(&body)) {
            self.last[number].insert(name.to_owned(), Some(record));
        }
    }

    /// Deletes a name, unless a peer has taken it away meanwhile.
    #[track_caller]
    pub(crate) fn delete(&mut self, node: &Node, number: usize, name: &str) {
        if self.id_of(node, number, name).is_some()
            && self.acknowledged(node, "DELETE", &format!("/dns/records?name={name}"), None)
        {
            self.last[number].insert(name.to_owned(), None);
        }
    }

    /// The id of the row that this node is known to hold, if it still does.
    fn id_of(&self, node: &Node, number: usize, name: &str) -> Option<Value> {
        let known = self.last[number].get(name)?.as_ref()?;
        let objects = node.record_objects();
        let found = objects.as_array()?.iter().find(|object| Record::from_json(object) == *known)?;
        Some(found["id"].clone())
    }

    /// Whether a write was taken. A row may go between a look and the write: then it was not, and that is all right.
    #[track_caller]
    fn acknowledged(&self, node: &Node, method: &str, path: &str, body: Option<&Value>) -> bool {
        let reply = node.request(method, path, body);
        assert!([200, 201, 400, 404].contains(&reply.status), "{method} {path}: {reply:?}\n{}", node.logs());
        reply.status < 300
    }

    /// Acknowledged writes that their node no longer holds and does not list as lost either.
    pub(crate) fn lost_without_a_word(&self, nodes: &[Node]) -> Vec<String> {
        let mut missing = Vec::new();
        let mut lost = 0;
        for (node, last) in nodes.iter().zip(&self.last) {
            let held = node.records();
            // What was refused overwrote nothing.
            let mut conflicts = node.conflicts();
            conflicts.retain(|conflict| conflict["kind"] == "overwritten");
            for conflict in &conflicts {
                assert!(conflict["more"].as_u64().unwrap_or(0) == 0, "too few rows are kept to check: {conflict}");
            }
            for (name, record) in last {
                let now: Vec<_> = held.iter().filter(|held| held.name == *name).collect();
                let kept = match record {
                    Some(record) => now == [record],
                    None => now.is_empty(),
                };
                if kept {
                    continue;
                }
                lost += 1;
                if !conflicts.iter().any(|conflict| lists(conflict, name, record.as_ref())) {
                    missing.push(format!("{name} on {}: acknowledged {record:?}, holds {now:?}", node.name()));
                }
            }
        }
        println!(
            "  {lost} of {} acknowledged states were lost, {} of them without a word",
            self.states(),
            missing.len()
        );
        missing
    }

    fn states(&self) -> usize {
        self.last.iter().map(BTreeMap::len).sum()
    }
}

/// Whether a conflict says that this record was overwritten here, or that this deletion was undone.
fn lists(conflict: &Value, name: &str, record: Option<&Record>) -> bool {
    match record {
        Some(record) => Record::list(&conflict["lost"]).contains(record),
        None => conflict["lost_deletions"].as_array().into_iter().flatten().any(|lost| lost["name"] == name),
    }
}
