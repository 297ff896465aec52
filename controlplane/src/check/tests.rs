use super::*;
use crate::record::Record;

/// A store holding these records, `NAME TTL TYPE VALUE` a line, in this order.
fn store(text: &str) -> Records {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    Records::from_rows(lines.zip(1..).map(|(line, order)| {
        let words: Vec<_> = line.splitn(4, ' ').collect();
        Row::new(Record::new(words[0], words[2], words[3], words[1].parse().expect("a TTL")), order, 0, true)
    }))
}

/// What is found: place, word, sentence.
fn found(text: &str) -> Vec<(u64, &'static str, String)> {
    let records = store(text);
    findings(&records).iter().map(|it| (it.row.order, it.rule.word(), it.rule.to_string())).collect()
}

fn words(text: &str) -> Vec<(u64, &'static str)> {
    found(text).into_iter().map(|(place, word, _)| (place, word)).collect()
}

const ZONE: &str = "
    lab.test 60 SOA ns.lab.test. admin.lab.test. 1 2 3 4 5
    lab.test 60 NS ns.lab.test.
    ns.lab.test 60 A 192.0.2.1
";

fn zone_and(more: &str) -> Vec<(u64, &'static str)> {
    words(&format!("{}{more}", ZONE.trim_start()))
}

#[test]
fn a_zone_with_everything_in_its_place_has_no_findings() {
    let more = "
        www.lab.test 60 CNAME ns.lab.test.
        www.lab.test 60 RRSIG A 8 3 60 20300101000000 20200101000000 1 lab.test. AAAA
        lab.test 60 MX 10 mail.elsewhere.test.
        lab.test 60 MX 0 .
        _sip._tcp.lab.test 60 SRV 0 0 0 .
        _ldap._tcp.lab.test 60 SRV 0 0 389 anything.wild.lab.test.
        *.wild.lab.test 60 A 192.0.2.7
        sub.lab.test 60 NS ns.sub.lab.test.
        ns.sub.lab.test 60 AAAA 2001:db8::1
        sub.lab.test 60 DS 1 8 1 0000000000000000000000000000000000000000
        other.test 60 A 192.0.2.1
        other.test 60 A 192.0.2.2";
    assert_eq!(found(&format!("{}{more}", ZONE.trim_start())), []);
}

#[test]
fn what_cannot_be_served_is_an_error_and_names_the_field() {
    let all = found("a.test 60 A ::1\nb..test 60 A 192.0.2.1\nc.test 60 BOGUS x\nd.test 60 ANY x");
    let starts = ["value: ", "name: ", "type: `BOGUS`", "type: ANY"];
    assert_eq!(all.len(), starts.len(), "{all:?}");
    for ((place, word, sentence), (number, start)) in all.iter().zip((1..).zip(starts)) {
        assert_eq!((*place, *word), (number, "unservable"));
        assert!(sentence.starts_with(start), "{sentence}");
    }
}

#[test]
fn rfc1034_s3_6_2_a_cname_stands_alone_and_is_told_of_once() {
    let all = found("a.test 60 A 192.0.2.1\nA.test 60 CNAME b.test\na.test 60 TXT x\na.test 60 CNAME c.test");
    let told: Vec<_> = all.iter().map(|(place, word, _)| (*place, *word)).collect();
    assert_eq!(told, [(2, "beside"), (4, "beside")]);
    assert!(all[0].2.contains("a.test A 192.0.2.1") && all[1].2.contains("at most one CNAME"), "{all:?}");
}

#[test]
fn one_soa_and_one_dname_at_a_name() {
    let soa = |serial: u32| format!("z.test 60 SOA a.test. b.test. {serial} 2 3 4 5\n");
    assert_eq!(words(&format!("{}{}z.test 60 NS ns.elsewhere.", soa(1), soa(2))), [(2, "beside")]);
    assert_eq!(words("d.test 60 DNAME a.test\nd.test 60 DNAME b.test"), [(2, "beside")]);
}

#[test]
fn rfc6672_s2_4_nothing_lies_below_a_dname_but_a_zone_of_its_own() {
    let text = "d.test 60 DNAME e.test\nd.test 60 A 192.0.2.1\nw.d.test 60 A 192.0.2.1
        z.d.test 60 SOA a.test. b.test. 1 2 3 4 5\nz.d.test 60 NS ns.elsewhere.\nw.z.d.test 60 A 192.0.2.1";
    assert_eq!(words(text), [(3, "below-dname")]);
}

#[test]
fn below_a_delegation_only_addresses_count() {
    let more = "sub.lab.test 60 NS ns.elsewhere.
        sub.lab.test 60 TXT x
        www.sub.lab.test 60 A 192.0.2.1
        www.sub.lab.test 60 TXT x";
    assert_eq!(zone_and(more), [(5, "below-delegation"), (7, "below-delegation")]);
    assert_eq!(words("loose.test 60 NS ns.elsewhere.\nw.loose.test 60 TXT x"), [], "no zone above, no delegation");
}

#[test]
fn rfc2181_s5_2_one_ttl_for_a_set_and_one_wording_for_a_record() {
    assert_eq!(words("a.test 60 A 192.0.2.1\na.test 60 A 192.0.2.2\na.test 61 A 192.0.2.3"), [(3, "ttl")]);
    assert_eq!(words("a.test 60 AAAA ::1\na.test 60 AAAA 0:0:0:0:0:0:0:1"), [(2, "duplicate")]);
}

#[test]
fn rfc2181_s10_3_targets_are_hosts_and_have_addresses_where_we_would_know() {
    let more = "alias.lab.test 60 CNAME ns.lab.test.
        lab.test 60 MX 10 ALIAS.lab.test.
        lab.test 60 NS nowhere.lab.test.
        _x._tcp.lab.test 60 SRV 0 0 1 alias.lab.test.
        sub.lab.test 60 NS ns.sub.lab.test.
        lab.test 60 MX 20 host.sub.lab.test.";
    let expected = [(5, "target-is-alias"), (6, "target-has-no-address"), (7, "target-is-alias")];
    assert_eq!(zone_and(more)[..3], expected);
    assert_eq!(zone_and(more)[3..], [(8, "target-has-no-address")], "no glue; what others have below is theirs");
}

#[test]
fn a_zone_without_name_servers_is_told_of() {
    assert_eq!(words("z.test 60 SOA a.test. b.test. 1 2 3 4 5\nz.test 60 A 192.0.2.1"), [(1, "no-name-servers")]);
}

#[test]
fn words_of_rules_are_warnings_unless_something_is_not_served() {
    let text = "a.test 60 A ::1\nz.test 60 SOA a.test. b.test. 1 2 3 4 5";
    let records = store(text);
    let severities: Vec<_> = findings(&records).iter().map(|finding| finding.rule.severity()).collect();
    assert_eq!(severities, [Severity::Error, Severity::Warning]);
}
