//! The document of `dnsrecords.json`, on the web.
//!
//! A server that says "not modified" costs a question; one that cannot say so costs a transfer, and the same octets as
//! last time are still nothing new. Whatever else comes than a whole document is a reason, not a set of records.

use super::{Faults, Read, Reading, Source, SourceError, read_document};
use crate::{
    blocking::beside,
    config::Remote,
    hash::hex,
    record::Record,
    web::{self, Validators},
};
use reqwest::{Client, Url as Address};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::time::Duration;

/// A question, its answer and all of the document.
const WHOLE: Duration = Duration::from_secs(30);
/// Octets of a document. Far above any real one: a million records are 200 MB.
const MOST_OCTETS: u64 = 256 << 20;

/// A URL.
pub(crate) struct Url {
    remote: Remote,
    client: Result<Client, String>,
    /// What was taken last, if anything was.
    known: Option<Known>,
    /// What was read after that, and nobody has taken yet.
    read: Option<Known>,
}

/// How to tell that a document is the one that was read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
struct Known {
    #[serde(flatten)]
    validators: Validators,
    sha256: String,
}

impl Url {
    /// A source that goes on from what was kept of it.
    pub(crate) fn new(remote: Remote, memory: Option<Value>) -> Self {
        let known = memory.and_then(|memory| Known::deserialize(memory).ok());
        Self { remote, client: web::client(WHOLE), known, read: None }
    }

    async fn look(&mut self) -> Result<Option<Reading>, SourceError> {
        // What it would be compared with is what the store holds.
        self.read = None;
        let found = self.fetch().await.map_err(|why| self.cannot(&why))?;
        let Some((body, validators)) = found else { return Ok(None) };
        let file = self.remote.to_string();
        let last = self.known.as_ref().map(|known| known.sha256.clone());
        let understood = beside(move || understand(&file, &body, last.as_deref())).await;
        let Understood { sha256, content } = understood.map_err(|why| self.cannot(&why))?;
        let version = describe(&validators);
        let read = Known { validators, sha256 };
        let Some((records, faults)) = content else {
            self.known = Some(read);
            return Ok(None);
        };
        self.read = Some(read);
        Ok(Some(Reading::whole(records, faults, version)))
    }

    /// What the server says now and how it calls that, unless it is what we know.
    async fn fetch(&self) -> Result<Option<(Vec<u8>, Validators)>, String> {
        let client = self.client.as_ref().map_err(Clone::clone)?;
        let address = Address::parse(self.remote.expose()).map_err(|error| error.to_string())?;
        let known = self.known.as_ref().map(|known| known.validators.clone()).unwrap_or_default();
        let Some(mut page) = web::ask(client, &address, &known, MOST_OCTETS).await? else { return Ok(None) };
        let mut body = Vec::new();
        while let Some(piece) = page.piece().await? {
            body.extend_from_slice(&piece);
        }
        Ok(Some((body, page.validators())))
    }

    fn cannot(&self, why: &str) -> SourceError {
        SourceError(format!("cannot read the URL `{}`: {}", self.remote, self.remote.hide_in(why)))
    }
}

impl Source for Url {
    fn what(&self) -> String {
        format!("the URL `{}`", self.remote)
    }

    fn read(&mut self) -> Read<'_> {
        Box::pin(self.look())
    }

    fn taken(&mut self, records: Option<usize>) {
        // One that was not taken must come whole again, whatever the server thinks that we have.
        self.known = self.read.take().filter(|_| records.is_some());
    }

    fn memory(&self) -> Value {
        serde_json::to_value(&self.known).unwrap_or_default()
    }
}

/// What a body comes to.
struct Understood {
    sha256: String,
    /// `None`: it is what was read last.
    content: Option<(Vec<Record>, Faults)>,
}

fn understand(file: &str, body: &[u8], last: Option<&str>) -> Result<Understood, String> {
    let sha256 = hex(&Sha256::digest(body));
    if last == Some(sha256.as_str()) {
        return Ok(Understood { sha256, content: None });
    }
    let records = read_document(body).map_err(|error| {
        let what = match body.trim_ascii_start().first() {
            None => "it sends nothing at all".to_owned(),
            // Half of the web answers "not found" with a page and the code for success.
            Some(b'<') => "it sends a page for people".to_owned(),
            Some(_) => error.to_string(),
        };
        format!("{what}; it must be a document like dnsrecords.json, `{{\"records\": […]}}`")
    })?;
    let faults = Faults::of_records(file, &records);
    Ok(Understood { sha256, content: Some((records, faults)) })
}

/// A version as its server calls it.
fn describe(validators: &Validators) -> String {
    match validators {
        Validators { last_modified: Some(time), .. } => format!("of {time}"),
        Validators { etag: Some(etag), .. } => format!("ETag {etag}"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_documents_are_sets_of_records() {
        let whole = br#"{"records":[{"name":"a.test","type":"A","value":"192.0.2.1"},{"name":"b.test","type":"A","value":"?"}]}"#;
        let understood = understand("u", whole, None).unwrap();
        let (records, faults) = understood.content.unwrap();
        assert_eq!((records.len(), faults.count()), (2, 1));
        assert!(faults.first()[0].to_string().starts_with("u: record 2, `b.test A ?`"), "{faults:?}");
        assert!(understand("u", whole, Some(&understood.sha256)).unwrap().content.is_none());
        assert!(understand("u", br#"{"records":[]}"#, None).is_ok());
        for (body, why) in [
            ("", "it sends nothing at all; it must be"),
            (" \n<!doctype html>", "it sends a page for people; it must be"),
            ("{}", "line 1, column 2: missing field `records`; it must be"),
            ("{\"records\":[\n{\"ttl\":x}]}", "line 2, column 8"),
            (r#"{"records":[{"name":"a.test","#, "line 1, column 29"),
        ] {
            let said = understand("u", body.as_bytes(), None).err().unwrap();
            assert!(said.starts_with(why), "{body}: {said}");
        }
    }

    #[test]
    fn what_was_not_taken_is_forgotten_and_what_was_is_kept() {
        let mut url = Url::new(Remote::new("http://127.0.0.1:9/"), None);
        let read = || Known { validators: Validators::default(), sha256: "00".to_owned() };
        url.read = Some(read());
        url.taken(Some(1));
        let kept = url.memory();
        assert_eq!(Url::new(Remote::new("http://127.0.0.1:9/"), Some(kept)).known, Some(read()));
        url.read = Some(read());
        url.taken(None);
        assert_eq!(url.memory(), Value::Null);
        assert_eq!(Url::new(Remote::new("http://127.0.0.1:9/"), None).known, None);
    }
}
