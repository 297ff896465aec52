//! Upstreams are strangers, too: whatever one sends, replies that are made of it are messages, and a client gets its own
//! question back.

use super::{
    replies::COOKIES,
    seeds::{header, question, record},
    walk::walk,
    world::{NOW, resolving, wire},
};
use dnsplane_dns::{
    Asker, Cache, Known, Outcome, Snapshot, Transport, answer,
    resolve::{Fetched, Security, Wanted, cache::About},
};
use dnsplane_proto::{CacheRules, RecordType};
use std::sync::LazyLock;

/// Nothing is ours, but for somebody to ask.
static ASKING: LazyLock<Snapshot> = LazyLock::new(|| {
    let empty = Snapshot::empty();
    let rules = empty.rules.clone();
    resolving(empty.under(rules)).snapshot
});

/// The first octet says what is wanted and who wants it, the rest is what the upstream sends.
pub(crate) fn check(input: &[u8]) {
    let Some((choice, message)) = input.split_first() else { return };
    // The message's own question, if it is one; else there is no need to look at it twice.
    let Some(asked) = message.get(12..).and_then(|rest| rest.get(..asked(rest)?)) else { return };
    let (name, kind) =
        (&asked[..asked.len() - 4], u16::from_be_bytes([asked[asked.len() - 4], asked[asked.len() - 3]]));
    let wanted = Wanted {
        name: name.to_ascii_lowercase().into(),
        kind: RecordType(kind),
        dnssec_ok: choice & 1 != 0,
        checking_disabled: choice & 2 != 0,
    };
    let cache = Cache::default();
    cache.obey(Some(CacheRules { octets: 1 << 20, least_ttl: u32::from(choice >> 4), stale: 100, prefetch: true }));
    let about = About { source: "one".into(), security: Security::Secure, now: NOW, at_most: u32::MAX };
    let Ok(kept) = cache.insert(&wanted, message, &about) else { return };
    let transport = if choice & 4 == 0 { Transport::Udp } else { Transport::Tcp };
    let flags = 0x0100 | u16::from(wanted.checking_disabled) << 4;
    let opt = record(&[0], 41, 1232, u32::from(wanted.dnssec_ok) << 15, &[]);
    let query = [&header(flags, [1, 0, 0, 1])[..], asked, &opt].concat();
    let fetched = Fetched::Answer(kept);
    // When it comes, when it has been remembered for a while, and when it is past its time.
    for (fetched, age) in [(Some((&wanted, &fetched)), 0), (None, 0), (None, 7), (None, 90_000)] {
        let known = Known { cache: Some(&cache), fetched };
        let asker = Asker { transport, address: [127, 0, 0, 1].into(), now: NOW + age, cookies: &COOKIES, known };
        let mut reply = Vec::new();
        if let Outcome::Replied(replied) | Outcome::ToRenew(replied, _) = answer(&query, &asker, &ASKING, &mut reply) {
            assert!(reply.len() <= if transport == Transport::Udp { 1232 } else { 65_535 });
            let walked = walk(&reply);
            assert_eq!(walked.question, asked);
            assert_eq!(reply[2] & 2 != 0, replied.truncated);
            assert_eq!(walked.sections[2].len(), 1, "nothing but our own OPT in the additional section");
        }
    }
}

/// How long the question is, if there is one that can be asked of class IN.
fn asked(rest: &[u8]) -> Option<usize> {
    let mut at = 0;
    while *rest.get(at)? != 0 {
        if rest[at] > 63 {
            return None;
        }
        at += usize::from(rest[at]) + 1;
    }
    (at < 255 && rest.get(at + 3..at + 5)? == [0, 1]).then_some(at + 5)
}

const RESPONSE: u16 = 0x8180;
const OWNER: [u8; 2] = [0xc0, 12];

/// A message with this question and these records.
fn message(rcode: u16, name: &str, kind: u16, answers: &[Vec<u8>], authorities: &[Vec<u8>]) -> Vec<u8> {
    let counts = [1, answers.len() as u16, authorities.len() as u16, 0];
    [header(RESPONSE | rcode, counts), question(&wire(name), kind), answers.concat(), authorities.concat()].concat()
}

fn soa(owner: &str) -> Vec<u8> {
    let rdata = [&wire("ns.example")[..], &wire("root.example"), &[0; 16], &60u32.to_be_bytes()].concat();
    record(&wire(owner), 6, 1, 300, &rdata)
}

/// What the worlds remember: name, type, message.
pub(crate) fn remembered() -> Vec<(&'static str, u16, Vec<u8>)> {
    let a = |last: u8| record(&OWNER, 1, 1, 300, &[192, 0, 2, last]);
    let signature = |covered: u16| {
        record(&OWNER, 46, 1, 300, &[&covered.to_be_bytes()[..], &[8; 16], &wire("example"), &[7; 32]].concat())
    };
    let alias = record(&OWNER, 5, 1, 300, &wire("target.example"));
    let many: Vec<Vec<u8>> = (0..200).map(a).collect();
    vec![
        ("known.example", 1, message(0, "known.example", 1, &[a(1), a(2), signature(1)], &[])),
        ("known.example", 28, message(0, "known.example", 28, &[], &[soa("example")])),
        ("gone.example", 1, message(3, "gone.example", 1, &[], &[soa("example")])),
        (
            "alias.example",
            1,
            message(0, "alias.example", 1, &[alias, record(&wire("target.example"), 1, 1, 60, &[192, 0, 2, 3])], &[]),
        ),
        ("many.example", 1, message(0, "many.example", 1, &many, &[])),
        ("ads.example", 1, message(0, "ads.example", 1, &[a(1)], &[])),
        ("", 6, message(0, "", 6, &[soa("")], &[])),
    ]
}

/// Inputs to begin with.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mx = |host: &[u8]| record(&OWNER, 15, 1, 60, &[&[0, 5][..], host].concat());
    let compressed = message(0, "known.example", 15, &[mx(b"\x02mx\xc0\x0c"), mx(b"\x03mx2\xc0\x12")], &[]);
    let srv = record(&OWNER, 33, 1, 60, &[&[0, 1, 0, 2, 0, 53][..], b"\x02ns\xc0\x0c"].concat());
    let naptr = record(&OWNER, 35, 1, 60, b"\0\x01\0\x02\x01u\x03sip\x00\xc0\x0c");
    let nsec = record(&wire("m.example"), 47, 1, 60, &[&wire("o.example")[..], &[0, 1, 0x40]].concat());
    let dname = record(&wire("example"), 39, 1, 60, &wire("net"));
    let synthesised = record(&OWNER, 5, 1, 60, &wire("known.net"));
    let more = [
        compressed,
        message(0, "known.example", 33, &[srv], &[]),
        message(0, "known.example", 35, &[naptr], &[]),
        message(3, "n.example", 1, &[], &[soa("example"), nsec]),
        message(0, "known.example", 1, &[dname, synthesised, record(&wire("known.net"), 1, 1, 60, &[1, 2, 3, 4])], &[]),
        message(0, "known.example", 1, &[], &[record(&wire("example"), 2, 1, 60, &wire("ns.example"))]),
    ];
    let messages = remembered().into_iter().map(|(_, _, message)| message).chain(more);
    messages.flat_map(|message| [0, 1, 2, 5, 0xf4].map(|choice| [&[choice], &message[..]].concat())).collect()
}
