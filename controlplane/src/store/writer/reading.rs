//! Readings of a source: compared with what we hold, written, shown.

use super::{Writer, peer::BULK, refuse_to_write};
use crate::{
    source::Content,
    store::{
        Edited, StoreError, View,
        edit::{self, Plan},
        intake::Taking,
    },
};
use std::collections::HashSet;

impl Writer {
    /// Makes the records what a source says; `None` if it says a difference that does not fit them. When this returns
    /// `Ok`, it is on disk and shown.
    pub(super) fn take_reading(&mut self, taking: Taking) -> Result<Option<Edited>, StoreError> {
        let Taking { content, mirrored, by } = taking;
        let records = &self.view.records;
        let plan = match content {
            Content::Whole(wanted) => {
                let newer = mirrored.map_or_else(HashSet::new, |number| self.touched_after(number));
                Some(edit::difference(records, wanted, &newer))
            }
            Content::Change { gone, came } => edit::change(records, &gone, came),
        };
        let Some(plan) = plan else { return Ok(None) };
        let (gone, came) = (plan.removed.len(), plan.added.len());
        let messages = vec![format!("{came} records taken from {by}, {gone} replaced or removed")];
        let changed = self.write_plan(plan, by, BULK)?;
        let View { generation, records, .. } = &self.view;
        Ok(Some(Edited { changed, messages, generation: *generation, records: records.len() }))
    }

    /// Writes a change of our own that may be about a whole store; true if there was anything to write. One of more rows than
    /// `bulk` is not an entry of the change log but an image.
    pub(super) fn write_plan(&mut self, plan: Plan, by: String, bulk: usize) -> Result<bool, StoreError> {
        let before = (self.view.clone(), self.clock, self.next_order);
        let entry = self.own_entry(plan, by);
        let changed = entry.is_some();
        let written = match entry {
            None => Ok(()),
            Some(entry) if entry.rows() > bulk => self.write_all(entry),
            Some(entry) => self.write_one(entry),
        };
        if let Err(error) = written {
            (self.view, self.clock, self.next_order) = before;
            return Err(refuse_to_write(error));
        }
        Ok(changed)
    }
}
