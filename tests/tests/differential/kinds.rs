//! Record types by number and mnemonic, and values of them as people write them.

use dnsplane_tests::Random;

/// Types that zones hold, with values that all servers read. `HOST` stands for the name of a host.
const VALUES: &[(&str, &[&str])] = &[
    ("A", &["192.0.2.1", "192.0.2.2", "192.0.2.3", "198.51.100.4"]),
    ("AAAA", &["2001:db8::1", "2001:db8::2", "2001:db8:0:1::3"]),
    ("TXT", &["\"one\"", "\"two\" \"strings\"", "\"with \\\"quotes\\\" and ; semicolon\"", "\"\""]),
    ("MX", &["10 HOST", "20 HOST", "30 HOST"]),
    ("SRV", &["0 1 5060 HOST", "0 2 5061 HOST", "10 0 443 HOST"]),
    ("NS", &["HOST"]),
    ("PTR", &["HOST"]),
    ("CAA", &["0 issue \"ca.example\"", "128 iodef \"mailto:x@ca.example\""]),
    ("NAPTR", &["100 10 \"u\" \"E2U+sip\" \"!^.*$!sip:info@example.com!\" .", "100 20 \"s\" \"SIP+D2U\" \"\" HOST"]),
    ("TLSA", &["3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"]),
    ("SMIMEA", &["3 0 1 fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"]),
    ("SSHFP", &["4 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"]),
    ("SVCB", &["0 HOST", "1 HOST alpn=\"h2,h3\" port=8443", "2 HOST ipv4hint=192.0.2.10"]),
    ("HTTPS", &["0 HOST", "1 HOST alpn=\"h2\"", "1 . ipv6hint=2001:db8::10"]),
    ("LOC", &["52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000.00m 10.00m"]),
    ("HINFO", &["\"ARM64\" \"Linux\""]),
    ("URI", &["10 1 \"https://www.example/\""]),
    ("DNSKEY", &["256 3 13 oJMRESz5E4gYzS/q6XDrvU1qMPYIjCWzJaOau8XNEZeqCYKD5ar0IRd8KqXXFJkqmVfRvMGPmM1x8fGAa2XhSA=="]),
    ("CERT", &["1 12345 8 MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A"]),
    ("OPENPGPKEY", &["mQENBFQAAAABCADMIIBIjANBgkqhkiG9w0BA"]),
    ("SPF", &["\"v=spf1 -all\""]),
    ("RP", &["HOST HOST"]),
    ("AFSDB", &["1 HOST"]),
    ("KX", &["10 HOST"]),
    ("EUI48", &["00-00-5e-00-53-2a"]),
    ("TYPE65280", &["\\# 3 010203", "\\# 0"]),
];

/// Mnemonics and numbers (IANA's registry). What is not here is written as RFC 3597 §5 says.
const NUMBERS: &[(&str, u16)] = &[
    ("A", 1),
    ("NS", 2),
    ("CNAME", 5),
    ("SOA", 6),
    ("PTR", 12),
    ("HINFO", 13),
    ("MX", 15),
    ("TXT", 16),
    ("RP", 17),
    ("AFSDB", 18),
    ("AAAA", 28),
    ("LOC", 29),
    ("SRV", 33),
    ("NAPTR", 35),
    ("KX", 36),
    ("CERT", 37),
    ("DNAME", 39),
    ("OPT", 41),
    ("DS", 43),
    ("SSHFP", 44),
    ("RRSIG", 46),
    ("NSEC", 47),
    ("DNSKEY", 48),
    ("NSEC3", 50),
    ("TLSA", 52),
    ("SMIMEA", 53),
    ("OPENPGPKEY", 61),
    ("SVCB", 64),
    ("HTTPS", 65),
    ("SPF", 99),
    ("EUI48", 108),
    ("TKEY", 249),
    ("TSIG", 250),
    ("IXFR", 251),
    ("AXFR", 252),
    ("MAILB", 253),
    ("MAILA", 254),
    ("ANY", 255),
    ("URI", 256),
    ("CAA", 257),
];

/// Types that are asked for whether they are there or not.
const COMMON: &[u16] = &[1, 1, 1, 28, 28, 5, 2, 6, 15, 16, 33, 39, 64, 65, 255, 255, 65280];
/// Types that say something about the message, or of which no zone here has any.
const STRANGE: &[u16] =
    &[0, 3, 10, 41, 46, 47, 48, 50, 51, 128, 200, 249, 250, 251, 252, 253, 254, 32768, 65281, 65535];
pub(crate) const DS: u16 = 43;
pub(crate) const ANY: u16 = 255;

/// A type's mnemonic.
pub(crate) fn mnemonic(number: u16) -> String {
    let known = NUMBERS.iter().find(|(_, known)| *known == number);
    known.map_or_else(|| format!("TYPE{number}"), |(text, _)| (*text).to_owned())
}

/// A type by its mnemonic.
#[track_caller]
pub(crate) fn number(mnemonic: &str) -> u16 {
    let known = NUMBERS.iter().find(|(text, _)| *text == mnemonic).map(|(_, number)| *number);
    known.or_else(|| mnemonic.strip_prefix("TYPE")?.parse().ok()).unwrap_or_else(|| panic!("what is {mnemonic}?"))
}

/// Types that are not treated as any other.
pub(crate) fn is_special(number: u16) -> bool {
    [0, 5, 6, 39, 41, DS].contains(&number) || (128..256).contains(&number)
}

/// A type to ask for, at a name that has these.
pub(crate) fn to_ask(random: &mut Random, there: &[u16]) -> u16 {
    match random.within(0..20) {
        0..10 if !there.is_empty() => *random.one_of(there),
        10 | 11 => DS,
        12 => *random.one_of(STRANGE),
        13 | 14 => number(random.one_of(VALUES).0),
        _ => *random.one_of(COMMON),
    }
}

/// A type for data of a name.
pub(crate) fn any(random: &mut Random) -> &'static str {
    loop {
        // Addresses are what most names have. NS records cut the zone, which is decided elsewhere.
        match if random.one_in(3) { "A" } else { random.one_of(VALUES).0 } {
            "NS" => {}
            kind => return kind,
        }
    }
}

/// Some values of a type, different ones; `host` names hosts.
pub(crate) fn values(random: &mut Random, kind: &str, mut host: impl FnMut(&mut Random) -> String) -> Vec<String> {
    let (_, choices) = VALUES.iter().find(|(known, _)| *known == kind).expect("a type of the table");
    let first = random.within(0..choices.len() as u64) as usize;
    let count = random.within(1..choices.len() as u64 + 1) as usize;
    let chosen = (0..count).map(|step| choices[(first + step) % choices.len()]);
    let mut spell = |value: &str| {
        let words = value.split(' ').map(|word| if word == "HOST" { host(random) } else { word.to_owned() });
        words.collect::<Vec<_>>().join(" ")
    };
    chosen.map(&mut spell).collect()
}
