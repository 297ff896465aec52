//! What nodes of our kind add: differences, receipts, parts, passing on.

use super::*;
use crate::store::Conflict;

/// Nodes `a`, `b`, `c` …, each a peer of those it is linked to.
async fn linked(count: usize, links: &[(usize, usize)], change: impl Fn(&mut Settings)) -> Vec<Node> {
    let addresses: Vec<_> = (0..count).map(|_| free_address()).collect();
    let mut nodes = Vec::new();
    for (at, address) in addresses.iter().enumerate() {
        let other = |(one, other): &(usize, usize)| match at {
            _ if *one == at => Some(addresses[*other].to_string()),
            _ if *other == at => Some(addresses[*one].to_string()),
            _ => None,
        };
        let id = char::from(b'a' + at as u8).to_string();
        let mut settings =
            Settings { listen: (*address).into(), peers: links.iter().filter_map(other).collect(), ..settings(&id) };
        change(&mut settings);
        nodes.push(Node::start(settings).await);
    }
    nodes
}

fn hash(node: &Node) -> ContentHash {
    node.store.view().records.hash()
}

async fn until_all_equal(nodes: &[Node]) {
    for node in nodes {
        node.until("equal", |node| nodes.iter().all(|other| hash(other) == hash(node))).await;
    }
}

fn all_conflicts(node: &Node) -> Vec<Arc<Conflict>> {
    node.store.view().conflicts.newest_first().cloned().collect()
}

/// Records that a store begins with, as a records file of this many.
fn file_of(count: u32) -> String {
    let record = |n: u32| {
        format!(
            r#"{{"name":"host-{n}.load.test","type":"A","value":"10.{}.{}.{}","ttl":60}}"#,
            n >> 16,
            n >> 8 & 255,
            n & 255
        )
    };
    format!(r#"{{"records":[{}]}}"#, (0..count).map(record).collect::<Vec<_>>().join(","))
}

#[tokio::test]
async fn a_change_travels_as_a_difference_whatever_the_size_of_the_store() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("dnsrecords.json"), file_of(6000)).unwrap();
    let b = Node::start(settings("b")).await;
    let peers = vec![b.address().to_string()];
    let a = Node::start_in(folder, Settings { peers, ..settings("a") }).await;
    a.add("first.test").await;
    b.until("all of it, in parts", |b| hash(b) == hash(&a)).await;
    a.until_peers_confirmed().await;
    let sent = || a.cluster.status().peers.unwrap()[0].bytes_sent;
    let before = sent();
    for number in 0..10 {
        a.add(&format!("n{number}.test")).await;
        b.until("the same", |b| hash(b) == hash(&a)).await;
    }
    a.remove("n3.test").await;
    b.until("the same", |b| hash(b) == hash(&a)).await;
    a.until_peers_confirmed().await;
    let per_change = (sent() - before) / 11;
    println!("{per_change} octets sent per change of a store with {} records", a.store.view().records.len());
    assert!(per_change < 1000, "{per_change}");
    let peer = a.cluster.status().peers.unwrap().remove(0);
    assert_eq!((peer.hash_equal, peer.lag_changes, peer.differs), (Some(true), Some(0), false));
    assert_eq!(peer.features, ["keep", "ack", "delta", "chunk", "relay"]);
}

#[tokio::test]
async fn writes_in_turn_on_both_nodes_are_no_conflicts() {
    let nodes = linked(2, &[(0, 1)], |_| {}).await;
    for round in 0..5 {
        for (at, node) in nodes.iter().enumerate() {
            node.add(&format!("r{round}n{at}.test")).await;
            until_all_equal(&nodes).await;
            // The other one takes away what this one wrote.
            nodes[1 - at].remove(&format!("r{round}n{at}.test")).await;
            until_all_equal(&nodes).await;
        }
    }
    for node in &nodes {
        let conflicts = all_conflicts(node);
        assert!(conflicts.iter().all(|conflict| conflict.informed), "{conflicts:?}");
    }
}

#[tokio::test]
async fn relay_carries_a_write_along_a_line_and_back() {
    for policy in [SyncPolicy::LwwPerNode, SyncPolicy::GlobalLww] {
        let nodes = linked(4, &[(0, 1), (1, 2), (2, 3)], |settings| settings.policy = policy).await;
        nodes[0].add("one.test").await;
        for node in &nodes {
            node.until_it_holds(&["one.test"]).await;
        }
        nodes[3].add("two.test").await;
        for node in &nodes {
            node.until_it_holds(&["one.test", "two.test"]).await;
        }
        nodes[1].remove("one.test").await;
        for node in &nodes {
            node.until_it_holds(&["two.test"]).await;
            let head = node.cluster.status().head.unwrap();
            assert_eq!(head.node_id, "b", "everybody knows whose write it is");
        }
    }
}

#[tokio::test]
async fn primary_writer_believes_the_writer_whoever_passes_it_on() {
    let nodes = linked(3, &[(0, 1), (1, 2)], |settings| {
        settings.policy = SyncPolicy::PrimaryWriter;
        settings.allowed_writers = vec!["a".to_owned()];
    })
    .await;
    nodes[0].add("one.test").await;
    nodes[2].until_it_holds(&["one.test"]).await;
    // A write where none should be made stays where it was made, and both sides say that they differ.
    nodes[1].add("stray.test").await;
    nodes[1]
        .until("told", |node| node.cluster.status().peers.unwrap().iter().any(|peer| peer.refused_by_peer.is_some()))
        .await;
    assert_eq!((nodes[0].names(), nodes[2].names()), (vec!["one.test".to_owned()], vec!["one.test".to_owned()]));
    nodes[0].until("told", |node| node.cluster.status().peers.unwrap()[0].hash_equal == Some(false)).await;
    nodes[0].add("two.test").await;
    until_all_equal(&nodes).await;
    assert_eq!(nodes[1].names(), ["one.test", "two.test"]);
    assert!(all_conflicts(&nodes[1]).iter().any(|conflict| conflict.lost.iter().any(|row| row.name() == "stray.test")));
}

#[tokio::test]
async fn under_global_lww_concurrent_writers_end_equal_and_each_loser_is_told() {
    let nodes = linked(3, &[(0, 1), (1, 2), (0, 2)], |settings| settings.policy = SyncPolicy::GlobalLww).await;
    nodes[0].add("base.test").await;
    until_all_equal(&nodes).await;
    for node in &nodes {
        node.change(|settings| settings.enabled = false);
    }
    for (at, node) in nodes.iter().enumerate() {
        for number in 0..3 {
            node.add(&format!("w{at}-{number}.test")).await;
        }
    }
    for node in &nodes {
        node.change(|settings| settings.enabled = true);
    }
    until_all_equal(&nodes).await;
    let kept = nodes[0].names();
    for (at, node) in nodes.iter().enumerate() {
        let lost: Vec<String> = all_conflicts(node)
            .iter()
            .filter(|conflict| conflict.refused.is_none())
            .flat_map(|conflict| conflict.lost.iter().map(|row| row.name().to_owned()))
            .collect();
        for number in 0..3 {
            let name = format!("w{at}-{number}.test");
            assert!(kept.contains(&name) != lost.contains(&name), "{name}: kept {kept:?}, lost {lost:?}");
        }
    }
}

#[tokio::test]
async fn a_node_that_lost_its_folder_gets_its_own_writes_back_from_whoever_has_them() {
    let nodes = linked(2, &[(0, 1)], |_| {}).await;
    nodes[0].add("one.test").await;
    until_all_equal(&nodes).await;
    let seq = nodes[0].store.view().own.seq;
    let [first, second] = <[Node; 2]>::try_from(nodes).ok().unwrap();
    let settings = Settings::clone(&first.settings.borrow());
    drop(first.stop().await);
    let first = Node::start(settings).await;
    first.until_it_holds(&["one.test"]).await;
    assert_eq!(first.store.view().own.seq, seq, "and knows that they are its own");
    first.add("two.test").await;
    second.until_it_holds(&["one.test", "two.test"]).await;
}

#[tokio::test]
async fn two_that_differ_and_owe_each_other_nothing_ask_and_say_so() {
    let nodes = linked(2, &[(0, 1)], |_| {}).await;
    nodes[0].add("one.test").await;
    until_all_equal(&nodes).await;
    // Both write before either hears of the other: under lww_per_node each may end with the other's.
    for node in &nodes {
        node.change(|settings| settings.enabled = false);
    }
    nodes[0].add("a.test").await;
    nodes[1].add("b.test").await;
    for node in &nodes {
        node.change(|settings| settings.enabled = true);
    }
    for node in &nodes {
        node.until("equal, or told", |node| {
            let peers = node.cluster.status().peers.unwrap_or_default();
            peers.iter().any(|peer| peer.hash_equal == Some(true) || peer.differs)
        })
        .await;
    }
    // The next write settles it.
    nodes[0].add("next.test").await;
    until_all_equal(&nodes).await;
}

#[tokio::test]
async fn the_time_of_a_write_grows_past_what_it_is_made_on() {
    let node = Node::start(Settings { policy: SyncPolicy::GlobalLww, ..settings("c") }).await;
    let mut peer = Plain::join(node.address()).await;
    // A clock that is an hour ahead has written.
    let ahead = i64::try_from(crate::store::wall_ms() / 1000).unwrap() + 3600;
    let frame = snapshot_of("ext", 5, &["a.test"]).replace("1790000000", &ahead.to_string());
    peer.say(&frame).await;
    peer.hears_only_pong().await;
    node.add("b.test").await;
    assert_eq!(node.store.view().own.written_at, ahead + 1);
    // Nobody was told of it yet: the next write may have the same time. Then it was told.
    node.add("c.test").await;
    assert_eq!(node.store.view().own.written_at, ahead + 1);
    peer.say(r#"{"type":"pull"}"#).await;
    assert!(peer.hear().await.unwrap().contains(&format!("\"timestamp_unix\":{}", ahead + 1)));
    node.add("d.test").await;
    assert_eq!(node.store.view().own.written_at, ahead + 2);
    let folder = node.stop().await;
    let text = std::fs::read_to_string(folder.path().join("cluster_state.json")).unwrap();
    let state: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&state["last_global_lww_unix"], &state["last_global_lww_node_id"]), (&(ahead + 2).into(), &"c".into()));
}
