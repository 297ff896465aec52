//! Claims about zone files with BIND and ldns as judges: what we read is what they read, and what we write they read back
//! without a difference.
//!
//! Needs `named-checkzone`, `named-compilezone` and `dnssec-signzone` (Debian: bind9-utils), `ldns-compare-zones` (ldnsutils).

use dnsplane_cluster::{
    rdata,
    record::Record,
    zone_file::{NoFiles, Parsed, Start, parse, write_all, write_zone},
};
use dnsplane_proto::{Name, RecordType};
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};
use tempfile::TempDir;

const ZONE: &str = "example.test";

/// A zone with all types that answers.md names, written the way people do.
const WRITTEN: &str = r#"$TTL 1h30m ; of what has none
@ IN SOA ns1 host\.master (
        2026050401 ; serial
        1h 10m     ; refresh, retry
        1w 60 )
        NS      ns1
        NS      ns2.other.test.
        MX      10 mail
        CAA     0 issue "ca.example; account=1"
        CAA     128 iodef mailto:security@example.test
        0 TXT   "v=spf1 mx -all"
        SPF     "v=spf1 mx -all"
        NAPTR   100 10 "u" "E2U+sip" "!^.*$!sip:info@example.test!" .
        LOC     52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m
        HINFO   "ARM 64" Linux
        RP      admin info
        DNSKEY  257 3 13 ( mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+
                KkxLbxILfDLUT0rAK9iUzy1L53eKGQ== )
        CDNSKEY 0 3 0 AA==
        CDS     0 0 0 00
        CSYNC   66 3 A NS AAAA
ns1     A       192.0.2.53
        AAAA    2001:DB8::53
mail    300 IN A 192.0.2.25
mail    IN 300 A 192.0.2.26
        SSHFP   4 2 123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef0
www     CNAME   @
old     DNAME   new.other.test.
sub     NS      ns.sub
        DS      60485 ECDSAP256SHA256 2 ( D4B7D520E7BB5F0F67674A0CCEB1E3E0614B93C4F9E99B8383F6A1E4469DA50A )
ns.sub  A       192.0.2.54
*.wild  TXT     unquoted words here
quoted  TXT     "semi;colon (parens) \"quotes\" back\\slash \233\000 tab	" "" "second"
long    TXT     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" (
                "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb" ; more
                "c" )
esc\097ped A    192.0.2.1
dot\.ted A      192.0.2.2
at\@sign A      192.0.2.3
\$dollar A      192.0.2.4
Upper.CASE A    192.0.2.5
_sip._tcp SRV   10 5 5060 mail
_443._tcp.www2 TLSA 3 1 1 ( 0123456789abcdef0123456789abcdef
                0123456789abcdef0123456789abcdef )
x._smimecert SMIMEA 3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
x._openpgpkey OPENPGPKEY mQENBFQAAAAA
svc     SVCB    16 foo.example.org. ( alpn=h2,h3-19 mandatory=ipv4hint,alpn ipv4hint=192.0.2.1 )
web     HTTPS   1 . alpn="h2,h3" port=8443 ipv6hint=2001:db8::1,2001:db8::2
web2    HTTPS   0 web
uri     URI     10 1 "https://www.example.test/a?b=\"c\""
cert    CERT    PKIX 0 RSASHA256 MIIBIjAN
afs     AFSDB   1 afs
kx      KX      10 kx
apl     APL     1:192.168.32.0/21 !1:192.168.38.0/28 2:ff00::/8
dhcid   DHCID   AAIBY2/AuCcc
eui     EUI48   00-00-5e-00-53-2a
eui     EUI64   00-00-5e-ef-10-00-00-2a
new     TYPE65280 \# 4 0A 0b 0c0d
plain   TYPE1   \# 4 c0000201
none    TYPE65281 \# 0
$ORIGIN dept
host    A       192.0.2.6
        PTR     host
$GENERATE 1-3 gen$ A 192.0.2.1${0,1}
$GENERATE 8-16/8 ${0,3,n} PTR "gen${0,2,x}.other.test."
"#;

#[test]
fn a_zone_of_every_type_is_read_and_written_as_bind_and_ldns_read_it() {
    let dir = TempDir::new().unwrap();
    let given = save(&dir, "given", WRITTEN);
    let parsed = read(&given);
    assert_eq!(parsed.records.len(), 59);
    let exported = save(&dir, "exported", &zone_text(&parsed.records));
    accepted(&exported);
    assert_eq!(compiled(&exported), compiled(&given));
    // ldns knows neither units of times in SOA records nor $GENERATE, so it is given what BIND made of the file.
    let canonical = save(&dir, "canonical", &compiled(&given));
    same_for_ldns(&canonical, &exported);
    // Read and written again, nothing changes any more, not even the text.
    assert_eq!(zone_text(&read(&exported).records), fs::read_to_string(&exported).unwrap());
    let mut all = Vec::new();
    write_all(&parsed.records, &mut all).unwrap();
    assert_eq!(compiled(&save(&dir, "all", &String::from_utf8(all).unwrap())), compiled(&given));
}

#[test]
fn signed_zones_are_read_and_written_whole() {
    for nsec3 in [&[][..], &["-3", "aabbccdd", "-H", "5"]] {
        let dir = TempDir::new().unwrap();
        run(Command::new("dnssec-keygen").args(["-a", "ECDSAP256SHA256", "-f", "KSK", ZONE]).current_dir(&dir));
        run(Command::new("dnssec-keygen").args(["-a", "ECDSAP256SHA256", ZONE]).current_dir(&dir));
        let kept = WRITTEN.replace("        CDNSKEY 0 3 0 AA==\n        CDS     0 0 0 00\n", "");
        save(&dir, "plain", &kept);
        let mut sign = Command::new("dnssec-signzone");
        run(sign.args(["-S", "-o", ZONE, "-f", "signed"]).args(nsec3).arg("plain").current_dir(&dir));
        let signed = dir.path().join("signed");
        let parsed = read(&signed);
        let kinds = |kind: RecordType| parsed.records.iter().filter(|record| record.kind() == Some(kind)).count();
        assert!(kinds(RecordType::RRSIG) >= 80, "{}", kinds(RecordType::RRSIG));
        assert!(kinds(if nsec3.is_empty() { RecordType::NSEC } else { RecordType::NSEC3 }) > 30);
        let exported = save(&dir, "exported", &zone_text(&parsed.records));
        accepted(&exported);
        assert_eq!(compiled(&exported), compiled(&signed));
        same_for_ldns(&signed, &exported);
    }
}

/// Types that BIND knows, each with a value to begin from.
const VALUES: &[(&str, &str)] = &[
    ("A", "192.0.2.1"),
    ("AAAA", "2001:db8::1"),
    ("MX", "10 mail.other.test."),
    ("TXT", "\"a\" \"b c\""),
    ("HINFO", "\"a\" \"b\""),
    ("X25", "\"311061700956\""),
    ("PX", "10 map.other.test. x400.other.test."),
    ("L32", "10 192.0.2.0"),
    ("MINFO", "admin.other.test. errors.other.test."),
    ("NAPTR", "100 10 \"u\" \"E2U+sip\" \"!^.*$!sip:info@example.test!\" ."),
    ("LOC", "52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m"),
    ("CAA", "0 issue \"ca.example\""),
    ("URI", "10 1 \"https://www.example/\""),
    ("SRV", "10 5 5060 sip.other.test."),
    ("TLSA", "3 1 1 0123456789abcdef"),
    ("SSHFP", "4 2 123456789abcdef0"),
    ("DS", "60485 13 2 D4B7D520E7BB5F0F67674A0CCEB1E3E0614B93C4F9E99B8383F6A1E4469DA50A"),
    ("CERT", "PKIX 0 RSASHA256 MIIBIjAN"),
    ("APL", "1:192.0.2.0/24 !2:2001:db8::/32"),
    ("SVCB", "16 foo.other.test. alpn=h2,h3 port=53 ipv4hint=192.0.2.1 ipv6hint=::1 ech=AAAA key667=hello"),
    ("HTTPS", "1 . mandatory=alpn alpn=\"f\\\\\\\\oo\\\\,bar,h2\" no-default-alpn dohpath=/q{?dns}"),
    ("NSEC", "next.example.test. A RRSIG NSEC TYPE1234"),
    ("CSYNC", "66 3 A NS AAAA"),
    ("OPENPGPKEY", "mQENBFQA"),
    ("DHCID", "AAIBY2/AuCcc"),
    ("EUI48", "00-00-5e-00-53-2a"),
    ("TYPE65280", "\\# 4 01020304"),
];

#[test]
fn octets_of_any_value_are_written_in_a_text_that_bind_reads_as_the_same_octets() {
    let dir = TempDir::new().unwrap();
    let mut runner = TestRunner::deterministic();
    let change = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
    let mut records = Vec::new();
    for (kind_text, value) in VALUES {
        let kind: RecordType = kind_text.parse().unwrap();
        let example = rdata::parse(kind, value).unwrap();
        while records.len() % 100 < 99 {
            let mut octets = example.to_vec();
            for (at, octet) in change.new_tree(&mut runner).unwrap().current() {
                let length = octets.len();
                octets[at.index(length)] = octet;
            }
            if rdata::parse(kind, &generic(&octets)).is_ok() {
                records.push((kind, octets));
            }
        }
        records.push((kind, example.to_vec()));
    }
    // BIND refuses some values in whatever form they are written; these are no matter of ours.
    let text = |record: &(RecordType, Vec<u8>)| rdata::present(record.0, &record.1);
    let bare = |record: &(RecordType, Vec<u8>)| generic(&record.1);
    for round in 0.. {
        assert!(round < 1000, "BIND refuses one value after the other");
        let zone = save(&dir, "generic", &list(&records, bare));
        let Err(said) = compile(&zone) else { break };
        let lines: Vec<usize> =
            said.lines().filter_map(|line| line.split("generic:").nth(1)?.split(':').next()?.parse().ok()).collect();
        assert!(!lines.is_empty(), "{said}");
        let mut line = 3;
        records.retain(|_| {
            line += 1;
            !lines.contains(&line)
        });
    }
    assert!(records.len() > VALUES.len() * 50, "{} values are left", records.len());
    let expected = compiled(&save(&dir, "generic", &list(&records, bare)));
    assert_eq!(compiled(&save(&dir, "presented", &list(&records, text))), expected);
    // And what BIND makes of them is what we read as these octets.
    let read = parse(Path::new("bind"), expected.as_bytes(), &Start::default(), &mut NoFiles);
    assert_eq!(read.faults.first(), []);
    let mut by_name: Vec<_> =
        read.records.iter().filter(|record| record.name().starts_with('n')).filter_map(Record::to_wire).collect();
    by_name.sort_by(|one, other| one.0.cmp(&other.0));
    for ((owner, kind, data), (expected_kind, octets)) in by_name.iter().zip(&records) {
        assert_eq!((kind, &data.rdata[..]), (expected_kind, &octets[..]), "{owner}");
    }
    assert_eq!(by_name.len(), records.len());
}

/// A zone with one name for each value, the first on line 4.
fn list(records: &[(RecordType, Vec<u8>)], text: impl Fn(&(RecordType, Vec<u8>)) -> String) -> String {
    let mut zone = format!("$TTL 60\n{ZONE}. SOA ns.{ZONE}. host.{ZONE}. 1 2 3 4 5\n{ZONE}. NS ns.other.test.\n");
    for (record, at) in records.iter().zip(0..) {
        writeln!(zone, "n{at:05}.{ZONE}. {} {}", record.0, text(record)).expect("memory");
    }
    zone
}

fn generic(octets: &[u8]) -> String {
    let hex: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    format!("\\# {} {hex}", octets.len())
}

fn read(file: &Path) -> Parsed {
    let start = Start { origin: Some(ZONE.parse().expect("a name")), one_zone: true, ..Start::default() };
    let parsed = parse(file, &fs::read(file).expect("a file"), &start, &mut NoFiles);
    assert_eq!(parsed.faults.first(), []);
    assert_eq!(parsed.left_out.first(), []);
    parsed
}

fn zone_text(records: &[Record]) -> String {
    let mut text = Vec::new();
    let zone: Name = ZONE.parse().expect("a name");
    let written = write_zone(records, &zone, &mut text).expect("memory");
    assert_eq!((written.records, written.left_out), (records.len() as u64, 0));
    String::from_utf8(text).expect("text")
}

fn save(dir: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = dir.path().join(name);
    fs::write(&path, text).expect("a folder that can be written to");
    path
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}; tests/run installs it"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{command:?}: {said}");
    output
}

fn accepted(zone: &Path) {
    run(Command::new("named-checkzone").args(["-i", "none", ZONE]).arg(zone));
}

/// What BIND makes of a zone: one record a line, in order.
fn compiled(zone: &Path) -> String {
    compile(zone).unwrap_or_else(|said| panic!("{}: {said}", zone.display()))
}

fn compile(zone: &Path) -> Result<String, String> {
    let mut command = Command::new("named-compilezone");
    command.args(["-i", "none", "-k", "ignore", "-s", "full", "-o", "-", ZONE]).arg(zone);
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}; tests/run installs it"));
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr) + &text(&output.stdout)) }
}

fn same_for_ldns(one: &Path, other: &Path) {
    let output = run(Command::new("ldns-compare-zones").args(["-a", "-s", "-e"]).args([one, other]));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("+0\t-0\t~0"), "{said}");
}
