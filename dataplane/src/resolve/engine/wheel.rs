//! When to look at which fetch again. Nothing is ever taken out before its time: whoever is woken sees by itself whether it is
//! over, or whether it is not its time yet.

use super::Key;
use std::time::{Duration, Instant};

/// Times are told apart by so much.
pub(super) const TICK: Duration = Duration::from_millis(4);
/// One turn of the wheel is four seconds; what is later comes by more than once.
const SLOTS: usize = 1024;

/// The fetches, by the time at which they want to be looked at.
pub(super) struct Wheel {
    slots: Vec<Vec<Key>>,
    started: Instant,
    /// Ticks that were looked at.
    done: u64,
    entries: usize,
}

impl Wheel {
    pub(super) fn new(now: Instant) -> Self {
        Self { slots: vec![Vec::new(); SLOTS], started: now, done: 0, entries: 0 }
    }

    /// Looks at the fetch at this time, or, if that is more than a turn away, in a turn.
    pub(super) fn add(&mut self, key: Key, at: Instant, now: Instant) {
        if self.entries == 0 {
            // Nobody has turned it while it was empty.
            self.done = self.done.max(self.ticks(now));
        }
        let tick = self.ticks(at) + 1;
        let tick = tick.clamp(self.done + 1, self.done + SLOTS as u64 - 1);
        self.slots[(tick % SLOTS as u64) as usize].push(key);
        self.entries += 1;
    }

    /// When there may be something to look at; `None`: never.
    pub(super) fn next(&self) -> Option<Instant> {
        let tick = || Duration::from_millis((self.done + 1) * TICK.as_millis() as u64);
        (self.entries > 0).then(|| self.started + tick())
    }

    /// The fetches to be looked at now are moved to `due`.
    pub(super) fn turn(&mut self, now: Instant, due: &mut Vec<Key>) {
        let until = self.ticks(now).min(self.done + SLOTS as u64);
        while self.done < until && self.entries > 0 {
            self.done += 1;
            let slot = &mut self.slots[(self.done % SLOTS as u64) as usize];
            self.entries -= slot.len();
            due.append(slot);
        }
    }

    fn ticks(&self, at: Instant) -> u64 {
        (at.saturating_duration_since(self.started).as_millis() / TICK.as_millis()) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fetch_comes_up_at_its_time_and_no_earlier() {
        let start = Instant::now();
        let mut wheel = Wheel::new(start);
        assert_eq!(wheel.next(), None);
        let waits = [5, 30, 31, 800, 3999, 9000].map(Duration::from_millis);
        let key = |number| Key { place: number, generation: 1 };
        for (number, wait) in (0..).zip(waits) {
            wheel.add(key(number), start + wait, start);
        }
        let mut seen = Vec::new();
        for elapsed in (0..20_000).step_by(3).map(Duration::from_millis) {
            let mut due = Vec::new();
            wheel.turn(start + elapsed, &mut due);
            for key in due {
                let wait = waits[key.place as usize];
                if start + wait > start + elapsed {
                    wheel.add(key, start + wait, start + elapsed);
                } else {
                    assert!(elapsed - wait <= 3 * TICK, "{wait:?} came at {elapsed:?}");
                    seen.push(key.place);
                }
            }
        }
        assert_eq!(seen, [0, 1, 2, 3, 4, 5]);
        assert_eq!(wheel.next(), None);
    }
}
