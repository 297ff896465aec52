//! Questions to servers that are asked over connections, and those that datagrams do not carry.

use super::{core::Core, fetches::Key, peers::Peer};
use crate::resolve::{
    exchange::ExchangeError,
    upstream::question::{self, Put},
};
use std::rc::Rc;
use tokio::task::spawn_local;

impl Core {
    /// Puts the question over a connection. However many wait, there is one task for each fetch and server, and fetches are
    /// bounded.
    pub(super) fn put_by_connection(&mut self, key: Key, peer: &Rc<Peer>) {
        let Some(fetch) = self.fetches.get(key) else { return };
        let deadline = fetch.deadline;
        // Nobody who is not on the way can forge what comes over a connection, so letters need no random case. The id is that
        // of the connection's own choice.
        let put = Put { id: 0, case: 0, edns: peer.health.reads_edns(), validates: fetch.validates };
        let mut query = Vec::new();
        question::write(&fetch.wanted, put, &mut query);
        peer.health.asked();
        let (core, peer, sent) = (self.me.clone(), peer.clone(), self.now);
        spawn_local(async move {
            let result = peer.client.exchange(&query, deadline).await;
            let Some(core) = core.upgrade() else { return };
            let mut core = core.borrow_mut();
            core.begin();
            match result {
                Ok(message) => core.heard_by_connection(key, &peer, put, sent, &message),
                // That is our own doing.
                Err(ExchangeError::Busy) => core.goes_on_without(key, &peer),
                Err(error) => core.fails(key, &peer, &crate::chain(&error)),
            }
            core.flush();
        });
    }
}
