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
    snapshot::{
        Entry,
        entry::{record_header, ttl},
        reverse,
    },
};
use dnsplane_proto::RecordType;

/// Names looked at for one address. More would not fit into most replies; which of them count is the same every time.
const MAX_OWNERS: usize = 256;

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
        let mut count = 0u16;
        for (owner, found) in owners.iter_mut().zip(reverse.owners(&self.snapshot.index, address.octets())) {
            *owner = Some(found);
            count += 1;
        }
        let owners = &mut owners[..usize::from(count)];
        if owners.is_empty() {
            return None;
        }
        if !matches!(self.kind, RecordType::PTR | RecordType::ANY) {
            return Some(Automatic::Exists);
        }
        owners.sort_unstable_by(|one, other| names(one).cmp(names(other)));
        let octets = owners.iter().flatten().map(|owner| RDATA_AT + owner.name().len()).sum();
        self.encoder.authoritative();
        let _ = self.encoder.made_set(Section::Answer, place.at, (count, octets), |out| {
            owners.iter().flatten().for_each(|owner| write(out, owner, address.octets()));
        });
        Some(Automatic::Records)
    }
}

/// Writes a PTR record that points to this owner, with the TTL of the record that has the address.
fn write(out: &mut Vec<u8>, owner: &Entry<'_>, address: &[u8]) {
    let name = owner.name();
    let ttl = reverse::record(owner, address).map_or(0, ttl);
    out.extend_from_slice(&record_header(RecordType::PTR, ttl, name.len()));
    out.extend_from_slice(name);
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
