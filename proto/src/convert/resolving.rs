//! Resolving, upstreams and doors ⇄ their messages.

use super::InvalidMessage;
use crate::{
    name::Name,
    pb::feed as pb,
    record::RecordType,
    resolving::{
        CacheRules, Door, Doors, Probes, Resolving, Server, TrustAnchor, Upstream, Upstreams, Validation, Way,
    },
};
use bytes::Bytes;
use std::{path::PathBuf, sync::Arc, time::Duration};

impl From<&Resolving> for pb::Resolving {
    fn from(resolving: &Resolving) -> Self {
        Self {
            networks: resolving.networks.iter().map(ToString::to_string).collect(),
            timeout_ms: u32::try_from(resolving.timeout.as_millis()).unwrap_or(u32::MAX),
            in_flight: resolving.in_flight,
            cache: resolving.cache.map(|cache| pb::Cache {
                octets: cache.octets,
                least_ttl: cache.least_ttl,
                stale: cache.stale,
                prefetch: cache.prefetch,
            }),
            validation: resolving.validation.as_deref().map(|validation| pb::Validation {
                strict: validation.strict,
                anchors: validation.anchors.iter().map(Into::into).collect(),
            }),
            probes: resolving.probes.as_ref().map(|probes| pb::Probes {
                seconds: u32::try_from(probes.every.as_secs()).unwrap_or(u32::MAX),
                failures: probes.failures,
                name: wire(&probes.name),
            }),
        }
    }
}

impl TryFrom<pb::Resolving> for Resolving {
    type Error = InvalidMessage;

    fn try_from(from: pb::Resolving) -> Result<Self, InvalidMessage> {
        let networks = from.networks.into_iter().map(|text| text.parse().map_err(|_| InvalidMessage::Network(text)));
        Ok(Self {
            networks: networks.collect::<Result<Vec<_>, _>>()?.into(),
            timeout: Duration::from_millis(above_zero("timeout_ms", from.timeout_ms)?.into()),
            in_flight: above_zero("in_flight", from.in_flight)?,
            cache: from.cache.map(|cache| CacheRules {
                octets: cache.octets,
                least_ttl: cache.least_ttl,
                stale: cache.stale,
                prefetch: cache.prefetch,
            }),
            validation: from.validation.map(Validation::try_from).transpose()?.map(Arc::new),
            probes: from.probes.map(Probes::try_from).transpose()?,
        })
    }
}

impl TryFrom<pb::Probes> for Probes {
    type Error = InvalidMessage;

    fn try_from(from: pb::Probes) -> Result<Self, InvalidMessage> {
        Ok(Self {
            every: Duration::from_secs(above_zero("seconds", from.seconds)?.into()),
            failures: above_zero("failures", from.failures)?,
            name: name(&from.name)?,
        })
    }
}

impl From<&TrustAnchor> for pb::TrustAnchor {
    fn from(anchor: &TrustAnchor) -> Self {
        Self { owner: wire(&anchor.owner), r#type: anchor.kind.0.into(), rdata: anchor.rdata.clone() }
    }
}

impl TryFrom<pb::Validation> for Validation {
    type Error = InvalidMessage;

    fn try_from(from: pb::Validation) -> Result<Self, InvalidMessage> {
        let anchors = from.anchors.into_iter().map(|anchor| {
            let kind = u16::try_from(anchor.r#type).map_err(|_| InvalidMessage::Type(anchor.r#type))?;
            Ok(TrustAnchor { owner: name(&anchor.owner)?, kind: RecordType(kind), rdata: anchor.rdata })
        });
        Ok(Self { strict: from.strict, anchors: anchors.collect::<Result<_, InvalidMessage>>()? })
    }
}

impl From<&Doors> for pb::Doors {
    fn from(doors: &Doors) -> Self {
        let door = |door: &Option<Door>| door.as_ref().map(pb::Door::from);
        Self { tls: door(&doors.tls), https: door(&doors.https), quic: door(&doors.quic) }
    }
}

impl TryFrom<pb::Doors> for Doors {
    type Error = InvalidMessage;

    fn try_from(from: pb::Doors) -> Result<Self, InvalidMessage> {
        let door = |door: Option<pb::Door>| door.map(Door::try_from).transpose();
        Ok(Self { tls: door(from.tls)?, https: door(from.https)?, quic: door(from.quic)? })
    }
}

impl From<&Door> for pb::Door {
    fn from(door: &Door) -> Self {
        let text = |path: &PathBuf| path.to_string_lossy().into_owned();
        Self {
            listen: door.listen.iter().map(ToString::to_string).collect(),
            certificate: text(&door.certificate),
            key: text(&door.key),
            path: door.path.clone(),
        }
    }
}

impl TryFrom<pb::Door> for Door {
    type Error = InvalidMessage;

    fn try_from(from: pb::Door) -> Result<Self, InvalidMessage> {
        let listen = from.listen.into_iter().map(|text| text.parse().map_err(|_| InvalidMessage::Listen(text)));
        Ok(Self {
            listen: listen.collect::<Result<_, _>>()?,
            certificate: from.certificate.into(),
            key: from.key.into(),
            path: from.path,
        })
    }
}

impl From<&Upstreams> for pb::Upstreams {
    fn from(all: &Upstreams) -> Self {
        Self {
            upstreams: all.upstreams.iter().map(Into::into).collect(),
            last_resort: all.last_resort.as_ref().map(Into::into),
            roots: all.roots.clone(),
        }
    }
}

impl TryFrom<pb::Upstreams> for Upstreams {
    type Error = InvalidMessage;

    fn try_from(from: pb::Upstreams) -> Result<Self, InvalidMessage> {
        Ok(Self {
            upstreams: from.upstreams.into_iter().map(Upstream::try_from).collect::<Result<_, _>>()?,
            last_resort: from.last_resort.map(Server::try_from).transpose()?,
            roots: from.roots,
        })
    }
}

impl From<&Upstream> for pb::Upstream {
    fn from(upstream: &Upstream) -> Self {
        Self {
            server: Some((&upstream.server).into()),
            domains: upstream.domains.iter().map(wire).collect(),
            fallback: upstream.fallback.as_ref().map(Into::into),
        }
    }
}

impl TryFrom<pb::Upstream> for Upstream {
    type Error = InvalidMessage;

    fn try_from(from: pb::Upstream) -> Result<Self, InvalidMessage> {
        Ok(Self {
            server: from.server.ok_or(InvalidMessage::Missing("server"))?.try_into()?,
            domains: from.domains.iter().map(|octets| name(octets)).collect::<Result<_, _>>()?,
            fallback: from.fallback.map(Server::try_from).transpose()?,
        })
    }
}

impl From<&Server> for pb::Server {
    fn from(server: &Server) -> Self {
        let (transport, tls_name, path) = match &server.way {
            Way::Udp => (pb::Transport::Udp, "", ""),
            Way::Tcp => (pb::Transport::Tcp, "", ""),
            Way::Tls { name } => (pb::Transport::Tls, name.as_str(), ""),
            Way::Https { name, path } => (pb::Transport::Https, name.as_str(), path.as_str()),
            Way::Quic { name } => (pb::Transport::Quic, name.as_str(), ""),
        };
        Self {
            name: server.name.clone(),
            address: server.address.to_string(),
            transport: transport.into(),
            tls_name: tls_name.to_owned(),
            path: path.to_owned(),
        }
    }
}

impl TryFrom<pb::Server> for Server {
    type Error = InvalidMessage;

    fn try_from(from: pb::Server) -> Result<Self, InvalidMessage> {
        let (transport, name, path) = (from.transport(), from.tls_name, from.path);
        let way = match transport {
            pb::Transport::Udp => Way::Udp,
            pb::Transport::Tcp => Way::Tcp,
            pb::Transport::Tls => Way::Tls { name },
            pb::Transport::Https => Way::Https { name, path },
            pb::Transport::Quic => Way::Quic { name },
            pb::Transport::Unspecified => return Err(InvalidMessage::Transport(from.transport)),
        };
        let address = from.address.parse().map_err(|_| InvalidMessage::Address(from.address))?;
        Ok(Self { name: from.name, address, way })
    }
}

fn wire(name: &Name) -> Bytes {
    Bytes::copy_from_slice(name.as_wire())
}

fn name(octets: &[u8]) -> Result<Name, InvalidMessage> {
    Name::from_wire(octets).map_err(InvalidMessage::Owner)
}

fn above_zero(what: &'static str, number: u32) -> Result<u32, InvalidMessage> {
    Some(number).filter(|number| *number > 0).ok_or(InvalidMessage::Limit(what, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a(text: &str) -> Name {
        Name::parse(text).expect("a name")
    }

    #[test]
    fn how_to_resolve_survives_the_trip() {
        let resolving = Resolving {
            in_flight: 3,
            cache: Some(CacheRules { octets: 1 << 20, least_ttl: 5, stale: 60, prefetch: true }),
            validation: Some(Arc::new(Validation {
                strict: true,
                anchors: vec![TrustAnchor {
                    owner: a("."),
                    kind: RecordType::DS,
                    rdata: Bytes::from_static(b"\x4f\x66\x08\x02abc"),
                }],
            })),
            probes: Some(Probes { every: Duration::from_secs(30), failures: 3, name: a("example.org") }),
            ..Resolving::default()
        };
        let wire = pb::Resolving::from(&resolving);
        assert_eq!(Resolving::try_from(wire.clone()).expect("valid"), resolving);
        assert!(Resolving::try_from(pb::Resolving { timeout_ms: 0, ..wire.clone() }).is_err());
        assert!(Resolving::try_from(pb::Resolving { networks: vec!["10.0.0.0/33".into()], ..wire }).is_err());
    }

    #[test]
    fn upstreams_and_doors_survive_the_trip() {
        let server = |way| Server { name: "x".into(), address: "192.0.2.1:53".parse().expect("address"), way };
        let (name, path) = ("dns.example".to_owned(), "/dns-query".to_owned());
        let ways = [
            Way::Udp,
            Way::Tcp,
            Way::Tls { name: String::new() },
            Way::Https { name: name.clone(), path },
            Way::Quic { name },
        ];
        let upstream =
            |way| Upstream { server: server(way), domains: vec![a("lab.test")], fallback: Some(server(Way::Tcp)) };
        let all = Upstreams {
            upstreams: ways.into_iter().map(upstream).collect(),
            last_resort: Some(server(Way::Udp)),
            roots: Bytes::from_static(b"PEM"),
        };
        assert_eq!(Upstreams::try_from(pb::Upstreams::from(&all)).expect("valid"), all);
        let nameless = pb::Server { transport: 0, ..pb::Server::from(&server(Way::Udp)) };
        assert!(Server::try_from(nameless).is_err());
        let door = Door {
            listen: vec!["[::1]:853".parse().expect("address")],
            certificate: "/c.pem".into(),
            key: "/k.pem".into(),
            path: String::new(),
        };
        let doors = Doors { tls: Some(door.clone()), https: None, quic: Some(door) };
        assert_eq!(Doors::try_from(pb::Doors::from(&doors)).expect("valid"), doors);
    }
}
