//! Questions without a pause, each answer checked.

use dnsplane_tests::{
    Record,
    dns::{ANSWER_LIMIT, Question, encode, receive},
};
use std::{
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Askers; each waits for its answer before it asks again, so that no queue can overflow on the way.
const THREADS: usize = 2;
/// Failures that are remembered; one is enough to fail.
const SHOWN: usize = 5;
/// Longest time that questions may take, on a machine that does much else.
const LIMIT: Duration = Duration::from_secs(120);

/// A running load. A claim must end it with [`Load::stop`], which fails if any question was not answered rightly.
pub(crate) struct Load {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    asked: AtomicU64,
    stop: AtomicBool,
    failures: Mutex<Vec<String>>,
}

impl Load {
    /// Starts to ask for these A records, each the only one of its name.
    pub(crate) fn start(server: SocketAddr, records: &[Record]) -> Self {
        let shared = Arc::new(Shared::default());
        let records: Arc<[Record]> = records.into();
        let threads = (0..THREADS).map(|number| {
            let (shared, records) = (Arc::clone(&shared), Arc::clone(&records));
            // Names in strides that share no factor with a round number: all of them, in an order of its own.
            thread::spawn(move || shared.ask(server, &records, 7 + 4 * number))
        });
        Self { threads: threads.collect(), shared }
    }

    /// Waits until this many more questions have been answered.
    #[track_caller]
    pub(crate) fn pass(&self, count: u64) {
        let target = self.shared.asked.load(Ordering::Relaxed) + count;
        let deadline = Instant::now() + LIMIT;
        while self.shared.asked.load(Ordering::Relaxed) < target {
            self.check();
            assert!(Instant::now() < deadline, "{count} questions were not answered within {LIMIT:?}");
            thread::sleep(Duration::from_millis(5));
        }
        self.check();
    }

    /// Ends it; returns how many questions were asked.
    #[track_caller]
    pub(crate) fn stop(mut self) -> u64 {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.threads.drain(..).for_each(|thread| thread.join().expect("an asker does not panic"));
        self.check();
        self.shared.asked.load(Ordering::Relaxed)
    }

    #[track_caller]
    fn check(&self) {
        let failures = self.shared.failures.lock().expect("no asker panics");
        let asked = self.shared.asked.load(Ordering::Relaxed);
        assert!(failures.is_empty(), "after {asked} right answers: {failures:#?}");
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    fn ask(&self, server: SocketAddr, records: &[Record], stride: usize) {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        socket.connect(server).expect("a local address");
        let mut at = 0;
        while !self.stop.load(Ordering::Relaxed) {
            at = (at + stride) % records.len();
            let record = &records[at];
            match answer(&socket, record) {
                Ok(()) => {
                    self.asked.fetch_add(1, Ordering::Relaxed);
                }
                Err(seen) => {
                    let mut failures = self.failures.lock().expect("no asker panics");
                    failures.push(format!("{record}: {seen}"));
                    if failures.len() >= SHOWN {
                        return;
                    }
                }
            }
        }
    }
}

/// One question; what was wrong with its answer, if anything.
fn answer(socket: &UdpSocket, record: &Record) -> Result<(), String> {
    let question = encode(&Question::new(&record.name, &record.kind).message());
    socket.send(&question).map_err(|error| format!("cannot be asked: {error}"))?;
    let reply = receive(socket, &question[..2]).map_err(|error| format!("lost ({ANSWER_LIMIT:?}): {error}"))?;
    let expected = format!("{}. {} {} {}", record.name, record.ttl, record.kind, record.value);
    let right = reply.message.metadata.authoritative && reply.answers() == [expected];
    if right { Ok(()) } else { Err(format!("wrong: {}", reply.summary())) }
}
