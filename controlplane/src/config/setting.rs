//! Every setting by name: its default, its old names, its type, and how it is shown.
//!
//! For whoever lists or changes settings while we run. The types are asked from the structs that read the file, and a test
//! holds each default against what `check.rs` makes of an absent key, so that this table cannot drift from either.

mod table;

use super::{edit, file::File, keys};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::fmt;

/// One setting.
#[derive(Debug)]
pub struct Setting {
    /// Its key, with the objects that it stands in: `log.log_severity`.
    pub key: &'static str,
    /// The JSON of its default; empty where that depends on the machine.
    default: &'static str,
    /// Keys that mean the same and count if this one is absent.
    old: &'static [&'static str],
}

/// What JSON a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    List,
    /// Booleans and numbers.
    Plain,
}

/// A key that nobody reads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownKey {
    /// Nothing of that name.
    #[error("unknown key `{key}`{}", .nearest.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
    Unknown {
        /// As it was given.
        key: String,
        /// What may have been meant.
        nearest: Option<String>,
    },
    /// A group of settings.
    #[error("`{key}` is an object; name one of its keys, such as `{example}`")]
    Object {
        /// As it was given.
        key: String,
        /// One that there is.
        example: &'static str,
    },
}

/// A setting with what it is set to.
pub type Change = (&'static Setting, Option<Value>);

impl Setting {
    /// Every setting, in the order of docs/configuration.md.
    pub fn all() -> &'static [Self] {
        table::SETTINGS
    }

    /// The setting with this key, be it an old one.
    pub fn named(key: &str) -> Result<&'static Self, UnknownKey> {
        let known = |setting: &&Self| setting.key == key || setting.old.contains(&key);
        Self::all().iter().find(known).ok_or_else(|| {
            let inside = Self::all()
                .iter()
                .find(|setting| setting.key.strip_prefix(key).is_some_and(|rest| rest.starts_with('.')));
            match inside {
                Some(setting) => UnknownKey::Object { key: key.to_owned(), example: setting.key },
                None => UnknownKey::Unknown { key: key.to_owned(), nearest: keys::nearest(key) },
            }
        })
    }

    /// Whether its value is a secret, of which nobody is shown more than that there is one.
    pub fn is_secret(&self) -> bool {
        is_secret(self.key)
    }

    /// What somebody who typed `text` wants it to be; `None` is the default. Types are checked with everything else.
    pub fn understand(&self, text: &str) -> Result<Option<Value>, String> {
        match self.kind() {
            Kind::Text => {
                let quoted = text.starts_with('"').then(|| serde_json::from_str(text).ok()).flatten();
                Ok(Some(quoted.filter(Value::is_string).unwrap_or_else(|| Value::from(text))))
            }
            Kind::List if text.trim_start().starts_with('[') => serde_json::from_str(text).map(Some).map_err(|_| {
                format!("`{}` is no list: write [\"one\", \"two\"], or items with commas between them", self.key)
            }),
            Kind::List if text.trim() == "null" => Ok(None),
            Kind::List => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                Ok(Some(items.collect()))
            }
            Kind::Plain => {
                let value: Value = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
                Ok(Some(value).filter(|value| !value.is_null()))
            }
        }
    }

    /// Its value in a file (comments gone, case of free keys lowered), or its default; `None` if that depends on the machine.
    pub fn value(&self, file: &Map<String, Value>) -> Option<Value> {
        let names = std::iter::once(&self.key).chain(self.old);
        let written = names.filter_map(|key| at(file, key)).find(|value| !value.is_null()).cloned();
        written.or_else(|| serde_json::from_str(self.default).ok())
    }

    /// A value as people may see it.
    pub fn shown(&self, value: Value) -> Value {
        match value {
            Value::String(text) if self.is_secret() => Value::from(super::Secret::new(&text).to_string()),
            _ if self.is_secret() => Value::from(super::Secret::default().to_string()),
            // An address may have a password in it.
            Value::String(text) => Value::from(super::Remote::new(&text).to_string()),
            value => value,
        }
    }

    /// The text of a file (whose meaning is `file`) with this setting changed. A file that has it under an old name
    /// alone keeps that name.
    pub fn edit(&self, text: &str, file: &Map<String, Value>, value: Option<&Value>) -> String {
        let names = || std::iter::once(&self.key).chain(self.old);
        let path = |key: &'static str| key.split('.').collect::<Vec<_>>();
        match value {
            Some(value) => {
                let there = names().find(|key| at(file, key).is_some_and(|value| !value.is_null()));
                edit::set(text, &path(there.unwrap_or(&self.key)), value)
            }
            None => names().fold(text.to_owned(), |text, key| edit::remove(&text, &path(key))),
        }
    }

    /// Asks the struct that reads it.
    fn kind(&self) -> Kind {
        let takes = |value: Value| {
            let nested = self.key.rsplit('.').fold(value, |value, name| json!({ name: value }));
            File::deserialize(nested).is_ok()
        };
        match () {
            () if takes(json!("")) => Kind::Text,
            () if takes(json!([])) => Kind::List,
            () => Kind::Plain,
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.key)
    }
}

/// Whether the value of this key is a secret.
pub(super) fn is_secret(key: &str) -> bool {
    key.contains("token")
}

fn at<'a>(file: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    let mut names = key.split('.');
    let first = file.get(names.next()?)?;
    names.try_fold(first, |value, name| value.get(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Surroundings, understand};
    use std::path::Path;

    #[test]
    fn the_table_has_every_key_that_is_read_and_no_other() {
        let objects = ["file_locations", "file_locations.records_source", "DNSRecordSettings", "log"];
        let mut read: Vec<String> = keys::known()
            .iter()
            .flat_map(|(prefix, names)| names.iter().map(move |name| format!("{prefix}{name}")))
            .filter(|key| !objects.contains(&key.as_str()))
            .collect();
        let listed = Setting::all().iter().flat_map(|setting| std::iter::once(&setting.key).chain(setting.old));
        let mut listed: Vec<String> = listed.map(|key| (*key).to_owned()).collect();
        read.sort();
        listed.sort();
        assert_eq!(listed, read);
    }

    #[test]
    fn a_default_written_down_means_the_same_as_none() {
        let here = Surroundings { root: true, ..Surroundings::default() };
        let config = |text: &str| {
            let understood = understand(Path::new("/x/dnsplane.json"), text, &here).unwrap();
            assert_eq!((understood.about_settings, understood.config.unused.clone()), (vec![], vec![]), "{text}");
            format!("{:?}", understood.config)
        };
        for setting in Setting::all() {
            match setting.default {
                "" => assert_eq!(setting.key, "server_socket"),
                default => {
                    let value: Value = serde_json::from_str(default).unwrap();
                    let text = setting.edit("{}", &Map::new(), Some(&value));
                    assert_eq!(config(&text), config("{}"), "{text}");
                }
            }
        }
    }

    #[test]
    fn values_are_taken_as_people_type_them() {
        let understand = |key, text| Setting::named(key).unwrap().understand(text);
        for (key, text, value) in [
            ("port", "5353", json!("5353")),
            ("dns_port", "5353", json!("5353")),
            ("port", "\"5353\"", json!("5353")),
            ("cluster_node_id", "null", json!("null")),
            ("cluster_node_id", "\"a", json!("\"a")),
            ("cluster_auth_token", " a b ", json!(" a b ")),
            ("api", "false", json!(false)),
            ("api", "no", json!("no")),
            ("timeout", "5", json!(5)),
            ("dns_rrl_slip", "0.5", json!(0.5)),
            ("cluster_peers", "[\"a:1\", \"b\"]", json!(["a:1", "b"])),
            ("cluster_peers", "a:1, b,", json!(["a:1", "b"])),
            ("cluster_peers", "", json!([])),
        ] {
            assert_eq!(understand(key, text), Ok(Some(value)), "{key} {text}");
        }
        assert_eq!(understand("cluster_peers", "null"), Ok(None));
        assert_eq!(understand("api", "null"), Ok(None));
        assert!(understand("cluster_peers", "[a]").unwrap_err().contains("`cluster_peers` is no list"));
        for (key, complaint) in [
            ("log_severity", "unknown key `log_severity`; did you mean `log.log_severity`?"),
            ("colour", "unknown key `colour`"),
            ("log", "`log` is an object; name one of its keys, such as `log.log_severity`"),
        ] {
            assert_eq!(Setting::named(key).unwrap_err().to_string(), complaint);
        }
    }

    #[test]
    fn a_file_with_an_old_name_keeps_it() {
        let port = Setting::named("port").unwrap();
        let edit = |text: &str, value: Option<Value>| {
            port.edit(text, serde_json::from_str::<Value>(text).unwrap().as_object().unwrap(), value.as_ref())
        };
        assert_eq!(edit("{\"dns_port\": \"1\"}", Some(json!("2"))), "{\"dns_port\": \"2\"}");
        assert_eq!(
            edit("{\"dns_port\": \"1\", \"port\": \"3\"}", Some(json!("2"))),
            "{\"dns_port\": \"1\", \"port\": \"2\"}"
        );
        assert_eq!(
            edit("{\"dns_port\": \"1\", \"port\": null}", Some(json!("2"))),
            "{\"dns_port\": \"2\", \"port\": null}"
        );
        assert_eq!(edit("{\"dns_port\": \"1\", \"port\": \"3\"}", None), "{}");
    }

    #[test]
    fn secrets_are_never_shown() {
        let secrets: Vec<_> = Setting::all().iter().filter(|setting| setting.is_secret()).collect();
        assert_eq!(secrets.len(), 3);
        let location = Setting::named("file_locations.records_source.location").unwrap();
        assert_eq!(location.shown(json!("https://me:s3cret@dns.test/r.json")), json!("https://***@dns.test/r.json"));
        for setting in secrets {
            assert_eq!(setting.shown(json!("s3cret")), json!("(secret)"));
            assert_eq!(setting.shown(json!(" ")), json!("(none)"));
            assert_eq!(setting.shown(json!(["s3cret"])), json!("(none)"));
        }
    }
}
