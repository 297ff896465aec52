//! Why a transfer is not installed, in words for the control plane and whoever reads its log.

use crate::{builder::Unusable, filter::BadList};
use dnsplane_proto::{Generation, InvalidMessage};

/// Why a transfer was not installed.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// An older generation of the same session.
    #[error("{offered} is older than {serving}, which is served")]
    Older {
        /// What was sent.
        offered: Generation,
        /// What is served.
        serving: Generation,
    },
    /// A difference that starts elsewhere.
    #[error("the difference starts at {from}, but {serving} is served")]
    OtherBase {
        /// Where it starts.
        from: Generation,
        /// What is served.
        serving: Generation,
    },
    /// What arrived is not what was sent.
    #[error("the checksum does not match")]
    Checksum,
    /// Record sets are missing, or there are too many.
    #[error("{found} record sets arrived instead of {expected}")]
    Count {
        /// As End says.
        expected: u64,
        /// As counted.
        found: u64,
    },
    /// A part over the agreed size.
    #[error("a part of {0} octets")]
    LargePart(usize),
    /// A message over the agreed size.
    #[error("{what} of more than {most} octets")]
    Large {
        /// The resource.
        what: &'static str,
        /// What it may have.
        most: usize,
    },
    /// A body that is not the message it should be.
    #[error("a part cannot be decoded")]
    Decode(#[from] prost::DecodeError),
    /// A field that is not what it should be.
    #[error(transparent)]
    Message(#[from] InvalidMessage),
    /// A record set that cannot be answered from.
    #[error(transparent)]
    Unusable(#[from] Unusable),
    /// A block list in which nothing can be looked up.
    #[error("a block list that cannot be used")]
    BlockList(#[from] BadList),
    /// Something that a later version knows.
    #[error("this version does not know resource {0}")]
    Unknown(i32),
    /// A difference where only a whole makes sense.
    #[error("{0} are sent whole")]
    Partial(&'static str),
}

impl Refusal {
    /// Whether what is served of this resource is not to be built on any more.
    pub fn calls_for_whole(&self) -> bool {
        !matches!(self, Self::Older { .. } | Self::Unknown(_))
    }
}
