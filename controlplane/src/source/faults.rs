//! What in a source cannot be used: the first of them in full, all of them counted.

use crate::record::Record;
use serde::Serialize;
use std::fmt;

/// Faults that are kept in full; whoever has more starts with these.
const MOST_KEPT: usize = 100;

/// Something that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The file, as people know it.
    pub file: String,
    /// The line, from 1; 0 if it is about all of the file.
    pub line: u64,
    /// What is wrong with it.
    pub what: String,
}

/// The faults of one reading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    first: Vec<Fault>,
    count: u64,
}

impl Faults {
    /// Of records that cannot be served.
    pub(crate) fn of_records(file: &str, records: &[Record]) -> Self {
        let mut faults = Self::default();
        for (record, number) in records.iter().zip(1..).filter(|(record, _)| !record.is_servable()) {
            let fault = record.fault().unwrap_or_default();
            let (name, kind, value) = (record.name(), record.type_text(), record.value());
            faults.add(Fault {
                file: file.to_owned(),
                line: 0,
                what: format!("record {number}, `{name} {kind} {value}`, is kept but not served: {fault}"),
            });
        }
        faults
    }

    /// Notes one more.
    pub(crate) fn add(&mut self, fault: Fault) {
        self.count += 1;
        if self.first.len() < MOST_KEPT {
            self.first.push(fault);
        }
    }

    /// Notes all of another reading.
    pub(crate) fn extend(&mut self, other: &Self) {
        let room = MOST_KEPT - self.first.len();
        self.first.extend(other.first.iter().take(room).cloned());
        self.count += other.count;
    }

    /// The same, where the first also says what comes of them.
    pub(crate) fn which_means(mut self, what: &str) -> Self {
        if let Some(first) = self.first.first_mut() {
            first.what = format!("{}; {what}", first.what);
        }
        self
    }

    /// The first of them.
    pub fn first(&self) -> &[Fault] {
        &self.first
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.what),
            line => write!(f, "{}, line {line}: {}", self.file, self.what),
        }
    }
}
