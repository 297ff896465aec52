//! What changed from one text of a zone file to the next, at the cost of the change.
//!
//! Where both texts are the same, and a reader of either is in the same state, they say the same. So both are read side by
//! side from the last mark before a difference, entry by entry, until they go on alike in the same state; from there to the
//! next difference nothing is read. What is behind a change of `$TTL` or of an origin has another meaning though its text is
//! the same: then states do not meet, and all of the file must be read.

use super::{
    NoFiles, Start,
    reader::{Reader, after_mark},
    state::{Mark, Marks, State},
};
use crate::record::Record;
use std::{cmp::Ordering, collections::HashMap};

/// Octets that both texts must go on alike for, from the beginning of a line, to be thought of as the same again; a shorter
/// run is believed where the texts end. What is at stake is speed alone.
const ALIKE: usize = 64;
/// Octets of either text that are read for one difference, and in all. Beyond that, reading everything is as cheap.
const MOST_READ: usize = 4 << 20;

/// What turns the records of one text into those of another.
#[derive(Debug)]
pub struct Changes {
    /// Records that are no more.
    pub gone: Vec<Record>,
    /// Records that are new.
    pub came: Vec<Record>,
    /// For the next time.
    pub marks: Marks,
}

/// The difference between a text that was read and found good – `marks` come from that – and another. `None`: it cannot be
/// told cheaply, or the new text is not as good; read all of it.
///
/// Files that the text includes must be as they were: they are not looked at.
pub fn changes(old: &[u8], new: &[u8], marks: &Marks, start: &Start) -> Option<Changes> {
    let first = marks.along.first().filter(|first| marks.clean && first.at == after_mark(new))?;
    let mut files = (NoFiles, NoFiles);
    let mut walk = Walk {
        old: Side::new(old, first, Reader::new(start, &mut files.0)),
        new: Side::new(new, first, Reader::new(start, &mut files.1)),
        marks: Marks { along: Vec::new(), clean: true },
    };
    walk.run(&marks.along)?;
    let (mut gone, mut came) = (walk.old.reader.out.records, walk.new.reader.out.records);
    cancel(&mut gone, &mut came);
    Some(Changes { gone, came, marks: walk.marks })
}

struct Walk<'w> {
    old: Side<'w>,
    new: Side<'w>,
    /// Of the new text.
    marks: Marks,
}

/// One of the texts, and how far it has been read or passed over.
struct Side<'w> {
    text: &'w [u8],
    reader: Reader<'w>,
    /// The beginning of an entry, and the state there.
    at: usize,
    state: State,
    /// Octets that were read.
    spent: usize,
    /// Beginnings of entries since the sides last met.
    points: Vec<Point>,
    /// Which of them has this behind it.
    by_text: HashMap<&'w [u8], usize>,
}

/// The beginning of an entry that the sides may meet at.
struct Point {
    at: usize,
    state: State,
    records: usize,
}

impl<'w> Walk<'w> {
    /// Reads both texts wherever they differ. Both sides are at entries that mean the same, before and after each round.
    fn run(&mut self, mut marks: &[Mark]) -> Option<()> {
        loop {
            let alike = common(self.old.rest(), self.new.rest());
            let until = self.old.at + alike;
            let passed;
            (passed, marks) = marks.split_at(marks.partition_point(|mark| mark.at <= until));
            let ended = alike == self.old.rest().len() && alike == self.new.rest().len();
            let from = (self.old.at, self.new.at);
            for mark in passed.iter().filter(|mark| mark.at >= from.0) {
                (self.old.at, self.new.at) = (mark.at, from.1 + (mark.at - from.0));
                self.old.state.clone_from(&mark.state);
                self.marks.along.push(Mark { at: self.new.at, state: mark.state.clone() });
            }
            if ended {
                return Some(());
            }
            self.pass(until)?;
            self.meet()?;
            self.marks.note(self.new.at, &self.new.state);
        }
    }

    /// Passes over entries that end before the difference, without their records.
    fn pass(&mut self, difference: usize) -> Option<()> {
        let shift = self.old.at;
        let shifted = self.new.at;
        loop {
            let (at, state, records) = (self.old.at, self.old.state.clone(), self.old.reader.out.records.len());
            let more = self.old.at < self.old.text.len();
            if more {
                self.old.step()?;
            }
            self.old.reader.out.records.truncate(records);
            if !more || self.old.at > difference || self.old.text.get(self.old.at - 1) != Some(&b'\n') {
                (self.old.at, self.old.state) = (at, state);
                break;
            }
        }
        self.new.at = shifted + (self.old.at - shift);
        self.new.state.clone_from(&self.old.state);
        Some(())
    }

    /// Reads both texts until they go on alike in the same state.
    fn meet(&mut self) -> Option<()> {
        self.old.begin();
        self.new.begin();
        loop {
            let (old_ended, new_ended) = (self.old.ended(), self.new.ended());
            let old_next = new_ended || !old_ended && self.old.spent <= self.new.spent;
            if old_ended && new_ended {
                return Some(());
            }
            let (side, other) = if old_next { (&mut self.old, &mut self.new) } else { (&mut self.new, &mut self.old) };
            side.step()?;
            if let Some(met) = other.point_like(side) {
                other.back_to(met);
                return Some(());
            }
            side.note();
        }
    }
}

impl<'w> Side<'w> {
    fn new(text: &'w [u8], first: &Mark, reader: Reader<'w>) -> Self {
        let state = first.state.clone();
        Self { text, reader, at: first.at, state, spent: 0, points: Vec::new(), by_text: HashMap::new() }
    }

    fn rest(&self) -> &'w [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn ended(&self) -> bool {
        self.at >= self.text.len()
    }

    /// Reads one entry; `None` if it is not as all of it has to be.
    fn step(&mut self) -> Option<()> {
        let next = self.reader.step(self.text, self.at, &mut self.state);
        self.spent += next - self.at;
        self.at = next;
        (self.reader.is_clean() && self.spent <= MOST_READ).then_some(())
    }

    /// Forgets where the sides could have met before.
    fn begin(&mut self) {
        self.points.clear();
        self.by_text.clear();
        self.note();
    }

    /// Notes where we are as a place to meet.
    fn note(&mut self) {
        self.by_text.insert(self.ahead(), self.points.len());
        let records = self.reader.out.records.len();
        self.points.push(Point { at: self.at, state: self.state.clone(), records });
    }

    fn ahead(&self) -> &'w [u8] {
        let rest = self.rest();
        &rest[..rest.len().min(ALIKE)]
    }

    /// The point of ours that is like where the other side is.
    fn point_like(&self, other: &Self) -> Option<usize> {
        let found = *self.by_text.get(other.ahead())?;
        (self.points[found].state == other.state).then_some(found)
    }

    fn back_to(&mut self, point: usize) {
        let Point { at, state, records } = self.points.swap_remove(point);
        (self.at, self.state) = (at, state);
        self.reader.out.records.truncate(records);
    }
}

/// How many octets both begin with.
fn common(one: &[u8], other: &[u8]) -> usize {
    const BLOCK: usize = 4096;
    let blocks = one.chunks_exact(BLOCK).zip(other.chunks_exact(BLOCK)).take_while(|(one, other)| one == other).count();
    let at = blocks * BLOCK;
    at + one[at..].iter().zip(&other[at..]).take_while(|(one, other)| one == other).count()
}

/// Takes what is in both lists out of both.
pub(crate) fn cancel(gone: &mut Vec<Record>, came: &mut Vec<Record>) {
    gone.sort_by(by_content);
    came.sort_by(by_content);
    let (mut old, mut new) = (std::mem::take(gone).into_iter().peekable(), std::mem::take(came).into_iter().peekable());
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(one), Some(other)) => by_content(one, other),
        };
        match order {
            Ordering::Less => gone.extend(old.next()),
            Ordering::Greater => came.extend(new.next()),
            Ordering::Equal => drop((old.next(), new.next())),
        }
    }
}

fn by_content(one: &Record, other: &Record) -> Ordering {
    let content = |record: &Record| (record.kind(), record.ttl);
    one.name()
        .cmp(other.name())
        .then_with(|| one.value().cmp(other.value()))
        .then_with(|| content(one).cmp(&content(other)))
}
