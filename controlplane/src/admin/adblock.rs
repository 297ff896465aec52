//! Answers to the commands of `adblock`.

use super::{Admin, OUTBOUND_QUEUE};
use crate::block_list::ListsError;
use dnsplane_proto::pb::admin::{self as pb, adblock_edit::Deed};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Response, Status};

/// Names in one message.
const NAMES: usize = 1_000;

impl Admin {
    pub(super) async fn edit_block_lists(
        &self,
        edit: pb::AdblockEdit,
        by: String,
    ) -> Result<Response<pb::SettingsReply>, Status> {
        let lists = &self.block_lists;
        let done = match edit.deed {
            Some(Deed::Add(names)) => lists.add(names.names, by).await,
            Some(Deed::Remove(names)) => lists.remove(names.names, by).await,
            Some(Deed::Allow(names)) => lists.allow(names.names, by).await,
            Some(Deed::Disallow(names)) => lists.disallow(names.names, by).await,
            Some(Deed::Load(list)) => lists.load(list, by).await,
            Some(Deed::Unload(list)) => lists.unload(list, by).await,
            Some(Deed::Clear(_)) => lists.clear(by).await,
            Some(Deed::Pause(minutes)) => lists.pause(minutes, by).await,
            None => {
                let unknown = "this node does not know what to change of its block lists; is dnsplanectl newer?";
                return Err(Status::invalid_argument(unknown));
            }
        };
        let messages = done.map_err(status)?.messages;
        Ok(Response::new(pb::SettingsReply { messages }))
    }

    /// Streams names that a slow reader may take its time for.
    pub(super) fn blocked_names(&self, filter: String) -> Response<ReceiverStream<Result<pb::AdblockNames, Status>>> {
        let (out, stream) = mpsc::channel(OUTBOUND_QUEUE);
        let lists = self.block_lists.clone();
        tokio::task::spawn_blocking(move || {
            let mut names = Vec::with_capacity(NAMES);
            let send = |names: Vec<String>| out.blocking_send(Ok(pb::AdblockNames { names })).is_ok();
            lists.domains(&filter).each(|name| {
                names.push(name.to_owned());
                names.len() < NAMES || send(std::mem::take(&mut names))
            });
            send(names)
        });
        Response::new(ReceiverStream::new(stream))
    }
}

/// The text is the sentence for the person at the terminal.
pub(super) fn status(error: ListsError) -> Status {
    let text = error.to_string();
    match error {
        ListsError::Refused(_) => Status::invalid_argument(text),
        ListsError::Disk { .. } | ListsError::Stopping => Status::unavailable(text),
    }
}
