//! The Internet checksum (RFC 1071) and the pseudo-headers that TCP, UDP and ICMPv6 add to it.

use std::net::IpAddr;

/// The checksum of `bytes`, ready to be stored in network byte order.
pub fn internet(bytes: &[u8]) -> u16 {
    !fold(sum(0, bytes))
}

/// The checksum of a transport message, pseudo-header included (RFC 9293 section 3.1, RFC 8200 section 8.1).
pub fn transport(source: IpAddr, target: IpAddr, protocol: u8, message: &[u8]) -> u16 {
    let mut total = 0;
    for address in [source, target] {
        total = match address {
            IpAddr::V4(address) => sum(total, &address.octets()),
            IpAddr::V6(address) => sum(total, &address.octets()),
        };
    }
    total = sum(total, &(message.len() as u32).to_be_bytes());
    total = sum(total, &[0, protocol]);
    !fold(sum(total, message))
}

fn sum(start: u64, bytes: &[u8]) -> u64 {
    bytes.chunks(2).fold(start, |total, pair| {
        total + (u64::from(pair[0]) << 8) + pair.get(1).map_or(0, |low| u64::from(*low))
    })
}

fn fold(mut total: u64) -> u16 {
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    total as u16
}

#[cfg(test)]
mod tests {
    use super::internet;

    #[test]
    fn the_example_of_rfc_1071_sums_as_it_says() {
        assert_eq!(internet(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
    }

    #[test]
    fn an_odd_last_byte_counts_as_the_high_half() {
        assert_eq!(internet(&[0x12]), !0x1200);
    }
}
