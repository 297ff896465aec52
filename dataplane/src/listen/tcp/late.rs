//! Replies that come later, to one connection.

use crate::resolve::WayBack;
use tokio::{sync::mpsc, time::Instant};

/// Questions that one connection may have under way. As many as a busy forwarder has; few enough that their replies, should
/// they all be of the largest size and come at once, are 16 MB.
pub(super) const MAX_UNDER_WAY: usize = 256;

/// Replies that come later.
pub(super) struct Late {
    /// Cloned for each question under way.
    way_back: mpsc::Sender<Vec<u8>>,
    replies: mpsc::Receiver<Vec<u8>>,
    /// Asked, and not received.
    missing: usize,
    /// When the last of them has come.
    pub(super) over: Instant,
}

impl Late {
    pub(super) fn new() -> Self {
        let (way_back, replies) = mpsc::channel(MAX_UNDER_WAY);
        Self { way_back, replies, missing: 0, over: Instant::now() }
    }

    /// For one question more.
    pub(super) fn way_back(&mut self) -> WayBack {
        self.missing += 1;
        WayBack::Stream(self.way_back.clone())
    }

    /// The next reply.
    pub(super) async fn next(&mut self) -> Option<Vec<u8>> {
        let reply = self.replies.recv().await;
        self.missing = self.missing.saturating_sub(1);
        reply
    }

    /// The next reply, if it is there already.
    pub(super) fn next_now(&mut self) -> Option<Vec<u8>> {
        let reply = self.replies.try_recv().ok()?;
        self.missing = self.missing.saturating_sub(1);
        Some(reply)
    }

    /// Each question holds a sender until its reply is in the queue, and a moment longer; one that was given up holds none.
    pub(super) fn under_way(&self) -> usize {
        self.missing.min(self.way_back.strong_count() - 1 + self.replies.len())
    }
}
