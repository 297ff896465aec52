//! All records at one generation, immutable, and the lookups that answering needs (RFC 1034 §4.3.2).
//!
//! Every ancestor of a name that owns records has an entry too, with the number of its children. So "exists but has no
//! such type" and "does not exist" are told apart by one lookup, and stay so while names come and go below a name.

pub(crate) mod authority;
pub(crate) mod entry;
pub(crate) mod index;
pub(crate) mod marks;
pub(crate) mod reverse;
pub(crate) mod shard;
mod warm;
#[cfg(fuzzing)]
mod work;

pub(crate) use authority::{Authority, Obstacle, Zone};
pub use entry::{Entry, Set, Sets};
#[cfg(fuzzing)]
pub use work::lookups;

use crate::filter::BlockList;
use dnsplane_proto::{Generation, Limits, Resolving, Settings, Upstreams};
use index::Index;
use ipnet::IpNet;
use reverse::Reverse;
use std::{fmt, net::IpAddr, sync::Arc};

/// What queries are answered from.
#[derive(Clone)]
pub struct Snapshot {
    /// Generation of the records; the default one as long as no records were ever received.
    pub generation: Generation,
    /// How to answer.
    pub rules: Rules,
    pub(crate) index: Index,
    pub(crate) records: u64,
    /// There if the rules ask for automatic PTR records.
    pub(crate) reverse: Option<Reverse>,
    /// Whom to ask for what is not ours.
    pub upstreams: Arc<Upstreams>,
    /// What is blocked.
    pub block_list: Option<Arc<BlockList>>,
}

/// The part of [`Settings`] that concerns the content of replies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Largest UDP reply, octets; announced in OPT.
    pub max_udp_payload: u16,
    /// ANY gets NOTIMP instead of one record set (RFC 8482).
    pub refuse_any: bool,
    /// Answer from local records at all.
    pub local_records: bool,
    /// Another type of a loose name that exists: NODATA, or on to the next step.
    pub missing_type_is_nodata: bool,
    /// Reverse names get PTR records from A and AAAA records.
    pub auto_ptr: bool,
    /// What `id.server`, `version.bind` and NSID say, at most 255 octets.
    pub identity: Option<Arc<[u8]>>,
    /// How much one client may have.
    pub limits: Limits,
    /// Who may have names resolved that are not ours.
    pub networks: Arc<[IpNet]>,
    /// Seconds since 1970; until then nothing is blocked.
    pub blocking_paused_until: u64,
    /// Seconds for which a remembered answer may be used after its time.
    pub stale: u32,
    /// Remembered answers that are popular are renewed shortly before their time ends.
    pub prefetch: bool,
}

impl Snapshot {
    /// Without records, under the default rules.
    pub fn empty() -> Self {
        Self {
            generation: Generation::default(),
            rules: Rules::default(),
            index: Index::empty(index::random_seed()),
            records: 0,
            reverse: None,
            upstreams: Arc::default(),
            block_list: None,
        }
    }

    /// The same records under other rules. Should these ask for automatic PTR records for the first time, every record is
    /// looked at: a tenth of a second in a large store, and no work for a thread that answers.
    pub fn under(mut self, rules: Rules) -> Self {
        self.reverse = rules.auto_ptr.then(|| self.reverse.unwrap_or_else(|| Reverse::of(&self.index)));
        self.rules = rules;
        self
    }

    /// The entry of a name, given in lower-case wire form.
    #[inline]
    pub fn find(&self, name: &[u8]) -> Option<Entry<'_>> {
        #[cfg(fuzzing)]
        work::count();
        self.index.find(name)
    }

    /// All names that have an entry, in no order.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.index.iter()
    }

    /// Octets that addresses and their names take, and how many pairs of them there are.
    pub fn reverse_size(&self) -> (usize, usize) {
        self.reverse.as_ref().map(Reverse::size).unwrap_or_default()
    }

    /// Whether this client may have names resolved that are not ours, and there is anybody who could be asked.
    #[inline]
    pub fn resolves_for(&self, client: IpAddr) -> bool {
        let anybody = !self.upstreams.upstreams.is_empty() || self.upstreams.last_resort.is_some();
        anybody && self.rules.may_recurse(client)
    }

    /// How many records there are.
    pub fn records(&self) -> u64 {
        self.records
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("generation", &self.generation).field("records", &self.records).finish()
    }
}

impl Rules {
    /// Whether this client may have names resolved that are not ours.
    pub fn may_recurse(&self, client: IpAddr) -> bool {
        match client.to_canonical() {
            IpAddr::V4(client) => self.networks.iter().any(|network| {
                let IpNet::V4(network) = network else { return false };
                let differs = u32::from(client) ^ u32::from(network.addr());
                differs.checked_shr(32 - u32::from(network.prefix_len())).unwrap_or(0) == 0
            }),
            IpAddr::V6(client) => self.networks.iter().any(|network| {
                let IpNet::V6(network) = network else { return false };
                let differs = u128::from(client) ^ u128::from(network.addr());
                differs.checked_shr(128 - u32::from(network.prefix_len())).unwrap_or(0) == 0
            }),
        }
    }
}

impl From<&Settings> for Rules {
    fn from(settings: &Settings) -> Self {
        Self {
            max_udp_payload: settings.max_udp_payload,
            refuse_any: settings.refuse_any,
            local_records: settings.local_records,
            missing_type_is_nodata: settings.missing_type_is_nodata,
            auto_ptr: settings.auto_ptr,
            identity: (!settings.identity.is_empty()).then(|| settings.identity.clone()),
            limits: settings.limits,
            networks: settings.resolving.networks.clone(),
            blocking_paused_until: settings.blocking_paused_until,
            stale: settings.resolving.cache.map_or(0, |cache| cache.stale),
            prefetch: settings.resolving.cache.is_some_and(|cache| cache.prefetch),
        }
    }
}

impl Default for Rules {
    /// What a control plane says when nothing is configured.
    fn default() -> Self {
        Self {
            max_udp_payload: 1232,
            refuse_any: false,
            local_records: true,
            missing_type_is_nodata: true,
            auto_ptr: false,
            identity: None,
            limits: Limits::default(),
            networks: Resolving::default().networks,
            blocking_paused_until: 0,
            stale: 0,
            prefetch: false,
        }
    }
}
