//! Questions to servers that are asked over connections.

use super::{core::Core, fetches::Key, peers::Peer};
use std::rc::Rc;

impl Core {
    /// Puts the question over a connection.
    pub(super) fn put_by_connection(&mut self, key: Key, peer: &Rc<Peer>) {
        self.fails(key, peer, "it would have to be asked over a connection, which this build cannot");
    }
}
