//! A record as people, files and peers write it: text, with what existing nodes attach to it.
//!
//! Text is the store's own form, because it is what must survive a save unharmed: the case of names, the order of words, a
//! value that nobody can parse. The wire form is made from it where it is needed (see [`crate::rdata`]).

pub mod json;
pub mod reverse;
mod time;

pub use time::{InvalidTime, Time};

use crate::rdata;
use dnsplane_proto::{Name, RecordData, RecordType, UnknownType};
use std::{borrow::Cow, cmp::Ordering};

/// TTL that a write without one gets, seconds; existing nodes use the same.
pub const DEFAULT_TTL: u32 = 3600;

/// One record.
///
/// A million of these must fit beside each other, so what most records lack sits behind one pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    name: Box<str>,
    value: Box<str>,
    details: Option<Box<Details>>,
    /// Seconds.
    pub ttl: u32,
    kind: RecordType,
    servable: bool,
}

/// What a record may carry beside its data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// UUID, lower case with hyphens; only records that were added through a door have one.
    pub id: Option<Box<str>>,
    /// When it was added.
    pub added_on: Option<Time>,
    /// When it was last changed.
    pub updated_on: Option<Time>,
    /// Kept for existing nodes, which write but never update it.
    pub last_query: Option<Time>,
    /// Free text, shown in lists.
    pub mac: Option<Box<str>>,
    /// Kept for existing nodes; has no meaning.
    pub cache_record: bool,
    /// The type as written, when it is none that we know. Such a record is kept and never served.
    pub unknown_type: Option<Box<str>>,
}

impl Record {
    /// Makes a record from loose text, as files and peers hold it: spaces around and dots after the name go, the type's
    /// case does not matter. Nothing is refused here; [`Record::fault`] tells what keeps it from being served.
    pub fn new(name: &str, kind: &str, value: &str, ttl: u32) -> Self {
        Self::with_details(name, kind, value, ttl, Details::default())
    }

    /// The same, with everything else a record can carry.
    pub fn with_details(name: &str, kind: &str, value: &str, ttl: u32, mut details: Details) -> Self {
        let parsed = kind.trim().parse::<RecordType>().ok();
        details.unknown_type = if parsed.is_none() { Some(kind.trim().into()) } else { None };
        let mut record = Self {
            name: tidy_name(name).into(),
            value: value.into(),
            details: (details != Details::default()).then(|| Box::new(details)),
            ttl,
            kind: parsed.unwrap_or(RecordType(0)),
            servable: false,
        };
        record.servable = record.fault().is_none();
        record
    }

    /// Makes a record of a name, a type and a value that have been read and are in their canonical spelling, without reading
    /// them again: zones have a million.
    pub(crate) fn of_zone(name: &str, kind: RecordType, value: &str, ttl: u32) -> Self {
        Self { name: name.into(), value: value.into(), details: None, ttl, kind, servable: true }
    }

    /// Owner name: case as written, no dot at the end (the root is `.`).
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value in presentation form, as written.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The type; `None` when the text names none that we know.
    pub fn kind(&self) -> Option<RecordType> {
        (self.kind != RecordType(0)).then_some(self.kind)
    }

    /// The type as text, upper case where we know it.
    pub fn type_text(&self) -> Cow<'_, str> {
        match self.details.as_deref().and_then(|details| details.unknown_type.as_deref()) {
            Some(text) => Cow::Borrowed(text),
            None => match self.kind.mnemonic() {
                Some(text) => Cow::Borrowed(text),
                None => Cow::Owned(self.kind.to_string()),
            },
        }
    }

    /// What it carries beside its data.
    pub fn details(&self) -> Cow<'_, Details> {
        match &self.details {
            Some(details) => Cow::Borrowed(details),
            None => Cow::Owned(Details::default()),
        }
    }

    /// Its id, if it has one.
    pub fn id(&self) -> Option<&str> {
        self.details.as_deref()?.id.as_deref()
    }

    /// Replaces what it carries beside its data; the type as written stays.
    pub fn set_details(&mut self, mut details: Details) {
        details.unknown_type = self.details.take().and_then(|old| old.unknown_type);
        self.details = (details != Details::default()).then(|| Box::new(details));
    }

    /// The value in the form that decides whether two records are one (existing nodes' rule).
    pub fn normalised_value(&self) -> Cow<'_, str> {
        rdata::normalise(self.kind, &self.value)
    }

    /// Whether data planes can be given this record.
    pub fn is_servable(&self) -> bool {
        self.servable
    }

    /// Why this record cannot be served: the field, and what is wrong with it.
    pub fn fault(&self) -> Option<String> {
        self.faults().into_iter().next().map(|(field, what)| format!("{field}: {what}"))
    }

    /// What is wrong with each field.
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        if let Err(fault) = Name::parse(&self.name) {
            faults.push(("name", fault.to_string()));
        }
        match self.kind() {
            None => faults.push(("type", UnknownType(self.type_text().into_owned()).to_string())),
            Some(kind) if kind.is_meta() => {
                faults.push(("type", format!("{kind} exists only in questions and messages, not as data")));
            }
            Some(kind) => {
                faults.extend(rdata::parse(kind, &self.value).err().map(|fault| ("value", fault.to_string())))
            }
        }
        faults
    }

    /// Owner and data in wire form; `None` if it cannot be served. The owner of a PTR record that is written as an address is
    /// its reverse name.
    pub fn to_wire(&self) -> Option<(Name, RecordType, RecordData)> {
        let owner = wire_owner(&self.name, self.kind)?;
        let rdata = rdata::parse(self.kind()?, &self.value).ok()?;
        Some((owner, self.kind, RecordData { ttl: self.ttl, rdata }))
    }

    /// Orders by what makes two records one: name without case, type, normalised value.
    pub fn cmp_identity(&self, other: &Self) -> Ordering {
        cmp_names(&self.name, &other.name)
            .then_with(|| self.kind.cmp(&other.kind))
            .then_with(|| match self.kind {
                RecordType(0) => self.type_text().cmp(&other.type_text()),
                _ => Ordering::Equal,
            })
            .then_with(|| match self.value == other.value {
                true => Ordering::Equal,
                false => self.normalised_value().cmp(&other.normalised_value()),
            })
    }

    /// Whether both say the same thing to a resolver: identity and TTL.
    pub fn same_content(&self, other: &Self) -> bool {
        self.ttl == other.ttl && self.cmp_identity(other) == Ordering::Equal
    }
}

/// The owner name under which data planes have the records of this name and type.
pub fn wire_owner(name: &str, kind: RecordType) -> Option<Name> {
    if kind == RecordType::PTR
        && let Some(address) = reverse::written_as_address(name)
    {
        return Name::parse(&reverse::reverse_name(address)).ok();
    }
    Name::parse(name).ok()
}

/// Orders names without regard to ASCII case.
pub fn cmp_names(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    for (one, other) in a.iter().zip(b) {
        if one != other {
            match one.to_ascii_lowercase().cmp(&other.to_ascii_lowercase()) {
                Ordering::Equal => {}
                unequal => return unequal,
            }
        }
    }
    a.len().cmp(&b.len())
}

/// Takes spaces around and dots after a name away; gives names with escapes their one spelling.
pub fn tidy_name(text: &str) -> Cow<'_, str> {
    let trimmed = text.trim();
    if !trimmed.is_empty() && trimmed.bytes().all(|byte| byte == b'.') {
        return Cow::Borrowed(".");
    }
    if trimmed.contains('\\') {
        if let Ok(name) = Name::parse(trimmed) {
            let mut text = name.to_string();
            text.pop();
            return Cow::Owned(text);
        }
        return Cow::Borrowed(trimmed);
    }
    Cow::Borrowed(trimmed.trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_tidied_but_keep_their_case() {
        for (written, kept) in [
            ("  WWW.Lab.Test.. ", "WWW.Lab.Test"),
            (".", "."),
            ("...", "."),
            ("", ""),
            (r"A\.b.test.", r"a\.b.test"),
            (r"\097.test", "a.test"),
        ] {
            assert_eq!(tidy_name(written), kept, "{written:?}");
        }
    }

    #[test]
    fn identity_is_name_type_and_normalised_value() {
        let same = |a: (&str, &str, &str), b: (&str, &str, &str)| {
            Record::new(a.0, a.1, a.2, 1).cmp_identity(&Record::new(b.0, b.1, b.2, 2)) == Ordering::Equal
        };
        assert!(same(("Www.test.", "cname", "Host.Test."), ("www.test", "CNAME", "host.test")));
        assert!(same(("a.test", "AAAA", "2001:DB8::1"), ("a.test", "AAAA", "2001:db8::1")));
        assert!(!same(("a.test", "TXT", "\"A\""), ("a.test", "TXT", "\"a\"")));
        assert!(!same(("a.test", "A", "192.0.2.1"), ("a.test", "AAAA", "192.0.2.1")));
    }

    #[test]
    fn what_cannot_be_served_says_which_field_and_why() {
        let fault = |name, kind, value| Record::new(name, kind, value, 60).fault();
        assert_eq!(fault("a.test", "A", "192.0.2.1"), None);
        assert!(fault("bad name", "A", "192.0.2.1").is_some_and(|text| text.starts_with("name: ")));
        assert!(fault("a.test", "BOGUS", "x").is_some_and(|text| text.starts_with("type: `BOGUS`")));
        assert!(fault("a.test", "A", "::1").is_some_and(|text| text.starts_with("value: ")));
        assert_eq!(Record::new("a.test", "BOGUS", "x", 1).type_text(), "BOGUS");
    }
}
