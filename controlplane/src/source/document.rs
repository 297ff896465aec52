//! `{"records": [...]}`: the document of `dnsrecords.json`, which URLs and Git repositories hold as well.

use crate::record::Record;
use serde::{Deserialize, de};
use std::fmt;

/// Why a text is no such document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}{}: {fault}", field_text(.field))]
pub struct DocumentError {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// Which field, such as `records[3].ttl`; empty if the text is no JSON.
    pub field: String,
    /// What is wrong with it.
    pub fault: String,
}

fn field_text(field: &str) -> String {
    if matches!(field, "" | "." | "?") { String::new() } else { format!(" (`{field}`)") }
}

/// Reads a document. Octets that are no UTF-8 become replacement characters, as existing nodes read them.
pub(crate) fn read(octets: &[u8]) -> Result<Vec<Record>, DocumentError> {
    let text = String::from_utf8_lossy(octets);
    let document: Document = serde_json::from_str(&text).map_err(|error| explain(&text, &error))?;
    Ok(document.0)
}

/// Words a parser's error; reads the text again to tell which field it is about.
fn explain(text: &str, error: &serde_json::Error) -> DocumentError {
    let field = match serde_path_to_error::deserialize::<_, Document>(&mut serde_json::Deserializer::from_str(text)) {
        Err(error) => error.path().to_string(),
        Ok(_) => String::new(),
    };
    let (line, column) = (error.line(), error.column());
    let fault = error.to_string();
    let fault = fault.trim_end_matches(&format!(" at line {line} column {column}")).to_owned();
    DocumentError { line, column, field, fault }
}

/// The key's case does not matter and `null` is an empty list.
struct Document(Vec<Record>);

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DocumentVisitor;
        impl<'de> de::Visitor<'de> for DocumentVisitor {
            type Value = Document;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with the key `records`")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Document, A::Error> {
                let mut records = None;
                while let Some(key) = map.next_key::<String>()? {
                    if key.eq_ignore_ascii_case("records") {
                        records = Some(map.next_value::<Option<Vec<Record>>>()?.unwrap_or_default());
                    } else {
                        map.next_value::<de::IgnoredAny>()?;
                    }
                }
                records.map(Document).ok_or_else(|| de::Error::missing_field("records"))
            }
        }
        deserializer.deserialize_map(DocumentVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_document_with_the_key_is_a_set_of_records() {
        for (text, count) in [
            (r#"{"records":[]}"#, 0),
            (r#"{"Records":null, "other": [{}]}"#, 0),
            (r#"{"records":[{"name":"a.test","type":"A","value":"192.0.2.1"}]}"#, 1),
        ] {
            assert_eq!(read(text.as_bytes()).map(|records| records.len()), Ok(count), "{text}");
        }
        for text in ["", "{}", "[]", "null", "<html>", r#"{"records":[]} x"#, r#"{"records":{}}"#, "{\"records\":["] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_has_a_line_a_column_and_a_field() {
        let text = "{\"records\":[\n {\"name\":\"a.test\",\n  \"ttl\":\"60\"}]}";
        let malformed = read(text.as_bytes()).unwrap_err();
        assert_eq!((malformed.line, malformed.field.as_str()), (3, "records[0].ttl"));
        assert!(malformed.to_string().starts_with("line 3, column 12 (`records[0].ttl`): invalid type"), "{malformed}");
    }
}
