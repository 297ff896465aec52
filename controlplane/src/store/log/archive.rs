//! Segments that an image has replaced: kept as history under another name, up to a limit.
//!
//! Renamed rather than marked, so that opening a store costs what it did: replaying does not see them. Whoever reads
//! history opens all segments, old and live, while none can be renamed, and may take its time then.

use super::{HEADER, LIVE, segment::Segment, segment_name, segments, session_of};
use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// What names of replaced segments begin with.
const OLD: &str = "history-";
/// Octets of replaced segments that are kept: some hundred thousand changes of one record.
const KEPT: u64 = 64 << 20;

/// The segments of one store's log, old and live.
#[derive(Debug)]
pub(in crate::store) struct Archive {
    folder: PathBuf,
    session: u64,
    /// Held while segments change their names.
    moving: Mutex<()>,
}

impl Archive {
    pub(in crate::store) fn new(folder: &Path, session: u64) -> Self {
        Self { folder: folder.to_owned(), session, moving: Mutex::default() }
    }

    /// Makes segments whose changes are all below `first` history; the oldest go when there is too much of it.
    pub(in crate::store) fn retire(&self, first: u64) -> io::Result<()> {
        let _moving = self.moving.lock().unwrap_or_else(PoisonError::into_inner);
        for (number, path) in segments(&self.folder, LIVE)? {
            if number < first {
                fs::rename(path, self.folder.join(segment_name(OLD, number)))?;
            }
        }
        self.trim(KEPT)?;
        File::open(&self.folder)?.sync_all()
    }

    fn trim(&self, most: u64) -> io::Result<()> {
        let mut total = 0;
        for (_, path) in segments(&self.folder, OLD)?.into_iter().rev() {
            let size = fs::metadata(&path)?.len();
            total += size;
            // What another store has left here can never be read again.
            if size <= HEADER || total > most || !self.is_ours(&path)? {
                total -= size;
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    fn is_ours(&self, path: &Path) -> io::Result<bool> {
        let mut header = Vec::new();
        File::open(path)?.take(HEADER).read_to_end(&mut header)?;
        Ok(session_of(&header) == Some(self.session))
    }

    /// All segments that there are, newest first.
    pub(in crate::store) fn open(&self) -> io::Result<Vec<Segment>> {
        let _moving = self.moving.lock().unwrap_or_else(PoisonError::into_inner);
        let mut paths = segments(&self.folder, LIVE)?;
        paths.extend(segments(&self.folder, OLD)?);
        paths.sort_unstable_by_key(|(first, _)| *first);
        let opened = paths.into_iter().rev().map(|(first, path)| Segment::open(first, path, self.session));
        opened.filter_map(Result::transpose).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Batch, Log},
        *,
    };

    const SESSION: u64 = 7;

    /// A folder with a segment for each change, the last one live.
    fn written(changes: u64, size: usize) -> (tempfile::TempDir, Archive) {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::create(folder.path(), SESSION, 1).unwrap();
        for number in 1..=changes {
            let mut batch = Batch::default();
            batch.push(format!("{{\"number\":{number},\"by\":\"{}\"}}", "x".repeat(size)).into_bytes());
            log.append(&batch).unwrap();
            log.roll(number + 1).unwrap();
        }
        let archive = Archive::new(folder.path(), SESSION);
        (folder, archive)
    }

    fn firsts(archive: &Archive) -> Vec<u64> {
        archive.open().unwrap().iter().map(Segment::first).collect()
    }

    #[test]
    fn what_is_retired_can_be_read_and_is_not_replayed() {
        let (folder, archive) = written(3, 10);
        archive.retire(3).unwrap();
        assert_eq!(firsts(&archive), [4, 3, 2, 1]);
        let mut replayed = Vec::new();
        let keep = |_: &Path, payload: &[u8]| {
            replayed.push(String::from_utf8_lossy(payload).into_owned());
            Ok::<(), super::super::LogError>(())
        };
        Log::replay(folder.path(), SESSION, keep).unwrap();
        assert_eq!(replayed.len(), 1, "{replayed:?}");
        assert!(replayed[0].contains("\"number\":3"));
    }

    #[test]
    fn the_oldest_go_when_there_is_too_much_and_so_do_those_of_other_stores() {
        let (folder, archive) = written(4, 1000);
        archive.retire(5).unwrap();
        archive.trim(2500).unwrap();
        assert_eq!(firsts(&archive), [5, 4, 3]);
        let other = Archive::new(folder.path(), SESSION + 1);
        assert_eq!(firsts(&other), [0; 0], "another store's are not read");
        other.trim(2500).unwrap();
        assert_eq!(firsts(&archive), [5], "and not kept");
    }
}
