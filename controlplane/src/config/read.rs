//! From the octets of the file to the struct that mirrors it, with every type error at once.

use super::{
    diagnose::{self, ConfigError, Source},
    file::File,
    keys,
    places::Places,
};
use serde_json::{Map, Value};
use std::path::Path;

/// Objects whose keys existing nodes match without case; they match the others to the letter.
const CASE_FREE: [&str; 3] = ["file_locations.records_source", "DNSRecordSettings", "log"];
/// Objects that hold keys; serde would take a list for them as well.
const OBJECTS: [&str; 4] = ["file_locations", "file_locations.records_source", "DNSRecordSettings", "log"];

/// A file whose types are right.
pub(super) struct Read {
    pub(super) file: File,
    /// The file without comments, the keys of case-free objects in lower case.
    pub(super) meant: Map<String, Value>,
    pub(super) source: Source,
    pub(super) warnings: Vec<String>,
}

/// Whether the keys of this object (`log`) are matched without case.
pub(super) fn case_free(object: &str) -> bool {
    CASE_FREE.contains(&object)
}

/// Reads the text of the file at `path`.
pub(super) fn read(path: &Path, text: &str) -> Result<Read, ConfigError> {
    if text.trim().is_empty() {
        return Err(ConfigError::Empty { path: path.to_owned() });
    }
    let document: Value = serde_json::from_str(text).map_err(|error| diagnose::syntax(path, text, &error))?;
    let source = Source { path: path.to_owned(), text: text.to_owned(), places: Places::of(text) };
    let Value::Object(document) = document else {
        let mut problem = source.problem("", "must be an object in braces".to_owned());
        problem.key = "the whole file".to_owned();
        return Err(ConfigError::Invalid { path: path.to_owned(), problems: vec![problem] });
    };

    let meant = tidied("", document);
    let (file, unknown, problems) = understand(Value::Object(meant.clone()), &source);
    if !problems.is_empty() {
        return Err(ConfigError::Invalid { path: path.to_owned(), problems });
    }
    let warnings = warnings(&source, &unknown);
    Ok(Read { file, meant, source, warnings })
}

/// An object without comments, and with its keys in lower case if their case is free.
fn tidied(object: &str, keys: Map<String, Value>) -> Map<String, Value> {
    let case_free = case_free(object);
    let tidy_one = |(key, value): (String, Value)| {
        let inner = if object.is_empty() { key.clone() } else { format!("{object}.{key}") };
        let value = match value {
            Value::Object(keys) => Value::Object(tidied(&inner, keys)),
            other => other,
        };
        (if case_free { key.to_ascii_lowercase() } else { key }, value)
    };
    keys.into_iter().filter(|(key, _)| !keys::is_comment(key)).map(tidy_one).collect()
}

/// The file, the keys that nobody reads, and every value of a wrong type: what is wrong is noted, taken out, and the
/// rest tried again.
fn understand(mut value: Value, source: &Source) -> (File, Vec<String>, Vec<diagnose::Problem>) {
    let mut problems = Vec::new();
    for key in OBJECTS {
        if let Some(Value::Array(_)) = at(&value, key) {
            problems.push(source.problem(key, "must be an object in braces".to_owned()));
            remove(&mut value, key);
        }
    }
    loop {
        let mut unknown = Vec::new();
        let mut track = serde_path_to_error::Track::new();
        let tracked = serde_path_to_error::Deserializer::new(&value, &mut track);
        match serde_ignored::deserialize(tracked, |path| unknown.push(path.to_string().replace(".?", ""))) {
            Ok(file) => {
                problems.sort_by_key(|problem| problem.position.map(|at| (at.line, at.column)));
                return (file, unknown, problems);
            }
            Err(error) => {
                let key = track.path().to_string();
                let why = diagnose::wrong_type(&key, at(&value, &key), &error.to_string());
                problems.push(source.problem(&key, why));
                if !remove(&mut value, &key) {
                    return (File::default(), unknown, problems);
                }
            }
        }
    }
}

/// The value of a key such as `log.log_dir` or `cluster_peers[0]`.
fn at<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    value.pointer(&format!("/{}", key.replace('[', ".").replace(']', "").replace('.', "/")))
}

/// Takes a key out, or the whole list that it is an element of.
fn remove(value: &mut Value, key: &str) -> bool {
    let key = key.split('[').next().unwrap_or(key);
    let (holder, name) = key.rsplit_once('.').unwrap_or(("", key));
    let holder =
        if holder.is_empty() { Some(value) } else { value.pointer_mut(&format!("/{}", holder.replace('.', "/"))) };
    holder.and_then(Value::as_object_mut).is_some_and(|object| object.remove(name).is_some())
}

fn warnings(source: &Source, unknown: &[String]) -> Vec<String> {
    let unknown = unknown.iter().map(|key| {
        let place = source.line(source.places.offset(key));
        let meant = keys::nearest(key).map(|key| format!("; did you mean `{key}`?")).unwrap_or_default();
        format!("{place}: unknown key `{key}` has no effect{meant}")
    });
    let twice = source.places.twice.iter().filter(|(key, _)| !keys::is_comment(key)).map(|(key, offset)| {
        format!("{}: `{key}` is there a second time; this one counts", source.line(Some(*offset)))
    });
    unknown.chain(twice).collect()
}
