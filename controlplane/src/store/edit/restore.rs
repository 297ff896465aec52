//! Bringing back what a peer's snapshot overwrote: a new local write, by the rules of any other.

use super::{EditRefused, Plan, check_neighbours, describe, refused};
use crate::{
    record::{Details, Record, Time, tidy_name},
    records::{Records, Row},
    store::Conflict,
};

/// Changes named in the answer; the others are counted.
const NAMED: usize = 20;

/// What to bring back, and what to take away for it.
#[derive(Clone, Debug, Default)]
pub struct Restoration {
    /// Records that were lost.
    lost: Vec<Record>,
    /// What stands in their place since, unless somebody changed it again.
    won: Vec<Record>,
    /// Records that were deleted here and came back.
    undeleted: Vec<Record>,
}

impl Restoration {
    /// What a conflict lost, narrowed by name and type if they are given.
    pub fn of(conflict: &Conflict, name: Option<&str>, kind: Option<&str>) -> Result<Self, EditRefused> {
        if conflict.refused.is_some() {
            return Err(refused(format!("conflict {} is a refused snapshot: nothing was lost", conflict.id)));
        }
        let name = name.map(|name| tidy_name(name).into_owned());
        let wanted = |record: &&Record| {
            name.as_ref().is_none_or(|name| record.name().eq_ignore_ascii_case(name))
                && kind.is_none_or(|kind| record.type_text().eq_ignore_ascii_case(kind.trim()))
        };
        let pick = |records: &[Record]| records.iter().filter(wanted).cloned().collect::<Vec<_>>();
        let restoration =
            Self { lost: pick(&conflict.lost), won: pick(&conflict.won), undeleted: pick(&conflict.undeleted) };
        if restoration.lost.is_empty() && restoration.undeleted.is_empty() {
            let what = name.map_or_else(String::new, |name| format!(" of {name}"));
            return Err(refused(format!("conflict {} lost nothing{what} that is kept here", conflict.id)));
        }
        Ok(restoration)
    }
}

/// Works out what that does to these records.
pub(super) fn plan(records: &Records, restoration: &Restoration) -> Result<Plan, EditRefused> {
    let mut plan = Plan::default();
    let lost = Records::from_rows(restoration.lost.iter().map(|record| Row::new(record.clone(), 0, 0, false)));
    let stays_away = |record: &Record| lost.get(record).is_none();
    for record in restoration.won.iter().chain(&restoration.undeleted).filter(|record| stays_away(record)) {
        if let Some(row) = records.get(record).filter(|row| row.record.same_content(record)) {
            plan.messages.push(format!("removed {}", describe(&row.record)));
            plan.removed.push(row.clone());
        }
    }
    let left = records.with(&plan.removed, &[]);
    for record in &restoration.lost {
        let old = left.get(record);
        if old.is_some_and(|row| row.record.same_content(record)) {
            continue;
        }
        check_neighbours(&left, record, old)?;
        let mut record = record.clone();
        record.set_details(Details { updated_on: Some(Time::now()), ..record.details().into_owned() });
        plan.messages.push(format!("restored {}", describe(&record)));
        plan.removed.extend(old.cloned());
        plan.added.push((old.map(|row| row.order), record));
    }
    if plan.messages.len() > NAMED {
        let more = plan.messages.len() - NAMED;
        plan.messages.truncate(NAMED);
        plan.messages.push(format!("and {more} more"));
    }
    if plan.is_empty() {
        plan.messages = vec!["everything that was lost is there already".to_owned()];
    }
    Ok(plan)
}
