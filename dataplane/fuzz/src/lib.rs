//! Fuzz targets for what strangers send to the data plane. What must hold is in `../tests/hostile`, which the ordinary
//! tests use too; docs/fuzzing.md says how to run this.

#[path = "../../tests/hostile/mod.rs"]
mod hostile;

/// Panics if something does not hold for this input of a target.
pub fn check(target: &str, input: &[u8]) {
    let (_, check, _) = hostile::TARGETS.iter().find(|(name, ..)| *name == target).expect("a target of this name");
    check(input);
}
