//! The data plane: answers DNS queries from an immutable snapshot, whatever becomes of the control plane.
//!
//! ```text
//! query    listen → message → answer → snapshot → encode → listen
//! change   feed → builder → current (one pointer) ; feed → last_good (our own disk)
//! ```
//! Start with [`answer`](answer::answer), the pure heart, and [`snapshot`], what it looks at. [`feed`] follows the control
//! plane, [`last_good`] makes us independent of it, [`listen`] has the sockets, and [`run`] wires it all.

pub mod answer;
pub mod builder;
mod cookie;
pub mod counters;
pub mod current;
mod encode;
pub mod explain;
pub mod feed;
pub mod filter;
pub mod last_good;
pub mod limit;
pub mod listen;
pub mod message;
pub mod resolve;
mod run;
pub mod snapshot;
mod wire_name;

pub use answer::{Asker, Known, Outcome, Transport, answer};
pub use builder::Builder;
pub use cookie::Cookies;
pub use current::Current;
pub use encode::Rcode;
pub use limit::Limiter;
pub use resolve::Cache;
pub use run::{Options, StartError, run};
pub use snapshot::{Rules, Snapshot};

/// An error and all its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // Some errors repeat their cause in their own text.
        if !text.ends_with(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}
