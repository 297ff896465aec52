//! Questions at a steady rate, sent whether or not earlier ones were answered, with the time that each answer took.
//!
//! dnsperf prints means only, and waits for answers before it asks more. Here the time of sending is taken just before the
//! system call, that of arrival by the kernel (`SO_TIMESTAMPNS`): between them lie the queue in front of the server and
//! the server, and not this program's own wait for a core, of which there are few and the server has them as well.
//!
//! A sender that was not let run for a while does not make up for it in one burst; it goes on at its rate, and what it left
//! out shows in the number sent.

use crate::spread::Spread;
use nix::{
    cmsg_space,
    errno::Errno,
    sys::{
        socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt},
        time::TimeSpec,
    },
};
use std::{
    fs,
    io::IoSliceMut,
    net::{SocketAddr, UdpSocket},
    os::fd::AsRawFd,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// As many as dnsperf uses, so that all of the server's sockets get some.
const SOCKETS: usize = 8;
/// Answers wait here while this program is kept from running: some 5000 for each socket.
const RECEIVE_BUFFER: usize = 4 << 20;
/// Between two looks at the clock; a burst is what is due in this time.
const PAUSE: Duration = Duration::from_micros(100);
/// Further than this behind its timetable, a sender leaves out what it has missed.
const PATIENCE: Duration = Duration::from_millis(1);
/// Longest wait for the last answers; what is not there by then is lost.
const GRACE: Duration = Duration::from_secs(2);

/// A server, what to ask it, and how often.
pub(crate) struct Steady<'a> {
    pub(crate) server: SocketAddr,
    /// Questions as messages; the ids are written here.
    pub(crate) questions: &'a [Vec<u8>],
    pub(crate) per_second: f64,
}

/// What became of the questions.
pub(crate) struct Outcome {
    pub(crate) sent: u64,
    pub(crate) lost: u64,
    /// Answers that are not what every question here should get: NOERROR and one record.
    pub(crate) wrong: u64,
    pub(crate) lasted: Duration,
    pub(crate) latency: Spread,
    /// Answers that this program's own sockets had no room for, of those lost.
    pub(crate) dropped_here: u64,
}

impl Steady<'_> {
    /// Asks for as long as `more`.
    pub(crate) fn run(&self, mut more: impl FnMut(Duration) -> bool) -> Outcome {
        let mut lines: Vec<_> = (0..SOCKETS).map(|_| Line::open(self.server)).collect();
        let begun = Instant::now();
        // Time that was left out of the timetable.
        let mut skipped = Duration::ZERO;
        let mut sent = 0_u64;
        while more(begun.elapsed()) {
            let behind = (begun.elapsed() - skipped).saturating_sub(self.time_of(sent));
            skipped += behind.saturating_sub(PATIENCE);
            let due = (behind.min(PATIENCE).as_secs_f64() * self.per_second) as u64;
            for number in sent..sent + due {
                let question = &self.questions[number as usize % self.questions.len()];
                lines[number as usize % SOCKETS].send(question);
            }
            sent += due;
            lines.iter_mut().for_each(Line::receive);
            thread::sleep(PAUSE);
        }
        let lasted = begun.elapsed();
        let end = Instant::now();
        while lines.iter().any(Line::waits) && end.elapsed() < GRACE {
            lines.iter_mut().for_each(Line::receive);
            thread::sleep(PAUSE);
        }
        let mut outcome = Outcome { sent, lost: 0, wrong: 0, lasted, latency: Spread::default(), dropped_here: 0 };
        lines.into_iter().for_each(|line| line.add_to(&mut outcome));
        outcome
    }

    /// When this many must have been sent.
    fn time_of(&self, number: u64) -> Duration {
        Duration::from_secs_f64(number as f64 / self.per_second)
    }
}

/// One socket, with the time at which each id was last used; zero once it is answered.
struct Line {
    socket: UdpSocket,
    since: Vec<u64>,
    next: u16,
    lost: u64,
    wrong: u64,
    latency: Spread,
}

impl Line {
    fn open(server: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        socket.connect(server).expect("a local address");
        setsockopt(&socket, sockopt::RcvBuf, &RECEIVE_BUFFER).expect("a buffer size is taken or cut down");
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true).expect("Linux tells when a datagram came");
        Self { socket, since: vec![0; 1 << 16], next: 0, lost: 0, wrong: 0, latency: Spread::default() }
    }

    fn send(&mut self, question: &[u8]) {
        let mut message = [0; 512];
        let message = &mut message[..question.len()];
        message.copy_from_slice(question);
        message[..2].copy_from_slice(&self.next.to_be_bytes());
        let since = &mut self.since[usize::from(self.next)];
        self.lost += u64::from(*since != 0);
        *since = now();
        self.next = self.next.wrapping_add(1);
        // Refused is what nobody answers, which the count of answers tells.
        let _ = self.socket.send(message);
    }

    /// Takes what has arrived.
    fn receive(&mut self) {
        let mut control = cmsg_space!(TimeSpec);
        let mut buffer = [0; 1500];
        loop {
            let mut parts = [IoSliceMut::new(&mut buffer)];
            let flags = MsgFlags::MSG_DONTWAIT;
            let message = match recvmsg::<()>(self.socket.as_raw_fd(), &mut parts, Some(&mut control), flags) {
                Ok(message) => message,
                Err(Errno::EAGAIN) => return,
                // What the server's side of the machine had to say about an earlier question.
                Err(_) => continue,
            };
            let arrived = message.cmsgs().ok().into_iter().flatten().find_map(|control| match control {
                ControlMessageOwned::ScmTimestampns(time) => Some(Duration::from(time).as_nanos() as u64),
                _ => None,
            });
            let length = message.bytes;
            self.take(&buffer[..length], arrived.expect("the kernel tells the time of each datagram"));
        }
    }

    fn take(&mut self, reply: &[u8], arrived: u64) {
        let [a, b, _, flags, _, _, 0, 1, ..] = *reply else {
            self.wrong += 1;
            return;
        };
        self.wrong += u64::from(flags & 15 != 0);
        let since = std::mem::take(&mut self.since[usize::from(u16::from_be_bytes([a, b]))]);
        if since != 0 {
            self.latency.push(Duration::from_nanos(arrived.saturating_sub(since)));
        }
    }

    fn waits(&self) -> bool {
        self.since.iter().any(|since| *since != 0)
    }

    fn add_to(self, outcome: &mut Outcome) {
        outcome.lost += self.lost + self.since.iter().filter(|since| **since != 0).count() as u64;
        outcome.wrong += self.wrong;
        outcome.dropped_here += dropped(self.socket.local_addr().expect("a bound socket has an address"));
        outcome.latency.append(self.latency);
    }
}

/// Datagrams for which the sockets at this address had no room: the last column of `/proc/net/udp`.
pub(crate) fn dropped(address: SocketAddr) -> u64 {
    let SocketAddr::V4(address) = address else { panic!("{address}: benchmarks use IPv4 alone") };
    // As the kernel prints it: the address as a number of this machine, both hexadecimal.
    let local = format!("{:08X}:{:04X}", u32::from_ne_bytes(address.ip().octets()), address.port());
    let sockets = fs::read_to_string("/proc/net/udp").expect("/proc is mounted");
    let lines = sockets.lines().filter(|line| line.split_whitespace().nth(1) == Some(&local));
    lines.filter_map(|line| line.split_whitespace().next_back()?.parse::<u64>().ok()).sum()
}

/// The clock that the kernel's time stamps are of.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos() as u64)
}
