//! The connections that are kept to one server: which one a question takes, when one is opened, and when one is given up.
//!
//! A connection is opened by a task of its own, so that a caller who gives up does not undo the work of a handshake; the same
//! task then closes it when nobody has used it for a while. Callers who need a connection at the same time wait for the same
//! one, and fail with the same error.

use super::{ExchangeError, reply};
use std::{
    fmt::Debug,
    future::Future,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::{sync::watch, time::timeout_at};

/// Connections to one server. More would take its memory without gaining anything: each carries many questions.
const MAX_CONNECTIONS: usize = 4;
/// From so many questions on, another connection is opened, so that one lost segment does not delay all.
const CROWDED: usize = 100;
/// Questions under way on one connection; servers accept about as many.
const MAX_UNDER_WAY: usize = 250;
/// A connection that nobody uses is closed (RFC 7766 §6.2.3).
const IDLE: Duration = Duration::from_secs(10);
/// For a connection to come about. Longer than one caller waits: the next one has it then.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
/// A connection on which somebody waited that long in vain is not used again: its other end may be gone without a word.
const SILENT: Duration = Duration::from_secs(1);
/// How often a question is asked at most, when connections end under it. A server may close one after each answer.
const ATTEMPTS: usize = 4;

/// How connections to a server are opened.
pub(super) trait Connect: Debug + Send + Sync + 'static {
    /// What is opened.
    type Link: Link;

    /// Opens one.
    fn connect(&self) -> impl Future<Output = Result<Self::Link, ExchangeError>> + Send;
}

/// A connection.
pub(super) trait Link: Debug + Send + Sync + 'static {
    /// Asks a question. The reply has whatever id it has; nobody has looked at it.
    fn ask(&self, query: &[u8]) -> impl Future<Output = Result<Vec<u8>, ExchangeError>> + Send;

    /// Whether it still takes questions, as far as is known here.
    fn is_open(&self) -> bool;
}

/// The connections to one server.
#[derive(Debug)]
pub(super) struct Pool<C: Connect> {
    shared: Arc<Shared<C>>,
}

#[derive(Debug)]
struct Shared<C: Connect> {
    connect: C,
    state: Mutex<State<C::Link>>,
    started: Instant,
    idle: Duration,
}

#[derive(Debug)]
struct State<L> {
    kept: Vec<Arc<Kept<L>>>,
    opening: Option<Opening>,
}

/// How opening a connection ended; `None` until it has.
type Opening = watch::Receiver<Option<Result<(), ExchangeError>>>;

/// A connection and how it is used.
#[derive(Debug)]
struct Kept<L> {
    link: L,
    under_way: AtomicUsize,
    /// Replies that came over it.
    replies: AtomicU64,
    /// When it was used last: milliseconds since the pool was made.
    used: AtomicU64,
    /// Somebody waited in vain.
    silent: AtomicBool,
}

impl<L: Link> Kept<L> {
    fn new(link: L, now: u64) -> Self {
        Self { link, under_way: 0.into(), replies: 0.into(), used: now.into(), silent: false.into() }
    }

    fn is_good(&self) -> bool {
        self.link.is_open() && !self.silent.load(Relaxed)
    }
}

/// A question under way. When it is dropped without a reply, it says how long it has waited in vain.
struct UnderWay<L> {
    on: Arc<Kept<L>>,
    since: Instant,
    replies_before: u64,
}

impl<L> UnderWay<L> {
    fn start(on: Arc<Kept<L>>) -> Self {
        on.under_way.fetch_add(1, Relaxed);
        let replies_before = on.replies.load(Relaxed);
        Self { on, since: Instant::now(), replies_before }
    }
}

impl<L> Drop for UnderWay<L> {
    fn drop(&mut self) {
        self.on.under_way.fetch_sub(1, Relaxed);
        if self.on.replies.load(Relaxed) == self.replies_before && self.since.elapsed() >= SILENT {
            self.on.silent.store(true, Relaxed);
        }
    }
}

impl<C: Connect> Pool<C> {
    pub(super) fn new(connect: C) -> Self {
        let state = Mutex::new(State { kept: Vec::new(), opening: None });
        Self { shared: Arc::new(Shared { connect, state, started: Instant::now(), idle: IDLE }) }
    }

    /// With another pause before unused connections are closed. Before it is used.
    #[cfg(test)]
    pub(super) fn closing_after(mut self, idle: Duration) -> Self {
        Arc::get_mut(&mut self.shared).expect("nobody uses it").idle = idle;
        self
    }

    /// How many connections are kept.
    #[cfg(test)]
    pub(super) fn connections(&self) -> usize {
        self.shared.state().kept.len()
    }

    /// Asks a question until it has a reply that belongs to it, or the time is over.
    pub(super) async fn exchange(&self, query: &[u8], deadline: Instant) -> Result<Vec<u8>, ExchangeError> {
        let question = reply::question(query)?;
        let reply = timeout_at(deadline.into(), self.ask(query)).await.map_err(|_| ExchangeError::Late)??;
        if !reply::answers(&reply, question) {
            return Err(ExchangeError::OtherQuestion);
        }
        Ok(reply::with_id(&reply, [query[0], query[1]]))
    }

    async fn ask(&self, query: &[u8]) -> Result<Vec<u8>, ExchangeError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let (kept, new) = self.link().await?;
            let under_way = UnderWay::start(kept);
            let result = under_way.on.link.ask(query).await;
            let kept = &under_way.on;
            kept.used.store(self.shared.now(), Relaxed);
            match result {
                Ok(reply) => {
                    kept.replies.fetch_add(1, Relaxed);
                    return Ok(reply);
                }
                // A new connection that ends before it has given anything is the server's answer; a kept one may have
                // been closed while the question was on its way, and one that gave answers may have had enough of us.
                Err(error @ ExchangeError::Lost { .. })
                    if attempt == ATTEMPTS || new && kept.replies.load(Relaxed) == 0 =>
                {
                    return Err(error);
                }
                Err(ExchangeError::Lost { .. }) => kept.silent.store(true, Relaxed),
                Err(error) => return Err(error),
            }
        }
    }

    /// The connection for the next question, and whether it was opened for it.
    async fn link(&self) -> Result<(Arc<Kept<C::Link>>, bool), ExchangeError> {
        for new in [false, true] {
            let mut opening = match self.choose() {
                Choice::Take(kept) => return Ok((kept, new)),
                Choice::Wait(opening) => opening,
                Choice::Busy => return Err(ExchangeError::Busy),
            };
            let ended = opening.wait_for(Option::is_some).await.map(|ended| ended.clone());
            match ended {
                Ok(Some(Err(error))) => return Err(error),
                Ok(_) => {}
                Err(_) => return Err(ExchangeError::lost("its runtime was shut down")),
            }
        }
        Err(ExchangeError::lost("the server accepts connections and closes them at once"))
    }

    fn choose(&self) -> Choice<C::Link> {
        let mut state = self.shared.state();
        state.kept.retain(|kept| kept.is_good());
        if state.opening.as_ref().is_some_and(|opening| opening.has_changed().is_err() || opening.borrow().is_some()) {
            state.opening = None;
        }
        let idlest = state.kept.iter().min_by_key(|kept| kept.under_way.load(Relaxed)).cloned();
        let load = idlest.as_ref().map_or(usize::MAX, |kept| kept.under_way.load(Relaxed));
        if load >= CROWDED && state.opening.is_none() && state.kept.len() < MAX_CONNECTIONS {
            state.opening = Some(self.shared.open());
        }
        match (idlest, &state.opening) {
            (Some(kept), _) if load < MAX_UNDER_WAY => Choice::Take(kept),
            (_, Some(opening)) => Choice::Wait(opening.clone()),
            _ => Choice::Busy,
        }
    }
}

enum Choice<L> {
    Take(Arc<Kept<L>>),
    Wait(Opening),
    Busy,
}

impl<C: Connect> Shared<C> {
    fn state(&self) -> MutexGuard<'_, State<C::Link>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Milliseconds since the pool was made.
    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn open(self: &Arc<Self>) -> Opening {
        let (ended, opening) = watch::channel(None);
        let shared = Arc::clone(self);
        tokio::spawn(async move {
            let opened = tokio::time::timeout(CONNECT_TIMEOUT, shared.connect.connect()).await;
            let result = opened.unwrap_or_else(|_| Err(ExchangeError::Late));
            let kept = result.map(|link| Arc::new(Kept::new(link, shared.now())));
            if let Ok(kept) = &kept {
                shared.state().kept.push(Arc::clone(kept));
            }
            let kept = kept.map(|kept| Arc::downgrade(&kept));
            ended.send_replace(Some(kept.as_ref().map(|_| ()).map_err(Clone::clone)));
            let pool = Arc::downgrade(&shared);
            drop(shared);
            if let Ok(kept) = kept {
                close_when_idle(&pool, &kept).await;
            }
        });
        opening
    }
}

/// Returns when the connection is gone, or has been unused for so long that it was given up.
async fn close_when_idle<C: Connect>(shared: &Weak<Shared<C>>, kept: &Weak<Kept<C::Link>>) {
    let mut pause = IDLE;
    while let Some(idle) = shared.upgrade().map(|shared| shared.idle) {
        tokio::time::sleep(pause.min(idle)).await;
        let (Some(shared), Some(kept)) = (shared.upgrade(), kept.upgrade()) else { return };
        let unused = Duration::from_millis(shared.now().saturating_sub(kept.used.load(Relaxed)));
        let mut state = shared.state();
        // Whoever takes it does so under the same lock: two have it then, the pool and this function, or it is in use.
        let busy = Arc::strong_count(&kept) > 2;
        if unused >= idle && !busy || !kept.is_good() {
            state.kept.retain(|other| !Arc::ptr_eq(other, &kept));
            return;
        }
        pause = if busy { idle } else { idle.saturating_sub(unused).max(Duration::from_millis(1)) };
    }
}
