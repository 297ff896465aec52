//! The way from a trust anchor down to the zone of a name (RFC 4035 §5, RFC 6840 §4.4 and §6.1), and what is remembered of it.
//!
//! Each name between the two is asked for DS records, from the top: they lead to the keys of the next zone, or their denial
//! shows that no zone begins there, or one that is not signed; then nothing below is.

use super::{
    Bogus, Doubt, Wanted,
    anchor::Trusted,
    code,
    denial::{Cut, Denial},
    message::Inquiry,
    sets::{self, RecordSet, find, sets},
    signature::{Keys, wire},
};
use crate::resolve::Failure;
use dnsplane_proto::RecordType as Kind;
use hickory_proto::{
    dnssec::rdata::DNSSECRData,
    op::{Message, ResponseCode},
    rr::{Name, RData, RecordType},
};
use quick_cache::sync::Cache;
use std::{fmt, future::Future, sync::Arc};

/// Names of which it is known what is there. Each has a few hundred octets, most of it keys.
const MAX_STEPS: usize = 10_000;
/// Seconds for which that is believed: no longer than records and signatures say, but for what changes while we look.
const SHORTEST: u32 = 5;
const LONGEST: u32 = 3600;

/// What is at names on the way, by name; with `true`, what an anchor leads to.
pub(super) struct Zones {
    steps: Cache<(Name, bool), Remembered>,
}

#[derive(Clone)]
struct Remembered {
    step: Step,
    until: u32,
}

/// What is at a name.
#[derive(Clone)]
enum Step {
    /// A zone, and its keys.
    Zone(Arc<Keys>),
    /// A zone that is not signed.
    Unsigned,
    /// A name, maybe, of the zone above.
    Inside,
    /// Nothing, so there is nothing below either.
    Nothing,
    /// What cannot be.
    Bogus(Bogus),
}

impl Default for Zones {
    fn default() -> Self {
        Self { steps: Cache::new(MAX_STEPS) }
    }
}

impl fmt::Debug for Zones {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Zones").field("steps", &self.steps.len()).finish()
    }
}

impl Zones {
    fn recall(&self, name: &Name, anchored: bool, now: u32) -> Option<Step> {
        let remembered = self.steps.get(&(name.clone(), anchored))?;
        (remembered.until.wrapping_sub(now).cast_signed() > 0).then_some(remembered.step)
    }

    fn remember(
        &self,
        name: &Name,
        anchored: bool,
        now: u32,
        found: Result<(Step, u32), Doubt>,
    ) -> Result<Step, Doubt> {
        let (step, at_most) = match found {
            Ok(found) => found,
            // Nothing was learnt; whoever asks next may have more luck.
            Err(doubt @ Doubt::Unknown(_)) => return Err(doubt),
            // RFC 4035 §4.7: for a short time.
            Err(Doubt::Bogus(bogus)) => (Step::Bogus(bogus), SHORTEST),
        };
        let until = now.wrapping_add(at_most.clamp(SHORTEST, LONGEST));
        self.steps.insert((name.clone(), anchored), Remembered { step: step.clone(), until });
        Ok(step)
    }
}

impl<F, R, M> Inquiry<'_, F>
where
    F: Fn(Wanted) -> R,
    R: Future<Output = Result<M, Failure>>,
    M: AsRef<[u8]>,
{
    /// The keys of the zone that the name is in. `None`: it is not signed.
    pub(super) async fn zone_of(&mut self, name: &Name) -> Result<Option<Arc<Keys>>, Doubt> {
        let Some(top) = self.top_of(name) else { return Ok(None) };
        let mut keys = match self.anchored(&top).await? {
            Step::Zone(keys) => keys,
            Step::Bogus(bogus) => return Err(Doubt::Bogus(bogus)),
            _ => return Ok(None),
        };
        for labels in top.iter().len() + 1..=name.iter().len() {
            match self.step(&name.trim_to(labels), &keys).await? {
                Step::Zone(next) => keys = next,
                Step::Unsigned => return Ok(None),
                Step::Inside => {}
                Step::Nothing => break,
                Step::Bogus(bogus) => return Err(Doubt::Bogus(bogus)),
            }
        }
        Ok(Some(keys))
    }

    /// Where the way to a name begins: the nearest zone with an anchor.
    pub(super) fn top_of(&self, name: &Name) -> Option<Name> {
        let above = self.validator.anchors.iter().map(|anchor| &anchor.zone).filter(|zone| zone.zone_of(name));
        above.max_by_key(|zone| zone.iter().len()).cloned()
    }

    async fn anchored(&mut self, zone: &Name) -> Result<Step, Doubt> {
        if let Some(step) = self.validator.zones.recall(zone, true, self.now) {
            return Ok(step);
        }
        let anchors = self.validator.anchors.iter().filter(|anchor| anchor.zone == *zone);
        let trusted = anchors.map(|anchor| anchor.trusted.clone()).collect::<Vec<_>>();
        let found = self.keys_of(zone, &trusted).await;
        self.validator.zones.remember(zone, true, self.now, found)
    }

    async fn step(&mut self, name: &Name, above: &Keys) -> Result<Step, Doubt> {
        if let Some(step) = self.validator.zones.recall(name, false, self.now) {
            return Ok(step);
        }
        let found = self.look(name, above).await;
        self.validator.zones.remember(name, false, self.now, found)
    }

    /// What is at a name of a zone, and for how long that is believed.
    async fn look(&mut self, name: &Name, above: &Keys) -> Result<(Step, u32), Doubt> {
        let message = self.ask(name, Kind::DS).await?;
        let answers = sets(&message.answers)?;
        if let Some(set) = find(&answers, name, RecordType::DS) {
            let proof = above.verify(set, self.now, &mut self.work)?;
            let (step, at_most) = self.keys_of(name, &digests(set)).await?;
            return Ok((step, at_most.min(proof.at_most)));
        }
        // An alias, or the name is below one: no zone begins there (RFC 1034 §3.6.2, RFC 6672 §2.3).
        let alias = |set: &&RecordSet<'_>| match set.kind {
            RecordType::CNAME => set.name == name && !set.signatures.is_empty(),
            kind => kind == RecordType::DNAME && set.name.zone_of(name),
        };
        if let Some(set) = answers.iter().find(alias) {
            let proof = above.verify(set, self.now, &mut self.work)?;
            return Ok((if set.name == name { Step::Inside } else { Step::Nothing }, proof.at_most));
        }
        let authorities = sets(&message.authorities)?;
        let Some((denial, at_most)) = self.denial(&authorities, above)? else {
            let why = format!("{} is signed, but there is no proof that {name} should have no DS records", above.zone);
            return Err(Doubt::bogus(code::NSEC_MISSING, why));
        };
        let step = match denial.cut(name, &mut self.work)? {
            Cut::Unsigned => Step::Unsigned,
            Cut::None => Step::Inside,
            Cut::Nothing => Step::Nothing,
        };
        Ok((step, at_most))
    }

    /// The keys of a zone, one of which is trusted and has signed them all (RFC 4035 §5.2).
    async fn keys_of(&mut self, zone: &Name, trusted: &[Trusted]) -> Result<(Step, u32), Doubt> {
        let better = trusted.iter().any(|trusted| trusted.is_supported() && !trusted.is_sha1());
        let usable = trusted.iter().filter(|trusted| trusted.is_supported() && !(better && trusted.is_sha1()));
        let usable = usable.take(MAX_TRUSTED).collect::<Vec<_>>();
        if usable.is_empty() {
            return Ok((Step::Unsigned, LONGEST));
        }
        let message = self.ask(zone, Kind::DNSKEY).await?;
        let answers = sets(&message.answers)?;
        let set = find(&answers, zone, RecordType::DNSKEY).ok_or_else(|| missing(zone, "has no DNSKEY records"))?;
        let keys = || {
            set.records.iter().filter_map(|record| match &record.data {
                RData::DNSSEC(DNSSECRData::DNSKEY(key)) => Some(key),
                _ => None,
            })
        };
        let entry =
            Keys::new(zone, keys().take(MAX_TRUSTED).filter(|key| usable.iter().any(|trusted| trusted.is(zone, key))));
        if entry.is_empty() {
            return Err(missing(zone, "has no key that its parent, or a trust anchor, knows"));
        }
        let proof = entry.verify(set, self.now, &mut self.work)?;
        Ok((Step::Zone(Arc::new(Keys::new(zone, keys()))), proof.at_most))
    }

    async fn ask(&mut self, name: &Name, kind: Kind) -> Result<Message, Doubt> {
        self.work.fetch()?;
        let unknown = |why: &str| Doubt::Unknown(format!("the {kind} records of {name} cannot be had: {why}"));
        let wire = wire(name).map_err(|_| unknown("it is no name"))?;
        let wanted = Wanted { name: wire.into(), kind, dnssec_ok: true, checking_disabled: true };
        let reply = (self.fetch)(wanted).await.map_err(|failure| unknown(failed(failure)))?;
        let message = sets::parse(reply.as_ref())?;
        match message.metadata.response_code {
            ResponseCode::NoError | ResponseCode::NXDomain => Ok(message),
            other => Err(unknown(&other.to_string())),
        }
    }

    /// What the zone denies, all of it verified, and for how long that is believed.
    pub(super) fn denial<'m>(
        &mut self,
        authorities: &[RecordSet<'m>],
        keys: &Keys,
    ) -> Result<Option<(Denial<'m>, u32)>, Doubt> {
        let mut at_most = u32::MAX;
        let mut shown = Vec::new();
        for set in authorities {
            let denies = matches!(set.kind, RecordType::NSEC | RecordType::NSEC3 | RecordType::SOA);
            if denies && set.signatures.iter().any(|signature| signature.input().signer_name == keys.zone) {
                at_most = at_most.min(keys.verify(set, self.now, &mut self.work)?.at_most);
                shown.push(set);
            }
        }
        Ok(Denial::new(&keys.zone, &shown).map(|denial| (denial, at_most)))
    }
}

/// DS records, or keys, of a zone that are looked at.
const MAX_TRUSTED: usize = 32;

fn digests(set: &RecordSet<'_>) -> Vec<Trusted> {
    let digests = set.records.iter().filter_map(|record| match &record.data {
        RData::DNSSEC(DNSSECRData::DS(ds)) => Some(Trusted::Digest(ds.clone())),
        _ => None,
    });
    digests.collect()
}

fn missing(zone: &Name, what: &str) -> Doubt {
    Doubt::bogus(code::DNSKEY_MISSING, format!("{zone} {what}"))
}

fn failed(failure: Failure) -> &'static str {
    match failure {
        Failure::Upstreams => "every upstream failed",
        Failure::Silence => "no upstream replied in time",
        Failure::Bogus(_) => "they are bogus",
        Failure::Busy => "too much is being fetched",
    }
}
