//! The control plane.

pub mod cluster;
pub mod hash;
pub mod rdata;
pub mod record;
pub mod records;
pub mod store;
