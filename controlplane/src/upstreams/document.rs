//! `dnsservers.json` as it is written: rows and their keys in their order, nothing understood yet.
//!
//! Keys that we do not know, rows that make no sense and what stands beside the list stay as they are, to the letter, when
//! the file is written again: they are somebody's, and existing nodes may understand them. Keys match without case, and of
//! two equal keys the last counts, as existing nodes read them.

use crate::record::json;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, Visitor},
    ser::SerializeMap,
};
use serde_json::{Value, value::RawValue};
use std::{fmt, io};

/// The key of the list.
const LIST: &str = "dnsservers";

/// The whole file.
#[derive(Clone, Debug, Default)]
pub(super) struct Document {
    /// Keys beside the list.
    others: Fields,
    pub(super) rows: Vec<Row>,
    /// Whether the text had the list at all.
    pub(super) has_list: bool,
}

/// One element of the list.
#[derive(Clone, Debug)]
pub(super) enum Row {
    Server(Fields),
    /// Something that is no object.
    Other(Box<RawValue>),
}

/// The keys of an object with their values, as they were written.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields(Vec<(String, Box<RawValue>)>);

impl Document {
    /// Reads a file's text; an error says line and column.
    pub(super) fn read(text: &str) -> serde_json::Result<Self> {
        let Fields(fields) = serde_json::from_str(text)?;
        let mut document = Self::default();
        for (key, value) in fields {
            if key.eq_ignore_ascii_case(LIST) {
                document.has_list = true;
                let rows: Option<Vec<Box<RawValue>>> = serde_json::from_str(value.get())
                    .map_err(|_| de::Error::custom(format!("`{key}` must be a list in brackets")))?;
                document.rows = rows.unwrap_or_default().into_iter().map(Row::of).collect();
            } else {
                document.others.0.push((key, value));
            }
        }
        Ok(document)
    }

    /// Whether there is nothing at all, not even a file.
    pub(super) fn is_new(&self) -> bool {
        !self.has_list && self.rows.is_empty() && self.others.0.is_empty()
    }

    /// The text of the file.
    pub(super) fn text(&self, pretty: bool) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        if pretty {
            json::to_writer_pretty(&mut text, self)?
        } else {
            json::to_writer(&mut text, self)?
        }
        text.push(b'\n');
        Ok(text)
    }
}

impl Row {
    fn of(value: Box<RawValue>) -> Self {
        match serde_json::from_str(value.get()) {
            Ok(fields) => Self::Server(fields),
            Err(_) => Self::Other(value),
        }
    }

    /// The keys of a row that is an object.
    pub(super) fn fields(&self) -> Option<&Fields> {
        match self {
            Self::Server(fields) => Some(fields),
            Self::Other(_) => None,
        }
    }
}

impl Fields {
    /// The value of a key; `null` is the same as none.
    pub(super) fn get(&self, key: &str) -> Option<Value> {
        let (_, value) = self.0.iter().rev().find(|(name, _)| name.eq_ignore_ascii_case(key))?;
        serde_json::from_str(value.get()).ok().filter(|value: &Value| !value.is_null())
    }

    /// Text under a key, without the white space around it; empty if there is none or it is no text.
    pub(super) fn text(&self, key: &str) -> String {
        match self.get(key) {
            Some(Value::String(text)) => text.trim().to_owned(),
            _ => String::new(),
        }
    }

    /// Sets a key in its place, or at the end.
    pub(super) fn set(&mut self, key: &str, value: &impl Serialize) -> serde_json::Result<()> {
        let value = serde_json::value::to_raw_value(value)?;
        match self.0.iter_mut().rev().find(|(name, _)| name.eq_ignore_ascii_case(key)) {
            Some((_, old)) => *old = value,
            None => self.0.push((key.to_owned(), value)),
        }
        Ok(())
    }

    /// Takes a key out.
    pub(super) fn remove(&mut self, key: &str) {
        self.0.retain(|(name, _)| !name.eq_ignore_ascii_case(key));
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(LIST, &self.rows)?;
        for (key, value) in &self.others.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Server(fields) => fields.serialize(serializer),
            Self::Other(value) => value.serialize(serializer),
        }
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor;
        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "an object with the key `{LIST}`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    fields.push(entry);
                }
                Ok(Fields(fields))
            }

            fn visit_unit<E: de::Error>(self) -> Result<Fields, E> {
                Err(E::invalid_type(de::Unexpected::Unit, &self))
            }
        }
        deserializer.deserialize_map(FieldsVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_existing_node_wrote_is_written_again_to_the_octet() {
        let text = include_str!("../../../tests/vectors/files/servers/dnsservers.json");
        let document = Document::read(text).unwrap();
        assert_eq!(document.rows.len(), 4);
        let written = String::from_utf8(document.text(false).unwrap()).unwrap();
        assert_eq!(written.trim_end(), text.trim_end());
    }

    #[test]
    fn nothing_of_somebody_else_is_lost() {
        let text = r#"{"DNSServers":[{"x_own":{"b": 1,"a":[2, 3]},"Address":"192.0.2.1"},"no object",7,{}],"x":null}"#;
        let mut document = Document::read(text).unwrap();
        let Row::Server(fields) = &mut document.rows[0] else { panic!("an object") };
        assert_eq!((fields.text("address").as_str(), fields.get("x")), ("192.0.2.1", None));
        fields.set("address", &"192.0.2.2").unwrap();
        fields.set("port", &"53").unwrap();
        let written = String::from_utf8(document.text(false).unwrap()).unwrap();
        let wanted = r#"{"dnsservers":[{"x_own":{"b": 1,"a":[2, 3]},"Address":"192.0.2.2","port":"53"},"no object",7,{}],"x":null}"#;
        assert_eq!(written.trim_end(), wanted);
    }

    #[test]
    fn no_list_is_an_empty_one_and_no_object_is_an_error() {
        for (text, has_list) in [("{}", false), (r#"{"dnsservers":null}"#, true), (r#"{"dnsservers":[]}"#, true)] {
            let document = Document::read(text).unwrap();
            assert!(document.rows.is_empty() && document.has_list == has_list, "{text}");
        }
        for text in ["", "[]", "null", "{\"dnsservers\":[", r#"{"dnsservers":{}}"#, r#"{"dnsservers":"x"}"#] {
            assert!(Document::read(text).is_err(), "{text}");
        }
    }
}
