//! What somebody wants a row of `dnsservers.json` to say: from JSON over REST, from words of dnsplanectl.
//!
//! A key that is not given, or is `null`, is left alone; `""` and `[]` take it away. Existing nodes cannot clear a
//! whitelist or a fallback, set port 53 where none is given, and pass over `transport` and `doh_url`.

use super::document::Fields;
use serde_json::{Map, Value};

/// The changes, in the order in which existing nodes write the keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Patch(Vec<(&'static Key, Wanted)>);

/// A key of a row.
#[derive(Debug, PartialEq, Eq)]
struct Key {
    name: &'static str,
    kind: Kind,
    /// What existing nodes call it at their prompt.
    word: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Port,
    Flag,
    List,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Wanted {
    Text(String),
    Flag(bool),
    List(Vec<String>),
}

const fn key(name: &'static str, kind: Kind) -> Key {
    Key { name, kind, word: name }
}

const KEYS: &[Key] = &[
    key("address", Kind::Text),
    key("port", Kind::Port),
    key("transport", Kind::Text),
    key("doh_url", Kind::Text),
    key("active", Kind::Flag),
    Key { name: "local_resolver", kind: Kind::Flag, word: "localresolver" },
    key("adblocker", Kind::Flag),
    Key { name: "domain_whitelist", kind: Kind::List, word: "whitelist" },
    key("fallback_address", Kind::Text),
    key("fallback_port", Kind::Port),
    key("fallback_transport", Kind::Text),
    key("fallback_doh_url", Kind::Text),
    key("tls_name", Kind::Text),
    key("fallback_tls_name", Kind::Text),
];

impl Patch {
    /// From the fields of a request; names of fields in lower case. Also says which of them nobody knows.
    pub(crate) fn from_json(fields: &Map<String, Value>) -> Result<(Self, Vec<String>), Vec<String>> {
        let mut wrong = Vec::new();
        let mut patch = Self::default();
        for key in KEYS {
            match fields.get(key.name).filter(|value| !value.is_null()).map(|value| key.of_json(value)) {
                None => {}
                Some(Ok(wanted)) => patch.0.push((key, wanted)),
                Some(Err(why)) => wrong.push(why),
            }
        }
        // Every row shows these, so scripts send them back.
        const THEIRS: [&str; 4] = ["last_used", "last_success", "name", "problem"];
        let known = |name: &&String| KEYS.iter().any(|key| key.name == **name) || THEIRS.contains(&name.as_str());
        let unknown = fields.keys().filter(|name| !known(name));
        let unknown = unknown.map(|name| format!("unknown field `{}` has no effect", name.escape_debug())).collect();
        if wrong.is_empty() { Ok((patch, unknown)) } else { Err(wrong) }
    }

    /// From words such as `active:false` and `whitelist:a.example,b.example`; a later one counts.
    pub(crate) fn from_words(words: impl IntoIterator<Item = (String, String)>) -> Result<Self, String> {
        let mut patch = Self::default();
        for (name, text) in words {
            let name = name.to_ascii_lowercase().replace('-', "_");
            let Some(key) = KEYS.iter().find(|key| key.name == name || key.word == name) else {
                let names: Vec<_> = KEYS.iter().map(|key| key.name).collect();
                return Err(format!("a server has no `{}`; it has {}", name.escape_debug(), names.join(", ")));
            };
            patch.put(key, key.of_text(&text)?);
        }
        Ok(patch)
    }

    /// The text that is wanted under a key.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key.name == name).and_then(|(_, wanted)| match wanted {
            Wanted::Text(text) => Some(text.as_str()),
            Wanted::Flag(_) | Wanted::List(_) => None,
        })
    }

    /// Wants this text under a key, whatever it wanted before.
    pub(super) fn want(&mut self, name: &str, text: &str) {
        if let Some(key) = KEYS.iter().find(|key| key.name == name) {
            self.put(key, Wanted::Text(text.to_owned()));
        }
    }

    fn put(&mut self, key: &'static Key, wanted: Wanted) {
        match self.0.iter_mut().find(|(known, _)| *known == key) {
            Some((_, old)) => *old = wanted,
            None => self.0.push((key, wanted)),
        }
    }

    /// Makes a row say so.
    pub(super) fn apply(&self, fields: &mut Fields) -> serde_json::Result<()> {
        for (Key { name, .. }, wanted) in &self.0 {
            match wanted {
                // Existing nodes always write these two.
                Wanted::Text(text) if text.is_empty() && !matches!(*name, "address" | "port") => fields.remove(name),
                Wanted::List(items) if items.is_empty() => fields.remove(name),
                Wanted::Text(text) => fields.set(name, text)?,
                Wanted::Flag(flag) => fields.set(name, flag)?,
                Wanted::List(items) => fields.set(name, items)?,
            }
        }
        Ok(())
    }
}

impl Key {
    fn of_json(&self, value: &Value) -> Result<Wanted, String> {
        let Self { name, kind, .. } = self;
        match (kind, value) {
            (Kind::Text | Kind::Port, Value::String(text)) => Ok(Wanted::Text(text.trim().to_owned())),
            (Kind::Port, Value::Number(number)) if number.is_u64() => Ok(Wanted::Text(number.to_string())),
            (Kind::Flag, Value::Bool(flag)) => Ok(Wanted::Flag(*flag)),
            (Kind::List, Value::Array(items)) => {
                let texts = items.iter().map(|item| item.as_str().map(|text| text.trim().to_owned()));
                let texts: Option<Vec<_>> = texts.collect();
                texts.map(Wanted::List).ok_or_else(|| format!("`{name}` must be a list of texts, not {value}"))
            }
            (Kind::Text, _) => Err(format!("`{name}` must be text, not {value}")),
            (Kind::Port, _) => Err(format!("`{name}` must be a port, such as \"53\", not {value}")),
            (Kind::Flag, _) => Err(format!("`{name}` must be true or false, not {value}")),
            (Kind::List, _) => Err(format!("`{name}` must be a list of texts, not {value}")),
        }
    }

    fn of_text(&self, text: &str) -> Result<Wanted, String> {
        let text = text.trim();
        match self.kind {
            Kind::Text | Kind::Port => Ok(Wanted::Text(text.to_owned())),
            Kind::Flag => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => Ok(Wanted::Flag(true)),
                "false" | "no" | "off" | "0" => Ok(Wanted::Flag(false)),
                _ => Err(format!("`{}` must be true or false, not `{}`", self.name, text.escape_debug())),
            },
            Kind::List => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                Ok(Wanted::List(items.map(str::to_owned).collect()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of_json(value: Value) -> Result<(Patch, Vec<String>), Vec<String>> {
        Patch::from_json(value.as_object().unwrap())
    }

    fn of_words(words: &[(&str, &str)]) -> Result<Patch, String> {
        Patch::from_words(words.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())))
    }

    #[test]
    fn json_and_words_say_the_same() {
        let (patch, unknown) = of_json(json!({
            "address": "192.0.2.1", "port": 5353, "active": false, "local_resolver": true, "adblocker": null,
            "domain_whitelist": ["a.test", " b.test"], "fallback_address": "", "last_used": "0001-01-01T00:00:00Z", "colour": 1
        }))
        .unwrap();
        assert_eq!(unknown, ["unknown field `colour` has no effect"]);
        let words = [
            ("address", "192.0.2.1"),
            ("port", "53"),
            ("port", "5353"),
            ("Active", "no"),
            ("localresolver", "true"),
            ("whitelist", "a.test, b.test,"),
            ("fallback-address", ""),
        ];
        assert_eq!(of_words(&words), Ok(patch));
    }

    #[test]
    fn values_of_a_wrong_kind_are_all_told() {
        let wrong =
            of_json(json!({"address": 1, "port": true, "active": "yes", "domain_whitelist": "a", "transport": []}));
        let sentences = [
            "`address` must be text, not 1",
            "`port` must be a port, such as \"53\", not true",
            "`transport` must be text, not []",
            "`active` must be true or false, not \"yes\"",
            "`domain_whitelist` must be a list of texts, not \"a\"",
        ];
        assert_eq!(wrong.unwrap_err(), sentences);
        assert_eq!(of_words(&[("active", "perhaps")]), Err("`active` must be true or false, not `perhaps`".to_owned()));
        assert!(
            of_words(&[("colour", "red")]).unwrap_err().starts_with("a server has no `colour`; it has address, port")
        );
    }

    #[test]
    fn nothing_takes_a_key_away() {
        let mut fields: Fields =
            serde_json::from_str(r#"{"address":"a","fallback_address":"b","domain_whitelist":["c"],"x":1}"#).unwrap();
        of_words(&[("fallback_address", ""), ("whitelist", ""), ("active", "on")]).unwrap().apply(&mut fields).unwrap();
        assert_eq!(serde_json::to_string(&fields).unwrap(), r#"{"address":"a","x":1,"active":true}"#);
    }
}
