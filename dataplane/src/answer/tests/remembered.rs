//! Properties of replies that are made of upstreams' messages, whatever these are; and what such replies cost.

use super::{
    elsewhere::{HOME, NOW, Who, World, caching, wanted, world},
    *,
};
use crate::resolve::{
    Security,
    cache::{
        About, Unusable,
        made::{Made, record, reply_to},
    },
};

fn about() -> About {
    About { source: "one".into(), security: Security::Unchecked, at_most: u32::MAX, now: NOW }
}

/// An upstream's answer for `unknown.example`, and the lines of what a client should get of it.
#[derive(Debug)]
struct Answer {
    kind: RecordType,
    name: String,
    answers: Vec<String>,
    authorities: Vec<String>,
    noise: Vec<String>,
    rcode: u16,
}

impl Answer {
    fn made(&self) -> Made {
        let lines = |lines: &[String]| lines.iter().map(|line| record(line)).collect::<Vec<_>>();
        let mut made = reply_to(&self.name, Kind::from(self.kind.0)).rcode(self.rcode);
        made.message.add_answers(lines(&self.answers));
        made.message.add_authorities(lines(&self.authorities));
        made.message.add_authorities(lines(&self.noise));
        made.message.add_additionals(lines(&self.noise));
        made
    }
}

/// Names that share suffixes with the question, with each other, and with nothing.
fn any_name() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "unknown.example",
        "UNKNOWN.example",
        "www.unknown.example",
        "www.WWW.unknown.example",
        "example",
        "a.example",
        "b.a.example",
        "elsewhere.net",
        "www.elsewhere.net",
        "net",
        "x.y.z.elsewhere.net",
        ".",
    ])
    .prop_map(str::to_owned)
}

fn any_value() -> impl Strategy<Value = (RecordType, Vec<String>)> {
    let some = |text: fn(String, u8) -> String| {
        prop::collection::vec((any_name(), any::<u8>()).prop_map(move |(name, number)| text(name, number)), 1..6)
    };
    prop_oneof![
        some(|_, number| format!("A 192.0.2.{number}")).prop_map(|lines| (RecordType::A, lines)),
        some(|_, number| format!("AAAA 2001:db8::{number}")).prop_map(|lines| (RecordType::AAAA, lines)),
        some(|name, number| format!("MX {number} {name}")).prop_map(|lines| (RecordType::MX, lines)),
        some(|name, number| format!("SRV 1 2 {number} {name}")).prop_map(|lines| (RecordType::SRV, lines)),
        some(|name, _| format!("NS {name}")).prop_map(|lines| (RecordType::NS, lines)),
        some(|name, _| format!("PTR {name}")).prop_map(|lines| (RecordType::PTR, lines)),
        some(|_, number| format!("TXT {}", "text ".repeat(usize::from(number) / 6)))
            .prop_map(|lines| (RecordType::TXT, lines)),
        some(|_, number| format!("SOA {number}")).prop_map(|lines| (RecordType::SOA, lines)),
    ]
}

fn any_answer() -> impl Strategy<Value = Answer> {
    let chain = prop::collection::vec(any_name(), 0..4);
    (
        any_value(),
        chain,
        any::<bool>(),
        any::<bool>(),
        1..5000u32,
        prop::sample::select(vec!["unknown.example", "Unknown.EXAMPLE"]),
    )
        .prop_map(|((kind, values), mut chain, negative, missing, ttl, name)| {
            chain.dedup_by_key(|name| name.to_lowercase());
            let (mut owner, mut answers, mut seen) = (name.to_owned(), vec![], vec![name.to_lowercase()]);
            for target in chain {
                if seen.contains(&target.to_lowercase()) {
                    continue;
                }
                seen.push(target.to_lowercase());
                answers.push(format!("{owner} {ttl} CNAME {target}"));
                owner = target;
            }
            let (mut authorities, mut rcode) = (vec![], 0);
            if negative {
                let zone = owner.rsplit('.').find(|label| !label.is_empty()).unwrap_or(".").to_lowercase();
                authorities.push(format!("{zone} {ttl} SOA 9999"));
                rcode = if missing { 3 } else { 0 };
            } else {
                answers.extend(values.iter().map(|value| format!("{owner} {ttl} {value}")));
            }
            let noise = vec!["other.org 9 A 192.0.2.77".to_owned(), "com 9 NS ns.other.org".to_owned()];
            Answer { kind, name: name.to_owned(), answers, authorities, noise, rcode }
        })
}

/// Records as they compare: names without case, and no TTL.
fn plain(records: &[Record]) -> Vec<String> {
    let mut plain: Vec<_> = records
        .iter()
        .map(|record| format!("{} {} {}", record.name, record.record_type(), record.data).to_lowercase())
        .collect();
    plain.sort();
    plain
}

fn asking(kind: RecordType, name: &str) -> Ask {
    Ask { transport: Transport::Tcp, ..ask(name, kind) }
}

/// What must hold of an answer that came from an upstream, for a question of its own and behind an alias of ours.
fn check_told(world: &World, answer: &Answer) -> Result<(), TestCaseError> {
    let asked = wanted("unknown.example", answer.kind);
    let kept = world.cache.insert(&asked, &answer.made().bytes(), &about());
    prop_assert!(kept.is_ok(), "{:?}", kept.err());
    let lines = |lines: &[String]| plain(&lines.iter().map(|line| record(line)).collect::<Vec<_>>());
    for (question, alias) in [("unKnown.example", None), ("tv.home", Some("tv.home 7 CNAME unknown.example"))] {
        let (outcome, reply) = world.ask(&asking(answer.kind, question), Who { now: NOW, ..HOME });
        prop_assert!(
            matches!(outcome, Outcome::Replied(Replied { branch: Branch::Cache, truncated: false, .. })),
            "{:?}",
            outcome
        );
        let message = Message::from_vec(&reply).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let answers: Vec<String> = alias.map(str::to_owned).into_iter().chain(answer.answers.iter().cloned()).collect();
        prop_assert_eq!(plain(&message.answers), lines(&answers));
        prop_assert_eq!(plain(&message.authorities), lines(&answer.authorities));
        prop_assert_eq!(message.additionals.len(), 0);
        prop_assert_eq!(u16::from(message.metadata.response_code), answer.rcode);
    }
    Ok(())
}

/// What must hold whatever an upstream sends.
fn check_any(world: &World, kind: RecordType, dnssec_ok: bool, bytes: &[u8]) -> Result<(), TestCaseError> {
    let asked = Wanted { dnssec_ok, ..wanted("unknown.example", kind) };
    world.cache.flush(&asked.name, false);
    if world.cache.insert(&asked, bytes, &about()).is_err() {
        return Ok(());
    }
    for (name, transport, payload) in [
        ("unknown.example", Transport::Udp, 512),
        ("unknown.example", Transport::Tcp, 512),
        ("tv.home", Transport::Udp, 1232),
        ("tv.home", Transport::Tcp, 512),
    ] {
        let question = Ask { edns: Some((payload, 0, dnssec_ok)), transport, ..ask(name, kind) };
        let (outcome, reply) = world.ask(&question, HOME);
        if matches!(outcome, Outcome::Unresolved(_)) {
            continue; // a TTL of 0
        }
        let limit = if transport == Transport::Udp { usize::from(payload) } else { MAX_TCP };
        prop_assert!(reply.len() <= limit);
        prop_assert!(sound(&reply).is_some(), "{:02x?}", reply);
    }
    Ok(())
}

/// Walks over a reply: every owner is a name, every pointer leads backwards, counts and lengths are right.
fn sound(reply: &[u8]) -> Option<()> {
    let counts: Vec<u16> = (2..6).map(|at| u16::from_be_bytes([reply[2 * at], reply[2 * at + 1]])).collect();
    let mut at = 12;
    for number in 0..counts.iter().sum::<u16>() {
        at = behind_name(reply, at)?;
        at += if number == 0 {
            4
        } else {
            10 + usize::from(u16::from_be_bytes([*reply.get(at + 8)?, *reply.get(at + 9)?]))
        };
    }
    (at == reply.len()).then_some(())
}

fn behind_name(reply: &[u8], start: usize) -> Option<usize> {
    let (mut at, mut end, mut octets) = (start, None, 0);
    loop {
        match *reply.get(at)? {
            0 => return (octets < 255).then_some(end.unwrap_or(at + 1)),
            length @ 1..=63 => {
                at += usize::from(length) + 1;
                octets += usize::from(length) + 1;
            }
            high @ 192.. => {
                let to = usize::from(high & 63) << 8 | usize::from(*reply.get(at + 1)?);
                end = end.or(Some(at + 2));
                at = (12..at).contains(&to).then_some(to)?;
            }
            _ => return None,
        }
    }
}

proptest! {
    #[test]
    fn what_an_upstream_said_is_what_a_client_is_told(answer in any_answer()) {
        check_told(&world(caching()), &answer)?;
    }

    #[test]
    fn damaged_messages_of_upstreams_make_sound_replies_or_none(
        answer in any_answer(), dnssec_ok: bool, damage in prop::collection::vec((12usize..400, any::<u8>()), 0..6), length in 0usize..800,
    ) {
        let mut bytes = answer.made().bytes();
        for (at, octet) in damage {
            if let Some(place) = bytes.get_mut(at) {
                *place = octet;
            }
        }
        bytes.truncate(length.max(bytes.len() / 2));
        check_any(&world(caching()), answer.kind, dnssec_ok, &bytes)?;
    }

    #[test]
    fn any_octets_behind_a_question_make_sound_replies_or_none(
        counts in prop::array::uniform3(0u8..4), octets in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut bytes = reply_to("unknown.example", Kind::A).bytes();
        (bytes[7], bytes[9], bytes[11]) = (counts[0], counts[1], counts[2]);
        bytes.extend(octets);
        check_any(&world(caching()), RecordType::A, true, &bytes)?;
    }
}

#[test]
fn rfc1035_s4_1_4_an_answer_whose_names_no_pointer_reaches_is_left_out_whole() {
    let world = world(caching());
    let asked = Wanted { dnssec_ok: true, ..wanted("unknown.example", RecordType::MX) };
    let mut left_out = 0;
    // A name that is pointed to lies just before the last octet that a pointer reaches, or just behind it.
    for length in 1..64 {
        let mut lines = vec!["unknown.example 60 CNAME b.example".to_owned()];
        lines.extend(
            (0..250).map(|number| {
                format!("unknown.example 60 RRSIG 5 {}", "s".repeat(if number > 0 { 1 } else { length }))
            }),
        );
        lines.extend(["b.example 60 MX 1 mx.elsewhere.net", "b.example 60 MX 2 mx.elsewhere.net"].map(str::to_owned));
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let made = reply_to("unknown.example", Kind::MX).answers(&lines);
        world.cache.insert(&asked, &made.bytes(), &about()).expect("usable");
        for (name, records) in [("unknown.example", 253), ("tv.home", 254)] {
            let question = Ask { edns: Some((1232, 0, true)), ..asking(RecordType::MX, name) };
            let (outcome, reply) = world.ask(&question, HOME);
            assert!(sound(&reply).is_some(), "{name} {length}");
            let Outcome::Replied(replied) = outcome else { panic!("{outcome:?}") };
            let answers = u16::from_be_bytes([reply[6], reply[7]]);
            let expected = if replied.truncated { records - 253 } else { records };
            assert_eq!(answers, expected, "{name} {length}");
            left_out += usize::from(replied.truncated);
        }
    }
    assert!((1..60).contains(&left_out), "{left_out} left out: this test looks at the wrong place");
}

#[test]
fn what_is_remembered_blocked_or_past_its_time_is_told_without_allocating() {
    let world = world(caching());
    world
        .cache
        .insert(
            &wanted("unknown.example", RecordType::A),
            &reply_to("unknown.example", Kind::A)
                .answers(&["unknown.example 60 CNAME b.example", "b.example 60 A 192.0.2.1"])
                .bytes(),
            &about(),
        )
        .expect("usable");
    let queries: Vec<_> = ["unknown.example", "tv.home", "x.ads.example", "www.lab.test"]
        .map(|name| Ask { edns: Some((1232, 0, false)), ..ask(name, RecordType::A) }.bytes())
        .into();
    let mut reply = Vec::with_capacity(4096);
    // Whoever has to renew it is told so, once, and that takes a box.
    world.ask(&ask("unknown.example", RecordType::A), Who { now: NOW + 100, ..HOME });
    for now in [NOW, NOW + 101] {
        let asker = world.asker(Who { now, ..HOME }, Transport::Udp);
        let allocated = allocation_counter::measure(|| {
            for query in &queries {
                reply.clear();
                let outcome = answer(query, &asker, &world.snapshot, &mut reply);
                assert!(matches!(outcome, Outcome::Replied(Replied { rcode: Rcode::NoError, .. })), "{outcome:?}");
            }
        });
        assert_eq!((allocated.count_total, allocated.bytes_total), (0, 0), "at {now}");
    }
    assert!(matches!(world.cache.insert(&wanted("a.example", RecordType::A), &[], &about()), Err(Unusable::Malformed)));
}
