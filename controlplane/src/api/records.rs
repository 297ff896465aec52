//! `/dns/records`: list, add, update, delete, reload.

use super::{Api, error_reply, json_reply};
use crate::{
    records::Row,
    store::{Asked, Edit, Edited, HistoryJson, NewRecord, Selection, StoreError},
};
use axum::{
    Router,
    body::Bytes,
    extract::{ConnectInfo, Query, State},
    http::StatusCode,
    response::Response,
    routing::{get, post},
};
use dnsplane_proto::RecordType;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{net::SocketAddr, sync::Arc};

/// The routes of this module.
pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/dns/records", get(list).post(add).put(update).delete(remove))
        .route("/dns/records/reload", post(reload))
        .route("/dns/records/history", get(history))
}

#[derive(Deserialize)]
struct Filter {
    #[serde(default)]
    name: String,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    details: String,
    #[serde(default)]
    d: String,
}

async fn list(State(api): State<Api>, Query(filter): Query<Filter>) -> Response {
    let kind = filter.kind.trim();
    if !kind.is_empty()
        && let Err(unknown) = kind.parse::<RecordType>()
    {
        return invalid_arguments(&[unknown.to_string()]);
    }
    let view = api.store.view();
    let listing = tokio::task::spawn_blocking(move || {
        let (name, kind) = (filter.name.trim().to_ascii_lowercase(), filter.kind.trim());
        let rows = view.records.in_order().into_iter().filter(|row| {
            (name.is_empty() || row.record.name().to_ascii_lowercase().contains(&name))
                && (kind.is_empty() || row.record.type_text().eq_ignore_ascii_case(kind))
        });
        json_reply(StatusCode::OK, &Listing::of(rows.collect(), &filter))
    });
    listing.await.unwrap_or_else(|_| error_reply(StatusCode::INTERNAL_SERVER_ERROR, "listing failed", &[]))
}

#[derive(Serialize)]
struct Listing<'a> {
    /// `null` when nothing matches, as existing nodes say it.
    records: Option<Vec<&'a crate::record::Record>>,
    detailed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    messages: Vec<String>,
}

impl<'a> Listing<'a> {
    fn of(rows: Vec<&'a Arc<Row>>, filter: &Filter) -> Self {
        let yes = |text: &str| matches!(text.to_ascii_lowercase().as_str(), "1" | "true" | "yes");
        let parts = [("name", filter.name.trim()), ("type", filter.kind.trim())];
        let parts: Vec<_> =
            parts.iter().filter(|(_, text)| !text.is_empty()).map(|(key, text)| format!("{key}={text}")).collect();
        Self {
            messages: if rows.is_empty() { vec!["no records found".to_owned()] } else { Vec::new() },
            records: (!rows.is_empty()).then(|| rows.into_iter().map(|row| &row.record).collect()),
            detailed: yes(&filter.details) || yes(&filter.d),
            filter: (!parts.is_empty()).then(|| parts.join("&")),
        }
    }
}

type From = ConnectInfo<SocketAddr>;

async fn add(State(api): State<Api>, ConnectInfo(from): From, body: Bytes) -> Response {
    match new_record(&body) {
        Ok(record) => edit(&api, Edit::Add(record), from, StatusCode::CREATED, "record added").await,
        Err(response) => *response,
    }
}

async fn update(State(api): State<Api>, ConnectInfo(from): From, body: Bytes) -> Response {
    match new_record(&body) {
        Ok(record) => edit(&api, Edit::Update(record), from, StatusCode::OK, "record updated").await,
        Err(response) => *response,
    }
}

async fn remove(
    State(api): State<Api>,
    ConnectInfo(from): From,
    Query(query): Query<Map<String, Value>>,
    body: Bytes,
) -> Response {
    let fields = if query.is_empty() && !body.is_empty() {
        match fields(&body) {
            Ok(fields) => fields,
            Err(response) => return *response,
        }
    } else {
        query
    };
    let text = |key: &str| text_field(&fields, key).map(|text| text.filter(|text| !text.trim().is_empty()));
    let selection = (|| {
        Ok(Selection {
            id: text("id")?,
            name: text("name")?,
            kind: text("type")?,
            value: text("value")?,
            all: text("all")?.is_some_and(|all| matches!(all.as_str(), "1" | "true" | "yes")),
        })
    })();
    match selection {
        Ok(selection) => edit(&api, Edit::Remove(selection), from, StatusCode::OK, "record deleted").await,
        Err(message) => invalid_input(vec![message]),
    }
}

async fn reload(State(api): State<Api>) -> Response {
    #[derive(Serialize)]
    struct Reloaded {
        status: &'static str,
        records: usize,
    }
    match api.store.reload().await {
        Ok(edited) => json_reply(StatusCode::OK, &Reloaded { status: "reloaded", records: edited.records }),
        Err(error) => refusal(&error),
    }
}

/// What became of the records, newest first.
async fn history(State(api): State<Api>, Query(query): Query<Map<String, Value>>) -> Response {
    let text = |key: &str| query.get(key).and_then(Value::as_str).unwrap_or_default().trim();
    let number = |key: &str| match text(key) {
        "" => Ok(0),
        number => number.parse::<u32>().map_err(|_| format!("`{key}` must be a number, not `{number}`")),
    };
    let (limit, before) = match (number("limit"), number("before")) {
        (Ok(limit), Ok(before)) => (limit as usize, u64::from(before)),
        (Err(message), _) | (_, Err(message)) => return invalid_arguments(&[message]),
    };
    let kind = text("type");
    if !kind.is_empty()
        && let Err(unknown) = kind.parse::<RecordType>()
    {
        return invalid_arguments(&[unknown.to_string()]);
    }
    let asked = Asked { name: text("name").to_owned(), kind: kind.to_owned(), limit, before };
    match api.store.history(asked).await {
        Ok(history) => json_reply(StatusCode::OK, &HistoryJson::of(&history, &api.cluster.node_id())),
        Err(error) => refusal(&error),
    }
}

/// Makes an edit and words its outcome.
async fn edit(api: &Api, edit: Edit, from: SocketAddr, status: StatusCode, done: &str) -> Response {
    #[derive(Serialize)]
    struct Done<'a> {
        status: &'a str,
        messages: Vec<String>,
    }
    match api.store.edit(edit, format!("api {}", from.ip())).await {
        Ok(Edited { messages, .. }) => json_reply(status, &Done { status: done, messages }),
        Err(error) => refusal(&error),
    }
}

/// A refused or failed edit.
fn refusal(error: &StoreError) -> Response {
    match error {
        StoreError::Refused(refused) => invalid_arguments(&refused.0),
        StoreError::Disk { .. } | StoreError::Closed => {
            error_reply(StatusCode::SERVICE_UNAVAILABLE, &error.to_string(), &[])
        }
        StoreError::LocalWritesRejected | StoreError::ReadOnly(_) => {
            error_reply(StatusCode::FORBIDDEN, &error.to_string(), &[])
        }
        StoreError::Unknown(_) => error_reply(StatusCode::NOT_FOUND, &error.to_string(), &[]),
        StoreError::Overtaken => error_reply(StatusCode::CONFLICT, &error.to_string(), &[]),
        StoreError::Unreadable(_) => error_reply(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string(), &[]),
    }
}

/// Arguments that do not do.
pub(super) fn invalid_arguments(messages: &[String]) -> Response {
    error_reply(StatusCode::BAD_REQUEST, "invalid arguments", messages)
}

/// A body that does not do.
pub(super) fn invalid_input(messages: Vec<String>) -> Response {
    error_reply(StatusCode::BAD_REQUEST, "invalid input", &messages)
}

/// A body's fields. Keys match without case, as existing nodes read them.
pub(super) fn fields(body: &[u8]) -> Result<Map<String, Value>, Box<Response>> {
    match serde_json::from_slice::<Map<String, Value>>(body) {
        Ok(map) => Ok(map.into_iter().map(|(key, value)| (key.to_ascii_lowercase(), value)).collect()),
        Err(error) => Err(Box::new(invalid_input(vec![error.to_string()]))),
    }
}

fn new_record(body: &[u8]) -> Result<NewRecord, Box<Response>> {
    let fields = fields(body)?;
    let read = || {
        let text = |key: &str| text_field(&fields, key);
        let ttl = match fields.get("ttl") {
            None | Some(Value::Null) => None,
            Some(value) => match value.as_u64().map(u32::try_from) {
                Some(Ok(ttl)) => Some(ttl),
                _ => return Err(format!("`ttl` must be a whole number of seconds up to {}, not {value}", u32::MAX)),
            },
        };
        Ok(NewRecord {
            id: text("id")?.filter(|id| !id.is_empty()),
            name: text("name")?.unwrap_or_default(),
            kind: text("type")?.unwrap_or_default(),
            value: text("value")?.unwrap_or_default(),
            // Existing nodes read 0 as "not given" here.
            ttl: ttl.filter(|ttl| *ttl > 0),
        })
    };
    read().map_err(|message| Box::new(invalid_input(vec![message])))
}

/// A field that must be text if it is there.
fn text_field(fields: &Map<String, Value>, key: &str) -> Result<Option<String>, String> {
    match fields.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(format!("`{key}` must be text, not {other}")),
    }
}
