//! What peers' snapshots cost us is told, and comes back.

use super::*;
use crate::store::{Conflict, Restoration};
use tokio::net::TcpListener;

async fn alone(policy: SyncPolicy) -> (Node, Plain) {
    let node = Node::start(Settings { policy, ..settings("c") }).await;
    let peer = Plain::join(node.address()).await;
    (node, peer)
}

fn conflicts(node: &Node) -> Vec<Arc<Conflict>> {
    node.store.view().conflicts.newest_first().cloned().collect()
}

fn names_of(records: &[crate::record::Record]) -> Vec<&str> {
    records.iter().map(|record| record.name()).collect()
}

#[tokio::test]
async fn a_local_record_that_a_snapshot_takes_away_is_listed_and_restored_as_a_new_write() {
    let (node, mut peer) = alone(SyncPolicy::LwwPerNode).await;
    node.add("mine.test").await;
    peer.offer("ext", 5, &["theirs.test"]).await;
    assert_eq!(node.names(), ["theirs.test"]);
    let [conflict] = &conflicts(&node)[..] else { panic!("{:?}", conflicts(&node)) };
    assert_eq!((conflict.id, conflict.offered.node_id.as_deref(), conflict.offered.seq), (1, Some("ext"), 5));
    assert_eq!((names_of(&conflict.lost), conflict.informed), (vec!["mine.test"], false));
    // What came from a peer and goes with a peer's next snapshot is nobody's loss here.
    peer.offer("ext", 6, &["other.test"]).await;
    assert_eq!(conflicts(&node).len(), 1);

    let seq = node.store.view().own.seq;
    let restoration = Restoration::of(conflict, Some("MINE.test."), Some("a")).unwrap();
    let edited = node.store.edit(Edit::Restore(restoration), "test").await.unwrap();
    assert_eq!(edited.messages, ["restored mine.test A 192.0.2.1"]);
    assert_eq!(node.names(), ["mine.test", "other.test"]);
    assert!(node.store.view().own.seq > seq, "it is a write of ours");
    for (name, kind) in [(Some("other.test"), None), (None, Some("MX"))] {
        assert!(Restoration::of(conflict, name, kind).unwrap_err().to_string().contains("lost nothing"));
    }
}

#[tokio::test]
async fn a_deletion_that_a_snapshot_undoes_is_a_loss_and_can_be_made_again() {
    let (node, mut peer) = alone(SyncPolicy::LwwPerNode).await;
    peer.offer("ext", 5, &["a.test", "b.test"]).await;
    node.remove("a.test").await;
    // This one does not know of the deletion.
    peer.offer("ext", 6, &["a.test", "b.test", "c.test"]).await;
    let [conflict] = &conflicts(&node)[..] else { panic!("{:?}", conflicts(&node)) };
    assert_eq!((names_of(&conflict.undeleted), conflict.lost.len()), (vec!["a.test"], 0));
    let restoration = Restoration::of(conflict, None, None).unwrap();
    node.store.edit(Edit::Restore(restoration), "test").await.unwrap();
    assert_eq!(node.names(), ["b.test", "c.test"]);
}

#[tokio::test]
async fn conflicts_and_deletions_survive_a_restart() {
    let (node, mut peer) = alone(SyncPolicy::LwwPerNode).await;
    node.add("mine.test").await;
    peer.offer("ext", 5, &["theirs.test"]).await;
    node.remove("theirs.test").await;
    let before = conflicts(&node);
    let folder = node.stop().await;
    let node = Node::start_in(folder, settings("c")).await;
    assert_eq!(conflicts(&node), before);
    Plain::join(node.address()).await.offer("ext", 6, &["theirs.test"]).await;
    assert_eq!(names_of(&conflicts(&node)[0].undeleted), ["theirs.test"]);
    let status = node.status();
    assert_eq!((&status["conflicts"]["count"], &status["conflicts"]["last_id"]), (&2.into(), &2.into()));
    assert_eq!((&status["head"]["node_id"], &status["head"]["seq"]), (&"ext".into(), &6.into()));
}

#[tokio::test]
async fn a_refused_snapshot_is_listed_once_with_what_it_would_have_done() {
    let (node, mut peer) = alone(SyncPolicy::GlobalLww).await;
    node.add("mine.test").await;
    for _ in 0..2 {
        peer.offer("ext", 5, &["theirs.test"]).await;
    }
    assert_eq!(node.names(), ["mine.test"]);
    let [conflict] = &conflicts(&node)[..] else { panic!("{:?}", conflicts(&node)) };
    assert!(conflict.refused.as_ref().unwrap().contains("older than what we hold"));
    assert_eq!((names_of(&conflict.lost), names_of(&conflict.won)), (vec!["mine.test"], vec!["theirs.test"]));
    assert!(Restoration::of(conflict, None, None).unwrap_err().to_string().contains("nothing was lost"));
    let told = serde_json::to_value(crate::store::ConflictJson::of(conflict, "c")).unwrap();
    assert_eq!((&told["winner"]["node_id"], &told["loser"]["node_id"]), (&"c".into(), &"ext".into()));
    assert_eq!((&told["lost"], &told["kept"][0]["name"]), (&serde_json::json!([]), &"mine.test".into()));
}

#[tokio::test]
async fn an_existing_node_that_had_our_write_meant_what_it_overwrote() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peers = vec![listener.local_addr().unwrap().to_string()];
    let node = Node::start(Settings { peers, ..settings("a") }).await;
    // It confirms our write, then takes it away: an operator did that there.
    let serving = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut peer = Plain(stream);
                peer.hear().await;
                peer.say(r#"{"type":"auth_ok"}"#).await;
                while let Some(request) = peer.hear().await {
                    match request {
                        request if request.contains("\"pull\"") => peer.say(&snapshot_of("ext", 1, &["x.test"])).await,
                        request if request.contains("\"ping\"") => peer.say(r#"{"type":"pong"}"#).await,
                        _ => {}
                    }
                }
            });
        }
    });
    node.until_it_holds(&["x.test"]).await;
    node.add("mine.test").await;
    node.until_peers_confirmed().await;
    Plain::join(node.address()).await.offer("ext", 7, &["x.test"]).await;
    assert_eq!(node.names(), ["x.test"]);
    assert!(conflicts(&node)[0].informed && node.status()["conflicts"]["count"] == 0, "{:?}", conflicts(&node));
    serving.abort();
}
