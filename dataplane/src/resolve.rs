//! Names that are not ours: what was remembered of them, and, when nothing was, whom to ask.
//!
//! ```text
//! listen → answer → (Outcome::Unresolved) → engine → exchange → cache → answer again → listen
//! ```
//! A query whose answer is remembered never comes here: [`answer`](crate::answer::answer) finds it in the [`Cache`]. One that
//! is not is kept until what it wants has been fetched, and is then answered again, by the same function, from what was
//! fetched. So there is one place where replies are made, and local records that changed meanwhile count.

pub mod cache;
pub mod engine;
pub mod exchange;
pub mod route;
pub mod upstream;
pub mod validate;

pub use cache::{Cache, CachedAnswer};
pub use engine::{Client, Engine, WayBack};

use dnsplane_proto::RecordType;
use std::sync::Arc;

/// What is to be fetched: a question, and what matters to whoever answers it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Wanted {
    /// The name, wire form, lower case.
    pub name: Box<[u8]>,
    /// QTYPE.
    pub kind: RecordType,
    /// DO: DNSSEC records are wanted (RFC 3225).
    pub dnssec_ok: bool,
    /// CD: the client validates by itself (RFC 4035 §3.2.2).
    pub checking_disabled: bool,
}

/// What came of fetching.
#[derive(Clone, Debug)]
pub enum Fetched {
    /// An answer, whether it is kept or not.
    Answer(Arc<CachedAnswer>),
    /// None.
    Failed(Failure),
}

/// Why there is no answer. Says which extended error the client is told (RFC 8914 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Every upstream failed, each in its way (22, No Reachable Authority).
    Upstreams,
    /// No upstream replied in time (23, Network Error).
    Silence,
    /// The answer is not what its zone signed: the code that says how (6, DNSSEC Bogus, and its neighbours).
    Bogus(u16),
    /// Too much is being fetched already (14, Not Ready).
    Busy,
}

/// Whether an answer is what its zone signed (RFC 4035 §4.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Security {
    /// Nobody has looked.
    #[default]
    Unchecked,
    /// It is: AD.
    Secure,
    /// Its zone does not sign.
    Insecure,
}
