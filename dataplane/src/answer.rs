//! Query bytes and a snapshot in, reply bytes out. No socket, no clock, no log: UDP, TCP, the fuzzer and the benchmark call
//! the same function.
//!
//! What is tried, in this order: not a question for us; a name of a local zone; a loose name; REFUSED. A query for an
//! existing record set costs one lookup and one copy, and allocates nothing as long as `reply` has the capacity.

use crate::{
    cookie::Cookies,
    encode::{Encoder, Rcode, Section, Truncated},
    message::{HEADER, Header, Query, Question},
    snapshot::{Entry, Set, Snapshot, Zone},
};
use dnsplane_proto::RecordType;
use std::net::IpAddr;

/// UDP messages without EDNS (RFC 1035 §4.2.1).
const PLAIN_UDP: u16 = 512;
/// What the length in front of a TCP message can say (RFC 1035 §4.2.2).
const MAX_TCP: usize = u16::MAX as usize;
/// CNAMEs followed for one question. A chain that goes on ends there; a resolver asks again for the last name.
const MAX_CHAIN: usize = 16;
const MAX_NAME: usize = 255;
const CLASS_IN: u16 = 1;

/// How the query came, which decides how long the reply may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Datagrams: the client says what it takes.
    Udp,
    /// A stream: up to 65,535 octets.
    Tcp,
}

/// Who asks, and how.
#[derive(Clone, Copy)]
pub struct Asker<'a> {
    /// How the query came.
    pub transport: Transport,
    /// Where it came from.
    pub address: IpAddr,
    /// Seconds since 1970, wrapping; only cookies look at it, so a coarse clock will do.
    pub now: u32,
    /// Makes the server cookies of replies.
    pub cookies: &'a Cookies,
}

/// What became of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Not a query: no reply was written.
    Dropped,
    /// A reply was written.
    Replied(Replied),
}

/// What a reply says, for those who count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replied {
    /// Who answered.
    pub branch: Branch,
    /// What the reply's header and OPT say.
    pub rcode: Rcode,
    /// The name exists, the type does not (RFC 2308 §2.2).
    pub nodata: bool,
    /// A record set was left out: TC is set.
    pub truncated: bool,
}

/// The step that answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Branch {
    /// The query was not one that we could look up.
    Invalid,
    /// Local records.
    Local,
    /// Nothing of ours, and nobody to ask.
    Refused,
}

/// Appends the reply to `query`, if it gets one, to `reply`.
#[inline]
pub fn answer(query: &[u8], asker: &Asker<'_>, snapshot: &Snapshot, reply: &mut Vec<u8>) -> Outcome {
    let Some(header) = Header::parse(query).filter(|header| !header.is_response()) else {
        return Outcome::Dropped;
    };
    Outcome::Replied(if header.opcode() == 0 {
        reply_to(query, header, asker.transport, snapshot, reply)
    } else {
        // The question of a NOTIFY or UPDATE is repeated if it can be read; what follows it is not looked at.
        let question = Question::parse(query).map_or(&[][..], |question| question.wire);
        conclude(Encoder::new(reply, header, question), Branch::Invalid, Rcode::NotImp)
    })
}

fn reply_to(
    query: &[u8],
    header: Header<'_>,
    transport: Transport,
    snapshot: &Snapshot,
    reply: &mut Vec<u8>,
) -> Replied {
    let Ok(query) = Query::parse(query) else {
        return conclude(Encoder::new(reply, header, &[]), Branch::Invalid, Rcode::FormErr);
    };
    let rules = &snapshot.rules;
    let mut encoder = Encoder::new(reply, header, query.question.wire);
    let limit = match (transport, query.edns) {
        (Transport::Tcp, _) => MAX_TCP,
        (Transport::Udp, None) => usize::from(PLAIN_UDP),
        // Sizes below 512 mean 512 (RFC 6891 §6.2.3).
        (Transport::Udp, Some(edns)) => usize::from(edns.payload.max(PLAIN_UDP).min(rules.max_udp_payload)),
    };
    encoder.limit(limit, query.edns.as_ref(), rules.max_udp_payload);
    if query.edns.is_some_and(|edns| edns.version > 0) {
        return conclude(encoder, Branch::Invalid, Rcode::BadVers);
    }
    if let Some(rcode) = refusal(&query.question, transport, rules.refuse_any) {
        let branch = if rcode == Rcode::Refused { Branch::Refused } else { Branch::Invalid };
        return conclude(encoder, branch, rcode);
    }
    if !rules.local_records {
        return conclude(encoder, Branch::Refused, Rcode::Refused);
    }
    Lookup { snapshot, kind: query.question.kind, encoder }.run(&query.question)
}

/// Questions that no lookup can answer.
fn refusal(question: &Question<'_>, transport: Transport, refuse_any: bool) -> Option<Rcode> {
    if question.class != CLASS_IN {
        return Some(Rcode::Refused);
    }
    match question.kind {
        RecordType::ANY => refuse_any.then_some(Rcode::NotImp),
        // A transfer needs a stream (RFC 5936 §4.2).
        RecordType::AXFR if transport == Transport::Udp => Some(Rcode::FormErr),
        RecordType::AXFR | RecordType::IXFR | RecordType::TKEY => Some(Rcode::Refused),
        RecordType::MAILA | RecordType::MAILB => Some(Rcode::NotImp),
        kind => kind.is_meta().then_some(Rcode::FormErr),
    }
}

fn conclude(encoder: Encoder<'_>, branch: Branch, rcode: Rcode) -> Replied {
    Replied { branch, rcode, nodata: false, truncated: encoder.finish(rcode) }
}

/// The search for one question (RFC 1034 §4.3.2).
struct Lookup<'s, 'r> {
    snapshot: &'s Snapshot,
    kind: RecordType,
    encoder: Encoder<'r>,
}

/// Where a step of the search ended.
enum Step<'s> {
    /// The reply is complete.
    Done { rcode: Rcode, nodata: bool },
    /// An alias: go on with this name, which the reply holds at this offset.
    Follow { target: &'s [u8], at: usize },
    /// Neither a zone of ours nor a loose name.
    NotOurs,
}

impl<'s> Lookup<'s, '_> {
    fn run(mut self, question: &Question<'_>) -> Replied {
        let mut name = LowerName::new(question.name);
        let mut at = HEADER;
        let mut seen = [&[][..]; MAX_CHAIN];
        for hop in 0..=MAX_CHAIN {
            match self.step(name.as_bytes(), at) {
                Step::Done { rcode, nodata } => return self.done(rcode, nodata),
                Step::Follow { target, at: target_at } if hop < MAX_CHAIN => {
                    name = LowerName::new(target);
                    at = target_at;
                    // A chain that bites its own tail ends where it would repeat itself.
                    let repeats = |earlier: &&[u8]| earlier.eq_ignore_ascii_case(target);
                    if question.name.eq_ignore_ascii_case(target) || seen[..hop].iter().any(repeats) {
                        return self.done(Rcode::NoError, false);
                    }
                    seen[hop] = target;
                }
                Step::NotOurs if hop == 0 => return conclude(self.encoder, Branch::Refused, Rcode::Refused),
                // The alias leaves local data, or goes on for too long: the client gets what there is.
                Step::Follow { .. } | Step::NotOurs => return self.done(Rcode::NoError, false),
            }
        }
        self.done(Rcode::NoError, false)
    }

    fn done(self, rcode: Rcode, nodata: bool) -> Replied {
        Replied { nodata, ..conclude(self.encoder, Branch::Local, rcode) }
    }

    /// One name of the chain. `at` is where the reply holds it.
    #[inline]
    fn step(&mut self, name: &[u8], at: usize) -> Step<'s> {
        let snapshot = self.snapshot;
        let Some(entry) = snapshot.find(name) else {
            return match snapshot.zone_of(name) {
                Some(zone) => self.negative(zone, at, Rcode::NxDomain),
                None => Step::NotOurs,
            };
        };
        if let Some(set) = self.wanted(&entry) {
            self.encoder.authoritative();
            let _ = self.encoder.set(Section::Answer, at, &set);
            return Step::Done { rcode: Rcode::NoError, nodata: false };
        }
        if let Some(alias) = entry.is_alias().then(|| entry.set(RecordType::CNAME)).flatten() {
            return self.follow(&alias, at);
        }
        match snapshot.zone_of(name) {
            Some(zone) => self.negative(zone, at, Rcode::NoError),
            None if entry.is_empty_non_terminal() || !snapshot.rules.missing_type_is_nodata => Step::NotOurs,
            None => {
                self.encoder.authoritative();
                Step::Done { rcode: Rcode::NoError, nodata: true }
            }
        }
    }

    /// The set that answers the question. ANY gets one set, the alias if there is one (RFC 8482 §4.1).
    #[inline]
    fn wanted(&self, entry: &Entry<'s>) -> Option<Set<'s>> {
        if self.kind == RecordType::ANY {
            return entry.set(RecordType::CNAME).or_else(|| entry.sets().next());
        }
        entry.set(self.kind)
    }

    /// Adds the alias. Should there be several, which RFC 2181 §10.1 forbids, the first one counts.
    fn follow(&mut self, alias: &Set<'s>, at: usize) -> Step<'s> {
        self.encoder.authoritative();
        let target = alias.records().next().and_then(|record| Some((record, record.get(RDATA_AT..)?)));
        let Some((record, target)) = target else {
            return Step::NotOurs;
        };
        match self.encoder.set(Section::Answer, at, &Set { count: 1, wire: record, ..*alias }) {
            Ok(start) => Step::Follow { target, at: start + RDATA_AT },
            Err(Truncated) => Step::Done { rcode: Rcode::NoError, nodata: false },
        }
    }

    /// NXDOMAIN or NODATA: the SOA says for how long (RFC 2308 §3, §5).
    fn negative(&mut self, zone: Zone<'s>, at: usize, rcode: Rcode) -> Step<'s> {
        self.encoder.authoritative();
        let soa = zone.apex.set(RecordType::SOA);
        if let Some((soa, record)) = soa.and_then(|soa| Some((soa, soa.records().next()?))) {
            let soa = Set { count: 1, wire: record, ..soa };
            if let Ok(start) = self.encoder.set(Section::Authority, at + zone.offset, &soa) {
                self.encoder.set_ttl(start, negative_ttl(record));
            }
        }
        Step::Done { rcode, nodata: rcode == Rcode::NoError }
    }
}

/// Where RDATA starts in a stored record.
const RDATA_AT: usize = crate::snapshot::entry::RECORD_HEADER;

/// The lower of the SOA's own TTL and its MINIMUM field (RFC 2308 §5).
fn negative_ttl(soa: &[u8]) -> u32 {
    let ttl = soa.get(6..10).and_then(|octets| octets.try_into().ok()).map_or(0, u32::from_be_bytes);
    let minimum = soa.last_chunk().map_or(0, |octets| u32::from_be_bytes(*octets));
    ttl.min(minimum)
}

/// A name as the index knows it: names compare without case (RFC 1035 §2.3.3, RFC 4343). On the stack.
struct LowerName {
    octets: [u8; MAX_NAME],
    length: usize,
}

impl LowerName {
    #[inline]
    fn new(wire: &[u8]) -> Self {
        let mut octets = [0; MAX_NAME];
        let length = wire.len().min(MAX_NAME);
        octets[..length].copy_from_slice(&wire[..length]);
        // Length octets are at most 63, so they are not letters and stay as they are.
        octets[..length].make_ascii_lowercase();
        Self { octets, length }
    }

    #[inline]
    fn as_bytes(&self) -> &[u8] {
        &self.octets[..self.length]
    }
}

#[cfg(test)]
mod tests;
