//! Addresses of hosts that an answer names, so that nobody has to ask again (RFC 1034 §4.3.2 step 6, RFC 2782, RFC 9460).

use super::lookup::{Lookup, RDATA_AT};
use crate::{
    encode::Section,
    snapshot::Set,
    wire_name::{self, LowerName},
};
use dnsplane_proto::RecordType;

/// Hosts whose addresses are looked up for one reply.
const MAX_TARGETS: usize = 16;

/// Where a reply holds the host names of a record set.
pub(super) struct Targets {
    offsets: [usize; MAX_TARGETS],
    count: usize,
}

impl Targets {
    /// Of a set that the reply holds from `start` on.
    pub(super) fn of(set: &Set<'_>, start: usize) -> Self {
        let mut targets = Self { offsets: [0; MAX_TARGETS], count: 0 };
        let Some(before) = octets_before_target(set.kind) else { return targets };
        let mut at = start;
        for record in set.records().take(MAX_TARGETS) {
            // RDATA that ends before its host does would have us point to what comes behind it.
            if record.get(RDATA_AT + before..).and_then(wire_name::split).is_some() {
                targets.offsets[targets.count] = at + RDATA_AT + before;
                targets.count += 1;
            }
            at += record.len();
        }
        targets
    }
}

impl Lookup<'_, '_> {
    /// Adds what is known of the hosts that an answer names. What does not fit is left out.
    #[inline]
    pub(super) fn add_targets(&mut self, set: &Set<'_>, start: usize) {
        if octets_before_target(set.kind).is_some() {
            self.add_addresses(&Targets::of(set, start), |_| true);
        }
    }

    /// Adds the addresses of those hosts that `wanted` says; `false`: there was no room for all of them.
    pub(super) fn add_addresses(&mut self, targets: &Targets, wanted: impl Fn(&[u8]) -> bool) -> bool {
        let mut all = true;
        let offsets = &targets.offsets[..targets.count];
        for (number, at) in offsets.iter().enumerate() {
            let name = LowerName::new(self.encoder.name_at(*at));
            let said = |earlier: &usize| self.encoder.name_at(*earlier).eq_ignore_ascii_case(name.as_bytes());
            if !wanted(name.as_bytes()) || offsets[..number].iter().any(said) {
                continue;
            }
            let Some(host) = self.snapshot.find(name.as_bytes()) else { continue };
            for kind in [RecordType::A, RecordType::AAAA] {
                if let Some(addresses) = host.set(kind) {
                    all &= self.encoder.set(Section::Additional, *at, &addresses).is_ok();
                }
            }
        }
        all
    }
}

/// Octets of RDATA in front of the host name, for types that name a host.
#[inline]
fn octets_before_target(kind: RecordType) -> Option<usize> {
    match kind {
        RecordType::NS => Some(0),
        RecordType::MX | RecordType::SVCB | RecordType::HTTPS => Some(2),
        RecordType::SRV => Some(6),
        _ => None,
    }
}
