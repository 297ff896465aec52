//! The records file as a source: the one that is written as well.

use super::file::{Note, changed_file};
use crate::{
    blocking::beside,
    hand_edits::watch_file,
    source::{Faults, Read, Reading, Source, SourceError},
};
use std::{
    any::Any,
    path::{Path, PathBuf},
};
use tokio::sync::mpsc;
use tracing::warn;

/// The file, and what we know of it.
pub(in crate::store) struct RecordsFile {
    path: PathBuf,
    note_path: PathBuf,
    note: Option<Note>,
    /// As it was read, until it is known which generation that is.
    read: Option<Note>,
}

impl RecordsFile {
    pub(in crate::store) fn new(path: PathBuf, note_path: PathBuf, note: Option<Note>) -> Self {
        Self { path, note_path, note, read: None }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The generation that it holds, as far as is known.
    pub(super) fn number(&self) -> Option<u64> {
        self.note.as_ref().map(|note| note.number)
    }

    /// What was read is this generation, or a hand edit of it.
    pub(super) fn holds(&mut self, number: u64) {
        if let Some(read) = self.read.take() {
            self.keep(read.at(number));
        }
    }

    /// Remembers how the file is.
    pub(super) fn keep(&mut self, note: Note) {
        if self.note.as_ref() != Some(&note) {
            if let Err(error) = note.save(&self.note_path) {
                warn!(%error, path = %self.note_path.display(), "cannot write");
            }
            self.note = Some(note);
        }
    }
}

impl Source for RecordsFile {
    fn what(&self) -> String {
        format!("the records file `{}`", self.path.display())
    }

    fn read(&mut self) -> Read<'_> {
        Box::pin(async {
            let (path, note) = (self.path.clone(), self.note.clone());
            let found = beside(move || changed_file(&path, note.as_ref())).await;
            let Some(found) = found.map_err(|error| SourceError(error.to_string()))? else { return Ok(None) };
            self.read = Some(found.note);
            Ok(Some(Reading::whole(found.records, Faults::default(), String::new())))
        })
    }

    fn taken(&mut self, records: Option<usize>) {
        if records.is_none() {
            self.read = None;
        }
    }

    /// On disk already: see [`RecordsFile::keep`].
    fn memory(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    fn watch(&mut self, told: mpsc::Sender<()>) -> Option<Box<dyn Any + Send>> {
        watch_file(&self.path, told).map(|watcher| Box::new(watcher) as _)
    }
}
