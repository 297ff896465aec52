//! Files below one folder, and no others: neither `..` nor a link leads out of it.

use crate::stamp::Stamp;
use nix::libc::{O_NOFOLLOW, O_NONBLOCK};
use std::{
    fs::{self, File},
    io::{self, Read},
    os::{fd::AsRawFd, unix::fs::OpenOptionsExt},
    path::{Path, PathBuf},
};

/// Octets of one file. Far above any real zone.
const MOST_OCTETS: u64 = 512 << 20;
/// Octets of one line: as many as the reader of zone files takes for one entry. Longer ones are not even read to their end.
const LONGEST_LINE: usize = 1 << 20;
/// Octets that are read at once.
const CHUNK: usize = 1 << 20;

/// The folder.
#[derive(Clone, Debug)]
pub(super) struct Below {
    /// Without links.
    root: PathBuf,
}

/// A file that was read.
pub(super) struct Found {
    /// Where it is below the folder.
    pub(super) path: PathBuf,
    pub(super) stamp: Option<Stamp>,
    pub(super) text: Vec<u8>,
}

/// Why a file could not be read; completes "`name` …".
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unreadable {
    /// From 1; 0 if it is about all of the file.
    pub(super) line: u64,
    pub(super) why: String,
}

impl From<String> for Unreadable {
    fn from(why: String) -> Self {
        Self { line: 0, why }
    }
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        Self { line: 0, why: format!("cannot be read: {error}") }
    }
}

impl Below {
    pub(super) fn new(folder: &Path) -> io::Result<Self> {
        let root = folder.canonicalize()?;
        if !fs::metadata(&root)?.is_dir() {
            return Err(io::Error::from(io::ErrorKind::NotADirectory));
        }
        Ok(Self { root })
    }

    /// The folder itself, without links.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// How a file is now; `None` if it cannot be told.
    pub(super) fn stamp(&self, path: &Path) -> Option<Stamp> {
        let (file, _) = self.open(path).ok()?;
        Stamp::of(&file.metadata().ok()?)
    }

    /// Reads a file: a path below the folder, or an absolute one that leads there.
    pub(super) fn read(&self, path: &Path) -> Result<Found, Unreadable> {
        let (file, path) = self.open(path)?;
        let metadata = file.metadata()?;
        let stamp = Stamp::of(&metadata);
        if metadata.len() > MOST_OCTETS {
            let (is, most) = (metadata.len() >> 20, MOST_OCTETS >> 20);
            return Err(format!("has {is} MiB; a file of at most {most} MiB is read").into());
        }
        Ok(Found { path, stamp, text: read_lines(file, metadata.len())? })
    }

    /// Opens a file, and makes sure by what was opened that it is one of ours: links may be turned meanwhile.
    fn open(&self, path: &Path) -> Result<(File, PathBuf), Unreadable> {
        let outside = || Unreadable::from(format!("is not below {}", self.root.display()));
        let place = self.root.join(path).canonicalize()?;
        if !place.starts_with(&self.root) {
            return Err(outside());
        }
        // A named pipe would keep us waiting.
        let file = File::options().read(true).custom_flags(O_NOFOLLOW | O_NONBLOCK).open(&place)?;
        if !file.metadata()?.is_file() {
            return Err("is no file".to_owned().into());
        }
        let opened = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap_or(place);
        let path = opened.strip_prefix(&self.root).map_err(|_| outside())?.to_owned();
        Ok((file, path))
    }
}

/// Reads until the end, or until a line is too long to be one.
fn read_lines(mut file: impl Read, length: u64) -> Result<Vec<u8>, Unreadable> {
    let mut text = Vec::with_capacity(usize::try_from(length).unwrap_or(0).min(CHUNK) + 1);
    let (mut line_start, mut chunk) = (0, vec![0; CHUNK]);
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(text),
            count => text.extend_from_slice(&chunk[..count]),
        }
        let seen = &text[line_start..];
        line_start += seen.iter().rposition(|octet| *octet == b'\n').map_or(0, |at| at + 1);
        if text.len() - line_start > LONGEST_LINE {
            let line = text.iter().filter(|octet| **octet == b'\n').count() as u64 + 1;
            return Err(Unreadable { line, why: format!("is longer than {} MiB", LONGEST_LINE >> 20) });
        }
        // It may grow while it is read.
        if text.len() as u64 > MOST_OCTETS {
            return Err(format!("grows while it is read, beyond {} MiB", MOST_OCTETS >> 20).into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn why(below: &Below, path: impl AsRef<Path>) -> String {
        below.read(path.as_ref()).err().unwrap().why
    }

    #[test]
    fn nothing_leads_out_of_the_folder() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("zones");
        fs::create_dir_all(folder.join("sub")).unwrap();
        fs::write(place.path().join("secret"), "s").unwrap();
        fs::write(folder.join("sub/a.db"), "a").unwrap();
        symlink("../secret", folder.join("out.db")).unwrap();
        symlink(place.path(), folder.join("away")).unwrap();
        symlink("sub/a.db", folder.join("in.db")).unwrap();
        symlink("loop.db", folder.join("loop.db")).unwrap();
        let below = Below::new(&folder).unwrap();
        for path in ["../secret", "sub/../../secret", "out.db", "away/secret", "/etc/passwd"] {
            assert!(why(&below, path).starts_with("is not below "), "{path}: {}", why(&below, path));
        }
        assert_eq!(below.read(Path::new("in.db")).ok().unwrap().path, Path::new("sub/a.db"));
        assert_eq!(below.read(&folder.join("sub/a.db")).ok().unwrap().text, b"a");
        assert_eq!(why(&below, "sub"), "is no file");
        assert!(why(&below, "loop.db").starts_with("cannot be read: "));
        nix::unistd::mkfifo(&folder.join("pipe.db"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(why(&below, "pipe.db"), "is no file");
        assert!(Below::new(&folder.join("sub/a.db")).is_err());
    }

    #[test]
    fn what_is_too_long_is_not_read_to_its_end() {
        let place = tempfile::tempdir().unwrap();
        let below = Below::new(place.path()).unwrap();
        let sparse = |name: &str, octets: u64, before: &str| {
            fs::write(place.path().join(name), before).unwrap();
            File::options().write(true).open(place.path().join(name)).unwrap().set_len(octets).unwrap();
        };
        sparse("huge", 1 << 30, "");
        assert_eq!(why(&below, "huge"), "has 1024 MiB; a file of at most 512 MiB is read");
        sparse("line", 500 << 20, "first\nsecond\n");
        let found = below.read(Path::new("line")).err().unwrap();
        assert_eq!((found.line, found.why.as_str()), (3, "is longer than 1 MiB"));
    }
}
