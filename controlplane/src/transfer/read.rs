//! Reads a file of records.

use super::Format;
use crate::{record::Record, source::read_document, store::ImportScope};
use dnsplane_proto::Name;

/// A file as read.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    /// Its records, in its order.
    pub(crate) records: Vec<Record>,
    /// Lines of which nothing came, and why: the first of them.
    pub(crate) faults: Vec<String>,
    /// How many there are.
    pub(crate) faulty: u64,
    /// What it speaks for: what lies in it and not in the file goes, if the file is to replace.
    scope: ImportScope,
    /// The line of each record, where lines are known.
    lines: Vec<u32>,
}

/// Reads all of it, or says why nothing of it can be used.
pub(crate) fn read(format: Format, file: &str, text: &[u8], zone: Option<Name>) -> Result<Incoming, String> {
    match format {
        Format::Json => {
            let records = read_document(text).map_err(|error| format!("`{file}`, {error}"))?;
            Ok(Incoming { records, scope: ImportScope { zone, kinds: &[] }, ..Incoming::default() })
        }
    }
}

impl Incoming {
    /// What goes if the file is to replace, or why that cannot be said.
    pub(crate) fn scope(&self) -> Result<ImportScope, String> {
        Ok(self.scope.clone())
    }

    /// Where the record of this place stands, for a sentence.
    pub(crate) fn place(&self, place: usize) -> String {
        match self.lines.get(place) {
            Some(line) => format!("line {line}"),
            None => format!("record {}", place + 1),
        }
    }
}
