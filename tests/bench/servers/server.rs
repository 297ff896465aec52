//! A server under measurement: started again and again, asked, weighed.

use super::{
    cost,
    zone::{APEX, Zone},
};
use dnsplane_tests::{
    Daemon, Record,
    dns::{Question, Reply, encode},
    node::TERMINATION_LIMIT,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    any::Any,
    io,
    net::{SocketAddr, UdpSocket},
    path::PathBuf,
    process::Command,
    thread,
    time::{Duration, Instant},
};

/// Longest wait for a server that starts, with a million names to read.
const START_LIMIT: Duration = Duration::from_secs(300);
/// Between two looks whether it answers.
const PAUSE: Duration = Duration::from_millis(1);

/// One server.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    /// Its program and arguments.
    command: Box<dyn Fn() -> Command>,
    log: PathBuf,
    /// What must live as long as it: folder and ports.
    _home: Box<dyn Any>,
    running: Option<Daemon>,
}

impl Server {
    /// Not started yet.
    pub(crate) fn new(
        name: &'static str,
        address: SocketAddr,
        log: PathBuf,
        home: impl Any,
        command: impl Fn() -> Command + 'static,
    ) -> Self {
        Self { name, address, command: Box::new(command), log, _home: Box::new(home), running: None }
    }

    /// Starts it; how long until `answers` was satisfied with what it says.
    pub(crate) fn start(&mut self, mut answers: impl FnMut() -> bool) -> Duration {
        self.stop();
        let begun = Instant::now();
        let daemon = self.running.insert(Daemon::start((self.command)(), &self.log));
        while !answers() {
            let ended = daemon.ended();
            assert!(ended.is_none(), "{} ended ({ended:?}):\n{}", self.name, daemon.tail());
            assert!(begun.elapsed() < START_LIMIT, "{} does not answer:\n{}", self.name, daemon.tail());
            thread::sleep(PAUSE);
        }
        begun.elapsed()
    }

    /// SIGTERM, and a harder word to whatever of its processes is then still there.
    pub(crate) fn stop(&mut self) {
        let Some(mut daemon) = self.running.take() else { return };
        let tree = cost::tree(daemon.id());
        daemon.terminate(TERMINATION_LIMIT);
        for id in tree.into_iter().skip(1) {
            // Nearly always gone already.
            let _gone = kill(Pid::from_raw(id.cast_signed()), Signal::SIGKILL);
        }
    }

    /// Its process and all that descend from it.
    pub(crate) fn tree(&self) -> Vec<u32> {
        cost::tree(self.running.as_ref().expect("the server was started").id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Asks a server that is just starting over UDP, again and again: one that has its socket and does not yet read from it
/// may lose a question, and then answers the next.
pub(crate) struct Knock {
    socket: UdpSocket,
    question: Vec<u8>,
    /// What the answer must be; `None`: anything.
    value: Option<String>,
}

impl Knock {
    pub(crate) fn new(server: SocketAddr, name: &str, value: Option<String>) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        socket.connect(server).expect("a local address");
        socket.set_read_timeout(Some(PAUSE)).expect("a read timeout above zero can be set");
        Self { socket, question: encode(&Question::new(name, "A").message()), value }
    }

    /// Asks once, and looks whether this or an earlier question was answered.
    pub(crate) fn is_answered(&self) -> bool {
        let mut buffer = [0; 4096];
        // Refused is a port that nobody has bound yet.
        let reply = self.socket.send(&self.question).and_then(|_| self.socket.recv(&mut buffer));
        let reply = reply.and_then(|length| Reply::parse(&buffer[..length]));
        reply.is_ok_and(|reply| self.value.as_ref().is_none_or(|value| reply.values() == [value.clone()]))
    }
}

/// Whether a server gives the answer to this record's question.
pub(crate) fn answers(record: &Record, ask: impl Fn(&Question) -> io::Result<Reply>) -> bool {
    ask(&Question::new(&record.name, &record.kind)).is_ok_and(|reply| reply.values() == [record.value.clone()])
}

/// That a server serves the zone and not something that is cheaper: names spread over all of it, and what is missing.
pub(crate) fn check(name: &str, zone: Zone, ask: impl Fn(&Question) -> io::Result<Reply>) {
    // One that has just started may still lose questions among all those that were asked until then.
    let ask = |question: &Question| ask(question).or_else(|_| ask(question));
    for number in (0..zone.names).step_by(zone.names as usize / 50) {
        let record = crate::load::record(number);
        assert!(answers(&record, ask), "{name} does not answer {record}");
        for (question, code) in [(format!("none-{number}.{APEX}"), "NXDomain"), (record.name, "NoError")] {
            let reply = ask(&Question::new(&question, "AAAA")).unwrap_or_else(|error| panic!("{name}: {error}"));
            let authority = reply.authorities().len();
            assert_eq!(
                (format!("{:?}", reply.code()), reply.answers().len(), authority),
                (code.into(), 0, 1),
                "{name}"
            );
        }
    }
}
