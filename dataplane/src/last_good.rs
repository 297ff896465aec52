//! The copy on our own disk: what was last received, so that we answer from the first moment, with no control plane there.
//!
//! | file              | content                                                              |
//! |-------------------|----------------------------------------------------------------------|
//! | `lock`            | held while we run; empty                                             |
//! | `settings`        | the settings                                                         |
//! | `upstreams`       | whom to ask for names that are not ours                              |
//! | `block_list`      | names that are blocked                                               |
//! | `records.base`    | the shards of one snapshot, as they stand in memory                  |
//! | `records.journal` | differences received since, in order                                 |
//!
//! The copy is a convenience, not the truth: the control plane has that. So a damaged file is said to be damaged and
//! ignored, and the journal is synced once a second, not with each change. What a power cut takes from its end is sent
//! again by the control plane.

mod base;
mod journal;
mod keeper;
mod message;

pub use keeper::Keeper;

use crate::{
    Builder,
    feed::{Loaded, Whole},
    snapshot::Snapshot,
};
use dnsplane_proto::Generation;
use std::{
    fs::{self, DirBuilder, File, TryLockError},
    io::{self, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};
use tracing::{info, warn};

/// Why the state folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It is not there and cannot be made, or is not writable.
    #[error("cannot use state folder `{path}`; give --state a folder that this user can write to")]
    Unusable {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Two data planes would overwrite each other's copy.
    #[error("state folder `{path}` is in use by another dnsplane-dns; give each one its own --state folder")]
    Locked {
        /// The folder.
        path: PathBuf,
    },
}

/// A file of the folder cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("cannot {deed} `{path}`")]
    Io { deed: &'static str, path: PathBuf, source: io::Error },
    #[error("`{path}` is damaged: {what}")]
    Damaged { path: PathBuf, what: String },
    #[error("`{path}` has format {found}; this build reads {known}")]
    Format { path: PathBuf, found: u32, known: u32 },
}

impl FileError {
    fn io(deed: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { deed, path: path.to_owned(), source }
    }

    fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), what: what.into() }
    }
}

/// The state folder, ours alone.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Unlocks when closed.
    _lock: File,
}

/// What the folder held.
#[derive(Default)]
pub struct LastGood {
    /// Settings, upstreams and block list, as far as they are there.
    pub messages: Vec<(Generation, Loaded)>,
    /// The records. Their rules are the default ones until the settings are applied.
    pub snapshot: Option<Snapshot>,
}

impl Folder {
    /// Takes the folder, making it if it is not there.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let unusable = |source| FolderError::Unusable { path: path.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o750).create(path).map_err(unusable)?;
        let lock = File::options().create(true).append(true).open(path.join("lock")).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(FolderError::Locked { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => Err(unusable(source)),
        }
    }

    /// Reads what is there. Damage is logged and costs what was damaged, nothing else.
    pub fn load(&self) -> LastGood {
        let messages = Whole::ALL.into_iter().filter_map(|whole| message::load(&self.path, whole)).collect();
        LastGood { messages, snapshot: self.base().and_then(|base| self.replay(base)) }
    }

    fn base(&self) -> Option<Snapshot> {
        base::read(&self.base_path()).unwrap_or_else(|error| {
            ignored(&error);
            None
        })
    }

    /// Brings a base forward by the journal.
    fn replay(&self, base: Snapshot) -> Option<Snapshot> {
        let (from, rules) = (base.generation, base.rules.clone());
        let (mut builder, mut reached) = (Builder::onto(base), from);
        let result = journal::read(&self.journal_path(), |entry| {
            if entry.from != reached {
                return Ok(()); // from before the base was written
            }
            for set in &entry.sets {
                builder.apply(set)?;
            }
            reached = entry.to;
            Ok(())
        });
        if let Err(error) = result {
            // What half of it would lead to was never served; so a damaged journal counts as none at all.
            ignored(&error);
            let _ = fs::remove_file(self.journal_path());
            return self.base();
        }
        let snapshot = builder.finish(reached, rules);
        info!(generation = %reached, base = %from, records = snapshot.records(), "read the last-good copy");
        Some(snapshot)
    }

    fn base_path(&self) -> PathBuf {
        self.path.join("records.base")
    }

    fn journal_path(&self) -> PathBuf {
        self.path.join("records.journal")
    }
}

fn ignored(error: &FileError) {
    warn!("{}; it is ignored and will be written anew", crate::chain(error));
}

/// Replaces a file so that, whatever happens, either the old or the new content is there.
fn write_aside(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), FileError> {
    let aside = path.with_extension("new");
    let mut file =
        io::BufWriter::with_capacity(1 << 20, File::create(&aside).map_err(FileError::io("create", &aside))?);
    let written = write(&mut file).and_then(|()| file.flush()).and_then(|()| file.get_ref().sync_all());
    if let Err(source) = written {
        // Half a file on a full disk helps nobody.
        let _ = fs::remove_file(&aside);
        return Err(FileError::Io { deed: "write", path: aside, source });
    }
    fs::rename(&aside, path).map_err(FileError::io("replace", path))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(FileError::io("sync", folder))
}

/// The whole file; `None` if there is none.
fn read_whole(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FileError::io("read", path)(error)),
    }
}

#[cfg(test)]
mod tests;
