//! Records of a message as record sets with their signatures, which is how they are signed (RFC 4035 §2.2).

use super::{Doubt, code};
use hickory_proto::{
    dnssec::rdata::{DNSSECRData, RRSIG},
    op::Message,
    rr::{DNSClass, Name, RData, Record, RecordType},
    serialize::binary::BinDecodable,
};
use std::collections::HashMap;

/// Record sets of one section: more than any answer has, so few that none costs much.
const MAX_SETS: usize = 64;

/// All records of one name and type.
#[derive(Debug)]
pub(super) struct RecordSet<'m> {
    pub(super) name: &'m Name,
    pub(super) kind: RecordType,
    pub(super) records: Vec<&'m Record>,
    pub(super) signatures: Vec<&'m RRSIG>,
}

/// The octets as a message.
pub(super) fn parse(message: &[u8]) -> Result<Message, Doubt> {
    Message::from_vec(message).map_err(|error| Doubt::Unknown(format!("a reply cannot be read: {error}")))
}

/// The record sets of a section. A signature of nothing that is there is of no interest.
pub(super) fn sets(section: &[Record]) -> Result<Vec<RecordSet<'_>>, Doubt> {
    let mut sets: Vec<RecordSet<'_>> = Vec::new();
    let mut places = HashMap::new();
    for record in section.iter().filter(|record| record.record_type() != RecordType::RRSIG) {
        if record.dns_class != DNSClass::IN {
            return Err(Doubt::bogus(code::BOGUS, format!("a record of {} is of another class", record.name)));
        }
        let kind = record.record_type();
        let place = *places.entry((&record.name, kind)).or_insert(sets.len());
        if place == sets.len() {
            sets.push(RecordSet { name: &record.name, kind, records: Vec::new(), signatures: Vec::new() });
        }
        sets[place].records.push(record);
        if sets.len() > MAX_SETS {
            return Err(Doubt::bogus(code::BOGUS, format!("it has more than {MAX_SETS} record sets")));
        }
    }
    for record in section {
        let RData::DNSSEC(DNSSECRData::RRSIG(signature)) = &record.data else { continue };
        if let Some(place) = places.get(&(&record.name, signature.input().type_covered)) {
            sets[*place].signatures.push(signature);
        }
    }
    Ok(sets)
}

/// The record set of this name and type.
pub(super) fn find<'s, 'm>(sets: &'s [RecordSet<'m>], name: &Name, kind: RecordType) -> Option<&'s RecordSet<'m>> {
    sets.iter().find(|set| set.kind == kind && set.name == name)
}

/// Where a DNAME leads. hickory knows the type by number alone.
pub(super) fn dname_target(data: &RData) -> Option<Name> {
    match data {
        RData::Unknown { code: RecordType::DNAME, rdata } => Name::from_bytes(&rdata.anything).ok(),
        _ => None,
    }
}

impl<'m> RecordSet<'m> {
    /// Whom its signatures are said to be of, each once, those that may sign it alone: the zone is at or above the name
    /// (RFC 4035 §5.3.1), and what is at the parent's side of a cut is signed there.
    pub(super) fn signers(&self) -> Vec<&'m Name> {
        let mut signers: Vec<&Name> = Vec::new();
        for signature in &self.signatures {
            let signer = &signature.input().signer_name;
            let below = self.kind == RecordType::DS && signer == self.name && !signer.is_root();
            if signer.zone_of(self.name) && !below && !signers.contains(&signer) {
                signers.push(signer);
            }
        }
        signers
    }
}
