//! Writes records in the form in which they are kept: as they will stand behind a question, with lists of what has to be
//! changed for another reply.

use super::{
    MAX_BODY, Unusable,
    message::{Message, Record},
    names::expand,
    rdata::layout,
};
use crate::{message::HEADER, wire_name};

/// The highest offset that a compression pointer can name (RFC 1035 §4.1.4).
const MAX_POINTER: usize = 0x3fff;
/// Names that later ones may point to. Enough for nearly all messages, few enough to be looked through for each name.
const MAX_NAMES: usize = 24;
/// Type, class, TTL and length of RDATA.
const FIXED: usize = 10;

/// Records as they stand behind a question of `question`.
pub(super) struct Form<'q> {
    question: &'q [u8],
    pub(super) body: Vec<u8>,
    /// Where TTLs are in the body.
    pub(super) ttls: Vec<u16>,
    /// Where pointers are in the body.
    pub(super) pointers: Vec<u16>,
    /// Names in the body, uncompressed: where in `text`, and where in the body.
    names: Vec<(std::ops::Range<usize>, usize)>,
    text: Vec<u8>,
    scratch: Vec<u8>,
}

impl<'q> Form<'q> {
    pub(super) fn new(question: &'q [u8], octets: usize) -> Self {
        Self {
            question,
            body: Vec::with_capacity(octets),
            ttls: Vec::with_capacity(8),
            pointers: Vec::with_capacity(8),
            names: Vec::new(),
            text: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Appends a record, to be told with this TTL.
    pub(super) fn record(&mut self, message: &Message<'_>, record: &Record, ttl: u32) -> Result<(), Unusable> {
        self.name(message.owner(record), true);
        let at = self.body.len();
        self.body.extend_from_slice(&record.kind.0.to_be_bytes());
        self.body.extend_from_slice(&[0, 1]);
        self.ttls.push(self.body.len() as u16);
        self.body.extend_from_slice(&ttl.to_be_bytes());
        self.body.extend_from_slice(&[0, 0]);
        self.rdata(message, record)?;
        if self.body.len() > MAX_BODY {
            return Err(Unusable::TooLong);
        }
        let length = (self.body.len() - at - FIXED) as u16;
        self.body[at + FIXED - 2..at + FIXED].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }

    fn rdata(&mut self, message: &Message<'_>, record: &Record) -> Result<(), Unusable> {
        let rdata = message.rdata(record);
        let layout = layout(record.kind, rdata).ok_or(Unusable::Malformed)?;
        let (before, mut rest) = rdata.split_at_checked(layout.before).ok_or(Unusable::Malformed)?;
        self.body.extend_from_slice(before);
        for _ in 0..layout.names {
            let at = record.rdata.end - rest.len();
            let mut name = std::mem::take(&mut self.scratch);
            name.clear();
            let end = expand(message.bytes, at, &mut name).ok_or(Unusable::Malformed)?;
            rest = rest.get(end - at..).ok_or(Unusable::Malformed)?;
            self.name(&name, layout.compressed);
            self.scratch = name;
        }
        if !layout.after.contains(&rest.len()) {
            return Err(Unusable::Malformed);
        }
        self.body.extend_from_slice(rest);
        Ok(())
    }

    /// Appends a name, ending in a pointer if that is allowed and there is something to point to.
    fn name(&mut self, name: &[u8], compressed: bool) {
        let start = self.body.len();
        let found = if compressed { self.find(name) } else { None };
        let (written, pointer) = found.map_or((name.len(), None), |(at, pointer)| (at, Some(pointer)));
        self.body.extend_from_slice(&name[..written]);
        if let Some(pointer) = pointer {
            self.pointers.push(self.body.len() as u16);
            self.body.extend_from_slice(&(0xc000 | pointer as u16).to_be_bytes());
        }
        if !compressed || self.names.len() >= MAX_NAMES {
            return;
        }
        let text = self.text.len();
        let labels = wire_name::suffixes(name).filter(|at| *at < written && name[*at] > 0);
        let room = MAX_NAMES - self.names.len();
        let length = name.len();
        self.names.extend(labels.take(room).map(|at| (text + at..text + length, start + at)));
        self.text.extend_from_slice(name);
    }

    /// The longest part of a name that is written already: where it starts in the name, and where it is in the message.
    fn find(&self, name: &[u8]) -> Option<(usize, usize)> {
        let behind_question = HEADER + self.question.len() + 4;
        wire_name::suffixes(name).filter(|at| name[*at] > 0).find_map(|at| {
            let suffix = &name[at..];
            let in_question = || {
                let start = self.question.len().checked_sub(suffix.len())?;
                let is_suffix = self.question[start..].eq_ignore_ascii_case(suffix);
                let found = is_suffix && wire_name::suffixes(self.question).any(|label| label == start);
                found.then_some(HEADER + start)
            };
            let in_body = || {
                let mut names = self.names.iter();
                let same = names.find(|(text, _)| {
                    text.len() == suffix.len() && self.text[text.clone()].eq_ignore_ascii_case(suffix)
                });
                same.map(|(_, at)| behind_question + at)
            };
            let pointer = in_question().or_else(in_body).filter(|pointer| *pointer <= MAX_POINTER)?;
            Some((at, pointer))
        })
    }
}
