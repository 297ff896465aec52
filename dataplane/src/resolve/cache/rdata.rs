//! Where names are in RDATA. Names in these types may have come compressed (RFC 3597 §4), and would mean something else in
//! another message. Those of RFC 1035 are compressed again, all others are written out.

use dnsplane_proto::RecordType;
use std::ops::Range;

/// The form of a type's RDATA: some octets, names, and some octets.
pub(super) struct Layout {
    pub(super) before: usize,
    pub(super) names: usize,
    /// Octets behind the names.
    pub(super) after: Range<usize>,
    /// Names may be compressed.
    pub(super) compressed: bool,
}

const NONE: Range<usize> = 0..1;
const ANY: Range<usize> = 0..usize::MAX;

/// How RDATA of this type looks. `None`: it does not look like that.
pub(super) fn layout(kind: RecordType, rdata: &[u8]) -> Option<Layout> {
    let plain = |before, names, after| Layout { before, names, after, compressed: false };
    let compressed = |before, names, after| Layout { before, names, after, compressed: true };
    Some(match kind.0 {
        A => plain(0, 0, 4..5),
        AAAA => plain(0, 0, 16..17),
        NS | MD | MF | CNAME | MB | MG | MR | PTR => compressed(0, 1, NONE),
        SOA => compressed(0, 2, 20..21),
        MINFO => compressed(0, 2, NONE),
        MX => compressed(2, 1, NONE),
        DNAME => plain(0, 1, NONE),
        RP => plain(0, 2, NONE),
        AFSDB | RT | KX => plain(2, 1, NONE),
        PX => plain(2, 2, NONE),
        SRV => plain(6, 1, NONE),
        NAPTR => plain(before_replacement(rdata)?, 1, NONE),
        SIG | RRSIG => plain(18, 1, ANY),
        NXT | NSEC => plain(0, 1, ANY),
        SVCB | HTTPS => plain(2, 1, ANY),
        _ => plain(0, 0, ANY),
    })
}

/// ORDER and PREFERENCE, then three character-strings (RFC 3403 §4.1).
fn before_replacement(rdata: &[u8]) -> Option<usize> {
    (0..3).try_fold(4, |at: usize, _| Some(at + 1 + usize::from(*rdata.get(at)?)))
}

const A: u16 = 1;
const NS: u16 = 2;
const MD: u16 = 3;
const MF: u16 = 4;
const CNAME: u16 = 5;
const SOA: u16 = 6;
const MB: u16 = 7;
const MG: u16 = 8;
const MR: u16 = 9;
const PTR: u16 = 12;
const MINFO: u16 = 14;
const MX: u16 = 15;
const RP: u16 = 17;
const AFSDB: u16 = 18;
const RT: u16 = 21;
const SIG: u16 = 24;
const PX: u16 = 26;
const AAAA: u16 = 28;
const NXT: u16 = 30;
const SRV: u16 = 33;
const NAPTR: u16 = 35;
const KX: u16 = 36;
const DNAME: u16 = 39;
const RRSIG: u16 = 46;
const NSEC: u16 = 47;
const SVCB: u16 = 64;
const HTTPS: u16 = 65;
