//! Domain names: wire form, lower case, parsed once.
//!
//! Everything behind a door of this workspace compares names as bytes. That works because a [`Name`] can only be made
//! lower-cased (RFC 4343) and within the limits of RFC 1035 §2.3.4: labels of 1 to 63 octets, 255 octets in all.

use std::{borrow::Borrow, fmt, str::FromStr};

/// Octets that a whole name may take in wire form, its root label included (RFC 1035 §2.3.4).
pub const MAX_NAME: usize = 255;
/// Octets that one label may take (RFC 1035 §2.3.4).
pub const MAX_LABEL: usize = 63;

/// A domain name in uncompressed wire form, ASCII letters in lower case, root label included.
///
/// Orders as bytes, which is stable but not the canonical order of RFC 4034.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Box<[u8]>);

/// Why some text or bytes are not a domain name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Nothing at all was given; the root is written `.`.
    #[error("the name is empty")]
    Empty,
    /// Two dots in a row, or one at the front.
    #[error("the name has an empty label")]
    EmptyLabel,
    /// A label over 63 octets.
    #[error("a label of the name is longer than 63 octets")]
    LabelTooLong,
    /// Over 255 octets in all.
    #[error("the name is longer than 255 octets")]
    TooLong,
    /// A backslash that is not followed by three digits up to 255, or by one other character.
    #[error("the name has a broken escape after a backslash")]
    BadEscape,
    /// White space or a control character, unescaped.
    #[error("the name contains white space or a control character")]
    Space,
    /// Wire bytes that end early, go on after the root label, or hold a compression pointer.
    #[error("the bytes are not one uncompressed name")]
    Malformed,
}

impl Name {
    /// The root, `.`.
    pub fn root() -> Self {
        Self(Box::new([0]))
    }

    /// Reads presentation text (RFC 1035 §5.1): `www.example.`, with or without the last dot, `\.` and `\046` escapes.
    ///
    /// Octets above 127 are taken as they are (UTF-8), as existing nodes do.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let mut wire = Self::encode(text)?;
        wire.make_ascii_lowercase(); // length octets stay as they are: 63 is below `A`
        Ok(Self(wire.into()))
    }

    /// Presentation text to wire form with its case kept, as names inside RDATA are.
    pub fn encode(text: &str) -> Result<Vec<u8>, InvalidName> {
        if text == "." {
            return Ok(vec![0]);
        }
        if text.is_empty() {
            return Err(InvalidName::Empty);
        }
        let mut wire = Vec::with_capacity(text.len() + 2);
        let mut length_at = 0;
        wire.push(0);
        let mut bytes = text.bytes();
        while let Some(byte) = bytes.next() {
            let octet = match byte {
                b'.' => {
                    close_label(&mut wire, length_at)?;
                    length_at = wire.len();
                    wire.push(0);
                    continue;
                }
                b'\\' => unescape(&mut bytes)?,
                0..=b' ' | 0x7f => return Err(InvalidName::Space),
                other => other,
            };
            wire.push(octet);
        }
        if wire.len() - 1 != length_at {
            close_label(&mut wire, length_at)?;
            wire.push(0);
        }
        if wire.len() > MAX_NAME {
            return Err(InvalidName::TooLong);
        }
        Ok(wire)
    }

    /// Takes uncompressed wire form, which must be exactly one name; lower-cases it.
    pub fn from_wire(wire: &[u8]) -> Result<Self, InvalidName> {
        if wire.len() > MAX_NAME {
            return Err(InvalidName::TooLong);
        }
        let mut rest = wire;
        loop {
            match rest {
                [0] => break,
                [length, after @ ..] if (1..=MAX_LABEL as u8).contains(length) => {
                    rest = after.get(usize::from(*length)..).ok_or(InvalidName::Malformed)?;
                }
                _ => return Err(InvalidName::Malformed),
            }
        }
        Ok(Self(wire.to_ascii_lowercase().into()))
    }

    /// The wire form, root label included.
    pub fn as_wire(&self) -> &[u8] {
        &self.0
    }

    /// Labels from the left, without the root.
    pub fn labels(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &self.0[..];
        std::iter::from_fn(move || {
            let (length, after) = rest.split_first()?;
            let (label, next) = after.split_at_checked(usize::from(*length))?;
            rest = next;
            (!label.is_empty()).then_some(label)
        })
    }

    /// The name without its leftmost label; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        let skip = usize::from(self.0[0]) + 1;
        (skip > 1).then(|| Self(self.0[skip..].into()))
    }

    /// Whether this is the root.
    pub fn is_root(&self) -> bool {
        self.0.len() == 1
    }

    /// Whether this name is `ancestor` or lies below it.
    pub fn is_at_or_below(&self, ancestor: &Self) -> bool {
        let Some(start) = self.0.len().checked_sub(ancestor.0.len()) else {
            return false;
        };
        let mut at = 0;
        while at < start {
            at += usize::from(self.0[at]) + 1;
        }
        at == start && self.0[start..] == ancestor.0[..]
    }
}

/// Fills in the length octet of the label that ends here.
fn close_label(wire: &mut [u8], length_at: usize) -> Result<(), InvalidName> {
    match wire.len() - length_at - 1 {
        0 => Err(InvalidName::EmptyLabel),
        length @ 1..=MAX_LABEL => {
            wire[length_at] = length as u8;
            Ok(())
        }
        _ => Err(InvalidName::LabelTooLong),
    }
}

/// The octet that an escape stands for; the backslash has been read.
fn unescape(bytes: &mut std::str::Bytes<'_>) -> Result<u8, InvalidName> {
    let first = bytes.next().ok_or(InvalidName::BadEscape)?;
    if !first.is_ascii_digit() {
        return Ok(first);
    }
    let mut value = u32::from(first - b'0');
    for _ in 0..2 {
        match bytes.next() {
            Some(digit @ b'0'..=b'9') => value = value * 10 + u32::from(digit - b'0'),
            _ => return Err(InvalidName::BadEscape),
        }
    }
    u8::try_from(value).map_err(|_| InvalidName::BadEscape)
}

impl FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        Self::parse(text)
    }
}

/// Presentation text with the last dot; what is not a plain printable character is escaped.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() {
            return f.write_str(".");
        }
        for label in self.labels() {
            for &octet in label {
                match octet {
                    b'.' | b'\\' | b'"' | b'(' | b')' | b';' | b'@' | b'$' => write!(f, "\\{}", octet as char)?,
                    0x21..=0x7e => write!(f, "{}", octet as char)?,
                    _ => write!(f, "\\{octet:03}")?,
                }
            }
            f.write_str(".")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

impl Borrow<[u8]> for Name {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_becomes_lower_case_wire_form() {
        assert_eq!(Name::parse("WWW.Example").unwrap().as_wire(), b"\x03www\x07example\x00");
        assert_eq!(Name::parse("www.example.").unwrap(), Name::parse("WWW.EXAMPLE").unwrap());
        assert_eq!(Name::parse(".").unwrap(), Name::root());
        assert_eq!(Name::parse(r"a\.b.c").unwrap().as_wire(), b"\x03a.b\x01c\x00");
        assert_eq!(Name::parse(r"\065.c").unwrap().as_wire(), b"\x01a\x01c\x00");
    }

    #[test]
    fn each_fault_has_its_name() {
        for (text, fault) in [
            ("", InvalidName::Empty),
            ("a..b", InvalidName::EmptyLabel),
            (".a", InvalidName::EmptyLabel),
            ("a b", InvalidName::Space),
            (r"a\30", InvalidName::BadEscape),
            (r"a\256", InvalidName::BadEscape),
            (r"a\", InvalidName::BadEscape),
            (&"a".repeat(64), InvalidName::LabelTooLong),
            (&format!("{}.", "a".repeat(63)).repeat(4), InvalidName::TooLong),
        ] {
            assert_eq!(Name::parse(text), Err(fault), "{text}");
        }
        for wire in [&b""[..], b"\x03ab\x00", b"\x01a", b"\x01a\x00\x00", b"\xc0\x0c", b"\x41a\x00"] {
            assert_eq!(Name::from_wire(wire), Err(InvalidName::Malformed), "{wire:?}");
        }
    }

    #[test]
    fn ancestry_follows_label_borders() {
        let name = |text| Name::parse(text).unwrap();
        assert!(name("www.example").is_at_or_below(&name("example")));
        assert!(name("example").is_at_or_below(&name("example")));
        assert!(name("example").is_at_or_below(&Name::root()));
        assert!(!name("notexample").is_at_or_below(&name("example")));
        assert!(!name("example").is_at_or_below(&name("www.example")));
        assert_eq!(name("www.example").parent(), Some(name("example")));
        assert_eq!(Name::root().parent(), None);
    }

    proptest! {
        #[test]
        fn text_and_wire_say_the_same(labels in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 0..8)) {
            let mut wire = Vec::new();
            for label in &labels {
                wire.push(label.len() as u8);
                wire.extend_from_slice(label);
            }
            wire.push(0);
            let name = Name::from_wire(&wire).unwrap();
            prop_assert_eq!(Name::parse(&name.to_string()).unwrap(), name);
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), text in ".{0,80}") {
            let _ = Name::from_wire(&bytes);
            let _ = Name::parse(&text);
        }
    }
}
