//! The vocabulary that dnsplane's programs share, and the gRPC contract between them.
//!
//! [`name`] and [`record`] are the words of the field; [`settings`] is how a data plane is told to answer, [`resolving`] how to resolve
//! what is not ours; [`convert`]
//! turns wire messages into them and back. Generated code lives in [`pb`] and stops at each program's door.

pub mod block_list;
pub mod convert;
pub mod limits;
pub mod name;
pub mod record;
pub mod resolving;
pub mod settings;

pub use convert::InvalidMessage;
pub use limits::{Limits, MOST_REPLIES, MOST_SLIP, Per, QueryLimit, ReplyLimit};
pub use name::{InvalidName, Name};
pub use record::{Generation, RecordData, RecordSet, RecordType, UnknownType};
pub use resolving::{
    CacheRules, Door, Doors, Probes, Resolving, Server, TrustAnchor, Upstream, Upstreams, Validation, Way,
    private_networks,
};
pub use settings::{MAX_IDENTITY, Settings};

/// Largest body of one feed `Part`, octets.
pub const MAX_PART: usize = 1 << 20;

/// Generated from the files in `proto/proto`.
#[expect(
    missing_docs,
    clippy::all,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    unused_qualifications,
    reason = "generated code; the .proto files carry the documentation"
)]
pub mod pb {
    /// `feed.proto`: control plane to data plane.
    pub mod feed {
        tonic::include_proto!("dnsplane.feed.v1");
    }
    /// `admin.proto`: dnsplanectl to control plane.
    pub mod admin {
        tonic::include_proto!("dnsplane.admin.v1");
    }
}
