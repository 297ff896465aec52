//! The control plane.

pub mod hash;
pub mod publisher;
pub mod rdata;
pub mod record;
pub mod records;
pub mod sockets;
pub mod store;
