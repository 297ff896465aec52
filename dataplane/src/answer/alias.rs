//! Names that stand for other names: CNAME (RFC 1034 §3.6.2) and DNAME (RFC 6672).

use super::lookup::{End, Lookup, Place, RDATA_AT, Step};
use crate::{
    encode::{Section, Truncated},
    snapshot::{
        Set,
        authority::Ancestor,
        entry::{record_header, ttl},
    },
    wire_name::MAX_NAME,
};
use dnsplane_proto::RecordType;

impl<'s> Lookup<'s, '_> {
    /// Adds the alias. Should there be several, which RFC 2181 §10.1 forbids, the first one counts.
    pub(super) fn follow(&mut self, alias: &Set<'s>, at: usize) -> Step {
        self.encoder.authoritative();
        let Some(record) = alias.records().next() else { return Step::NotOurs };
        match self.encoder.set(Section::Answer, at, &Set { count: 1, wire: record, ..*alias }) {
            Ok(start) => Step::Follow(start + RDATA_AT),
            Err(Truncated) => Step::Done(End::Records),
        }
    }

    /// Adds the DNAME of an ancestor, and the CNAME that it amounts to for this name (RFC 6672 §3.1, §3.2).
    pub(super) fn redirect(&mut self, ancestor: Ancestor<'s>, place: Place<'_>) -> Step {
        self.encoder.authoritative();
        let set = ancestor.entry.set(RecordType::DNAME);
        let Some((set, record)) = set.and_then(|set| Some((set, set.records().next()?))) else {
            return Step::NotOurs;
        };
        let dname = Set { count: 1, wire: record, ..set };
        let owner = place.at + ancestor.offset;
        // A name that leads below itself comes by the same DNAME again, which is given once (RFC 2181 §5).
        if !self.encoder.has(owner, &dname) && self.encoder.set(Section::Answer, owner, &dname).is_err() {
            return Step::Done(End::Records);
        }
        let target = record.get(RDATA_AT..).unwrap_or_default();
        let length = ancestor.offset + target.len();
        if length > MAX_NAME {
            return Step::Done(End::TooLong);
        }
        let mut cname = [0; RDATA_AT + MAX_NAME];
        cname[..RDATA_AT].copy_from_slice(&record_header(RecordType::CNAME, ttl(record), length));
        let (prefix, suffix) = cname[RDATA_AT..RDATA_AT + length].split_at_mut(ancestor.offset);
        // The labels in front keep the case in which they were asked for.
        prefix.copy_from_slice(&self.encoder.written(place.at)[..ancestor.offset]);
        suffix.copy_from_slice(target);
        let cname = Set { kind: RecordType::CNAME, count: 1, wire: &cname[..RDATA_AT + length] };
        match self.encoder.set(Section::Answer, place.at, &cname) {
            Err(Truncated) => Step::Done(End::Records),
            Ok(_) if self.kind == RecordType::CNAME => Step::Done(End::Records),
            Ok(start) => Step::Follow(start + RDATA_AT),
        }
    }
}
