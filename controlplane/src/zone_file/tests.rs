//! Claims about whole files.

use super::*;
use proptest::prelude::*;
use std::{collections::HashMap, time::Instant};

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

#[test]
fn rfc1035_s5_3_a_zone_as_people_write_it() {
    let text = "\u{feff}$TTL 1h30m ; an hour and a half\r\n\
        @ IN SOA ns1 host\\.master (\n    2024010101 ; serial\n    1h 10m\n 1w\t60 )\n\
        \tIN NS ns1\n\
        \t\tNS ns2.other.test.\n\
        \n   ; only a comment\n\
        ns1 A 192.0.2.1\n\
        \t300 IN AAAA 2001:DB8::1\n\
        mail IN 5m MX 10 @\n\
        \u{20}CLASS1 MX 20 mx.other.\n\
        txt TXT \"a;b (c)\" d\\;e ; comment\n\
        \tTXT ( \"one\" ; first\n  \"two\" )\n\
        *.w CNAME Www\n\
        $ORIGIN sub.Example.test.\n\
        www A 192.0.2.2\n\
        $ORIGIN deep\n\
        @ A 192.0.2.3\n\
        esc\\097ped.x. TYPE65280 \\# 2 AB cd\n\
        x HTTPS 1 . alpn=h2 port=\"8443\"";
    assert_eq!(
        good(text, &start("example.test")),
        [
            "example.test 5400 SOA ns1.example.test. host\\.master.example.test. 2024010101 3600 600 604800 60",
            "example.test 5400 NS ns1.example.test.",
            "example.test 5400 NS ns2.other.test.",
            "ns1.example.test 5400 A 192.0.2.1",
            "ns1.example.test 300 AAAA 2001:db8::1",
            "mail.example.test 300 MX 10 example.test.",
            "mail.example.test 5400 MX 20 mx.other.",
            "txt.example.test 5400 TXT \"a;b (c)\" \"d;e\"",
            "txt.example.test 5400 TXT \"one\" \"two\"",
            "*.w.example.test 5400 CNAME Www.example.test.",
            "www.sub.Example.test 5400 A 192.0.2.2",
            "deep.sub.Example.test 5400 A 192.0.2.3",
            "escaped.x 5400 TYPE65280 \\# 2 abcd",
            "x.deep.sub.Example.test 5400 HTTPS 1 . alpn=\"h2\" port=8443",
        ]
    );
}

#[test]
fn records_are_what_the_store_makes_of_the_same_text() {
    let text = "@ SOA a b 1 2 3 4 5\n@ A 192.0.2.1\nA\\.b CNAME C\n@ 0 AAAA ::1\ngr\u{fc}n TXT \"gr\u{fc}n\"\nx MX 1 y";
    for record in read(text, &start("Test")).records {
        let again = Record::new(record.name(), &record.type_text(), record.value(), record.ttl);
        assert_eq!(record, again);
        assert!(again.is_servable(), "{record:?}");
    }
}

#[test]
fn rfc2308_s4_ttls_come_from_the_record_from_ttl_from_the_last_record_or_from_the_soa() {
    let ttls = |text: &str| read(text, &start("test")).records.iter().map(|record| record.ttl).collect::<Vec<_>>();
    let soa = "@ SOA a b 1 2 3 4 77\n";
    assert_eq!(ttls("@ A 192.0.2.1"), [3600]);
    assert_eq!(ttls(&format!("{soa}@ A 192.0.2.1\n@ 5 A 192.0.2.2\n@ A 192.0.2.3")), [77, 77, 5, 77]);
    assert_eq!(ttls("@ 9 SOA a b 1 2 3 4 77\n@ A 192.0.2.1\n@ 5 A 192.0.2.2\n@ A 192.0.2.3"), [9, 9, 5, 5]);
    assert_eq!(ttls(&format!("$TTL 8\n{soa}@ 5 A 192.0.2.2\n@ A 192.0.2.3\n$TTL 1m\n@ A 192.0.2.4")), [8, 5, 8, 60]);
}

#[test]
fn a_bad_line_is_told_and_the_lines_behind_it_are_read() {
    let parsed = read(
        "a A 192.0.2.256\n\
         \tA 192.0.2.1\n\
         b CH A 192.0.2.1\n\
         c BOGUS x\n\
         d 2147483648 A 192.0.2.1\n\
         d 1x A 192.0.2.1\n\
         e\n\
         f IN\n\
         g A\n\
         h A 192.0.2.1 extra\n\
         i TXT \"open\n\
         j..k A 192.0.2.1\n\
         \tA 192.0.2.2\n\
         $NOPE\n\
         $TTL\n\
         $ORIGIN a b\n\
         $INCLUDE x\n\
         l TXT a\u{1}b\n\
         m ANY x\n\
         n A ) 192.0.2.1\n\
         good A 192.0.2.9\n\
         o TXT ( \"multi\n\
         o ( A 192.0.2.1",
        &start("test"),
    );
    assert_eq!(shown(&parsed), ["a.test 3600 A 192.0.2.1", "good.test 3600 A 192.0.2.9"]);
    let said = faults(&parsed);
    for (expected, said) in [
        "1: A: the address `192.0.2.256` is not an IPv4 address",
        "3: the class is `CH`; records of class IN are all that is read",
        "4: `BOGUS` is no record type that we know; others are TYPE and a number",
        "5: the TTL `2147483648` is larger than 2147483647, the largest there is",
        "6: the TTL `1x` is neither seconds nor a time such as 1h30m",
        "7: there is nothing behind the name; a record has at least a type and a value",
        "8: there is no record type",
        "9: A wants an address, such as `192.0.2.10`; found nothing",
        "10: A wants an address, such as `192.0.2.10`; found 2 words",
        "11: TXT: a quote is not closed",
        "12: the name `j..k` is not a domain name: the name has an empty label",
        "13: the line begins with a space, so it goes on with the name before it, but there is none",
        "14: `$NOPE` is no directive; there are $ORIGIN, $TTL, $INCLUDE and $GENERATE (a name with a $ is written \\$)",
        "15: $TTL wants one time, such as 3600 or 1h",
        "16: $ORIGIN wants one name",
        "17: `x` cannot be included here: put its lines in the place of the directive",
        "18: TXT: there is a control character (octet 1) outside quotes",
        "19: ANY is a type of questions and messages, not of records",
        "20: A: there is a parenthesis too many",
        "22: TXT: a quote is not closed",
        "23: a parenthesis is opened here and not closed; what follows is not read",
    ]
    .iter()
    .zip(&said)
    {
        assert_eq!(said, expected);
    }
    assert_eq!(parsed.faults.count(), 21, "{said:#?}");
    let no_origin = read("www A 192.0.2.1\n@ A 192.0.2.1\na. MX 1 b\nc. A 192.0.2.1", &Start::default());
    assert_eq!(no_origin.faults.count(), 3);
    assert_eq!(shown(&no_origin), ["c 3600 A 192.0.2.1"]);
}

#[test]
fn records_outside_of_the_zone_are_left_out_wherever_its_soa_stands() {
    let parsed = read(
        "early A 192.0.2.1\nearly.other. A 192.0.2.1\n@ SOA a b 1 2 3 4 5\nlate A 192.0.2.2\n\
         late.other. A 192.0.2.2\n\tA 192.0.2.3\nsub SOA a b 1 2 3 4 5\n",
        &zone("example.test"),
    );
    let names: Vec<_> = parsed.records.iter().map(Record::name).collect();
    assert_eq!(names, ["early.example.test", "example.test", "late.example.test"]);
    assert_eq!(parsed.places.iter().map(|place| place.line).collect::<Vec<_>>(), [1, 3, 4]);
    let left_out: Vec<_> = parsed.left_out.first().iter().map(ToString::to_string).collect();
    assert_eq!(
        left_out,
        [
            "zone, line 5: `late.other` is left out: it lies outside of the zone `example.test.`",
            "zone, line 6: `late.other` is left out: it lies outside of the zone `example.test.`",
            "zone, line 2: `early.other` is left out: it lies outside of the zone `example.test.`",
        ]
    );
    assert_eq!(faults(&parsed), ["7: a zone has one SOA, and that of `example.test.` has come before"]);
    let many = read("a. SOA a b 1 2 3 4 5\nb. SOA a b 1 2 3 4 5\nc. A 192.0.2.1\n", &start("test"));
    assert_eq!((many.records.len(), many.faults.count(), many.left_out.count()), (3, 0, 0));
    assert_eq!(many.zones, ["a.".parse().unwrap(), "b.".parse().unwrap()]);
}

#[test]
fn rfc1035_s5_1_included_files_have_their_own_origin_and_leave_ours_alone() {
    let mut files = shelf([
        ("one", "www A 192.0.2.1\n$TTL 99\n$ORIGIN x.\n$INCLUDE two y\n\tA 192.0.2.2\n"),
        ("two", "\tA 192.0.2.3\n@ A 192.0.2.4\nbad A x"),
    ]);
    let text = "$TTL 1\nbefore A 192.0.2.0\n$INCLUDE \"one\" sub\n\tA 192.0.2.5\nafter A 192.0.2.6";
    let parsed = parse(Path::new("zone"), text.as_bytes(), &zone("test"), &mut files);
    assert_eq!(
        shown(&parsed),
        [
            "before.test 1 A 192.0.2.0",
            "www.sub.test 1 A 192.0.2.1",
            "y.x 99 A 192.0.2.4",
            "www.sub.test 99 A 192.0.2.2",
            "before.test 99 A 192.0.2.5",
            "after.test 99 A 192.0.2.6",
        ]
    );
    let said: Vec<_> = parsed.faults.first().iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "two, line 1: the line begins with a space, so it goes on with the name before it, but there is none",
            "two, line 3: A: the address `x` is not an IPv4 address",
        ]
    );
    assert_eq!(parsed.files, ["zone", "one", "two"].map(PathBuf::from));
    let places: Vec<_> = parsed.places.iter().map(|place| (place.file, place.line)).collect();
    assert_eq!(places, [(0, 2), (1, 1), (2, 2), (1, 5), (0, 4), (0, 5)]);
}

#[test]
fn generate_makes_what_bind_makes_of_it() {
    // As `named-compilezone` of BIND 9.18 answers, but for the last line, which it has no way to write.
    let text = "$TTL 300\n\
        $GENERATE 1-2 a$ TXT \"hello $\"\n\
        $GENERATE 1-2 b$ TXT \"\\\"hello $\\\"\"\n\
        $GENERATE 1-2 c$ MX \"10 mail$\"\n\
        $GENERATE 1-1 d$$x TXT a\\$b$$c\n\
        $GENERATE 1-4/2 e${10,4,x} 60 IN A 192.0.2.${-1}\n\
        $GENERATE 16-17 ${0,7,n}.z PTR p$\n\
        $GENERATE 1-1 f${9,1,X}.${8,3,o}.${0} CNAME @\n\
        \tA 192.0.2.1\n\
        $GENERATE 1-1 g$ SRV 0 ( 5 80$ ; comment $\n h )";
    assert_eq!(
        good(text, &start("test")),
        [
            "a1.test 300 TXT \"hello\" \"1\"",
            "a2.test 300 TXT \"hello\" \"2\"",
            "b1.test 300 TXT \"hello 1\"",
            "b2.test 300 TXT \"hello 2\"",
            "c1.test 300 MX 10 mail1.test.",
            "c2.test 300 MX 10 mail2.test.",
            "d$x.test 300 TXT \"a$b$c\"",
            "e000b.test 60 A 192.0.2.0",
            "e000d.test 60 A 192.0.2.2",
            "0.1.0.0.z.test 300 PTR p16.test.",
            "1.1.0.0.z.test 300 PTR p17.test.",
            "fA.011.1.test 300 CNAME test.",
            "fA.011.1.test 300 A 192.0.2.1",
            "g1.test 300 SRV 0 5 801 h.test.",
        ]
    );
    for bad in [
        "$GENERATE",
        "$GENERATE 1-2 a$",
        "$GENERATE 2-1 a$ A 192.0.2.$",
        "$GENERATE 1-2/0 a$ A 192.0.2.$",
        "$GENERATE 1 a$ A 192.0.2.$",
        "$GENERATE 0-65536 a$ A 192.0.2.1",
        "$GENERATE 0-4294967296 a$ A 192.0.2.1",
        "$GENERATE 1-2 a${ A 192.0.2.$",
        "$GENERATE 1-2 a${0,256} A 192.0.2.$",
        "$GENERATE 1-2 a${0,1,z} A 192.0.2.$",
        "$GENERATE 1-2 a${-2} A 192.0.2.$",
        "$GENERATE 255-256 a$ A 192.0.2.$",
        "$GENERATE 1-2 a..$ A 192.0.2.$",
    ] {
        let parsed = read(bad, &start("test"));
        assert_eq!(parsed.faults.count(), 1, "{bad}: {:?}", shown(&parsed));
        assert_eq!(parsed.faults.first()[0].line, 1);
    }
}

#[test]
fn what_grows_beyond_its_limits_is_refused_with_its_line_and_soon() {
    let begun = Instant::now();
    let told = |parsed: &Parsed, line: u64, words: &str| {
        let said = faults(parsed);
        let found = said.iter().any(|fault| fault.starts_with(&format!("{line}: ")) && fault.contains(words));
        assert!(found, "{words}: {:?}", said.iter().take(3).collect::<Vec<_>>());
    };
    // Lines without end, with and without parentheses, and what follows them.
    let long = format!("a A 192.0.2.1\nb TXT {}\nc A 192.0.2.2\n", "x".repeat(2 << 20));
    let parsed = read(&long, &start("test"));
    told(&parsed, 2, "longer than 1048576 octets");
    assert_eq!(parsed.records.len(), 2);
    let parsed = read(&format!("a ( A\n{}", "\n".repeat(2 << 20)), &start("test"));
    told(&parsed, 1, "a parenthesis is opened here and not closed");
    told(&read(&"(\n".repeat(1 << 20), &start("test")), 1, "a parenthesis");
    // Files that include themselves, at once and by way of others.
    let mut files = shelf([("a", "$INCLUDE b\n"), ("b", "\n$INCLUDE a\n"), ("zone", "")]);
    let mut include = |text: &str, start: &Start| parse(Path::new("zone"), text.as_bytes(), start, &mut files);
    told(&include("$INCLUDE zone", &start("test")), 1, "includes itself");
    told(&include("$INCLUDE a", &start("test")), 2, "`a` includes itself");
    // Too deep, too many and too much.
    let names: Vec<&'static str> = (0..20).map(|at| &*format!("f{at}").leak()).collect();
    let mut deep = Shelf::default();
    for pair in names.windows(2) {
        deep.0.insert(pair[0], format!("$INCLUDE {0}\n$INCLUDE {0}\n", pair[1]).into_bytes());
    }
    deep.0.insert(names[19], b"a A 192.0.2.1\n".to_vec());
    let parsed = parse(Path::new("zone"), b"$INCLUDE f0\n", &start("test"), &mut deep);
    told(&parsed, 1, "17 files deep");
    deep.0.insert(names[10], Vec::new());
    told(&parse(Path::new("zone"), b"$INCLUDE f0\n", &start("test"), &mut deep), 1, "more than 1000 $INCLUDE");
    let mut files = shelf([("big", "")]);
    files.0.insert("big", vec![b'\n'; 1 << 20]);
    let text = "$INCLUDE big\n".repeat(1000);
    let limits = Limits { octets: 10 << 20, ..Limits::default() };
    let parsed = parse(Path::new("zone"), text.as_bytes(), &Start { limits, ..start("test") }, &mut files);
    told(&parsed, 1, "more than 10485760 octets");
    assert_eq!(parsed.faults.count(), 1);
    // Many records of few octets.
    let limits = Limits { records: 1000, ..Limits::default() };
    let many = "$GENERATE 1-600 a$ A 192.0.2.1\n".repeat(5);
    let parsed = read(&many, &Start { limits, ..start("test") });
    told(&parsed, 2, "more than 1000 records");
    assert_eq!((parsed.records.len(), parsed.faults.count()), (1000, 1));
    let limits = Limits { generated: 1000, ..Limits::default() };
    let parsed = read(&many, &Start { limits: limits.clone(), ..start("test") });
    told(&parsed, 2, "more than 1000 records");
    let wide = format!("$GENERATE 1-900 a$ TXT {}\n", "\"$\" ".repeat(10_000));
    told(&read(&wide, &Start { limits, ..start("test") }), 1, "128000 octets");
    // Faults without end.
    let parsed = read(&"x\n".repeat(300_000), &start("test"));
    assert_eq!((parsed.faults.count(), parsed.faults.first().len()), (300_000, 100));
    assert!(begun.elapsed().as_secs() < 60, "{:?} in a build without optimisation", begun.elapsed());
}

fn written(parsed: &[Record], zone: &str) -> (String, Written) {
    let mut text = Vec::new();
    let written = write_zone(parsed, &zone.parse().unwrap(), &mut text).unwrap();
    (String::from_utf8(text).unwrap(), written)
}

#[test]
fn a_zone_is_written_in_canonical_order_relative_to_its_name() {
    let mut parsed = read(
        "www.z A 192.0.2.1\n@ 60 NS ns1\n@ SOA ns1 host 1 2 3 4 5\nB A 192.0.2.9\n\tA 192.0.2.10\n\
         *.w TXT \"a\\\"b\"\na\\.b\\@ A 192.0.2.1\nother. A 192.0.2.1\n\\$x A 192.0.2.1",
        &start("Example.test"),
    )
    .records;
    parsed.push(Record::new("192.0.2.1", "PTR", "www.example.test", 60));
    parsed.push(Record::new("bad.example.test", "A", "x", 60));
    let (text, counts) = written(&parsed, "example.test");
    assert_eq!(
        text,
        "$ORIGIN example.test.\n\
         @\t60\tIN\tSOA\tns1.example.test. host.example.test. 1 2 3 4 5\n\
         @\t60\tIN\tNS\tns1.example.test.\n\
         \\$x\t60\tIN\tA\t192.0.2.1\n\
         a\\.b\\@\t60\tIN\tA\t192.0.2.1\n\
         B\t60\tIN\tA\t192.0.2.10\n\
         B\t60\tIN\tA\t192.0.2.9\n\
         *.w\t60\tIN\tTXT\t\"a\\\"b\"\n\
         www.z\t3600\tIN\tA\t192.0.2.1\n"
    );
    assert_eq!((counts.records, counts.left_out), (8, 1));
    assert_eq!(counts.reasons, ["`bad.example.test A x`: value: A: the address `x` is not an IPv4 address"]);
    let (text, counts) = written(&parsed, "2.0.192.in-addr.arpa");
    assert_eq!(text, "$ORIGIN 2.0.192.in-addr.arpa.\n1\t60\tIN\tPTR\twww.example.test.\n");
    assert_eq!(counts.records, 1);
    let (text, _) = written(&parsed, ".");
    assert!(text.contains("\nB.example.test.\t60\tIN\tA\t192.0.2.9\n"), "{text}");
    let mut all = Vec::new();
    assert_eq!(write_all(&parsed, &mut all).unwrap().records, 10);
    let all = String::from_utf8(all).unwrap();
    let again = good(&all, &Start::default());
    assert_eq!(again.len(), 10, "{all}");
    assert!(all.contains("1.2.0.192.in-addr.arpa.\t60\tIN\tPTR\twww.example.test.\n"), "{all}");
}

#[test]
fn zones_below_a_zone_are_another_file_apart_from_their_delegation() {
    let records = read(
        "@ SOA a b 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n\
         sub SOA a b 1 2 3 4 5\nsub NS ns.sub\nsub NS ns.deep.sub\nsub DS 1 8 2 aabb\nsub A 192.0.2.2\n\
         ns.sub A 192.0.2.3\nns.sub TXT no\nns.deep.sub AAAA ::1\nwww.sub A 192.0.2.4\n\
         deep.sub SOA a b 1 2 3 4 5\ndeep.sub NS ns.deep.sub\nsubmarine A 192.0.2.5\n\
         cut NS ns.cut\nns.cut A 192.0.2.6\n",
        &start("test"),
    )
    .records;
    let names = |zone: &str| {
        let (text, _) = written(&records, zone);
        let short = |line: &str| {
            line.split('\t')
                .enumerate()
                .filter(|(at, _)| [0, 3, 4].contains(at))
                .map(|(_, part)| part.to_owned())
                .collect::<Vec<_>>()
                .join(" ")
        };
        text.lines().skip(1).map(short).collect::<Vec<_>>()
    };
    assert_eq!(
        names("test"),
        [
            "@ SOA a.test. b.test. 1 2 3 4 5",
            "@ NS ns.test.",
            "cut NS ns.cut.test.",
            "ns.cut A 192.0.2.6",
            "ns A 192.0.2.1",
            "sub NS ns.deep.sub.test.",
            "sub NS ns.sub.test.",
            "sub DS 1 8 2 aabb",
            "ns.deep.sub AAAA ::1",
            "ns.sub A 192.0.2.3",
            "submarine A 192.0.2.5",
        ]
    );
    assert_eq!(
        names("sub.test"),
        [
            "@ SOA a.test. b.test. 1 2 3 4 5",
            "@ NS ns.deep.sub.test.",
            "@ NS ns.sub.test.",
            "@ A 192.0.2.2",
            "deep NS ns.deep.sub.test.",
            "ns.deep AAAA ::1",
            "ns A 192.0.2.3",
            "ns TXT \"no\"",
            "www A 192.0.2.4",
        ]
    );
}

/// Lines that make a zone file with all sorts of state in it.
fn some_line() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec!["a", "b", "www", "@", "*.x", "c.other.", "a\\.b"]);
    prop_oneof![
        8 => (word.clone(), 0..6_u8).prop_map(|(name, octet)| format!("{name} A 192.0.2.{octet}")),
        4 => (0..6_u8).prop_map(|octet| format!(" A 192.0.2.{octet}")),
        2 => (word.clone(), 1..4_u32).prop_map(|(name, ttl)| format!("{name} {ttl} MX 10 mail")),
        1 => word.clone().prop_map(|name| format!("$ORIGIN {name}.test.")),
        1 => (1..4_u32).prop_map(|ttl| format!("$TTL {ttl}")),
        1 => word.clone().prop_map(|name| format!("{name} TXT ( \"a\"\n \"b\" ) ; x")),
        1 => word.prop_map(|name| format!("$GENERATE 1-3 {name}$ A 192.0.2.$")),
        1 => Just("; comment".to_owned()),
        1 => Just(String::new()),
    ]
}

fn sorted(mut records: Vec<String>) -> Vec<String> {
    records.sort();
    records
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

    #[test]
    fn changes_are_the_difference_of_two_whole_readings(
        lines in prop::collection::vec(some_line(), 0..40),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..4_usize, prop::collection::vec(some_line(), 0..3)), 1..4),
        one_zone: bool,
        last_break: bool,
    ) {
        let start = Start { one_zone, ..start("test") };
        let head = "@ SOA a b 1 2 3 4 5";
        let text = |lines: &[String]| format!("{head}\n{}{}", lines.join("\n"), if last_break { "\n" } else { "" });
        let old = text(&lines);
        let mut changed = lines;
        for (at, length, new) in edits {
            let at = at.index(changed.len() + 1);
            let end = (at + length).min(changed.len());
            changed.splice(at..end, new);
        }
        let new = text(&changed);
        let (before, after) = (read(&old, &start), read(&new, &start));
        match changes(old.as_bytes(), new.as_bytes(), &before.marks, &start) {
            None => {}
            Some(Changes { gone, came, .. }) => {
                prop_assert!(after.faults.count() == 0 && after.left_out.count() == 0);
                let list = |records: Vec<Record>| shown(&Parsed { records, ..Parsed::default() });
                let (gone, came) = (list(gone), list(came));
                let mut left = shown(&before);
                for record in gone {
                    let at = left.iter().position(|other| *other == record);
                    prop_assert!(at.is_some(), "{} was not there", record);
                    left.swap_remove(at.unwrap());
                }
                left.extend(came);
                prop_assert_eq!(sorted(left), sorted(shown(&after)));
            }
        }
    }
}

/// A zone of so many lines.
fn large(lines: usize) -> String {
    let line = |at: usize| format!("host{at} 300 IN A 10.{}.{}.{}\n", at >> 16 & 255, at >> 8 & 255, at & 255);
    format!("$TTL 60\n@ SOA ns host 1 2 3 4 5\n{}", (0..lines).map(line).collect::<String>())
}

#[test]
fn a_changed_line_of_many_is_found_without_reading_the_others() {
    let start = Start { one_zone: true, ..start("test") };
    let old = large(20_000);
    let marks = read(&old, &start).marks;
    // A new serial at the top and lines changed, gone and new far from it.
    let new = old.replace("host 1 2", "host 2 2").replace("host10000 300", "host10000 301");
    let new = new.replace("host15000 300 IN A 10.0.58.152\n", "").replace("host19000 ", "new A 192.0.2.1\nhost19000 ");
    let changes = changes(old.as_bytes(), new.as_bytes(), &marks, &start).unwrap();
    let list = |records| shown(&Parsed { records, ..Parsed::default() });
    assert_eq!(
        list(changes.gone),
        [
            "host10000.test 300 A 10.0.39.16",
            "host15000.test 300 A 10.0.58.152",
            "test 60 SOA ns.test. host.test. 1 2 3 4 5",
        ]
    );
    assert_eq!(
        list(changes.came),
        ["host10000.test 301 A 10.0.39.16", "new.test 60 A 192.0.2.1", "test 60 SOA ns.test. host.test. 2 2 3 4 5",]
    );
    // The marks that come of it are as good as those of a whole reading.
    let again = read(&new, &start).marks;
    assert!(changes.marks.along.len() >= again.along.len() / 2);
    let mut files = NoFiles;
    let mut reader = reader::Reader::new(&start, &mut files);
    let (mut at, mut state) = (0, again.along[0].state.clone());
    for mark in &changes.marks.along {
        while at < mark.at {
            at = reader.step(new.as_bytes(), at, &mut state);
        }
        assert_eq!((at, &state), (mark.at, &mark.state));
    }
    let newer = new.replace("host19999 ", "host2000 ");
    let more = super::changes(new.as_bytes(), newer.as_bytes(), &changes.marks, &start).unwrap();
    assert_eq!((more.gone.len(), more.came.len()), (1, 1));
}

#[test]
fn what_has_effects_beyond_its_line_is_not_told_cheaply() {
    let start = Start { one_zone: true, ..start("test") };
    let old = large(140_000);
    let marks = read(&old, &start).marks;
    let tell = |new: &str| changes(old.as_bytes(), new.as_bytes(), &marks, &start).is_some();
    assert!(tell(&old));
    assert!(!tell(&old.replace("$TTL 60", "$TTL 61")), "though no line of these needs it");
    assert!(!tell(&old.replace("@ SOA", "$ORIGIN x.test.\n@ SOA")));
    assert!(!tell(&old.replace("host7 300", "$INCLUDE x\nhost7 300")));
    assert!(!tell(&old.replace("host7 300", "host7 300 x")));
    assert!(!tell(&old.replace("host7 300", "host7.other. 300")));
    assert!(!tell(""));
    let bad = read("@ SOA a b 1 2 3 4 5\nx", &start).marks;
    assert!(changes(b"@ SOA a b 1 2 3 4 5\nx", b"@ SOA a b 1 2 3 4 5\n", &bad, &start).is_none());
}
