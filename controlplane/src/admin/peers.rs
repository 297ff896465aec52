//! `cluster peer …` and `cluster push config`: our own list of peers, and what we tell a peer about its settings.
//!
//! What goes wrong at the peer after something was done here is not an error of the call: the reply says both.

use super::{Admin, settings};
use crate::{
    cluster::{SharedSettings, peer_address},
    config::{self, Change, Config, Setting, can_be_dialled},
};
use dnsplane_proto::pb::admin as pb;
use serde_json::Value;
use tonic::Status;
use tracing::info;

const PEERS: &str = "cluster_peers";

/// What a peer may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Write and push.
    Full,
    /// Apply and answer, and push nothing.
    ReadOnly,
}

impl Role {
    /// `None` leaves it to the peer.
    fn parse(text: &str) -> Result<Option<Self>, Status> {
        match text.trim() {
            "" => Ok(None),
            "full" => Ok(Some(Self::Full)),
            "readonly" => Ok(Some(Self::ReadOnly)),
            other => Err(Status::invalid_argument(format!("`{other}` is no role; write `full` or `readonly`"))),
        }
    }

    fn change(self) -> SharedSettings {
        SharedSettings { replica_only: Some(self == Self::ReadOnly), ..SharedSettings::default() }
    }

    fn sentence(self, address: &str) -> String {
        match self {
            Self::Full => format!("{address} pushes its own writes from now on (cluster_replica_only is false there)"),
            Self::ReadOnly => {
                format!(
                    "{address} applies and answers, and pushes nothing from now on (cluster_replica_only is true there)"
                )
            }
        }
    }
}

impl Admin {
    /// Puts a peer on our list, in the file too; with a role, tells the peer.
    pub(super) async fn add_peer(&self, request: pb::PeerRequest, by: String) -> Result<pb::PeerReply, Status> {
        let role = Role::parse(&request.role)?;
        let address = address(&request.address)?;
        if self.cluster.is_own_address(&address).await {
            return Err(Status::invalid_argument(format!("{address} is this node itself; nothing was changed")));
        }
        let added = address.clone();
        let decide = move |config: &Config| match config.cluster.peers.iter().any(|peer| peer_address(peer) == added) {
            true => Err(format!("{added} is one of our peers already; `cluster peer set-role` changes what it may do")),
            false => peers(config.cluster.peers.iter().cloned().chain([added]).collect()),
        };
        let more = self.live.change(by.clone(), decide).await.map_err(settings::status)?;
        let mut messages = vec![format!("{address} is one of our peers now, here and in dnsplane.json")];
        messages.extend(more);
        if !self.cluster.status().enabled {
            messages.push("warning: the cluster is off here (cluster_enabled), so nothing is exchanged yet".to_owned());
        }
        let ok = match role {
            Some(role) => self.tell_role(&address, role, &by, &mut messages).await,
            None => true,
        };
        Ok(pb::PeerReply { ok, messages })
    }

    /// Takes a peer off our list, in the file too.
    pub(super) async fn remove_peer(&self, request: pb::PeerRequest, by: String) -> Result<pb::PeerReply, Status> {
        let address = address(&request.address)?;
        let removed = address.clone();
        let found = self.cluster.status().peers.unwrap_or_default();
        let by_srv = found.iter().any(|peer| peer.source == "srv" && peer.address == address);
        let decide = move |config: &Config| {
            let ours = &config.cluster.peers;
            let rest: Vec<String> = ours.iter().filter(|peer| peer_address(peer) != removed).cloned().collect();
            match rest.len() < ours.len() {
                true => peers(rest),
                false if by_srv => {
                    Err(format!("{removed} comes from the SRV records of cluster_discovery_srv: remove it there"))
                }
                false if ours.is_empty() => Err(format!("{removed} is not in our cluster_peers, which are empty")),
                false => Err(format!("{removed} is not in our cluster_peers, which are {}", ours.join(", "))),
            }
        };
        let more = self.live.change(by, decide).await.map_err(settings::status)?;
        let mut messages = vec![
            format!("{address} is none of our peers any more, here and in dnsplane.json"),
            "if it has us among its own peers, it goes on sending us its records: remove us there as well".to_owned(),
        ];
        messages.extend(more);
        Ok(pb::PeerReply { ok: true, messages })
    }

    /// Tells a node what it may do.
    pub(super) async fn set_role(&self, request: pb::PeerRequest, by: String) -> Result<pb::PeerReply, Status> {
        let Some(role) = Role::parse(&request.role)? else {
            return Err(Status::invalid_argument("which role? Write `full` or `readonly`"));
        };
        let (address, mut messages) = (address(&request.address)?, Vec::new());
        let ok = self.tell_role(&address, role, &by, &mut messages).await;
        Ok(pb::PeerReply { ok, messages })
    }

    /// Gives a node the settings that all nodes share.
    pub(super) async fn push_config(&self, text: &str, by: String) -> Result<pb::PeerReply, Status> {
        let address = address(text)?;
        let (ok, message) = match self.cluster.push_config(&address).await {
            Ok(peers) => {
                info!(by, peer = address, "settings pushed to a peer");
                (true, format!("{address} has our cluster_auth_token, and as its cluster_peers {}", peers.join(", ")))
            }
            Err(reason) => (false, format!("nothing was changed at {address}: {reason}")),
        };
        Ok(pb::PeerReply { ok, messages: vec![message] })
    }

    async fn tell_role(&self, address: &str, role: Role, by: &str, messages: &mut Vec<String>) -> bool {
        match self.cluster.administer(address, &role.change()).await {
            Ok(()) => {
                info!(by, peer = address, ?role, "role of a peer set");
                messages.push(role.sentence(address));
                true
            }
            Err(reason) => {
                messages.push(format!("the role of {address} is as it was: {reason}"));
                false
            }
        }
    }
}

/// An address that can be dialled, with its port.
fn address(text: &str) -> Result<String, Status> {
    let text = text.trim();
    if can_be_dialled(text) {
        return Ok(peer_address(text));
    }
    Err(Status::invalid_argument(format!(
        "`{text}` cannot be dialled: write a host or `host:port`, such as `192.0.2.2:7946` or `[2001:db8::2]:7946`"
    )))
}

/// The change that makes these our peers.
fn peers(list: Vec<String>) -> Result<Vec<Change>, String> {
    let setting: Result<&'static Setting, config::UnknownKey> = Setting::named(PEERS);
    setting.map(|setting| vec![(setting, Some(Value::from(list)))]).map_err(|error| error.to_string())
}
