//! A set of durations, told in one line.

use std::{fmt, time::Duration};

/// Durations of the same thing.
#[derive(Default)]
pub(crate) struct Spread(Vec<Duration>);

impl Spread {
    pub(crate) fn push(&mut self, duration: Duration) {
        self.0.push(duration);
    }

    /// Takes in another set.
    pub(crate) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// The value below which this share of all lies.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let at = ((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1));
        sorted.get(at).copied().unwrap_or_default()
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [median, p95, worst] = [0.5, 0.95, 1.0].map(|share| self.quantile(share).as_secs_f64() * 1e3);
        write!(f, "median {median:8.3} ms   p95 {p95:8.3} ms   worst {worst:8.3} ms   ({} times)", self.0.len())
    }
}
