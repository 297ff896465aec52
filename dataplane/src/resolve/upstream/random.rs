//! What nobody can guess: ids, ports and the case of letters.

use siphasher::sip::SipHasher24;
use std::hash::Hasher;

/// SipHash-2-4 of a count, under a key that was drawn at random: as unpredictable as the key, without asking the system
/// for each query.
#[derive(Clone)]
pub(crate) struct Random {
    key: [u8; 16],
    count: u64,
}

impl Random {
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        let mut key = [0; 16];
        getrandom::fill(&mut key)?;
        Ok(Self { key, count: 0 })
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.count = self.count.wrapping_add(1);
        let mut hasher = SipHasher24::new_with_key(&self.key);
        hasher.write_u64(self.count);
        hasher.finish()
    }

    /// Below `end`, which is above zero.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_of_them_have_nothing_in_common() {
        let (mut one, mut other) = (Random::new().unwrap(), Random::new().unwrap());
        let both: Vec<_> = (0..64).flat_map(|_| [one.next(), other.next()]).collect();
        let different: std::collections::HashSet<_> = both.iter().collect();
        assert_eq!(different.len(), both.len());
        assert!((0..100).all(|_| one.below(3) < 3) && one.below(0) == 0);
    }
}
