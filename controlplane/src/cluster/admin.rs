//! Remote administration: a node that shows the admin token changes the settings that nodes of a cluster share.
//!
//! The cluster knows the frames and the tokens; whoever owns the settings ([`Administration`]) puts a change in force and in
//! the file, or neither. A frame with a field of the wrong JSON type is passed over whole before any token is looked at, as
//! existing nodes do.

use super::{
    Cluster, Shared, frame,
    link::{Introduction, Link, LinkError, within},
    message::{self, BadFrame, Message},
    settings::with_port,
};
use crate::{config::Secret, record::json};
use serde::Serialize;
use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    pin::Pin,
    sync::Arc,
    time::Duration,
};
use tokio::net::lookup_host;

/// Everything about administering a peer: connecting, sending, and its disk.
const LIMIT: Duration = Duration::from_secs(45);
/// Longest reason that is passed on from a peer, characters.
const MAX_REASON: usize = 300;

/// The settings that `admin_config_apply` can change; `None` leaves one alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SharedSettings {
    /// `cluster_auth_token`.
    pub token: Option<Secret>,
    /// `cluster_peers`; an empty list clears it.
    pub peers: Option<Vec<String>>,
    /// `cluster_replica_only`.
    pub replica_only: Option<bool>,
    /// `cluster_reject_local_writes`.
    pub reject_local_writes: Option<bool>,
    /// `cluster_admin`.
    pub admin: Option<bool>,
    /// `cluster_sync_interval_seconds`.
    pub sync_interval: Option<i64>,
}

/// What became of a change: in force and saved, or the reason why nothing changed.
pub type Applied<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;

/// Whoever owns our settings.
pub trait Administration: Send + Sync {
    /// Puts a peer's change in force and in the file, or neither; `by` says who the peer is.
    fn apply(&self, change: SharedSettings, by: String) -> Applied<'_>;
}

/// A received `admin_config_apply`.
#[derive(Debug)]
pub(super) struct Apply {
    token: String,
    change: SharedSettings,
}

impl Apply {
    /// Reads the fields.
    pub(super) fn read(message: &Message<'_>) -> Result<Self, BadFrame> {
        let peers: Option<Vec<Option<String>>> = message.field("cluster_peers")?;
        let change = SharedSettings {
            token: message.field::<String>("cluster_auth_token")?.map(|token| Secret::new(&token)),
            peers: peers.map(|peers| peers.into_iter().flatten().collect()),
            replica_only: message.field("cluster_replica_only")?,
            reject_local_writes: message.field("cluster_reject_local_writes")?,
            admin: message.field("cluster_admin")?,
            sync_interval: message.field("cluster_sync_interval_seconds")?,
        };
        Ok(Self { token: message.field("admin_token")?.unwrap_or_default(), change })
    }

    /// Does it, if the token is right; returns the answer. `node_id` is what the peer calls itself, if it has said so.
    pub(super) async fn answer(self, shared: &Shared, from: SocketAddr, node_id: Option<&str>) -> Vec<u8> {
        let fail = |reason: &str| message::plain("admin_config_fail", reason);
        let ours = shared.settings().admin_token.clone();
        if ours.is_empty() {
            return fail("remote admin disabled (empty cluster_admin_token)");
        }
        if !ours.matches(&self.token) {
            shared.inbound.auth_failed(from, "its admin token is not our cluster_admin_token");
            return fail("invalid admin token");
        }
        let Some(administration) = shared.administration.get() else {
            return fail("this node is starting; try again");
        };
        let by = node_id.map_or_else(|| format!("peer at {from}"), |id| format!("peer {id} at {from}"));
        match administration.apply(self.change, by).await {
            Ok(()) => message::plain("admin_config_ok", ""),
            Err(reason) => fail(&reason),
        }
    }
}

/// Our `admin_config_apply`, its keys in the order of existing nodes.
fn apply_frame(token: &Secret, change: &SharedSettings) -> Vec<u8> {
    #[derive(Serialize)]
    struct Frame<'a> {
        #[serde(rename = "type")]
        kind: &'a str,
        admin_token: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        cluster_auth_token: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cluster_peers: Option<&'a [String]>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cluster_replica_only: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cluster_reject_local_writes: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cluster_admin: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cluster_sync_interval_seconds: Option<i64>,
    }
    let frame = Frame {
        kind: "admin_config_apply",
        admin_token: token.expose(),
        cluster_auth_token: change.token.as_ref().map(Secret::expose),
        cluster_peers: change.peers.as_deref(),
        cluster_replica_only: change.replica_only,
        cluster_reject_local_writes: change.reject_local_writes,
        cluster_admin: change.admin,
        cluster_sync_interval_seconds: change.sync_interval,
    };
    // Texts, lists of texts, booleans and integers always serialise.
    frame::encode(&json::to_vec(&frame).unwrap_or_default())
}

impl Cluster {
    /// Lets peers that show the admin token change our settings through their owner. The first owner stays.
    pub fn administered_by(&self, owner: Arc<dyn Administration>) {
        // A second owner would be a mistake of the one place that calls this.
        let _ = self.shared.administration.set(owner);
    }

    /// Changes settings of the node at `address`; returns once they are in force and saved there. The error says in a
    /// sentence why they are not.
    pub async fn administer(&self, address: &str, change: &SharedSettings) -> Result<(), String> {
        self.administer_with(address, |_| Ok(change.clone())).await
    }

    /// Gives the node at `address` the settings that all nodes share: the token, and the peers that make sense there, which
    /// are ours without itself and with ourselves (R12). Returns those.
    pub async fn push_config(&self, address: &str) -> Result<Vec<String>, String> {
        if !self.shared.settings().enabled {
            return Err("the cluster is off here, so nobody could reach us: set cluster_enabled first".to_owned());
        }
        let mut pushed = Vec::new();
        self.administer_with(address, |link| {
            let us = self.join_info().dial_address;
            let peer = link.peer_address().map_err(|error| format!("the connection broke: {error}"))?;
            if is_loopback(&us) && !peer.ip().to_canonical().is_loopback() {
                return Err(format!(
                    "{address} could not reach us at {us}, which is all that we know of our own address: set \
                     cluster_advertise_addr"
                ));
            }
            pushed = self.peers_for(address, link.greeting.as_ref().map(|greeting| greeting.node_id.as_str()), us);
            let token = self.shared.settings().token.clone();
            Ok(SharedSettings { token: Some(token), peers: Some(pushed.clone()), ..SharedSettings::default() })
        })
        .await?;
        Ok(pushed)
    }

    /// Whether the address leads to this node.
    pub async fn is_own_address(&self, address: &str) -> bool {
        let address = with_port(address.trim());
        if address == self.join_info().dial_address {
            return true;
        }
        let known = self.shared.peers().iter().any(|peer| peer.address == address && peer.known().is_self);
        let listening = self.shared.faults().listening.clone();
        // A name that does not resolve is not ours as far as anybody can tell.
        let leads_to: Vec<SocketAddr> = lookup_host(&address).await.map(Iterator::collect).unwrap_or_default();
        known || leads_to.iter().any(|to| listening.iter().any(|door| is_behind(*to, *door)))
    }

    /// `cluster_peers` for the node at `address`.
    fn peers_for(&self, address: &str, node_id: Option<&str>, us: String) -> Vec<String> {
        let receiver = with_port(address.trim());
        let mut peers = vec![us];
        let known = self.shared.peers();
        for peer in self.shared.settings().peer_addresses() {
            let about = known.iter().find(|known| known.address == peer).map(|known| known.known().clone());
            let is_receiver = peer == receiver
                || node_id.is_some() && about.as_ref().is_some_and(|about| about.node_id.as_deref() == node_id);
            let is_us = about.is_some_and(|about| about.is_self);
            if !is_receiver && !is_us && !peers.contains(&peer) {
                peers.push(peer);
            }
        }
        peers
    }

    async fn administer_with(
        &self,
        address: &str,
        decide: impl FnOnce(&Link) -> Result<SharedSettings, String> + Send,
    ) -> Result<(), String> {
        let (settings, address) = (self.shared.settings(), with_port(address.trim()));
        if !settings.admin {
            return Err("this node may not administer others: set cluster_admin to true here".to_owned());
        }
        if settings.admin_token.is_empty() {
            return Err(format!("this node has no cluster_admin_token: it must be the one that {address} has"));
        }
        let node_id = self.shared.node_id();
        let us = Introduction { node_id: &node_id, instance: &self.shared.instance };
        let told = async {
            let mut link = Link::open(&address, &settings.token, us, Arc::default()).await?;
            let change = match decide(&link) {
                Ok(change) => change,
                Err(reason) => return Ok(Err(reason)),
            };
            link.send(&apply_frame(&settings.admin_token, &change)).await?;
            let answer = link.admin_answer().await?;
            Ok(answer.map_err(|reason| format!("{address} refused: {}", shortened(&reason))))
        };
        match within::<_, LinkError>(LIMIT, told).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(reason)) => Err(reason),
            Err(error) => Err(format!("{address}: {error}")),
        }
    }
}

fn shortened(reason: &str) -> String {
    reason.chars().take(MAX_REASON).collect()
}

/// Whether a connection to `to` ends up at our socket `door`.
fn is_behind(to: SocketAddr, door: SocketAddr) -> bool {
    let (to_ip, door_ip) = (to.ip().to_canonical(), door.ip().to_canonical());
    to.port() == door.port() && (to_ip == door_ip || door_ip.is_unspecified() && is_of_this_host(to_ip))
}

/// Only an address of this host can be bound.
fn is_of_this_host(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

fn is_loopback(address: &str) -> bool {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host).trim_matches(['[', ']']);
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::{super::message::text_of, *};

    #[test]
    fn the_frame_reads_as_existing_nodes_write_it() {
        let change = SharedSettings {
            token: Some(Secret::new("t")),
            peers: Some(vec!["a:1".to_owned()]),
            replica_only: Some(true),
            reject_local_writes: Some(false),
            admin: Some(false),
            sync_interval: Some(60),
        };
        let frame = apply_frame(&Secret::new("adm"), &change);
        let text = text_of(frame[frame::PREFIX..].to_vec());
        assert_eq!(
            text,
            r#"{"type":"admin_config_apply","admin_token":"adm","cluster_auth_token":"t","cluster_peers":["a:1"],"cluster_replica_only":true,"cluster_reject_local_writes":false,"cluster_admin":false,"cluster_sync_interval_seconds":60}"#
        );
        let read = Apply::read(&Message::parse(&text).unwrap()).unwrap();
        assert_eq!((read.token.as_str(), read.change), ("adm", change));
        let nothing =
            Apply::read(&Message::parse(r#"{"type":"x","cluster_peers":null,"cluster_admin":null}"#).unwrap());
        assert_eq!(nothing.unwrap().change, SharedSettings::default());
        let cleared = Apply::read(&Message::parse(r#"{"CLUSTER_PEERS":[]}"#).unwrap()).unwrap().change;
        assert_eq!(cleared.peers, Some(vec![]));
        for bad in [
            r#"{"cluster_peers":"a"}"#,
            r#"{"cluster_peers":[1]}"#,
            r#"{"cluster_replica_only":"true"}"#,
            r#"{"cluster_sync_interval_seconds":5.5}"#,
            r#"{"admin_token":5}"#,
            r#"{"cluster_auth_token":[]}"#,
        ] {
            assert!(Apply::read(&Message::parse(bad).unwrap()).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_of_this_host_leads_to_a_door_that_is_open_everywhere() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        for (to, door, behind) in [
            ("127.0.0.1:7946", "127.0.0.1:7946", true),
            ("127.0.0.1:7946", "[::]:7946", true),
            ("127.0.0.1:7946", "[::]:7947", false),
            ("192.0.2.1:7946", "0.0.0.0:7946", false),
            ("127.0.0.2:7946", "127.0.0.1:7946", false),
        ] {
            assert_eq!(is_behind(at(to), at(door)), behind, "{to} {door}");
        }
        assert!(is_loopback("127.0.0.1:7946") && is_loopback("[::1]:7946") && is_loopback("localhost:7946"));
        assert!(!is_loopback("192.0.2.1:7946") && !is_loopback("[2001:db8::1]:7946") && !is_loopback("ns1.test:7946"));
    }
}
