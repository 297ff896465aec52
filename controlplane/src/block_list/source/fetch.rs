//! Asks the web for a list, unless it is still the one that we have.

use super::{
    MOST_OCTETS,
    copies::{Copies, NewCopy},
};
use crate::{
    blocking::beside,
    web::{self, Page, Validators},
};
use reqwest::{Client, Url};
use std::time::Duration;

/// A list may be long, and the line slow.
const WHOLE: Duration = Duration::from_secs(10 * 60);

/// What asks.
pub(in crate::block_list) fn client() -> Result<Client, String> {
    web::client(WHOLE)
}

/// What the URL says now, written to a copy to be; `None`: what it said before. The error is a sentence.
pub(super) async fn fetch(
    client: &Client,
    url: &Url,
    known: &Validators,
    copies: &Copies,
) -> Result<Option<NewCopy>, String> {
    let cannot = |why: String| format!("cannot fetch {url}: {why}");
    let Some(page) = web::ask(client, url, known, MOST_OCTETS).await.map_err(cannot)? else { return Ok(None) };
    if page.is_html() {
        return Err(cannot("the server sends a page of the web, not a list".to_owned()));
    }
    let (making, wanted, validators) = (copies.clone(), url.clone(), page.validators());
    let copy = beside(move || making.create(&wanted, validators)).await;
    let copy = copy.map_err(|error| format!("cannot write to {}: {error}", copies.folder().display()))?;
    receive(page, copy, copies).await.map(Some).map_err(cannot)
}

async fn receive(mut page: Page, mut copy: NewCopy, copies: &Copies) -> Result<NewCopy, String> {
    while let Some(piece) = page.piece().await? {
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
