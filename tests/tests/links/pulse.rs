//! How fast a node takes writes and answers questions.

use dnsplane_tests::{Node, Record, dns::Question, http::Connection};
use std::{
    fmt,
    sync::atomic::{AtomicUsize, Ordering},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Most memory that a node with a few thousand records and troublesome peers may hold, KiB.
const MEMORY_KIB: u64 = 256 << 10;

/// Claims that measure do so one after another: beside each other they would measure each other.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static MEASURING: Mutex<()> = Mutex::new(());
    MEASURING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One measurement.
#[derive(Debug)]
pub(crate) struct Pulse {
    writes: Times,
    answers: Times,
}

/// Durations, sorted.
#[derive(Debug)]
struct Times(Vec<Duration>);

impl Times {
    fn part(&self, hundredths: usize) -> Duration {
        self.0[(self.0.len() - 1) * hundredths / 100]
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "median {:?}, p99 {:?}", self.part(50), self.part(99))
    }
}

impl fmt::Display for Pulse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "writes {}; answers {}", self.writes, self.answers)
    }
}

impl Pulse {
    /// Writes so many records one after another, each followed by a question about an earlier one that must be answered
    /// rightly.
    #[track_caller]
    pub(crate) fn take(node: &mut Node, what: &str, count: usize) -> Self {
        static TAKEN: AtomicUsize = AtomicUsize::new(0);
        let taken = TAKEN.fetch_add(1, Ordering::Relaxed);
        let known = Record::a(&format!("known-{taken}.example"), "192.0.2.1");
        node.add(&known);
        node.eventually_answers(&known.name, "A", &["192.0.2.1"]);
        let mut connection = Connection::open(node.api()).expect("the API listens");
        let (mut writes, mut answers) = (Vec::new(), Vec::new());
        for number in 0..count {
            let body = Record::a(&format!("w{number}-{taken}.example"), "192.0.2.2").to_json();
            let started = Instant::now();
            let reply = connection.request("POST", "/dns/records", Some(&body));
            writes.push(started.elapsed());
            let reply = reply.unwrap_or_else(|error| panic!("{what}: {error}\n{}", node.logs()));
            assert_eq!(reply.status, 201, "{what}: {reply:?}");
            let started = Instant::now();
            let answer = Question::new(&known.name, "A").udp(node.dns());
            answers.push(started.elapsed());
            let answer = answer.unwrap_or_else(|error| panic!("{what}: no answer: {error}\n{}", node.logs()));
            assert_eq!(answer.values(), ["192.0.2.1"], "{what}: a wrong answer");
        }
        let sorted = |mut times: Vec<Duration>| {
            times.sort();
            Times(times)
        };
        Self { writes: sorted(writes), answers: sorted(answers) }
    }

    /// Fails if this is worse than another measurement by more than other work on the machine explains.
    #[track_caller]
    pub(crate) fn is_like(&self, before: &Self, what: &str) {
        for (deed, now, then) in [("writes", &self.writes, &before.writes), ("answers", &self.answers, &before.answers)]
        {
            let limit = then.part(50) * 4 + Duration::from_millis(5);
            assert!(now.part(50) <= limit, "{what}: {deed}: {now}, before: {then}");
            let limit = then.part(99) * 5 + Duration::from_millis(100);
            assert!(now.part(99) <= limit, "{what}: {deed}: {now}, before: {then}");
        }
    }
}

/// Fails if a control plane holds more memory than such peers may cost it.
#[track_caller]
pub(crate) fn small(memory_kib: u64, what: &str) {
    assert!(memory_kib < MEMORY_KIB, "{what}: {memory_kib} KiB");
}
