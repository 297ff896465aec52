//! Block lists: what they say, merged.

use bytes::Bytes;
use std::sync::Arc;

/// All lists merged into one, in the form in which data planes look names up (`dnsplane_proto::block_list`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// An `fst` map of the names that are blocked; empty: none.
    pub blocked: Bytes,
    /// An `fst` map of the names that are allowed whatever blocks them; empty: none.
    pub allowed: Bytes,
    /// The lists, by number.
    pub sources: Vec<Arc<str>>,
    /// Lists that say the same of some names; values of the maps are numbers of these.
    pub combinations: Vec<Vec<u32>>,
}
