//! Claims about what is read.

use super::*;

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
