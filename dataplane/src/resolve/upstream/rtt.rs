//! How long a server takes, and how long to wait for it: smoothed time and variance (RFC 6298 §2), for one reply each.

use std::time::Duration;

/// Wait at least so long before asking again: below it, a busy machine is likelier than a lost datagram.
const LEAST: Duration = Duration::from_millis(30);
/// Wait at most so long before asking somebody else.
const MOST: Duration = Duration::from_millis(800);
/// What a server that was never measured is given.
const UNKNOWN: Duration = Duration::from_millis(300);

/// Microseconds: smoothed time, and variance. All zero: never measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rtt {
    pub(crate) smoothed: u32,
    pub(crate) variance: u32,
}

impl Rtt {
    /// With one more measurement.
    pub(crate) fn with(self, sample: Duration) -> Self {
        let sample = u32::try_from(sample.as_micros()).unwrap_or(u32::MAX).max(1);
        if self.smoothed == 0 {
            return Self { smoothed: sample, variance: sample / 2 };
        }
        let variance = self.variance - self.variance / 4 + self.smoothed.abs_diff(sample) / 4;
        Self { smoothed: (self.smoothed - self.smoothed / 8).saturating_add(sample / 8).max(1), variance }
    }

    /// How long to wait for a reply before somebody else is asked, or the same again.
    pub(crate) fn patience(self) -> Duration {
        if self.smoothed == 0 {
            return UNKNOWN;
        }
        let micros = u64::from(self.smoothed) + 4 * u64::from(self.variance);
        Duration::from_micros(micros).clamp(LEAST, MOST)
    }

    pub(crate) fn to_bits(self) -> u64 {
        u64::from(self.smoothed) << 32 | u64::from(self.variance)
    }

    pub(crate) fn from_bits(bits: u64) -> Self {
        Self { smoothed: (bits >> 32) as u32, variance: bits as u32 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_answers_evenly_is_waited_for_the_shortest_time() {
        let mut rtt = Rtt::default();
        assert_eq!(rtt.patience(), UNKNOWN);
        rtt = rtt.with(Duration::from_millis(100));
        assert_eq!(rtt.patience(), Duration::from_millis(300));
        for _ in 0..40 {
            rtt = rtt.with(Duration::from_millis(100));
        }
        assert!((Duration::from_millis(99)..Duration::from_millis(105)).contains(&rtt.patience()), "{rtt:?}");
        for _ in 0..40 {
            rtt = rtt.with(Duration::from_micros(50));
        }
        assert_eq!(rtt.patience(), LEAST);
        assert_eq!(rtt.with(Duration::from_secs(5000)).patience(), MOST);
        assert_eq!(Rtt::from_bits(rtt.to_bits()), rtt);
    }
}
