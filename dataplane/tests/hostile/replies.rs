//! What must hold for every reply, and for what gets none.

use super::{
    reference::{self, COOKIE, Opt, Reading},
    walk::{Walked, walk},
    world::{self, World, world},
};
use dnsplane_dns::{Asker, Cookies, Known, Outcome, Rcode, Transport, answer};
use dnsplane_proto::Name;
use hickory_proto::op::Message;
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::LazyLock,
};

/// The cookies of all worlds.
pub(crate) static COOKIES: LazyLock<Cookies> = LazyLock::new(|| Cookies::with_secret([7; 16]));

const QR: u8 = 0x80;
const AA: u8 = 0x04;
const TC: u8 = 0x02;
/// OPCODE and RD.
const REPEATED: u8 = 0x79;
const CD: u8 = 0x10;
const RA: u8 = 0x80;
const AD: u8 = 0x20;
/// Answers that a chain of aliases can gather: each of 17 hops adds a DNAME and a CNAME, and then there is a record set.
const MOST_ALIASES: usize = 34;
/// Octets of an OPT record with a cookie (RFC 7873: 40 at most), a timeout, an extended error and a name of ours, each with its
/// header.
const MOST_OPT: usize = 11 + 44 + 6 + 6 + 259;

/// Who asks, and of which world: the first two octets of an input. The rest is the query.
pub(crate) fn asker(choice: [u8; 2]) -> (Asker<'static>, &'static World) {
    let [how, who] = choice;
    let transport = if how & 1 == 0 { Transport::Udp } else { Transport::Tcp };
    let address: IpAddr = match who & 3 {
        0 => Ipv4Addr::new(192, 0, 2, 99).into(),
        1 => Ipv4Addr::LOCALHOST.into(),
        2 => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
        _ => Ipv4Addr::new(192, 0, 2, 99).to_ipv6_mapped().into(),
    };
    let now = world::NOW.wrapping_add([0, 100, 4000, u32::MAX - 4000][usize::from(who >> 2 & 3)]);
    let world = world(how >> 1);
    let known = Known { cache: world.cache.as_ref(), fetched: None };
    (Asker { transport, address, now, cookies: &COOKIES, known }, world)
}

/// The input says who asks, then what.
pub(crate) fn check(input: &[u8]) {
    let Some((choice, query)) = input.split_first_chunk() else { return };
    let (asker, world) = asker(*choice);
    let mut out = Vec::with_capacity(BEFORE.len() + usize::from(u16::MAX));
    out.extend_from_slice(BEFORE);
    let capacity = out.capacity();
    let outcome = work::bounded(|| answer(query, &asker, &world.snapshot, &mut out));
    assert_eq!(out.capacity(), capacity, "the reply does not fit where every reply fits");
    let reply = out.strip_prefix(BEFORE).expect("what was there before is still there");
    let replied = match outcome {
        Outcome::Replied(replied) => replied,
        Outcome::Withheld => panic!("no limit was set"),
        Outcome::ToRenew(..) | Outcome::Unresolved(_) if world.cache.is_none() => panic!("there is no upstream"),
        Outcome::ToRenew(replied, _) => replied,
        Outcome::Unresolved(wanted) => {
            assert!(reply.is_empty(), "a reply that should not be there");
            assert!(query[2] & 1 != 0 && Name::from_wire(&wanted.name).is_ok(), "{wanted:?}");
            return;
        }
        Outcome::Dropped => {
            assert!(reply.is_empty(), "a reply that should not be there");
            assert!(query.len() < 12 || query[2] & QR != 0, "a query without a reply");
            return;
        }
    };
    assert!(query.len() >= 12 && query[2] & QR == 0, "a reply to what is no query");
    let opcode = query[2] >> 3 & 15;
    let reading = if opcode == 0 { reference::read(query) } else { None };

    repeats(query, reading.as_ref(), reply, replied.rcode, world);
    assert_eq!(reply[2] & TC != 0, replied.truncated);
    let most = match (asker.transport, reading.as_ref().and_then(|reading| reading.edns.as_ref())) {
        (Transport::Udp, None) => 512,
        (Transport::Udp, Some(opt)) => {
            usize::from(opt.payload).clamp(512, usize::from(world.snapshot.rules.max_udp_payload))
        }
        _ => 65_535,
    };
    assert!(reply.len() <= most, "{} octets where {most} are allowed", reply.len());
    contents(query, reading.as_ref(), &asker, world, reply, replied.rcode);
    if world.sound {
        let parsed = Message::from_vec(reply);
        assert!(parsed.is_ok(), "{parsed:?}");
    }
}

const BEFORE: &[u8] = b"octets of an earlier reply";

/// Id, OPCODE, RD, CD and question are repeated; nothing else of the query's header is.
fn repeats(query: &[u8], reading: Option<&Reading>, reply: &[u8], rcode: Rcode, world: &World) {
    assert_eq!(reply[..2], query[..2], "id");
    assert_eq!(reply[2] & !(AA | TC), query[2] & REPEATED | QR, "QR, OPCODE and RD");
    assert_eq!(reply[3] & 0x40, 0, "Z");
    assert!(world.cache.is_some() || reply[3] & (RA | AD) == 0, "RA or AD, and nobody to ask");
    assert!(reply[3] & AD == 0 || reply[3] & (RA | CD) == RA, "AD of what was not resolved, or is not to be checked");
    assert_eq!(reply[3] & CD, query[3] & CD, "CD");
    assert_eq!(u16::from(reply[3] & 15), rcode as u16 & 15, "RCODE");
    match reading {
        Some(reading) => {
            let end = 12 + reading.name.len() + 4;
            assert_eq!(reply.get(..end).map(|start| (start[5], &start[12..])), Some((1, &query[12..end])), "question");
            let askable = !matches!(reading.kind, 0 | OPT | 128..=255);
            assert!(rcode != Rcode::FormErr || !askable, "FORMERR for a query that can be read");
        }
        None if query[2] >> 3 & 15 == 0 => assert_eq!(rcode, Rcode::FormErr, "a query that cannot be read"),
        None => assert_eq!(rcode, Rcode::NotImp, "an OPCODE that we do not know"),
    }
}

/// The sections hold what they may hold.
fn contents(query: &[u8], reading: Option<&Reading>, asker: &Asker<'_>, world: &World, reply: &[u8], rcode: Rcode) {
    let walked = walk(reply);
    let [answers, authorities, additionals] = &walked.sections;
    if reading.is_none() && !walked.question.is_empty() {
        assert_eq!(walked.question, query[12..12 + walked.question.len()], "question");
    }
    assert!(answers.len() <= MOST_ALIASES + 2000, "{} answers", answers.len());
    if matches!(rcode, Rcode::FormErr | Rcode::NotImp | Rcode::Refused | Rcode::BadVers) {
        assert!(answers.is_empty() && authorities.is_empty() && additionals.len() <= 1, "records with {rcode:?}");
        assert!(reply.len() <= query.len() + MOST_OPT, "a refusal much longer than the query");
        assert_eq!(reply[2] & (AA | TC), 0);
    }
    let no_opt = answers.iter().chain(authorities).all(|record| record.kind != OPT);
    assert!(no_opt, "OPT outside the additional section");
    let found: Vec<&Walked> = additionals.iter().filter(|record| record.kind == OPT).collect();
    match (reading.and_then(|reading| reading.edns.as_ref()), &found[..]) {
        (None, []) => {}
        (Some(asked), [opt]) => options(asked, opt, asker, world),
        (asked, found) => panic!("{} OPT records for {asked:?}", found.len()),
    }
}

const OPT: u16 = 41;
const NSID: u16 = 3;
const KEEPALIVE: u16 = 11;
const EXTENDED_ERROR: u16 = 15;

/// The OPT record says what we speak, and repeats DO and the client's cookie.
fn options(asked: &Opt, opt: &Walked, asker: &Asker<'_>, world: &World) {
    assert_eq!(opt.class, world.snapshot.rules.max_udp_payload);
    assert_eq!(opt.ttl & 0x00ff_ffff, u32::from(asked.dnssec_ok) << 15, "version 0, DO repeated");
    let mut rest = &opt.rdata[..];
    let mut said = Vec::new();
    while let Some(([code_high, code_low, length @ ..], after)) = rest.split_first_chunk::<4>() {
        let (content, after) = after.split_at(u16::from_be_bytes(*length).into());
        said.push((u16::from_be_bytes([*code_high, *code_low]), content));
        rest = after;
    }
    assert!(rest.is_empty(), "octets behind the last option");
    let of = |code| said.iter().filter(move |(other, _)| *other == code);
    let asked_for = |code| asked.options.iter().find(|(other, _)| *other == code);
    assert_eq!(of(COOKIE).count(), usize::from(asked_for(COOKIE).is_some()), "a cookie for a cookie");
    if let (Some((_, ours)), Some((_, theirs))) = (of(COOKIE).next(), asked_for(COOKIE)) {
        assert_eq!((ours.len(), &ours[..8]), (24, &theirs[..8]));
    }
    let timeout = asker.transport == Transport::Tcp && asked_for(KEEPALIVE).is_some();
    assert_eq!(of(KEEPALIVE).count(), usize::from(timeout), "a timeout over TCP only");
    let identity = world.snapshot.rules.identity.as_deref().filter(|_| asked_for(NSID).is_some());
    // There is not always room for a long one.
    if of(NSID).next().is_some() || identity.is_some_and(|identity| identity.len() < 100) {
        assert!(of(NSID).map(|(_, said)| *said).eq(identity), "who we are, if that is to be told");
    }
    // Nobody has to ask for it (RFC 8914 §3).
    assert!(
        of(EXTENDED_ERROR).count() <= 1 && of(EXTENDED_ERROR).all(|(_, code)| code.len() == 2),
        "one code, no text"
    );
    let expected: usize = [COOKIE, KEEPALIVE, NSID, EXTENDED_ERROR].iter().map(|code| of(*code).count()).sum();
    assert_eq!(said.len(), expected, "options that nobody asked for");
}

/// How often one answer may look into the index.
mod work {
    /// 17 names of a chain, for each of which every ancestor and a wildcard are looked up; and the hosts of one record set.
    #[cfg(fuzzing)]
    const MOST_LOOKUPS: u64 = 17 * (128 + 128 + 4) + 64;

    /// Only the fuzzer's build of the data plane counts lookups.
    #[cfg(not(fuzzing))]
    pub(super) fn bounded<T>(work: impl FnOnce() -> T) -> T {
        work()
    }

    #[cfg(fuzzing)]
    pub(super) fn bounded<T>(work: impl FnOnce() -> T) -> T {
        let before = dnsplane_dns::snapshot::lookups();
        let result = work();
        let lookups = dnsplane_dns::snapshot::lookups() - before;
        assert!(lookups <= MOST_LOOKUPS, "{lookups} lookups");
        result
    }
}
