//! What an OPT record says (RFC 6891).

use super::{Malformed, Record};
use crate::cookie::CLIENT;
use dnsplane_proto::RecordType;

/// A server cookie of anyone's is this long (RFC 7873 §4).
const SERVER_COOKIE: std::ops::RangeInclusive<usize> = 8..=32;

/// Option codes that we act on.
mod option {
    /// RFC 5001 §2.3.
    pub(super) const NSID: u16 = 3;
    /// RFC 7873 §4.
    pub(super) const COOKIE: u16 = 10;
    /// RFC 7828 §3.1.
    pub(super) const TCP_KEEPALIVE: u16 = 11;
    /// RFC 7830 §3.
    pub(super) const PADDING: u16 = 12;
}

/// What an OPT record says (RFC 6891 §6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edns<'a> {
    /// Largest UDP message the client takes.
    pub payload: u16,
    /// We speak version 0.
    pub version: u8,
    /// DO: the client wants DNSSEC records (RFC 3225).
    pub dnssec_ok: bool,
    /// The client's cookie and, if it has one already, ours (RFC 7873 §4).
    pub cookie: Option<Cookie<'a>>,
    /// The client asks how long a TCP connection may be silent (RFC 7828).
    pub keepalive: bool,
    /// The client asks which server we are (NSID, RFC 5001).
    pub wants_identity: bool,
    /// The client has made its query longer, and wants the same of its reply (RFC 7830).
    pub padding: bool,
}

/// The content of a COOKIE option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cookie<'a> {
    /// The client's part.
    pub client: &'a [u8; CLIENT],
    /// The server's part, 8 to 32 octets, or none.
    pub server: &'a [u8],
}

impl<'a> Edns<'a> {
    pub(super) fn parse(record: &Record<'a>) -> Result<Self, Malformed> {
        debug_assert_eq!(record.kind, RecordType::OPT);
        let [_, version, flags, _] = record.ttl;
        if !record.of_root {
            return Err(Malformed); // RFC 6891 §6.1.2: the owner is the root
        }
        let dnssec_ok = flags & 0x80 != 0;
        let mut edns = Self {
            payload: record.class,
            version,
            dnssec_ok,
            cookie: None,
            keepalive: false,
            wants_identity: false,
            padding: false,
        };
        // Options must fill the RDATA. Those that we do not know do not matter (RFC 6891 §6.1.2).
        let mut options = record.rdata;
        while !options.is_empty() {
            let ([code_high, code_low, length @ ..], rest) = options.split_first_chunk::<4>().ok_or(Malformed)?;
            let length = usize::from(u16::from_be_bytes(*length));
            let (content, rest) = rest.split_at_checked(length).ok_or(Malformed)?;
            match u16::from_be_bytes([*code_high, *code_low]) {
                // Of several, the first counts.
                option::COOKIE if edns.cookie.is_none() => edns.cookie = Some(Cookie::parse(content)?),
                option::NSID => edns.wants_identity = true,
                option::TCP_KEEPALIVE => edns.keepalive = true,
                option::PADDING => edns.padding = true,
                _ => {}
            }
            options = rest;
        }
        Ok(edns)
    }
}

impl<'a> Cookie<'a> {
    /// RFC 7873 §5.2.2: any other length is a FORMERR.
    fn parse(content: &'a [u8]) -> Result<Self, Malformed> {
        let (client, server) = content.split_first_chunk().ok_or(Malformed)?;
        if server.is_empty() || SERVER_COOKIE.contains(&server.len()) {
            Ok(Self { client, server })
        } else {
            Err(Malformed)
        }
    }
}
