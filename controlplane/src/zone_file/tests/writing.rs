//! Claims about what is written.

use super::*;

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
    assert_eq!(
        text,
        "$ORIGIN .\n\
         1.2.0.192.in-addr.arpa.\t60\tIN\tPTR\twww.example.test.\n\
         other.\t60\tIN\tA\t192.0.2.1\n\
         example.test.\t60\tIN\tNS\tns1.example.test.\n"
    );
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
