//! One data plane's connection: what it serves, what is on its way, what comes next.

use super::{
    HELLO_WITHIN,
    encode::{self, Gone, Parts},
    planes::{Place, Planes},
};
use crate::store::{Store, View};
use bytes::Bytes;
use dnsplane_proto::{
    Generation, Settings,
    pb::feed::{
        Begin, Current, FromFollower, FromPublisher, Hello, Outcome, Part, Resource, from_follower,
        from_publisher::Message as Out, outcome::Kind,
    },
};
use prost::Message;
use sha2::{Digest, Sha256};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until, timeout},
};
use tonic::{Status, Streaming};
use tracing::{debug, warn};

/// Sets in a difference beyond which everything is sent: applying that many one by one costs a data plane more.
const MAX_TOUCHED: usize = 100_000;
/// Pause after a data plane refused something, so that a misunderstanding does not spin.
const AFTER_REFUSAL: Duration = Duration::from_secs(1);

/// Where one resource stands on one data plane.
#[derive(Default)]
struct Standing {
    held: Option<Generation>,
    under_way: Option<Generation>,
    not_before: Option<Instant>,
}

impl Standing {
    /// Whether to send this generation now.
    fn wants(&self, newest: Generation) -> bool {
        self.under_way.is_none() && self.held != Some(newest) && self.not_before.is_none_or(|at| at <= Instant::now())
    }
}

/// The connection.
pub(super) struct Line {
    out: mpsc::Sender<Result<FromPublisher, Status>>,
    store: Store,
    place: Place,
    records: Standing,
    settings: Standing,
}

impl Line {
    /// Serves a data plane until it goes.
    pub(super) async fn serve(
        mut inbound: Streaming<FromFollower>,
        out: mpsc::Sender<Result<FromPublisher, Status>>,
        store: Store,
        settings: watch::Receiver<Arc<Settings>>,
        planes: Planes,
    ) {
        let hello = match timeout(HELLO_WITHIN, inbound.message()).await {
            Ok(Ok(Some(FromFollower { message: Some(from_follower::Message::Hello(hello)) }))) => hello,
            Ok(Ok(None) | Err(_)) => return,
            _ => {
                let _ = out.send(Err(Status::invalid_argument("the first message must be Hello"))).await;
                return;
            }
        };
        let Hello { follower, version, held } = hello;
        let Some(place) = planes.enter(follower, version) else {
            let _ = out.send(Err(Status::resource_exhausted("too many data planes"))).await;
            return;
        };
        let mut line = Self { out, store, place, records: Standing::default(), settings: Standing::default() };
        for held in held {
            let resource = held.resource();
            if let (Some(standing), Some(generation)) = (line.standing(resource), held.generation) {
                standing.held = Some(generation.into());
            }
        }
        // An error here means that the data plane has gone; it will come back.
        let _ = line.run(inbound, settings).await;
    }

    async fn run(
        &mut self,
        mut inbound: Streaming<FromFollower>,
        mut settings: watch::Receiver<Arc<Settings>>,
    ) -> Result<(), Gone> {
        let mut views = self.store.watch();
        let mut newest = Numbered::of(&settings.borrow_and_update());
        let first_view = Arc::clone(&views.borrow());
        self.check_not_ahead(&first_view);
        self.greet(&newest, &first_view).await?;
        loop {
            self.send_settings(&newest).await?;
            let view = Arc::clone(&views.borrow_and_update());
            self.send_records(&view).await?;
            let retry = [self.records.not_before, self.settings.not_before].into_iter().flatten().min();
            tokio::select! {
                changed = views.changed() => changed.map_err(|_| Gone)?,
                changed = settings.changed() => {
                    changed.map_err(|_| Gone)?;
                    newest = Numbered::of(&settings.borrow_and_update());
                }
                () = sleep_until(retry.unwrap_or_else(Instant::now)), if retry.is_some() => {
                    self.records.not_before.take_if(|at| *at <= Instant::now());
                    self.settings.not_before.take_if(|at| *at <= Instant::now());
                }
                message = inbound.message() => match message {
                    Ok(Some(message)) => self.hear(message),
                    Ok(None) | Err(_) => return Ok(()),
                },
            }
        }
    }

    /// A data plane cannot be ahead of the store that it got everything from, unless the store went back in time.
    fn check_not_ahead(&self, view: &View) {
        let ahead = self
            .records
            .held
            .filter(|held| held.session == view.generation.session && held.number > view.generation.number);
        if let Some(held) = ahead {
            let text = format!(
                "it serves {held}, which this store has not reached ({}): was the store restored from a backup? \
                 Stop this data plane, delete its state folder and start it again",
                view.generation
            );
            warn!("{text}");
            self.place.update(|plane| plane.last_refusal = text);
        }
    }

    /// Says which resources are new enough as they are.
    async fn greet(&mut self, settings: &Numbered, view: &View) -> Result<(), Gone> {
        let newest = [(Resource::Settings, settings.generation), (Resource::Records, view.generation)];
        for (resource, generation) in newest {
            let held = self.standing(resource).and_then(|standing| standing.held);
            if held == Some(generation) {
                let current = Current { resource: resource.into(), generation: Some(generation.into()) };
                self.send(Out::Current(current)).await?;
                self.note_served(resource, generation);
            }
        }
        Ok(())
    }

    async fn send_settings(&mut self, settings: &Numbered) -> Result<(), Gone> {
        let Numbered { generation, body } = settings.clone();
        if !self.settings.wants(generation) {
            return Ok(());
        }
        self.settings.under_way = Some(generation);
        let end = encode::end_of_single(&body);
        self.send(begin(Resource::Settings, generation, None)).await?;
        self.count(body.len() as u64, false);
        self.send(Out::Part(Part { body })).await?;
        self.send(Out::End(end)).await
    }

    async fn send_records(&mut self, view: &Arc<View>) -> Result<(), Gone> {
        let generation = view.generation;
        if !self.records.wants(generation) {
            return Ok(());
        }
        self.records.under_way = Some(generation);
        let base =
            self.records.held.filter(|held| held.session == generation.session && held.number < generation.number);
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
            // Nothing is asked of data planes yet.
            Some(from_follower::Message::Hello(_) | from_follower::Message::Reply(_)) | None => {}
        }
    }

    fn hear_outcome(&mut self, outcome: Outcome) {
        let (resource, kind) = (outcome.resource(), outcome.kind());
        let generation = outcome.generation.map(Generation::from);
        let Some(standing) = self.standing(resource) else { return };
        standing.under_way = None;
        if matches!(kind, Kind::Installed | Kind::AlreadyServing) {
            standing.held = generation;
            if let Some(generation) = generation {
                self.note_served(resource, generation);
            }
            return;
        }
        // Whatever it objects to, everything anew is right.
        standing.held = None;
        standing.not_before = Some(Instant::now() + AFTER_REFUSAL);
        warn!(?resource, reason = outcome.reason, "data plane refused a transfer; sending all of it again");
        self.place.update(|plane| plane.last_refusal = outcome.reason);
    }

    fn standing(&mut self, resource: Resource) -> Option<&mut Standing> {
        match resource {
            Resource::Records => Some(&mut self.records),
            Resource::Settings => Some(&mut self.settings),
            Resource::Unspecified | Resource::Upstreams | Resource::BlockList => None,
        }
    }

    fn note_served(&self, resource: Resource, generation: Generation) {
        self.place.update(|plane| match resource {
            Resource::Records => {
                plane.records = Some(generation);
                plane.last_refusal.clear();
            }
            _ => plane.settings = Some(generation),
        });
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

/// Settings as they are sent, numbered by their content, so that a restart with the same configuration sends nothing.
#[derive(Clone)]
struct Numbered {
    generation: Generation,
    body: Bytes,
}

impl Numbered {
    fn of(settings: &Settings) -> Self {
        let body = Bytes::from(dnsplane_proto::pb::feed::Settings::from(settings.clone()).encode_to_vec());
        let digest = Sha256::digest(&body);
        let session = digest.iter().take(8).fold(0, |session, octet| session << 8 | u64::from(*octet));
        Self { generation: Generation { session, number: 1 }, body }
    }
}
