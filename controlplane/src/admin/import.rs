//! Takes a file of records from dnsplanectl: reads it, tells what it would do, and does that when it is confirmed.

use super::{Admin, OUTBOUND_QUEUE, actor, status};
use crate::{
    blocking::beside,
    record::Record,
    store::{Edit, Edited, Import, ImportFile, ImportItem, ImportScope, Store, StoreError, View},
    transfer::{self, Format, Incoming},
};
use dnsplane_proto::{
    Name,
    pb::admin::{
        self as pb, ImportEvent, ImportLine, ImportPart, ImportSummary, import_event::Event, import_line::Kind,
        import_part::Part,
    },
};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

/// Far above any store's records as a file; small enough to be held beside them.
const MAX_FILE: usize = 512 << 20;
/// How often the difference is worked out anew because somebody changed the records before it was confirmed.
const ROUNDS: usize = 10;
/// Of a file's name in the change log.
const MAX_FILE_NAME: usize = 200;

pub(super) type Events = ReceiverStream<Result<ImportEvent, Status>>;

/// One import.
struct Importing {
    store: Store,
    actor: String,
    parts: Streaming<ImportPart>,
    out: mpsc::Sender<Result<ImportEvent, Status>>,
}

/// What the first part says.
struct Start {
    format: Format,
    file: String,
    zone: Option<Name>,
    replace: bool,
    /// Differences of each kind that are told.
    most: usize,
}

/// Whoever asked has gone: there is nobody to tell.
struct Gone;

/// How an import ends before its end.
enum Ended {
    Gone,
    Refused(Status),
}

impl From<Gone> for Ended {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

impl From<Status> for Ended {
    fn from(status: Status) -> Self {
        Self::Refused(status)
    }
}

impl Admin {
    /// Answers with what happens, as it happens.
    pub(super) fn import(&self, request: Request<Streaming<ImportPart>>) -> Result<Response<Events>, Status> {
        // Before anything is read.
        self.store.may_edit().map_err(status)?;
        let actor = actor(&request);
        let (out, events) = mpsc::channel(OUTBOUND_QUEUE);
        let mut import = Importing { store: self.store.clone(), actor, parts: request.into_inner(), out: out.clone() };
        tokio::spawn(async move {
            if let Err(Ended::Refused(status)) = import.run().await {
                // Whoever asked may have gone meanwhile.
                let _ = out.send(Err(status)).await;
            }
        });
        Ok(Response::new(ReceiverStream::new(events)))
    }
}

impl Importing {
    async fn run(&mut self) -> Result<(), Ended> {
        let Some(Part::Start(start)) = self.part().await? else {
            return Err(Status::invalid_argument("an import begins with what it is about").into());
        };
        let start = Start::try_from(start)?;
        let text = self.text().await?;
        self.say(Event::Progress("reading".to_owned())).await?;
        let (format, file, zone) = (start.format, start.file.clone(), start.zone.clone());
        let incoming = beside(move || transfer::read(format, &file, &text, zone)).await;
        let incoming = incoming.map_err(Status::invalid_argument)?;
        let scope = start.scope(&incoming)?;
        let incoming = Arc::new(incoming);
        for round in 0..ROUNDS {
            self.say(Event::Progress("comparing".to_owned())).await?;
            let import = compare(self.store.view(), Arc::clone(&incoming), scope.clone()).await;
            self.tell(&import, &incoming, &start, round > 0).await?;
            let Some(Part::Confirmation(confirmation)) = self.part().await? else { return Ok(()) };
            if confirmation.number != import.generation.number {
                return Err(Status::invalid_argument("that is not the difference that was told last").into());
            }
            self.say(Event::Progress("writing".to_owned())).await?;
            let actor = format!("{}, import of `{}`", self.actor, start.file);
            match self.store.edit(Edit::Import(Box::new(import)), actor).await {
                Ok(Edited { changed, messages, generation, .. }) => {
                    let reply = pb::EditReply { changed, messages, number: generation.number };
                    return Ok(self.say(Event::Done(reply)).await?);
                }
                Err(StoreError::Overtaken) => {}
                Err(error) => return Err(status(error).into()),
            }
        }
        Err(Status::aborted("the records change faster than they can be compared; nothing was imported, try again")
            .into())
    }

    /// The text of the file, up to its end.
    async fn text(&mut self) -> Result<Vec<u8>, Ended> {
        let mut text = Vec::new();
        loop {
            match self.part().await? {
                Some(Part::Text(piece)) if text.len() + piece.len() <= MAX_FILE => text.extend_from_slice(&piece),
                Some(Part::Text(_)) => {
                    let sentence = format!("the file has more than {} MiB; import it in parts", MAX_FILE >> 20);
                    return Err(Status::resource_exhausted(sentence).into());
                }
                Some(Part::End(_)) => return Ok(text),
                _ => return Err(Status::invalid_argument("a file is its text and an end").into()),
            }
        }
    }

    /// The next part; `None` if there is none, or if it says nothing that we know.
    async fn part(&mut self) -> Result<Option<Part>, Ended> {
        match self.parts.message().await {
            Ok(part) => Ok(part.and_then(|part| part.part)),
            Err(_) => Err(Ended::Gone),
        }
    }

    async fn say(&self, event: Event) -> Result<(), Gone> {
        self.out.send(Ok(ImportEvent { event: Some(event) })).await.map_err(|_| Gone)
    }

    /// Tells a difference: a line for each of the first of every kind, then how many there are.
    async fn tell(&self, import: &Import, incoming: &Incoming, start: &Start, again: bool) -> Result<(), Gone> {
        let mut told = [0; 4];
        for fault in incoming.faults.iter().take(start.most) {
            told[Kind::Refused as usize] += 1;
            self.say(Event::Line(refused(None, fault.clone()))).await?;
        }
        for item in &import.items {
            let kind = match item {
                ImportItem::Added(_) => Kind::Added,
                ImportItem::Changed(..) => Kind::Changed,
                ImportItem::Removed(_) => Kind::Removed,
                ImportItem::Refused(..) => Kind::Refused,
            };
            if told[kind as usize] == start.most {
                continue;
            }
            told[kind as usize] += 1;
            self.say(Event::Line(line(kind, item, incoming, &start.file))).await?;
        }
        let [added, changed, removed, refused] = import.counts().map(|count| count as u64);
        self.say(Event::Summary(ImportSummary {
            added,
            changed,
            removed,
            refused: refused + incoming.faulty,
            unchanged: import.unchanged as u64,
            repeated: import.repeated as u64,
            number: import.generation.number,
            again,
        }))
        .await
    }
}

async fn compare(view: Arc<View>, incoming: Arc<Incoming>, scope: Option<ImportScope>) -> Import {
    beside(move || {
        let Incoming { records, has_ttls, .. } = &*incoming;
        Import::of(&view, ImportFile { records, replace: scope.as_ref(), has_ttls: *has_ttls })
    })
    .await
}

fn line(kind: Kind, item: &ImportItem, incoming: &Incoming, file: &str) -> ImportLine {
    let shown = |record: &Record| Some(pb::Record::from(record));
    let line = ImportLine { kind: kind.into(), ..ImportLine::default() };
    match item {
        ImportItem::Added(record) => ImportLine { after: shown(record), ..line },
        ImportItem::Changed(row, record) => ImportLine { before: shown(&row.record), after: shown(record), ..line },
        ImportItem::Removed(row) => ImportLine { before: shown(&row.record), ..line },
        ImportItem::Refused(place, reason) => {
            let sentence = format!("{file}, {}: {reason}", incoming.place(*place));
            refused(incoming.records.get(*place).and_then(shown), sentence)
        }
    }
}

fn refused(after: Option<pb::Record>, reason: String) -> ImportLine {
    ImportLine { kind: Kind::Refused.into(), after, reason, ..ImportLine::default() }
}

impl TryFrom<pb::ImportStart> for Start {
    type Error = Status;

    fn try_from(wire: pb::ImportStart) -> Result<Self, Status> {
        let pb::ImportStart { format, file, zone, replace, most } = wire;
        Ok(Self {
            format: format.parse().map_err(Status::invalid_argument)?,
            file: file.chars().filter(|letter| !letter.is_control()).take(MAX_FILE_NAME).collect(),
            zone: transfer::zone(&zone).map_err(Status::invalid_argument)?,
            replace,
            most: if most == 0 { usize::MAX } else { most as usize },
        })
    }
}

impl Start {
    /// What may go, if anything may.
    fn scope(&self, incoming: &Incoming) -> Result<Option<ImportScope>, Status> {
        if !self.replace {
            return Ok(None);
        }
        incoming.scope(&self.file).map(Some).map_err(Status::invalid_argument)
    }
}
