#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| callhome::protocol::tls::fuzz::fuzz_tls_stream(data));
