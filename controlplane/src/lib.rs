//! The control plane: owns configuration and records.
pub mod config;
pub mod rdata;
