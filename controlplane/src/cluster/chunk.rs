//! A snapshot that comes in parts: gathered, and applied as one or not at all.

use super::{
    extension::{Begin, PART},
    gathered::Gathered,
    message::BadFrame,
    offer::Prepared,
};
use crate::hash::ContentHash;

/// Octets of all parts together. Far above any real store; small enough that a peer cannot fill our memory.
const MAX_TOTAL: usize = 1 << 30;

/// What has come of it so far.
#[derive(Debug)]
pub(super) struct Incoming {
    begin: Begin,
    gathered: Gathered,
    octets: usize,
}

impl Incoming {
    pub(super) fn new(begin: Begin) -> Self {
        Self { begin, gathered: Gathered::default(), octets: 0 }
    }

    /// Takes a part in, which came in a frame of this length.
    pub(super) fn part(&mut self, records: Gathered, octets: usize) -> Result<(), BadFrame> {
        if octets > PART {
            let fault = format!("a part of {octets} bytes; one may have {PART}");
            return Err(BadFrame::Field { key: "records", fault });
        }
        self.octets += octets;
        if self.octets > MAX_TOTAL {
            let fault = format!("the parts of the snapshot are longer than {MAX_TOTAL} bytes together");
            return Err(BadFrame::Field { key: "records", fault });
        }
        self.gathered.extend(records);
        Ok(())
    }

    /// All parts have come: the snapshot, if it is the one announced.
    pub(super) fn finish(self) -> Result<Prepared, BadFrame> {
        let Self { begin, gathered, .. } = self;
        let count = gathered.count() as u64;
        if count != begin.count {
            let fault = format!("{} records were announced, {count} came", begin.count);
            return Err(BadFrame::Field { key: "count", fault });
        }
        let hash = ContentHash::of_all(gathered.records());
        if hash != begin.hash {
            return Err(BadFrame::Field {
                key: "hash",
                fault: "the records that came are not those announced".to_owned(),
            });
        }
        Ok(Prepared::full(begin.label, hash, gathered))
    }
}
