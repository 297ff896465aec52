//! What stands before the value of a record: owner, TTL, class and type.

use super::owner::{Origin, complete};
use crate::rdata::{self, NotBelow, Word, Words, shortened};
use dnsplane_proto::RecordType;

/// Largest TTL there is (RFC 2181 §8).
pub(super) const MOST_TTL: u32 = i32::MAX as u32;

/// What an entry says of its record before the value.
pub(super) struct Head {
    pub(super) ttl: Option<u32>,
    pub(super) kind: RecordType,
}

impl Head {
    /// TTL, class and type, from `word` on; TTL and class may be left out, and stand in either order.
    pub(super) fn read<'a>(mut word: Word<'a>, words: &mut Words<'a>) -> Result<Self, String> {
        let (mut own_ttl, mut class) = (None, false);
        loop {
            let text = word.text;
            if own_ttl.is_none() && text.as_bytes().first().is_some_and(u8::is_ascii_digit) {
                own_ttl = Some(ttl(text)?);
            } else if !class && is_class(text)? {
                class = true;
            } else {
                return Ok(Self { ttl: own_ttl, kind: kind(text)? });
            }
            word = next(words)?.ok_or("there is no record type")?;
        }
    }
}

/// The next word of an entry.
pub(super) fn next<'a>(words: &mut Words<'a>) -> Result<Option<Word<'a>>, String> {
    words.next().map_err(|fault| fault.to_string())
}

/// Reads the owner of a record. Lines without one behind a bad one must not become those of the name before it.
pub(super) fn own(text: &str, origin: Option<&Origin>, owner: &mut String) -> Result<(), String> {
    complete(text, origin, owner).map_err(|fault| {
        owner.clear();
        bad_name(text, &fault)
    })
}

pub(super) fn bad_name(text: &str, fault: &NotBelow) -> String {
    match fault {
        NotBelow::NoOrigin => format!("the name `{}` {fault}", shortened(text)),
        NotBelow::Invalid(fault) => format!("the name `{}` is not a domain name: {fault}", shortened(text)),
    }
}

/// A TTL, seconds or with units.
pub(super) fn ttl(text: &str) -> Result<u32, String> {
    match rdata::period(text) {
        Some(ttl) if ttl <= MOST_TTL => Ok(ttl),
        Some(_) => Err(format!("the TTL `{}` is larger than {MOST_TTL}, the largest there is", shortened(text))),
        None => Err(format!("the TTL `{}` is neither seconds nor a time such as 1h30m", shortened(text))),
    }
}

/// Whether the word is our class; others are refused.
fn is_class(text: &str) -> Result<bool, String> {
    let is = |class: &&str| text.eq_ignore_ascii_case(class);
    if ["IN", "CLASS1"].iter().any(is) {
        return Ok(true);
    }
    let numbered = text.get(..5).is_some_and(|head| head.eq_ignore_ascii_case("CLASS"));
    if numbered || ["CH", "CHAOS", "HS", "HESIOD", "CS"].iter().any(is) {
        return Err(format!("the class is `{}`; records of class IN are all that is read", shortened(text)));
    }
    Ok(false)
}

fn kind(text: &str) -> Result<RecordType, String> {
    text.parse()
        .map_err(|_| format!("`{}` is no record type that we know; others are TYPE and a number", shortened(text)))
}
