//! Files of a commit, written out into a private folder for whoever reads folders.
//!
//! Only files are: a link in a repository leads wherever its author likes. Files that a new commit leaves as they are are
//! not written again, so that their reader sees that nothing happened to them.

use super::{
    Trouble,
    repository::{Entry, Kind, Repository},
};
use crate::{
    blocking::beside,
    source::{Fault, Faults},
};
use std::{
    collections::{BTreeMap, HashSet},
    fs::{self, DirBuilder},
    io::{self, Write},
    os::unix::fs::DirBuilderExt,
    path::{Component, Path, PathBuf},
};
use tempfile::NamedTempFile;

/// Octets of all files together.
const MOST_OCTETS: u64 = 512 << 20;
/// Files. Far above what any server has zones.
const MOST_FILES: usize = 100_000;
/// Folders in each other.
const DEEPEST: usize = 32;

/// The folder, and what is in it.
#[derive(Debug)]
pub(super) struct Export {
    above: PathBuf,
    folder: PathBuf,
    /// What this process has written: the id of each path.
    written: Option<BTreeMap<String, String>>,
}

impl Export {
    /// Into a folder of this name, the only one that `above` is to have.
    pub(super) fn into(above: &Path, name: &str) -> Self {
        Self { above: above.to_owned(), folder: above.join(name), written: None }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes the folder what these entries say. Links and the like are faults, if `wanted` says that somebody misses them.
    pub(super) async fn update(
        &mut self,
        repository: &Repository,
        entries: Vec<Entry>,
        wanted: impl Fn(&Path) -> bool,
    ) -> Result<Faults, Trouble> {
        let (files, faults) = sort_out(entries, wanted)?;
        if self.written.is_none() {
            let (above, folder) = (self.above.clone(), self.folder.clone());
            beside(move || begin(&above, &folder)).await.map_err(|error| self.cannot(error))?;
        }
        let mut written = self.written.take().unwrap_or_default();
        let outcome = self.bring(repository, &files, &mut written).await;
        self.written = Some(written);
        outcome.map(|()| faults)
    }

    async fn bring(
        &self,
        repository: &Repository,
        files: &[Entry],
        written: &mut BTreeMap<String, String>,
    ) -> Result<(), Trouble> {
        let paths: HashSet<_> = files.iter().map(|file| file.path.as_str()).collect();
        let gone: Vec<_> = written.keys().filter(|path| !paths.contains(path.as_str())).cloned().collect();
        written.retain(|path, _| paths.contains(path.as_str()));
        let folder = self.folder.clone();
        beside(move || gone.iter().try_for_each(|path| remove(&folder, path))).await.map_err(|e| self.cannot(e))?;
        let news: Vec<_> = files.iter().filter(|file| written.get(&file.path) != Some(&file.id)).collect();
        if news.is_empty() {
            return Ok(());
        }
        let ids: Vec<_> = news.iter().map(|file| file.id.as_str()).collect();
        let mut contents = repository.contents(&ids)?;
        for file in news {
            let content = contents.next().await?;
            let (folder, path) = (self.folder.clone(), file.path.clone());
            beside(move || write(&folder, &path, &content)).await.map_err(|error| self.cannot(error))?;
            written.insert(file.path.clone(), file.id.clone());
        }
        Ok(contents.end().await?)
    }

    fn cannot(&self, error: io::Error) -> Trouble {
        Trouble::Unfit(format!("its files cannot be written to `{}`: {error}", self.folder.display()))
    }
}

/// What can be written, and what is at fault.
fn sort_out(entries: Vec<Entry>, wanted: impl Fn(&Path) -> bool) -> Result<(Vec<Entry>, Faults), Trouble> {
    let mut faults = Faults::default();
    let mut files = Vec::new();
    for entry in entries {
        let what = match entry.kind {
            Kind::File if is_inside(&entry.path) => {
                files.push(entry);
                continue;
            }
            Kind::File => "has a name that leads elsewhere",
            Kind::Link => "is a symbolic link; these are not followed, put the file itself here",
            Kind::Module => "is another repository; these are not fetched, put the files themselves here",
            Kind::Folder => continue,
        };
        if entry.kind == Kind::File || wanted(Path::new(&entry.path)) {
            faults.add(Fault { file: entry.path, line: 0, what: what.to_owned() });
        }
    }
    let octets: u64 = files.iter().map(|file| file.size).sum();
    if files.len() > MOST_FILES || octets > MOST_OCTETS {
        let most = MOST_OCTETS >> 20;
        return Err(Trouble::Unfit(format!(
            "the folder holds more than {MOST_FILES} files or {most} MiB; say which folder holds the zone files in `path`"
        )));
    }
    Ok((files, faults))
}

/// Git itself makes no such names; whoever writes a repository by hand can.
fn is_inside(path: &str) -> bool {
    let parts: Vec<_> = Path::new(path).components().collect();
    !path.is_empty() && parts.len() <= DEEPEST && parts.iter().all(|part| matches!(part, Component::Normal(_)))
}

fn begin(above: &Path, folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(above) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Removes a file, and the folders that are empty without it.
fn remove(folder: &Path, path: &str) -> io::Result<()> {
    match fs::remove_file(folder.join(path)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let above = Path::new(path).ancestors().skip(1).filter(|above| !above.as_os_str().is_empty());
    for above in above {
        if fs::remove_dir(folder.join(above)).is_err() {
            break;
        }
    }
    Ok(())
}

fn write(folder: &Path, path: &str, content: &[u8]) -> io::Result<()> {
    let place = folder.join(path);
    if let Some(above) = place.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(above)?;
    }
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(content)?;
    file.persist(place)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: Kind, path: &str, size: u64) -> Entry {
        Entry { kind, id: "aa".to_owned(), size, path: path.to_owned() }
    }

    #[test]
    fn only_files_inside_are_written_and_what_is_missed_is_told() {
        let entries = vec![
            entry(Kind::File, "zones/a.db", 1),
            entry(Kind::File, "../a.db", 1),
            entry(Kind::File, "/etc/a.db", 1),
            entry(Kind::Link, "b.db", 1),
            entry(Kind::Link, "README", 1),
            entry(Kind::Module, "c.db", 0),
        ];
        let wanted = |path: &Path| path.extension().is_some_and(|kind| kind == "db");
        let (files, faults) = sort_out(entries, wanted).unwrap();
        assert_eq!(files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), ["zones/a.db"]);
        let told: Vec<_> = faults.first().iter().map(|fault| fault.file.as_str()).collect();
        assert_eq!(told, ["../a.db", "/etc/a.db", "b.db", "c.db"]);
        assert!(sort_out(vec![entry(Kind::File, "a.db", MOST_OCTETS + 1)], wanted).is_err());
        assert!(!is_inside(&"a/".repeat(DEEPEST + 1)));
    }

    #[test]
    fn a_file_may_become_a_folder_and_a_folder_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("x");
        begin(&folder, &folder).unwrap();
        write(&folder, "a/b", b"1").unwrap();
        remove(&folder, "a/b").unwrap();
        write(&folder, "a", b"2").unwrap();
        remove(&folder, "a").unwrap();
        write(&folder, "a/c", b"3").unwrap();
        assert_eq!(fs::read(folder.join("a/c")).unwrap(), b"3");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        begin(&folder, &folder).unwrap();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    }
}
