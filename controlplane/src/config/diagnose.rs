//! What is wrong with a configuration, said so that it can be put right: where, which key, and what to write instead.

use super::{
    keys,
    places::{Places, Position, position},
    setting::is_secret,
};
use crate::upstreams::ServersError;
use serde_json::Value;
use std::{
    fmt, io,
    path::{Path, PathBuf},
};

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file or its folder does not let us read it.
    #[error("cannot read configuration `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No file was named, and none is in the usual places.
    #[error("no configuration found; looked for {tried}. Name one with --config FILE; it is created if it is missing")]
    NowhereFound {
        /// The usual places.
        tried: String,
    },
    /// Nothing in the file.
    #[error("configuration `{}` is empty; write `{{}}` for all defaults, or delete it to have one created", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Bytes that are no text.
    #[error("configuration `{}` is not UTF-8 text: octet {offset} is the first that is not", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// Where the text stops.
        offset: usize,
    },
    /// Not JSON.
    #[error("{}:{}:{}: not valid JSON: {reason}{excerpt}", path.display(), position.line, position.column)]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where it stops being JSON.
        position: Position,
        /// In which way.
        reason: String,
        /// The line with a caret below it.
        excerpt: Excerpt,
    },
    /// JSON, but some keys have values that do not do.
    #[error("{}", listed(path, problems))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong, in the order of the file.
        problems: Vec<Problem>,
    },
    /// The list of upstream servers belongs to the configuration.
    #[error(transparent)]
    Servers(#[from] ServersError),
    /// The file of defaults could not be written.
    #[error("cannot create configuration `{}`", path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl ConfigError {
    /// What is wrong, without where: for those who have not written a file but asked for a change.
    pub(crate) fn sentences(&self) -> String {
        match self {
            Self::Invalid { problems, .. } => {
                let sentence = |problem: &Problem| format!("`{}` {}", problem.key, problem.why);
                problems.iter().map(sentence).collect::<Vec<_>>().join("; ")
            }
            other => match std::error::Error::source(other) {
                Some(cause) => format!("{other}: {cause}"),
                None => other.to_string(),
            },
        }
    }
}

/// One key whose value does not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key, with the objects it stands in: `log.log_dir`.
    pub key: String,
    /// What is wrong; completes the sentence that begins with the key.
    pub why: String,
    /// Where the value begins, if the key is in the file.
    pub position: Option<Position>,
    /// The line with a caret below it.
    pub excerpt: Excerpt,
}

/// A line of the file with a caret below the place that matters; shown on lines of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Excerpt(Option<(String, usize)>);

/// The text of a configuration, for whoever complains about it.
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) text: String,
    pub(super) places: Places,
}

impl Source {
    /// A complaint about a key.
    pub(super) fn problem(&self, key: &str, why: String) -> Problem {
        let position = self.places.offset(key).map(|offset| position(&self.text, offset));
        // A token may stand on a line of its own.
        let shown = position.filter(|_| !is_secret(key));
        let excerpt = shown.map(|position| Excerpt::of(&self.text, position)).unwrap_or_default();
        Problem { key: key.to_owned(), why, position, excerpt }
    }

    /// File and line, for a warning.
    pub(super) fn line(&self, offset: Option<usize>) -> String {
        match offset {
            Some(offset) => format!("{}:{}", self.path.display(), position(&self.text, offset).line),
            None => self.path.display().to_string(),
        }
    }
}

/// What the serde error about `value` means to the person who wrote it, and what they should write.
pub(super) fn wrong_type(key: &str, value: Option<&Value>, error: &str) -> String {
    let expected = error.rsplit_once("expected ").map_or("", |(_, expected)| expected);
    let shown = value.filter(|_| !is_secret(key)).map(Value::to_string).filter(|shown| shown.len() <= 60);
    let wants = match expected {
        "a string" => "text in quotes",
        "a boolean" => "true or false",
        "i64" if matches!(value, Some(Value::Number(_))) => "a whole number, without a decimal point",
        "i64" => "a whole number",
        "f64" => "a number",
        "a sequence" => "a list in brackets",
        _ if expected.starts_with("struct ") => "an object in braces",
        _ => return format!("has a value that does not do: {error}"),
    };
    let instead = shown.as_deref().zip(value).and_then(|(shown, value)| match (expected, value) {
        ("a string", Value::Number(_) | Value::Bool(_)) => Some(format!("\"{shown}\"")),
        ("a boolean" | "i64" | "f64", Value::String(text)) => {
            let right: Value = serde_json::from_str(&text.to_ascii_lowercase()).ok()?;
            let fits = match expected {
                "a boolean" => right.is_boolean(),
                "i64" => right.is_i64(),
                _ => right.is_number(),
            };
            fits.then(|| right.to_string())
        }
        ("i64", Value::Number(number)) => {
            number.as_f64().filter(|whole| whole.fract() == 0.0).map(|whole| whole.to_string())
        }
        ("a sequence", Value::String(_)) => Some(format!("[{shown}]")),
        _ => None,
    });
    let found = shown.map(|shown| format!(", not {shown}")).unwrap_or_default();
    match instead {
        Some(instead) => format!("must be {wants}: write {instead}{found}"),
        None => format!("must be {wants}{found}"),
    }
}

/// A serde_json complaint without its position, and with a hint where the cause usually lies elsewhere.
pub(super) fn syntax(path: &Path, text: &str, error: &serde_json::Error) -> ConfigError {
    let full = error.to_string();
    let reason = full.split(" at line ").next().unwrap_or(&full);
    let hint = match reason {
        "expected `,` or `}`" | "expected `,` or `]`" => " (is a comma or a bracket missing before this?)",
        "trailing comma" => " (no comma after the last entry)",
        "key must be a string" => " (keys stand in double quotes; comments are keys that begin with \"//\")",
        _ if error.is_eof() => " (is a closing brace or quote missing?)",
        _ => "",
    };
    // serde_json counts octets; people count characters.
    let line_start = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum::<usize>();
    let position = position(text, (line_start + error.column().saturating_sub(1)).min(text.len()));
    let excerpt = Excerpt::of(text, position);
    ConfigError::Syntax { path: path.to_owned(), position, reason: format!("{reason}{hint}"), excerpt }
}

impl Excerpt {
    fn of(text: &str, position: Position) -> Self {
        let line = text.lines().nth(position.line - 1).unwrap_or_default();
        let before = text.lines().take(position.line - 1).filter(|line| !line.trim().is_empty()).last();
        // A line with a token in it is not for logs, and one after the token's name may be one.
        let secret = may_hold_secret(line) || before.is_some_and(may_hold_secret);
        let hidden = secret || line.chars().count() > 160;
        Self((!hidden).then(|| (line.replace('\t', " "), position.column)))
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some((line, column)) => write!(f, "\n  | {line}\n  | {:>column$}", '^'),
            None => Ok(()),
        }
    }
}

/// Whether some word on this line names a token, be it misspelt.
fn may_hold_secret(line: &str) -> bool {
    let names_secret = |word: &str| is_secret(word) || keys::nearest(word).is_some_and(|key| is_secret(&key));
    let address_with_login = line.split_once("://").is_some_and(|(_, rest)| rest.contains('@'));
    address_with_login || line.trim_end().ends_with(':') || line.split('"').any(names_secret)
}

fn listed(path: &Path, problems: &[Problem]) -> String {
    let sentence = |problem: &Problem| {
        let place = problem.position.map(|at| format!(":{}:{}", at.line, at.column)).unwrap_or_default();
        format!("{}{place}: `{}` {}{}", path.display(), problem.key, problem.why, problem.excerpt)
    };
    problems.iter().map(sentence).collect::<Vec<_>>().join("\n")
}
