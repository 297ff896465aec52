//! Claims about PTR records: those that somebody wrote, and those made of addresses.

use super::{tree::told, *};
use RecordType as T;

const SIX: &str = "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";

/// Addresses, loose and in a zone; a reverse zone for some of them.
fn house(auto_ptr: bool, missing_type_is_nodata: bool) -> Snapshot {
    let private = |last| vec![192, 168, 1, last];
    let mut six = vec![0; 16];
    six[..4].copy_from_slice(&[0x20, 1, 0xd, 0xb8]);
    six[15] = 7;
    let records = [
        ("lab.test", T::SOA, 3600, soa(60)),
        ("www.lab.test", T::A, 300, private(7)),
        ("www.lab.test", T::A, 300, private(8)),
        ("www.lab.test", T::AAAA, 40, six),
        ("mail.lab.test", T::A, 200, private(7)),
        ("*.lab.test", T::A, 60, private(7)),
        ("a.home", T::A, 5, private(7)),
        ("Printer.home", T::A, 5, private(9)),
        // Written by somebody.
        ("8.1.168.192.in-addr.arpa", T::PTR, 20, wire("written.home")),
        ("9.1.168.192.in-addr.arpa", T::TXT, 20, b"\x02hi".to_vec()),
        // A zone of its own, and addresses in it.
        ("2.0.192.in-addr.arpa", T::SOA, 3600, soa(60)),
        ("2.0.192.in-addr.arpa", T::NS, 3600, wire("ns1.lab.test")),
        ("1.2.0.192.in-addr.arpa", T::PTR, 30, wire("one.lab.test")),
        ("64.2.0.192.in-addr.arpa", T::NS, 30, wire("ns.elsewhere.example")),
        ("one.home", T::A, 5, vec![192, 0, 2, 1]),
        ("two.home", T::A, 5, vec![192, 0, 2, 2]),
        ("cut.home", T::A, 5, vec![192, 0, 2, 64]),
        ("public.home", T::A, 5, vec![11, 0, 0, 1]),
    ];
    serve(Rules { auto_ptr, missing_type_is_nodata, ..Rules::default() }, &records)
}

#[track_caller]
fn claim(snapshot: &Snapshot, table: &[(&str, RecordType, &str)]) {
    for (name, kind, expected) in table {
        assert_eq!(told(&ask(name, *kind).message(snapshot)), *expected, "{name} {kind}");
    }
}

#[test]
fn addresses_have_the_names_that_have_them_in_the_order_of_names() {
    let seven = "7.1.168.192.in-addr.arpa";
    let all = format!("No Error aa; {seven}. 5 PTR a.home.; {seven}. 200 PTR mail; {seven}. 300 PTR www");
    let snapshot = house(true, true);
    claim(
        &snapshot,
        &[
            (seven, T::PTR, &all),
            (seven, T::ANY, &all),
            (SIX, T::PTR, &format!("No Error aa; {SIX}. 40 PTR www")),
            // The name exists; there is no SOA to give.
            (seven, T::A, "No Error aa"),
            ("1.0.0.11.in-addr.arpa", T::PTR, "No Error aa; 1.0.0.11.in-addr.arpa. 5 PTR public.home."),
            // Nobody has it.
            ("2.0.0.11.in-addr.arpa", T::PTR, "Query Refused"),
            ("0.0.11.in-addr.arpa", T::PTR, "Query Refused"),
            ("x.7.1.168.192.in-addr.arpa", T::PTR, "Non-Existent Domain aa; u 168.192.in-addr.arpa. 10800 SOA 1 10800"),
        ],
    );
    let (replied, _) = ask(seven, T::PTR).of(&snapshot);
    assert_eq!((replied.branch, replied.nodata), (Branch::Local, false));
    let (replied, _) = ask(seven, T::A).of(&snapshot);
    assert_eq!((replied.branch, replied.nodata), (Branch::Local, true));
    let (_, reply) = ask("7.1.168.192.IN-addr.arpa", T::PTR).of(&snapshot);
    let message = Message::from_vec(&reply).expect("parses");
    assert_eq!(message.answers[0].name.to_string(), "7.1.168.192.IN-addr.arpa.", "in the case of the question");
}

#[test]
fn what_somebody_wrote_comes_first() {
    claim(
        &house(true, true),
        &[
            ("8.1.168.192.in-addr.arpa", T::PTR, "No Error aa; 8.1.168.192.in-addr.arpa. 20 PTR written.home."),
            ("9.1.168.192.in-addr.arpa", T::TXT, "No Error aa; 9.1.168.192.in-addr.arpa. 20 TXT hi"),
            ("9.1.168.192.in-addr.arpa", T::PTR, "No Error aa; 9.1.168.192.in-addr.arpa. 5 PTR printer.home."),
            ("1.2.0.192.in-addr.arpa", T::PTR, "No Error aa; 1.2.0.192.in-addr.arpa. 30 PTR one"),
        ],
    );
}

#[test]
fn a_reverse_zone_and_automatic_records_go_together() {
    let soa = "u 2.0.192.in-addr.arpa. 60 SOA 1 60";
    claim(
        &house(true, true),
        &[
            ("2.2.0.192.in-addr.arpa", T::PTR, "No Error aa; 2.2.0.192.in-addr.arpa. 5 PTR two.home."),
            ("2.2.0.192.in-addr.arpa", T::A, &format!("No Error aa; {soa}")),
            ("3.2.0.192.in-addr.arpa", T::PTR, &format!("Non-Existent Domain aa; {soa}")),
            // What is delegated is not ours to say.
            ("64.2.0.192.in-addr.arpa", T::PTR, "No Error; u 64.2.0.192.in-addr.arpa. 30 NS ns.elsewhere.example."),
        ],
    );
    claim(
        &house(false, true),
        &[
            ("2.2.0.192.in-addr.arpa", T::PTR, &format!("Non-Existent Domain aa; {soa}")),
            ("1.2.0.192.in-addr.arpa", T::PTR, "No Error aa; 1.2.0.192.in-addr.arpa. 30 PTR one"),
        ],
    );
}

#[test]
fn rfc8020_s2_names_on_the_way_to_an_address_are_not_called_missing() {
    let private = "u 168.192.in-addr.arpa. 10800 SOA 1 10800";
    let example = "u 8.b.d.0.1.0.0.2.ip6.arpa. 10800 SOA 1 10800";
    for (auto_ptr, told) in [(true, "No Error"), (false, "Non-Existent Domain")] {
        claim(
            &house(auto_ptr, true),
            &[
                ("77.168.192.in-addr.arpa", T::A, &format!("{told} aa; {private}")),
                (&SIX[40..], T::NS, &format!("{told} aa; {example}")),
                // Here a record that somebody wrote is below.
                ("1.168.192.in-addr.arpa", T::A, &format!("No Error aa; {private}")),
            ],
        );
    }
}

#[test]
fn other_types_of_a_name_that_automatic_records_make_are_treated_like_those_of_loose_names() {
    claim(
        &house(true, false),
        &[
            ("1.0.0.11.in-addr.arpa", T::TXT, "Query Refused"),
            ("1.0.0.11.in-addr.arpa", T::PTR, "No Error aa; 1.0.0.11.in-addr.arpa. 5 PTR public.home."),
            // There is nobody else to ask for this one.
            ("7.1.168.192.in-addr.arpa", T::TXT, "No Error aa; u 168.192.in-addr.arpa. 10800 SOA 1 10800"),
        ],
    );
}

#[test]
fn an_alias_may_lead_to_an_automatic_record() {
    let records = [
        // RFC 2317 §4, the other way round.
        ("7.0-15.1.168.192.in-addr.arpa", T::CNAME, 9, wire("7.1.168.192.in-addr.arpa")),
        ("a.home", T::A, 5, vec![192, 168, 1, 7]),
    ];
    let snapshot = serve(Rules { auto_ptr: true, ..Rules::default() }, &records);
    let expected = "No Error aa; 7.0-15.1.168.192.in-addr.arpa. 9 CNAME 7.1.168.192.in-addr.arpa.; \
                    7.1.168.192.in-addr.arpa. 5 PTR a.home.";
    claim(&snapshot, &[("7.0-15.1.168.192.in-addr.arpa", T::PTR, expected)]);
}

#[test]
fn of_an_address_with_very_many_names_256_are_told_and_none_if_they_do_not_fit() {
    let owners: Vec<_> = (0..300).map(|at| format!("host{at}.home")).collect();
    let records: Vec<_> = owners.iter().map(|owner| (owner.as_str(), T::A, 5, vec![10, 0, 0, 1])).collect();
    let snapshot = serve(Rules { auto_ptr: true, ..Rules::default() }, &records);
    let question = ask("1.0.0.10.in-addr.arpa", T::PTR);
    let (replied, _) = question.of(&snapshot);
    assert!(replied.truncated && question.message(&snapshot).answers.is_empty(), "RFC 2181 §9");
    let message = Ask { transport: Transport::Tcp, ..question }.message(&snapshot);
    let names: Vec<_> = message.answers.iter().map(|record| record.data.to_string()).collect();
    assert!(names.len() == 256 && names.is_sorted(), "{names:?}");
}
