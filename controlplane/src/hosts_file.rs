//! Files such as `/etc/hosts`: an address and the names that have it, a line each.

use crate::{
    rdata::shortened,
    record::{DEFAULT_TTL, Record, tidy_name, wire_owner},
    source::Fault,
    zone_file::{Parsed, Place, Written, order},
};
use dnsplane_proto::{Name, RecordType};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
};

/// Octets of a line: far more than all names of any host.
const MOST: usize = 64 << 10;

/// Reads a file of hosts: A and AAAA records with a TTL of an hour. What follows `#` is a comment.
///
/// A name with a dot at its end, or without any dot, is taken as it stands. A line with a fault gives those of its records that
/// are good.
pub fn parse(file: &Path, text: &[u8], places: bool) -> Parsed {
    let mut parsed = Parsed { files: vec![file.to_owned()], ..Parsed::default() };
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    for (line, number) in text.split(|octet| *octet == b'\n').zip(1_u32..) {
        let before = parsed.records.len();
        if let Err(what) = read_line(line, &mut parsed.records) {
            parsed.faults.add(Fault { file: file.display().to_string(), line: number.into(), what });
        }
        if places {
            parsed.places.extend((before..parsed.records.len()).map(|_| Place { file: 0, line: number }));
        }
    }
    parsed
}

fn read_line(line: &[u8], records: &mut Vec<Record>) -> Result<(), String> {
    if line.len() > MOST {
        return Err(format!("the line is longer than {MOST} octets"));
    }
    let said = line.split(|octet| *octet == b'#').next().unwrap_or_default();
    let said = std::str::from_utf8(said).map_err(|_| "the line is not UTF-8")?;
    let mut words = said.split_ascii_whitespace();
    let Some(address) = words.next() else { return Ok(()) };
    let address: IpAddr = address.parse().map_err(|_| format!("`{}` is not an address", shortened(address)))?;
    let kind = if address.is_ipv4() { RecordType::A } else { RecordType::AAAA };
    let value = address.to_string();
    let (mut names, mut refused) = (0, None);
    for name in words {
        names += 1;
        match Name::parse(name) {
            Ok(_) => records.push(Record::of_zone(&tidy_name(name), kind, &value, DEFAULT_TTL)),
            Err(fault) => refused = refused.or(Some(format!("`{}` is not a host name: {fault}", shortened(name)))),
        }
    }
    match refused {
        Some(refused) => Err(refused),
        None if names == 0 => Err(format!("there is no name behind the address `{value}`")),
        None => Ok(()),
    }
}

/// Writes the A and AAAA records of all names that a host can have, a line each, in canonical order. TTLs are not told.
pub fn write<'a>(records: impl IntoIterator<Item = &'a Record>, out: &mut dyn io::Write) -> io::Result<Written> {
    let mut written = Written::default();
    let mut rows = Vec::new();
    for record in records {
        match host(record) {
            Ok((key, address)) => rows.push((key, address, record.name())),
            Err(why) => written.leave_out(record, &why),
        }
    }
    rows.sort();
    for (_, address, name) in rows {
        writeln!(out, "{address}\t{name}")?;
        written.records += 1;
    }
    Ok(written)
}

/// Key and address of a record that can be said; or why it cannot.
fn host(record: &Record) -> Result<(Vec<u8>, IpAddr), String> {
    let kind = record.kind().filter(|kind| matches!(*kind, RecordType::A | RecordType::AAAA));
    let kind = kind.ok_or("a file of hosts has addresses only")?;
    if !record.is_servable() {
        return Err(record.fault().unwrap_or_default());
    }
    let plain = |octet: u8| octet > b' ' && octet != 0x7f && !b"#\\*".contains(&octet);
    let name = wire_owner(record.name(), kind).filter(|name| !name.is_root() && record.name().bytes().all(plain));
    let name = name.ok_or("a file of hosts has no way to write such a name")?;
    let value = record.value().trim();
    let address = match kind {
        RecordType::A => value.parse::<Ipv4Addr>().map(IpAddr::from),
        _ => value.parse::<Ipv6Addr>().map(IpAddr::from),
    };
    let address = address.map_err(|_| "the address is written in an unusual way")?;
    Ok((order::key(&name), address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(parsed: &Parsed) -> Vec<String> {
        let show = |record: &Record| format!("{} {} {}", record.name(), record.type_text(), record.value());
        parsed.records.iter().map(show).collect()
    }

    #[test]
    fn an_address_has_all_names_of_its_line() {
        let text = "\u{feff}# hosts\r\n192.0.2.1 www.example. WWW alias # x\n\n  2001:DB8::1\thost\n";
        let parsed = parse(Path::new("hosts"), text.as_bytes(), true);
        assert_eq!(
            shown(&parsed),
            ["www.example A 192.0.2.1", "WWW A 192.0.2.1", "alias A 192.0.2.1", "host AAAA 2001:db8::1"]
        );
        assert_eq!(parsed.faults.count(), 0);
        assert_eq!(parsed.places.iter().map(|place| place.line).collect::<Vec<_>>(), [2, 2, 2, 4]);
        let mut text = Vec::new();
        let written = write(&parsed.records, &mut text).unwrap();
        assert_eq!(written, Written { records: 4, ..Written::default() });
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text, "192.0.2.1\talias\n192.0.2.1\twww.example\n2001:db8::1\thost\n192.0.2.1\tWWW\n");
    }

    #[test]
    fn bad_lines_are_told_and_the_others_read() {
        let text = b"192.0.2 a\n192.0.2.1\nfe80::1%eth0 a\n192.0.2.1 good b..ad\n192.0.2.2 \xff\n192.0.2.3 last";
        let parsed = parse(Path::new("/etc/hosts"), text, false);
        let faults: Vec<_> = parsed.faults.first().iter().map(|fault| fault.to_string()).collect();
        assert_eq!(
            faults,
            [
                "/etc/hosts, line 1: `192.0.2` is not an address",
                "/etc/hosts, line 2: there is no name behind the address `192.0.2.1`",
                "/etc/hosts, line 3: `fe80::1%eth0` is not an address",
                "/etc/hosts, line 4: `b..ad` is not a host name: the name has an empty label",
                "/etc/hosts, line 5: the line is not UTF-8",
            ]
        );
        assert_eq!(shown(&parsed), ["good A 192.0.2.1", "last A 192.0.2.3"]);
        let long = [b"192.0.2.1 ".to_vec(), vec![b'a'; MOST]].concat();
        assert_eq!(parse(Path::new("hosts"), &long, false).faults.count(), 1);
    }

    #[test]
    fn what_hosts_cannot_say_is_counted() {
        let records = [
            Record::new("a.test", "A", "192.0.2.1", 60),
            Record::new("a.test", "MX", "10 a.test", 60),
            Record::new("*.test", "A", "192.0.2.1", 60),
            Record::new("a.test", "A", "bad", 60),
        ];
        let written = write(&records, &mut Vec::new()).unwrap();
        assert_eq!((written.records, written.left_out), (1, 3));
        assert_eq!(written.reasons[0], "`a.test MX 10 a.test`: a file of hosts has addresses only");
    }
}
