//! TCP.

use super::{
    server::{Script, Scripted},
    *,
};
use futures_util::future::join_all;

#[tokio::test]
async fn rfc7766_s6_2_1_1_questions_with_the_same_id_share_one_connection() {
    let server = Scripted::tcp(Script::Answers).await;
    let client = client(server.address, Way::Tcp);
    let labels = (0..50).map(|nth| format!("name{nth}")).collect::<Vec<_>>();
    for result in join_all(labels.iter().map(|label| asks(&client, 7, label))).await {
        result.expect("a reply");
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn rfc7766_s7_replies_may_come_in_any_order() {
    let server = Scripted::tcp(Script::Backwards(20)).await;
    let client = client(server.address, Way::Udp);
    let labels = (0..20).map(|nth| format!("name{nth}")).collect::<Vec<_>>();
    for result in join_all(labels.iter().map(|label| asks(&client, 7, label))).await {
        result.expect("a reply");
    }
}

#[tokio::test]
async fn a_server_that_closes_after_each_answer_is_asked_on_a_new_connection() {
    let server = Scripted::tcp(Script::ClosesAfterEach).await;
    let client = client(server.address, Way::Tcp);
    for id in 1..=10 {
        asks(&client, id, "a").await.expect("a reply");
    }
    assert_eq!(server.connections(), 10);
    for result in join_all([1, 2, 3].map(|id| asks(&client, id, "b"))).await {
        result.expect("a reply, though three questions met one connection");
    }
}

#[tokio::test]
async fn a_server_that_was_restarted_is_asked_again() {
    let server = Scripted::tcp(Script::Answers).await;
    let (address, client) = (server.address, client(server.address, Way::Tcp));
    asks(&client, 1, "a").await.expect("a reply");
    server.stop().await;
    let text = complaint(&client).await;
    assert!(text.starts_with(&format!("cannot connect to {address}: ")), "{text}");
    let _again = Scripted::at(address, Script::Answers, None).await;
    asks(&client, 2, "a").await.expect("a reply of the new one");
}

#[tokio::test]
async fn a_silent_connection_costs_the_caller_its_time_and_is_then_left() {
    let server = Scripted::tcp(Script::SilentAtFirst).await;
    let client = client(server.address, Way::Tcp);
    let begun = Instant::now();
    let result = client.exchange(&query(1, "a"), begun + Duration::from_millis(1100)).await;
    assert!(matches!(result, Err(ExchangeError::Late)), "{result:?}");
    assert!(begun.elapsed() >= Duration::from_millis(1100));
    asks(&client, 2, "a").await.expect("a reply on another connection");
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn a_caller_that_gives_up_takes_nothing_from_others() {
    let server = Scripted::tcp(Script::Backwards(2)).await;
    let client = client(server.address, Way::Tcp);
    let given_up = client.exchange(&query(1, "a"), Instant::now() + Duration::from_millis(100)).await;
    assert!(matches!(given_up, Err(ExchangeError::Late)), "{given_up:?}");
    asks(&client, 2, "b").await.expect("a reply, and one that nobody waits for before it");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_reply_to_another_question_is_none() {
    let server = Scripted::tcp(Script::OtherQuestion).await;
    assert_eq!(complaint(&client(server.address, Way::Tcp)).await, "the reply does not belong to the question");
}

#[tokio::test]
async fn a_server_that_closes_each_connection_is_an_error_at_once() {
    let server = Scripted::tcp(Script::Closes).await;
    let text = complaint(&client(server.address, Way::Tcp)).await;
    assert!(text.contains("closes them at once") || text.contains("the connection ended"), "{text}");
    assert!(server.connections() <= 4, "{} connections for one question", server.connections());
}

#[tokio::test]
async fn what_is_no_query_is_not_sent() {
    let server = Scripted::tcp(Script::Answers).await;
    let client = client(server.address, Way::Tcp);
    for query in [&b""[..], b"\x00\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00", &[0; 70_000]] {
        let result = client.exchange(query, Instant::now() + SOON).await;
        assert!(matches!(result, Err(ExchangeError::BadQuery)), "{result:?}");
    }
    assert_eq!(server.connections(), 0);
}
