//! Block lists: which, and how often those from elsewhere are fetched again.

use super::{check::Complaints, file::File};
use reqwest::Url;
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// What marks a list of names that are let through.
const ALLOW: &str = "allow:";
/// Hours, if the file does not say.
const REFRESH: i64 = 24;
/// Hours of a month.
const LONGEST: i64 = 24 * 31;
const HOUR: Duration = Duration::from_secs(60 * 60);

/// The block lists that the file asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockLists {
    /// In the order of the file, each once.
    pub lists: Vec<ListEntry>,
    /// How long after it was fetched a list is fetched again.
    pub refresh: Duration,
}

/// One list: where it is, and what for.
#[derive(Clone, Debug)]
pub struct ListEntry {
    /// As it was written, without `allow:`.
    pub text: Arc<str>,
    /// Its names are let through, not blocked.
    pub allow: bool,
    /// Where it is.
    pub place: ListPlace,
}

/// Where a list is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListPlace {
    /// A file of this machine.
    File(PathBuf),
    /// On the web.
    Url(Url),
}

impl ListEntry {
    /// Reads an entry such as `lists/ads.txt` or `allow:https://lists.example/good.txt`. Paths start at `folder`. The error
    /// goes on after the key's name.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, String> {
        let text = text.trim();
        let (text, allow) = text.strip_prefix(ALLOW).map_or((text, false), |list| (list.trim(), true));
        if text.is_empty() {
            return Err("has an empty entry; write a path or a URL, or take it out".to_owned());
        }
        let place = match text.split_once("://") {
            None => ListPlace::File(folder.join(text)),
            Some((scheme, _)) if ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) => {
                let url = Url::parse(text).map_err(|error| format!("has `{text}`, which is no URL: {error}"))?;
                if !url.username().is_empty() || url.password().is_some() {
                    return Err(format!(
                        "has a name or password in a URL of {}; these would be shown in status",
                        url.host_str().unwrap_or_default()
                    ));
                }
                ListPlace::Url(url)
            }
            Some((scheme, _)) => {
                return Err(format!("has `{text}`; lists come from files, http and https, not from {scheme}"));
            }
        };
        Ok(Self { text: text.into(), allow, place })
    }
}

/// However it was written: the same place, for the same purpose.
impl PartialEq for ListEntry {
    fn eq(&self, other: &Self) -> bool {
        self.allow == other.allow && self.place == other.place
    }
}

impl Eq for ListEntry {}

impl fmt::Display for ListEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.allow { ALLOW } else { "" }, self.text)
    }
}

pub(super) fn check(file: &File, folder: &Path, complaints: &mut Complaints) -> BlockLists {
    let mut lists: Vec<ListEntry> = Vec::new();
    for text in file.adblock_list_files.iter().flatten() {
        match ListEntry::parse(text, folder) {
            Ok(entry) if lists.contains(&entry) => {}
            Ok(entry) => lists.push(entry),
            Err(why) => complaints.problem("adblock_list_files", why),
        }
    }
    let hours = file.adblock_refresh_hours.unwrap_or(REFRESH);
    let fits = u32::try_from(hours).ok().filter(|_| (1..=LONGEST).contains(&hours));
    let hours = fits.ok_or_else(|| format!("is {hours}; write a number of hours from 1 to {LONGEST}"));
    BlockLists { lists, refresh: HOUR * complaints.or_default("adblock_refresh_hours", hours) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Result<BlockLists, Vec<String>> {
        let file: File = serde_json::from_str(text).unwrap();
        let mut complaints = Complaints::default();
        let lists = check(&file, Path::new("/etc/dnsplane"), &mut complaints);
        let problems = complaints.problems.into_iter().map(|(key, why)| format!("{key} {why}")).collect::<Vec<_>>();
        if problems.is_empty() { Ok(lists) } else { Err(problems) }
    }

    #[test]
    fn entries_are_files_or_urls_to_block_or_to_let_through() {
        let text = r#"{"adblock_list_files": ["ads.txt", "/var/lists/b", " allow:good.txt", "allow: HTTPS://Lists.example/a b",
                       "ads.txt", "allow:ads.txt"], "adblock_refresh_hours": 6}"#;
        let lists = checked(text).unwrap();
        assert_eq!(lists.refresh, HOUR * 6);
        let shown: Vec<_> = lists.lists.iter().map(ToString::to_string).collect();
        let expected =
            ["ads.txt", "/var/lists/b", "allow:good.txt", "allow:HTTPS://Lists.example/a b", "allow:ads.txt"];
        assert_eq!(shown, expected);
        assert_eq!(lists.lists[0].place, ListPlace::File("/etc/dnsplane/ads.txt".into()));
        assert_eq!(lists.lists[1].place, ListPlace::File("/var/lists/b".into()));
        assert_eq!(lists.lists[3].place, ListPlace::Url(Url::parse("https://lists.example/a%20b").unwrap()));
        assert_eq!(checked("{}").unwrap(), BlockLists { lists: Vec::new(), refresh: HOUR * 24 });
    }

    #[test]
    fn what_cannot_be_a_list_is_a_problem_that_names_it() {
        let text = r#"{"adblock_list_files": ["", "ftp://a/b", "https://", "https://me:secret@lists.example/"], "adblock_refresh_hours": 0}"#;
        let problems = checked(text).unwrap_err();
        assert_eq!(problems.len(), 5, "{problems:?}");
        assert!(problems[1].contains("`ftp://a/b`") && !problems[3].contains("secret"), "{problems:?}");
        assert!(problems[4].starts_with("adblock_refresh_hours is 0; write"), "{problems:?}");
    }
}
