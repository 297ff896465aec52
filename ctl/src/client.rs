//! Typed calls to the control plane, and one plain sentence for each way in which they fail.
//!
//! Each command makes its own connection: over a Unix socket that costs next to nothing, and a prompt that stays open
//! survives every restart of the control plane.

use crate::print::visible;
use dnsplane_proto::pb::admin::{
    CheckRequest, Document, EditReply, Filter, JoinReply, JoinRequest, Problem, PullReply, PullRequest, Record,
    RecordEdit, Selection, StatusRequest, admin_client::AdminClient,
};
use std::{
    error::Error,
    future::Future,
    io,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    time::timeout,
};
use tonic::{
    Code, Response, Status, Streaming,
    transport::{Channel, Endpoint},
};

/// A listener that does not take a connection for this long is stuck.
const CONNECT: Duration = Duration::from_secs(5);
/// Longest wait for one reply; a pull from a slow peer may take half of it.
const CALL: Duration = Duration::from_secs(60);
/// How long a silent socket is given before it is asked for a sign of life, and to give one.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);
/// A gRPC server greets at once.
const GREETING: Duration = Duration::from_secs(2);
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

    pub(crate) async fn list_records(mut self, filter: Filter) -> Result<Stream<Record>, Failure> {
        let stream = answered(&self.socket, self.admin.list_records(filter)).await?;
        Ok(Stream { stream, socket: self.socket })
    }

    pub(crate) async fn check_records(mut self) -> Result<Stream<Problem>, Failure> {
        let stream = answered(&self.socket, self.admin.check_records(CheckRequest {})).await?;
        Ok(Stream { stream, socket: self.socket })
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

    pub(crate) async fn server_status(mut self) -> Result<Document, Failure> {
        answered(&self.socket, self.admin.server_status(StatusRequest {})).await
    }
}

/// Replies that arrive one by one, so that a million records need no memory here.
pub(crate) struct Stream<T> {
    stream: Streaming<T>,
    socket: PathBuf,
}

impl<T> Stream<T> {
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

const NAME_IT: &str = "name the control plane's `server_socket` with --socket PATH or DNSPLANE_SOCKET";
const START_IT: &str = "start dnsplane-cluster, or name its `server_socket` with --socket PATH or DNSPLANE_SOCKET";
const STUCK: &str = "look at the log of dnsplane-cluster, and restart it if it is stuck";
const UNKNOWN: &str = "it is not known whether the command was carried out: look, then repeat it";

fn explain_connect(socket: &Path, error: &tonic::transport::Error) -> Failure {
    let Some(cause) = find::<io::Error>(error) else {
        return unreachable(socket, &last(error), START_IT);
    };
    match cause.kind() {
        io::ErrorKind::NotFound => unreachable(socket, "the socket does not exist", START_IT),
        io::ErrorKind::ConnectionRefused if socket.is_file() => {
            unreachable(socket, "this is a file, not a socket", NAME_IT)
        }
        io::ErrorKind::ConnectionRefused if socket.is_dir() => {
            unreachable(socket, "this is a folder, not a socket", NAME_IT)
        }
        io::ErrorKind::ConnectionRefused => {
            unreachable(socket, "nobody listens on the socket: its daemon is gone", START_IT)
        }
        io::ErrorKind::PermissionDenied => {
            unreachable(socket, "permission denied", "run this as root or as a member of the socket's group")
        }
        io::ErrorKind::TimedOut => unreachable(socket, "it takes no connection", STUCK),
        io::ErrorKind::InvalidInput => {
            unreachable(socket, "the path is too long for a socket (107 bytes at most)", NAME_IT)
        }
        _ => unreachable(socket, &cause.to_string(), START_IT),
    }
}

/// A status without a source was sent by the server; one with a source was made up here when the connection failed.
async fn explain(socket: &Path, status: &Status) -> Failure {
    if status.source().is_none() {
        return match status.code() {
            Code::Unimplemented => unreachable(
                socket,
                "what answers there does not know this command; it may be the feed socket, or an older dnsplane-cluster",
                NAME_IT,
            ),
            code if status.message().is_empty() => Failure::Refused(format!("the server says no more than: {code}")),
            _ => Failure::Refused(visible(status.message())),
        };
    }
    match listen(socket).await {
        Heard::Grpc => {
            let wrong = format!("the connection broke before the answer came ({})", last(status));
            unreachable(socket, &wrong, UNKNOWN)
        }
        Heard::Farewell => unreachable(socket, "it closes the connection without an answer", UNKNOWN),
        Heard::Silence => unreachable(socket, "it takes the connection but says nothing", STUCK),
        Heard::Other => unreachable(socket, "this is not the admin socket of a dnsplane control plane", NAME_IT),
    }
}

/// What a socket says to the beginning of a gRPC conversation.
enum Heard {
    Grpc,
    Farewell,
    Silence,
    Other,
}

/// Opens a conversation of its own after a failed one, only to hear what kind of server is there.
///
/// A server's first frame must be SETTINGS (RFC 9113 §3.4), which is type 4 on stream 0.
async fn listen(socket: &Path) -> Heard {
    const HELLO: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let Ok(mut stream) = UnixStream::connect(socket).await else { return Heard::Farewell };
    // What it said before it stopped reading is worth hearing even if this fails.
    let _ = stream.write_all(HELLO).await;
    let mut frame = [0; 9];
    match timeout(GREETING, stream.read_exact(&mut frame)).await {
        Ok(Ok(_)) if frame[3] == 4 && frame[5..] == [0; 4] => Heard::Grpc,
        Ok(Ok(_)) => Heard::Other,
        Ok(Err(_)) => Heard::Farewell,
        Err(_) => Heard::Silence,
    }
}

fn late() -> String {
    format!("no answer within {} s", CALL.as_secs())
}

fn unreachable(socket: &Path, wrong: &str, remedy: &str) -> Failure {
    Failure::Unreachable(format!("cannot reach the control plane at {}: {wrong}; {remedy}", socket.display()))
}

fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

fn last(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source())
}
