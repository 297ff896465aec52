//! Names that are blocked: lists from files and from the web, and what was added by hand, merged into two tables for data
//! planes.
//!
//! One task owns all of it ([`owner`]); everybody else holds a [`BlockLists`], asks it for changes and looks at what it
//! shows. A list that cannot be read any more stays as it was last, and status says why. Changes made by hand are on disk
//! before whoever made them hears of it; what they change in answers follows as soon as the lists are merged again.

mod key;
mod list;
mod merge;
mod names;
mod own;
mod owner;
mod parse;
mod source;
mod standing;

pub use merge::Merged;
pub use standing::{Domains, Explanation, Sources};

use crate::{config, live::Live};
use merge::Part;
use owner::{Command, Deed, Owner};
use standing::Standing;
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

/// What was added by hand, where lists are told apart by name.
const BY_HAND: &str = "added by hand";
/// Commands that may wait.
const COMMANDS: usize = 64;

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ListsError {
    /// The words make no sense, or ask for what cannot be; a sentence each.
    #[error("{}", .0.join("; "))]
    Refused(Vec<String>),
    /// What was said by hand cannot be kept.
    #[error("cannot write `{}`: {source}", path.display())]
    Disk {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The process is stopping.
    #[error("the control plane is stopping")]
    Stopping,
}

impl ListsError {
    fn refused(why: impl Into<String>) -> Self {
        Self::Refused(vec![why.into()])
    }
}

/// A change that was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// What happened, a sentence each.
    pub messages: Vec<String>,
    /// Names that are on some list or added by hand, afterwards.
    pub count: usize,
}

/// A handle on all lists; clones share them.
#[derive(Clone)]
pub struct BlockLists {
    commands: mpsc::Sender<Command>,
    standing: watch::Receiver<Arc<Standing>>,
    merged: watch::Receiver<Option<Arc<Merged>>>,
}

impl BlockLists {
    /// Reads what was said by hand, and hands out the task that does the rest.
    pub(crate) async fn open(
        folder: &Path,
        settings: watch::Receiver<Arc<config::BlockLists>>,
        live: Live,
        shutdown: CancellationToken,
    ) -> (Self, impl Future<Output = anyhow::Result<()>> + Send + 'static) {
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let (standing, shown) = watch::channel(Arc::default());
        let (merged, latest) = watch::channel(None);
        let owner = Owner::new(folder, settings, live, standing, merged).await;
        (Self { commands, standing: shown, merged: latest }, owner.run(inbox, shutdown))
    }

    /// The tables; `None` until every list was looked at once, so that nothing less than all of them replaces what data
    /// planes remember.
    pub fn merged(&self) -> watch::Receiver<Option<Arc<Merged>>> {
        self.merged.clone()
    }

    /// Blocks names, and what is below them.
    pub async fn add(&self, names: Vec<String>, by: String) -> Result<Done, ListsError> {
        self.ask(Deed::Add(names), by).await
    }

    /// Takes back that names are blocked. What lists say of them stays.
    pub async fn remove(&self, names: Vec<String>, by: String) -> Result<Done, ListsError> {
        self.ask(Deed::Remove(names), by).await
    }

    /// Lets names through, and what is below them, whatever blocks them.
    pub async fn allow(&self, names: Vec<String>, by: String) -> Result<Done, ListsError> {
        self.ask(Deed::Allow(names), by).await
    }

    /// Takes back that names are let through.
    pub async fn disallow(&self, names: Vec<String>, by: String) -> Result<Done, ListsError> {
        self.ask(Deed::Disallow(names), by).await
    }

    /// Reads a list, written as in `adblock_list_files`, now and from now on.
    pub async fn load(&self, list: String, by: String) -> Result<Done, ListsError> {
        self.ask(Deed::Load(list), by).await
    }

    /// Forgets a list; one of `adblock_list_files` is taken out there.
    pub async fn unload(&self, list: String, by: String) -> Result<Done, ListsError> {
        self.ask(Deed::Unload(list), by).await
    }

    /// Forgets all lists, and all names that were blocked by hand.
    pub async fn clear(&self, by: String) -> Result<Done, ListsError> {
        self.ask(Deed::Clear, by).await
    }

    /// Blocks nothing for so many minutes; 0 ends a pause.
    pub async fn pause(&self, minutes: u64, by: String) -> Result<Done, ListsError> {
        self.ask(Deed::Pause(minutes), by).await
    }

    /// All lists and how they are.
    pub fn sources(&self) -> Sources {
        self.standing.borrow().sources()
    }

    /// What blocks a name, and what lets it through.
    pub fn explain(&self, name: &str) -> Result<Explanation, ListsError> {
        self.standing.borrow().explain(name).map_err(ListsError::refused)
    }

    /// Names let through by hand, in order.
    pub fn allowed(&self) -> Vec<String> {
        self.standing.borrow().allowed()
    }

    /// Names that are blocked, by list or by hand, and contain this text; in order. Takes a while if there are millions.
    pub fn domains(&self, filter: &str) -> Domains {
        let standing = self.standing.borrow().clone();
        standing.domains(filter)
    }

    async fn ask(&self, deed: Deed, by: String) -> Result<Done, ListsError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command { deed, by, reply }).await.map_err(|_| ListsError::Stopping)?;
        answer.await.map_err(|_| ListsError::Stopping)?
    }
}

/// Merges lists that are at hand as text, reading them side by side. For measuring: what takes time and memory is the
/// same. Tells how long reading and merging took.
pub fn merge_texts(lists: &[(&str, &[u8])]) -> io::Result<(Merged, [Duration; 2])> {
    let begun = Instant::now();
    let part = |(source, text): &(&str, &[u8])| {
        let parsed = parse::parse(*text, false).map_err(io::Error::other)?;
        let (blocked, allowed) = (Arc::new(parsed.blocked), Arc::new(parsed.allowed));
        Ok(Part { source: Arc::from(*source), blocked, allowed })
    };
    let parts = thread::scope(|scope| {
        let reading: Vec<_> = lists.iter().map(|list| scope.spawn(move || part(list))).collect();
        let read = reading.into_iter().map(|thread| thread.join().map_err(|_| io::Error::other("a thread failed"))?);
        read.collect::<io::Result<Vec<_>>>()
    })?;
    let read = begun.elapsed();
    let (merged, _) = merge::merge(&parts);
    Ok((merged, [read, begun.elapsed() - read]))
}
