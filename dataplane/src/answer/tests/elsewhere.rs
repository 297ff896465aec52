//! Claims about names that are not ours: who may have them resolved, what is blocked, what is remembered, and what is said when
//! nobody has an answer.

use super::{tree::told, *};
use crate::{
    filter::BlockList,
    resolve::{
        CachedAnswer, Failure, Security,
        cache::{
            About,
            made::{Made, reply_to},
        },
    },
};
use dnsplane_proto::{
    CacheRules, Limits, QueryLimit, Server, Upstream, Upstreams, Way,
    block_list::{HashKey, Packed, Packing, Scope, value},
};
use std::sync::Arc;

pub(super) const NOW: u32 = 1_600_000_000;

/// Records of ours, upstreams, lists, and what is remembered.
pub(super) struct World {
    pub(super) snapshot: Snapshot,
    pub(super) cache: Cache,
}

fn table(names: &[(&str, Scope)]) -> Packed {
    let mut packing = Packing::new(HashKey::default(), names.len());
    names.iter().for_each(|(text, scope)| packing.push(name(text).as_wire(), value(*scope, 0)));
    packing.finish()
}

pub(super) fn world(rules: Rules) -> World {
    let server =
        |name: &str| Server { name: name.to_owned(), address: "192.0.2.53:53".parse().expect("one"), way: Way::Udp };
    let upstream = |name: &str, domains: &[&str]| {
        let domains = domains.iter().map(|domain| self::name(domain)).collect();
        Upstream { server: server(name), domains, fallback: None }
    };
    let mut snapshot = lab_with(rules);
    snapshot.upstreams = Arc::new(Upstreams {
        upstreams: vec![upstream("one", &[]), upstream("corp", &["corp.test", "2.10.in-addr.arpa"])],
        ..Upstreams::default()
    });
    let blocked = [("ads.example", Scope::Whole), ("wild.example", Scope::Below), ("ads.lab.test", Scope::Whole)];
    let list = BlockList::new(
        HashKey::default(),
        table(&blocked),
        table(&[("good.ads.example", Scope::Whole)]),
        vec!["hosts.txt".into()],
        vec![vec![0]],
    );
    snapshot.block_list = Some(Arc::new(list.expect("sound")));
    let cache = Cache::default();
    cache.obey(Some(CacheRules { octets: 8 << 20, least_ttl: 0, stale: 1000, prefetch: true }));
    World { snapshot, cache }
}

pub(super) fn caching() -> Rules {
    Rules { stale: 1000, prefetch: true, ..Rules::default() }
}

/// Who asks, and when.
#[derive(Clone, Copy)]
pub(super) struct Who<'a> {
    pub(super) address: [u8; 4],
    pub(super) now: u32,
    pub(super) fetched: Option<(&'a Wanted, &'a Fetched)>,
}

pub(super) const HOME: Who<'static> = Who { address: [192, 168, 1, 7], now: NOW, fetched: None };

impl World {
    pub(super) fn asker<'a>(&'a self, who: Who<'a>, transport: Transport) -> Asker<'a> {
        let known = Known { cache: Some(&self.cache), fetched: who.fetched };
        Asker { address: who.address.into(), now: who.now, known, ..asker(transport) }
    }

    pub(super) fn ask(&self, question: &Ask, who: Who<'_>) -> (Outcome, Vec<u8>) {
        let mut reply = Vec::new();
        let outcome = answer(&question.bytes(), &self.asker(who, question.transport), &self.snapshot, &mut reply);
        (outcome, reply)
    }

    #[track_caller]
    fn replied(&self, question: &Ask, who: Who<'_>) -> (Replied, Message) {
        let (outcome, reply) = self.ask(question, who);
        let (Outcome::Replied(replied) | Outcome::ToRenew(replied, _)) = outcome else {
            panic!("{question:?}: {outcome:?}")
        };
        let message = Message::from_vec(&reply).expect("our reply parses");
        assert_eq!(replied.truncated, message.metadata.truncation);
        (replied, message)
    }

    pub(super) fn remember(&self, wanted: &Wanted, made: &Made) -> Arc<CachedAnswer> {
        self.remember_as(wanted, made, Security::Unchecked)
    }

    fn remember_as(&self, wanted: &Wanted, made: &Made, security: Security) -> Arc<CachedAnswer> {
        let about = About { source: "one".into(), security, at_most: u32::MAX, now: NOW };
        self.cache.insert(wanted, &made.bytes(), &about).expect("usable")
    }
}

pub(super) fn wanted(text: &str, kind: RecordType) -> Wanted {
    Wanted { name: wire(text).into(), kind, dnssec_ok: false, checking_disabled: false }
}

fn edns(question: Ask) -> Ask {
    Ask { edns: Some((1232, 0, false)), ..question }
}

/// INFO-CODE of the extended error of a reply (RFC 8914 §2), which is the last option in these tests.
fn extended(reply: &[u8]) -> Option<u16> {
    let (rest, code) = reply.split_last_chunk()?;
    rest.ends_with(&[0, 15, 0, 2]).then(|| u16::from_be_bytes(*code))
}

#[test]
fn each_name_that_is_not_ours_comes_to_the_step_that_is_for_it() {
    use Branch::*;
    let world = world(caching());
    world.remember(
        &wanted("known.example", T::A),
        &reply_to("known.example", Kind::A).answers(&["known.example 60 A 192.0.2.9"]),
    );
    for (question, kind, branch) in [
        ("www.lab.test", T::A, Some(Local)),
        ("localhost", T::A, Some(Special)),
        ("other.test", T::A, Some(Special)),
        ("1.168.192.in-addr.arpa", T::PTR, Some(Special)),
        ("ads.example", T::A, Some(Blocked)),
        ("x.y.ads.example", T::A, Some(Blocked)),
        ("good.ads.example", T::A, None),
        ("wild.example", T::A, None),
        ("a.wild.example", T::A, Some(Blocked)),
        ("ads.lab.test", T::A, Some(Local)),
        ("known.example", T::A, Some(Cache)),
        ("known.example", T::AAAA, None),
        ("known.example", T::ANY, None),
        // An upstream has these for itself, so it knows better than what they mean elsewhere.
        ("www.corp.test", T::A, None),
        ("3.2.10.in-addr.arpa", T::PTR, None),
        ("3.3.10.in-addr.arpa", T::PTR, Some(Special)),
        // Types that are no data.
        ("unknown.example", T::OPT, Some(Refused)),
        ("unknown.example", T::TSIG, Some(Refused)),
        ("unknown.example", T::MAILB, Some(Refused)),
    ] {
        let asked = ask(question, kind);
        match (world.ask(&asked, HOME), branch) {
            ((Outcome::Replied(replied), reply), Some(branch)) => {
                assert_eq!(replied.branch, branch, "{question} {kind}");
                assert_eq!(reply[3] & 0x80, 0x80, "RA on every reply: {question}");
            }
            ((Outcome::Unresolved(asked), reply), None) => {
                assert_eq!(*asked, wanted(question, kind));
                assert!(reply.is_empty());
            }
            (other, _) => panic!("{question} {kind}: {other:?}"),
        }
    }
}

use RecordType as T;

#[test]
fn only_networks_that_may_have_names_resolved_and_only_with_rd() {
    let world = world(caching());
    world.remember(
        &wanted("known.example", T::A),
        &reply_to("known.example", Kind::A).answers(&["known.example 60 A 192.0.2.9"]),
    );
    let stranger = Who { address: [198, 51, 100, 1], ..HOME };
    let without_rd = Ask { flags: 0, ..edns(ask("known.example", T::A)) };
    for (why, question, who, code) in [
        ("a stranger", edns(ask("known.example", T::A)), stranger, 18),
        ("no RD: what is remembered is nobody's business", without_rd, HOME, 20),
    ] {
        let (replied, _) = world.replied(&question, who);
        let (_, reply) = world.ask(&question, who);
        assert_eq!(
            (replied.rcode, replied.branch, extended(&reply)),
            (Rcode::Refused, Branch::Refused, Some(code)),
            "{why}"
        );
    }
    let (_, message) = world.replied(&ask("www.lab.test", T::A), stranger);
    assert!(!message.metadata.recursion_available, "not for a stranger");
    let (replied, message) = world.replied(&Ask { flags: 0, ..ask("www.lab.test", T::A) }, HOME);
    assert!(replied.branch == Branch::Local && message.metadata.recursion_available);
    let (replied, _) = world.replied(&ask("ads.example", T::A), stranger);
    assert_eq!(replied.branch, Branch::Blocked);
    let alone = lab_with(Rules::default());
    let (replied, reply) = edns(ask("known.example", T::A)).of(&alone);
    assert_eq!((replied.rcode, extended(&reply), reply[3] & 0x80), (Rcode::Refused, Some(20), 0), "no upstream at all");
}

#[test]
fn networks_are_matched_bit_by_bit_and_mapped_addresses_as_what_they_are() {
    let rules = |networks: &[&str]| {
        let networks: Vec<_> = networks.iter().map(|text| text.parse().expect("a network")).collect();
        Rules { networks: networks.into(), ..Rules::default() }
    };
    for (networks, address, may) in [
        (&["192.0.2.0/25"][..], "192.0.2.127", true),
        (&["192.0.2.0/25"], "192.0.2.128", false),
        (&["192.0.2.0/25"], "::ffff:192.0.2.5", true),
        (&["0.0.0.0/0"], "203.0.113.9", true),
        (&["0.0.0.0/0"], "2001:db8::1", false),
        (&["::/0"], "2001:db8::1", true),
        (&["2001:db8::/33", "192.0.2.1/32"], "2001:db8:8000::1", false),
        (&["2001:db8::/33", "192.0.2.1/32"], "192.0.2.1", true),
        (&["2001:db8::1/128"], "2001:db8::1", true),
        (&[], "127.0.0.1", false),
    ] {
        assert_eq!(rules(networks).may_recurse(address.parse().expect("an address")), may, "{networks:?} {address}");
    }
    for (address, may) in [
        ("127.0.0.1", true),
        ("10.1.2.3", true),
        ("::1", true),
        ("fe80::1", true),
        ("8.8.8.8", false),
        ("2001:db8::1", false),
    ] {
        assert_eq!(Rules::default().may_recurse(address.parse().expect("an address")), may, "{address} by default");
    }
}

#[test]
fn a_blocked_name_leads_nowhere() {
    let world = world(caching());
    let soa = "u ads.example. 300 SOA 1 300";
    for (question, kind, expected) in [
        ("x.ads.example", T::A, "No Error aa; x.ads.example. 300 A 0.0.0.0"),
        ("ADS.example", T::AAAA, "No Error aa; ADS.example. 300 AAAA ::"),
        ("ads.example", T::ANY, "No Error aa; ads.example. 300 A 0.0.0.0"),
        ("x.ads.example", T::HTTPS, &format!("No Error aa; {soa}")),
        ("ads.example", T::MX, &format!("No Error aa; {soa}")),
    ] {
        let (replied, message) = world.replied(&ask(question, kind), HOME);
        assert_eq!(told(&message), expected, "{question} {kind}");
        assert_eq!((replied.branch, replied.nodata), (Branch::Blocked, expected.ends_with(soa)));
        let (_, reply) = world.ask(&edns(ask(question, kind)), HOME);
        assert_eq!(extended(&reply), Some(15), "RFC 8914 s4.16");
    }
}

#[test]
fn what_is_remembered_of_a_name_does_not_count_once_it_is_blocked_unless_blocking_is_paused() {
    let mut world = world(caching());
    world.remember(
        &wanted("ads.example", T::A),
        &reply_to("ads.example", Kind::A).answers(&["ads.example 60 A 192.0.2.9"]),
    );
    let branch = |world: &World, now| world.replied(&ask("ads.example", T::A), Who { now, ..HOME }).0.branch;
    assert_eq!(branch(&world, NOW), Branch::Blocked);
    world.snapshot.rules.blocking_paused_until = u64::from(NOW) + 10;
    assert_eq!((branch(&world, NOW + 9), branch(&world, NOW + 10)), (Branch::Cache, Branch::Blocked));
}

#[test]
fn ttls_count_down_and_a_popular_answer_is_renewed_once_near_its_end() {
    let world = world(caching());
    let question = ask("www.example.org", T::A);
    let asked = wanted("www.example.org", T::A);
    world.remember(&asked, &reply_to("www.example.org", Kind::A).answers(&["www.example.org 300 A 192.0.2.9"]));
    let at = |now: u32| {
        let (outcome, reply) = world.ask(&question, Who { now: NOW + now, ..HOME });
        let message = Message::from_vec(&reply).expect("our reply parses");
        let renews = match outcome {
            Outcome::Replied(replied) if replied.branch == Branch::Cache => false,
            Outcome::ToRenew(replied, wanted) if replied.branch == Branch::Cache && *wanted == asked => true,
            other => panic!("{other:?}"),
        };
        (message.answers[0].ttl, message.metadata.authoritative, renews)
    };
    assert_eq!(at(0), (300, false, false));
    assert_eq!(at(100), (200, false, false));
    assert_eq!(at(280), (20, false, true), "asked for three times, and a tenth of the time is left");
    assert_eq!((at(281), at(284)), ((19, false, false), (16, false, false)), "somebody was told so already");
    assert_eq!(at(286), (14, false, true), "and has not done it");
    let (outcome, _) = world.ask(&question, Who { now: NOW + 1300, ..HOME });
    assert_eq!(outcome, Outcome::Unresolved(Box::new(asked)), "too old even for a last resort");
}

#[test]
fn rfc8767_s4_an_answer_past_its_time_is_given_while_it_is_renewed_and_when_nobody_has_another() {
    let world = world(caching());
    let asked = wanted("www.example.org", T::A);
    world.remember(
        &asked,
        &reply_to("www.example.org", Kind::A)
            .answers(&["www.example.org 300 A 192.0.2.9", "www.example.org 500 A 192.0.2.8"]),
    );
    let missing = wanted("no.example.org", T::A);
    world.remember(&missing, &reply_to("no.example.org", Kind::A).rcode(3).authorities(&["example.org 300 SOA 300"]));
    let late = Who { now: NOW + 500, ..HOME };
    let (outcome, reply) = world.ask(&edns(ask("www.example.org", T::A)), late);
    let Outcome::ToRenew(replied, renewed) = outcome else { panic!("{outcome:?}") };
    assert_eq!((replied.branch, *renewed, extended(&reply)), (Branch::Stale, asked.clone(), Some(3)));
    let message = Message::from_vec(&reply).expect("our reply parses");
    assert_eq!(told(&message), "No Error; www.example.org. 1 A #9; www.example.org. 1 A #8");
    let (outcome, _) = world.ask(&ask("www.example.org", T::A), late);
    assert!(matches!(outcome, Outcome::Replied(Replied { branch: Branch::Stale, .. })), "{outcome:?}");
    let (_, reply) = world.ask(&edns(ask("no.example.org", T::A)), late);
    assert_eq!((reply[3] & 15, extended(&reply)), (3, Some(19)), "NXDOMAIN");

    let failed = Fetched::Failed(Failure::Silence);
    let after = Who { fetched: Some((&asked, &failed)), ..late };
    assert_eq!(world.replied(&ask("www.example.org", T::A), after).0.branch, Branch::Stale);
    let bogus = Fetched::Failed(Failure::Bogus(7));
    let after = Who { fetched: Some((&asked, &bogus)), ..late };
    let (replied, message) = world.replied(&ask("www.example.org", T::A), after);
    assert_eq!(
        (replied.rcode, told(&message).as_str()),
        (Rcode::ServFail, "Server Failure"),
        "what was found is worse than nothing"
    );

    let off = Rules { stale: 0, ..caching() };
    let world = World { snapshot: world.snapshot.under(off), ..world };
    let (outcome, _) = world.ask(&ask("www.example.org", T::A), late);
    assert_eq!(outcome, Outcome::Unresolved(Box::new(asked)), "only if the rules say so");
}

#[test]
fn what_was_fetched_is_answered_and_when_nothing_was_the_client_is_told_why() {
    let world = world(caching());
    let asked = wanted("www.example.org", T::A);
    let made = reply_to("www.example.org", Kind::A).answers(&["www.example.org 0 A 192.0.2.9"]);
    let fetched = Fetched::Answer(world.remember(&asked, &made));
    let who = Who { fetched: Some((&asked, &fetched)), ..HOME };
    let (replied, message) = world.replied(&ask("wWw.example.org", T::A), who);
    assert_eq!((replied.branch, told(&message).as_str()), (Branch::Upstream, "No Error; wWw.example.org. 0 A #9"));
    let (outcome, _) = world.ask(&ask("www.example.org", T::A), HOME);
    assert!(matches!(outcome, Outcome::Unresolved(_)), "a TTL of 0 is for one query");
    for (failure, code) in [
        (Failure::Upstreams, 22),
        (Failure::Silence, 23),
        (Failure::Bogus(6), 6),
        (Failure::Bogus(9), 9),
        (Failure::Busy, 14),
    ] {
        let failed = Fetched::Failed(failure);
        let who = Who { fetched: Some((&asked, &failed)), ..HOME };
        let (outcome, reply) = world.ask(&edns(ask("www.example.org", T::A)), who);
        let Outcome::Replied(replied) = outcome else { panic!("{outcome:?}") };
        assert_eq!((replied.branch, replied.rcode, extended(&reply)), (Branch::Failed, Rcode::ServFail, Some(code)));
        let (_, plain) = world.ask(&ask("www.example.org", T::A), who);
        assert_eq!((plain.len(), plain[3] & 15), (12 + 21, 2), "no OPT for who sent none");
    }
}

#[test]
fn an_alias_of_ours_that_leads_elsewhere_is_followed_there() {
    let world = world(caching());
    let question = ask("tv.home", T::A);
    let target = wanted("unknown.example", T::A);
    let (outcome, reply) = world.ask(&question, HOME);
    assert_eq!((outcome, reply.len()), (Outcome::Unresolved(Box::new(target.clone())), 0));
    let made = reply_to("unknown.example", Kind::A)
        .answers(&["unknown.example 60 CNAME b.unknown.example", "b.unknown.example 60 A 192.0.2.9"]);
    let fetched = Fetched::Answer(world.remember(&target, &made));
    let expected = "No Error aa; tv.home. 7 CNAME unknown.example.; unknown.example. 60 CNAME b.unknown.example.; b.unknown.example. 60 A #9";
    let (replied, message) = world.replied(&question, Who { fetched: Some((&target, &fetched)), ..HOME });
    assert_eq!((replied.branch, told(&message).as_str()), (Branch::Upstream, expected));
    let (replied, message) = world.replied(&question, HOME);
    assert_eq!((replied.branch, told(&message).as_str()), (Branch::Cache, expected));

    let aaaa = wanted("unknown.example", T::AAAA);
    world.remember(&aaaa, &reply_to("unknown.example", Kind::AAAA).rcode(3).authorities(&["example 60 SOA 60"]));
    let (replied, message) = world.replied(&ask("tv.home", T::AAAA), HOME);
    assert_eq!(told(&message), "Non-Existent Domain aa; tv.home. 7 CNAME unknown.example.; u example. 60 SOA 1 60");
    assert_eq!(replied.rcode, Rcode::NxDomain, "RFC 6604 s3");

    let failed = Fetched::Failed(Failure::Upstreams);
    let mx = wanted("unknown.example", T::MX);
    let (_, message) = world.replied(&ask("tv.home", T::MX), Who { fetched: Some((&mx, &failed)), ..HOME });
    assert_eq!(told(&message), "Server Failure", "the alias alone would look like an answer");
    for (question, who) in [
        (Ask { flags: 0, ..ask("tv.home", T::A) }, HOME),
        (ask("tv.home", T::A), Who { address: [8, 8, 8, 8], ..HOME }),
    ] {
        let (replied, message) = world.replied(&question, who);
        assert_eq!(
            (replied.branch, told(&message).as_str()),
            (Branch::Local, "No Error aa; tv.home. 7 CNAME unknown.example.")
        );
    }
}

#[test]
fn rfc6840_s5_7_and_s5_8_ad_is_for_who_asks_for_it_and_only_if_it_is_so() {
    let world = world(caching());
    let made = || reply_to("www.example.org", Kind::A).answers(&["www.example.org 60 A 192.0.2.9"]);
    for (security, secure) in [(Security::Secure, true), (Security::Insecure, false), (Security::Unchecked, false)] {
        for (dnssec_ok, checking_disabled) in [(false, false), (true, false), (false, true), (true, true)] {
            let asked = Wanted { dnssec_ok, checking_disabled, ..wanted("www.example.org", T::A) };
            world.remember_as(&asked, &made(), security);
            for ad in [false, true] {
                let flags = 0x0100 | u16::from(ad) << 5 | u16::from(checking_disabled) << 4;
                let question = Ask { flags, edns: Some((1232, 0, dnssec_ok)), ..ask("www.example.org", T::A) };
                let (_, message) = world.replied(&question, HOME);
                let expected = secure && (ad || dnssec_ok) && !checking_disabled;
                assert_eq!(
                    message.metadata.authentic_data, expected,
                    "{security:?} AD {ad} DO {dnssec_ok} CD {checking_disabled}"
                );
                assert_eq!(message.metadata.checking_disabled, checking_disabled);
            }
        }
    }
}

#[test]
fn rfc4035_s3_2_1_signatures_and_proofs_are_for_who_sets_do() {
    let world = world(caching());
    let positive = reply_to("www.example.org", Kind::A)
        .answers(&[
            "www.example.org 60 CNAME b.example.org",
            "www.example.org 60 RRSIG 5 example.org",
            "b.example.org 60 A 192.0.2.9",
            "b.example.org 60 RRSIG 1 example.org",
        ])
        .authorities(&[
            "a.example.org 60 NSEC c.example.org",
            "a.example.org 60 RRSIG 47 example.org",
            "example.org 60 NS ns.example.org",
        ]);
    let negative = reply_to("no.example.org", Kind::A).rcode(3).authorities(&[
        "example.org 60 SOA 60",
        "example.org 60 RRSIG 6 example.org",
        "m.example.org 60 NSEC o.example.org",
        "m.example.org 60 RRSIG 47 example.org",
        "other.net 60 NSEC p.net",
    ]);
    for (dnssec_ok, question, made, sections) in [
        (false, "www.example.org", &positive, (vec![5, 1], vec![])),
        (true, "www.example.org", &positive, (vec![5, 46, 1, 46], vec![47, 46])),
        (false, "no.example.org", &negative, (vec![], vec![6])),
        (true, "no.example.org", &negative, (vec![], vec![6, 46, 47, 46])),
    ] {
        world.remember(&Wanted { dnssec_ok, ..wanted(question, T::A) }, made);
        let (_, reply) = world.ask(&Ask { edns: Some((1232, 0, dnssec_ok)), ..ask(question, T::A) }, HOME);
        let kinds = kinds(&reply);
        assert_eq!(kinds, sections, "{question} DO {dnssec_ok}");
    }
}

/// Types of the records of answer and authority section.
fn kinds(reply: &[u8]) -> (Vec<u16>, Vec<u16>) {
    let mut at = 12 + crate::wire_name::split(&reply[12..]).expect("a question").len() + 4;
    let mut section = |count: u8| {
        (0..count)
            .map(|_| {
                while (1..64).contains(&reply[at]) {
                    at += 1 + usize::from(reply[at]);
                }
                at += if reply[at] == 0 { 1 } else { 2 };
                let kind = u16::from_be_bytes([reply[at], reply[at + 1]]);
                at += 10 + usize::from(u16::from_be_bytes([reply[at + 8], reply[at + 9]]));
                kind
            })
            .collect()
    };
    (section(reply[7]), section(reply[9]))
}

#[test]
fn rfc2181_s9_an_answer_that_does_not_fit_is_left_out_whole() {
    let world = world(caching());
    let lines: Vec<String> = (0..40).map(|at| format!("www.example.org 60 A 192.0.2.{at}")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    world.remember(&wanted("www.example.org", T::A), &reply_to("www.example.org", Kind::A).answers(&lines));
    for (edns, transport, answers) in
        [(None, Transport::Udp, 0), (Some((1232, 0, false)), Transport::Udp, 40), (None, Transport::Tcp, 40)]
    {
        let (replied, message) = world.replied(&Ask { edns, transport, ..ask("www.example.org", T::A) }, HOME);
        assert_eq!((message.answers.len(), replied.truncated), (answers, answers == 0), "{edns:?} {transport:?}");
    }
}

#[test]
fn what_an_upstream_said_of_why_is_passed_on() {
    let world = world(caching());
    world.remember(
        &wanted("www.example.org", T::A),
        &reply_to("www.example.org", Kind::A).rcode(3).authorities(&["example.org 60 SOA 60"]).extended_error(17),
    );
    let (_, reply) = world.ask(&edns(ask("www.example.org", T::A)), HOME);
    assert_eq!(extended(&reply), Some(17));
}

#[test]
fn a_query_that_comes_twice_takes_one_token() {
    let limits = Limits { queries: Some(QueryLimit { millis_per_second: 1, burst: 2 }), ..Limits::default() };
    let world = world(Rules { limits, ..caching() });
    let limiter = crate::Limiter::new();
    let question = ask("www.example.org", T::A).bytes();
    let asked = wanted("www.example.org", T::A);
    let failed = Fetched::Failed(Failure::Silence);
    let branch = |who| {
        let mut reply = Vec::new();
        match limiter.answer(&question, &world.asker(who, Transport::Udp), &world.snapshot, &mut reply) {
            Outcome::Replied(replied) => Some(replied.branch),
            Outcome::Unresolved(_) => None,
            other => panic!("{other:?}"),
        }
    };
    let second = Who { fetched: Some((&asked, &failed)), ..HOME };
    for _ in 0..2 {
        assert_eq!((branch(HOME), branch(second)), (None, Some(Branch::Failed)));
    }
    assert_eq!(branch(HOME), Some(Branch::Limited));
    assert_eq!(branch(second), Some(Branch::Failed));
}
