//! Which keys there are, asked from the structs that read them, and which one a misspelt key may have meant.

use super::file::{File, Locations, Log, RecordSettings, Source};
use serde::{
    Deserialize,
    de::{Deserializer, Error as _, Visitor, value::Error},
    forward_to_deserialize_any,
};

/// Every object of the file: what stands before its keys, and the keys.
pub(super) fn known() -> [(&'static str, &'static [&'static str]); 5] {
    [
        ("", fields::<File>()),
        ("file_locations.", fields::<Locations>()),
        ("file_locations.records_source.", fields::<Source>()),
        ("DNSRecordSettings.", fields::<RecordSettings>()),
        ("log.", fields::<Log>()),
    ]
}

/// Keys that people use as comments, here and in other JSON files.
pub(super) fn is_comment(key: &str) -> bool {
    key.starts_with("//") || key.starts_with("_comment")
}

/// What an unknown key may have been meant to be: a whole key, with the objects that it stands in.
pub(super) fn nearest(unknown: &str) -> Option<String> {
    let (object, name) = unknown.rsplit_once('.').map_or(("", unknown), |(object, name)| (object, name));
    let plain = |key: &str| key.to_ascii_lowercase().replace(['-', ' '], "_");
    let name = plain(name);
    let mut best: Option<(usize, String)> = None;
    for (prefix, keys) in known() {
        // The right key in the wrong place is said; a resemblance counts at home only.
        let home = prefix.trim_end_matches('.').eq_ignore_ascii_case(object);
        for key in keys {
            let distance = strsim::damerau_levenshtein(&name, &plain(key));
            let most = if home { (key.len() / 3).clamp(1, 4) } else { 0 };
            if distance <= most && best.as_ref().is_none_or(|(least, _)| distance < *least) {
                best = Some((distance, format!("{prefix}{key}")));
            }
        }
    }
    best.map(|(_, key)| key)
}

/// The names that a struct's `Deserialize` asks for.
fn fields<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    let mut fields = Fields(&[]);
    let _ = T::deserialize(&mut fields);
    fields.0
}

/// A deserializer that holds no data and remembers which fields it was asked for.
struct Fields(&'static [&'static str]);

impl<'de> Deserializer<'de> for &mut Fields {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("only asked for names"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.0 = fields;
        self.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_key_finds_the_one_that_was_meant() {
        for (unknown, meant) in [
            ("prot", Some("port")),
            ("Port", Some("port")),
            ("api-port", Some("apiport")),
            ("cluster_peer", Some("cluster_peers")),
            ("cluster_autht_oken", Some("cluster_auth_token")),
            ("log_severity", Some("log.log_severity")),
            ("records_source", Some("file_locations.records_source")),
            ("log.severity", Some("log.log_severity")),
            ("log.log_serverity", Some("log.log_severity")),
            ("file_locations.record_source", Some("file_locations.records_source")),
            ("file_locations.records_source.typ", Some("file_locations.records_source.type")),
            ("dnsrecordsettings", Some("DNSRecordSettings")),
            ("x_not_a_known_key", None),
            ("colour", None),
        ] {
            assert_eq!(nearest(unknown).as_deref(), meant, "{unknown}");
        }
    }
}
