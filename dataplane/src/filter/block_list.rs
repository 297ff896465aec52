//! Names that lists block, looked up where they lie.

use crate::wire_name::{MAX_LABELS, suffixes};
use dnsplane_proto::block_list::{BadTable, HashKey, Packed, Table};
use std::{fmt, sync::Arc};

/// What is wrong with lists that came over the feed.
#[derive(Debug, thiserror::Error)]
pub enum BadList {
    /// The octets are no table.
    #[error("a table of names cannot be read")]
    Table(#[from] BadTable),
    /// The key of hashes has another length than 16, or the depths of a table have.
    #[error("the {what} of a block list has {octets} octets, not 16")]
    Length {
        /// `hash key` or `depths`.
        what: &'static str,
        /// How many there are.
        octets: usize,
    },
    /// A combination names a list that there is not.
    #[error("a combination names list {0}, which there is not")]
    Source(u32),
}

/// All lists, merged.
pub struct BlockList {
    key: HashKey,
    blocked: Table,
    allowed: Table,
    sources: Vec<Arc<str>>,
    combinations: Vec<Vec<u32>>,
}

/// Why a name is blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// Where in the name the listed one starts: 0 if it is the name itself.
    pub at: usize,
    combination: u32,
}

impl BlockList {
    /// From the parts of the message.
    pub fn new(
        key: HashKey,
        blocked: Packed,
        allowed: Packed,
        sources: Vec<Arc<str>>,
        combinations: Vec<Vec<u32>>,
    ) -> Result<Self, BadList> {
        let strange = combinations.iter().flatten().find(|source| **source as usize >= sources.len());
        if let Some(source) = strange {
            return Err(BadList::Source(*source));
        }
        let table = |packed| Table::new(packed, combinations.len());
        let (blocked, allowed) = (table(blocked)?, table(allowed)?);
        Ok(Self { key, blocked, allowed, sources, combinations })
    }

    /// Whether lists block this name, given in lower-case wire form. An allowed name is not blocked, whatever blocks it.
    pub fn find(&self, name: &[u8]) -> Option<Blocked> {
        let blocked = self.nearest(&self.blocked, name)?;
        if self.nearest(&self.allowed, name).is_some() { None } else { Some(blocked) }
    }

    /// Which lists would block this name, if none allowed it.
    pub fn listed(&self, name: &[u8]) -> Option<Blocked> {
        self.nearest(&self.blocked, name)
    }

    /// Which list allows this name that others may block.
    pub fn allowed(&self, name: &[u8]) -> Option<Blocked> {
        self.nearest(&self.allowed, name)
    }

    /// The lists that say so.
    pub fn sources(&self, blocked: Blocked) -> impl Iterator<Item = &Arc<str>> {
        let combination = self.combinations.get(blocked.combination as usize).map(Vec::as_slice).unwrap_or_default();
        combination.iter().filter_map(|source| self.sources.get(*source as usize))
    }

    /// The entry nearest to the root that covers the name.
    fn nearest(&self, table: &Table, name: &[u8]) -> Option<Blocked> {
        if table.is_empty() {
            return None;
        }
        let mut starts = [0_u8; MAX_LABELS + 1];
        let mut count = 0;
        for (start, at) in starts.iter_mut().zip(suffixes(name)) {
            *start = at as u8;
            count += 1;
        }
        // The root, which has no label, is the last of them.
        let from_the_root = starts[..count].iter().rev().map(|at| usize::from(*at));
        from_the_root.enumerate().filter(|(labels, _)| table.has_depth(*labels)).find_map(|(_, at)| {
            let (scope, combination) = table.get(self.key.hash(&name[at..]))?;
            scope.covers(at == 0).then_some(Blocked { at, combination })
        })
    }

    /// Octets that it takes, and how many names block and allow.
    pub fn size(&self) -> (usize, usize, usize) {
        (self.blocked.octets() + self.allowed.octets(), self.blocked.len(), self.allowed.len())
    }
}

impl fmt::Debug for BlockList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockList").field("size", &self.size()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dnsplane_proto::{
        Name,
        block_list::{Packing, Scope, value},
    };
    use proptest::prelude::*;

    const KEY: HashKey = HashKey(*b"sixteen octets..");

    fn table<N: AsRef<str>>(names: &[(N, Scope, u32)]) -> Packed {
        let mut packing = Packing::new(KEY, names.len());
        for (name, scope, combination) in names {
            packing.push(Name::parse(name.as_ref()).expect("a name").as_wire(), value(*scope, *combination));
        }
        packing.finish()
    }

    #[test]
    fn a_name_is_blocked_by_itself_or_by_a_parent_and_an_allowed_one_is_not() {
        let blocked = [("ads.test", Scope::Whole, 0), ("wild.test", Scope::Below, 1), ("x.ads.test", Scope::Whole, 2)];
        let allowed = [("good.ads.test", Scope::Whole, 0), ("deep.wild.test", Scope::Below, 0)];
        let sources = ["one", "two"].map(Arc::from).to_vec();
        let list = BlockList::new(KEY, table(&blocked), table(&allowed), sources, vec![vec![0], vec![1], vec![0, 1]]);
        let list = list.expect("sound");
        let found = |name: &str| {
            let name = Name::parse(name).expect("a name");
            let blocked = list.find(name.as_wire())?;
            Some((blocked.at, list.sources(blocked).map(|source| source.to_string()).collect::<Vec<_>>().join("+")))
        };
        assert_eq!(found("ads.test"), Some((0, "one".to_owned())));
        assert_eq!(found("a.b.ads.test"), Some((4, "one".to_owned())));
        assert_eq!(found("badads.test"), None);
        assert_eq!((found("wild.test"), found("a.wild.test")), (None, Some((2, "two".to_owned()))));
        assert_eq!((found("good.ads.test"), found("x.good.ads.test")), (None, None));
        assert_eq!((found("deep.wild.test"), found("x.deep.wild.test")), (Some((5, "two".to_owned())), None));
        assert_eq!((found("test"), found(".")), (None, None));
        assert_eq!(list.size().1, 3);
    }

    #[test]
    fn a_list_that_makes_no_sense_is_refused() {
        let none = Packed::default;
        let bad =
            |packed: Packed, combinations| BlockList::new(KEY, packed, none(), vec!["one".into()], combinations).err();
        let one = table(&[("ads.test", Scope::Whole, 0)]);
        let cut = Packed { hashes: one.hashes.slice(..7), ..one.clone() };
        assert!(matches!(bad(cut, vec![vec![0]]), Some(BadList::Table(BadTable::Length { .. }))));
        assert!(matches!(bad(one.clone(), vec![]), Some(BadList::Table(BadTable::Value(0)))));
        assert!(matches!(bad(one.clone(), vec![vec![1]]), Some(BadList::Source(1))));
        assert!(bad(one, vec![vec![0]]).is_none());
        let empty = BlockList::new(KEY, none(), none(), vec![], vec![]).expect("no names");
        assert_eq!((empty.find(b"\x04test\x00"), empty.size()), (None, (0, 0, 0)));
    }

    proptest! {
        #[test]
        fn what_is_found_is_the_listed_name_nearest_to_the_root(
            listed in prop::collection::vec(("([ab]|cc)(\\.([ab]|cc)){0,4}", any::<bool>()), 0..30),
            asked in prop::collection::vec("([ab]|cc)(\\.([ab]|cc)){0,6}", 1..60),
        ) {
            let entry = |(name, whole): &(String, bool)| {
                (name.clone(), if *whole { Scope::Whole } else { Scope::Below }, 0)
            };
            let entries: Vec<_> = listed.iter().map(entry).collect();
            let list = BlockList::new(KEY, table(&entries), Packed::default(), vec!["one".into()], vec![vec![0]]).unwrap();
            for asked in &asked {
                let labels: Vec<_> = asked.split('.').collect();
                let has = |name: &str, whole| listed.iter().any(|(listed, is)| listed == name && *is == whole);
                let at = (0..labels.len()).rev().find(|first| {
                    let name = labels[*first..].join(".");
                    has(&name, true) || *first > 0 && has(&name, false)
                });
                let octets = at.map(|first| labels[..first].iter().map(|label| label.len() + 1).sum::<usize>());
                let found = list.find(Name::parse(asked).unwrap().as_wire());
                prop_assert_eq!(found.map(|found| found.at), octets, "{}", asked);
            }
        }
    }
}
