//! The servers of `dns list`, with their health.

use super::{Object, flag, list, number, text};
use crate::print::Output;
use serde_json::Value;
use std::io;

/// A row for each server, then those that only stand in for others, then what is wrong.
pub(crate) fn dns(document: &Value, out: &mut Output<'_>) -> io::Result<()> {
    let empty = Object::new();
    let document = document.as_object().unwrap_or(&empty);
    let (servers, health) = (list(document, "servers"), list(document, "upstream_health"));
    let named = |name: Option<&str>| health.iter().copied().find(|one| name.is_some() && text(one, "name") == name);
    let mut rows: Vec<Vec<String>> = servers.iter().map(|server| row(server, named(text(server, "name")))).collect();
    let is_listed = |one: &&&Object| servers.iter().any(|server| text(server, "name") == text(one, "name"));
    rows.extend(health.iter().filter(|one| !is_listed(one)).map(|one| stand_in(one)));
    if rows.is_empty() {
        out.line("no upstream servers: names that are not ours are refused")?;
    } else {
        out.table(
            &["SERVER", "TRANSPORT", "ASKED", "DOMAINS", "FALLBACK", "HEALTH", "RTT", "QUERIES", "FAILED"],
            rows,
        )?;
    }
    let problems = document.get("messages").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    problems.into_iter().try_for_each(|problem| out.line(&format!("warning: {problem}")))
}

fn row(server: &Object, health: Option<&Object>) -> Vec<String> {
    let domains = server.get("domain_whitelist").and_then(Value::as_array).into_iter().flatten();
    let domains: Vec<_> = domains.filter_map(Value::as_str).collect();
    let active = flag(server, "active").unwrap_or(false);
    let transport = text(server, "transport").filter(|text| !text.is_empty());
    let transport = health.and_then(|health| text(health, "transport")).or(transport).unwrap_or("udp");
    let asked = match text(server, "problem") {
        Some(_) if active => "no: see below",
        _ if active => "yes",
        _ => "no",
    };
    let mut cells = vec![
        text(server, "name").or(text(server, "address")).unwrap_or("-").to_owned(),
        transport.to_ascii_lowercase(),
        asked.to_owned(),
        if domains.is_empty() { "all".to_owned() } else { domains.join(" ") },
        text(server, "fallback_address").filter(|text| !text.is_empty()).unwrap_or("-").to_owned(),
    ];
    cells.extend(state(health.filter(|_| active)));
    cells
}

/// A server that is asked when others fail, and stands in no row of its own.
fn stand_in(health: &Object) -> Vec<String> {
    let role = match text(health, "role") {
        Some("last_resort") => "last resort",
        Some(role) => role,
        None => "-",
    };
    let mut cells = [text(health, "name"), text(health, "transport"), Some(role), None, None]
        .map(|cell| cell.unwrap_or("-").to_owned())
        .to_vec();
    cells.extend(state(Some(health)));
    cells
}

/// Health, round trip, queries and failures.
fn state(health: Option<&Object>) -> Vec<String> {
    let Some(health) = health else { return vec!["-".to_owned(); 4] };
    let count = |key| number(health, key).unwrap_or(0);
    let error = text(health, "last_probe_error").unwrap_or_default();
    let said = match flag(health, "unhealthy") {
        Some(true) if error.is_empty() => format!("down ({} failures in a row)", count("consecutive_failures")),
        Some(true) => format!("down ({} failures in a row: {error})", count("consecutive_failures")),
        _ if count("queries") == 0 && text(health, "last_success_at").is_none() => "not asked yet".to_owned(),
        _ if !error.is_empty() => format!("up (last failure: {error})"),
        _ => "up".to_owned(),
    };
    let rtt = health.get("rtt_ms").and_then(Value::as_f64);
    let rtt = rtt.map_or_else(|| "-".to_owned(), |rtt| format!("{rtt:.1} ms"));
    vec![said, rtt, count("queries").to_string(), count("failures").to_string()]
}
