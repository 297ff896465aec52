//! Claims about the tree of names: wildcards, zone cuts, DNAMEs, and what is added for convenience.

use super::*;
use hickory_proto::rr::RData as Rdata;
use std::fmt::Write as _;

/// A zone with a bit of everything. Names without a final dot are below `lab.test`.
fn tree() -> Snapshot {
    tree_with(&[])
}

fn tree_with(more: &[(&str, RecordType, u32, Vec<u8>)]) -> Snapshot {
    use RecordType as T;
    let address = |last: u8| vec![192, 0, 2, last];
    let mx = |preference: u8, host: &str| [vec![0, preference], wire(host)].concat();
    let mut records = vec![
        ("lab.test", T::SOA, 3600, soa(60)),
        ("lab.test", T::NS, 3600, wire("ns1.lab.test")),
        ("lab.test", T::MX, 600, mx(10, "mail.lab.test")),
        ("lab.test", T::MX, 600, mx(20, "MAIL.lab.test")),
        ("lab.test", T::MX, 600, mx(30, "mx.elsewhere.test")),
        ("ns1.lab.test", T::A, 3600, address(1)),
        ("mail.lab.test", T::A, 60, address(2)),
        ("mail.lab.test", T::AAAA, 60, vec![1; 16]),
        ("_sip._tcp.lab.test", T::SRV, 60, [vec![0, 1, 0, 2, 0, 3], wire("mail.lab.test")].concat()),
        // RFC 4592 §2.2.1, with the names of this zone.
        ("*.lab.test", T::TXT, 3600, b"\x04wild".to_vec()),
        ("*.lab.test", T::MX, 3600, mx(10, "mail.lab.test")),
        ("sub.*.lab.test", T::TXT, 3600, b"\x03sub".to_vec()),
        ("_ssh._tcp.host1.lab.test", T::SRV, 60, [vec![0; 6], wire("mail.lab.test")].concat()),
        ("*.to.alias.lab.test", T::CNAME, 60, wire("mail.lab.test")),
        ("*.empty.lab.test", T::A, 60, address(9)),
        ("x.y.empty.lab.test", T::A, 60, address(8)),
        ("below.*.ent.lab.test", T::A, 60, address(7)),
        // A zone cut, with DS, glue, and something that it hides.
        ("cut.lab.test", T::NS, 60, wire("ns.cut.lab.test")),
        ("cut.lab.test", T::NS, 60, wire("ns.other.lab.test")),
        ("cut.lab.test", T::NS, 60, wire("ns.elsewhere.test")),
        ("cut.lab.test", T::DS, 60, vec![0, 1, 8, 2, 7, 7, 7, 7]),
        ("ns.cut.lab.test", T::A, 60, address(3)),
        ("ns.other.lab.test", T::A, 60, address(4)),
        ("www.cut.lab.test", T::A, 60, address(5)),
        ("deeper.cut.lab.test", T::NS, 60, wire("ns.elsewhere.test")),
        ("into.lab.test", T::CNAME, 60, wire("www.cut.lab.test")),
        // A DNAME, and what it hides.
        ("old.lab.test", T::DNAME, 70, wire("new.lab.test")),
        ("old.lab.test", T::TXT, 70, b"\x03old".to_vec()),
        ("hidden.old.lab.test", T::A, 70, address(6)),
        ("host.new.lab.test", T::A, 50, address(10)),
        ("far.lab.test", T::DNAME, 70, wire("elsewhere.test")),
        ("loop.lab.test", T::DNAME, 70, wire("again.loop.lab.test")),
        ("circle.lab.test", T::DNAME, 70, wire("lab.test")),
        ("x.lab.test", T::CNAME, 70, wire("circle.lab.test")),
        ("long.lab.test", T::DNAME, 70, wire(&format!("{0}.{0}.{0}.lab.test", "a".repeat(60)))),
        // A zone within the zone.
        ("child.lab.test", T::SOA, 20, soa(3600)),
        ("child.lab.test", T::NS, 20, wire("ns1.lab.test")),
        ("child.lab.test", T::DS, 20, vec![0, 2, 8, 2, 7]),
        ("www.child.lab.test", T::A, 20, address(11)),
        // No zone.
        ("*.home", T::A, 5, address(12)),
        ("nas.home", T::A, 5, address(13)),
        ("old.home", T::DNAME, 5, wire("home")),
        ("delegated.home", T::NS, 5, wire("nas.home")),
    ];
    for at in 0..40u8 {
        records.push(("crowd.lab.test", T::NS, 60, wire(&format!("ns{at}.crowd.lab.test"))));
    }
    let hosts: Vec<String> = (0..40).map(|at| format!("ns{at}.crowd.lab.test")).collect();
    records.extend(hosts.iter().map(|host| (host.as_str(), T::A, 60, address(20))));
    records.extend_from_slice(more);
    serve(Rules::default(), &records)
}

/// Rcode, AA and all records of a reply, one a line, without `lab.test` and with a letter for the section.
pub(super) fn told(message: &Message) -> String {
    let mut text =
        format!("{}{}", message.metadata.response_code, if message.metadata.authoritative { " aa" } else { "" });
    let sections = [("", &message.answers), ("u ", &message.authorities), ("d ", &message.additionals)];
    for (letter, records) in sections {
        for record in records.iter() {
            let data = match &record.data {
                Rdata::SOA(soa) => format!("{} {}", soa.serial, soa.minimum),
                // The parser knows DNAME and DS by their numbers only.
                Rdata::Unknown { code: Kind::DNAME, rdata } => shown_name(&rdata.anything),
                Rdata::Unknown { rdata, .. } => rdata.anything.iter().map(|octet| format!("{octet:02x}")).collect(),
                data => data.to_string().trim().to_owned(),
            };
            write!(text, "; {letter}{} {} {} {data}", record.name, record.ttl, record.record_type()).expect("a string");
        }
    }
    text.replace(".lab.test.", "").replace("192.0.2.", "#")
}

fn shown_name(wire: &[u8]) -> String {
    Name::from_wire(wire).expect("a name").to_string()
}

/// Asks each question and compares.
#[track_caller]
fn claim(table: &[(&str, RecordType, &str)]) {
    let snapshot = tree();
    for (name, kind, expected) in table {
        let mut question = ask(name, *kind);
        question.edns = Some((4096, 0, false));
        assert_eq!(told(&question.message(&snapshot)), *expected, "{name} {kind}");
    }
}

use RecordType as T;

#[test]
fn rfc4592_s3_3_1_a_wildcard_stands_in_for_names_that_do_not_exist() {
    let soa = "u lab.test. 60 SOA 1 60";
    claim(&[
        (
            "host3.lab.test",
            T::MX,
            "No Error aa; host3 3600 MX 10 mail; d mail 60 A #2; d mail 60 AAAA 101:101:101:101:101:101:101:101",
        ),
        ("host3.lab.test", T::A, &format!("No Error aa; {soa}")),
        ("foo.bar.lab.test", T::TXT, "No Error aa; foo.bar 3600 TXT wild"),
        // The name exists, or it is below one that does.
        ("host1.lab.test", T::MX, &format!("No Error aa; {soa}")),
        ("sub.*.lab.test", T::MX, &format!("No Error aa; {soa}")),
        ("_telnet._tcp.host1.lab.test", T::SRV, &format!("Non-Existent Domain aa; {soa}")),
        ("ghost.*.lab.test", T::MX, &format!("Non-Existent Domain aa; {soa}")),
        ("*.lab.test", T::TXT, "No Error aa; * 3600 TXT wild"),
        // Through an alias, which is a wildcard's too.
        ("a.b.to.alias.lab.test", T::A, "No Error aa; a.b.to.alias 60 CNAME mail; mail 60 A #2"),
        ("to.alias.lab.test", T::A, &format!("No Error aa; {soa}")),
        // An empty non-terminal is not covered (RFC 4592 §2.2.2), what is below it has no wildcard of its own.
        ("y.empty.lab.test", T::A, &format!("No Error aa; {soa}")),
        ("z.y.empty.lab.test", T::A, &format!("Non-Existent Domain aa; {soa}")),
        ("z.empty.lab.test", T::A, "No Error aa; z.empty 60 A #9"),
        // A wildcard that owns nothing is there all the same: no data.
        ("a.ent.lab.test", T::A, &format!("No Error aa; {soa}")),
    ]);
}

#[test]
fn rfc1034_s4_3_2_below_a_zone_cut_others_have_the_answer() {
    let referral = "; u cut 60 NS ns.cut; u cut 60 NS ns.other; u cut 60 NS ns.elsewhere.test.; d ns.cut 60 A #3; d ns.other 60 A #4";
    let plain = format!("No Error{referral}");
    claim(&[
        ("cut.lab.test", T::A, &plain),
        ("cut.lab.test", T::NS, &plain),
        ("cut.lab.test", T::ANY, &plain),
        ("www.cut.lab.test", T::A, &plain),
        ("ns.cut.lab.test", T::A, &plain),
        ("nothing.cut.lab.test", T::A, &plain),
        ("www.deeper.cut.lab.test", T::DS, &plain),
        ("deeper.cut.lab.test", T::DS, &plain),
        // The parent's side has the DS (RFC 4035 §3.1.4.1).
        ("cut.lab.test", T::DS, "No Error aa; cut 60 DS 1 8 2 07070707"),
        ("into.lab.test", T::A, &format!("No Error aa; into 60 CNAME www.cut{referral}")),
    ]);
}

#[test]
fn rfc4035_s3_1_4_a_referral_has_ds_if_the_zone_is_signed_and_the_client_asks_for_dnssec() {
    let signed = tree_with(&[("lab.test", T::RRSIG, 60, vec![0; 20])]);
    let mut question = ask("www.cut.lab.test", T::A);
    for (snapshot, dnssec_ok, ds) in [(&signed, true, true), (&signed, false, false), (&tree(), true, false)] {
        question.edns = Some((4096, 0, dnssec_ok));
        assert_eq!(told(&question.message(snapshot)).contains("; u cut 60 DS 1 8 2 07070707; d "), ds);
    }
}

#[test]
fn rfc4035_s3_1_4_1_ds_of_a_zone_of_ours_comes_from_its_parent() {
    claim(&[
        ("child.lab.test", T::DS, "No Error aa; child 20 DS 2 8 2 07"),
        ("child.lab.test", T::TXT, "No Error aa; u child 20 SOA 1 3600"),
        ("www.child.lab.test", T::A, "No Error aa; www.child 20 A #11"),
        ("other.child.lab.test", T::A, "Non-Existent Domain aa; u child 20 SOA 1 3600"),
        ("lab.test", T::DS, "No Error aa; u lab.test. 60 SOA 1 60"),
        ("mail.lab.test", T::DS, "No Error aa; u lab.test. 60 SOA 1 60"),
    ]);
}

#[test]
fn rfc9471_s3_without_room_for_glue_a_referral_is_truncated() {
    let mut question = ask("www.crowd.lab.test", T::A);
    question.edns = Some((1232, 0, false));
    let message = question.message(&tree());
    assert!(message.metadata.truncation && !message.metadata.authoritative && message.answers.is_empty());
    question.transport = Transport::Tcp;
    let message = question.message(&tree());
    assert!(!message.metadata.truncation && message.authorities.len() == 40 && message.additionals.len() == 16);
}

#[test]
fn rfc6672_s3_2_names_below_a_dname_are_aliases() {
    claim(&[
        ("host.old.lab.test", T::A, "No Error aa; old 70 DNAME new; host.old 70 CNAME host.new; host.new 50 A #10"),
        (
            "hidden.old.lab.test",
            T::A,
            "Non-Existent Domain aa; old 70 DNAME new; hidden.old 70 CNAME hidden.new; u lab.test. 60 SOA 1 60",
        ),
        ("a.far.lab.test", T::A, "No Error aa; far 70 DNAME elsewhere.test.; a.far 70 CNAME a.elsewhere.test."),
        ("host.old.lab.test", T::CNAME, "No Error aa; old 70 DNAME new; host.old 70 CNAME host.new"),
        // ANY matches an alias that is there, not one that is made up on the way.
        ("host.old.lab.test", T::ANY, "No Error aa; old 70 DNAME new; host.old 70 CNAME host.new; host.new 50 A #10"),
        // RFC 2181 §5: once, though it is the answer, too.
        (
            "x.circle.lab.test",
            T::DNAME,
            "No Error aa; circle 70 DNAME lab.test.; x.circle 70 CNAME x; x 70 CNAME circle",
        ),
        // The owner itself is not redirected.
        ("old.lab.test", T::TXT, "No Error aa; old 70 TXT old"),
        ("old.lab.test", T::DNAME, "No Error aa; old 70 DNAME new"),
        ("old.lab.test", T::A, "No Error aa; u lab.test. 60 SOA 1 60"),
    ]);
    let long = format!("{}.long.lab.test", "b".repeat(63));
    let message = ask(&long, T::A).message(&tree());
    assert_eq!(message.metadata.response_code, ResponseCode::YXDomain);
    assert_eq!(message.answers.len(), 1);
    // A DNAME that leads below itself is followed as far as any alias, or as far as names can grow.
    let message = Ask { transport: Transport::Tcp, ..ask("x.loop.lab.test", T::A) }.message(&tree());
    let dnames = message.answers.iter().filter(|record| record.record_type() == Kind::DNAME).count();
    assert_eq!((dnames, message.answers.len()), (1, 2 + lookup::MAX_CHAIN), "{}", told(&message));
}

#[test]
fn hosts_that_an_answer_names_come_with_their_addresses_once() {
    let addresses = "d mail 60 A #2; d mail 60 AAAA 101:101:101:101:101:101:101:101";
    claim(&[
        (
            "lab.test",
            T::MX,
            &format!(
                "No Error aa; lab.test. 600 MX 10 mail; lab.test. 600 MX 20 mail; lab.test. 600 MX 30 mx.elsewhere.test.; {addresses}"
            ),
        ),
        ("_sip._tcp.lab.test", T::SRV, &format!("No Error aa; _sip._tcp 60 SRV 1 2 3 mail; {addresses}")),
        ("lab.test", T::NS, "No Error aa; lab.test. 3600 NS ns1; d ns1 3600 A #1"),
    ]);
    // What does not fit is left out without TC (RFC 2181 §9).
    let mut question = ask("_sip._tcp.lab.test", T::SRV);
    question.edns = Some((512, 0, false));
    assert!(!question.message(&tree()).metadata.truncation);
}

#[test]
fn wildcards_and_dnames_work_for_names_without_a_zone() {
    claim(&[
        ("tv.home", T::A, "No Error aa; tv.home. 5 A #12"),
        ("a.b.home", T::A, "No Error aa; a.b.home. 5 A #12"),
        ("tv.home", T::AAAA, "No Error aa"),
        ("nas.home", T::A, "No Error aa; nas.home. 5 A #13"),
        ("below.nas.home", T::A, "Query Refused"),
        ("home", T::A, "Query Refused"),
        (
            "nas.old.home",
            T::A,
            "No Error aa; old.home. 5 DNAME home.; nas.old.home. 5 CNAME nas.home.; nas.home. 5 A #13",
        ),
        // NS records that are in no zone are records like any others.
        ("delegated.home", T::NS, "No Error aa; delegated.home. 5 NS nas.home.; d nas.home. 5 A #13"),
        ("www.delegated.home", T::A, "Query Refused"),
    ]);
}
