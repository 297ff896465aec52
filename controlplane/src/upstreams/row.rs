//! What a row of `dnsservers.json` means.
//!
//! Existing nodes refuse to start over one wrong row. Here a row that does not do is named, not asked, and kept.

use super::{
    document::{Fields, Row},
    endpoint::{Fault, Part, Written},
};
use dnsplane_proto::{Name, Server, Upstream};
use serde_json::Value;

/// A row, understood.
#[derive(Clone, Debug)]
pub(super) struct Meaning {
    /// Whether it is to be asked.
    pub(super) active: bool,
    /// What it says, or why it says nothing that can be used: one sentence without its end.
    pub(super) upstream: Result<Upstream, String>,
    /// What is odd about it and does no harm, a sentence each.
    pub(super) odd: Vec<String>,
}

impl Meaning {
    pub(super) fn of(row: &Row) -> Self {
        let mut odd = Vec::new();
        let Some(fields) = row.fields() else {
            return Self { active: true, upstream: Err("it is no object in braces".to_owned()), odd };
        };
        // A row whose `active` makes no sense may have been meant to be asked, so that its owner is told.
        let active = flag(fields, "active");
        let upstream = active.clone().and_then(|_| upstream(fields, &mut odd));
        Self { active: active.unwrap_or(true), upstream, odd }
    }
}

fn upstream(fields: &Fields, odd: &mut Vec<String>) -> Result<Upstream, String> {
    let server = server(fields, "", odd)?;
    let domains = domains(fields)?;
    // Without its fallback the server is still better than nothing.
    let fallback = fallback(fields, odd).unwrap_or_else(|why| {
        odd.push(format!("{why}; it has no fallback"));
        None
    });
    Ok(Upstream { server, domains, fallback })
}

/// The server whose keys begin with `prefix`.
pub(super) fn server(fields: &Fields, prefix: &str, odd: &mut Vec<String>) -> Result<Server, String> {
    let mut text = |part| text(fields, &key(prefix, part), odd);
    let written = Written {
        address: text(Part::Address)?,
        port: text(Part::Port)?,
        transport: text(Part::Transport)?,
        url: text(Part::Url)?,
        tls_name: text(Part::TlsName)?,
    };
    written.understand().map_err(|Fault { part, why }| {
        // Only rows have a `doh_url` beside the address; the sentence names the key of this server.
        format!("`{}` {}", key(prefix, part), why.replace("`doh_url`", &format!("`{prefix}doh_url`")))
    })
}

/// The server that is asked when this one fails, if there is one.
pub(super) fn fallback(fields: &Fields, odd: &mut Vec<String>) -> Result<Option<Server>, String> {
    const PREFIX: &str = "fallback_";
    // Existing nodes leave a port behind when a fallback is taken away.
    let named = [Part::Address, Part::Url].iter().any(|part| !fields.text(&key(PREFIX, *part)).is_empty());
    let odd_kind = fields.get(&key(PREFIX, Part::Address)).is_some_and(|value| !value.is_string());
    if named || odd_kind { server(fields, PREFIX, odd).map(Some) } else { Ok(None) }
}

/// The names that are asked of it alone. One that is no name makes the row unusable: without it the server might be
/// asked for everything, which is what its owner wanted to avoid.
pub(super) fn domains(fields: &Fields) -> Result<Vec<Name>, String> {
    const KEY: &str = "domain_whitelist";
    let refusal = |value: &dyn std::fmt::Display| format!("`{KEY}` must be a list of domains in quotes, not {value}");
    let mut domains = Vec::new();
    let items = match fields.get(KEY) {
        None => return Ok(domains),
        Some(Value::Array(items)) => items,
        Some(other) => return Err(refusal(&other)),
    };
    for item in items {
        let Value::String(text) = &item else { return Err(refusal(&item)) };
        let Some(domain) = domain(text)? else { continue };
        if !domains.contains(&domain) {
            domains.push(domain);
        }
    }
    Ok(domains)
}

/// A domain as people write it: `corp.example`, also with a dot or `*.` before it. Empty text is none.
pub(super) fn domain(text: &str) -> Result<Option<Name>, String> {
    let bare = text.trim();
    let bare =
        bare.strip_prefix("*.").or_else(|| bare.strip_prefix('.').filter(|rest| !rest.is_empty())).unwrap_or(bare);
    if bare.is_empty() {
        return Ok(None);
    }
    let refusal = |why| format!("`domain_whitelist` names `{}`, which is no domain: {why}", text.escape_debug());
    Name::parse(bare).map(Some).map_err(refusal)
}

/// The key of a part.
pub(super) fn key(prefix: &str, part: Part) -> String {
    let name = match part {
        Part::Address => "address",
        Part::Port => "port",
        Part::Transport => "transport",
        Part::Url => "doh_url",
        Part::TlsName => "tls_name",
    };
    format!("{prefix}{name}")
}

/// Text, or a whole number where a port is meant: existing nodes stop at those.
fn text(fields: &Fields, key: &str, odd: &mut Vec<String>) -> Result<String, String> {
    match fields.get(key) {
        None => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.trim().to_owned()),
        Some(Value::Number(number)) if key.ends_with("port") && number.is_u64() => {
            odd.push(format!("`{key}` is the number {number}; write \"{number}\", which existing nodes can read, too"));
            Ok(number.to_string())
        }
        Some(other) => Err(format!("`{key}` must be text in quotes, not {other}")),
    }
}

/// True or false; false if it is not there.
pub(super) fn flag(fields: &Fields, key: &str) -> Result<bool, String> {
    match fields.get(key) {
        None => Ok(false),
        Some(Value::Bool(flag)) => Ok(flag),
        Some(other) => Err(format!("`{key}` must be true or false, not {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::document::Document, *};

    fn meaning(row: &str) -> Meaning {
        let document = Document::read(&format!("{{\"dnsservers\":[{row}]}}")).unwrap();
        Meaning::of(&document.rows[0])
    }

    fn domains_of(upstream: &Upstream) -> String {
        upstream.domains.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn rows_of_existing_nodes_mean_what_they_mean_there() {
        let document = Document::read(include_str!("../../../tests/vectors/files/servers/dnsservers.json")).unwrap();
        let meant: Vec<_> = document.rows.iter().map(Meaning::of).collect();
        let said = meant.iter().map(|row| {
            let upstream = row.upstream.as_ref().unwrap();
            let fallback = upstream.fallback.as_ref().map_or("", |server| &server.name);
            (row.active, upstream.server.name.clone(), domains_of(upstream), fallback.to_owned())
        });
        let said: Vec<_> = said.collect();
        let expected = [
            (false, "1.1.1.1:53", "", ""),
            (true, "192.0.2.53:53", "", ""),
            (false, "192.0.2.54:5353", "corp.test. lab.test.", ""),
            (true, "[2001:db8::53]:853", "", "192.0.2.55:53"),
        ];
        let text = |(active, server, domains, fallback): (bool, &str, &str, &str)| {
            (active, server.to_owned(), domains.to_owned(), fallback.to_owned())
        };
        assert_eq!(said, expected.map(text));
        assert!(meant.iter().all(|row| row.odd.is_empty()));
    }

    #[test]
    fn reading_is_lenient_where_nothing_can_go_wrong() {
        for (row, server, domains) in [
            (r#"{"ADDRESS": " 192.0.2.1 ", "Active": true, "port": null}"#, "192.0.2.1:53", ""),
            (r#"{"address": "192.0.2.9", "address": "192.0.2.1"}"#, "192.0.2.1:53", ""),
            (
                r#"{"address": "192.0.2.1", "domain_whitelist": ["Corp.Test.", "", "*.a.test", ".b.test", "corp.test"]}"#,
                "192.0.2.1:53",
                "corp.test. a.test. b.test.",
            ),
            (r#"{"address": "192.0.2.1", "fallback_port": "53", "x": {}}"#, "192.0.2.1:53", ""),
        ] {
            let Meaning { upstream, odd, .. } = meaning(row);
            let upstream = upstream.unwrap();
            assert_eq!((upstream.server.name.as_str(), domains_of(&upstream).as_str()), (server, domains), "{row}");
            assert!(odd.is_empty() && upstream.fallback.is_none(), "{row}: {odd:?}");
        }
        let numeric = meaning(r#"{"address": "192.0.2.1", "port": 5353}"#);
        assert_eq!(numeric.upstream.unwrap().server.name, "192.0.2.1:5353");
        assert!(numeric.odd[0].starts_with("`port` is the number 5353; write \"5353\""), "{:?}", numeric.odd);
    }

    #[test]
    fn a_row_that_does_not_do_says_why() {
        for (row, sentence) in [
            ("7", "it is no object in braces"),
            ("{}", "`address` is missing"),
            (r#"{"address": 1}"#, "`address` must be text in quotes, not 1"),
            (r#"{"address": "192.0.2.1", "port": "x"}"#, "`port` is `x`, which is no port"),
            (r#"{"address": "192.0.2.1", "port": 1.5}"#, "`port` must be text in quotes, not 1.5"),
            (r#"{"address": "192.0.2.1", "active": "yes"}"#, "`active` must be true or false, not \"yes\""),
            (r#"{"address": "192.0.2.1", "domain_whitelist": "a"}"#, "`domain_whitelist` must be a list of domains"),
            (r#"{"address": "192.0.2.1", "domain_whitelist": ["a..b"]}"#, "names `a..b`, which is no domain"),
        ] {
            let why = meaning(row).upstream.expect_err(row);
            assert!(why.contains(sentence), "{row}: {why}");
        }
    }

    #[test]
    fn a_fallback_that_does_not_do_costs_the_fallback_alone() {
        for (row, sentence) in [
            (
                r#"{"address": "192.0.2.1", "fallback_address": "x"}"#,
                "`fallback_address` is `x`, which is not an IP address",
            ),
            (
                r#"{"address": "192.0.2.1", "fallback_doh_url": "https://a/b", "fallback_transport": "doh"}"#,
                "`fallback_address` is missing",
            ),
            (r#"{"address": "192.0.2.1", "fallback_address": "https://a/b"}"#, "the URL as `fallback_doh_url`"),
        ] {
            let Meaning { upstream, odd, .. } = meaning(row);
            assert!(upstream.unwrap().fallback.is_none(), "{row}");
            assert!(odd[0].contains(sentence) && odd[0].ends_with("it has no fallback"), "{row}: {odd:?}");
        }
    }
}
