//! Claims about replies that come later.

use super::*;
use crate::{
    listen::tcp::late::MAX_UNDER_WAY,
    resolve::{Client, WayBack},
    snapshot::Rules,
};
use dnsplane_proto::{Server, Upstreams, Way, private_networks};
use tokio::sync::mpsc;

/// Longest wait for anything here.
const LIMIT: Duration = Duration::from_secs(30);

/// A listener that has somebody to ask, and the clients that it has ask.
async fn start_resolving(patience: Patience) -> (SocketAddr, Arc<Desk>, mpsc::UnboundedReceiver<Client>) {
    let rules = Rules { networks: private_networks().into(), ..Rules::default() };
    let address = "192.0.2.1:53".parse().unwrap();
    let server = Server { name: "192.0.2.1:53".to_owned(), address, way: Way::Udp };
    let upstreams = Arc::new(Upstreams { last_resort: Some(server), ..Upstreams::default() });
    let snapshot = Snapshot { upstreams, ..Snapshot::empty().under(rules) };
    let (sender, clients) = mpsc::unbounded_channel();
    let fetch = Arc::new(move |_, client: Option<Client>| sender.send(client.unwrap()).unwrap());
    let (current, cookies) = (Arc::new(Current::new(snapshot)), Arc::new(Cookies::with_secret([0; 16])));
    let desk = Desk::new(current, &Registry::default(), cookies, Arc::default(), fetch, Arc::default(), patience);
    let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, desk.clone(), CancellationToken::new()));
    (address, desk, clients)
}

/// A question for an A record of `a.`, which nobody here knows.
fn unknown(id: u16) -> Vec<u8> {
    let [high, low] = id.to_be_bytes();
    vec![0, 19, high, low, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, b'a', 0, 0, 1, 0, 1]
}

/// A reply by the resolver: its query with QR set, which is enough to be told from others.
fn give(client: Client) {
    let WayBack::Stream(way_back) = client.way_back else { panic!("it came over TCP") };
    let mut reply = client.query.into_vec();
    reply[2] |= 0x80;
    way_back.try_send(reply).unwrap();
}

/// The id of the next reply.
async fn next_id(stream: &mut TcpStream) -> u16 {
    let length = timeout(LIMIT, stream.read_u16()).await.unwrap().unwrap();
    let mut reply = vec![0; length.into()];
    timeout(LIMIT, stream.read_exact(&mut reply)).await.unwrap().unwrap();
    assert_eq!(reply[2] & 0x80, 0x80);
    u16::from_be_bytes([reply[0], reply[1]])
}

async fn next(clients: &mut mpsc::UnboundedReceiver<Client>) -> Client {
    timeout(LIMIT, clients.recv()).await.unwrap().unwrap()
}

#[tokio::test]
async fn rfc7766_s6_2_1_1_replies_come_when_they_are_there_and_hold_up_no_others() {
    let (address, _, mut clients) = start_resolving(Patience::default()).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&[unknown(1), unknown(2), question(3), unknown(4)].concat()).await.unwrap();
    assert_eq!(next_id(&mut stream).await, 3);
    let [first, second, third] = [next(&mut clients).await, next(&mut clients).await, next(&mut clients).await];
    assert_eq!((&*first.query, first.address, first.transport), (&unknown(1)[2..], address.ip(), Transport::Tcp));
    give(third);
    assert_eq!(next_id(&mut stream).await, 4);
    stream.write_all(&question(5)).await.unwrap();
    assert_eq!(next_id(&mut stream).await, 5);
    give(second);
    give(first);
    assert_eq!([next_id(&mut stream).await, next_id(&mut stream).await], [2, 1]);
}

#[tokio::test]
async fn what_is_under_way_is_bounded_and_nothing_is_lost_by_it() {
    let (address, _, mut clients) = start_resolving(Patience::default()).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let questions: Vec<u8> = (0..1000).flat_map(unknown).collect();
    stream.write_all(&questions).await.unwrap();
    let mut waiting = Vec::new();
    for _ in 0..MAX_UNDER_WAY {
        waiting.push(next(&mut clients).await);
    }
    // The others are all there, and nobody asks for them: each reply lets one more through.
    for at in 0..1000u16 {
        assert!(clients.try_recv().is_err());
        give(waiting.remove(0));
        assert_eq!(next_id(&mut stream).await, at);
        if usize::from(at) + MAX_UNDER_WAY < 1000 {
            waiting.push(next(&mut clients).await);
        }
    }
}

#[tokio::test]
async fn a_client_that_has_asked_everything_still_gets_its_replies() {
    let (address, _, mut clients) = start_resolving(Patience::default()).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&unknown(7)).await.unwrap();
    stream.shutdown().await.unwrap();
    give(next(&mut clients).await);
    assert_eq!(next_id(&mut stream).await, 7);
    assert_eq!(timeout(LIMIT, stream.read(&mut [0; 1])).await.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn a_connection_is_not_idle_while_it_waits_for_us() {
    let patience = Patience { idle: Duration::from_millis(100), ..Patience::default() };
    let (address, desk, mut clients) = start_resolving(patience).await;
    desk.resolver_replies_within(LIMIT);
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&unknown(7)).await.unwrap();
    let client = next(&mut clients).await;
    // Others that begin to be idle later are closed for it twice meanwhile.
    for _ in 0..2 {
        let mut idle = TcpStream::connect(address).await.unwrap();
        assert_eq!(timeout(LIMIT, idle.read(&mut [0; 1])).await.unwrap().unwrap(), 0);
    }
    give(client);
    assert_eq!(next_id(&mut stream).await, 7);
    assert_eq!(timeout(LIMIT, stream.read(&mut [0; 1])).await.unwrap().unwrap(), 0, "then it is");
}

#[tokio::test]
async fn a_question_that_the_resolver_gives_up_is_not_waited_for() {
    let patience = Patience { idle: Duration::from_millis(100), ..Patience::default() };
    let (address, desk, mut clients) = start_resolving(patience).await;
    desk.resolver_replies_within(Duration::ZERO);
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&unknown(7)).await.unwrap();
    drop(next(&mut clients).await);
    assert_eq!(timeout(LIMIT, stream.read(&mut [0; 1])).await.unwrap().unwrap_or(0), 0);
}
