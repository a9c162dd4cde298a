#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| callhome::source::fuzz::fuzz_borders(data));
