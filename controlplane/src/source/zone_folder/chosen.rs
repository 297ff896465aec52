//! Which files of a folder are zones, and of which names.

use super::{below::Below, named_conf};
use crate::{
    config::ZoneFiles,
    source::{Fault, Faults, SourceError},
};
use dnsplane_proto::Name;
use glob::{MatchOptions, Pattern};
use std::{
    collections::{BTreeMap, HashSet},
    fs, io,
    path::{Path, PathBuf},
};

/// Files of zones, and folders below each other. Far above what any server has.
const MOST_FILES: usize = 100_000;
const MOST_DEPTH: usize = 32;
/// What files of zones are called besides the zone.
const ENDINGS: [&str; 4] = [".db", ".zone", ".hosts", ".dns"];
const BEGINNINGS: [&str; 2] = ["db.", "named."];

/// Files below the folder, by their path there: later ones win. With what is known of each zone.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    pub(super) files: BTreeMap<PathBuf, Zone>,
    /// Where `$INCLUDE` looks for a file first.
    pub(super) directory: PathBuf,
    pub(super) faults: Faults,
}

/// What is known of the zone of a file before it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Zone {
    /// `named.conf` says so.
    Named(Name),
    /// The name of the file may say so.
    Perhaps(Option<Name>),
}

/// Looks which files there are. A folder without any is refused: whoever serves zones from it lost it.
pub(super) fn choose(below: &Below, zones: &ZoneFiles, shown: &str) -> Result<Chosen, SourceError> {
    let chosen = match &zones.named_conf {
        Some(conf) => from_named_conf(below, conf, shown)?,
        None => from_patterns(below, &zones.include, shown)?,
    };
    if chosen.files.is_empty() {
        let why = match &zones.named_conf {
            Some(conf) => {
                format!("`{}` names no zone of the type primary with a file below the folder", conf.display())
            }
            None => format!("no file there has a name like {}", patterns(&zones.include)),
        };
        return Err(SourceError(format!("there is no zone in {shown}: {why}")));
    }
    Ok(chosen)
}

fn patterns(include: &[Pattern]) -> String {
    include.iter().map(|pattern| format!("`{pattern}`")).collect::<Vec<_>>().join(" or ")
}

/// A pattern without `/` is about the name of a file, wherever it lies below the folder; one with is about its path there.
fn from_patterns(below: &Below, include: &[Pattern], shown: &str) -> Result<Chosen, SourceError> {
    let options = MatchOptions { require_literal_separator: true, ..MatchOptions::new() };
    let mut chosen = Chosen::default();
    let mut folders = vec![(PathBuf::new(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let cannot = |error: io::Error| {
            SourceError(format!("cannot read folder `{}` of {shown}: {error}", below.root().join(&folder).display()))
        };
        for entry in fs::read_dir(below.root().join(&folder)).map_err(cannot)? {
            let entry = entry.map_err(cannot)?;
            let name = entry.file_name();
            let path = folder.join(&name);
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let hidden = name.as_encoded_bytes().starts_with(b".");
            let matches = |pattern: &Pattern| match pattern.as_str().contains('/') {
                true => pattern.matches_path_with(&path, options),
                false => pattern.matches_with(&name.to_string_lossy(), options),
            };
            match is_folder {
                _ if hidden => {}
                true if depth < MOST_DEPTH => folders.push((path, depth + 1)),
                false if include.iter().any(matches) => {
                    let zone = Zone::Perhaps(from_file_name(&path));
                    chosen.files.insert(path, zone);
                }
                _ => {}
            }
        }
        if chosen.files.len() > MOST_FILES || folders.len() > MOST_FILES {
            return Err(SourceError(format!("{shown} has more than {MOST_FILES} files or folders")));
        }
    }
    Ok(chosen)
}

fn from_named_conf(below: &Below, conf: &Path, shown: &str) -> Result<Chosen, SourceError> {
    let unusable = |why: String| SourceError(format!("cannot use `{}` of {shown}: {why}", conf.display()));
    // The file itself is the operator's word; what it includes may be somebody else's.
    let place = below.root().join(conf);
    let text = fs::read(&place).map_err(|error| unusable(error.to_string()))?;
    let home = place.parent().unwrap_or(below.root()).to_owned();
    let include = |name: &str| {
        let found = below.read(&home.join(name)).map_err(|unreadable| unreadable.why)?;
        Ok((found.path, found.text))
    };
    let said = named_conf::read(conf, &text, &include).map_err(|bad| unusable(bad.to_string()))?;
    // A folder that was copied from a server still has that server's paths: ours stands for its.
    let directory = said.directory.map(|directory| home.join(directory)).and_then(|path| path.canonicalize().ok());
    let directory = directory.filter(|path| path.starts_with(below.root()));
    let home = home.canonicalize().ok().filter(|path| path.starts_with(below.root()));
    let directory = directory.or(home).unwrap_or_else(|| below.root().to_owned());
    let mut chosen = Chosen { directory: directory.clone(), ..Chosen::default() };
    let mut names = HashSet::new();
    for named_conf::Zone { name, file, place: (conf, line) } in said.zones {
        let mut refuse = |what: String| chosen.faults.add(Fault { file: conf.display().to_string(), line, what });
        let path = directory.join(&file);
        let path = path.strip_prefix(below.root()).map(Path::to_owned);
        match path {
            _ if !names.insert(name.clone()) => refuse(format!("zone {name} is here twice; the first is taken")),
            Err(_) => refuse(format!("`{file}` of zone {name} is not below {}", below.root().display())),
            Ok(path) => {
                chosen.files.entry(path).or_insert(Zone::Named(name));
            }
        }
    }
    Ok(chosen)
}

/// `example.com.db`, `db.example.com`, `example.com.zone`: the zone by convention.
fn from_file_name(path: &Path) -> Option<Name> {
    let name = path.file_name()?.to_str()?;
    let name = ENDINGS.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name);
    let name = BEGINNINGS.iter().find_map(|beginning| name.strip_prefix(beginning)).unwrap_or(name);
    let only_numbers = name.bytes().all(|octet| octet.is_ascii_digit() || b".-".contains(&octet));
    Name::parse(name).ok().filter(|_| !only_numbers)
}

/// The zone that a text says at once it is about: its first record is the SOA of an absolute name.
pub(super) fn from_text(text: &[u8]) -> Option<Name> {
    let significant = |line: &&[u8]| {
        let line = line.trim_ascii();
        !(line.is_empty() || line.starts_with(b";") || line.to_ascii_uppercase().starts_with(b"$TTL"))
    };
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let line = text.split(|octet| *octet == b'\n').find(significant)?;
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let owner = (!line[0].is_ascii_whitespace()).then(|| words.next()).flatten()?;
    let is_soa = words.take(3).any(|word| word.eq_ignore_ascii_case(b"SOA"));
    let owner = std::str::from_utf8(owner).ok().filter(|owner| is_soa && owner.ends_with('.'))?;
    Name::parse(owner).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_name_may_say_its_zone() {
        for (file, zone) in [
            ("example.com.db", Some("example.com.")),
            ("sub/db.example.com", Some("example.com.")),
            ("Example.com.zone", Some("example.com.")),
            ("example.com", Some("example.com.")),
            ("db.192.168", None),
            ("127.0.0.zone", None),
            (".db", None),
            ("a b.db", None),
        ] {
            assert_eq!(from_file_name(Path::new(file)).map(|name| name.to_string()).as_deref(), zone, "{file}");
        }
    }

    #[test]
    fn a_text_may_say_its_zone_at_once() {
        for (text, zone) in [
            ("; x\n$TTL 60\n\nExample.com. 60 IN SOA a b 1 2 3 4 5", Some("example.com.")),
            ("example.com. soa a b (", Some("example.com.")),
            ("$ORIGIN a.\nexample.com. SOA a b", None),
            ("@ SOA a b", None),
            (" SOA a b", None),
            ("example.com. A 192.0.2.1", None),
            ("", None),
        ] {
            assert_eq!(from_text(text.as_bytes()).map(|name| name.to_string()).as_deref(), zone, "{text}");
        }
    }

    #[test]
    fn patterns_are_about_names_or_paths() {
        let place = tempfile::tempdir().unwrap();
        for file in ["a.db", "b.zone", "sub/c.db", "sub/deep/d.db", ".hidden.db", ".git/e.db"] {
            fs::create_dir_all(place.path().join(file).parent().unwrap()).unwrap();
            fs::write(place.path().join(file), "").unwrap();
        }
        let below = Below::new(place.path()).unwrap();
        let files = |patterns: &[&str]| {
            let include = patterns.iter().map(|pattern| Pattern::new(pattern).unwrap()).collect();
            let chosen = choose(&below, &ZoneFiles { include, named_conf: None }, "here");
            chosen.map(|chosen| chosen.files.keys().map(|path| path.to_str().unwrap().to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(files(&["*.db"]).unwrap(), ["a.db", "sub/c.db", "sub/deep/d.db"]);
        assert_eq!(files(&["*.zone", "sub/*.db"]).unwrap(), ["b.zone", "sub/c.db"]);
        assert_eq!(files(&["**/deep/*"]).unwrap(), ["sub/deep/d.db"]);
        let none = files(&["*.x"]).unwrap_err().to_string();
        assert_eq!(none, "there is no zone in here: no file there has a name like `*.x`");
    }

    #[test]
    fn named_conf_says_which_files_and_which_zones() {
        let place = tempfile::tempdir().unwrap();
        let conf = "options { directory \"/var/named\"; };\nzone a.test { type master; file \"pri/a\"; };\n\
                    zone b.test { type master; file \"../b\"; };\nzone a.test { type master; file \"other\"; };\n\
                    zone c.test { type master; file \"/etc/passwd\"; };";
        fs::write(place.path().join("named.conf"), conf).unwrap();
        let below = Below::new(place.path()).unwrap();
        let chosen =
            |conf: &str| choose(&below, &ZoneFiles { include: Vec::new(), named_conf: Some(conf.into()) }, "here");
        let found = chosen("named.conf").unwrap();
        let zones: Vec<_> = found.files.iter().map(|(path, zone)| (path.to_str().unwrap(), zone.clone())).collect();
        let named = |name| Zone::Named(Name::parse(name).unwrap());
        // What leads out is found when it is read.
        assert_eq!(zones, [("../b", named("b.test")), ("pri/a", named("a.test"))]);
        let faults: Vec<_> = found.faults.first().iter().map(ToString::to_string).collect();
        assert!(faults[0].starts_with("named.conf, line 4: zone a.test. is here twice"), "{faults:?}");
        assert!(faults[1].starts_with("named.conf, line 5: `/etc/passwd` of zone c.test. is not below"), "{faults:?}");
        assert!(chosen("none.conf").unwrap_err().0.starts_with("cannot use `none.conf` of here: "));
    }
}
