//! Nodes in a shape, every link of which can be cut and slowed: nodes know each other through proxies only.

use crate::{
    node::{Node, Plan},
    proxy::Proxy,
    wait::eventually,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fmt, time::Duration};

/// Who knows whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Each knows every other.
    Mesh,
    /// Each knows the one before and the one after.
    Line,
    /// All know the first, which knows all.
    Star,
}

impl Shape {
    /// Pairs that know each other, the smaller number first.
    pub fn pairs(self, count: usize) -> Vec<(usize, usize)> {
        let all = (0..count).flat_map(|a| (a + 1..count).map(move |b| (a, b)));
        all.filter(|(a, b)| match self {
            Self::Mesh => true,
            Self::Line => b - a == 1,
            Self::Star => *a == 0,
        })
        .collect()
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mesh => "mesh",
            Self::Line => "line",
            Self::Star => "star",
        })
    }
}

/// The nodes and the links between them.
#[derive(Debug)]
pub struct Net {
    /// The nodes: `a`, `b`, `c` …
    pub nodes: Vec<Node>,
    links: BTreeMap<(usize, usize), Proxy>,
}

impl Net {
    /// Nodes in this shape with these settings, nothing started.
    pub fn prepare(count: usize, shape: Shape, keys: &Value) -> Self {
        Self::of((0..count).map(|number| Plan::new(&name(number)).with(keys)).collect(), shape)
    }

    /// The same, made from plans of one's own.
    pub fn of(plans: Vec<Plan>, shape: Shape) -> Self {
        let mut nodes: Vec<_> = plans.into_iter().map(Plan::prepare).collect();
        let pairs = shape.pairs(nodes.len());
        let directed = pairs.iter().flat_map(|(a, b)| [(*a, *b), (*b, *a)]);
        let links: BTreeMap<_, _> = directed.map(|(from, to)| ((from, to), Proxy::to(nodes[to].peer()))).collect();
        for (number, node) in nodes.iter_mut().enumerate() {
            let own = links.iter().filter(|((from, _), _)| *from == number);
            let peers: Vec<_> = own.map(|(_, proxy)| proxy.address()).collect();
            node.configure(&json!({"cluster_peers": peers}));
        }
        Self { nodes, links }
    }

    /// Starts every control plane and waits until each answers.
    pub fn start_control(&mut self) {
        self.nodes.iter_mut().for_each(Node::start_control);
        self.nodes.iter_mut().for_each(Node::wait_healthy);
    }

    /// The link by which one node dials another.
    #[track_caller]
    pub fn link(&self, from: usize, to: usize) -> &Proxy {
        self.links.get(&(from, to)).unwrap_or_else(|| panic!("{} does not dial {}", name(from), name(to)))
    }

    /// Pairs that know each other.
    pub fn pairs(&self) -> Vec<(usize, usize)> {
        self.links.keys().filter(|(a, b)| a < b).copied().collect()
    }

    /// Does something to the links of a pair, whoever dials.
    pub fn both(&self, (a, b): (usize, usize), deed: impl Fn(&Proxy)) {
        deed(self.link(a, b));
        deed(self.link(b, a));
    }

    /// Cuts a node's every link.
    pub fn isolate(&self, node: usize) {
        self.links.iter().filter(|((a, b), _)| [*a, *b].contains(&node)).for_each(|(_, proxy)| proxy.cut());
    }

    /// Every link as good as new.
    pub fn heal(&self) {
        self.links.values().for_each(Proxy::heal);
    }

    /// The content hash of each node.
    pub fn hashes(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.cluster_status()["content_hash"].to_string()).collect()
    }

    /// Waits until all nodes hold the same records; returns their hash.
    #[track_caller]
    pub fn eventually_agree(&self, what: &str, limit: Duration) -> String {
        eventually(&format!("{what}: all nodes agree"), limit, || {
            let hashes = self.hashes();
            if hashes.iter().all(|hash| *hash == hashes[0]) {
                Ok(hashes[0].clone())
            } else {
                Err(format!("{hashes:?}"))
            }
        })
    }
}

/// The name of a node by its number.
fn name(number: usize) -> String {
    char::from(b'a' + number as u8).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_connect_all_nodes_with_as_few_or_as_many_links_as_they_should() {
        for (shape, pairs) in [(Shape::Mesh, 10), (Shape::Line, 4), (Shape::Star, 4)] {
            assert_eq!(shape.pairs(5).len(), pairs, "{shape}");
        }
        assert_eq!(Shape::Line.pairs(3), [(0, 1), (1, 2)]);
        assert_eq!(Shape::Star.pairs(3), [(0, 1), (0, 2)]);
    }

    #[test]
    fn nodes_know_their_neighbours_through_proxies_only() {
        let net = Net::prepare(3, Shape::Line, &json!({}));
        let peers = |number: usize| net.nodes[number].config()["cluster_peers"].clone();
        assert_eq!(peers(0), json!([net.link(0, 1).address()]));
        assert_eq!(peers(1), json!([net.link(1, 0).address(), net.link(1, 2).address()]));
        assert_eq!(net.pairs(), [(0, 1), (1, 2)]);
    }
}
