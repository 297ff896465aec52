//! Replies to clients that waited: made by the same function as all replies, sent by the way their queries came.

use super::{Client, Datagram, Fetched, Wanted, WayBack};
use crate::{
    Asker, Cache, Cookies, Current, Known, Limiter, Outcome, Snapshot,
    counters::Counters,
    listen::batch::{Outlet, Post},
};
use std::sync::Arc;
use tokio::sync::mpsc::error::TrySendError;

/// What replies are made from.
#[derive(Clone)]
pub(super) struct Desk {
    pub(super) current: Arc<Current>,
    pub(super) cookies: Arc<Cookies>,
    pub(super) limiter: Arc<Limiter>,
    pub(super) cache: Arc<Cache>,
}

/// Replies that were written and not sent yet.
#[derive(Default)]
pub(super) struct Mail {
    datagrams: Vec<(Outlet, Post)>,
    /// Replies that connections had no room for.
    lost: usize,
}

/// What is known of what a client waited for.
pub(super) type News<'a> = (&'a Wanted, &'a Fetched);

impl Mail {
    /// Writes the reply, if there is one now.
    pub(super) fn reply(
        &mut self,
        desk: &Desk,
        snapshot: &Snapshot,
        client: &Client,
        news: News<'_>,
        now: u32,
    ) -> Outcome {
        let known = Known { cache: Some(&desk.cache), fetched: Some(news) };
        let Client { query, transport, address, way_back } = client;
        let asker = Asker { transport: *transport, address: *address, now, cookies: &desk.cookies, known };
        let answer = |reply: &mut Vec<u8>| desk.limiter.answer(query, &asker, snapshot, reply);
        match way_back {
            WayBack::Udp(Datagram { outlet, to }) => self.post(outlet).write(Some(to), answer),
            WayBack::Stream(connection) => {
                let mut reply = Vec::new();
                let outcome = answer(&mut reply);
                // One that is closed needs no reply.
                if !reply.is_empty() && matches!(connection.try_send(reply), Err(TrySendError::Full(_))) {
                    self.lost += 1;
                }
                outcome
            }
        }
    }

    /// Sends everything; returns how many replies were lost.
    pub(super) fn send(&mut self) -> usize {
        let mut lost = std::mem::take(&mut self.lost);
        self.datagrams.retain_mut(|(outlet, post)| {
            let written = post.len();
            // A socket that was closed is kept by nobody but us.
            let Some(socket) = outlet.socket() else { return false };
            if written > 0 {
                lost += post.send(&socket).unsent;
            }
            true
        });
        lost
    }

    fn post(&mut self, outlet: &Outlet) -> &mut Post {
        // As many as there are threads that answer.
        let at = self.datagrams.iter().position(|(other, _)| other.is(outlet)).unwrap_or_else(|| {
            self.datagrams.push((outlet.clone(), Post::default()));
            self.datagrams.len() - 1
        });
        &mut self.datagrams[at].1
    }
}

/// Counts what a client was told in the end; its query was counted when it came.
pub(super) fn count(counters: &Counters, outcome: &Outcome) {
    match outcome {
        Outcome::Replied(replied) | Outcome::ToRenew(replied, _) => counters.count_reply(*replied),
        Outcome::Withheld => counters.withheld.increment(),
        Outcome::Dropped => counters.dropped.increment(),
        Outcome::Unresolved(_) => {}
    }
}
