//! Wire messages ⇄ domain types: one conversion each way, and a name for each refusal.

mod limits;
mod resolving;

use crate::{
    limits::Limits,
    name::{InvalidName, Name},
    pb::feed as pb,
    record::{Generation, RecordData, RecordSet, RecordType},
    resolving::{Doors, Resolving},
    settings::{MAX_IDENTITY, Settings},
};
use bytes::Bytes;

/// Why a message from the feed is not something we can use.
#[derive(Debug, thiserror::Error)]
pub enum InvalidMessage {
    /// A field that must be there is not.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// An owner name that is not one.
    #[error("bad owner name: {0}")]
    Owner(InvalidName),
    /// A type over 65,535.
    #[error("{0} is not a record type")]
    Type(u32),
    /// RDATA over 65,535 octets.
    #[error("RDATA of {0} octets")]
    RdataTooLong(usize),
    /// A listen address that is not `address:port`.
    #[error("`{0}` is not a socket address")]
    Listen(String),
    /// A UDP payload size outside 512 to 65,535.
    #[error("{0} is not a UDP payload size (512 to 65535)")]
    Payload(u32),
    /// An identity that no character-string could hold.
    #[error("an identity of {0} octets (at most {MAX_IDENTITY})")]
    Identity(usize),
    /// A limit that is none, or more than can be counted.
    #[error("a limit with `{0}` {1}")]
    Limit(&'static str, u32),
    /// A network that is not `address/length`.
    #[error("`{0}` is not a network")]
    Network(String),
    /// An upstream's address that is not `address:port`.
    #[error("`{0}` is not a socket address")]
    Address(String),
    /// A way to talk to upstreams that we do not know.
    #[error("transport {0} is not one we know")]
    Transport(i32),
}

impl From<Generation> for pb::Generation {
    fn from(generation: Generation) -> Self {
        Self { session: generation.session, number: generation.number }
    }
}

impl From<pb::Generation> for Generation {
    fn from(wire: pb::Generation) -> Self {
        Self { session: wire.session, number: wire.number }
    }
}

impl From<RecordSet> for pb::RecordSet {
    fn from(set: RecordSet) -> Self {
        Self {
            owner: Bytes::copy_from_slice(set.owner.as_wire()),
            r#type: u32::from(set.kind.0),
            data: set.data.into_iter().map(|data| pb::Data { ttl: data.ttl, rdata: data.rdata }).collect(),
        }
    }
}

impl TryFrom<pb::RecordSet> for RecordSet {
    type Error = InvalidMessage;

    fn try_from(wire: pb::RecordSet) -> Result<Self, InvalidMessage> {
        let kind = u16::try_from(wire.r#type).map_err(|_| InvalidMessage::Type(wire.r#type))?;
        let data = wire.data.into_iter().map(|data| {
            if data.rdata.len() > usize::from(u16::MAX) {
                return Err(InvalidMessage::RdataTooLong(data.rdata.len()));
            }
            Ok(RecordData { ttl: data.ttl, rdata: data.rdata })
        });
        Ok(Self {
            owner: Name::from_wire(&wire.owner).map_err(InvalidMessage::Owner)?,
            kind: RecordType(kind),
            data: data.collect::<Result<_, _>>()?,
        })
    }
}

impl From<Settings> for pb::Settings {
    fn from(settings: Settings) -> Self {
        Self {
            listen: settings.listen.iter().map(ToString::to_string).collect(),
            max_udp_payload: u32::from(settings.max_udp_payload),
            refuse_any: settings.refuse_any,
            local_records: settings.local_records,
            missing_type_is_nodata: settings.missing_type_is_nodata,
            auto_ptr: settings.auto_ptr,
            identity: Bytes::copy_from_slice(&settings.identity),
            limits: (!settings.limits.are_off()).then(|| settings.limits.into()),
            resolving: Some((&settings.resolving).into()),
            doors: (settings.doors != Doors::default()).then(|| (&settings.doors).into()),
            blocking_paused_until: settings.blocking_paused_until,
        }
    }
}

impl TryFrom<pb::Settings> for Settings {
    type Error = InvalidMessage;

    fn try_from(wire: pb::Settings) -> Result<Self, InvalidMessage> {
        let listen = wire.listen.into_iter().map(|text| text.parse().map_err(|_| InvalidMessage::Listen(text)));
        let payload = u16::try_from(wire.max_udp_payload).ok().filter(|size| *size >= 512);
        if wire.identity.len() > MAX_IDENTITY {
            return Err(InvalidMessage::Identity(wire.identity.len()));
        }
        Ok(Self {
            listen: listen.collect::<Result<_, _>>()?,
            max_udp_payload: payload.ok_or(InvalidMessage::Payload(wire.max_udp_payload))?,
            refuse_any: wire.refuse_any,
            local_records: wire.local_records,
            missing_type_is_nodata: wire.missing_type_is_nodata,
            auto_ptr: wire.auto_ptr,
            identity: wire.identity[..].into(),
            limits: wire.limits.map_or_else(|| Ok(Limits::default()), Limits::try_from)?,
            resolving: wire.resolving.map_or_else(|| Ok(Resolving::default()), Resolving::try_from)?,
            doors: wire.doors.map_or_else(|| Ok(Doors::default()), Doors::try_from)?,
            blocking_paused_until: wire.blocking_paused_until,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set() -> RecordSet {
        RecordSet {
            owner: Name::parse("www.example").expect("a name"),
            kind: RecordType::A,
            data: vec![RecordData { ttl: 60, rdata: Bytes::from_static(&[192, 0, 2, 1]) }],
        }
    }

    #[test]
    fn a_record_set_survives_the_trip() {
        assert_eq!(RecordSet::try_from(pb::RecordSet::from(set())).expect("valid"), set());
    }

    #[test]
    fn bad_fields_are_refused_by_name() {
        let wire = || pb::RecordSet::from(set());
        let refusal = |wire: pb::RecordSet| RecordSet::try_from(wire).expect_err("refused").to_string();
        assert_eq!(refusal(pb::RecordSet { r#type: 65536, ..wire() }), "65536 is not a record type");
        assert!(
            refusal(pb::RecordSet { owner: Bytes::from_static(b"\x03ab"), ..wire() }).starts_with("bad owner name")
        );
        let long = pb::Data { ttl: 0, rdata: vec![0; 65536].into() };
        assert_eq!(refusal(pb::RecordSet { data: vec![long], ..wire() }), "RDATA of 65536 octets");
    }

    #[test]
    fn settings_survive_the_trip_and_are_checked() {
        let settings = Settings {
            listen: vec!["127.0.0.1:53".parse().expect("address"), "[::]:53".parse().expect("address")],
            max_udp_payload: 1232,
            refuse_any: true,
            local_records: true,
            missing_type_is_nodata: false,
            auto_ptr: true,
            identity: b"ns1 \xc3\xa9"[..].into(),
            limits: Limits::default(),
            resolving: Resolving::default(),
            doors: Doors::default(),
            blocking_paused_until: 5,
        };
        let wire = pb::Settings::from(settings.clone());
        assert_eq!(Settings::try_from(wire.clone()).expect("valid"), settings);
        assert!(Settings::try_from(pb::Settings { max_udp_payload: 511, ..wire.clone() }).is_err());
        assert!(Settings::try_from(pb::Settings { identity: vec![b'x'; 256].into(), ..wire.clone() }).is_err());
        assert!(Settings::try_from(pb::Settings { listen: vec!["here".into()], ..wire.clone() }).is_err());
        // As a control plane says it that knows neither.
        let old = pb::Settings { auto_ptr: false, identity: Bytes::new(), ..wire };
        let old = Settings::try_from(old).expect("valid");
        assert!(!old.auto_ptr && old.identity.is_empty());
    }
}
