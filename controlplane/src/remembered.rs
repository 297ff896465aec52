//! What data planes remember of upstreams' answers: listed, forgotten, measured; and what they would answer, and why.
//! Nothing of it is here: connected data planes are asked.

use crate::{
    publisher::{Asked, Planes},
    record::Time,
};
use dnsplane_proto::{
    Name, RecordType,
    pb::feed::{self as pb, command::What, reply},
};
use serde::Serialize;
use std::time::Duration;

/// Answers that one data plane is asked to list, at most.
const MOST_LISTED: u32 = 50_000;
/// For what a data plane has at hand.
const AT_ONCE: Duration = Duration::from_secs(5);
/// For what it may have to ask upstreams about, aliases included.
const RESOLVED: Duration = Duration::from_secs(30);

/// One remembered answer, in the shape of a row of existing nodes' `dnscache.json`. They have a row for each record; here it
/// is one for each answer, and `value` says in words what it holds.
#[derive(Debug, Serialize)]
pub struct Row {
    dns_record: RowRecord,
    /// When its time ends, or ended.
    expiry: String,
    /// When it was fetched.
    timestamp: String,
    /// As `timestamp`: when it was asked for last is not noted.
    last_query: String,
    data_plane: String,
    octets: u32,
    rcode: u32,
    #[serde(skip_serializing_if = "str::is_empty")]
    security: String,
}

#[derive(Debug, Serialize)]
struct RowRecord {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    value: String,
    /// Seconds left; below zero: so long past its time.
    ttl: i64,
    /// The upstream that gave it.
    source: String,
}

/// What data planes listed.
#[derive(Debug, Serialize)]
pub struct Listing {
    /// `null` if there is nothing, as existing nodes have it.
    pub cache: Option<Vec<Row>>,
    /// Answers that there are, listed or not.
    pub all: u64,
    /// Data planes that did not say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// How full one data plane's cache is, and how useful it was.
#[derive(Debug, Serialize)]
pub struct Figures {
    data_plane: String,
    entries: u64,
    octets: u64,
    most_octets: u64,
    hits: u64,
    misses: u64,
    stale_hits: u64,
    renewals: u64,
}

/// Lists what is remembered of this name and of what is below it; `None`: everything.
pub async fn list(planes: &Planes, below: Option<&Name>) -> Listing {
    let what = What::CacheList(pb::CacheList { most: MOST_LISTED, below: wire(below) });
    let (mut rows, mut all, mut problems) = (Vec::new(), 0, Vec::new());
    let now = unix_milliseconds();
    for Asked { follower, reply } in planes.ask(what, AT_ONCE).await {
        match reply {
            Ok(reply::What::CacheEntries(entries)) => {
                all += entries.all;
                rows.extend(entries.entries.into_iter().map(|entry| row(&follower, entry, now)));
            }
            other => problems.push(problem(&follower, &other)),
        }
    }
    Listing { cache: Some(rows).filter(|rows| !rows.is_empty()), all, problems }
}

/// Has this name, and what is below it if told so, forgotten; `None`: everything. Says how many answers there were, and
/// which data planes did not do it.
pub async fn flush(planes: &Planes, name: Option<&Name>, below: bool) -> (u64, Vec<String>) {
    let (mut flushed, mut problems) = (0, Vec::new());
    for Asked { follower, reply } in
        planes.ask(What::CacheFlush(pb::CacheFlush { name: wire(name), below }), AT_ONCE).await
    {
        match reply {
            Ok(reply::What::Flushed(count)) => flushed += count,
            other => problems.push(problem(&follower, &other)),
        }
    }
    (flushed, problems)
}

/// How the caches are, and which data planes did not say.
pub async fn figures(planes: &Planes) -> (Vec<Figures>, Vec<String>) {
    let (mut all, mut problems) = (Vec::new(), Vec::new());
    for Asked { follower, reply } in planes.ask(What::CacheFigures(pb::CacheFigures {}), AT_ONCE).await {
        match reply {
            Ok(reply::What::CacheState(state)) => all.push(Figures {
                data_plane: follower,
                entries: state.entries,
                octets: state.octets,
                most_octets: state.most_octets,
                hits: state.hits,
                misses: state.misses,
                stale_hits: state.stale_hits,
                renewals: state.prefetches,
            }),
            other => problems.push(problem(&follower, &other)),
        }
    }
    (all, problems)
}

/// What each data plane would answer this client, and why.
pub async fn explain(
    planes: &Planes,
    name: &Name,
    kind: RecordType,
    client: String,
) -> Vec<(String, Result<pb::Explanation, String>)> {
    let what = What::Explain(pb::Explain { name: wire(Some(name)), r#type: kind.0.into(), client });
    let asked = planes.ask(what, RESOLVED).await.into_iter();
    let said = |Asked { follower, reply }| match reply {
        Ok(reply::What::Explanation(explanation)) => (follower, Ok(explanation)),
        other => (follower.clone(), Err(problem(&follower, &other))),
    };
    asked.map(said).collect()
}

fn row(follower: &str, entry: pb::CacheEntry, now: u64) -> Row {
    let name = Name::from_wire(&entry.name).map(|name| name.to_string()).unwrap_or_default();
    // As records are written, without the dot at the end.
    let name = name.strip_suffix('.').map_or(name.as_str(), |name| name).to_owned();
    let value = match (entry.rcode, entry.records) {
        (3, _) => "the name does not exist".to_owned(),
        (_, 0) => "the name has no such records".to_owned(),
        (_, 1) => "1 record".to_owned(),
        (_, records) => format!("{records} records"),
    };
    let fetched = now.saturating_sub(u64::from(entry.age) * 1000);
    Row {
        dns_record: RowRecord {
            name,
            kind: RecordType(u16::try_from(entry.r#type).unwrap_or_default()).to_string(),
            value,
            ttl: entry.ttl,
            source: entry.source,
        },
        expiry: Time::at(now.saturating_add_signed(entry.ttl.saturating_mul(1000))).as_str().to_owned(),
        timestamp: Time::at(fetched).as_str().to_owned(),
        last_query: Time::at(fetched).as_str().to_owned(),
        data_plane: follower.to_owned(),
        octets: entry.octets,
        rcode: entry.rcode,
        security: entry.security,
    }
}

fn problem(follower: &str, reply: &Result<reply::What, crate::publisher::Unanswered>) -> String {
    match reply {
        Ok(_) => format!("data plane {follower}: it replied to something else"),
        Err(unanswered) => format!("data plane {follower}: {unanswered}"),
    }
}

fn wire(name: Option<&Name>) -> bytes::Bytes {
    name.map(|name| bytes::Bytes::copy_from_slice(name.as_wire())).unwrap_or_default()
}

fn unix_milliseconds() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or_default()
}
