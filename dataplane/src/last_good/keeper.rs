//! The thread that keeps the copy up to date. Nobody waits for it.
//!
//! It is told of each change and may fall behind or fail: then it forgets the single changes and writes a whole base from
//! what is served at that moment. So what waits is bounded, and a full disk costs nothing but the copy.

use super::{FileError, Folder, base, journal::Journal, message};
use crate::{Current, feed::Whole};
use bytes::Bytes;
use dnsplane_proto::Generation;
use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};
use tracing::{debug, warn};

/// Differences that may wait to be written. Beyond, a base is cheaper.
const MAX_WAITING: usize = 16 << 20;
/// The journal may grow to this part of the base, …
const JOURNAL_SHARE: u64 = 8;
/// … or at least to this, …
const JOURNAL_LEAST: u64 = 1 << 20;
/// … and hold so many differences: reading them back takes some tens of milliseconds.
const JOURNAL_ENTRIES: u64 = 20_000;
/// How often the journal is synced while it grows.
const SYNC: Duration = Duration::from_secs(1);
/// How far this thread steps back where processors are short.
const NICENESS: i32 = 10;
/// Pause after a failure.
const RETRY: Duration = Duration::from_secs(5);

/// Handle to the thread. Dropping it writes what waits, then ends the thread.
pub struct Keeper {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    wake: Condvar,
}

/// The newest of each resource that is one message, as [`Whole::ALL`] has them.
type Messages = [Option<(Generation, Bytes)>; Whole::ALL.len()];

/// What the thread has not seen yet.
#[derive(Default)]
struct Waiting {
    messages: Messages,
    differences: Vec<Difference>,
    octets: usize,
    /// The records were replaced as a whole.
    whole: bool,
    stop: bool,
}

struct Difference {
    from: Generation,
    to: Generation,
    bodies: Vec<Bytes>,
}

impl Keeper {
    /// Starts keeping. `held` is the generation that the folder holds, if it holds one.
    pub fn start(folder: Folder, current: Arc<Current>, held: Option<Generation>) -> std::io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let base = std::fs::metadata(folder.base_path()).map_or(0, |file| file.len());
        let work = Work {
            folder,
            current,
            shared: shared.clone(),
            tip: held,
            journal: None,
            base,
            synced: Instant::now(),
            owed: Messages::default(),
            failing: false,
            retry: None,
        };
        let thread = std::thread::Builder::new().name("last-good".to_owned()).spawn(move || work.run())?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// This resource is this message now.
    pub(crate) fn message(&self, whole: Whole, generation: Generation, message: Bytes) {
        self.shared.tell(|waiting| waiting.messages[whole as usize] = Some((generation, message)));
    }

    /// The records were changed by the bodies of this transfer.
    pub fn difference(&self, from: Generation, to: Generation, bodies: Vec<Bytes>) {
        self.shared.tell(|waiting| {
            waiting.octets += bodies.iter().map(Bytes::len).sum::<usize>();
            waiting.differences.push(Difference { from, to, bodies });
            if waiting.octets > MAX_WAITING {
                waiting.forget_differences();
            }
        });
    }

    /// The records were replaced, or changed by too much to repeat.
    pub fn whole(&self) {
        self.shared.tell(Waiting::forget_differences);
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.shared.tell(|waiting| waiting.stop = true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, what: impl FnOnce(&mut Waiting)) {
        what(&mut self.lock());
        self.wake.notify_one();
    }
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.messages.iter().all(Option::is_none) && self.differences.is_empty() && !self.whole && !self.stop
    }

    fn forget_differences(&mut self) {
        self.differences = Vec::new();
        self.octets = 0;
        self.whole = true;
    }
}

struct Work {
    folder: Folder,
    current: Arc<Current>,
    shared: Arc<Shared>,
    /// The generation that base and journal amount to; `None`: they are of no use.
    tip: Option<Generation>,
    journal: Option<Journal>,
    /// Size of the base.
    base: u64,
    synced: Instant,
    /// What could not be written yet.
    owed: Messages,
    failing: bool,
    /// When to try again, after a failure.
    retry: Option<Instant>,
}

impl Work {
    fn run(mut self) {
        // On Linux this is about the calling thread alone. Nobody waits for the copy, and somebody waits for every answer.
        let _ = rustix::process::nice(NICENESS);
        loop {
            let waiting = self.wait();
            let stop = waiting.stop;
            let result = self.write(waiting, stop);
            self.note(result);
            if stop {
                return;
            }
        }
    }

    /// What is to be done; nothing, when it is time to sync or to try again.
    fn wait(&self) -> Waiting {
        let waiting = self.shared.lock();
        let (mut waiting, _) = self
            .shared
            .wake
            .wait_timeout_while(waiting, SYNC, |waiting| waiting.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *waiting)
    }

    fn write(&mut self, waiting: Waiting, stop: bool) -> Result<(), FileError> {
        if waiting.whole {
            self.tip = None;
        }
        let written = self.write_messages(waiting.messages, stop);
        for difference in waiting.differences {
            self.append(&difference)?;
        }
        let served = self.current.load().generation;
        let behind = self.tip.is_none() && served != Generation::default();
        if behind && (stop || self.retry.is_none_or(|at| at <= Instant::now())) || self.journal_is_long() {
            self.rewrite()?;
        }
        if stop || self.synced.elapsed() >= SYNC {
            self.synced = Instant::now();
            self.journal.as_mut().map_or(Ok(()), Journal::sync)?;
        }
        written
    }

    /// Those that cannot be written are owed, and tried again with everything else.
    fn write_messages(&mut self, new: Messages, stop: bool) -> Result<(), FileError> {
        for (owed, new) in self.owed.iter_mut().zip(new).filter(|(_, new)| new.is_some()) {
            *owed = new;
        }
        if !stop && self.retry.is_some_and(|at| at > Instant::now()) {
            return Ok(());
        }
        for whole in Whole::ALL {
            let owed = &mut self.owed[whole as usize];
            if let Some((generation, message)) = &*owed {
                message::write(&self.folder.path, whole, *generation, message)?;
                *owed = None;
            }
        }
        Ok(())
    }

    fn append(&mut self, difference: &Difference) -> Result<(), FileError> {
        let Some(tip) = self.tip else { return Ok(()) };
        if difference.from != tip {
            // What the base has already is no gap.
            if difference.to.session != tip.session || difference.to.number > tip.number {
                self.tip = None;
            }
            return Ok(());
        }
        // Should this fail, the journal is of no use any more.
        self.tip = None;
        if self.journal.is_none() {
            self.journal = Some(Journal::resume(&self.folder.journal_path())?);
        }
        if let Some(journal) = &mut self.journal {
            journal.append(difference.from, difference.to, &difference.bodies)?;
        }
        self.tip = Some(difference.to);
        Ok(())
    }

    fn journal_is_long(&self) -> bool {
        let most = (self.base / JOURNAL_SHARE).max(JOURNAL_LEAST);
        self.journal.as_ref().is_some_and(|journal| journal.length() > most || journal.entries() > JOURNAL_ENTRIES)
    }

    /// Writes a base of what is served now, and starts the journal anew. The journal that is there stays valid until the
    /// base has taken its place, and harmless after: its entries lead to what the base has already.
    fn rewrite(&mut self) -> Result<(), FileError> {
        let snapshot = self.current.load();
        (self.tip, self.journal) = (None, None);
        let begun = Instant::now();
        self.base = base::write(&self.folder.base_path(), &snapshot)?;
        self.journal = Some(Journal::create(&self.folder.journal_path())?);
        self.tip = Some(snapshot.generation);
        debug!(generation = %snapshot.generation, octets = self.base, took = ?begun.elapsed(), "wrote the last-good copy");
        Ok(())
    }

    /// Says once that the copy cannot be kept, and once that it can again.
    fn note(&mut self, result: Result<(), FileError>) {
        match result {
            Ok(()) if self.failing && self.tip.is_some() && self.owed.iter().all(Option::is_none) => {
                warn!("the last-good copy is kept again");
                (self.failing, self.retry) = (false, None);
            }
            Ok(()) => {}
            Err(error) => {
                self.tip = None;
                self.retry = Some(Instant::now() + RETRY);
                if !std::mem::replace(&mut self.failing, true) {
                    warn!("{}; queries are answered all the same, but a restart would be behind", crate::chain(&error));
                }
            }
        }
    }
}
