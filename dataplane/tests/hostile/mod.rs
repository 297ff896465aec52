//! What must hold whatever strangers send. The fuzz targets in `dataplane/fuzz` and the tests beside this folder call the
//! same functions: the fuzzer looks for inputs, the tests try again those that it found worth keeping.
//!
//! Each function takes one input, and panics if something does not hold.

pub mod reference;
pub mod replies;
pub mod seeds;
pub mod streams;
pub mod views;
pub mod walk;
pub mod world;

/// Name, what it checks, inputs to begin with.
pub type Target = (&'static str, fn(&[u8]), fn() -> Vec<Vec<u8>>);

/// All targets.
pub const TARGETS: [Target; 3] = [
    ("answer", replies::check, seeds::answer),
    ("views", views::check, seeds::views),
    ("framing", streams::check, seeds::framing),
];
