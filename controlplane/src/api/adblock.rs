//! `/adblock/…`: names that are blocked, lists, and why a name is blocked. Paths and keys of existing nodes, and ours.

use super::{
    Api, error_reply, json_reply,
    records::{fields, invalid_arguments, invalid_input},
};
use crate::block_list::{BlockLists, Done, ListsError};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{ConnectInfo, Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{convert::Infallible, net::SocketAddr};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// Octets of a long answer that are sent together.
const PIECE: usize = 64 << 10;
/// Pieces that may wait for a slow reader.
const PIECES: usize = 4;

/// The routes of this module.
pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/adblock/domains", get(domains).post(add).delete(remove))
        .route("/adblock/allow", get(allowed).post(allow).delete(disallow))
        .route("/adblock/sources", get(sources))
        .route("/adblock/clear", post(clear))
        .route("/adblock/pause", post(pause))
        .route("/adblock/resume", post(resume))
        .route("/adblock/explain", get(explain))
}

type From = ConnectInfo<SocketAddr>;

#[derive(Deserialize)]
struct Filter {
    #[serde(default)]
    filter: String,
}

/// There may be millions: they are sent while they are written.
async fn domains(State(api): State<Api>, Query(Filter { filter }): Query<Filter>) -> Response {
    let (out, pieces) = mpsc::channel(PIECES);
    tokio::task::spawn_blocking(move || write_domains(&api.block_lists, &filter, &out));
    let body = Body::from_stream(ReceiverStream::new(pieces));
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn write_domains(lists: &BlockLists, filter: &str, out: &mpsc::Sender<Result<Bytes, Infallible>>) {
    let mut piece = String::from("{\"domains\":[");
    let send = |piece: &mut String| out.blocking_send(Ok(std::mem::take(piece).into())).is_ok();
    let (mut comma, mut heard) = ("", true);
    lists.domains(filter).each(|name| {
        // Letters, digits, dots and the like: nothing that JSON would want escaped.
        piece.extend([comma, "\"", name, "\""]);
        comma = ",";
        heard = piece.len() < PIECE || send(&mut piece);
        heard
    });
    if heard {
        piece.push_str("]}\n");
        send(&mut piece);
    }
}

async fn sources(State(api): State<Api>) -> Response {
    let listing = tokio::task::spawn_blocking(move || json_reply(StatusCode::OK, &api.block_lists.sources()));
    listing.await.unwrap_or_else(|_| error_reply(StatusCode::INTERNAL_SERVER_ERROR, "listing failed", &[]))
}

async fn allowed(State(api): State<Api>) -> Response {
    json_reply(StatusCode::OK, &Names { domains: api.block_lists.allowed() })
}

#[derive(Serialize)]
struct Names {
    domains: Vec<String>,
}

type Fields = Query<Map<String, Value>>;

async fn add(State(api): State<Api>, ConnectInfo(from): From, body: Bytes) -> Response {
    match names(&Map::new(), &body) {
        Ok(names) => done(StatusCode::CREATED, "domains added", api.block_lists.add(names, by(from)).await),
        Err(response) => *response,
    }
}

async fn remove(State(api): State<Api>, ConnectInfo(from): From, Query(query): Fields, body: Bytes) -> Response {
    match names(&query, &body) {
        Ok(names) => done(StatusCode::OK, "domains removed", api.block_lists.remove(names, by(from)).await),
        Err(response) => *response,
    }
}

async fn allow(State(api): State<Api>, ConnectInfo(from): From, body: Bytes) -> Response {
    match names(&Map::new(), &body) {
        Ok(names) => done(StatusCode::CREATED, "domains allowed", api.block_lists.allow(names, by(from)).await),
        Err(response) => *response,
    }
}

async fn disallow(State(api): State<Api>, ConnectInfo(from): From, Query(query): Fields, body: Bytes) -> Response {
    match names(&query, &body) {
        Ok(names) => done(StatusCode::OK, "domains no longer allowed", api.block_lists.disallow(names, by(from)).await),
        Err(response) => *response,
    }
}

async fn clear(State(api): State<Api>, ConnectInfo(from): From) -> Response {
    done(StatusCode::OK, "adblock cleared", api.block_lists.clear(by(from)).await)
}

async fn pause(State(api): State<Api>, ConnectInfo(from): From, body: Bytes) -> Response {
    let fields = match fields(&body) {
        Ok(fields) => fields,
        Err(response) => return *response,
    };
    match fields.get("minutes").and_then(Value::as_u64).filter(|minutes| *minutes > 0) {
        Some(minutes) => done(StatusCode::OK, "adblock paused", api.block_lists.pause(minutes, by(from)).await),
        None => invalid_input(vec!["`minutes` must be a whole number above 0".to_owned()]),
    }
}

async fn resume(State(api): State<Api>, ConnectInfo(from): From) -> Response {
    done(StatusCode::OK, "adblock resumed", api.block_lists.pause(0, by(from)).await)
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    name: String,
}

async fn explain(State(api): State<Api>, Query(Asked { name }): Query<Asked>) -> Response {
    match api.block_lists.explain(&name) {
        Ok(explanation) => json_reply(StatusCode::OK, &explanation),
        Err(error) => refusal(error),
    }
}

fn by(from: SocketAddr) -> String {
    format!("api {}", from.ip())
}

/// Words what came of a change.
fn done(status: StatusCode, said: &str, done: Result<Done, ListsError>) -> Response {
    #[derive(Serialize)]
    struct Said<'a> {
        status: &'a str,
        count: usize,
        messages: Vec<String>,
    }
    match done {
        Ok(Done { messages, count }) => json_reply(status, &Said { status: said, count, messages }),
        Err(error) => refusal(error),
    }
}

fn refusal(error: ListsError) -> Response {
    match error {
        ListsError::Refused(messages) => invalid_arguments(&messages),
        ListsError::Disk { .. } | ListsError::Stopping => {
            error_reply(StatusCode::SERVICE_UNAVAILABLE, &error.to_string(), &[])
        }
    }
}

/// `domain` and `domains`, of a query (with commas between them) or of a body (a list).
fn names(query: &Map<String, Value>, body: &[u8]) -> Result<Vec<String>, Box<Response>> {
    let fields = if query.is_empty() { fields(body)? } else { query.clone() };
    let mut names = Vec::new();
    for (key, value) in &fields {
        match (key.as_str(), value) {
            ("domain" | "domains", Value::Null) => {}
            ("domain", Value::String(name)) => names.push(name.clone()),
            ("domains", Value::String(text)) => names.extend(text.split(',').map(str::to_owned)),
            ("domains", Value::Array(items)) => {
                for item in items {
                    let name = item.as_str().ok_or_else(|| not_text("domains", item))?;
                    names.push(name.to_owned());
                }
            }
            ("domain" | "domains", other) => return Err(not_text(key, other)),
            _ => {}
        }
    }
    names.retain(|name| !name.trim().is_empty());
    Ok(names)
}

fn not_text(key: &str, value: &Value) -> Box<Response> {
    Box::new(invalid_input(vec![format!("`{key}` must be text, not {value}")]))
}
