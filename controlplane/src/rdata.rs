//! Values of records: text as people write it, to RDATA as servers send it.
//!
//! Text follows the rules of zone files (RFC 1035 §5.1) with the root as origin, so `host` means `host.`; any type may
//! also be written as `\# length hex` (RFC 3597 §5). Names inside RDATA come out uncompressed and keep their case. The
//! fields of each type are a table in `form.rs`, which reads text and checks octets alike.
//!
//! All of it is ours because of what a general library does with text from strangers: escapes, bare `;` and long
//! strings of TXT need care, and a value must never panic or be cut short in silence.

mod digits;
mod form;
mod location;
mod present;
mod service;
mod shape;
#[cfg(test)]
mod tests;
mod words;

pub use present::present;
pub use words::BadText;

pub(crate) use {
    present::present_into,
    shape::{NotBelow, is_absolute},
    words::{Word, Words},
};

use bytes::Bytes;
use dnsplane_proto::RecordType;
use form::Form;
use shape::Fault;
use std::{
    borrow::Cow,
    net::{Ipv4Addr, Ipv6Addr},
};

/// Why a value is not one of its type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidValue {
    /// A type that is never stored.
    #[error("{0} is a type of questions and messages, not of records")]
    Meta(RecordType),
    /// A type whose text form we do not read.
    #[error("values of {0} are read only as `\\#`, their length and hexadecimal digits, such as `\\# 4 c0000201`")]
    NoTextForm(RecordType),
    /// Too few or too many words for the type.
    #[error("{kind} wants {wants}, such as `{example}`; found {}", counted(*.found))]
    Words {
        /// The type.
        kind: RecordType,
        /// Its fields, in words.
        wants: String,
        /// A value that is right.
        example: &'static str,
        /// How many words there are.
        found: usize,
    },
    /// One field is wrong.
    #[error("{kind}: the {field} `{text}` {why}")]
    Field {
        /// The type.
        kind: RecordType,
        /// What the field is called.
        field: &'static str,
        /// What was written, shortened if long.
        text: String,
        /// What is wrong with it; completes the sentence.
        why: Cow<'static, str>,
    },
    /// The text cannot be cut into words.
    #[error("{kind}: {fault}")]
    Text {
        /// The type.
        kind: RecordType,
        /// What is wrong with the text.
        fault: BadText,
    },
    /// `\#` without a length, or with digits that are none or do not have it.
    #[error(
        "{kind}: after `\\#` come the length in octets and as many pairs of hexadecimal digits, such as `\\# 4 c0000201`"
    )]
    Generic {
        /// The type.
        kind: RecordType,
    },
    /// Well-written octets that are no data of this type.
    #[error("{kind}: these {octets} octets are not laid out as {kind} data")]
    Layout {
        /// The type.
        kind: RecordType,
        /// How many there are.
        octets: usize,
    },
    /// More than a message can carry.
    #[error("{kind}: the value takes {octets} octets; at most 65535 fit")]
    TooLong {
        /// The type.
        kind: RecordType,
        /// How many it would take.
        octets: usize,
    },
}

/// Reads the value of a record: presentation text to uncompressed wire form.
pub fn parse(kind: RecordType, text: &str) -> Result<Bytes, InvalidValue> {
    let text = text.trim();
    // Most records of most stores; a million are read at start.
    match kind {
        RecordType::A => {
            if let Ok(address) = text.parse::<Ipv4Addr>() {
                return Ok(Bytes::copy_from_slice(&address.octets()));
            }
        }
        RecordType::AAAA => {
            if let Ok(address) = text.parse::<Ipv6Addr>() {
                return Ok(Bytes::copy_from_slice(&address.octets()));
            }
        }
        meta if meta.is_meta() => return Err(InvalidValue::Meta(meta)),
        _ => {}
    }
    let mut rdata = Vec::with_capacity(text.len() + 2);
    let free_text = Form::of(kind).is_some_and(Form::is_free_text);
    match text.strip_prefix("\\#") {
        Some(rest) if rest.is_empty() || rest.starts_with(|next: char| next.is_ascii_whitespace()) => {
            read_generic(kind, Words::new(rest, false), &mut rdata)?;
        }
        _ => read(kind, Words::new(text, free_text), &mut rdata)?,
    }
    fitting(kind, &rdata)?;
    Ok(rdata.into())
}

/// Reads what is left of an entry of a zone file as a value, and puts its wire form in place of what `rdata` holds.
pub(crate) fn parse_entry(kind: RecordType, words: &Words<'_>, rdata: &mut Vec<u8>) -> Result<(), InvalidValue> {
    rdata.clear();
    if kind.is_meta() {
        return Err(InvalidValue::Meta(kind));
    }
    let mut behind = words.clone();
    match behind.next() {
        Ok(Some(Word { text: "\\#", quoted: false, .. })) => read_generic(kind, behind, rdata)?,
        _ => read(kind, words.clone(), rdata)?,
    }
    fitting(kind, rdata)
}

/// A TTL or another time of a zone file: seconds, or with units such as `1h30m`.
pub(crate) fn period(text: &str) -> Option<u32> {
    shape::period(text).ok()
}

/// What a message can carry.
fn fitting(kind: RecordType, rdata: &[u8]) -> Result<(), InvalidValue> {
    if rdata.len() > usize::from(u16::MAX) {
        return Err(InvalidValue::TooLong { kind, octets: rdata.len() });
    }
    Ok(())
}

/// The text under which two values of a type count as one and the same record, as existing nodes see it: names without
/// case and last dots, addresses without case, everything else to the letter.
pub fn normalise(kind: RecordType, value: &str) -> Cow<'_, str> {
    let value = value.trim();
    match kind {
        RecordType::CNAME | RecordType::NS | RecordType::PTR => lower_case(value.trim_end_matches('.')),
        RecordType::A | RecordType::AAAA => lower_case(value),
        _ => Cow::Borrowed(value),
    }
}

/// Reads the fields of the type's form, all of the words, and appends their octets.
fn read(kind: RecordType, all: Words<'_>, rdata: &mut Vec<u8>) -> Result<(), InvalidValue> {
    let form = Form::of(kind).ok_or(InvalidValue::NoTextForm(kind))?;
    let miscounted = |found| InvalidValue::Words { kind, wants: form.wants(), example: form.example, found };
    let count = || all.clone().count().map_err(|fault| InvalidValue::Text { kind, fault });
    let mut words = all.clone();
    for (name, shape) in form.fields {
        match shape.read(&mut words, rdata) {
            Ok(()) => {}
            Err(Fault::Missing) => return Err(miscounted(count()?)),
            // A field that is wrong because one before it is left out: say that instead.
            Err(_) if !form.takes(count()?) => return Err(miscounted(count()?)),
            Err(Fault::Text(fault)) => return Err(InvalidValue::Text { kind, fault }),
            Err(Fault::Bad(text, why)) => {
                let field = name.split_once(' ').map_or(*name, |(article, rest)| match article {
                    "a" | "an" => rest,
                    _ => name,
                });
                return Err(InvalidValue::Field { kind, field, text: shortened(&text), why });
            }
        }
    }
    match words.next() {
        Ok(None) => Ok(()),
        Ok(Some(_)) => Err(miscounted(count()?)),
        Err(fault) => Err(InvalidValue::Text { kind, fault }),
    }
}

/// Reads what follows `\#` (RFC 3597 §5), and checks it if the type's form is known.
fn read_generic(kind: RecordType, mut words: Words<'_>, rdata: &mut Vec<u8>) -> Result<(), InvalidValue> {
    let refusal = || InvalidValue::Generic { kind };
    let mut next = || words.next().map_err(|fault| InvalidValue::Text { kind, fault });
    let length: u16 = shape::number(next()?.ok_or_else(refusal)?.text).map_err(|_| refusal())?;
    let mut hex = String::new();
    while let Some(word) = next()? {
        hex.push_str(word.text);
    }
    digits::hex(hex.as_bytes(), rdata).map_err(|_| refusal())?;
    if rdata.len() != usize::from(length) {
        return Err(refusal());
    }
    if let Some(form) = Form::of(kind) {
        let mut octets = &rdata[..];
        for (_, shape) in form.fields {
            octets = shape.check(octets).ok_or(InvalidValue::Layout { kind, octets: rdata.len() })?;
        }
        if !octets.is_empty() {
            return Err(InvalidValue::Layout { kind, octets: rdata.len() });
        }
    }
    Ok(())
}

/// Lower case character by character, as existing nodes do it: no character becomes two.
fn lower_case(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(|letter| letter.to_lowercase().next().unwrap_or(letter)).collect())
}

fn counted(words: usize) -> String {
    match words {
        0 => "nothing".to_owned(),
        1 => "1 word".to_owned(),
        more => format!("{more} words"),
    }
}

/// What a stranger wrote, short and printable enough for a log line.
pub(crate) fn shortened(text: &str) -> String {
    const MOST: usize = 60;
    let mut shown: String = text.chars().take(MOST).flat_map(char::escape_debug).collect();
    if text.chars().nth(MOST).is_some() {
        shown.push('…');
    }
    shown
}
