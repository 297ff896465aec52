//! Files of records, checked before any node has them: what is wrong, with file and line.
//!
//! All files that are named are checked together, as the records of one node: an alias in one may be in the way of a host in
//! another. Whoever means them to be alternatives checks them one by one.

mod lines;

use super::{Rule, Severity, findings};
use crate::{
    hosts_file,
    record::Record,
    records::{Records, Row},
    source::{DocumentError, Faults, read_document},
    store::edit::FirstWins,
    zone_file::{self, Files, Limits, Parsed, Start},
};
use serde::Serialize;
use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

/// What a file of records is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// `{"records": [...]}`, as in dnsrecords.json.
    Json,
    /// A zone file.
    Zone,
    /// Addresses and names, as in /etc/hosts.
    Hosts,
}

impl Format {
    /// As the name of a file tells: `*.json` is JSON, `hosts` and `*.hosts` are hosts, anything else is a zone file.
    pub fn of(path: &Path) -> Self {
        let is = |ending: &str| path.extension().is_some_and(|own| own.eq_ignore_ascii_case(ending));
        if is("json") {
            Self::Json
        } else if is("hosts") || path.file_name().is_some_and(|name| name == "hosts") {
            Self::Hosts
        } else {
            Self::Zone
        }
    }
}

/// One thing that is wrong in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The file.
    pub file: String,
    /// From 1; 0 if it is about all of the file.
    pub line: u64,
    /// `error` or `warning`.
    pub severity: &'static str,
    /// A word that stays the same; `syntax` for what cannot be read.
    pub rule: &'static str,
    /// What is wrong.
    pub what: String,
}

impl Line {
    /// Whether it is no warning.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error.as_str()
    }

    fn fault(file: &str, line: u64, what: String) -> Self {
        Self { file: file.to_owned(), line, severity: Severity::Error.as_str(), rule: "syntax", what }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, severity, what, .. } = self;
        match line {
            0 => write!(f, "{file}: {severity}: {what}"),
            line => write!(f, "{file}:{line}: {severity}: {what}"),
        }
    }
}

/// The files of a check, as far as they have been read.
#[derive(Default)]
pub struct Checked {
    files: Vec<String>,
    records: Vec<Record>,
    /// Of each record: its file and line.
    places: Vec<(u32, u32)>,
    /// What is wrong with the files as such.
    faults: Vec<Line>,
}

impl Checked {
    /// Reads a file; fails only if that cannot be done at all.
    pub fn read(&mut self, path: &Path, format: Option<Format>) -> io::Result<()> {
        let text = fs::read(path)?;
        match format.unwrap_or_else(|| Format::of(path)) {
            Format::Json => self.take_json(path, &text),
            Format::Hosts => self.take(hosts_file::parse(path, &text, true)),
            Format::Zone => {
                let start = Start { places: true, one_zone: true, limits: Limits::default(), origin: None };
                self.take(zone_file::parse(path, &text, &start, &mut Beside::of(path)?));
            }
        }
        Ok(())
    }

    /// Everything that is wrong, file by file and line by line.
    pub fn findings(self) -> Vec<Line> {
        let Self { files, records, places, faults: mut lines } = self;
        let place = |order: u64| {
            let (file, line) = usize::try_from(order).ok().and_then(|at| places.get(at)).copied().unwrap_or_default();
            (files.get(file as usize).cloned().unwrap_or_default(), u64::from(line))
        };
        let mut told = |order: u64, rule: &Rule<'_>, record: &Record| {
            let (file, line) = place(order);
            let what = format!("{} {}: {rule}", record.name(), record.type_text());
            lines.push(Line { file, line, severity: rule.severity().as_str(), rule: rule.word(), what });
        };
        let (kept, again) = first_of_each(records);
        let records = Records::from_rows(kept.into_iter().map(|(record, order)| Row::new(record, order, 0, true)));
        for finding in findings(&records) {
            told(finding.row.order, &finding.rule, &finding.row.record);
        }
        for (record, order) in &again {
            let (file, line) = records.get(record).map(|row| place(row.order)).unwrap_or_default();
            told(*order, &Rule::Again(format!("{file}:{line}").into()), record);
        }
        let number = |file: &str| files.iter().position(|other| other == file);
        lines.sort_by_cached_key(|line| (number(&line.file), line.line));
        lines
    }

    fn take_json(&mut self, path: &Path, text: &[u8]) {
        let file = path.display().to_string();
        match read_document(text) {
            Ok(records) => {
                let number = self.add_file(file);
                let lines = lines::of_records(text);
                self.places.extend((0..records.len()).map(|at| (number, lines.get(at).copied().unwrap_or_default())));
                self.records.extend(records);
            }
            Err(DocumentError { line, column, field, fault }) => {
                let field = if field.len() < 2 { String::new() } else { format!(", `{field}`") };
                self.faults.push(Line::fault(&file, line as u64, format!("column {column}{field}: {fault}")));
                self.add_file(file);
            }
        }
    }

    fn take(&mut self, parsed: Parsed) {
        let numbers: Vec<_> = parsed.files.iter().map(|path| self.add_file(path.display().to_string())).collect();
        let first = parsed.files.first().map(|path| path.display().to_string()).unwrap_or_default();
        let places = parsed.places.iter().map(|place| {
            let file = numbers.get(place.file as usize).copied().unwrap_or_default();
            (file, place.line)
        });
        self.places.extend(places);
        // A record without a place would move those of all others.
        self.records.extend(parsed.records.into_iter().take(parsed.places.len()));
        for faults in [&parsed.faults, &parsed.left_out] {
            self.take_faults(&first, faults);
        }
    }

    fn take_faults(&mut self, file: &str, faults: &Faults) {
        let told = faults.first();
        self.faults.extend(told.iter().map(|fault| Line::fault(&fault.file, fault.line, fault.what.clone())));
        let more = faults.count().saturating_sub(told.len() as u64);
        if more > 0 {
            self.faults.push(Line::fault(file, 0, format!("{more} more lines cannot be used")));
        }
    }

    fn add_file(&mut self, file: String) -> u32 {
        let at = self.files.iter().position(|other| *other == file).unwrap_or_else(|| {
            self.files.push(file);
            self.files.len() - 1
        });
        u32::try_from(at).unwrap_or(u32::MAX)
    }
}

type Placed = Vec<(Record, u64)>;

/// The first of records that say the same, and the others; each with its place among all.
fn first_of_each(records: Vec<Record>) -> (Placed, Placed) {
    let (mut kept, mut again): (Placed, Placed) = (Vec::with_capacity(records.len()), Vec::new());
    let mut first_wins = FirstWins::default();
    for (record, order) in records.into_iter().zip(0..) {
        let is_new = first_wins.is_new(kept.len(), |at| &kept[at].0, &record);
        if is_new { &mut kept } else { &mut again }.push((record, order));
    }
    (kept, again)
}

/// Files that a zone file may include: those in its folder and below.
struct Beside {
    folder: PathBuf,
}

impl Beside {
    fn of(path: &Path) -> io::Result<Self> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Ok(Self { folder: folder.canonicalize()? })
    }
}

impl Files for Beside {
    fn include(&mut self, from: &Path, name: &str) -> Result<(PathBuf, Vec<u8>), String> {
        let failed = |error: io::Error| format!("cannot be read: {error}");
        let path = from.parent().unwrap_or(Path::new("")).join(name);
        let real = path.canonicalize().map_err(failed)?;
        if !real.starts_with(&self.folder) {
            return Err(format!("lies outside of `{}`, where the zone file is", self.folder.display()));
        }
        if !fs::metadata(&real).map_err(failed)?.is_file() {
            return Err("is no file".to_owned());
        }
        Ok((path, fs::read(real).map_err(failed)?))
    }
}

#[cfg(test)]
mod tests;
