//! What became of the records, change by change, newest first: read from the log and from what it has left behind.
//!
//! Reading is done beside everything else and keeps little: an entry may hold a whole store, so that large ones are read
//! row by row, and of each change only the rows that were asked for are kept, up to a number.

mod past;

pub(super) use past::Wanted;
pub use past::{Past, Step};

use super::{
    Store, StoreError, View,
    edit::{MOST_UNDONE, Undo},
    log::{Archive, Place, Segment},
};
use crate::{
    blocking::beside,
    record::{Record, Time, tidy_name},
    records::{Records, Row},
};
use dnsplane_proto::RecordType;
use past::{PastJson, may_hold, number_of, read};
use serde::Serialize;
use std::{
    io::{self, Read},
    ops::ControlFlow,
    sync::Arc,
};
use tracing::warn;

/// Entries up to this size are read at once, and only if they can be about what is asked.
const SMALL: usize = 1 << 20;
/// Rows of one change that an answer holds, on each side.
const MOST_ROWS: usize = 1000;
/// The same where nobody asked for a name.
const FEW_ROWS: usize = 4;
/// Octets of rows that an answer holds in all, beyond what the last change adds: far less than a reply may have.
const MOST_OCTETS: usize = 16 << 20;
/// Changes that an answer holds.
const MOST_CHANGES: usize = 1000;
/// Changes that are told if nobody says how many.
const USUAL_CHANGES: usize = 20;

/// Which changes are asked for.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Changes of records of this name; empty: all changes.
    pub name: String,
    /// Only those of this type; empty: every type.
    pub kind: String,
    /// How many, newest first; 0 is as many as usual.
    pub limit: usize,
    /// Only changes before this one; 0: from the newest on.
    pub before: u64,
}

/// The answer.
#[derive(Debug, Default)]
pub struct History {
    /// Newest first.
    pub changes: Vec<Past>,
    /// Whether there may be more than were asked for.
    pub more: bool,
    /// Number and time (milliseconds since 1970) of the oldest change that is kept; only if there are no more.
    pub oldest: Option<(u64, u64)>,
}

/// The answer as programs are told.
#[derive(Serialize)]
pub struct HistoryJson<'a> {
    changes: Vec<PastJson<'a>>,
    more: bool,
    /// Number of the oldest change that is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_at: Option<String>,
}

impl<'a> HistoryJson<'a> {
    /// As seen on the node with this id.
    pub fn of(history: &'a History, own_id: &'a str) -> Self {
        Self {
            changes: history.changes.iter().map(|past| PastJson::of(past, own_id)).collect(),
            more: history.more,
            oldest: history.oldest.map(|(number, _)| number),
            oldest_at: history.oldest.map(|(_, at)| Time::at(at).to_string()),
        }
    }
}

impl Store {
    /// What became of the records.
    pub async fn history(&self, asked: Asked) -> Result<History, StoreError> {
        let (archive, newest) = (Arc::clone(&self.archive), self.view().generation.number);
        beside(move || look_up(&archive, newest, &asked)).await.map_err(unreadable)
    }

    /// The change of this number, to be undone with [`Edit::Undo`](super::Edit::Undo), and what that does now; or why it
    /// cannot be, with the later change that is in the way.
    pub async fn undoing(&self, number: u64) -> Result<(Undo, Vec<String>), StoreError> {
        let (archive, view) = (Arc::clone(&self.archive), self.view());
        beside(move || undoing(&archive, &view, number)).await
    }
}

fn undoing(archive: &Archive, view: &View, number: u64) -> Result<(Undo, Vec<String>), StoreError> {
    let newest = view.generation.number;
    if number == 0 || number > newest {
        return Err(StoreError::Unknown(format!("there is no change {number} yet; the newest is {newest}")));
    }
    let past = change(archive, number, MOST_UNDONE).map_err(unreadable)?;
    let Some(past) = past else {
        let kept = oldest(archive).map_err(unreadable)?;
        let kept = kept.map_or_else(|| "none is kept".to_owned(), |(oldest, _)| format!("the oldest kept is {oldest}"));
        return Err(StoreError::Unknown(format!("change {number} is too old to be known; {kept}")));
    };
    let undo = Undo::of(past)?;
    let obstacles = undo.obstacles(&view.records);
    if let Some(first) = obstacles.first() {
        // The newest of all in the way: it is the one to undo first.
        let rows = obstacles.iter().map(|obstacle| Row::new(obstacle.record.clone(), 0, 0, false));
        let in_the_way = Records::from_rows(rows);
        let by = newest_of(archive, newest, number, &|record| in_the_way.get(record).is_some()).map_err(unreadable)?;
        return Err(undo.overtaken(&first.record, by.or(first.by)).into());
    }
    let messages = undo.plan(&view.records)?.messages;
    Ok((undo, messages))
}

fn unreadable(error: io::Error) -> StoreError {
    StoreError::Unreadable(format!("the history of changes cannot be read: {error}"))
}

/// Finds the changes that are asked for among those up to number `newest`.
pub(super) fn look_up(archive: &Archive, newest: u64, asked: &Asked) -> io::Result<History> {
    let name = tidy_name(&asked.name).into_owned();
    let kind = asked.kind.trim();
    let known = kind.parse::<RecordType>().ok();
    let matches = |record: &Record| {
        record.name().eq_ignore_ascii_case(&name)
            && (kind.is_empty()
                || record.kind().filter(|own| Some(*own) == known).is_some()
                || record.type_text().eq_ignore_ascii_case(kind))
    };
    let limit = if asked.limit == 0 { USUAL_CHANGES } else { asked.limit.min(MOST_CHANGES) };
    let wanted = match name.is_empty() {
        true => Wanted { matches: &|_| true, name: None, most: FEW_ROWS },
        false => Wanted { matches: &matches, name: Some(&name), most: MOST_ROWS },
    };
    let newest = if asked.before == 0 { newest } else { newest.min(asked.before - 1) };
    let (mut history, mut octets) = (History::default(), 0);
    walk(archive, newest, 0, &wanted, |past| {
        if history.changes.len() == limit || octets >= MOST_OCTETS {
            history.more = true;
            return ControlFlow::Break(());
        }
        octets += past.octets();
        history.changes.push(past);
        ControlFlow::Continue(())
    })?;
    // Whoever stopped early has not seen the oldest one, and does not ask for it.
    history.oldest = if history.more { None } else { oldest(archive)? };
    Ok(history)
}

/// The change of this number with at most so many rows on each side; `None` if it is not kept.
pub(super) fn change(archive: &Archive, number: u64, most: usize) -> io::Result<Option<Past>> {
    let wanted = Wanted { matches: &|_| true, name: None, most };
    let mut found = None;
    walk(archive, number, number, &wanted, |past| {
        found = Some(past);
        ControlFlow::Break(())
    })?;
    Ok(found)
}

/// The newest change after number `after` that touched a record which `matches`.
pub(super) fn newest_of(
    archive: &Archive,
    newest: u64,
    after: u64,
    matches: &dyn Fn(&Record) -> bool,
) -> io::Result<Option<u64>> {
    let wanted = Wanted { matches, name: None, most: 1 };
    let mut found = None;
    walk(archive, newest, after + 1, &wanted, |past| {
        found = Some(past.number);
        ControlFlow::Break(())
    })?;
    Ok(found)
}

/// Shows `visit` the changes from number `newest` down to `last` that hold wanted rows, newest first.
fn walk(
    archive: &Archive,
    newest: u64,
    last: u64,
    wanted: &Wanted<'_>,
    mut visit: impl FnMut(Past) -> ControlFlow<()>,
) -> io::Result<()> {
    let mut buffer = Vec::new();
    for (age, segment) in archive.open()?.iter().enumerate().filter(|(_, segment)| segment.first() <= newest) {
        for place in segment.places()?.into_iter().rev() {
            let past = match entry(segment, place, wanted, &mut buffer)? {
                Entry::Past(past) => past,
                Entry::Other(number) if number < last => return Ok(()),
                Entry::Other(_) => continue,
                // Something that is being written is not whole yet; anywhere else it should be.
                Entry::Damaged if age == 0 => continue,
                Entry::Damaged => {
                    warn!(path = %segment.path().display(), "an entry of the history is damaged; passing over it");
                    continue;
                }
            };
            if past.number < last {
                return Ok(());
            }
            if past.number <= newest && past.is_wanted() && visit(past).is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// What an entry is found to be.
enum Entry {
    Past(Past),
    /// It has this number, and holds nothing that is wanted.
    Other(u64),
    Damaged,
}

fn entry(segment: &Segment, place: Place, wanted: &Wanted<'_>, buffer: &mut Vec<u8>) -> io::Result<Entry> {
    let mut payload = segment.payload(place);
    if place.length() > SMALL {
        let past = read(io::BufReader::with_capacity(64 << 10, &mut payload), wanted).ok();
        return Ok(past.filter(|_| payload.check().unwrap_or_default()).map_or(Entry::Damaged, Entry::Past));
    }
    buffer.clear();
    payload.read_to_end(buffer)?;
    if !payload.check()? {
        return Ok(Entry::Damaged);
    }
    match number_of(buffer) {
        Some(number) if wanted.name.is_some_and(|name| !may_hold(buffer, name)) => Ok(Entry::Other(number)),
        _ => Ok(read(&buffer[..], wanted).map_or(Entry::Damaged, Entry::Past)),
    }
}

/// Number and time of the oldest change that is kept.
fn oldest(archive: &Archive) -> io::Result<Option<(u64, u64)>> {
    let wanted = Wanted { matches: &|_| false, name: None, most: 0 };
    let mut buffer = Vec::new();
    for segment in archive.open()?.iter().rev() {
        for place in segment.places()? {
            if let Entry::Past(past) = entry(segment, place, &wanted, &mut buffer)?
                && past.is_change()
            {
                return Ok(Some((past.number, past.at)));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
