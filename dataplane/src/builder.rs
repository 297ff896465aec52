//! Record sets in, next snapshot out: a whole load and a difference take the same path.
//!
//! Starting from a snapshot, only the shards that a change touches are copied. Starting from nothing, shards grow in place
//! while the parts of a load arrive, so that no second copy of the records exists at any time.

use crate::snapshot::{
    Rules, Set, Snapshot,
    entry::{SOA_NUMBERS, record_header},
    index::{self, Index},
    reverse::Reverse,
    shard::Full,
};
use dnsplane_proto::{Generation, Name, RecordData, RecordSet, RecordType};

/// A record set that cannot be answered from.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// Types that exist only in questions or in the message itself.
    #[error("{owner} {kind}: not a type that can be stored")]
    Meta {
        /// Owner name.
        owner: Name,
        /// The type.
        kind: RecordType,
    },
    /// We follow CNAMEs and DNAMEs and read SOAs; what is in them must be what RFC 1035 says.
    #[error("{owner} {kind}: malformed RDATA")]
    Rdata {
        /// Owner name.
        owner: Name,
        /// The type.
        kind: RecordType,
    },
    /// More data than the index can address at one place.
    #[error("{owner} {kind}: too much data at and near this name")]
    TooMuch {
        /// Owner name.
        owner: Name,
        /// The type.
        kind: RecordType,
    },
}

/// A snapshot in the making.
pub struct Builder {
    index: Index,
    /// Kept up to date while a snapshot that has it is changed.
    reverse: Option<Reverse>,
    records: u64,
    /// From nothing.
    whole: bool,
    touched: Vec<Name>,
    wire: Vec<u8>,
}

impl Builder {
    /// Starts from nothing.
    pub fn new() -> Self {
        Self::with(Index::loading(index::random_seed()), None, 0, true)
    }

    /// Starts from what a snapshot holds.
    pub fn on(snapshot: &Snapshot) -> Self {
        Self::with(snapshot.index.clone(), snapshot.reverse.clone(), snapshot.records, false)
    }

    /// Takes over what a snapshot holds, for when nothing else needs it: then nothing is copied before it is changed.
    pub(crate) fn onto(snapshot: Snapshot) -> Self {
        Self::with(snapshot.index, snapshot.reverse, snapshot.records, false)
    }

    fn with(index: Index, reverse: Option<Reverse>, records: u64, whole: bool) -> Self {
        Self { index, reverse, records, whole, touched: Vec::new(), wire: Vec::new() }
    }

    /// Replaces one record set, or removes it if `set` has no data.
    pub fn apply(&mut self, set: &RecordSet) -> Result<(), Unusable> {
        check(set)?;
        let mut wire = std::mem::take(&mut self.wire);
        encode(&mut wire, set);
        let count = u16::try_from(set.data.len()).unwrap_or(u16::MAX);
        let result = self.put(set.owner.as_wire(), Set { kind: set.kind, count, wire: &wire }, set.data.len());
        self.wire = wire;
        if !self.whole {
            self.touched.push(set.owner.clone());
        }
        result.map_err(|Full| Unusable::TooMuch { owner: set.owner.clone(), kind: set.kind })
    }

    /// The snapshot, complete.
    pub fn finish(mut self, generation: Generation, rules: Rules) -> Snapshot {
        for name in &self.touched {
            self.index.tidy(name.as_wire());
        }
        let index = if self.whole { self.index.settled() } else { self.index };
        let unruled = Snapshot { generation, index, records: self.records, reverse: self.reverse, ..Snapshot::empty() };
        unruled.under(rules)
    }

    /// The snapshot, complete, with everything but the records as `now` has it.
    pub fn finish_beside(self, generation: Generation, now: &Snapshot) -> Snapshot {
        let (upstreams, block_list) = (now.upstreams.clone(), now.block_list.clone());
        Snapshot { upstreams, block_list, ..self.finish(generation, now.rules.clone()) }
    }

    fn put(&mut self, name: &[u8], new: Set<'_>, new_records: usize) -> Result<(), Full> {
        if let Some(reverse) = &mut self.reverse {
            let old = self.index.find(name).and_then(|entry| entry.set(new.kind));
            reverse.replace(&self.index, name, old, new);
        }
        let Some(entry) = self.index.find(name) else {
            if new_records == 0 {
                return Ok(());
            }
            self.index.put(name, 0, std::iter::once(new))?;
            self.records += new_records as u64;
            return self.link(name);
        };
        let old = entry.set(new.kind);
        let others = entry.sets().filter(|set| set.kind != new.kind).count();
        let children = entry.children();
        let old_records = old.map_or(0, |set| set.records().count()) as u64;
        if old.map_or(&[][..], |set| set.wire) == new.wire {
            return Ok(());
        }
        if new_records == 0 && others == 0 && children == 0 {
            self.index.remove(name);
            self.unlink(name)?;
        } else {
            let mut sets = Vec::with_capacity(others + 1);
            let mut kept = Vec::new();
            for set in entry.sets().filter(|set| set.kind != new.kind) {
                sets.push((set.kind, set.count, kept.len()..kept.len() + set.wire.len()));
                kept.extend_from_slice(set.wire);
            }
            let kept = |(kind, count, range): &(_, _, std::ops::Range<usize>)| Set {
                kind: *kind,
                count: *count,
                wire: &kept[range.clone()],
            };
            let at = sets.partition_point(|(kind, ..)| *kind < new.kind);
            let added = (new_records > 0).then_some(new);
            self.index.put(
                name,
                children,
                sets[..at].iter().map(kept).chain(added).chain(sets[at..].iter().map(kept)),
            )?;
        }
        self.records = self.records - old_records + new_records as u64;
        Ok(())
    }

    /// A name has appeared: its parent has one more child, and appears if it was not there.
    fn link(&mut self, name: &[u8]) -> Result<(), Full> {
        let mut name = name;
        while let Some(parent) = parent(name) {
            if let Some(entry) = self.index.find(parent) {
                let children = entry.children() + 1;
                return self.index.set_children(parent, children);
            }
            self.index.put(parent, 1, std::iter::empty())?;
            name = parent;
        }
        Ok(())
    }

    /// A name has gone: its parent has one child less, and goes too if nothing else keeps it.
    fn unlink(&mut self, name: &[u8]) -> Result<(), Full> {
        let mut name = name;
        while let Some(parent) = parent(name) {
            let Some(entry) = self.index.find(parent) else { break };
            let (children, empty) = (entry.children().saturating_sub(1), entry.is_empty_non_terminal());
            if children > 0 || !empty {
                return self.index.set_children(parent, children);
            }
            self.index.remove(parent);
            name = parent;
        }
        Ok(())
    }
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}

/// The name without its first label; `None` for the root.
fn parent(name: &[u8]) -> Option<&[u8]> {
    let skip = usize::from(*name.first()?) + 1;
    name.get(skip..).filter(|rest| !rest.is_empty())
}

/// Refuses what answering could not cope with. Everything else was checked when it was written.
fn check(set: &RecordSet) -> Result<(), Unusable> {
    let (owner, kind) = (|| set.owner.clone(), set.kind);
    if kind.is_meta() {
        return Err(Unusable::Meta { owner: owner(), kind });
    }
    let sound = |data: &RecordData| match kind {
        RecordType::CNAME | RecordType::DNAME => Name::from_wire(&data.rdata).is_ok(),
        RecordType::SOA => two_names(&data.rdata) == Some(data.rdata.len() - SOA_NUMBERS.min(data.rdata.len())),
        _ => data.rdata.len() <= usize::from(u16::MAX),
    };
    if set.data.iter().all(sound) { Ok(()) } else { Err(Unusable::Rdata { owner: owner(), kind }) }
}

/// Octets that two uncompressed names take at the start of `rdata`.
fn two_names(rdata: &[u8]) -> Option<usize> {
    let mut at = 0;
    for _ in 0..2 {
        while *rdata.get(at)? != 0 {
            at += usize::from(rdata[at]) + 1;
        }
        at += 1;
    }
    Some(at)
}

/// Writes all records of a set as replies carry them (RFC 1035 §4.1.3).
fn encode(wire: &mut Vec<u8>, set: &RecordSet) {
    wire.clear();
    for data in &set.data {
        wire.extend_from_slice(&record_header(set.kind, data.ttl, data.rdata.len()));
        wire.extend_from_slice(&data.rdata);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    type Truth = BTreeMap<(Name, u16), Vec<RecordData>>;
    /// Name, children, sets.
    type Listing = BTreeMap<Vec<u8>, (u32, Vec<(u16, Vec<u8>)>)>;

    fn listing(snapshot: &Snapshot) -> Listing {
        let sets =
            |entry: crate::snapshot::Entry<'_>| entry.sets().map(|set| (set.kind.0, set.wire.to_vec())).collect();
        snapshot.entries().map(|entry| (entry.name().to_vec(), (entry.children(), sets(entry)))).collect()
    }

    fn rebuilt(truth: &Truth) -> Snapshot {
        let mut builder = Builder::new();
        for ((owner, kind), data) in truth {
            builder.apply(&RecordSet { owner: owner.clone(), kind: RecordType(*kind), data: data.clone() }).unwrap();
        }
        builder.finish(Generation::default(), Rules::default())
    }

    /// Every name that must have an entry, found without our code: owners and all their ancestors.
    fn expected_names(truth: &Truth) -> BTreeSet<Vec<u8>> {
        let mut names = BTreeSet::new();
        for (owner, _) in truth.keys() {
            let mut at = Some(owner.clone());
            while let Some(name) = at {
                names.insert(name.as_wire().to_vec());
                at = name.parent();
            }
        }
        names
    }

    fn any_set() -> impl Strategy<Value = RecordSet> {
        let label = prop::sample::select(vec!["a", "b", "c", "*"]);
        use RecordType as T;
        let kind = prop::sample::select(vec![T::A, T::A, T::TXT, T::SOA, T::NS, T::NS, T::CNAME, T::DNAME]);
        let data = prop::collection::vec((0u32..3, 0u8..4), 0..4);
        (prop::collection::vec(label, 0..5), kind, data).prop_map(|(labels, kind, data)| RecordSet {
            owner: if labels.is_empty() { Name::root() } else { Name::parse(&labels.join(".")).unwrap() },
            kind,
            data: data.into_iter().map(|(ttl, octet)| RecordData { ttl, rdata: rdata(kind, octet) }).collect(),
        })
    }

    fn rdata(kind: RecordType, octet: u8) -> bytes::Bytes {
        let name = || vec![1, b'a' + octet, 1, b'b', 0];
        match kind {
            RecordType::SOA => [name(), name(), vec![octet; SOA_NUMBERS]].concat(),
            RecordType::NS | RecordType::CNAME | RecordType::DNAME => name(),
            _ => vec![octet; 4],
        }
        .into()
    }

    /// What every name of up to four of the labels is answered for some types. `None`: nothing of ours.
    fn answers(snapshot: &Snapshot) -> Vec<Vec<u8>> {
        let cookies = crate::Cookies::with_secret([0; 16]);
        let asker = crate::Asker {
            transport: crate::Transport::Tcp,
            address: [0, 0, 0, 0].into(),
            now: 0,
            cookies: &cookies,
            known: crate::Known::default(),
        };
        let names = (0..=4u32).flat_map(|labels| (0..5u32.pow(labels)).map(move |number| (labels, number)));
        let mut all = Vec::new();
        for (labels, number) in names {
            let mut query = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
            for at in 0..labels {
                query.extend([1, b"abcd*"[(number / 5u32.pow(at) % 5) as usize]]);
            }
            for kind in [RecordType::A, RecordType::NS, RecordType::DS] {
                let query = [&query[..], &[0], &kind.0.to_be_bytes(), &[0, 1]].concat();
                let mut reply = Vec::new();
                crate::answer(&query, &asker, snapshot, &mut reply);
                all.push(reply);
            }
        }
        all
    }

    // Some thousands of changes in each case: zones, cuts, wildcards and aliases come and go above and below each other.
    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
        #[test]
        fn changed_step_by_step_is_the_same_as_built_anew(
            batches in prop::collection::vec(prop::collection::vec(any_set(), 1..60), 1..60),
        ) {
            let (mut truth, mut snapshot) = (Truth::new(), Snapshot::empty());
            for batch in batches {
                let before = (listing(&snapshot), snapshot.clone());
                let mut builder = Builder::on(&snapshot);
                for set in batch {
                    builder.apply(&set).unwrap();
                    let key = (set.owner, set.kind.0);
                    if set.data.is_empty() { truth.remove(&key); } else { truth.insert(key, set.data); }
                }
                snapshot = builder.finish(Generation::default(), Rules::default());
                prop_assert_eq!(before.0, listing(&before.1), "the old snapshot has not changed");
            }
            prop_assert_eq!(snapshot.records(), truth.values().map(|data| data.len() as u64).sum::<u64>());
            let names: BTreeSet<_> = snapshot.entries().map(|entry| entry.name().to_vec()).collect();
            prop_assert_eq!(names, expected_names(&truth));
            let new = rebuilt(&truth);
            prop_assert_eq!(new.records(), snapshot.records());
            prop_assert_eq!(listing(&new), listing(&snapshot));
            prop_assert_eq!(new.index.marks(), snapshot.index.marks());
            prop_assert!(answers(&new) == answers(&snapshot), "the same answers to all questions");
            for (name, _) in listing(&snapshot) {
                prop_assert!(snapshot.find(&name).is_some());
            }
        }
    }

    #[test]
    fn what_cannot_be_answered_from_is_refused_by_name() {
        let set = |kind, rdata: &'static [u8]| RecordSet {
            owner: Name::parse("www.example").unwrap(),
            kind,
            data: vec![RecordData { ttl: 1, rdata: rdata.into() }],
        };
        let soa = b"\x00\x00aaaabbbbccccddddeeee";
        for (kind, rdata, refusal) in [
            (RecordType::OPT, &b""[..], Some("www.example. OPT: not a type that can be stored")),
            (RecordType::ANY, b"", Some("www.example. ANY: not a type that can be stored")),
            (RecordType::CNAME, b"\x01a", Some("www.example. CNAME: malformed RDATA")),
            (RecordType::CNAME, b"", Some("www.example. CNAME: malformed RDATA")),
            (RecordType::CNAME, b"\x01a\x00", None),
            (RecordType::SOA, b"", Some("www.example. SOA: malformed RDATA")),
            (RecordType::SOA, &soa[1..], Some("www.example. SOA: malformed RDATA")),
            (RecordType::SOA, soa, None),
        ] {
            let result = Builder::new().apply(&set(kind, rdata)).err().map(|error| error.to_string());
            assert_eq!(result.as_deref(), refusal, "{kind} {rdata:?}");
        }
    }

    #[test]
    fn a_change_copies_one_shard_only() {
        let mut builder = Builder::new();
        let set = |at: u32, octet| RecordSet {
            owner: Name::parse(&format!("h{at}.example")).unwrap(),
            kind: RecordType::A,
            data: vec![RecordData { ttl: 1, rdata: vec![octet; 4].into() }],
        };
        (0..50_000).for_each(|at| builder.apply(&set(at, 1)).unwrap());
        let old = builder.finish(Generation::default(), Rules::default());
        let mut builder = Builder::on(&old);
        builder.apply(&set(7, 2)).unwrap();
        let new = builder.finish(Generation::default(), Rules::default());
        let copied = old.index.shards().zip(new.index.shards()).filter(|(old, new)| !std::ptr::eq(*old, *new)).count();
        assert_eq!(copied, 1);
    }
}
