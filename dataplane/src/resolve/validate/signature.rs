//! Signatures of record sets (RFC 4034 §3.1.8.1, RFC 4035 §5.3).

use super::{
    Doubt, code,
    sets::{RecordSet, dname_target},
    work::Work,
};
use hickory_proto::{
    ProtoError,
    dnssec::{
        Verifier,
        rdata::{DNSKEY, RRSIG, sig::SigInput},
    },
    rr::{Name, RData, RecordType},
    serialize::binary::{BinEncodable, BinEncoder, NameEncoding},
};

/// Keys of a zone that are looked at.
const MAX_KEYS: usize = 32;
/// Signatures of a record set that are looked at.
const MAX_SIGNATURES: usize = 8;
/// Keys with the same tag that a signature is checked with (CVE-2023-50387).
const MAX_SAME_TAG: usize = 2;

/// Keys that sign a zone, all of them shown to be the zone's own.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    pub(super) zone: Name,
    keys: Vec<(u16, DNSKEY)>,
}

/// What a valid signature shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Proof {
    /// Labels of the name below which a wildcard stood for this one (RFC 4035 §5.3.2).
    pub(super) expanded_from: Option<u8>,
    /// Seconds for which it may be believed.
    pub(super) at_most: u32,
}

impl Keys {
    /// Those of these keys that sign zones (RFC 4034 §2.1.1) and are not revoked (RFC 5011 §2.1).
    pub(super) fn new<'k>(zone: &Name, keys: impl Iterator<Item = &'k DNSKEY>) -> Self {
        let usable = keys.filter(|key| key.zone_key() && !key.revoke()).take(MAX_KEYS);
        let keys = usable.filter_map(|key| Some((key.calculate_key_tag().ok()?, key.clone()))).collect();
        Self { zone: zone.clone(), keys }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether one of the keys signed the record set, and the signature is in force.
    pub(super) fn verify(&self, set: &RecordSet<'_>, now: u32, work: &mut Work) -> Result<Proof, Doubt> {
        let mut worst = doubt(set, code::RRSIGS_MISSING, "has no signature");
        let ours = set.signatures.iter().filter(|signature| signature.input().signer_name == self.zone);
        for signature in ours.take(MAX_SIGNATURES) {
            match self.verify_one(set, signature, now, work)? {
                Ok(proof) => return Ok(proof),
                Err(doubt) => worst = doubt,
            }
        }
        Err(worst)
    }

    /// The outer error ends all trying.
    fn verify_one(
        &self,
        set: &RecordSet<'_>,
        signature: &RRSIG,
        now: u32,
        work: &mut Work,
    ) -> Result<Result<Proof, Doubt>, Doubt> {
        let input = signature.input();
        let labels = set.name.num_labels();
        let expanded = input.num_labels < labels;
        // What denies is never made from a wildcard (RFC 4035 §5.4).
        if input.num_labels > labels || expanded && matches!(set.kind, RecordType::NSEC | RecordType::NSEC3) {
            return Ok(Err(doubt(set, code::BOGUS, "has a signature of another name")));
        }
        if let Err(doubt) = in_force(set, input, now) {
            return Ok(Err(doubt));
        }
        let Ok(signed) = signed_data(set, input) else {
            return Ok(Err(doubt(set, code::BOGUS, "has a signature that cannot be checked")));
        };
        let right = |(tag, key): &&(u16, DNSKEY)| *tag == input.key_tag && key.algorithm() == input.algorithm;
        let mut found = false;
        for (_, key) in self.keys.iter().filter(right).take(MAX_SAME_TAG) {
            found = true;
            work.check()?;
            if key.verify(&signed, signature.sig()).is_ok() {
                let expanded_from = expanded.then_some(input.num_labels);
                return Ok(Ok(Proof { expanded_from, at_most: at_most(set, input, now) }));
            }
        }
        Ok(Err(if found {
            doubt(set, code::BOGUS, "has a signature that is wrong")
        } else {
            let tag = input.key_tag;
            doubt(set, code::DNSKEY_MISSING, &format!("is signed with key {tag}, which the zone does not have"))
        }))
    }
}

fn doubt(set: &RecordSet<'_>, code: u16, what: &str) -> Doubt {
    Doubt::bogus(code, format!("{} {} {what}", set.name, set.kind))
}

/// Times compare as serial numbers (RFC 4034 §3.1.5).
fn in_force(set: &RecordSet<'_>, input: &SigInput, now: u32) -> Result<(), Doubt> {
    let later = |time: u32, than: u32| (time.wrapping_sub(than)).cast_signed() > 0;
    if later(now, input.sig_expiration.get()) {
        return Err(doubt(set, code::SIGNATURE_EXPIRED, "has a signature that has expired"));
    }
    if later(input.sig_inception.get(), now) {
        return Err(doubt(set, code::SIGNATURE_NOT_YET_VALID, "has a signature that is not in force yet"));
    }
    Ok(())
}

/// RFC 4035 §5.3.3.
fn at_most(set: &RecordSet<'_>, input: &SigInput, now: u32) -> u32 {
    let left = input.sig_expiration.get().wrapping_sub(now);
    let least = set.records.iter().map(|record| record.ttl).min().unwrap_or(0);
    least.min(input.original_ttl).min(left)
}

/// What was signed. RDATA is in canonical form, in canonical order, each once (RFC 4034 §6.2, §6.3).
fn signed_data(set: &RecordSet<'_>, input: &SigInput) -> Result<Vec<u8>, ProtoError> {
    let mut data = set.records.iter().map(|record| canonical(&record.data)).collect::<Result<Vec<_>, _>>()?;
    data.sort_unstable();
    data.dedup();
    let owner = if input.num_labels < set.name.num_labels() {
        wire(&set.name.trim_to(usize::from(input.num_labels)).prepend_label("*")?)?
    } else {
        wire(set.name)?
    };
    let kind = u16::from(input.type_covered).to_be_bytes();
    let ttl = input.original_ttl.to_be_bytes();
    let mut signed = [&kind[..], &[u8::from(input.algorithm), input.num_labels], &ttl].concat();
    signed.extend_from_slice(&input.sig_expiration.get().to_be_bytes());
    signed.extend_from_slice(&input.sig_inception.get().to_be_bytes());
    signed.extend_from_slice(&input.key_tag.to_be_bytes());
    signed.extend_from_slice(&wire(&input.signer_name)?);
    for data in data {
        let length = u16::try_from(data.len()).map_err(|_| ProtoError::from("RDATA is too long"))?;
        let parts: [&[u8]; 5] = [&owner, &kind, &[0, 1], &ttl, &length.to_be_bytes()];
        parts.iter().for_each(|part| signed.extend_from_slice(part));
        signed.extend_from_slice(&data);
    }
    Ok(signed)
}

fn canonical(data: &RData) -> Result<Vec<u8>, ProtoError> {
    if let Some(target) = dname_target(data) {
        return wire(&target); // RFC 4034 §6.2 has DNAME in its list, hickory does not
    }
    let mut octets = Vec::new();
    let mut encoder = BinEncoder::new(&mut octets);
    encoder.set_canonical_form(true);
    encoder.set_name_encoding(NameEncoding::Uncompressed);
    data.emit(&mut encoder)?;
    Ok(octets)
}

/// A name as it is signed and hashed.
pub(super) fn wire(name: &Name) -> Result<Vec<u8>, ProtoError> {
    let mut octets = Vec::new();
    let mut encoder = BinEncoder::new(&mut octets);
    encoder.set_name_encoding(NameEncoding::UncompressedLowercase);
    name.emit(&mut encoder)?;
    Ok(octets)
}
