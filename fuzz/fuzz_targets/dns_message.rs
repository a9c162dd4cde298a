#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| callhome::protocol::dns::fuzz::fuzz_dns_message(data));
