//! What limits do, with a clock of our own.

use super::{bucket::Counted, *};
use crate::{Builder, Cookies, Known, snapshot::Rules};
use dnsplane_proto::{Generation, Name, QueryLimit, RecordData, RecordSet, RecordType};
use hickory_proto::op::{Message, ResponseCode};
use proptest::prelude::*;
use std::{net::IpAddr, sync::LazyLock};

static COOKIES: LazyLock<Cookies> = LazyLock::new(|| Cookies::with_secret([5; 16]));
const NOW: u32 = 1_600_000_000;

/// A limiter, a zone, and a clock that stands still until it is moved.
struct Desk {
    limiter: Limiter,
    snapshot: Snapshot,
    now: Duration,
}

impl Desk {
    fn with(limits: Limits) -> Self {
        let mut builder = Builder::new();
        let soa = [&b"\x02ns\x00\x02ns\x00"[..], &[0; 20]].concat();
        let sets = [
            ("lab.test", RecordType::SOA, soa),
            ("www.lab.test", RecordType::A, vec![192, 0, 2, 1]),
            ("mail.lab.test", RecordType::A, vec![192, 0, 2, 2]),
            ("*.wild.lab.test", RecordType::A, vec![192, 0, 2, 3]),
            ("long.lab.test", RecordType::TXT, [vec![255], vec![b'x'; 255]].concat()),
        ];
        for (owner, kind, rdata) in sets {
            let data = vec![RecordData { ttl: 60, rdata: rdata.into() }];
            builder.apply(&RecordSet { owner: Name::parse(owner).unwrap(), kind, data }).unwrap();
        }
        let snapshot = builder.finish(Generation::default(), Rules { limits, ..Rules::default() });
        Self { limiter: Limiter::new(), snapshot, now: Duration::from_secs(1000) }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    fn ask_as(&self, address: &str, transport: Transport, query: &[u8]) -> Answer {
        let address: IpAddr = address.parse().unwrap();
        let asker = Asker { transport, address, now: NOW, cookies: &COOKIES, known: Known::default() };
        let limits = self.snapshot.rules.limits;
        let exchange = Exchange { query, asker: &asker, snapshot: &self.snapshot, limits, now: self.now };
        let mut reply = b"before".to_vec();
        let outcome = self.limiter.limited(&exchange, &mut reply);
        let reply = reply.strip_prefix(b"before").expect("what was there before");
        match outcome {
            Outcome::Dropped | Outcome::Withheld => {
                assert!(reply.is_empty());
                Answer::Nothing
            }
            Outcome::ToRenew(..) | Outcome::Unresolved(_) => panic!("there is no upstream"),
            Outcome::Replied(replied) => {
                let message = Message::from_vec(reply).expect("a reply that parses");
                assert_eq!(message.metadata.id, 0xbeef);
                let limited = replied.branch == Branch::Limited;
                match (limited, message.metadata.response_code, message.metadata.truncation) {
                    (false, ..) => Answer::Real,
                    (true, ResponseCode::Refused, false) => Answer::Refused,
                    (true, ResponseCode::NoError, true) => Answer::Truncated,
                    other => panic!("{other:?}"),
                }
            }
        }
    }

    fn ask(&self, address: &str) -> Answer {
        self.ask_as(address, Transport::Udp, &query("www.lab.test", 1, None))
    }

    /// How many of so many queries get a real answer.
    fn answered(&self, queries: usize, ask: impl Fn(&Self, usize) -> Answer) -> usize {
        (0..queries).filter(|number| ask(self, *number) == Answer::Real).count()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Real,
    Refused,
    Truncated,
    Nothing,
}

fn query(name: &str, kind: u8, cookie: Option<&[u8]>) -> Vec<u8> {
    let mut query = vec![0xbe, 0xef, 1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(cookie.is_some())];
    query.extend_from_slice(Name::parse(name).unwrap().as_wire());
    query.extend([0, kind, 0, 1]);
    if let Some(cookie) = cookie {
        let length = cookie.len() as u8;
        query.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, length + 4, 0, 10, 0, length]);
        query.extend_from_slice(cookie);
    }
    query
}

fn cookie_for(address: &str) -> Vec<u8> {
    [&b"abcdefgh"[..], &COOKIES.server(b"abcdefgh", address.parse().unwrap(), NOW)].concat()
}

fn queries(millis_per_second: u32, burst: u32) -> Limits {
    Limits { queries: Some(QueryLimit { millis_per_second, burst }), ..Limits::default() }
}

fn replies(per: Per, most: u32, seconds: u32) -> Limits {
    Limits { replies: Some(ReplyLimit { per, most, seconds }), ..Limits::default() }
}

#[test]
fn without_limits_nothing_is_counted_and_no_table_is_made() {
    let desk = Desk::with(Limits::default());
    let asker = Asker {
        transport: Transport::Udp,
        address: [192, 0, 2, 1].into(),
        now: NOW,
        cookies: &COOKIES,
        known: Known::default(),
    };
    for _ in 0..1000 {
        let outcome = desk.limiter.answer(&query("www.lab.test", 1, None), &asker, &desk.snapshot, &mut Vec::new());
        assert!(matches!(outcome, Outcome::Replied(Replied { branch: Branch::Local, .. })));
    }
    assert!(!desk.limiter.queries.is_used() && !desk.limiter.replies.is_used());
}

#[test]
fn nothing_is_allocated_per_query_once_there_are_tables() {
    for per in [Per::Client, Per::Network { slip: 2 }] {
        let desk = Desk::with(Limits {
            amplification: 3,
            ..Limits { queries: queries(1_000, 20).queries, ..replies(per, 5, 1) }
        });
        let (www, long) = (query("www.lab.test", 1, None), query("long.lab.test", 16, Some(b"abcdefgh")));
        let mut reply = Vec::with_capacity(4096);
        let mut ask = |address: u8| {
            let asker = Asker {
                transport: Transport::Udp,
                address: [192, 0, 2, address].into(),
                now: NOW,
                cookies: &COOKIES,
                known: Known::default(),
            };
            for query in [&www, &long] {
                reply.clear();
                desk.limiter.answer(query, &asker, &desk.snapshot, &mut reply);
            }
        };
        ask(0);
        let allocated = allocation_counter::measure(|| (0..50).for_each(|at| ask(at % 3)));
        assert_eq!(allocated.count_total, 0, "{per:?}");
    }
}

#[test]
fn a_client_has_a_burst_and_then_its_rate() {
    let mut desk = Desk::with(queries(2_000, 5));
    let ask = |desk: &Desk, _| desk.ask("192.0.2.1");
    assert_eq!(desk.answered(20, ask), 5);
    assert_eq!(desk.ask("192.0.2.1"), Answer::Refused);
    desk.pass(Duration::from_millis(499));
    assert_eq!(desk.answered(20, ask), 0);
    desk.pass(Duration::from_millis(1));
    assert_eq!(desk.answered(20, ask), 1);
    desk.pass(Duration::from_secs(2));
    assert_eq!(desk.answered(20, ask), 4);
    // A full bucket is full.
    desk.pass(Duration::from_secs(3600));
    assert_eq!(desk.answered(20, ask), 5);
}

#[test]
fn the_query_limit_holds_over_tcp_too_and_each_client_has_its_own() {
    let desk = Desk::with(queries(1_000, 3));
    let tcp = |address| desk.ask_as(address, Transport::Tcp, &query("www.lab.test", 1, None));
    assert_eq!(desk.answered(9, |_, _| tcp("192.0.2.1")), 3);
    assert_eq!((tcp("192.0.2.1"), desk.ask("192.0.2.1")), (Answer::Refused, Answer::Refused));
    assert_eq!((desk.ask("192.0.2.2"), desk.ask("::ffff:192.0.2.1")), (Answer::Real, Answer::Refused));
    // All addresses of a /64 are one client.
    assert_eq!(desk.answered(9, |desk, at| desk.ask(&format!("2001:db8::{}", at + 1))), 3);
    assert_eq!((desk.ask("2001:db8::ffff"), desk.ask("2001:db8:0:1::1")), (Answer::Refused, Answer::Real));
}

#[test]
fn rfc7873_who_shows_a_cookie_of_ours_is_not_limited() {
    for limits in [
        queries(1, 1),
        replies(Per::Client, 1, 60),
        replies(Per::Network { slip: 0 }, 1, 60),
        Limits { amplification: 1, ..Limits::default() },
    ] {
        let desk = Desk::with(limits);
        let long = |cookie: &[u8]| query("long.lab.test", 16, Some(cookie));
        let ask = |address: &str, cookie: &[u8]| desk.ask_as(address, Transport::Udp, &long(cookie));
        desk.ask("192.0.2.1");
        assert_eq!(desk.answered(9, |_, _| ask("192.0.2.1", &cookie_for("192.0.2.1"))), 9, "{limits:?}");
        // Somebody else's, a client's alone, and one that was made up.
        for cookie in [&cookie_for("192.0.2.7")[..], b"abcdefgh", b"abcdefgh12345678"] {
            desk.ask("192.0.2.1");
            assert_ne!(ask("192.0.2.1", cookie), Answer::Real, "{limits:?}");
        }
    }
}

#[test]
fn a_client_gets_so_many_replies_in_any_window_and_tcp_is_free() {
    let mut desk = Desk::with(replies(Per::Client, 10, 4));
    let ask = |desk: &Desk, _| desk.ask("192.0.2.1");
    assert_eq!(desk.answered(50, ask), 10);
    assert_eq!((desk.ask("192.0.2.1"), desk.ask("192.0.2.2")), (Answer::Refused, Answer::Real));
    assert_eq!(desk.ask_as("192.0.2.1", Transport::Tcp, &query("www.lab.test", 1, None)), Answer::Real);
    // A quarter of the next window has passed: three quarters of those before still count.
    desk.pass(Duration::from_secs(5));
    assert_eq!(desk.answered(50, ask), 3);
    // What is asked does not matter: all replies to a client count.
    assert_eq!(desk.ask_as("192.0.2.1", Transport::Udp, &query("mail.lab.test", 1, None)), Answer::Refused);
    desk.pass(Duration::from_secs(8));
    assert_eq!(desk.answered(50, ask), 10);
}

#[test]
fn replies_that_say_the_same_count_for_a_network() {
    let desk = Desk::with(replies(Per::Network { slip: 0 }, 5, 10));
    let name = |name: &str| desk.ask_as("192.0.2.1", Transport::Udp, &query(name, 1, None));
    assert_eq!(desk.answered(20, |desk, at| desk.ask(&format!("192.0.2.{at}"))), 5);
    assert_eq!(desk.ask("192.0.2.1"), Answer::Nothing);
    assert_eq!(desk.ask("192.0.3.1"), Answer::Real);
    // Another answer is another count, but ever new names do not make one.
    assert_eq!(name("mail.lab.test"), Answer::Real);
    assert_eq!(desk.answered(20, |_, at| name(&format!("n{at}.lab.test"))), 5);
    assert_eq!(desk.answered(20, |_, at| name(&format!("n{at}.wild.lab.test"))), 5);
    assert_eq!(desk.answered(20, |_, at| name(&format!("n{at}.example"))), 5);
    let garbage = |at| desk.ask_as("192.0.2.1", Transport::Udp, &query("www.lab.test", 1, None)[..12 + at]);
    assert_eq!(desk.answered(10, |_, at| garbage(at)), 5);
    // Nor do options that the client makes up.
    let cookie = |at: usize| query("a.example", 1, Some(&[at as u8; 8]));
    assert_eq!(desk.answered(10, |_, at| desk.ask_as("192.0.2.1", Transport::Udp, &cookie(at))), 0);
    // A /56 is one network.
    assert_eq!(desk.answered(20, |desk, at| desk.ask(&format!("2001:db8:0:{at:x}::1"))), 5);
    assert_eq!(desk.ask("2001:db8:0:100::1"), Answer::Real);
}

#[test]
fn some_of_those_that_are_too_many_slip_with_tc() {
    for (slip, said) in [(0, 0), (1, 12), (2, 6), (3, 4), (255, 0)] {
        let desk = Desk::with(replies(Per::Network { slip }, 5, 10));
        assert_eq!(desk.answered(5, |desk, _| desk.ask("192.0.2.1")), 5);
        let answers: Vec<_> = (0..12).map(|_| desk.ask("192.0.2.1")).collect();
        assert_eq!(answers.iter().filter(|answer| **answer == Answer::Truncated).count(), said, "slip {slip}");
        assert!(!answers.contains(&Answer::Real) && !answers.contains(&Answer::Refused));
    }
}

#[test]
fn a_reply_much_longer_than_its_query_says_tc_over_udp_alone() {
    let desk = Desk::with(Limits { amplification: 3, ..Limits::default() });
    let long = query("long.lab.test", 16, None);
    assert_eq!(desk.ask_as("192.0.2.1", Transport::Udp, &long), Answer::Truncated);
    assert_eq!(desk.ask_as("192.0.2.1", Transport::Tcp, &long), Answer::Real);
    assert_eq!(desk.ask("192.0.2.1"), Answer::Real);
}

#[test]
fn what_is_no_query_gets_no_reply_from_a_limit_either() {
    let desk = Desk::with(queries(1, 1));
    desk.ask("192.0.2.1");
    let mut response = query("www.lab.test", 1, None);
    response[2] |= 0x80;
    assert_eq!(desk.ask_as("192.0.2.1", Transport::Udp, &response), Answer::Nothing);
    assert_eq!(desk.ask_as("192.0.2.1", Transport::Udp, &response[..11]), Answer::Nothing);
    assert_eq!(desk.ask("192.0.2.1"), Answer::Refused);
}

#[test]
fn another_limit_holds_from_the_next_query_on() {
    let mut desk = Desk::with(queries(1, 50));
    desk.answered(60, |desk, _| desk.ask("192.0.2.1"));
    // At the old rate the bucket would be full after half a day; now it is one that was emptied with the first query.
    desk.snapshot.rules.limits = queries(1_000, 2);
    assert_eq!(desk.ask("192.0.2.1"), Answer::Refused);
    desk.pass(Duration::from_secs(1));
    assert_eq!(desk.answered(9, |desk, _| desk.ask("192.0.2.1")), 1);
    desk.pass(Duration::from_secs(2));
    assert_eq!(desk.answered(9, |desk, _| desk.ask("192.0.2.1")), 2);
}

#[test]
fn whoever_goes_on_asking_is_remembered_however_many_others_come() {
    let (table, take) = (Table::default(), |old: Option<u64>| Counted { state: old.unwrap_or(0) + 1, verdict: old });
    let loud = 0x1234_5678_0000_0000;
    for second in 0..1000u64 {
        let now = Duration::from_secs(second);
        assert_eq!(table.update(loud, now, take).unwrap_or(0), second, "second {second}");
        // Strangers, all in the same place.
        for at in 0..5 {
            table.update((second * 5 + at + 1) << 34, now, take);
        }
    }
}

#[test]
fn threads_that_share_a_client_lose_no_count() {
    let table = Table::default();
    let take = |old: Option<u64>| Counted { state: old.unwrap_or(0) + 1, verdict: () };
    table.update(99, Duration::ZERO, take);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..10_000).for_each(|_| table.update(99, Duration::from_secs(1), take)));
        }
    });
    let seen = table.update(99, Duration::from_secs(1), |old| Counted { state: 0, verdict: old });
    assert_eq!(seen, Some(40_001));
}

/// Pauses between queries, in milliseconds.
fn pauses() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(prop_oneof![3 => 0u64..5, 1 => 0u64..3000], 1..400)
}

proptest! {
    #[test]
    fn no_stretch_of_time_has_more_queries_than_burst_and_rate_allow(
        pauses in pauses(), millis_per_second in 1u32..20_000, burst in 1u32..40,
    ) {
        let limit = QueryLimit { millis_per_second, burst };
        let (mut now, mut state, mut taken) = (Duration::from_secs(7), None, Vec::new());
        for pause in pauses {
            now += Duration::from_millis(pause);
            let counted = bucket::take(state, now, &limit);
            state = Some(counted.state);
            if counted.verdict {
                taken.push(now);
            }
        }
        prop_assert!(!taken.is_empty(), "the first always passes");
        for (at, from) in taken.iter().enumerate() {
            for (more, to) in taken[at..].iter().enumerate() {
                // A token is a whole number of microseconds, rounded down.
                let refilled = (*to - *from).as_micros() as f64 / (1_000_000_000 / u64::from(millis_per_second)) as f64;
                prop_assert!((more + 1) as f64 <= f64::from(burst) + refilled + 1e-6);
            }
        }
    }

    #[test]
    fn no_window_has_more_than_twice_its_replies_and_a_steady_client_about_as_many_as_it_may(
        pauses in pauses(), most in 1u32..40, seconds in 1u32..5,
    ) {
        let limit = ReplyLimit { per: Per::Client, most, seconds };
        let (mut now, mut state, mut sent) = (Duration::from_secs(7), None, Vec::new());
        for pause in pauses {
            now += Duration::from_millis(pause);
            let counted = bucket::count(state, now, &limit, 0);
            state = Some(counted.state);
            if counted.verdict == Verdict::Send {
                sent.push(now);
            }
        }
        prop_assert!(!sent.is_empty(), "the first is always sent");
        let length = Duration::from_secs(seconds.into());
        for (at, from) in sent.iter().enumerate() {
            let within = sent[at..].iter().take_while(|to| **to - *from < length).count();
            prop_assert!(within <= 2 * most as usize, "{within} within {length:?}");
        }
        // Windows that begin with the clock's never hold more than they may.
        for (number, _) in sent.iter().enumerate() {
            let window = sent[number].as_secs() / u64::from(seconds);
            let within = sent.iter().filter(|at| at.as_secs() / u64::from(seconds) == window).count();
            prop_assert!(within <= most as usize);
        }
    }

    #[test]
    fn no_octets_make_a_limit_panic(bytes in prop::collection::vec(any::<u8>(), 0..100), slip in 0u32..3) {
        let desk = Desk::with(Limits { amplification: 1, ..replies(Per::Network { slip }, 1, 1) });
        for transport in [Transport::Udp, Transport::Tcp] {
            let asker = Asker { transport, address: [192, 0, 2, 1].into(), now: NOW, cookies: &COOKIES, known: Known::default() };
            for _ in 0..3 {
                desk.limiter.answer(&bytes, &asker, &desk.snapshot, &mut Vec::new());
            }
        }
    }
}
