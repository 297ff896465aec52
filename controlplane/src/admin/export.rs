//! Gives dnsplanectl records as the text of a file, piece by piece.

use super::{Admin, OUTBOUND_QUEUE, settings};
use crate::transfer::{self, Wanted};
use dnsplane_proto::pb::admin::{self as pb, ExportPart, export_part::Part};
use serde_json::Value;
use std::io::{self, Write};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Response, Status};

/// Octets of a piece.
const PIECE: usize = 64 << 10;

pub(super) type Parts = ReceiverStream<Result<ExportPart, Status>>;

/// Sends what is written to it on, in pieces; stops when nobody listens.
struct Pieces {
    piece: Vec<u8>,
    out: mpsc::Sender<Result<ExportPart, Status>>,
}

impl Admin {
    /// Streams the text, and a summary behind it.
    pub(super) async fn export(&self, request: pb::ExportRequest) -> Result<Response<Parts>, Status> {
        let format = request.format.parse().map_err(Status::invalid_argument)?;
        let zone = transfer::zone(&request.zone).map_err(Status::invalid_argument)?;
        let shown = self.live.config().await.map_err(settings::status)?;
        let pretty = shown.settings.iter().any(|(key, value)| *key == "pretty_json" && *value == Value::Bool(true));
        let wanted = Wanted { format, zone, pretty };
        let view = self.store.view();
        let (out, parts) = mpsc::channel(OUTBOUND_QUEUE);
        tokio::task::spawn_blocking(move || {
            let mut pieces = Pieces { piece: Vec::with_capacity(PIECE), out: out.clone() };
            let written = transfer::write(&view.records, &wanted, &mut pieces);
            let last =
                match written.and_then(|written| pieces.flush().map(|()| written).map_err(|error| error.to_string())) {
                    Ok(written) => {
                        let transfer::Outgoing { records, left_out, reasons } = written;
                        Ok(ExportPart { part: Some(Part::Summary(pb::ExportSummary { records, left_out, reasons })) })
                    }
                    Err(sentence) => Err(Status::failed_precondition(sentence)),
                };
            // Whoever asked may have gone.
            let _ = out.blocking_send(last);
        });
        Ok(Response::new(ReceiverStream::new(parts)))
    }
}

impl Write for Pieces {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(octets);
        if self.piece.len() >= PIECE {
            self.flush()?;
        }
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let text = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        let part = ExportPart { part: Some(Part::Text(text)) };
        self.out.blocking_send(Ok(part)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
