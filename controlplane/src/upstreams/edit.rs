//! Edits of the list of servers: what is asked for, which row is meant, and what comes of it.

use super::{
    document::{Document, Fields, Row},
    patch::Patch,
    row::{self, Meaning},
};
use serde_json::Value;
use std::net::IpAddr;

/// Far above what one node can sensibly ask; small enough that choosing among them costs nothing.
pub(super) const MOST_SERVERS: usize = 256;
/// How a moment that never was is written.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    /// A new row.
    Add(Patch),
    /// Changes of one row.
    Update(Selection, Patch),
    /// One row less.
    Remove(Selection),
    /// No rows.
    Clear,
}

/// Which row: the one of this address; if there are several, those are told apart by port and transport.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    pub(crate) address: String,
    pub(crate) port: Option<String>,
    pub(crate) transport: Option<String>,
}

/// What came of an edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edited {
    pub(crate) changed: bool,
    /// What happened, one sentence each.
    pub(crate) messages: Vec<String>,
}

impl Edit {
    /// Carries it out, or says what is wrong with it; then the document is as it was.
    pub(super) fn apply(self, document: &mut Document) -> Result<Edited, String> {
        match self {
            Self::Add(patch) => add(document, patch),
            Self::Update(selection, patch) => update(document, &selection, &patch),
            Self::Remove(selection) => {
                let at = selection.find(&document.rows, None)?;
                let gone = document.rows.remove(at);
                Ok(changed(format!("{} removed", label(&gone))))
            }
            Self::Clear => {
                let count = document.rows.len();
                document.rows.clear();
                let servers = if count == 1 { "1 server".to_owned() } else { format!("{count} servers") };
                Ok(Edited { changed: count > 0, messages: vec![format!("{servers} removed")] })
            }
        }
    }
}

fn add(document: &mut Document, mut patch: Patch) -> Result<Edited, String> {
    let mut messages = Vec::new();
    if patch.text("doh_url").is_some_and(|url| !url.is_empty()) && patch.text("transport").is_none() {
        patch.want("transport", "doh");
        messages.push("`transport` is doh, because a `doh_url` was given".to_owned());
    }
    let mut fields = Fields::default();
    let texts = ["address", "port", "transport", "doh_url"];
    let made = (|| {
        texts.iter().try_for_each(|key| fields.set(key, &""))?;
        fields.set("active", &true)?;
        fields.set("local_resolver", &true)?;
        fields.set("adblocker", &false)?;
        patch.apply(&mut fields)?;
        fields.set("last_used", &NEVER)?;
        fields.set("last_success", &NEVER)
    })();
    made.map_err(|error| error.to_string())?;
    let row = tidied(fields)?;
    let name = label(&row);
    if let Some(there) = document.rows.iter().find(|there| label(there) == name) {
        let same = |one: Meaning, other: Meaning| one.active == other.active && one.upstream == other.upstream;
        if same(Meaning::of(there), Meaning::of(&row)) {
            return Ok(Edited { changed: false, messages: vec![format!("{name} is there already")] });
        }
        return Err(format!("{name} is there already, with other settings; update it instead"));
    }
    if document.rows.len() >= MOST_SERVERS {
        return Err(format!("there are {MOST_SERVERS} servers already, which is as many as a node asks"));
    }
    let idle = if Meaning::of(&row).active { "" } else { "; it is not active" };
    document.rows.push(row);
    messages.insert(0, format!("{name} added{idle}"));
    Ok(Edited { changed: true, messages })
}

fn update(document: &mut Document, selection: &Selection, patch: &Patch) -> Result<Edited, String> {
    let at = selection.find(&document.rows, Some(patch))?;
    let Some(before) = document.rows.get(at).and_then(Row::fields) else {
        return Err("there is no such server".to_owned());
    };
    let mut fields = before.clone();
    patch.apply(&mut fields).map_err(|error| error.to_string())?;
    let row = tidied(fields)?;
    let name = label(&row);
    let others = document.rows.iter().enumerate().filter(|(other, _)| *other != at);
    if others.map(|(_, row)| label(row)).any(|other| other == name) {
        return Err(format!("{name} is there already, in another row"));
    }
    let said = |row: &Row| serde_json::to_string(row).ok();
    let old = document.rows.get(at);
    if old.and_then(said) == said(&row) {
        return Ok(Edited { changed: false, messages: vec![format!("{name} is like that already")] });
    }
    let was = old.map(label).filter(|was| *was != name).map(|was| format!(", which was {was}")).unwrap_or_default();
    let idle = if Meaning::of(&row).active { "" } else { "; it is not active" };
    document.rows[at] = row;
    Ok(changed(format!("{name}{was} updated{idle}")))
}

/// A row that somebody has just written, if all of it does; with its port in text, as existing nodes need it.
fn tidied(mut fields: Fields) -> Result<Row, String> {
    let mut odd = Vec::new();
    let server = row::server(&fields, "", &mut odd)?;
    row::domains(&fields)?;
    row::fallback(&fields, &mut odd)?;
    let mut tidy = || {
        if fields.text("port").is_empty() {
            fields.set("port", &server.address.port().to_string())?;
        }
        for key in ["transport", "doh_url"] {
            if fields.text(key).is_empty() {
                fields.remove(key);
            }
        }
        match fields.get("fallback_port") {
            Some(Value::Number(port)) => fields.set("fallback_port", &port.to_string()),
            _ => Ok(()),
        }
    };
    tidy().map_err(|error: serde_json::Error| error.to_string())?;
    Ok(Row::Server(fields))
}

impl Selection {
    /// The one row that is meant. What an update wants the port and the transport to be may say which of several it is.
    fn find(&self, rows: &[Row], patch: Option<&Patch>) -> Result<usize, String> {
        let fits = |row: &Row| row.fields().is_some_and(|fields| self.fits(fields));
        let mut found: Vec<usize> = (0..rows.len()).filter(|at| fits(&rows[*at])).collect();
        for (key, part) in [("port", port as fn(&Fields) -> String), ("transport", transport)] {
            if let (Some(wanted), true) = (patch.and_then(|patch| patch.text(key)), found.len() > 1) {
                let narrowed = found
                    .iter()
                    .copied()
                    .filter(|at| rows[*at].fields().is_some_and(|fields| part(fields).eq_ignore_ascii_case(wanted)));
                found = narrowed.collect();
            }
        }
        match *found.as_slice() {
            [at] => Ok(at),
            [] => {
                let narrowed =
                    if self.port.is_some() || self.transport.is_some() { " with that port and transport" } else { "" };
                Err(format!("there is no server `{}`{narrowed}", self.address.escape_debug()))
            }
            [..] => {
                let names: Vec<_> = found.iter().map(|at| label(&rows[*at])).collect();
                Err(format!(
                    "several servers have this address ({}): say which by its port, or its transport",
                    names.join(", ")
                ))
            }
        }
    }

    fn fits(&self, fields: &Fields) -> bool {
        let (wanted, written) = (self.address.trim(), fields.text("address"));
        let same_ip = || ip(wanted).is_some_and(|ip_wanted| ip(&written) == Some(ip_wanted));
        let fits = |wanted: &Option<String>, has: String| {
            wanted.as_ref().is_none_or(|wanted| wanted.trim().eq_ignore_ascii_case(&has))
        };
        (written.eq_ignore_ascii_case(wanted) || same_ip())
            && fits(&self.port, port(fields))
            && fits(&self.transport, transport(fields))
    }
}

/// What people call a row: as health and counters do, if it can be asked.
pub(super) fn label(row: &Row) -> String {
    let Some(fields) = row.fields() else { return "what is no server".to_owned() };
    match row::server(fields, "", &mut Vec::new()) {
        Ok(server) => server.name,
        Err(_) => match (fields.text("address"), port(fields)) {
            (address, _) if address.is_empty() => "a server without address".to_owned(),
            (address, port) if port.is_empty() => address,
            (address, port) => format!("{address}:{port}"),
        },
    }
}

fn port(fields: &Fields) -> String {
    match (row::server(fields, "", &mut Vec::new()), fields.get("port")) {
        (Ok(server), _) => server.address.port().to_string(),
        (Err(_), Some(Value::Number(port))) => port.to_string(),
        (Err(_), _) => fields.text("port"),
    }
}

fn transport(fields: &Fields) -> String {
    match fields.text("transport").to_ascii_lowercase() {
        none if none.is_empty() && fields.text("address").contains("://") => "doh".to_owned(),
        none if none.is_empty() => "udp".to_owned(),
        transport => transport,
    }
}

fn ip(text: &str) -> Option<IpAddr> {
    text.trim_matches(['[', ']']).parse().ok()
}

fn changed(message: String) -> Edited {
    Edited { changed: true, messages: vec![message] }
}
