//! Names that lists block, looked up where they lie.

use dnsplane_proto::block_list::{self, Scope};
use fst::raw::Fst;
use std::{fmt, sync::Arc};

/// What is wrong with maps that came over the feed.
#[derive(Debug, thiserror::Error)]
pub enum BadList {
    /// The octets are no map.
    #[error("a map of names cannot be read")]
    Map(#[from] fst::Error),
    /// A combination names a list that there is not.
    #[error("a combination names list {0}, which there is not")]
    Source(u32),
}

/// All lists, merged.
pub struct BlockList {
    blocked: Fst<bytes::Bytes>,
    allowed: Fst<bytes::Bytes>,
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
    /// From the parts of the message. No octets at all are a map without names.
    pub fn new(
        blocked: bytes::Bytes,
        allowed: bytes::Bytes,
        sources: Vec<Arc<str>>,
        combinations: Vec<Vec<u32>>,
    ) -> Result<Self, BadList> {
        let strange = combinations.iter().flatten().find(|source| **source as usize >= sources.len());
        if let Some(source) = strange {
            return Err(BadList::Source(*source));
        }
        Ok(Self { blocked: map(blocked)?, allowed: map(allowed)?, sources, combinations })
    }

    /// Whether lists block this name, given in lower-case wire form. An allowed name is not blocked, whatever blocks it.
    pub fn find(&self, name: &[u8]) -> Option<Blocked> {
        let blocked = walk(&self.blocked, name)?;
        if walk(&self.allowed, name).is_some() { None } else { Some(blocked) }
    }

    /// Which lists would block this name, if none allowed it.
    pub fn listed(&self, name: &[u8]) -> Option<Blocked> {
        walk(&self.blocked, name)
    }

    /// Which list allows this name that others may block.
    pub fn allowed(&self, name: &[u8]) -> Option<Blocked> {
        walk(&self.allowed, name)
    }

    /// The lists that say so.
    pub fn sources(&self, blocked: Blocked) -> impl Iterator<Item = &Arc<str>> {
        let combination = self.combinations.get(blocked.combination as usize).map(Vec::as_slice).unwrap_or_default();
        combination.iter().filter_map(|source| self.sources.get(*source as usize))
    }

    /// Octets that it takes, and how many names block and allow.
    pub fn size(&self) -> (usize, usize, usize) {
        (self.blocked.as_bytes().len() + self.allowed.as_bytes().len(), self.blocked.len(), self.allowed.len())
    }
}

impl fmt::Debug for BlockList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockList").field("size", &self.size()).finish_non_exhaustive()
    }
}

fn map(octets: bytes::Bytes) -> Result<Fst<bytes::Bytes>, fst::Error> {
    let octets = if octets.is_empty() { fst::Map::default().into_fst().into_inner().into() } else { octets };
    Fst::new(octets)
}

/// The entry nearest to the root that covers the name.
fn walk(map: &Fst<bytes::Bytes>, name: &[u8]) -> Option<Blocked> {
    if map.is_empty() {
        return None;
    }
    let mut starts = [0_u8; crate::wire_name::MAX_LABELS];
    let mut labels = 0;
    for at in crate::wire_name::suffixes(name).take(starts.len()) {
        if name[at] > 0 {
            starts[labels] = at as u8;
            labels += 1;
        }
    }
    let (mut node, mut output) = (map.root(), 0_u64);
    for at in starts[..labels].iter().rev().map(|at| usize::from(*at)) {
        for octet in &name[at..=at + usize::from(name[at])] {
            let transition = node.transition(node.find_input(*octet)?);
            output += transition.out.value();
            node = map.node(transition.addr);
        }
        if node.is_final()
            && let Some((scope, combination)) = block_list::read(output + node.final_output().value())
            && Scope::covers(scope, at == 0)
        {
            return Some(Blocked { at, combination });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use dnsplane_proto::{
        Name,
        block_list::{key, value},
    };
    use std::collections::BTreeMap;

    fn map(names: &[(&str, Scope, u32)]) -> bytes::Bytes {
        let entry = |(name, scope, combination): &(&str, Scope, u32)| {
            (key(Name::parse(name).expect("a name").as_wire()), value(*scope, *combination))
        };
        let sorted: BTreeMap<_, _> = names.iter().map(entry).collect();
        fst::Map::from_iter(sorted).expect("in order").into_fst().into_inner().into()
    }

    #[test]
    fn a_name_is_blocked_by_itself_or_by_a_parent_and_an_allowed_one_is_not() {
        let blocked = [("ads.test", Scope::Whole, 0), ("wild.test", Scope::Below, 1), ("x.ads.test", Scope::Whole, 2)];
        let allowed = [("good.ads.test", Scope::Whole, 0), ("deep.wild.test", Scope::Below, 0)];
        let sources = ["one", "two"].map(Arc::from).to_vec();
        let list = BlockList::new(map(&blocked), map(&allowed), sources, vec![vec![0], vec![1], vec![0, 1]]);
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
        assert!(BlockList::new(bytes::Bytes::from_static(b"x"), map(&[]), vec![], vec![]).is_err());
        assert!(BlockList::new(map(&[]), map(&[]), vec![], vec![vec![0]]).is_err());
        let none = BlockList::new(bytes::Bytes::new(), bytes::Bytes::new(), vec![], vec![]).expect("no names");
        assert_eq!((none.find(b"\x04test\x00"), none.size().1), (None, 0));
    }
}
