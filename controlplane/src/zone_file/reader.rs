//! Reads entries one after the other.

use super::{
    Files, Limits, Parsed, Place, Start,
    entry::{Uncut, as_text, entry_at},
    owner::{Origin, Zone, complete},
    state::State,
};
use crate::{
    rdata::{self, NotBelow, Word, Words, shortened},
    record::{DEFAULT_TTL, Record},
    source::Fault,
};
use dnsplane_proto::RecordType;
use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Largest TTL there is (RFC 2181 §8).
const MOST_TTL: u32 = i32::MAX as u32;

/// What reading a file needs and yields.
pub(super) struct Reader<'r> {
    pub(super) start: &'r Start,
    pub(super) files: &'r mut dyn Files,
    pub(super) out: Parsed,
    /// Files that are being included in each other.
    pub(super) within: Vec<PathBuf>,
    /// Which of `out.files` is being read.
    file: u32,
    pub(super) line: u32,
    pub(super) spent: Spent,
    /// Set once a limit is reached that ends all reading.
    pub(super) over: bool,
    /// Records that came before any SOA: which, and where they stand.
    pub(super) early: Vec<(u32, Place)>,
    /// Reused for each value: wire form and text.
    rdata: Vec<u8>,
    value: String,
}

/// What counts towards [`Limits`].
#[derive(Default)]
pub(super) struct Spent {
    pub(super) octets: u64,
    pub(super) includes: u64,
    pub(super) generated: u64,
    pub(super) generated_octets: u64,
}

/// What an entry says of its record before the value.
pub(super) struct Head {
    pub(super) ttl: Option<u32>,
    pub(super) kind: RecordType,
}

impl<'r> Reader<'r> {
    pub(super) fn new(start: &'r Start, files: &'r mut dyn Files) -> Self {
        Self {
            start,
            files,
            out: Parsed::default(),
            within: Vec::new(),
            file: 0,
            line: 1,
            spent: Spent::default(),
            over: false,
            early: Vec::new(),
            rdata: Vec::new(),
            value: String::new(),
        }
    }

    /// Reads a file and all that it includes.
    pub(super) fn whole(mut self, file: &Path, text: &[u8]) -> Parsed {
        let mut state = State::default();
        if let Some(origin) = &self.start.origin {
            let text = origin.to_string();
            let text = if origin.is_root() { "." } else { text.trim_end_matches('.') };
            state.origin = Origin::new(text).ok().map(Arc::new);
        }
        self.out.records.reserve((text.len() / 40).min(self.start.limits.records));
        self.read_file(file, text, &mut state);
        self.out.marks.clean = self.is_clean();
        self.leave_out_early(state.zone.as_deref());
        self.out.zones.sort();
        self.out.zones.dedup();
        self.out
    }

    /// Reads the lines of one file.
    pub(super) fn read_file(&mut self, path: &Path, text: &[u8], state: &mut State) {
        let (file, line) = (self.file, self.line);
        (self.file, self.line) = (self.number(path), 1);
        self.within.push(path.to_owned());
        self.spent.octets += text.len() as u64;
        if self.spent.octets > self.limits().octets {
            self.over = true;
            let most = self.limits().octets;
            self.fault(format!("with this file there are more than {most} octets; it and what follows is not read"));
        }
        let mut at = after_mark(text);
        while at < text.len() && !self.over {
            if self.within.len() == 1 {
                self.out.marks.note(at, state);
            }
            at = self.step(text, at, state);
        }
        self.within.pop();
        (self.file, self.line) = (file, line);
    }

    /// Reads the entry at `at`; returns where the next one begins.
    pub(super) fn step(&mut self, text: &[u8], at: usize, state: &mut State) -> usize {
        match entry_at(text, at, self.limits().entry) {
            Ok(entry) => {
                if let Err(what) = self.entry(&as_text(&text[at..entry.end]), state) {
                    self.fault(what);
                }
                self.line += entry.lines;
                entry.next
            }
            Err(Uncut::TooLong(entry)) => {
                self.fault(format!("the line is longer than {} octets", self.limits().entry));
                state.owner.clear();
                self.line += entry.lines;
                entry.next
            }
            Err(Uncut::Open) => {
                self.fault("a parenthesis is opened here and not closed; what follows is not read".to_owned());
                text.len()
            }
        }
    }

    /// Reads one entry: a directive, a record or nothing at all.
    fn entry(&mut self, text: &str, state: &mut State) -> Result<(), String> {
        let blank = match text.as_bytes().first() {
            Some(b' ' | b'\t' | b'\r') => true,
            Some(b'$') => return self.directive(text, state),
            Some(_) => false,
            None => return Ok(()),
        };
        let origin = state.origin.clone();
        let mut words = Words::of_entry(text, origin.as_ref().map(|origin| &origin.wire[..]));
        let Some(mut word) = next(&mut words)? else { return Ok(()) };
        if !blank {
            own(word.text, origin.as_deref(), &mut state.owner)?;
            word = next(&mut words)?
                .ok_or("there is nothing behind the name; a record has at least a type and a value")?;
        } else if state.owner.is_empty() {
            return Err(
                "the line begins with a space, so it goes on with the name before it, but there is none".to_owned()
            );
        }
        let head = self.head(word, &mut words)?;
        self.value(head.kind, &words)?;
        let ttl = self.ttl(head.ttl, head.kind, state);
        self.record(head.kind, ttl, state)
    }

    /// Adds a record with the value that was read, if it has its place in the file.
    pub(super) fn record(&mut self, kind: RecordType, ttl: u32, state: &mut State) -> Result<(), String> {
        if kind == RecordType::SOA {
            self.begin_zone(state)?;
        }
        match state.zone.as_deref() {
            Some(zone) if self.start.one_zone && !zone.holds(&state.owner) => {
                let fault = self.fault_at(self.here(), outside_of(&state.owner, zone));
                self.out.left_out.add(fault);
                return Ok(());
            }
            None if self.start.one_zone => self.early.push((self.out.records.len() as u32, self.here())),
            _ => {}
        }
        if self.out.records.len() >= self.limits().records {
            self.over = true;
            return Err(format!("there are more than {} records; the rest is not read", self.limits().records));
        }
        self.out.records.push(Record::of_zone(&state.owner, kind, &self.value, ttl));
        if self.start.places {
            self.out.places.push(self.here());
        }
        Ok(())
    }

    /// TTL, class and type, from `word` on; TTL and class may be left out, and stand in either order.
    pub(super) fn head<'a>(&self, mut word: Word<'a>, words: &mut Words<'a>) -> Result<Head, String> {
        let (mut own_ttl, mut class) = (None, false);
        loop {
            let text = word.text;
            if own_ttl.is_none() && text.as_bytes().first().is_some_and(u8::is_ascii_digit) {
                own_ttl = Some(ttl(text)?);
            } else if !class && is_class(text)? {
                class = true;
            } else {
                return Ok(Head { ttl: own_ttl, kind: kind(text)? });
            }
            word = next(words)?.ok_or("there is no record type")?;
        }
    }

    /// Reads the value into `self.value`, in its canonical spelling.
    pub(super) fn value(&mut self, kind: RecordType, words: &Words<'_>) -> Result<(), String> {
        self.value.clear();
        // Most records of most zones; they have one spelling.
        if kind == RecordType::A {
            let mut words = words.clone();
            if let Ok(Some(word)) = words.next()
                && word.text.parse::<Ipv4Addr>().is_ok()
                && words.next() == Ok(None)
            {
                self.value.push_str(word.text);
                return Ok(());
            }
        }
        rdata::parse_entry(kind, words, &mut self.rdata).map_err(|fault| fault.to_string())?;
        rdata::present_into(kind, &self.rdata, &mut self.value);
        Ok(())
    }

    /// The TTL that a record has: its own, `$TTL`'s (RFC 2308 §4), that of the record before it (RFC 1035 §5.1), or its SOA's
    /// minimum.
    pub(super) fn ttl(&self, own: Option<u32>, kind: RecordType, state: &mut State) -> u32 {
        if own.is_some() {
            state.last_ttl = own;
        }
        if let Some(ttl) = own.or(state.default_ttl).or(state.last_ttl) {
            return ttl;
        }
        if kind == RecordType::SOA
            && let Some(minimum) = self.rdata.last_chunk().map(|octets| u32::from_be_bytes(*octets).min(MOST_TTL))
        {
            state.default_ttl = Some(minimum);
            return minimum;
        }
        DEFAULT_TTL
    }

    /// Notes the zone whose SOA has come.
    fn begin_zone(&mut self, state: &mut State) -> Result<(), String> {
        let zone = Zone::new(&state.owner).ok_or("the name is not a domain name")?;
        match state.zone.as_deref() {
            Some(known) if known.name == zone.name => Ok(()),
            Some(known) if self.start.one_zone => {
                Err(format!("a zone has one SOA, and that of `{}` has come before", known.name))
            }
            _ => {
                self.out.zones.push(zone.name.clone());
                state.zone = Some(Arc::new(zone));
                Ok(())
            }
        }
    }

    /// Removes records that came before the SOA and lie outside of its zone.
    fn leave_out_early(&mut self, zone: Option<&Zone>) {
        let Some(zone) = zone else { return };
        let early = std::mem::take(&mut self.early);
        let is_out = |at: u32| self.out.records.get(at as usize).is_some_and(|record| !zone.holds(record.name()));
        let outside: Vec<_> = early.into_iter().filter(|(at, _)| is_out(*at)).collect();
        if outside.is_empty() {
            return;
        }
        for (at, place) in &outside {
            let name = self.out.records[*at as usize].name().to_owned();
            self.out.left_out.add(self.fault_at(*place, outside_of(&name, zone)));
        }
        let is_outside = |at: usize| outside.binary_search_by_key(&at, |(at, _)| *at as usize).is_ok();
        let mut at = 0;
        self.out.records.retain(|_| (!is_outside(at), at += 1).0);
        at = 0;
        self.out.places.retain(|_| (!is_outside(at), at += 1).0);
    }

    /// Whether all that was read is good, and has its place in the file.
    pub(super) fn is_clean(&self) -> bool {
        self.out.faults.count() == 0 && self.out.left_out.count() == 0 && self.early.is_empty() && !self.over
    }

    fn fault(&mut self, what: String) {
        let fault = self.fault_at(self.here(), what);
        self.out.faults.add(fault);
    }

    fn fault_at(&self, place: Place, what: String) -> Fault {
        let file = self.out.files.get(place.file as usize).map(|path| path.display().to_string());
        Fault { file: file.unwrap_or_default(), line: place.line.into(), what }
    }

    fn here(&self) -> Place {
        Place { file: self.file, line: self.line }
    }

    pub(super) fn limits(&self) -> &'r Limits {
        &self.start.limits
    }

    /// The number of a file in `out.files`.
    fn number(&mut self, path: &Path) -> u32 {
        let known = self.out.files.iter().position(|known| known == path);
        known.unwrap_or_else(|| {
            self.out.files.push(path.to_owned());
            self.out.files.len() - 1
        }) as u32
    }
}

/// The next word of an entry.
pub(super) fn next<'a>(words: &mut Words<'a>) -> Result<Option<Word<'a>>, String> {
    words.next().map_err(|fault| fault.to_string())
}

/// Reads the owner of a record. Lines without one behind a bad one must not become those of the name before it.
pub(super) fn own(text: &str, origin: Option<&Origin>, owner: &mut String) -> Result<(), String> {
    complete(text, origin, owner).map_err(|fault| {
        owner.clear();
        bad_name(text, &fault)
    })
}

pub(super) fn bad_name(text: &str, fault: &NotBelow) -> String {
    match fault {
        NotBelow::NoOrigin => format!("the name `{}` {fault}", shortened(text)),
        NotBelow::Invalid(fault) => format!("the name `{}` is not a domain name: {fault}", shortened(text)),
    }
}

/// A TTL, seconds or with units.
pub(super) fn ttl(text: &str) -> Result<u32, String> {
    match rdata::period(text) {
        Some(ttl) if ttl <= MOST_TTL => Ok(ttl),
        Some(_) => Err(format!("the TTL `{}` is larger than {MOST_TTL}, the largest there is", shortened(text))),
        None => Err(format!("the TTL `{}` is neither seconds nor a time such as 1h30m", shortened(text))),
    }
}

/// Whether the word is our class; others are refused.
fn is_class(text: &str) -> Result<bool, String> {
    let is = |class: &&str| text.eq_ignore_ascii_case(class);
    if ["IN", "CLASS1"].iter().any(is) {
        return Ok(true);
    }
    let numbered = text.get(..5).is_some_and(|head| head.eq_ignore_ascii_case("CLASS"));
    if numbered || ["CH", "CHAOS", "HS", "HESIOD", "CS"].iter().any(is) {
        return Err(format!("the class is `{}`; records of class IN are all that is read", shortened(text)));
    }
    Ok(false)
}

fn kind(text: &str) -> Result<RecordType, String> {
    text.parse()
        .map_err(|_| format!("`{}` is no record type that we know; others are TYPE and a number", shortened(text)))
}

fn outside_of(name: &str, zone: &Zone) -> String {
    format!("`{}` is left out: it lies outside of the zone `{}`", shortened(name), zone.name)
}

/// Where the text begins, behind a byte order mark.
pub(super) fn after_mark(text: &[u8]) -> usize {
    if text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 }
}
