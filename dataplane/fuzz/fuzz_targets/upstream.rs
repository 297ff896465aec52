#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| dnsplane_fuzz::check("upstream", input));
