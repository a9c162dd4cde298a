#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| callhome::flow::fuzz_reassembly(data));
