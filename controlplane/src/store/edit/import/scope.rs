//! What a file that replaces may take away.

use crate::{
    record::{Record, reverse, wire_owner},
    records::Records,
};
use dnsplane_proto::{Name, RecordType};
use std::collections::HashSet;

/// What a file speaks for: what lies in it and is not in the file goes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope {
    /// A zone without the zones below it; `None` for all names.
    pub(crate) zone: Option<Name>,
    /// Types that the file's format can say; empty for all.
    pub(crate) kinds: &'static [RecordType],
}

/// A scope, and where other zones begin within it.
pub(crate) struct Within<'a> {
    scope: &'a Scope,
    deeper: HashSet<Name>,
}

impl Scope {
    /// The scope among these records: what belongs to zones below the scope's is not the file's business.
    pub(crate) fn within(&self, records: &Records) -> Within<'_> {
        let deeper = self.zone.iter().filter(|zone| !zone.is_root()).flat_map(|zone| {
            let apexes = records.iter().filter(|row| row.record.kind() == Some(RecordType::SOA));
            let apexes = apexes.filter_map(|row| Name::parse(row.record.name()).ok());
            apexes.filter(move |apex| apex != zone && apex.is_at_or_below(zone))
        });
        Within { scope: self, deeper: deeper.collect() }
    }
}

impl Within<'_> {
    /// Whether the file speaks for this record.
    pub(crate) fn covers(&self, record: &Record) -> bool {
        let Scope { zone, kinds } = self.scope;
        let kind = record.kind();
        if !kinds.is_empty() && !kind.is_some_and(|kind| kinds.contains(&kind)) {
            return false;
        }
        let Some(zone) = zone else { return true };
        let Some(owner) = wire_owner(record.name(), kind.unwrap_or(RecordType(0))) else { return false };
        owner.is_at_or_below(zone) && !self.is_deeper(owner, zone)
    }

    /// Whether a record is part of the zone: what the scope covers, and what delegates the zones below it.
    pub(crate) fn belongs(&self, record: &Record) -> bool {
        let delegates = || {
            let kind = record.kind().filter(|kind| matches!(*kind, RecordType::NS | RecordType::DS));
            let owner = kind.and_then(|_| Name::parse(record.name()).ok()).filter(|name| self.deeper.contains(name));
            let above = owner.and_then(|name| name.parent()).zip(self.scope.zone.as_ref());
            above.is_some_and(|(above, zone)| !self.is_deeper(above, zone))
        };
        self.covers(record) || delegates()
    }

    fn is_deeper(&self, owner: Name, zone: &Name) -> bool {
        if self.deeper.is_empty() {
            return false;
        }
        let mut next = Some(owner);
        while let Some(name) = next.filter(|name| name != zone) {
            if self.deeper.contains(&name) {
                return true;
            }
            next = name.parent();
        }
        false
    }
}

/// Every text under which a store may hold the PTR records of this name; the name itself is not among them.
pub(super) fn other_spellings(name: &str) -> Vec<String> {
    let is_reverse = name.len() >= 5 && name.as_bytes()[name.len() - 5..].eq_ignore_ascii_case(b".arpa");
    match reverse::address(name).filter(|_| is_reverse) {
        Some(address) => reverse::spellings(address),
        None => Vec::new(),
    }
}
