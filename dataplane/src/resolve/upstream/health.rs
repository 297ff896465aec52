//! How a server is doing. Queries tell, and probes if there are any; all threads write, without waiting for each other.

use super::rtt::Rtt;
use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// So many replies in the wrong case, and no other, mean that the server does not keep the case of names.
const WRONG_CASES: u32 = 3;
/// For so long a server that could not read EDNS is asked without.
const WITHOUT_EDNS: Duration = Duration::from_secs(15 * 60);
/// How often a server that is unhealthy is given a query all the same, to see whether it still is.
const SECOND_CHANCE: Duration = Duration::from_secs(2);

/// What is known of a server.
#[derive(Debug, Default)]
pub struct Health {
    rtt: AtomicU64,
    failures_in_row: AtomicU32,
    wrong_cases: AtomicU32,
    without_edns_until: AtomicU64,
    second_chance_at: AtomicU64,
    last_success: AtomicU64,
    last_probe: AtomicU64,
    queries: AtomicU64,
    failures: AtomicU64,
    spoofed: AtomicU64,
    last_error: Mutex<String>,
}

/// The same, for reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpstreamState {
    /// Of the server, as configured.
    pub name: String,
    /// Left out while others are healthy.
    pub unhealthy: bool,
    /// Since the last success.
    pub consecutive_failures: u32,
    /// Seconds since 1970; 0: never.
    pub last_success: u64,
    /// Seconds since 1970; 0: never.
    pub last_probe: u64,
    /// Of the last failure; empty after a success.
    pub last_error: String,
    /// Smoothed; zero: not measured yet.
    pub rtt: Duration,
    /// Questions that were put to it, repetitions included.
    pub queries: u64,
    /// Of them, those that failed.
    pub failures: u64,
    /// Messages from its address that answered nothing that was asked.
    pub spoofed: u64,
}

impl Health {
    /// A question was sent.
    pub fn asked(&self) {
        self.queries.fetch_add(1, Relaxed);
    }

    /// It was answered.
    pub fn succeeded(&self, took: Duration) {
        // Two threads at once may lose one measurement, which does not matter.
        let rtt = Rtt::from_bits(self.rtt.load(Relaxed)).with(took);
        self.rtt.store(rtt.to_bits(), Relaxed);
        self.last_success.store(seconds(), Relaxed);
        if self.failures_in_row.swap(0, Relaxed) > 0 {
            self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    /// It was not answered, or answered with an error that is the server's own.
    pub fn failed(&self, why: &str) {
        self.failures.fetch_add(1, Relaxed);
        self.failures_in_row.fetch_add(1, Relaxed);
        let mut last = self.last_error.lock().unwrap_or_else(PoisonError::into_inner);
        if *last != why {
            why.clone_into(&mut last);
        }
    }

    /// It was answered with an error that may be the name's.
    pub fn failed_to_resolve(&self) {
        self.failures.fetch_add(1, Relaxed);
    }

    /// A probe was sent.
    pub fn probed(&self) {
        self.last_probe.store(seconds(), Relaxed);
    }

    /// A message from its address answered nothing that was asked.
    pub fn spoofed(&self) {
        self.spoofed.fetch_add(1, Relaxed);
    }

    /// Whether it failed so many times in a row.
    pub fn is_unhealthy(&self, failures: u32) -> bool {
        self.failures_in_row.load(Relaxed) >= failures.max(1)
    }

    /// Whether an unhealthy server may be given a query now, to see whether it still is. Says so rarely.
    pub fn second_chance(&self) -> bool {
        let (now, at) = (millis(), self.second_chance_at.load(Relaxed));
        let next = now + SECOND_CHANCE.as_millis() as u64;
        now >= at && self.second_chance_at.compare_exchange(at, next, Relaxed, Relaxed).is_ok()
    }

    /// How long it takes.
    pub(crate) fn rtt(&self) -> Rtt {
        Rtt::from_bits(self.rtt.load(Relaxed))
    }

    /// A reply was right but for the case of its letters; whether that is now taken for a habit.
    pub fn came_in_wrong_case(&self) -> bool {
        self.wrong_cases.fetch_add(1, Relaxed) + 1 == WRONG_CASES
    }

    /// A reply to a question in random case was right.
    pub fn came_in_right_case(&self) {
        if self.keeps_case() && self.wrong_cases.load(Relaxed) > 0 {
            self.wrong_cases.store(0, Relaxed);
        }
    }

    /// Whether letters may be sent in random case.
    pub fn keeps_case(&self) -> bool {
        self.wrong_cases.load(Relaxed) < WRONG_CASES
    }

    /// It could not read a question with EDNS.
    pub fn cannot_read_edns(&self) {
        self.without_edns_until.store(seconds() + WITHOUT_EDNS.as_secs(), Relaxed);
    }

    /// Whether it may be asked with EDNS.
    pub fn reads_edns(&self) -> bool {
        let until = self.without_edns_until.load(Relaxed);
        until == 0 || seconds() >= until
    }

    pub(super) fn state(&self, name: &str, failures: u32) -> UpstreamState {
        UpstreamState {
            name: name.to_owned(),
            unhealthy: self.is_unhealthy(failures),
            consecutive_failures: self.failures_in_row.load(Relaxed),
            last_success: self.last_success.load(Relaxed),
            last_probe: self.last_probe.load(Relaxed),
            last_error: self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            rtt: Duration::from_micros(self.rtt().smoothed.into()),
            queries: self.queries.load(Relaxed),
            failures: self.failures.load(Relaxed),
            spoofed: self.spoofed.load(Relaxed),
        }
    }
}

fn seconds() -> u64 {
    millis() / 1000
}

fn millis() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_in_a_row_make_a_server_unhealthy_and_one_success_clears_it() {
        let health = Health::default();
        health.failed("it is dead");
        health.succeeded(Duration::from_millis(1));
        health.failed("it is dead");
        assert!(!health.is_unhealthy(2) && health.is_unhealthy(1));
        health.failed_to_resolve();
        assert!(!health.is_unhealthy(2), "what a name is to blame for does not count");
        health.failed("it is gone");
        assert!(health.is_unhealthy(2));
        let state = health.state("a", 2);
        assert_eq!((state.failures, state.consecutive_failures, &*state.last_error), (4, 2, "it is gone"));
        assert!(health.second_chance() && !health.second_chance(), "one query, then none for a while");
        health.succeeded(Duration::from_millis(1));
        let state = health.state("a", 2);
        assert_eq!((state.unhealthy, &*state.last_error, state.rtt), (false, "", Duration::from_millis(1)));
    }

    #[test]
    fn a_server_that_lowers_all_letters_is_asked_in_lower_case_in_the_end() {
        let health = Health::default();
        assert_eq!([health.came_in_wrong_case(), health.came_in_wrong_case()], [false, false]);
        health.came_in_right_case();
        assert!(health.keeps_case());
        let said: Vec<_> = (0..5).map(|_| health.came_in_wrong_case()).collect();
        assert_eq!(said, [false, false, true, false, false], "said once");
        health.came_in_right_case();
        assert!(!health.keeps_case());
        assert!(health.reads_edns());
        health.cannot_read_edns();
        assert!(!health.reads_edns());
    }
}
