//! Asks the web for a list, unless it is still the one that we have (RFC 9110 §13.1).

use super::{
    MOST_OCTETS,
    copies::{Copies, NewCopy, Validators},
};
use crate::blocking::beside;
use reqwest::{
    Client, Response, StatusCode, Url,
    header::{CONTENT_TYPE, ETAG, HeaderMap, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED},
    redirect::{Attempt, Policy},
};
use std::{error::Error, time::Duration};

const CONNECT: Duration = Duration::from_secs(10);
/// Between one piece and the next.
const SILENCE: Duration = Duration::from_secs(30);
const WHOLE: Duration = Duration::from_secs(10 * 60);
const MOST_REDIRECTS: usize = 5;
/// Octets of a header field that are worth keeping.
const MAX_FIELD: usize = 1024;

/// What asks.
pub(in crate::block_list) fn client() -> Result<Client, String> {
    // Whoever comes first decides, and everybody here means ring.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let agent = concat!("dnsplane/", env!("CARGO_PKG_VERSION"));
    let redirects = Policy::custom(redirect);
    Client::builder()
        .user_agent(agent)
        .redirect(redirects)
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE)
        .timeout(WHOLE)
        // Minutes later nobody asks again; a connection would only be held open.
        .pool_max_idle_per_host(0)
        .build()
        .map_err(|error| format!("nothing can be fetched from the web: {}", innermost(&error)))
}

/// Whoever asked for a list over TLS does not want it from whoever sits in between.
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

/// What the URL says now, written to a copy to be; `None`: what it said before. The error is a sentence.
pub(super) async fn fetch(
    client: &Client,
    url: &Url,
    known: &Validators,
    copies: &Copies,
) -> Result<Option<NewCopy>, String> {
    let conditions = [(IF_NONE_MATCH, &known.etag), (IF_MODIFIED_SINCE, &known.last_modified)];
    let conditions = conditions.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    let request = conditions.fold(client.get(url.clone()), |request, (name, value)| request.header(name, value));
    let cannot = |error: reqwest::Error| format!("cannot fetch {url}: {}", innermost(&error));
    let response = request.send().await.map_err(cannot)?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NOT_MODIFIED if *known != Validators::default() => return Ok(None),
        status => return Err(format!("cannot fetch {url}: the server says {status}")),
    }
    if field(response.headers(), &CONTENT_TYPE).is_some_and(|kind| kind.starts_with("text/html")) {
        return Err(format!("cannot fetch {url}: the server sends a page of the web, not a list"));
    }
    let validators =
        Validators { etag: field(response.headers(), &ETAG), last_modified: field(response.headers(), &LAST_MODIFIED) };
    let (making, wanted) = (copies.clone(), url.clone());
    let copy = beside(move || making.create(&wanted, validators)).await;
    let copy = copy.map_err(|error| format!("cannot write to {}: {error}", copies.folder().display()))?;
    receive(response, copy, copies).await.map(Some).map_err(|why| format!("cannot fetch {url}: {why}"))
}

async fn receive(mut response: Response, mut copy: NewCopy, copies: &Copies) -> Result<NewCopy, String> {
    let too_long = || format!("it is longer than {} MiB", MOST_OCTETS >> 20);
    if response.content_length().is_some_and(|length| length > MOST_OCTETS) {
        return Err(too_long());
    }
    let mut received = 0;
    while let Some(piece) = response.chunk().await.map_err(|error| innermost(&error))? {
        received += piece.len() as u64;
        if received > MOST_OCTETS {
            return Err(too_long());
        }
        let written;
        (copy, written) = beside(move || {
            let written = copy.write(&piece);
            (copy, written)
        })
        .await;
        written.map_err(|error| format!("cannot write to {}: {error}", copies.folder().display()))?;
    }
    Ok(copy)
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
