//! Asks the web for a page, unless it is still the one that we have (RFC 9110 §13.1).
//!
//! Block lists and records come this way. Whatever the server does, a transfer ends: within a time, within a number of
//! octets (counted after they were unpacked), within a few redirects. A body that is cut short is a failure.

use bytes::Bytes;
use reqwest::{
    Client, Response, StatusCode, Url,
    header::{CONTENT_TYPE, ETAG, HeaderMap, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED},
    redirect::{Attempt, Policy},
};
use serde::{Deserialize, Serialize};
use std::{error::Error, time::Duration};

const CONNECT: Duration = Duration::from_secs(10);
/// Between one piece and the next.
const SILENCE: Duration = Duration::from_secs(30);
const MOST_REDIRECTS: usize = 5;
/// Octets of a header field that are worth keeping.
const MAX_FIELD: usize = 1024;

/// What the server calls the version that we have (RFC 9110 §8.8).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Validators {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) etag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last_modified: Option<String>,
}

/// A page that has begun to arrive.
pub(crate) struct Page {
    response: Response,
    received: u64,
    most: u64,
}

/// What asks; no transfer takes longer than `whole`.
pub(crate) fn client(whole: Duration) -> Result<Client, String> {
    // Whoever comes first decides, and everybody here means ring.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let agent = concat!("dnsplane/", env!("CARGO_PKG_VERSION"));
    Client::builder()
        .user_agent(agent)
        .redirect(Policy::custom(redirect))
        // Where we come from may hold a token.
        .referer(false)
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE)
        .timeout(whole)
        // Minutes later nobody asks again; a connection would only be held open.
        .pool_max_idle_per_host(0)
        .build()
        .map_err(|error| format!("nothing can be fetched from the web: {}", innermost(&error)))
}

/// Whoever asked for a page over TLS does not want it from whoever sits in between.
fn redirect(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let secure = attempt.previous().iter().any(|url| url.scheme() == "https");
    if attempt.previous().len() > MOST_REDIRECTS {
        attempt.error("it redirects again and again")
    } else if secure && attempt.url().scheme() != "https" {
        attempt.error("it redirects from https to http")
    } else {
        attempt.follow()
    }
}

/// Asks for at most so many octets; `None`: the server says that it is what we know. Errors say why, and never the URL.
pub(crate) async fn ask(client: &Client, url: &Url, known: &Validators, most: u64) -> Result<Option<Page>, String> {
    let conditions = [(IF_NONE_MATCH, &known.etag), (IF_MODIFIED_SINCE, &known.last_modified)];
    let conditions = conditions.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    let request = conditions.fold(client.get(url.clone()), |request, (name, value)| request.header(name, value));
    let response = request.send().await.map_err(|error| innermost(&error))?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NOT_MODIFIED if *known != Validators::default() => return Ok(None),
        status => return Err(format!("the server says {status}")),
    }
    let page = Page { response, received: 0, most };
    page.check(page.response.content_length().unwrap_or_default())?;
    Ok(Some(page))
}

impl Page {
    /// What the server calls this version.
    pub(crate) fn validators(&self) -> Validators {
        let headers = self.response.headers();
        Validators { etag: field(headers, &ETAG), last_modified: field(headers, &LAST_MODIFIED) }
    }

    /// Whether the server says that it is for people to look at.
    pub(crate) fn is_html(&self) -> bool {
        field(self.response.headers(), &CONTENT_TYPE).is_some_and(|kind| kind.starts_with("text/html"))
    }

    /// The next octets; `None`: that was all.
    pub(crate) async fn piece(&mut self) -> Result<Option<Bytes>, String> {
        let piece = self.response.chunk().await.map_err(|error| innermost(&error))?;
        self.received += piece.as_ref().map_or(0, |piece| piece.len() as u64);
        self.check(self.received)?;
        Ok(piece)
    }

    fn check(&self, octets: u64) -> Result<(), String> {
        if octets > self.most { Err(format!("it is longer than {} MiB", self.most >> 20)) } else { Ok(()) }
    }
}

fn field(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    (value.len() <= MAX_FIELD).then(|| value.to_owned())
}

/// What is really the matter: the errors around it say the URL again, and that there was a request.
fn innermost(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
