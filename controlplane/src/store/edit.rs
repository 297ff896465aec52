//! What an edit does to the records: pure, so that every rule can be tested with a table.
//!
//! Edits come from people (REST, dnsplanectl) and are checked; a records file edited by hand is taken as it is, since
//! refusing a line of it would lose it.

use crate::{
    check::neighbours,
    rdata,
    record::{DEFAULT_TTL, Details, Record, Time, tidy_name},
    records::{Records, Row},
};
use dnsplane_proto::RecordType;
use std::{
    cmp::Ordering,
    collections::HashSet,
    hash::{BuildHasher, Hash, Hasher},
    sync::Arc,
};

mod import;
mod restore;
mod undo;

pub use import::Import;
pub(crate) use import::{File as ImportFile, Item as ImportItem, Scope as ImportScope, Within};
pub use restore::Restoration;
pub(super) use undo::MOST_ROWS as MOST_UNDONE;
pub use undo::Undo;

/// A record as someone asks for it.
#[derive(Clone, Debug, Default)]
pub struct NewRecord {
    /// Given id; `None` lets us mint one.
    pub id: Option<String>,
    /// Owner name.
    pub name: String,
    /// Type, mnemonic or `TYPE123`.
    pub kind: String,
    /// Value in presentation form.
    pub value: String,
    /// Seconds; `None` is [`DEFAULT_TTL`].
    pub ttl: Option<u32>,
}

/// Which records to remove: by id, or by name, narrowed by type and value.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// One record's id.
    pub id: Option<String>,
    /// Owner name.
    pub name: Option<String>,
    /// Type.
    pub kind: Option<String>,
    /// Value.
    pub value: Option<String>,
    /// Remove every match; otherwise more than one match is refused.
    pub all: bool,
}

/// One edit.
#[derive(Clone, Debug)]
pub enum Edit {
    /// Adds a record; one that is there already stays as it is.
    Add(NewRecord),
    /// Replaces the record with this id, or else the one of this identity; adds it if there is none.
    Update(NewRecord),
    /// Removes records.
    Remove(Selection),
    /// Brings back what a peer's snapshot overwrote.
    Restore(Restoration),
    /// Takes a change back.
    Undo(Box<Undo>),
    /// What a file of records does, worked out for one generation.
    Import(Box<Import>),
}

/// The edit breaks a rule; one sentence each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct EditRefused(pub Vec<String>);

/// What an edit comes to.
#[derive(Debug, Default)]
pub(in crate::store) struct Plan {
    /// Rows that go, replaced ones included.
    pub(super) removed: Vec<Arc<Row>>,
    /// Records that come, with the place of the row they replace.
    pub(super) added: Vec<(Option<u64>, Record)>,
    /// What happened, for the caller.
    pub(super) messages: Vec<String>,
}

impl Plan {
    pub(super) fn is_empty(&self) -> bool {
        self.removed.is_empty() && self.added.is_empty()
    }

    fn nothing(message: String) -> Self {
        Self { messages: vec![message], ..Self::default() }
    }
}

/// Works out what an edit does to these records.
pub(super) fn plan(records: &Records, edit: &Edit) -> Result<Plan, EditRefused> {
    match edit {
        Edit::Add(new) => add(records, new),
        Edit::Update(new) => update(records, new),
        Edit::Remove(selection) => remove(records, selection),
        Edit::Restore(restoration) => restore::plan(records, restoration),
        Edit::Undo(undo) => undo.plan(records),
        Edit::Import(import) => Ok(Import::clone(import).into_plan()),
    }
}

/// What turns our records into `wanted`, sets in `keep` left alone.
pub(super) fn difference(records: &Records, wanted: Vec<Record>, keep: &HashSet<super::SetKey>) -> Plan {
    let kept = |record: &Record| !keep.is_empty() && keep.contains(&super::SetKey::of(record));
    let mut plan = Plan::default();
    let mut matched: foldhash::HashSet<usize> =
        HashSet::with_capacity_and_hasher(wanted.len().min(records.len()), Default::default());
    let mut first_wins = FirstWins::default();
    for record in wanted.into_iter().filter(|record| !kept(record)) {
        match records.get(&record) {
            Some(row) => {
                if matched.insert(Arc::as_ptr(row) as usize) && row.record != record {
                    plan.removed.push(Arc::clone(row));
                    plan.added.push((Some(row.order), record));
                }
            }
            None => {
                if first_wins.is_first(&plan.added, &record) {
                    plan.added.push((None, record));
                }
            }
        }
    }
    if matched.len() < records.len() {
        let gone = records.iter().filter(|row| !matched.contains(&(Arc::as_ptr(row) as usize)) && !kept(&row.record));
        plan.removed.extend(gone.cloned());
    }
    plan
}

/// What a difference that a source made does here; `None` if it does not fit: a record goes that is not here, or comes and
/// is here already.
pub(super) fn change(records: &Records, gone: &[Record], came: Vec<Record>) -> Option<Plan> {
    let mut plan = Plan::default();
    let mut going: foldhash::HashSet<usize> = HashSet::with_capacity_and_hasher(gone.len(), Default::default());
    for record in gone {
        let row = records.get(record).filter(|row| row.record == *record)?;
        if !going.insert(Arc::as_ptr(row) as usize) {
            return None;
        }
        plan.removed.push(Arc::clone(row));
    }
    let mut first_wins = FirstWins::default();
    for record in came {
        let place = match records.get(&record) {
            Some(row) if going.contains(&(Arc::as_ptr(row) as usize)) => Some(row.order),
            Some(_) => return None,
            None => None,
        };
        if !first_wins.is_first(&plan.added, &record) {
            return None;
        }
        plan.added.push((place, record));
    }
    Some(plan)
}

/// What a difference made elsewhere does here; `None` if it names something that we do not hold.
pub(super) fn delta(records: &Records, delta: super::Delta) -> Option<Plan> {
    let mut plan = Plan::default();
    for record in &delta.deletes {
        plan.removed.push(Arc::clone(records.get(record)?));
    }
    for record in delta.upserts {
        match records.get(&record) {
            Some(row) if row.record == record => {}
            Some(row) => {
                plan.removed.push(Arc::clone(row));
                plan.added.push((Some(row.order), record));
            }
            None => plan.added.push((None, record)),
        }
    }
    Some(plan)
}

/// Finds records that repeat an earlier one, by the hash of their identity: a store may have a million.
#[derive(Debug, Default)]
pub(crate) struct FirstWins {
    state: foldhash::quality::RandomState,
    places: foldhash::HashMap<u64, usize>,
}

impl FirstWins {
    /// Whether none of `kept` says the same; the caller then appends the record there.
    fn is_first(&mut self, kept: &[(Option<u64>, Record)], record: &Record) -> bool {
        self.is_new(kept.len(), |place| &kept[place].1, record)
    }

    /// The same for any list: `count` records that `at` gives.
    pub(crate) fn is_new<'a>(&mut self, count: usize, at: impl Fn(usize) -> &'a Record, record: &Record) -> bool {
        let mut hasher = self.state.build_hasher();
        hasher.write_u64(crate::records::name_hash(record.name()));
        record.type_text().hash(&mut hasher);
        record.normalised_value().hash(&mut hasher);
        let mut key = hasher.finish();
        while let Some(place) = self.places.get(&key) {
            if at(*place).cmp_identity(record) == Ordering::Equal {
                return false;
            }
            key = key.wrapping_add(1);
        }
        self.places.insert(key, count);
        true
    }
}

fn add(records: &Records, new: &NewRecord) -> Result<Plan, EditRefused> {
    let mut record = checked(new)?;
    if let Some(row) = records.get(&record) {
        let ttl = row.record.ttl;
        let more = if ttl == record.ttl { String::new() } else { format!(" with TTL {ttl}; update it to change that") };
        return Ok(Plan::nothing(format!("{} exists already{more}", describe(&row.record))));
    }
    if let Some(id) = &new.id {
        check_id_free(records, id)?;
    }
    check_neighbours(records, &record, None)?;
    let id = new.id.clone().unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    record.set_details(Details { id: Some(id.into()), added_on: Some(Time::now()), ..Details::default() });
    let mut messages = vec![format!("added {}", describe(&record))];
    messages.extend(ttl_note(records, &record));
    Ok(Plan { removed: Vec::new(), added: vec![(None, record)], messages })
}

fn update(records: &Records, new: &NewRecord) -> Result<Plan, EditRefused> {
    let mut record = checked(new)?;
    let old = match &new.id {
        Some(id) => match records.by_id(id) {
            Some(row) => row,
            None => return Err(refused(format!("no record has the id `{id}`; list the records to see their ids"))),
        },
        None => match records.get(&record) {
            Some(row) => row,
            None => return add(records, new),
        },
    };
    if let Some(other) = records.get(&record).filter(|row| !Arc::ptr_eq(row, old)) {
        return Err(refused(format!("{} exists already as another record", describe(&other.record))));
    }
    check_neighbours(records, &record, Some(old))?;
    if old.record.same_content(&record) && old.record.value() == record.value() && old.record.name() == record.name() {
        return Ok(Plan::nothing(format!("{} is like that already", describe(&old.record))));
    }
    record.set_details(Details { updated_on: Some(Time::now()), ..old.record.details().into_owned() });
    let mut messages = vec![format!("updated {}", describe(&record))];
    messages.extend(ttl_note(records, &record));
    Ok(Plan { removed: vec![Arc::clone(old)], added: vec![(Some(old.order), record)], messages })
}

fn remove(records: &Records, selection: &Selection) -> Result<Plan, EditRefused> {
    let matches = select(records, selection)?;
    match matches.len() {
        0 => Err(refused("no record matches".to_owned())),
        2.. if !selection.all => {
            let shown: Vec<_> = matches.iter().take(5).map(|row| describe(&row.record)).collect();
            Err(refused(format!(
                "{} records match ({}{}); give type and value of one, or ask for all of them",
                matches.len(),
                shown.join(", "),
                if matches.len() > shown.len() { ", …" } else { "" },
            )))
        }
        _ => {
            let messages = matches.iter().take(20).map(|row| format!("removed {}", describe(&row.record))).collect();
            Ok(Plan { removed: matches, added: Vec::new(), messages })
        }
    }
}

/// The rows that a selection names.
fn select(records: &Records, selection: &Selection) -> Result<Vec<Arc<Row>>, EditRefused> {
    if let Some(id) = &selection.id {
        return Ok(records.by_id(id).cloned().into_iter().collect());
    }
    let Some(name) = selection.name.as_deref().filter(|name| !name.trim().is_empty()) else {
        return Err(refused("an id or a name is needed to say which record".to_owned()));
    };
    let name = tidy_name(name);
    let kind = selection.kind.as_deref().map(str::trim).filter(|kind| !kind.is_empty());
    let value = selection.value.as_deref().map(str::trim).filter(|value| !value.is_empty());
    let matching = records.of_name(&name).iter().filter(|row| {
        let record = &row.record;
        kind.is_none_or(|kind| record.type_text().eq_ignore_ascii_case(kind))
            && value.is_none_or(|value| {
                let kind = record.kind().unwrap_or(RecordType(0));
                record.normalised_value() == rdata::normalise(kind, value)
            })
    });
    Ok(matching.cloned().collect())
}

/// The record asked for, each of its fields checked.
fn checked(new: &NewRecord) -> Result<Record, EditRefused> {
    let record = Record::new(&new.name, &new.kind, new.value.trim(), new.ttl.unwrap_or(DEFAULT_TTL));
    let told = |(field, what)| match field {
        // Faults of values and types repeat what was written.
        "name" => format!("name `{}`: {what}", new.name.trim()),
        _ => format!("{field}: {what}"),
    };
    let faults: Vec<_> = record.faults().into_iter().map(told).collect();
    if faults.is_empty() { Ok(record) } else { Err(EditRefused(faults)) }
}

/// Rules about what may stand side by side at one name.
fn check_neighbours(records: &Records, record: &Record, replaced: Option<&Arc<Row>>) -> Result<(), EditRefused> {
    for row in records.of_name(record.name()) {
        if replaced.is_some_and(|replaced| Arc::ptr_eq(replaced, row))
            || row.record.cmp_identity(record) == Ordering::Equal
        {
            continue;
        }
        if let Some(rule) = neighbours(record.kind(), row.record.kind()) {
            return Err(refused(format!("{rule}; here is {} already", describe(&row.record))));
        }
    }
    Ok(())
}

fn check_id_free(records: &Records, id: &str) -> Result<(), EditRefused> {
    match records.by_id(id) {
        Some(row) => Err(refused(format!("the id `{id}` belongs to {}", describe(&row.record)))),
        None => Ok(()),
    }
}

/// A set should agree on one TTL (RFC 2181 §5.2); we keep what was asked for, and say so.
fn ttl_note(records: &Records, record: &Record) -> Option<String> {
    let set = records.of_set(record.name(), record.kind()?);
    let other =
        set.iter().find(|row| row.record.cmp_identity(record) != Ordering::Equal && row.record.ttl != record.ttl)?;
    Some(format!(
        "note: other records of this set have TTL {}; resolvers will use one of them for all",
        other.record.ttl
    ))
}

fn describe(record: &Record) -> String {
    format!("{} {} {}", record.name(), record.type_text(), record.value())
}

fn refused(sentence: String) -> EditRefused {
    EditRefused(vec![sentence])
}

#[cfg(test)]
mod tests;
