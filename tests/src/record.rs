//! Records as tests write and compare them.

use serde_json::{Value, json};
use std::fmt;

/// A record by what makes it equal to another: name, type, value and TTL. Names and types are held in lower and upper
/// case, without last dots, and values of types that are a name in lower case, as the peer protocol compares them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Record {
    /// Owner, lower case, no dot at the end.
    pub name: String,
    /// Mnemonic, upper case.
    pub kind: String,
    /// Presentation text.
    pub value: String,
    /// Seconds.
    pub ttl: u64,
}

impl Record {
    /// A record from its parts.
    pub fn new(name: &str, kind: &str, value: &str, ttl: u64) -> Self {
        let kind = kind.trim().to_ascii_uppercase();
        let mut value = value.trim().to_owned();
        if ["CNAME", "DNAME", "NS", "PTR", "MX", "SRV", "SOA"].contains(&kind.as_str()) {
            // Every name in these stands for itself with or without its dot.
            value = value.split_whitespace().map(bare).collect::<Vec<_>>().join(" ");
        }
        Self { name: bare(name.trim()), kind, value, ttl }
    }

    /// An A record of 60 seconds, the most common thing in these tests.
    pub fn a(name: &str, address: &str) -> Self {
        Self::new(name, "A", address, 60)
    }

    /// From a record object of a file, a frame or a REST reply.
    #[track_caller]
    pub fn from_json(object: &Value) -> Self {
        let text = |key: &str| object[key].as_str().unwrap_or_else(|| panic!("no text `{key}` in {object}")).to_owned();
        Self::new(&text("name"), &text("type"), &text("value"), object["ttl"].as_u64().unwrap_or(0))
    }

    /// All records of an array, sorted; `null` is none.
    #[track_caller]
    pub fn list(array: &Value) -> Vec<Self> {
        if array.is_null() {
            return Vec::new();
        }
        let array = array.as_array().unwrap_or_else(|| panic!("not a list of records: {array}"));
        let mut records: Vec<_> = array.iter().map(Self::from_json).collect();
        records.sort();
        records
    }

    /// As REST and files take it.
    pub fn to_json(&self) -> Value {
        json!({"name": self.name, "type": self.kind, "value": self.value, "ttl": self.ttl})
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.name, self.ttl, self.kind, self.value)
    }
}

/// Lower case, without dots at the end.
fn bare(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_that_does_not_matter_does_not_count() {
        let one = json!({"name": "WWW.Lab.Test.", "type": "mx", "value": "5 Mail.Lab.Test.", "ttl": 9});
        assert_eq!(Record::from_json(&one), Record::new("www.lab.test", "MX", "5 mail.lab.test", 9));
        assert_ne!(Record::a("a.test", "192.0.2.1"), Record::a("a.test", "192.0.2.2"));
        assert_ne!(Record::new("t.test", "TXT", "\"A\"", 1), Record::new("t.test", "TXT", "\"a\"", 1));
        assert_eq!(Record::list(&Value::Null), []);
    }
}
