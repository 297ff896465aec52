//! Claims about values of every type, with octets worked out from the RFCs, and hickory-proto as a second opinion.

use super::*;
use hickory_proto::{
    rr::{RData, RecordType as Theirs},
    serialize::binary::{BinDecoder, BinEncodable, BinEncoder, NameEncoding, Restrict},
};
use proptest::prelude::*;

/// Types whose text we read, besides RFC 3597 form.
const READ: [RecordType; 57] = [
    RecordType::A,
    RecordType::NS,
    RecordType::CNAME,
    RecordType::SOA,
    RecordType::PTR,
    RecordType::HINFO,
    RecordType::MX,
    RecordType::TXT,
    RecordType::RP,
    RecordType::AFSDB,
    RecordType::AAAA,
    RecordType::LOC,
    RecordType::SRV,
    RecordType::NAPTR,
    RecordType::KX,
    RecordType::CERT,
    RecordType::DNAME,
    RecordType::APL,
    RecordType::DS,
    RecordType::SSHFP,
    RecordType::RRSIG,
    RecordType::NSEC,
    RecordType::DNSKEY,
    RecordType::DHCID,
    RecordType::NSEC3,
    RecordType::NSEC3PARAM,
    RecordType::TLSA,
    RecordType::SMIMEA,
    RecordType::CDS,
    RecordType::CDNSKEY,
    RecordType::OPENPGPKEY,
    RecordType::CSYNC,
    RecordType::ZONEMD,
    RecordType::SVCB,
    RecordType::HTTPS,
    RecordType::SPF,
    RecordType::URI,
    RecordType::CAA,
    RecordType::EUI48,
    RecordType::EUI64,
    RecordType::MB,
    RecordType::MG,
    RecordType::MR,
    RecordType::MINFO,
    RecordType::X25,
    RecordType::GPOS,
    RecordType::RT,
    RecordType::PX,
    RecordType::KEY,
    RecordType::SIG,
    RecordType::L32,
    RecordType::LP,
    RecordType::AVC,
    RecordType::RESINFO,
    RecordType::WALLET,
    RecordType::DLV,
    RecordType::TA,
];

fn kind(text: &str) -> RecordType {
    text.parse().unwrap()
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn refusal(kind_text: &str, value: &str) -> String {
    match parse(kind(kind_text), value) {
        Ok(rdata) => panic!("{kind_text} `{value}` became {}", hex(&rdata)),
        Err(refusal) => refusal.to_string(),
    }
}

/// What hickory reads from our octets and writes again.
fn second_opinion(kind: RecordType, rdata: &[u8]) -> Result<Vec<u8>, String> {
    let mut decoder = BinDecoder::new(rdata);
    let length = Restrict::new(rdata.len() as u16);
    let data = RData::read(&mut decoder, Theirs::from(kind.0), length).map_err(|error| error.to_string())?;
    let mut octets = Vec::new();
    let mut encoder = BinEncoder::new(&mut octets);
    encoder.set_name_encoding(NameEncoding::Uncompressed);
    data.emit(&mut encoder).map_err(|error| error.to_string())?;
    Ok(octets)
}

#[test]
fn each_type_becomes_the_octets_of_its_rfc() {
    let host = "04686f7374076578616d706c6500"; // host.example.
    for (kind_text, value, octets) in [
        ("A", "192.0.2.10", "c000020a"),
        ("A", " 192.0.2.10\n", "c000020a"),
        ("A", "\\# 4 C000 020A", "c000020a"),
        ("AAAA", "2001:DB8::10", "20010db8000000000000000000000010"),
        ("AAAA", "::ffff:192.0.2.1", "00000000000000000000ffffc0000201"),
        ("CNAME", "host.example", host),
        ("CNAME", "HOST.Example.", "04484f5354074578616d706c6500"),
        ("CNAME", "host", "04686f737400"),
        ("CNAME", ".", "00"),
        ("CNAME", "@", "00"),
        ("CNAME", "a\\.b\\046\\032c.d", "06 612e622e2063 0164 00"),
        ("DNAME", "host.example.", host),
        ("NS", "host.example.", host),
        ("PTR", "host.example.", host),
        (
            "SOA",
            "a. b.c. 2024010101 3600 600 86400 60",
            "0161000162016300 78a3f175 00000e10 00000258 00015180 0000003c",
        ),
        ("SOA", "a. b. ( 1 ; serial\n 1h 10m\n1d1h 1W )", "016100016200 00000001 00000e10 00000258 00015f90 00093a80"),
        ("MX", "10 host.example", "000a 04686f7374076578616d706c6500"),
        ("MX", "0 .", "000000"),
        ("TXT", "\"v=spf1 -all\" \"b\"", "0b763d73706631202d616c6c0162"),
        ("TXT", "hello world", "0568656c6c6f05776f726c64"),
        ("TXT", "\"\"", "00"),
        ("TXT", "\"a;b (c)\"", "07613b6220286329"),
        ("TXT", "\"a\\\"b\\\\c\\059\\000\"", "07612262 5c633b00"),
        ("TXT", "\"gr\u{fc}n\"", "056772c3bc6e"),
        ("TXT", "gr\u{fc}n", "056772c3bc6e"),
        ("TXT", "\"a\nb\"", "03610a62"),
        ("TXT", "\"a\"\"b\"", "01610162"),
        ("TXT", "( \"a\" ; first\n \"b\" )", "01610162"),
        ("SPF", "\"v=spf1 -all\"", "0b763d73706631202d616c6c"),
        ("SRV", "10 5 5060 host.example", "000a 0005 13c4 04686f7374076578616d706c6500"),
        ("CAA", "0 issue \"ca.example\"", "00 05 6973737565 63612e6578616d706c65"),
        ("CAA", "128 issue \";\"", "80 05 6973737565 3b"),
        ("NAPTR", "100 10 \"u\" \"sip\" \"!^.*$!x!\" .", "0064 000a 0175 03736970 08215e2e2a24217821 00"),
        ("NAPTR", "100 10 \"\" \"\" \"\" host.example", "0064 000a 00 00 00 04686f7374076578616d706c6500"),
        ("TLSA", "3 1 1 0123 4567", "03010101234567"),
        ("SMIMEA", "3 1 1 01234567", "03010101234567"),
        ("SSHFP", "4 2 0aFF", "04020aff"),
        ("SVCB", "0 host.example", "0000 04686f7374076578616d706c6500"),
        // RFC 9460 appendix D.2, figures 2 to 10 in miniature
        ("SVCB", "16 a. port=53", "0010 016100 0003 0002 0035"),
        ("SVCB", "1 a. key667=hello", "0001 016100 029b 0005 68656c6c6f"),
        ("SVCB", "1 a. key667=\"hello\\210qoo\"", "0001 016100 029b 0009 68656c6c6fd2716f6f"),
        (
            "SVCB",
            "16 a. alpn=h2,h3-19 mandatory=ipv4hint,alpn ipv4hint=192.0.2.1",
            "0010 016100 0000 0004 0001 0004 0001 0009 02683205 68332d3139 0004 0004 c0000201",
        ),
        ("SVCB", "16 a. alpn=\"f\\\\\\\\oo\\\\,bar,h2\"", "0010 016100 0001 000c 08 665c6f6f2c626172 026832"),
        ("SVCB", "16 a. alpn=f\\\\\\092oo\\092,bar,h2", "0010 016100 0001 000c 08 665c6f6f2c626172 026832"),
        ("HTTPS", "1 . alpn=\"h2,h3\" no-default-alpn", "0001 00 0001 0006 0268320268 33 0002 0000"),
        (
            "HTTPS",
            "1 . ipv6hint=2001:db8::1 ech=AAA=",
            "0001 00 0005 0002 0000 0006 0010 20010db8000000000000000000000001",
        ),
        // RFC 1876 §4: the first example
        ("LOC", "42 21 54 N 71 06 18 W -24m 30m", "00 33 16 13 89172dd0 70be15f0 00988d20"),
        ("LOC", "0 N 0 E 0", "00 12 16 13 80000000 80000000 00989680"),
        ("LOC", "90 N 180 W -100000.00m 0.09m 0.1m 90000000m", "00 90 11 99 934fd900 59604e00 00000000"),
        ("LOC", "1 2 3.004 S 1 E 42849672.95m 0 10 10", "00 00 13 13 7fc73104 8036ee80 ffffffff"),
        ("HINFO", "\"ARM 64\" Linux", "0641524d203634 054c696e7578"),
        ("URI", "10 1 \"https://a/\"", "000a 0001 68747470733a2f2f612f"),
        ("DS", "60485 5 1 2BB1 83AF", "ec45 05 01 2bb183af"),
        ("DS", "60485 ECDSAP256SHA256 2 2BB183AF", "ec45 0d 02 2bb183af"),
        ("CDS", "0 0 0 00", "0000 00 00 00"),
        ("DNSKEY", "257 3 RSASHA256 Zm9v YmFy", "0101 03 08 666f6f626172"),
        ("CDNSKEY", "0 3 0 AA==", "0000 03 00 00"),
        ("CERT", "PGP 0 0 Zm9v", "0003 0000 00 666f6f"),
        ("CERT", "65534 1 RSASHA1 Zm9v", "fffe 0001 05 666f6f"),
        ("OPENPGPKEY", "Zm9v YmFy", "666f6f626172"),
        ("RP", "a. b.", "016100016200"),
        ("AFSDB", "1 a.", "0001016100"),
        ("KX", "1 a.", "0001016100"),
        ("EUI48", "00-00-5e-00-53-2A", "00005e00532a"),
        ("EUI64", "00-00-5e-ef-10-00-00-2a", "00005eef1000002a"),
        ("APL", "1:192.168.32.0/21 !1:192.168.38.0/28", "0001 15 03 c0a820 0001 1c 83 c0a826"),
        ("APL", "2:ff00::/8", "0002 08 01 ff"),
        ("APL", "", ""),
        (
            "NSEC",
            "a. A MX RRSIG NSEC TYPE1234", // RFC 4034 §4.3
            "016100 0006 400100000003 041b 000000000000000000000000000000000000000000000000000020",
        ),
        ("NSEC3", "1 0 12 aabbccdd CPNMUOJ1E8 A", "01 00 000c 04 aabbccdd 06 666f6f626172 0001 40"),
        ("NSEC3PARAM", "1 0 0 -", "01 00 0000 00"),
        (
            "RRSIG",
            "A 5 3 86400 20030322173103 20030220173103 2642 a. Zm9v", // times of RFC 4034 §3.3
            "0001 05 03 00015180 3e7c9dd7 3e5510d7 0a52 016100 666f6f",
        ),
        ("CSYNC", "66 3 A NS AAAA", "00000042 0003 0004 60000008"),
        ("ZONEMD", "1 1 1 00ff", "00000001 01 01 00ff"),
        ("DHCID", "Zm9v", "666f6f"),
        ("TYPE65280", "\\# 3 01 02 03", "010203"),
        ("TYPE65280", "\\# 0", ""),
        ("TYPE65280", "\\#\t2 ( 01\n 02 )", "0102"),
        ("NULL", "\\# 1 ff", "ff"),
        ("MX", "\\# 5 000a 0161 00", "000a016100"),
    ] {
        match parse(kind(kind_text), value) {
            Ok(rdata) => assert_eq!(hex(&rdata), octets.replace(' ', ""), "{kind_text} {value}"),
            Err(refusal) => panic!("{kind_text} `{value}`: {refusal}"),
        }
    }
}

#[test]
fn every_example_in_an_error_text_is_a_value_that_hickory_reads_the_same_way() {
    for kind in READ {
        let example = Form::of(kind).unwrap().example;
        let rdata = parse(kind, example).unwrap_or_else(|refusal| panic!("{kind} `{example}`: {refusal}"));
        assert_eq!(second_opinion(kind, &rdata).as_deref(), Ok(&rdata[..]), "{kind} {example}");
        let generic = format!("\\# {} {}", rdata.len(), hex(&rdata));
        assert_eq!(parse(kind, &generic), Ok(rdata.clone()), "{kind} {generic}");
        let presented = present(kind, &rdata);
        assert!(!presented.starts_with("\\#"), "{kind} {presented}");
        assert_eq!(parse(kind, &presented), Ok(rdata), "{kind} {presented}");
    }
}

#[test]
fn a_value_is_presented_in_the_spelling_that_everybody_reads() {
    for (kind_text, written, presented) in [
        ("A", "\\# 4 c000020a", "192.0.2.10"),
        ("AAAA", "2001:DB8:0::10", "2001:db8::10"),
        ("CNAME", "Host.Example", "Host.Example."),
        ("CNAME", "@", "."),
        ("CNAME", "a\\.b\\046\\032c.d\\@\\$", "a\\.b\\.\\032c.d\\@\\$."),
        ("SOA", "a b.c. ( 1 ; serial\n 1h 10m\n1d1h 1W )", "a. b.c. 1 3600 600 90000 604800"),
        ("MX", "10 host", "10 host."),
        ("TXT", "hello world", "\"hello\" \"world\""),
        ("TXT", "\"a\\\"b\\\\c\\059\\000 gr\u{fc}n\" \"\"", "\"a\\\"b\\\\c;\\000 gr\\195\\188n\" \"\""),
        ("CAA", "0 issue ca.example", "0 issue \"ca.example\""),
        ("NAPTR", "100 10 u sip \"!^.*$!x!\" .", "100 10 \"u\" \"sip\" \"!^.*$!x!\" ."),
        ("TLSA", "3 1 1 01 23 AB", "3 1 1 0123ab"),
        ("DS", "60485 ECDSAP256SHA256 2 2BB183AF", "60485 13 2 2bb183af"),
        ("DNSKEY", "257 3 RSASHA256 Zm9v YmE=", "257 3 8 Zm9vYmE="),
        ("CERT", "PGP 0 0 Zm9v", "3 0 0 Zm9v"),
        ("SVCB", "1 a port=53 alpn=h2,f\\\\\\,o key667=\\210", "1 a. alpn=\"h2,f\\\\,o\" port=53 key667=\"\\210\""),
        (
            "HTTPS",
            "1 . ipv6hint=2001:db8::1,::1 ech=AAA= mandatory=ech no-default-alpn alpn=h2",
            "1 . mandatory=ech alpn=\"h2\" no-default-alpn ech=AAA= ipv6hint=2001:db8::1,::1",
        ),
        ("HTTPS", "0 a.", "0 a."),
        ("LOC", "42 21 54 N 71 06 18 W -24m 30m", "42 21 54.000 N 71 6 18.000 W -24.00m 30.00m 10000.00m 10.00m"),
        ("APL", "!1:192.168.38.0/28 2:ff00::/8", "!1:192.168.38.0/28 2:ff00::/8"),
        ("APL", "", "\\# 0"),
        ("NSEC", "a TYPE1234 NSEC A", "a. A NSEC TYPE1234"),
        ("NSEC", "a", "a."),
        ("NSEC3", "1 0 12 aabbccdd cpnmuoj1e8 A", "1 0 12 aabbccdd CPNMUOJ1E8 A"),
        ("NSEC3PARAM", "1 0 0 -", "1 0 0 -"),
        (
            "RRSIG",
            "A 5 3 86400 1048354263 20030220173103 2642 a Zm9v",
            "A 5 3 86400 20030322173103 20030220173103 2642 a. Zm9v",
        ),
        ("EUI48", "00-00-5e-00-53-2A", "00-00-5e-00-53-2a"),
        ("TYPE65280", "\\# 3 01 02 03", "\\# 3 010203"),
        // Octets that keep the form and yet have no text in it.
        ("CAA", "\\# 4 00012d2d", "\\# 4 00012d2d"),
        ("SVCB", "\\# 8 0001000003000101", "\\# 8 0001000003000101"),
    ] {
        let rdata = parse(kind(kind_text), written).unwrap();
        assert_eq!(present(kind(kind_text), &rdata), presented, "{kind_text} {written}");
        assert_eq!(parse(kind(kind_text), presented), Ok(rdata), "{kind_text} {written}");
    }
}

#[test]
fn a_refusal_names_the_field_and_the_reason() {
    for (kind_text, value, sentence) in [
        ("MX", "mail.example", "MX wants a preference and a host name, such as `10 mail.example`; found 1 word"),
        ("MX", "", "MX wants a preference and a host name, such as `10 mail.example`; found nothing"),
        ("MX", "10 a b", "MX wants a preference and a host name, such as `10 mail.example`; found 3 words"),
        ("MX", "x mail.example", "MX: the preference `x` is not a number from 0 to 65535"),
        ("MX", "+1 mail.example", "MX: the preference `+1` is not a number from 0 to 65535"),
        ("MX", "10 a..b", "MX: the host name `a..b` is not a domain name: the name has an empty label"),
        ("A", "::1", "A: the address `::1` is not an IPv4 address"),
        ("A", "192.0.2.010", "A: the address `192.0.2.010` is not an IPv4 address: a part has a leading zero"),
        ("AAAA", "192.0.2.1", "AAAA: the address `192.0.2.1` is not an IPv6 address"),
        ("AAAA", "fe80::1%eth0", "AAAA: the address `fe80::1%eth0` is not an IPv6 address"),
        ("A", "192.0.2.1 192.0.2.2", "A wants an address, such as `192.0.2.10`; found 2 words"),
        ("TXT", "", "TXT wants text, such as `\"v=spf1 -all\"`; found nothing"),
        ("TXT", "\"open", "TXT: a quote is not closed"),
        (
            "TXT",
            "v=DKIM1; p=x",
            "TXT: `;` outside quotes does not belong to the text in a zone file; put the text in quotes",
        ),
        (
            "TXT",
            "v=DKIM1 ; p=x",
            "TXT: `;` outside quotes does not belong to the text in a zone file; put the text in quotes",
        ),
        (
            "TXT",
            "hello (world)",
            "TXT: `)` outside quotes does not belong to the text in a zone file; put the text in quotes",
        ),
        ("TXT", "\"a\\256\"", "TXT: there is a broken escape after a backslash"),
        ("TXT", "a\nb", "TXT: there is a line break outside quotes and parentheses"),
        ("TXT", "a\u{1}b", "TXT: there is a control character (octet 1) outside quotes"),
        ("TXT", "( \"a\"", "TXT: a parenthesis is not closed"),
        ("TXT", "\"a\" )", "TXT: there is a parenthesis too many"),
        ("SOA", "a. b. x 1 1 1 1", "SOA: the serial `x` is not a number from 0 to 4294967295"),
        (
            "SOA",
            "a. b. 1 1y 1 1 1",
            "SOA: the refresh time `1y` is not a time (seconds, or such as 1h30m) below 2^32 seconds",
        ),
        (
            "SOA",
            "a. b. 1 1 1",
            "SOA wants a primary server, a mailbox, a serial, a refresh time, a retry time, \
            an expiry time and a minimum TTL, such as `ns1.example. hostmaster.example. 1 3600 600 86400 60`; found 5 words",
        ),
        ("CAA", "0 is-sue x", "CAA: the tag `is-sue` is not made of letters and digits"),
        ("SSHFP", "1 1 abc", "SSHFP: the fingerprint in hexadecimal `abc` has an odd number of hexadecimal digits"),
        (
            "DNSKEY",
            "257 3 RSAMD6 AA==",
            "DNSKEY: the algorithm `RSAMD6` is neither a number that fits nor a known mnemonic",
        ),
        ("LOC", "91 N 0 E 0", "LOC: the location `91` does not do as degrees before `N` or `S`"),
        ("LOC", "90 0 1 N 0 E 0", "LOC: the location `N` follows more than 90 degrees"),
        ("LOC", "1 60 N 0 E 0", "LOC: the location `60` does not do as minutes before `N` or `S`"),
        (
            "LOC",
            "1 N 1 E 0 0 0 0 0",
            "LOC wants a location, such as \
            `52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m`; found 9 words",
        ),
        (
            "LOC",
            "0 N 0 E 42849672.96",
            "LOC: the location `42849672.96` is not an altitude from -100000.00m to 42849672.95m",
        ),
        ("HTTPS", "1 . port", "HTTPS: the parameters `port=` has no value"),
        ("HTTPS", "1 . port=1 port=2", "HTTPS: the parameters `port` is given twice"),
        ("HTTPS", "1 . mandatory=alpn", "HTTPS: the parameters `alpn` is mandatory but not given"),
        ("HTTPS", "1 . no-default-alpn", "HTTPS: the parameters `no-default-alpn` needs alpn beside it"),
        ("HTTPS", "1 . colour=blue", "HTTPS: the parameters `colour` is not a known parameter or keyNNNNN"),
        ("ANY", "x", "ANY is a type of questions and messages, not of records"),
        ("OPT", "\\# 0", "OPT is a type of questions and messages, not of records"),
        (
            "TYPE65280",
            "x",
            "values of TYPE65280 are read only as `\\#`, their length and hexadecimal digits, \
            such as `\\# 4 c0000201`",
        ),
        ("A", "\\# 5 c000020100", "A: these 5 octets are not laid out as A data"),
        ("AAAA", "\\# 4 c0000201", "AAAA: these 4 octets are not laid out as AAAA data"),
        ("CNAME", "\\# 2 c00c", "CNAME: these 2 octets are not laid out as CNAME data"),
        (
            "TYPE65280",
            "\\# 2 c0",
            "TYPE65280: after `\\#` come the length in octets and as many pairs of hexadecimal \
            digits, such as `\\# 4 c0000201`",
        ),
    ] {
        assert_eq!(refusal(kind_text, value), sentence, "{kind_text} `{value}`");
    }
}

#[test]
fn long_text_is_split_and_too_much_of_it_refused() {
    let rdata = parse(RecordType::TXT, &format!("\"{}\"", "x".repeat(600))).unwrap();
    assert_eq!(rdata.len(), 603);
    assert_eq!((rdata[0], rdata[256], rdata[512]), (255, 255, 90));
    let text = format!("\"{}\"", "x".repeat(65_279)); // with its 256 lengths, one more than fits
    assert_eq!(parse(RecordType::TXT, &text), Ok(parse(RecordType::TXT, &text).unwrap()));
    let text = format!("\"{}\"", "x".repeat(65_280));
    assert_eq!(refusal("TXT", &text), "TXT: the value takes 65536 octets; at most 65535 fit");
    assert!(refusal("HINFO", &format!("{} b", "x".repeat(256))).ends_with("is longer than 255 octets"));
    assert!(refusal("A", &"x".repeat(1 << 20)).len() < 200, "what strangers write is shown short");
    assert!(!refusal("A", "1\u{1b}[31m").contains('\u{1b}'), "and without control characters");
}

#[test]
fn normalised_values_are_those_of_existing_nodes() {
    for (kind_text, value, normal) in [
        ("CNAME", " Host.Example.. ", "host.example"),
        ("NS", "host.example", "host.example"),
        ("PTR", "\u{c4}.example.", "\u{e4}.example"),
        ("A", "192.0.2.1", "192.0.2.1"),
        ("AAAA", "2001:DB8::1", "2001:db8::1"),
        ("AAAA", "0:0::1", "0:0::1"),
        ("MX", " 10 Mail.Example. ", "10 Mail.Example."),
        ("TXT", " \"A\"  ", "\"A\""),
    ] {
        assert_eq!(normalise(kind(kind_text), value), normal, "{kind_text} {value}");
    }
    assert!(matches!(normalise(RecordType::A, "192.0.2.1"), Cow::Borrowed(_)));
}

/// Text that is likelier than chance to get far into a parser.
fn hostile_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "\"",
            "\\",
            "(",
            ")",
            ";",
            "\n",
            " ",
            ".",
            "=",
            ",",
            "-",
            "!",
            "/",
            ":",
            "@",
            "$",
            "0",
            "1",
            "255",
            "256",
            "65535",
            "4294967296",
            "\\#",
            "\\300",
            "\\0",
            "a.",
            "\u{e9}",
            "\u{1F600}",
            "\0",
            "key",
            "key0=",
            "alpn=",
            "mandatory=",
            "port=",
            "N",
            "E",
            "S",
            "W",
            "m",
            "1:",
            "2:",
            "AA==",
            "Zg",
            "00",
            "A",
            "TYPE1",
            "TYPE",
        ])
        .prop_map(str::to_owned),
        ".{0,6}",
        "[0-9]{1,20}",
    ];
    prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.join(""))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_text_there_is_an_answer_and_octets_have_their_form(
        number in prop_oneof![0..70_u16, 97..112_u16, 249..260_u16, any::<u16>()],
        text in prop_oneof![hostile_text(), ".{0,80}"],
    ) {
        let kind = RecordType(number);
        if let Ok(rdata) = parse(kind, &text) {
            prop_assert!(!kind.is_meta());
            prop_assert!(rdata.len() <= 65_535);
            let generic = format!("\\# {} {}", rdata.len(), hex(&rdata));
            prop_assert_eq!(parse(kind, &generic), Ok(rdata.clone()));
            prop_assert_eq!(parse(kind, &present(kind, &rdata)), Ok(rdata));
        }
        let _ = normalise(kind, &text);
    }

    #[test]
    fn words_after_a_good_beginning_never_panic(at in 0..READ.len(), text in hostile_text(), cut in 0..60_usize) {
        let example = Form::of(READ[at]).unwrap().example;
        let kept: String = example.chars().take(cut).collect();
        if let Ok(rdata) = parse(READ[at], &format!("{kept}{text}")) {
            let generic = format!("\\# {} {}", rdata.len(), hex(&rdata));
            prop_assert_eq!(parse(READ[at], &generic), Ok(rdata.clone()));
            prop_assert_eq!(parse(READ[at], &present(READ[at], &rdata)), Ok(rdata));
        }
    }

    #[test]
    fn octets_that_are_written_as_text_come_back(octets in prop::collection::vec(any::<u8>(), 0..600)) {
        let escaped: String = octets.iter().map(|octet| format!("\\{octet:03}")).collect();
        let rdata = parse(RecordType::TXT, &format!("\"{escaped}\"")).unwrap();
        let mut strings = Vec::new();
        let mut rest = &rdata[..];
        while let Some((&length, after)) = rest.split_first() {
            strings.extend_from_slice(&after[..usize::from(length)]);
            rest = &after[usize::from(length)..];
        }
        prop_assert_eq!(strings, octets);
    }

    #[test]
    fn arbitrary_octets_in_generic_form_never_panic(number in any::<u16>(), octets in prop::collection::vec(any::<u8>(), 0..80)) {
        let text = format!("\\# {} {}", octets.len(), hex(&octets));
        if let Ok(rdata) = parse(RecordType(number), &text) {
            prop_assert_eq!(&rdata[..], &octets[..]);
            prop_assert_eq!(parse(RecordType(number), &present(RecordType(number), &octets)), Ok(rdata));
        }
        let _ = present(RecordType(number), &octets);
    }

    #[test]
    fn octets_that_keep_the_form_of_their_type_are_presented_and_read_again(
        at in 0..READ.len(),
        changed in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        added in prop::collection::vec(any::<u8>(), 0..8),
    ) {
        let mut octets = parse(READ[at], Form::of(READ[at]).unwrap().example).unwrap().to_vec();
        for (at, octet) in changed {
            let length = octets.len();
            octets[at.index(length)] = octet;
        }
        octets.extend(added);
        let generic = format!("\\# {} {}", octets.len(), hex(&octets));
        if let Ok(rdata) = parse(READ[at], &generic) {
            prop_assert_eq!(parse(READ[at], &present(READ[at], &rdata)), Ok(rdata));
        }
    }
}
