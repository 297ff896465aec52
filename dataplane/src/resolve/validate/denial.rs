//! What NSEC records show not to be there (RFC 4035 §5.4, RFC 6840 §4); those that hash are in `hashed`.

use super::{Doubt, code, hashed::Hashed, sets::RecordSet, work::Work};
use hickory_proto::{
    dnssec::rdata::{DNSSECRData, NSEC},
    rr::{Name, RData, RecordType},
};

/// What was to be shown, is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Denied {
    /// Without doubt.
    Surely,
    /// As far as the zone tells: delegations that it does not sign may be anywhere there (RFC 5155 §6), or its hashes take too
    /// much work (RFC 9276 §3.2).
    Unsigned,
}

/// What is at a name, as its parent has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// A zone that is not signed, or there may be one.
    Unsigned,
    /// No zone begins here, but maybe below.
    None,
    /// Nothing, so there is nothing below either.
    Nothing,
}

/// Records of one zone that deny, all of them verified.
#[derive(Debug)]
pub(super) enum Denial<'m> {
    Plain(Vec<(&'m Name, &'m NSEC)>),
    Hashed(Hashed<'m>),
}

impl<'m> Denial<'m> {
    /// From record sets of the zone. `None`: there are none that deny. A zone has NSEC or NSEC3 (RFC 5155 §7.1).
    pub(super) fn new(zone: &Name, sets: &[&RecordSet<'m>]) -> Option<Self> {
        let plain = sets.iter().flat_map(|set| &set.records).filter_map(|record| match &record.data {
            RData::DNSSEC(DNSSECRData::NSEC(nsec)) => Some((&record.name, nsec)),
            _ => None,
        });
        let plain = plain.collect::<Vec<_>>();
        if plain.is_empty() { Hashed::new(zone, sets).map(Self::Hashed) } else { Some(Self::Plain(plain)) }
    }

    /// That the name has no records of this type. It may be that of a wildcard that does not have them.
    pub(super) fn no_data(&self, name: &Name, kind: RecordType, work: &mut Work) -> Result<Denied, Doubt> {
        let records = match self {
            Self::Plain(records) => records,
            Self::Hashed(hashed) => return hashed.no_data(name, kind, work),
        };
        if let Some((_, nsec)) = records.iter().find(|(owner, _)| *owner == name) {
            let types = |kind| nsec.type_set().contains(kind);
            return if denies(types, name, kind) {
                Ok(Denied::Surely)
            } else {
                Err(missing(name, "have no such data"))
            };
        }
        let Some(closest) = covered(records, name) else { return Err(missing(name, "have no such data")) };
        let closest = match closest {
            Covered::Between => return Ok(Denied::Surely),
            Covered::Below(closest) => closest,
        };
        let wildcard = wildcard(&closest)?;
        let at_wildcard = records.iter().find(|(owner, _)| **owner == wildcard);
        match at_wildcard {
            Some((_, nsec)) if denies(|kind| nsec.type_set().contains(kind), &wildcard, kind) => Ok(Denied::Surely),
            _ => Err(missing(name, "have no such data")),
        }
    }

    /// That there is no such name, and no wildcard in its place.
    pub(super) fn no_name(&self, name: &Name, work: &mut Work) -> Result<Denied, Doubt> {
        let records = match self {
            Self::Plain(records) => records,
            Self::Hashed(hashed) => return hashed.no_name(name, work),
        };
        match covered(records, name) {
            Some(Covered::Below(closest)) if covered(records, &wildcard(&closest)?).is_some() => Ok(Denied::Surely),
            _ => Err(missing(name, "not exist")),
        }
    }

    /// That a wildcard below the ancestor with so many labels rightly stood for this name: nothing is closer
    /// (RFC 4035 §5.3.4, RFC 5155 §8.8).
    pub(super) fn nothing_closer(&self, name: &Name, labels: u8, work: &mut Work) -> Result<Denied, Doubt> {
        let records = match self {
            Self::Plain(records) => records,
            Self::Hashed(hashed) => return hashed.nothing_closer(name, labels, work),
        };
        match covered(records, name) {
            Some(Covered::Below(closest)) if closest.num_labels() <= labels => Ok(Denied::Surely),
            _ => Err(missing(name, "be answered by a wildcard")),
        }
    }

    /// What is at a name that has no DS records (RFC 6840 §4.4, RFC 5155 §8.9).
    pub(super) fn cut(&self, name: &Name, work: &mut Work) -> Result<Cut, Doubt> {
        let records = match self {
            Self::Plain(records) => records,
            Self::Hashed(hashed) => return hashed.cut(name, work),
        };
        if let Some((_, nsec)) = records.iter().find(|(owner, _)| *owner == name) {
            return cut(|kind| nsec.type_set().contains(kind), name);
        }
        match covered(records, name) {
            Some(Covered::Between) => Ok(Cut::None),
            Some(Covered::Below(_)) => Ok(Cut::Nothing),
            None => Err(missing(name, "have no DS records")),
        }
    }
}

/// Whether a record at the name itself, with these types, shows that there are none of this type. One of the parent speaks of
/// DS alone, one of the child never of DS (RFC 6840 §4.1, §4.4).
pub(super) fn denies(types: impl Fn(RecordType) -> bool, name: &Name, kind: RecordType) -> bool {
    let of_parent = types(RecordType::NS) && !types(RecordType::SOA);
    let of_child = types(RecordType::SOA) && !name.is_root();
    let speaks = if kind == RecordType::DS { !of_child } else { !of_parent };
    speaks && !types(kind) && !types(RecordType::CNAME)
}

/// What a record at the name itself, with these types, shows of a zone that begins there.
pub(super) fn cut(types: impl Fn(RecordType) -> bool, name: &Name) -> Result<Cut, Doubt> {
    if types(RecordType::DS) || types(RecordType::SOA) {
        return Err(missing(name, "have no DS records"));
    }
    Ok(if types(RecordType::NS) { Cut::Unsigned } else { Cut::None })
}

pub(super) fn missing(name: &Name, what: &str) -> Doubt {
    Doubt::bogus(code::NSEC_MISSING, format!("there is no proof that {name} should {what}"))
}

pub(super) fn wildcard(closest: &Name) -> Result<Name, Doubt> {
    closest.prepend_label("*").map_err(|_| Doubt::bogus(code::BOGUS, format!("{closest} has no place for a wildcard")))
}

/// How a name is not there.
enum Covered {
    /// It has no records, but there are names below it.
    Between,
    /// It does not exist. This is its closest ancestor that does.
    Below(Name),
}

/// Looks for a record whose gap has the name in it. One of a delegation, or of a DNAME, says nothing of what is below
/// (RFC 6840 §4.1).
fn covered(records: &[(&Name, &NSEC)], name: &Name) -> Option<Covered> {
    let (owner, next) = records.iter().find_map(|(owner, nsec)| {
        let next = nsec.next_domain_name();
        let inside = if *owner < next { *owner < name && name < next } else { *owner < name || name < next };
        let above = owner.zone_of(name) && nsec.is_ancestor_delegation();
        (inside && !above).then_some((*owner, next))
    })?;
    if name.zone_of(next) {
        return Some(Covered::Between);
    }
    Some(Covered::Below(name.trim_to(common(name, owner).max(common(name, next)))))
}

/// How many labels two names have in common, from the root.
fn common(one: &Name, other: &Name) -> usize {
    one.iter().rev().zip(other.iter().rev()).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count()
}
