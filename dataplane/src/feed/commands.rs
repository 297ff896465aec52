//! What the control plane wants to know, or have done, now. Each command gets one reply; none keeps a query waiting.

mod explaining;

use crate::{
    Cookies, Current,
    counters::Registry,
    resolve::{CachedAnswer, Engine, Security, cache::Freshness, upstream::UpstreamState},
};
use bytes::Bytes;
use dnsplane_proto::{
    Name,
    pb::feed::{self as pb, command, reply},
};
use prost::Message;
use std::sync::Arc;
use tokio::{
    sync::{Semaphore, mpsc},
    task::spawn_blocking,
};

/// Commands that are carried out at the same time; of more, the control plane is told so.
const MOST_AT_ONCE: usize = 16;
/// Octets of a list of what is remembered; more would not fit into one message.
const MOST_LISTED: usize = 8 << 20;

/// What commands are carried out with; clones share it.
#[derive(Clone)]
pub struct Commands {
    current: Arc<Current>,
    cookies: Arc<Cookies>,
    registry: Arc<Registry>,
    engine: Engine,
    places: Arc<Semaphore>,
}

impl Commands {
    /// Looks at these.
    pub fn new(current: Arc<Current>, cookies: Arc<Cookies>, registry: Arc<Registry>, engine: Engine) -> Self {
        Self { current, cookies, registry, engine, places: Arc::new(Semaphore::new(MOST_AT_ONCE)) }
    }

    /// Carries a command out beside whoever calls, and sends the reply.
    pub(super) fn carry_out(&self, command: pb::Command, up: &mpsc::Sender<pb::FromFollower>) {
        let (this, up, place) = (self.clone(), up.clone(), self.places.clone().try_acquire_owned());
        tokio::spawn(async move {
            let what = match (command.what, place) {
                (_, Err(_)) => failed("it does too much at once already; try again"),
                (None, _) => failed("this version does not know what is asked of it"),
                (Some(what), Ok(_place)) => this.reply(what).await,
            };
            let _ = up.send(super::message(super::Up::Reply(pb::Reply { id: command.id, what: Some(what) }))).await;
        });
    }

    /// How the servers are doing.
    pub(super) fn upstreams(&self) -> Vec<pb::UpstreamReport> {
        self.engine.upstreams().into_iter().map(report).collect()
    }

    async fn reply(&self, what: command::What) -> reply::What {
        match what {
            command::What::Explain(question) => match self.explain(&question).await {
                Ok(explanation) => reply::What::Explanation(explanation),
                Err(why) => failed(why),
            },
            command::What::CacheList(pb::CacheList { most, below }) => match name(&below) {
                Ok(below) => self.beside(move |this| this.list(below.as_ref(), most as usize)).await,
                Err(why) => failed(why),
            },
            command::What::CacheFlush(pb::CacheFlush { name: flushed, below }) => match name(&flushed) {
                Ok(flushed) => self.beside(move |this| reply::What::Flushed(this.flush(flushed.as_ref(), below))).await,
                Err(why) => failed(why),
            },
            command::What::CacheFigures(_) => reply::What::CacheState(self.figures()),
        }
    }

    /// Looking at everything that is remembered takes some milliseconds: not on the thread that follows.
    async fn beside(&self, work: impl FnOnce(&Self) -> reply::What + Send + 'static) -> reply::What {
        let this = self.clone();
        spawn_blocking(move || work(&this)).await.unwrap_or_else(|_| failed("this failed; see the data plane's log"))
    }

    fn list(&self, below: Option<&Name>, most: usize) -> reply::What {
        let below = below.map_or(&[0][..], Name::as_wire);
        let (mut answers, all) = self.engine.cache().list(below, most);
        // Names of one parent stand together.
        answers.sort_by_cached_key(|answer| (root_first(answer.asked().name), answer.asked().kind.0));
        let now = crate::listen::now();
        let mut octets = 0;
        let entries = answers.iter().map(|answer| entry(answer, now)).take_while(|entry| {
            octets += entry.encoded_len() + 8;
            octets <= MOST_LISTED
        });
        reply::What::CacheEntries(pb::CacheEntries { entries: entries.collect(), all })
    }

    fn flush(&self, name: Option<&Name>, below: bool) -> u64 {
        match name {
            Some(name) => self.engine.cache().flush(name.as_wire(), below),
            None => self.engine.cache().flush(&[0], true),
        }
    }

    fn figures(&self) -> pb::CacheState {
        let (figures, totals) = (self.engine.cache().figures(), self.registry.totals());
        let count = |wanted: &str| totals.iter().find(|(name, _)| *name == wanted).map_or(0, |(_, value)| *value);
        pb::CacheState {
            entries: figures.entries,
            octets: figures.octets,
            most_octets: figures.most_octets,
            hits: count("answered_cache"),
            misses: count("cache_misses"),
            stale_hits: count("answered_stale"),
            prefetches: count("cache_renewals"),
        }
    }
}

fn failed(why: impl Into<String>) -> reply::What {
    reply::What::Failed(why.into())
}

/// A name of a command; `None`: it has none.
fn name(wire: &Bytes) -> Result<Option<Name>, String> {
    if wire.is_empty() {
        return Ok(None);
    }
    Name::from_wire(wire).map(Some).map_err(|error| format!("that is no name: {error}"))
}

fn entry(answer: &CachedAnswer, now: u32) -> pb::CacheEntry {
    let asked = answer.asked();
    let ttl = match answer.freshness(now) {
        Freshness::Fresh(left) => i64::from(left),
        Freshness::Stale(past) => -i64::from(past),
    };
    let security = match answer.security() {
        Security::Unchecked => "",
        Security::Secure => "secure",
        Security::Insecure => "insecure",
    };
    pb::CacheEntry {
        name: Bytes::copy_from_slice(asked.name),
        r#type: asked.kind.0.into(),
        rcode: answer.rcode() as u32,
        records: answer.counts()[0].into(),
        ttl,
        octets: u32::try_from(answer.size()).unwrap_or(u32::MAX),
        source: answer.source().to_string(),
        security: security.to_owned(),
        age: answer.age(now),
    }
}

fn report(state: UpstreamState) -> pb::UpstreamReport {
    pb::UpstreamReport {
        name: state.name,
        unhealthy: state.unhealthy,
        consecutive_failures: state.consecutive_failures,
        last_success_unix: state.last_success,
        last_probe_unix: state.last_probe,
        last_error: state.last_error,
        rtt_micros: u32::try_from(state.rtt.as_micros()).unwrap_or(u32::MAX),
        queries: state.queries,
        failures: state.failures,
        spoofed: state.spoofed,
    }
}

/// The labels of a name, the root's side first.
fn root_first(name: &[u8]) -> Vec<u8> {
    let starts: Vec<_> = crate::wire_name::suffixes(name).collect();
    starts.windows(2).rev().flat_map(|label| &name[label[0]..label[1]]).copied().collect()
}
