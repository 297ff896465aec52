//! Records in JSON: read leniently, written exactly as existing nodes write them.
//!
//! Reading: keys match without case, unknown keys are passed over, `null` is absent, the last of two equal keys wins; but a
//! value of the wrong type is an error for the whole document. Writing: their key order, times always present (the zero
//! moment where there is none), `<`, `>`, `&`, U+2028 and U+2029 escaped.

use super::{Details, Record, Time, time::ZERO};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, IgnoredAny, MapAccess, Visitor},
    ser::SerializeMap,
};
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};
use std::{borrow::Cow, fmt, io};

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let details = self.details();
        let mut map = serializer.serialize_map(None)?;
        if let Some(id) = &details.id {
            map.serialize_entry("id", id)?;
        }
        map.serialize_entry("name", self.name())?;
        map.serialize_entry("type", &self.type_text())?;
        map.serialize_entry("value", self.value())?;
        map.serialize_entry("ttl", &self.ttl)?;
        map.serialize_entry("added_on", time(&details.added_on))?;
        map.serialize_entry("updated_on", time(&details.updated_on))?;
        if let Some(mac) = &details.mac {
            map.serialize_entry("mac", mac)?;
        }
        if details.cache_record {
            map.serialize_entry("cache_record", &true)?;
        }
        map.serialize_entry("last_query", time(&details.last_query))?;
        map.end()
    }
}

fn time(time: &Option<Time>) -> &str {
    time.as_ref().map_or(ZERO, Time::as_str)
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RecordVisitor)
    }
}

struct RecordVisitor;

impl<'de> Visitor<'de> for RecordVisitor {
    type Value = Record;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record: an object with name, type and value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Record, A::Error> {
        let (mut name, mut kind, mut value) = (Cow::Borrowed(""), Cow::Borrowed(""), Cow::Borrowed(""));
        let mut ttl = 0;
        let mut details = Details::default();
        while let Some(Text(key)) = map.next_key::<Text<'de>>()? {
            let lower = key.bytes().any(|byte| byte.is_ascii_uppercase()).then(|| key.to_ascii_lowercase());
            match lower.as_deref().unwrap_or(&key) {
                "name" => text_or_null(&mut map, &mut name)?,
                "type" => text_or_null(&mut map, &mut kind)?,
                "value" => text_or_null(&mut map, &mut value)?,
                "ttl" => ttl = map.next_value::<Option<u32>>()?.unwrap_or(ttl),
                "id" => details.id = boxed(&mut map)?,
                "mac" => details.mac = boxed(&mut map)?,
                "added_on" => details.added_on = moment(&mut map)?,
                "updated_on" => details.updated_on = moment(&mut map)?,
                "last_query" => details.last_query = moment(&mut map)?,
                "cache_record" => details.cache_record = map.next_value::<Option<bool>>()?.unwrap_or_default(),
                _ => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(Record::with_details(&name, &kind, &value, ttl, details))
    }
}

/// A string borrowed from the input where it holds no escapes: a million records are read at start.
struct Text<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

fn text_or_null<'de, A: MapAccess<'de>>(map: &mut A, slot: &mut Cow<'de, str>) -> Result<(), A::Error> {
    if let Some(Text(text)) = map.next_value::<Option<Text<'de>>>()? {
        *slot = text;
    }
    Ok(())
}

fn boxed<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<Box<str>>, A::Error> {
    Ok(map.next_value::<Option<Text<'de>>>()?.filter(|text| !text.0.is_empty()).map(|text| text.0.into()))
}

fn moment<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<Time>, A::Error> {
    match map.next_value::<Option<Text<'de>>>()? {
        Some(Text(text)) => Time::parse(&text).map_err(de::Error::custom),
        None => Ok(None),
    }
}

/// Appends a record exactly as [`Serialize`] writes it. A snapshot for a peer is written for every change, so this is
/// worth having beside the general way.
pub fn append_record(out: &mut Vec<u8>, record: &Record) {
    let details = record.details();
    out.push(b'{');
    if let Some(id) = &details.id {
        append_text(out, "\"id\":", id);
        out.push(b',');
    }
    append_text(out, "\"name\":", record.name());
    append_text(out, ",\"type\":", &record.type_text());
    append_text(out, ",\"value\":", record.value());
    out.extend_from_slice(b",\"ttl\":");
    out.extend_from_slice(record.ttl.to_string().as_bytes());
    append_text(out, ",\"added_on\":", time(&details.added_on));
    append_text(out, ",\"updated_on\":", time(&details.updated_on));
    if let Some(mac) = &details.mac {
        append_text(out, ",\"mac\":", mac);
    }
    if details.cache_record {
        out.extend_from_slice(b",\"cache_record\":true");
    }
    append_text(out, ",\"last_query\":", time(&details.last_query));
    out.push(b'}');
}

/// Appends a record for a node of our kind, which reads as well without the times that never were.
pub fn append_record_lean(out: &mut Vec<u8>, record: &Record) {
    append_text(out, "{\"name\":", record.name());
    append_text(out, ",\"type\":", &record.type_text());
    append_text(out, ",\"value\":", record.value());
    out.extend_from_slice(b",\"ttl\":");
    out.extend_from_slice(record.ttl.to_string().as_bytes());
    let details = record.details();
    let texts = [("id", details.id.as_deref()), ("mac", details.mac.as_deref())];
    let times =
        [("added_on", &details.added_on), ("updated_on", &details.updated_on), ("last_query", &details.last_query)];
    let times = times.into_iter().map(|(key, time)| (key, time.as_ref().map(Time::as_str)));
    for (key, text) in texts.into_iter().chain(times) {
        if let Some(text) = text {
            append_text(out, &format!(",\"{key}\":"), text);
        }
    }
    if details.cache_record {
        out.extend_from_slice(b",\"cache_record\":true");
    }
    out.push(b'}');
}

/// Appends what makes a record one: name, type and value.
pub fn append_identity(out: &mut Vec<u8>, record: &Record) {
    append_text(out, "{\"name\":", record.name());
    append_text(out, ",\"type\":", &record.type_text());
    append_text(out, ",\"value\":", record.value());
    out.push(b'}');
}

/// A key with its colon, and a string. Most strings need no escapes and are copied.
fn append_text(out: &mut Vec<u8>, key: &str, text: &str) {
    let plain = |byte: u8| !matches!(byte, 0..0x20 | b'"' | b'\\' | b'<' | b'>' | b'&' | 0xe2);
    out.extend_from_slice(key.as_bytes());
    if text.bytes().all(plain) {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        // A string always serialises, and memory always takes it.
        let _ = to_writer(out, &text);
    }
}

/// Writes a value the way existing nodes write JSON, compact.
pub fn to_vec(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    to_writer(&mut bytes, value)?;
    Ok(bytes)
}

/// The same, straight to a writer.
pub fn to_writer(writer: impl io::Write, value: &impl Serialize) -> serde_json::Result<()> {
    value.serialize(&mut serde_json::Serializer::with_formatter(writer, Escaping(CompactFormatter)))
}

/// The same, indented by two spaces (`pretty_json`).
pub fn to_writer_pretty(writer: impl io::Write, value: &impl Serialize) -> serde_json::Result<()> {
    value.serialize(&mut serde_json::Serializer::with_formatter(writer, Escaping(PrettyFormatter::new())))
}

/// A formatter that also escapes what existing nodes escape, so that a file rewritten by either side stays the same.
struct Escaping<F>(F);

/// Hands a formatter's calls on unchanged.
macro_rules! pass_on {
    ($($name:ident($($arg:ident: $kind:ty),*);)*) => {
        $(fn $name<W: ?Sized + io::Write>(&mut self, writer: &mut W $(, $arg: $kind)*) -> io::Result<()> {
            self.0.$name(writer $(, $arg)*)
        })*
    };
}

impl<F: Formatter> Formatter for Escaping<F> {
    pass_on! {
        begin_array(); end_array(); begin_array_value(first: bool); end_array_value();
        begin_object(); end_object(); begin_object_key(first: bool); end_object_key();
        begin_object_value(); end_object_value();
    }

    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let (octets, mut written) = (fragment.as_bytes(), 0);
        for at in 0..octets.len() {
            let (escaped, length): (&[u8], usize) = match octets[at] {
                b'<' => (b"\\u003c", 1),
                b'>' => (b"\\u003e", 1),
                b'&' => (b"\\u0026", 1),
                // U+2028 and U+2029 in UTF-8.
                0xe2 if octets[at..].starts_with(&[0xe2, 0x80, 0xa8]) => (b"\\u2028", 3),
                0xe2 if octets[at..].starts_with(&[0xe2, 0x80, 0xa9]) => (b"\\u2029", 3),
                _ => continue,
            };
            writer.write_all(&octets[written..at])?;
            writer.write_all(escaped)?;
            written = at + length;
        }
        writer.write_all(&octets[written..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> serde_json::Result<Record> {
        serde_json::from_str(json)
    }

    #[test]
    fn reading_is_lenient_about_keys_and_strict_about_types() {
        let record =
            read(r#"{"NAME":"A.test.","Type":"a","value":"192.0.2.1","TTL":60,"x":{"y":[1]},"mac":null,"id":""}"#);
        let record = record.unwrap();
        assert_eq!((record.name(), &*record.type_text(), record.ttl), ("A.test", "A", 60));
        assert_eq!(record.id(), None);
        for bad in [
            r#"{"name":1}"#,
            r#"{"ttl":60.0}"#,
            r#"{"ttl":"60"}"#,
            r#"{"ttl":-1}"#,
            r#"{"ttl":4294967296}"#,
            r#"{"added_on":""}"#,
            r#"{"added_on":5}"#,
            r#"{"cache_record":"yes"}"#,
            "[]",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert_eq!(read(r#"{"name":"a","ttl":1,"ttl":2}"#).unwrap().ttl, 2, "the last of two equal keys wins");
    }

    proptest::proptest! {
        #[test]
        fn both_ways_of_writing_a_record_say_the_same(name in ".{0,12}", value in ".{0,20}", id in ".{0,4}", mac in ".{0,4}", ttl: u32, flag: bool) {
            let given = |text: String| Some(text).filter(|text| !text.is_empty()).map(Into::into);
            let details = Details { id: given(id), mac: given(mac), cache_record: flag, ..Details::default() };
            let record = Record::with_details(&name, "TXT", &value, ttl, details);
            let mut appended = Vec::new();
            append_record(&mut appended, &record);
            proptest::prop_assert_eq!(&appended, &to_vec(&record).unwrap());
            let mut lean = Vec::new();
            append_record_lean(&mut lean, &record);
            let read = |json: &[u8]| serde_json::from_slice::<Record>(json).unwrap();
            proptest::prop_assert_eq!(read(&lean), read(&appended));
        }
    }

    #[test]
    fn writing_is_what_existing_nodes_write() {
        let json = concat!(
            r#"{"id":"5b0c0d53-6f6e-4f0a-9a55-0f6f4f6f9d10","name":"odd.lab.test","type":"TXT","#,
            r#""value":"\"a\u003cb\u003ec \u0026 d é 🙂 \u2028 tab\there\"","ttl":60,"#,
            r#""added_on":"2026-05-04T09:30:00.5Z","updated_on":"0001-01-01T00:00:00Z","mac":"02:00:5e:10:00:01","#,
            r#""cache_record":true,"last_query":"0001-01-01T00:00:00Z"}"#,
        );
        assert_eq!(String::from_utf8(to_vec(&read(json).unwrap()).unwrap()).unwrap(), json);
    }
}
