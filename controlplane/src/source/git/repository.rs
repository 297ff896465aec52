//! Our copy of a repository: one commit of one branch, without a working tree.
//!
//! It is worth nothing: whatever is wrong with it, it is removed and fetched again. What it gave is in the store.

use super::program::{Contents, Failure, Program};
use crate::blocking::beside;
use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

/// Where our copy keeps what was fetched.
const REFERENCE: &str = "refs/dnsplane/records";
/// What the other side calls the branch that is checked out.
const HEAD: &str = "HEAD";
/// Octets of lists and lines that are asked for.
const MOST_SAID: u64 = 64 << 20;
/// Octets that may be fetched. Far above any repository of records.
const MOST_FETCHED: u64 = 1 << 30;
/// How often we see how much has been fetched.
const LOOK: Duration = Duration::from_millis(500);
/// Each fetch leaves a pack; a copy with more than these is made anew, which is as good as tidying it up.
const MOST_PACKS: usize = 50;

/// The copy, and where it comes from.
pub(super) struct Repository {
    git: Program,
    /// `None`: the one that is checked out there.
    branch: Option<String>,
    /// The other side cannot give a commit without those before it.
    whole: bool,
}

/// Something in a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) kind: Kind,
    pub(super) id: String,
    /// Octets of a file.
    pub(super) size: u64,
    /// From the root, or from the folder that was listed.
    pub(super) path: String,
}

/// What it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
    Link,
    /// Another repository.
    Module,
}

impl Repository {
    pub(super) fn new(git: Program, branch: Option<String>) -> Self {
        Self { git, branch, whole: false }
    }

    /// The commit that the branch is at now.
    pub(super) async fn newest(&self) -> Result<String, Failure> {
        let name = self.name();
        let said = self.git.run_apart(&["ls-remote", "--quiet", "--", self.git.address(), &name], MOST_SAID).await?;
        let said = String::from_utf8_lossy(&said);
        let mut lines = said.lines().filter_map(|line| line.split_once('\t'));
        // Git also lists what only ends like that.
        match (lines.find(|(_, found)| *found == name), &self.branch) {
            (Some((id, _)), _) if is_id(id) => Ok(id.to_owned()),
            (_, Some(branch)) => {
                Err(Failure::Said(format!("there is no branch `{branch}` in it; was it renamed or removed?")))
            }
            (_, None) => Err(Failure::Said(
                "it has no commit on the branch that is checked out there; say which `branch` to read".to_owned(),
            )),
        }
    }

    /// Brings what the branch is at; the commit, which may be a newer one by now.
    pub(super) async fn bring(&mut self, newest: &str) -> Result<String, Failure> {
        if self.is_usable() {
            if self.held().await.is_ok_and(|held| held == newest) {
                return Ok(newest.to_owned());
            }
            match self.fetch().await {
                Ok(()) => return self.held().await,
                Err(Failure::Said(_)) => {} // either the copy is at fault, or it happens again
                Err(failure) => return Err(failure),
            }
        }
        self.make_anew(newest).await?;
        self.held().await
    }

    /// Forgets the copy.
    pub(super) async fn remove(&self) -> Result<(), Failure> {
        let folder = self.git.repository.clone();
        beside(move || {
            let removed = match fs::symlink_metadata(&folder) {
                Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(&folder),
                Ok(_) => fs::remove_file(&folder),
                Err(error) => Err(error),
            };
            removed.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
        })
        .await
        .map_err(Failure::Copy)
    }

    /// What a commit has at this place; `None`: nothing.
    pub(super) async fn find(&self, commit: &str, path: &str) -> Result<Option<Entry>, Failure> {
        let said = self.git.run(&["ls-tree", "-z", "-l", "--full-tree", commit, "--", path], MOST_SAID).await?;
        Ok(entries(&said).into_iter().find(|entry| entry.path == path))
    }

    /// Everything below a folder, folders themselves left out.
    pub(super) async fn list(&self, folder: &str) -> Result<Vec<Entry>, Failure> {
        let said = self.git.run(&["ls-tree", "-r", "-z", "-l", "--full-tree", folder, "--"], MOST_SAID).await?;
        Ok(entries(&said))
    }

    /// What a file holds.
    pub(super) async fn content(&self, id: &str, most: u64) -> Result<Vec<u8>, Failure> {
        self.git.run(&["cat-file", "blob", id], most).await
    }

    /// What files hold, one after the other.
    pub(super) fn contents(&self, ids: &[&str]) -> Result<Contents, Failure> {
        self.git.contents(ids)
    }

    /// When a commit was made and what it is about.
    pub(super) async fn describe(&self, commit: &str) -> Result<(String, String), Failure> {
        let said = self.git.run(&["log", "-1", "--format=%cI%x00%s", commit, "--"], MOST_SAID).await?;
        let said = String::from_utf8_lossy(&said);
        let (time, subject) = said.trim_end().split_once('\0').unwrap_or_default();
        Ok((time.to_owned(), subject.chars().filter(|c| !c.is_control()).take(72).collect()))
    }

    fn name(&self) -> String {
        self.branch.as_ref().map_or_else(|| HEAD.to_owned(), |branch| format!("refs/heads/{branch}"))
    }

    async fn held(&self) -> Result<String, Failure> {
        let commit = format!("{REFERENCE}^{{commit}}");
        let said = self.git.run(&["rev-parse", "--verify", "--quiet", &commit], MOST_SAID).await?;
        Ok(String::from_utf8_lossy(&said).trim().to_owned())
    }

    async fn make_anew(&mut self, newest: &str) -> Result<(), Failure> {
        self.remove().await?;
        let format = if newest.len() == 64 { "--object-format=sha256" } else { "--object-format=sha1" };
        self.git.run(&["init", "--quiet", "--bare", format], MOST_SAID).await?;
        match self.fetch().await {
            Err(Failure::Said(why)) if !self.whole && why.contains("shallow") => {
                self.whole = true;
                self.fetch().await
            }
            fetched => fetched,
        }
    }

    async fn fetch(&self) -> Result<(), Failure> {
        let what = format!("+{}:{REFERENCE}", self.name());
        let mut arguments = vec!["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules"];
        if !self.whole {
            arguments.extend(["--depth=1", "--update-shallow"]);
        }
        arguments.extend(["--", self.git.address(), &what]);
        tokio::select! {
            fetched = self.git.run(&arguments, MOST_SAID) => fetched.map(|_| ()),
            () = self.grows_too_large() => Err(Failure::TooMuch(MOST_FETCHED >> 20)),
        }
    }

    async fn grows_too_large(&self) {
        loop {
            tokio::time::sleep(LOOK).await;
            let folder = self.git.repository.join("objects");
            if beside(move || size_of(&folder)).await > MOST_FETCHED {
                return;
            }
        }
    }

    fn is_usable(&self) -> bool {
        let packs = fs::read_dir(self.packs()).map_or(0, |packs| {
            packs.flatten().filter(|entry| entry.path().extension().is_some_and(|kind| kind == "pack")).count()
        });
        (1..=MOST_PACKS).contains(&packs)
    }

    fn packs(&self) -> PathBuf {
        self.git.repository.join("objects/pack")
    }
}

fn is_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Octets of the files in a folder and in its folders.
fn size_of(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size_of(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.flatten().map(size).sum()
}

/// Reads a listing: `mode type id size`, a tab, the path, and a zero octet. What is not text can be no name of ours.
fn entries(said: &[u8]) -> Vec<Entry> {
    said.split(|octet| *octet == 0).filter_map(|line| entry(std::str::from_utf8(line).ok()?)).collect()
}

fn entry(line: &str) -> Option<Entry> {
    let (words, path) = line.split_once('\t')?;
    let mut words = words.split_ascii_whitespace();
    let (mode, _, id, size) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let kind = match mode {
        "040000" => Kind::Folder,
        "120000" => Kind::Link,
        "160000" => Kind::Module,
        _ => Kind::File,
    };
    Some(Entry { kind, id: id.to_owned(), size: size.parse().unwrap_or(0), path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listings_are_read_whatever_names_are_in_them() {
        let said = "100644 blob aa       7\ta\tb \"c\"\x00040000 tree bb       -\tz\x00120000 blob cc  3\tl\x00160000 commit dd -\tm\0";
        let found: Vec<_> =
            entries(said.as_bytes()).into_iter().map(|entry| (entry.kind, entry.size, entry.path)).collect();
        let expected =
            [(Kind::File, 7, "a\tb \"c\""), (Kind::Folder, 0, "z"), (Kind::Link, 3, "l"), (Kind::Module, 0, "m")];
        assert_eq!(found, expected.map(|(kind, size, path)| (kind, size, path.to_owned())));
        assert_eq!(entries(b"\xff\0 \0x"), []);
    }
}
