#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| callhome::protocol::http::fuzz_http_stream(data));
