//! The gRPC service behind dnsplanectl: domain calls in, messages out.

mod adblock;
mod cache;
mod export;
mod history;
mod import;
mod peers;
mod records;
mod servers;
mod settings;

use crate::{
    block_list::BlockLists,
    blocking::beside,
    cluster::{Cluster, Outcome, Pulled},
    live::Live,
    record::json,
    status::Node,
    store::{ConflictJson, Edit, Edited, HistoryJson, Restoration, Store, StoreError},
    upstreams::{Edit as ServersEdit, Servers},
};
use dnsplane_proto::pb::admin::{self as pb, admin_server};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming, transport::server::UdsConnectInfo};

/// Rows that may wait for a slow terminal.
const OUTBOUND_QUEUE: usize = 256;

/// The service.
pub struct Admin {
    /// The records.
    pub store: Store,
    /// Names that are blocked.
    pub block_lists: BlockLists,
    /// The cluster.
    pub cluster: Cluster,
    /// The settings.
    pub live: Live,
    /// Upstream servers.
    pub servers: Servers,
    /// This node's status.
    pub node: Node,
}

impl Admin {
    /// The service, ready to be served.
    pub fn service(self) -> admin_server::AdminServer<Self> {
        admin_server::AdminServer::new(self).max_decoding_message_size(1 << 20)
    }

    async fn edit(&self, edit: Edit, actor: String) -> Result<Response<pb::EditReply>, Status> {
        edit_reply(self.store.edit(edit, actor).await)
    }

    /// Streams rows that a slow reader may take its time for.
    fn stream<T: Send + 'static>(
        &self,
        make: impl Fn(&crate::record::Record) -> Option<T> + Send + 'static,
    ) -> Response<ReceiverStream<Result<T, Status>>> {
        let (out, rows) = mpsc::channel(OUTBOUND_QUEUE);
        let view = self.store.view();
        tokio::task::spawn_blocking(move || {
            for message in view.records.in_order().iter().filter_map(|row| make(&row.record)) {
                if out.blocking_send(Ok(message)).is_err() {
                    return;
                }
            }
        });
        Response::new(ReceiverStream::new(rows))
    }
}

#[tonic::async_trait]
impl admin_server::Admin for Admin {
    type ListRecordsStream = ReceiverStream<Result<pb::Record, Status>>;
    type CheckRecordsStream = ReceiverStream<Result<pb::Problem, Status>>;
    type ExportRecordsStream = export::Parts;
    type ImportRecordsStream = import::Events;
    type AdblockDomainsStream = ReceiverStream<Result<pb::AdblockNames, Status>>;

    async fn add_record(&self, request: Request<pb::RecordEdit>) -> Result<Response<pb::EditReply>, Status> {
        let actor = actor(&request);
        self.edit(Edit::Add(request.into_inner().into()), actor).await
    }

    async fn update_record(&self, request: Request<pb::RecordEdit>) -> Result<Response<pb::EditReply>, Status> {
        let actor = actor(&request);
        self.edit(Edit::Update(request.into_inner().into()), actor).await
    }

    async fn remove_records(&self, request: Request<pb::Selection>) -> Result<Response<pb::EditReply>, Status> {
        let actor = actor(&request);
        self.edit(Edit::Remove(request.into_inner().into()), actor).await
    }

    async fn load_records(&self, _: Request<pb::LoadRequest>) -> Result<Response<pb::EditReply>, Status> {
        edit_reply(self.store.reload().await)
    }

    async fn list_records(&self, request: Request<pb::Filter>) -> Result<Response<Self::ListRecordsStream>, Status> {
        let filter = request.into_inner();
        let name = filter.name_contains.trim().to_ascii_lowercase();
        let kind = filter.r#type.trim().to_owned();
        Ok(self.stream(move |record| {
            let wanted = (name.is_empty() || record.name().to_ascii_lowercase().contains(&name))
                && (kind.is_empty() || record.type_text().eq_ignore_ascii_case(&kind));
            wanted.then(|| pb::Record::from(record))
        }))
    }

    async fn check_records(&self, _: Request<pb::CheckRequest>) -> Result<Response<Self::CheckRecordsStream>, Status> {
        Ok(self.problems())
    }

    async fn record_history(&self, request: Request<pb::HistoryRequest>) -> Result<Response<pb::Document>, Status> {
        let history = self.store.history(request.into_inner().into()).await.map_err(status)?;
        document(&HistoryJson::of(&history, &self.cluster.node_id()))
    }

    async fn undo_change(&self, request: Request<pb::UndoRequest>) -> Result<Response<pb::EditReply>, Status> {
        let actor = actor(&request);
        self.undo(request.into_inner(), actor).await
    }

    async fn export_records(
        &self,
        request: Request<pb::ExportRequest>,
    ) -> Result<Response<Self::ExportRecordsStream>, Status> {
        self.export(request.into_inner()).await
    }

    async fn import_records(
        &self,
        request: Request<Streaming<pb::ImportPart>>,
    ) -> Result<Response<Self::ImportRecordsStream>, Status> {
        self.import(request)
    }

    async fn adblock_edit(&self, request: Request<pb::AdblockEdit>) -> Result<Response<pb::SettingsReply>, Status> {
        let by = actor(&request);
        self.edit_block_lists(request.into_inner(), by).await
    }

    async fn adblock_lists(&self, _: Request<pb::StatusRequest>) -> Result<Response<pb::Document>, Status> {
        let lists = self.block_lists.clone();
        document(&beside(move || lists.sources()).await)
    }

    async fn adblock_domains(
        &self,
        request: Request<pb::AdblockFilter>,
    ) -> Result<Response<Self::AdblockDomainsStream>, Status> {
        Ok(self.blocked_names(request.into_inner().contains))
    }

    async fn adblock_check(&self, request: Request<pb::AdblockName>) -> Result<Response<pb::Document>, Status> {
        document(&self.block_lists.explain(&request.into_inner().name).map_err(adblock::status)?)
    }

    async fn cluster_status(&self, _: Request<pb::StatusRequest>) -> Result<Response<pb::Document>, Status> {
        document(&self.cluster.status())
    }

    async fn cluster_pull(&self, request: Request<pb::PullRequest>) -> Result<Response<pb::PullReply>, Status> {
        let pulled = self.cluster.pull(&request.into_inner().peers).await;
        let outcomes = pulled.into_iter().map(|Pulled { address, result }| {
            let (ok, text) = match result {
                Ok(Outcome::Refused(reason)) => (false, format!("refused: {reason}")),
                Ok(outcome) => (true, outcome.to_string()),
                Err(reason) => (false, reason),
            };
            pb::PullOutcome { peer: address, ok, text }
        });
        Ok(Response::new(pb::PullReply { outcomes: outcomes.collect() }))
    }

    async fn cluster_join(&self, _: Request<pb::JoinRequest>) -> Result<Response<pb::JoinReply>, Status> {
        let info = self.cluster.join_info();
        Ok(Response::new(pb::JoinReply {
            enabled: info.enabled,
            node_id: info.node_id,
            listen: info.listen,
            dial_address: info.dial_address,
            token_sha256: info.token_sha256.unwrap_or_default(),
        }))
    }

    async fn cluster_conflicts(
        &self,
        request: Request<pb::ConflictsRequest>,
    ) -> Result<Response<pb::Document>, Status> {
        let all = request.into_inner().all;
        let (view, own_id) = (self.store.view(), self.cluster.node_id());
        let wanted = view.conflicts.newest_first().filter(|conflict| all || !conflict.informed);
        document(&wanted.map(|conflict| ConflictJson::of(conflict, &own_id)).collect::<Vec<_>>())
    }

    async fn cluster_restore(&self, request: Request<pb::RestoreRequest>) -> Result<Response<pb::EditReply>, Status> {
        let actor = actor(&request);
        let pb::RestoreRequest { id, name, r#type } = request.into_inner();
        let view = self.store.view();
        let Some(conflict) = view.conflicts.get(id) else {
            return Err(Status::not_found(format!("there is no conflict {id}; `cluster conflicts --all` lists them")));
        };
        let restoration = Restoration::of(conflict, given(name).as_deref(), given(r#type).as_deref());
        let restoration = restoration.map_err(|refused| status(refused.into()))?;
        self.edit(Edit::Restore(restoration), actor).await
    }

    async fn cluster_peer_add(&self, request: Request<pb::PeerRequest>) -> Result<Response<pb::PeerReply>, Status> {
        let by = actor(&request);
        self.add_peer(request.into_inner(), by).await.map(Response::new)
    }

    async fn cluster_peer_remove(&self, request: Request<pb::PeerRequest>) -> Result<Response<pb::PeerReply>, Status> {
        let by = actor(&request);
        self.remove_peer(request.into_inner(), by).await.map(Response::new)
    }

    async fn cluster_peer_role(&self, request: Request<pb::PeerRequest>) -> Result<Response<pb::PeerReply>, Status> {
        let by = actor(&request);
        self.set_role(request.into_inner(), by).await.map(Response::new)
    }

    async fn cluster_push(&self, request: Request<pb::PushRequest>) -> Result<Response<pb::PeerReply>, Status> {
        let by = actor(&request);
        let pb::PushRequest { what, address } = request.into_inner();
        match pb::push_request::What::try_from(what) {
            Ok(pb::push_request::What::Records) => {
                let (ok, text) = match self.cluster.push_records(&address).await {
                    Ok(text) => (true, text),
                    Err(text) => (false, text),
                };
                Ok(Response::new(pb::PeerReply { ok, messages: vec![text] }))
            }
            Ok(pb::push_request::What::Config) => self.push_config(&address, by).await.map(Response::new),
            Err(_) => Err(Status::invalid_argument("this node does not know what to push; is dnsplanectl newer?")),
        }
    }

    async fn server_config(&self, _: Request<pb::ConfigRequest>) -> Result<Response<pb::Document>, Status> {
        document(&self.live.config().await.map_err(settings::status)?)
    }

    async fn server_set(&self, request: Request<pb::SetRequest>) -> Result<Response<pb::SettingsReply>, Status> {
        let by = actor(&request);
        let pb::SetRequest { key, value } = request.into_inner();
        self.followed(self.live.set(key, value, by).await).await
    }

    async fn server_save(&self, request: Request<pb::SaveRequest>) -> Result<Response<pb::SettingsReply>, Status> {
        settings::reply(self.live.save(actor(&request)).await)
    }

    async fn server_load(&self, request: Request<pb::LoadRequest>) -> Result<Response<pb::SettingsReply>, Status> {
        self.followed(self.live.load(actor(&request)).await).await
    }

    async fn cache_list(&self, request: Request<pb::CacheQuery>) -> Result<Response<pb::Document>, Status> {
        self.remembered(request.into_inner()).await
    }

    async fn cache_flush(&self, request: Request<pb::CacheFlushRequest>) -> Result<Response<pb::PeerReply>, Status> {
        self.forget(request.into_inner()).await
    }

    async fn cache_stats(&self, _: Request<pb::StatusRequest>) -> Result<Response<pb::Document>, Status> {
        self.cache_state().await
    }

    async fn explain(&self, request: Request<pb::ExplainRequest>) -> Result<Response<pb::ExplainReply>, Status> {
        self.explanation(request.into_inner()).await
    }

    async fn server_status(&self, _: Request<pb::StatusRequest>) -> Result<Response<pb::Document>, Status> {
        document(&self.node.server_status(self.servers.problems().await))
    }

    async fn dns_servers(&self, _: Request<pb::StatusRequest>) -> Result<Response<pb::Document>, Status> {
        document(&self.servers.listing().await)
    }

    async fn dns_server_add(&self, request: Request<pb::ServerEdit>) -> Result<Response<pb::ServersReply>, Status> {
        let by = actor(&request);
        let patch = servers::patch(request.into_inner().keys)?;
        self.edit_servers(ServersEdit::Add(patch), by).await
    }

    async fn dns_server_update(&self, request: Request<pb::ServerEdit>) -> Result<Response<pb::ServersReply>, Status> {
        let by = actor(&request);
        let pb::ServerEdit { which, keys } = request.into_inner();
        let edit = ServersEdit::Update(which.unwrap_or_default().into(), servers::patch(keys)?);
        self.edit_servers(edit, by).await
    }

    async fn dns_server_remove(
        &self,
        request: Request<pb::ServerSelection>,
    ) -> Result<Response<pb::ServersReply>, Status> {
        let by = actor(&request);
        self.edit_servers(ServersEdit::Remove(request.into_inner().into()), by).await
    }

    async fn dns_servers_clear(
        &self,
        request: Request<pb::ClearRequest>,
    ) -> Result<Response<pb::ServersReply>, Status> {
        self.edit_servers(ServersEdit::Clear, actor(&request)).await
    }

    async fn dns_servers_load(&self, _: Request<pb::LoadRequest>) -> Result<Response<pb::ServersReply>, Status> {
        servers::reply(self.servers.load().await)
    }
}

fn given(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

fn edit_reply(edited: Result<Edited, StoreError>) -> Result<Response<pb::EditReply>, Status> {
    let Edited { changed, messages, generation, .. } = edited.map_err(status)?;
    Ok(Response::new(pb::EditReply { changed, messages, number: generation.number }))
}

fn document(value: &impl Serialize) -> Result<Response<pb::Document>, Status> {
    let bytes = json::to_vec(value).map_err(|error| Status::internal(error.to_string()))?;
    let json = String::from_utf8(bytes).map_err(|error| Status::internal(error.to_string()))?;
    Ok(Response::new(pb::Document { json }))
}

/// A refused or failed edit as a status; the text is the sentence for the person at the terminal.
fn status(error: StoreError) -> Status {
    let text = error.to_string();
    match error {
        StoreError::Refused(_) => Status::invalid_argument(text),
        StoreError::Unknown(_) => Status::not_found(text),
        StoreError::Disk { .. } | StoreError::Closed => Status::unavailable(text),
        StoreError::Overtaken => Status::aborted(text),
        StoreError::Unreadable(_) | StoreError::LocalWritesRejected | StoreError::ReadOnly(_) => {
            Status::failed_precondition(text)
        }
    }
}

/// Who asks, for the log: the user at the other end of the socket.
fn actor<T>(request: &Request<T>) -> String {
    let uid = request.extensions().get::<UdsConnectInfo>().and_then(|info| info.peer_cred).map(|cred| cred.uid());
    match uid {
        Some(uid) => {
            let user = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(uid)).ok().flatten();
            format!("dnsplanectl {}", user.map_or_else(|| format!("uid {uid}"), |user| user.name))
        }
        None => "dnsplanectl".to_owned(),
    }
}
