//! Names that lists block are answered as if they led nowhere: 0.0.0.0 and ::, which existing nodes say too, and nothing of any
//! other type.

use super::{
    Branch, Outcome,
    lookup::{End, Lookup, Place, RDATA_AT},
};
use crate::{
    encode::Section,
    filter::block_list::Blocked,
    snapshot::{Set, Snapshot, entry::record_header},
};
use dnsplane_proto::RecordType;

/// Short enough that a name which is allowed again works soon.
const TTL: u32 = 300;
/// nobody.invalid; serial, refresh, retry, expire, minimum, which is the TTL.
const SOA_AFTER_MNAME: &[u8; 36] =
    b"\x06nobody\x07invalid\x00\0\0\0\x01\0\0\x0e\x10\0\0\x04\xb0\0\x09\x3a\x80\0\0\x01\x2c";
/// Blocked (RFC 8914 §4.16).
const EXTENDED_ERROR: u16 = 15;
/// Every record here fits.
const RECORD: usize = RDATA_AT + 2 + SOA_AFTER_MNAME.len();

impl Snapshot {
    /// What blocks this name, given in lower case, at this time.
    #[inline]
    pub(crate) fn blocks(&self, name: &[u8], now: u32) -> Option<Blocked> {
        let list = self.block_list.as_ref()?;
        if u64::from(now) < self.rules.blocking_paused_until { None } else { list.find(name) }
    }
}

impl Lookup<'_, '_> {
    pub(super) fn blocked(mut self, blocked: Blocked, place: Place<'_>) -> Outcome {
        self.encoder.authoritative();
        self.encoder.extended_error(EXTENDED_ERROR);
        let apex = place.at + blocked.at;
        let [high, low] = (0xc000 | apex as u16).to_be_bytes();
        let (mut soa, mut space) = ([high; 2 + SOA_AFTER_MNAME.len()], [0; RECORD]);
        soa[1] = low;
        soa[2..].copy_from_slice(SOA_AFTER_MNAME);
        let (section, owner, kind, rdata) = match self.kind {
            RecordType::A | RecordType::ANY => (Section::Answer, place.at, RecordType::A, &[0; 4][..]),
            RecordType::AAAA => (Section::Answer, place.at, RecordType::AAAA, &[0; 16][..]),
            _ => (Section::Authority, apex, RecordType::SOA, &soa[..]),
        };
        let end = RDATA_AT + rdata.len();
        space[..RDATA_AT].copy_from_slice(&record_header(kind, TTL, rdata.len()));
        space[RDATA_AT..end].copy_from_slice(rdata);
        let _ = self.encoder.set(section, owner, &Set { kind, count: 1, wire: &space[..end] });
        self.done(Branch::Blocked, if section == Section::Answer { End::Records } else { End::NoData })
    }
}
