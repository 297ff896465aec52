//! Several nodes that know each other.

use crate::node::{Node, Plan};
use serde_json::{Value, json};

/// Nodes that all know each other.
#[derive(Debug)]
pub struct Cluster {
    /// The nodes: `a`, `b`, `c` …
    pub nodes: Vec<Node>,
}

impl Cluster {
    /// Starts nodes that push to each other.
    pub fn start(count: usize) -> Self {
        Self::start_with(count, &json!({}))
    }

    /// The same, with settings changed on all of them.
    pub fn start_with(count: usize, keys: &Value) -> Self {
        let mut cluster = Self::prepare(count, keys);
        for node in &mut cluster.nodes {
            node.start_control();
            node.start_data();
        }
        cluster.nodes.iter_mut().for_each(Node::wait_ready);
        cluster
    }

    /// The same, with nothing started.
    pub fn prepare(count: usize, keys: &Value) -> Self {
        let name = |number: usize| char::from(b'a' + number as u8).to_string();
        let mut nodes: Vec<_> = (0..count).map(|number| Plan::new(&name(number)).with(keys).prepare()).collect();
        let addresses: Vec<_> = nodes.iter().map(Node::peer).collect();
        for (number, node) in nodes.iter_mut().enumerate() {
            let others: Vec<_> = addresses.iter().enumerate().filter(|(other, _)| *other != number).collect();
            node.configure(&json!({"cluster_peers": others.iter().map(|(_, peer)| peer).collect::<Vec<_>>()}));
        }
        Self { nodes }
    }

    /// The two nodes of a pair.
    #[track_caller]
    pub fn pair(&mut self) -> (&mut Node, &mut Node) {
        match &mut self.nodes[..] {
            [a, b] => (a, b),
            nodes => panic!("{} nodes are not a pair", nodes.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_of_a_cluster_know_the_others_and_not_themselves() {
        let cluster = Cluster::prepare(3, &json!({"cluster_sync_interval_seconds": 1}));
        for node in &cluster.nodes {
            let peers = node.config()["cluster_peers"].as_array().unwrap();
            assert_eq!(peers.len(), 2);
            assert!(!peers.contains(&json!(node.peer())));
        }
    }
}
