//! What is wrong with a whole set of records: pure findings, each a row and the rule that it breaks.
//!
//! Doors check what they are given record by record ([`neighbours`] is theirs, too); files, peers and other sources bring
//! what they bring, and it is served as far as it makes sense. This says how far that is: an *error* is something that is
//! not served, or not as it was written; a *warning* is served and will surprise somebody.
//!
//! Two walks over the rows: the first judges what stands at one name and remembers the few owners that matter to others
//! (zones, delegations, aliases); the second judges names by those. A million rows without any take a fraction of a second.

pub mod files;
mod owners;
mod rule;
#[cfg(test)]
mod tests;

pub use rule::{Rule, Severity};

use crate::{
    rdata,
    records::{Records, Row},
};
use dnsplane_proto::RecordType;
use owners::Owners;
use std::{collections::HashSet, sync::Arc};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding<'a> {
    /// The row that it is about.
    pub row: &'a Arc<Row>,
    /// What is wrong with it.
    pub rule: Rule<'a>,
}

/// Everything that is wrong with these records, in the order of the rows.
pub fn findings(records: &Records) -> Vec<Finding<'_>> {
    let mut found = Vec::new();
    let mut owners = Owners::default();
    for rows in names(records) {
        owners.learn(rows);
        judge_name(rows, &mut found);
    }
    owners.find_delegations();
    for rows in names(records) {
        owners.judge(records, rows, &mut found);
    }
    // Rows of one name come in the order of their types; people look for them where they are in the file.
    found.sort_by_key(|finding| finding.row.order);
    found
}

/// Why these two types may not stand at one name, if so; `other` is there, `kind` beside it.
pub fn neighbours(kind: Option<RecordType>, other: Option<RecordType>) -> Option<&'static str> {
    // DNSSEC's own types may stand beside a CNAME (RFC 4034 §3 and §4).
    let beside_cname = |kind| matches!(kind, Some(RecordType::RRSIG | RecordType::NSEC));
    match (kind, other) {
        (Some(RecordType::CNAME), Some(RecordType::CNAME)) => Some("a name has at most one CNAME (RFC 2181 §10.1)"),
        (Some(RecordType::CNAME), _) if !beside_cname(other) => {
            Some("a CNAME stands alone at its name (RFC 1034 §3.6.2)")
        }
        (_, Some(RecordType::CNAME)) if !beside_cname(kind) => Some("nothing stands beside a CNAME (RFC 1034 §3.6.2)"),
        (Some(RecordType::SOA), Some(RecordType::SOA)) => Some("a zone has one SOA (RFC 1035 §5.2)"),
        (Some(RecordType::DNAME), Some(RecordType::DNAME)) => Some("a name has at most one DNAME (RFC 6672 §2.4)"),
        _ => None,
    }
}

/// The rows of each name, in no order that means anything.
fn names(records: &Records) -> impl Iterator<Item = &[Arc<Row>]> {
    let same = |a: &Arc<Row>, b: &Arc<Row>| a.record.name().eq_ignore_ascii_case(b.record.name());
    (0..).map_while(|number| records.shard(number)).flat_map(move |shard| shard.chunk_by(same))
}

/// What is wrong with the rows of one name, seen by themselves.
fn judge_name<'a>(rows: &'a [Arc<Row>], found: &mut Vec<Finding<'a>>) {
    for row in rows.iter().filter(|row| !row.record.is_servable()) {
        let fault = row.record.fault().unwrap_or_default();
        found.push(Finding { row, rule: Rule::Unservable(fault.into()) });
    }
    if rows.len() > 1 {
        let sets: Vec<Vec<&Arc<Row>>> = sets(rows).collect();
        for (at, set) in sets.iter().enumerate() {
            judge_beside(set, &sets[..at], &sets[at + 1..], found);
            judge_set(set, found);
        }
    }
}

/// The servable rows of each type, in their order in the file: the later one is what has to be told of.
fn sets(rows: &[Arc<Row>]) -> impl Iterator<Item = Vec<&Arc<Row>>> {
    let sets = rows.chunk_by(|a, b| a.record.kind() == b.record.kind());
    let served = sets.map(|set| {
        let mut set: Vec<_> = set.iter().filter(|row| row.record.is_servable()).collect();
        set.sort_unstable_by_key(|row| row.order);
        set
    });
    served.filter(|set| !set.is_empty())
}

/// Types that must not stand beside each other, or twice.
fn judge_beside<'a>(
    set: &[&'a Arc<Row>],
    before: &[Vec<&'a Arc<Row>>],
    after: &[Vec<&'a Arc<Row>>],
    found: &mut Vec<Finding<'a>>,
) {
    let kind = set[0].record.kind();
    let repeated = set[1..].iter().filter_map(|row| Some((*row, neighbours(kind, kind)?, set[0])));
    found.extend(repeated.map(|(row, rule, other)| Finding { row, rule: Rule::Beside(rule, other) }));
    // Told once, of the CNAME: that is what has to go, or all the others.
    if kind == Some(RecordType::CNAME) {
        let others = before.iter().chain(after).map(|other| other[0]);
        let rival = others.filter_map(|other| Some((neighbours(kind, other.record.kind())?, other))).next();
        found.extend(rival.map(|(rule, other)| Finding { row: set[0], rule: Rule::Beside(rule, other) }));
    }
}

/// One set: TTLs that differ, and records that say the same in different words.
fn judge_set<'a>(set: &[&'a Arc<Row>], found: &mut Vec<Finding<'a>>) {
    let Some((first, others)) = set.split_first().filter(|(_, others)| !others.is_empty()) else { return };
    let other_ttl = others.iter().find(|row| row.record.ttl != first.record.ttl);
    found.extend(other_ttl.map(|row| Finding { row, rule: Rule::Ttl(first) }));
    let mut said = HashSet::with_capacity(set.len());
    for row in set {
        let Some(Ok(data)) = row.record.kind().map(|kind| rdata::parse(kind, row.record.value())) else { continue };
        if !said.insert(data) {
            found.push(Finding { row, rule: Rule::Repeated });
        }
    }
}
