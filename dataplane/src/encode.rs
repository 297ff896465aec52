//! Writes replies: stored records are copied, owners become pointers, and what does not fit is left out as a whole set.
//!
//! A message starts where the output ends, so that TCP can put many replies into one buffer. Room for our OPT record is
//! set aside first: a reply that had to be truncated still says which EDNS we speak (RFC 6891 §7).

mod opt;
mod remembered;

use crate::{
    answer::Asker,
    message::{Edns, HEADER, Header},
    snapshot::{Rules, Set, entry::RECORD_HEADER},
    wire_name,
};
use opt::Opt;
pub(crate) use remembered::Told;

/// The highest offset that a compression pointer can name (RFC 1035 §4.1.4).
const MAX_POINTER: usize = 0x3fff;
const QUESTION_AT: usize = HEADER;
/// Of a question, behind its name.
const KIND_AND_CLASS: usize = 4;

/// Response codes (RFC 1035 §4.1.1, RFC 6891 §9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Rcode {
    /// No error.
    NoError = 0,
    /// The query was not understood.
    FormErr = 1,
    /// We tried, and could not find out.
    ServFail = 2,
    /// The name does not exist.
    NxDomain = 3,
    /// This kind of query is not supported.
    NotImp = 4,
    /// We do not answer this.
    Refused = 5,
    /// A name that a DNAME would lead to is too long (RFC 6672 §2.2).
    YxDomain = 6,
    /// No zone of ours (RFC 5936 §2.2.1).
    NotAuth = 9,
    /// An EDNS version that we do not speak.
    BadVers = 16,
}

/// A section of a reply that records go to. Records are added in the order of the sections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Answer = 0,
    Authority = 1,
    /// What does not fit here is left out without a word (RFC 2181 §9).
    Additional = 2,
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
    counts: [u16; 3],
    authoritative: bool,
    recursion_available: bool,
    authentic: bool,
    truncated: bool,
    opt: Option<Opt<'a>>,
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
        Self {
            out,
            start,
            limit: usize::MAX,
            counts: [0; 3],
            authoritative: false,
            recursion_available: false,
            authentic: false,
            truncated: false,
            opt: None,
        }
    }

    /// Limits the whole message to so many octets, and adds an OPT record if the client sent one (RFC 6891 §6.1.1).
    pub(crate) fn limit(&mut self, octets: usize, client: Option<&Edns<'_>>, asker: &Asker<'_>, rules: &'a Rules) {
        let room = octets.saturating_sub(self.out.len() - self.start);
        self.opt = client.map(|edns| Opt::new(edns, asker, rules).within(room));
        self.limit = octets.saturating_sub(self.opt.as_ref().map_or(0, Opt::length));
    }

    /// AA (RFC 1035 §4.1.1).
    pub(crate) fn authoritative(&mut self) {
        self.authoritative = true;
    }

    /// RA: this client may have names resolved that are not ours (RFC 1035 §4.1.1).
    pub(crate) fn recursion_available(&mut self) {
        self.recursion_available = true;
    }

    /// AD: what the reply says is what its zones signed (RFC 4035 §3.2.3).
    pub(crate) fn authentic(&mut self) {
        self.authentic = true;
    }

    /// Says more about an outcome to clients that may understand it (RFC 8914), if there is room.
    pub(crate) fn extended_error(&mut self, code: u16) {
        let written = self.out.len() - self.start;
        let Some(opt) = self.opt.as_mut().filter(|_| written + opt::EXTENDED_ERROR_OCTETS <= self.limit) else {
            return;
        };
        if opt.extended_error.replace(code).is_none() {
            self.limit -= opt::EXTENDED_ERROR_OCTETS;
        }
    }

    /// Takes back all records: what was written of them is no answer.
    pub(crate) fn clear(&mut self) {
        let question = self.name_at(QUESTION_AT).len() + KIND_AND_CLASS;
        self.out.truncate(self.start + QUESTION_AT + question);
        (self.counts, self.authoritative, self.truncated) = ([0; 3], false, false);
    }

    /// Takes back everything: there is no reply yet.
    pub(crate) fn abandon(self) {
        self.out.truncate(self.start);
    }

    /// Appends a record set whose owner is written at `owner`, an offset in the message; returns where it starts.
    #[inline]
    pub(crate) fn set(&mut self, section: Section, owner: usize, set: &Set<'_>) -> Result<usize, Truncated> {
        self.made_set(section, owner, (set.count, set.wire.len()), |out| out.extend_from_slice(set.wire))
    }

    /// The same for a set that is made here and now: `size` is how many records and octets `write` will add.
    #[inline]
    pub(crate) fn made_set(
        &mut self,
        section: Section,
        owner: usize,
        (count, octets): (u16, usize),
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<usize, Truncated> {
        let at = self.out.len() - self.start;
        if at + octets > self.limit || owner > MAX_POINTER {
            self.truncated |= section != Section::Additional;
            return Err(Truncated);
        }
        write(self.out);
        debug_assert_eq!(self.out.len() - self.start, at + octets, "room was made for what was written");
        // What fits into a message is far from 65,535 records.
        self.counts[section as usize] += count;
        if owner != QUESTION_AT {
            self.point_to(at, owner);
        }
        Ok(at)
    }

    /// Whether the reply holds this record of the name at `owner` already.
    pub(crate) fn has(&self, owner: usize, record: &Set<'_>) -> bool {
        let name = self.name_at(owner);
        // Behind the question there are only records whose owner is a pointer, as long as nothing remembered was added.
        let mut rest = self.written(QUESTION_AT + self.name_at(QUESTION_AT).len() + KIND_AND_CLASS);
        while let Some(header) = rest.first_chunk::<RECORD_HEADER>() {
            let its_owner = usize::from(u16::from_be_bytes([header[0] & 0x3f, header[1]]));
            let rdata = usize::from(u16::from_be_bytes([header[10], header[11]]));
            let (this, after) = rest.split_at_checked(RECORD_HEADER + rdata).unwrap_or_default();
            if this.get(2..) == record.wire.get(2..) && self.name_at(its_owner).eq_ignore_ascii_case(name) {
                return true;
            }
            rest = after;
        }
        false
    }

    /// DO: the client wants DNSSEC records (RFC 3225).
    pub(crate) fn wants_dnssec(&self) -> bool {
        self.opt.as_ref().is_some_and(Opt::dnssec_ok)
    }

    /// TC: something that the client needs was left out.
    pub(crate) fn truncate(&mut self) {
        self.truncated = true;
    }

    /// The uncompressed name at this offset of the message; the root if there is none.
    pub(crate) fn name_at(&self, offset: usize) -> &[u8] {
        self.out.get(self.start + offset..).and_then(wire_name::split).unwrap_or(&[0])
    }

    /// The message so far, from this offset on.
    pub(crate) fn written(&self, offset: usize) -> &[u8] {
        self.out.get(self.start + offset..).unwrap_or_default()
    }

    /// Overwrites the TTL of the record at this offset.
    pub(crate) fn set_ttl(&mut self, record: usize, ttl: u32) {
        let at = self.start + record + 6;
        self.out[at..at + 4].copy_from_slice(&ttl.to_be_bytes());
    }

    /// Completes the reply.
    pub(crate) fn finish(self, rcode: Rcode) -> bool {
        let code = rcode as u16;
        if let Some(opt) = &self.opt {
            opt.write(self.out, self.out.len() - self.start, rcode);
        }
        let header = &mut self.out[self.start..self.start + HEADER];
        header[2] |= u8::from(self.authoritative) << 2 | u8::from(self.truncated) << 1;
        header[3] |= u8::from(self.recursion_available) << 7 | u8::from(self.authentic) << 5 | code as u8 & 0x0f;
        let [answers, authorities, additionals] = self.counts;
        for (at, count) in [(6, answers), (8, authorities), (10, additionals + u16::from(self.opt.is_some()))] {
            header[at..at + 2].copy_from_slice(&count.to_be_bytes());
        }
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
