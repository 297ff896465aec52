//! Keys that this build reads, checks the type of, and does not act on yet.
//!
//! Whoever sets one is told once at start. A value listed here beside its key changes nothing, so it is passed over in
//! silence; a key that only refines another is represented by that one.

use serde_json::{Map, Value};

/// The keys, and for each the JSON of values that ask for nothing.
const NOT_YET: &[(&str, &[&str])] = &[
    ("api_tls_cert", &["\"\""]),
    ("api_tls_key", &["\"\""]),
    ("api_rate_limit_rps", &["0", "0.0"]),
    ("dnssec_sign_enabled", &["false"]),
    ("full_stats", &["false"]),
    ("dashboard_resolution_log_cap", &["1000"]),
    ("pprof_enabled", &["false"]),
    ("axfr_enabled", &["false"]),
];

/// The keys of `file` that are set to something and have no effect.
pub(super) fn keys(file: &Map<String, Value>) -> Vec<&'static str> {
    let asks_for_something = |(key, nothing): &&(&str, &[&str])| {
        let (object, name) = key.split_once('.').map_or((None, *key), |(object, name)| (Some(object), name));
        let holder = object.map_or(Some(file), |object| file.get(object).and_then(Value::as_object));
        let value = holder.and_then(|holder| holder.get(name)).filter(|value| !value.is_null());
        value.is_some_and(|value| !nothing.contains(&value.to_string().as_str()))
    };
    NOT_YET.iter().filter(asks_for_something).map(|(key, _)| *key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_listed_exists() {
        let known: Vec<String> = super::super::keys::known()
            .iter()
            .flat_map(|(prefix, keys)| keys.iter().map(move |key| format!("{prefix}{key}")))
            .collect();
        for (key, _) in NOT_YET {
            assert!(known.iter().any(|name| name == key), "{key}");
        }
    }
}
