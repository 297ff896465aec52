//! `{"records": [...]}`: the wrapper in which existing nodes keep records in a file, behind a URL and in a repository.

use super::Record;
use serde::{Deserialize, de};
use std::fmt;

/// Where a text is no such document, and why.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}{}: {fault}", field_text(.field))]
pub struct Malformed {
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

/// Reads a document: the key's case does not matter, `null` is an empty list, but the key must be there. Octets that are
/// no UTF-8 become U+FFFD, as existing nodes read them.
pub fn read(octets: &[u8]) -> Result<Vec<Record>, Malformed> {
    let text = String::from_utf8_lossy(octets);
    let document = serde_json::from_str(&text).map_err(|error| Malformed::of(&text, &error));
    document.map(|Document(records)| records)
}

impl Malformed {
    /// Words a parser's error; reads the text again to tell which field it is about.
    fn of(text: &str, error: &serde_json::Error) -> Self {
        let again = serde_path_to_error::deserialize::<_, Document>(&mut serde_json::Deserializer::from_str(text));
        let field = again.err().map(|error| error.path().to_string()).unwrap_or_default();
        let (line, column) = (error.line(), error.column());
        let fault = error.to_string();
        let fault = fault.trim_end_matches(&format!(" at line {line} column {column}")).to_owned();
        Self { line, column, field, fault }
    }
}

struct Document(Vec<Record>);

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
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
