//! What is remembered of messages, what is not, and for how long.

use super::{made::reply_to, *};
use crate::encode::Rcode;
use dnsplane_proto::Name;
use hickory_proto::rr::RecordType as Kind;

const NOW: u32 = 1_600_000_000;
const RULES: CacheRules = CacheRules { octets: 1 << 20, least_ttl: 0, stale: 0, prefetch: false };

fn cache(rules: CacheRules) -> Cache {
    let cache = Cache::default();
    cache.obey(Some(rules));
    cache
}

fn wanted(name: &str, kind: RecordType) -> Wanted {
    let name = Name::parse(name).expect("a name").as_wire().into();
    Wanted { name, kind, dnssec_ok: false, checking_disabled: false }
}

fn about() -> About {
    About { source: "192.0.2.53:53".into(), security: Security::Unchecked, at_most: u32::MAX, now: NOW }
}

fn keep(cache: &Cache, name: &str, bytes: &[u8]) -> Result<Arc<CachedAnswer>, Unusable> {
    cache.insert(&wanted(name, RecordType::A), bytes, &about())
}

#[test]
fn an_answer_is_found_by_name_type_do_and_cd_and_by_nothing_else() {
    let cache = cache(RULES);
    let message = reply_to("www.example.org", Kind::A).answers(&["www.example.org 60 A 192.0.2.1"]).bytes();
    keep(&cache, "www.example.org", &message).expect("usable");
    let found = |wanted: &Wanted| cache.find(wanted.asked(), NOW).is_some();
    let asked = wanted("www.example.org", RecordType::A);
    assert!(found(&asked));
    for other in [
        Wanted { dnssec_ok: true, ..asked.clone() },
        Wanted { checking_disabled: true, ..asked.clone() },
        Wanted { kind: RecordType::AAAA, ..asked.clone() },
        wanted("example.org", RecordType::A),
    ] {
        assert!(!found(&other), "{other:?}");
    }
}

#[test]
fn what_is_past_its_time_is_found_as_long_as_the_rules_say_and_no_longer() {
    let cache = cache(CacheRules { stale: 100, ..RULES });
    let message = reply_to("a.test", Kind::A).answers(&["a.test 60 A 192.0.2.1"]).bytes();
    keep(&cache, "a.test", &message).expect("usable");
    let asked = wanted("a.test", RecordType::A);
    let freshness = |now| cache.find(asked.asked(), now).map(|answer| answer.freshness(now));
    assert_eq!(freshness(NOW + 59), Some(Freshness::Fresh(1)));
    assert_eq!(freshness(NOW + 60), Some(Freshness::Stale(0)));
    assert_eq!(freshness(NOW + 159), Some(Freshness::Stale(99)));
    assert_eq!(freshness(NOW + 160), None);
    assert_eq!(freshness(NOW - 1000), Some(Freshness::Fresh(60)), "a clock that was set back");
}

#[test]
fn rfc2308_s5_how_long_an_answer_holds() {
    let long = "www.a.test 9999999 A 192.0.2.1";
    for (why, made, least_ttl, ttl) in [
        (
            "the least of all records",
            reply_to("www.a.test", Kind::A).answers(&["www.a.test 60 A 192.0.2.1", "www.a.test 50 A 192.0.2.2"]),
            0,
            50,
        ),
        (
            "aliases count",
            reply_to("www.a.test", Kind::A).answers(&["www.a.test 5 CNAME b.test", "b.test 50 A 192.0.2.2"]),
            0,
            5,
        ),
        ("a day at most", reply_to("www.a.test", Kind::A).answers(&[long]), 0, 86_400),
        ("so long at least", reply_to("www.a.test", Kind::A).answers(&["www.a.test 5 A 192.0.2.1"]), 600, 600),
        (
            "other records do not count",
            reply_to("www.a.test", Kind::A)
                .answers(&["www.a.test 60 A 192.0.2.1", "x.test 1 A 192.0.2.2"])
                .authorities(&["a.test 2 NS ns.a.test"]),
            0,
            60,
        ),
        ("RFC 2181 s8", reply_to("www.a.test", Kind::A).answers(&["www.a.test 2147483648 A 192.0.2.1"]), 0, 0),
        ("the SOA's TTL", reply_to("www.a.test", Kind::A).authorities(&["a.test 60 SOA 900"]), 0, 60),
        ("its MINIMUM", reply_to("www.a.test", Kind::A).rcode(3).authorities(&["a.test 900 SOA 60"]), 0, 60),
        ("three hours at most", reply_to("www.a.test", Kind::A).authorities(&["a.test 90000 SOA 90000"]), 0, 10_800),
        ("the floor is for records", reply_to("www.a.test", Kind::A).authorities(&["a.test 60 SOA 60"]), 600, 60),
        ("without an SOA", reply_to("www.a.test", Kind::A), 0, 30),
        ("an SOA from somewhere else", reply_to("www.a.test", Kind::A).authorities(&["b.test 60 SOA 60"]), 0, 30),
    ] {
        let cache = cache(CacheRules { least_ttl, ..RULES });
        let answer = keep(&cache, "www.a.test", &made.bytes()).expect(why);
        assert_eq!(answer.ttl(), ttl, "{why}");
        assert_eq!(cache.figures().entries, u64::from(ttl > 0), "RFC 1035 s3.2.1: 0 is for one query");
    }
}

#[test]
fn what_does_not_answer_is_not_taken_for_an_answer() {
    let made = reply_to("a.test", Kind::A);
    let with = |change: &dyn Fn(&mut hickory_proto::op::Message)| {
        let mut made = made.clone().answers(&["a.test 60 A 192.0.2.1"]);
        change(&mut made.message);
        made.bytes()
    };
    let sound = with(&|_| {});
    let cut = sound[..sound.len() - 1].to_vec();
    let counts = |at: usize, count: u8| {
        let mut bytes = sound.clone();
        bytes[at] = count;
        bytes
    };
    let rdata_length = |length: u8| {
        let (mut bytes, at) = (sound.clone(), sound.len() - 5);
        bytes[at] = length;
        bytes.truncate(at + 1 + usize::from(length.min(4)));
        bytes
    };
    for (why, bytes, expected) in [
        ("nothing", vec![], Unusable::Malformed),
        (
            "a query",
            with(&|message| message.metadata.message_type = hickory_proto::op::MessageType::Query),
            Unusable::Malformed,
        ),
        ("TC", with(&|message| message.metadata.truncation = true), Unusable::Truncated),
        ("SERVFAIL", made.clone().rcode(2).bytes(), Unusable::Code(2)),
        ("REFUSED", made.clone().rcode(5).bytes(), Unusable::Code(5)),
        ("BADVERS", made.clone().extended_error(1).rcode(16).bytes(), Unusable::Code(16)),
        ("another name", reply_to("b.test", Kind::A).bytes(), Unusable::Question),
        ("another type", reply_to("a.test", Kind::AAAA).bytes(), Unusable::Question),
        ("no question", counts(5, 0), Unusable::Question),
        ("two questions", counts(5, 2), Unusable::Question),
        ("a record missing", counts(7, 2), Unusable::Malformed),
        ("a record cut", cut, Unusable::Malformed),
        ("an address of three octets", rdata_length(3), Unusable::Malformed),
        (
            "NXDOMAIN, and what it has",
            made.clone().answers(&["a.test 60 A 192.0.2.1"]).rcode(3).bytes(),
            Unusable::Contradiction,
        ),
        ("a referral", made.clone().authorities(&["test 60 NS ns.test"]).bytes(), Unusable::Referral),
        (
            "a circle",
            made.clone().answers(&["a.test 60 CNAME b.test", "b.test 60 CNAME A.test"]).bytes(),
            Unusable::Loop,
        ),
    ] {
        let cache = cache(RULES);
        assert_eq!(keep(&cache, "a.test", &bytes).err(), Some(expected), "{why}");
        assert_eq!(cache.figures().entries, 0, "{why}");
    }
    let chain: Vec<String> =
        (0..20).map(|at| format!("{}.test 60 CNAME {}.test", name_of(at), name_of(at + 1))).collect();
    let chain: Vec<&str> = chain.iter().map(String::as_str).collect();
    assert_eq!(keep(&cache(RULES), "a.test", &made.answers(&chain).bytes()).err(), Some(Unusable::Loop));
}

fn name_of(number: usize) -> String {
    if number == 0 { "a".to_owned() } else { format!("n{number}") }
}

#[test]
fn rfc4343_s3_the_question_comes_back_in_any_case() {
    let bytes = reply_to("WwW.eXample.ORG", Kind::A).answers(&["wWw.exAmple.org 60 A 192.0.2.1"]).bytes();
    let answer = keep(&cache(RULES), "www.example.org", &bytes).expect("usable");
    assert_eq!((answer.counts(), answer.is_negative(), answer.rcode()), ([1, 0], false, Rcode::NoError));
}

#[test]
fn names_and_what_is_below_them_are_listed_and_forgotten() {
    let cache = cache(RULES);
    for name in ["a.test", "b.a.test", "ba.test", "c.test"] {
        keep(&cache, name, &reply_to(name, Kind::A).answers(&[&format!("{name} 60 A 192.0.2.1")]).bytes())
            .expect("usable");
    }
    let wire = |name: &str| Name::parse(name).expect("a name").as_wire().to_vec();
    let listed = |below: &str, most| {
        let (listed, all) = cache.list(&wire(below), most);
        (listed.len(), all)
    };
    assert_eq!((listed(".", 100), listed(".", 3), listed("a.test", 100)), ((4, 4), (3, 4), (2, 2)));
    assert_eq!((cache.flush(&wire("a.test"), false), listed("a.test", 9).0), (1, 1));
    assert_eq!((cache.flush(&wire("a.test"), true), cache.flush(&wire("a.test"), true)), (1, 0));
    assert_eq!((cache.flush(&wire("."), true), cache.figures().entries, cache.figures().octets), (2, 0, 0));
}

#[test]
fn without_rules_nothing_is_remembered_and_what_was_is_forgotten() {
    let cache = Cache::default();
    let bytes = reply_to("a.test", Kind::A).answers(&["a.test 60 A 192.0.2.1"]).bytes();
    for (rules, entries) in [(None, 0), (Some(RULES), 1), (None, 0), (None, 0), (Some(RULES), 1)] {
        cache.obey(rules);
        assert!(keep(&cache, "a.test", &bytes).is_ok(), "an answer for whoever asked");
        assert_eq!(cache.figures().entries, entries);
    }
    assert_eq!(cache.figures().most_octets, 1 << 20);
}

#[test]
fn memory_stays_within_the_bound_whatever_is_remembered() {
    let octets = 4 << 20;
    let (mut entries, mut kept) = (0, None);
    let measured = allocation_counter::measure(|| {
        let cache = cache(CacheRules { octets, ..RULES });
        for number in 0..60_000 {
            let name = format!("host{number}.example.org");
            let bytes = reply_to(&name, Kind::A).answers(&[&format!("{name} 600 A 192.0.2.1")]).bytes();
            keep(&cache, &name, &bytes).expect("usable");
        }
        let figures = cache.figures();
        assert!(figures.octets <= octets && figures.octets > octets * 9 / 10, "{figures:?}");
        entries = figures.entries;
        kept = Some(cache);
    });
    let taken = measured.bytes_current as u64;
    assert!(taken <= octets, "{taken} octets where {octets} are allowed, {entries} answers");
    assert!(taken > octets / 2, "{taken} octets: what an answer takes is overstated");
    drop(kept);
}

#[test]
fn a_message_of_the_largest_size_is_worked_off_quickly() {
    // Owners that expand to 250 octets each, for two octets of the message.
    let long = format!("{0}.{0}.{0}.{1}", "a".repeat(60), "b".repeat(60));
    let mut message = reply_to("a.test", Kind::A).answers(&[&format!("{long} 60 A 192.0.2.1")]).bytes();
    let owner = 12 + 8 + 4;
    let records: u16 = 4000;
    for number in 0..records {
        let pointer = 0xc000 | (owner + usize::from(number % 2) * 61) as u16;
        message.extend_from_slice(&pointer.to_be_bytes());
        message.extend_from_slice(b"\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x01\x02\x03\x04");
    }
    message[6..8].copy_from_slice(&(records + 1).to_be_bytes());
    let started = std::time::Instant::now();
    assert_eq!(keep(&cache(RULES), "a.test", &message).err(), Some(Unusable::TooLong));
    assert!(started.elapsed() < std::time::Duration::from_secs(1));
}

#[test]
fn what_is_asked_for_outlives_a_flood_of_names_that_are_asked_for_once() {
    let cache = cache(CacheRules { octets: 256 << 10, ..RULES });
    let message = |name: &str| reply_to(name, Kind::A).answers(&[&format!("{name} 600 A 192.0.2.1")]).bytes();
    let popular: Vec<String> = (0..50).map(|number| format!("popular{number}.example.org")).collect();
    for name in &popular {
        keep(&cache, name, &message(name)).expect("usable");
    }
    let mut missed = 0;
    for number in 0..20_000 {
        if number % 100 == 0 {
            for name in &popular {
                match cache.find(wanted(name, RecordType::A).asked(), NOW) {
                    Some(found) => found.hit(),
                    None => {
                        missed += 1;
                        keep(&cache, name, &message(name)).expect("usable");
                    }
                }
            }
        }
        let name = format!("once{number}.example.org");
        keep(&cache, &name, &message(&name)).expect("usable");
    }
    assert!(missed <= 20, "{missed} of 10,000 look-ups of popular names found nothing");
}

#[test]
fn answers_are_found_whole_while_others_come_and_go() {
    let cache = cache(CacheRules { octets: 64 << 10, ..RULES });
    let message =
        |name: &str, last: u8| reply_to(name, Kind::A).answers(&[&format!("{name} 600 A 192.0.2.{last}")]).bytes();
    let name = |number: usize| format!("host{}.example.org", number % 2_000);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut found = 0;
                    for number in 0..200_000 {
                        let wanted = wanted(&name(number * 7), RecordType::A);
                        if let Some(answer) = cache.find(wanted.asked(), NOW) {
                            assert_eq!((answer.asked(), answer.counts()), (wanted.asked(), [1, 0]));
                            found += 1;
                        }
                    }
                    found
                })
            })
            .collect();
        for number in 0..20_000 {
            keep(&cache, &name(number), &message(&name(number), number as u8)).expect("usable");
            if number % 5_000 == 0 {
                cache.flush(b"\x00", true);
            }
        }
        for reader in readers {
            assert!(reader.join().expect("no panic") > 0);
        }
    });
    let figures = cache.figures();
    assert_eq!((figures.entries, figures.octets), {
        let (all, count) = cache.list(b"\x00", usize::MAX);
        (count, all.iter().map(|answer| answer.size() as u64).sum())
    });
}
