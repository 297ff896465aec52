//! Where records come from: a file of ours, or a place that is only read.

use super::{
    check::Complaints,
    file::{Locations, Source},
    listen::given,
    remote::Remote,
};
use glob::Pattern;
use reqwest::Url;
use std::{
    fmt,
    path::{Component, Path, PathBuf},
    time::Duration,
};

/// What all of these keys are called.
macro_rules! key {
    ($name:literal) => {
        concat!("file_locations.records_source.", $name)
    };
}

/// Seconds between two looks, if the file does not say.
const REFRESH: i64 = 60;
/// Seconds of a day.
const LONGEST: i64 = 24 * 60 * 60;
/// What a Git repository and this node's folder call it.
const DOCUMENT: &str = "dnsrecords.json";
/// Files of zones, if the file does not say.
const ZONES: &str = "*.db";

/// Where records come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordsSource {
    /// `dnsrecords.json`.
    File {
        /// Where it is.
        path: PathBuf,
        /// Records come from it alone: neither local writes nor peers change them.
        read_only: bool,
    },
    /// The document of `dnsrecords.json`, on the web.
    Url {
        /// Where: `http` or `https`.
        url: Remote,
        /// Pause between two questions.
        refresh: Duration,
    },
    /// A commit of a Git repository.
    Git {
        /// What is fetched from.
        repository: Remote,
        /// Which branch; `None` is the one that the repository has checked out.
        branch: Option<String>,
        /// What in it: a document as `dnsrecords.json`, or a folder of zone files. `.` is all of it.
        path: PathBuf,
        /// Which files of a folder.
        zones: ZoneFiles,
        /// Pause between two questions.
        refresh: Duration,
    },
    /// Zone files below a folder.
    BindDir {
        /// The folder.
        folder: PathBuf,
        /// Which files of it.
        zones: ZoneFiles,
        /// Changes are noticed when they happen.
        watch: bool,
        /// Pause between two looks.
        refresh: Duration,
    },
}

/// Which files of a folder are zones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneFiles {
    /// Those of which one of these patterns says so, unless there is a `named_conf`.
    pub include: Vec<Pattern>,
    /// Those that this file of BIND's names. Relative to the folder.
    pub named_conf: Option<PathBuf>,
}

impl RecordsSource {
    /// Its name in the configuration.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::File { .. } => "file",
            Self::Url { .. } => "url",
            Self::Git { .. } => "git",
            Self::BindDir { .. } => "bind_dir",
        }
    }

    /// Keys by which `new` is another source, or one that is read in another way: that takes effect at the next start.
    pub fn at_next_start(&self, new: &Self) -> Vec<&'static str> {
        let changed = match (self, new) {
            (Self::File { path: old, .. }, Self::File { path: new, .. }) => vec![(key!("location"), old != new)],
            (Self::Url { url, refresh }, Self::Url { url: new, refresh: later }) => {
                vec![(key!("location"), url != new), (key!("refresh_interval_seconds"), refresh != later)]
            }
            (
                Self::Git { repository, branch, path, zones, refresh },
                Self::Git { repository: repository2, branch: branch2, path: path2, zones: zones2, refresh: refresh2 },
            ) => vec![
                (key!("location"), repository != repository2),
                (key!("branch"), branch != branch2),
                (key!("path"), path != path2),
                (key!("refresh_interval_seconds"), refresh != refresh2),
                (key!("include_pattern"), zones.include != zones2.include),
                (key!("named_conf"), zones.named_conf != zones2.named_conf),
            ],
            (
                Self::BindDir { folder, zones, watch, refresh },
                Self::BindDir { folder: folder2, zones: zones2, watch: watch2, refresh: refresh2 },
            ) => vec![
                (key!("location"), folder != folder2),
                (key!("refresh_interval_seconds"), refresh != refresh2),
                (key!("include_pattern"), zones.include != zones2.include),
                (key!("named_conf"), zones.named_conf != zones2.named_conf),
                (key!("watch"), watch != watch2),
            ],
            _ => vec![(key!("type"), true), (key!("location"), true)],
        };
        changed.into_iter().filter(|(_, changed)| *changed).map(|(key, _)| key).collect()
    }

    /// Why nobody but the source changes records, if that is so.
    pub fn read_only(&self) -> Option<String> {
        match self {
            Self::File { read_only: false, .. } => None,
            Self::File { path, .. } => {
                Some(format!("records come from {} alone (`{}`)", path.display(), key!("read_only")))
            }
            other => Some(format!("records come from {other} alone (`{}` is `{}`)", key!("type"), other.kind())),
        }
    }
}

/// For sentences, without passwords: "the zone files in `/etc/bind`".
impl fmt::Display for RecordsSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, .. } => write!(f, "the records file `{}`", path.display()),
            Self::Url { url, .. } => write!(f, "the URL `{url}`"),
            Self::Git { repository, branch, path, .. } => {
                write!(f, "the Git repository `{repository}`")?;
                if let Some(branch) = branch {
                    write!(f, ", branch `{branch}`")?;
                }
                if path != Path::new(DOCUMENT) {
                    write!(f, ", `{}`", path.display())?;
                }
                Ok(())
            }
            Self::BindDir { folder, .. } => write!(f, "the zone files in `{}`", folder.display()),
        }
    }
}

pub(super) fn check(locations: Option<&Locations>, folder: &Path, complaints: &mut Complaints) -> RecordsSource {
    let legacy = locations.and_then(|all| given(&all.dnsrecords).or_else(|| given(&all.dnsrecords_file)));
    let none = Source::default();
    let source = locations.and_then(|all| all.records_source.as_ref()).unwrap_or(&none);
    let location = given(&source.location);
    let file = || RecordsSource::File {
        path: folder.join(location.or(legacy).unwrap_or(DOCUMENT)),
        read_only: source.read_only.unwrap_or(false),
    };
    let elsewhere = match given(&source.r#type).unwrap_or("file") {
        "file" => return file(),
        "url" => url(source, location, complaints),
        "git" => git(source, location, complaints),
        "bind_dir" => bind_dir(source, location, folder, complaints),
        other => {
            let why = format!("is `{other}`; write `file`, `url`, `git` or `bind_dir`");
            complaints.problem(key!("type"), why);
            None
        }
    };
    // A complaint was made where there is none: then nobody sees the file.
    elsewhere.unwrap_or_else(file)
}

fn url(source: &Source, location: Option<&str>, complaints: &mut Complaints) -> Option<RecordsSource> {
    let text = needed(location, "the URL of a document like dnsrecords.json, such as `https://dns.test/records.json`");
    let url = text.and_then(|text| {
        let shown = Remote::new(text);
        match Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(shown),
            Ok(_) => Err(format!("is `{shown}`; records of the type `url` come over http and https alone")),
            Err(error) => Err(format!("is `{shown}`, which is no URL: {error}")),
        }
    });
    let refresh = refresh(source, complaints);
    Some(RecordsSource::Url { url: or_complain(url, complaints)?, refresh })
}

fn git(source: &Source, location: Option<&str>, complaints: &mut Complaints) -> Option<RecordsSource> {
    let example = "what `git clone` takes, such as `https://git.test/dns.git` or `git@git.test:dns.git`";
    let repository = needed(location, example).and_then(|text| {
        let shown = Remote::new(text);
        if can_be_cloned(text) { Ok(shown) } else { Err(format!("is `{shown}`; write {example}, or an absolute path")) }
    });
    let branch = given(&source.branch).map(str::to_owned);
    if let Some(branch) = branch.as_deref().filter(|branch| !is_branch(branch)) {
        complaints.problem(key!("branch"), format!("is `{branch}`, which is no name of a branch"));
    }
    let path = PathBuf::from(given(&source.path).unwrap_or(DOCUMENT));
    let inside = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if !inside {
        let why = format!("is `{}`; write where it is within the repository, without `..`", path.display());
        complaints.problem(key!("path"), why);
    }
    let (zones, refresh) = (zone_files(source, complaints), refresh(source, complaints));
    Some(RecordsSource::Git { repository: or_complain(repository, complaints)?, branch, path, zones, refresh })
}

fn bind_dir(
    source: &Source,
    location: Option<&str>,
    folder: &Path,
    complaints: &mut Complaints,
) -> Option<RecordsSource> {
    let location = needed(location, "the folder of the zone files, such as `/etc/bind/zones`");
    let (zones, refresh) = (zone_files(source, complaints), refresh(source, complaints));
    let folder = folder.join(or_complain(location, complaints)?);
    Some(RecordsSource::BindDir { folder, zones, watch: source.watch.unwrap_or(false), refresh })
}

fn needed<'a>(location: Option<&'a str>, what: &str) -> Result<&'a str, String> {
    location.ok_or_else(|| format!("is missing; write {what}"))
}

fn or_complain<T>(location: Result<T, String>, complaints: &mut Complaints) -> Option<T> {
    location.map_err(|why| complaints.problem(key!("location"), why)).ok()
}

/// Whether Git would take it for an address, and not for an option or the name of a program to run.
fn can_be_cloned(text: &str) -> bool {
    let plain = !text.starts_with('-') && !text.chars().any(|c| c.is_whitespace() || c.is_control());
    let known = match text.split_once("://") {
        Some((scheme, rest)) => matches!(scheme, "https" | "http" | "ssh" | "git" | "file") && !rest.is_empty(),
        None if text.starts_with('/') => true,
        None => text.split_once(':').is_some_and(|(host, path)| {
            !host.is_empty() && !host.contains('/') && !path.is_empty() && !path.starts_with(':')
        }),
    };
    // A host that begins with a hyphen becomes an option of ssh.
    let host = text.split_once("://").map_or(text, |(_, rest)| rest);
    plain && known && !host.starts_with('-') && !host.split('/').next().unwrap_or_default().contains("@-")
}

/// The rules of `git check-ref-format`.
fn is_branch(text: &str) -> bool {
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || "~^:?*[\\".contains(c);
    let part = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
    !text.starts_with('-')
        && text != "@"
        && text.split('/').all(part)
        && !text.ends_with('.')
        && !text.contains("..")
        && !text.contains("@{")
        && !text.contains(forbidden)
}

fn zone_files(source: &Source, complaints: &mut Complaints) -> ZoneFiles {
    let text = given(&source.include_pattern).unwrap_or(ZONES);
    let mut include = Vec::new();
    for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        match Pattern::new(item) {
            Ok(pattern) => include.push(pattern),
            Err(error) => complaints.problem(
                key!("include_pattern"),
                format!(
                    "has `{item}`: {}; write names of files with `*`, such as `*.db`, or several with commas",
                    error.msg
                ),
            ),
        }
    }
    ZoneFiles { include, named_conf: given(&source.named_conf).map(PathBuf::from) }
}

fn refresh(source: &Source, complaints: &mut Complaints) -> Duration {
    let seconds = match source.refresh_interval_seconds.unwrap_or(0) {
        0 => Ok(REFRESH),
        seconds @ 1..=LONGEST => Ok(seconds),
        other => Err(format!("is {other}; write a number of seconds from 1 to {LONGEST}, or 0 for {REFRESH}")),
    };
    let seconds = complaints.or_default(key!("refresh_interval_seconds"), seconds);
    Duration::from_secs(seconds.unsigned_abs().max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn checked(source: Value) -> Result<RecordsSource, Vec<String>> {
        let locations: Locations = serde_json::from_value(json!({ "records_source": source })).unwrap();
        let mut complaints = Complaints::default();
        let source = check(Some(&locations), Path::new("/etc/dnsplane"), &mut complaints);
        let problems: Vec<_> = complaints.problems.into_iter().map(|(key, why)| format!("{key} {why}")).collect();
        if problems.is_empty() { Ok(source) } else { Err(problems) }
    }

    #[test]
    fn each_type_takes_its_keys_and_says_what_it_is() {
        for (source, what, refresh) in [
            (
                json!({"type": "url", "location": "https://u:secret@dns.test/r.json"}),
                "the URL `https://***@dns.test/r.json`",
                60,
            ),
            (
                json!({"type": "git", "location": "git@git.test:dns.git", "refresh_interval_seconds": 5}),
                "the Git repository `git@git.test:dns.git`",
                5,
            ),
            (
                json!({"type": "git", "location": "file:///srv/dns.git", "branch": "live/1", "path": "zones", "refresh_interval_seconds": 0}),
                "the Git repository `file:///srv/dns.git`, branch `live/1`, `zones`",
                60,
            ),
            (
                json!({"type": "git", "location": "/srv/dns.git", "path": "."}),
                "the Git repository `/srv/dns.git`, `.`",
                60,
            ),
            (
                json!({"type": "bind_dir", "location": "zones", "watch": true}),
                "the zone files in `/etc/dnsplane/zones`",
                60,
            ),
        ] {
            let kind = source["type"].as_str().unwrap().to_owned();
            let source = checked(source).unwrap();
            assert_eq!((source.to_string().as_str(), source.kind()), (what, kind.as_str()));
            assert!(source.read_only().is_some_and(|why| why.contains(what)), "{source}");
            assert!(!format!("{source:?}").contains("secret"));
            let (RecordsSource::Url { refresh: found, .. }
            | RecordsSource::Git { refresh: found, .. }
            | RecordsSource::BindDir { refresh: found, .. }) = source
            else {
                panic!("{what}");
            };
            assert_eq!(found, Duration::from_secs(refresh), "{what}");
        }
    }

    #[test]
    fn files_of_zones_are_named_by_patterns_or_by_a_file_of_bind() {
        let zones = |keys: Value| {
            let mut source = json!({"type": "bind_dir", "location": "/z"});
            source.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
            match checked(source).unwrap() {
                RecordsSource::BindDir { zones, .. } => {
                    let include: Vec<_> = zones.include.iter().map(|pattern| pattern.as_str().to_owned()).collect();
                    (include.join(" "), zones.named_conf)
                }
                other => panic!("{other}"),
            }
        };
        assert_eq!(zones(json!({})), ("*.db".to_owned(), None));
        assert_eq!(zones(json!({"include_pattern": "db.*, *.zone,"})), ("db.* *.zone".to_owned(), None));
        assert_eq!(zones(json!({"named_conf": "named.conf"})).1, Some("named.conf".into()));
    }

    #[test]
    fn what_cannot_be_read_from_is_a_problem_that_names_it() {
        for (source, sentence) in [
            (json!({"type": "etcd"}), "type is `etcd`; write `file`, `url`, `git` or `bind_dir`"),
            (json!({"type": "url"}), "location is missing; write the URL"),
            (json!({"type": "url", "location": "records.json"}), "location is `records.json`, which is no URL"),
            (json!({"type": "url", "location": "ftp://me:secret@a.test/r"}), "over http and https alone"),
            (json!({"type": "git", "location": " "}), "location is missing; write what `git clone` takes"),
            (json!({"type": "git", "location": "--upload-pack=x"}), "location is `--upload-pack=x`; write what"),
            (json!({"type": "git", "location": "ext::sh -c x"}), "location is `ext::sh -c x`; write what"),
            (json!({"type": "git", "location": "ssh://-oProxyCommand=x/y"}), "write what `git clone` takes"),
            (json!({"type": "git", "location": "dns.git"}), "or an absolute path"),
            (json!({"type": "git", "location": "/r", "branch": "-x"}), "branch is `-x`, which is no name of a branch"),
            (json!({"type": "git", "location": "/r", "branch": "a..b"}), "branch is `a..b`"),
            (json!({"type": "git", "location": "/r", "path": "../x"}), "path is `../x`; write where it is within"),
            (json!({"type": "git", "location": "/r", "path": "/x"}), "path is `/x`"),
            (json!({"type": "bind_dir"}), "location is missing; write the folder"),
            (json!({"type": "bind_dir", "location": "z", "include_pattern": "[a"}), "include_pattern has `[a`"),
            (
                json!({"type": "bind_dir", "location": "z", "refresh_interval_seconds": -1}),
                "refresh_interval_seconds is -1; write a number of seconds from 1 to 86400, or 0 for 60",
            ),
        ] {
            let problems = checked(source).unwrap_err();
            assert!(problems.len() == 1 && problems[0].contains(sentence), "{problems:?}");
            assert!(!problems[0].contains("secret"));
        }
    }
}
