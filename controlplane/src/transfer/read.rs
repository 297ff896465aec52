//! Reads a file of records.

use super::Format;
use crate::{
    hosts_file,
    record::Record,
    source::{Fault, read_document},
    store::ImportScope,
    zone_file::{self, Limits, NoFiles, Parsed, Start},
};
use dnsplane_proto::{Name, RecordType};
use std::path::Path;

/// Records of one file: enough for any store, and what comes and goes is one entry of the change log, which has 4 GiB at
/// most.
pub(crate) const MAX_RECORDS: usize = 2_000_000;

/// A file as read.
#[derive(Debug)]
pub(crate) struct Incoming {
    /// Its records, in its order.
    pub(crate) records: Vec<Record>,
    /// Lines of which nothing came, and why: the first of them.
    pub(crate) faults: Vec<String>,
    /// How many there are.
    pub(crate) faulty: u64,
    /// Whether it says how long its records live; if not, those that are held live as long as before.
    pub(crate) has_ttls: bool,
    /// What it speaks for, or why that is not known.
    scope: Result<ImportScope, &'static str>,
    /// The line of each record, where lines are known.
    lines: Vec<u32>,
}

/// Reads all of it, or says why nothing of it can be used.
pub(crate) fn read(format: Format, file: &str, text: &[u8], zone: Option<Name>) -> Result<Incoming, String> {
    let most = match format {
        // Every record is an object, or has an address or a name of its own.
        Format::Json => text.iter().filter(|octet| **octet == b'{').count(),
        Format::Hosts => text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).count() / 2,
        Format::Zone => 0,
    };
    let incoming = match format {
        _ if most > MAX_RECORDS + 1 => return Err(too_many(file)),
        Format::Json => {
            let records = read_document(text).map_err(|error| format!("{file}, {error}"))?;
            let scope = ImportScope { zone: zone.filter(|zone| !zone.is_root()), kinds: &[] };
            Incoming { records, has_ttls: true, scope: Ok(scope), ..Incoming::default() }
        }
        Format::Hosts => {
            // Of a name's other types, a file of hosts knows nothing.
            let kinds: &[RecordType] = &[RecordType::A, RecordType::AAAA];
            let scope = ImportScope { zone: zone.clone().filter(|zone| !zone.is_root()), kinds };
            Incoming::of(hosts_file::parse(Path::new(file), text, true), zone.as_ref(), file, Ok(scope))
        }
        Format::Zone => read_zone(file, text, zone),
    };
    if incoming.records.len() > MAX_RECORDS { Err(too_many(file)) } else { Ok(incoming) }
}

fn read_zone(file: &str, text: &[u8], zone: Option<Name>) -> Incoming {
    let limits = Limits { records: MAX_RECORDS + 1, ..Limits::default() };
    let start = Start { origin: zone.clone(), one_zone: false, places: true, limits };
    let parsed = zone_file::parse(Path::new(file), text, &start, &mut NoFiles);
    let scope = match (&zone, &parsed.zones[..]) {
        (Some(zone), _) if zone.is_root() => Ok(ImportScope::default()),
        (Some(zone), _) | (None, [zone]) => Ok(ImportScope { zone: Some(zone.clone()), kinds: &[] }),
        (None, []) => Err("it has no SOA record that names its zone"),
        (None, _) => Err("it holds several zones"),
    };
    Incoming { has_ttls: true, ..Incoming::of(parsed, zone.as_ref(), file, scope) }
}

impl Default for Incoming {
    fn default() -> Self {
        let (records, faults, lines) = (Vec::new(), Vec::new(), Vec::new());
        Self { records, faults, faulty: 0, has_ttls: false, scope: Ok(ImportScope::default()), lines }
    }
}

impl Incoming {
    /// What was parsed; what lies outside of the zone that was named is refused.
    fn of(mut parsed: Parsed, zone: Option<&Name>, file: &str, scope: Result<ImportScope, &'static str>) -> Self {
        let lines: Vec<u32> = parsed.places.iter().map(|place| place.line).collect();
        let (mut records, mut kept) = (Vec::with_capacity(parsed.records.len()), Vec::with_capacity(lines.len()));
        for (record, line) in parsed.records.into_iter().zip(lines) {
            let outside = zone.filter(|zone| {
                !zone.is_root() && !Name::parse(record.name()).is_ok_and(|owner| owner.is_at_or_below(zone))
            });
            match outside {
                Some(zone) => {
                    let what = format!("`{}` lies outside of the zone `{zone}`", record.name());
                    parsed.faults.add(Fault { file: file.to_owned(), line: line.into(), what });
                }
                None => {
                    records.push(record);
                    kept.push(line);
                }
            }
        }
        let faults = parsed.faults.first().iter().map(ToString::to_string).collect();
        Self { records, faults, faulty: parsed.faults.count(), scope, lines: kept, has_ttls: false }
    }

    /// What goes if the file is to replace, or why that cannot be said.
    pub(crate) fn scope(&self, file: &str) -> Result<ImportScope, String> {
        let why = |why: &&str| {
            format!(
                "what `{file}` replaces is not known, because {why}; name the zone with --zone, `.` for all records"
            )
        };
        self.scope.as_ref().cloned().map_err(why)
    }

    /// Where the record of this place stands, for a sentence.
    pub(crate) fn place(&self, place: usize) -> String {
        match self.lines.get(place) {
            Some(line) => format!("line {line}"),
            None => format!("record {}", place + 1),
        }
    }
}

fn too_many(file: &str) -> String {
    format!("`{file}` has more than {MAX_RECORDS} records; import it in parts")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> Option<Name> {
        Some(name.parse().unwrap())
    }

    #[test]
    fn a_zone_file_speaks_for_the_zone_of_its_soa_or_for_the_one_that_is_named() {
        let text = b"$ORIGIN lab.test.\n@ 60 SOA ns h 1 2 3 4 5\nwww 60 A 192.0.2.1\nwww 60 A oops\n";
        let incoming = read(Format::Zone, "lab.zone", text, None).unwrap();
        assert_eq!((incoming.records.len(), incoming.faulty), (2, 1));
        assert!(incoming.faults[0].starts_with("lab.zone, line 4: "), "{:?}", incoming.faults);
        assert_eq!(incoming.place(1), "line 3");
        assert_eq!(incoming.scope("lab.zone").unwrap().zone, zone("lab.test"));
        let part = read(Format::Zone, "part", b"www 60 A 192.0.2.1\n", zone("lab.test")).unwrap();
        assert_eq!(part.records[0].name(), "www.lab.test");
        assert_eq!(part.scope("part").unwrap().zone, zone("lab.test"));
        assert_eq!(
            read(Format::Zone, "all", b"www.test. 60 A 192.0.2.1\n", zone(".")).unwrap().scope("all").unwrap().zone,
            None
        );
        let unknown = read(Format::Zone, "part", b"www.test. 60 A 192.0.2.1\n", None).unwrap().scope("part");
        assert!(unknown.unwrap_err().contains("no SOA"));
    }

    #[test]
    fn what_lies_outside_of_the_named_zone_is_refused_with_its_line() {
        let text = b"192.0.2.1 www.lab.test\n192.0.2.2 other.test\n";
        let incoming = read(Format::Hosts, "hosts", text, zone("lab.test")).unwrap();
        assert_eq!((incoming.records.len(), incoming.has_ttls), (1, false));
        assert_eq!(incoming.faults, ["hosts, line 2: `other.test` lies outside of the zone `lab.test.`"]);
    }

    #[test]
    fn files_of_too_many_records_are_refused_before_they_are_read() {
        let objects = [&b"{\"records\":["[..], &b"{},".repeat(MAX_RECORDS + 1), b"{}]}"].concat();
        assert!(read(Format::Json, "x.json", &objects, None).unwrap_err().contains("more than"));
        let hosts = b"::1 a\n".repeat(MAX_RECORDS + 2);
        assert!(read(Format::Hosts, "hosts", &hosts, None).unwrap_err().contains("more than"));
    }

    #[test]
    fn a_broken_document_is_told_with_its_line() {
        let error = read(Format::Json, "x.json", b"{\"records\":[\n{\"name\":1}]}", None).unwrap_err();
        assert!(error.starts_with("x.json, line 2, column 9 (`records[0].name`)"), "{error}");
    }
}
