//! Typed calls to the control plane; [`explain`](mod@explain) has one plain sentence for each way in which they fail.
//!
//! Each command makes its own connection: over a Unix socket that costs next to nothing, and a prompt that stays open
//! survives every restart of the control plane.

mod explain;

use dnsplane_proto::pb::admin::{
    AdblockEdit, AdblockFilter, AdblockName, AdblockNames, CacheFlushRequest, CacheQuery, CheckRequest, ClearRequest,
    ConfigRequest, ConflictsRequest, Document, EditReply, ExplainReply, ExplainRequest, ExportPart, ExportRequest,
    Filter, HistoryRequest, ImportEvent, ImportPart, JoinReply, JoinRequest, LoadRequest, PeerReply, PeerRequest,
    Problem, PullReply, PullRequest, PushRequest, Record, RecordEdit, RestoreRequest, SaveRequest, Selection,
    ServerEdit, ServerSelection, ServersReply, SetRequest, SettingsReply, StatusRequest, UndoRequest,
    admin_client::AdminClient,
};
use explain::{NAME_IT, STUCK, UNKNOWN, explain, explain_connect, unreachable};
use std::{
    future::Future,
    io,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Response, Status, Streaming,
    transport::{Channel, Endpoint},
};

/// A listener that does not take a connection for this long is stuck.
const CONNECT: Duration = Duration::from_secs(5);
/// Longest wait for one reply; a pull from a slow peer may take half of it.
const CALL: Duration = Duration::from_secs(60);
/// How long a silent socket is given before it is asked for a sign of life, and to give one.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);
/// Far above any reply; small enough that whatever sits on the socket cannot exhaust our memory.
const MAX_REPLY: usize = 64 << 20;

/// A connection to the control plane.
pub(crate) struct Client {
    admin: AdminClient<Channel>,
    socket: PathBuf,
}

/// Why a command did not do what it was asked to do. The text is a sentence for the person at the terminal.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The words make no sense.
    #[error("{0}")]
    Usage(String),
    /// The control plane (or the DNS server) was reached and said no.
    #[error("{0}")]
    Refused(String),
    /// Nobody there, or nobody who speaks our language.
    #[error("{0}")]
    Unreachable(String),
    /// Our own output could not be written.
    #[error("cannot write the output")]
    Output(#[from] io::Error),
}

impl Client {
    /// Connects, or says what is wrong with the socket.
    pub(crate) async fn connect(socket: &Path) -> Result<Self, Failure> {
        let path = socket.to_str().ok_or_else(|| unreachable(socket, "the path is not UTF-8", NAME_IT))?;
        let endpoint = Endpoint::from_shared(format!("unix://{path}"))
            .map_err(|_| unreachable(socket, "this is not the path of a socket", NAME_IT))?
            .connect_timeout(CONNECT)
            .http2_keep_alive_interval(SIGN_OF_LIFE)
            .keep_alive_timeout(SIGN_OF_LIFE)
            .keep_alive_while_idle(true);
        let channel = match timeout(CONNECT, endpoint.connect()).await {
            Ok(connected) => connected.map_err(|error| explain_connect(socket, &error))?,
            Err(_) => return Err(unreachable(socket, "it takes no connection", STUCK)),
        };
        let admin = AdminClient::new(channel).max_decoding_message_size(MAX_REPLY);
        Ok(Self { admin, socket: socket.to_owned() })
    }

    pub(crate) async fn add_record(mut self, edit: RecordEdit) -> Result<EditReply, Failure> {
        answered(&self.socket, self.admin.add_record(edit)).await
    }

    pub(crate) async fn update_record(mut self, edit: RecordEdit) -> Result<EditReply, Failure> {
        answered(&self.socket, self.admin.update_record(edit)).await
    }

    pub(crate) async fn remove_records(mut self, selection: Selection) -> Result<EditReply, Failure> {
        answered(&self.socket, self.admin.remove_records(selection)).await
    }

    pub(crate) async fn load_records(mut self) -> Result<EditReply, Failure> {
        answered(&self.socket, self.admin.load_records(LoadRequest {})).await
    }

    pub(crate) async fn list_records(mut self, filter: Filter) -> Result<Stream<Record>, Failure> {
        let stream = answered(&self.socket, self.admin.list_records(filter)).await?;
        Ok(Stream { stream, socket: self.socket })
    }

    pub(crate) async fn check_records(mut self) -> Result<Stream<Problem>, Failure> {
        let stream = answered(&self.socket, self.admin.check_records(CheckRequest {})).await?;
        Ok(Stream { stream, socket: self.socket })
    }

    pub(crate) async fn record_history(mut self, which: HistoryRequest) -> Result<Document, Failure> {
        answered(&self.socket, self.admin.record_history(which)).await
    }

    /// Leaves the connection open: whoever was told what would happen may say yes.
    pub(crate) async fn undo_change(&mut self, which: UndoRequest) -> Result<EditReply, Failure> {
        answered(&self.socket, self.admin.undo_change(which)).await
    }

    pub(crate) async fn export_records(mut self, wanted: ExportRequest) -> Result<Stream<ExportPart>, Failure> {
        let stream = answered(&self.socket, self.admin.export_records(wanted)).await?;
        Ok(Stream { stream, socket: self.socket })
    }

    /// Sends what comes out of `parts` for as long as the server listens.
    pub(crate) async fn import_records(
        mut self,
        parts: mpsc::Receiver<ImportPart>,
    ) -> Result<Stream<ImportEvent>, Failure> {
        let stream = answered(&self.socket, self.admin.import_records(ReceiverStream::new(parts))).await?;
        Ok(Stream { stream, socket: self.socket })
    }

    pub(crate) async fn adblock_edit(mut self, edit: AdblockEdit) -> Result<SettingsReply, Failure> {
        answered(&self.socket, self.admin.adblock_edit(edit)).await
    }

    pub(crate) async fn adblock_lists(mut self) -> Result<Document, Failure> {
        answered(&self.socket, self.admin.adblock_lists(StatusRequest {})).await
    }

    pub(crate) async fn adblock_domains(mut self, contains: String) -> Result<Stream<AdblockNames>, Failure> {
        let stream = answered(&self.socket, self.admin.adblock_domains(AdblockFilter { contains })).await?;
        Ok(Stream { stream, socket: self.socket })
    }

    pub(crate) async fn adblock_check(mut self, name: String) -> Result<Document, Failure> {
        answered(&self.socket, self.admin.adblock_check(AdblockName { name })).await
    }

    pub(crate) async fn cluster_status(mut self) -> Result<Document, Failure> {
        answered(&self.socket, self.admin.cluster_status(StatusRequest {})).await
    }

    pub(crate) async fn cluster_pull(mut self, peers: Vec<String>) -> Result<PullReply, Failure> {
        answered(&self.socket, self.admin.cluster_pull(PullRequest { peers })).await
    }

    pub(crate) async fn cluster_join(mut self) -> Result<JoinReply, Failure> {
        answered(&self.socket, self.admin.cluster_join(JoinRequest {})).await
    }

    pub(crate) async fn cluster_conflicts(mut self, all: bool) -> Result<Document, Failure> {
        answered(&self.socket, self.admin.cluster_conflicts(ConflictsRequest { all })).await
    }

    pub(crate) async fn cluster_restore(mut self, lost: RestoreRequest) -> Result<EditReply, Failure> {
        answered(&self.socket, self.admin.cluster_restore(lost)).await
    }

    pub(crate) async fn cluster_peer_add(mut self, peer: PeerRequest) -> Result<PeerReply, Failure> {
        answered(&self.socket, self.admin.cluster_peer_add(peer)).await
    }

    pub(crate) async fn cluster_peer_remove(mut self, peer: PeerRequest) -> Result<PeerReply, Failure> {
        answered(&self.socket, self.admin.cluster_peer_remove(peer)).await
    }

    pub(crate) async fn cluster_peer_role(mut self, peer: PeerRequest) -> Result<PeerReply, Failure> {
        answered(&self.socket, self.admin.cluster_peer_role(peer)).await
    }

    pub(crate) async fn cluster_push(mut self, push: PushRequest) -> Result<PeerReply, Failure> {
        answered(&self.socket, self.admin.cluster_push(push)).await
    }

    pub(crate) async fn dns_servers(mut self) -> Result<Document, Failure> {
        answered(&self.socket, self.admin.dns_servers(StatusRequest {})).await
    }

    pub(crate) async fn dns_server_add(mut self, edit: ServerEdit) -> Result<ServersReply, Failure> {
        answered(&self.socket, self.admin.dns_server_add(edit)).await
    }

    pub(crate) async fn dns_server_update(mut self, edit: ServerEdit) -> Result<ServersReply, Failure> {
        answered(&self.socket, self.admin.dns_server_update(edit)).await
    }

    pub(crate) async fn dns_server_remove(mut self, which: ServerSelection) -> Result<ServersReply, Failure> {
        answered(&self.socket, self.admin.dns_server_remove(which)).await
    }

    pub(crate) async fn dns_servers_clear(mut self) -> Result<ServersReply, Failure> {
        answered(&self.socket, self.admin.dns_servers_clear(ClearRequest {})).await
    }

    pub(crate) async fn dns_servers_load(mut self) -> Result<ServersReply, Failure> {
        answered(&self.socket, self.admin.dns_servers_load(LoadRequest {})).await
    }

    pub(crate) async fn cache_list(mut self, which: CacheQuery) -> Result<Document, Failure> {
        answered(&self.socket, self.admin.cache_list(which)).await
    }

    pub(crate) async fn cache_flush(mut self, which: CacheFlushRequest) -> Result<PeerReply, Failure> {
        answered(&self.socket, self.admin.cache_flush(which)).await
    }

    pub(crate) async fn cache_stats(mut self) -> Result<Document, Failure> {
        answered(&self.socket, self.admin.cache_stats(StatusRequest {})).await
    }

    pub(crate) async fn explain(mut self, question: ExplainRequest) -> Result<ExplainReply, Failure> {
        answered(&self.socket, self.admin.explain(question)).await
    }

    pub(crate) async fn server_status(mut self) -> Result<Document, Failure> {
        answered(&self.socket, self.admin.server_status(StatusRequest {})).await
    }

    pub(crate) async fn server_config(mut self) -> Result<Document, Failure> {
        answered(&self.socket, self.admin.server_config(ConfigRequest {})).await
    }

    pub(crate) async fn server_set(mut self, key: String, value: String) -> Result<SettingsReply, Failure> {
        answered(&self.socket, self.admin.server_set(SetRequest { key, value })).await
    }

    pub(crate) async fn server_save(mut self) -> Result<SettingsReply, Failure> {
        answered(&self.socket, self.admin.server_save(SaveRequest {})).await
    }

    pub(crate) async fn server_load(mut self) -> Result<SettingsReply, Failure> {
        answered(&self.socket, self.admin.server_load(LoadRequest {})).await
    }
}

/// Replies that arrive one by one, so that a million records need no memory here.
pub(crate) struct Stream<T> {
    stream: Streaming<T>,
    socket: PathBuf,
}

impl<T> Stream<T> {
    /// The next one, however long it takes: a server that is gone does not go unnoticed.
    pub(crate) async fn message(&mut self) -> Result<Option<T>, Failure> {
        match self.stream.message().await {
            Ok(message) => Ok(message),
            Err(status) => Err(explain(&self.socket, &status).await),
        }
    }

    pub(crate) async fn next(&mut self) -> Result<Option<T>, Failure> {
        match timeout(CALL, self.stream.message()).await {
            Ok(Ok(message)) => Ok(message),
            Ok(Err(status)) => Err(explain(&self.socket, &status).await),
            Err(_) => Err(unreachable(&self.socket, &late(), UNKNOWN)),
        }
    }
}

async fn answered<T>(socket: &Path, reply: impl Future<Output = Result<Response<T>, Status>>) -> Result<T, Failure> {
    match timeout(CALL, reply).await {
        Ok(Ok(reply)) => Ok(reply.into_inner()),
        Ok(Err(status)) => Err(explain(socket, &status).await),
        Err(_) => Err(unreachable(socket, &late(), UNKNOWN)),
    }
}

fn late() -> String {
    format!("no answer within {} s", CALL.as_secs())
}
