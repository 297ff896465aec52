//! How a source stands: what people are told of it.

use super::{Fault, Faults};
use crate::record::Time;
use serde::Serialize;
use std::fmt;

/// Faults that are shown; the others are counted.
const SHOWN: usize = 100;

/// How a source that is only read stands.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// Its name in the configuration.
    pub(crate) kind: &'static str,
    /// What it is, in words.
    pub(crate) what: String,
    /// When what it says was last known to be what we hold, in milliseconds since 1970; `None`: it was never read.
    pub(crate) read_at: Option<u64>,
    /// When it was last asked, likewise.
    pub(crate) checked_at: Option<u64>,
    /// Which version of it we hold.
    pub(crate) version: String,
    /// Why it could not be read the last time; empty if it could.
    pub(crate) problem: String,
    /// What in it cannot be used.
    pub(crate) faults: Faults,
    /// There are records to be served: its own, or those of what was read before it.
    pub(crate) known: bool,
}

/// The same as a document.
#[derive(Debug, Serialize)]
pub struct SourceStatus {
    r#type: &'static str,
    what: String,
    read_only: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    read_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    age_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checked_at: Option<String>,
    version: String,
    records: usize,
    problem: String,
    fault_count: u64,
    faults: Vec<Fault>,
}

impl Standing {
    /// For status, at this moment, with so many records held.
    pub fn status(&self, now: u64, records: usize) -> SourceStatus {
        SourceStatus {
            r#type: self.kind,
            what: self.what.clone(),
            read_only: true,
            read_at: self.read_at.map(|at| Time::at(at).to_string()),
            age_seconds: self.read_at.map(|at| now.saturating_sub(at) / 1000),
            checked_at: self.checked_at.map(|at| Time::at(at).to_string()),
            version: self.version.clone(),
            records,
            problem: self.sentence(now),
            fault_count: self.faults.count(),
            faults: self.faults.first().iter().take(SHOWN).cloned().collect(),
        }
    }

    /// What is wrong, and what is served all the same; empty if nothing is.
    pub fn sentence(&self, now: u64) -> String {
        let problem = match (self.problem.as_str(), self.read_at) {
            ("", Some(_)) => return String::new(),
            ("", None) => format!("{} was not read yet", self.what),
            (problem, _) => problem.to_owned(),
        };
        match (self.read_at, self.known) {
            (Some(at), _) => format!("{problem}; what it said {} ago is served", Ago(now.saturating_sub(at) / 1000)),
            (None, true) => format!("{problem}; what is served is from before it was configured"),
            (None, false) => {
                format!("{problem}; data planes are told of no records until it is, so that they keep what they have")
            }
        }
    }

    /// What there is to say of its faults, in one sentence; `None` if there are none.
    pub fn about_faults(&self) -> Option<String> {
        let first = self.faults.first().first()?;
        Some(match self.faults.count() {
            1 => format!("{}: {first}", self.what),
            count => format!("{}: {count} faults, the first: {first}", self.what),
        })
    }
}

impl SourceStatus {
    /// Of the records file, which is written as well.
    pub(crate) fn of_file(path: &std::path::Path, read_only: bool, records: usize, problem: String) -> Self {
        Self {
            r#type: "file",
            what: format!("the records file `{}`", path.display()),
            read_only,
            read_at: None,
            age_seconds: None,
            checked_at: None,
            version: String::new(),
            records,
            problem,
            fault_count: 0,
            faults: Vec::new(),
        }
    }
}

/// Seconds, as people say them.
pub(crate) struct Ago(pub(crate) u64);

impl fmt::Display for Ago {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, unit) = match self.0 {
            seconds @ 0..120 => (seconds, "second"),
            seconds @ 120..7_200 => (seconds / 60, "minute"),
            seconds @ 7_200..172_800 => (seconds / 3_600, "hour"),
            seconds => (seconds / 86_400, "day"),
        };
        write!(f, "{count} {unit}{}", if count == 1 { "" } else { "s" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_what_is_served_all_the_same() {
        let mut standing = Standing { what: "the URL `u`".to_owned(), ..Standing::default() };
        assert!(standing.sentence(0).contains("was not read yet; data planes are told of no records"));
        standing.problem = "cannot read the URL `u`".to_owned();
        standing.known = true;
        assert!(standing.sentence(0).ends_with("what is served is from before it was configured"));
        standing.read_at = Some(1_000);
        assert_eq!(standing.sentence(301_000), "cannot read the URL `u`; what it said 5 minutes ago is served");
        standing.problem.clear();
        assert_eq!(standing.sentence(301_000), "");
    }

    #[test]
    fn time_that_has_gone_by_is_said_in_the_unit_that_fits() {
        for (seconds, text) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (119, "119 seconds"),
            (120, "2 minutes"),
            (7_200, "2 hours"),
            (200_000, "2 days"),
        ] {
            assert_eq!(Ago(seconds).to_string(), text);
        }
    }
}
