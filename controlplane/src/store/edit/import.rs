//! What a file of records does to the records: which are new, which change, which go, and which break a rule.
//!
//! Worked out beside the writer, since a file may hold a million records, shown to whoever asked, and then made as one
//! change. The writer only looks whether the records are still those that the difference was worked out for. Rules are
//! checked over what comes out, not record by record against what was there: a file may put an alias in a record's place.

mod matching;
mod scope;
#[cfg(test)]
mod tests;

pub(crate) use scope::{Scope, Within};

use super::{Plan, describe};
use crate::{
    record::{Details, Record, Time},
    records::{Records, Row},
    store::View,
};
use dnsplane_proto::Generation;
use matching::Group;
use std::{borrow::Cow, collections::HashSet, sync::Arc};

/// What a file does to the records of one generation.
#[derive(Clone, Debug)]
pub struct Import {
    /// The records that it was worked out for.
    pub(crate) generation: Generation,
    /// What differs: what comes and changes in the order of the file, then what goes.
    pub(crate) items: Vec<Item>,
    /// Records of the file that are there already.
    pub(crate) unchanged: usize,
    /// Records of the file that say the same as an earlier one.
    pub(crate) repeated: usize,
}

/// What a file says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct File<'a> {
    /// Its records, in its order.
    pub(crate) records: &'a [Record],
    /// What of that is held and not in the file goes.
    pub(crate) replace: Option<&'a Scope>,
    /// Whether it says TTLs; if not, records that are held keep theirs.
    pub(crate) has_ttls: bool,
}

/// One difference.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    /// Comes.
    Added(Record),
    /// Takes the place of a row: another TTL or MAC address, or another value where a name has only one.
    Changed(Arc<Row>, Record),
    /// Goes.
    Removed(Arc<Row>),
    /// The record of this place in the file breaks a rule.
    Refused(usize, String),
}

impl Import {
    /// Compares a file's records with those held.
    pub(crate) fn of(view: &View, file: File<'_>) -> Self {
        let File { records: wanted, replace, has_ttls } = file;
        let mut import = Self { generation: view.generation, items: Vec::new(), unchanged: 0, repeated: 0 };
        let mut found = matching::Found { has_ttls, ..matching::Found::default() };
        let scope = replace.map(|scope| scope.within(&view.records));
        for group in Group::all(wanted) {
            group.compare(&view.records, wanted, scope.as_ref(), &mut found);
        }
        found.places.sort_unstable_by_key(|(place, _)| *place);
        import.items.extend(found.places.into_iter().map(|(_, item)| item));
        (import.unchanged, import.repeated) = (found.unchanged, found.repeated);
        if let Some(scope) = &scope {
            let stays = |row: &Arc<Row>| found.held.contains(&address(row)) || !scope.covers(&row.record);
            import
                .items
                .extend(view.records.in_order().into_iter().filter(|row| !stays(row)).cloned().map(Item::Removed));
        }
        import.give_ids(&view.records);
        import
    }

    /// How many records are added, changed, removed and refused.
    pub(crate) fn counts(&self) -> [usize; 4] {
        let mut counts = [0; 4];
        for item in &self.items {
            counts[match item {
                Item::Added(_) => 0,
                Item::Changed(..) => 1,
                Item::Removed(_) => 2,
                Item::Refused(..) => 3,
            }] += 1;
        }
        counts
    }

    /// The change that it comes to.
    pub(in crate::store) fn into_plan(self) -> Plan {
        let [added, changed, removed, _] = self.counts();
        let mut plan = Plan::default();
        for item in self.items {
            match item {
                Item::Added(record) => plan.added.push((None, record)),
                Item::Changed(row, record) => {
                    plan.added.push((Some(row.order), record));
                    plan.removed.push(row);
                }
                Item::Removed(row) => plan.removed.push(row),
                Item::Refused(..) => {}
            }
        }
        plan.messages.push(match plan.is_empty() {
            true => "the records are like that already".to_owned(),
            false => format!("imported: {added} added, {changed} changed, {removed} removed"),
        });
        plan
    }

    /// Gives every new record an id and the time of its coming, as adding one does. What the file says of them is kept where
    /// it can be: an id has to be nobody else's.
    fn give_ids(&mut self, records: &Records) {
        let given = |item: &Item| matches!(item, Item::Added(record) if record.id().is_some());
        let mut taken = HashSet::<Cow<'_, str>, foldhash::fast::RandomState>::default();
        let gone: HashSet<usize, foldhash::fast::RandomState> = self.items.iter().filter_map(Item::gone).collect();
        if self.items.iter().any(given) {
            let held = records.iter().filter(|row| !gone.contains(&address(row)));
            taken.extend(held.filter_map(|row| row.record.id().map(without_case)));
        }
        let now = Time::now();
        for item in &mut self.items {
            let Item::Added(record) = item else { continue };
            let mut details = record.details().into_owned();
            details.id = details.id.filter(|id| taken.insert(Cow::Owned(id.to_ascii_lowercase())));
            details.id.get_or_insert_with(|| uuid::Uuid::new_v4().to_string().into());
            details.added_on.get_or_insert_with(|| now.clone());
            record.set_details(details);
        }
    }
}

impl Item {
    /// The row that is not held any more afterwards, with its id.
    fn gone(&self) -> Option<usize> {
        if let Self::Removed(row) = self { Some(address(row)) } else { None }
    }
}

/// The held record with what a file says otherwise; `None` if it says nothing otherwise.
fn changed(row: &Row, wanted: &Record, value: bool, has_ttls: bool) -> Option<Record> {
    let (held, told) = (&row.record, wanted.details());
    let ttl = if has_ttls { wanted.ttl } else { held.ttl };
    let mac = told.mac.clone().filter(|mac| held.details().mac.as_ref() != Some(mac));
    if held.ttl == ttl && mac.is_none() && !value {
        return None;
    }
    let mut details = Details { updated_on: Some(Time::now()), ..held.details().into_owned() };
    details.mac = mac.or(details.mac);
    Some(if value {
        Record::with_details(held.name(), &held.type_text(), wanted.value().trim(), ttl, details)
    } else {
        let mut record = held.clone();
        record.ttl = ttl;
        record.set_details(details);
        record
    })
}

fn without_case(id: &str) -> Cow<'_, str> {
    match id.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => Cow::Owned(id.to_ascii_lowercase()),
        false => Cow::Borrowed(id),
    }
}

/// Tells a row from every other for as long as it is held.
fn address(row: &Arc<Row>) -> usize {
    Arc::as_ptr(row) as usize
}
