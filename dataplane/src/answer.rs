//! Query bytes and a snapshot in, reply bytes out. No socket, no clock, no log: UDP, TCP, the fuzzer and the benchmark call
//! the same function.
//!
//! What is tried, in this order: not a question for us; a name of a local zone; a loose name; an automatic PTR record; a
//! special name; a blocked name; what was remembered; whom to ask; REFUSED. A query for an existing record set, or for what is
//! remembered, costs one lookup and one copy, and allocates nothing as long as `reply` has the capacity.

mod alias;
mod arpa;
mod blocked;
pub(crate) mod elsewhere;
mod identity;
mod lookup;
mod negative;
mod referral;
mod reverse;
pub(crate) mod special;
mod targets;

use crate::{
    Cache,
    cookie::Cookies,
    encode::{Encoder, Rcode},
    message::{Header, Query, Question},
    resolve::{Fetched, Wanted},
    snapshot::Snapshot,
    wire_name::LowerName,
};
use dnsplane_proto::RecordType;
use elsewhere::Asking;
use lookup::Lookup;
use std::{net::IpAddr, time::Duration};

/// UDP messages without EDNS (RFC 1035 §4.2.1).
const PLAIN_UDP: u16 = 512;
/// What the length in front of a TCP message can say (RFC 1035 §4.2.2).
const MAX_TCP: usize = u16::MAX as usize;
const CLASS_IN: u16 = 1;
/// How long a TCP connection may be silent (RFC 7766 §6.2.3 asks for seconds). Clients that ask are told (RFC 7828).
pub(crate) const TCP_IDLE: Duration = Duration::from_secs(10);

/// How the query came, which decides how long the reply may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Datagrams: the client says what it takes.
    Udp,
    /// A stream: up to 65,535 octets.
    Tcp,
    /// The same, encrypted (RFC 7858).
    Tls,
    /// A request of HTTP, encrypted (RFC 8484).
    Https,
    /// A stream of QUIC, encrypted (RFC 9250).
    Quic,
}

impl Transport {
    /// Nobody on the way can read it; so its length should not tell much either (RFC 7830).
    pub fn is_encrypted(self) -> bool {
        matches!(self, Self::Tls | Self::Https | Self::Quic)
    }

    /// A connection that a client keeps open between queries, and may ask for how long (RFC 7828). Over QUIC and HTTPS that
    /// is the business of these protocols (RFC 9250 §5.5.2).
    pub(crate) fn is_kept_open(self) -> bool {
        matches!(self, Self::Tcp | Self::Tls)
    }
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
    /// Of names that are not ours.
    pub known: Known<'a>,
}

/// What is known of names that are not ours.
#[derive(Clone, Copy, Default)]
pub struct Known<'a> {
    /// What was remembered.
    pub cache: Option<&'a Cache>,
    /// What was fetched for this very query, and what came of it. Counts before anything that was remembered.
    pub fetched: Option<(&'a Wanted, &'a Fetched)>,
}

/// What became of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Not a query: no reply was written.
    Dropped,
    /// There was a reply, but the client had too many of its kind: none was written.
    Withheld,
    /// A reply was written.
    Replied(Replied),
    /// A reply was written, from what was remembered, which should be renewed.
    ToRenew(Replied, Box<Wanted>),
    /// There is no reply before this has been fetched; none was written.
    Unresolved(Box<Wanted>),
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
    /// The name is below a zone cut: others have the answer (RFC 1034 §4.3.2).
    pub referral: bool,
    /// A record set was left out: TC is set.
    pub truncated: bool,
}

/// The step that answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Branch {
    /// The query was not one that we could look up.
    Invalid,
    /// Local records, or what is made of them.
    Local,
    /// A name that means the same everywhere, or a question about this server.
    Special,
    /// A list blocks the name.
    Blocked,
    /// What was remembered.
    Cache,
    /// What was remembered and is past its time.
    Stale,
    /// What was fetched for this query.
    Upstream,
    /// Nobody had an answer.
    Failed,
    /// Nothing of ours, and nobody to ask.
    Refused,
    /// The client has asked, or was told, more than its limit.
    Limited,
}

/// Appends the reply to `query`, if it gets one, to `reply`.
#[inline]
pub fn answer(query: &[u8], asker: &Asker<'_>, snapshot: &Snapshot, reply: &mut Vec<u8>) -> Outcome {
    let Some(header) = Header::parse(query).filter(|header| !header.is_response()) else {
        return Outcome::Dropped;
    };
    if header.opcode() == 0 {
        return reply_to(query, header, asker, snapshot, reply, None);
    }
    // The question of a NOTIFY or UPDATE is repeated if it can be read; what follows it is not looked at.
    let question = Question::parse(query).map_or(&[][..], |question| question.wire);
    conclude(Encoder::new(reply, header, question), Branch::Invalid, Rcode::NotImp)
}

/// As [`answer`]. `elsewhere` gets the last name of the chain that is not ours, if there is one: for explanations.
pub(crate) fn traced(
    query: &[u8],
    asker: &Asker<'_>,
    snapshot: &Snapshot,
    reply: &mut Vec<u8>,
    elsewhere: &mut Option<Box<[u8]>>,
) -> Outcome {
    match Header::parse(query).filter(|header| !header.is_response() && header.opcode() == 0) {
        Some(header) => reply_to(query, header, asker, snapshot, reply, Some(elsewhere)),
        None => answer(query, asker, snapshot, reply),
    }
}

fn reply_to<'a>(
    query: &[u8],
    header: Header<'_>,
    asker: &Asker<'a>,
    snapshot: &'a Snapshot,
    reply: &'a mut Vec<u8>,
    elsewhere: Option<&'a mut Option<Box<[u8]>>>,
) -> Outcome {
    let Ok(query) = Query::parse(query) else {
        return conclude(Encoder::new(reply, header, &[]), Branch::Invalid, Rcode::FormErr);
    };
    let (rules, transport) = (&snapshot.rules, asker.transport);
    let mut encoder = Encoder::new(reply, header, query.question.wire);
    let limit = match (transport, query.edns) {
        (Transport::Udp, None) => usize::from(PLAIN_UDP),
        // Sizes below 512 mean 512 (RFC 6891 §6.2.3).
        (Transport::Udp, Some(edns)) => usize::from(edns.payload.max(PLAIN_UDP).min(rules.max_udp_payload)),
        _ => MAX_TCP,
    };
    encoder.limit(limit, query.edns.as_ref(), asker, rules);
    let resolves = snapshot.resolves_for(asker.address);
    if resolves {
        encoder.recursion_available();
    }
    if query.edns.is_some_and(|edns| edns.version > 0) {
        return conclude(encoder, Branch::Invalid, Rcode::BadVers);
    }
    if let (identity::CLASS_CH, Some(identity)) = (query.question.class, &rules.identity)
        && identity::answer(&query.question, identity, &mut encoder)
    {
        return conclude(encoder, Branch::Special, Rcode::NoError);
    }
    if let Some(rcode) = refusal(&query.question, transport, snapshot) {
        let branch = if rcode == Rcode::Refused { Branch::Refused } else { Branch::Invalid };
        return conclude(encoder, branch, rcode);
    }
    let asking = Asking::of(&query, asker, resolves, elsewhere);
    let lookup = Lookup { snapshot, kind: query.question.kind, encoder, asking };
    lookup.run(&query.question)
}

/// Questions that no lookup can answer. Types that are never data, such as OPT, are not among them: no name has any, so
/// that the lookup finds NODATA or NXDOMAIN, which is what NSD and Knot say, too.
fn refusal(question: &Question<'_>, transport: Transport, snapshot: &Snapshot) -> Option<Rcode> {
    if question.class != CLASS_IN {
        return Some(Rcode::Refused);
    }
    match question.kind {
        RecordType::ANY => snapshot.rules.refuse_any.then_some(Rcode::NotImp),
        // A transfer needs a stream (RFC 5936 §4.2).
        RecordType::AXFR if transport == Transport::Udp => Some(Rcode::NotImp),
        // Zones are not handed out, and what is no zone cannot be (RFC 5936 §2.2.1).
        RecordType::AXFR | RecordType::IXFR => {
            let is_zone = snapshot.is_zone(LowerName::new(question.name).as_bytes());
            Some(if is_zone { Rcode::Refused } else { Rcode::NotAuth })
        }
        _ => None,
    }
}

fn conclude(encoder: Encoder<'_>, branch: Branch, rcode: Rcode) -> Outcome {
    Outcome::Replied(finish(encoder, branch, rcode))
}

fn finish(encoder: Encoder<'_>, branch: Branch, rcode: Rcode) -> Replied {
    Replied { branch, rcode, nodata: false, referral: false, truncated: encoder.finish(rcode) }
}

#[cfg(test)]
mod tests;
