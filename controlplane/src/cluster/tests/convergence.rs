//! Nodes of our kind among themselves.

use super::*;

/// Two nodes that are each other's peers.
async fn pair() -> (Node, Node) {
    pair_with(|_| {}).await
}

/// The same, the second one with other settings.
async fn pair_with(change: impl FnOnce(&mut Settings)) -> (Node, Node) {
    let [a, b] = [free_address(), free_address()];
    let with = |id: &str, own: SocketAddr, other: SocketAddr| Settings {
        listen: own.into(),
        peers: vec![other.to_string()],
        ..settings(id)
    };
    let mut second = with("b", b, a);
    change(&mut second);
    (Node::start(with("a", a, b)).await, Node::start(second).await)
}

#[tokio::test]
async fn a_write_on_either_of_two_nodes_is_on_both() {
    let (a, b) = pair().await;
    a.add("one.test").await;
    b.until_it_holds(&["one.test"]).await;
    b.add("two.test").await;
    a.until_it_holds(&["one.test", "two.test"]).await;
    a.remove("one.test").await;
    b.until_it_holds(&["two.test"]).await;
    b.remove("two.test").await;
    a.until_it_holds(&[]).await;
    for node in [&a, &b] {
        node.until_peers_confirmed().await;
        node.until("reachable", |node| node.cluster.status().peers.unwrap()[0].reachable).await;
    }
    assert_eq!(a.cluster.status().content_hash, b.cluster.status().content_hash);
    let peer = a.cluster.status().peers.unwrap().remove(0);
    assert_eq!((peer.kind, peer.node_id.as_deref()), (Some("dnsplane"), Some("b")));
}

#[tokio::test]
async fn a_burst_of_writes_ends_in_the_same_records_with_few_pushes() {
    let (a, b) = pair().await;
    let mut writes = JoinSet::new();
    for number in 0..200 {
        let store = a.store.clone();
        writes.spawn(async move {
            let new = NewRecord {
                name: format!("n{number}.test"),
                kind: "A".to_owned(),
                value: "192.0.2.1".to_owned(),
                ..NewRecord::default()
            };
            store.edit(Edit::Add(new), "test").await.unwrap();
        });
    }
    writes.join_all().await;
    b.until("all 200", |b| b.store.view().records.hash() == a.store.view().records.hash()).await;
    a.until_peers_confirmed().await;
    assert_eq!(b.store.view().seen["a"].applied, a.store.view().own.seq);
}

#[tokio::test]
async fn a_peer_that_was_away_gets_what_it_missed_without_anybody_doing_anything() {
    let (a, b) = pair().await;
    a.add("one.test").await;
    b.until_it_holds(&["one.test"]).await;
    let b_settings = Settings::clone(&b.settings.borrow());
    let folder = b.stop().await;
    a.remove("one.test").await;
    a.add("two.test").await;
    a.until("told", |a| a.cluster.status().peers.unwrap()[0].last_outbound_error.is_some()).await;
    let b = Node::start_in(folder, b_settings).await;
    b.until_it_holds(&["two.test"]).await;
    a.until_peers_confirmed().await;
    assert_eq!(a.names(), ["two.test"], "R2: the older store of the node that came back undid nothing");
}

#[tokio::test]
async fn r2_a_node_that_comes_back_does_not_undo_what_was_written_meanwhile() {
    let (a, b) = pair().await;
    b.add("old.test").await;
    a.until_it_holds(&["old.test"]).await;
    let b_settings = Settings::clone(&b.settings.borrow());
    let folder = b.stop().await;
    a.remove("old.test").await;
    a.add("new.test").await;
    let b = Node::start_in(folder, b_settings).await;
    b.until_it_holds(&["new.test"]).await;
    b.until("has asked", |b| b.cluster.status().peers.unwrap()[0].last_pull_ok.is_some()).await;
    assert!(a.cluster.pull(&[]).await[0].result.is_ok());
    assert_eq!((a.names(), b.names()), (vec!["new.test".to_owned()], vec!["new.test".to_owned()]));
}

#[tokio::test]
async fn r1_a_fresh_node_joined_in_any_order_empties_nobody() {
    for fresh_first in [true, false] {
        let [full, fresh] = [free_address(), free_address()];
        let every = Some(Duration::from_millis(50));
        let with = |id: &str, own: SocketAddr, other: SocketAddr| Settings {
            listen: own.into(),
            peers: vec![other.to_string()],
            sync_interval: every,
            ..settings(id)
        };
        let (full_settings, fresh_settings) = (with("full", full, fresh), with("fresh", fresh, full));
        let folder = {
            let node = Node::start(Settings { enabled: false, ..full_settings.clone() }).await;
            node.add("kept.test").await;
            node.stop().await
        };
        let (full, fresh) = if fresh_first {
            let fresh = Node::start(fresh_settings).await;
            (Node::start_in(folder, full_settings).await, fresh)
        } else {
            let full = Node::start_in(folder, full_settings).await;
            (full, Node::start(fresh_settings).await)
        };
        fresh.until_it_holds(&["kept.test"]).await;
        full.until("has asked the fresh one", |full| {
            let peer = full.cluster.status().peers.unwrap().remove(0);
            // Nothing to offer at first; later our own write, passed back.
            peer.last_pull_ok.is_some()
                || peer.last_pull_error.is_some_and(|error| error.contains("never accepted a write"))
        })
        .await;
        assert_eq!(full.names(), ["kept.test"], "fresh first: {fresh_first}");
        fresh.add("joined.test").await;
        full.until_it_holds(&["joined.test", "kept.test"]).await;
    }
}

#[tokio::test]
async fn nodes_with_different_tokens_exchange_nothing_and_both_say_why() {
    let (a, b) = pair_with(|settings| settings.token = Secret::new("another")).await;
    a.add("secret.test").await;
    a.until("told why", |a| {
        let peer = a.cluster.status().peers.unwrap().remove(0);
        peer.last_outbound_error.is_some_and(|error| error.contains("cluster_auth_token"))
    })
    .await;
    b.until("told why", |b| {
        b.cluster.status().inbound.last_auth_failure.is_some_and(|last| last.reason.contains("cluster_auth_token"))
    })
    .await;
    assert!(b.names().is_empty());
    b.change(|settings| settings.token = Secret::new(TOKEN));
    b.until_it_holds(&["secret.test"]).await;
}

#[tokio::test]
async fn r14_a_dead_peer_delays_nobody() {
    let b = Node::start(settings("b")).await;
    // It accepts and never says a word.
    let mute = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peers = vec![mute.local_addr().unwrap().to_string(), free_address().to_string(), b.address().to_string()];
    let a = Node::start(Settings { peers, ..settings("a") }).await;
    let started = Instant::now();
    a.add("one.test").await;
    b.until_it_holds(&["one.test"]).await;
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_replica_applies_and_answers_but_never_pushes() {
    let (a, b) = pair().await;
    b.change(|settings| settings.replica_only = true);
    a.add("one.test").await;
    b.until_it_holds(&["one.test"]).await;
    b.add("local.test").await;
    a.add("two.test").await;
    b.until_it_holds(&["one.test", "two.test"]).await;
    assert_eq!(a.names(), ["one.test", "two.test"]);
    assert_eq!(b.cluster.status().peers.unwrap()[0].last_outbound_ok, None);
}
