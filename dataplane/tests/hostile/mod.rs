//! What must hold whatever strangers send. The fuzz targets in `dataplane/fuzz` and the tests beside this folder call the
//! same functions: the fuzzer looks for inputs, the tests try again those that it found worth keeping.
//!
//! Each function takes one input, and panics if something does not hold.

pub(crate) mod reference;
pub(crate) mod replies;
pub(crate) mod seeds;
pub(crate) mod streams;
pub(crate) mod upstream;
pub(crate) mod views;
pub(crate) mod walk;
pub(crate) mod world;

/// Name, what it checks, inputs to begin with.
pub(crate) type Target = (&'static str, fn(&[u8]), fn() -> Vec<Vec<u8>>);

/// All targets.
pub(crate) const TARGETS: [Target; 4] = [
    ("answer", replies::check, seeds::answer),
    ("views", views::check, seeds::views),
    ("framing", streams::check, seeds::framing),
    ("upstream", upstream::check, upstream::seeds),
];
