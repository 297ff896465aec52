//! The door for whole sets of records: the records file, and sources that are only read.

use super::{Actor, Edited, Request, StoreError};
use crate::source::Content;
use tokio::sync::{mpsc, oneshot};

/// Gives the writer what a source says.
#[derive(Clone)]
pub(crate) struct Intake {
    pub(super) requests: mpsc::Sender<Request>,
}

/// What a source says, for the writer.
pub(super) struct Taking {
    pub(super) content: Content,
    /// Sets that changed after this number keep our version; `None`: nobody but the source changes any.
    pub(super) mirrored: Option<u64>,
    /// Which source, for the log.
    pub(super) by: Actor,
}

impl Intake {
    /// Makes the store what a source says. When this returns `Ok`, it is on disk. `None`: what was said is a difference to
    /// something else than the store holds.
    pub(crate) async fn take(
        &self,
        content: Content,
        mirrored: Option<u64>,
        by: impl Into<Actor>,
    ) -> Result<Option<Edited>, StoreError> {
        let (reply, answer) = oneshot::channel();
        let taking = Taking { content, mirrored, by: by.into() };
        self.requests.send(Request::Take { taking, reply }).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}
