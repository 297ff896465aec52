//! What data planes remember and would answer, for dnsplanectl.

use super::{Admin, document};
use crate::remembered;
use dnsplane_proto::{Name, RecordType, pb::admin as pb};
use serde_json::json;
use tonic::{Response, Status};

impl Admin {
    pub(super) async fn remembered(&self, query: pb::CacheQuery) -> Result<Response<pb::Document>, Status> {
        document(&remembered::list(self.node.planes(), name(&query.name)?.as_ref()).await)
    }

    pub(super) async fn forget(&self, query: pb::CacheFlushRequest) -> Result<Response<pb::PeerReply>, Status> {
        let name = name(&query.name)?;
        if name.is_none() && !query.all {
            return Err(Status::invalid_argument("which name? or --all for everything"));
        }
        let (flushed, problems) = remembered::flush(self.node.planes(), name.as_ref(), query.below).await;
        let done = match flushed {
            0 => "nothing of it was remembered".to_owned(),
            1 => "1 answer forgotten".to_owned(),
            count => format!("{count} answers forgotten"),
        };
        let ok = problems.is_empty();
        Ok(Response::new(pb::PeerReply { ok, messages: std::iter::once(done).chain(problems).collect() }))
    }

    pub(super) async fn cache_state(&self) -> Result<Response<pb::Document>, Status> {
        let (figures, problems) = remembered::figures(self.node.planes()).await;
        document(&json!({"data_planes": figures, "problems": problems}))
    }

    pub(super) async fn explanation(&self, question: pb::ExplainRequest) -> Result<Response<pb::ExplainReply>, Status> {
        let name = name(&question.name)?.ok_or_else(|| Status::invalid_argument("which name?"))?;
        let kind: RecordType = question
            .r#type
            .parse()
            .map_err(|_| Status::invalid_argument(format!("`{}` is not a type", question.r#type)))?;
        let said = remembered::explain(self.node.planes(), &name, kind, question.client).await;
        if said.is_empty() {
            return Err(Status::unavailable(
                "no data plane is connected; is dnsplane-dns running with this node's feed socket?",
            ));
        }
        let explained = said.into_iter().map(|(data_plane, said)| match said {
            Ok(said) => pb::Explained {
                data_plane,
                step: said.step,
                because: said.because,
                reply: said.reply.to_vec(),
                micros: said.micros,
                failed: String::new(),
            },
            Err(failed) => pb::Explained { data_plane, failed, ..pb::Explained::default() },
        });
        Ok(Response::new(pb::ExplainReply { explained: explained.collect() }))
    }
}

fn name(text: &str) -> Result<Option<Name>, Status> {
    if text.is_empty() {
        return Ok(None);
    }
    Name::parse(text).map(Some).map_err(|error| Status::invalid_argument(format!("`{text}` is not a name: {error}")))
}
