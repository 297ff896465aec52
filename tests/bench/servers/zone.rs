//! The zone that every server serves, and the questions that every server is asked.

use crate::load::{self, record};
use dnsplane_tests::{Node, Random, Record};
use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

/// The apex; the A records are those of [`record`].
pub(crate) const APEX: &str = "load.example";
/// Questions in a file. dnsperf begins again at its end, and this many fit into no processor's cache.
const QUESTIONS: u64 = 200_000;

/// One zone: a SOA, a NS with its address, and this many names with an A record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Zone {
    pub(crate) names: u32,
}

/// What a questions file asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// A records that are there.
    Existing,
    /// By turns a name that is not there (NXDOMAIN) and a type that a name does not have (NODATA).
    Missing,
}

impl Zone {
    /// Every record.
    pub(crate) fn records(self) -> impl Iterator<Item = Record> {
        let soa = format!("ns.{APEX} admin.{APEX} 1 3600 600 604800 60");
        let apex = [
            Record::new(APEX, "SOA", &soa, 60),
            Record::new(APEX, "NS", &format!("ns.{APEX}"), 60),
            Record::a(&format!("ns.{APEX}"), "10.255.255.53"),
        ];
        apex.into_iter().chain((0..self.names).map(record))
    }

    /// The record that a server has read last, as it is likely.
    pub(crate) fn last(self) -> Record {
        record(self.names - 1)
    }

    /// As a zone file (RFC 1035 §5).
    pub(crate) fn write_zone(self, path: &Path) {
        self.write_lines(path, |record| format!("{}. {} {} {}", record.name, record.ttl, record.kind, dotted(record)));
    }

    /// As Unbound's local data.
    pub(crate) fn write_local_data(self, path: &Path) {
        self.write_lines(path, |record| {
            format!("local-data: \"{}. {} {} {}\"", record.name, record.ttl, record.kind, dotted(record))
        });
    }

    /// As a node's `dnsrecords.json`.
    pub(crate) fn write_records(self, node: &Node) {
        load::write_all(node, self.records());
    }

    fn write_lines(self, path: &Path, line: impl Fn(&Record) -> String) {
        write_lines(path, self.records().map(|record| line(&record)));
    }

    /// As dnsperf reads them: the same for every server, names in random order.
    pub(crate) fn write_questions(self, ask: Ask, path: &Path) {
        write_lines(path, self.questions(ask).map(|(name, kind)| format!("{name} {kind}")));
    }

    fn questions(self, ask: Ask) -> impl Iterator<Item = (String, &'static str)> {
        let mut random = Random::new(1);
        (0..QUESTIONS).map(move |turn| {
            let number = random.within(0..self.names.into()) as u32;
            match ask {
                Ask::Existing => (record(number).name, "A"),
                Ask::Missing if turn % 2 == 0 => (format!("none-{number}.{APEX}"), "A"),
                Ask::Missing => (record(number).name, "AAAA"),
            }
        })
    }
}

/// A value with the last dots that master files need.
pub(crate) fn dotted(record: &Record) -> String {
    let dots = |name: &str| if name.ends_with(APEX) { format!("{name}.") } else { name.to_owned() };
    record.value.split(' ').map(dots).collect::<Vec<_>>().join(" ")
}

/// A text file of these lines.
pub(crate) fn write_lines(path: &Path, lines: impl Iterator<Item = String>) {
    let mut file = BufWriter::new(File::create(path).expect("a file"));
    for line in lines {
        writeln!(file, "{line}").expect("the disk takes it");
    }
    file.flush().expect("the disk takes it");
}
