//! Writes records as a file.

use super::Format;
use crate::{
    hosts_file,
    record::{Record, json, wire_owner},
    records::{Records, Row},
    store::{ImportScope, Within},
    zone_file::{self, Written},
};
use dnsplane_proto::{Name, RecordType};
use serde::Serialize;
use std::{io, sync::Arc};

/// Records that could not be said and are named; the others are counted.
const NAMED: usize = 10;

/// What is to be written.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// How.
    pub(crate) format: Format,
    /// Names at or below it, without zones below it; `None` for all.
    pub(crate) zone: Option<Name>,
    /// Indented, if the format is JSON.
    pub(crate) pretty: bool,
}

/// What was written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outgoing {
    /// Records in the text.
    pub(crate) records: u64,
    /// Records that the format cannot say.
    pub(crate) left_out: u64,
    /// The first few of those, and why.
    pub(crate) reasons: Vec<String>,
}

/// Writes what is wanted; the sentence says why it could not be.
pub(crate) fn write(records: &Records, wanted: &Wanted, out: &mut dyn io::Write) -> Result<Outgoing, String> {
    let scope = ImportScope { zone: wanted.zone.clone().filter(|zone| !zone.is_root()), kinds: &[] };
    let within = scope.within(records);
    let covered = || records.iter().map(|row| &row.record).filter(|record| within.belongs(record));
    if let Some(zone) = &scope.zone
        && covered().next().is_none()
    {
        return Err(format!("there is no record at or below `{zone}`"));
    }
    let written = match wanted.format {
        Format::Json => return write_json(records, &within, wanted.pretty, out).map_err(|error| error.to_string()),
        Format::Hosts => hosts_file::write(covered(), out),
        Format::Zone => {
            let all = records.iter().map(|row| &row.record);
            match zone_of(records, wanted.zone.as_ref())? {
                Some(zone) => zone_file::write_zone(all, &zone, out),
                None => zone_file::write_all(all, out),
            }
        }
    };
    let Written { records, left_out, mut reasons } = written.map_err(|error| error.to_string())?;
    reasons.truncate(NAMED);
    Ok(Outgoing { records, left_out, reasons })
}

/// Which zone a zone file is to hold; `None` for all records with absolute names. Without a word about it, that is the only
/// zone if there is nothing beside it.
fn zone_of(records: &Records, asked: Option<&Name>) -> Result<Option<Name>, String> {
    let soas = records.iter().filter(|row| row.record.kind() == Some(RecordType::SOA));
    let mut zones: Vec<Name> = soas.filter_map(|row| Name::parse(row.record.name()).ok()).collect();
    zones.sort();
    zones.dedup();
    match (asked, &zones[..]) {
        (Some(zone), _) if !zone.is_root() || zones.contains(zone) => Ok(Some(zone.clone())),
        (Some(_), _) | (None, []) => Ok(None),
        (None, [zone]) if records.iter().all(|row| lies_in(&row.record, zone)) => Ok(Some(zone.clone())),
        (None, zones) => {
            let named: Vec<_> = zones.iter().take(NAMED).map(|zone| format!("`{zone}`")).collect();
            let more = if zones.len() > named.len() { ", …" } else { "" };
            Err(format!(
                "the records lie in or beside {} zones ({}{more}); name one with --zone, or `--zone .` to have all records with \
                 absolute names",
                zones.len(),
                named.join(", ")
            ))
        }
    }
}

fn lies_in(record: &Record, zone: &Name) -> bool {
    let owner = wire_owner(record.name(), record.kind().unwrap_or(RecordType(0)));
    owner.is_none_or(|owner| owner.is_at_or_below(zone))
}

/// The bytes of `dnsrecords.json`: in the order of the store, nothing left out.
fn write_json(records: &Records, within: &Within<'_>, pretty: bool, out: &mut dyn io::Write) -> io::Result<Outgoing> {
    let mut rows = records.in_order();
    rows.retain(|row| within.belongs(&row.record));
    let document = Document { records: Rows(&rows) };
    if pretty {
        json::to_writer_pretty(&mut *out, &document)?
    } else {
        json::to_writer(&mut *out, &document)?
    }
    out.write_all(b"\n")?;
    Ok(Outgoing { records: rows.len() as u64, ..Outgoing::default() })
}

#[derive(Serialize)]
struct Document<'a> {
    records: Rows<'a>,
}

struct Rows<'a>(&'a [&'a Arc<Row>]);

impl Serialize for Rows<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|row| &row.record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(lines: &[(&str, &str, &str)]) -> Records {
        let record = |(name, kind, value): &(&str, &str, &str)| Record::new(name, kind, value, 60);
        Records::from_rows(lines.iter().map(record).zip(1..).map(|(record, order)| Row::new(record, order, 1, true)))
    }

    fn written(records: &Records, format: Format, zone: Option<&str>) -> Result<String, String> {
        let wanted = Wanted { format, zone: zone.map(|zone| zone.parse().unwrap()), pretty: false };
        let mut text = Vec::new();
        write(records, &wanted, &mut text)?;
        Ok(String::from_utf8(text).unwrap())
    }

    const SOA: &str = "ns.test. h.test. 1 2 3 4 5";

    #[test]
    fn a_zone_file_needs_no_name_of_a_zone_if_there_is_no_other() {
        let one = records(&[("a.test", "SOA", SOA), ("www.a.test", "A", "192.0.2.1")]);
        assert!(written(&one, Format::Zone, None).unwrap().starts_with("$ORIGIN a.test.\n"));
        let loose = records(&[("www.a.test", "A", "192.0.2.1")]);
        assert_eq!(written(&loose, Format::Zone, None), written(&loose, Format::Zone, Some(".")));
        let more = records(&[("a.test", "SOA", SOA), ("www.b.test", "A", "192.0.2.1")]);
        let told = written(&more, Format::Zone, None).unwrap_err();
        assert!(told.contains("`a.test.`") && told.contains("--zone ."), "{told}");
        assert!(written(&more, Format::Zone, Some(".")).unwrap().contains("www.b.test."));
        assert!(!written(&more, Format::Zone, Some("a.test")).unwrap().contains("www.b"));
        assert!(written(&more, Format::Zone, Some("c.test")).is_err());
    }

    #[test]
    fn a_document_of_a_zone_keeps_its_cuts_and_leaves_zones_below_it_out() {
        let all = records(&[
            ("a.test", "SOA", SOA),
            ("www.a.test", "A", "192.0.2.1"),
            ("sub.a.test", "SOA", SOA),
            ("sub.a.test", "NS", "ns.test"),
            ("sub.a.test", "MX", "1 m"),
            ("www.sub.a.test", "A", "192.0.2.2"),
            ("b.sub.a.test", "SOA", SOA),
            ("b.sub.a.test", "NS", "ns.test"),
        ]);
        let text = written(&all, Format::Json, Some("a.test")).unwrap();
        let names: Vec<Record> = crate::source::read_document(text.as_bytes()).unwrap();
        let shown: Vec<_> = names.iter().map(|record| format!("{} {}", record.name(), record.type_text())).collect();
        assert_eq!(shown, ["a.test SOA", "www.a.test A", "sub.a.test NS"]);
        assert_eq!(
            crate::source::read_document(written(&all, Format::Json, None).unwrap().as_bytes()).unwrap().len(),
            8
        );
    }
}
