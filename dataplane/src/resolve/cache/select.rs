//! Which records of a message belong to the answer: the chain of aliases from the question to what was asked for, or
//! what proves that there is nothing; and with DO their signatures. Nothing else is believed or repeated.

use super::{
    Asked, Unusable,
    message::{Message, Record},
    names::expand,
};
use crate::{encode::Rcode, wire_name::is_at_or_below};
use dnsplane_proto::RecordType;

/// Aliases of one answer. Longer chains are mistakes.
const MAX_CHAIN: usize = 16;

/// The part of a message that answers.
pub(super) struct Selected<'a> {
    pub(super) answers: Vec<&'a Record>,
    pub(super) authorities: Vec<&'a Record>,
    /// There is no record of the type.
    pub(super) is_negative: bool,
    /// Of a negative answer: the SOA that says for how long, which is the first of `authorities`.
    pub(super) has_soa: bool,
}

pub(super) fn select<'a>(message: &'a Message<'_>, asked: Asked<'a>) -> Result<Selected<'a>, Unusable> {
    let mut chain = Chain { message, asked, answers: Vec::with_capacity(message.answers.len()) };
    let (last, found) = chain.follow()?;
    let answers = chain.answers;
    if found && message.rcode == Rcode::NxDomain {
        return Err(Unusable::Contradiction);
    }
    let mut authorities = Vec::new();
    let mut zone = None;
    if !found {
        let of_zone = |record: &&Record| record.kind == RecordType::SOA && is_at_or_below(&last, message.owner(record));
        zone = message.authorities.iter().find(of_zone);
        let refers = || message.authorities.iter().any(|record| record.kind == RecordType::NS);
        if zone.is_none() && message.rcode == Rcode::NoError && answers.is_empty() && refers() {
            return Err(Unusable::Referral);
        }
        authorities.extend(zone);
    }
    if asked.dnssec_ok {
        let proofs = message.authorities.iter().filter(|record| match record.kind {
            RecordType::NSEC | RecordType::NSEC3 => true,
            RecordType::RRSIG => {
                let covered = covered(message.rdata(record));
                matches!(covered, Some(RecordType::NSEC | RecordType::NSEC3))
                    || covered == Some(RecordType::SOA) && zone.is_some()
            }
            _ => false,
        });
        // Proofs of another zone prove nothing here.
        authorities.extend(
            proofs.filter(|record| zone.is_none_or(|zone| is_at_or_below(message.owner(record), message.owner(zone)))),
        );
    }
    Ok(Selected { answers, authorities, is_negative: !found, has_soa: zone.is_some() })
}

struct Chain<'a, 'm> {
    message: &'a Message<'m>,
    asked: Asked<'a>,
    answers: Vec<&'a Record>,
}

impl<'a> Chain<'a, '_> {
    /// Gathers the answer; returns the last name, and whether there are records of the type.
    fn follow(&mut self) -> Result<(Vec<u8>, bool), Unusable> {
        let (asked, message) = (self.asked, self.message);
        let mut name = asked.name.to_vec();
        let follows = !matches!(asked.kind, RecordType::CNAME | RecordType::RRSIG | RecordType::NSEC | RecordType::ANY);
        let mut earlier: Vec<Vec<u8>> = Vec::new();
        for _ in 0..=MAX_CHAIN {
            if self.add(&name, asked.kind) {
                return Ok((name, true));
            }
            let Some(alias) = message
                .answers
                .iter()
                .find(|record| follows && record.kind == RecordType::CNAME && same(message.owner(record), &name))
            else {
                return Ok((name, false));
            };
            self.add_redirect(&name);
            self.answers.push(alias);
            self.add_signatures(&name, RecordType::CNAME);
            let mut target = Vec::with_capacity(64);
            expand(message.bytes, alias.rdata.start, &mut target).ok_or(Unusable::Malformed)?;
            earlier.push(std::mem::replace(&mut name, target));
            if earlier.iter().any(|earlier| same(earlier, &name)) {
                return Err(Unusable::Loop);
            }
        }
        Err(Unusable::Loop)
    }

    /// Adds all records of the type that this name has, with DO their signatures. `false`: there are none.
    fn add(&mut self, name: &[u8], kind: RecordType) -> bool {
        let before = self.answers.len();
        let message = self.message;
        let wanted =
            |record: &&Record| (record.kind == kind || kind == RecordType::ANY) && same(message.owner(record), name);
        self.answers.extend(message.answers.iter().filter(wanted));
        let found = self.answers.len() > before;
        if found && !matches!(kind, RecordType::ANY | RecordType::RRSIG) {
            self.add_signatures(name, kind);
        }
        found
    }

    /// Adds the DNAME that an alias was made of (RFC 6672 §3.1), unless an earlier alias was, too.
    fn add_redirect(&mut self, name: &[u8]) {
        let message = self.message;
        let is_above = |record: &&Record| {
            let owner = message.owner(record);
            record.kind == RecordType::DNAME && owner.len() < name.len() && is_at_or_below(name, owner)
        };
        if let Some(dname) = message.answers.iter().find(is_above)
            && !self.answers.iter().any(|record| std::ptr::eq(*record, dname))
        {
            self.answers.push(dname);
            self.add_signatures(message.owner(dname), RecordType::DNAME);
        }
    }

    fn add_signatures(&mut self, name: &[u8], kind: RecordType) {
        let message = self.message;
        if self.asked.dnssec_ok {
            self.answers.extend(message.answers.iter().filter(|record| {
                record.kind == RecordType::RRSIG
                    && covered(message.rdata(record)) == Some(kind)
                    && same(message.owner(record), name)
            }));
        }
    }
}

/// The type that a signature covers (RFC 4034 §3.1.1).
fn covered(rdata: &[u8]) -> Option<RecordType> {
    rdata.first_chunk().map(|kind| RecordType(u16::from_be_bytes(*kind)))
}

fn same(one: &[u8], other: &[u8]) -> bool {
    one.eq_ignore_ascii_case(other)
}
