//! Chance that can be repeated: whoever fails prints its seed.

use std::ops::Range;

/// Numbers that look random and are the same for the same seed (xorshift).
#[derive(Clone, Debug)]
pub struct Random {
    seed: u64,
    state: u64,
}

impl Random {
    /// Starts from a seed. `DNSPLANE_SEED` in the environment replaces it, to look at other fates than the usual one.
    pub fn new(seed: u64) -> Self {
        Self::of(std::env::var("DNSPLANE_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(seed))
    }

    /// Starts from this seed and no other, for those who go through many.
    pub fn of(seed: u64) -> Self {
        // Multiplied by an odd number, so that seeds which are close begin far apart; never zero, which would stay zero.
        let state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut random = Self { seed, state };
        for _ in 0..8 {
            random.number();
        }
        random
    }

    /// What it started from, for messages.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }

    /// A number from a range that is not empty.
    pub fn within(&mut self, range: Range<u64>) -> u64 {
        range.start + self.number() % (range.end - range.start)
    }

    /// One of these.
    #[track_caller]
    pub fn one_of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.within(0..choices.len() as u64) as usize]
    }

    /// True in one of so many cases.
    pub fn one_in(&mut self, cases: u64) -> bool {
        self.within(0..cases) == 0
    }

    /// Octets, fewer than `limit` of them.
    pub fn octets(&mut self, limit: u64) -> Vec<u8> {
        (0..self.within(0..limit)).map(|_| self.number() as u8).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers_and_another_seed_others() {
        let numbers = |seed| {
            let mut random = Random::of(seed);
            (0..100).map(|_| random.within(0..1000)).collect::<Vec<_>>()
        };
        assert_eq!(numbers(7), numbers(7));
        assert_ne!(numbers(7), numbers(8));
        assert!(numbers(7).iter().any(|number| *number < 200) && numbers(7).iter().any(|number| *number > 800));
    }
}
