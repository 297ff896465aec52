//! Where trust begins.

use dnsplane_proto::TrustAnchor;
use hickory_proto::{
    dnssec::{
        DigestType, PublicKey, PublicKeyBuf, TrustAnchors, Verifier,
        rdata::{DNSKEY, DNSSECRData, DS},
    },
    rr::{Name, RData, Record},
    serialize::binary::BinDecodable,
};

/// What is believed of one zone.
#[derive(Clone, Debug)]
pub(super) struct Anchor {
    pub(super) zone: Name,
    pub(super) trusted: Trusted,
}

/// A key that is a zone's own, or how it is recognised.
#[derive(Clone, Debug)]
pub(super) enum Trusted {
    Key(PublicKeyBuf),
    Digest(DS),
}

impl Trusted {
    /// Whether this is the key.
    pub(super) fn is(&self, zone: &Name, key: &DNSKEY) -> bool {
        match self {
            Self::Key(trusted) => {
                let shown = key.public_key();
                shown.algorithm() == trusted.algorithm() && shown.public_bytes() == trusted.public_bytes()
            }
            Self::Digest(ds) => {
                ds.algorithm() == key.algorithm()
                    && key.calculate_key_tag().is_ok_and(|tag| tag == ds.key_tag())
                    && ds.covers(zone, key).unwrap_or(false)
            }
        }
    }

    /// Whether we can compute what it takes. A zone that has only others counts as not signed (RFC 4035 §5.2).
    pub(super) fn is_supported(&self) -> bool {
        match self {
            Self::Key(key) => key.algorithm().is_supported(),
            Self::Digest(ds) => ds.algorithm().is_supported() && ds.digest_type().is_supported(),
        }
    }

    /// SHA-1 does not count where there is something better (RFC 4509 §3).
    pub(super) fn is_sha1(&self) -> bool {
        matches!(self, Self::Digest(ds) if ds.digest_type() == DigestType::SHA1)
    }
}

impl Anchor {
    /// The configured ones; none: the root's, as they are built in.
    pub(super) fn all(configured: &[TrustAnchor]) -> Vec<Self> {
        if configured.is_empty() {
            let built_in = TrustAnchors::default();
            let keys = (0..built_in.len()).filter_map(|at| built_in.get(at));
            return keys.map(|key| Self { zone: Name::root(), trusted: Trusted::Key(key.clone()) }).collect();
        }
        let read = configured.iter().filter_map(|anchor| {
            let read = Self::read(anchor);
            if read.is_none() {
                tracing::warn!(zone = %anchor.owner, "a trust anchor is left out: it is neither a DNSKEY nor a DS that can be used");
            }
            read
        });
        read.collect()
    }

    fn read(anchor: &TrustAnchor) -> Option<Self> {
        let zone = Name::from_bytes(anchor.owner.as_wire()).ok()?;
        let length = u16::try_from(anchor.rdata.len()).ok()?;
        // hickory reads RDATA only as part of a record: of the root, class IN.
        let head = [&[0][..], &anchor.kind.0.to_be_bytes(), &[0, 1, 0, 0, 0, 0], &length.to_be_bytes()].concat();
        let trusted = match Record::from_bytes(&[&head, &anchor.rdata[..]].concat()).ok()?.data {
            RData::DNSSEC(DNSSECRData::DNSKEY(key)) => Trusted::Key(key.public_key().clone()),
            RData::DNSSEC(DNSSECRData::DS(ds)) => Trusted::Digest(ds),
            _ => return None,
        };
        trusted.is_supported().then_some(Self { zone, trusted })
    }
}
