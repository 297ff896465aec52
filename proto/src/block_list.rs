//! The form in which block lists travel and lie in memory: two maps (`fst`) from names to what lists say of them.
//!
//! A key is a name with its labels turned round, the root's side first, each with its length in front: `ads.example.` is
//! `\x07example\x03ads`. So one walk along a name meets each of its ancestors, and ends where no list goes on.
//!
//! A value is a [`Scope`] in its lowest two bits, and above them the number of a combination of lists.

/// Of which names a line of a list speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Scope {
    /// Names below the one that is written, as in `*.example.com`.
    Below = 2,
    /// The name and what is below it, as in `||example.com^`, `example.com`, and lines of a hosts file.
    Whole = 3,
}

/// Bits of a value that are its scope.
const SCOPE_BITS: u32 = 2;

impl Scope {
    /// Whether it speaks of a name at (`true`) or below (`false`) the one that is written.
    pub fn covers(self, at: bool) -> bool {
        !at || self == Self::Whole
    }
}

/// A value of a map.
pub fn value(scope: Scope, combination: u32) -> u64 {
    u64::from(combination) << SCOPE_BITS | scope as u64
}

/// What a value of a map says; `None`: nothing that we know.
pub fn read(value: u64) -> Option<(Scope, u32)> {
    let scope = match value & ((1 << SCOPE_BITS) - 1) {
        2 => Scope::Below,
        3 => Scope::Whole,
        _ => return None,
    };
    Some((scope, u32::try_from(value >> SCOPE_BITS).ok()?))
}

/// The key of a name, given in lower-case wire form.
pub fn key(name: &[u8]) -> Vec<u8> {
    let mut labels = Vec::new();
    let mut rest = name;
    while let Some((length, after)) = rest.split_first().filter(|(length, _)| **length > 0) {
        let end = usize::from(*length).min(after.len());
        labels.push(&rest[..=end]);
        rest = &after[end..];
    }
    labels.into_iter().rev().flatten().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_name_turned_round() {
        assert_eq!(key(b"\x03ads\x07example\x00"), b"\x07example\x03ads");
        assert_eq!(key(b"\x00"), b"");
        assert_eq!(key(b"\x05ab"), b"\x05ab", "cut short, and no panic");
    }

    #[test]
    fn values_survive_the_trip() {
        for scope in [Scope::Below, Scope::Whole] {
            assert_eq!(read(value(scope, 70_000)), Some((scope, 70_000)));
        }
        assert_eq!((read(0), read(1), read(u64::MAX)), (None, None, None));
        assert!(Scope::Whole.covers(true) && Scope::Below.covers(false) && !Scope::Below.covers(true));
    }
}
