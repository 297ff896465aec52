//! Shows `server config`: the settings in force, one a line, in the form in which `server set` takes them.

use super::{Object, list_of_text, text};
use crate::print::Output;
use serde_json::Value;
use std::io;

/// The document of `server config`; secrets are masked by whoever made it.
pub(crate) fn config(document: &Value, out: &mut Output<'_>) -> io::Result<()> {
    let Some(document) = document.as_object() else { return out.line(&shown(document)) };
    if let Some(path) = text(document, "path") {
        out.line(&format!("# {path}"))?;
    }
    let unsaved = list_of_text(document, "unsaved");
    let mut settings = Vec::new();
    if let Some(object) = document.get("settings").and_then(Value::as_object) {
        flatten("", object, &mut settings);
    }
    let width = settings.iter().map(|(key, _)| key.len()).max().unwrap_or_default();
    for (key, value) in &settings {
        let inside =
            |outer: &&str| key.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        let mark = if unsaved.iter().any(|outer| inside(&outer.as_str())) { "    # not saved" } else { "" };
        out.line(&format!("{key:width$} = {value}{mark}"))?;
    }
    match unsaved.len() {
        0 => Ok(()),
        1 => out.line("# 1 setting is in force but not in the file: `server save` writes it, `server load` drops it"),
        many => out.line(&format!(
            "# {many} settings are in force but not in the file: `server save` writes them, `server load` drops them"
        )),
    }
}

/// Objects inside become keys with dots.
fn flatten(prefix: &str, object: &Object, settings: &mut Vec<(String, String)>) {
    for (key, value) in object {
        let key = format!("{prefix}{key}");
        match value {
            Value::Object(inner) if !inner.is_empty() => flatten(&format!("{key}."), inner, settings),
            value => settings.push((key, shown(value))),
        }
    }
}

/// Text as it is, unless it would not be seen; lists of text with commas; the rest is JSON.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if text.trim() == text && !text.is_empty() => text.clone(),
        Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_string) => {
            items.iter().map(shown).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn settings_stand_one_a_line_and_unsaved_ones_are_marked() {
        let document = json!({
            "path": "/etc/dnsplane.json",
            "unsaved": ["cluster_peers", "log"],
            "settings": {
                "api": true, "api_auth_token": "(secret)", "cluster_peers": ["a:1", "b:2"], "dns_bind": "",
                "log": {"log_severity": "info"}, "cluster_allowed_writer_node_ids": []
            }
        });
        let mut bytes = Vec::new();
        config(&document, &mut Output::new(&mut bytes, false)).expect("memory takes everything");
        let expected = "\
# /etc/dnsplane.json
api                             = true
api_auth_token                  = (secret)
cluster_allowed_writer_node_ids = []
cluster_peers                   = a:1, b:2    # not saved
dns_bind                        = \"\"
log.log_severity                = info    # not saved
# 2 settings are in force but not in the file: `server save` writes them, `server load` drops them
";
        assert_eq!(String::from_utf8(bytes).expect("UTF-8"), expected);
    }
}
