//! Claims about names with a meaning of their own, and about what a server says of itself.

use super::{tree::told, *};
use RecordType as T;

const LOOPBACK_6: &str = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa";

#[track_caller]
fn claim(snapshot: &Snapshot, table: &[(&str, RecordType, &str)]) {
    for (name, kind, expected) in table {
        let question = ask(name, *kind);
        let (replied, reply) = question.of(snapshot);
        assert_eq!(replied.branch, Branch::Special, "{name} {kind}");
        assert_eq!(told(&question.message(snapshot)), *expected, "{name} {kind}");
        let nodata = reply[3] & 0x0f == 0 && reply[7] == 0;
        assert_eq!(replied.nodata, nodata, "{name} {kind}");
    }
}

#[test]
fn rfc6761_s6_3_localhost_is_this_host_at_and_below_its_name() {
    for local_records in [true, false] {
        let snapshot = lab_with(Rules { local_records, ..Rules::default() });
        claim(
            &snapshot,
            &[
                ("localhost", T::A, "No Error aa; localhost. 604800 A 127.0.0.1"),
                ("LocalHost", T::AAAA, "No Error aa; LocalHost. 604800 AAAA ::1"),
                ("a.b.localhost", T::A, "No Error aa; a.b.localhost. 604800 A 127.0.0.1"),
                ("localhost", T::ANY, "No Error aa; localhost. 604800 A 127.0.0.1"),
                ("a.localhost", T::MX, "No Error aa; u localhost. 10800 SOA 1 10800"),
                ("1.0.0.127.in-addr.arpa", T::PTR, "No Error aa; 1.0.0.127.in-addr.arpa. 604800 PTR localhost."),
                (LOOPBACK_6, T::PTR, &format!("No Error aa; {LOOPBACK_6}. 604800 PTR localhost.")),
            ],
        );
    }
    let own = serve(Rules::default(), &[("localhost", T::A, 5, vec![192, 0, 2, 1])]);
    assert_eq!(
        told(&ask("localhost", T::A).message(&own)),
        "No Error aa; localhost. 5 A #1",
        "local records come first"
    );
    assert_eq!(told(&ask("xlocalhost", T::A).message(&own)), "Query Refused");
}

#[test]
fn rfc6761_s6_2_and_s6_4_and_rfc7686_s2_names_that_never_exist() {
    let snapshot = serve(Rules::default(), &[("host.lab.test", T::A, 5, vec![192, 0, 2, 1])]);
    for zone in ["invalid", "onion"] {
        let nothing = format!("Non-Existent Domain aa; u {zone}. 10800 SOA 1 10800");
        let below = format!("www.{zone}");
        claim(&snapshot, &[(zone, T::A, &nothing), (&below, T::AAAA, &nothing), (&below, T::ANY, &nothing)]);
    }
    let soa = "u test. 10800 SOA 1 10800";
    claim(
        &snapshot,
        &[
            ("other.test", T::A, &format!("Non-Existent Domain aa; {soa}")),
            // RFC 8020 §2: something is below.
            ("lab.test", T::A, &format!("No Error aa; {soa}").replace("lab.test.", "")),
            ("test", T::A, &format!("No Error aa; {soa}")),
        ],
    );
    assert_eq!(ask("host.lab.test", T::A).of(&snapshot).0.branch, Branch::Local, "unless somebody made one");
    assert_eq!(ask("latest", T::A).of(&snapshot).0.branch, Branch::Refused);
    assert_eq!(ask("invalid.example", T::A).of(&snapshot).0.branch, Branch::Refused);
}

/// RFC 6303 §4.1 to §4.6 and RFC 7793 §2, one by one.
fn private_zones() -> Vec<String> {
    let v4 = ["10", "168.192", "0", "127", "254.169", "2.0.192", "100.51.198", "113.0.203", "255.255.255.255"];
    let v4 = v4.map(str::to_owned).into_iter();
    let v4 =
        v4.chain((16..32).map(|octet| format!("{octet}.172"))).chain((64..128).map(|octet| format!("{octet}.100")));
    let v6 = ["d.f", "8.e.f", "9.e.f", "a.e.f", "b.e.f", "8.b.d.0.1.0.0.2"].map(|zone| format!("{zone}.ip6.arpa"));
    let unspecified = format!("0{}", &LOOPBACK_6[1..]);
    v4.map(|zone| format!("{zone}.in-addr.arpa")).chain(v6).chain([unspecified]).collect()
}

#[test]
fn rfc6303_s3_private_reverse_zones_are_empty() {
    let snapshot = lab();
    for zone in private_zones() {
        let soa = format!("{zone}. 10800 SOA 1 10800");
        let below = format!("b.a.{zone}");
        claim(
            &snapshot,
            &[
                (&zone, T::SOA, &format!("No Error aa; {soa}")),
                (&zone, T::ANY, &format!("No Error aa; {soa}")),
                (&zone, T::NS, &format!("No Error aa; {zone}. 10800 NS {zone}.")),
                (&zone, T::PTR, &format!("No Error aa; u {soa}")),
                (&below, T::PTR, &format!("Non-Existent Domain aa; u {soa}")),
            ],
        );
        let message = ask(&zone, T::SOA).message(&snapshot);
        let shown = message.answers[0].data.to_string();
        assert_eq!(shown, format!("{zone}. nobody.invalid. 1 3600 1200 604800 10800"));
    }
}

#[test]
fn addresses_beside_private_ones_are_not_ours() {
    let snapshot = lab();
    for other in [
        "9",
        "11",
        "126",
        "128",
        "15.172",
        "32.172",
        "167.192",
        "63.100",
        "128.100",
        "253.169",
        "3.0.192",
        "0.192",
        "172",
        "255",
        "254.255.255.255",
        "010",
        "x",
    ] {
        let name = format!("{other}.in-addr.arpa");
        assert_eq!(ask(&name, T::PTR).of(&snapshot).0.rcode, Rcode::Refused, "{name}");
    }
    for other in
        ["f", "7.e.f", "c.e.f", "c.f", "9.b.d.0.1.0.0.2", "0", &LOOPBACK_6[2..63], &format!("2{}", &LOOPBACK_6[1..63])]
    {
        let name = format!("{other}.ip6.arpa");
        assert_eq!(ask(&name, T::PTR).of(&snapshot).0.rcode, Rcode::Refused, "{name}");
    }
}

#[test]
fn the_way_to_the_name_of_the_loopback_address_exists() {
    let soa = "u 127.in-addr.arpa. 10800 SOA 1 10800";
    claim(
        &lab(),
        &[
            ("0.127.in-addr.arpa", T::A, &format!("No Error aa; {soa}")),
            ("0.0.127.in-addr.arpa", T::A, &format!("No Error aa; {soa}")),
            ("1.0.0.127.in-addr.arpa", T::A, &format!("No Error aa; {soa}")),
            ("2.0.0.127.in-addr.arpa", T::PTR, &format!("Non-Existent Domain aa; {soa}")),
            ("1.127.in-addr.arpa", T::A, &format!("Non-Existent Domain aa; {soa}")),
        ],
    );
}

fn chaos(name: &str, kind: RecordType, rules: Rules) -> (Replied, Message) {
    let question = Ask { class: 3, ..ask(name, kind) };
    let snapshot = lab_with(rules);
    (question.of(&snapshot).0, question.message(&snapshot))
}

#[test]
fn rfc4892_s3_questions_about_the_server_are_answered_if_the_operator_said_what() {
    let identity = Rules { identity: Some(b"ns1 \xc3\xa9".as_slice().into()), ..Rules::default() };
    for name in ["id.server", "version.bind", "HOSTNAME.bind", "version.server"] {
        let (replied, message) = chaos(name, T::TXT, identity.clone());
        assert_eq!((replied.rcode, replied.branch), (Rcode::NoError, Branch::Special), "{name}");
        let [answer] = &message.answers[..] else { panic!("{name}: {:?}", message.answers) };
        assert_eq!((u16::from(answer.dns_class), answer.ttl), (3, 0));
        let RData::TXT(text) = &answer.data else { panic!("{:?}", answer.data) };
        assert_eq!(&*text.txt_data[0], b"ns1 \xc3\xa9");
        assert_eq!(chaos(name, T::TXT, Rules::default()).0.rcode, Rcode::Refused, "nothing is told by default");
        assert_eq!(chaos(name, T::A, identity.clone()).0.rcode, Rcode::Refused);
    }
    assert_eq!(chaos("www.lab.test", T::TXT, identity).0.rcode, Rcode::Refused);
    let longest = Rules { identity: Some(vec![b'x'; 255].into()), ..Rules::default() };
    assert_eq!(chaos("id.server", T::TXT, longest).1.answers.len(), 1);
}

#[test]
fn rfc5001_s2_who_asks_for_the_name_of_the_server_gets_it() {
    let mut bytes = Ask { edns: Some((1232, 0, false)), ..ask("www.lab.test", T::A) }.bytes();
    let length = bytes.len() - 2;
    bytes[length..].copy_from_slice(&16u16.to_be_bytes());
    bytes.extend_from_slice(b"\x00\x03\x00\x00\x00\x0a\x00\x08mycookie");
    for (identity, wanted) in [(None, false), (Some(vec![b'n'; 255]), true)] {
        let snapshot = lab_with(Rules { identity: identity.map(Into::into), ..Rules::default() });
        for question in [&bytes[..], &bytes[..length - 9]] {
            let mut reply = Vec::new();
            let mut question = question.to_vec();
            question[11] = u8::from(question.len() == bytes.len());
            answer(&question, &asker(Transport::Udp), &snapshot, &mut reply);
            Message::from_vec(&reply).expect("our reply parses");
            let told = reply.ends_with(&[&b"\x00\x03\x00\xff"[..], &[b'n'; 255]].concat());
            assert_eq!(told, wanted && question[11] == 1, "only who asks is told");
        }
    }
}
