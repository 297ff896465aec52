//! `record import`: shows what a file would change, asks, and has it done.

mod difference;
mod upload;

use super::Exit;
use crate::{
    args::{Format, Import},
    client::{Client, Failure, Stream},
    consent::{ask, can_ask},
    print::Output,
    progress::Progress,
};
use difference::Difference;
use dnsplane_proto::pb::admin::{
    ImportConfirmation, ImportEvent, ImportPart, ImportStart, ImportSummary, import_event::Event, import_part::Part,
};
use std::path::Path;
use tokio::sync::mpsc;
use upload::{Upload, part};

/// Differences of each kind that are shown unless all are asked for.
const SHOWN: u32 = 20;

pub(super) async fn import(socket: &Path, import: Import, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let format = import.format.or_else(|| Format::of(&import.file)).ok_or_else(|| {
        let text = format!("{} does not tell what is in it: say --format json, zone or hosts", import.file.display());
        Failure::Usage(text)
    })?;
    let can_ask = can_ask() && !import.is_standard_input();
    if !can_ask && !import.yes && !import.dry_run {
        let text = "there is no terminal to ask at: say --yes to import without a question, or --dry-run to see what it would do";
        return Err(Failure::Usage(text.to_owned()));
    }
    let upload = Upload::open(&import)?;
    let start = ImportStart {
        format: format.name().to_owned(),
        file: import.file.to_string_lossy().into_owned(),
        zone: import.zone.clone().unwrap_or_default(),
        replace: import.replace,
        most: if import.all { 0 } else { SHOWN },
    };
    let (parts, outgoing) = mpsc::channel(4);
    // There is room: nothing else was sent.
    let _ = parts.try_send(part(Part::Start(start)));
    let events = Client::connect(socket).await?.import_records(outgoing).await?;
    let progress = Progress::new(upload.octets());
    let sent = upload.send(parts.clone(), progress.counter());
    let mut conversation = Conversation { events, parts, progress, sent, import };
    conversation.run(out).await
}

/// What was sent and what comes back.
struct Conversation {
    events: Stream<ImportEvent>,
    parts: mpsc::Sender<ImportPart>,
    progress: Progress,
    sent: upload::Sent,
    import: Import,
}

impl Conversation {
    async fn run(&mut self, out: &mut Output<'_>) -> Result<Exit, Failure> {
        let mut difference = Difference::default();
        let mut refused = false;
        loop {
            match self.event().await? {
                Event::Progress(stage) => self.progress.stage(stage),
                Event::Line(line) => {
                    self.progress.clear();
                    difference.line(line, out)?;
                }
                Event::Summary(summary) => {
                    self.progress.clear();
                    refused = summary.refused > 0;
                    let number = summary.number;
                    let wanted = self.is_wanted(&summary, &mut difference, out).await?;
                    if !wanted {
                        difference.end(None, out)?;
                        return Ok(exit(refused));
                    }
                    let confirmation = Part::Confirmation(ImportConfirmation { number });
                    // If the server has gone, the next event says so.
                    let _ = self.parts.send(part(confirmation)).await;
                }
                Event::Done(reply) => {
                    self.progress.clear();
                    difference.end(Some(&reply), out)?;
                    return Ok(exit(refused));
                }
            }
        }
    }

    /// The next thing that the server says; draws how far the file has gone meanwhile.
    async fn event(&mut self) -> Result<Event, Failure> {
        loop {
            let event = tokio::select! {
                event = self.events.message() => event,
                () = self.progress.tick() => continue,
            };
            return match event {
                Ok(Some(ImportEvent { event: Some(event) })) => Ok(event),
                Ok(Some(_)) => continue,
                Ok(None) => Err(self.sent.failure().unwrap_or_else(|| {
                    Failure::Refused("the server stopped before the end; nothing is known to be imported".to_owned())
                })),
                Err(failure) => Err(self.sent.failure().unwrap_or(failure)),
            };
        }
    }

    /// Shows the summary, and asks if that is to be asked.
    async fn is_wanted(
        &self,
        summary: &ImportSummary,
        difference: &mut Difference,
        out: &mut Output<'_>,
    ) -> Result<bool, Failure> {
        difference.summary(summary, out)?;
        let changes = summary.added + summary.changed + summary.removed;
        if self.import.dry_run || changes == 0 {
            return Ok(false);
        }
        if self.import.yes {
            return Ok(true);
        }
        out.flush()?;
        ask(match changes {
            1 => "Make this change?".to_owned(),
            _ => format!("Make these {changes} changes?"),
        })
        .await
    }
}

fn exit(refused: bool) -> Exit {
    if refused { Exit::Partly } else { Exit::Done }
}
