//! What the web said last, on our own disk: a start without network has the lists.
//!
//! A copy is the list as it came, below a line of ours which says whence it came and what the server called that version. It
//! is one file, so that list and line belong together whatever happens.

use crate::{aside, web::Validators};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    time::SystemTime,
};
use tempfile::NamedTempFile;

/// What our line begins with.
const LINE: &str = "! dnsplane: ";
/// Octets that our line may take.
const MAX_LINE: u64 = 16 << 10;
const ENDING: &str = ".list";

#[derive(Deserialize, Serialize)]
struct Line {
    url: String,
    #[serde(flatten)]
    validators: Validators,
}

/// The folder of copies.
#[derive(Clone, Debug)]
pub(in crate::block_list) struct Copies {
    folder: PathBuf,
}

/// A copy that is there; the file stands at the list's first line.
pub(super) struct Copy {
    pub(super) file: File,
    pub(super) validators: Validators,
    pub(super) fetched: SystemTime,
}

/// A copy being written.
pub(super) struct NewCopy {
    file: NamedTempFile,
    path: PathBuf,
    /// Octets of our line.
    start: u64,
    validators: Validators,
}

impl Copies {
    pub(in crate::block_list) fn beside(folder: &Path) -> Self {
        Self { folder: folder.join("block_lists") }
    }

    pub(in crate::block_list) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The copy of what this URL said last, if there is one.
    pub(super) fn open(&self, url: &Url) -> io::Result<Option<Copy>> {
        let file = match File::open(self.path(url)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let fetched = file.metadata()?.modified()?;
        let mut line = String::new();
        let mut reader = BufReader::new(file);
        // A damaged line costs one more transfer, no more.
        let read = reader.by_ref().take(MAX_LINE).read_line(&mut line);
        let line = read.ok().and_then(|length| {
            let line = serde_json::from_str::<Line>(line.strip_prefix(LINE)?).ok()?;
            Some((line, length as u64))
        });
        let Some((line, length)) = line.filter(|(line, _)| line.url == url.as_str()) else { return Ok(None) };
        let mut file = reader.into_inner();
        file.seek(SeekFrom::Start(length))?;
        Ok(Some(Copy { file, validators: line.validators, fetched }))
    }

    /// The server says that nothing has changed: the copy is as good as a new one.
    pub(super) fn still_true(&self, url: &Url) {
        // Else it is asked again a little earlier after the next start.
        let _ = File::open(self.path(url)).and_then(|file| file.set_modified(SystemTime::now()));
    }

    /// A copy to be, with our line in it.
    pub(super) fn create(&self, url: &Url, validators: Validators) -> io::Result<NewCopy> {
        fs::create_dir_all(&self.folder)?;
        let path = self.path(url);
        let mut file = aside::create(&path)?;
        let line = Line { url: url.as_str().to_owned(), validators };
        writeln!(file, "{LINE}{}", serde_json::to_string(&line)?)?;
        let start = file.as_file().metadata()?.len();
        Ok(NewCopy { file, path, start, validators: line.validators })
    }

    /// Removes copies that belong to none of these, and what interrupted runs left.
    pub(in crate::block_list) fn sweep<'a>(&self, wanted: impl Iterator<Item = &'a Url>) {
        let wanted: Vec<_> = wanted.map(|url| self.path(url)).collect();
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        for path in entries.flatten().map(|entry| entry.path()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let left = name.starts_with('.') && name.contains(ENDING);
            if left || (name.ends_with(ENDING) && !wanted.contains(&path)) {
                // It takes room and does no harm.
                let _ = fs::remove_file(&path);
            }
        }
    }

    fn path(&self, url: &Url) -> PathBuf {
        let digest = Sha256::digest(url.as_str());
        let name: String = digest.iter().take(16).map(|octet| format!("{octet:02x}")).collect();
        self.folder.join(name + ENDING)
    }
}

impl NewCopy {
    pub(super) fn validators(&self) -> &Validators {
        &self.validators
    }

    pub(super) fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.file.write_all(octets)
    }

    /// The list, to be read from its start.
    pub(super) fn reopen(&self) -> io::Result<File> {
        let mut file = self.file.reopen()?;
        file.seek(SeekFrom::Start(self.start))?;
        Ok(file)
    }

    /// Makes it the copy; on disk when this returns.
    pub(super) fn keep(self) -> io::Result<()> {
        self.file.as_file().sync_all()?;
        self.file.persist(&self.path)?;
        File::open(self.path.parent().unwrap_or(Path::new("/")))?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn a_copy_is_found_again_with_what_the_server_called_it() {
        let folder = tempfile::tempdir().unwrap();
        let copies = Copies::beside(folder.path());
        let (one, other) = (url("https://lists.example/one"), url("https://lists.example/other"));
        assert!(copies.open(&one).unwrap().is_none());
        let validators = Validators { etag: Some("\"v1\"".to_owned()), last_modified: None };
        for url in [&one, &other] {
            let mut copy = copies.create(url, validators.clone()).unwrap();
            copy.write(b"ads.example\n").unwrap();
            copy.keep().unwrap();
        }
        let mut copy = copies.open(&one).unwrap().unwrap();
        let mut text = String::new();
        copy.file.read_to_string(&mut text).unwrap();
        assert_eq!(copy.validators, validators);
        assert_eq!(text, "ads.example\n");

        drop(copies.create(&one, validators).unwrap().file.keep().unwrap());
        copies.sweep([&one].into_iter());
        assert!(copies.open(&one).unwrap().is_some() && copies.open(&other).unwrap().is_none());
        assert_eq!(fs::read_dir(copies.folder()).unwrap().count(), 1);
    }

    #[test]
    fn a_copy_without_our_line_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let copies = Copies::beside(folder.path());
        let url = url("https://lists.example/one");
        copies.create(&url, Validators::default()).unwrap().keep().unwrap();
        for text in ["", "ads.example\n", "! dnsplane: {}\n", "! dnsplane: {\"url\":\"https://lists.example/x\"}\n"] {
            fs::write(copies.path(&url), text).unwrap();
            assert!(copies.open(&url).unwrap().is_none(), "{text}");
        }
        fs::write(copies.path(&url), vec![b'x'; 100_000]).unwrap();
        assert!(copies.open(&url).unwrap().is_none());
    }
}
