//! Carries octets one way of one connection.

use super::{Conditions, Shared, State, Way};
use std::{
    collections::VecDeque,
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

/// Octets on their way at once; whoever sends more waits.
const IN_FLIGHT: usize = 4 << 20;
/// Largest piece read at once.
const PIECE: usize = 64 << 10;
/// A slowed link moves this often.
const PIECES_PER_SECOND: u64 = 50;

/// The two sockets of a connection, to be shut down from outside.
#[derive(Debug)]
pub(super) struct Ends {
    pub(super) client: TcpStream,
    pub(super) target: TcpStream,
}

impl Ends {
    /// Ends the connection; whoever reads or writes there is woken.
    pub(super) fn shut(&self) {
        for end in [&self.client, &self.target] {
            let _closed = end.shutdown(Shutdown::Both);
        }
    }
}

/// One way of one connection.
#[derive(Debug)]
pub(super) struct Pump {
    pub(super) shared: Arc<Shared>,
    pub(super) number: u64,
    pub(super) from: TcpStream,
    pub(super) to: TcpStream,
    pub(super) way: Way,
}

/// What is on its way, and when it arrives.
#[derive(Default)]
struct Flight {
    pieces: VecDeque<(Instant, Vec<u8>)>,
    octets: usize,
    last: Option<Instant>,
}

impl Pump {
    /// Carries until either side closes.
    pub(super) fn run(mut self) {
        let clean = self.carry();
        if clean {
            // One way has ended in good order; the other may go on.
            let _closed = self.to.shutdown(Shutdown::Write);
            if self.way == Way::Out {
                return;
            }
        }
        let mut link = self.shared.link();
        link.open.retain(|(number, ends)| {
            if *number == self.number {
                ends.shut();
            }
            *number != self.number
        });
        drop(link);
        let _closed = self.from.shutdown(Shutdown::Both);
        let _closed = self.to.shutdown(Shutdown::Both);
    }

    /// True when the sender has ended its side and all of it has arrived.
    fn carry(&mut self) -> bool {
        let mut flight = Flight::default();
        let mut buffer = vec![0; PIECE];
        let mut open = true;
        while open || !flight.pieces.is_empty() {
            if !self.land(&mut flight) {
                return false;
            }
            if !open || flight.octets >= IN_FLIGHT {
                let Some((due, _)) = flight.pieces.front() else { continue };
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                continue;
            }
            let wait = flight.pieces.front().map(|(due, _)| *due - Instant::now().min(*due));
            let wait = wait.map(|wait| wait.max(Duration::from_millis(1)));
            if self.from.set_read_timeout(wait).is_err() {
                return false;
            }
            let conditions = self.conditions();
            let piece =
                conditions.rate.map_or(PIECE, |rate| (rate / PIECES_PER_SECOND).clamp(1, PIECE as u64) as usize);
            match self.from.read(&mut buffer[..piece]) {
                Ok(0) => open = false,
                Ok(length) => flight.take_off(&buffer[..length], self.conditions()),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        // The end vanishes on a silent link like everything else.
        self.wait_for_speech()
    }

    fn conditions(&self) -> Conditions {
        self.shared.link().weather.ways[self.way as usize]
    }

    /// Delivers what is due; false when that is no longer possible.
    fn land(&mut self, flight: &mut Flight) -> bool {
        while let Some(piece) = flight.arrived() {
            let mut rest = &piece[..];
            while !rest.is_empty() {
                let allowed = self.allowed(rest.len());
                let Some(allowed) = allowed else { return false };
                let (now, later) = rest.split_at(allowed);
                if !now.is_empty() && self.is_silent() {
                    // Gone.
                } else if self.to.write_all(now).is_err() {
                    return false;
                } else {
                    self.shared.passed[self.way as usize].fetch_add(now.len() as u64, Ordering::Relaxed);
                }
                rest = later;
            }
        }
        true
    }

    fn is_silent(&self) -> bool {
        self.shared.link().weather.state == State::Silent
    }

    /// How many of so many octets may pass, waiting until it is at least one; `None` if the connection has ended.
    fn allowed(&self, wanted: usize) -> Option<usize> {
        let mut link = self.shared.link();
        loop {
            if matches!(link.weather.state, State::Cut | State::Ended)
                || !link.open.iter().any(|(number, _)| *number == self.number)
            {
                return None;
            }
            match &mut link.weather.ways[self.way as usize].allowance {
                None => return Some(wanted),
                Some(0) => link = self.shared.wait(link),
                Some(left) => {
                    let allowed = wanted.min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= allowed as u64;
                    return Some(allowed);
                }
            }
        }
    }

    /// Waits as long as the link is silent; false if the connection was closed meanwhile.
    fn wait_for_speech(&self) -> bool {
        let mut link = self.shared.link();
        while link.weather.state == State::Silent && link.open.iter().any(|(number, _)| *number == self.number) {
            link = self.shared.wait(link);
        }
        link.open.iter().any(|(number, _)| *number == self.number)
    }
}

impl Flight {
    fn take_off(&mut self, octets: &[u8], conditions: Conditions) {
        let now = Instant::now();
        let mut due = now + conditions.delay;
        if let Some(rate) = conditions.rate {
            let takes = Duration::from_secs_f64(octets.len() as f64 / rate as f64);
            due = due.max(self.last.unwrap_or(now).max(now) + takes);
        }
        // Nothing overtakes on a link.
        due = due.max(self.last.unwrap_or(due));
        self.last = Some(due);
        self.octets += octets.len();
        self.pieces.push_back((due, octets.to_vec()));
    }

    fn arrived(&mut self) -> Option<Vec<u8>> {
        if self.pieces.front()?.0 > Instant::now() {
            return None;
        }
        let (_, piece) = self.pieces.pop_front()?;
        self.octets -= piece.len();
        Some(piece)
    }
}
