//! Records as a zone file, in canonical order, so that two exports of the same records are the same text.
//!
//! Each line says all of its record: owner, TTL, class, type and value, with tabs between them. A line that is added, moved
//! or searched for never depends on another, apart from `$ORIGIN` at the top.

use super::{order::key, owner::is_plain};
use crate::{
    rdata,
    record::{Record, wire_owner},
};
use dnsplane_proto::{Name, RecordType};
use std::{collections::HashSet, io};

/// Reasons that are kept in full.
const MOST_REASONS: usize = 100;

/// What became of the records.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// How many are in the text.
    pub records: u64,
    /// How many belong there and are not, because the format has no way to say them.
    pub left_out: u64,
    /// Which of these and why, the first hundred.
    pub reasons: Vec<String>,
}

impl Written {
    /// Notes a record that cannot be said.
    pub(crate) fn leave_out(&mut self, record: &Record, why: &str) {
        self.left_out += 1;
        if self.reasons.len() < MOST_REASONS {
            let (name, kind, value) = (record.name(), record.type_text(), record.value());
            self.reasons.push(format!("`{name} {kind} {}`: {why}", rdata::shortened(value)));
        }
    }
}

/// Writes one zone: names at or below it, relative to it. Of a zone below it there is what belongs to the cut: NS, DS, and the
/// addresses of name servers there. DS at its own apex belong to the zone above, if there is one.
pub fn write_zone<'a>(
    records: impl IntoIterator<Item = &'a Record>,
    zone: &Name,
    out: &mut dyn io::Write,
) -> io::Result<Written> {
    let mut written = Written::default();
    let mut all = Rows::default();
    let mut is_below_another = false;
    for record in records {
        match owner(record) {
            Some(owner) if owner.is_at_or_below(zone) => all.add(record, &owner, &mut written),
            Some(owner) => is_below_another |= record.kind() == Some(RecordType::SOA) && zone.is_at_or_below(&owner),
            None => {}
        }
    }
    let apex = key(zone);
    if is_below_another {
        all.rows.retain(|row| row.key[..] != apex[..] || row.kind != RecordType::DS);
    }
    all.cut(&apex);
    all.sort(Some(&apex));
    writeln!(out, "$ORIGIN {zone}")?;
    all.write(Some(zone), out, &mut written)?;
    Ok(written)
}

/// Writes all records with absolute names, whether they lie in zones or not.
pub fn write_all<'a>(records: impl IntoIterator<Item = &'a Record>, out: &mut dyn io::Write) -> io::Result<Written> {
    let mut written = Written::default();
    let mut all = Rows::default();
    for record in records {
        match owner(record) {
            Some(owner) => all.add(record, &owner, &mut written),
            None => written.leave_out(record, &record.fault().unwrap_or_default()),
        }
    }
    all.sort(None);
    all.write(None, out, &mut written)?;
    Ok(written)
}

fn owner(record: &Record) -> Option<Name> {
    wire_owner(record.name(), record.kind()?)
}

/// Records with the keys of their owners.
#[derive(Default)]
struct Rows<'a> {
    rows: Vec<Row<'a>>,
}

struct Row<'a> {
    key: Box<[u8]>,
    kind: RecordType,
    record: &'a Record,
}

impl<'a> Rows<'a> {
    fn add(&mut self, record: &'a Record, owner: &Name, written: &mut Written) {
        match record.kind().filter(|_| record.is_servable()) {
            Some(kind) => self.rows.push(Row { key: key(owner).into(), kind, record }),
            None => written.leave_out(record, &record.fault().unwrap_or_default()),
        }
    }

    /// Takes out what lies in zones below the apex, apart from what delegates them.
    fn cut(&mut self, apex: &[u8]) {
        let soas = self.rows.iter().filter(|row| row.kind == RecordType::SOA && row.key[..] != *apex);
        let mut below: Vec<Box<[u8]>> = soas.map(|row| row.key.clone()).collect();
        if below.is_empty() {
            return;
        }
        below.sort();
        below.dedup_by(|next, first| next.starts_with(first)); // zones below zones below
        let zone_of = |key: &[u8]| {
            let after = below.partition_point(|zone| zone[..] <= *key);
            below[..after].last().filter(|zone| key.starts_with(zone))
        };
        let at_cut = |row: &Row<'_>| zone_of(&row.key).is_some_and(|zone| *zone == row.key);
        let servers = self.rows.iter().filter(|row| row.kind == RecordType::NS && at_cut(row));
        let glue: HashSet<Vec<u8>> = servers.filter_map(|row| target(row.record)).collect();
        let stays = |row: &Row<'_>| match row.kind {
            RecordType::NS | RecordType::DS if at_cut(row) => true,
            RecordType::A | RecordType::AAAA if glue.contains(&row.key[..]) => true,
            _ => zone_of(&row.key).is_none(),
        };
        self.rows.retain(stays);
    }

    /// Orders by owner, type and value; the SOA of a zone comes before everything else of its name.
    fn sort(&mut self, apex: Option<&[u8]>) {
        let rank = |row: &Row<'_>| match row.kind {
            RecordType::SOA => (apex != Some(&row.key[..]), 0),
            RecordType::NS => (true, 1),
            other => (true, 2 + u32::from(other.0)),
        };
        self.rows.sort_by(|one, other| {
            let (one_rank, other_rank) = (rank(one), rank(other));
            let soa_first = one_rank.0.cmp(&other_rank.0);
            soa_first
                .then_with(|| one.key.cmp(&other.key))
                .then_with(|| one_rank.1.cmp(&other_rank.1).then_with(|| one.record.value().cmp(other.record.value())))
        });
    }

    fn write(&self, zone: Option<&Name>, out: &mut dyn io::Write, written: &mut Written) -> io::Result<()> {
        let (mut line, zone_text) = (String::new(), zone.map(Name::to_string));
        for Row { kind, record, .. } in &self.rows {
            line.clear();
            let Some((owner, _, data)) = record.to_wire() else { continue };
            push_owner(record.name(), &owner, zone.zip(zone_text.as_deref()), &mut line);
            line.push_str(&format!("\t{}\tIN\t{kind}\t", record.ttl));
            rdata::present_into(*kind, &data.rdata, &mut line);
            line.push('\n');
            out.write_all(line.as_bytes())?;
            written.records += 1;
        }
        Ok(())
    }
}

/// The key of the name that an NS record points to.
fn target(record: &Record) -> Option<Vec<u8>> {
    let (_, _, data) = record.to_wire()?;
    Name::from_wire(&data.rdata).ok().map(|name| key(&name))
}

/// Appends an owner, relative to the zone if there is one, in its own case if nothing in it needs an escape.
fn push_owner(text: &str, name: &Name, zone: Option<(&Name, &str)>, into: &mut String) {
    let canonical = name.to_string();
    let as_written = text.bytes().all(is_plain) && canonical.trim_end_matches('.').eq_ignore_ascii_case(text);
    let absolute = if as_written && !name.is_root() { &format!("{text}.") } else { &canonical };
    match zone {
        Some((zone, _)) if name == zone => into.push('@'),
        // The last label of the owner ends with the dot before the zone.
        Some((zone, zone_text)) if !zone.is_root() => {
            let own = absolute.len().saturating_sub(zone_text.len() + 1);
            into.push_str(absolute.get(..own).unwrap_or(absolute));
        }
        _ => into.push_str(absolute),
    }
}
