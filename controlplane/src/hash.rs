//! The content hash of a store: equal hashes mean equal content, whatever the order.
//!
//! Each record's canonical form is hashed with SHA-256 and the results are added up modulo 2²⁵⁶. A change therefore
//! costs one subtraction and one addition, not a walk over the store.

use crate::record::Record;
use sha2::{Digest, Sha256};
use std::fmt;

/// Sum of the hashes of all records, little-endian limbs. The empty store's is zero.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct ContentHash([u64; 4]);

impl ContentHash {
    /// The hash of one record: lower-case name, type, normalised value and TTL, each closed by a zero octet. A record that
    /// cannot be served counts for nothing: a peer leaves it out of what it applies, and still holds the same content.
    pub fn of(record: &Record) -> Self {
        if !record.is_servable() {
            return Self::default();
        }
        let mut sha = Sha256::new();
        sha.update(record.name().to_ascii_lowercase());
        sha.update([0]);
        sha.update(record.type_text().as_bytes());
        sha.update([0]);
        sha.update(record.normalised_value().as_bytes());
        sha.update([0]);
        sha.update(record.ttl.to_be_bytes());
        let digest = sha.finalize();
        let mut limbs = [0; 4];
        for (limb, octets) in limbs.iter_mut().zip(digest.chunks_exact(8)) {
            *limb = octets.iter().rev().fold(0, |value, octet| value << 8 | u64::from(*octet));
        }
        Self(limbs)
    }

    /// The hash of a whole list.
    pub fn of_all<'a>(records: impl IntoIterator<Item = &'a Record>) -> Self {
        let mut sum = Self::default();
        for record in records {
            sum.add(Self::of(record));
        }
        sum
    }

    /// Takes a record in.
    pub fn add(&mut self, other: Self) {
        let mut carry = false;
        for (limb, addend) in self.0.iter_mut().zip(other.0) {
            let (sum, first) = limb.overflowing_add(addend);
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            (*limb, carry) = (sum, first || second);
        }
    }

    /// Takes a record out.
    pub fn subtract(&mut self, other: Self) {
        let mut borrow = false;
        for (limb, subtrahend) in self.0.iter_mut().zip(other.0) {
            let (difference, first) = limb.overflowing_sub(subtrahend);
            let (difference, second) = difference.overflowing_sub(u64::from(borrow));
            (*limb, borrow) = (difference, first || second);
        }
    }

    /// Reads what `Display` wrote.
    pub fn parse(hex: &str) -> Option<Self> {
        let mut limbs = [0; 4];
        if hex.len() != 64 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        for (limb, digits) in limbs.iter_mut().rev().zip(hex.as_bytes().chunks_exact(16)) {
            *limb = u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        Some(Self(limbs))
    }
}

/// 64 hexadecimal digits, most significant first.
impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().rev().try_for_each(|limb| write!(f, "{limb:016x}"))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Octets as hexadecimal digits.
pub(crate) fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn taking_out_what_was_taken_in_restores_the_hash(a in any::<[u64; 4]>(), b in any::<[u64; 4]>()) {
            let mut sum = ContentHash(a);
            sum.add(ContentHash(b));
            let text = sum.to_string();
            prop_assert_eq!(ContentHash::parse(&text), Some(sum));
            sum.subtract(ContentHash(b));
            prop_assert_eq!(sum, ContentHash(a));
        }
    }

    #[test]
    fn order_case_and_dots_do_not_matter_but_the_ttl_does() {
        let record = |name: &str, value: &str, ttl| Record::new(name, "A", value, ttl);
        let [one, two] = [record("a.test", "192.0.2.1", 60), record("b.test", "192.0.2.2", 60)];
        assert_eq!(ContentHash::of_all([&one, &two]), ContentHash::of_all([&two, &one]));
        assert_eq!(ContentHash::of(&one), ContentHash::of(&record("A.Test.", "192.0.2.1", 60)));
        assert_ne!(ContentHash::of(&one), ContentHash::of(&record("a.test", "192.0.2.1", 61)));
    }
}
