//! NTP, client and server (RFC 5905, 48 bytes each).

use crate::stage::Nanos;

/// Seconds between 1900 and 1970.
const ERA: i64 = 2_208_988_800;

/// A request as systemd-timesyncd sends it: version 4, client.
pub fn request(at: Nanos) -> Vec<u8> {
    let mut message = vec![0x23];
    message.resize(40, 0);
    message.extend_from_slice(&timestamp(at));
    message
}

/// The answer of a stratum 2 server.
pub fn response(request: &[u8], at: Nanos) -> Vec<u8> {
    // Stratum 2, poll 2^6 s, precision 2^-25 s, root delay and dispersion of some milliseconds, reference.
    let mut message = vec![0x24, 2, 6, 0xe7, 0, 0, 1, 0x20, 0, 0, 0, 0x90, 198, 51, 100, 123];
    message.extend_from_slice(&timestamp(at - 17_000_000_000));
    message.extend_from_slice(&request[40..48]);
    message.extend_from_slice(&timestamp(at - 2_000_000));
    message.extend_from_slice(&timestamp(at - 1_900_000));
    message
}

fn timestamp(at: Nanos) -> [u8; 8] {
    let seconds = (at.div_euclid(1_000_000_000) + ERA) as u64;
    let fraction = ((at.rem_euclid(1_000_000_000) as u64) << 32) / 1_000_000_000;
    ((seconds << 32) | fraction).to_be_bytes()
}
