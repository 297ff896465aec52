//! Answers to the commands that change settings.

use crate::live::SettingsError;
use dnsplane_proto::pb::admin as pb;
use tonic::{Response, Status};

/// What happened, or why nothing did.
pub(super) fn reply(done: Result<Vec<String>, SettingsError>) -> Result<Response<pb::SettingsReply>, Status> {
    done.map(|messages| Response::new(pb::SettingsReply { messages })).map_err(status)
}

/// The text is the sentence for the person at the terminal.
pub(super) fn status(error: SettingsError) -> Status {
    let text = error.to_string();
    match error {
        SettingsError::Key(_) | SettingsError::Refused(_) => Status::invalid_argument(text),
        SettingsError::File(_) | SettingsError::Write { .. } => Status::failed_precondition(text),
    }
}
