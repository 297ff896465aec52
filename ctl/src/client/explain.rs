//! What went wrong with a call, in a sentence that says what, where, and what to do.

use super::{Client, Failure};
use crate::print::visible;
use dnsplane_proto::pb::admin::StatusRequest;
use serde_json::Value;
use std::{error::Error, io, path::Path, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    time::timeout,
};
use tonic::{Code, Status};

/// A gRPC server greets at once.
const GREETING: Duration = Duration::from_secs(2);

pub(super) const NAME_IT: &str = "name the control plane's `server_socket` with --socket PATH or DNSPLANE_SOCKET";
const START_IT: &str = "start dnsplane-cluster, or name its `server_socket` with --socket PATH or DNSPLANE_SOCKET";
pub(super) const STUCK: &str = "look at the log of dnsplane-cluster, and restart it if it is stuck";
pub(super) const UNKNOWN: &str = "it is not known whether the command was carried out: look, then repeat it";

pub(super) fn explain_connect(socket: &Path, error: &tonic::transport::Error) -> Failure {
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
pub(super) async fn explain(socket: &Path, status: &Status) -> Failure {
    if status.source().is_none() {
        return match status.code() {
            Code::Unimplemented => match version(socket).await {
                Some(version) => Failure::Refused(format!(
                    "this control plane (version {version}) is older than this dnsplanectl and does not know the \
                     command; upgrade dnsplane-cluster and restart it"
                )),
                None => unreachable(
                    socket,
                    "what answers there does not know dnsplanectl's commands; it may be the feed socket",
                    NAME_IT,
                ),
            },
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

/// The version of a control plane that lacks a call, if it is a control plane: every one knows its status.
///
/// A call that a service lacks and a service that a server lacks look the same.
async fn version(socket: &Path) -> Option<String> {
    let mut client = Client::connect(socket).await.ok()?;
    let reply = timeout(GREETING, client.admin.server_status(StatusRequest {})).await.ok()?.ok()?;
    let status: Value = serde_json::from_str(&reply.into_inner().json).ok()?;
    Some(status.get("version").and_then(Value::as_str).map_or_else(|| "unknown".to_owned(), visible))
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

pub(super) fn unreachable(socket: &Path, wrong: &str, remedy: &str) -> Failure {
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
