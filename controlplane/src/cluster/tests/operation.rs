//! Settings that change while we run, our own files, and what operators see.

use super::*;

#[tokio::test]
async fn the_cluster_is_switched_on_and_off_and_moved_while_running() {
    let node = Node::start(Settings { enabled: false, ..settings("a") }).await;
    node.add("one.test").await;
    assert!(node.cluster.status().listening.is_empty() && node.cluster.status().peers.is_none());
    assert!(!node.folder.path().join(FILE_NAME).exists(), "a node that never took part leaves no file");
    node.change(|settings| settings.enabled = true);
    node.until("listening", |node| !node.cluster.status().listening.is_empty()).await;
    let first = node.address();
    let mut peer = Plain::join(first).await;
    let second = free_address();
    node.change(|settings| settings.listen = second.into());
    node.until("moved", |node| node.cluster.status().listening == [second]).await;
    peer.hears_only_pong().await;
    Plain::join(second).await.hears_only_pong().await;
    assert!(TcpStream::connect(first).await.is_err());
    node.change(|settings| settings.listen = format!("localhost:{}", second.port()).parse().unwrap());
    node.until("moved to an address that overlaps", |node| {
        node.cluster.status().listening.iter().all(|address| address.port() == second.port())
            && node.cluster.status().listen_error.is_none()
    })
    .await;
    node.change(|settings| settings.enabled = false);
    peer.hears_nothing_more().await;
    node.until("closed", |node| node.cluster.status().listening.is_empty()).await;
    assert_eq!(node.names(), ["one.test"]);
}

#[tokio::test]
async fn an_address_in_use_is_said_and_taken_when_it_is_free() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let node = Node::start(settings("a")).await;
    let old = node.address();
    node.change(|settings| settings.listen = taken.local_addr().unwrap().into());
    node.until("said", |node| node.cluster.status().listen_error.is_some_and(|error| error.contains("in use"))).await;
    Plain::join(old).await.hears_only_pong().await;
    let address = taken.local_addr().unwrap();
    drop(taken);
    node.until("moved", |node| node.cluster.status().listening == [address]).await;
    assert_eq!(node.cluster.status().listen_error, None);
}

#[tokio::test]
async fn r11_ourselves_among_the_peers_are_left_out_and_a_node_with_our_id_is_told() {
    let [a, b] = [free_address(), free_address()];
    let peers = vec![a.to_string(), b.to_string()];
    let first = Node::start(Settings { listen: a.into(), peers: peers.clone(), ..settings("same") }).await;
    let second = Node::start(Settings { listen: b.into(), peers, ..settings("same") }).await;
    first.add("one.test").await;
    for (node, own, other) in [(&first, 0, 1), (&second, 1, 0)] {
        node.until("told", |node| {
            let peers = node.cluster.status().peers.unwrap();
            let has = |place: usize, text| peers[place].note.as_ref().is_some_and(|note| note.contains(text));
            has(own, "ourselves") && has(other, "our id") && node.cluster.status().node_id_conflict.is_some()
        })
        .await;
    }
    assert!(second.names().is_empty());
    second.change(|settings| settings.node_id = Some("other".to_owned()));
    assert_eq!(second.cluster.status().node_id, "other");
    let pulled = second.cluster.pull(&[]).await;
    assert!(pulled[0].result.is_ok(), "{pulled:?}");
    assert!(pulled[1].result.as_ref().is_err_and(|error| error.contains("ourselves")));
    second.until_it_holds(&["one.test"]).await;
}

#[tokio::test]
async fn peers_come_and_go_with_the_settings() {
    let b = Node::start(settings("b")).await;
    let a = Node::start(settings("a")).await;
    a.add("one.test").await;
    let address = b.address().to_string();
    a.change(|settings| settings.peers = vec![address.clone(), format!(" {address}")]);
    b.until_it_holds(&["one.test"]).await;
    assert_eq!(a.cluster.status().effective_peer_count, 1);
    a.change(|settings| settings.peers.clear());
    a.until("gone", |a| a.cluster.status().peers.is_none()).await;
    a.add("two.test").await;
    let unknown = a.cluster.pull(&[address]).await;
    assert!(unknown[0].result.as_ref().is_err_and(|error| error.contains("not one of our peers")));
    assert_eq!(b.names(), ["one.test"]);
}

#[tokio::test]
async fn the_state_file_follows_the_store_and_survives_a_restart() {
    let node = Node::start(Settings { node_id: None, ..settings("") }).await;
    let id = node.cluster.status().node_id;
    // Not `State::read`: that sweeps away what the node is just writing.
    let state = |node: &Node| {
        let text = std::fs::read(node.folder.path().join(FILE_NAME)).unwrap_or_else(|_| b"{}".to_vec());
        serde_json::from_slice::<State>(&text).unwrap()
    };
    Plain::join(node.address()).await.offer("ext", 5, &["a.test"]).await;
    node.add("own.test").await;
    node.until("saved", |node| {
        state(node).local_seq == node.store.view().own.seq && state(node).peer_seq.get("ext") == Some(&5)
    })
    .await;
    assert_eq!(state(&node).node_id, id);
    Plain::join(node.address()).await.offer("ext", 6, &["b.test"]).await;
    let same = Settings::clone(&node.settings.borrow());
    let folder = node.stop().await;
    assert_eq!(State::read(folder.path()).unwrap().peer_seq["ext"], 6, "written a last time");
    let node = Node::start_in(folder, same).await;
    assert_eq!(node.cluster.status().node_id, id);
    let mut peer = Plain::join(node.address()).await;
    peer.offer("ext", 5, &["c.test"]).await;
    assert_eq!(node.names(), ["b.test"]);
    peer.offer("ext", 7, &["d.test"]).await;
    assert_eq!(node.names(), ["d.test"]);
}

#[tokio::test]
async fn an_unreadable_state_file_keeps_the_cluster_off_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(FILE_NAME), "{").unwrap();
    let node = Node::start_in(folder, settings("a")).await;
    node.add("one.test").await;
    let status = node.cluster.status();
    assert!(status.enabled && status.listening.is_empty());
    assert!(status.state_error.unwrap().contains(FILE_NAME));
    assert_eq!(std::fs::read_to_string(node.folder.path().join(FILE_NAME)).unwrap(), "{", "never replaced");
    assert!(node.cluster.pull(&["192.0.2.1:7946".to_owned()]).await[0].result.is_err());
}

#[tokio::test]
async fn status_and_join_info_have_the_shape_of_existing_nodes_and_no_secret() {
    let node = Node::start(Settings { peers: vec![free_address().to_string()], ..settings("a") }).await;
    node.until("probed", |node| node.cluster.status().peers.unwrap()[0].last_probe_error.is_some()).await;
    let status = node.status();
    for key in ["enabled", "replica_only", "cluster_admin"] {
        assert!(status[key].is_boolean(), "{key}");
    }
    for key in ["local_seq", "static_peer_count", "srv_peer_count", "effective_peer_count"] {
        assert!(status[key].is_u64(), "{key}");
    }
    assert_eq!((&status["node_id"], &status["sync_policy"]), (&"a".into(), &"lww_per_node".into()));
    assert_eq!(status["peers"][0]["reachable"], false);
    let join = node.cluster.join_info();
    assert_eq!(join.dial_address, node.address().to_string());
    assert_eq!(join.token_sha256.as_deref().map(str::len), Some(64));
    assert!(!format!("{status}{}", serde_json::to_string(&join).unwrap()).contains(TOKEN));
    assert!(!format!("{:?}", node.settings.borrow()).contains(TOKEN));
}
