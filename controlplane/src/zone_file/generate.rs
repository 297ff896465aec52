//! `$GENERATE range name [TTL] [class] type value`, as BIND has it: one line that stands for many, which differ by a number.
//!
//! `$` stands for the number, `${offset,width,base}` for it with something added, filled up with zeros, in base `d`, `o`,
//! `x`, `X`, or in nibbles of a reverse name, `n` and `N`; `$$` and `\$` are a plain `$`. All types may be generated. A
//! value in quotes is what they hold, as in BIND; ours may also be several words.

use super::{
    head::{Head, next, own},
    owner::Origin,
    reader::Reader,
    state::State,
};
use crate::rdata::{Words, shortened};
use std::fmt::Write;

/// Largest number that BIND counts to.
const MOST: u64 = i32::MAX as u64;
/// Widest number: a name has no more octets.
const WIDEST: usize = 255;
/// Octets that a record may have on average, all that are generated taken together.
const MEAN: u64 = 128;

impl Reader<'_> {
    /// Does what a `$GENERATE` says; its words follow.
    pub(super) fn generate(
        &mut self,
        words: &mut Words<'_>,
        origin: Option<&Origin>,
        state: &mut State,
    ) -> Result<(), String> {
        let wants = "$GENERATE wants a range, a name, perhaps a TTL, a type and a value, \
                     such as `$GENERATE 1-9 host$ A 192.0.2.$`";
        let range = next(words)?.ok_or(wants)?.text;
        let range = Range::read(range).ok_or_else(|| {
            format!("`{}` is no range such as 1-9 or 0-100/2, of numbers up to {MOST}", shortened(range))
        })?;
        if range.steps() > self.limits().steps {
            return Err(format!("$GENERATE has {} steps; at most {} are taken", range.steps(), self.limits().steps));
        }
        let name = Template::read(next(words)?.ok_or(wants)?.text)?;
        let word = next(words)?.ok_or(wants)?;
        let head = Head::read(word, words)?;
        let kind = head.kind;
        let value = Template::read(&value_text(words)?)?;
        let (mut text, mut owner) = (String::new(), state.owner.clone());
        for number in range.numbers() {
            self.spent.generated += 1;
            name.fill(number, &mut text)?;
            self.spent.generated_octets += text.len() as u64;
            own(&text, origin, &mut owner)?;
            value.fill(number, &mut text)?;
            self.spent.generated_octets += text.len() as u64;
            let most = self.limits().generated;
            if self.spent.generated > most || self.spent.generated_octets > MEAN * most {
                self.over = true;
                return Err(format!(
                    "$GENERATE makes more than {most} records, or {} octets; the rest of the file is not read",
                    MEAN * most
                ));
            }
            let values = Words::of_entry(&text, origin.map(|origin| &origin.wire[..]));
            self.value(kind, &values).map_err(|fault| format!("at {number}: {fault}"))?;
            let ttl = self.ttl(head.ttl, kind, state);
            std::mem::swap(&mut owner, &mut state.owner);
            let added = self.record(kind, ttl, state);
            std::mem::swap(&mut owner, &mut state.owner);
            added?;
        }
        state.owner = owner;
        Ok(())
    }
}

/// What is left of the line. If that is one word in quotes, what they hold.
fn value_text(words: &Words<'_>) -> Result<String, String> {
    let mut ahead = words.clone();
    match (next(&mut ahead)?, next(&mut ahead)?) {
        (Some(word), None) if word.quoted => Ok(word.text.replace("\\\"", "\"")),
        _ => Ok(words.rest().to_owned()),
    }
}

struct Range {
    first: u64,
    last: u64,
    step: u64,
}

impl Range {
    fn read(text: &str) -> Option<Self> {
        let number = |text: &str| {
            let digits = Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
            digits.parse().ok().filter(|number| *number <= MOST)
        };
        let (first, rest) = text.split_once('-')?;
        let (last, step) = rest.split_once('/').unwrap_or((rest, "1"));
        let range = Self { first: number(first)?, last: number(last)?, step: number(step)? };
        (range.step > 0 && range.first <= range.last).then_some(range)
    }

    fn steps(&self) -> u64 {
        (self.last - self.first) / self.step + 1
    }

    fn numbers(&self) -> impl Iterator<Item = u64> + use<> {
        let (first, step) = (self.first, self.step);
        (0..self.steps()).map(move |at| first + at * step)
    }
}

/// Text with places for a number.
struct Template(Vec<Piece>);

#[derive(Debug, PartialEq)]
enum Piece {
    Text(String),
    Number { offset: i64, width: usize, base: u8 },
}

impl Template {
    fn read(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['$', '\\']) {
            plain.push_str(&rest[..at]);
            let behind = &rest[at + 1..];
            rest = if rest[at..].starts_with('\\') {
                // An escape is left to whoever reads the text; so \$ becomes a plain one.
                let next = behind.chars().next().map_or(0, char::len_utf8);
                plain.push_str(&rest[at..at + 1 + next]);
                &behind[next..]
            } else if let Some(behind) = behind.strip_prefix('$') {
                plain.push('$');
                behind
            } else {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
                let (piece, behind) = match behind.strip_prefix('{').map(|inner| inner.split_once('}')) {
                    None => (Some(Piece::Number { offset: 0, width: 0, base: b'd' }), behind),
                    Some(None) => (None, behind),
                    Some(Some((inner, behind))) => (Piece::number(inner), behind),
                };
                pieces.push(piece.ok_or_else(|| {
                    format!("`${}` is not as in `${{0}}`, `${{-1,3}}` or `${{0,2,x}}`", shortened(&rest[at + 1..]))
                })?);
                behind
            };
        }
        plain.push_str(rest);
        pieces.push(Piece::Text(plain));
        Ok(Self(pieces))
    }

    /// Puts the text for one number in place of what `into` holds.
    fn fill(&self, number: u64, into: &mut String) -> Result<(), String> {
        into.clear();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => into.push_str(text),
                Piece::Number { offset, width, base } => {
                    let value = i64::try_from(number).ok().and_then(|number| u64::try_from(number + offset).ok());
                    let value = value.ok_or_else(|| format!("{number} and {offset} make less than 0"))?;
                    push(value, *width, *base, into);
                }
            }
        }
        Ok(())
    }
}

impl Piece {
    /// Reads what stands between the braces.
    fn number(text: &str) -> Option<Self> {
        let mut parts = text.split(',');
        let offset: i64 = parts.next()?.parse().ok().filter(|offset: &i64| offset.unsigned_abs() <= MOST)?;
        let width: usize = parts.next().map_or(Some(0), |width| width.parse().ok())?;
        let base = match parts.next() {
            None => b'd',
            Some(base) if base.len() == 1 && b"doxXnN".contains(&base.as_bytes()[0]) => base.as_bytes()[0],
            Some(_) => return None,
        };
        (width <= WIDEST && parts.next().is_none()).then_some(Self::Number { offset, width, base })
    }
}

fn push(value: u64, width: usize, base: u8, into: &mut String) {
    let done = match base {
        b'o' => write!(into, "{value:0width$o}"),
        b'x' => write!(into, "{value:0width$x}"),
        b'X' => write!(into, "{value:0width$X}"),
        b'n' | b'N' => {
            push_nibbles(value, width, base == b'N', into);
            Ok(())
        }
        _ => write!(into, "{value:0width$}"),
    };
    debug_assert!(done.is_ok(), "a string takes whatever is written to it");
}

/// Hexadecimal digits from the last on, with dots between them; the width counts both.
fn push_nibbles(mut value: u64, width: usize, upper: bool, into: &mut String) {
    let end = into.len() + width;
    loop {
        let digit = char::from_digit((value & 15) as u32, 16).unwrap_or('0');
        into.push(if upper { digit.to_ascii_uppercase() } else { digit });
        value >>= 4;
        if value > 0 || into.len() < end {
            into.push('.');
        }
        if value == 0 && into.len() >= end {
            return;
        }
    }
}
