//! The commands of `cluster`.

use super::{Exit, edited, lines, show};
use crate::{
    args::{ClusterCommand, Lost, PeerCommand, PushCommand, Role},
    client::{Client, Failure},
    print::Output,
    view,
};
use dnsplane_proto::pb::admin::{
    JoinReply, PeerReply, PeerRequest, PullOutcome, PullReply, PushRequest, RestoreRequest, push_request::What,
};
use serde_json::json;
use std::path::Path;

pub(super) async fn run(socket: &Path, command: ClusterCommand, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let client = Client::connect(socket).await?;
    match command {
        ClusterCommand::Status => show(&client.cluster_status().await?, view::cluster, out),
        ClusterCommand::Pull { peers } => pulled(&client.cluster_pull(peers).await?, out),
        ClusterCommand::Join => joined(&client.cluster_join().await?, out),
        ClusterCommand::Peer(command) => told(&peer(client, command).await?, out),
        ClusterCommand::Push(command) => told(&client.cluster_push(push(command)).await?, out),
        ClusterCommand::Conflicts { all } => {
            let document = client.cluster_conflicts(all).await?;
            show(&document, |list, out| view::conflicts(list, all, out), out)
        }
        ClusterCommand::Restore(Lost { id, name, kind }) => {
            let lost = RestoreRequest { id, name: name.unwrap_or_default(), r#type: kind.unwrap_or_default() };
            edited(&client.cluster_restore(lost).await?, out)
        }
    }
}

async fn peer(client: Client, command: PeerCommand) -> Result<PeerReply, Failure> {
    let request = |address: String, role: Option<Role>| {
        let role = role.map(Role::as_str).unwrap_or_default().to_owned();
        PeerRequest { address, role }
    };
    match command {
        PeerCommand::Add { address, role } => client.cluster_peer_add(request(address, role)).await,
        PeerCommand::Remove { address } => client.cluster_peer_remove(request(address, None)).await,
        PeerCommand::SetRole { address, role } => client.cluster_peer_role(request(address, Some(role))).await,
    }
}

fn push(command: PushCommand) -> PushRequest {
    let (what, address) = match command {
        PushCommand::Records { address } => (What::Records, address),
        PushCommand::Config { address } => (What::Config, address),
    };
    PushRequest { what: what.into(), address }
}

/// What became of it, here and at the peer.
fn told(reply: &PeerReply, out: &mut Output<'_>) -> Result<Exit, Failure> {
    if out.is_json() {
        out.json(&json!({"ok": reply.ok, "messages": reply.messages}))?;
    } else if reply.messages.is_empty() {
        out.line(if reply.ok { "done" } else { "not everything was done, and the control plane does not say why" })?;
    } else {
        lines(&reply.messages, out)?;
    }
    Ok(if reply.ok { Exit::Done } else { Exit::Partly })
}

fn pulled(reply: &PullReply, out: &mut Output<'_>) -> Result<Exit, Failure> {
    if out.is_json() {
        let outcome = |outcome: &PullOutcome| json!({"peer": outcome.peer, "ok": outcome.ok, "text": outcome.text});
        out.json(&json!({"outcomes": reply.outcomes.iter().map(outcome).collect::<Vec<_>>()}))?;
    } else if reply.outcomes.is_empty() {
        out.line("nothing to pull: this node has no peers")?;
    } else {
        let row = |outcome: &PullOutcome| {
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
        out.line("The cluster is off on this node; to change that: dnsplanectl server set cluster_enabled true")?;
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
        out.line("To join, another node needs the same `cluster_auth_token`, and then:")?;
        out.line(&format!("  dnsplanectl server set cluster_peers {}", reply.dial_address))?;
        out.line("  dnsplanectl server set cluster_enabled true")?;
        out.line("  dnsplanectl server save")?;
    }
    Ok(Exit::Done)
}
