//! What NSEC3 records show not to be there (RFC 5155 §8).

use super::{
    Doubt, code,
    denial::{Cut, Denied, cut, denies, missing, wildcard},
    sets::RecordSet,
    work::Work,
};
use hickory_proto::{
    dnssec::rdata::{DNSSECRData, NSEC3},
    rr::{Name, RData, RecordType},
};

/// A zone that hashes more often counts as not signed (RFC 9276 §3.2 leaves the number to us; other validators have this one).
const MAX_ITERATIONS: u16 = 50;

/// Records of one zone, with the same parameters.
#[derive(Debug)]
pub(super) struct Hashed<'m> {
    zone: Name,
    /// Hashes of owner names, and the records.
    records: Vec<(Vec<u8>, &'m NSEC3)>,
    first: &'m NSEC3,
}

/// The ancestor that exists, and the one below it that does not.
struct Encloser<'m> {
    closest: Name,
    gap: &'m NSEC3,
}

impl<'m> Hashed<'m> {
    pub(super) fn new(zone: &Name, sets: &[&RecordSet<'m>]) -> Option<Self> {
        let all = sets.iter().flat_map(|set| &set.records).filter_map(|record| match &record.data {
            RData::DNSSEC(DNSSECRData::NSEC3(nsec3)) => Some((owner_hash(&record.name, zone)?, nsec3)),
            _ => None,
        });
        let mut records = all.collect::<Vec<_>>();
        let first = records.first()?.1;
        records.retain(|(_, nsec3)| nsec3.iterations() == first.iterations() && nsec3.salt() == first.salt());
        Some(Self { zone: zone.clone(), records, first })
    }

    pub(super) fn no_data(&self, name: &Name, kind: RecordType, work: &mut Work) -> Result<Denied, Doubt> {
        if self.is_too_much() {
            return Ok(Denied::Unsigned);
        }
        if let Some(nsec3) = self.at(name, work)? {
            let denied = denies(|kind| nsec3.type_set().contains(kind), name, kind);
            return if denied { Ok(Denied::Surely) } else { Err(missing(name, "have no such data")) };
        }
        let encloser = self.encloser(name, work)?.ok_or_else(|| missing(name, "have no such data"))?;
        if encloser.gap.opt_out() {
            return Ok(Denied::Unsigned);
        }
        match self.at(&wildcard(&encloser.closest)?, work)? {
            Some(nsec3) if denies(|kind| nsec3.type_set().contains(kind), name, kind) => Ok(Denied::Surely),
            _ => Err(missing(name, "have no such data")),
        }
    }

    pub(super) fn no_name(&self, name: &Name, work: &mut Work) -> Result<Denied, Doubt> {
        if self.is_too_much() {
            return Ok(Denied::Unsigned);
        }
        let encloser = self.encloser(name, work)?.ok_or_else(|| missing(name, "not exist"))?;
        self.gap(&wildcard(&encloser.closest)?, work)?.ok_or_else(|| missing(name, "not exist"))?;
        Ok(if encloser.gap.opt_out() { Denied::Unsigned } else { Denied::Surely })
    }

    pub(super) fn nothing_closer(&self, name: &Name, labels: u8, work: &mut Work) -> Result<Denied, Doubt> {
        if self.is_too_much() {
            return Ok(Denied::Unsigned);
        }
        let closer = name.trim_to(usize::from(labels) + 1);
        let gap = self.gap(&closer, work)?.ok_or_else(|| missing(name, "be answered by a wildcard"))?;
        Ok(if gap.opt_out() { Denied::Unsigned } else { Denied::Surely })
    }

    pub(super) fn cut(&self, name: &Name, work: &mut Work) -> Result<Cut, Doubt> {
        if self.is_too_much() {
            return Ok(Cut::Unsigned);
        }
        if let Some(nsec3) = self.at(name, work)? {
            return cut(|kind| nsec3.type_set().contains(kind), name);
        }
        let encloser = self.encloser(name, work)?.ok_or_else(|| missing(name, "have no DS records"))?;
        Ok(if encloser.gap.opt_out() { Cut::Unsigned } else { Cut::Nothing })
    }

    fn is_too_much(&self) -> bool {
        self.first.iterations() > MAX_ITERATIONS
    }

    fn hash(&self, name: &Name, work: &mut Work) -> Result<Vec<u8>, Doubt> {
        work.hash(self.first.iterations())?;
        let hash = self.first.hash_algorithm().hash(self.first.salt(), name, self.first.iterations());
        let hash = hash.map_err(|_| Doubt::bogus(code::BOGUS, format!("{name} cannot be hashed")))?;
        Ok(hash.as_ref().to_vec())
    }

    /// The record of this name.
    fn at(&self, name: &Name, work: &mut Work) -> Result<Option<&'m NSEC3>, Doubt> {
        let hash = self.hash(name, work)?;
        Ok(self.records.iter().find(|(owner, _)| *owner == hash).map(|(_, nsec3)| *nsec3))
    }

    /// The record whose gap has this name in it.
    fn gap(&self, name: &Name, work: &mut Work) -> Result<Option<&'m NSEC3>, Doubt> {
        let hash = self.hash(name, work)?;
        let covers = |(owner, nsec3): &&(Vec<u8>, &NSEC3)| {
            let next = nsec3.next_hashed_owner_name();
            if owner.as_slice() < next { *owner < hash && *hash < *next } else { *owner < hash || *hash < *next }
        };
        Ok(self.records.iter().find(covers).map(|(_, nsec3)| *nsec3))
    }

    /// RFC 5155 §8.3. `None`: the records do not show it.
    fn encloser(&self, name: &Name, work: &mut Work) -> Result<Option<Encloser<'m>>, Doubt> {
        let mut closer = name.clone();
        while closer != self.zone && !closer.is_root() {
            let closest = closer.base_name();
            if let Some(nsec3) = self.at(&closest, work)? {
                if nsec3.is_ancestor_delegation() {
                    return Ok(None); // what is below is not this zone's
                }
                return Ok(self.gap(&closer, work)?.map(|gap| Encloser { closest, gap }));
            }
            closer = closest;
        }
        Ok(None)
    }
}

/// The hash that an owner name is made of (RFC 5155 §3), right below the zone.
fn owner_hash(owner: &Name, zone: &Name) -> Option<Vec<u8>> {
    if owner.base_name() != *zone { None } else { base32(owner.iter().next()?) }
}

/// Base 32 with the extended hex alphabet, no padding (RFC 4648 §7).
fn base32(text: &[u8]) -> Option<Vec<u8>> {
    let (mut octets, mut bits, mut held) = (Vec::with_capacity(text.len() * 5 / 8), 0u32, 0u32);
    for letter in text {
        let value = match letter.to_ascii_lowercase() {
            digit @ b'0'..=b'9' => digit - b'0',
            letter @ b'a'..=b'v' => letter - b'a' + 10,
            _ => return None,
        };
        held = (held << 5 | u32::from(value)) & 0xfff;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            octets.push((held >> bits & 0xff) as u8);
        }
    }
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc4648_s10_test_vectors() {
        let table =
            [("", ""), ("CO", "f"), ("CPNG", "fo"), ("CPNMU", "foo"), ("CPNMUOG", "foob"), ("cpnmuoj1e8", "foobar")];
        for (text, octets) in table {
            assert_eq!(base32(text.as_bytes()), Some(octets.into()), "{text}");
        }
        assert_eq!(base32(b"w"), None);
    }
}
