//! Records of a snapshot, tidied as they come.

use crate::{record::Record, store::edit::FirstWins};
use serde::{
    Deserialize, Deserializer,
    de::{SeqAccess, Visitor},
};
use std::fmt;

/// Faulty records named in a log line; the others are counted.
const NAMED: usize = 5;

/// Records without what cannot be served and without what says the same as an earlier one. What is left out is counted and
/// takes no memory: a frame of empty objects must not grow to many times its length.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    records: Vec<Record>,
    /// Records that came, those left out included.
    came: usize,
    faults: usize,
    named: Vec<String>,
    first_wins: FirstWins,
}

impl Gathered {
    fn push(&mut self, record: Record) {
        self.came += 1;
        if !record.is_servable() {
            self.note_fault(&record);
        } else if self.first_wins.is_new(self.records.len(), |place| &self.records[place], &record) {
            self.records.push(record);
        }
    }

    /// Takes in what came later.
    pub(super) fn extend(&mut self, other: Self) {
        let came = self.came + other.came;
        other.records.into_iter().for_each(|record| self.push(record));
        (self.came, self.faults) = (came, self.faults + other.faults);
        self.named.extend(other.named);
        self.named.truncate(NAMED);
    }

    fn note_fault(&mut self, record: &Record) {
        self.faults += 1;
        if self.named.len() < NAMED {
            let fault = record.fault().unwrap_or_default();
            let text = format!("`{}` {}: {fault}", record.name(), record.type_text());
            self.named.push(text.chars().take(200).collect());
        }
    }

    /// Records that came.
    pub(super) fn count(&self) -> usize {
        self.came
    }

    /// Those that are left.
    pub(super) fn records(&self) -> &[Record] {
        &self.records
    }

    /// Those that are left, how many cannot be served, and the first few of these in words.
    pub(super) fn into_parts(self) -> (Vec<Record>, usize, Vec<String>) {
        (self.records, self.faults, self.named)
    }
}

/// From a list in which `null` is a record without anything.
impl<'de> Deserialize<'de> for Gathered {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor;
        impl<'de> Visitor<'de> for ListVisitor {
            type Value = Gathered;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of records")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Gathered, A::Error> {
                let mut gathered = Gathered::default();
                while let Some(record) = list.next_element::<Option<Record>>()? {
                    gathered.push(record.unwrap_or_else(|| Record::new("", "", "", 0)));
                }
                Ok(gathered)
            }
        }
        deserializer.deserialize_seq(ListVisitor)
    }
}
