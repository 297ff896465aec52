//! Names that are not values: owners, origins and zones.

use crate::{
    rdata::{NotBelow, is_absolute},
    record::tidy_name,
};
use dnsplane_proto::{
    InvalidName, Name,
    name::{MAX_LABEL, MAX_NAME},
};

/// What relative names lie below.
#[derive(Debug, PartialEq)]
pub(super) struct Origin {
    /// Without the last dot; empty for the root.
    text: String,
    /// For names in values.
    pub(super) wire: Vec<u8>,
}

impl Origin {
    /// From an absolute name without its last dot.
    pub(super) fn new(text: &str) -> Result<Self, InvalidName> {
        let wire = Name::encode(text)?;
        Ok(Self { text: if text == "." { String::new() } else { text.to_owned() }, wire })
    }
}

/// A zone that records may lie in.
#[derive(Debug, PartialEq)]
pub(super) struct Zone {
    pub(super) name: Name,
    /// As [`Name`] writes it, without the last dot.
    text: String,
}

impl Zone {
    /// The zone of that name; `None` if it is none.
    pub(super) fn new(owner: &str) -> Option<Self> {
        let name = Name::parse(owner).ok()?;
        let mut text = name.to_string();
        text.pop();
        Some(Self { name, text })
    }

    /// Whether an absolute name is that of the zone or below it.
    pub(super) fn holds(&self, owner: &str) -> bool {
        if owner.bytes().all(is_plain) && self.text.bytes().all(is_plain) {
            let (owner, zone) = (owner.as_bytes(), self.text.as_bytes());
            let Some(before) = owner.len().checked_sub(zone.len()) else { return false };
            return zone.is_empty()
                || owner[before..].eq_ignore_ascii_case(zone) && (before == 0 || owner[before - 1] == b'.');
        }
        Name::parse(owner).is_ok_and(|owner| owner.is_at_or_below(&self.name))
    }
}

/// Puts the absolute form of a name, without the last dot, in place of what `into` holds (RFC 1035 §5.1).
pub(super) fn complete(text: &str, origin: Option<&Origin>, into: &mut String) -> Result<(), NotBelow> {
    into.clear();
    let own = if text == "@" { "" } else { text };
    let absolute = is_absolute(own);
    if own.bytes().rev().take_while(|octet| *octet == b'\\').count() % 2 == 1 {
        return Err(InvalidName::BadEscape.into()); // it must not escape the dot that follows
    }
    into.push_str(if absolute && own != "." { &own[..own.len() - 1] } else { own });
    if !absolute {
        let origin = origin.ok_or(NotBelow::NoOrigin)?;
        if !own.is_empty() && !origin.text.is_empty() {
            into.push('.');
        }
        into.push_str(&origin.text);
        if into.is_empty() {
            into.push('.');
        }
    }
    if is_plain_name(into) {
        return Ok(());
    }
    // Whatever is wrong, or unusual, about it.
    Name::parse(into)?;
    let tidy = tidy_name(into);
    if tidy != into.as_str() {
        *into = tidy.into_owned();
    }
    Ok(())
}

/// Whether an octet means itself in a name, wherever it stands.
pub(super) fn is_plain(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'-' | b'_' | b'*' | b'/')
}

/// Whether this is a legal absolute name without its last dot and without anything unusual.
fn is_plain_name(text: &str) -> bool {
    let mut label = 0;
    for octet in text.bytes() {
        match octet {
            b'.' if (1..=MAX_LABEL).contains(&label) => label = 0,
            b'.' => return false,
            plain if is_plain(plain) => label += 1,
            _ => return false,
        }
    }
    (1..=MAX_LABEL).contains(&label) && text.len() + 2 <= MAX_NAME
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc1035_s5_1_relative_names_are_completed_with_the_origin() {
        let origin = |text: &str| Some(Origin::new(text).unwrap());
        let mut name = String::new();
        for (text, origin_text, completed) in [
            ("www", Some("Example.test"), Ok("www.Example.test")),
            ("www.", Some("example.test"), Ok("www")),
            ("@", Some("example.test"), Ok("example.test")),
            ("@", Some("."), Ok(".")),
            ("www", Some("."), Ok("www")),
            (".", Some("example.test"), Ok(".")),
            ("*.a_b-c", Some("test"), Ok("*.a_b-c.test")),
            (r"a\.b\.", Some("test"), Ok(r"a\.b\..test")),
            (r"A\\.", Some("test"), Ok(r"a\\")),
            (r"\065.b", Some("test"), Ok("a.b.test")),
            ("a@b", Some("test"), Ok("a@b.test")),
            ("gr\u{fc}n.", None, Ok("gr\u{fc}n")),
            ("www", None, Err(())),
            ("@", None, Err(())),
            ("a..b.", None, Err(())),
            (".a", Some("test"), Err(())),
            (r"a\", Some("test"), Err(())),
        ] {
            let origin = origin_text.and_then(origin);
            let done = complete(text, origin.as_ref(), &mut name);
            assert_eq!(done.map(|()| name.as_str()).map_err(drop), completed, "{text} below {origin_text:?}");
        }
        assert!(complete(&"a".repeat(64), origin("test").as_ref(), &mut name).is_err());
        let long = "a.".repeat(120);
        assert!(complete(&long, origin("test").as_ref(), &mut name).is_ok());
        assert!(complete(&format!("{long}a"), origin(&"a.".repeat(10)).as_ref(), &mut name).is_err());
    }

    #[test]
    fn a_zone_holds_names_by_label_and_without_case() {
        let zone = Zone::new("Example.test").unwrap();
        for (owner, held) in [
            ("example.TEST", true),
            ("www.example.test", true),
            ("notexample.test", false),
            ("test", false),
            ("example.test.other", false),
            (r"a\.example.test", false),
            (r"a\.b.example.test", true),
            ("a@b.example.test", true),
        ] {
            assert_eq!(zone.holds(owner), held, "{owner}");
        }
        assert!(Zone::new(".").unwrap().holds("www.test"));
        assert!(Zone::new(r"a\@b.test").unwrap().holds("c.a@b.test"));
    }
}
