//! How long to wait before trying again: twice as long each time, and never in step with others.

use std::time::Duration;

/// Grows from `first` to `longest`.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0 }
    }

    /// The pause after one more failure: between half and all of what the count of failures asks for, so that nodes
    /// which failed together do not come back together.
    pub(crate) fn next(&mut self) -> Duration {
        let full = self.first.saturating_mul(1 << self.failures.min(20)).min(self.longest);
        self.failures = self.failures.saturating_add(1);
        // Without randomness the pause is merely in step with others'.
        let share = getrandom::u32().unwrap_or(u32::MAX);
        full / 2 + full.mul_f64(f64::from(share) / f64::from(u32::MAX) / 2.0)
    }

    /// Whether the last try failed.
    pub(crate) fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// It worked.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_start_over_after_a_success() {
        let (first, longest) = (Duration::from_millis(100), Duration::from_secs(30));
        let mut backoff = Backoff::new(first, longest);
        for failure in 0..40 {
            let full = (first * (1 << failure.min(20))).min(longest);
            let pause = backoff.next();
            assert!(pause >= full / 2 && pause <= full, "{failure}: {pause:?}");
        }
        backoff.reset();
        assert!(backoff.next() <= first);
    }
}
