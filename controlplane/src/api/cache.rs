//! `/cache` and `/stats`: what data planes remember, and what they counted.
//!
//! Shapes are those of existing nodes. A row is one answer with all its records, not one record; `?name=` narrows to a name
//! and what is below it. Counts are sums over the connected data planes.

use super::{Api, error_reply, json_reply};
use crate::{remembered, status::Build};
use axum::{
    Router,
    extract::{Query, State},
    http::StatusCode,
    response::Response,
    routing::{get, post},
};
use dnsplane_proto::Name;
use serde::Deserialize;
use serde_json::{Value, json};

/// The routes of this module.
pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/cache", get(list).delete(clear))
        .route("/cache/clear", post(clear))
        .route("/cache/stats", get(figures))
        .route("/stats", get(stats))
}

/// Which answers; none: all of them.
#[derive(Deserialize)]
struct Which {
    name: Option<String>,
}

async fn list(State(api): State<Api>, Query(which): Query<Which>) -> Response {
    match named(which) {
        Ok(name) => json_reply(StatusCode::OK, &remembered::list(api.node.planes(), name.as_ref()).await),
        Err(response) => *response,
    }
}

async fn clear(State(api): State<Api>, Query(which): Query<Which>) -> Response {
    let name = match named(which) {
        Ok(name) => name,
        Err(response) => return *response,
    };
    let (flushed, problems) = remembered::flush(api.node.planes(), name.as_ref(), true).await;
    if problems.is_empty() {
        json_reply(StatusCode::OK, &json!({"status": "cache cleared", "answers": flushed}))
    } else {
        error_reply(StatusCode::SERVICE_UNAVAILABLE, "not every data plane cleared its cache", &problems)
    }
}

async fn figures(State(api): State<Api>) -> Response {
    let (figures, problems) = remembered::figures(api.node.planes()).await;
    json_reply(StatusCode::OK, &json!({"data_planes": figures, "problems": problems}))
}

/// What connected data planes counted since they started; so this session is all there is.
async fn stats(State(api): State<Api>) -> Response {
    let resolver = resolver(&api);
    json_reply(
        StatusCode::OK,
        &json!({"session": {"resolver": resolver}, "total": {"resolver": resolver}, "build": Build::this()}),
    )
}

fn resolver(api: &Api) -> Value {
    let planes = api.node.planes().list();
    let sum = |names: &[&str]| -> u64 {
        planes.iter().flat_map(|plane| names.iter().filter_map(|name| plane.counters.get(*name))).sum()
    };
    let (queries, unanswered) = (sum(&["queries_total"]), sum(&["dropped", "withheld"]));
    json!({
        "total_queries": queries,
        "total_cache_hits": sum(&["answered_cache", "answered_stale"]),
        "total_blocks": sum(&["blocked"]),
        "total_queries_forwarded": sum(&["forwarded"]),
        "total_queries_answered": queries.saturating_sub(unanswered),
        "server_start_time": api.node.started_at().as_str(),
    })
}

fn named(which: Which) -> Result<Option<Name>, Box<Response>> {
    let Some(text) = which.name.filter(|text| !text.is_empty()) else { return Ok(None) };
    Name::parse(&text).map(Some).map_err(|error| {
        Box::new(error_reply(StatusCode::BAD_REQUEST, &format!("`{text}` is not a name: {error}"), &[]))
    })
}
