//! A web server with one document of records on it, that misbehaves as it is told to and counts how it is asked.

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;
use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::runtime::Runtime;
use tokio_stream::StreamExt;

use crate::record::Record;

/// The server; it stops when dropped.
#[derive(Debug)]
pub struct RecordServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
}

#[derive(Debug)]
struct Shared {
    document: Mutex<Document>,
    asked: Mutex<Asked>,
}

/// What it serves, and how.
#[derive(Clone, Debug)]
pub struct Document {
    /// How it goes about it.
    pub manner: Manner,
    /// What it calls this version; empty is nothing.
    pub etag: String,
    /// When it was changed; empty is nothing.
    pub last_modified: String,
    /// The text.
    pub body: String,
}

/// How a document is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// As it should be.
    Whole,
    /// Half of it, and then nothing more.
    Hanging,
    /// Half of it, under the length of all.
    Truncated,
    /// Half of it in chunks, and no last one.
    Unchunked,
    /// With this status.
    Status(u16),
    /// A redirect to itself.
    Redirected,
    /// Zeros for ever.
    Endless,
}

/// How it was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Requests in all.
    pub requests: usize,
    /// Those that were told that nothing has changed.
    pub unchanged: usize,
    /// The last login.
    pub login: Option<String>,
}

impl Document {
    /// A good document that says no version.
    pub fn of(records: &[Record]) -> Self {
        let list: Vec<_> = records.iter().map(Record::to_json).collect();
        Self::text(&json!({ "records": list }).to_string())
    }

    /// Any text.
    pub fn text(body: &str) -> Self {
        Self { manner: Manner::Whole, etag: String::new(), last_modified: String::new(), body: body.to_owned() }
    }

    /// The same, called this.
    pub fn called(self, etag: &str) -> Self {
        Self { etag: etag.to_owned(), ..self }
    }

    /// The same, of this time.
    pub fn changed(self, last_modified: &str) -> Self {
        Self { last_modified: last_modified.to_owned(), ..self }
    }

    /// The same, served like this.
    pub fn served(self, manner: Manner) -> Self {
        Self { manner, ..self }
    }
}

impl RecordServer {
    /// Starts with this document.
    pub fn start(document: Document) -> Self {
        Self::start_on("127.0.0.1:0".parse().expect("an address"), document)
    }

    /// The same, where another one was before.
    pub fn start_on(address: SocketAddr, document: Document) -> Self {
        let shared = Arc::new(Shared { document: Mutex::new(document), asked: Mutex::default() });
        let runtime = Runtime::new().expect("a runtime");
        let listener = runtime.block_on(tokio::net::TcpListener::bind(address)).expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { address, shared, runtime: Some(runtime) }
    }

    /// Its document.
    pub fn url(&self) -> String {
        format!("http://{}/records.json", self.address)
    }

    /// The same with a login in it.
    pub fn url_as(&self, login: &str) -> String {
        format!("http://{login}@{}/records.json", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on it serves this.
    pub fn serve(&self, document: Document) {
        *lock(&self.shared.document) = document;
    }

    /// How it was asked so far.
    pub fn asked(&self) -> Asked {
        lock(&self.shared.asked).clone()
    }
}

impl Drop for RecordServer {
    fn drop(&mut self) {
        // Some of its replies have no end.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn answer(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let document = lock(&shared.document).clone();
    let Document { manner, etag, last_modified, body } = document;
    let said = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let known = |mine: &str, theirs: &str| !mine.is_empty() && mine == theirs;
    let unchanged = manner == Manner::Whole
        && (known(&etag, said(header::IF_NONE_MATCH)) || known(&last_modified, said(header::IF_MODIFIED_SINCE)));
    {
        let mut asked = lock(&shared.asked);
        asked.requests += 1;
        asked.unchanged += usize::from(unchanged);
        asked.login = Some(said(header::AUTHORIZATION).to_owned()).filter(|login| !login.is_empty());
    }
    let mut reply = if unchanged { StatusCode::NOT_MODIFIED.into_response() } else { reply(manner, body) };
    for (name, value) in [(header::ETAG, etag), (header::LAST_MODIFIED, last_modified)] {
        if !value.is_empty() {
            reply.headers_mut().insert(name, value.parse().expect("a version fits into a header"));
        }
    }
    reply
}

fn reply(manner: Manner, body: String) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    let half = Bytes::from(body[..body.len() / 2].to_owned());
    let length = [(header::CONTENT_LENGTH, body.len())];
    let first = tokio_stream::once(Ok::<_, io::Error>(half));
    let broken = tokio_stream::once(Err(io::Error::other("cut")));
    match manner {
        Manner::Whole => (kind, body).into_response(),
        Manner::Hanging => (kind, length, Body::from_stream(first.chain(tokio_stream::pending()))).into_response(),
        Manner::Truncated => (kind, length, Body::from_stream(first.chain(broken))).into_response(),
        Manner::Unchunked => (kind, Body::from_stream(first.chain(broken))).into_response(),
        Manner::Status(code) => {
            (StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), body).into_response()
        }
        Manner::Redirected => (StatusCode::FOUND, [(header::LOCATION, "/records.json")]).into_response(),
        Manner::Endless => {
            let zeros = Bytes::from(vec![b' '; 1 << 20]);
            let pieces = tokio_stream::iter(std::iter::repeat_with(move || Ok::<_, io::Error>(zeros.clone())));
            (kind, Body::from_stream(pieces)).into_response()
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
