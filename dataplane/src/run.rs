//! Wires the parts, and stops them in order.

use crate::{
    Cookies, Current, Limiter,
    counters::Registry,
    feed::{Commands, Follower, Installer},
    last_good::{Folder, FolderError, Keeper},
    listen::{Listeners, Listening, Pulse},
    resolve::{
        Engine,
        engine::{EngineError, Parts},
    },
};
use sd_notify::NotifyState;
use std::{io, path::PathBuf, sync::Arc, time::Duration};
use tokio::{sync::watch, task::LocalSet, time::timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Everything must have ended so long after the signal; what has not is left behind.
const DRAIN: Duration = Duration::from_secs(4);

/// What the command line says.
#[derive(Clone, Debug)]
pub struct Options {
    /// The control plane's feed socket.
    pub feed: PathBuf,
    /// Folder of the last-good copy.
    pub state: PathBuf,
    /// Query threads for each address.
    pub threads: usize,
}

/// Why the data plane could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The state folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// No thread could be started.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
    /// What resolves.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The system gave no random octets for the secret of server cookies.
    #[error("cannot draw random numbers")]
    Random(#[source] getrandom::Error),
}

/// Runs until `stop`.
pub async fn run(options: Options, stop: CancellationToken) -> Result<(), StartError> {
    let folder = Folder::open(&options.state)?;
    let last_good = folder.load();
    let (settings_sender, settings) = watch::channel(None);
    let keep = |current, held| Keeper::start(folder, current, held).map_err(StartError::Thread);
    let installer = Installer::start(last_good, settings_sender, keep)?;
    let current = installer.current().clone();

    let registry = Arc::new(Registry::default());
    let cookies = Arc::new(Cookies::random().map_err(StartError::Random)?);
    let limiter = Arc::new(Limiter::new());
    let parts = Parts {
        current: current.clone(),
        registry: registry.clone(),
        cookies: cookies.clone(),
        limiter: limiter.clone(),
        settings: settings.clone(),
    };
    // What is asked of it before the listeners have ended is still answered.
    let resolve = CancellationToken::new();
    let engine = Engine::start(parts, options.threads.div_ceil(2), &resolve)?;
    let commands = Commands::new(current.clone(), cookies.clone(), registry.clone(), engine.clone());
    let listeners = Listeners::new(options.threads, current.clone(), registry.clone(), cookies, limiter, engine);
    let (listening, pulse) = (listeners.state(), listeners.pulse());
    let follower = Follower::new(options.feed, installer, registry, listening.clone(), commands);
    let manager = Manager { current, listening, connected: follower.connected(), pulse };

    // On this thread, as the load above: what the records of a snapshot give back to the heap is then there for those of the
    // next one. glibc's allocator keeps a heap for each thread, and two would grow where one does.
    let here = LocalSet::new();
    let follower = here.spawn_local(follower.run(stop.clone()));
    // The listeners stop when told, not when the follower does: it holds the sending end of the settings.
    let listeners = tokio::spawn(listeners.run(settings, stop.clone()));
    let manager = tokio::spawn(manager.run(stop.clone()));
    here.run_until(stop.cancelled()).await;
    info!("stopping");
    let stopped = async {
        let _ = listeners.await;
        resolve.cancel();
        if let Ok(installer) = follower.await {
            // Writes what the copy on disk lacks.
            let _ = tokio::task::spawn_blocking(move || drop(installer)).await;
        }
        let _ = manager.await;
    };
    match timeout(DRAIN, here.run_until(stopped)).await {
        Ok(()) => info!("stopped"),
        Err(_) => warn!("stopped without waiting any longer for connections or the disk"),
    }
    Ok(())
}

/// Tells the service manager that we are ready, what we are at, and that we live. Without one, does nothing.
struct Manager {
    current: Arc<Current>,
    listening: watch::Receiver<Listening>,
    connected: watch::Receiver<bool>,
    pulse: Arc<Pulse>,
}

impl Manager {
    async fn run(mut self, stop: CancellationToken) {
        tell(NotifyState::Ready);
        let watchdog = sd_notify::watchdog_enabled();
        // Three pings in the time that one may take; and the status is looked at as often as once a second.
        let pause = watchdog.map_or(Duration::from_secs(1), |longest| longest / 3).min(Duration::from_secs(1));
        let mut said = String::new();
        loop {
            let status = self.status();
            if status != said {
                tell(NotifyState::Status(&status));
                said = status;
            }
            if watchdog.is_some() && self.pulse.is_steady() {
                tell(NotifyState::Watchdog);
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(pause) => {}
                // A sender that is gone means that we stop.
                changed = self.listening.changed() => if changed.is_err() { break },
                changed = self.connected.changed() => if changed.is_err() { break },
            }
        }
        tell(NotifyState::Stopping);
    }

    fn status(&self) -> String {
        let (snapshot, listening) = (self.current.load(), self.listening.borrow().clone());
        let feed = if *self.connected.borrow() { "following" } else { "no control plane" };
        if !listening.error.is_empty() {
            return listening.error;
        }
        if listening.sockets.is_empty() {
            return format!("{feed}; waiting for settings");
        }
        format!("{feed}; serving {} records on {}", snapshot.records(), listening.sockets.join(", "))
    }
}

fn tell(state: NotifyState<'_>) {
    // Nobody is listening, or the service manager is restarting: neither concerns queries.
    let _ = sd_notify::notify(&[state]);
}
