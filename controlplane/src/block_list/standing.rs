//! What is shown of all lists: to status, to whoever asks why a name is blocked, and to whoever wants all names.

use super::{
    BY_HAND, key,
    list::{Origin, Shown},
    merge::{Part, Union},
    names::{Gathering, Names},
    own::{self, Own},
};
use crate::record::Time;
use dnsplane_proto::block_list::Scope;
use serde::Serialize;
use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

/// Everything that is known, at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Standing {
    pub(super) own: Own,
    /// Why nothing can be changed by hand.
    pub(super) problem: Option<String>,
    pub(super) lists: Vec<Shown>,
    /// Names that are on some list, as they were merged last.
    pub(super) listed: usize,
}

/// All lists and how they are; the names of keys that existing nodes have are theirs.
#[derive(Clone, Debug, Serialize)]
pub struct Sources {
    /// What was added by hand, if anything was, then the lists in their order.
    pub sources: Vec<Source>,
    /// Names that are on some list or added by hand, each once.
    pub count: usize,
    /// Until when nothing is blocked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused_until: Option<String>,
    /// Why nothing can be changed by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// One list.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Source {
    /// As it was written.
    pub source: String,
    /// Names that it blocks; in an allow list, that it lets through.
    pub count: usize,
    /// It is an allow list.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub allow: bool,
    /// `configuration`, `loaded` or `hand`.
    pub from: &'static str,
    /// Names that it lets through beside those that it blocks.
    #[serde(skip_serializing_if = "is_zero")]
    pub exceptions: usize,
    /// Lines that say nothing that could be used.
    #[serde(skip_serializing_if = "is_zero_lines")]
    pub skipped: u64,
    /// The first of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_skipped: Option<String>,
    /// When what it says was fetched, or written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated: Option<String>,
    /// Why it could not be read when that was tried last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What lists say of a name.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// The name.
    pub name: String,
    /// Whether it is blocked, a pause aside.
    pub blocked: bool,
    /// Who blocks it.
    pub blocked_by: Vec<Says>,
    /// Who lets it through.
    pub allowed_by: Vec<Says>,
    /// Until when nothing is blocked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused_until: Option<String>,
}

/// One entry of one list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Says {
    /// The list.
    pub source: String,
    /// The name that it has: the one asked for, or one above it.
    pub entry: String,
}

/// Names in the order of the alphabet.
pub struct Domains(Names);

impl Domains {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Calls `each` with every name while that is true.
    pub fn each(&self, mut each: impl FnMut(&str) -> bool) {
        let mut names = self.0.cursor();
        while names.advance() && each(&String::from_utf8_lossy(names.key())) {}
    }
}

impl Standing {
    /// What was added by hand, then the lists.
    pub(super) fn parts(&self) -> Vec<Part> {
        let (blocked, allowed) = (self.own.blocked.names.clone(), self.own.allowed.names.clone());
        let by_hand = Part { source: BY_HAND.into(), blocked, allowed };
        let settled = self.lists.iter().filter(|list| list.origin != Origin::Candidate);
        std::iter::once(by_hand).chain(settled.map(Shown::part)).collect()
    }

    /// Names that are on some list or added by hand.
    pub(super) fn count(&self) -> usize {
        let listed = |key: &&[u8]| self.lists.iter().any(|list| list.blocked.contains(key));
        self.listed + self.own.blocked.iter().filter(|key| !listed(key)).count()
    }

    pub(super) fn sources(&self) -> Sources {
        let own = &self.own;
        let by_hand = (!own.is_silent()).then(|| Source {
            source: BY_HAND.to_owned(),
            count: own.blocked.names.len(),
            allow: false,
            from: "hand",
            exceptions: own.allowed.names.len(),
            skipped: 0,
            first_skipped: None,
            updated: None,
            error: None,
        });
        let lists = self.lists.iter().filter(|list| list.origin != Origin::Candidate).map(source);
        Sources {
            sources: by_hand.into_iter().chain(lists).collect(),
            count: self.count(),
            paused_until: self.paused_until(),
            problem: self.problem.clone(),
        }
    }

    /// Until when nothing is blocked.
    pub(super) fn paused_until(&self) -> Option<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let until = self.own.paused_until;
        (until > now).then(|| Time::at(until.saturating_mul(1000)).as_str().to_owned())
    }

    pub(super) fn explain(&self, name: &str) -> Result<Explanation, String> {
        let name = name.trim();
        let key = own::key_of(name)?;
        if key::split(&key).1 == Scope::Below {
            return Err(format!("`{name}` is many names; ask about one of them"));
        }
        let parts = self.parts();
        let blocked_by = who_has(&parts, &key, |part| &part.blocked);
        let allowed_by = who_has(&parts, &key, |part| &part.allowed);
        let blocked = allowed_by.is_empty() && !blocked_by.is_empty();
        Ok(Explanation { name: key::text(&key), blocked, blocked_by, allowed_by, paused_until: self.paused_until() })
    }

    pub(super) fn allowed(&self) -> Vec<String> {
        let mut names: Vec<_> = self.own.allowed.iter().map(key::text).collect();
        names.sort_unstable();
        names
    }

    pub(super) fn domains(&self, filter: &str) -> Domains {
        let filter = filter.trim().to_ascii_lowercase();
        let parts = self.parts();
        let mut names = Union::of(parts.iter().map(|part| &*part.blocked));
        let mut texts = Gathering::default();
        while names.advance() {
            let text = key::text(names.key());
            if text.contains(&filter) {
                texts.push(text.as_bytes());
            }
        }
        Domains(texts.sorted())
    }
}

/// The entries that cover a name, those nearest to the root first.
fn who_has(parts: &[Part], key: &[u8], names: impl Fn(&Part) -> &Arc<Names>) -> Vec<Says> {
    let mut found = Vec::new();
    for covering in key::covering(key) {
        for part in parts.iter().filter(|part| names(part).contains(&covering)) {
            found.push(Says { source: part.source.to_string(), entry: key::text(&covering) });
        }
    }
    found
}

fn source(list: &Shown) -> Source {
    let allow = list.entry.allow;
    Source {
        source: list.entry.text.to_string(),
        count: if allow { list.allowed.len() } else { list.blocked.len() },
        allow,
        from: if list.origin == Origin::Configured { "configuration" } else { "loaded" },
        exceptions: if allow { 0 } else { list.allowed.len() },
        skipped: list.skipped,
        first_skipped: list.first_skipped.map(|(line, why)| format!("line {line}: {why}")),
        updated: list.updated.map(moment),
        error: list.error.clone(),
    }
}

fn moment(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    Time::at(u64::try_from(since.as_millis()).unwrap_or(u64::MAX)).as_str().to_owned()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero_lines(count: &u64) -> bool {
    *count == 0
}
