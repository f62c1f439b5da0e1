#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| interlock_fuzz_targets::catalogs(input));
