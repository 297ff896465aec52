//! Claims about dnsplanectl, made with the real binary: against a control plane that follows a script, and a DNS server
//! of a few lines.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test, in its helpers too")]

mod adblock;
mod cache;
mod cluster;
mod commands;
mod dig;
mod dns;
mod fake;
mod server;
mod support;
mod transfer;
