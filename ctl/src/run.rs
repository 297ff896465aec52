//! Carries out one command: the same way for a one-line call, a line at the prompt and a line of a script.

mod adblock;
mod cache;
mod cluster;
mod dns;
mod export;
mod import;
mod record;
mod server;

use crate::{
    args::{Context, ToolsCommand},
    client::Failure,
    dig,
    print::Output,
};
use dnsplane_proto::pb::admin::{Document, EditReply};
use serde_json::{Value, json};
use std::{io, path::Path};

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
        Context::Record(command) => record::run(socket, command, out).await,
        Context::Dns(command) => dns::run(socket, command, out).await,
        Context::Adblock(command) => adblock::run(socket, command, out).await,
        Context::Cache(command) => cache::run(socket, command, out).await,
        Context::Cluster(command) => cluster::run(socket, command, out).await,
        Context::Server(command) => server::run(socket, command, out).await,
        Context::Tools(ToolsCommand::Dig(words)) => dig::dig(socket, words, out).await,
        Context::Tools(ToolsCommand::Explain(asked)) => cache::explain(socket, asked, out).await,
    }
}

fn edited(reply: &EditReply, out: &mut Output<'_>) -> Result<Exit, Failure> {
    if out.is_json() {
        out.json(&json!({"changed": reply.changed, "messages": reply.messages, "number": reply.number}))?;
        return Ok(Exit::Done);
    }
    lines(&reply.messages, out)?;
    match (reply.messages.is_empty(), reply.changed) {
        (false, _) => {}
        (true, true) => out.line("done")?,
        (true, false) => out.line("nothing to change: the records are like that already")?,
    }
    Ok(Exit::Done)
}

/// What happened, a line each.
fn lines(messages: &[String], out: &mut Output<'_>) -> io::Result<()> {
    messages.iter().try_for_each(|message| out.line(message))
}

/// A document, as it is for programs, or as `view` shows it to people.
fn show(
    document: &Document,
    view: impl FnOnce(&Value, &mut Output<'_>) -> io::Result<()>,
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
