//! Owners that matter to other names: where zones begin and end, what is an alias, and what that makes of the rest.

use super::{Finding, Rule};
use crate::{
    rdata,
    record::wire_owner,
    records::{Records, Row},
};
use dnsplane_proto::{Name, RecordType};
use foldhash::{HashMap, HashSet};
use std::sync::Arc;

/// The owners found, each with a row of its own.
#[derive(Default)]
pub(super) struct Owners<'a> {
    zones: HashSet<Name>,
    aliases: HashSet<Name>,
    dnames: HashMap<Name, &'a Arc<Row>>,
    /// Owners of NS records; once all are known, only those that are delegations.
    delegations: HashMap<Name, &'a Arc<Row>>,
}

impl<'a> Owners<'a> {
    /// Takes in the rows of one name.
    pub(super) fn learn(&mut self, rows: &'a [Arc<Row>]) {
        for row in rows.iter().filter(|row| row.record.is_servable()) {
            let kind = row.record.kind();
            if !matches!(kind, Some(RecordType::SOA | RecordType::CNAME | RecordType::DNAME | RecordType::NS)) {
                continue;
            }
            let Ok(name) = Name::parse(row.record.name()) else { continue };
            match kind {
                Some(RecordType::SOA) => _ = self.zones.insert(name),
                Some(RecordType::CNAME) => _ = self.aliases.insert(name),
                Some(RecordType::DNAME) => _ = self.dnames.entry(name).or_insert(row),
                _ => _ = self.delegations.entry(name).or_insert(row),
            }
        }
    }

    /// NS records delegate where a zone above does not begin anew (RFC 1034 §4.2.1).
    pub(super) fn find_delegations(&mut self) {
        let zones = &self.zones;
        let in_zone = |name: &Name| ancestors(name).skip(1).any(|above| zones.contains(above));
        self.delegations.retain(|name, _| !zones.contains(name) && in_zone(name));
    }

    /// What the owners make of the rows of one name.
    pub(super) fn judge(&self, records: &'a Records, rows: &'a [Arc<Row>], found: &mut Vec<Finding<'a>>) {
        self.judge_place(rows, found);
        let has = |kind| rows.iter().any(|row| row.record.kind() == Some(kind) && row.record.is_servable());
        for row in rows.iter().filter(|row| row.record.is_servable()) {
            match row.record.kind() {
                Some(RecordType::SOA) if !has(RecordType::NS) => {
                    found.push(Finding { row, rule: Rule::NoNameServers });
                }
                Some(kind @ (RecordType::NS | RecordType::MX | RecordType::SRV)) => {
                    let rule = self.judge_target(records, row, kind);
                    found.extend(rule.map(|rule| Finding { row, rule }));
                }
                _ => {}
            }
        }
    }

    /// Names that nobody is ever answered about from here.
    fn judge_place(&self, rows: &'a [Arc<Row>], found: &mut Vec<Finding<'a>>) {
        if self.dnames.is_empty() && self.delegations.is_empty() {
            return;
        }
        for row in rows.iter().filter(|row| row.record.is_servable()) {
            let kind = row.record.kind().unwrap_or(RecordType(0));
            let Some(name) = wire_owner(row.record.name(), kind) else { continue };
            let rule = self.place(&name, kind);
            found.extend(rule.map(|rule| Finding { row, rule }));
        }
    }

    fn place(&self, name: &Name, kind: RecordType) -> Option<Rule<'a>> {
        for (depth, here) in ancestors(name).enumerate() {
            if let Some(row) = self.dnames.get(here).filter(|_| depth > 0) {
                return Some(Rule::BelowDname(row));
            }
            // What is above a zone of its own does not matter to it.
            if self.zones.contains(here) {
                break;
            }
        }
        let is_address = matches!(kind, RecordType::A | RecordType::AAAA);
        if let Some(row) = self.cut_at_or_above(name) {
            let here = Name::parse(row.record.name()).is_ok_and(|cut| cut == *name);
            let of_the_cut = matches!(kind, RecordType::NS | RecordType::DS | RecordType::NSEC | RecordType::RRSIG);
            if !(is_address || here && of_the_cut) {
                return Some(Rule::BelowDelegation(row));
            }
        }
        None
    }

    /// The delegation under which a name lies, unless a zone of ours begins in between.
    fn cut_at_or_above(&self, name: &Name) -> Option<&'a Arc<Row>> {
        let own = |above: &&[u8]| !self.zones.contains(*above);
        ancestors(name).take_while(own).find_map(|above| self.delegations.get(above)).copied()
    }

    fn judge_target(&self, records: &Records, row: &Row, kind: RecordType) -> Option<Rule<'a>> {
        let data = rdata::parse(kind, row.record.value()).ok()?;
        let before = match kind {
            RecordType::MX => 2,
            RecordType::SRV => 6,
            _ => 0,
        };
        let target = Name::from_wire(data.get(before..)?).ok()?;
        // The root says that there is no such service (RFC 2782, RFC 7505).
        if target.is_root() {
            return None;
        }
        if self.aliases.contains(&target) {
            return Some(Rule::TargetIsAlias(target));
        }
        self.lacks_address(records, row, &target).then_some(Rule::TargetHasNoAddress(target))
    }

    /// Whether an address would have to be here and is not.
    fn lacks_address(&self, records: &Records, row: &Row, target: &Name) -> bool {
        if !ancestors(target).any(|above| self.zones.contains(above)) {
            return false;
        }
        // Below a delegation only the addresses of its own servers are ours to give (RFC 1034 §4.2.1).
        let foreign =
            self.cut_at_or_above(target).is_some_and(|cut| !cut.record.name().eq_ignore_ascii_case(row.record.name()));
        if foreign || ancestors(target).skip(1).any(|above| self.dnames.contains_key(above)) {
            return false;
        }
        let text = target.to_string();
        let text = text.strip_suffix('.').unwrap_or(&text);
        let has_address = |name: &str| {
            [RecordType::A, RecordType::AAAA, RecordType::CNAME]
                .iter()
                .any(|kind| !records.of_set(name, *kind).is_empty())
        };
        let rests = text.match_indices('.').map(|(at, _)| &text[at..]);
        !has_address(text) && !rests.map(|rest| format!("*{rest}")).any(|wildcard| has_address(&wildcard))
    }
}

/// The name and all names above it, in wire form.
fn ancestors(name: &Name) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(name.as_wire());
    std::iter::from_fn(move || {
        let here = rest?;
        rest = here.first().filter(|length| **length > 0).and_then(|length| here.get(usize::from(*length) + 1..));
        Some(here)
    })
}
