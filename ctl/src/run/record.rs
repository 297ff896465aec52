//! The commands of `record`.

use super::{Exit, edited, export, import, lines, show};
use crate::{
    args::{Past, RecordCommand, Undone},
    client::{Client, Failure, Stream},
    consent::{ask, can_ask},
    edit,
    print::{Output, ROWS},
    view::{self, whole_seconds},
};
use dnsplane_proto::pb::admin::{HistoryRequest, Problem, Record, UndoRequest};
use serde_json::{Value, json};
use std::{cell::Cell, path::Path};

pub(super) async fn run(socket: &Path, command: RecordCommand, out: &mut Output<'_>) -> Result<Exit, Failure> {
    // Words are read before the connection is made: a slip of the keyboard is told as such, with or without a server.
    match command {
        RecordCommand::Add(new) => {
            let edit = edit::edit(&new.words, new.ttl, None)?;
            edited(&Client::connect(socket).await?.add_record(edit).await?, out)
        }
        RecordCommand::Update(changed) => {
            let edit = edit::edit(&changed.record.words, changed.record.ttl, changed.id)?;
            edited(&Client::connect(socket).await?.update_record(edit).await?, out)
        }
        RecordCommand::Remove(removal) => {
            let selection = edit::selection(&removal.words, removal.id, removal.all);
            edited(&Client::connect(socket).await?.remove_records(selection).await?, out)
        }
        RecordCommand::List(listing) => {
            let (filter, details) = edit::listing(&listing.words, listing.kind, listing.name, listing.details)?;
            let records = Client::connect(socket).await?.list_records(filter).await?;
            list(records, out, &record_header(details), "record", |record| record_row(record, details), record_json)
                .await?;
            Ok(Exit::Done)
        }
        RecordCommand::Load => edited(&Client::connect(socket).await?.load_records().await?, out),
        RecordCommand::Check { strict } => check(socket, strict, out).await,
        RecordCommand::History(Past { limit, before, name, kind }) => {
            let (name, kind) = (name.unwrap_or_default(), kind.unwrap_or_default());
            let whole = name.is_empty();
            let which = HistoryRequest { name, r#type: kind, limit, before };
            let document = Client::connect(socket).await?.record_history(which).await?;
            show(&document, |history, out| view::history(history, whole, out), out)
        }
        RecordCommand::Export(wanted) => export::export(socket, wanted, out).await,
        RecordCommand::Import(wanted) => import::import(socket, wanted, out).await,
        RecordCommand::Undo(undone) => undo(socket, undone, out).await,
    }
}

async fn check(socket: &Path, strict: bool, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let problems = Client::connect(socket).await?.check_records().await?;
    let header = ["", "NAME", "TYPE", "VALUE", "RECORD", "REASON"];
    let bad = Cell::new(false);
    let weigh = |problem: &Problem| bad.set(bad.get() || strict || problem.severity != "warning");
    let row = |problem: &Problem| {
        weigh(problem);
        problem_row(problem)
    };
    let json = |problem: &Problem| {
        weigh(problem);
        problem_json(problem)
    };
    list(problems, out, &header, "problem", row, json).await?;
    Ok(if bad.get() { Exit::Partly } else { Exit::Done })
}

/// Shows what undoing would do, asks, and has it done.
async fn undo(socket: &Path, undone: Undone, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let Undone { dry_run, yes, number } = undone;
    if !(dry_run || yes || can_ask()) {
        let text = "there is no terminal to ask at: look with --dry-run, do it with --yes";
        return Err(Failure::Usage(text.to_owned()));
    }
    let mut client = Client::connect(socket).await?;
    if dry_run {
        return edited(&client.undo_change(UndoRequest { number, dry_run }).await?, out);
    }
    if !yes {
        let preview = client.undo_change(UndoRequest { number, dry_run: true }).await?;
        if !out.is_json() {
            lines(&preview.messages, out)?;
        }
        out.flush()?;
        if !ask(format!("undo change {number}?")).await? {
            return Err(Failure::Refused(format!("change {number} was not undone")));
        }
    }
    edited(&client.undo_change(UndoRequest { number, dry_run }).await?, out)
}

/// Writes a stream as it arrives; says how many there were.
async fn list<T>(
    mut items: Stream<T>,
    out: &mut Output<'_>,
    header: &[&str],
    noun: &str,
    row: impl Fn(&T) -> Vec<String>,
    json: impl Fn(&T) -> Value,
) -> Result<usize, Failure> {
    let mut count = 0;
    let mut rows = Vec::new();
    while let Some(item) = items.next().await? {
        if out.is_json() {
            out.raw(if count == 0 { "[" } else { "," })?;
            out.json(&json(&item))?;
        } else {
            rows.push(row(&item));
            if rows.len() == ROWS {
                out.table(header, std::mem::take(&mut rows))?;
            }
        }
        count += 1;
    }
    if out.is_json() {
        out.raw(if count == 0 { "[]\n" } else { "]\n" })?;
        return Ok(count);
    }
    if !rows.is_empty() {
        out.table(header, rows)?;
    }
    out.line(&match count {
        0 => format!("no {noun}s"),
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    })?;
    Ok(count)
}

fn record_header(details: bool) -> Vec<&'static str> {
    let more = ["ID", "MAC", "ADDED", "UPDATED"];
    ["NAME", "TYPE", "TTL", "VALUE"].into_iter().chain(more.into_iter().filter(|_| details)).collect()
}

fn record_row(record: &Record, details: bool) -> Vec<String> {
    let mut row = vec![record.name.clone(), record.r#type.clone(), record.ttl.to_string(), record.value.clone()];
    if details {
        row.extend([&record.id, &record.mac].map(Clone::clone));
        row.extend([&record.added_on, &record.updated_on].map(|time| whole_seconds(time)));
    }
    row
}

pub(super) fn record_json(record: &Record) -> Value {
    json!({
        "id": record.id, "name": record.name, "type": record.r#type, "value": record.value, "ttl": record.ttl,
        "mac": record.mac, "added_on": record.added_on, "updated_on": record.updated_on
    })
}

fn problem_row(problem: &Problem) -> Vec<String> {
    let Problem { name, r#type, value, reason, severity, .. } = problem;
    let which = if problem.id.is_empty() { format!("no. {}", problem.place) } else { problem.id.clone() };
    [severity, name, r#type, value, &which, reason].map(Clone::clone).to_vec()
}

fn problem_json(problem: &Problem) -> Value {
    json!({
        "severity": problem.severity, "rule": problem.rule, "name": problem.name, "type": problem.r#type,
        "value": problem.value, "id": problem.id, "place": problem.place, "reason": problem.reason
    })
}
