//! How our records go to a peer that is to have them: as a difference, in parts, or whole; whatever was agreed and is
//! shortest. Pushes and answers to pulls both come here.

use super::{
    Shared,
    extension::{self, Label, Parts},
    features::Features,
    message::TooLarge,
    snapshot::Snapshot,
};
use crate::{
    hash::ContentHash,
    store::{Origin, View},
};
use std::sync::Arc;

/// Records up to which a snapshot goes in one frame although parts were agreed: about half a megabyte.
const ONE_FRAME: usize = 4096;

/// Frames to send, made as they are needed.
pub(super) enum Outgoing {
    One(Vec<u8>),
    Whole(Arc<Snapshot>),
    Parts { begin: Vec<u8>, parts: Box<Parts> },
}

impl Outgoing {
    /// What brings a peer that holds `theirs` to this view.
    pub(super) async fn of(
        shared: &Shared,
        view: &Arc<View>,
        label: &Label,
        features: Features,
        theirs: Option<ContentHash>,
    ) -> Result<Self, TooLarge> {
        if let Some(delta) = theirs.filter(|_| features.delta).and_then(|theirs| delta(shared, view, label, theirs)) {
            return Ok(Self::One(delta));
        }
        let records = &view.records;
        if features.chunk && records.len() > ONE_FRAME {
            let count = records.iter().filter(|row| row.record.is_servable()).count();
            let begin = extension::begin(label, count, records.hash());
            return Ok(Self::Parts { begin, parts: Box::new(Parts::of(records.clone())) });
        }
        Ok(Self::Whole(shared.snapshots.of(label.clone(), Arc::clone(view)).await?))
    }

    /// Whether it is a difference.
    pub(super) fn is_delta(&self) -> bool {
        matches!(self, Self::One(_))
    }

    /// Whether it takes long enough for deadlines to be counted anew with each frame.
    pub(super) fn is_long(&self) -> bool {
        matches!(self, Self::Parts { .. })
    }

    /// Its frames, one after another.
    pub(super) fn frames(self) -> Frames {
        Frames { outgoing: Some(self) }
    }
}

/// The frames of an [`Outgoing`].
pub(super) struct Frames {
    outgoing: Option<Outgoing>,
}

/// A frame to send.
pub(super) enum Frame {
    Own(Vec<u8>),
    Shared(Arc<Snapshot>),
}

impl AsRef<[u8]> for Frame {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Own(frame) => frame,
            Self::Shared(snapshot) => &snapshot.frame,
        }
    }
}

impl Iterator for Frames {
    type Item = Frame;

    fn next(&mut self) -> Option<Frame> {
        match self.outgoing.take()? {
            Outgoing::One(frame) => Some(Frame::Own(frame)),
            Outgoing::Whole(snapshot) => Some(Frame::Shared(snapshot)),
            Outgoing::Parts { begin, mut parts } if begin.is_empty() => {
                let Some(part) = parts.next() else { return Some(Frame::Own(extension::end())) };
                self.outgoing = Some(Outgoing::Parts { begin, parts });
                Some(Frame::Own(part))
            }
            Outgoing::Parts { begin, parts } => {
                self.outgoing = Some(Outgoing::Parts { begin: Vec::new(), parts });
                Some(Frame::Own(begin))
            }
        }
    }
}

/// The difference to what the peer holds, if we once held that, too.
fn delta(shared: &Shared, view: &Arc<View>, label: &Label, theirs: ContentHash) -> Option<Vec<u8>> {
    let base = if view.records.hash() == theirs { Arc::clone(view) } else { shared.history.with(theirs)? };
    let touched = shared.store.touched_since(base.generation.number)?;
    // Everything since then was written here, with that in view.
    let informed = label.node_id == shared.node_id() && view.foreign <= base.generation.number;
    extension::delta(label, &base.records, &view.records, &touched, informed)
}

impl Shared {
    /// Whose write a view is, for a peer that takes others' as well (`relay`); `None` if nobody ever wrote it.
    pub(super) fn head(&self, view: &View) -> Option<Label> {
        let Origin { seq, timestamp, .. } = *view.head.as_ref().filter(|_| self.store.has_records())?;
        let node_id = view.head.as_ref()?.writer(&self.node_id()).to_owned();
        (seq > 0).then_some(Label { node_id, seq, timestamp })
    }

    /// The view under our own name; `None` if we never wrote anything (R1), or follow a source that was never read.
    pub(super) fn own_label(&self, view: &View) -> Option<Label> {
        let own = view.own;
        (own.seq > 0 && self.store.has_records()).then(|| Label {
            node_id: self.node_id(),
            seq: own.seq,
            timestamp: own.written_at,
        })
    }
}
