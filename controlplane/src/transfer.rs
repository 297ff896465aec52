//! Records as files that people carry from place to place: read for an import, written for an export.
//!
//! Pure: text and records come from the caller, and so does whoever takes what is written.

mod read;
mod write;

pub(crate) use read::{Incoming, read};
pub(crate) use write::{Outgoing, Wanted, write};

use dnsplane_proto::Name;
use std::str::FromStr;

/// How a file says records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// The document of `dnsrecords.json`; keeps everything that a record carries.
    Json,
    /// A zone file (RFC 1035 §5).
    Zone,
    /// Addresses and names, as in `/etc/hosts`.
    Hosts,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "json" => Ok(Self::Json),
            "zone" => Ok(Self::Zone),
            "hosts" => Ok(Self::Hosts),
            _ => Err(format!("`{text}` is no format of files; there are json, zone and hosts")),
        }
    }
}

/// The zone that was named, if one was.
pub(crate) fn zone(text: &str) -> Result<Option<Name>, String> {
    match text.trim() {
        "" => Ok(None),
        text => Name::parse(text).map(Some).map_err(|fault| format!("`{text}` is no name of a zone: {fault}")),
    }
}
