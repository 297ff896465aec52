//! One connection, over TCP or TLS.
//!
//! It may ask again before it was answered (RFC 7766 §6.2.1.1). Everything that arrived is answered from one snapshot into
//! one buffer, which is written before more is read; so what a connection can make us hold is bounded, and a client that
//! does not read stops being read from, then is closed. So is one that starts a query and does not finish it. When all places
//! are taken, the connection that has been idle for the longest time makes room for the next one.
//!
//! Questions whose answer must be fetched are under way: their replies are written as they come, in any order, between
//! those that need no fetching. A connection with as many under way as it may have is not read from until one is answered.

use super::{
    carrier::{Carrier, READ_AHEAD, read_from},
    late::{Late, MAX_UNDER_WAY},
};
use crate::{
    answer::{Outcome, Transport},
    counters::Counters,
    listen::{
        desk::{Desk, From},
        framing::{PREFIX, next_message},
        places::Place,
    },
    resolve::Client,
};
use std::sync::Arc;
use tokio::{
    io::AsyncWriteExt,
    time::{Instant, sleep_until, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

/// Replies are written once so many octets are there, before further queries are looked at.
const WRITE_AT: usize = 64 << 10;

pub(in crate::listen) struct Connection<S> {
    stream: S,
    transport: Transport,
    place: Place,
    desk: Arc<Desk>,
    read: Vec<u8>,
    write: Vec<u8>,
    /// There once something had to be fetched.
    late: Option<Late>,
    /// Queries that were read have to wait until one that is under way is answered.
    paused: bool,
}

/// Why a connection is closed from our side.
enum Close {
    /// The client went away, or sent what no client sends.
    Quietly,
    /// The client took too long.
    TooSlow,
}

/// What a connection wakes up for.
enum Event {
    /// So many octets arrived; none: the client has no more to say.
    Read(usize),
    Late(Vec<u8>),
    /// Nothing happened for as long as we wait.
    Silence,
    Stop,
}

impl<S: Carrier> Connection<S> {
    pub(in crate::listen) fn new(stream: S, transport: Transport, place: Place, desk: Arc<Desk>) -> Self {
        Self { stream, transport, place, desk, read: Vec::new(), write: Vec::new(), late: None, paused: false }
    }

    pub(in crate::listen) async fn run(mut self, stop: CancellationToken) {
        if let Err(Close::TooSlow) = self.serve(&stop).await {
            self.desk.counters.tcp_timeouts.add(1);
        }
        // Says goodbye where the carrier has a word for it.
        let _ = timeout(self.desk.patience.write, self.stream.shutdown()).await;
    }

    async fn serve(&mut self, stop: &CancellationToken) -> Result<(), Close> {
        let idle = self.desk.patience.idle;
        let mut deadline = Instant::now() + idle;
        let mut may_ask = true;
        loop {
            if !may_ask && self.under_way() == 0 {
                return Ok(());
            }
            if self.paused && self.under_way() < MAX_UNDER_WAY {
                self.answer_all().await?;
            }
            match self.event(deadline, may_ask, stop).await? {
                Event::Read(0) | Event::Stop => {
                    // What was asked before is still answered.
                    may_ask = false;
                    continue;
                }
                Event::Read(_) => {}
                Event::Late(reply) => self.add_late(&reply),
                // Silence between queries is no fault; a query that was begun and not finished is one.
                Event::Silence if self.read.is_empty() || self.paused => return Ok(()),
                Event::Silence => return Err(Close::TooSlow),
            }
            let had = self.write.len();
            if self.answer_all().await? > 0 || had > 0 {
                let now = Instant::now();
                let over = self.late.as_ref().map_or(now, |late| late.over);
                self.place.used(if self.under_way() > 0 { over } else { now });
                deadline = now + idle;
            }
        }
    }

    async fn event(&mut self, deadline: Instant, may_ask: bool, stop: &CancellationToken) -> Result<Event, Close> {
        let Some(late) = self.late.as_mut().filter(|late| self.paused || late.under_way() > 0) else {
            // The usual case, and therefore by itself.
            let read = tokio::select! {
                read = timeout_at(deadline, read_from(&mut self.stream, &mut self.read)) => read,
                () = stop.cancelled() => return Ok(Event::Stop),
                () = self.place.wanted() => return Err(Close::Quietly),
            };
            return match read {
                Err(_) => Ok(Event::Silence),
                Ok(Ok(octets)) => Ok(Event::Read(octets)),
                Ok(Err(_)) => Err(Close::Quietly),
            };
        };
        let deadline = deadline.max(late.over);
        tokio::select! {
            reply = late.next() => reply.map(Event::Late).ok_or(Close::Quietly),
            read = read_from(&mut self.stream, &mut self.read), if may_ask && !self.paused => {
                read.map(Event::Read).map_err(|_| Close::Quietly)
            }
            () = stop.cancelled(), if may_ask => Ok(Event::Stop),
            () = self.place.wanted() => Err(Close::Quietly),
            () = sleep_until(deadline) => Ok(Event::Silence),
        }
    }

    /// Questions that have no reply yet, or whose reply was not written yet.
    fn under_way(&self) -> usize {
        self.late.as_ref().map_or(0, Late::under_way)
    }

    /// Takes this reply, and those that came with it, into the write buffer.
    fn add_late(&mut self, reply: &[u8]) {
        frame(&mut self.write, reply);
        let Some(late) = &mut self.late else { return };
        while self.write.len() < WRITE_AT
            && let Some(reply) = late.next_now()
        {
            frame(&mut self.write, &reply);
        }
    }

    /// Answers what has arrived whole; returns how many octets that was.
    async fn answer_all(&mut self) -> Result<usize, Close> {
        let (snapshot, now) = (self.desk.snapshot(), crate::listen::now());
        let (mut used, mut counts) = (0, Counters::default());
        let result = loop {
            let Some(message) = next_message(&self.read[used..]) else { break Ok(()) };
            self.paused = self.under_way() >= MAX_UNDER_WAY;
            if self.paused {
                break Ok(());
            }
            let length = message.len();
            let from = From { transport: self.transport, address: self.place.client(), now, snapshot: &snapshot };
            if !self.reply_to(used + PREFIX, length, &from, &counts) {
                break Err(Close::Quietly);
            }
            used += PREFIX + length;
            if self.write.len() >= WRITE_AT {
                // Counted by now, should the client not take them.
                self.desk.counters.add_all(&std::mem::take(&mut counts));
                self.flush().await?;
            }
        };
        self.desk.counters.add_all(&counts);
        self.flush().await?;
        result?;
        if used > 0 {
            self.read.drain(..used);
            self.read.shrink_to(READ_AHEAD);
        }
        Ok(used)
    }

    /// Answers the message at this place of the read buffer. `false`: it was no query, so this is no client.
    fn reply_to(&mut self, at: usize, length: usize, from: &From<'_>, counts: &Counters) -> bool {
        let start = self.write.len();
        self.write.extend_from_slice(&[0; PREFIX]);
        let outcome = self.desk.answer(&self.read[at..at + length], from, counts, &mut self.write);
        match outcome {
            Outcome::Replied(_) => {}
            Outcome::ToRenew(_, wanted) => self.desk.fetch(wanted, None),
            Outcome::Dropped => {
                self.write.truncate(start);
                return false;
            }
            Outcome::Withheld => {
                self.write.truncate(start);
                return true;
            }
            Outcome::Unresolved(wanted) => {
                self.write.truncate(start);
                let over = Instant::now() + self.desk.longest_wait();
                let late = self.late.get_or_insert_with(Late::new);
                late.over = over;
                let client = Client {
                    query: self.read[at..at + length].into(),
                    transport: from.transport,
                    address: from.address,
                    way_back: late.way_back(),
                };
                self.desk.fetch(wanted, Some(client));
                return true;
            }
        }
        // `answer` keeps to what the prefix can say.
        let length = (self.write.len() - start - PREFIX) as u16;
        self.write[start..start + PREFIX].copy_from_slice(&length.to_be_bytes());
        true
    }

    async fn flush(&mut self) -> Result<(), Close> {
        if self.write.is_empty() {
            return Ok(());
        }
        let write = async {
            self.stream.write_all(&self.write).await?;
            self.stream.flush().await
        };
        let written = tokio::select! {
            written = timeout(self.desk.patience.write, write) => written,
            // Who does not read is not kept at the expense of others.
            () = self.place.wanted() => return Err(Close::Quietly),
        };
        match written {
            Err(_) => Err(Close::TooSlow),
            Ok(Err(_)) => Err(Close::Quietly),
            Ok(Ok(())) => {
                self.write.clear();
                // One large reply should not be paid for as long as the connection lives.
                self.write.shrink_to(WRITE_AT);
                Ok(())
            }
        }
    }
}

/// Appends a message with its length in front. Longer ones than that can say are not made.
fn frame(out: &mut Vec<u8>, message: &[u8]) {
    if let Ok(length) = u16::try_from(message.len()) {
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(message);
    }
}
