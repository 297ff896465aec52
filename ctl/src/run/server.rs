//! The commands of `server`.

use super::{Exit, lines, show};
use crate::{
    args::{ServerCommand, Setting},
    client::{Client, Failure},
    print::Output,
    view,
};
use dnsplane_proto::pb::admin::SettingsReply;
use serde_json::json;
use std::path::Path;

pub(super) async fn run(socket: &Path, command: ServerCommand, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let client = Client::connect(socket).await?;
    match command {
        ServerCommand::Status => show(&client.server_status().await?, view::server, out),
        ServerCommand::Config => show(&client.server_config().await?, view::config, out),
        ServerCommand::Set(Setting { key, words }) => told(&client.server_set(key, words.join(" ")).await?, out),
        ServerCommand::Save => told(&client.server_save().await?, out),
        ServerCommand::Load => told(&client.server_load().await?, out),
    }
}

pub(super) fn told(reply: &SettingsReply, out: &mut Output<'_>) -> Result<Exit, Failure> {
    if out.is_json() {
        out.json(&json!({"messages": reply.messages}))?;
    } else if reply.messages.is_empty() {
        out.line("done")?;
    } else {
        lines(&reply.messages, out)?;
    }
    Ok(Exit::Done)
}
