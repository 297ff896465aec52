//! Nodes: a control plane and a data plane, in a folder and on ports of their own.

mod doors;

use crate::{
    clock::Clock,
    daemon::Daemon,
    dns::Question,
    http,
    ports::Ports,
    program::binary,
    record::Record,
    wait::{PATIENCE, within},
};
use serde_json::{Value, json};
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use tempfile::TempDir;

/// The cluster token of nodes that are not told another.
pub const TOKEN: &str = "token of the harness";

/// A node to be.
#[derive(Debug)]
pub struct Plan {
    node: Node,
}

/// A node: its folder, its ports and, while they run, its two daemons.
#[derive(Debug)]
pub struct Node {
    // Daemons come first: they are gone before their folder is.
    control: Option<Daemon>,
    data: Option<Daemon>,
    name: String,
    dir: TempDir,
    ports: Ports,
    config: Value,
    clock: Option<Clock>,
}

impl Plan {
    /// A node of this name, clustered but without peers, without records and without upstream servers.
    pub fn new(name: &str) -> Self {
        let dir = tempfile::Builder::new().prefix("dnsplane-").tempdir().expect("a temporary folder");
        let ports = Ports::reserve();
        let path = |file: &str| dir.path().join(file).to_string_lossy().into_owned();
        let config = json!({
            "port": ports.dns().port().to_string(),
            "dns_bind": "127.0.0.1",
            "api": true,
            "apiport": ports.api().port().to_string(),
            "api_bind": "127.0.0.1",
            "fallback_server_ip": "",
            "server_socket": path("dnsplane.sock"),
            "server_tcp": "",
            "feed_socket": path("feed.sock"),
            "file_locations": {"records_source": {"type": "file", "location": path("dnsrecords.json")}},
            "cluster_enabled": true,
            "cluster_listen_addr": ports.peer().to_string(),
            "cluster_auth_token": TOKEN,
            "cluster_node_id": name,
            "cluster_peers": [],
            "log": {"log_severity": "info"},
        });
        let mut node = Node { control: None, data: None, name: name.to_owned(), dir, ports, config, clock: None };
        node.configure(&json!({}));
        Self { node }
    }

    /// Changes settings: each key replaces the one of the template, `null` removes it.
    pub fn with(mut self, keys: &Value) -> Self {
        self.node.configure(keys);
        self
    }

    /// Knows these peers.
    pub fn peers(self, peers: &[SocketAddr]) -> Self {
        self.with(&json!({"cluster_peers": peers}))
    }

    /// Puts a file into the node's folder.
    pub fn file(self, name: &str, text: &str) -> Self {
        self.node.write(name, text);
        self
    }

    /// Makes a folder in the node's folder.
    pub fn folder(self, name: &str) -> Self {
        fs::create_dir(self.node.path(name)).expect("the node's folder is writable");
        self
    }

    /// Finds these records in its `dnsrecords.json` when it starts.
    pub fn records(self, records: &[Record]) -> Self {
        let list: Vec<_> = records.iter().map(Record::to_json).collect();
        self.file("dnsrecords.json", &json!({"records": list}).to_string())
    }

    /// Its control plane sees this clock, not the machine's.
    pub fn clock(mut self, clock: &Clock) -> Self {
        self.node.clock = Some(clock.clone());
        self
    }

    /// The node, with neither daemon started.
    pub fn prepare(self) -> Node {
        self.node
    }

    /// The node, with its control plane up.
    pub fn start_control(self) -> Node {
        let mut node = self.node;
        node.start_control();
        node.wait_healthy();
        node
    }

    /// The node, with both daemons up and the data plane following.
    pub fn start(self) -> Node {
        let mut node = self.node;
        node.start_control();
        node.start_data();
        node.wait_ready();
        node
    }
}

impl Node {
    /// A node of this name with the settings of the template.
    pub fn start(name: &str) -> Self {
        Plan::new(name).start()
    }

    /// Starts the control plane, without waiting for anything.
    pub fn start_control(&mut self) {
        let mut command = Command::new(binary("dnsplane-cluster"));
        command.arg("--config").arg(self.path("dnsplane.json")).env_remove("RUST_LOG").current_dir(self.dir.path());
        if let Some(clock) = &self.clock {
            clock.show_to(&mut command);
        }
        self.control = Some(Daemon::start(command, &self.path("control.log")));
    }

    /// Starts the data plane, without waiting for anything.
    pub fn start_data(&mut self) {
        let mut command = Command::new(binary("dnsplane-dns"));
        command.arg("--feed").arg(format!("unix:{}", self.path("feed.sock").display()));
        command.arg("--state").arg(self.path("dns-state")).env_remove("RUST_LOG").current_dir(self.dir.path());
        self.data = Some(Daemon::start(command, &self.path("data.log")));
    }

    /// The control plane.
    #[track_caller]
    pub fn control(&mut self) -> &mut Daemon {
        self.control.as_mut().expect("the control plane was started")
    }

    /// The data plane.
    #[track_caller]
    pub fn data(&mut self) -> &mut Daemon {
        self.data.as_mut().expect("the data plane was started")
    }

    /// Waits until the REST API answers.
    #[track_caller]
    pub fn wait_healthy(&mut self) {
        self.eventually("the control plane answers /health", |node| {
            if let Some(status) = node.control.as_mut().and_then(Daemon::ended) {
                return Err(format!("it has ended: {status}"));
            }
            let reply = http::request(node.api(), "GET", "/health", None).map_err(|error| error.to_string())?;
            if reply.status == 200 { Ok(()) } else { Err(format!("{reply:?}")) }
        });
    }

    /// Waits until the node says that it is ready, and answers a question (with anything).
    #[track_caller]
    pub fn wait_ready(&mut self) {
        self.wait_healthy();
        self.eventually("the node is ready", |node| {
            let reply = http::request(node.api(), "GET", "/ready", None).map_err(|error| error.to_string())?;
            if reply.status != 200 {
                return Err(format!("{reply:?}"));
            }
            Question::new("ready.invalid", "A").udp(node.dns()).map(|_| ()).map_err(|error| error.to_string())
        });
    }

    /// Waits until `probe` returns `Ok`; failing that, shows what it last saw and the ends of both logs.
    #[track_caller]
    pub fn eventually<T>(&mut self, what: &str, mut probe: impl FnMut(&mut Self) -> Result<T, String>) -> T {
        match within(PATIENCE, || probe(self)) {
            Ok(value) => value,
            Err(seen) => panic!("{what}: not within {PATIENCE:?}; last saw: {seen}\n{}", self.logs()),
        }
    }

    /// The ends of both logs.
    pub fn logs(&self) -> String {
        let tail = |daemon: &Option<Daemon>| daemon.as_ref().map_or_else(|| "(not started)".to_owned(), Daemon::tail);
        let Self { name, control, data, .. } = self;
        format!("--- control plane of {name}:\n{}\n--- data plane of {name}:\n{}", tail(control), tail(data))
    }

    /// Changes settings on disk: each key replaces the one there, `null` removes it.
    pub fn configure(&mut self, keys: &Value) {
        let object = self.config.as_object_mut().expect("settings are an object");
        for (key, value) in keys.as_object().expect("settings are an object") {
            match value {
                Value::Null => drop(object.remove(key)),
                value => drop(object.insert(key.clone(), value.clone())),
            }
        }
        self.write("dnsplane.json", &format!("{:#}\n", self.config));
    }

    /// Its name, which is its node id unless it was given another.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its settings.
    pub fn config(&self) -> &Value {
        &self.config
    }

    /// Its folder.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A file of its folder.
    pub fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join(file)
    }

    /// Writes a file into its folder.
    pub fn write(&self, file: &str, text: &str) {
        fs::write(self.path(file), text).expect("the node's folder is writable");
    }

    /// Where it answers questions.
    pub fn dns(&self) -> SocketAddr {
        self.ports.dns()
    }

    /// Where it answers REST requests.
    pub fn api(&self) -> SocketAddr {
        self.ports.api()
    }

    /// Where its peers connect.
    pub fn peer(&self) -> SocketAddr {
        self.ports.peer()
    }
}

/// SIGTERM must be over by then.
pub const TERMINATION_LIMIT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_merged_and_null_removes() {
        let node = Plan::new("x").with(&json!({"port": "5300", "api": null, "own": [1]})).prepare();
        let written: Value = serde_json::from_str(&fs::read_to_string(node.path("dnsplane.json")).unwrap()).unwrap();
        assert_eq!((&written["port"], &written["own"]), (&json!("5300"), &json!([1])));
        assert!(written.get("api").is_none());
    }
}
