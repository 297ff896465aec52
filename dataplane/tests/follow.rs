//! The real data plane against a control plane that the tests play: what is loaded, changed, refused, kept and resumed.

use bytes::Bytes;
use dnsplane_dns::{Options, run};
use dnsplane_proto::{
    Generation, Limits, Name, RecordData, RecordSet, RecordType, Settings, block_list,
    pb::feed::{
        self as pb,
        feed_server::{Feed, FeedServer},
        from_follower::Message as Up,
        from_publisher::Message as Down,
        outcome::Kind,
    },
};
use prost::Message as _;
use sha2::{Digest, Sha256};
use std::{
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};
use tokio::{
    net::{UdpSocket, UnixListener},
    sync::mpsc,
    task::JoinHandle,
    time::timeout,
};
use tokio_stream::wrappers::{ReceiverStream, UnixListenerStream};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

const PATIENCE: Duration = Duration::from_secs(20);

/// The control plane: hands each connection to the test.
struct Publisher {
    connections: mpsc::Receiver<Connection>,
    server: JoinHandle<()>,
}

/// One follower that has said hello.
struct Connection {
    hello: pb::Hello,
    up: mpsc::Receiver<Up>,
    down: mpsc::Sender<Result<pb::FromPublisher, Status>>,
}

struct Service(mpsc::Sender<Connection>);

#[tonic::async_trait]
impl Feed for Service {
    type FollowStream = ReceiverStream<Result<pb::FromPublisher, Status>>;

    async fn follow(
        &self,
        request: Request<Streaming<pb::FromFollower>>,
    ) -> Result<Response<Self::FollowStream>, Status> {
        let mut stream = request.into_inner();
        let (down, outgoing) = mpsc::channel(64);
        let (up, incoming) = mpsc::channel(1024);
        let connections = self.0.clone();
        tokio::spawn(async move {
            let Ok(Some(pb::FromFollower { message: Some(Up::Hello(hello)) })) = stream.message().await else { return };
            let _ = connections.send(Connection { hello, up: incoming, down }).await;
            while let Ok(Some(pb::FromFollower { message: Some(message) })) = stream.message().await {
                let _ = up.send(message).await;
            }
        });
        Ok(Response::new(ReceiverStream::new(outgoing)))
    }
}

impl Publisher {
    fn start(socket: &Path) -> Self {
        let _ = std::fs::remove_file(socket);
        let (sender, connections) = mpsc::channel(8);
        let incoming = UnixListenerStream::new(UnixListener::bind(socket).expect("socket"));
        let serve = tonic::transport::Server::builder().add_service(FeedServer::new(Service(sender)));
        let server = tokio::spawn(async move { serve.serve_with_incoming(incoming).await.expect("serve") });
        Self { connections, server }
    }

    async fn accept(&mut self) -> Connection {
        timeout(PATIENCE, self.connections.recv()).await.expect("a follower in time").expect("a follower")
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Connection {
    async fn send(&self, message: Down) {
        self.down.send(Ok(pb::FromPublisher { message: Some(message) })).await.expect("connected");
    }

    async fn transfer(
        &self,
        resource: pb::Resource,
        to: Generation,
        from: Option<Generation>,
        bodies: &[Bytes],
        count: u64,
    ) {
        self.transfer_with(resource, to, from, bodies, count, |_| {}).await;
    }

    /// Sends a transfer whose End the test may spoil.
    async fn transfer_with(
        &self,
        resource: pb::Resource,
        to: Generation,
        from: Option<Generation>,
        bodies: &[Bytes],
        count: u64,
        spoil: impl FnOnce(&mut pb::End),
    ) {
        self.transfer_of(resource.into(), to, from, bodies, count, spoil).await;
    }

    /// Sends one of a resource that we may not know.
    async fn transfer_of(
        &self,
        resource: i32,
        to: Generation,
        from: Option<Generation>,
        bodies: &[Bytes],
        count: u64,
        spoil: impl FnOnce(&mut pb::End),
    ) {
        let begin = pb::Begin { resource, generation: Some(to.into()), from: from.map(Into::into) };
        self.send(Down::Begin(begin)).await;
        let mut checksum = Sha256::new();
        for body in bodies {
            checksum.update(body);
            self.send(Down::Part(pb::Part { body: body.clone() })).await;
        }
        let mut end = pb::End { sha256: checksum.finalize().to_vec().into(), count };
        spoil(&mut end);
        self.send(Down::End(end)).await;
    }

    async fn settings(&mut self, number: u64, listen: &[SocketAddr]) {
        let settings = Settings {
            listen: listen.to_vec(),
            max_udp_payload: 1232,
            limits: Limits::default(),
            resolving: dnsplane_proto::Resolving::default(),
            doors: dnsplane_proto::Doors::default(),
            blocking_paused_until: 0,
            refuse_any: false,
            local_records: true,
            missing_type_is_nodata: true,
            auto_ptr: false,
            identity: Default::default(),
        };
        let body = pb::Settings::from(settings).encode_to_vec().into();
        self.transfer(pb::Resource::Settings, at(number), None, &[body], 0).await;
        assert_eq!(self.outcome().await.kind(), Kind::Installed);
    }

    async fn records(&self, to: Generation, from: Option<Generation>, sets: &[RecordSet]) {
        let body = body(sets);
        self.transfer(pb::Resource::Records, to, from, &[body], sets.len() as u64).await;
    }

    async fn outcome(&mut self) -> pb::Outcome {
        self.until(|message| if let Up::Outcome(outcome) = message { Some(outcome) } else { None }).await
    }

    async fn report(&mut self, wanted: impl Fn(&pb::Report) -> bool) -> pb::Report {
        self.until(|message| match message {
            Up::Report(report) if wanted(&report) => Some(report),
            _ => None,
        })
        .await
    }

    async fn until<T>(&mut self, mut wanted: impl FnMut(Up) -> Option<T>) -> T {
        let wait = async {
            loop {
                if let Some(found) = wanted(self.up.recv().await.expect("connected")) {
                    return found;
                }
            }
        };
        timeout(PATIENCE, wait).await.expect("in time")
    }

    fn claims(&self, resource: pb::Resource) -> Option<Generation> {
        self.hello.held.iter().find(|held| held.resource() == resource)?.generation.map(Into::into)
    }
}

/// The data plane under test.
struct DataPlane {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl DataPlane {
    fn start(dir: &Path) -> Self {
        let options = Options { feed: dir.join("feed.sock"), state: dir.join("dns-state"), threads: 2 };
        let stop = CancellationToken::new();
        let token = stop.clone();
        // As the program does it: on a thread that is not one of the runtime's.
        let runtime = tokio::runtime::Handle::current();
        Self { stop, task: tokio::task::spawn_blocking(move || runtime.block_on(run(options, token)).expect("runs")) }
    }

    async fn stop(self) {
        self.stop.cancel();
        timeout(Duration::from_secs(5), self.task).await.expect("stops within five seconds").expect("ends well");
    }
}

const SESSION: u64 = 0x0123_4567_89ab_cdef;

fn at(number: u64) -> Generation {
    Generation { session: SESSION, number }
}

fn a(owner: &str, last: u8) -> RecordSet {
    RecordSet {
        owner: Name::parse(owner).expect("a name"),
        kind: RecordType::A,
        data: vec![RecordData { ttl: 60, rdata: vec![192, 0, 2, last].into() }],
    }
}

fn none(owner: &str) -> RecordSet {
    RecordSet { data: vec![], ..a(owner, 0) }
}

fn body(sets: &[RecordSet]) -> Bytes {
    pb::RecordSets { sets: sets.iter().cloned().map(Into::into).collect() }.encode_to_vec().into()
}

fn free_address() -> SocketAddr {
    // A port that is free for UDP is nearly always free for TCP; the data plane would say if it were not.
    std::net::UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port")
}

/// The last octet of the first A record, or the response code negated.
async fn ask(server: SocketAddr, name: &str) -> Option<i16> {
    let socket = UdpSocket::bind("127.0.0.1:0").await.ok()?;
    socket.connect(server).await.ok()?;
    let mut query = vec![1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    query.extend_from_slice(Name::parse(name).expect("a name").as_wire());
    query.extend_from_slice(&[0, 1, 0, 1]);
    socket.send(&query).await.ok()?;
    let mut reply = [0; 512];
    let length = timeout(Duration::from_secs(2), socket.recv(&mut reply)).await.ok()?.ok()?;
    Some(if reply[7] == 1 { i16::from(reply[length - 1]) } else { -i16::from(reply[3] & 15) })
}

async fn eventually(server: SocketAddr, name: &str, answer: i16) {
    let begun = Instant::now();
    loop {
        let seen = ask(server, name).await;
        if seen == Some(answer) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{name}: {seen:?} instead of {answer}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_fed_is_answered_kept_and_resumed() {
    let dir = tempfile::tempdir().expect("folder");
    let server = free_address();
    let mut publisher = Publisher::start(&dir.path().join("feed.sock"));
    let data_plane = DataPlane::start(dir.path());

    let mut connection = publisher.accept().await;
    assert!(connection.hello.held.is_empty(), "a new data plane holds nothing");
    connection.settings(1, &[server]).await;
    eventually(server, "www.lab.example", -5).await;
    let sets: Vec<_> = (0..5000).map(|at| a(&format!("h{at}.lab.example"), (at % 250) as u8)).collect();
    let bodies: Vec<_> = sets.chunks(100).map(body).collect();
    connection.transfer(pb::Resource::Records, at(1), None, &bodies, 5000).await;
    let outcome = connection.outcome().await;
    assert_eq!((outcome.kind(), outcome.generation.map(Generation::from)), (Kind::Installed, Some(at(1))));
    assert_eq!(ask(server, "h251.lab.example").await, Some(1), "Installed means that it is served");

    connection
        .records(at(2), Some(at(1)), &[a("h251.lab.example", 99), none("h1.lab.example"), a("new.lab.example", 7)])
        .await;
    assert_eq!(connection.outcome().await.kind(), Kind::Installed);
    for (name, answer) in
        [("h251.lab.example", 99), ("h1.lab.example", -5), ("new.lab.example", 7), ("h2.lab.example", 2)]
    {
        assert_eq!(ask(server, name).await, Some(answer), "{name}");
    }
    let report = connection
        .report(|report| report.counters.iter().any(|count| count.name == "refused" && count.value >= 2))
        .await;
    assert_eq!(report.listening, [format!("udp {server}"), format!("tcp {server}")]);

    drop((connection, publisher));
    assert_eq!(ask(server, "new.lab.example").await, Some(7), "no control plane is needed to answer");
    data_plane.stop().await;
    assert_eq!(ask(server, "new.lab.example").await, None);

    let data_plane = DataPlane::start(dir.path());
    eventually(server, "new.lab.example", 7).await;
    assert_eq!(ask(server, "h1.lab.example").await, Some(-5));

    let mut publisher = Publisher::start(&dir.path().join("feed.sock"));
    let mut connection = publisher.accept().await;
    assert_eq!(connection.claims(pb::Resource::Records), Some(at(2)));
    assert_eq!(connection.claims(pb::Resource::Settings), Some(at(1)));
    let current = |resource: pb::Resource, generation: Generation| {
        Down::Current(pb::Current { resource: resource.into(), generation: Some(generation.into()) })
    };
    connection.send(current(pb::Resource::Settings, at(1))).await;
    connection.send(current(pb::Resource::Records, at(2))).await;
    connection.records(at(3), Some(at(2)), &[a("later.lab.example", 8)]).await;
    assert_eq!(connection.outcome().await.kind(), Kind::Installed);
    assert_eq!(ask(server, "later.lab.example").await, Some(8));
    data_plane.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_refused_and_what_was_served_is_served_on() {
    let dir = tempfile::tempdir().expect("folder");
    let server = free_address();
    let mut publisher = Publisher::start(&dir.path().join("feed.sock"));
    let data_plane = DataPlane::start(dir.path());
    let mut connection = publisher.accept().await;
    connection.settings(1, &[server]).await;
    connection.records(at(5), None, &[a("www.lab.example", 1)]).await;
    assert_eq!(connection.outcome().await.kind(), Kind::Installed);

    // Older, and unknown: refused without more ado.
    connection.records(at(4), None, &[a("www.lab.example", 2)]).await;
    let outcome = connection.outcome().await;
    assert_eq!((outcome.kind(), outcome.generation.map(Generation::from)), (Kind::Refused, Some(at(5))));
    assert!(outcome.reason.contains("older"), "{}", outcome.reason);
    connection.transfer_of(99, at(1), None, &[Bytes::from_static(b"?")], 1, |_| {}).await;
    assert!(connection.outcome().await.reason.contains("does not know resource"));
    connection.records(at(5), None, &[a("www.lab.example", 3)]).await;
    assert_eq!(connection.outcome().await.kind(), Kind::AlreadyServing);

    // Damaged: refused, and asked for as a whole.
    type Spoil = fn(&mut pb::End);
    let sound: Spoil = |_| {};
    let nonsense = vec![Bytes::from_static(b"\x0a\xff")];
    let good = vec![body(&[a("www.lab.example", 4)])];
    let bad_name = pb::RecordSet { owner: Bytes::from_static(b"\x03ab"), r#type: 1, data: vec![] };
    let bad_name = vec![pb::RecordSets { sets: vec![bad_name] }.encode_to_vec().into()];
    for (why, from, bodies, spoil, reason) in [
        ("checksum", at(5), &good, (|end| end.sha256 = vec![0; 32].into()) as Spoil, "checksum"),
        ("count", at(5), &good, |end| end.count = 2, "1 record sets arrived instead of 2"),
        ("base", at(3), &good, sound, "starts at"),
        ("encoding", at(5), &nonsense, sound, "cannot be decoded"),
        ("name", at(5), &bad_name, sound, "bad owner name"),
    ] {
        connection.transfer_with(pb::Resource::Records, at(6), Some(from), bodies, 1, spoil).await;
        let outcome = connection.outcome().await;
        assert_eq!((outcome.kind(), outcome.generation.map(Generation::from)), (Kind::Refused, Some(at(5))), "{why}");
        assert!(outcome.reason.contains(reason), "{why}: {}", outcome.reason);
        assert_eq!(ask(server, "www.lab.example").await, Some(1), "{why}");
        connection = publisher.accept().await;
        assert_eq!(connection.claims(pb::Resource::Records), None, "{why}: the base is not trusted");
        assert_eq!(connection.claims(pb::Resource::Settings), Some(at(1)), "{why}");
        connection.records(at(5), None, &[a("www.lab.example", 1)]).await;
        assert_eq!(connection.outcome().await.kind(), Kind::AlreadyServing);
    }

    // Another session starts its numbers anew.
    let restarted = Generation { session: 1, number: 1 };
    connection.records(restarted, None, &[a("www.lab.example", 9)]).await;
    assert_eq!(connection.outcome().await.kind(), Kind::Installed);
    assert_eq!(ask(server, "www.lab.example").await, Some(9));
    data_plane.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_come_and_go_and_a_failure_is_told_and_healed() {
    let dir = tempfile::tempdir().expect("folder");
    let (first, second) = (free_address(), free_address());
    let mut publisher = Publisher::start(&dir.path().join("feed.sock"));
    let data_plane = DataPlane::start(dir.path());
    let mut connection = publisher.accept().await;
    connection.settings(1, &[first]).await;
    connection.records(at(1), None, &[a("www.lab.example", 1)]).await;
    eventually(first, "www.lab.example", 1).await;

    let other = std::net::UdpSocket::bind(second).expect("in use");
    connection.settings(2, &[first, second]).await;
    let report = connection.report(|report| !report.listen_error.is_empty()).await;
    assert!(report.listen_error.contains(&format!("cannot listen on UDP {second}")), "{}", report.listen_error);
    assert!(report.listen_error.contains("in use"), "{}", report.listen_error);
    assert_eq!(ask(first, "www.lab.example").await, Some(1), "the one that works goes on");

    drop(other);
    connection.report(|report| report.listen_error.is_empty() && report.listening.len() == 4).await;
    eventually(second, "www.lab.example", 1).await;

    connection.settings(3, &[second]).await;
    connection.report(|report| report.listening == [format!("udp {second}"), format!("tcp {second}")]).await;
    assert_eq!(ask(second, "www.lab.example").await, Some(1));
    let begun = Instant::now();
    while ask(first, "www.lab.example").await.is_some() {
        assert!(begun.elapsed() < PATIENCE, "the old address is closed");
    }
    data_plane.stop().await;
}

/// A block list in two parts, of this name and what is below it.
fn block_list(name: &str) -> Vec<Bytes> {
    let mut packing = block_list::Packing::new(block_list::HashKey::default(), 1);
    packing.push(Name::parse(name).expect("a name").as_wire(), block_list::value(block_list::Scope::Whole, 0));
    let table = packing.finish();
    let depths = table.depths.to_le_bytes().to_vec().into();
    let list = pb::BlockList {
        sources: vec!["a list".to_owned()],
        combinations: vec![pb::Combination { sources: vec![0] }],
        blocked: Some(pb::NameTable { hashes: table.hashes, values: table.values, depths }),
        allowed: None,
        key: vec![0; 16].into(),
    };
    let mut first = Bytes::from(list.encode_to_vec());
    let second = first.split_off(first.len() / 2);
    vec![first, second]
}

/// One general server that nobody listens at.
fn upstreams(server: SocketAddr) -> Bytes {
    let server = pb::Server {
        name: "the server".to_owned(),
        address: server.to_string(),
        transport: pb::Transport::Udp.into(),
        ..pb::Server::default()
    };
    let upstream = pb::Upstream { server: Some(server), ..pb::Upstream::default() };
    pb::Upstreams { upstreams: vec![upstream], ..pb::Upstreams::default() }.encode_to_vec().into()
}

impl Connection {
    async fn ask(&mut self, id: u64, what: pb::command::What) -> pb::reply::What {
        self.send(Down::Command(pb::Command { id, what: Some(what) })).await;
        let reply = |message| if let Up::Reply(reply) = message { Some(reply) } else { None };
        let reply = self.until(reply).await;
        assert_eq!(reply.id, id);
        reply.what.expect("something")
    }

    async fn explain(&mut self, name: &str) -> pb::Explanation {
        let name = Bytes::copy_from_slice(Name::parse(name).expect("a name").as_wire());
        let question = pb::Explain { name, r#type: 1, client: String::new() };
        match self.ask(7, pb::command::What::Explain(question)).await {
            pb::reply::What::Explanation(explanation) => explanation,
            other => panic!("{other:?}"),
        }
    }

    async fn installed(&mut self, resource: pb::Resource, to: Generation, bodies: &[Bytes]) {
        self.transfer(resource, to, None, bodies, 1).await;
        let outcome = self.outcome().await;
        assert_eq!((outcome.kind(), outcome.resource()), (Kind::Installed, resource), "{}", outcome.reason);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn upstreams_and_block_lists_are_served_kept_and_refused_without_ado() {
    let dir = tempfile::tempdir().expect("folder");
    let (server, nobody) = (free_address(), free_address());
    let mut publisher = Publisher::start(&dir.path().join("feed.sock"));
    let data_plane = DataPlane::start(dir.path());
    let mut connection = publisher.accept().await;
    let mut knows = connection.hello.knows.clone();
    knows.sort_unstable();
    assert_eq!(knows, [1, 2, 3, 4]);
    connection.settings(1, &[server]).await;
    connection.records(at(1), None, &[a("www.lab.example", 1)]).await;
    assert_eq!(connection.outcome().await.kind(), Kind::Installed);
    eventually(server, "www.lab.example", 1).await;
    connection.installed(pb::Resource::Upstreams, at(1), &[upstreams(nobody)]).await;
    connection.installed(pb::Resource::BlockList, at(2), &block_list("ads.example")).await;
    eventually(server, "x.ads.example", 0).await;
    let report = connection.report(|report| !report.upstreams.is_empty()).await;
    assert_eq!(report.upstreams[0].name, "the server");

    // What makes no sense is refused; what was served is served on, and nobody asks for it again by himself.
    let nonsense = pb::Server { address: "nowhere".to_owned(), ..pb::Server::default() };
    let nonsense = pb::Upstreams { last_resort: Some(nonsense), ..pb::Upstreams::default() }.encode_to_vec().into();
    let no_table = pb::NameTable { hashes: Bytes::from_static(b"no table"), ..pb::NameTable::default() };
    let no_list = pb::BlockList { blocked: Some(no_table), ..pb::BlockList::default() };
    let no_list: Bytes = no_list.encode_to_vec().into();
    for (resource, generation, from, body) in [
        (pb::Resource::Upstreams, at(1), None, nonsense),
        (pb::Resource::BlockList, at(2), None, no_list.clone()),
        (pb::Resource::BlockList, at(2), Some(at(2)), no_list),
    ] {
        connection.transfer(resource, at(3), from, &[body], 1).await;
        let outcome = connection.outcome().await;
        assert_eq!((outcome.kind(), outcome.generation.map(Generation::from)), (Kind::Refused, Some(generation)));
    }
    assert_eq!(ask(server, "ads.example").await, Some(0), "on the same connection, too");

    let blocked = connection.explain("x.ads.example").await;
    assert_eq!((blocked.step.as_str(), blocked.rcode), ("blocked", 0));
    assert!(blocked.because.contains("a list") && blocked.because.contains("ads.example"), "{}", blocked.because);
    let local = connection.explain("www.lab.example").await;
    assert_eq!((local.step.as_str(), local.reply[7]), ("local", 1));
    let none = connection.explain("elsewhere.example").await;
    assert_eq!((none.step.as_str(), none.rcode), ("none", 2));
    assert!(none.because.contains("the server"), "asked for real: {}", none.because);
    let figures = connection.ask(8, pb::command::What::CacheFigures(pb::CacheFigures {})).await;
    assert!(matches!(figures, pb::reply::What::CacheState(state) if state.entries == 0));
    let bad = pb::CacheFlush { name: Bytes::from_static(b"\x05ab"), below: false };
    let bad = connection.ask(9, pb::command::What::CacheFlush(bad)).await;
    assert!(matches!(&bad, pb::reply::What::Failed(why) if why.contains("no name")), "{bad:?}");
    connection.send(Down::Command(pb::Command { id: 10, what: None })).await;
    let reply = connection.until(|message| if let Up::Reply(reply) = message { Some(reply) } else { None }).await;
    assert!(matches!(reply.what, Some(pb::reply::What::Failed(_))), "a command of a later version has a reply");

    drop((connection, publisher));
    data_plane.stop().await;
    let data_plane = DataPlane::start(dir.path());
    eventually(server, "ads.example", 0).await;
    let mut publisher = Publisher::start(&dir.path().join("feed.sock"));
    let mut connection = publisher.accept().await;
    assert_eq!(connection.claims(pb::Resource::Upstreams), Some(at(1)));
    assert_eq!(connection.claims(pb::Resource::BlockList), Some(at(2)));
    // No names: nothing is blocked any more.
    connection.installed(pb::Resource::BlockList, at(4), &[]).await;
    let explained = connection.explain("ads.example").await;
    assert_eq!(explained.step, "none", "{}", explained.because);
    data_plane.stop().await;
}
