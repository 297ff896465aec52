//! Names below a zone cut: others have the answer, and we say who (RFC 1034 §4.3.2 step 3b, RFC 9471).

use super::{
    lookup::{End, Lookup, Place, Step},
    targets::Targets,
};
use crate::{
    encode::Section,
    snapshot::{Zone, authority::Ancestor},
    wire_name,
};
use dnsplane_proto::RecordType;

impl<'s> Lookup<'s, '_> {
    /// NS records in the authority section, and addresses of servers that are in our zone. AA is left as it is: set, if an
    /// alias of ours led here.
    pub(super) fn refer(&mut self, cut: Ancestor<'s>, zone: Option<Zone<'s>>, place: Place<'_>) -> Step {
        let owner = place.at + cut.offset;
        let Some(servers) = cut.entry.set(RecordType::NS) else { return Step::NotOurs };
        let Ok(start) = self.encoder.set(Section::Authority, owner, &servers) else {
            return Step::Done(End::Referral);
        };
        // DS that nobody signed cannot be verified, so a zone without signatures has none to give (RFC 4035 §3.1).
        let is_signed = || zone.is_some_and(|zone| zone.entry.set(RecordType::RRSIG).is_some());
        if let Some(signers) = cut.entry.set(RecordType::DS)
            && self.encoder.wants_dnssec()
            && is_signed()
        {
            let _ = self.encoder.set(Section::Authority, owner, &signers);
        }
        let below_cut = &place.name[cut.offset..];
        let below_apex = zone.map_or(&[0][..], |zone| &place.name[zone.offset..]);
        let servers = Targets::of(&servers, start);
        // Without the addresses of servers that are themselves below the cut, nobody gets there: first these, …
        let glue = |name: &[u8]| wire_name::is_at_or_below(name, below_cut);
        if !self.add_addresses(&servers, glue) {
            self.encoder.truncate();
        }
        // … then others that we happen to know.
        self.add_addresses(&servers, |name| !glue(name) && wire_name::is_at_or_below(name, below_apex));
        Step::Done(End::Referral)
    }
}
