#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| callhome::decode::fuzz::fuzz_decode(data));
