//! Writes replies: stored records are copied, owners become pointers, and what does not fit is left out as a whole set.
//!
//! A message starts where the output ends, so that TCP can put many replies into one buffer. Room for our OPT record is
//! set aside first: a reply that had to be truncated still says which EDNS we speak (RFC 6891 §7).

use crate::{
    message::{Edns, HEADER, Header},
    snapshot::{Set, entry::RECORD_HEADER},
};

/// An OPT record without options: root, type, payload, extended RCODE and flags, length.
const OPT: usize = 11;
/// The highest offset that a compression pointer can name (RFC 1035 §4.1.4).
const MAX_POINTER: usize = 0x3fff;
const QUESTION_AT: usize = HEADER;

/// Response codes (RFC 1035 §4.1.1, RFC 6891 §9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Rcode {
    /// No error.
    NoError = 0,
    /// The query was not understood.
    FormErr = 1,
    /// The name does not exist.
    NxDomain = 3,
    /// This kind of query is not supported.
    NotImp = 4,
    /// We do not answer this.
    Refused = 5,
    /// An EDNS version that we do not speak.
    BadVers = 16,
}

/// A section of a reply that records go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Answer = 0,
    Authority = 1,
}

/// A record set did not fit. The reply says so with TC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Truncated;

/// A reply in the making.
pub(crate) struct Encoder<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    /// Octets that the message may take, OPT not counted.
    limit: usize,
    counts: [u16; 2],
    authoritative: bool,
    truncated: bool,
    opt: Option<[u8; OPT]>,
}

impl<'a> Encoder<'a> {
    /// Starts a reply that repeats the header and the question.
    pub(crate) fn new(out: &'a mut Vec<u8>, header: Header<'_>, question: &[u8]) -> Self {
        let start = out.len();
        let [id_high, id_low] = header.id();
        const QR: u8 = 0x80;
        out.extend_from_slice(&[id_high, id_low, header.opcode_and_rd() | QR, header.checking_disabled()]);
        out.extend_from_slice(&[0, u8::from(!question.is_empty()), 0, 0, 0, 0, 0, 0]);
        out.extend_from_slice(question);
        Self { out, start, limit: usize::MAX, counts: [0; 2], authoritative: false, truncated: false, opt: None }
    }

    /// Limits the whole message to so many octets, and adds an OPT record if the client sent one (RFC 6891 §6.1.1).
    pub(crate) fn limit(&mut self, octets: usize, client: Option<&Edns>, our_payload: u16) {
        let [high, low] = our_payload.to_be_bytes();
        // DO is repeated (RFC 3225 §3); version and all other flags are zero.
        self.opt = client.map(|edns| [0, 0, 41, high, low, 0, 0, u8::from(edns.dnssec_ok) << 7, 0, 0, 0]);
        self.limit = octets - if client.is_some() { OPT } else { 0 };
    }

    /// AA (RFC 1035 §4.1.1).
    pub(crate) fn authoritative(&mut self) {
        self.authoritative = true;
    }

    /// Appends a record set whose owner is written at `owner`, an offset in the message; returns where it starts.
    #[inline]
    pub(crate) fn set(&mut self, section: Section, owner: usize, set: &Set<'_>) -> Result<usize, Truncated> {
        let at = self.out.len() - self.start;
        if at + set.wire.len() > self.limit || owner > MAX_POINTER {
            self.truncated = true;
            return Err(Truncated);
        }
        self.out.extend_from_slice(set.wire);
        self.counts[section as usize] += set.count;
        if owner != QUESTION_AT {
            self.point_to(at, owner);
        }
        Ok(at)
    }

    /// Overwrites the TTL of the record at this offset.
    pub(crate) fn set_ttl(&mut self, record: usize, ttl: u32) {
        let at = self.start + record + 6;
        self.out[at..at + 4].copy_from_slice(&ttl.to_be_bytes());
    }

    /// Completes the reply.
    pub(crate) fn finish(self, rcode: Rcode) -> bool {
        let code = rcode as u16;
        if let Some(mut opt) = self.opt {
            opt[5] = (code >> 4) as u8;
            self.out.extend_from_slice(&opt);
        }
        let header = &mut self.out[self.start..self.start + HEADER];
        header[2] |= u8::from(self.authoritative) << 2 | u8::from(self.truncated) << 1;
        header[3] |= code as u8 & 0x0f;
        header[6..8].copy_from_slice(&self.counts[0].to_be_bytes());
        header[8..10].copy_from_slice(&self.counts[1].to_be_bytes());
        header[11] = u8::from(self.opt.is_some());
        self.truncated
    }

    /// Makes all records from this offset to the end belong to the name at `owner`.
    fn point_to(&mut self, from: usize, owner: usize) {
        let pointer = (0xc000 | owner as u16).to_be_bytes();
        let mut rest = &mut self.out[self.start + from..];
        while let Some((header, after)) = rest.split_first_chunk_mut::<RECORD_HEADER>() {
            header[..2].copy_from_slice(&pointer);
            let rdata = usize::from(u16::from_be_bytes([header[10], header[11]]));
            rest = after.get_mut(rdata..).unwrap_or_default();
        }
    }
}
