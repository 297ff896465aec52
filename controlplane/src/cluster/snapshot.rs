//! Our records as one frame, made once for all peers that need the same.

use super::{
    extension::Label,
    message::{self, TooLarge},
};
use crate::{blocking::beside, store::View};
use dnsplane_proto::Generation;
use std::sync::{Arc, Weak};
use tokio::sync::Mutex;

/// A frame ready to send.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) frame: Vec<u8>,
}

/// Keeps the last snapshot as long as anybody sends it.
#[derive(Debug, Default)]
pub(super) struct Snapshots(Mutex<Option<Slot>>);

#[derive(Debug)]
struct Slot {
    of: (Generation, Label),
    made: Result<Weak<Snapshot>, TooLarge>,
}

impl Snapshots {
    /// The frame for this view. Whoever asks meanwhile waits for the one being made.
    pub(super) async fn of(&self, label: Label, view: Arc<View>) -> Result<Arc<Snapshot>, TooLarge> {
        let of = (view.generation, label);
        let mut slot = self.0.lock().await;
        if let Some(last) = slot.as_ref().filter(|last| last.of == of) {
            match &last.made {
                Ok(weak) => {
                    if let Some(snapshot) = weak.upgrade() {
                        return Ok(snapshot);
                    }
                }
                Err(too_large) => return Err(*too_large),
            }
        }
        let label = of.1.clone();
        let made = beside(move || message::snapshot(&label, &view.records)).await;
        let made = made.map(|frame| Arc::new(Snapshot { frame }));
        *slot = Some(Slot { of, made: made.as_ref().map(Arc::downgrade).map_err(|too_large| *too_large) });
        made
    }
}
