//! One data plane's connection: what it serves, what is on its way, what comes next.

use super::{
    HELLO_WITHIN, Publisher,
    ask::{Question, Waiting},
    encode::{Gone, Parts},
    planes::Place,
    resources::{Numbered, Resources},
    standing::Standings,
};
use crate::store::{Store, View};
use bytes::Bytes;
use dnsplane_proto::{
    Generation,
    pb::feed::{
        Begin, Current, FromFollower, FromPublisher, Hello, Outcome, Part, Resource, from_follower,
        from_publisher::Message as Out, outcome::Kind,
    },
};
use std::{collections::BTreeMap, sync::Arc};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until, timeout},
};
use tonic::{Status, Streaming};
use tracing::{debug, info, warn};

/// Sets in a difference beyond which everything is sent: applying that many one by one costs a data plane more.
const MAX_TOUCHED: usize = 100_000;

/// The connection.
pub(super) struct Line {
    out: mpsc::Sender<Result<FromPublisher, Status>>,
    store: Store,
    place: Place,
    standings: Standings,
    waiting: Waiting,
    /// Why it refuses which resource.
    refusals: BTreeMap<i32, String>,
}

impl Line {
    /// Serves a data plane until it goes.
    pub(super) async fn serve(
        mut inbound: Streaming<FromFollower>,
        out: mpsc::Sender<Result<FromPublisher, Status>>,
        publisher: Publisher,
    ) {
        let hello = match timeout(HELLO_WITHIN, inbound.message()).await {
            Ok(Ok(Some(FromFollower { message: Some(from_follower::Message::Hello(hello)) }))) => hello,
            Ok(Ok(None) | Err(_)) => return,
            _ => {
                let _ = out.send(Err(Status::invalid_argument("the first message must be Hello"))).await;
                return;
            }
        };
        let Hello { follower, version, held, knows } = hello;
        let Publisher { store, resources, planes, .. } = publisher;
        let Some((place, questions)) = planes.enter(follower.clone(), version, !knows.is_empty()) else {
            let _ = out.send(Err(Status::resource_exhausted("too many data planes"))).await;
            return;
        };
        let standings = Standings::of(&knows);
        let mut line =
            Self { out, store, place, standings, waiting: Waiting::default(), refusals: BTreeMap::default() };
        if !(line.standings.upstreams.known && line.standings.block_list.known) {
            info!(follower, "this data plane is of an earlier version: it resolves and blocks nothing");
        }
        for held in held {
            let resource = held.resource();
            if let (Some(standing), Some(generation)) = (line.standings.get(resource), held.generation) {
                standing.held = Some(generation.into());
            }
        }
        // An error here means that the data plane has gone; it will come back.
        let _ = line.run(inbound, resources, questions).await;
    }

    async fn run(
        &mut self,
        mut inbound: Streaming<FromFollower>,
        resources: Resources,
        mut questions: mpsc::Receiver<Question>,
    ) -> Result<(), Gone> {
        let Resources { mut settings, mut upstreams, mut block_list } = resources;
        let store = self.store.clone();
        let mut views = store.watch();
        let first_view = Arc::clone(&views.borrow());
        self.check_not_ahead(&first_view);
        loop {
            self.bring(Resource::Settings, &mut settings).await?;
            self.bring(Resource::Upstreams, &mut upstreams).await?;
            let view = Arc::clone(&views.borrow_and_update());
            // A store that was never told any records has nothing that may replace a copy of earlier ones.
            let known = self.store.has_records();
            if known {
                self.send_records(&view).await?;
            }
            // Last: the others are what queries wait for.
            self.bring(Resource::BlockList, &mut block_list).await?;
            let retry = self.standings.next_try();
            tokio::select! {
                () = store.records_known(), if !known => {}
                changed = views.changed() => changed.map_err(|_| Gone)?,
                changed = settings.changed() => changed.map_err(|_| Gone)?,
                changed = upstreams.changed() => changed.map_err(|_| Gone)?,
                changed = block_list.changed() => changed.map_err(|_| Gone)?,
                () = sleep_until(retry.unwrap_or_else(Instant::now)), if retry.is_some() => {}
                Some(question) = questions.recv() => {
                    if let Some(command) = self.waiting.enter(question) {
                        self.send(Out::Command(command)).await?;
                    }
                }
                message = inbound.message() => match message {
                    Ok(Some(message)) => self.hear(message),
                    Ok(None) | Err(_) => return Ok(()),
                },
            }
        }
    }

    /// A data plane cannot be ahead of the store that it got everything from, unless the store went back in time.
    fn check_not_ahead(&mut self, view: &View) {
        let held = self.standings.records.held;
        let ahead = held.filter(|held| held.session == view.generation.session && held.number > view.generation.number);
        if let Some(held) = ahead {
            let text = format!(
                "it serves {held}, which this store has not reached ({}): was the store restored from a backup? \
                 Stop this data plane, delete its state folder and start it again",
                view.generation
            );
            warn!("{text}");
            self.note_refusal(Resource::Records, Some(text));
        }
    }

    /// Says that what it holds is the newest, once.
    async fn confirm(&mut self, resource: Resource, newest: Generation) -> Result<(), Gone> {
        let Some(standing) = self.standings.get(resource) else { return Ok(()) };
        let holds = standing.held == Some(newest) && standing.under_way.is_none();
        if !holds || std::mem::replace(&mut standing.confirmed, true) {
            return Ok(());
        }
        self.note_served(resource, newest);
        self.send(Out::Current(Current { resource: resource.into(), generation: Some(newest.into()) })).await
    }

    /// Sends the newest state of a resource that is one message, if the data plane has another.
    async fn bring(
        &mut self,
        resource: Resource,
        newest: &mut watch::Receiver<Option<Arc<Numbered>>>,
    ) -> Result<(), Gone> {
        let Some(numbered) = newest.borrow_and_update().clone() else { return Ok(()) };
        let generation = numbered.generation;
        self.confirm(resource, generation).await?;
        let Some(standing) = self.standings.get(resource).filter(|standing| standing.wants(generation, Instant::now()))
        else {
            return Ok(());
        };
        standing.under_way = Some(generation);
        self.send(begin(resource, generation, None)).await?;
        self.count(numbered.octets, false);
        for body in numbered.parts.iter().cloned() {
            self.send(Out::Part(Part { body })).await?;
        }
        self.send(Out::End(numbered.end.clone())).await
    }

    async fn send_records(&mut self, view: &Arc<View>) -> Result<(), Gone> {
        let generation = view.generation;
        self.confirm(Resource::Records, generation).await?;
        let standing = &mut self.standings.records;
        if !standing.wants(generation, Instant::now()) {
            return Ok(());
        }
        standing.under_way = Some(generation);
        let base = standing.held.filter(|held| held.session == generation.session && held.number < generation.number);
        let touched = base.and_then(|held| Some((held, self.store.touched_since(held.number)?)));
        let (from, touched) = match touched.filter(|(_, touched)| touched.len() <= MAX_TOUCHED) {
            Some((from, touched)) => (Some(from), Some(touched)),
            None => (None, None),
        };
        self.send(begin(Resource::Records, generation, from)).await?;
        let (out, source) = (self.out.clone(), Arc::clone(view));
        // Turning a store into wire form takes a second for a million records; that is no work for the runtime's threads.
        let encoding = move || {
            let mut bytes = 0;
            let mut parts = Parts::new(|body: Bytes| {
                bytes += body.len() as u64;
                out.blocking_send(Ok(message(Out::Part(Part { body })))).map_err(|_| Gone)
            });
            match &touched {
                Some(touched) => parts.push_touched(&source.records, touched)?,
                None => parts.push_all(&source.records)?,
            }
            let end = parts.finish()?;
            Ok((end, bytes))
        };
        let (end, bytes) = tokio::task::spawn_blocking(encoding).await.map_err(|_| Gone)??;
        self.count(bytes, from.is_some());
        debug!(%generation, from = from.map(|from| from.number), bytes, "records sent");
        self.send(Out::End(end)).await
    }

    /// Takes in what the data plane says.
    fn hear(&mut self, message: FromFollower) {
        match message.message {
            Some(from_follower::Message::Outcome(outcome)) => self.hear_outcome(outcome),
            Some(from_follower::Message::Report(report)) => self.place.update(|plane| {
                plane.listening = report.listening;
                plane.listen_error = report.listen_error;
                plane.counters = report.counters.into_iter().map(|counter| (counter.name, counter.value)).collect();
                plane.upstreams = report.upstreams;
            }),
            Some(from_follower::Message::Reply(reply)) => self.waiting.settle(reply),
            Some(from_follower::Message::Hello(_)) | None => {}
        }
    }

    fn hear_outcome(&mut self, outcome: Outcome) {
        let (resource, kind) = (outcome.resource(), outcome.kind());
        let generation = outcome.generation.map(Generation::from);
        let Some(standing) = self.standings.get(resource) else { return };
        if matches!(kind, Kind::Installed | Kind::AlreadyServing) {
            standing.serves(generation);
            if let Some(generation) = generation {
                self.note_served(resource, generation);
            }
            return;
        }
        if standing.refuse(&outcome.reason, Instant::now()) {
            warn!(?resource, reason = outcome.reason, "data plane refused a transfer; sending all of it again");
        }
        self.note_refusal(resource, Some(outcome.reason));
    }

    /// Shows what is refused at present; once something is served, why it was refused before concerns nobody.
    fn note_refusal(&mut self, resource: Resource, reason: Option<String>) {
        match reason {
            Some(reason) => self.refusals.insert(resource as i32, reason),
            None => self.refusals.remove(&(resource as i32)),
        };
        let text = self.refusals.values().map(String::as_str).collect::<Vec<_>>().join("; ");
        self.place.update(|plane| plane.last_refusal = text);
    }

    fn note_served(&mut self, resource: Resource, generation: Generation) {
        self.place.update(|plane| {
            let served = match resource {
                Resource::Records => &mut plane.records,
                Resource::Upstreams => &mut plane.upstream_servers,
                Resource::BlockList => &mut plane.block_list,
                Resource::Settings | Resource::Unspecified => &mut plane.settings,
            };
            *served = Some(generation);
        });
        self.note_refusal(resource, None);
    }

    fn count(&self, bytes: u64, delta: bool) {
        self.place.update(|plane| {
            plane.bytes_sent += bytes;
            if delta { plane.transfers_delta += 1 } else { plane.transfers_full += 1 }
        });
    }

    async fn send(&self, content: Out) -> Result<(), Gone> {
        self.out.send(Ok(message(content))).await.map_err(|_| Gone)
    }
}

fn message(content: Out) -> FromPublisher {
    FromPublisher { message: Some(content) }
}

fn begin(resource: Resource, generation: Generation, from: Option<Generation>) -> Out {
    Out::Begin(Begin { resource: resource.into(), generation: Some(generation.into()), from: from.map(Into::into) })
}
