#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| callhome::event::fuzz::fuzz_event(data));
