//! The commands of `cache`, and `tools explain`.

use super::{Exit, lines, show};
use crate::{
    args::{CacheCommand, Explain, Flushed},
    client::{Client, Failure},
    dig,
    print::Output,
};
use dnsplane_proto::pb::admin::{CacheFlushRequest, CacheQuery, ExplainRequest};
use serde_json::{Value, json};
use std::{io, path::Path};

pub(super) async fn run(socket: &Path, command: CacheCommand, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let client = Client::connect(socket).await?;
    match command {
        CacheCommand::List { name } => {
            let listing = client.cache_list(CacheQuery { name: name.unwrap_or_default() }).await?;
            show(&listing, list, out)
        }
        CacheCommand::Stats => show(&client.cache_stats().await?, stats, out),
        CacheCommand::Flush(Flushed { below, all, name }) => {
            let name = name.unwrap_or_default();
            flush(client, CacheFlushRequest { name, below, all }, out).await
        }
        CacheCommand::Clear => {
            flush(client, CacheFlushRequest { all: true, below: true, name: String::new() }, out).await
        }
    }
}

/// What each data plane would tell a client, and why.
pub(super) async fn explain(socket: &Path, asked: Explain, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let client = asked.client.map(|address| address.to_string()).unwrap_or_default();
    let request = ExplainRequest { name: asked.name, r#type: asked.kind, client };
    let explained = Client::connect(socket).await?.explain(request).await?.explained;
    let mut exit = Exit::Done;
    let several = explained.len() > 1;
    for said in explained {
        if several && !out.is_json() {
            out.line(&format!("{}:", said.data_plane))?;
        }
        if !said.failed.is_empty() {
            exit = Exit::Partly;
            if out.is_json() {
                out.json(&json!({"data_plane": said.data_plane, "error": said.failed}))?;
            } else {
                out.line(&said.failed)?;
            }
            continue;
        }
        dig::explained(&said, out)?;
    }
    Ok(exit)
}

async fn flush(client: Client, request: CacheFlushRequest, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let reply = client.cache_flush(request).await?;
    if out.is_json() {
        out.json(&json!({"ok": reply.ok, "messages": reply.messages}))?;
    } else {
        lines(&reply.messages, out)?;
    }
    Ok(if reply.ok { Exit::Done } else { Exit::Partly })
}

fn list(document: &Value, out: &mut Output<'_>) -> io::Result<()> {
    let text = |row: &Value, path: &str| match row.pointer(path) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let rows = document.get("cache").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let columns =
        ["/dns_record/name", "/dns_record/type", "/dns_record/ttl", "/dns_record/value", "/dns_record/source"];
    for piece in rows.chunks(crate::print::ROWS) {
        let cells = piece.iter().map(|row| columns.iter().map(|column| text(row, column)).collect());
        out.table(&["NAME", "TYPE", "TTL", "HOLDS", "FROM"], cells.collect())?;
    }
    let all = document.get("all").and_then(Value::as_u64).unwrap_or_default();
    out.line(&format!("{} of {all} answers", rows.len()))?;
    problems(document, out)
}

fn stats(document: &Value, out: &mut Output<'_>) -> io::Result<()> {
    let planes = document.get("data_planes").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let keys = ["entries", "octets", "most_octets", "hits", "misses", "stale_hits", "renewals"];
    let rows = planes.iter().map(|plane| {
        let number = |key: &&str| plane.get(*key).map(ToString::to_string).unwrap_or_default();
        let name = plane.get("data_plane").and_then(Value::as_str).unwrap_or_default().to_owned();
        std::iter::once(name).chain(keys.iter().map(number)).collect()
    });
    let header = ["DATA PLANE", "ANSWERS", "OCTETS", "AT MOST", "HITS", "MISSES", "STALE", "RENEWALS"];
    out.table(&header, rows.collect())?;
    problems(document, out)
}

fn problems(document: &Value, out: &mut Output<'_>) -> io::Result<()> {
    let problems = document.get("problems").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    problems.iter().filter_map(Value::as_str).try_for_each(|problem| out.line(problem))
}
