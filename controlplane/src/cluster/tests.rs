//! Claims about whole nodes, over loopback: real stores, real sockets, and a stand-in for an existing node.

mod conflicts;
mod convergence;
mod dialogue;
mod operation;
mod ours;
mod plain;

use super::*;
use crate::{
    config::{InvalidRecords, SyncPolicy},
    store::{Edit, NewRecord, Opening, Selection},
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const TOKEN: &str = "shared-secret";
/// Far more than anything here takes; only a failing test waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

/// A control plane's store and cluster, in a folder of its own.
struct Node {
    cluster: Cluster,
    store: Store,
    settings: watch::Sender<Arc<Settings>>,
    keeper: tokio::task::JoinHandle<()>,
    shutdown: CancellationToken,
    folder: TempDir,
}

/// Settings of a node with this id that listens on any free port.
fn settings(node_id: &str) -> Settings {
    Settings {
        enabled: true,
        listen: "127.0.0.1:0".parse().unwrap(),
        token: Secret::new(TOKEN),
        node_id: Some(node_id.to_owned()),
        ..Settings::default()
    }
}

/// An address that is free now, for nodes that others must know before they start.
fn free_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

impl Node {
    async fn start(settings: Settings) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), settings).await
    }

    async fn start_in(folder: TempDir, settings: Settings) -> Self {
        let shutdown = CancellationToken::new();
        let state = State::read(folder.path());
        let opening = Opening {
            folder: folder.path().join("store"),
            records_file: folder.path().join("dnsrecords.json"),
            pretty: false,
            seed: state.as_ref().map(State::seed).unwrap_or_default(),
        };
        // The writer of a stopped node gives its lock up a moment later.
        let deadline = Instant::now() + PATIENCE;
        let (store, keeper) = loop {
            match Store::open(opening.clone(), shutdown.clone()) {
                Err(crate::store::OpenError::Locked { .. }) if Instant::now() < deadline => {
                    sleep(Duration::from_millis(2)).await
                }
                opened => break opened.unwrap(),
            }
        };
        let (settings, receiver) = watch::channel(Arc::new(settings));
        let place = folder.path().to_owned();
        let cluster = Cluster::start(receiver, state, store.clone(), place, shutdown.clone());
        let node = Self { cluster, store, settings, keeper, shutdown, folder };
        if node.settings.borrow().enabled && node.cluster.status().state_error.is_none() {
            node.until("listening", |node| !node.cluster.status().listening.is_empty()).await;
        }
        node
    }

    /// Stops it and hands back its folder, to be started in again.
    async fn stop(self) -> TempDir {
        let Self { cluster, store, keeper, shutdown, folder, .. } = self;
        shutdown.cancel();
        cluster.stopped().await;
        drop((cluster, store));
        keeper.await.unwrap();
        folder
    }

    fn change(&self, change: impl FnOnce(&mut Settings)) {
        self.settings.send_modify(|settings| change(Arc::make_mut(settings)));
    }

    fn address(&self) -> SocketAddr {
        self.cluster.status().listening[0]
    }

    async fn add(&self, name: &str) {
        let new = NewRecord {
            name: name.to_owned(),
            kind: "A".to_owned(),
            value: "192.0.2.1".to_owned(),
            ..NewRecord::default()
        };
        assert!(self.store.edit(Edit::Add(new), "test").await.unwrap().changed);
    }

    async fn remove(&self, name: &str) {
        let selection = Selection { name: Some(name.to_owned()), ..Selection::default() };
        assert!(self.store.edit(Edit::Remove(selection), "test").await.unwrap().changed);
    }

    /// Names held, sorted.
    fn names(&self) -> Vec<String> {
        let view = self.store.view();
        let mut names: Vec<String> = view.records.iter().map(|row| row.record.name().to_owned()).collect();
        names.sort();
        names
    }

    fn status(&self) -> Value {
        serde_json::to_value(self.cluster.status()).unwrap()
    }

    /// Waits for a condition, and says how things stood when it never came.
    async fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !condition(self) {
            let status = self.status();
            assert!(Instant::now() < deadline, "never {what}; holds {:?}; {status:#}", self.names());
            sleep(Duration::from_millis(2)).await;
        }
    }

    async fn until_it_holds(&self, names: &[&str]) {
        self.until(&format!("{names:?}"), |node| node.names() == names).await;
    }

    /// Waits until every peer has been probed, pulled from and told what there is to tell.
    async fn until_peers_confirmed(&self) {
        self.until("confirmed by every peer", |node| {
            let seq = node.store.view().own.seq;
            let status = node.cluster.status();
            status.peers.iter().flatten().all(|peer| peer.acknowledged_seq == Some(seq))
        })
        .await;
    }
}

/// A client or server of the plain protocol, as existing nodes are.
struct Plain(TcpStream);

impl Plain {
    async fn connect(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    /// Connects and authenticates as an existing node does.
    async fn join(address: SocketAddr) -> Self {
        let mut plain = Self::connect(address).await;
        plain.say(r#"{"type":"auth","token":"shared-secret"}"#).await;
        plain.hears(r#"{"type":"auth_ok"}"#).await;
        plain
    }

    async fn say(&mut self, text: &str) {
        self.0.write_all(&frame::encode(text.as_bytes())).await.unwrap();
    }

    /// The next frame; `None` when the connection is closed.
    async fn hear(&mut self) -> Option<String> {
        let mut prefix = [0; 4];
        timeout(PATIENCE, self.0.read_exact(&mut prefix)).await.expect("an answer").ok()?;
        let mut body = vec![0; u32::from_be_bytes(prefix) as usize];
        timeout(PATIENCE, self.0.read_exact(&mut body)).await.expect("the rest of it").ok()?;
        Some(String::from_utf8(body).unwrap())
    }

    async fn hears(&mut self, expected: &str) {
        assert_eq!(self.hear().await.as_deref(), Some(expected));
    }

    async fn hears_nothing_more(&mut self) {
        assert_eq!(self.hear().await, None);
    }

    /// Nothing is answered to what was said, and the connection still works.
    async fn hears_only_pong(&mut self) {
        self.say(r#"{"type":"ping"}"#).await;
        self.hears(r#"{"type":"pong"}"#).await;
    }

    /// Offers a snapshot and waits until it is dealt with.
    async fn offer(&mut self, node_id: &str, seq: u64, names: &[&str]) {
        self.say(&snapshot_of(node_id, seq, names)).await;
        self.hears_only_pong().await;
    }
}

fn snapshot_of(node_id: &str, seq: u64, names: &[&str]) -> String {
    let record = |name: &&str| format!(r#"{{"name":"{name}","type":"A","value":"192.0.2.1","ttl":60}}"#);
    let records = names.iter().map(record).collect::<Vec<_>>().join(",");
    format!(
        r#"{{"type":"records_full","node_id":"{node_id}","seq":{seq},"timestamp_unix":1790000000,"records":[{records}]}}"#
    )
}
