//! A set of keys, in order: what one list says, in a few octets for each name.
//!
//! Each key is written as how much of it is the same as in the one before, and the rest. Every so manieth is written whole
//! and listed in an index, so that a key is found without reading all of them.

/// Keys from one that is written whole to the next.
const BLOCK: usize = 32;

/// A set of keys, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    octets: Box<[u8]>,
    /// Where the keys lie that are written whole.
    index: Box<[u32]>,
    len: usize,
}

impl Names {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// All that it consists of; the same for the same keys.
    pub(super) fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// All keys, in order.
    pub(super) fn cursor(&self) -> Cursor<'_> {
        Cursor { rest: &self.octets, key: Vec::new() }
    }

    pub(super) fn contains(&self, key: &[u8]) -> bool {
        let at = self.index.partition_point(|at| self.whole(*at) <= key);
        let Some(at) = at.checked_sub(1).map(|block| self.index[block] as usize) else { return false };
        let mut cursor = Cursor { rest: &self.octets[at..], key: Vec::new() };
        (0..BLOCK).map_while(|_| cursor.advance().then(|| cursor.key() == key)).any(|same| same)
    }

    /// A key that is written whole.
    fn whole(&self, at: u32) -> &[u8] {
        let entry = &self.octets[at as usize..];
        &entry[2..2 + usize::from(entry[1])]
    }
}

impl<K: AsRef<[u8]>> FromIterator<K> for Names {
    fn from_iter<T: IntoIterator<Item = K>>(keys: T) -> Self {
        let mut gathering = Gathering::default();
        keys.into_iter().for_each(|key| gathering.push(key.as_ref()));
        gathering.sorted()
    }
}

/// Reads keys one after another.
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
    key: Vec<u8>,
}

impl Cursor<'_> {
    /// Goes to the next key, the first to begin with; `false` after the last.
    pub(super) fn advance(&mut self) -> bool {
        let [shared, length, rest @ ..] = self.rest else { return false };
        let (new, rest) = rest.split_at(usize::from(*length));
        self.key.truncate(usize::from(*shared));
        self.key.extend_from_slice(new);
        self.rest = rest;
        true
    }

    /// The key where it is.
    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }
}

/// Keys as they come, each at most 255 octets.
#[derive(Default)]
pub(super) struct Gathering {
    /// Each key with its length in front.
    octets: Vec<u8>,
    /// For each the first octets of the key, and in the low half of the number where it lies: numbers are sorted faster than
    /// text is, and few keys are the same that far.
    order: Vec<u128>,
}

/// Octets of a key that are compared as part of a number.
const HEAD: usize = 12;

impl Gathering {
    pub(super) fn push(&mut self, key: &[u8]) {
        let mut head = [0; 16];
        let length = key.len().min(HEAD);
        head[..length].copy_from_slice(&key[..length]);
        self.order.push(u128::from_be_bytes(head) | self.octets.len() as u128);
        self.octets.push(key.len() as u8);
        self.octets.extend_from_slice(key);
    }

    /// How many there are, the same ones counted each time.
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// Octets that they take.
    pub(super) fn size(&self) -> usize {
        self.octets.len()
    }

    /// The set of them.
    pub(super) fn sorted(mut self) -> Names {
        let mut order = std::mem::take(&mut self.order);
        order.sort_unstable();
        for same in order.chunk_by_mut(|one, other| one >> 32 == other >> 32).filter(|same| same.len() > 1) {
            same.sort_unstable_by(|one, other| self.key(*one).cmp(self.key(*other)));
        }
        let mut writing = Writing::default();
        order.iter().for_each(|entry| writing.push(self.key(*entry)));
        writing.finish()
    }

    fn key(&self, entry: u128) -> &[u8] {
        let at = entry as u32 as usize;
        &self.octets[at + 1..][..usize::from(self.octets[at])]
    }
}

/// Keys that come in order, being written down.
#[derive(Default)]
struct Writing<'a> {
    octets: Vec<u8>,
    index: Vec<u32>,
    len: usize,
    last: &'a [u8],
}

impl<'a> Writing<'a> {
    fn push(&mut self, key: &'a [u8]) {
        if self.len > 0 && key == self.last {
            return;
        }
        let shared = if self.len.is_multiple_of(BLOCK) {
            self.index.push(self.octets.len() as u32);
            0
        } else {
            key.iter().zip(self.last).take_while(|(one, other)| one == other).count()
        };
        self.octets.extend_from_slice(&[shared as u8, (key.len() - shared) as u8]);
        self.octets.extend_from_slice(&key[shared..]);
        self.last = key;
        self.len += 1;
    }

    fn finish(self) -> Names {
        Names { octets: self.octets.into(), index: self.index.into(), len: self.len }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn keys(names: &Names) -> Vec<Vec<u8>> {
        let mut cursor = names.cursor();
        std::iter::from_fn(|| cursor.advance().then(|| cursor.key().to_vec())).collect()
    }

    proptest! {
        #[test]
        fn the_keys_come_back_in_order_each_once(
            given in prop::collection::vec("\\x03(com|net)\\x0c(examplenames|examplenamed|x)\\x01[abc]{0,3}|[a-c]{0,2}", 0..200),
            others in prop::collection::vec("[a-c]{0,3}", 0..20),
        ) {
            let names: Names = given.iter().collect();
            let model: BTreeSet<Vec<u8>> = given.iter().map(|key| key.as_bytes().to_vec()).collect();
            prop_assert_eq!(names.len(), model.len());
            for key in &model {
                prop_assert!(names.contains(key));
            }
            for other in &others {
                prop_assert_eq!(names.contains(other.as_bytes()), model.contains(other.as_bytes()));
            }
            prop_assert_eq!(keys(&names), model.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_longest_key_fits() {
        let names: Names = [vec![b'x'; 254], vec![b'x'; 253]].into_iter().collect();
        assert_eq!(keys(&names).iter().map(Vec::len).collect::<Vec<_>>(), [253, 254]);
        assert!(Names::default().cursor().key().is_empty() && !Names::default().contains(b""));
    }
}
