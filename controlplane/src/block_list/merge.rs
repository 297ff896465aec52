//! Several lists → one table of what is blocked and one of what is let through, with who says so.
//!
//! Lists are in order already, so merging reads all of them side by side. A name below another one of the same table is left
//! out: looking up starts at the root and ends at the first that covers the name, so it would never be met. What lists say
//! of it is still known here.

use super::{
    key,
    names::{Cursor, Names},
};
use dnsplane_proto::block_list::{HashKey, Packed, Packing, value};
use sha2::{Digest, Sha256};
use std::{collections::HashMap, sync::Arc};

/// All lists in the form that data planes look names up in: [`dnsplane_proto::block_list`] says how the tables are made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// What hashes of names are made with.
    pub key: HashKey,
    /// Names that are blocked.
    pub blocked: Packed,
    /// Names that are let through whatever blocks them.
    pub allowed: Packed,
    /// The lists, by number.
    pub sources: Vec<Arc<str>>,
    /// Lists that say the same of some names.
    pub combinations: Vec<Vec<u32>>,
}

/// One list, or what was added by hand.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) source: Arc<str>,
    pub(super) blocked: Arc<Names>,
    pub(super) allowed: Arc<Names>,
}

/// Merges lists. The number is how many names are on a list other than the first.
pub(super) fn merge(parts: &[Part]) -> (Merged, usize) {
    let mut combinations = Combinations::default();
    let key = hash_key(parts);
    let (blocked, listed) = table(key, parts.iter().map(|part| &*part.blocked), &mut combinations);
    let (allowed, _) = table(key, parts.iter().map(|part| &*part.allowed), &mut combinations);
    let sources = parts.iter().map(|part| part.source.clone()).collect();
    (Merged { key, blocked, allowed, sources, combinations: combinations.list }, listed)
}

/// Another one for other lists, so that nobody can know beforehand which hash a name will have; the same for the same, so
/// that a merge that changes nothing is no news to data planes.
fn hash_key(parts: &[Part]) -> HashKey {
    let mut sha = Sha256::new();
    for names in parts.iter().flat_map(|part| [&part.blocked, &part.allowed]) {
        sha.update(names.octets());
    }
    HashKey(sha.finalize().first_chunk().copied().unwrap_or_default())
}

fn table<'a>(
    key: HashKey,
    sets: impl Iterator<Item = &'a Names> + Clone,
    combinations: &mut Combinations,
) -> (Packed, usize) {
    let mut packing = Packing::new(key, sets.clone().map(Names::len).max().unwrap_or_default());
    let mut names = Union::of(sets);
    let mut wire = Vec::new();
    let mut cover: Option<Vec<u8>> = None;
    let mut listed = 0;
    while names.advance() {
        listed += usize::from(names.sources != [0]);
        let (name, scope) = key::split(names.key());
        if cover.as_ref().is_some_and(|cover| name.starts_with(cover)) {
            continue;
        }
        key::wire(name, &mut wire);
        packing.push(&wire, value(scope, combinations.number(&names.sources)));
        // A star does not cover its own name, which comes before it.
        let cover = cover.get_or_insert_default();
        cover.clear();
        cover.extend_from_slice(name);
    }
    (packing.finish(), listed)
}

/// Several sets read side by side, in order.
pub(super) struct Union<'a> {
    /// Those that have not ended, and the numbers of their lists.
    cursors: Vec<(u32, Cursor<'a>)>,
    key: Vec<u8>,
    /// The lists that have the key.
    sources: Vec<u32>,
}

impl<'a> Union<'a> {
    pub(super) fn of(sets: impl Iterator<Item = &'a Names>) -> Self {
        let cursors = (0..).zip(sets.map(Names::cursor));
        let cursors = cursors.filter_map(|(list, mut cursor)| cursor.advance().then_some((list, cursor)));
        Self { cursors: cursors.collect(), key: Vec::new(), sources: Vec::new() }
    }

    /// Goes to the next key, the first to begin with; `false` after the last.
    pub(super) fn advance(&mut self) -> bool {
        let Some(least) = self.cursors.iter().map(|(_, cursor)| cursor.key()).min() else { return false };
        self.key.clear();
        self.key.extend_from_slice(least);
        self.sources.clear();
        let mut ended = false;
        for (list, cursor) in &mut self.cursors {
            if cursor.key() == self.key {
                self.sources.push(*list);
                if !cursor.advance() {
                    ended = true;
                    *list = ENDED;
                }
            }
        }
        if ended {
            self.cursors.retain(|(list, _)| *list != ENDED);
        }
        true
    }

    /// The key where it is.
    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }
}

/// No list has this number.
const ENDED: u32 = u32::MAX;

/// Which lists say the same of some names, numbered.
#[derive(Default)]
struct Combinations {
    list: Vec<Vec<u32>>,
    numbers: HashMap<Vec<u32>, u32, foldhash::fast::RandomState>,
}

impl Combinations {
    fn number(&mut self, sources: &[u32]) -> u32 {
        if let Some(number) = self.numbers.get(sources) {
            return *number;
        }
        let number = self.list.len() as u32;
        self.list.push(sources.to_vec());
        self.numbers.insert(sources.to_vec(), number);
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dnsplane_proto::Name;
    use dnsplane_proto::block_list::{Scope, Table};
    use proptest::prelude::*;
    use std::collections::HashSet;

    /// What a look-up along the name meets first: how many labels it has, and who says so. As data planes do it.
    fn look_up(merged: &Merged, table: &Packed, name: &[&str]) -> Option<(usize, Vec<u32>)> {
        let table = Table::new(table.clone(), merged.combinations.len()).unwrap();
        for depth in (1..=name.len()).filter(|depth| table.has_depth(*depth)) {
            let name_here = Name::parse(&name[name.len() - depth..].join(".")).unwrap();
            if let Some((scope, combination)) = table.get(merged.key.hash(name_here.as_wire()))
                && scope.covers(depth == name.len())
            {
                return Some((depth, merged.combinations[combination as usize].clone()));
            }
        }
        None
    }

    /// The same from the lists as they are written.
    fn expected(lists: &[Vec<String>], name: &[&str]) -> Option<(usize, Vec<u32>)> {
        let lists: Vec<HashSet<&str>> = lists.iter().map(|list| list.iter().map(String::as_str).collect()).collect();
        for depth in 1..=name.len() {
            let text = name[name.len() - depth..].join(".");
            let star = format!("*.{text}");
            let have = |entry: &str| -> Vec<u32> {
                (0..).zip(&lists).filter(|(_, list)| list.contains(entry)).map(|(number, _)| number).collect()
            };
            let whole = have(&text);
            if !whole.is_empty() {
                return Some((depth, whole));
            }
            let below = have(&star);
            if depth < name.len() && !below.is_empty() {
                return Some((depth, below));
            }
        }
        None
    }

    fn names(list: &[String]) -> Arc<Names> {
        let mut key = Vec::new();
        let keys = list.iter().map(|entry| {
            let (name, scope) = entry.strip_prefix("*.").map_or((&**entry, Scope::Whole), |name| (name, Scope::Below));
            key::write(name.as_bytes(), scope, &mut key).unwrap();
            key.clone()
        });
        Arc::new(keys.collect::<Vec<_>>().into_iter().collect())
    }

    const LABEL: &str = "[ab]|aa|a-|-|_";
    const ENTRY: &str = "(\\*\\.)?([ab]|aa|a-|-|_)(\\.([ab]|aa|a-|-|_)){0,3}";

    proptest! {
        #[test]
        fn what_is_found_is_what_the_lists_say(
            blocked in prop::collection::vec(prop::collection::vec(ENTRY, 0..12), 0..4),
            allowed in prop::collection::vec(prop::collection::vec(ENTRY, 0..4), 4),
            queries in prop::collection::vec(prop::collection::vec(LABEL, 1..6), 1..40),
        ) {
            let parts: Vec<_> = blocked.iter().zip(&allowed).map(|(blocked, allowed)| {
                Part { source: "list".into(), blocked: names(blocked), allowed: names(allowed) }
            }).collect();
            let (merged, listed) = merge(&parts);
            let on_lists: HashSet<_> = blocked.iter().skip(1).flatten().collect();
            prop_assert_eq!(listed, on_lists.len());
            let allowed = &allowed[..parts.len()];
            for query in &queries {
                let query: Vec<_> = query.iter().map(String::as_str).collect();
                prop_assert_eq!(look_up(&merged, &merged.blocked, &query), expected(&blocked, &query), "{:?}", &query);
                prop_assert_eq!(look_up(&merged, &merged.allowed, &query), expected(allowed, &query), "{:?}", &query);
            }
        }
    }

    #[test]
    fn no_lists_are_two_empty_tables() {
        let (merged, _) = merge(&[]);
        assert_eq!((merged.blocked, merged.allowed), (Packed::default(), Packed::default()));
    }

    #[test]
    fn the_same_lists_become_the_same_and_other_lists_get_another_key() {
        let part =
            |name: &str| [Part { source: "list".into(), blocked: names(&[name.to_owned()]), allowed: names(&[]) }];
        let (one, again, other) = (merge(&part("a.b")).0, merge(&part("a.b")).0, merge(&part("a.c")).0);
        assert_eq!(one, again);
        assert_ne!(one.key, other.key);
    }
}
