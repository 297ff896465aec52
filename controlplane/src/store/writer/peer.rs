//! Peers' snapshots: judged, compared with what we hold, written, shown; and what they cost us, noted.

use super::{Writer, refuse_to_write};
use crate::{
    hash::ContentHash,
    record::Record,
    records::Row,
    store::{
        Conflict, Content, Judge, Judged, Offer, Origin, Seen, SetKey, Standing, StoreError, Verdict,
        conflict::{MAX_RECORDS, MAX_REFUSED},
        edit::{self, Plan},
        entry::{Counts, Entry, Own, Sender},
        image, mirror,
    },
};
use std::{
    collections::{HashMap, HashSet},
    io,
    sync::{Arc, atomic::Ordering},
};
use tracing::{info, warn};

/// Rows from which on a change is written as a whole new image instead of one enormous entry of the log.
pub(super) const BULK: usize = 50_000;

/// What an offer comes to: the entry to write, if there is something to remember.
struct Taken {
    entry: Option<Entry>,
    verdict: Verdict,
    added: usize,
    removed: usize,
}

impl Taken {
    fn nothing(verdict: Verdict) -> Self {
        Self { entry: None, verdict, added: 0, removed: 0 }
    }
}

impl Writer {
    /// Judges an offer and does what the judge says. When this returns `Ok`, it is on disk and shown.
    pub(super) fn take_offer(&mut self, offer: Offer, judge: Judge) -> Result<Judged, StoreError> {
        let before = (self.view.clone(), self.clock, self.next_order);
        let standing = Standing {
            seen: self.view.seen.get(&offer.sender),
            empty: self.view.records.is_empty(),
            hash: self.view.records.hash(),
            own: self.view.own,
            head: self.view.head.as_ref(),
        };
        let verdict = judge(standing, &offer);
        let Taken { entry, verdict, added, removed } = self.accept_offer(offer, verdict);
        let written = match entry {
            None => Ok(()),
            Some(entry) if entry.rows() > BULK => self.write_all(entry),
            Some(entry) => self.write_one(entry),
        };
        match written {
            Ok(()) => Ok(Judged { verdict, added, removed, hash: self.view.records.hash() }),
            Err(error) => {
                (self.view, self.clock, self.next_order) = before;
                Err(refuse_to_write(error))
            }
        }
    }

    fn accept_offer(&mut self, offer: Offer, verdict: Verdict) -> Taken {
        match verdict {
            Verdict::Duplicate | Verdict::NeedFull | Verdict::Refuse { seen: false, .. } => Taken::nothing(verdict),
            Verdict::Refuse { ref reason, seen: true } => {
                let entry = self.refusal(offer, reason.clone());
                Taken { entry: Some(entry), verdict, added: 0, removed: 0 }
            }
            Verdict::Apply { informed } => {
                let last = self.view.seen.get(&offer.sender).map_or(0, |seen| seen.seq);
                let seq = last.max(offer.seq);
                let seen = Seen { seq, applied: seq, hash: offer.hash };
                let head = Origin { node_id: Some(offer.sender.clone()), seq: offer.seq, timestamp: offer.timestamp };
                let (via, by) = (offer.via.clone(), format!("peer {} ({})", offer.sender, offer.via));
                let Some(plan) = self.plan(offer) else { return Taken::nothing(Verdict::NeedFull) };
                let conflict = self.conflict(&plan, &head, via, informed);
                let mut entry = self.entry(plan, by);
                entry.peer = head.node_id.as_ref().map(|node_id| Sender::new(node_id, &seen, None));
                (entry.head, entry.conflict) = (Some(head), conflict.map(Box::new));
                let (added, removed) = (entry.after.len(), entry.before.len());
                Taken { entry: Some(entry), verdict, added, removed }
            }
            Verdict::Restore => {
                let own = Own { seq: offer.seq.max(self.view.own.seq), written_at: offer.timestamp };
                let by = format!("peer {} ({}): our own records from before", offer.sender, offer.via);
                let Some(plan) = self.plan(offer) else { return Taken::nothing(Verdict::NeedFull) };
                let mut entry = self.entry(plan, by);
                entry.own = Some(own);
                let (added, removed) = (entry.after.len(), entry.before.len());
                Taken { entry: Some(entry), verdict, added, removed }
            }
        }
    }

    /// What the offered content does to our records; `None` if a difference does not fit them.
    fn plan(&self, offer: Offer) -> Option<Plan> {
        let records = &self.view.records;
        match offer.content {
            Content::Full(wanted) => Some(edit::difference(records, wanted, &HashSet::new())),
            Content::Delta(delta) => {
                if delta.base != records.hash() {
                    return None;
                }
                let plan = edit::delta(records, delta)?;
                let mut hash = records.hash();
                plan.removed.iter().for_each(|row| hash.subtract(ContentHash::of(&row.record)));
                plan.added.iter().for_each(|(_, record)| hash.add(ContentHash::of(record)));
                (hash == offer.hash).then_some(plan)
            }
        }
    }

    /// What an apply costs this node: its own records that go, its own deletions that are undone.
    fn conflict(&self, plan: &Plan, head: &Origin, via: String, informed: bool) -> Option<Conflict> {
        // A row that is replaced by one of the same content (its id or a time changed) loses nothing.
        let replaced: HashMap<u64, &Record> =
            plan.added.iter().filter_map(|(place, record)| Some(((*place)?, record))).collect();
        let stays = |row: &Row| replaced.get(&row.order).is_some_and(|record| record.same_content(&row.record));
        let lost = plan.removed.iter().filter(|row| row.is_local() && !stays(row));
        let mut conflict = self.new_conflict(head.clone(), via);
        conflict.informed = informed;
        for (kept, row) in lost.enumerate() {
            if kept < MAX_RECORDS { conflict.lost.push(row.record.clone()) } else { conflict.more += 1 }
        }
        let sets: HashSet<SetKey> = conflict.lost.iter().map(SetKey::of).collect();
        for (_, record) in &plan.added {
            if sets.contains(&SetKey::of(record)) {
                conflict.won.push(record.clone());
            } else if self.tombs.deleted_here(record) {
                conflict.undeleted.push(record.clone());
            }
        }
        conflict.is_something().then_some(conflict)
    }

    fn new_conflict(&self, offered: Origin, via: String) -> Conflict {
        Conflict {
            id: self.view.conflicts.next_id(),
            at: super::wall_ms(),
            offered,
            held: self.view.head.clone(),
            via,
            refused: None,
            informed: false,
            lost: Vec::new(),
            won: Vec::new(),
            undeleted: Vec::new(),
            more: 0,
            copy: None,
        }
    }

    /// A refused snapshot: seen, not applied, with the beginning of what it would have changed (R6).
    fn refusal(&mut self, offer: Offer, reason: String) -> Entry {
        let last = self.view.seen.get(&offer.sender).copied().unwrap_or_default();
        let seen = Seen { seq: last.seq.max(offer.seq), applied: last.applied, hash: offer.hash };
        let sender = Sender::new(&offer.sender, &seen, Some(reason.clone()));
        let offered = Origin { node_id: Some(offer.sender.clone()), seq: offer.seq, timestamp: offer.timestamp };
        let (via, by) = (offer.via.clone(), format!("peer {} ({})", offer.sender, offer.via));
        let mut conflict = self.new_conflict(offered, via);
        conflict.refused = Some(reason);
        // A difference to something else than we hold is only known as a hash.
        let plan = self.plan(offer).unwrap_or_default();
        conflict.more = plan.removed.len().saturating_sub(MAX_REFUSED) as u64;
        conflict.lost = plan.removed.iter().take(MAX_REFUSED).map(|row| row.record.clone()).collect();
        conflict.won = plan.added.into_iter().take(MAX_REFUSED).map(|(_, record)| record).collect();
        let mut entry = self.entry(Plan::default(), by);
        (entry.peer, entry.conflict) = (Some(sender), Some(Box::new(conflict)));
        entry
    }

    pub(super) fn write_one(&mut self, entry: Entry) -> io::Result<()> {
        self.view = entry.apply(&self.view);
        self.append(std::slice::from_ref(&entry))?;
        self.show(&[entry]);
        self.keep_log_short();
        Ok(())
    }

    /// Writes the state after an entry as an image: the log then needs not hold a whole store in one entry.
    pub(super) fn write_all(&mut self, mut entry: Entry) -> io::Result<()> {
        // One that is being written would replace ours by something older.
        if let Some(thread) = self.image_thread.take() {
            let _ = thread.join();
        }
        if let Some(conflict) = entry.conflict.as_mut().filter(|conflict| conflict.more > 0) {
            let copy = self.records_file.with_extension(format!("before-conflict-{}.json", conflict.id));
            mirror::write_copy(&copy, &self.view)?;
            warn!(copy = %copy.display(), "a peer's snapshot replaces more of our records than are kept; kept a copy of all");
            conflict.copy = Some(copy.display().to_string());
        }
        let counts = Counts { removed: entry.before.len() as u64, added: entry.after.len() as u64 };
        let mut tombs = self.tombs.clone();
        tombs.learn(&entry);
        self.view = entry.apply_all(&self.view);
        let size = image::write(&self.folder, &self.view, self.clock, &tombs)?;
        self.image_bytes.store(size, Ordering::Relaxed);
        self.tombs = tombs;
        let number = self.view.generation.number;
        self.recent.forget(number);
        // The image has it; history shall at least know that it happened.
        (entry.whole, entry.conflict) = (Some(counts), None);
        let noted = self.append(std::slice::from_ref(&entry));
        match noted.and_then(|()| self.log.roll(number + 1)).and_then(|()| self.archive.retire(number + 1)) {
            Ok(()) => {}
            Err(error) => warn!(%error, "the change log could not be shortened; it grows until it can"),
        }
        info!(generation = %self.view.generation, records = self.view.records.len(), "all records written anew");
        self.shown.send_replace(Arc::new(self.view.clone()));
        Ok(())
    }
}
