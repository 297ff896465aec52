//! Changes one key in the text of `dnsplane.json` and leaves every other octet as it was.
//!
//! The file belongs to the person who wrote it: comments, order, spacing, keys that we do not know and keys given twice all
//! stay. Of a key given twice the last counts, so that is the one that changes. Runs over text that has been read as a
//! configuration before; it therefore checks nothing itself, and text that is no object comes back unchanged.

use super::places::{Place, Places};
use serde_json::Value;
use std::ops::Range;

/// Indent where the file shows none.
const INDENT: &str = "  ";

/// The text with the value of a key replaced, or with the key inserted where others like it stand. `path` names the key
/// and the objects that it stands in.
pub(super) fn set(text: &str, path: &[&str], value: &Value) -> String {
    let places = Places::of(text);
    let Some(mut object) = places.whole().filter(|whole| is_object(text, whole)) else {
        return text.to_owned();
    };
    let style = Style::of(text, &places);
    for (depth, name) in path.iter().enumerate() {
        let last = depth + 1 == path.len();
        match member(&places, object, name, &path[..depth]) {
            Some(found) if last => return replaced(text, found.value.clone(), &style.value(value)),
            Some(found) if is_object(text, found) => object = found,
            Some(found) => {
                let indent = style.indent_of(text, found.quoted.start);
                return replaced(text, found.value.clone(), &style.nested(&path[depth + 1..], value, &indent));
            }
            None => return inserted(text, &places, object, &style, &path[depth..], value),
        }
    }
    text.to_owned()
}

/// The text without a key, however often it is there.
pub(super) fn remove(text: &str, path: &[&str]) -> String {
    let mut text = text.to_owned();
    while let Some(span) = removable(&text, path) {
        text.replace_range(span, "");
    }
    text
}

/// The octets that go with a key: itself, its value, and the comma that nobody needs then.
fn removable(text: &str, path: &[&str]) -> Option<Range<usize>> {
    let places = Places::of(text);
    let (name, objects) = path.split_last()?;
    let mut object = places.whole().filter(|whole| is_object(text, whole))?;
    for (depth, inner) in objects.iter().enumerate() {
        object = member(&places, object, inner, &objects[..depth]).filter(|found| is_object(text, found))?;
    }
    let found = member(&places, object, name, objects)?;
    let members = places.members(object);
    let at = members.iter().position(|place| place.quoted == found.quoted)?;
    Some(match (at.checked_sub(1).and_then(|before| members.get(before)), members.get(at + 1)) {
        (_, Some(next)) => found.quoted.start..next.quoted.start,
        (Some(before), None) => before.value.end..found.value.end,
        (None, None) => object.value.start + 1..found.value.end,
    })
}

/// The member that counts: the last of those with this name. Where case does not matter, the spelling of the table comes
/// first, which is how the reader has it, too.
fn member<'a>(places: &'a Places, object: &Place, name: &str, objects: &[&str]) -> Option<&'a Place> {
    let members = places.members(object);
    let exact = members.iter().rev().find(|place| place.name == name);
    let free = super::read::case_free(&objects.join("."));
    let found = exact.or_else(|| {
        let alike = members.iter().filter(|place| free && place.name.eq_ignore_ascii_case(name));
        alike.max_by_key(|place| (place.name.as_str(), place.quoted.start))
    });
    found.copied()
}

fn is_object(text: &str, place: &Place) -> bool {
    text[place.value.clone()].starts_with('{')
}

fn replaced(text: &str, span: Range<usize>, with: &str) -> String {
    format!("{}{with}{}", &text[..span.start], &text[span.end..])
}

/// Puts a key into an object: after the last whose name begins alike (`cluster_`), else at the end.
fn inserted(text: &str, places: &Places, object: &Place, style: &Style, path: &[&str], value: &Value) -> String {
    let (name, inner) = (path[0], &path[1..]);
    let members = places.members(object);
    let family = name.find('_').map_or(name, |at| &name[..=at]);
    let alike = members.iter().rposition(|place| place.name.starts_with(family));
    let Some(before) = alike.or(members.len().checked_sub(1)) else {
        let outer = style.indent_of(text, object.quoted.start);
        return replaced(text, object.value.clone(), &style.nested(path, value, &outer));
    };
    // The new key stands as far from its neighbour as that one from the one before it.
    let gap_start = match before {
        0 => object.value.start + 1,
        _ => members[before - 1].value.end + text[members[before - 1].value.end..].find(',').map_or(0, |at| at + 1),
    };
    let mut gap = text[gap_start..members[before].quoted.start].to_owned();
    if gap.is_empty() && before == 0 && style.colon.ends_with(' ') {
        " ".clone_into(&mut gap);
    }
    // A blank line between groups of keys is not for every key.
    if let Some(line) = gap.rfind('\n') {
        gap = format!("{}{}", style.newline, &gap[line + 1..]);
    }
    let indent = style.indent_of(text, members[before].quoted.start);
    let rendered = if inner.is_empty() { style.value(value) } else { style.nested(inner, value, &indent) };
    let at = members[before].value.end;
    format!("{},{gap}{}{}{rendered}{}", &text[..at], quote(name), style.colon, &text[at..])
}

fn quote(name: &str) -> String {
    Value::from(name).to_string()
}

/// How the file is written.
struct Style {
    /// What stands between a name and its value.
    colon: String,
    /// What ends a line.
    newline: &'static str,
    /// One step of indent; `None` if the file is all on one line.
    step: Option<String>,
}

impl Style {
    fn of(text: &str, places: &Places) -> Self {
        let members = places.whole().map(|whole| places.members(whole)).unwrap_or_default();
        let between = members.last().map(|last| text[last.quoted.end..last.value.start].to_owned());
        let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let first = members.first().map(|first| &text[..first.quoted.start]);
        let step = match first {
            Some(before) => before.rfind('\n').map(|line| before[line + 1..].to_owned()),
            None => Some(INDENT.to_owned()),
        };
        let step = step.map(|step| if step.is_empty() { INDENT.to_owned() } else { step });
        Self { colon: between.unwrap_or_else(|| ": ".to_owned()), newline, step }
    }

    /// White space before the first thing on the line of this octet.
    fn indent_of(&self, text: &str, at: usize) -> String {
        let line = text[..at].rfind('\n').map_or(0, |line| line + 1);
        let spaces = text[line..].chars().take_while(|character| matches!(character, ' ' | '\t'));
        if self.step.is_some() { spaces.collect() } else { String::new() }
    }

    /// A value; lists have a space after each comma if names have one after each colon.
    fn value(&self, value: &Value) -> String {
        match value {
            Value::Array(items) if self.colon.ends_with(' ') => {
                let items: Vec<String> = items.iter().map(Value::to_string).collect();
                format!("[{}]", items.join(", "))
            }
            other => other.to_string(),
        }
    }

    /// Objects around a value, one for each name; `outer` is the indent of the line they begin on.
    fn nested(&self, path: &[&str], value: &Value, outer: &str) -> String {
        let Some((name, inner)) = path.split_first() else {
            return self.value(value);
        };
        match &self.step {
            Some(step) => {
                let (indent, newline) = (format!("{outer}{step}"), self.newline);
                let value = self.nested(inner, value, &indent);
                format!("{{{newline}{indent}{}{}{value}{newline}{outer}}}", quote(name), self.colon)
            }
            None => format!("{{{}{}{}}}", quote(name), self.colon, self.nested(inner, value, "")),
        }
    }
}

#[cfg(test)]
mod tests;
