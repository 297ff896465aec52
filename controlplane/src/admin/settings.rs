//! Answers to the commands that change settings.

use super::Admin;
use crate::live::SettingsError;
use dnsplane_proto::pb::admin as pb;
use tonic::{Response, Status};

/// What happened, or why nothing did.
pub(super) fn reply(done: Result<Vec<String>, SettingsError>) -> Result<Response<pb::SettingsReply>, Status> {
    done.map(|messages| Response::new(pb::SettingsReply { messages })).map_err(status)
}

impl Admin {
    /// What happened, once the cluster has acted on it: a door that cannot be opened is part of that.
    pub(super) async fn followed(
        &self,
        done: Result<Vec<String>, SettingsError>,
    ) -> Result<Response<pb::SettingsReply>, Status> {
        let mut messages = done.map_err(status)?;
        if let Err(reason) = self.cluster.followed().await {
            messages.push(format!("warning: the cluster is on, and peers cannot connect: {reason}"));
        }
        reply(Ok(messages))
    }
}

/// The text is the sentence for the person at the terminal.
pub(super) fn status(error: SettingsError) -> Status {
    let text = error.to_string();
    match error {
        SettingsError::Key(_) | SettingsError::Refused(_) => Status::invalid_argument(text),
        SettingsError::File(_) | SettingsError::Write { .. } => Status::failed_precondition(text),
    }
}
