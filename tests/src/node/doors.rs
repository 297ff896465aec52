//! The doors of a node: REST, DNS and `dnsplanectl`. A request that gets no reply fails the test with the node's logs.

use super::Node;
use crate::{
    dns::{Question, Reply},
    http,
    program::{self, Ended, binary},
    record::Record,
};
use serde_json::Value;
use std::{net::SocketAddr, process::Command};

/// REST.
impl Node {
    /// A request that must get a reply.
    #[track_caller]
    pub fn request(&self, method: &str, path: &str, body: Option<&Value>) -> http::Reply {
        http::request(self.api(), method, path, body)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}\n{}", self.logs()))
    }

    /// Adds a record; it is acknowledged when this returns.
    #[track_caller]
    pub fn add(&self, record: &Record) {
        let reply = self.request("POST", "/dns/records", Some(&record.to_json()));
        assert_eq!(reply.status, 201, "{record}: {reply:?}\n{}", self.logs());
    }

    /// Replaces or adds a record.
    #[track_caller]
    pub fn update(&self, body: &Value) {
        let reply = self.request("PUT", "/dns/records", Some(body));
        assert_eq!(reply.status, 200, "{body}: {reply:?}\n{}", self.logs());
    }

    /// Deletes the only record of a name.
    #[track_caller]
    pub fn delete(&self, name: &str) {
        let reply = self.request("DELETE", &format!("/dns/records?name={name}"), None);
        assert_eq!(reply.status, 200, "{name}: {reply:?}\n{}", self.logs());
    }

    /// Its records, sorted.
    #[track_caller]
    pub fn records(&self) -> Vec<Record> {
        Record::list(&self.record_objects())
    }

    /// Its records as REST gives them.
    #[track_caller]
    pub fn record_objects(&self) -> Value {
        let reply = self.request("GET", "/dns/records", None);
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()["records"].take()
    }

    /// Its `cluster` object.
    #[track_caller]
    pub fn cluster_status(&self) -> Value {
        let reply = self.request("GET", "/stats/dashboard/data", None);
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()["cluster"].take()
    }

    /// What its status says about one peer.
    #[track_caller]
    pub fn peer_status(&self, peer: SocketAddr) -> Value {
        let cluster = self.cluster_status();
        let peers = cluster["peers"].as_array().cloned().unwrap_or_default();
        let found = peers.into_iter().find(|entry| entry["address"] == peer.to_string());
        found.unwrap_or_else(|| panic!("no peer {peer} in {cluster}"))
    }
}

/// Questions.
impl Node {
    /// Asks its data plane over UDP.
    #[track_caller]
    pub fn ask(&self, name: &str, kind: &str) -> Reply {
        let reply = Question::new(name, kind).udp(self.dns());
        reply.unwrap_or_else(|error| panic!("{name} {kind}: {error}\n{}", self.logs()))
    }

    /// Waits until its answers to a question have exactly these values; none at all means no answer of any kind.
    #[track_caller]
    pub fn eventually_answers(&mut self, name: &str, kind: &str, values: &[&str]) {
        let mut expected: Vec<String> = values.iter().map(ToString::to_string).collect();
        expected.sort();
        self.eventually(&format!("{} answers {name} {kind} with {values:?}", self.name.clone()), |node| {
            let reply = Question::new(name, kind).udp(node.dns()).map_err(|error| error.to_string())?;
            if reply.values() == expected { Ok(()) } else { Err(reply.summary()) }
        });
    }
}

/// `dnsplanectl`.
impl Node {
    /// Runs `dnsplanectl` against this node.
    pub fn ctl(&self, arguments: &[&str]) -> Ended {
        self.ctl_with_input(arguments, "")
    }

    /// Runs `dnsplanectl` against this node with something on its standard input.
    pub fn ctl_with_input(&self, arguments: &[&str], input: &str) -> Ended {
        let mut command = Command::new(binary("dnsplanectl"));
        command.arg("--socket").arg(self.path("dnsplane.sock")).args(arguments);
        command.env_remove("DNSPLANE_SOCKET").env_remove("RUST_LOG");
        program::run(command, input)
    }

    /// What peers' snapshots overwrote here and which were refused, newest first, told or not.
    #[track_caller]
    pub fn conflicts(&self) -> Vec<Value> {
        let text = self.ctl(&["--json", "cluster", "conflicts", "--all"]).success();
        let list: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        list.as_array().unwrap_or_else(|| panic!("conflicts are not a list: {text}")).clone()
    }

    /// What `dnsplanectl --json server status` says.
    #[track_caller]
    pub fn server_status(&self) -> Value {
        self.try_server_status().unwrap_or_else(|seen| panic!("{seen}\n{}", self.logs()))
    }

    /// What status says of the place that records come from.
    #[track_caller]
    pub fn records_source(&self) -> Value {
        self.server_status()["records_source"].take()
    }

    /// Number of the records' generation.
    #[track_caller]
    pub fn generation(&self) -> u64 {
        let status = self.server_status();
        status["generation"]["number"].as_u64().unwrap_or_else(|| panic!("no generation: {status}"))
    }

    /// What the control plane says about its only data plane.
    pub fn data_plane_status(&self) -> Result<Value, String> {
        let mut status = self.try_server_status()?;
        match status["data_planes"].as_array_mut().map(Vec::as_mut_slice) {
            Some([only]) => Ok(only.take()),
            _ => Err(format!("not one data plane: {status}")),
        }
    }

    fn try_server_status(&self) -> Result<Value, String> {
        let ended = self.ctl(&["--json", "server", "status"]);
        serde_json::from_str(&ended.stdout).map_err(|_| format!("server status: {ended:?}"))
    }
}
