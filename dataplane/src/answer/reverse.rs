//! PTR records that nobody wrote: made of the A and AAAA records that are there, if the settings ask for it.
//!
//! Records that somebody wrote come first. A reverse name that only these make exist is answered like any other name that
//! exists, also inside a zone, which would call it NXDOMAIN by its own records alone: whoever keeps a reverse zone and
//! turns automatic records on wants both.

use super::{
    arpa::Arpa,
    lookup::{Lookup, Place, RDATA_AT},
};
use crate::{
    encode::Section,
    snapshot::{Entry, Set, entry::OWNER_IS_QUESTION, reverse},
    wire_name::MAX_NAME,
};
use dnsplane_proto::RecordType;

/// Names looked at for one address. More would not fit into most replies; which of them count is the same every time.
const MAX_OWNERS: usize = 256;
/// The largest record that points to a name.
const RECORD: usize = RDATA_AT + MAX_NAME;

/// What automatic PTR records make of a name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Automatic {
    /// They answer the question.
    Records,
    /// They make the name exist, and another type was asked for.
    Exists,
    /// Names that they make exist may be below it.
    Part,
}

impl<'s> Lookup<'s, '_> {
    /// Answers a question for which nobody wrote a record, if there are automatic ones.
    pub(super) fn automatic(&mut self, place: Place<'_>) -> Option<Automatic> {
        let reverse = self.snapshot.reverse.as_ref()?;
        let arpa = Arpa::parse(place.name)?;
        let Some(address) = arpa.address() else {
            // Names that stand for addresses may be below it. Who asks label by label must not stop here (RFC 8020).
            return arpa.is_part().then_some(Automatic::Part);
        };
        let mut owners: [Option<Entry<'s>>; MAX_OWNERS] = [None; MAX_OWNERS];
        let mut count = 0;
        for (owner, found) in owners.iter_mut().zip(reverse.owners(&self.snapshot.index, address.octets())) {
            *owner = Some(found);
            count += 1;
        }
        let owners = &mut owners[..count];
        if owners.is_empty() {
            return None;
        }
        if !matches!(self.kind, RecordType::PTR | RecordType::ANY) {
            return Some(Automatic::Exists);
        }
        owners.sort_unstable_by(|one, other| names(one).cmp(names(other)));
        let owners = owners.iter().flatten();
        self.point_to(owners, address.octets(), place.at);
        Some(Automatic::Records)
    }

    /// Adds a PTR record for each owner. One, which is the rule, takes no memory but the stack.
    fn point_to<'o>(&mut self, owners: impl Iterator<Item = &'o Entry<'s>> + Clone, address: &[u8], at: usize)
    where
        's: 'o,
    {
        self.encoder.authoritative();
        let (mut single, mut several) = ([0; RECORD], Vec::new());
        let count = owners.clone().count();
        let mut wire: &[u8] = &[];
        for owner in owners {
            let length = write(&mut single, owner, address);
            if count == 1 {
                wire = &single[..length];
                break;
            }
            several.extend_from_slice(&single[..length]);
        }
        if count > 1 {
            wire = &several;
        }
        let _ = self.encoder.set(Section::Answer, at, &Set { kind: RecordType::PTR, count: count as u16, wire });
    }
}

/// Writes a PTR record that points to this owner, with the TTL of the record that has the address.
fn write(record: &mut [u8; RECORD], owner: &Entry<'_>, address: &[u8]) -> usize {
    let name = owner.name();
    record[..2].copy_from_slice(&OWNER_IS_QUESTION);
    record[2..6].copy_from_slice(&[0, RecordType::PTR.0 as u8, 0, 1]);
    let ttl = reverse::record(owner, address).and_then(|record| record.get(6..10)).unwrap_or(&[0; 4]);
    record[6..10].copy_from_slice(ttl);
    record[10..RDATA_AT].copy_from_slice(&(name.len() as u16).to_be_bytes());
    record[RDATA_AT..RDATA_AT + name.len()].copy_from_slice(name);
    RDATA_AT + name.len()
}

/// A name to sort by: label by label, as it is read.
fn names<'e>(owner: &'e Option<Entry<'_>>) -> impl Iterator<Item = &'e [u8]> {
    let mut rest = owner.as_ref().map_or(&[][..], Entry::name);
    std::iter::from_fn(move || {
        let (length, after) = rest.split_first()?;
        let (label, after) = after.split_at_checked(usize::from(*length))?;
        rest = after;
        Some(label)
    })
}
