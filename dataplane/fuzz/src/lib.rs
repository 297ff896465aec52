//! Fuzz targets for what strangers send to the data plane. What must hold is in `../tests/hostile`, which the ordinary
//! tests use too; docs/fuzzing.md says how to run this.

#[path = "../../tests/hostile/mod.rs"]
pub mod hostile;

/// Declares a fuzz target of a function.
#[macro_export]
macro_rules! target {
    ($check:path) => {
        libfuzzer_sys::fuzz_target!(|input: &[u8]| $check(input));
    };
}
