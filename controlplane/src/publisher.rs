//! Latest generation → every connected data plane.
//!
//! Each data plane has one task here. It wakes when records or another resource change, compares what the data plane serves
//! with the newest there is, and sends what makes them equal: a difference if the store still knows what changed, all of it
//! otherwise. One transfer of a resource is under way at a time; what changed meanwhile goes into the next.
//! On the same connection data planes are asked things ([`Planes::ask`]), one reply to each question.

mod ask;
mod encode;
mod line;
mod planes;
mod resources;
mod standing;

pub use ask::{Asked, Unanswered};
pub use planes::{GenerationJson, PlaneStatus, Planes};
pub use resources::Resources;

use crate::store::Store;
use dnsplane_proto::{
    MAX_PART,
    pb::feed::{
        FromFollower, FromPublisher,
        feed_server::{Feed, FeedServer},
    },
};
use line::Line;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

/// Messages from a data plane are small, but for a list of what it remembers, which it cuts at half of this.
const MAX_INBOUND: usize = 16 << 20;
/// Messages that may wait for a slow data plane.
const OUTBOUND_QUEUE: usize = 8;
/// A data plane must introduce itself within this time.
const HELLO_WITHIN: Duration = Duration::from_secs(10);

/// The gRPC service that data planes follow.
#[derive(Clone)]
pub struct Publisher {
    /// The records.
    pub store: Store,
    /// What is sent beside them.
    pub resources: Resources,
    /// Who is connected.
    pub planes: Planes,
    /// Ends every connection.
    pub shutdown: CancellationToken,
}

impl Publisher {
    /// The service, ready to be served.
    pub fn service(self) -> FeedServer<Self> {
        FeedServer::new(self).max_decoding_message_size(MAX_INBOUND).max_encoding_message_size(MAX_PART + (64 << 10))
    }
}

#[tonic::async_trait]
impl Feed for Publisher {
    type FollowStream = ReceiverStream<Result<FromPublisher, Status>>;

    async fn follow(&self, request: Request<Streaming<FromFollower>>) -> Result<Response<Self::FollowStream>, Status> {
        let (out, outbound) = mpsc::channel(OUTBOUND_QUEUE);
        let (inbound, publisher) = (request.into_inner(), self.clone());
        tokio::spawn(async move {
            let shutdown = publisher.shutdown.clone();
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = Line::serve(inbound, out, publisher) => {}
            }
        });
        Ok(Response::new(ReceiverStream::new(outbound)))
    }
}
