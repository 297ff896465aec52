//! Where records come from: one trait, whatever is behind it.
//!
//! A reading yields all records there are, or why it could not be had; never half of them. What it means for the records
//! that we hold is worked out by the store's writer, so that the change log, the feed and peers see only what changed.
//! A small difference may stand for the whole where a source knows for certain what changed since its last reading.

mod choose;
mod document;
mod faults;
mod follower;
mod git;
mod note;
mod standing;
mod url;
mod zone_folder;

pub(crate) use choose::Chosen;
pub use document::DocumentError;
pub(crate) use document::read as read_document;
pub use faults::{Fault, Faults};
pub use follower::Following;
pub(crate) use follower::{Follower, Reload};
pub(crate) use note::Note;
pub use standing::{SourceStatus, Standing};

use crate::record::Record;
use std::{any::Any, future::Future, pin::Pin};
use tokio::sync::mpsc;

/// What a reading comes to: `None` if it is what was read last time.
pub(crate) type Read<'a> = Pin<Box<dyn Future<Output = Result<Option<Reading>, SourceError>> + Send + 'a>>;

/// A place that records come from.
pub(crate) trait Source: Send + 'static {
    /// What it is, in words for sentences: "the Git repository `https://git.test/dns.git`". Never shows a password.
    fn what(&self) -> String;

    /// Reads all of it, or says why not. Time and memory are bounded by the source itself, whatever is at the other end.
    /// Dropping the future ends the reading and whatever was started for it.
    fn read(&mut self) -> Read<'_>;

    /// What became of the last reading: the store holds it now, and this many records in all; or `None`, the store did not
    /// take it, and the next reading must be whole. Called after each reading that was not `None`.
    fn taken(&mut self, records: Option<usize>);

    /// What to remember over restarts, so that the next reading need only ask for news. Asked after [`Source::taken`].
    /// A source is made with what was kept, unless it is another one by then or the store does not hold what it gave.
    fn memory(&self) -> serde_json::Value;

    /// Tells when it is worth looking before the interval is over, for as long as what it returns is kept. Those who cannot
    /// tell return `None`, and are looked at each interval.
    fn watch(&mut self, told: mpsc::Sender<()>) -> Option<Box<dyn Any + Send>> {
        drop(told);
        None
    }
}

/// What a source says.
#[derive(Debug)]
pub(crate) struct Reading {
    /// The records.
    pub(crate) content: Content,
    /// What in it cannot be used, and what is served in its stead if anything is.
    pub(crate) faults: Faults,
    /// Which version of it this is, for people: a commit, a time. May be empty.
    pub(crate) version: String,
}

/// Records of a reading.
#[derive(Debug)]
pub(crate) enum Content {
    /// All that there are; of several that say the same the first counts.
    Whole(Vec<Record>),
    /// What turns the last reading that was taken into this one. Only for sources of which no two records say the same:
    /// a row that goes must not be held up by another. The store refuses one that does not fit what it holds.
    Change {
        /// Records of the last reading that are in this one no more.
        gone: Vec<Record>,
        /// Records of this one that were not in the last.
        came: Vec<Record>,
    },
}

/// Why a source could not be read: a whole sentence without a full stop, what and where and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct SourceError(pub(crate) String);

impl Reading {
    /// All records of a source.
    pub(crate) fn whole(records: Vec<Record>, faults: Faults, version: String) -> Self {
        Self { content: Content::Whole(records), faults, version }
    }
}
