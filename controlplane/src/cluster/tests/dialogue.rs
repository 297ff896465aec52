//! What a client hears at our door: replies, silences, closings.

use super::*;

#[tokio::test]
async fn whoever_does_not_authenticate_is_told_and_turned_away() {
    let node = Node::start(settings("a")).await;
    let required = r#"{"type":"error","message":"auth required"}"#;
    let unauthorized = r#"{"type":"auth_fail","message":"unauthorized"}"#;
    for (first, answer) in [
        (r#"{"type":"ping"}"#, required),
        (r#"{"type":"pull"}"#, required),
        (r#"{"type":"AUTH","token":"shared-secret"}"#, required),
        (r#"{"type":"auth","token":5}"#, required),
        ("junk", required),
        ("", required),
        ("[1,2]", required),
        (r#"{"type":"auth","token":"wrong"}"#, unauthorized),
        (r#"{"type":"auth","token":""}"#, unauthorized),
        (r#"{"type":"auth","token":"shared-secret "}"#, unauthorized),
    ] {
        let mut client = Plain::connect(node.address()).await;
        client.say(first).await;
        client.hears(answer).await;
        client.hears_nothing_more().await;
    }
    let inbound = node.cluster.status().inbound;
    assert_eq!(inbound.auth_failures, 10);
    assert!(inbound.last_auth_failure.unwrap().reason.contains("token"));
}

#[tokio::test]
async fn an_announced_length_over_the_limit_closes_without_a_word() {
    let node = Node::start(settings("a")).await;
    let mut stranger = Plain::connect(node.address()).await;
    stranger.0.write_all(&(frame::MAX_FRAME_BEFORE_AUTH as u32 + 1).to_be_bytes()).await.unwrap();
    stranger.hears_nothing_more().await;
    for length in [(64 << 20) + 1, u32::MAX] {
        let mut peer = Plain::join(node.address()).await;
        peer.0.write_all(&length.to_be_bytes()).await.unwrap();
        peer.hears_nothing_more().await;
    }
    node.until("counted", |node| node.cluster.status().inbound.bad_frames == 2).await;
}

#[tokio::test]
async fn auth_is_read_leniently_and_only_our_kind_hears_who_we_are() {
    let node = Node::start(settings("a")).await;
    for auth in [
        r#"{"TYPE":"auth","Token":"shared-secret","features":["x"],"v":{"a":1}}"#,
        r#"{"token":"wrong","type":"auth","token":"shared-secret"}"#,
        " \n\t{ \"type\" : \"auth\" , \"token\" : \"shared\\u002dsecret\" }\n ",
    ] {
        let mut client = Plain::connect(node.address()).await;
        client.say(auth).await;
        client.hears(r#"{"type":"auth_ok"}"#).await;
        client.hears_only_pong().await;
    }
    let mut ours = Plain::connect(node.address()).await;
    ours.say(r#"{"type":"auth","token":"shared-secret","features":["x"],"node_id":"n","instance":"i"}"#).await;
    let greeting: Value = serde_json::from_str(&ours.hear().await.unwrap()).unwrap();
    assert_eq!((&greeting["node_id"], &greeting["features"]), (&"a".into(), &Value::Array(Vec::new())));
}

#[tokio::test]
async fn what_is_not_understood_is_passed_over_in_silence_and_counted() {
    let node = Node::start(settings("a")).await;
    let mut peer = Plain::join(node.address()).await;
    for silent in [
        r#"{"type":"ping","message":5}"#,
        r#"{"type":"PING"}"#,
        r#"{"type":"ping"} x"#,
        "\u{feff}{\"type\":\"ping\"}",
        r#"{"type":"hello","x":1}"#,
        r#"{"x":1}"#,
        "junk",
        "null",
        "[1]",
        "",
        r#"{"type":"auth","token":"wrong"}"#,
        r#"{"type":"auth_ok"}"#,
        r#"{"type":"pong"}"#,
        r#"{"type":"error","message":"x"}"#,
    ] {
        peer.say(silent).await;
        peer.hears_only_pong().await;
    }
    let inbound = node.cluster.status().inbound;
    assert_eq!((inbound.bad_frames, inbound.connections, inbound.authenticated), (6, 1, 1));
    assert!(inbound.last_bad_frame.is_some());
}

#[tokio::test]
async fn frames_in_one_segment_or_octet_by_octet_are_answered_in_order() {
    let node = Node::start(settings("a")).await;
    node.add("own.test").await;
    let frames =
        [r#"{"type":"auth","token":"shared-secret"}"#, r#"{"type":"ping"}"#, r#"{"type":"pull","message":[1]}"#];
    let bytes: Vec<u8> = frames.iter().flat_map(|text| frame::encode(text.as_bytes())).collect();
    for piece in [bytes.len(), 1] {
        let mut peer = Plain::connect(node.address()).await;
        for part in bytes.chunks(piece) {
            peer.0.write_all(part).await.unwrap();
            peer.0.flush().await.unwrap();
        }
        peer.hears(r#"{"type":"auth_ok"}"#).await;
        peer.hears(r#"{"type":"pong"}"#).await;
        assert!(peer.hear().await.unwrap().starts_with(r#"{"type":"records_full","node_id":"a","seq":"#));
    }
}

#[tokio::test]
async fn r1_a_node_that_was_never_written_to_answers_pull_with_an_error() {
    let node = Node::start(settings("a")).await;
    let mut peer = Plain::join(node.address()).await;
    peer.say(r#"{"type":"pull"}"#).await;
    assert!(peer.hear().await.unwrap().starts_with(r#"{"type":"error","message":"this node has never"#));
    peer.offer("ext", 5, &["a.test"]).await;
    peer.say(r#"{"type":"pull"}"#).await;
    assert!(peer.hear().await.unwrap().starts_with(r#"{"type":"error""#), "a snapshot applied is no write of ours");
    node.add("own.test").await;
    peer.say(r#"{"type":"pull"}"#).await;
    let answer: Value = serde_json::from_str(&peer.hear().await.unwrap()).unwrap();
    let view = node.store.view();
    assert_eq!((&answer["seq"], &answer["timestamp_unix"]), (&view.own.seq.into(), &view.own.written_at.into()));
    node.remove("own.test").await;
    node.remove("a.test").await;
    peer.say(r#"{"type":"pull"}"#).await;
    assert!(peer.hear().await.unwrap().ends_with(r#""records":null}"#), "an empty store is sent as null");
}

#[tokio::test]
async fn without_a_token_of_our_own_nobody_gets_in() {
    let node = Node::start(Settings { token: Secret::new(" "), ..settings("a") }).await;
    for token in ["", " ", "shared-secret"] {
        let mut client = Plain::connect(node.address()).await;
        client.say(&format!(r#"{{"type":"auth","token":"{token}"}}"#)).await;
        client.hears(r#"{"type":"auth_fail","message":"unauthorized"}"#).await;
        client.hears_nothing_more().await;
    }
}

#[tokio::test]
async fn strangers_that_say_nothing_cannot_fill_the_house() {
    let node = Node::start(settings("a")).await;
    let mut peer = Plain::join(node.address()).await;
    let mut strangers = Vec::new();
    node_is_full(&node, &mut strangers).await;
    peer.hears_only_pong().await;
    strangers.clear();
    node.until("room again", |node| node.cluster.status().inbound.connections == 1).await;
    Plain::join(node.address()).await;
}

async fn node_is_full(node: &Node, strangers: &mut Vec<Plain>) {
    while node.cluster.status().inbound.turned_away == 0 {
        strangers.push(Plain::connect(node.address()).await);
        assert!(strangers.len() < 500, "{:#}", node.status());
        tokio::task::yield_now().await;
    }
}
