//! Names that are blocked: lists from files and URLs, and what was added by hand, merged into two maps for data planes.

mod key;
mod merge;
mod names;
mod parse;

use bytes::Bytes;
use std::sync::Arc;

/// All lists in the form that data planes look names up in: [`dnsplane_proto::block_list`] says how the maps are made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// Names that are blocked, an `fst` map.
    pub blocked: Bytes,
    /// Names that are let through whatever blocks them, an `fst` map.
    pub allowed: Bytes,
    /// The lists, by number.
    pub sources: Vec<Arc<str>>,
    /// Lists that say the same of some names.
    pub combinations: Vec<Vec<u32>>,
}
