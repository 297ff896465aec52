//! Zone files (RFC 1035 §5): read into records, written from them, and compared with what they were before.
//!
//! All of it is pure: text comes from the caller, and so do files that others include. What is read is what BIND and NSD
//! read, with `$ORIGIN`, `$INCLUDE`, `$TTL` (RFC 2308 §4), BIND's `$GENERATE` and times with units. Where they differ:
//!
//! - Without any TTL – none before it, no `$TTL`, no SOA – a record gets 3600 seconds, as with NSD; BIND refuses it.
//! - Records outside of the zone are left out and told, as BIND does; NSD refuses all of the file ([`Start::one_zone`]).
//! - A quoted string ends on its line, as with BIND: otherwise one quote too few swallows the file.
//! - Names and text in other encodings than UTF-8 are taken octet by octet, so `\DDD` comes of them.
//!
//! Files may come from strangers. A bad line is a fault with file and line, and reading goes on behind it; time and memory
//! are bounded by [`Limits`].

mod changes;
mod directive;
mod entry;
mod generate;
pub(crate) mod order;
mod owner;
mod reader;
mod state;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use changes::cancel;
pub use changes::{Changes, changes};
pub use state::Marks;
pub use write::{Written, write_all, write_zone};

use crate::{record::Record, source::Faults};
use dnsplane_proto::Name;
use std::path::{Path, PathBuf};

/// Who says which files may be included, and reads them.
pub trait Files {
    /// The file that `from` calls `name`, and its octets; or why it cannot be had, completing "`name` …".
    fn include(&mut self, from: &Path, name: &str) -> Result<(PathBuf, Vec<u8>), String>;
}

/// For text that stands alone.
pub struct NoFiles;

impl Files for NoFiles {
    fn include(&mut self, _: &Path, _: &str) -> Result<(PathBuf, Vec<u8>), String> {
        Err("cannot be included here: put its lines in the place of the directive".to_owned())
    }
}

/// What is known before the first line.
#[derive(Clone, Debug, Default)]
pub struct Start {
    /// What relative names lie below until a `$ORIGIN` says otherwise. Without one, they are faults.
    pub origin: Option<Name>,
    /// Whether records that lie below no SOA of the file are left out, as servers of zones do.
    pub one_zone: bool,
    /// Whether the lines of all records are wanted ([`Parsed::places`]).
    pub places: bool,
    /// How much is too much.
    pub limits: Limits,
}

/// Bounds that no honest file reaches.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Octets of one entry, its continuation lines included. A record has at most 64 KiB, which are four times as many as `\DDD`.
    pub entry: usize,
    /// Files that are being included in each other.
    pub depth: usize,
    /// `$INCLUDE` directives in all.
    pub includes: u64,
    /// Octets in all, each file as often as it is included.
    pub octets: u64,
    /// Steps of one `$GENERATE`; what a /16 has addresses.
    pub steps: u64,
    /// Records of all `$GENERATE`s: a line of 40 octets that stands for many megabytes is not to be had without end.
    pub generated: u64,
    /// Records in all.
    pub records: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entry: 1 << 20,
            depth: 16,
            includes: 1000,
            octets: 1 << 30,
            steps: 1 << 16,
            generated: 1 << 20,
            records: 16_000_000,
        }
    }
}

/// What a zone file says.
#[derive(Debug, Default)]
pub struct Parsed {
    /// Its records, in their order; of several that say the same all. All are servable; names in values are absolute.
    pub records: Vec<Record>,
    /// Lines that cannot be read. A server of zones would refuse the file.
    pub faults: Faults,
    /// Records that are left out because they lie in no zone of the file.
    pub left_out: Faults,
    /// Owners of its SOA records, each once: none in a part of a zone, several in a file of many zones.
    pub zones: Vec<Name>,
    /// The files: this one first, then those that it includes, each once.
    pub files: Vec<PathBuf>,
    /// Where each record stands, if that was wanted.
    pub places: Vec<Place>,
    /// What makes the next reading cheap when little has changed.
    pub marks: Marks,
}

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which of [`Parsed::files`].
    pub file: u32,
    /// The line on which it begins, from 1.
    pub line: u32,
}

/// Reads a zone file.
pub fn parse(file: &Path, text: &[u8], start: &Start, files: &mut dyn Files) -> Parsed {
    reader::Reader::new(start, files).whole(file, text)
}
