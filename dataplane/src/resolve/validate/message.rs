//! One message: its record sets, its chain of aliases, and what it says is not there.

use super::{
    Doubt, Failure, Security, Validator, Wanted, code,
    denial::Denied,
    sets::{self, RecordSet, dname_target, find, sets},
    signature::Proof,
    work::Work,
};
use hickory_proto::{
    op::ResponseCode,
    rr::{Name, RData, RecordType},
    serialize::binary::BinDecodable,
};
use std::future::Future;

/// One look at one message.
pub(super) struct Inquiry<'v, F> {
    pub(super) validator: &'v Validator,
    pub(super) now: u32,
    pub(super) fetch: F,
    pub(super) work: Work,
    at_most: u32,
}

/// A record set that a wildcard stood for.
struct Expanded<'m> {
    name: &'m Name,
    labels: u8,
    zone: Name,
}

impl<'v, F> Inquiry<'v, F> {
    pub(super) fn new(validator: &'v Validator, now: u32, fetch: F) -> Self {
        Self { validator, now, fetch, work: Work::new(), at_most: u32::MAX }
    }

    /// Seconds for which all that was shown may be believed.
    pub(super) fn at_most(&self) -> u32 {
        self.at_most
    }
}

impl<F, R, M> Inquiry<'_, F>
where
    F: Fn(Wanted) -> R,
    R: Future<Output = Result<M, Failure>>,
    M: AsRef<[u8]>,
{
    /// Whether all of the answer is signed, or where it is not, need not be.
    pub(super) async fn message(&mut self, wanted: &Wanted, message: &[u8]) -> Result<Security, Doubt> {
        let name = Name::from_bytes(&wanted.name).map_err(|_| Doubt::Unknown("the question has no name".to_owned()))?;
        let kind = RecordType::from(wanted.kind.0);
        let message = sets::parse(message)?;
        let rcode = message.metadata.response_code;
        // A failure is not signed, and signatures are not either (RFC 4035 §2.2).
        if !matches!(rcode, ResponseCode::NoError | ResponseCode::NXDomain) || kind == RecordType::RRSIG {
            return Ok(Security::Unchecked);
        }
        let (answers, authorities) = (sets(&message.answers)?, sets(&message.authorities)?);
        let mut security = Security::Secure;
        for set in &answers {
            if !is_of_dname(set, &answers) {
                security = weaker(security, self.answer(set, &authorities).await?);
            }
        }
        match missing_end(&name, kind, &answers) {
            Some(end) => Ok(weaker(security, self.negative(&end, kind, rcode, &authorities).await?)),
            None if rcode == ResponseCode::NXDomain && security == Security::Secure => {
                Err(Doubt::bogus(code::BOGUS, format!("{name} is said not to exist, and has an answer")))
            }
            None => Ok(security),
        }
    }

    /// One record set of the answer section.
    async fn answer(&mut self, set: &RecordSet<'_>, authorities: &[RecordSet<'_>]) -> Result<Security, Doubt> {
        let mut worst = None;
        let top = self.top_of(set.name);
        for signer in set.signers().into_iter().take(MAX_SIGNERS) {
            // One above the anchor knows less than the anchor.
            if top.as_ref().is_some_and(|top| !top.zone_of(signer)) {
                continue;
            }
            let Some(keys) = self.zone_of(signer).await? else { return Ok(Security::Insecure) };
            match keys.verify(set, self.now, &mut self.work) {
                Ok(Proof { expanded_from, at_most }) => {
                    self.at_most = self.at_most.min(at_most);
                    let Some(labels) = expanded_from else { return Ok(Security::Secure) };
                    let expanded = Expanded { name: set.name, labels, zone: keys.zone.clone() };
                    return self.expanded(&expanded, authorities).await;
                }
                Err(doubt) => worst = Some(doubt),
            }
        }
        let Some(keys) = self.zone_of(&holder(set.name, set.kind)).await? else { return Ok(Security::Insecure) };
        Err(worst.unwrap_or_else(|| {
            let why = format!("{} {} has no signature, but {} is signed", set.name, set.kind, keys.zone);
            Doubt::bogus(code::RRSIGS_MISSING, why)
        }))
    }

    /// A wildcard may stand for a name only where there is nothing closer (RFC 4035 §5.3.4).
    async fn expanded(&mut self, set: &Expanded<'_>, authorities: &[RecordSet<'_>]) -> Result<Security, Doubt> {
        let Some(keys) = self.zone_of(&set.zone).await? else { return Ok(Security::Insecure) };
        let Some((denial, at_most)) = self.denial(authorities, &keys)? else {
            let why = format!("a wildcard stands for {}, without proof that nothing is closer", set.name);
            return Err(Doubt::bogus(code::NSEC_MISSING, why));
        };
        self.at_most = self.at_most.min(at_most);
        Ok(security(denial.nothing_closer(set.name, set.labels, &mut self.work)?))
    }

    /// That there is no such name, or no such data.
    async fn negative(
        &mut self,
        name: &Name,
        kind: RecordType,
        rcode: ResponseCode,
        authorities: &[RecordSet<'_>],
    ) -> Result<Security, Doubt> {
        let holder = holder(name, kind);
        let denying = authorities.iter().filter(|set| matches!(set.kind, RecordType::NSEC | RecordType::NSEC3));
        let signers = denying.flat_map(|set| &set.signatures).map(|signature| &signature.input().signer_name);
        let top = self.top_of(&holder);
        let able = signers.filter(|zone| zone.zone_of(&holder) && top.as_ref().is_none_or(|top| top.zone_of(zone)));
        let Some(signer) = able.max_by_key(|zone| zone.iter().len()) else {
            let Some(keys) = self.zone_of(&holder).await? else { return Ok(Security::Insecure) };
            let why = format!("there is no proof that {name} has no {kind} records, but {} is signed", keys.zone);
            return Err(Doubt::bogus(code::NSEC_MISSING, why));
        };
        let Some(keys) = self.zone_of(signer).await? else { return Ok(Security::Insecure) };
        let Some((denial, at_most)) = self.denial(authorities, &keys)? else {
            let why = format!("{name} is denied by {signer}, which is no zone");
            return Err(Doubt::bogus(code::NSEC_MISSING, why));
        };
        self.at_most = self.at_most.min(at_most);
        let denied = if rcode == ResponseCode::NXDomain {
            denial.no_name(name, &mut self.work)?
        } else {
            denial.no_data(name, kind, &mut self.work)?
        };
        Ok(security(denied))
    }
}

/// Zones that are said to have signed one record set.
const MAX_SIGNERS: usize = 2;

/// The name whose zone has these records: DS records are the parent's (RFC 4035 §2.4).
fn holder(name: &Name, kind: RecordType) -> Name {
    if kind == RecordType::DS { name.base_name() } else { name.clone() }
}

fn security(denied: Denied) -> Security {
    match denied {
        Denied::Surely => Security::Secure,
        Denied::Unsigned => Security::Insecure,
    }
}

/// A whole is as good as its worst part.
fn weaker(one: Security, other: Security) -> Security {
    if one == Security::Secure { other } else { one }
}

/// The end of the chain of aliases, if there are no records of the type there. A chain without an end has none.
fn missing_end(name: &Name, kind: RecordType, answers: &[RecordSet<'_>]) -> Option<Name> {
    let mut at = name;
    for _ in 0..=answers.len() {
        if find(answers, at, kind).is_some() || kind == RecordType::ANY && answers.iter().any(|set| set.name == at) {
            return None;
        }
        let alias = find(answers, at, RecordType::CNAME).and_then(|set| set.records.first());
        match alias.map(|record| &record.data) {
            Some(RData::CNAME(target)) => at = &target.0,
            _ => return Some(at.clone()),
        }
    }
    None
}

/// Whether the set is the CNAME that a DNAME of the same section amounts to: that one is not signed (RFC 6672 §5.3.1).
fn is_of_dname(set: &RecordSet<'_>, answers: &[RecordSet<'_>]) -> bool {
    let [record] = set.records.as_slice() else { return false };
    let RData::CNAME(alias) = &record.data else { return false };
    let dnames = answers.iter().filter(|other| other.kind == RecordType::DNAME && other.name.zone_of(set.name));
    dnames.flat_map(|other| other.records.first().map(|record| (other.name, &record.data))).any(|(owner, data)| {
        let Some(target) = dname_target(data) else { return false };
        let kept = set.name.iter().len() - owner.iter().len();
        let labels = set.name.iter().take(kept).chain(target.iter());
        kept > 0 && Name::from_labels(labels).is_ok_and(|expected| expected == alias.0)
    })
}
