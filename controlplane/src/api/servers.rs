//! `/dns/servers` and `/dns/upstreams/health`: upstream servers and how they are.
//!
//! Shapes are those of existing nodes, without their defects: ports may be numbers, `transport` and `doh_url` count, an
//! omitted key is left alone, `""` and `[]` take one away, and `?port=` and `?transport=` tell rows of one address apart.

use super::{
    Api, error_reply, json_reply,
    records::{fields, invalid_arguments, invalid_input},
};
use crate::upstreams::{Edit, Edited, Patch, Selection, ServersError};
use axum::{
    Router,
    body::Bytes,
    extract::{ConnectInfo, Path, Query, State},
    http::StatusCode,
    response::Response,
    routing::{get, put},
};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// The routes of this module.
pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/dns/servers", get(list).post(add))
        .route("/dns/servers/{address}", put(update).delete(remove))
        .route("/dns/upstreams/health", get(health))
}

/// Which of several rows of one address.
#[derive(Deserialize)]
struct Which {
    port: Option<String>,
    transport: Option<String>,
}

type From = ConnectInfo<SocketAddr>;

async fn list(State(api): State<Api>) -> Response {
    json_reply(StatusCode::OK, &api.servers.listing().await)
}

async fn health(State(api): State<Api>) -> Response {
    json_reply(StatusCode::OK, &api.servers.health_listing().await)
}

async fn add(State(api): State<Api>, ConnectInfo(from): From, body: Bytes) -> Response {
    match patch(&body) {
        Ok((patch, unknown)) => edit(&api, Edit::Add(patch), unknown, from, StatusCode::CREATED, "server added").await,
        Err(response) => *response,
    }
}

async fn update(
    State(api): State<Api>,
    ConnectInfo(from): From,
    Path(address): Path<String>,
    Query(which): Query<Which>,
    body: Bytes,
) -> Response {
    match patch(&body) {
        Ok((patch, unknown)) => {
            let change = Edit::Update(which.of(address), patch);
            edit(&api, change, unknown, from, StatusCode::OK, "server updated").await
        }
        Err(response) => *response,
    }
}

async fn remove(
    State(api): State<Api>,
    ConnectInfo(from): From,
    Path(address): Path<String>,
    Query(which): Query<Which>,
) -> Response {
    edit(&api, Edit::Remove(which.of(address)), Vec::new(), from, StatusCode::OK, "server removed").await
}

impl Which {
    fn of(self, address: String) -> Selection {
        let given = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        Selection { address, port: given(self.port), transport: given(self.transport) }
    }
}

/// A body as changes, and what to say about it.
fn patch(body: &[u8]) -> Result<(Patch, Vec<String>), Box<Response>> {
    let fields = fields(body)?;
    Patch::from_json(&fields).map_err(|wrong| Box::new(invalid_input(wrong)))
}

/// Makes an edit and words its outcome.
async fn edit(
    api: &Api,
    edit: Edit,
    more: Vec<String>,
    from: SocketAddr,
    status: StatusCode,
    done: &'static str,
) -> Response {
    #[derive(Serialize)]
    struct Done {
        status: &'static str,
        messages: Vec<String>,
    }
    match api.servers.edit(edit, format!("api {}", from.ip())).await {
        Ok(Edited { mut messages, .. }) => {
            messages.extend(more);
            json_reply(status, &Done { status: done, messages })
        }
        Err(ServersError::Refused(why)) => invalid_arguments(&[why]),
        Err(error @ (ServersError::Read { .. } | ServersError::Parse { .. })) => {
            error_reply(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string(), &[])
        }
        Err(error @ ServersError::Write { .. }) => {
            error_reply(StatusCode::SERVICE_UNAVAILABLE, &error.to_string(), &[])
        }
    }
}
