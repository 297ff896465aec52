//! The dashboard: a read-only page in a browser, and the same as JSON.
//!
//! The page is rendered here, whole, and works without its script; the script only fetches it again every two seconds and
//! puts in what has changed, so there is one rendering and one escaping. With `api_auth_token` a browser signs in once and
//! holds a session cookie ([`Sessions`]) that opens these pages alone, for reading.

mod login;
mod page;
mod panels;
mod peers;
mod session;
#[cfg(test)]
mod tests;
mod view;
mod words;

pub use session::Sessions;

use crate::{
    api::{Api, json_reply},
    status::Build,
};
use axum::{
    Router,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use maud::Markup;
use serde::Serialize;
use serde_json::json;

/// Where it lives.
const ROOT: &str = "/stats/dashboard";

/// Nothing from elsewhere, nothing inline, nobody's frame.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Far above any token.
const MAX_FORM: usize = 16 << 10;

/// Everything below [`ROOT`].
pub(crate) fn routes() -> Router<Api> {
    let css = asset("text/css; charset=utf-8", include_str!("dashboard/app.css"));
    let script = asset("text/javascript; charset=utf-8", include_str!("dashboard/app.js"));
    let icon = asset("image/svg+xml", include_str!("dashboard/icon.svg"));
    Router::new()
        .route(ROOT, get(show))
        .route("/stats/dashboard/", get(|| async { Redirect::permanent(ROOT) }))
        .route("/stats/dashboard/data", get(data))
        .route("/stats/dashboard/app.css", get(|| async { css }))
        .route("/stats/dashboard/app.js", get(|| async { script }))
        .route("/stats/dashboard/icon.svg", get(|| async { icon }))
        .route("/stats/dashboard/login", post(login::sign_in).layer(DefaultBodyLimit::max(MAX_FORM)))
        .route("/stats/dashboard/logout", post(login::sign_out))
}

/// Whether this is for everybody: the files that the sign-in page needs, and signing in and out.
pub(crate) fn is_open(method: &Method, path: &str) -> bool {
    let Some(name) = path.strip_prefix(ROOT) else { return false };
    match *method {
        Method::GET | Method::HEAD => matches!(name, "/app.css" | "/app.js" | "/icon.svg"),
        Method::POST => matches!(name, "/login" | "/logout"),
        _ => false,
    }
}

/// Whether this is for those who have signed in.
pub(crate) fn is_for_sessions(method: &Method, path: &str) -> bool {
    let below = path.strip_prefix(ROOT).is_some_and(|name| name.is_empty() || name.starts_with('/'));
    below && matches!(*method, Method::GET | Method::HEAD)
}

/// What a browser that has not signed in gets instead of the page; `None` for others.
pub(crate) fn sign_in_instead(method: &Method, path: &str, headers: &HeaderMap) -> Option<Response> {
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_page = is_for_sessions(method, path) && matches!(&path[ROOT.len()..], "" | "/");
    (is_page && accepts.contains("text/html")).then(|| html(StatusCode::UNAUTHORIZED, page::sign_in(None)))
}

/// The page.
async fn show(State(api): State<Api>, headers: HeaderMap) -> Response {
    let document = serde_json::to_value(document(&api).await).map_err(|error| error.to_string());
    let view = document.and_then(|mut document| {
        document["dial_address"] = json!(api.cluster.join_info().dial_address);
        serde_json::from_value(document).map_err(|error| error.to_string())
    });
    match view {
        Ok(view) => html(StatusCode::OK, page::page(&view, session::is_shown(&headers))),
        Err(error) => {
            let text = format!("the page cannot be made from {ROOT}/data: {error}\n");
            (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
        }
    }
}

async fn data(State(api): State<Api>) -> Response {
    json_reply(StatusCode::OK, &document(&api).await)
}

/// The dashboard's data, as far as this build has it: `build`, `cluster` and `server`.
async fn document(api: &Api) -> impl Serialize + use<> {
    #[derive(Serialize)]
    struct Data<C: Serialize, S: Serialize> {
        build: Build,
        cluster: C,
        server: S,
    }
    let server = api.node.server_status(api.servers.problems().await);
    Data { build: Build::this(), cluster: api.cluster.status(), server }
}

/// A page; nobody keeps a copy.
fn html(status: StatusCode, page: Markup) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, page.into_string()).into_response()
}

/// A file that comes with the page; asked for anew each time, so that a page never meets another version's.
fn asset(kind: &'static str, text: &'static str) -> impl IntoResponse + Clone + Send + 'static {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, text)
}
