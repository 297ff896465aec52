//! Where each resource stands on one data plane.

use dnsplane_proto::{Generation, pb::feed::Resource};
use std::time::Duration;
use tokio::time::Instant;

/// Pause after a data plane refused something, so that a misunderstanding does not spin; doubled each time that it refuses
/// the same again, …
const AFTER_REFUSAL: Duration = Duration::from_secs(1);
/// … up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Where one resource stands.
#[derive(Default)]
pub(super) struct Standing {
    pub(super) held: Option<Generation>,
    pub(super) under_way: Option<Generation>,
    /// The data plane was told that what it holds is the newest.
    pub(super) confirmed: bool,
    /// What was refused last, and why.
    refused: Option<(Generation, String)>,
    pause: Duration,
    not_before: Option<Instant>,
    /// It may be sent at all.
    pub(super) known: bool,
}

/// All of them.
#[derive(Default)]
pub(super) struct Standings {
    pub(super) settings: Standing,
    pub(super) records: Standing,
    pub(super) upstreams: Standing,
    pub(super) block_list: Standing,
}

impl Standing {
    /// Whether to send this generation now.
    pub(super) fn wants(&self, newest: Generation, now: Instant) -> bool {
        self.known
            && self.under_way.is_none()
            && self.held != Some(newest)
            && (self.not_before.is_none_or(|at| at <= now) || !self.was_refused(newest))
    }

    /// It refused what is under way. Says whether that is news.
    pub(super) fn refuse(&mut self, reason: &str, now: Instant) -> bool {
        let what = self.under_way.take().unwrap_or_default();
        let again = self.refused.as_ref().is_some_and(|(generation, said)| *generation == what && said == reason);
        self.pause = if again { (self.pause * 2).min(LONGEST_PAUSE) } else { AFTER_REFUSAL };
        self.not_before = Some(now + self.pause);
        self.refused = Some((what, reason.to_owned()));
        // Whatever it objects to, everything anew is right.
        self.held = None;
        !again
    }

    /// It serves this now.
    pub(super) fn serves(&mut self, generation: Option<Generation>) {
        *self = Self { held: generation, confirmed: true, known: self.known, ..Self::default() };
    }

    fn was_refused(&self, generation: Generation) -> bool {
        self.refused.as_ref().is_some_and(|(refused, _)| *refused == generation)
    }
}

impl Standings {
    /// Of a data plane that knows these; none: settings and records, as the first version has it.
    pub(super) fn of(knows: &[i32]) -> Self {
        let mut standings = Self::default();
        let first = [Resource::Settings as i32, Resource::Records as i32];
        for resource in if knows.is_empty() { &first } else { knows } {
            let standing = Resource::try_from(*resource).ok().and_then(|resource| standings.get(resource));
            if let Some(standing) = standing {
                standing.known = true;
            }
        }
        standings
    }

    pub(super) fn get(&mut self, resource: Resource) -> Option<&mut Standing> {
        match resource {
            Resource::Settings => Some(&mut self.settings),
            Resource::Records => Some(&mut self.records),
            Resource::Upstreams => Some(&mut self.upstreams),
            Resource::BlockList => Some(&mut self.block_list),
            Resource::Unspecified => None,
        }
    }

    /// When to look again at what was refused.
    pub(super) fn next_try(&self) -> Option<Instant> {
        let all = [&self.settings, &self.records, &self.upstreams, &self.block_list];
        let now = Instant::now();
        all.into_iter().filter_map(|standing| standing.not_before).filter(|at| *at > now).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generation(number: u64) -> Generation {
        Generation { session: 1, number }
    }

    #[test]
    fn what_is_refused_again_and_again_is_sent_less_and_less_often_and_said_once() {
        let mut standing = Standing { known: true, ..Standing::default() };
        let mut now = Instant::now();
        let mut pauses = Vec::new();
        for round in 0..9 {
            assert!(standing.wants(generation(1), now));
            standing.under_way = Some(generation(1));
            assert!(!standing.wants(generation(1), now), "one at a time");
            assert_eq!(standing.refuse("no", now), round == 0);
            let begun = now;
            while !standing.wants(generation(1), now) {
                now += Duration::from_millis(500);
            }
            pauses.push((now - begun).as_secs());
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        standing.under_way = Some(generation(1));
        assert!(standing.refuse("something else", now), "that is news");
        assert!(
            !standing.wants(generation(1), now) && standing.wants(generation(2), now),
            "what is new is sent at once"
        );
        standing.serves(Some(generation(2)));
        assert!(!standing.wants(generation(2), now) && standing.wants(generation(3), now));
    }

    #[test]
    fn a_data_plane_that_does_not_say_what_it_knows_gets_settings_and_records() {
        let wanted = |knows: &[i32]| {
            let standings = Standings::of(knows);
            [&standings.settings, &standings.records, &standings.upstreams, &standings.block_list]
                .map(|standing| standing.wants(generation(1), Instant::now()))
        };
        assert_eq!(wanted(&[]), [true, true, false, false]);
        assert_eq!(wanted(&[1, 2, 3, 4, 99]), [true; 4]);
    }
}
