//! What happens to a cluster: writes, restarts, links that come and go.

use crate::ledger::Ledger;
use dnsplane_tests::{BOTH, Net, Node, Proxy, Random, Record, node::TERMINATION_LIMIT};
use std::{collections::BTreeMap, fmt};

/// Octets per second on a slowed link.
const SLOW: u64 = 2_000;

/// Chance, and what it has done so far.
pub(crate) struct Fate {
    random: Random,
    writers: Vec<usize>,
    ledger: Ledger,
    done: BTreeMap<&'static str, usize>,
    names: usize,
}

impl Fate {
    /// Lets these nodes be written to.
    pub(crate) fn new(seed: u64, writers: &[usize]) -> Self {
        let ledger = Ledger::new(writers.iter().max().map_or(0, |last| last + 1));
        Self { random: Random::new(seed), writers: writers.to_vec(), ledger, done: BTreeMap::new(), names: 0 }
    }

    /// Where chance began.
    pub(crate) fn seed(&self) -> u64 {
        self.random.seed()
    }

    /// How often what happened.
    pub(crate) fn summary(&self) -> impl fmt::Debug {
        self.done.clone()
    }

    /// What was acknowledged.
    pub(crate) fn into_ledger(self) -> Ledger {
        self.ledger
    }

    /// One thing happens.
    #[track_caller]
    pub(crate) fn step(&mut self, net: &mut Net) {
        let deed = match self.random.within(0..100) {
            0..70 => self.write(net),
            70..80 => self.on_a_pair(net, Proxy::cut, "cuts"),
            80..83 => self.on_a_pair(net, Proxy::silence, "silenced links"),
            83..86 => {
                self.on_a_pair(net, |link| BOTH.into_iter().for_each(|way| link.throttle(way, SLOW)), "slowed links")
            }
            86..94 => self.on_a_pair(net, Proxy::heal, "mended links"),
            94..97 => self.restart(net, true),
            _ => self.restart(net, false),
        };
        *self.done.entry(deed).or_default() += 1;
    }

    fn write(&mut self, net: &mut Net) -> &'static str {
        let number = *self.random.one_of(&self.writers);
        let node = &net.nodes[number];
        let own = self.ledger.names(number);
        match self.random.within(0..10) {
            0..2 if !own.is_empty() => {
                let name = self.random.one_of(&own).clone();
                self.ledger.delete(node, number, &name);
                "deletions"
            }
            2..4 if !own.is_empty() => {
                let name = self.random.one_of(&own).clone();
                let address = format!("198.51.100.{}", self.random.within(1..255));
                self.ledger.update(node, number, &name, &address);
                "updates"
            }
            _ => {
                self.names += 1;
                let address = format!("192.0.2.{}", self.random.within(1..255));
                let record = Record::a(&format!("n{}-{}.example", self.names, node.name()), &address);
                self.ledger.add(node, number, &record);
                "additions"
            }
        }
    }

    fn on_a_pair(&mut self, net: &Net, deed: impl Fn(&Proxy), what: &'static str) -> &'static str {
        let pair = *self.random.one_of(&net.pairs());
        net.both(pair, deed);
        what
    }

    fn restart(&mut self, net: &mut Net, kindly: bool) -> &'static str {
        let number = self.random.within(0..net.nodes.len() as u64) as usize;
        let node: &mut Node = &mut net.nodes[number];
        if kindly {
            let ended = node.control().terminate(TERMINATION_LIMIT);
            assert!(ended.is_some_and(|status| status.success()), "it ends with {ended:?}\n{}", node.logs());
        } else {
            node.control().kill();
        }
        node.start_control();
        node.wait_healthy();
        if kindly { "restarts" } else { "kills" }
    }
}
