//! Claims about replies, one table per paragraph, and properties that hold for any bytes. Replies are read by
//! hickory-proto, which shares no code with us.

mod edns;
mod elsewhere;
mod remembered;
mod reverse;
mod special;
mod tree;

use super::*;
use crate::{Builder, snapshot::Rules};
use dnsplane_proto::{Generation, Name, RecordData, RecordSet};
use hickory_proto::{
    op::{Message, ResponseCode},
    rr::{RData, Record, RecordType as Kind},
};
use proptest::prelude::*;

/// A snapshot of these records: owner, type, TTL, RDATA.
fn serve(rules: Rules, records: &[(&str, RecordType, u32, Vec<u8>)]) -> Snapshot {
    let mut builder = Builder::new();
    let mut done = Vec::new();
    for (owner, kind, ..) in records {
        if done.contains(&(owner, kind)) {
            continue;
        }
        done.push((owner, kind));
        let same = records.iter().filter(|(other, of, ..)| other == owner && of == kind);
        let data = same.map(|(.., ttl, rdata)| RecordData { ttl: *ttl, rdata: rdata.clone().into() }).collect();
        builder.apply(&RecordSet { owner: name(owner), kind: *kind, data }).expect("usable");
    }
    builder.finish(Generation { session: 1, number: 1 }, rules)
}

/// Somebody who asks at a fixed time.
fn asker(transport: Transport) -> Asker<'static> {
    static COOKIES: std::sync::LazyLock<Cookies> = std::sync::LazyLock::new(|| Cookies::with_secret([7; 16]));
    Asker {
        transport,
        address: IpAddr::from([192, 0, 2, 99]),
        now: 1_600_000_000,
        cookies: &COOKIES,
        known: Known::default(),
    }
}

fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

fn wire(text: &str) -> Vec<u8> {
    name(text).as_wire().to_vec()
}

fn soa(minimum: u32) -> Vec<u8> {
    let numbers = [1u32, 3600, 600, 86400, minimum].map(u32::to_be_bytes).concat();
    [wire("ns1.lab.test"), wire("hostmaster.lab.test"), numbers].concat()
}

fn lab() -> Snapshot {
    lab_with(Rules::default())
}

fn lab_with(rules: Rules) -> Snapshot {
    use RecordType as T;
    let mut records = vec![
        ("lab.test", T::SOA, 3600, soa(60)),
        ("lab.test", T::NS, 3600, wire("ns1.lab.test")),
        ("www.lab.test", T::A, 300, vec![192, 0, 2, 1]),
        ("www.lab.test", T::A, 300, vec![192, 0, 2, 2]),
        ("www.lab.test", T::TXT, 30, b"\x05hello".to_vec()),
        ("alias.lab.test", T::CNAME, 100, b"\x03WWW\x03lab\x04test\x00".to_vec()),
        ("far.lab.test", T::CNAME, 100, wire("host.elsewhere.test")),
        ("gone.lab.test", T::CNAME, 100, wire("nothing.here.lab.test")),
        ("ping.lab.test", T::CNAME, 1, wire("pong.lab.test")),
        ("pong.lab.test", T::CNAME, 1, wire("ping.lab.test")),
        ("self.lab.test", T::CNAME, 1, wire("self.lab.test")),
        ("a.deep.lab.test", T::A, 5, vec![192, 0, 2, 3]),
        ("sub.lab.test", T::SOA, 20, soa(3600)),
        ("loose.test", T::A, 7, vec![192, 0, 2, 4]),
        ("host.home", T::A, 7, vec![192, 0, 2, 4]),
        ("nas.home", T::CNAME, 7, wire("loose.test")),
        ("tv.home", T::CNAME, 7, wire("unknown.example")),
    ];
    for at in 0..20u8 {
        records.push(("big.lab.test", T::TXT, 60, [vec![100], vec![b'a' + at; 100]].concat()));
        records.push(("huge.lab.test", T::TXT, 60, [vec![250], vec![at; 250]].concat().repeat(15)));
    }
    serve(rules, &records)
}

/// What a test asks.
#[derive(Debug)]
struct Ask {
    name: String,
    kind: u16,
    class: u16,
    flags: u16,
    /// Payload, version, DO.
    edns: Option<(u16, u8, bool)>,
    transport: Transport,
}

fn ask(name: &str, kind: RecordType) -> Ask {
    Ask { name: name.to_owned(), kind: kind.0, class: 1, flags: 0x0100, edns: None, transport: Transport::Udp }
}

impl Ask {
    fn bytes(&self) -> Vec<u8> {
        let [flags_high, flags_low] = self.flags.to_be_bytes();
        let mut out = vec![0xbe, 0xef, flags_high, flags_low, 0, 1, 0, 0, 0, 0, 0, u8::from(self.edns.is_some())];
        // Not through `Name`, which would lower-case it.
        for label in self.name.split('.').filter(|label| !label.is_empty()) {
            out.push(label.len() as u8);
            out.extend_from_slice(label.as_bytes());
        }
        out.push(0);
        out.extend(self.kind.to_be_bytes());
        out.extend(self.class.to_be_bytes());
        if let Some((payload, version, dnssec_ok)) = self.edns {
            out.extend([0, 0, 41]);
            out.extend(payload.to_be_bytes());
            out.extend([0, version, u8::from(dnssec_ok) << 7, 0, 0, 0]);
        }
        out
    }

    fn of(&self, snapshot: &Snapshot) -> (Replied, Vec<u8>) {
        let mut reply = Vec::new();
        match answer(&self.bytes(), &asker(self.transport), snapshot, &mut reply) {
            Outcome::Replied(replied) => (replied, reply),
            other => panic!("{other:?}"),
        }
    }

    fn message(&self, snapshot: &Snapshot) -> Message {
        let (replied, reply) = self.of(snapshot);
        let message = Message::from_vec(&reply).expect("our reply parses");
        let low = u16::from(message.metadata.response_code) & 0x0f;
        assert_eq!(replied.rcode as u16 & 0x0f, low, "outcome and message agree");
        assert_eq!(replied.truncated, message.metadata.truncation, "outcome and message agree");
        message
    }
}

fn owners(records: &[Record]) -> Vec<String> {
    records.iter().map(|record| record.name.to_string()).collect()
}

#[test]
fn an_exact_match_is_answered_with_all_records_of_the_set() {
    let message = ask("www.lab.test", RecordType::A).message(&lab());
    let metadata = &message.metadata;
    assert_eq!((metadata.id, metadata.response_code), (0xbeef, ResponseCode::NoError));
    assert!(metadata.authoritative && metadata.recursion_desired && !metadata.recursion_available);
    assert_eq!(message.answers.len(), 2);
    assert!(message.answers.iter().all(|record| record.ttl == 300 && record.record_type() == Kind::A));
    assert!(message.authorities.is_empty() && message.additionals.is_empty() && message.edns.is_none());
}

#[test]
fn rfc4343_s3_names_compare_without_case_and_the_reply_keeps_the_case_of_the_question() {
    let (_, reply) = ask("wWw.LAB.test", RecordType::A).of(&lab());
    let needle = b"\x03wWw\x03LAB\x04test\x00";
    assert_eq!(&reply[12..12 + needle.len()], needle);
    assert_eq!(reply[6..8], [0, 2]);
    let message = Message::from_vec(&reply).expect("parses");
    assert_eq!(message.answers[0].name.to_string(), "wWw.LAB.test.");
}

#[test]
fn rfc1034_s4_3_2_each_kind_of_name_gets_its_reply() {
    use RecordType as T;
    let snapshot = lab();
    for (question, kind, rcode, answers, authority) in [
        ("www.lab.test", T::A, ResponseCode::NoError, vec!["www.lab.test."; 2], vec![]),
        ("lab.test", T::SOA, ResponseCode::NoError, vec!["lab.test."], vec![]),
        ("www.lab.test", T::AAAA, ResponseCode::NoError, vec![], vec!["lab.test."]),
        ("deep.lab.test", T::A, ResponseCode::NoError, vec![], vec!["lab.test."]),
        ("nope.lab.test", T::A, ResponseCode::NXDomain, vec![], vec!["lab.test."]),
        ("a.b.c.nope.lab.test", T::A, ResponseCode::NXDomain, vec![], vec!["lab.test."]),
        ("x.sub.lab.test", T::A, ResponseCode::NXDomain, vec![], vec!["sub.lab.test."]),
        ("sub.lab.test", T::A, ResponseCode::NoError, vec![], vec!["sub.lab.test."]),
        ("below.www.lab.test", T::A, ResponseCode::NXDomain, vec![], vec!["lab.test."]),
        ("loose.test", T::A, ResponseCode::NoError, vec!["loose.test."], vec![]),
        ("loose.test", T::AAAA, ResponseCode::NoError, vec![], vec![]),
        ("below.nas.home", T::A, ResponseCode::Refused, vec![], vec![]),
        ("home", T::A, ResponseCode::Refused, vec![], vec![]),
        (".", T::NS, ResponseCode::Refused, vec![], vec![]),
        ("elsewhere.example", T::A, ResponseCode::Refused, vec![], vec![]),
    ] {
        let message = ask(question, kind).message(&snapshot);
        assert_eq!(message.metadata.response_code, rcode, "{question} {kind}");
        assert_eq!(message.metadata.authoritative, rcode != ResponseCode::Refused, "{question} {kind}");
        assert_eq!(owners(&message.answers), answers, "{question} {kind}");
        assert_eq!(owners(&message.authorities), authority, "{question} {kind}");
    }
}

#[test]
fn rfc1034_s3_6_2_aliases_are_followed_inside_local_data() {
    let snapshot = lab();
    let message = ask("Alias.lab.test", RecordType::A).message(&snapshot);
    assert_eq!(owners(&message.answers), ["Alias.lab.test.", "WWW.lab.test.", "WWW.lab.test."]);
    assert!(matches!(message.answers[0].data, RData::CNAME(_)) && message.metadata.authoritative);
    let message = ask("nas.home", RecordType::A).message(&snapshot);
    assert_eq!(owners(&message.answers), ["nas.home.", "loose.test."]);
    for only_alias in ["far.lab.test", "tv.home"] {
        let message = ask(only_alias, RecordType::A).message(&snapshot);
        assert_eq!((message.answers.len(), message.authorities.len()), (1, 0), "{only_alias}");
        assert_eq!(message.metadata.response_code, ResponseCode::NoError);
    }
    let message = ask("alias.lab.test", RecordType::CNAME).message(&snapshot);
    assert_eq!(owners(&message.answers), ["alias.lab.test."]);
}

#[test]
fn rfc6604_s3_the_rcode_is_that_of_the_last_name() {
    let snapshot = lab();
    let message = ask("gone.lab.test", RecordType::A).message(&snapshot);
    assert_eq!(message.metadata.response_code, ResponseCode::NXDomain);
    assert_eq!(
        (owners(&message.answers), owners(&message.authorities)),
        (vec!["gone.lab.test.".into()], vec!["lab.test.".into()])
    );
    let message = ask("alias.lab.test", RecordType::AAAA).message(&snapshot);
    assert_eq!(message.metadata.response_code, ResponseCode::NoError);
    assert_eq!(owners(&message.authorities), ["lab.test."]);
}

#[test]
fn loops_and_long_chains_of_aliases_end() {
    let snapshot = lab();
    assert_eq!(ask("ping.lab.test", RecordType::A).message(&snapshot).answers.len(), 2);
    assert_eq!(ask("self.lab.test", RecordType::A).message(&snapshot).answers.len(), 1);
    let names: Vec<_> = (0..40).map(|at| format!("n{at}.{}", "x".repeat(60))).collect();
    let chain: Vec<_> = names.windows(2).map(|pair| (pair[0].as_str(), RecordType::CNAME, 1, wire(&pair[1]))).collect();
    let question = Ask { transport: Transport::Tcp, ..ask(&names[0], RecordType::A) };
    let answers = question.message(&serve(Rules::default(), &chain)).answers.len();
    assert_eq!(answers, lookup::MAX_CHAIN + 1, "the last one is given but not followed");
}

#[test]
fn rfc2308_s3_negative_replies_carry_the_soa_with_the_lower_of_ttl_and_minimum() {
    let snapshot = lab();
    for (question, kind, zone, ttl) in [
        ("nope.lab.test", RecordType::A, "lab.test.", 60),
        ("www.lab.test", RecordType::MX, "lab.test.", 60),
        ("nope.sub.lab.test", RecordType::A, "sub.lab.test.", 20),
    ] {
        let authorities = ask(question, kind).message(&snapshot).authorities;
        assert_eq!((authorities[0].name.to_string().as_str(), authorities[0].ttl), (zone, ttl));
        assert!(matches!(authorities[0].data, RData::SOA(_)));
    }
    let positive = ask("lab.test", RecordType::SOA).message(&snapshot);
    assert_eq!(positive.answers[0].ttl, 3600, "asked for itself, the SOA keeps its TTL");
}

#[test]
fn rfc2308_s2_the_outcome_tells_nodata_from_nxdomain() {
    let snapshot = lab();
    assert!(ask("www.lab.test", RecordType::MX).of(&snapshot).0.nodata);
    assert!(ask("loose.test", RecordType::MX).of(&snapshot).0.nodata);
    assert!(!ask("nope.lab.test", RecordType::MX).of(&snapshot).0.nodata);
}

#[test]
fn a_missing_type_of_a_loose_name_goes_on_when_told_so() {
    let snapshot = lab_with(Rules { missing_type_is_nodata: false, ..Rules::default() });
    assert_eq!(ask("host.home", RecordType::MX).of(&snapshot).0.rcode, Rcode::Refused);
    assert_eq!(ask("loose.test", RecordType::A).of(&snapshot).0.rcode, Rcode::NoError);
    assert!(ask("www.lab.test", RecordType::MX).of(&snapshot).0.nodata, "zones are not concerned");
}

#[test]
fn without_local_records_nothing_is_answered() {
    let snapshot = lab_with(Rules { local_records: false, ..Rules::default() });
    let (replied, reply) = ask("host.home", RecordType::A).of(&snapshot);
    assert_eq!((replied.rcode, replied.branch, reply.len()), (Rcode::Refused, Branch::Refused, 12 + 15));
}

#[test]
fn rfc6891_s6_opt_is_answered_only_when_sent() {
    let snapshot = lab();
    for (payload, version, dnssec_ok) in [(4096, 0, false), (1232, 0, true), (0, 0, true)] {
        let question = Ask { edns: Some((payload, version, dnssec_ok)), ..ask("www.lab.test", RecordType::A) };
        let message = question.message(&snapshot);
        let edns = message.edns.expect("there");
        assert_eq!((edns.max_payload(), edns.version(), edns.flags().dnssec_ok), (1232, 0, dnssec_ok));
        assert_eq!(message.answers.len(), 2);
    }
    let refused = Ask { edns: Some((1232, 0, false)), ..ask("elsewhere.example", RecordType::A) };
    assert!(refused.message(&snapshot).edns.is_some());
}

#[test]
fn rfc6891_s6_1_3_versions_that_we_do_not_speak_get_badvers() {
    let question = Ask { edns: Some((1232, 1, true)), ..ask("www.lab.test", RecordType::A) };
    let message = question.message(&lab());
    let edns = message.edns.expect("there");
    assert_eq!((edns.version(), edns.rcode_high(), message.answers.len()), (0, 1, 0));
    assert_eq!(question.of(&lab()).0.rcode, Rcode::BadVers);
}

#[test]
fn rfc2181_s9_what_does_not_fit_is_left_out_whole_and_tc_says_so() {
    let snapshot = lab_with(Rules { max_udp_payload: 4096, ..Rules::default() });
    for (edns, transport, answers, truncated) in [
        (None, Transport::Udp, 0, true),
        (Some((512, 0, false)), Transport::Udp, 0, true),
        (Some((2000, 0, false)), Transport::Udp, 0, true),
        (Some((4096, 0, false)), Transport::Udp, 20, false),
        (Some((65535, 0, false)), Transport::Udp, 20, false),
        (None, Transport::Tcp, 20, false),
    ] {
        let message = Ask { edns, transport, ..ask("big.lab.test", RecordType::TXT) }.message(&snapshot);
        assert_eq!(
            (message.answers.len(), message.metadata.truncation),
            (answers, truncated),
            "{edns:?} {transport:?}"
        );
        assert_eq!(message.edns.is_some(), edns.is_some());
    }
    let over_64k = Ask { transport: Transport::Tcp, ..ask("huge.lab.test", RecordType::TXT) }.message(&snapshot);
    assert!(over_64k.metadata.truncation && over_64k.answers.is_empty());
}

#[test]
fn our_own_limit_holds_whatever_the_client_takes() {
    let question = Ask { edns: Some((65535, 0, false)), ..ask("big.lab.test", RecordType::TXT) };
    assert!(question.of(&lab()).0.truncated);
}

#[test]
fn rfc8482_s4_1_any_gets_one_set_or_notimp() {
    let message = ask("www.lab.test", RecordType::ANY).message(&lab());
    assert_eq!(owners(&message.answers), ["www.lab.test."; 2]);
    assert!(message.answers.iter().all(|record| record.record_type() == Kind::A));
    let alias = ask("alias.lab.test", RecordType::ANY).message(&lab());
    assert_eq!((owners(&alias.answers), alias.answers[0].record_type()), (vec!["alias.lab.test.".into()], Kind::CNAME));
    assert_eq!(ask("nope.lab.test", RecordType::ANY).of(&lab()).0.rcode, Rcode::NxDomain);
    assert!(ask("deep.lab.test", RecordType::ANY).of(&lab()).0.nodata);
    let strict = lab_with(Rules { refuse_any: true, ..Rules::default() });
    assert_eq!(ask("www.lab.test", RecordType::ANY).of(&strict).0.rcode, Rcode::NotImp);
}

#[test]
fn rfc5936_s2_2_1_zones_are_not_handed_out_and_what_is_no_zone_cannot_be() {
    use RecordType as T;
    let snapshot = lab();
    for (name, kind, transport, rcode) in [
        ("lab.test", T::AXFR, Transport::Udp, Rcode::NotImp),
        ("LAB.test", T::AXFR, Transport::Tcp, Rcode::Refused),
        ("lab.test", T::IXFR, Transport::Udp, Rcode::Refused),
        ("www.lab.test", T::AXFR, Transport::Udp, Rcode::NotImp),
        ("www.lab.test", T::AXFR, Transport::Tcp, Rcode::NotAuth),
        ("elsewhere.example", T::IXFR, Transport::Udp, Rcode::NotAuth),
    ] {
        assert_eq!(Ask { transport, ..ask(name, kind) }.of(&snapshot).0.rcode, rcode, "{name} {kind} {transport:?}");
    }
}

#[test]
fn types_that_are_never_data_are_types_that_no_name_has() {
    use RecordType as T;
    let snapshot = lab();
    for kind in [T::OPT, T::TSIG, T::TKEY, T::MAILA, T::MAILB, RecordType(0), RecordType(128), RecordType(65535)] {
        assert!(ask("www.lab.test", kind).of(&snapshot).0.nodata, "{kind}");
        assert_eq!(ask("nope.lab.test", kind).of(&snapshot).0.rcode, Rcode::NxDomain, "{kind}");
        assert_eq!(ask("elsewhere.example", kind).of(&snapshot).0.rcode, Rcode::Refused, "{kind}");
    }
}

#[test]
fn rfc4035_s2_5_rrsig_and_nsec_are_the_aliass_own() {
    for kind in [RecordType::RRSIG, RecordType::NSEC] {
        let message = ask("alias.lab.test", kind).message(&lab());
        assert_eq!((owners(&message.answers), owners(&message.authorities)), (vec![], vec!["lab.test.".to_owned()]));
    }
}

#[test]
fn other_classes_are_refused() {
    use RecordType as T;
    let snapshot = lab();
    for class in [0, 3, 4, 254, 255] {
        assert_eq!(Ask { class, ..ask("www.lab.test", T::A) }.of(&snapshot).0.rcode, Rcode::Refused, "class {class}");
    }
}

#[test]
fn rfc1035_s4_1_1_other_opcodes_get_notimp_and_keep_theirs() {
    for opcode in 1..16u16 {
        let question = Ask { flags: opcode << 11 | 0x0100, ..ask("www.lab.test", RecordType::A) };
        let (replied, reply) = question.of(&lab());
        assert_eq!(replied.rcode, Rcode::NotImp);
        assert_eq!(reply[2], 0x80 | (opcode as u8) << 3 | 1);
        assert_eq!(reply[12..], question.bytes()[12..], "the question is repeated");
    }
    let headless = [0, 7, 0x28, 0, 0, 9, 0, 9, 0, 9, 0, 9];
    let mut reply = Vec::new();
    answer(&headless, &asker(Transport::Udp), &lab(), &mut reply);
    assert_eq!(reply, [0, 7, 0xa8, 4, 0, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn malformed_queries_get_formerr_with_their_id() {
    let mut bytes = ask("www.lab.test", RecordType::A).bytes();
    bytes.pop();
    let mut reply = Vec::new();
    answer(&bytes, &asker(Transport::Udp), &lab(), &mut reply);
    assert_eq!(reply, [0xbe, 0xef, 0x81, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn what_is_not_a_query_gets_no_reply() {
    let snapshot = lab();
    let mut reply = Vec::new();
    let query = ask("www.lab.test", RecordType::A).bytes();
    for length in 0..12 {
        assert_eq!(answer(&query[..length], &asker(Transport::Udp), &snapshot, &mut reply), Outcome::Dropped);
    }
    let response = Ask { flags: 0x8000, ..ask("www.lab.test", RecordType::A) }.bytes();
    assert_eq!(answer(&response, &asker(Transport::Udp), &snapshot, &mut reply), Outcome::Dropped);
    assert!(reply.is_empty());
}

#[test]
fn flags_are_repeated_or_cleared() {
    // RD and CD set, as are AA, TC, RA, Z and AD, which say nothing in a query.
    let (_, reply) = Ask { flags: 0x07f0, ..ask("www.lab.test", RecordType::A) }.of(&lab());
    assert_eq!(reply[2..4], [0x85, 0x10], "QR, AA, RD; CD");
    let (_, reply) = Ask { flags: 0, ..ask("elsewhere.example", RecordType::A) }.of(&lab());
    assert_eq!(reply[2..4], [0x80, 5]);
}

#[test]
fn the_root_zone_can_be_ours() {
    let snapshot = serve(Rules::default(), &[(".", RecordType::SOA, 9, soa(9))]);
    let message = ask("no.such.name", RecordType::A).message(&snapshot);
    assert_eq!(
        (message.metadata.response_code, owners(&message.authorities)),
        (ResponseCode::NXDomain, vec![".".into()])
    );
    assert_eq!(owners(&ask(".", RecordType::SOA).message(&snapshot).answers), ["."]);
}

#[test]
fn several_replies_share_one_buffer() {
    let snapshot = lab();
    let mut out = b"before".to_vec();
    answer(&ask("alias.lab.test", RecordType::A).bytes(), &asker(Transport::Tcp), &snapshot, &mut out);
    let (_, alone) = Ask { transport: Transport::Tcp, ..ask("alias.lab.test", RecordType::A) }.of(&snapshot);
    assert_eq!(out, [&b"before"[..], &alone].concat());
}

#[test]
fn replies_fit_the_capacity_that_was_there() {
    let snapshot = lab();
    let mut reply = Vec::with_capacity(1232);
    let before = (reply.as_ptr(), reply.capacity());
    for (question, kind) in
        [("www.lab.test", RecordType::A), ("alias.lab.test", RecordType::A), ("nope.lab.test", RecordType::A)]
    {
        reply.clear();
        answer(&ask(question, kind).bytes(), &asker(Transport::Udp), &snapshot, &mut reply);
        assert_eq!((reply.as_ptr(), reply.capacity()), before);
    }
}

/// Names and types around those of `lab`, so that many hit.
fn any_question() -> impl Strategy<Value = Ask> {
    let label =
        prop::sample::select(vec!["www", "lab", "test", "big", "alias", "gone", "deep", "a", "home", "nas", "X"]);
    let kinds = prop::sample::select(vec![1u16, 2, 5, 6, 16, 28, 41, 250, 251, 252, 255, 65280]);
    let edns = prop::option::of((any::<u16>(), 0u8..2, any::<bool>()));
    let transport = prop::sample::select(vec![Transport::Udp, Transport::Tcp]);
    (prop::collection::vec(label, 0..5), kinds, any::<u16>(), edns, transport).prop_map(
        |(labels, kind, flags, edns, transport)| {
            let flags = if flags % 4 == 0 { flags } else { flags & 0x07ff };
            Ask { name: labels.join("."), kind, class: 1, flags, edns, transport }
        },
    )
}

/// What must hold for any bytes at all.
fn check(snapshot: &Snapshot, bytes: &[u8], transport: Transport) -> Result<(), TestCaseError> {
    let mut reply = Vec::new();
    let outcome = answer(bytes, &asker(transport), snapshot, &mut reply);
    let is_query = bytes.len() >= 12 && bytes[2] & 0x80 == 0;
    prop_assert_eq!(matches!(outcome, Outcome::Replied(_)), is_query);
    if !is_query {
        prop_assert!(reply.is_empty());
        return Ok(());
    }
    let edns = Query::parse(bytes).ok().and_then(|query| query.edns);
    let limit = match transport {
        Transport::Udp => edns.map_or(512, |edns| usize::from(edns.payload).clamp(512, 1232)),
        _ => MAX_TCP,
    };
    prop_assert!(reply.len() <= limit, "{} over {}", reply.len(), limit);
    prop_assert_eq!(&reply[..2], &bytes[..2]);
    prop_assert_eq!(reply[2] & 0x80, 0x80);
    let parsed = Message::from_vec(&reply);
    prop_assert!(parsed.is_ok(), "{:?}", parsed.err());
    prop_assert_eq!(parsed.map(|message| message.edns.is_some()).ok(), Some(edns.is_some() && bytes[2] & 0x78 == 0));
    Ok(())
}

proptest! {
    #[test]
    fn questions_get_sound_replies(question in any_question()) {
        check(&lab(), &question.bytes(), question.transport)?;
    }

    #[test]
    fn damaged_questions_get_sound_replies_or_none(
        question in any_question(), damage in prop::collection::vec((0usize..80, any::<u8>()), 0..4), length in 0usize..120,
    ) {
        let mut bytes = question.bytes();
        for (at, octet) in damage {
            if let Some(place) = bytes.get_mut(at) {
                *place = octet;
            }
        }
        bytes.truncate(length);
        check(&lab(), &bytes, question.transport)?;
    }

    #[test]
    fn any_bytes_get_sound_replies_or_none(bytes in prop::collection::vec(any::<u8>(), 0..700)) {
        check(&lab(), &bytes, Transport::Udp)?;
    }
}
