//! Decides whether a peer's snapshot may replace our records.
//!
//! Peers share neither a clock nor a leader, so a policy promises only so much; the tables at the foot of this file check
//! what each promises. A sender's sequence says which of its own snapshots is newer. Three things keep that
//! simple rule from losing data: records that nobody ever wrote have no authority (R1), an empty snapshot counts only
//! when it was meant (R9), and existing nodes sometimes offer other content under an old sequence (R5), which may be
//! news from them or merely what we or others had sent them before.

use crate::{
    config::SyncPolicy,
    hash::ContentHash,
    record::Time,
    store::{Origin, Seen, Standing},
};

/// What software the sender runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    /// An existing node: plain protocol, its quirks included.
    #[default]
    Existing,
    /// A node of our kind: sequences never repeat (R2).
    Ours,
}

/// What a judge needs to know about an offer beside what the store tells it.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) policy: SyncPolicy,
    /// Whom `primary_writer` believes.
    pub(super) allowed_writers: Vec<String>,
    /// Our own node id.
    pub(super) own_id: String,
    pub(super) sender: String,
    pub(super) kind: Kind,
    /// Another node passed it on.
    pub(super) relayed: bool,
    /// As it came; 0 says that the sender has never written.
    pub(super) seq: u64,
    /// Unix seconds of the sender's last write, as far as it can be believed.
    pub(super) timestamp: i64,
    /// Whether there is no record in it.
    pub(super) empty: bool,
    pub(super) hash: ContentHash,
    /// Why nothing is applied at all: the records come from a source that we may only read.
    pub(super) read_only: Option<String>,
    /// Why the whole snapshot is refused for its records, if it is (`cluster_invalid_records` = `reject`).
    pub(super) fault: Option<String>,
    /// For an answer to a pull: our last sequence that the sender had acknowledged before we asked.
    /// `u64::MAX` where acknowledgements do not matter: nothing of ours is pushed there, or the snapshot was pushed to us.
    pub(super) acknowledged: u64,
    /// We held exactly this content a while ago: the sender may just be behind.
    pub(super) held_before: bool,
    /// What we hold is this sender's last snapshot, untouched since.
    pub(super) content_is_senders: bool,
}

/// A judge's word. The store's [`Verdict`](crate::store::Verdict) knows three; here a duplicate can have a reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    Apply,
    /// It is our own write, from before we lost our folder: take it as that.
    Restore,
    /// Nothing new; `Some` says why it stays out although its content differs from what we saw.
    Duplicate(Option<String>),
    Refuse {
        reason: String,
        seen: bool,
    },
}

/// Judges an offer.
pub(super) fn judge(facts: &Facts, standing: Standing<'_>) -> Judgement {
    if facts.sender.is_empty() {
        return Judgement::Duplicate(Some("it does not say whose snapshot it is".to_owned()));
    }
    if facts.sender == facts.own_id {
        if facts.relayed && facts.seq <= standing.own.seq {
            return Judgement::Duplicate(None);
        }
        // A peer kept what this node wrote in an earlier life; we know of no write of ours that this could undo.
        if facts.relayed && standing.own.seq == 0 && facts.read_only.is_none() {
            return Judgement::Restore;
        }
        let reason = "it carries our own node id: another node has the same id, or it is our own".to_owned();
        return Judgement::Refuse { reason, seen: false };
    }
    let seen = standing.seen.copied().unwrap_or_default();
    match Age::of(facts, &seen, &standing) {
        Age::Newer => gate(facts, &standing),
        Age::Repeat(reason) => Judgement::Duplicate(reason),
        Age::SeenBefore => match gate(facts, &standing) {
            // It was told once; until the reason is gone it is kept out as quietly as a repeat, and nothing more of it
            // is remembered, so that it comes in when the reason goes (R6).
            Judgement::Refuse { reason, .. } => Judgement::Duplicate(Some(reason)),
            other => other,
        },
    }
}

/// How an offer stands to what we saw of its sender.
enum Age {
    Newer,
    Repeat(Option<String>),
    /// Refused then, or other content now: to be judged, but not to be remembered unless it is applied.
    SeenBefore,
}

impl Age {
    fn of(facts: &Facts, seen: &Seen, standing: &Standing<'_>) -> Self {
        let seq = facts.seq.max(1);
        if seq > seen.seq {
            return Self::Newer;
        }
        if seq < seen.seq {
            return Self::Repeat(None);
        }
        if seen.applied < seq {
            return Self::SeenBefore;
        }
        // The hash is unknown (all zero) when the sequence comes from a state file; then only an empty store has nothing
        // to lose by believing.
        let unknown = seen.hash == ContentHash::default() && !standing.empty;
        if facts.kind == Kind::Ours || facts.hash == seen.hash || unknown {
            return Self::Repeat(None);
        }
        if facts.held_before && !facts.content_is_senders {
            return Self::Repeat(Some("it holds what we held before: it is behind".to_owned()));
        }
        if facts.acknowledged < standing.own.seq {
            return Self::Repeat(Some("it has not yet taken our last write".to_owned()));
        }
        Self::SeenBefore
    }
}

/// What keeps a snapshot out that is news.
fn gate(facts: &Facts, standing: &Standing<'_>) -> Judgement {
    let refuse = |reason: String| Judgement::Refuse { reason, seen: true };
    if let Some(reason) = &facts.read_only {
        return refuse(reason.clone());
    }
    if facts.seq == 0 && !standing.empty {
        return refuse("its sender has never written, and our store is not empty".to_owned());
    }
    if facts.empty && facts.seq < 2 {
        return refuse("it is empty, and its sender has not written enough to mean that".to_owned());
    }
    if let Some(fault) = &facts.fault {
        return refuse(fault.clone());
    }
    match facts.policy {
        SyncPolicy::LwwPerNode => Judgement::Apply,
        SyncPolicy::PrimaryWriter if facts.allowed_writers.contains(&facts.sender) => Judgement::Apply,
        SyncPolicy::PrimaryWriter => refuse(format!("{} is not in cluster_allowed_writer_node_ids", facts.sender)),
        SyncPolicy::GlobalLww => match standing.head.filter(|held| beats(held, facts)) {
            None => Judgement::Apply,
            Some(held) => refuse(format!(
                "its last write ({}) is older than what we hold, which {} wrote at {}",
                told(facts.timestamp),
                held.writer(&facts.own_id),
                told(held.timestamp)
            )),
        },
    }
}

/// Whether what we hold stays: the greater (time, node id) wins. A writer's newer snapshot always follows its older one, so
/// that a clock that was set back, or two writes in one second, stop nobody (R4).
fn beats(held: &Origin, facts: &Facts) -> bool {
    let writer = held.writer(&facts.own_id);
    writer != facts.sender && (held.timestamp.max(1), writer) > (facts.timestamp.max(1), facts.sender.as_str())
}

/// A time in seconds, for people.
fn told(timestamp: i64) -> String {
    match u64::try_from(timestamp) {
        Ok(seconds) if seconds > 1 => Time::at(seconds.saturating_mul(1000)).to_string(),
        _ => "at an unknown time".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{record::Record, store::OwnWrites};
    use proptest::prelude::*;

    const APPLY: &str = "apply";
    const DUPLICATE: &str = "duplicate";
    const REFUSE: &str = "refuse";
    const RESTORE: &str = "restore";

    fn content(number: u8) -> ContentHash {
        ContentHash::of(&Record::new("a.test", "A", &format!("192.0.2.{number}"), 60))
    }

    fn offer(kind: Kind, seq: u64, number: u8) -> Facts {
        Facts {
            policy: SyncPolicy::LwwPerNode,
            allowed_writers: Vec::new(),
            own_id: "me".to_owned(),
            sender: "peer".to_owned(),
            kind,
            relayed: false,
            seq,
            timestamp: 100,
            empty: false,
            hash: content(number),
            read_only: None,
            fault: None,
            acknowledged: u64::MAX,
            held_before: false,
            content_is_senders: false,
        }
    }

    fn empty_offer(seq: u64) -> Facts {
        Facts { empty: true, hash: ContentHash::default(), ..offer(Kind::Existing, seq, 0) }
    }

    fn seen(seq: u64, applied: u64, number: u8) -> Option<Seen> {
        Some(Seen { seq, applied, hash: content(number) })
    }

    fn word(facts: &Facts, seen: Option<Seen>, empty: bool, own_seq: u64) -> &'static str {
        word_over(facts, seen, empty, own_seq, None)
    }

    fn word_over(facts: &Facts, seen: Option<Seen>, empty: bool, own_seq: u64, head: Option<&Origin>) -> &'static str {
        let (own, hash) = (OwnWrites { seq: own_seq, written_at: 0 }, ContentHash::default());
        match judge(facts, Standing { seen: seen.as_ref(), empty, hash, own, head }) {
            Judgement::Apply => APPLY,
            Judgement::Restore => RESTORE,
            Judgement::Duplicate(_) => DUPLICATE,
            Judgement::Refuse { .. } => REFUSE,
        }
    }

    #[test]
    fn the_table_of_verdicts() {
        use Kind::{Existing, Ours};
        let facts = |change: fn(&mut Facts)| {
            let mut facts = offer(Existing, 5, 2);
            change(&mut facts);
            facts
        };
        let table = [
            ("a new sender", offer(Existing, 5, 1), None, false, APPLY),
            ("a newer sequence", offer(Ours, 6, 1), seen(5, 5, 1), false, APPLY),
            ("an older one", offer(Existing, 4, 2), seen(5, 5, 1), false, DUPLICATE),
            ("the largest", offer(Existing, u64::MAX, 1), seen(5, 5, 1), false, APPLY),
            ("nobody's", facts(|facts| facts.sender.clear()), None, true, DUPLICATE),
            ("spaces make another sender", facts(|facts| facts.sender = " me ".to_owned()), None, false, APPLY),
            ("our own id", facts(|facts| facts.sender = "me".to_owned()), None, true, REFUSE),
            // R1
            ("never written, we hold something", offer(Existing, 0, 1), None, false, REFUSE),
            ("never written, we hold nothing", offer(Existing, 0, 1), None, true, APPLY),
            ("the same again, we were full", offer(Existing, 0, 1), seen(1, 0, 1), false, DUPLICATE),
            ("the same again, now we are empty", offer(Existing, 0, 1), seen(1, 0, 1), true, APPLY),
            ("its first real write after that", offer(Existing, 1, 1), seen(1, 0, 1), false, APPLY),
            ("never written since we saw it write", offer(Existing, 0, 1), seen(2, 2, 1), false, DUPLICATE),
            // R9
            ("empty and never written", empty_offer(0), None, false, REFUSE),
            ("empty and hardly written", empty_offer(1), None, false, REFUSE),
            ("empty and meant", empty_offer(2), None, false, APPLY),
            // R5
            ("seq 1 after 0 with other content", offer(Existing, 1, 2), seen(1, 1, 1), false, APPLY),
            ("equal, same content", offer(Existing, 5, 1), seen(5, 5, 1), false, DUPLICATE),
            ("equal, other content", offer(Existing, 5, 2), seen(5, 5, 1), false, APPLY),
            ("equal, other content, our kind", offer(Ours, 5, 2), seen(5, 5, 1), false, DUPLICATE),
            ("it is behind", facts(|facts| facts.held_before = true), seen(5, 5, 1), false, DUPLICATE),
            (
                "it went back",
                facts(|facts| (facts.held_before, facts.content_is_senders) = (true, true)),
                seen(5, 5, 1),
                false,
                APPLY,
            ),
            ("it lacks our write", facts(|facts| facts.acknowledged = 6), seen(5, 5, 1), false, DUPLICATE),
            ("it has our write", facts(|facts| facts.acknowledged = 7), seen(5, 5, 1), false, APPLY),
            (
                "seen before our time",
                offer(Existing, 5, 2),
                Some(Seen { seq: 5, applied: 5, hash: ContentHash::default() }),
                false,
                DUPLICATE,
            ),
            ("other content, still never written", offer(Existing, 0, 2), seen(1, 1, 1), false, DUPLICATE),
            // R6
            ("refused before, allowed now", offer(Ours, 5, 1), seen(5, 2, 1), false, APPLY),
            ("faulty records", facts(|facts| facts.fault = Some("bad".to_owned())), None, false, REFUSE),
            ("a source we may only read", facts(|facts| facts.read_only = Some("git".to_owned())), None, true, REFUSE),
            ("told once", facts(|facts| facts.policy = SyncPolicy::PrimaryWriter), seen(5, 0, 2), true, DUPLICATE),
        ];
        for (what, facts, seen, empty, expected) in table {
            assert_eq!(word(&facts, seen, empty, 7), expected, "{what}");
        }
    }

    #[test]
    fn our_own_writes_come_back_only_to_a_node_that_has_lost_its_folder() {
        let ours = |relayed, seq| Facts { sender: "me".to_owned(), relayed, ..offer(Kind::Ours, seq, 1) };
        for (what, facts, own_seq, expected) in [
            ("a peer kept them", ours(true, 9), 0, RESTORE),
            ("a peer passes our last write back", ours(true, 9), 9, DUPLICATE),
            ("and an older one", ours(true, 9), 10, DUPLICATE),
            ("one that we do not remember, and have written since", ours(true, 9), 5, REFUSE),
            ("another node has our id", ours(false, 9), 0, REFUSE),
        ] {
            assert_eq!(word(&facts, None, true, own_seq), expected, "{what}");
        }
    }

    #[test]
    fn primary_writer_believes_the_list_and_nobody_else() {
        let of = |sender: &str, writers: &[&str]| Facts {
            policy: SyncPolicy::PrimaryWriter,
            sender: sender.to_owned(),
            allowed_writers: writers.iter().map(|id| (*id).to_owned()).collect(),
            ..offer(Kind::Existing, 5, 1)
        };
        for (what, facts, saw, expected) in [
            ("listed", of("peer", &["other", "peer"]), None, APPLY),
            ("not listed", of("peer", &["other"]), None, REFUSE),
            ("the id is taken as it is", of(" peer", &["peer"]), None, REFUSE),
            ("an empty list believes nobody", of("peer", &[]), None, REFUSE),
            ("refused before, listed since (R6)", of("peer", &["peer"]), seen(5, 0, 1), APPLY),
            ("refused before, told once", of("peer", &[]), seen(5, 0, 1), DUPLICATE),
            ("applied before, no longer listed", of("peer", &[]), seen(5, 5, 1), DUPLICATE),
            ("newer, no longer listed", of("peer", &[]), seen(4, 4, 1), REFUSE),
            ("listed and never written (R1)", Facts { seq: 0, ..of("peer", &["peer"]) }, None, REFUSE),
        ] {
            assert_eq!(word(&facts, saw, false, 7), expected, "{what}");
        }
    }

    #[test]
    fn global_lww_keeps_the_greater_of_time_and_id() {
        let of = |sender: &str, timestamp| Facts {
            policy: SyncPolicy::GlobalLww,
            sender: sender.to_owned(),
            timestamp,
            ..offer(Kind::Ours, 5, 1)
        };
        let held = |id: &str, timestamp| {
            let node_id = (id != "me").then(|| id.to_owned());
            Some(Origin { node_id, seq: 9, timestamp })
        };
        for (what, facts, head, expected) in [
            ("nobody ever wrote what we hold", of("peer", 1), None, APPLY),
            ("later", of("peer", 101), held("other", 100), APPLY),
            ("earlier", of("peer", 99), held("other", 100), REFUSE),
            ("equal, greater id", of("peer", 100), held("other", 100), APPLY),
            ("equal, lower id", of("other", 100), held("peer", 100), REFUSE),
            ("our own write is later (R4)", of("peer", 100), held("me", 101), REFUSE),
            ("our own write is earlier", of("peer", 102), held("me", 101), APPLY),
            ("equal to our own, greater id", of("peer", 100), held("me", 100), APPLY),
            ("equal to our own, lower id", of("a", 100), held("me", 100), REFUSE),
            ("the same writer in the same second", of("peer", 100), held("peer", 100), APPLY),
            ("the same writer, its clock went back", of("peer", 50), held("peer", 100), APPLY),
            ("no time counts as 1", of("a", 0), held("b", 1), REFUSE),
            ("no time on either side", of("b", 0), held("a", 0), APPLY),
        ] {
            assert_eq!(word_over(&facts, None, false, 7, head.as_ref()), expected, "{what}");
        }
    }

    #[test]
    fn a_policy_changed_at_run_time_judges_the_next_offer() {
        let mut facts = Facts { policy: SyncPolicy::PrimaryWriter, ..offer(Kind::Ours, 6, 1) };
        assert_eq!(word(&facts, seen(5, 5, 1), false, 7), REFUSE);
        // The refusal was remembered as seen; under another policy the same snapshot comes in.
        for policy in [SyncPolicy::LwwPerNode, SyncPolicy::GlobalLww] {
            facts.policy = policy;
            assert_eq!(word(&facts, seen(6, 5, 1), false, 7), APPLY);
        }
    }

    proptest! {
        #[test]
        fn under_global_lww_all_nodes_end_with_the_greatest_write_whatever_the_order(
            times in prop::collection::vec(1i64..5, 2..8), seed in any::<u64>(),
        ) {
            // One write each, all concurrent; delivered in some order to a node that made none of them.
            let mut order: Vec<usize> = (0..times.len()).collect();
            order.sort_by_key(|at| (*at as u64 + 1).wrapping_mul(seed | 1));
            let mut head: Option<Origin> = None;
            for at in order {
                let facts = Facts {
                    policy: SyncPolicy::GlobalLww,
                    sender: format!("n{at}"),
                    timestamp: times[at],
                    ..offer(Kind::Ours, 5, 1)
                };
                if word_over(&facts, None, false, 0, head.as_ref()) == APPLY {
                    head = Some(Origin { node_id: Some(facts.sender), seq: 5, timestamp: times[at] });
                }
            }
            let greatest = (0..times.len()).max_by_key(|at| (times[*at], *at)).map(|at| format!("n{at}"));
            prop_assert_eq!(head.and_then(|head| head.node_id), greatest);
        }

        #[test]
        fn whatever_the_order_the_newest_snapshot_of_a_sender_stays(seqs in prop::collection::vec(1u64..20, 1..30)) {
            let (mut state, mut held) = (None::<Seen>, 0);
            for seq in &seqs {
                let facts = offer(Kind::Ours, *seq, *seq as u8);
                if word(&facts, state, false, 0) == APPLY {
                    state = Some(Seen { seq: *seq, applied: *seq, hash: facts.hash });
                    held = *seq;
                }
            }
            prop_assert_eq!(Some(&held), seqs.iter().max());
        }

        #[test]
        fn nothing_that_was_never_written_replaces_anything(number in any::<u8>(), saw in prop::option::of(0u64..3), held: bool) {
            let mut facts = offer(Kind::Existing, 0, number);
            facts.held_before = held;
            let state = saw.map(|seq| Seen { seq: seq.max(1), applied: seq, hash: content(0) });
            prop_assert_ne!(word(&facts, state, false, 0), APPLY);
        }
    }
}
