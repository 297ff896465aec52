//! Claims about the store, through its public handle, on a real disk.

#![expect(clippy::unwrap_used, reason = "a failed unwrap in a helper is a failed test")]

use dnsplane_cluster::{
    hash::ContentHash,
    record::Record,
    store::{Asked, Content, Edit, Judged, NewRecord, Offer, Opening, Seed, Selection, Store, StoreError, Verdict},
};
use std::{collections::BTreeMap, fs, path::Path, time::Duration};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A store that is open in a folder.
struct Open {
    store: Store,
    keeper: JoinHandle<()>,
    shutdown: CancellationToken,
}

fn opening(folder: &Path) -> Opening {
    Opening {
        folder: folder.join("store"),
        records_file: folder.join("dnsrecords.json"),
        pretty: false,
        seed: Seed::default(),
    }
}

async fn open_with(opening: Opening) -> Open {
    let shutdown = CancellationToken::new();
    let mut tries = 0;
    loop {
        // The writer of a closed store lets go of its folder a moment after the last handle is dropped.
        match Store::open(opening.clone(), shutdown.clone()) {
            Ok((store, keeper)) => return Open { store, keeper, shutdown },
            Err(error) if tries == 500 => panic!("{error}"),
            Err(_) => tries += 1,
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn open(folder: &Path) -> Open {
    open_with(opening(folder)).await
}

impl Open {
    async fn close(self) {
        self.shutdown.cancel();
        self.keeper.await.unwrap();
    }

    async fn add(&self, name: &str, value: &str) {
        let edited = self.store.edit(add(name, value), "test").await.unwrap();
        assert!(edited.changed, "{:?}", edited.messages);
    }

    fn names(&self) -> Vec<String> {
        let view = self.store.view();
        view.records.in_order().iter().map(|row| row.record.name().to_owned()).collect()
    }
}

fn add(name: &str, value: &str) -> Edit {
    Edit::Add(NewRecord { name: name.into(), kind: "A".into(), value: value.into(), ..NewRecord::default() })
}

fn offer(sender: &str, seq: u64, names: &[&str]) -> Offer {
    let records: Vec<_> = names.iter().map(|name| Record::new(name, "A", "192.0.2.1", 60)).collect();
    let hash = ContentHash::of_all(&records);
    Offer { sender: sender.into(), seq, timestamp: 1, content: Content::Full(records), hash, via: "test".into() }
}

async fn apply(store: &Store, offer: Offer) -> Judged {
    store.offer(offer, Box::new(|_, _| Verdict::Apply { informed: false })).await.unwrap()
}

async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_reopening_and_numbers_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path()).await;
    first.add("a.test", "192.0.2.1").await;
    first.add("b.test", "192.0.2.2").await;
    let remove = Edit::Remove(Selection { name: Some("a.test".into()), ..Selection::default() });
    first.store.edit(remove, "test").await.unwrap();
    let before = first.store.view();
    assert_eq!(before.generation.number, 3);
    first.close().await;
    let second = open(folder.path()).await;
    let after = second.store.view();
    assert_eq!(
        (after.generation, after.own, after.records.hash()),
        (before.generation, before.own, before.records.hash())
    );
    assert_eq!(second.store.touched_since(2).map(|touched| touched.len()), Some(1));
    second.add("c.test", "192.0.2.3").await;
    assert!(second.store.view().own.seq > before.own.seq);
    assert_eq!(second.names(), ["b.test", "c.test"]);
    second.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_writers_at_once_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let open_store = open(folder.path()).await;
    let writers = (0..60).map(|n| {
        let store = open_store.store.clone();
        tokio::spawn(async move { store.edit(add(&format!("n{n}.test"), "192.0.2.1"), "test").await.unwrap() })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    assert_eq!(open_store.store.view().records.len(), 60);
    open_store.close().await;
    assert_eq!(open(folder.path()).await.names().len(), 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_records_file_is_the_start_of_a_new_store_but_no_write_of_ours() {
    let folder = tempfile::tempdir().unwrap();
    let file = r#"{"records":[{"name":"b.test.","type":"a","value":"192.0.2.1","ttl":5},
        {"name":"a.test","type":"MX","value":"no preference"},{"name":"B.test","type":"A","value":"192.0.2.1","ttl":9}]}"#;
    fs::write(folder.path().join("dnsrecords.json"), file).unwrap();
    let store = open(folder.path()).await;
    assert_eq!(store.names(), ["b.test", "a.test"], "in the file's order, the first of two equal ones");
    assert_eq!(store.store.view().own.seq, 0);
    assert_eq!(store.store.view().records.iter().filter(|row| !row.record.is_servable()).count(), 1);
    store.close().await;
    assert_eq!(
        fs::read_to_string(folder.path().join("dnsrecords.json")).unwrap(),
        file,
        "nothing changed, nothing written"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_records_file_never_starts_an_empty_store() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("dnsrecords.json"), "{\"records\":[\n{\"name\":\"a.test\",\"ttl\":\"60\"}]}").unwrap();
    let error = Store::open(opening(folder.path()), CancellationToken::new()).err().unwrap().to_string();
    assert!(error.contains("line 2, column 27 (`records[0].ttl`)") && error.contains("dnsrecords.json"), "{error}");
    fs::write(folder.path().join("dnsrecords.json"), "").unwrap();
    assert!(Store::open(opening(folder.path()), CancellationToken::new()).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_records_file_follows_and_a_hand_edit_becomes_a_change() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dnsrecords.json");
    let store = open(folder.path()).await;
    store.add("a.test", "192.0.2.1").await;
    eventually("the file holds a.test", || fs::read_to_string(&path).is_ok_and(|text| text.contains("a.test"))).await;
    let seq = store.store.view().own.seq;
    let edited = fs::read_to_string(&path).unwrap().replace("192.0.2.1", "192.0.2.9");
    fs::write(&path, edited).unwrap();
    let value = || store.store.view().records.of_name("a.test")[0].record.value().to_owned();
    eventually("the hand edit is seen", || value() == "192.0.2.9").await;
    assert!(store.store.view().own.seq > seq, "it is a local write");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hand_edit_made_while_down_does_not_undo_what_the_file_had_not_seen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dnsrecords.json");
    let store = open(folder.path()).await;
    store.add("a.test", "192.0.2.1").await;
    eventually("the file holds a.test", || fs::read_to_string(&path).is_ok_and(|text| text.contains("a.test"))).await;
    let old = fs::read_to_string(&path).unwrap();
    eventually("the file is noted", || store.store.mirror().is_some_and(|mirror| mirror.number == 1)).await;
    // Killed after the write was acknowledged and before the file followed: no last write of the file.
    store.keeper.abort();
    store.add("b.test", "192.0.2.2").await;
    drop(store);
    fs::write(&path, old.replace("192.0.2.1", "192.0.2.9")).unwrap();
    let store = open(folder.path()).await;
    store.store.reload().await.unwrap();
    let mut names = store.names();
    names.sort();
    assert_eq!(names, ["a.test", "b.test"]);
    assert_eq!(store.store.view().records.of_name("a.test")[0].record.value(), "192.0.2.9");
    store.close().await;
    assert!(fs::read_to_string(&path).unwrap().contains("b.test"), "the file is whole again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_hand_edit_is_said_and_kept_aside_before_the_file_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dnsrecords.json");
    let store = open(folder.path()).await;
    store.add("a.test", "192.0.2.1").await;
    eventually("the file is written", || path.exists()).await;
    fs::write(&path, "{\"records\":[{\"name\":\"precious\" oops").unwrap();
    let error = store.store.reload().await.unwrap_err();
    assert!(matches!(&error, StoreError::Unreadable(text) if text.contains("line 1, column")), "{error}");
    assert!(!store.store.source_problems().is_empty());
    store.add("b.test", "192.0.2.1").await;
    eventually("the file is whole", || fs::read_to_string(&path).is_ok_and(|text| text.contains("b.test"))).await;
    let aside = fs::read_to_string(folder.path().join("dnsrecords.json.unreadable")).unwrap();
    assert!(aside.contains("precious"));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peers_snapshot_replaces_ours_without_moving_our_sequence_and_is_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    store.add("mine.test", "192.0.2.1").await;
    let own = store.store.view().own;
    let judged = apply(&store.store, offer("peer", 7, &["theirs.test", "more.test"])).await;
    assert_eq!((judged.added, judged.removed), (2, 1));
    assert_eq!(store.store.view().own, own);
    let refuse = |seen| -> dnsplane_cluster::store::Judge {
        Box::new(move |standing, _| {
            assert!(!standing.empty && standing.seen.is_none());
            Verdict::Refuse { reason: "no".into(), seen }
        })
    };
    store.store.offer(offer("other", 3, &[]), refuse(true)).await.unwrap();
    store.store.offer(offer("third", 3, &[]), refuse(false)).await.unwrap();
    let number = store.store.view().generation.number;
    store.close().await;
    let store = open(folder.path()).await;
    let view = store.store.view();
    let seen: Vec<_> = view.seen.iter().map(|(id, seen)| (id.as_str(), seen.seq, seen.applied)).collect();
    assert_eq!(seen, [("other", 3, 0), ("peer", 7, 7)]);
    assert_eq!(
        (view.generation.number, store.names()),
        (number, vec!["theirs.test".to_owned(), "more.test".to_owned()])
    );
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_file_of_a_replaced_node_gives_its_sequences() {
    let folder = tempfile::tempdir().unwrap();
    let seed = Seed { local_seq: 12, peer_seq: BTreeMap::from([("peer".to_owned(), 5)]), ..Seed::default() };
    let store = open_with(Opening { seed, ..opening(folder.path()) }).await;
    let view = store.store.view();
    assert_eq!((view.own.seq, view.seen["peer"].seq), (12, 5));
    store.add("a.test", "192.0.2.1").await;
    assert!(store.store.view().own.seq > 1_700_000_000_000, "then it is the clock's milliseconds");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_log_becomes_an_image_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let names: Vec<_> = (0..20_000).map(|n| format!("host-with-a-rather-long-name-{n}.example.test")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    for seq in 2..8 {
        // All of them come and go, so that the log grows fast.
        apply(&store.store, offer("peer", seq, if seq % 2 == 0 { &names } else { &names[..10] })).await;
    }
    store.add("a.test", "192.0.2.1").await;
    let segments = || {
        fs::read_dir(folder.path().join("store"))
            .unwrap()
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("log-"))
            .map(|entry| entry.file_name())
            .collect::<Vec<_>>()
    };
    eventually("older segments are gone", || {
        segments().len() == 1 && !segments()[0].to_string_lossy().ends_with("001")
    })
    .await;
    let view = store.store.view();
    store.close().await;
    let store = open(folder.path()).await;
    assert_eq!(store.store.view().records.hash(), view.records.hash());
    assert_eq!(store.store.view().generation, view.generation);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_everything_is_history_in_numbers_alone_and_replaying_passes_over_it() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path()).await;
    first.add("mine.test", "192.0.2.9").await;
    let names: Vec<_> = (0..50_001).map(|n| format!("n{n}.test")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    apply(&first.store, offer("b", 5, &names)).await;
    first.add("later.test", "192.0.2.8").await;
    first.close().await;
    let second = open(folder.path()).await;
    assert_eq!(second.store.view().records.len(), 50_002);
    let history = second.store.history(Asked::default()).await.unwrap();
    let told: Vec<_> = history.changes.iter().map(|it| (it.number, it.whole, it.removed, it.added)).collect();
    assert_eq!(told, [(3, false, 0, 1), (2, true, 1, 50_001), (1, false, 0, 1)]);
    assert_eq!(history.changes[1].node_id.as_deref(), Some("b"));
    let whole = second.store.undoing(2).await.unwrap_err().to_string();
    assert!(whole.contains("50002 rows"), "{whole}");
    // What it may have done to others' records is in the way of undoing what came before.
    let before = second.store.undoing(1).await.unwrap_err().to_string();
    assert!(before.contains("undo change 2 first"), "{before}");
    let (undo, _) = second.store.undoing(3).await.unwrap();
    second.store.edit(Edit::Undo(Box::new(undo)), "test").await.unwrap();
    assert_eq!(second.store.view().records.len(), 50_001);
    second.close().await;
}
