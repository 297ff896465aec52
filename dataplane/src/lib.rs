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
pub mod current;
mod encode;
pub mod message;
pub mod snapshot;

pub use answer::{Outcome, Transport, answer};
pub use builder::Builder;
pub use current::Current;
pub use encode::Rcode;
pub use snapshot::{Rules, Snapshot};
