//! The OPT record of a reply (RFC 6891 §6.1): written only for clients that sent one.

use super::Rcode;
use crate::{
    answer::{Asker, TCP_IDLE},
    cookie::{CLIENT, SERVER},
    message::Edns,
    snapshot::Rules,
};

/// Root, type, payload, extended RCODE, version, flags, length.
const FIXED: usize = 11;
const OPTION_HEADER: usize = 4;
const NSID: u8 = 3;
const COOKIE: u8 = 10;
const TCP_KEEPALIVE: u8 = 11;
const EXTENDED_ERROR: u8 = 15;
/// An extended error without a text (RFC 8914 §2).
pub(super) const EXTENDED_ERROR_OCTETS: usize = OPTION_HEADER + 2;
const PADDING: u8 = 12;
/// Replies are as long as a multiple of this (RFC 8467 §4.1).
const PADDED_BLOCK: usize = 468;

/// What our OPT record will say.
#[derive(Clone, Copy)]
pub(super) struct Opt<'a> {
    payload: u16,
    dnssec_ok: bool,
    cookie: Option<[u8; CLIENT + SERVER]>,
    /// In units of 100 ms (RFC 7828 §3.1).
    keepalive: Option<u16>,
    identity: Option<&'a [u8]>,
    /// INFO-CODE (RFC 8914 §2).
    pub(super) extended_error: Option<u16>,
    padded: bool,
}

impl<'a> Opt<'a> {
    pub(super) fn new(client: &Edns<'_>, asker: &Asker<'_>, rules: &'a Rules) -> Self {
        // Always a fresh one, whatever the client showed: cheaper than to judge its age, and as good (RFC 9018 §4.3).
        let cookie = client.cookie.map(|cookie| {
            let mut both = [0; CLIENT + SERVER];
            both[..CLIENT].copy_from_slice(cookie.client);
            both[CLIENT..].copy_from_slice(&asker.cookies.server(cookie.client, asker.address, asker.now));
            both
        });
        // Over UDP the option means nothing (RFC 7828 §3.2.1).
        let keepalive = client.keepalive && asker.transport.is_kept_open();
        let keepalive = keepalive.then_some((TCP_IDLE.as_millis() / 100) as u16);
        let identity = rules.identity.as_deref().filter(|_| client.wants_identity);
        // Without encryption it hides nothing (RFC 7830 §6).
        let padded = client.padding && asker.transport.is_encrypted();
        Self {
            payload: rules.max_udp_payload,
            dnssec_ok: client.dnssec_ok,
            cookie,
            keepalive,
            identity,
            extended_error: None,
            padded,
        }
    }

    /// Without our name, if that would be too long: behind the longest of questions there is room for all options but that.
    pub(super) fn within(self, octets: usize) -> Self {
        if self.length() <= octets { self } else { Self { identity: None, ..self } }
    }

    pub(super) fn dnssec_ok(&self) -> bool {
        self.dnssec_ok
    }

    /// Octets that it takes.
    pub(super) fn length(&self) -> usize {
        FIXED + self.options()
    }

    fn options(&self) -> usize {
        let cookie = if self.cookie.is_some() { OPTION_HEADER + CLIENT + SERVER } else { 0 };
        let keepalive = if self.keepalive.is_some() { OPTION_HEADER + 2 } else { 0 };
        let extended_error = self.extended_error.map_or(0, |_| EXTENDED_ERROR_OCTETS);
        cookie + keepalive + extended_error + self.identity.map_or(0, |identity| OPTION_HEADER + identity.len())
    }

    /// Writes it behind the other `before` octets of the message.
    pub(super) fn write(&self, out: &mut Vec<u8>, before: usize, rcode: Rcode) {
        let padding = self.padding(before + self.length());
        let [high, low] = self.payload.to_be_bytes();
        // DO is repeated (RFC 3225 §3); version and all other flags are zero.
        let flags = u8::from(self.dnssec_ok) << 7;
        out.extend_from_slice(&[0, 0, 41, high, low, (rcode as u16 >> 4) as u8, 0, flags, 0]);
        let options = self.options() + padding.map_or(0, |octets| OPTION_HEADER + usize::from(octets));
        out.extend_from_slice(&(options as u16).to_be_bytes());
        if let Some(cookie) = &self.cookie {
            out.extend_from_slice(&[0, COOKIE, 0, (CLIENT + SERVER) as u8]);
            out.extend_from_slice(cookie);
        }
        if let Some(timeout) = self.keepalive {
            out.extend_from_slice(&[0, TCP_KEEPALIVE, 0, 2]);
            out.extend_from_slice(&timeout.to_be_bytes());
        }
        if let Some(code) = self.extended_error {
            out.extend_from_slice(&[0, EXTENDED_ERROR, 0, 2]);
            out.extend_from_slice(&code.to_be_bytes());
        }
        if let Some(identity) = self.identity {
            out.extend_from_slice(&[0, NSID]);
            out.extend_from_slice(&(identity.len() as u16).to_be_bytes());
            out.extend_from_slice(identity);
        }
        if let Some(octets) = padding {
            out.extend_from_slice(&[0, PADDING]);
            out.extend_from_slice(&octets.to_be_bytes());
            out.resize(out.len() + usize::from(octets), 0);
        }
    }

    /// Zeros that make a message of so many octets as long as it should be, or as it can be; `None`: no option.
    fn padding(&self, length: usize) -> Option<u16> {
        let with_header = length + OPTION_HEADER;
        if !self.padded || with_header > usize::from(u16::MAX) {
            return None;
        }
        let padded = with_header.next_multiple_of(PADDED_BLOCK).min(usize::from(u16::MAX));
        u16::try_from(padded - with_header).ok()
    }
}
