//! The REST API: axum router, authentication, and one shape for errors.
//!
//! Paths, keys and codes are those of existing nodes, so that scripts go on working: errors are
//! `{"error": "…", "messages": […]}`, bodies end with a newline, adding what is there already is a 201.

mod adblock;
mod cache;
mod records;
mod servers;

use crate::{
    block_list::BlockLists,
    cluster::Cluster,
    config::Secret,
    dashboard::{self, Sessions},
    record::json,
    status::{Build, Node},
    store::Store,
    upstreams::Servers,
};
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Serialize;
use std::time::Duration;
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;

/// A request must be answered within this time, whatever happens behind.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// What handlers work with; clones share it.
#[derive(Clone)]
pub struct Api {
    /// The records.
    pub store: Store,
    /// Names that are blocked.
    pub block_lists: BlockLists,
    /// The cluster, for its status.
    pub cluster: Cluster,
    /// Upstream servers.
    pub servers: Servers,
    /// This node's status.
    pub node: Node,
    /// Whether `/stats/dashboard/…` is there (`stats_dashboard_enabled`).
    pub dashboard: bool,
    /// Browsers that have signed in there.
    pub sessions: Sessions,
    /// Token that callers must show; `None` lets everybody in (the bind address is loopback then).
    pub token: watch::Receiver<Option<Secret>>,
}

impl Api {
    /// All routes.
    pub fn router(self) -> Router {
        Router::new()
            .route("/health", get(|| async { StatusCode::OK }))
            .route("/ready", get(ready))
            .route("/version", get(|| async { json_reply(StatusCode::OK, &Build::this()) }))
            .merge(if self.dashboard { dashboard::routes() } else { Router::new() })
            .merge(records::routes())
            .merge(cache::routes())
            .merge(servers::routes())
            .merge(adblock::routes())
            .fallback(|| async { (StatusCode::NOT_FOUND, "404 page not found\n") })
            .layer(middleware::from_fn_with_state(self.clone(), authenticate))
            .layer(middleware::from_fn(bound_time))
            .with_state(self)
    }

    /// Serves a listener until told to stop.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) -> std::io::Result<()> {
        let service = self.router().into_make_service_with_connect_info::<std::net::SocketAddr>();
        axum::serve(listener, service).with_graceful_shutdown(shutdown.cancelled_owned()).await
    }
}

async fn ready(State(api): State<Api>) -> Response {
    let ready = api.node.ready();
    let status = if ready.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    json_reply(status, &ready)
}

/// Lets in who shows the token. Health checks need none; the dashboard's pages also open for who has signed in there.
async fn authenticate(State(api): State<Api>, request: Request, next: Next) -> Response {
    let (method, path, headers) = (request.method(), request.uri().path(), request.headers());
    let health = matches!(*method, Method::GET | Method::HEAD) && matches!(path, "/health" | "/ready");
    let Some(token) = api.token.borrow().clone() else { return next.run(request).await };
    let signed_in = || dashboard::is_for_sessions(method, path) && api.sessions.holds(headers, &token);
    if health || dashboard::is_open(method, path) || shows(headers, &token) || signed_in() {
        return next.run(request).await;
    }
    let sign_in = api.dashboard.then(|| dashboard::sign_in_instead(method, path, headers)).flatten();
    let mut response = sign_in.unwrap_or_else(|| error_reply(StatusCode::UNAUTHORIZED, "unauthorized", &[]));
    let challenge = HeaderValue::from_static("Bearer realm=\"dnsplane\"");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    response
}

/// Whether the headers carry the token, as `Authorization: Bearer` or `X-API-Token`; compared in constant time.
fn shows(headers: &HeaderMap, token: &Secret) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = text("authorization").and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    bearer.or_else(|| text("x-api-token")).is_some_and(|shown| token.matches(shown))
}

async fn bound_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(ANSWER_WITHIN, next.run(request)).await {
        Ok(response) => response,
        Err(_) => error_reply(StatusCode::GATEWAY_TIMEOUT, "the request took too long", &[]),
    }
}

/// A JSON body with a newline at its end.
pub(crate) fn json_reply(status: StatusCode, value: &impl Serialize) -> Response {
    match json::to_vec(value) {
        Ok(mut body) => {
            body.push(b'\n');
            let headers = [(header::CONTENT_TYPE, "application/json")];
            (status, headers, Body::from(body)).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// `{"error": …}`, with `messages` where there are any.
fn error_reply(status: StatusCode, error: &str, messages: &[String]) -> Response {
    #[derive(Serialize)]
    struct Error<'a> {
        error: &'a str,
        #[serde(skip_serializing_if = "<[String]>::is_empty")]
        messages: &'a [String],
    }
    json_reply(status, &Error { error, messages })
}
