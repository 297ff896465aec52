//! Names that mean the same everywhere and must not be asked of others: `localhost`, names that never exist, and the reverse
//! names of addresses that are private (RFC 6761, RFC 7686, RFC 6303, RFC 7793).
//!
//! Local records come first. Each of these is answered as a zone of its own, with an SOA so that resolvers may remember
//! that there is nothing (RFC 6303 §3).

use super::{
    arpa::{Arpa, Family},
    lookup::{End, RDATA_AT},
};
use crate::{
    encode::{Encoder, Section},
    snapshot::{Set, entry::record_header},
    wire_name,
};
use dnsplane_proto::RecordType;

/// `localhost` is 127.0.0.1 and ::1 for good; a week, as existing nodes say.
const LOCALHOST_TTL: u32 = 604_800;
/// Of SOA and NS, and how long to remember that there is nothing (RFC 6303 §3).
const EMPTY_TTL: u32 = 10_800;
const LOCALHOST: &[u8] = b"\x09localhost\x00";
/// nobody.invalid; serial, refresh, retry, expire, minimum (RFC 6303 §3).
const SOA_AFTER_MNAME: &[u8; 36] =
    b"\x06nobody\x07invalid\x00\0\0\0\x01\0\0\x0e\x10\0\0\x04\xb0\0\x09\x3a\x80\0\0\x2a\x30";
const V4_LOOPBACK: [u8; 4] = [127, 0, 0, 1];
/// Every record here fits.
const RECORD: usize = RDATA_AT + 2 + SOA_AFTER_MNAME.len();

/// A special name, and what is known of it.
pub(crate) struct Special {
    /// Where its zone starts in it.
    pub(super) apex: usize,
    content: Content,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    /// The addresses of this host, at any name.
    Localhost,
    /// No name at all, not even that of the zone (RFC 6761 §6.2, §6.4; RFC 7686 §2).
    Nothing,
    /// SOA and NS of a zone that is empty otherwise.
    Apex,
    /// … which is that of ::1, and so has its PTR.
    ApexAndLoopback,
    /// The PTR of 127.0.0.1.
    Loopback,
    /// A name between the zone's and that of 127.0.0.1.
    AboveLoopback,
    /// Any other name of such a zone.
    Missing,
}

/// Answers a special name which the reply holds at `at`. `known` says that there is something of ours at or below it, so
/// that it must not be called missing.
pub(super) fn answer(special: &Special, kind: RecordType, at: usize, known: bool, encoder: &mut Encoder<'_>) -> End {
    encoder.authoritative();
    let apex = at + special.apex;
    let [pointer_high, pointer_low] = (0xc000 | apex as u16).to_be_bytes();
    let any = kind == RecordType::ANY;
    let mut add = |kind, ttl, rdata: &[u8]| {
        let mut space = [0; RECORD];
        let wire = record(&mut space, kind, ttl, rdata);
        let _ = encoder.set(Section::Answer, at, &Set { kind, count: 1, wire });
        End::Records
    };
    match (special.content, kind) {
        (Content::Localhost, RecordType::AAAA) => {
            return add(kind, LOCALHOST_TTL, &std::net::Ipv6Addr::LOCALHOST.octets());
        }
        (Content::Localhost, _) if any || kind == RecordType::A => {
            return add(RecordType::A, LOCALHOST_TTL, &V4_LOOPBACK);
        }
        (Content::Loopback | Content::ApexAndLoopback, _) if any || kind == RecordType::PTR => {
            return add(RecordType::PTR, LOCALHOST_TTL, LOCALHOST);
        }
        (Content::Apex | Content::ApexAndLoopback, RecordType::NS) => {
            return add(kind, EMPTY_TTL, &[pointer_high, pointer_low]);
        }
        (Content::Apex | Content::ApexAndLoopback, _) if any || kind == RecordType::SOA => {
            return add(RecordType::SOA, EMPTY_TTL, &soa([pointer_high, pointer_low]));
        }
        _ => {}
    }
    let mut space = [0; RECORD];
    let wire = record(&mut space, RecordType::SOA, EMPTY_TTL, &soa([pointer_high, pointer_low]));
    let _ = encoder.set(Section::Authority, apex, &Set { kind: RecordType::SOA, count: 1, wire });
    let missing = matches!(special.content, Content::Nothing | Content::Missing) && !known;
    if missing { End::NxDomain } else { End::NoData }
}

/// Whether a name, in lower case, is special. Nearly all names are not, and are told so by how they end.
#[inline]
pub(crate) fn find(name: &[u8]) -> Option<Special> {
    if let Some(arpa) = Arpa::parse(name) {
        return reverse(&arpa);
    }
    let ends = |tail: &[u8]| {
        let ends = name.ends_with(tail) && wire_name::is_at_or_below(name, tail);
        ends.then(|| name.len() - tail.len())
    };
    if let Some(apex) = ends(LOCALHOST) {
        return Some(Special { apex, content: Content::Localhost });
    }
    let apex = ends(b"\x07invalid\x00").or_else(|| ends(b"\x04test\x00")).or_else(|| ends(b"\x05onion\x00"))?;
    Some(Special { apex, content: Content::Nothing })
}

impl Special {
    /// What it is, for people, and who says so.
    pub(crate) fn meaning(&self) -> (&'static str, &'static str) {
        match self.content {
            Content::Localhost => ("this host itself", "RFC 6761 §6.3"),
            Content::Nothing => ("a name that never exists", "RFC 6761 §6 and RFC 7686"),
            Content::Loopback
            | Content::ApexAndLoopback
            | Content::AboveLoopback
            | Content::Apex
            | Content::Missing => ("the reverse name of an address that is nobody's in particular", "RFC 6303"),
        }
    }
}

/// Zones of addresses that are nobody's in particular (RFC 6303 §4, RFC 7793).
fn reverse(arpa: &Arpa) -> Option<Special> {
    let numbers = arpa.numbers();
    let zone = match (arpa.family, numbers) {
        (Family::V4, [0 | 10 | 127, ..]) => 1,
        (Family::V4, [100, 64..=127, ..] | [169, 254, ..] | [172, 16..=31, ..] | [192, 168, ..]) => 2,
        (Family::V4, [192, 0, 2, ..] | [198, 51, 100, ..] | [203, 0, 113, ..]) => 3,
        (Family::V4, [255, 255, 255, 255]) => 4,
        (Family::V6, [0xf, 0xd, ..]) => 2,
        (Family::V6, [0xf, 0xe, 0x8..=0xb, ..]) => 3,
        (Family::V6, [2, 0, 0, 1, 0, 0xd, 0xb, 8, ..]) => 8,
        (Family::V6, [zeros @ .., 0 | 1]) if zeros.len() == 31 && zeros.iter().all(|nibble| *nibble == 0) => 32,
        _ => return None,
    };
    let content = match numbers {
        _ if !arpa.is_plain() => Content::Missing,
        [.., 1] if zone == 32 => Content::ApexAndLoopback,
        _ if numbers.len() == zone => Content::Apex,
        _ if numbers == V4_LOOPBACK => Content::Loopback,
        _ if V4_LOOPBACK.starts_with(numbers) && arpa.family == Family::V4 => Content::AboveLoopback,
        _ => Content::Missing,
    };
    Some(Special { apex: arpa.start(zone), content })
}

/// MNAME is the zone itself, where the reply holds it.
fn soa([high, low]: [u8; 2]) -> [u8; 2 + SOA_AFTER_MNAME.len()] {
    let mut rdata = [0; 2 + SOA_AFTER_MNAME.len()];
    rdata[..2].copy_from_slice(&[high, low]);
    rdata[2..].copy_from_slice(SOA_AFTER_MNAME);
    rdata
}

fn record<'a>(space: &'a mut [u8; RECORD], kind: RecordType, ttl: u32, rdata: &[u8]) -> &'a [u8] {
    let end = RDATA_AT + rdata.len();
    space[..RDATA_AT].copy_from_slice(&record_header(kind, ttl, rdata.len()));
    space[RDATA_AT..end].copy_from_slice(rdata);
    &space[..end]
}
