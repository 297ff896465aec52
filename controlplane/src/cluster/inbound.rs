//! What strangers and peers did at our door: counted, with the last reason of each kind, never a log line each.

use super::offer::Outcome;
use crate::record::Time;
use serde::Serialize;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tracing::warn;

/// Senders shown. Those heard of longest ago make room.
const MAX_SENDERS: usize = 256;

/// Authentication failures are logged this far apart; the others are counted.
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// The counters, shared by all connections.
#[derive(Debug, Default)]
pub(super) struct Inbound {
    counts: Mutex<Counts>,
    /// When an authentication failure was last logged.
    told: Mutex<Option<Instant>>,
}

/// What status shows of them.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Counts {
    /// Connections open now.
    pub connections: usize,
    /// Those of them that have shown our token.
    pub authenticated: usize,
    /// Connections turned away because too many were open.
    pub turned_away: u64,
    /// Connections that did not authenticate.
    pub auth_failures: u64,
    /// The last of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_auth_failure: Option<Incident>,
    /// Frames that could not be read, refused whole.
    pub bad_frames: u64,
    /// The last of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_bad_frame: Option<Incident>,
    /// Senders of snapshots, pushed or pulled, by node id.
    pub peers: BTreeMap<String, Sender>,
}

/// Something that went wrong at the door.
#[derive(Clone, Debug, Serialize)]
pub struct Incident {
    /// The other side's address.
    pub from: String,
    /// When.
    pub at: String,
    /// What was wrong.
    pub reason: String,
}

/// How a sender's snapshots fared.
#[derive(Clone, Debug, Serialize)]
pub struct Sender {
    /// Sequence of the last snapshot.
    pub seq: u64,
    /// Sequence of the last one applied by this process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied: Option<u64>,
    /// `applied`, `duplicate` or `refused`.
    pub last_verdict: &'static str,
    /// Why the last refused one was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_refusal: Option<String>,
    /// When the last one came.
    pub at: String,
}

impl Incident {
    fn new(from: impl ToString, reason: String) -> Self {
        Self { from: from.to_string(), at: Time::now().to_string(), reason }
    }
}

impl Inbound {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For status.
    pub(super) fn snapshot(&self) -> Counts {
        self.counts().clone()
    }

    /// A connection is there; it counts as long as the guard lives.
    pub(super) fn connected(&self) -> Presence<'_> {
        self.counts().connections += 1;
        Presence { inbound: self, authenticated: false }
    }

    /// One too many.
    pub(super) fn turned_away(&self) {
        self.counts().turned_away += 1;
    }

    /// A connection did not authenticate. Logged now and then: strangers must not fill a disk.
    pub(super) fn auth_failed(&self, from: SocketAddr, reason: &str) {
        let mut counts = self.counts();
        counts.auth_failures += 1;
        counts.last_auth_failure = Some(Incident::new(from, reason.to_owned()));
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|at| at.elapsed() >= TELL_AGAIN) {
            *told = Some(Instant::now());
            warn!(%from, reason, "somebody did not authenticate (further failures within a minute are only counted)");
        }
    }

    /// A frame could not be read; nothing of it was applied (R8).
    pub(super) fn bad_frame(&self, from: impl ToString, reason: &dyn std::fmt::Display) {
        let mut counts = self.counts();
        counts.bad_frames += 1;
        let reason = reason.to_string().chars().take(300).collect();
        counts.last_bad_frame = Some(Incident::new(from, reason));
    }

    /// Whether this sender's last snapshot was not refused for this very reason.
    pub(super) fn refusal_is_news(&self, sender: &str, reason: &str) -> bool {
        self.counts().peers.get(sender).is_none_or(|known| known.last_refusal.as_deref() != Some(reason))
    }

    /// A snapshot has been judged.
    pub(super) fn judged(&self, sender: &str, seq: u64, outcome: &Outcome) {
        let mut counts = self.counts();
        let last = counts.peers.remove(sender);
        if counts.peers.len() >= MAX_SENDERS {
            let oldest = counts.peers.iter().min_by(|a, b| a.1.at.cmp(&b.1.at)).map(|(id, _)| id.clone());
            oldest.map(|id| counts.peers.remove(&id));
        }
        let (last_verdict, last_refusal) = match outcome {
            Outcome::Applied { .. } => ("applied", None),
            Outcome::Duplicate | Outcome::NeedFull => {
                ("duplicate", last.as_ref().and_then(|last| last.last_refusal.clone()))
            }
            Outcome::Refused(reason) => ("refused", Some(reason.clone())),
        };
        let applied = match outcome {
            Outcome::Applied { .. } => Some(seq),
            _ => last.and_then(|last| last.applied),
        };
        let at = Time::now().to_string();
        counts.peers.insert(sender.to_owned(), Sender { seq, applied, last_verdict, last_refusal, at });
    }
}

/// An open connection.
#[derive(Debug)]
pub(super) struct Presence<'a> {
    inbound: &'a Inbound,
    authenticated: bool,
}

impl Presence<'_> {
    /// It has shown our token.
    pub(super) fn authenticated(&mut self) {
        if !self.authenticated {
            self.authenticated = true;
            self.inbound.counts().authenticated += 1;
        }
    }
}

impl Drop for Presence<'_> {
    fn drop(&mut self) {
        let mut counts = self.inbound.counts();
        counts.connections -= 1;
        counts.authenticated -= usize::from(self.authenticated);
    }
}
