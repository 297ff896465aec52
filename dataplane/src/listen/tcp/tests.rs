mod late;

use super::*;
use crate::{
    Cookies, Snapshot,
    counters::Registry,
    current::Current,
    listen::{desk::Patience, places},
    message::HEADER,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

/// A listener on a free port, answering from an empty snapshot.
async fn start() -> (SocketAddr, Arc<Registry>, CancellationToken, Arc<Desk>) {
    start_with(Patience::default()).await
}

async fn start_with(patience: Patience) -> (SocketAddr, Arc<Registry>, CancellationToken, Arc<Desk>) {
    let registry = Arc::new(Registry::default());
    let current = Arc::new(Current::new(Snapshot::empty()));
    let cookies = Arc::new(Cookies::with_secret([0; 16]));
    let desk = Desk::new(current, &registry, cookies, Arc::default(), Arc::new(|_, _| {}), Arc::default(), patience);
    let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    tokio::spawn(serve(listener, desk.clone(), stop.clone()));
    (address, registry, stop, desk)
}

/// A question for the root's NS, with its length in front.
fn question(id: u16) -> Vec<u8> {
    let [high, low] = id.to_be_bytes();
    vec![0, 17, high, low, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1]
}

#[tokio::test]
async fn rfc7766_s6_2_1_1_questions_in_a_row_are_all_answered() {
    let (address, ..) = start().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let questions: Vec<u8> = (0..5000).flat_map(question).collect();
    let (mut reader, mut writer) = stream.split();
    let send = async { writer.write_all(&questions).await.unwrap() };
    let receive = async {
        for id in 0..5000u16 {
            let mut reply = [0; 19];
            reader.read_exact(&mut reply).await.unwrap();
            assert_eq!((&reply[2..4], reply[5] & 15), (&id.to_be_bytes()[..], 5));
        }
    };
    tokio::join!(send, receive);
}

#[tokio::test]
async fn a_question_in_many_pieces_is_answered() {
    let (address, ..) = start().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for octet in question(7) {
        stream.write_all(&[octet]).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut reply = [0; 2 + HEADER];
    stream.read_exact(&mut reply).await.unwrap();
    assert_eq!(reply[2..4], [0, 7]);
}

#[tokio::test]
async fn what_is_no_query_ends_the_connection_after_earlier_replies() {
    let (address, ..) = start().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&[question(7), vec![0, 0]].concat()).await.unwrap();
    let mut received = Vec::new();
    stream.read_to_end(&mut received).await.unwrap();
    assert_eq!(received.len(), 19);
}

#[tokio::test]
async fn one_client_cannot_take_all_connections() {
    let (address, registry, ..) = start().await;
    let asked = async || {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&question(1)).await.unwrap();
        stream.read_exact(&mut [0; 19]).await.map(|_| stream)
    };
    let mut streams = Vec::new();
    for _ in 0..places::MAX_PER_CLIENT {
        streams.push(asked().await.unwrap());
    }
    // Whether one of its own had been idle for long enough or not: what this client has is not more than before.
    let surplus = asked().await;
    let mut left = 0;
    for stream in &mut streams {
        let gone = timeout(Duration::from_millis(1), stream.read(&mut [0; 1])).await;
        left += usize::from(gone.is_err());
    }
    assert_eq!(left + usize::from(surplus.is_ok()), places::MAX_PER_CLIENT);
    let totals = registry.totals();
    let count = |name| totals.iter().find(|(counter, _)| *counter == name).map_or(0, |(_, count)| *count);
    assert_eq!(count("tcp_rejected") + count("tcp_evicted"), 1, "{totals:?}");
    drop(streams.pop());
    while asked().await.is_err() {}
}

#[tokio::test]
async fn stopping_closes_connections_that_wait() {
    let (address, _, stop, desk) = start().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&question(1)).await.unwrap();
    stream.read_exact(&mut [0; 19]).await.unwrap();
    stop.cancel();
    desk.drained().await;
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn a_query_that_is_begun_and_not_finished_costs_the_connection() {
    let patience = Patience { idle: Duration::from_millis(50), ..Patience::default() };
    let (address, registry, ..) = start_with(patience).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&[0, 17, 1]).await.unwrap();
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap_or(0), 0);
    assert!(registry.totals().contains(&("tcp_timeouts", 1)));
}

#[tokio::test]
async fn a_client_that_does_not_read_is_closed() {
    let patience = Patience { write: Duration::from_millis(50), ..Patience::default() };
    let (address, registry, ..) = start_with(patience).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let questions: Vec<u8> = (0..5000).flat_map(question).collect();
    while stream.write_all(&questions).await.is_ok() {}
    assert!(registry.totals().contains(&("tcp_timeouts", 1)));
}
