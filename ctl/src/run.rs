//! Carries out one command: the same way for a one-line call, a line at the prompt and a line of a script.

use crate::{
    args::{ClusterCommand, Context, RecordCommand, ServerCommand, ToolsCommand},
    client::{Client, Failure, Stream},
    dig, edit,
    print::{Output, ROWS},
    status,
};
use dnsplane_proto::pb::admin::{Document, EditReply, JoinReply, Problem, PullReply, Record};
use serde_json::{Value, json};
use std::path::Path;

/// How a command, or a whole session, ended. Ordered by gravity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    Done,
    Partly,
    Usage,
    Refused,
    Unreachable,
}

impl Exit {
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Refused => 1,
            Self::Usage => 2,
            Self::Unreachable => 3,
            Self::Partly => 4,
        }
    }
}

impl From<&Failure> for Exit {
    fn from(failure: &Failure) -> Self {
        match failure {
            Failure::Usage(_) => Self::Usage,
            Failure::Refused(_) | Failure::Output(_) => Self::Refused,
            Failure::Unreachable(_) => Self::Unreachable,
        }
    }
}

/// Runs one command against the control plane on `socket`.
pub(crate) async fn run(socket: &Path, context: Context, out: &mut Output<'_>) -> Result<Exit, Failure> {
    match context {
        Context::Record(command) => record(socket, command, out).await,
        Context::Cluster(command) => cluster(socket, command, out).await,
        Context::Server(ServerCommand::Status) => {
            let document = Client::connect(socket).await?.server_status().await?;
            show(&document, status::server, out)
        }
        Context::Tools(ToolsCommand::Dig(words)) => dig::dig(socket, words, out).await,
    }
}

async fn record(socket: &Path, command: RecordCommand, out: &mut Output<'_>) -> Result<Exit, Failure> {
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
        RecordCommand::Check => {
            let problems = Client::connect(socket).await?.check_records().await?;
            let header = ["NAME", "TYPE", "VALUE", "REASON"];
            let found = list(problems, out, &header, "problem", problem_row, problem_json).await?;
            Ok(if found == 0 { Exit::Done } else { Exit::Partly })
        }
    }
}

async fn cluster(socket: &Path, command: ClusterCommand, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let client = Client::connect(socket).await?;
    match command {
        ClusterCommand::Status => show(&client.cluster_status().await?, status::cluster, out),
        ClusterCommand::Pull { peers } => pulled(&client.cluster_pull(peers).await?, out),
        ClusterCommand::Join => joined(&client.cluster_join().await?, out),
    }
}

fn edited(reply: &EditReply, out: &mut Output<'_>) -> Result<Exit, Failure> {
    if out.is_json() {
        out.json(&json!({"changed": reply.changed, "messages": reply.messages, "number": reply.number}))?;
        return Ok(Exit::Done);
    }
    for message in &reply.messages {
        out.line(message)?;
    }
    match (reply.messages.is_empty(), reply.changed) {
        (false, _) => {}
        (true, true) => out.line("done")?,
        (true, false) => out.line("nothing to change: the records are like that already")?,
    }
    Ok(Exit::Done)
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
        row.extend([&record.added_on, &record.updated_on].map(|time| status::whole_seconds(time)));
    }
    row
}

fn record_json(record: &Record) -> Value {
    json!({
        "id": record.id, "name": record.name, "type": record.r#type, "value": record.value, "ttl": record.ttl,
        "mac": record.mac, "added_on": record.added_on, "updated_on": record.updated_on
    })
}

fn problem_row(problem: &Problem) -> Vec<String> {
    [&problem.name, &problem.r#type, &problem.value, &problem.reason].map(Clone::clone).to_vec()
}

fn problem_json(problem: &Problem) -> Value {
    json!({"name": problem.name, "type": problem.r#type, "value": problem.value, "reason": problem.reason})
}

fn pulled(reply: &PullReply, out: &mut Output<'_>) -> Result<Exit, Failure> {
    if out.is_json() {
        let outcome = |outcome: &dnsplane_proto::pb::admin::PullOutcome| json!({"peer": outcome.peer, "ok": outcome.ok, "text": outcome.text});
        out.json(&json!({"outcomes": reply.outcomes.iter().map(outcome).collect::<Vec<_>>()}))?;
    } else if reply.outcomes.is_empty() {
        out.line("nothing to pull: this node has no peers")?;
    } else {
        let row = |outcome: &dnsplane_proto::pb::admin::PullOutcome| {
            vec![outcome.peer.clone(), if outcome.ok { "ok" } else { "failed" }.to_owned(), outcome.text.clone()]
        };
        out.table(&["PEER", "PULL", "OUTCOME"], reply.outcomes.iter().map(row).collect())?;
    }
    Ok(if reply.outcomes.iter().all(|outcome| outcome.ok) { Exit::Done } else { Exit::Partly })
}

fn joined(reply: &JoinReply, out: &mut Output<'_>) -> Result<Exit, Failure> {
    if out.is_json() {
        out.json(&json!({
            "enabled": reply.enabled, "node_id": reply.node_id, "listen": reply.listen,
            "dial_address": reply.dial_address, "token_sha256": reply.token_sha256
        }))?;
        return Ok(Exit::Done);
    }
    if !reply.enabled {
        out.line("The cluster is off on this node: set `cluster_enabled` to true in its dnsplane.json.")?;
    }
    let token = if reply.token_sha256.is_empty() { "none is set" } else { &reply.token_sha256 };
    let rows = [
        ("node", reply.node_id.as_str()),
        ("listens on", &reply.listen),
        ("peers dial", &reply.dial_address),
        ("SHA-256 of the token", token),
    ];
    out.table(&[], rows.map(|(label, value)| vec![label.to_owned(), value.to_owned()]).to_vec())?;
    if reply.enabled && !reply.dial_address.is_empty() {
        out.line(&format!(
            "To join, another node needs `\"cluster_enabled\": true`, `\"cluster_peers\": [\"{}\"]` and the same \
             `cluster_auth_token` in its dnsplane.json.",
            reply.dial_address
        ))?;
    }
    Ok(Exit::Done)
}

fn show(
    document: &Document,
    view: fn(&Value, &mut Output<'_>) -> std::io::Result<()>,
    out: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let value: Value = serde_json::from_str(&document.json)
        .map_err(|error| Failure::Refused(format!("the server sent a document that is not JSON: {error}")))?;
    if out.is_json() {
        out.json(&value)?
    } else {
        view(&value, out)?
    }
    Ok(Exit::Done)
}
