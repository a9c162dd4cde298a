#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| callhome::indicator::fuzz::fuzz_rules(data));
