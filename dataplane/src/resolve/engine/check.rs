//! Answers that nobody gets before they were found to be what their zone signed.

use super::{
    Wanted,
    core::Core,
    fetches::{Key, Waiter},
    peers::Peer,
};
use crate::resolve::{
    Failure,
    cache::About,
    validate::{Bogus, Validator, Verdict},
};
use dnsplane_proto::Validation;
use std::{
    cell::RefCell,
    rc::{Rc, Weak},
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};
use tokio::{sync::oneshot, task::spawn_local, time::timeout_at};
use tracing::debug;

/// Who validates, for all threads: what it has found out about one zone, nobody needs to find out again.
#[derive(Default)]
pub(super) struct Court {
    sits: Mutex<Option<(Arc<Validation>, Arc<Validator>)>>,
}

impl Court {
    /// Who validates by these rules.
    pub(super) fn under(&self, rules: &Arc<Validation>) -> Arc<Validator> {
        let mut sits = self.sits.lock().unwrap_or_else(PoisonError::into_inner);
        match &*sits {
            Some((known, validator)) if known == rules => validator.clone(),
            _ => sits.insert((rules.clone(), Arc::new(Validator::new(rules)))).1.clone(),
        }
    }
}

impl Core {
    /// Has the message validated, and goes on with it when that is done. Other messages may arrive meanwhile, and be validated, too.
    pub(super) fn validate(&mut self, key: Key, peer: &Rc<Peer>, validator: &Arc<Validator>, message: &[u8]) {
        let Some(fetch) = self.fetches.get(key) else { return };
        let (wanted, deadline) = (fetch.wanted.clone(), fetch.deadline);
        // Whoever was asked has answered; it is not its fault that this takes longer.
        fetch.hedge_at = deadline;
        let (me, peer, validator, message) = (self.me.clone(), peer.clone(), validator.clone(), message.to_vec());
        spawn_local(async move {
            let further = |wanted| further(&me, wanted, deadline);
            let judged = validator.validate(&wanted, &message, crate::listen::now(), further);
            // Should it take too long, the fetch ends by itself.
            let Ok(judged) = timeout_at(deadline.into(), judged).await else { return };
            let Some(core) = me.upgrade() else { return };
            let mut core = core.borrow_mut();
            core.begin();
            core.judged(key, &peer, &wanted, &message, judged);
            core.flush();
        });
    }

    fn judged(&mut self, key: Key, peer: &Rc<Peer>, wanted: &Wanted, message: &[u8], judged: Result<Verdict, Bogus>) {
        match judged {
            Ok(Verdict { security, at_most }) => {
                let about = About { security, at_most, ..self.about(peer) };
                self.keep(key, peer, wanted, message, &about);
            }
            Err(bogus) => {
                debug!(server = peer.server.name, %bogus, "an answer is not what its zone signed");
                let Some(fetch) = self.fetches.get(key) else { return };
                fetch.bogus = Some(bogus.code);
                // Perhaps the servers lie, perhaps the zone is broken. Another server may know better.
                peer.health.failed_to_resolve();
                self.goes_on_without(key, peer);
            }
        }
    }
}

/// What validating needs beside the answer.
fn further(
    core: &Weak<RefCell<Core>>,
    wanted: Wanted,
    deadline: Instant,
) -> impl Future<Output = Result<Vec<u8>, Failure>> + use<> {
    let (teller, told) = oneshot::channel();
    if let Some(core) = core.upgrade() {
        let mut core = core.borrow_mut();
        core.begin();
        core.join(wanted, Some(Waiter::Message(teller)), deadline);
        core.flush();
    }
    async move { told.await.unwrap_or(Err(Failure::Busy)) }
}
