//! What is kept beside the change log of the source that its records came from: the log is the copy of what it said.

use crate::aside;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// Its name in the store's folder.
const NAME: &str = "source.json";

/// Which source, when it was read, and what it wants to be reminded of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    /// The same as long as the source is the same place, read in the same way.
    pub(crate) identity: String,
    /// In words.
    pub(crate) what: String,
    /// Session and number of the generation that holds what it said.
    pub(crate) session: u64,
    pub(crate) number: u64,
    /// Milliseconds since 1970.
    pub(crate) read_at: u64,
    pub(crate) version: String,
    pub(crate) memory: serde_json::Value,
}

impl Note {
    pub(crate) fn path(folder: &Path) -> PathBuf {
        folder.join(NAME)
    }

    /// The note of an earlier run; a broken one is as good as none: then everything is read and compared.
    pub(crate) fn load(folder: &Path) -> Option<Self> {
        aside::sweep(&Self::path(folder));
        serde_json::from_slice(&fs::read(Self::path(folder)).ok()?).ok()
    }

    /// Written aside and renamed, and on disk when this returns.
    pub(crate) fn save(&self, folder: &Path) -> io::Result<()> {
        let path = Self::path(folder);
        let file = aside::create(&path)?;
        serde_json::to_writer(file.as_file(), self)?;
        file.as_file().sync_all()?;
        file.persist(&path).map_err(|error| error.error)?;
        File::open(folder)?.sync_all()
    }

    /// The records come from elsewhere from now on.
    pub(crate) fn remove(folder: &Path) -> io::Result<()> {
        match fs::remove_file(Self::path(folder)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}
