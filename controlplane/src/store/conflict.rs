//! What peers' snapshots cost us: local records that were overwritten, and snapshots that were refused.
//!
//! A conflict keeps both sides, so that people can see what was lost and bring it back. Conflicts are part of the store: in
//! the log with the change that caused them, and in the image after that.

use super::Origin;
use crate::record::{Record, Time};
use serde::{Deserialize, Serialize, Serializer};
use std::{collections::VecDeque, sync::Arc};

/// Conflicts kept; the oldest make room.
const MAX_CONFLICTS: usize = 1000;
/// Records kept over all conflicts. One that lost more has a copy of the whole store beside the log.
pub(super) const MAX_RECORDS: usize = 200_000;
/// Records of each side shown of a snapshot that was refused: it changed nothing, and may be sent again and again.
pub(super) const MAX_REFUSED: usize = 100;

/// One conflict. `lost` and `won` are from before and after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conflict {
    /// Counts up from 1 on each node.
    pub id: u64,
    /// Milliseconds since 1970.
    pub at: u64,
    /// Whose write it was that came.
    pub offered: Origin,
    /// Whose write our records were until then; `None` if nobody had ever written them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Origin>,
    /// The peer it came from, and whether pushed or pulled.
    pub via: String,
    /// Why the snapshot was refused; `None` says that it was applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// Whether its writer had seen what we held: then it meant what it did, and nobody needs to look.
    #[serde(default)]
    pub informed: bool,
    /// Local records that went or were overwritten; of a refused snapshot, what it would have taken from us.
    pub lost: Vec<Record>,
    /// What the snapshot holds, or would have brought, of those record sets.
    pub won: Vec<Record>,
    /// Records that were deleted here, and that the snapshot brought back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undeleted: Vec<Record>,
    /// Lost records beyond those kept.
    #[serde(default)]
    pub more: u64,
    /// File with the whole store as it was, if not all could be kept here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy: Option<String>,
}

impl Conflict {
    /// Whether there is anything to tell.
    pub(super) fn is_something(&self) -> bool {
        self.refused.is_some() || !self.lost.is_empty() || !self.undeleted.is_empty() || self.more > 0
    }

    fn records(&self) -> usize {
        self.lost.len() + self.won.len() + self.undeleted.len()
    }
}

/// All conflicts that are kept, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Conflicts {
    last_id: u64,
    kept: VecDeque<Arc<Conflict>>,
    records: usize,
}

impl Conflicts {
    /// The number that the next one gets.
    pub(super) fn next_id(&self) -> u64 {
        self.last_id + 1
    }

    /// Takes one in; the oldest go when there are too many.
    pub(super) fn push(&mut self, conflict: Arc<Conflict>) {
        self.last_id = self.last_id.max(conflict.id);
        self.records += conflict.records();
        self.kept.push_back(conflict);
        while self.kept.len() > 1 && (self.kept.len() > MAX_CONFLICTS || self.records > MAX_RECORDS) {
            let gone = self.kept.pop_front();
            self.records -= gone.map_or(0, |conflict| conflict.records());
        }
    }

    /// Those kept, newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = &Arc<Conflict>> {
        self.kept.iter().rev()
    }

    /// The one with this id.
    pub fn get(&self, id: u64) -> Option<&Arc<Conflict>> {
        self.kept.iter().find(|conflict| conflict.id == id)
    }

    /// Those kept, oldest first, for the image.
    pub(super) fn oldest_first(&self) -> impl Iterator<Item = &Arc<Conflict>> {
        self.kept.iter()
    }
}

/// A conflict as people are shown it, in the JSON of dnsplanectl.
#[derive(Serialize)]
pub struct ConflictJson<'a> {
    id: u64,
    at: String,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    /// Whose records stand since.
    #[serde(skip_serializing_if = "Option::is_none")]
    winner: Option<OriginJson<'a>>,
    /// Whose had to go, or were refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    loser: Option<OriginJson<'a>>,
    via: &'a str,
    informed: bool,
    /// Of ours, what went; of a refused snapshot nothing did.
    lost: &'a [Record],
    /// What came in its place.
    won: &'a [Record],
    #[serde(serialize_with = "name_and_type")]
    lost_deletions: &'a [Record],
    /// Of a refused snapshot: records of ours that it would have taken, and what it would have brought.
    #[serde(skip_serializing_if = "<[Record]>::is_empty")]
    kept: &'a [Record],
    #[serde(skip_serializing_if = "<[Record]>::is_empty")]
    refused: &'a [Record],
    more: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    copy: Option<&'a str>,
}

#[derive(Serialize)]
struct OriginJson<'a> {
    node_id: &'a str,
    seq: u64,
    timestamp_unix: i64,
}

impl<'a> OriginJson<'a> {
    fn of(origin: &'a Origin, own_id: &'a str) -> Self {
        let Origin { seq, timestamp, .. } = *origin;
        Self { node_id: origin.writer(own_id), seq, timestamp_unix: timestamp }
    }
}

impl<'a> ConflictJson<'a> {
    /// As seen on the node with this id.
    pub fn of(conflict: &'a Conflict, own_id: &'a str) -> Self {
        let is_refused = conflict.refused.is_some();
        let offered = Some(OriginJson::of(&conflict.offered, own_id));
        let held = conflict.held.as_ref().map(|held| OriginJson::of(held, own_id));
        let (winner, loser) = if is_refused { (held, offered) } else { (offered, held) };
        let sides = (conflict.lost.as_slice(), conflict.won.as_slice());
        let ((lost, won), (kept, refused)) =
            if is_refused { (Default::default(), sides) } else { (sides, Default::default()) };
        Self {
            id: conflict.id,
            at: Time::at(conflict.at).to_string(),
            kind: if is_refused { "refused" } else { "overwritten" },
            reason: conflict.refused.as_deref(),
            winner,
            loser,
            via: &conflict.via,
            informed: conflict.informed,
            lost,
            won,
            lost_deletions: &conflict.undeleted,
            kept,
            refused,
            more: if is_refused { 0 } else { conflict.more },
            copy: conflict.copy.as_deref(),
        }
    }
}

fn name_and_type<S: Serializer>(records: &[Record], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Deletion<'a> {
        name: &'a str,
        r#type: std::borrow::Cow<'a, str>,
        value: &'a str,
    }
    serializer.collect_seq(records.iter().map(|record| Deletion {
        name: record.name(),
        r#type: record.type_text(),
        value: record.value(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conflict(id: u64, lost: usize) -> Arc<Conflict> {
        let lost = (0..lost).map(|n| Record::new(&format!("n{n}.test"), "A", "192.0.2.1", 60)).collect();
        Arc::new(Conflict {
            id,
            at: 0,
            offered: Origin { node_id: Some("b".to_owned()), seq: 1, timestamp: 1 },
            held: None,
            via: "test".to_owned(),
            refused: None,
            informed: false,
            lost,
            won: Vec::new(),
            undeleted: Vec::new(),
            more: 0,
            copy: None,
        })
    }

    #[test]
    fn the_oldest_make_room_and_numbers_go_on() {
        let mut conflicts = Conflicts::default();
        for id in 1..=MAX_CONFLICTS as u64 + 5 {
            assert_eq!(conflicts.next_id(), id);
            conflicts.push(conflict(id, 1));
        }
        assert_eq!(conflicts.newest_first().count(), MAX_CONFLICTS);
        assert!(conflicts.get(5).is_none() && conflicts.get(6).is_some());
        conflicts.push(conflict(conflicts.next_id(), MAX_RECORDS));
        assert_eq!(conflicts.newest_first().count(), 1, "the newest always stays");
    }
}
