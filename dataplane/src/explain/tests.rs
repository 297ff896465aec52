//! Each step explains itself.

use super::*;
use crate::{
    Builder, Cache, Cookies, Known, Rules, Transport,
    filter::BlockList,
    resolve::{
        Wanted,
        cache::{
            About,
            made::{Made, reply_to},
        },
    },
};
use dnsplane_proto::{
    CacheRules, Generation, RecordData, RecordSet, Server, Upstream, Upstreams, Way,
    block_list::{HashKey, Packing, Scope, value},
};
use hickory_proto::rr::RecordType as Kind;
use std::sync::Arc;

const NOW: u32 = 1_600_000_000;

fn wire(text: &str) -> Vec<u8> {
    Name::parse(text).expect("a name").as_wire().to_vec()
}

fn snapshot() -> Snapshot {
    let mut builder = Builder::new();
    let soa = [wire("ns.lab.test"), wire("root.lab.test"), vec![0; 20]].concat();
    for (owner, kind, rdata) in [
        ("lab.test", RecordType::SOA, soa),
        ("www.lab.test", RecordType::A, vec![192, 0, 2, 1]),
        ("*.wild.lab.test", RecordType::A, vec![192, 0, 2, 1]),
        ("sub.lab.test", RecordType::NS, wire("ns.elsewhere.example")),
        ("old.lab.test", RecordType::DNAME, wire("lab.test")),
        ("nas.home", RecordType::A, vec![192, 0, 2, 2]),
        ("tv.home", RecordType::CNAME, wire("known.example")),
    ] {
        let data = vec![RecordData { ttl: 60, rdata: rdata.into() }];
        builder.apply(&RecordSet { owner: Name::parse(owner).expect("a name"), kind, data }).expect("usable");
    }
    let rules = Rules { stale: 1000, auto_ptr: true, ..Rules::default() };
    let mut snapshot = builder.finish(Generation { session: 1, number: 1 }, rules);
    let server = |name: &str, address: &str| Server {
        name: name.to_owned(),
        address: address.parse().expect("one"),
        way: Way::Udp,
    };
    let upstream = |server, domains: &[&str]| {
        let domains = domains.iter().map(|domain| Name::parse(domain).expect("a name")).collect();
        Upstream { server, domains, fallback: None }
    };
    snapshot.upstreams = Arc::new(Upstreams {
        upstreams: vec![
            upstream(server("one:53", "192.0.2.53:53"), &[]),
            upstream(server("corp-dns", "10.0.0.1:53"), &["corp.test"]),
        ],
        ..Upstreams::default()
    });
    let hash_key = HashKey::default();
    let table = |name: &str, lists: u32| {
        let mut packing = Packing::new(hash_key, 1);
        packing.push(&wire(name), value(Scope::Whole, lists));
        packing.finish()
    };
    let sources = ["hosts.txt", "https://lists.example/ads", "own"].map(Arc::from).to_vec();
    let list = BlockList::new(
        hash_key,
        table("ads.example", 0),
        table("good.ads.example", 1),
        sources,
        vec![vec![0, 1], vec![2]],
    );
    snapshot.block_list = Some(Arc::new(list.expect("sound")));
    snapshot
}

struct World {
    snapshot: Snapshot,
    cache: Cache,
}

impl World {
    fn new() -> Self {
        let cache = Cache::default();
        cache.obey(Some(CacheRules { octets: 1 << 20, least_ttl: 0, stale: 1000, prefetch: false }));
        Self { snapshot: snapshot(), cache }
    }

    fn remember(&self, name: &str, made: &Made, security: Security) -> (Wanted, Fetched) {
        let wanted =
            Wanted { name: wire(name).into(), kind: RecordType::A, dnssec_ok: false, checking_disabled: false };
        let about = About { source: "one:53".into(), security, at_most: u32::MAX, now: NOW };
        let answer = self.cache.insert(&wanted, &made.bytes(), &about).expect("usable");
        (wanted, Fetched::Answer(answer))
    }

    fn explain(
        &self,
        name: &str,
        kind: RecordType,
        address: &str,
        now: u32,
        fetched: Option<(&Wanted, &Fetched)>,
    ) -> (&'static str, String) {
        let cookies = Cookies::with_secret([7; 16]);
        let asker = Asker {
            transport: Transport::Udp,
            address: address.parse().expect("an address"),
            now,
            cookies: &cookies,
            known: Known { cache: Some(&self.cache), fetched },
        };
        let query = [&[1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], &wire(name), &kind.0.to_be_bytes(), &[0, 1]].concat();
        let explained = explain(&query, &asker, &self.snapshot);
        assert_eq!(explained.reply.is_empty(), matches!(explained.outcome, Outcome::Unresolved(_)));
        (explained.step, explained.because)
    }
}

#[test]
fn each_step_says_what_it_was_and_why() {
    use RecordType as T;
    let world = World::new();
    world.remember(
        "known.example",
        &reply_to("known.example", Kind::A).answers(&["known.example 300 A 192.0.2.1"]),
        Security::Secure,
    );
    world.remember(
        "gone.example",
        &reply_to("gone.example", Kind::A).rcode(3).authorities(&["example 300 SOA 300"]),
        Security::Unchecked,
    );
    world.remember("good.ads.example", &reply_to("good.ads.example", Kind::A), Security::Unchecked);
    for (name, kind, step, because) in [
        ("www.lab.test", T::A, "local", "It is a name of the local zone `lab.test.`, and has records."),
        ("www.lab.test", T::MX, "local", "It is a name of the local zone `lab.test.`, and has no record of this type."),
        ("no.lab.test", T::A, "local", "It is a name of the local zone `lab.test.`, and does not exist there."),
        ("x.wild.lab.test", T::A, "local", "It is a name of the local zone `lab.test.`, and is covered by a wildcard."),
        (
            "x.sub.lab.test",
            T::A,
            "local",
            "It is a name of the local zone `lab.test.`, and at or below the cut at `sub.lab.test.`: others have its records, and the reply says who.",
        ),
        (
            "www.old.lab.test",
            T::A,
            "local",
            "It is a name of the local zone `lab.test.`, and below the DNAME of `old.lab.test.`.",
        ),
        ("nas.home", T::A, "local", "It is a local name that is in no zone, and has records."),
        (
            "2.2.0.192.in-addr.arpa",
            T::PTR,
            "local",
            "It is a local name that is in no zone, and is the reverse name of an address that local records have.",
        ),
        ("localhost", T::A, "special", "It is this host itself (RFC 6761 §6.3), and means the same everywhere."),
        (
            "x.invalid",
            T::A,
            "special",
            "It is a name that never exists (RFC 6761 §6 and RFC 7686), and means the same everywhere.",
        ),
        (
            "1.1.10.in-addr.arpa",
            T::PTR,
            "special",
            "It is the reverse name of an address that is nobody's in particular (RFC 6303), and means the same everywhere.",
        ),
        (
            "x.ads.example",
            T::A,
            "blocked",
            "It is blocked by list `hosts.txt` and list `https://lists.example/ads` (entry `ads.example.`).",
        ),
        (
            "good.ads.example",
            T::A,
            "cache",
            "one:53 said that there is no record of this type, which is remembered for another 30 s. It is allowed by list `own` (entry `good.ads.example.`), though blocked by list `hosts.txt` and list `https://lists.example/ads`.",
        ),
        (
            "known.example",
            T::A,
            "cache",
            "one:53 said 1 record and is validated, which is remembered for another 300 s.",
        ),
        (
            "gone.example",
            T::A,
            "cache",
            "one:53 said that there is no such name, which is remembered for another 300 s.",
        ),
        (
            "tv.home",
            T::A,
            "cache",
            "Local records make it an alias of `known.example.`. one:53 said 1 record and is validated, which is remembered for another 300 s.",
        ),
        ("new.example", T::A, "upstream", "Nothing is remembered of it: it is asked of one:53."),
        (
            "www.corp.test",
            T::A,
            "upstream",
            "Nothing is remembered of it: it is asked of corp-dns alone, which is for `corp.test.` and what is below.",
        ),
        ("new.example", T::TSIG, "refused", "Type TSIG is no data, and nobody is asked for it."),
        ("lab.test", T::IXFR, "refused", "Zones are not handed out."),
    ] {
        assert_eq!(world.explain(name, kind, "127.0.0.1", NOW, None), (step, because.to_owned()), "{name} {kind}");
    }
    assert_eq!(
        world.explain("new.example", T::A, "192.0.2.9", NOW, None),
        ("refused", "It is no local name, and 192.0.2.9 is in none of the networks that may have others resolved (`dns_allow_recursion`).".to_owned())
    );
}

#[test]
fn what_was_fetched_and_what_was_not_explains_itself() {
    let world = World::new();
    let made =
        reply_to("new.example", Kind::A).answers(&["new.example 300 A 192.0.2.1", "new.example 300 A 192.0.2.2"]);
    let (wanted, fetched) = world.remember("new.example", &made, Security::Insecure);
    let explain = |fetched: &Fetched, now| {
        world.explain("new.example", RecordType::A, "127.0.0.1", now, Some((&wanted, fetched)))
    };
    assert_eq!(
        explain(&fetched, NOW),
        ("upstream", "Nothing was remembered of it: it is asked of one:53. one:53 said 2 records of a zone that does not sign, for 300 s.".to_owned())
    );
    let silence = Fetched::Failed(Failure::Silence);
    assert_eq!(
        explain(&silence, NOW + 500),
        ("stale", "one:53 said 2 records of a zone that does not sign. That is 200 s past its time, and used because no upstream replied in time.".to_owned())
    );
    assert_eq!(
        world.explain("new.example", RecordType::A, "127.0.0.1", NOW + 500, None),
        ("stale", "one:53 said 2 records of a zone that does not sign. That is 200 s past its time, and used while it is being renewed.".to_owned())
    );
    let bogus = Fetched::Failed(Failure::Bogus(7));
    assert_eq!(
        explain(&bogus, NOW + 500),
        (
            "none",
            "Nothing was remembered of it: it is asked of one:53, but the answer is bogus: a signature has expired."
                .to_owned()
        )
    );
}

#[test]
fn a_pause_of_blocking_is_mentioned() {
    let mut world = World::new();
    world.snapshot.rules.blocking_paused_until = u64::from(NOW) + 60;
    world.remember(
        "ads.example",
        &reply_to("ads.example", Kind::A).answers(&["ads.example 300 A 192.0.2.1"]),
        Security::Unchecked,
    );
    let (step, because) = world.explain("ads.example", RecordType::A, "127.0.0.1", NOW, None);
    assert_eq!(step, "cache");
    assert!(because.ends_with(" It would be blocked by list `hosts.txt` and list `https://lists.example/ads`, but blocking is paused for another 60 s."), "{because}");
}
