//! Latest generation → every connected data plane.
//!
//! Each data plane has one task here. It wakes when records or settings change, compares what the data plane serves
//! with the newest there is, and sends what makes them equal: a difference if the store still knows what changed, all of it
//! otherwise. One transfer of a resource is under way at a time; what changed meanwhile goes into the next.

mod encode;
mod line;
mod planes;

pub use planes::{GenerationJson, PlaneStatus, Planes};

use crate::store::Store;
use dnsplane_proto::{
    MAX_PART, Settings,
    pb::feed::{
        FromFollower, FromPublisher,
        feed_server::{Feed, FeedServer},
    },
};
use line::Line;
use std::{sync::Arc, time::Duration};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

/// Messages from a data plane are small: reports and outcomes.
const MAX_INBOUND: usize = 1 << 20;
/// Messages that may wait for a slow data plane.
const OUTBOUND_QUEUE: usize = 8;
/// A data plane must introduce itself within this time.
const HELLO_WITHIN: Duration = Duration::from_secs(10);

/// The gRPC service that data planes follow.
pub struct Publisher {
    store: Store,
    settings: watch::Receiver<Arc<Settings>>,
    planes: Planes,
    shutdown: CancellationToken,
}

impl Publisher {
    /// The service, ready to be served.
    pub fn service(
        store: Store,
        settings: watch::Receiver<Arc<Settings>>,
        planes: Planes,
        shutdown: CancellationToken,
    ) -> FeedServer<Self> {
        FeedServer::new(Self { store, settings, planes, shutdown })
            .max_decoding_message_size(MAX_INBOUND)
            .max_encoding_message_size(MAX_PART + (64 << 10))
    }
}

#[tonic::async_trait]
impl Feed for Publisher {
    type FollowStream = ReceiverStream<Result<FromPublisher, Status>>;

    async fn follow(&self, request: Request<Streaming<FromFollower>>) -> Result<Response<Self::FollowStream>, Status> {
        let (out, outbound) = mpsc::channel(OUTBOUND_QUEUE);
        let inbound = request.into_inner();
        let (store, settings, planes) = (self.store.clone(), self.settings.clone(), self.planes.clone());
        let shutdown = self.shutdown.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = Line::serve(inbound, out, store, settings, planes) => {}
            }
        });
        Ok(Response::new(ReceiverStream::new(outbound)))
    }
}
