//! What was said by hand: names that are blocked or let through, lists that were loaded, a pause. Kept in `adblock.json`
//! beside the configuration, on disk before whoever said it is told so.

use super::{key, names::Names};
use crate::aside;
use dnsplane_proto::block_list::Scope;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

/// The name of the file.
const FILE_NAME: &str = "adblock.json";
/// Names added by hand, of each kind. Whoever has more has a list.
const MOST_NAMES: usize = 100_000;

/// What was said by hand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Own {
    pub(super) blocked: Entries,
    pub(super) allowed: Entries,
    /// Lists that were loaded, as they were written.
    pub(super) sources: Vec<String>,
    /// Seconds since 1970; until then nothing is blocked.
    pub(super) paused_until: u64,
}

/// Names of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entries {
    keys: BTreeSet<Box<[u8]>>,
    /// The same, as they are merged.
    pub(super) names: Arc<Names>,
}

impl Entries {
    /// Adds and takes out keys; returns how many of them made a difference.
    fn change(&mut self, keys: &[Vec<u8>], change: impl Fn(&mut BTreeSet<Box<[u8]>>, &[u8]) -> bool) -> usize {
        let changed = keys.iter().filter(|key| change(&mut self.keys, key)).count();
        if changed > 0 {
            self.names = Arc::new(self.keys.iter().collect());
        }
        changed
    }

    pub(super) fn add(&mut self, keys: &[Vec<u8>]) -> Result<usize, String> {
        let added = self.change(keys, |all, key| all.insert(key.into()));
        if self.keys.len() <= MOST_NAMES {
            return Ok(added);
        }
        Err(format!(
            "more than {MOST_NAMES} names cannot be kept by hand; write them to a file and load that as a list"
        ))
    }

    pub(super) fn remove(&mut self, keys: &[Vec<u8>]) -> usize {
        self.change(keys, |all, key| all.remove(key))
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.keys.iter().map(|key| &**key)
    }
}

/// The key of a name written by hand: `ads.example`, or `*.ads.example` for what is below it.
pub(super) fn key_of(text: &str) -> Result<Vec<u8>, String> {
    let text = text.trim();
    let (name, scope) = text.strip_prefix("*.").map_or((text, Scope::Whole), |name| (name, Scope::Below));
    let mut key = Vec::new();
    match key::write(name.as_bytes(), scope, &mut key) {
        Ok(()) => Ok(key),
        Err(why) => {
            Err(format!("`{text}` is {why}; write a name such as ads.example, or *.ads.example for what is below it"))
        }
    }
}

/// The file as it is written.
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct Written {
    domains: Vec<String>,
    allowed: Vec<String>,
    sources: Vec<String>,
    paused_until: u64,
}

/// Where it is kept.
#[derive(Clone, Debug)]
pub(super) struct Place(PathBuf);

impl Place {
    pub(super) fn beside(folder: &Path) -> Self {
        Self(folder.join(FILE_NAME))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// What is there, and what of it cannot be read: while that is so nothing may be written over it.
    pub(super) fn read(&self) -> (Own, Option<String>) {
        aside::sweep(&self.0);
        let written = match std::fs::read(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return (Own::default(), None),
            Err(error) => Err(error.to_string()),
            Ok(octets) => serde_json::from_slice::<Written>(&octets).map_err(|error| error.to_string()),
        };
        match written.map(Own::of) {
            Ok((own, None)) => (own, None),
            Ok((own, Some(why))) => (own, Some(self.cannot_read(&why))),
            Err(why) => (Own::default(), Some(self.cannot_read(&why))),
        }
    }

    fn cannot_read(&self, why: &str) -> String {
        format!("{} cannot be read: {why}; mend it, or take it away, and restart dnsplane-cluster", self.0.display())
    }

    /// Replaces it; on disk when this returns.
    pub(super) fn write(&self, own: &Own) -> io::Result<()> {
        let mut file = aside::create(&self.0)?; // mode 0600
        let mut text = serde_json::to_vec_pretty(&own.written())?;
        text.push(b'\n');
        file.write_all(&text)?;
        file.as_file().sync_all()?;
        file.persist(&self.0)?;
        File::open(self.0.parent().unwrap_or(Path::new("/")))?.sync_all()
    }
}

impl Own {
    /// Everything that can be understood, and the first thing that cannot.
    fn of(written: Written) -> (Self, Option<String>) {
        let mut odd = None;
        let mut entries = |names: &[String]| {
            let mut keys = Vec::new();
            for name in names {
                match key_of(name) {
                    Ok(key) => keys.push(key),
                    Err(why) => {
                        odd.get_or_insert(why);
                    }
                }
            }
            let mut entries = Entries::default();
            if let Err(why) = entries.add(&keys) {
                odd.get_or_insert(why);
            }
            entries
        };
        let (blocked, allowed) = (entries(&written.domains), entries(&written.allowed));
        (Self { blocked, allowed, sources: written.sources, paused_until: written.paused_until }, odd)
    }

    /// Whether no name was said.
    pub(super) fn is_silent(&self) -> bool {
        self.blocked.names.len() + self.allowed.names.len() == 0
    }

    fn written(&self) -> Written {
        let texts = |entries: &Entries| {
            let mut texts: Vec<_> = entries.iter().map(key::text).collect();
            texts.sort_unstable();
            texts
        };
        Written {
            domains: texts(&self.blocked),
            allowed: texts(&self.allowed),
            sources: self.sources.clone(),
            paused_until: self.paused_until,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::beside(folder.path());
        assert_eq!(place.read(), (Own::default(), None), "no file, nothing said");
        let mut own = Own { sources: vec!["allow:x".to_owned()], paused_until: 7, ..Own::default() };
        let keys = ["b.example", "*.A.example."].map(|text| key_of(text).unwrap());
        assert_eq!((own.blocked.add(&keys), own.blocked.add(&keys)), (Ok(2), Ok(0)));
        assert_eq!(own.allowed.add(&keys[..1]), Ok(1));
        place.write(&own).unwrap();
        assert_eq!(place.read(), (own.clone(), None));
        let text = std::fs::read_to_string(place.path()).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let expected = serde_json::json!({"domains": ["*.a.example", "b.example"], "allowed": ["b.example"], "sources": ["allow:x"], "paused_until": 7});
        assert_eq!(value, expected);
        assert_eq!(own.blocked.remove(&keys[1..]), 1);
        assert_eq!(own.blocked.iter().collect::<Vec<_>>(), [&keys[0]]);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_said_and_what_can_be_read_of_it_counts() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::beside(folder.path());
        std::fs::write(place.path(), r#"{"domains": ["a.example", "b c"], "colour": 1}"#).unwrap();
        let (own, why) = place.read();
        assert_eq!(own.blocked.names.len(), 1);
        assert!(why.is_some_and(|why| why.contains("adblock.json") && why.contains("`b c`")));
        std::fs::write(place.path(), "{").unwrap();
        assert!(place.read().1.is_some());
    }

    #[test]
    fn names_are_bounded() {
        let keys: Vec<_> = (0..=MOST_NAMES).map(|number| key_of(&format!("n{number}.example")).unwrap()).collect();
        assert!(Entries::default().add(&keys[1..]).is_ok() && Entries::default().add(&keys).is_err());
    }
}
