//! When two frames say the same.
//!
//! Values that are bound to differ (sequence, times, ids of records added over HTTP) are held to their form; everything
//! else has to be equal, times as instants.

use dnsplane_tests::Record;
use jiff::Timestamp;
use serde_json::{Map, Value};

/// The least sequence of a node that has accepted a write: wall-clock milliseconds (R2), here of the year 2025.
const LEAST_SEQUENCE: u64 = 1_735_689_600_000;
/// Existing nodes lose precision above this (R2).
const SEQUENCE_LIMIT: u64 = 1 << 53;

/// Fails unless `ours` is a snapshot of the same records as `theirs`, from the node `node_id`.
#[track_caller]
pub(crate) fn snapshots(context: &str, ours: &Value, theirs: &Value) {
    assert_eq!(ours["type"], "records_full", "{context}: {ours}");
    assert_eq!(ours["node_id"], theirs["node_id"], "{context}");
    own_numbers(context, ours);
    records(context, &ours["records"], &theirs["records"]);
}

/// Fails unless sequence and time of a snapshot of ours have their form: plain integers, R2 and R4.
#[track_caller]
pub(crate) fn own_numbers(context: &str, ours: &Value) {
    let seq = ours["seq"].as_u64().unwrap_or_else(|| panic!("{context}: seq is {}", ours["seq"]));
    assert!((LEAST_SEQUENCE..SEQUENCE_LIMIT).contains(&seq), "{context}: seq {seq}");
    let time = ours["timestamp_unix"].as_u64().unwrap_or_else(|| panic!("{context}: {}", ours["timestamp_unix"]));
    assert!((LEAST_SEQUENCE / 1000..=seq / 1000 + 60).contains(&time), "{context}: timestamp_unix {time}, seq {seq}");
}

/// Fails unless both lists hold the same records, whatever their order. No records are `null`, never an empty list.
#[track_caller]
pub(crate) fn records(context: &str, ours: &Value, theirs: &Value) {
    let empty = |list: &Value| list.as_array().is_none_or(Vec::is_empty);
    if empty(theirs) {
        assert!(ours.is_null(), "{context}: not empty: {ours}");
        return;
    }
    let sorted = |list: &Value| {
        let mut objects: Vec<_> = list.as_array().unwrap_or_else(|| panic!("{context}: {list}")).iter().collect();
        objects.sort_by_cached_key(|object| Record::from_json(object));
        objects.into_iter().cloned().collect::<Vec<_>>()
    };
    let (ours, theirs) = (sorted(ours), sorted(theirs));
    assert_eq!(Record::list(&ours.clone().into()), Record::list(&theirs.clone().into()), "{context}");
    for (our, their) in ours.iter().zip(&theirs) {
        // A record with a time of the capturing day was added over HTTP: its id and times are its node's own.
        let added = their["added_on"].as_str().is_some_and(|time| time.starts_with("2026-11-22"));
        let mut our_rest = rest(our, added);
        if their.get("id").is_none() {
            // Ids are optional, and a node may give one to a record that came without.
            our_rest.remove("id");
        }
        assert_eq!(our_rest, rest(their, added), "{context}: {}", Record::from_json(our));
        if added {
            let id = our["id"].as_str().unwrap_or_default();
            assert_eq!(id.len(), 36, "{context}: the id of a record added here is a UUID, not {id:?}");
        }
    }
}

/// The keys of a record that [`Record`] leaves out, in a form that can be compared. Absent, zero and `null` are the same.
fn rest(object: &Value, added_over_http: bool) -> Map<String, Value> {
    let mut rest = object.as_object().cloned().unwrap_or_default();
    rest.retain(|key, _| !["name", "type", "value", "ttl"].contains(&key.as_str()));
    if added_over_http {
        rest.retain(|key, _| !["id", "added_on", "updated_on"].contains(&key.as_str()));
    }
    for key in ["added_on", "updated_on", "last_query"] {
        if let Some(text) = rest.get(key).and_then(Value::as_str).map(str::to_owned) {
            let time: Timestamp = text.parse().unwrap_or_else(|error| panic!("{key} is not RFC 3339: {text}: {error}"));
            rest.insert(key.to_owned(), time.to_string().into());
        }
    }
    let zero = Value::from("0001-01-01T00:00:00Z");
    rest.retain(|_, value| *value != zero && !value.is_null() && *value != Value::Bool(false) && *value != "");
    rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(extra: &Value) -> Value {
        let mut object = json!({"name": "a.lab.test", "type": "A", "value": "192.0.2.1", "ttl": 60});
        object.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        json!([object])
    }

    #[test]
    fn records_that_say_the_same_are_equal() {
        let one = record(&json!({"added_on": "2026-05-04T11:30:00+02:00", "last_query": "0001-01-01T00:00:00Z"}));
        let other = record(&json!({"added_on": "2026-05-04T09:30:00Z", "mac": "", "cache_record": false}));
        records("times", &one, &other);
        records("none", &Value::Null, &json!([]));
    }

    #[test]
    #[should_panic(expected = "mac")]
    fn a_lost_key_is_noticed() {
        records("mac", &record(&json!({})), &record(&json!({"mac": "02:00:5e:10:00:01"})));
    }

    #[test]
    #[should_panic(expected = "ttl")]
    fn another_ttl_is_noticed() {
        records("ttl", &record(&json!({"ttl": 61})), &record(&json!({})));
    }

    #[test]
    #[should_panic(expected = "seq 6")]
    fn a_sequence_that_is_not_the_time_is_noticed() {
        own_numbers("small", &json!({"seq": 6, "timestamp_unix": 1}));
    }
}
