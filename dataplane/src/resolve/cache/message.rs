//! What an upstream sent, taken apart. Nothing in it is believed: counts lie, names loop, sections end early.

use super::{Asked, Unusable, names::expand};
use crate::{encode::Rcode, message::HEADER};
use dnsplane_proto::RecordType;
use std::ops::Range;

const CLASS_IN: u16 = 1;
/// Octets of owner names in one message, uncompressed. A message of 65,535 octets that means well has less; one that does not
/// could make us write 255 for every two of its own.
const MAX_OWNERS: usize = 256 << 10;
/// Type, class, TTL and length of RDATA.
const FIXED: usize = 10;
/// RFC 8914 §2.
const EXTENDED_ERROR: u16 = 15;

/// A message that answers the question, well or ill.
pub(super) struct Message<'m> {
    pub(super) bytes: &'m [u8],
    owners: Vec<u8>,
    pub(super) answers: Vec<Record>,
    pub(super) authorities: Vec<Record>,
    pub(super) rcode: Rcode,
    /// INFO-CODE of the first extended error (RFC 8914).
    pub(super) extended: Option<u16>,
}

/// A record of class IN.
pub(super) struct Record {
    owner: Range<usize>,
    pub(super) kind: RecordType,
    pub(super) ttl: u32,
    /// Where its RDATA is in the message.
    pub(super) rdata: Range<usize>,
}

impl<'m> Message<'m> {
    /// Reads a message that must be a whole reply to this question, and must say that there is something or nothing: any
    /// other code is no answer.
    pub(super) fn parse(bytes: &'m [u8], asked: Asked<'_>) -> Result<Self, Unusable> {
        let header: &[u8; HEADER] = bytes.first_chunk().ok_or(Unusable::Malformed)?;
        let [_, _, flags, more, _, _, _, _, _, _, _, _] = *header;
        const QR_AND_OPCODE: u8 = 0xf8;
        const QR: u8 = 0x80;
        const TC: u8 = 0x02;
        if flags & QR_AND_OPCODE != QR {
            return Err(Unusable::Malformed);
        }
        if flags & TC != 0 {
            return Err(Unusable::Truncated);
        }
        let rcode = match more & 0x0f {
            0 => Rcode::NoError,
            3 => Rcode::NxDomain,
            other => return Err(Unusable::Code(other)),
        };
        let [questions, answers, authorities, additionals] =
            std::array::from_fn(|at| u16::from_be_bytes([header[4 + 2 * at], header[5 + 2 * at]]));
        let mut message =
            Self { bytes, owners: Vec::new(), answers: vec![], authorities: vec![], rcode, extended: None };
        let mut at = message.question(questions, asked)?;
        message.answers = message.section(&mut at, answers)?;
        message.authorities = message.section(&mut at, authorities)?;
        message.additional(at, additionals)?;
        Ok(message)
    }

    pub(super) fn owner(&self, record: &Record) -> &[u8] {
        &self.owners[record.owner.clone()]
    }

    pub(super) fn rdata(&self, record: &Record) -> &'m [u8] {
        &self.bytes[record.rdata.clone()]
    }

    /// The question must be ours; returns where it ends.
    fn question(&mut self, questions: u16, asked: Asked<'_>) -> Result<usize, Unusable> {
        if questions != 1 {
            return Err(Unusable::Question);
        }
        let end = expand(self.bytes, HEADER, &mut self.owners).ok_or(Unusable::Malformed)?;
        let is_name = self.owners.eq_ignore_ascii_case(asked.name);
        self.owners.clear();
        let rest = self.bytes.get(end..end + 4).ok_or(Unusable::Malformed)?;
        let [kind, class] = [[rest[0], rest[1]], [rest[2], rest[3]]].map(u16::from_be_bytes);
        if is_name && kind == asked.kind.0 && class == CLASS_IN { Ok(end + 4) } else { Err(Unusable::Question) }
    }

    fn section(&mut self, at: &mut usize, count: u16) -> Result<Vec<Record>, Unusable> {
        let mut records = Vec::with_capacity(usize::from(count).min(32));
        // Most records belong to the same name as the one before, and say so with the same pointer.
        let mut last: Option<([u8; 2], Range<usize>)> = None;
        for _ in 0..count {
            let pointer = self.bytes.get(*at..*at + 2).and_then(|octets| octets.first_chunk::<2>().copied());
            let pointer = pointer.filter(|pointer| pointer[0] >= 0xc0);
            let same = last.as_ref().filter(|(before, _)| Some(*before) == pointer).map(|(_, owner)| owner.clone());
            let (owner, fixed_at) = match same {
                Some(owner) => (owner, *at + 2),
                None => {
                    let start = self.owners.len();
                    let end = expand(self.bytes, *at, &mut self.owners).ok_or(Unusable::Malformed)?;
                    (start..self.owners.len(), end)
                }
            };
            if self.owners.len() > MAX_OWNERS {
                return Err(Unusable::TooLong);
            }
            last = pointer.map(|pointer| (pointer, owner.clone()));
            let (fixed, rdata) = fixed(self.bytes, fixed_at).ok_or(Unusable::Malformed)?;
            *at = rdata.end;
            if fixed.class == CLASS_IN {
                records.push(Record { owner, kind: fixed.kind, ttl: fixed.ttl, rdata });
            }
        }
        Ok(records)
    }

    /// There is an extended code perhaps, and an extended error. Nothing else in this section concerns us, so that it does not
    /// matter if it cannot be read.
    fn additional(&mut self, mut at: usize, count: u16) -> Result<(), Unusable> {
        let mut owner = Vec::new();
        for _ in 0..count {
            owner.clear();
            let Some(end) = expand(self.bytes, at, &mut owner) else { return Ok(()) };
            let Some((fixed, rdata)) = fixed(self.bytes, end) else { return Ok(()) };
            at = rdata.end;
            if fixed.kind != RecordType::OPT {
                continue;
            }
            // RFC 6891 §6.1.3: the upper bits of a code that has no meaning without them.
            if fixed.ttl >> 24 != 0 {
                return Err(Unusable::Code(16));
            }
            let mut rest = &self.bytes[rdata];
            while let Some(([code_high, code_low, length @ ..], after)) = rest.split_first_chunk::<4>() {
                let Some((content, after)) = after.split_at_checked(u16::from_be_bytes(*length).into()) else { break };
                if u16::from_be_bytes([*code_high, *code_low]) == EXTENDED_ERROR {
                    self.extended = content.first_chunk().map(|code| u16::from_be_bytes(*code));
                    return Ok(());
                }
                rest = after;
            }
        }
        Ok(())
    }
}

struct Fixed {
    kind: RecordType,
    class: u16,
    ttl: u32,
}

/// What follows an owner name that ends here, and where the RDATA is.
fn fixed(bytes: &[u8], at: usize) -> Option<(Fixed, Range<usize>)> {
    let octets: &[u8; FIXED] = bytes.get(at..)?.first_chunk()?;
    let [kind_high, kind_low, class_high, class_low, t0, t1, t2, t3, length @ ..] = *octets;
    let start = at + FIXED;
    let rdata = start..start + usize::from(u16::from_be_bytes(length));
    bytes.get(rdata.clone())?;
    let fixed = Fixed {
        kind: RecordType(u16::from_be_bytes([kind_high, kind_low])),
        class: u16::from_be_bytes([class_high, class_low]),
        ttl: u32::from_be_bytes([t0, t1, t2, t3]),
    };
    Some((fixed, rdata))
}
