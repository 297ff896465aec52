//! Taking a change back: a new local write that makes its records what they were before it.
//!
//! Only as long as they are as that change left them: what somebody did since is not undone by the way. Whose change it was
//! does not matter; an undone undo is the change again.

use super::{EditRefused, Plan, check_neighbours, refused};
use crate::{record::Record, records::Records, store::history::Past};
use std::collections::HashSet;

/// Records named in the answer; the others are counted.
const NAMED: usize = 100;
/// Rows on each side of a change that can be undone: what one entry of the log holds at most, so that a change of all
/// records, which is another thing than a slip, is not undone by one word.
pub(in crate::store) const MOST_ROWS: usize = 100_000;

/// A change that is to be undone.
#[derive(Clone, Debug)]
pub struct Undo {
    number: u64,
    /// What it took away, with places.
    before: Vec<(u64, Record)>,
    /// What it brought.
    after: Vec<(u64, Record)>,
}

/// A record that is no longer as the change left it.
#[derive(Debug, PartialEq)]
pub(in crate::store) struct Obstacle {
    pub(in crate::store) record: Record,
    /// The change that wrote what is there now, if anything is.
    pub(in crate::store) by: Option<u64>,
}

impl Undo {
    /// Of a change with all its rows.
    pub(in crate::store) fn of(past: Past) -> Result<Self, EditRefused> {
        let number = past.number;
        if past.whole || past.more > 0 {
            let rows = past.removed + past.added;
            return Err(refused(format!(
                "change {number} is about {rows} rows, more than can be undone at once; import the records as they were"
            )));
        }
        Ok(Self { number, before: past.before, after: past.after })
    }

    /// Number of the change.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// What somebody did to its records since.
    pub(in crate::store) fn obstacles(&self, records: &Records) -> Vec<Obstacle> {
        let brought = Records::from_rows(self.after.iter().map(|(place, record)| row(record, *place)));
        let changed = self.after.iter().filter_map(|(_, record)| match records.get(record) {
            Some(row) if row.touched() == self.number => None,
            row => Some(Obstacle { record: record.clone(), by: row.map(|row| row.touched()) }),
        });
        // What was replaced by a row of its own identity is no obstacle to itself.
        let gone = self.before.iter().filter(|(_, record)| brought.get(record).is_none());
        let back = gone.filter_map(|(_, record)| {
            let by = records.get(record)?.touched();
            Some(Obstacle { record: record.clone(), by: Some(by) })
        });
        changed.chain(back).collect()
    }

    /// What undoing does to these records.
    pub(in crate::store) fn plan(&self, records: &Records) -> Result<Plan, EditRefused> {
        if let Some(obstacle) = self.obstacles(records).first() {
            return Err(self.overtaken(&obstacle.record, obstacle.by));
        }
        let removed: Vec<_> = self.after.iter().filter_map(|(_, record)| records.get(record).cloned()).collect();
        let left = records.with(&removed, &[]);
        for (_, record) in &self.before {
            check_neighbours(&left, record, None)?;
        }
        self.check_ids(&left)?;
        let taken = self.taken_places(&left);
        let place = |place: &u64| Some(*place).filter(|place| !taken.contains(place));
        let added: Vec<_> = self.before.iter().map(|(at, record)| (place(at), record.clone())).collect();
        let goes = removed.iter().map(|row| format!("goes: {}", describe(&row.record)));
        let mut messages: Vec<_> =
            goes.chain(added.iter().map(|(_, it)| format!("comes back: {}", describe(it)))).collect();
        let more = messages.len().saturating_sub(NAMED);
        messages.truncate(NAMED);
        messages.extend((more > 0).then(|| format!("and {more} more")));
        Ok(Plan { removed, added, messages })
    }

    /// Why it cannot be done: change `by` did something to `record` since.
    pub(in crate::store) fn overtaken(&self, record: &Record, by: Option<u64>) -> EditRefused {
        let number = self.number;
        let (name, kind) = (record.name(), record.type_text());
        refused(match by {
            Some(by) => format!(
                "change {number} cannot be undone: change {by} did something to {name} {kind} since; undo change {by} first"
            ),
            None => format!(
                "change {number} cannot be undone: {name} {kind} was changed since; `record history {name}` shows how"
            ),
        })
    }

    /// An id may have been given to another record since.
    fn check_ids(&self, left: &Records) -> Result<(), EditRefused> {
        let ids: HashSet<_> =
            self.before.iter().filter_map(|(_, record)| Some(record.id()?.to_ascii_lowercase())).collect();
        let holds = |id: &str| ids.contains(&id.to_ascii_lowercase());
        match left.iter().find(|row| !ids.is_empty() && row.record.id().is_some_and(holds)) {
            Some(row) => Err(refused(format!(
                "change {} cannot be undone: the id of a record that would come back belongs to {} now",
                self.number,
                describe(&row.record)
            ))),
            None => Ok(()),
        }
    }

    /// Places of records that come back which others have by now: numbers begin anew below those of rows that are gone.
    fn taken_places(&self, left: &Records) -> HashSet<u64> {
        let wanted: HashSet<_> = self.before.iter().map(|(place, _)| *place).collect();
        left.iter().map(|row| row.order).filter(|place| wanted.contains(place)).collect()
    }
}

fn row(record: &Record, place: u64) -> crate::records::Row {
    crate::records::Row::new(record.clone(), place, 0, false)
}

fn describe(record: &Record) -> String {
    format!("{} {} {} {}", record.name(), record.ttl, record.type_text(), record.value())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Row;
    use std::sync::Arc;

    fn record(text: &str) -> Record {
        let words: Vec<_> = text.splitn(3, ' ').collect();
        Record::new(words[0], words[1], words[2], 60)
    }

    /// A store with these records, each with the change that wrote it.
    fn store(rows: &[(&str, u64)]) -> Records {
        Records::from_rows(rows.iter().zip(1..).map(|((text, by), place)| Row::new(record(text), place, *by, true)))
    }

    fn undo(number: u64, before: &[(u64, &str)], after: &[(u64, &str)]) -> Undo {
        let placed = |rows: &[(u64, &str)]| rows.iter().map(|(place, text)| (*place, record(text))).collect();
        Undo { number, before: placed(before), after: placed(after) }
    }

    /// The names and values that are there once it is done.
    fn done(records: &Records, undo: &Undo) -> Vec<String> {
        let plan = undo.plan(records).expect("can be undone");
        let added =
            plan.added.into_iter().map(|(place, record)| Arc::new(Row::new(record, place.unwrap_or(99), 9, true)));
        let next = records.with(&plan.removed, &added.collect::<Vec<_>>());
        next.in_order().iter().map(|row| format!("{} {}", row.record.name(), row.record.value())).collect()
    }

    #[test]
    fn what_came_goes_and_what_went_comes_back_in_its_place() {
        let records = store(&[("a.test A 192.0.2.1", 3), ("b.test A 192.0.2.2", 1)]);
        let replaced = undo(3, &[(1, "a.test A 192.0.2.9")], &[(1, "a.test A 192.0.2.1")]);
        assert_eq!(done(&records, &replaced), ["a.test 192.0.2.9", "b.test 192.0.2.2"]);
        assert_eq!(done(&records, &undo(3, &[], &[(1, "a.test A 192.0.2.1")])), ["b.test 192.0.2.2"]);
        let gone = undo(2, &[(0, "c.test A 192.0.2.3")], &[]);
        assert_eq!(done(&records, &gone), ["c.test 192.0.2.3", "a.test 192.0.2.1", "b.test 192.0.2.2"]);
        let taken = undo(2, &[(1, "c.test A 192.0.2.3")], &[]);
        assert_eq!(
            done(&records, &taken).last().map(String::as_str),
            Some("c.test 192.0.2.3"),
            "its place is another's"
        );
    }

    #[test]
    fn a_ttl_comes_back_although_the_record_was_there_all_the_time() {
        let records = store(&[("a.test A 192.0.2.1", 3)]);
        let mut ttl = undo(3, &[(1, "a.test A 192.0.2.1")], &[(1, "a.test A 192.0.2.1")]);
        ttl.before[0].1.ttl = 5;
        let plan = ttl.plan(&records).expect("can be undone");
        assert_eq!((plan.removed.len(), plan.added[0].0, plan.added[0].1.ttl), (1, Some(1), 5));
    }

    #[test]
    fn what_was_changed_since_is_refused_with_the_change_that_did_it() {
        let records = store(&[("a.test A 192.0.2.1", 7), ("b.test CNAME c.test", 5)]);
        let refusal = |undo: Undo| undo.plan(&records).expect_err("refused").to_string();
        let overwritten = refusal(undo(3, &[], &[(1, "a.test A 192.0.2.1")]));
        assert!(overwritten.contains("change 7") && overwritten.contains("undo change 7 first"), "{overwritten}");
        assert!(refusal(undo(3, &[(1, "a.test A 192.0.2.1")], &[])).contains("undo change 7 first"));
        assert!(refusal(undo(3, &[], &[(4, "x.test A 192.0.2.1")])).contains("`record history x.test`"));
        assert!(refusal(undo(3, &[(1, "b.test A 192.0.2.1")], &[])).contains("RFC 1034"), "rules hold as for any edit");
    }
}
