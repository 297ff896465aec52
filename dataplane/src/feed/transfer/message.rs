//! Resources that are one message each, in as many parts as it takes.

use super::Refusal;
use crate::filter::{BadList, BlockList};
use bytes::Bytes;
use dnsplane_proto::{
    Generation, Settings, Upstreams,
    block_list::{HashKey, Packed},
    pb::feed as pb,
};
use prost::Message;
use std::sync::Arc;
use tracing::info;

/// Settings and upstreams are small. This is far above any that people write.
const MAX_SMALL: usize = 16 << 20;
/// Over six times what two million names take; small enough that a control plane gone mad does not take all memory.
const MAX_BLOCK_LIST: usize = 256 << 20;

/// A resource that is always sent whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whole {
    Settings,
    Upstreams,
    BlockList,
}

/// A message that was read, and what it was read from.
pub struct Loaded {
    pub(crate) what: Content,
    pub(crate) body: Bytes,
}

/// What a message says.
pub(crate) enum Content {
    Settings(Arc<Settings>),
    Upstreams(Arc<Upstreams>),
    /// `None`: no name is blocked.
    BlockList(Option<Arc<BlockList>>),
}

/// A message that is arriving.
pub(super) struct Gathering {
    whole: Whole,
    body: Vec<u8>,
}

impl Whole {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Settings, Self::Upstreams, Self::BlockList];

    pub(crate) fn of(resource: pb::Resource) -> Option<Self> {
        Self::ALL.into_iter().find(|whole| whole.resource() == resource)
    }

    pub(crate) fn resource(self) -> pb::Resource {
        match self {
            Self::Settings => pb::Resource::Settings,
            Self::Upstreams => pb::Resource::Upstreams,
            Self::BlockList => pb::Resource::BlockList,
        }
    }

    /// For messages and file names.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Upstreams => "upstreams",
            Self::BlockList => "block lists",
        }
    }

    /// Reads a message. Block lists are looked up in `body` where it lies.
    pub(crate) fn read(self, body: Bytes) -> Result<Loaded, Refusal> {
        let what = match self {
            Self::Settings => Content::Settings(Arc::new(pb::Settings::decode(body.clone())?.try_into()?)),
            Self::Upstreams => Content::Upstreams(Arc::new(pb::Upstreams::decode(body.clone())?.try_into()?)),
            Self::BlockList => Content::BlockList(block_list(pb::BlockList::decode(body.clone())?)?),
        };
        Ok(Loaded { what, body })
    }

    fn most(self) -> usize {
        match self {
            Self::Settings | Self::Upstreams => MAX_SMALL,
            Self::BlockList => MAX_BLOCK_LIST,
        }
    }
}

impl Content {
    pub(crate) fn whole(&self) -> Whole {
        match self {
            Self::Settings(_) => Whole::Settings,
            Self::Upstreams(_) => Whole::Upstreams,
            Self::BlockList(_) => Whole::BlockList,
        }
    }

    /// Says that it is in force.
    pub(crate) fn log(&self, generation: Generation) {
        match self {
            Self::Settings(settings) => info!(%generation, listen = ?settings.listen, "new settings"),
            Self::Upstreams(upstreams) => {
                let names: Vec<_> = upstreams.upstreams.iter().map(|upstream| upstream.server.name.as_str()).collect();
                info!(%generation, upstreams = ?names, "new upstreams");
            }
            Self::BlockList(list) => {
                let (octets, blocked, allowed) = list.as_ref().map(|list| list.size()).unwrap_or_default();
                info!(%generation, blocked, allowed, octets, "new block list");
            }
        }
    }
}

impl Gathering {
    pub(super) fn new(whole: Whole) -> Self {
        Self { whole, body: Vec::new() }
    }

    pub(super) fn add(&mut self, part: &[u8]) -> Result<(), Refusal> {
        if self.body.len() + part.len() > self.whole.most() {
            return Err(Refusal::Large { what: self.whole.name(), most: self.whole.most() });
        }
        // What is added to is large after a few parts, and then grows where it lies: the kernel moves pages, nobody copies.
        self.body.extend_from_slice(part);
        Ok(())
    }

    pub(super) fn read(mut self) -> Result<Loaded, Refusal> {
        self.body.shrink_to_fit();
        self.whole.read(self.body.into())
    }
}

fn block_list(wire: pb::BlockList) -> Result<Option<Arc<BlockList>>, Refusal> {
    let blocked = table(wire.blocked)?;
    if blocked.hashes.is_empty() {
        return Ok(None);
    }
    let sources = wire.sources.into_iter().map(Arc::from).collect();
    let combinations = wire.combinations.into_iter().map(|combination| combination.sources).collect();
    let key = HashKey(sixteen("hash key", &wire.key)?);
    let list = BlockList::new(key, blocked, table(wire.allowed)?, sources, combinations)?;
    Ok(Some(Arc::new(list)))
}

fn table(wire: Option<pb::NameTable>) -> Result<Packed, BadList> {
    let wire = wire.unwrap_or_default();
    if wire == pb::NameTable::default() {
        return Ok(Packed::default());
    }
    let depths = u128::from_le_bytes(sixteen("depths", &wire.depths)?);
    Ok(Packed { hashes: wire.hashes, values: wire.values, depths })
}

fn sixteen(what: &'static str, octets: &[u8]) -> Result<[u8; 16], BadList> {
    octets.try_into().map_err(|_| BadList::Length { what, octets: octets.len() })
}
