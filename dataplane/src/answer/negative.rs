//! There is nothing: NXDOMAIN and NODATA carry the zone's SOA, which says for how long (RFC 2308 §3, §5).

use super::lookup::{End, Lookup, RDATA_AT, Step};
use crate::{
    encode::Section,
    snapshot::{
        Set, Zone,
        entry::{SOA_NUMBERS, ttl},
    },
    wire_name::{self, MAX_NAME},
};
use dnsplane_proto::RecordType;

const MAX_RECORD: usize = RDATA_AT + 2 * MAX_NAME + SOA_NUMBERS;
/// The root, or shorter than a pointer to it would be.
const TOO_SHORT: usize = 2;

impl<'s> Lookup<'s, '_> {
    /// Ends with this SOA in the authority section.
    pub(super) fn negative(&mut self, zone: Zone<'s>, at: usize, end: End) -> Step {
        self.encoder.authoritative();
        let soa = zone.entry.set(RecordType::SOA);
        if let Some((soa, record)) = soa.and_then(|soa| Some((soa, soa.records().next()?))) {
            let (apex, mut space) = (at + zone.offset, [0; MAX_RECORD]);
            let wire = shortened(&mut space, record, zone.entry.name(), apex).unwrap_or(record);
            if let Ok(start) = self.encoder.set(Section::Authority, apex, &Set { count: 1, wire, ..soa }) {
                self.encoder.set_ttl(start, negative_ttl(record));
            }
        }
        Step::Done(end)
    }
}

/// The same SOA with names that point to where the reply holds the zone's name, as far as they end in it, which is the rule
/// (RFC 1035 §4.1.4). `None` if it is not what an SOA should be: then it is served as it stands.
fn shortened<'b>(space: &'b mut [u8; MAX_RECORD], record: &[u8], apex: &[u8], apex_at: usize) -> Option<&'b [u8]> {
    let pointer = (0xc000 | u16::try_from(apex_at).ok()?).to_be_bytes();
    let mut end = 0;
    let mut put = |octets: &[u8]| {
        space.get_mut(end..end + octets.len())?.copy_from_slice(octets);
        end += octets.len();
        Some(())
    };
    let (header, mut rest) = record.split_at_checked(RDATA_AT)?;
    put(header)?;
    for _ in 0..2 {
        let name = wire_name::split(rest)?;
        rest = &rest[name.len()..];
        let common = wire_name::suffixes(name).find(|start| name[*start..].eq_ignore_ascii_case(apex));
        match common.filter(|_| apex.len() > TOO_SHORT) {
            Some(start) => {
                put(&name[..start])?;
                put(&pointer)?;
            }
            None => put(name)?,
        }
    }
    put(rest)?;
    space[RDATA_AT - 2..RDATA_AT].copy_from_slice(&((end - RDATA_AT) as u16).to_be_bytes());
    Some(&space[..end])
}

/// The lower of the SOA's own TTL and its MINIMUM field (RFC 2308 §5).
fn negative_ttl(soa: &[u8]) -> u32 {
    let minimum = soa.last_chunk().map_or(0, |octets| u32::from_be_bytes(*octets));
    ttl(soa).min(minimum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soa(names: &[u8]) -> Vec<u8> {
        let length = (names.len() + SOA_NUMBERS) as u8;
        [b"\xc0\x0c\x00\x06\x00\x01\x00\x00\x00\x3c\x00", &[length][..], names, &[7; SOA_NUMBERS]].concat()
    }

    #[test]
    fn rfc1035_s4_1_4_names_that_end_in_the_zones_own_point_to_it() {
        for (apex, names, expected) in [
            (&b"\x03lab\x00"[..], &b"\x02ns\x03LAB\x00\x04root\x03lab\x00"[..], &b"\x02ns\xc0\x20\x04root\xc0\x20"[..]),
            (b"\x03lab\x00", b"\x03lab\x00\x02ns\x04elab\x00", b"\xc0\x20\x02ns\x04elab\x00"),
            (b"\x00", b"\x02ns\x00\x00", b"\x02ns\x00\x00"),
        ] {
            let mut space = [0; MAX_RECORD];
            assert_eq!(shortened(&mut space, &soa(names), apex, 32), Some(&soa(expected)[..]));
        }
        // What no builder lets in is left as it stands.
        assert_eq!(shortened(&mut [0; MAX_RECORD], &soa(b"\x02n"), b"\x03lab\x00", 32), None);
        assert_eq!(shortened(&mut [0; MAX_RECORD], &soa(b"\x00\x00")[..9], b"\x03lab\x00", 32), None);
    }
}
