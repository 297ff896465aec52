//! Writes records as a file.

use super::Format;
use crate::{
    record::json,
    records::{Records, Row},
    store::ImportScope,
};
use dnsplane_proto::Name;
use serde::Serialize;
use std::{io, sync::Arc};

/// Records that could not be said and are named; the others are counted.
const NAMED: usize = 10;

/// What is to be written.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// How.
    pub(crate) format: Format,
    /// Names at or below it, without zones below it; `None` for all.
    pub(crate) zone: Option<Name>,
    /// Indented, if the format is JSON.
    pub(crate) pretty: bool,
}

/// What was written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outgoing {
    /// Records in the text.
    pub(crate) records: u64,
    /// Records that the format cannot say.
    pub(crate) left_out: u64,
    /// The first few of those, and why.
    pub(crate) reasons: Vec<String>,
}

/// Writes what is wanted; the sentence says why it could not be.
pub(crate) fn write(records: &Records, wanted: &Wanted, out: &mut dyn io::Write) -> Result<Outgoing, String> {
    match wanted.format {
        Format::Json => write_json(records, wanted, out).map_err(|error| error.to_string()),
    }
}

/// The bytes of `dnsrecords.json`: in the order of the store, nothing left out.
fn write_json(records: &Records, wanted: &Wanted, out: &mut dyn io::Write) -> io::Result<Outgoing> {
    let scope = ImportScope { zone: wanted.zone.clone(), kinds: &[] };
    let within = scope.within(records);
    let mut rows = records.in_order();
    rows.retain(|row| within.covers(&row.record));
    let document = Document { records: Rows(&rows) };
    if wanted.pretty {
        json::to_writer_pretty(&mut *out, &document)?
    } else {
        json::to_writer(&mut *out, &document)?
    }
    out.write_all(b"\n")?;
    Ok(Outgoing { records: rows.len() as u64, ..Outgoing::default() })
}

#[derive(Serialize)]
struct Document<'a> {
    records: Rows<'a>,
}

struct Rows<'a>(&'a [&'a Arc<Row>]);

impl Serialize for Rows<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|row| &row.record))
    }
}
