#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| callhome::protocol::quic::fuzz::fuzz_quic_frames(data));
