//! The search for one question in local records (RFC 1034 §4.3.2, RFC 4592, RFC 6672).

use super::{Branch, Outcome, Replied, elsewhere::Asking, finish, reverse::Automatic};
use crate::{
    encode::{Encoder, Rcode, Section},
    message::{HEADER, Question},
    snapshot::{Authority, Entry, Obstacle, Set, Snapshot, Zone, entry::RECORD_HEADER},
    wire_name::LowerName,
};
use dnsplane_proto::RecordType;

/// Aliases followed for one question. A chain that goes on ends there; a resolver asks again for the last name.
pub(super) const MAX_CHAIN: usize = 16;
/// Where RDATA starts in a stored record.
pub(super) const RDATA_AT: usize = RECORD_HEADER;

/// The search, and the reply that it writes.
pub(super) struct Lookup<'s, 'r> {
    pub(super) snapshot: &'s Snapshot,
    pub(super) kind: RecordType,
    pub(super) encoder: Encoder<'r>,
    pub(super) asking: Asking<'r>,
}

/// Where a step of the search ended.
pub(super) enum Step {
    /// The reply is complete.
    Done(End),
    /// An alias: go on with the name that the reply holds at this offset.
    Follow(usize),
    /// Neither a zone of ours nor a loose name.
    NotOurs,
}

/// How a search ends.
#[derive(Clone, Copy)]
pub(super) enum End {
    /// With records, or with what there is of them.
    Records,
    /// The name exists, the type does not.
    NoData,
    /// The name does not exist.
    NxDomain,
    /// Others have the answer.
    Referral,
    /// A DNAME leads to a name that cannot be.
    TooLong,
}

/// A name of the chain, and where the reply holds it.
#[derive(Clone, Copy)]
pub(super) struct Place<'n> {
    /// Lower case.
    pub(super) name: &'n [u8],
    pub(super) at: usize,
}

impl<'s> Lookup<'s, '_> {
    pub(super) fn run(mut self, question: &Question<'_>) -> Outcome {
        let mut name = LowerName::new(question.name);
        let mut chain = [HEADER; MAX_CHAIN + 1];
        // Whoever has no records need not look for them: a resolver and nothing else.
        let has_local = self.snapshot.rules.local_records && self.snapshot.records() > 0;
        for hop in 0..=MAX_CHAIN {
            let place = Place { name: name.as_bytes(), at: chain[hop] };
            let step = if has_local { self.step(place) } else { Step::NotOurs };
            match step {
                Step::Done(end) => return self.done(Branch::Local, end),
                Step::NotOurs if hop == 0 => return self.not_ours(place),
                // The alias leaves local data: without somebody to ask the client gets what there is.
                Step::NotOurs if self.may_ask(place.name).is_ok() => return self.not_ours(place),
                Step::NotOurs => break,
                Step::Follow(at) => {
                    name = LowerName::new(self.encoder.name_at(at));
                    // A chain that bites its own tail ends where it would repeat itself.
                    let repeats =
                        |earlier: &usize| self.encoder.name_at(*earlier).eq_ignore_ascii_case(name.as_bytes());
                    if hop == MAX_CHAIN || chain[..=hop].iter().any(repeats) {
                        break;
                    }
                    chain[hop + 1] = at;
                }
            }
        }
        self.done(Branch::Local, End::Records)
    }

    pub(super) fn done(self, branch: Branch, end: End) -> Outcome {
        Outcome::Replied(self.replied(branch, end))
    }

    pub(super) fn replied(self, branch: Branch, end: End) -> Replied {
        let rcode = match end {
            End::Records | End::NoData | End::Referral => Rcode::NoError,
            End::NxDomain => Rcode::NxDomain,
            End::TooLong => Rcode::YxDomain,
        };
        let (nodata, referral) = (matches!(end, End::NoData), matches!(end, End::Referral));
        Replied { nodata, referral, ..finish(self.encoder, branch, rcode) }
    }

    /// One name of the chain.
    #[inline]
    fn step(&mut self, place: Place<'_>) -> Step {
        let entry = self.snapshot.find(place.name);
        if let Some(entry) = entry
            && !self.snapshot.has_breaks()
            && self.kind != RecordType::DS
        {
            return self.found(&entry, place, None);
        }
        let authority = self.authority(place.name);
        match authority.obstacle {
            Some(Obstacle::Cut(cut)) => return self.refer(cut, authority.zone, place),
            Some(Obstacle::Redirect(redirect)) => return self.redirect(redirect, place),
            None => {}
        }
        match entry {
            Some(entry) => self.found(&entry, place, Some(authority)),
            None => self.missing(authority, place),
        }
    }

    /// DS records belong to the parent's side of a zone cut (RFC 4035 §3.1.4.1), if the parent is ours.
    fn authority(&self, name: &[u8]) -> Authority<'s> {
        if self.kind == RecordType::DS {
            let parent = self.snapshot.authority(name, true);
            if parent.zone.is_some() {
                return parent;
            }
        }
        self.snapshot.authority(name, false)
    }

    /// The name exists, or a wildcard covers it. `authority` is `None` if nobody has looked yet.
    #[inline]
    fn found(&mut self, entry: &Entry<'s>, place: Place<'_>, authority: Option<Authority<'s>>) -> Step {
        if let Some(set) = self.wanted(entry) {
            self.encoder.authoritative();
            // A DNAME that led here is part of the answer already.
            if set.kind == RecordType::DNAME && self.encoder.has(place.at, &set) {
                return Step::Done(End::Records);
            }
            if let Ok(start) = self.encoder.set(Section::Answer, place.at, &set) {
                self.add_targets(&set, start);
            }
            return Step::Done(End::Records);
        }
        // RRSIG and NSEC are the alias's own (RFC 4035 §2.5): the name that it stands for has others.
        let stands_for_another = entry.is_alias() && !matches!(self.kind, RecordType::RRSIG | RecordType::NSEC);
        if let Some(alias) = stands_for_another.then(|| entry.set(RecordType::CNAME)).flatten() {
            return self.follow(&alias, place.at);
        }
        let zone = authority.unwrap_or_else(|| self.authority(place.name)).zone;
        self.unwritten(zone, place, true, !entry.is_empty_non_terminal())
    }

    /// The name does not exist, so a wildcard may stand in for it (RFC 4592 §3.3.1).
    fn missing(&mut self, authority: Authority<'s>, place: Place<'_>) -> Step {
        match self.snapshot.wildcard(place.name) {
            Some(wildcard) => self.found(&wildcard, place, Some(authority)),
            None => self.unwritten(authority.zone, place, false, false),
        }
    }

    /// Nobody wrote a record that is asked for. The name may exist all the same, and have records of other types.
    fn unwritten(&mut self, zone: Option<Zone<'s>>, place: Place<'_>, exists: bool, has_records: bool) -> Step {
        let automatic = self.automatic(place);
        if automatic == Some(Automatic::Records) {
            return Step::Done(End::Records);
        }
        let has_records = has_records || automatic == Some(Automatic::Exists);
        match zone {
            Some(zone) if exists || automatic.is_some() => self.negative(zone, place.at, End::NoData),
            Some(zone) => self.negative(zone, place.at, End::NxDomain),
            None if has_records && self.snapshot.rules.missing_type_is_nodata => {
                self.encoder.authoritative();
                Step::Done(End::NoData)
            }
            None => Step::NotOurs,
        }
    }

    /// The set that answers the question. ANY gets one set, the alias if there is one (RFC 8482 §4.1).
    #[inline]
    fn wanted(&self, entry: &Entry<'s>) -> Option<Set<'s>> {
        if self.kind == RecordType::ANY {
            return entry.set(RecordType::CNAME).or_else(|| entry.sets().next());
        }
        entry.set(self.kind)
    }
}
