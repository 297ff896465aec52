//! What the control plane decides about how a data plane answers.

use crate::{
    limits::Limits,
    resolving::{Doors, Resolving},
};
use std::{net::SocketAddr, sync::Arc};

/// One character-string of a TXT record (RFC 1035 §3.3).
pub const MAX_IDENTITY: usize = 255;

/// The part of the configuration that concerns answering. Sent whole with each change; it is small.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where to answer, UDP and TCP alike.
    pub listen: Vec<SocketAddr>,
    /// Largest UDP reply, octets; announced in OPT. Between 512 and 65,535.
    pub max_udp_payload: u16,
    /// ANY gets NOTIMP instead of one record set (RFC 8482).
    pub refuse_any: bool,
    /// Answer from local records at all.
    pub local_records: bool,
    /// Another type of a loose name that exists: NODATA, or on to the next step.
    pub missing_type_is_nodata: bool,
    /// Reverse names get PTR records from A and AAAA records.
    pub auto_ptr: bool,
    /// What `id.server`, `version.bind` and NSID (RFC 5001) say, at most [`MAX_IDENTITY`] octets; empty: nothing.
    pub identity: Arc<[u8]>,
    /// How much one client may have.
    pub limits: Limits,
    /// How names that are not ours are resolved.
    pub resolving: Resolving,
    /// Where to answer over encrypted transports.
    pub doors: Doors,
    /// Seconds since 1970; until then nothing is blocked.
    pub blocking_paused_until: u64,
}
