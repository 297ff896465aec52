//! Claims about whole files.

use super::*;
use proptest::prelude::*;
use std::collections::HashMap;

mod differences;
mod limits;
mod reading;
mod writing;

/// Files by name, whoever asks.
#[derive(Default)]
struct Shelf(HashMap<&'static str, Vec<u8>>);

impl Files for Shelf {
    fn include(&mut self, _: &Path, name: &str) -> Result<(PathBuf, Vec<u8>), String> {
        let text = self.0.get(name).ok_or("is not there")?;
        Ok((PathBuf::from(name), text.clone()))
    }
}

fn shelf<const N: usize>(files: [(&'static str, &str); N]) -> Shelf {
    Shelf(files.map(|(name, text)| (name, text.as_bytes().to_vec())).into())
}

fn start(origin: &str) -> Start {
    Start { origin: Some(origin.parse().unwrap()), ..Start::default() }
}

fn zone(origin: &str) -> Start {
    Start { one_zone: true, places: true, ..start(origin) }
}

fn read(text: &str, start: &Start) -> Parsed {
    parse(Path::new("zone"), text.as_bytes(), start, &mut NoFiles)
}

/// `name TTL type value` of each record.
fn shown(parsed: &Parsed) -> Vec<String> {
    let show = |record: &Record| format!("{} {} {} {}", record.name(), record.ttl, record.type_text(), record.value());
    parsed.records.iter().map(show).collect()
}

/// `line: what` of each fault.
fn faults(parsed: &Parsed) -> Vec<String> {
    parsed.faults.first().iter().map(|fault| format!("{}: {}", fault.line, fault.what)).collect()
}

fn good(text: &str, start: &Start) -> Vec<String> {
    let parsed = read(text, start);
    assert_eq!(faults(&parsed), [""; 0], "{text}");
    shown(&parsed)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_octets_never_panic(text in prop::collection::vec(any::<u8>(), 0..200), one_zone: bool) {
        let start = Start { one_zone, places: true, ..start("test") };
        let parsed = parse(Path::new("zone"), &text, &start, &mut NoFiles);
        prop_assert_eq!(parsed.records.len(), parsed.places.len());
        let _ = crate::hosts_file::parse(Path::new("hosts"), &text, true);
    }

    #[test]
    fn text_that_gets_far_into_the_parser_never_panics_and_what_it_yields_can_be_written(
        pieces in prop::collection::vec(prop_oneof![
            prop::sample::select(vec![
                "\n", "\n", " ", "\t", "\"", "\\", "(", ")", ";", ".", "@", "$", "$ORIGIN ", "$TTL ", "$GENERATE 1-3 ",
                "$INCLUDE ", "${", "${1,2,n}", "}", "IN ", "CH ", "A ", "192.0.2.1", "TXT ", "SOA ", "MX ", "10 ", "a", "b.",
                "1h", "\\# ", "TYPE1 ", "a A 192.0.2.1\n", "@ SOA a b 1 2 3 4 5\n", "\u{e9}", "\r\n", "NSEC ", "LOC ", "HTTPS ",
            ]).prop_map(|piece| piece.as_bytes().to_vec()),
            prop::collection::vec(any::<u8>(), 1..3),
        ], 0..30),
        one_zone: bool,
    ) {
        let start = Start { one_zone, places: true, ..start("test") };
        let parsed = parse(Path::new("zone"), &pieces.concat(), &start, &mut NoFiles);
        prop_assert_eq!(parsed.records.len(), parsed.places.len());
        for record in &parsed.records {
            prop_assert_eq!(record.fault(), None);
        }
        let mut text = Vec::new();
        let written = write_all(&parsed.records, &mut text).unwrap();
        prop_assert_eq!(written.left_out, 0);
        let again = parse(Path::new("zone"), &text, &Start::default(), &mut NoFiles);
        prop_assert_eq!(again.faults.count(), 0, "{}", String::from_utf8_lossy(&text));
        let wire = |parsed: &Parsed| {
            let mut wire: Vec<_> = parsed.records.iter().filter_map(Record::to_wire).map(|(owner, kind, data)| (owner, kind, data.ttl, data.rdata)).collect();
            wire.sort();
            wire
        };
        prop_assert_eq!(wire(&parsed), wire(&again));
    }
}
