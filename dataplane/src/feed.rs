//! Follows the control plane: says what is served already, takes what is new, reports what happened.
//!
//! Nothing here is needed to answer. Whatever goes wrong – no socket, a hung process, nonsense on the stream – ends the
//! connection; after a pause that grows to five seconds another one is made, and what was missed comes then.

mod commands;
mod install;
mod transfer;

pub use commands::Commands;
pub use install::Installer;
#[cfg(test)]
pub(crate) use transfer::Content;
pub(crate) use transfer::Whole;
pub use transfer::{Complete, Loaded, Refusal, Transfer};

use crate::{counters::Registry, listen::Listening};
use dnsplane_proto::{
    Generation, MAX_PART,
    pb::feed::{self as pb, feed_client::FeedClient, from_follower::Message as Up, from_publisher::Message as Down},
};
use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{mpsc, watch},
    time::{MissedTickBehavior, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming, transport::Endpoint};
use tracing::{debug, info, warn};

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long connecting, or the control plane's first word, may take.
const CONNECT: Duration = Duration::from_secs(5);
/// A control plane that was stopped or hangs answers no pings; then the connection is given up.
const PING_EVERY: Duration = Duration::from_secs(3);
const PING_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest silence in the middle of a transfer.
const STALL: Duration = Duration::from_secs(30);
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// Beside a part's body: tags and lengths of the messages around it.
const PART_SLACK: usize = 64 << 10;
/// Outcomes and reports that may wait to be sent.
const UP_QUEUE: usize = 16;
/// How long a refusal may take to reach the control plane before the connection is given up.
const FAREWELL: Duration = Duration::from_millis(250);

/// Follows the control plane.
pub struct Follower {
    socket: PathBuf,
    installer: Installer,
    registry: Arc<Registry>,
    listening: watch::Receiver<Listening>,
    commands: Commands,
    started: Instant,
    /// Resources whose copy is not to be built on: the next connection asks for them whole.
    disowned: Vec<i32>,
    /// Why the last transfer was refused, if it was; said once.
    refused: String,
    connected: watch::Sender<bool>,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("cannot reach the control plane at `{socket}`; is dnsplane-cluster running?")]
    Connect { socket: PathBuf, source: tonic::transport::Error },
    #[error("`{0}` does not answer")]
    Silent(PathBuf),
    // The status repeats itself, its code and its causes in its own text; its message is what a person can use.
    #[error("the control plane broke off: {}", .0.message())]
    Stream(Box<Status>),
    #[error("the control plane closed the connection")]
    Closed,
    #[error("the control plane stopped in the middle of a transfer")]
    Stalled,
    #[error("the control plane does not keep to the protocol: {0}")]
    Protocol(&'static str),
    #[error("asking for everything again after a refused transfer")]
    Refused,
}

impl Follower {
    /// Follows the control plane that listens on this Unix socket.
    pub fn new(
        socket: PathBuf,
        installer: Installer,
        registry: Arc<Registry>,
        listening: watch::Receiver<Listening>,
        commands: Commands,
    ) -> Self {
        let (connected, _) = watch::channel(false);
        Self {
            socket,
            installer,
            registry,
            listening,
            commands,
            started: Instant::now(),
            disowned: Vec::new(),
            refused: String::new(),
            connected,
        }
    }

    /// Whether the control plane is there.
    pub fn connected(&self) -> watch::Receiver<bool> {
        self.connected.subscribe()
    }

    /// Follows until `stop`. Dropping what this returns completes the copy on disk.
    pub async fn run(mut self, stop: CancellationToken) -> Installer {
        let mut pause = FIRST_PAUSE;
        let mut said = String::new();
        loop {
            let broken = tokio::select! {
                () = stop.cancelled() => return self.installer,
                Err(broken) = self.follow(&stop) => broken,
                else => return self.installer,
            };
            // A control plane that sends the same nonsense each time is not asked for it twenty times a second.
            let was_sound = !matches!(broken, Broken::Refused | Broken::Protocol(_));
            if self.connected.send_replace(false) && was_sound {
                (pause, said) = (FIRST_PAUSE, String::new());
            }
            let text = crate::chain(&broken);
            // The same words every five seconds help nobody.
            if text == said {
                debug!("{text}");
            } else if self.installer.is_serving() {
                warn!("{text}; queries are answered all the same");
            } else {
                warn!("{text}; there is nothing to answer from yet, trying again");
            }
            said = text;
            tokio::select! {
                () = stop.cancelled() => return self.installer,
                () = tokio::time::sleep(jittered(pause)) => self.installer.sweep(),
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// One connection, from Hello to its end.
    async fn follow(&mut self, stop: &CancellationToken) -> Result<(), Broken> {
        let (up, queue) = mpsc::channel(UP_QUEUE);
        let mut client = self.connect().await?;
        // The queue is empty, so this does not wait.
        let _ = up.send(message(Up::Hello(self.hello()))).await;
        let reply = timeout(CONNECT, client.follow(ReceiverStream::new(queue))).await;
        let reply = reply.map_err(|_| Broken::Silent(self.socket.clone()))?;
        let mut stream = reply.map_err(|status| Broken::Stream(Box::new(status)))?.into_inner();
        self.connected.send_replace(true);
        info!(socket = %self.socket.display(), "following the control plane");

        let mut transfer: Option<Transfer> = None;
        let mut last_word = Instant::now();
        let mut report = tokio::time::interval(REPORT_EVERY);
        report.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let down = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                down = stream.message() => down.map_err(|status| Broken::Stream(Box::new(status)))?,
                _ = report.tick() => {
                    self.installer.sweep();
                    // A control plane that does not read loses a report, which the next one replaces.
                    let _ = up.try_send(message(Up::Report(self.report())));
                    if transfer.is_some() && last_word.elapsed() > STALL {
                        return Err(Broken::Stalled);
                    }
                    continue;
                }
            };
            last_word = Instant::now();
            match (down.ok_or(Broken::Closed)?.message, transfer.take()) {
                (Some(Down::Begin(begin)), None) => transfer = Some(self.installer.begin(&begin)),
                (Some(Down::Part(part)), Some(mut arriving)) => {
                    arriving.add(part.body);
                    transfer = Some(arriving);
                }
                (Some(Down::End(end)), Some(arriving)) => self.complete(arriving, &end, &up, &mut stream).await?,
                (Some(Down::Current(current)), waiting) => {
                    transfer = waiting;
                    self.check_current(&current)?;
                }
                (Some(Down::Command(command)), waiting) => {
                    transfer = waiting;
                    self.commands.carry_out(command, &up);
                }
                (Some(Down::Begin(_)), Some(_)) => return Err(Broken::Protocol("a transfer inside a transfer")),
                (Some(_), None) => return Err(Broken::Protocol("a transfer without a beginning")),
                (None, waiting) => transfer = waiting, // a message that a later version knows
            }
        }
    }

    async fn connect(&self) -> Result<FeedClient<tonic::transport::Channel>, Broken> {
        let broken = |source| Broken::Connect { socket: self.socket.clone(), source };
        let endpoint = Endpoint::from_shared(format!("unix:{}", self.socket.display())).map_err(broken)?;
        let endpoint = endpoint
            .connect_timeout(CONNECT)
            .http2_keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_TIMEOUT)
            .keep_alive_while_idle(true);
        let connected = timeout(CONNECT, endpoint.connect()).await;
        let channel = connected.map_err(|_| Broken::Silent(self.socket.clone()))?.map_err(broken)?;
        Ok(FeedClient::new(channel).max_decoding_message_size(MAX_PART + PART_SLACK))
    }

    /// Installs or refuses, and says so.
    async fn complete(
        &mut self,
        transfer: Transfer,
        end: &pb::End,
        up: &mpsc::Sender<pb::FromFollower>,
        stream: &mut Streaming<pb::FromPublisher>,
    ) -> Result<(), Broken> {
        let resource = transfer.resource();
        let result = self.installer.install(transfer.end(end));
        let (outcome, calls_for_whole) = match result {
            Ok((kind, generation)) => {
                self.disowned.retain(|disowned| *disowned != resource);
                self.refused.clear();
                (
                    pb::Outcome {
                        resource,
                        kind: kind.into(),
                        generation: Some(generation.into()),
                        reason: String::new(),
                    },
                    false,
                )
            }
            Err(refusal) => {
                let reason = crate::chain(&refusal);
                if self.refused != reason {
                    warn!("refused a transfer: {reason}; what was served before is served on");
                    self.refused.clone_from(&reason);
                }
                let generation = self.installer.serving(resource).map(pb::Generation::from);
                let kind = pb::outcome::Kind::Refused.into();
                // Only of records are there differences, and so something to build on; the control plane repeats the others
                // by itself.
                let built_on = resource == pb::Resource::Records as i32;
                (pb::Outcome { resource, kind, generation, reason }, built_on && refusal.calls_for_whole())
            }
        };
        if up.send(message(Up::Outcome(outcome))).await.is_err() {
            return Err(Broken::Closed);
        }
        if !calls_for_whole {
            return Ok(());
        }
        self.disowned.push(resource);
        // Give the refusal time to arrive: a report of the same reason is all that the operator may ever see of it.
        let farewell = async { while let Ok(Some(_)) = stream.message().await {} };
        let _ = timeout(FAREWELL, farewell).await;
        Err(Broken::Refused)
    }

    fn check_current(&mut self, current: &pb::Current) -> Result<(), Broken> {
        let theirs = Generation::from(current.generation.unwrap_or_default());
        if self.installer.serving(current.resource) == Some(theirs) {
            debug!(generation = %theirs, resource = ?current.resource(), "nothing new");
            return Ok(());
        }
        self.disowned.push(current.resource);
        Err(Broken::Protocol("it takes us to serve what we do not serve"))
    }

    fn hello(&self) -> pb::Hello {
        let mut held = self.installer.held();
        held.retain(|held| !self.disowned.contains(&held.resource));
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let follower = format!("{}/{}", host.trim(), std::process::id());
        let knows = Whole::ALL.map(Whole::resource).into_iter().chain([pb::Resource::Records]);
        let (version, knows) = (env!("CARGO_PKG_VERSION").to_owned(), knows.map(Into::into).collect());
        pb::Hello { follower, version, held, knows }
    }

    fn report(&self) -> pb::Report {
        let listening = self.listening.borrow().clone();
        let counter = |(name, value): (&str, u64)| pb::Counter { name: name.to_owned(), value };
        pb::Report {
            uptime_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            counters: self.registry.totals().into_iter().map(counter).collect(),
            listening: listening.sockets,
            listen_error: listening.error,
            upstreams: self.commands.upstreams(),
        }
    }
}

fn message(up: Up) -> pb::FromFollower {
    pb::FromFollower { message: Some(up) }
}

/// Between half of it and one and a half: many data planes must not come back all at once.
fn jittered(pause: Duration) -> Duration {
    let random = crate::snapshot::index::random_seed() as u32;
    pause / 2 + pause.mul_f64(f64::from(random) / f64::from(u32::MAX))
}
