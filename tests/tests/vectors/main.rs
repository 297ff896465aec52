//! Replays what existing nodes were seen to say (`tests/vectors`), and expects the same of ours: the same replies, the
//! same silences, the same closings, the same files read.
//!
//! Where a rule of docs/cluster-protocol.md asks for something else, [`EXCEPTIONS`] names the vector and the rule.
//! Nothing else is excepted, and a vector that no replay claims fails [`every_vector_is_replayed`].

mod admin;
mod apply;
mod compare;
mod files;
mod inbound;
mod outbound;
mod policy;

use dnsplane_tests::vector;

/// A vector that our nodes answer differently on purpose.
#[derive(Debug)]
pub(crate) struct Exception {
    /// Its name.
    pub(crate) vector: &'static str,
    /// The rule, and what it asks for.
    pub(crate) rule: &'static str,
    /// What is expected instead.
    pub(crate) instead: Instead,
}

/// What is expected in place of what was captured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Instead {
    /// `pull` is answered with `error`.
    PullRefused,
    /// The store holds these records afterwards.
    Store(&'static [Expected]),
    /// No push at all.
    NoPush,
    /// A peer is told of peers that make sense there.
    PeersThatMakeSenseThere,
    /// The same, from a node that is allowed to.
    OnlyWhenAllowed,
}

/// A record of a store: name, type, value, TTL.
pub(crate) type Expected = (&'static str, &'static str, &'static str, u64);

/// What apply-seq-equal brings.
const SECOND: &[Expected] = &[("b.lab.test", "A", "192.0.2.2", 60)];

/// Every difference there is.
pub(crate) const EXCEPTIONS: &[Exception] = &[
    Exception {
        vector: "auth-ping-pull-in-one-segment",
        rule: "R1: a node that has never accepted a write answers pull with an error",
        instead: Instead::PullRefused,
    },
    Exception {
        vector: "pull-first-run",
        rule: "R1: the same, and no sample record is created on a clustered node",
        instead: Instead::PullRefused,
    },
    Exception {
        vector: "replica-still-applies-and-answers",
        rule: "R1: what a node has only applied it does not offer as its own",
        instead: Instead::PullRefused,
    },
    Exception {
        vector: "apply-seq-equal",
        rule: "R5: an existing node may write without moving its sequence; other content under an equal one is a change",
        instead: Instead::Store(SECOND),
    },
    Exception {
        vector: "apply-seq-lower",
        rule: "R5: ignored as captured; the store is what apply-seq-equal has left",
        instead: Instead::Store(SECOND),
    },
    Exception {
        vector: "apply-node-id-empty",
        rule: "R5: ignored as captured; the store is what apply-seq-equal has left",
        instead: Instead::Store(SECOND),
    },
    Exception {
        vector: "apply-node-id-missing",
        rule: "R5: ignored as captured; the store is what apply-seq-equal has left",
        instead: Instead::Store(SECOND),
    },
    Exception {
        vector: "apply-seq-zero-new-sender",
        rule: "R1: a snapshot of seq 0 is never applied over a store that is not empty",
        instead: Instead::Store(&[("e.lab.test", "A", "192.0.2.2", 60)]),
    },
    Exception {
        vector: "apply-seq-one-after-zero",
        rule: "R1: seq 0 counted for nothing, so seq 1 is a first write, not a repeat",
        instead: Instead::Store(&[("z1.lab.test", "A", "192.0.2.2", 60)]),
    },
    Exception {
        vector: "apply-seq-missing",
        rule: "R1: no seq is seq 0",
        instead: Instead::Store(&[("z1.lab.test", "A", "192.0.2.2", 60)]),
    },
    Exception {
        vector: "apply-seq-7-after-bad",
        rule: "R8, R9: its only record does not parse and is refused; what is left is not an empty store that was meant",
        instead: Instead::Store(&[("x.lab.test", "A", "192.0.2.3", 60)]),
    },
    Exception {
        vector: "apply-duplicates",
        rule: "Strict out: two records equal by name, type and value are never emitted; the first stays",
        instead: Instead::Store(&[("dup.lab.test", "A", "192.0.2.9", 9)]),
    },
    Exception {
        vector: "policy-global-lww-first",
        rule: "R1: what a node has only applied it does not offer as its own; the store is as captured",
        instead: Instead::PullRefused,
    },
    Exception { vector: "policy-global-lww-older", rule: "R1: the same", instead: Instead::PullRefused },
    Exception { vector: "policy-global-lww-tie-lower-id", rule: "R1: the same", instead: Instead::PullRefused },
    Exception { vector: "policy-global-lww-tie-higher-id", rule: "R1: the same", instead: Instead::PullRefused },
    Exception { vector: "policy-global-lww-newer", rule: "R1: the same", instead: Instead::PullRefused },
    Exception { vector: "policy-global-lww-no-timestamp", rule: "R1: the same", instead: Instead::PullRefused },
    Exception {
        vector: "push-after-duplicate-post",
        rule: "R3: only a change of content advances the sequence and is pushed",
        instead: Instead::NoPush,
    },
    Exception {
        vector: "admin-sent-push-config",
        rule: "R12: the receiver gets a list with us added and itself removed",
        instead: Instead::PeersThatMakeSenseThere,
    },
    Exception {
        vector: "admin-sent-wrong-token",
        rule: "Settings: only a node with `cluster_admin` may send `admin_config_apply`; the captured one had it unset",
        instead: Instead::OnlyWhenAllowed,
    },
];

/// What is expected of this vector instead of what was captured, if anything.
pub(crate) fn exception(vector: &str) -> Option<Instead> {
    EXCEPTIONS.iter().find(|exception| exception.vector == vector).map(|exception| exception.instead)
}

#[test]
fn every_vector_is_replayed() {
    let replayed: Vec<&str> =
        [inbound::replayed(), apply::replayed(), outbound::replayed(), policy::replayed(), admin::replayed()].concat();
    let all = vector::all();
    for name in all.keys() {
        let times = replayed.iter().filter(|replayed| *replayed == name).count();
        assert_eq!(times, 1, "{name} is replayed {times} times");
    }
    for name in replayed.iter().chain(EXCEPTIONS.iter().map(|exception| &exception.vector)) {
        assert!(all.contains_key(*name), "there is no vector {name}");
    }
}

#[test]
fn every_exception_names_its_rule() {
    for exception in EXCEPTIONS {
        let rule = exception.rule;
        let named = ["R1:", "R3:", "R5:", "R8, R9:", "R12:", "Settings:", "Strict out:"]
            .iter()
            .any(|name| rule.starts_with(name));
        assert!(named, "{}: {rule}", exception.vector);
    }
}
