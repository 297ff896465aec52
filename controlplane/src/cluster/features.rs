//! What nodes of our kind add to the protocol, each agreed on separately when a connection is opened.

/// The names, in the order in which we list them.
pub(super) const NAMES: [&str; 5] = ["keep", "ack", "delta", "chunk", "relay"];

/// Features that both ends of a connection know. None is the plain protocol of existing nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Features {
    /// The connection stays open for everything that the dialling side wants; `ping` and `pong` carry the content hash.
    pub(super) keep: bool,
    /// Snapshots and differences are answered with what became of them.
    pub(super) ack: bool,
    /// Differences instead of snapshots, where both know what the receiver holds.
    pub(super) delta: bool,
    /// Snapshots of any size, in parts.
    pub(super) chunk: bool,
    /// What a peer's write made of our records is passed on, under the name of its writer.
    pub(super) relay: bool,
}

impl Features {
    /// Those of a list of names that we know, too.
    pub(super) fn agreed(names: &[String]) -> Self {
        let has = |name: &str| names.iter().any(|offered| offered == name);
        Self { keep: has("keep"), ack: has("ack"), delta: has("delta"), chunk: has("chunk"), relay: has("relay") }
    }

    /// Their names.
    pub(super) fn names(self) -> Vec<&'static str> {
        let Self { keep, ack, delta, chunk, relay } = self;
        let has = [keep, ack, delta, chunk, relay];
        NAMES.into_iter().zip(has).filter(|(_, has)| *has).map(|(name, _)| name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_one_side_knows_is_not_agreed() {
        let offered = ["delta", "ack", "teleport", "Keep"].map(str::to_owned);
        assert_eq!(Features::agreed(&offered).names(), ["ack", "delta"]);
        assert_eq!(Features::agreed(&NAMES.map(str::to_owned)).names(), NAMES);
        assert_eq!(Features::agreed(&[]), Features::default());
    }
}
