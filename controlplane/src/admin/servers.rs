//! Upstream servers between their owner and dnsplanectl.

use super::{Admin, given};
use crate::upstreams::{Edit, Edited, Patch, Selection, ServersError};
use dnsplane_proto::pb::admin as pb;
use tonic::{Response, Status};

impl Admin {
    /// Makes an edit and words its outcome.
    pub(super) async fn edit_servers(&self, edit: Edit, by: String) -> Result<Response<pb::ServersReply>, Status> {
        reply(self.servers.edit(edit, by).await)
    }
}

/// What happened, or why nothing did.
pub(super) fn reply(done: Result<Edited, ServersError>) -> Result<Response<pb::ServersReply>, Status> {
    match done {
        Ok(Edited { changed, messages }) => Ok(Response::new(pb::ServersReply { changed, messages })),
        Err(error) => {
            let text = error.to_string();
            Err(match error {
                ServersError::Refused(_) => Status::invalid_argument(text),
                ServersError::Read { .. } | ServersError::Parse { .. } | ServersError::Write { .. } => {
                    Status::failed_precondition(text)
                }
            })
        }
    }
}

/// Keys with their values as somebody typed them.
pub(super) fn patch(keys: Vec<pb::ServerKey>) -> Result<Patch, Status> {
    Patch::from_words(keys.into_iter().map(|key| (key.name, key.value))).map_err(Status::invalid_argument)
}

impl From<pb::ServerSelection> for Selection {
    fn from(wire: pb::ServerSelection) -> Self {
        Self { address: wire.address, port: given(wire.port), transport: given(wire.transport) }
    }
}
