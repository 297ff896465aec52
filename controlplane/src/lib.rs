//! The control plane of a dnsplane node.
//!
//! A change goes one way: REST ([`api`]), dnsplanectl ([`admin`]), a peer ([`cluster`]) or a place that records come from ([`source`]) → [`store`]
//! (change log) → [`publisher`] → the feed. Upstream servers go their own way: [`upstreams`] → [`publisher`]. [`config`] says how; [`status`] says how it is,
//! and [`dashboard`] shows it to people.

pub mod admin;
pub mod api;
pub mod block_list;
pub mod check;
pub mod cluster;
pub mod config;
pub mod dashboard;
pub mod hash;
pub mod hosts_file;
pub mod live;
pub mod publisher;
pub mod rdata;
pub mod record;
pub mod records;
pub mod remembered;
pub mod sockets;
pub mod source;
pub mod status;
pub mod store;
pub mod upstreams;
pub mod zone_file;

mod aside;
mod blocking;
mod hand_edits;
mod run;
mod stamp;
mod transfer;
mod web;

pub use run::run;
