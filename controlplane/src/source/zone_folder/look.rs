//! One zone file, looked at: read with what it includes, and judged as a whole.

use super::{
    below::{Below, Unreadable},
    chosen::{self, Zone},
    kept::Copy,
};
use crate::{
    source::{Fault, Faults},
    stamp::Stamp,
    zone_file::{self, Changes, Files, Marks, Parsed, Start},
};
use dnsplane_proto::Name;
use std::path::{Path, PathBuf};

/// Octets of a file and what it includes, each file as often as that is done.
const MOST_OCTETS: usize = 512 << 20;

/// How the files of a zone were when they were looked at.
pub(super) type Stamps = Vec<(PathBuf, Option<Stamp>)>;

/// What was seen.
pub(super) struct Look {
    pub(super) stamps: Stamps,
    /// What is wrong with it. Of a good one: what is left out.
    pub(super) faults: Faults,
    pub(super) good: Option<Good>,
}

/// A zone file that a server of zones would take.
pub(super) struct Good {
    pub(super) copy: Copy,
    pub(super) zones: Vec<Name>,
    pub(super) marks: Marks,
    pub(super) records: Records,
}

/// What it says.
pub(super) enum Records {
    All(Vec<crate::record::Record>),
    /// What turns the records of the version before into those of this one.
    Changed(Changes),
}

/// The version before: its text, and what its reading left for this one.
pub(super) struct Before<'b> {
    pub(super) copy: Copy,
    pub(super) marks: &'b Marks,
    pub(super) zones: &'b [Name],
}

/// Reads a file; if it is told the version before, and little has changed since then, only what changed.
pub(super) fn look(below: &Below, directory: &Path, path: &Path, zone: &Zone, before: Option<Before<'_>>) -> Look {
    let found = match below.read(path) {
        Ok(found) => found,
        Err(Unreadable { line, why }) => {
            let mut faults = Faults::default();
            faults.add(fault(path, line, why));
            return Look { stamps: vec![(path.to_owned(), None)], faults, good: None };
        }
    };
    let origin = match zone {
        Zone::Named(name) => Some(name.clone()),
        Zone::Perhaps(name) => chosen::from_text(&found.text).or_else(|| name.clone()),
    };
    let start = start(origin.clone());
    let mut stamps = vec![(path.to_owned(), found.stamp)];
    let known = before.filter(|before| before.copy.origin == origin && before.copy.texts.len() == 1);
    let changes = known.as_ref().and_then(|before| {
        let changes = zone_file::changes(before.copy.main().1, &found.text, before.marks, &start)?;
        Some((changes, before.zones.to_vec()))
    });
    if let Some((mut changes, zones)) = changes {
        let copy = Copy { origin, texts: vec![(path.to_owned(), found.text)], includes: Vec::new() };
        let marks = std::mem::take(&mut changes.marks);
        let good = Good { copy, zones, marks, records: Records::Changed(changes) };
        return Look { stamps, faults: Faults::default(), good: Some(good) };
    }
    let mut files = Live {
        below,
        directory,
        octets: found.text.len(),
        texts: Vec::new(),
        includes: Vec::new(),
        stamps: Vec::new(),
    };
    let parsed = zone_file::parse(path, &found.text, &start, &mut files);
    stamps.append(&mut files.stamps);
    let mut texts = vec![(path.to_owned(), found.text)];
    texts.append(&mut files.texts);
    let copy = Copy { origin, texts, includes: files.includes };
    let Parsed { records, mut faults, left_out, zones, marks, .. } = parsed;
    match zone {
        _ if faults.count() > 0 => {}
        _ if zones.is_empty() => faults.add(fault(path, 0, "has no SOA record, so that it is no zone".to_owned())),
        Zone::Named(name) if !zones.contains(name) => {
            faults.add(fault(path, 0, format!("is for the zone {name}, and has no SOA record of it")));
        }
        _ => {
            let good = Good { copy, zones, marks, records: Records::All(records) };
            return Look { stamps, faults: left_out, good: Some(good) };
        }
    }
    Look { stamps, faults, good: None }
}

/// Reads a version that was good.
pub(super) fn again(copy: &Copy) -> Parsed {
    let (path, text) = copy.main();
    zone_file::parse(path, text, &start(copy.origin.clone()), &mut &*copy)
}

pub(super) fn fault(path: &Path, line: u64, what: String) -> Fault {
    Fault { file: path.display().to_string(), line, what }
}

fn start(origin: Option<Name>) -> Start {
    Start { origin, one_zone: true, ..Start::default() }
}

/// Files below the folder, as they are now.
struct Live<'l> {
    below: &'l Below,
    directory: &'l Path,
    octets: usize,
    texts: Vec<(PathBuf, Vec<u8>)>,
    includes: Vec<(PathBuf, String, usize)>,
    stamps: Stamps,
}

impl Files for Live<'_> {
    /// Relative to the folder, as BIND has it, or to the file that includes it.
    fn include(&mut self, from: &Path, name: &str) -> Result<(PathBuf, Vec<u8>), String> {
        let beside = from.parent().unwrap_or(Path::new("")).join(name);
        let found = self.below.read(&self.directory.join(name)).or_else(|first| {
            self.below
                .read(&beside)
                .map_err(|second| if second.why.starts_with("cannot be read") { first } else { second })
        });
        let found = match found {
            Ok(found) => found,
            Err(Unreadable { line, why }) => {
                // It may be there the next time.
                self.stamps.push((beside, None));
                return Err(if line == 0 { why } else { format!("has a line, {line}, that {why}") });
            }
        };
        self.octets += found.text.len();
        if self.octets > MOST_OCTETS {
            return Err(format!("makes it more than {} MiB", MOST_OCTETS >> 20));
        }
        let known = self.texts.iter().position(|(path, _)| *path == found.path);
        let at = known.unwrap_or_else(|| {
            self.stamps.push((found.path.clone(), found.stamp));
            self.texts.push((found.path.clone(), found.text.clone()));
            self.texts.len() - 1
        });
        // The file itself comes first.
        self.includes.push((from.to_owned(), name.to_owned(), at + 1));
        Ok((found.path, found.text))
    }
}
