//! Zone files as they were when they were good, with all that they include: what is served while a file has a bad line.

use crate::{aside, hash::hex, zone_file::Files};
use dnsplane_proto::Name;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    collections::HashSet,
    fs,
    io::{self, Write},
    ops::Range,
    path::{Path, PathBuf},
};

/// Octets of the line before the texts.
const MOST_HEAD: usize = 1 << 20;

/// The folder that they are kept in.
pub(super) struct Kept {
    folder: PathBuf,
    /// The folder that they are from: another one's are not taken for them.
    of: PathBuf,
}

/// A file and what it includes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Copy {
    /// What relative names lie below, at its first line.
    pub(super) origin: Option<Name>,
    /// The file, then those that it includes.
    pub(super) texts: Vec<(PathBuf, Vec<u8>)>,
    /// Which file means which text by which name.
    pub(super) includes: Vec<(PathBuf, String, usize)>,
}

/// What stands before the texts.
#[derive(Serialize, Deserialize)]
struct Head {
    origin: Option<String>,
    texts: Vec<(PathBuf, usize)>,
    includes: Vec<(PathBuf, String, usize)>,
    /// CRC-32 of the texts: they are not waited for, and a power cut may leave holes.
    crc: u32,
}

impl Kept {
    pub(super) fn new(folder: PathBuf, of: PathBuf) -> Self {
        Self { folder, of }
    }

    /// The copy of a file, if there is one that is whole.
    pub(super) fn load(&self, path: &Path) -> Option<Copy> {
        let octets = fs::read(self.place(path)).ok()?;
        let end = octets.iter().take(MOST_HEAD).position(|octet| *octet == b'\n')?;
        let head: Head = serde_json::from_slice(&octets[..end]).ok()?;
        if crc32fast::hash(&octets[end + 1..]) != head.crc {
            return None;
        }
        let (mut at, mut texts) = (end + 1, Vec::new());
        for (path, length) in head.texts {
            let range: Range<usize> = at..at.checked_add(length)?;
            at = range.end;
            texts.push((path, octets.get(range)?.to_vec()));
        }
        let origin = match head.origin {
            Some(origin) => Some(Name::parse(&origin).ok()?),
            None => None,
        };
        (at == octets.len() && !texts.is_empty()).then_some(Copy { origin, texts, includes: head.includes })
    }

    /// Replaces the copy of a file.
    pub(super) fn save(&self, path: &Path, copy: &Copy) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let place = self.place(path);
        let mut file = aside::create(&place)?;
        let head = Head {
            origin: copy.origin.as_ref().map(ToString::to_string),
            texts: copy.texts.iter().map(|(path, text)| (path.clone(), text.len())).collect(),
            includes: copy.includes.clone(),
            crc: {
                let mut crc = crc32fast::Hasher::new();
                copy.texts.iter().for_each(|(_, text)| crc.update(text));
                crc.finalize()
            },
        };
        serde_json::to_writer(&mut file, &head)?;
        file.write_all(b"\n")?;
        for (_, text) in &copy.texts {
            file.write_all(text)?;
        }
        file.persist(&place).map_err(|error| error.error)?;
        Ok(())
    }

    /// Removes the copies of all other files.
    pub(super) fn only<'p>(&self, paths: impl Iterator<Item = &'p PathBuf>) {
        let wanted: HashSet<_> = paths.map(|path| self.place(path)).collect();
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            if !wanted.contains(&entry.path()) {
                // It takes room and does no harm.
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    fn place(&self, path: &Path) -> PathBuf {
        let mut sha = Sha256::new();
        sha.update(self.of.as_os_str().as_encoded_bytes());
        sha.update([0]);
        sha.update(path.as_os_str().as_encoded_bytes());
        self.folder.join(&hex(&sha.finalize())[..32])
    }
}

impl Copy {
    /// The file itself.
    pub(super) fn main(&self) -> (&Path, &[u8]) {
        self.texts.first().map_or((Path::new(""), b""), |(path, text)| (path, text))
    }
}

/// What it includes is what it included.
impl Files for &Copy {
    fn include(&mut self, from: &Path, name: &str) -> Result<(PathBuf, Vec<u8>), String> {
        let meant = self.includes.iter().find(|(by, called, _)| by == from && called == name);
        let text = meant.and_then(|(_, _, at)| self.texts.get(*at));
        text.cloned().ok_or_else(|| "was not kept".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_found_again_whole_or_not_at_all() {
        let place = tempfile::tempdir().unwrap();
        let kept = |of: &str| Kept::new(place.path().join("zones"), of.into());
        let copy = Copy {
            origin: Some(Name::parse("a.test").unwrap()),
            texts: vec![("a.db".into(), b"one\n\xff".to_vec()), ("b".into(), b"two".to_vec())],
            includes: vec![("a.db".into(), "./b".to_owned(), 1)],
        };
        let path = Path::new("a.db");
        kept("/z").save(path, &copy).unwrap();
        let found = kept("/z").load(path).unwrap();
        assert_eq!(found, copy);
        assert_eq!((&found).include(path, "./b").unwrap().1, b"two");
        assert!((&found).include(path, "b").is_err());
        assert!(kept("/other").load(path).is_none(), "of another folder");
        let file = kept("/z").place(path);
        let octets = fs::read(&file).unwrap();
        fs::write(&file, &octets[..octets.len() - 1]).unwrap();
        assert!(kept("/z").load(path).is_none(), "cut short");
        let holes = [&octets[..octets.len() - 1], b"\0"].concat();
        fs::write(&file, holes).unwrap();
        assert!(kept("/z").load(path).is_none(), "with a hole");
        kept("/z").save(Path::new("b.db"), &copy).unwrap();
        kept("/z").only([PathBuf::from("b.db")].iter());
        assert_eq!(fs::read_dir(place.path().join("zones")).unwrap().count(), 1);
    }
}
