//! What could not be fetched, so that it is not asked for again at once (RFC 9520 §3.2).

use super::super::{Failure, Wanted};
use foldhash::quality::RandomState;
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// How long a failure is the answer to the same question.
const REMEMBERED: Duration = Duration::from_secs(1);
/// How long what is remembered is not renewed after a failure.
const NOT_RENEWED: Duration = Duration::from_secs(5);
/// Most that are remembered.
const MOST: usize = 4096;

/// Failures of the last seconds.
#[derive(Default)]
pub(super) struct Failures {
    failed: HashMap<Wanted, (Instant, Failure), RandomState>,
}

impl Failures {
    /// This could not be fetched.
    pub(super) fn note(&mut self, wanted: &Wanted, failure: Failure, now: Instant) {
        if self.failed.len() >= MOST {
            self.failed.retain(|_, (at, _)| now.duration_since(*at) < NOT_RENEWED);
        }
        if self.failed.len() >= MOST {
            // Names are being made up; none of them will come again.
            self.failed.clear();
        }
        self.failed.insert(wanted.clone(), (now, failure));
    }

    /// What somebody who waits for this is to be told, if it failed just now.
    pub(super) fn recent(&self, wanted: &Wanted, now: Instant) -> Option<Failure> {
        self.within(wanted, now, REMEMBERED)
    }

    /// Whether this should not be renewed yet.
    pub(super) fn forbid_renewal(&self, wanted: &Wanted, now: Instant) -> bool {
        self.within(wanted, now, NOT_RENEWED).is_some()
    }

    /// It was fetched after all.
    pub(super) fn forget(&mut self, wanted: &Wanted) {
        if !self.failed.is_empty() {
            self.failed.remove(wanted);
        }
    }

    fn within(&self, wanted: &Wanted, now: Instant, time: Duration) -> Option<Failure> {
        // Most of the time nothing has failed, and nothing is looked up.
        if self.failed.is_empty() {
            return None;
        }
        self.failed.get(wanted).filter(|(at, _)| now.duration_since(*at) < time).map(|(_, failure)| *failure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dnsplane_proto::RecordType;

    fn wanted(number: usize) -> Wanted {
        let name = number.to_be_bytes().into();
        Wanted { name, kind: RecordType::A, dnssec_ok: false, checking_disabled: false }
    }

    #[test]
    fn rfc9520_s3_2_a_failure_is_remembered_for_a_second_and_renewals_wait_for_five() {
        let (mut failures, now) = (Failures::default(), Instant::now());
        failures.note(&wanted(1), Failure::Silence, now);
        for (millis, told, forbidden) in [(0, true, true), (999, true, true), (1000, false, true), (5000, false, false)]
        {
            let later = now + Duration::from_millis(millis);
            assert_eq!(failures.recent(&wanted(1), later), told.then_some(Failure::Silence), "{millis} ms");
            assert_eq!(failures.forbid_renewal(&wanted(1), later), forbidden, "{millis} ms");
        }
        assert_eq!(failures.recent(&wanted(2), now), None);
        failures.forget(&wanted(1));
        assert_eq!(failures.recent(&wanted(1), now), None);
        (0..3 * MOST).for_each(|number| failures.note(&wanted(number), Failure::Busy, now));
        assert!(failures.failed.len() <= MOST);
    }
}
