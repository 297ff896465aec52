//! What is wrong with the records, and changes that are taken back.

use super::{Admin, OUTBOUND_QUEUE, status};
use crate::{
    check::{self, Finding},
    store::{Asked, Edit},
};
use dnsplane_proto::pb::admin as pb;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Response, Status};

impl Admin {
    /// Everything that is wrong, in the order of the records.
    pub(super) fn problems(&self) -> Response<ReceiverStream<Result<pb::Problem, Status>>> {
        let (out, problems) = mpsc::channel(OUTBOUND_QUEUE);
        let view = self.store.view();
        tokio::task::spawn_blocking(move || {
            let found = check::findings(&view.records);
            if found.is_empty() {
                return;
            }
            let mut found = found.iter().peekable();
            for (row, place) in view.records.in_order().into_iter().zip(1..) {
                while let Some(finding) = found.next_if(|finding| Arc::ptr_eq(finding.row, row)) {
                    if out.blocking_send(Ok(problem(finding, place))).is_err() {
                        return;
                    }
                }
            }
        });
        Response::new(ReceiverStream::new(problems))
    }

    /// Undoes a change, or only tells what that would do.
    pub(super) async fn undo(&self, wanted: pb::UndoRequest, actor: String) -> Result<Response<pb::EditReply>, Status> {
        self.store.may_edit().map_err(status)?;
        let (undo, messages) = self.store.undoing(wanted.number).await.map_err(status)?;
        if wanted.dry_run {
            let number = self.store.view().generation.number;
            return Ok(Response::new(pb::EditReply { changed: !messages.is_empty(), messages, number }));
        }
        let actor = format!("{actor} undoes change {}", undo.number());
        self.edit(Edit::Undo(Box::new(undo)), actor).await
    }
}

fn problem(finding: &Finding<'_>, place: u64) -> pb::Problem {
    let record = &finding.row.record;
    pb::Problem {
        name: record.name().to_owned(),
        r#type: record.type_text().into_owned(),
        value: record.value().to_owned(),
        reason: finding.rule.to_string(),
        severity: finding.rule.severity().as_str().to_owned(),
        rule: finding.rule.word().to_owned(),
        id: record.id().unwrap_or_default().to_owned(),
        place,
    }
}

impl From<pb::HistoryRequest> for Asked {
    fn from(wire: pb::HistoryRequest) -> Self {
        let pb::HistoryRequest { name, r#type, limit, before } = wire;
        Self { name, kind: r#type, limit: usize::try_from(limit).unwrap_or(usize::MAX), before }
    }
}
