//! Changed step by step is the same as made anew, and both are what the records say.

use super::*;
use crate::{Builder, Rules, Snapshot};
use dnsplane_proto::{Generation, Name, RecordData, RecordSet};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn rules(auto_ptr: bool) -> Rules {
    Rules { auto_ptr, ..Rules::default() }
}

fn with(snapshot: &Snapshot, sets: &[RecordSet], auto_ptr: bool) -> Snapshot {
    let mut builder = Builder::on(snapshot);
    sets.iter().for_each(|set| builder.apply(set).unwrap());
    builder.finish(Generation::default(), rules(auto_ptr))
}

fn set(owner: &str, kind: RecordType, data: &[&[u8]]) -> RecordSet {
    let data = data.iter().map(|rdata| RecordData { ttl: 60, rdata: rdata.to_vec().into() });
    RecordSet { owner: Name::parse(owner).unwrap(), kind, data: data.collect() }
}

fn pairs_of(reverse: &Reverse) -> Vec<&[Pair]> {
    reverse.rows.iter().flat_map(|row| row.iter()).map(|shard| &shard[..]).collect()
}

fn owners(snapshot: &Snapshot, address: &[u8]) -> BTreeSet<Vec<u8>> {
    let reverse = snapshot.reverse.as_ref().expect("asked for");
    let found: Vec<_> = reverse.owners(&snapshot.index, address).map(|entry| entry.name().to_vec()).collect();
    let each_once: BTreeSet<_> = found.iter().cloned().collect();
    assert_eq!(found.len(), each_once.len(), "no name comes twice");
    each_once
}

fn any_set() -> impl Strategy<Value = RecordSet> {
    let label = prop::sample::select(vec!["a", "b", "c", "*"]);
    let kind = prop::sample::select(vec![RecordType::A, RecordType::A, RecordType::AAAA, RecordType::TXT]);
    // Also RDATA that is no address, and one address twice.
    let data = prop::collection::vec((0u8..6, prop::sample::select(vec![4, 4, 4, 16, 16, 5])), 0..4);
    (prop::collection::vec(label, 1..4), kind, data).prop_map(|(labels, kind, data)| {
        let data: Vec<_> = data.into_iter().map(|(octet, length)| vec![octet; length]).collect();
        set(&labels.join("."), kind, &data.iter().map(Vec::as_slice).collect::<Vec<_>>())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]
    #[test]
    fn changed_step_by_step_is_the_same_as_made_anew(
        batches in prop::collection::vec(prop::collection::vec(any_set(), 1..40), 1..40),
    ) {
        let (mut snapshot, mut truth) = (Snapshot::empty().under(rules(true)), BTreeMap::new());
        for batch in batches {
            let (then, old) = (Reverse::of(&snapshot.index), snapshot.clone());
            snapshot = with(&snapshot, &batch, true);
            prop_assert_eq!(pairs_of(old.reverse.as_ref().unwrap()), pairs_of(&then), "the old snapshot is as it was");
            truth.extend(batch.into_iter().map(|set| ((set.owner, set.kind), set.data)));
        }
        let anew = Reverse::of(&snapshot.index);
        prop_assert_eq!(pairs_of(snapshot.reverse.as_ref().unwrap()), pairs_of(&anew));
        for address in (0u8..6).flat_map(|octet| [vec![octet; 4], vec![octet; 16]]) {
            let kind = if address.len() == 4 { RecordType::A } else { RecordType::AAAA };
            let has = |data: &[RecordData]| data.iter().any(|data| data.rdata[..] == address[..]);
            let expected: BTreeSet<_> = truth
                .iter()
                .filter(|((owner, of), data)| *of == kind && !owner.to_string().starts_with('*') && has(data))
                .map(|((owner, _), _)| owner.as_wire().to_vec())
                .collect();
            prop_assert_eq!(owners(&snapshot, &address), expected, "{:?}", address);
        }
    }
}

#[test]
fn it_is_there_only_while_the_rules_ask_for_it() {
    let one = set("host.lab", RecordType::A, &[&[192, 0, 2, 1]]);
    let off = with(&Snapshot::empty(), std::slice::from_ref(&one), false);
    assert!(off.reverse.is_none());
    let on = off.clone().under(rules(true));
    assert_eq!(owners(&on, &[192, 0, 2, 1]).len(), 1);
    assert_eq!(with(&off, &[], true).reverse_size().1, 1, "also when the next change finds the rules changed");
    assert!(with(&on, &[], false).reverse.is_none() && on.under(rules(false)).reverse.is_none());
}

#[test]
fn a_change_copies_one_shard_only() {
    let sets: Vec<_> =
        (0..20_000u32).map(|at| set(&format!("h{at}.lab"), RecordType::A, &[&at.to_be_bytes()])).collect();
    let old = with(&Snapshot::empty(), &sets, true);
    let new = with(&old, &[set("another.lab", RecordType::A, &[&[0, 0, 0, 7]])], true);
    let (old, new) = (old.reverse.unwrap(), new.reverse.unwrap());
    let copied = pairs_of(&old).into_iter().zip(pairs_of(&new)).filter(|(old, new)| !std::ptr::eq(*old, *new));
    // Empty shards may share an address; they are not what was touched.
    assert_eq!(copied.count(), 1);
}
