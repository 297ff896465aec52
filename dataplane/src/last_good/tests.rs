//! Claims about the copy: what was kept is read back, and damage costs no more than what was damaged.

use super::*;
use crate::{
    Current,
    feed::{Content, Loaded, Whole},
    snapshot::Rules,
};
use bytes::Bytes;
use dnsplane_proto::{Name, RecordData, RecordSet, RecordType, block_list, pb::feed as pb};
use prost::Message;
use std::sync::Arc;

fn generation(number: u64) -> Generation {
    Generation { session: 9, number }
}

fn set(at: u64, octet: u8) -> RecordSet {
    let owner = Name::parse(&format!("host{at}.lab.test")).unwrap();
    RecordSet { owner, kind: RecordType::A, data: vec![RecordData { ttl: 60, rdata: vec![octet; 4].into() }] }
}

/// A snapshot of some names.
fn snapshot(number: u64, names: u64) -> Snapshot {
    let mut builder = Builder::new();
    (0..names).for_each(|at| builder.apply(&set(at, 1)).unwrap());
    builder.finish(generation(number), Rules::default())
}

/// Serves and keeps this snapshot, then these changes, one generation each.
fn keep(path: &Path, first: Snapshot, changes: &[RecordSet]) -> Snapshot {
    let current = Arc::new(Current::new(first));
    let keeper = Keeper::start(open(path), current.clone(), None).unwrap();
    keeper.whole();
    for change in changes {
        // The base is written from what is served, so the journal is exercised only once the base is there.
        while !fs::exists(path.join("records.journal")).unwrap() {
            std::thread::yield_now();
        }
        let before = current.load();
        let mut builder = Builder::on(&before);
        builder.apply(change).unwrap();
        let to = generation(before.generation.number + 1);
        current.replace(builder.finish(to, before.rules.clone()));
        let body = pb::RecordSets { sets: vec![change.clone().into()] }.encode_to_vec();
        keeper.difference(before.generation, to, vec![body.into()]);
    }
    drop(keeper);
    Arc::unwrap_or_clone(current.load())
}

fn open(path: &Path) -> Folder {
    Folder::open(path).unwrap()
}

fn same(one: &Snapshot, other: &Snapshot) {
    assert_eq!((one.generation, one.records()), (other.generation, other.records()));
    assert_eq!(one.entries().count(), other.entries().count());
    for entry in one.entries() {
        let twin = other.find(entry.name()).expect("there");
        assert!(twin.sets().eq(entry.sets()) && twin.children() == entry.children());
    }
}

#[test]
fn what_was_kept_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let changes: Vec<_> = (0..50).map(|at| set(at * 3, 7)).collect();
    let kept = keep(dir.path(), snapshot(5, 100), &changes);
    assert_eq!(kept.generation, generation(55));
    same(&open(dir.path()).load().snapshot.expect("there"), &kept);
}

#[test]
fn a_torn_journal_loses_its_last_entry_only_and_is_continued() {
    let dir = tempfile::tempdir().unwrap();
    keep(dir.path(), snapshot(5, 100), &[set(1, 7), set(2, 8)]);
    let path = dir.path().join("records.journal");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, [&bytes[..bytes.len() - 1], &[0; 40]].concat()).unwrap();
    let folder = open(dir.path());
    let loaded = folder.load().snapshot.expect("there");
    assert_eq!(loaded.generation, generation(6));
    let current = Arc::new(Current::new(loaded));
    let keeper = Keeper::start(folder, current, Some(generation(6))).unwrap();
    let body = pb::RecordSets { sets: vec![set(2, 9).into()] }.encode_to_vec();
    keeper.difference(generation(6), generation(7), vec![body.into()]);
    drop(keeper);
    assert_eq!(open(dir.path()).load().snapshot.expect("there").generation, generation(7));
}

#[test]
fn damage_anywhere_in_the_base_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    keep(dir.path(), snapshot(5, 20), &[]);
    let path = dir.path().join("records.base");
    let good = fs::read(&path).unwrap();
    for at in (0..good.len()).step_by(997).chain([0, 9, good.len() - 1]) {
        let mut bad = good.clone();
        bad[at] ^= 0x40;
        fs::write(&path, bad).unwrap();
        assert!(base::read(&path).is_err(), "octet {at}");
    }
    for length in [0, 10, good.len() / 2, good.len() - 1] {
        fs::write(&path, &good[..length]).unwrap();
        assert!(base::read(&path).is_err(), "length {length}");
    }
    assert!(open(dir.path()).load().snapshot.is_none(), "as if there were none");
}

#[test]
fn a_journal_of_nonsense_does_not_keep_the_base_from_being_used_nor_later_changes_from_being_kept() {
    let dir = tempfile::tempdir().unwrap();
    keep(dir.path(), snapshot(5, 100), &[set(1, 7)]);
    fs::write(dir.path().join("records.journal"), b"nonsense").unwrap();
    let folder = open(dir.path());
    let loaded = folder.load().snapshot.expect("there");
    assert_eq!(loaded.generation, generation(5));
    let keeper = Keeper::start(folder, Arc::new(Current::new(loaded)), Some(generation(5))).unwrap();
    let body = pb::RecordSets { sets: vec![set(2, 9).into()] }.encode_to_vec();
    keeper.difference(generation(5), generation(6), vec![body.into()]);
    drop(keeper);
    assert_eq!(open(dir.path()).load().snapshot.expect("there").generation, generation(6));
}

#[test]
fn a_gap_in_the_differences_makes_the_base_be_written_anew() {
    let dir = tempfile::tempdir().unwrap();
    let current = Arc::new(Current::new(snapshot(5, 10)));
    let keeper = Keeper::start(open(dir.path()), current.clone(), None).unwrap();
    keeper.whole();
    current.replace(snapshot(9, 12));
    keeper.difference(generation(8), generation(9), vec![Bytes::new()]);
    drop(keeper);
    same(&open(dir.path()).load().snapshot.expect("there"), &current.load());
}

#[test]
fn a_journal_that_grows_gives_way_to_a_new_base() {
    let dir = tempfile::tempdir().unwrap();
    let current = Arc::new(Current::new(snapshot(5, 10)));
    let keeper = Keeper::start(open(dir.path()), current.clone(), None).unwrap();
    keeper.whole();
    let mut change = set(1, 3);
    change.data = (0..60_000u32).map(|at| RecordData { ttl: 1, rdata: at.to_be_bytes().to_vec().into() }).collect();
    let body: Bytes = pb::RecordSets { sets: vec![change.clone().into()] }.encode_to_vec().into();
    for number in 6..12 {
        let mut builder = Builder::on(&current.load());
        builder.apply(&change).unwrap();
        current.replace(builder.finish(generation(number), Rules::default()));
        keeper.difference(generation(number - 1), generation(number), vec![body.clone()]);
    }
    drop(keeper);
    assert!(fs::metadata(dir.path().join("records.journal")).unwrap().len() < 3 << 20);
    same(&open(dir.path()).load().snapshot.expect("there"), &current.load());
}

/// A message of each kind, and one thing that it says.
fn messages() -> [(Whole, Vec<u8>, &'static str); 3] {
    let settings = pb::Settings { max_udp_payload: 1400, refuse_any: true, ..pb::Settings::default() };
    let server = pb::Server {
        name: "one".to_owned(),
        address: "192.0.2.1:53".to_owned(),
        transport: pb::Transport::Udp.into(),
        ..pb::Server::default()
    };
    let upstreams = pb::Upstreams { last_resort: Some(server), ..pb::Upstreams::default() };
    let mut packing = block_list::Packing::new(block_list::HashKey::default(), 1);
    packing.push(b"\x03ads\x04test\x00", block_list::value(block_list::Scope::Whole, 0));
    let table = packing.finish();
    let depths = table.depths.to_le_bytes().to_vec().into();
    let block_list = pb::BlockList {
        sources: vec!["a list".to_owned()],
        combinations: vec![pb::Combination { sources: vec![0] }],
        blocked: Some(pb::NameTable { hashes: table.hashes, values: table.values, depths }),
        allowed: None,
        key: vec![0; 16].into(),
    };
    [
        (Whole::Settings, settings.encode_to_vec(), "1400"),
        (Whole::Upstreams, upstreams.encode_to_vec(), "192.0.2.1:53"),
        (Whole::BlockList, block_list.encode_to_vec(), "a list"),
    ]
}

fn said(loaded: &Loaded) -> String {
    match &loaded.what {
        Content::Settings(settings) => settings.max_udp_payload.to_string(),
        Content::Upstreams(upstreams) => upstreams.last_resort.as_ref().unwrap().address.to_string(),
        Content::BlockList(list) => {
            let list = list.as_ref().unwrap();
            let blocked = list.find(b"\x01x\x03ads\x04test\x00").unwrap();
            list.sources(blocked).map(ToString::to_string).collect()
        }
    }
}

#[test]
fn messages_are_read_back_and_damage_is_noticed() {
    for (whole, mut body, says) in messages() {
        let dir = tempfile::tempdir().unwrap();
        assert!(message::read(dir.path(), whole).unwrap().is_none());
        // A field that a later version has: it is kept for it.
        body.extend_from_slice(&[0xfa, 0x3f, 1, b'x']);
        message::write(dir.path(), whole, generation(3), &body).unwrap();
        let (number, loaded) = message::read(dir.path(), whole).unwrap().expect("there");
        assert_eq!((number, said(&loaded)), (generation(3), says.to_owned()));
        assert_eq!(loaded.body, body);
        let path = fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap().path();
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(&path, bad).unwrap();
            assert!(message::read(dir.path(), whole).is_err(), "{whole:?} octet {at}");
        }
        for length in [0, 8, 27, good.len() - 1] {
            fs::write(&path, &good[..length]).unwrap();
            assert!(message::read(dir.path(), whole).is_err(), "{whole:?} length {length}");
        }
    }
}

#[test]
fn messages_are_kept_without_records_and_the_newest_of_each_counts() {
    let dir = tempfile::tempdir().unwrap();
    let keeper = Keeper::start(open(dir.path()), Arc::new(Current::new(Snapshot::empty())), None).unwrap();
    for (whole, body, _) in messages() {
        keeper.message(whole, generation(1), Bytes::new());
        keeper.message(whole, generation(2), body.into());
    }
    drop(keeper);
    let kept = open(dir.path()).load().messages;
    let kept: Vec<_> = kept.iter().map(|(number, loaded)| (*number, said(loaded))).collect();
    assert_eq!(kept, messages().map(|(.., says)| (generation(2), says.to_owned())));
}

#[test]
fn a_folder_has_one_owner() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    let refusal = Folder::open(dir.path()).expect_err("locked").to_string();
    assert!(refusal.contains("in use by another dnsplane-dns"), "{refusal}");
    drop(first);
    assert!(Folder::open(dir.path()).is_ok());
}
