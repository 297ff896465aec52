//! Names that are not ours: special ones, blocked ones, and what upstreams say of all others.

use super::{
    Asker, Branch, Known, Outcome, Replied, conclude, finish,
    lookup::{Lookup, Place},
    special,
};
use crate::{
    encode::{Rcode, Told},
    message::Query,
    resolve::{
        CachedAnswer, Failure, Fetched, Security,
        cache::{Asked, Freshness},
        route::{self, Route},
    },
};
use dnsplane_proto::RecordType;

/// Of answers past their time. RFC 8767 §4 recommends 30; existing nodes say 1, and a client that asks again soon gets the renewed
/// answer soon.
const STALE_TTL: u32 = 1;

/// What a client wants of names that are not ours, and what is known of them.
pub(super) struct Asking<'a> {
    known: Known<'a>,
    now: u32,
    /// There is somebody who could be asked, and this client may have it done.
    resolves: bool,
    recursion_desired: bool,
    dnssec_ok: bool,
    checking_disabled: bool,
    /// The client understands AD (RFC 6840 §5.7).
    wants_authentic: bool,
    /// Where to note a name that is not ours, if somebody wants to know.
    elsewhere: Option<&'a mut Option<Box<[u8]>>>,
}

/// Why nobody is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A type that is no data: it has a meaning between two servers only, and not for others.
    MetaType,
    /// There is no upstream for the name.
    Nobody,
    /// The client did not ask for recursion. What is remembered is nothing that it should learn, either.
    NotDesired,
    /// The client is in none of the networks that may.
    NotAllowed,
}

/// INFO-CODEs (RFC 8914 §4).
mod extended {
    pub(super) const STALE: u16 = 3;
    pub(super) const NOT_READY: u16 = 14;
    pub(super) const PROHIBITED: u16 = 18;
    pub(super) const STALE_NXDOMAIN: u16 = 19;
    pub(super) const NOT_AUTHORITATIVE: u16 = 20;
    pub(super) const NO_REACHABLE_AUTHORITY: u16 = 22;
    pub(super) const NETWORK_ERROR: u16 = 23;
}

impl<'a> Asking<'a> {
    pub(super) fn of(
        query: &Query<'_>,
        asker: &Asker<'a>,
        resolves: bool,
        elsewhere: Option<&'a mut Option<Box<[u8]>>>,
    ) -> Self {
        let dnssec_ok = query.edns.is_some_and(|edns| edns.dnssec_ok);
        Self {
            known: asker.known,
            now: asker.now,
            resolves,
            recursion_desired: query.header.recursion_desired(),
            dnssec_ok,
            checking_disabled: query.header.checking_disabled() != 0,
            wants_authentic: dnssec_ok || query.header.authentic_data(),
            elsewhere,
        }
    }
}

impl Lookup<'_, '_> {
    /// No local record answers the question, or an alias of ours leads elsewhere.
    #[inline]
    pub(super) fn not_ours(mut self, place: Place<'_>) -> Outcome {
        if let Some(elsewhere) = &mut self.asking.elsewhere {
            **elsewhere = Some(place.name.into());
        }
        if let Some(special) = special::find(place.name)
            && !self.is_asked_of_its_own(place.name)
        {
            let local = self.snapshot.rules.local_records;
            let known = local && (self.snapshot.find(place.name).is_some() || self.automatic(place).is_some());
            let end = special::answer(&special, self.kind, place.at, known, &mut self.encoder);
            return self.done(Branch::Special, end);
        }
        if let Some(blocked) = self.snapshot.blocks(place.name, self.asking.now) {
            return self.blocked(blocked, place);
        }
        match self.may_ask(place.name) {
            Ok(()) => self.resolved(place),
            Err(refusal) => {
                refusal.extended_error().into_iter().for_each(|code| self.encoder.extended_error(code));
                conclude(self.encoder, Branch::Refused, Rcode::Refused)
            }
        }
    }

    /// Whether an upstream has this name for itself: then it knows more than what the name means elsewhere.
    fn is_asked_of_its_own(&self, name: &[u8]) -> bool {
        self.may_ask(name).is_ok() && route::route(&self.snapshot.upstreams, name) == Route::Exclusive
    }

    /// Whether upstreams may be asked for this name.
    pub(super) fn may_ask(&self, name: &[u8]) -> Result<(), Refusal> {
        let Asking { resolves, recursion_desired, .. } = self.asking;
        if is_meta(self.kind) {
            Err(Refusal::MetaType)
        } else if !route::is_anybody(&self.snapshot.upstreams, name) {
            Err(Refusal::Nobody)
        } else if !recursion_desired {
            Err(Refusal::NotDesired)
        } else if !resolves {
            Err(Refusal::NotAllowed)
        } else {
            Ok(())
        }
    }

    /// From what was fetched, or from what was remembered.
    #[inline]
    fn resolved(self, place: Place<'_>) -> Outcome {
        let Asking { known, now, dnssec_ok, checking_disabled, .. } = self.asking;
        let asked = Asked { name: place.name, kind: self.kind, dnssec_ok, checking_disabled };
        if let Some((wanted, fetched)) = known.fetched
            && wanted.asked() == asked
        {
            return Outcome::Replied(match fetched {
                Fetched::Answer(answer) => self.tell(place, answer, Told::Aged(answer.age(now)), Branch::Upstream),
                Fetched::Failed(failure) => self.failed(place, asked, *failure),
            });
        }
        let Some(answer) = known.cache.and_then(|cache| cache.find(asked, now)) else {
            return self.unresolved(asked);
        };
        let rules = &self.snapshot.rules;
        let (replied, renew) = match answer.freshness(now) {
            Freshness::Fresh(left) => {
                answer.hit();
                let renew = rules.prefetch && answer.is_worth_renewing(left);
                (self.tell(place, &answer, Told::Aged(answer.age(now)), Branch::Cache), renew)
            }
            Freshness::Stale(past) if past < rules.stale => (self.stale(place, &answer), true),
            Freshness::Stale(_) => return self.unresolved(asked),
        };
        // Whoever has something fetched already does not need to be told so once more.
        if renew && known.fetched.is_none() && answer.take_renewal(now) {
            return Outcome::ToRenew(replied, Box::new(asked.wanted()));
        }
        Outcome::Replied(replied)
    }

    #[cold]
    fn unresolved(self, asked: Asked<'_>) -> Outcome {
        self.encoder.abandon();
        Outcome::Unresolved(Box::new(asked.wanted()))
    }

    fn tell(mut self, place: Place<'_>, answer: &CachedAnswer, told: Told, branch: Branch) -> Replied {
        // Who set CD validates by itself, and is told nothing of what others found (RFC 6840 §5.9).
        let Asking { wants_authentic, checking_disabled, .. } = self.asking;
        if answer.security() == Security::Secure && wants_authentic && !checking_disabled && place.at == FIRST {
            self.encoder.authentic();
        }
        if let (Some(code), Told::Aged(_)) = (answer.extended(), told) {
            self.encoder.extended_error(code);
        }
        let _ = self.encoder.remembered(place.at, answer, told);
        let nodata = answer.is_negative() && answer.rcode() == Rcode::NoError;
        Replied { nodata, ..finish(self.encoder, branch, answer.rcode()) }
    }

    fn stale(mut self, place: Place<'_>, answer: &CachedAnswer) -> Replied {
        let missing = answer.rcode() == Rcode::NxDomain;
        self.encoder.extended_error(if missing { extended::STALE_NXDOMAIN } else { extended::STALE });
        self.tell(place, answer, Told::All(STALE_TTL), Branch::Stale)
    }

    /// Nobody has an answer. One past its time is better than none (RFC 8767 §4), unless upstreams did answer, and what
    /// they said is not what the zone signed.
    fn failed(mut self, place: Place<'_>, asked: Asked<'_>, failure: Failure) -> Replied {
        let Asking { known, now, .. } = self.asking;
        if !matches!(failure, Failure::Bogus(_))
            && let Some(answer) = known.cache.and_then(|cache| cache.find(asked, now))
        {
            return match answer.freshness(now) {
                Freshness::Fresh(_) => self.tell(place, &answer, Told::Aged(answer.age(now)), Branch::Cache),
                Freshness::Stale(_) => self.stale(place, &answer),
            };
        }
        self.encoder.clear();
        self.encoder.extended_error(failure.extended_error());
        finish(self.encoder, Branch::Failed, Rcode::ServFail)
    }
}

/// Where the name of the question is.
const FIRST: usize = crate::message::HEADER;

/// Types that are not data (RFC 6895 §3.1), but for ANY, which upstreams have an answer to.
pub(crate) fn is_meta(kind: RecordType) -> bool {
    matches!(kind.0, 0 | 41 | 128..=254 | 65_535)
}

impl Refusal {
    /// What clients are told that may understand it (RFC 8914 §4).
    pub(crate) fn extended_error(self) -> Option<u16> {
        match self {
            Self::MetaType => None,
            Self::Nobody | Self::NotDesired => Some(extended::NOT_AUTHORITATIVE),
            Self::NotAllowed => Some(extended::PROHIBITED),
        }
    }
}

impl Failure {
    /// What clients are told that may understand it (RFC 8914 §4).
    pub fn extended_error(self) -> u16 {
        match self {
            Self::Upstreams => extended::NO_REACHABLE_AUTHORITY,
            Self::Silence => extended::NETWORK_ERROR,
            Self::Bogus(code) => code,
            Self::Busy => extended::NOT_READY,
        }
    }
}
