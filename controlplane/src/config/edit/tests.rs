//! Claims about edits: what changes, and that nothing else does.

use super::*;
use proptest::prelude::*;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::{json, value::RawValue};
use std::fmt;

#[test]
fn one_value_changes_and_the_file_keeps_its_looks() {
    for (text, path, value, after) in [
        ("{\"port\": \"53\" , \"x\":[1,  2]}", "port", json!("54"), "{\"port\": \"54\" , \"x\":[1,  2]}"),
        ("{\"port\": \"1\", \"port\": \"2\"}", "port", json!("3"), "{\"port\": \"1\", \"port\": \"3\"}"),
        ("{\"a\": {\"port\": 1}, \"port\": 2}", "port", json!(3), "{\"a\": {\"port\": 1}, \"port\": 3}"),
        ("{\"api\": true}", "api", json!(false), "{\"api\": false}"),
        ("{}", "port", json!("5"), "{\n  \"port\": \"5\"\n}"),
        ("{\"a\":1}", "b", json!(["x", "y"]), "{\"a\":1,\"b\":[\"x\",\"y\"]}"),
        ("{\"a\": 1}", "b", json!(["x", "y"]), "{\"a\": 1, \"b\": [\"x\", \"y\"]}"),
        ("{ \"a\" : 1 }", "b", json!(2), "{ \"a\" : 1, \"b\" : 2 }"),
        ("{\n\t\"a\": 1\n}\n", "b", json!(2), "{\n\t\"a\": 1,\n\t\"b\": 2\n}\n"),
        ("{\r\n \"a\": 1,\r\n\r\n \"c\": 1\r\n}", "b", json!(2), "{\r\n \"a\": 1,\r\n\r\n \"c\": 1,\r\n \"b\": 2\r\n}"),
        (
            "{\n  \"cluster_a\": 1,\n\n  \"//log\": \"x\",\n  \"log\": {}\n}",
            "cluster_b",
            json!(2),
            "{\n  \"cluster_a\": 1,\n  \"cluster_b\": 2,\n\n  \"//log\": \"x\",\n  \"log\": {}\n}",
        ),
        ("{\n  \"log\": {}\n}", "log.log_dir", json!("d"), "{\n  \"log\": {\n    \"log_dir\": \"d\"\n  }\n}"),
        ("{\n  \"log\": null\n}", "log.log_dir", json!("d"), "{\n  \"log\": {\n    \"log_dir\": \"d\"\n  }\n}"),
        ("{\"a\": 1}", "log.log_dir", json!("d"), "{\"a\": 1, \"log\": {\"log_dir\": \"d\"}}"),
        (
            "{\n  \"a\": 1\n}",
            "file_locations.records_source.read_only",
            json!(true),
            "{\n  \"a\": 1,\n  \"file_locations\": {\n    \"records_source\": {\n      \"read_only\": true\n    }\n  }\n}",
        ),
        ("{\"log\": {\"Log_Dir\": \"a\"}}", "log.log_dir", json!("b"), "{\"log\": {\"Log_Dir\": \"b\"}}"),
        (
            "{\"log\": {\"log_dir\": \"a\", \"LOG_DIR\": \"c\"}}",
            "log.log_dir",
            json!("b"),
            "{\"log\": {\"log_dir\": \"b\", \"LOG_DIR\": \"c\"}}",
        ),
        ("{\"Port\": \"a\"}", "port", json!("b"), "{\"Port\": \"a\", \"port\": \"b\"}"),
        ("{\"log.log_dir\": 1}", "log.log_dir", json!("b"), "{\"log.log_dir\": 1, \"log\": {\"log_dir\": \"b\"}}"),
        ("[1]", "port", json!("b"), "[1]"),
    ] {
        let path: Vec<&str> = path.split('.').collect();
        assert_eq!(set(text, &path, &value), after, "{text}");
    }
}

#[test]
fn a_key_that_is_removed_takes_its_comma_along() {
    for (text, path, after) in [
        ("{\"a\": 1, \"b\": 2, \"c\": 3}", "b", "{\"a\": 1, \"c\": 3}"),
        ("{\"a\": 1, \"b\": 2}", "b", "{\"a\": 1}"),
        ("{\n  \"a\": 1,\n  \"b\": 2\n}\n", "a", "{\n  \"b\": 2\n}\n"),
        ("{\n  \"a\": 1\n}", "a", "{\n}"),
        ("{\"a\": 1, \"b\": 2, \"a\": 3}", "a", "{\"b\": 2}"),
        ("{\"log\": {\"log_dir\": 1}}", "log.log_dir", "{\"log\": {}}"),
        ("{\"log\": {\"LOG_dir\": 1, \"x\": 2}}", "log.log_dir", "{\"log\": {\"x\": 2}}"),
        ("{\"a\": 1}", "b", "{\"a\": 1}"),
        ("{\"a\": 1}", "a.b", "{\"a\": 1}"),
    ] {
        let path: Vec<&str> = path.split('.').collect();
        assert_eq!(remove(text, &path), after, "{text}");
    }
}

/// The members of an object as they are written, in order, those given twice included.
fn members(text: &str) -> Vec<(String, String)> {
    struct Members(Vec<(String, String)>);
    struct Collect;
    impl<'de> Visitor<'de> for Collect {
        type Value = Members;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
            let mut found = Vec::new();
            while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                found.push((name, value.get().to_owned()));
            }
            Ok(Members(found))
        }
    }
    impl<'de> Deserialize<'de> for Members {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_map(Collect)
        }
    }
    serde_json::from_str::<Members>(text).unwrap_or_else(|error| panic!("{error}: {text}")).0
}

/// Fails unless `after` is `before` with one value changed or added, everything else to the octet as it was.
fn only_this_changed(before: &str, after: &str, path: &[&str], value: &Value) {
    let (old, mut new) = (members(before), members(after));
    let (name, inner) = path.split_first().unwrap();
    let known = old.iter().rposition(|(key, _)| key == name);
    let at = new.iter().rposition(|(key, _)| key == name).unwrap_or_else(|| panic!("{name} is not in {after}"));
    let changed = new.remove(at).1;
    let mut rest = old.clone();
    let was = known.map(|at| rest.remove(at).1);
    assert_eq!(known.unwrap_or(at), at, "it has not moved: {after}");
    assert_eq!(rest, new, "the others are as they were: {after}");
    match was.filter(|was| was.starts_with('{')) {
        Some(was) if !inner.is_empty() => only_this_changed(&was, &changed, inner, value),
        _ => {
            let changed: Value = serde_json::from_str(&changed).unwrap();
            let wanted = inner.iter().rev().fold(value.clone(), |value, name| json!({ *name: value }));
            assert_eq!(changed, wanted, "{after}");
        }
    }
}

/// JSON text with white space wherever it may stand, a few names that repeat, and objects within objects.
fn object() -> impl Strategy<Value = String> {
    let space = || prop::sample::select(vec!["", " ", "\n", "\n  ", "\r\n\t", "\n\n    "]);
    let leaf = prop::sample::select(vec![
        "1",
        "-2.5e3",
        "true",
        "null",
        "[]",
        "[1, {\"port\": 2}]",
        "\"a \\\" , } \\\\\"",
        "\"\u{e9}\\u00e9\"",
        "{}",
        "{ }",
    ])
    .prop_map(str::to_owned);
    let name =
        prop::sample::select(vec!["port", "log", "log_dir", "//x", "a.b", "Port", "\u{e9}", "cluster_a", "q\\\"q"]);
    leaf.prop_recursive(3, 24, 6, move |inner| {
        let member = (space(), name.clone(), space(), space(), inner, space());
        (prop::collection::vec(member, 1..6), space()).prop_map(|(members, end)| {
            let members = members.into_iter().map(|(before, name, colon, after, value, end)| {
                format!("{before}\"{name}\"{colon}:{after}{value}{end}")
            });
            format!("{{{}{end}}}", members.collect::<Vec<_>>().join(","))
        })
    })
    .prop_filter("an object", |text| text.starts_with('{'))
}

proptest! {
    #[test]
    fn an_edit_changes_one_key_and_not_an_octet_of_the_others(
        text in object(),
        path in prop::sample::select(vec!["port", "log", "cluster_b", "log.log_dir", "log.port", "port.log.port", "new.x"]),
        value in prop::sample::select(vec![json!(false), json!("t\"\n"), json!([]), json!(["a", "b"]), json!(7)]),
    ) {
        let path: Vec<&str> = path.split('.').collect();
        // Case is free within `log`; that is the table's business.
        prop_assume!(!text.contains("\"Port\""));
        let after = set(&text, &path, &value);
        only_this_changed(&text, &after, &path, &value);
        prop_assert_eq!(set(&after, &path, &value), after.clone(), "once more changes nothing");
        let without = remove(&after, &path);
        let last = path[path.len() - 1];
        if path.len() == 1 {
            let kept: Vec<_> = members(&text).into_iter().filter(|(name, _)| name != last).collect();
            prop_assert_eq!(members(&without), kept);
        }
    }
}
