//! Inputs that the fuzzer found worth keeping, tried again: what held once holds still. How to look for more is in
//! docs/fuzzing.md.

mod hostile;

use hostile::TARGETS;
use std::{fs, path::Path};

/// The corpus of a target: one input a line, in hexadecimal.
fn kept(target: &str) -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(target).with_extension("hex");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let octet = |digits: &[u8]| u8::from_str_radix(str::from_utf8(digits).expect("text"), 16).expect("hexadecimal");
    text.lines().map(|line| line.as_bytes().chunks(2).map(octet).collect()).collect()
}

#[test]
fn what_held_for_every_kept_input_holds_still() {
    for (target, check, _) in TARGETS {
        let inputs = kept(target);
        assert!(inputs.len() > 50, "{target}: only {} inputs", inputs.len());
        for (line, input) in inputs.iter().enumerate() {
            let held = std::panic::catch_unwind(|| check(input));
            assert!(held.is_ok(), "tests/corpus/{target}.hex line {}", line + 1);
        }
    }
}

#[test]
fn what_must_hold_holds_for_the_inputs_that_the_fuzzer_begins_with() {
    for (target, check, seeds) in TARGETS {
        for input in seeds() {
            let held = std::panic::catch_unwind(|| check(&input));
            assert!(held.is_ok(), "{target}: {input:02x?}");
        }
    }
}
