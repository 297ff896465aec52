//! What tells one version of a file from another without reading it.

use std::{fs::Metadata, os::unix::fs::MetadataExt, time::Duration};

/// A file that changed less than this before it was read may change once more without its time showing it.
const TOO_FRESH: Duration = Duration::from_millis(100);

/// How a file was when it was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    changed: (i64, i64),
}

impl Stamp {
    /// `None`: whatever it is now, it may change again unseen.
    pub(crate) fn of(metadata: &Metadata) -> Option<Self> {
        let age = metadata.modified().ok().and_then(|at| at.elapsed().ok());
        let changed = (metadata.ctime(), metadata.ctime_nsec());
        let stamp = Self { device: metadata.dev(), inode: metadata.ino(), length: metadata.size(), changed };
        age.is_none_or(|age| age > TOO_FRESH).then_some(stamp)
    }
}
