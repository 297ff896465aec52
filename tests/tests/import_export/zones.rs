//! Zone files as people write them, with every type of record, and what other programs see in them.

use dnsplane_tests::{Random, program};
use std::{path::Path, process::Command};

/// The zone of all files here.
pub(crate) const ZONE: &str = "lab.test";

/// Types with values in various spellings. `HOST` stands for a name.
const VALUES: &[(&str, &[&str])] = &[
    ("A", &["192.0.2.1", "192.0.2.2", "198.51.100.4"]),
    ("AAAA", &["2001:db8::1", "2001:DB8:0:0:0::2", "::ffff:192.0.2.1"]),
    ("PTR", &["HOST"]),
    ("MX", &["10 HOST", "20 HOST", "0 ."]),
    (
        "TXT",
        &[
            "\"one string\"",
            "\"two\" \"strings\"",
            "unquoted words here",
            "\"quotes \\\" and \\\\ backslashes; no comment\"",
            "\"octets \\000\\127\\200\\255\"",
            "\"\"",
            "( \"over\"\n\t\"lines\" ; with a comment\n )",
        ],
    ),
    ("SPF", &["\"v=spf1 mx -all\""]),
    ("SRV", &["0 1 5060 HOST", "10 0 443 HOST", "0 0 0 ."]),
    ("CAA", &["0 issue \"ca.example; policy=ev\"", "128 iodef \"mailto:x@ca.example\"", "0 issuewild \";\""]),
    ("NAPTR", &["100 10 \"u\" \"E2U+sip\" \"!^.*$!sip:info@example.com!\" .", "100 20 \"s\" \"SIP+D2U\" \"\" HOST"]),
    ("TLSA", &["3 1 1 0123456789abcdef0123456789ABCDEF 0123456789abcdef0123456789abcdef"]),
    ("SMIMEA", &["3 0 1 fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"]),
    ("SSHFP", &["4 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"]),
    ("SVCB", &["0 HOST", "1 HOST alpn=\"h2,h3\" port=8443", "2 HOST ipv4hint=192.0.2.10"]),
    ("HTTPS", &["0 HOST", "1 . alpn=h2 no-default-alpn", "1 HOST ipv6hint=2001:db8::10"]),
    ("LOC", &["52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m", "1 0 0 S 2 0 0 W 0m"]),
    ("HINFO", &["\"ARM64\" \"Linux; 6\"", "PC-Intel UNIX"]),
    ("URI", &["10 1 \"https://www.example/?a=b\""]),
    ("DNSKEY", &["256 3 13 oJMRESz5E4gYzS/q6XDrvU1qMPYIjCWzJaOau8XNEZeq CYKD5ar0IRd8KqXXFJkqmVfRvMGPmM1x8fGAa2XhSA=="]),
    ("CERT", &["1 12345 8 MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A", "PGP 0 0 AQIDBA=="]),
    ("OPENPGPKEY", &["mQENBFQAAAABCADMIIBIjANBgkqhkiG9w0BA"]),
    ("TYPE65280", &["\\# 3 010203", "\\# 0", "\\# 4 ( 0a\n 0b0c\n 0d )"]),
];

/// Owners in various spellings.
const OWNERS: &[&str] =
    &["@", "www", "WWW.Sub.Deeper", "*.wild", "a\\.b", "_sip._tcp", "esc\\065ped", "sp\\032ace", "far.lab.test."];

/// Another zone for each seed: a SOA over several lines, each type at least once, aliases and a delegation.
pub(crate) fn zone(random: &mut Random) -> String {
    let serial = random.within(1..1 << 31);
    let mut text = format!(
        "; seed {}\n$TTL 1h30m\n@ IN SOA ns1 host\\.master ( {serial} ; serial\n\t1h 15M\n\t1w 60 )\n\t\tNS ns1\n\tIN NS ns2.other.test.\n\
         ns1 300 A 192.0.2.53\n\tAAAA 2001:db8::53\n$ORIGIN {ZONE}.\nalias IN CNAME www\nALIAS2 CNAME target.other.test.\n\
         branch DNAME elsewhere.test.\nsub NS ns.sub\n\tDS 12345 13 2 ( 0123456789abcdef0123456789abcdef\n\t0123456789abcdef0123456789abcdef )\n\
         ns.sub A 192.0.2.54\n",
        random.seed()
    );
    for (kind, values) in VALUES {
        let some: Vec<_> = OWNERS.iter().filter(|_| random.one_in(3)).collect();
        for owner in some.into_iter().chain(["all"].iter()) {
            let ttl = random.within(1..90_000);
            for value in *values {
                let host = *random.one_of(&["www", "www.lab.test.", "@", "mail.other.test.", "A\\.b"]);
                text += &format!("{owner} {ttl} IN {kind} {}\n", value.replace("HOST", host));
            }
        }
    }
    text
}

/// What BIND makes of a zone file: each record on a line of its own, sorted. Owners are told without case: one with an escape in
/// it does not keep its own.
#[track_caller]
pub(crate) fn canonical(file: &Path) -> String {
    let mut command = Command::new("named-checkzone");
    command.args(["-q", "-D", "-s", "full", "-o", "-", ZONE]).arg(file);
    let ended = program::run(command, "");
    assert_eq!(ended.code, Some(0), "named-checkzone {}: {}", file.display(), checked(file));
    let owner_first = |line: &str| match line.split_once(char::is_whitespace) {
        Some((owner, rest)) => format!("{} {}", owner.to_ascii_lowercase(), rest.trim_start()),
        None => line.to_owned(),
    };
    let mut lines: Vec<_> = ended.stdout.lines().map(owner_first).collect();
    lines.sort();
    lines.join("\n")
}

fn checked(file: &Path) -> String {
    let mut command = Command::new("named-checkzone");
    command.arg(ZONE).arg(file);
    program::run(command, "").said()
}

/// What ldns finds different between two zone files.
#[track_caller]
pub(crate) fn compared(one: &Path, other: &Path) -> String {
    let mut command = Command::new("ldns-compare-zones");
    command.args(["-a"]).arg(one).arg(other);
    let ended = program::run(command, "");
    assert_eq!(ended.code, Some(0), "ldns-compare-zones: {}", ended.said());
    ended.stdout
}
