//! The Internet checksum (RFC 1071) and the pseudo headers of TCP and UDP.

use std::net::IpAddr;

use super::ipv6::protocol;

/// The checksum over `bytes`; 0 when they hold their own checksum and it is right.
pub(super) fn of(bytes: &[u8]) -> u16 {
    !fold(sum(bytes)).swap_bytes()
}

/// Whether the checksum of an IPv4 header without options is right: [`of`] for the one length that matters.
#[inline]
pub(super) fn is_right(header: &[u8; 20]) -> bool {
    let &[a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t] = header;
    let (sum, carry) = u64::from_ne_bytes([a, b, c, d, e, f, g, h])
        .overflowing_add(u64::from_ne_bytes([i, j, k, l, m, n, o, p]));
    let last = u64::from(u32::from_ne_bytes([q, r, s, t])) + u64::from(carry);
    // The halves of the sum, so that nothing is carried away.
    fold((sum >> 32) + (sum & 0xffff_ffff) + last) == 0xffff
}

/// Whether the checksum of a TCP segment or UDP datagram (header and payload) is wrong, between addresses of which
/// this is the [`sum`]. It is right also where it was left to the network card: then the field holds the sum of the
/// pseudo header alone, which is how a packet looks that was captured before it left the host that made it.
#[inline]
pub(super) fn is_wrong(addresses: u64, is_v6: bool, protocol: u8, segment: &[u8]) -> bool {
    let at = if protocol == protocol::TCP { 16 } else { 6 };
    let field = crate::bytes::u16_at(segment, at);
    if protocol == protocol::UDP && field == Some(0) {
        // Without a checksum there is nothing to verify; IPv6 forbids that for all but tunnels (RFC 6935).
        return is_v6;
    }
    let pseudo = pseudo(addresses, protocol, segment);
    fold(pseudo + sum(segment)) != 0xffff && field.map(u16::swap_bytes) != Some(fold(pseudo))
}

/// The sum of the pseudo header, of whose addresses it is known.
#[inline]
fn pseudo(addresses: u64, protocol: u8, segment: &[u8]) -> u64 {
    // Words in network order, which the sum takes the other way round.
    addresses + (u64::from(protocol) << 8) + u64::from((segment.len() as u32).swap_bytes())
}

/// What an address adds to the sum.
pub(super) fn sum_address(address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(address) => sum(&address.octets()),
        IpAddr::V6(address) => sum(&address.octets()),
    }
}

/// The sum of the 16-bit words, folded to 16 bits; a last odd byte counts as a high one.
///
/// It is taken over words of 64 bits and with the bytes of each word turned round, as is the result: that gives
/// the same (RFC 1071 section 2). The last bytes are read with those before them, for a branch on how many they are
/// is guessed wrong for most segments.
#[inline]
pub(super) fn sum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut wide = words.iter().map(|&word| u128::from(u64::from_le_bytes(word))).sum::<u128>();
    let last = match bytes.last_chunk::<8>() {
        Some(last) => u64::from_le_bytes(*last) >> 1 >> (63 - 8 * rest.len()),
        None => rest.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte)),
    };
    wide += u128::from(last);
    let (total, carry) = (wide as u64).overflowing_add((wide >> 64) as u64);
    // All ones at most, and then without a carry.
    u64::from(fold(total + u64::from(carry)))
}

/// Adds the carries until 16 bits are left.
#[inline]
fn fold(sum: u64) -> u16 {
    // At most 2^33, then 2^18, 2^16 + 2 and 2^16 - 1.
    let sum = (sum & 0xffff_ffff) + (sum >> 32);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    ((sum & 0xffff) + (sum >> 16)) as u16
}

/// The checksum of a segment whose checksum field is zero, for frames that tests build.
#[cfg(test)]
pub(super) fn for_tests(source: IpAddr, destination: IpAddr, protocol: u8, segment: &[u8]) -> u16 {
    let ends = sum_address(source) + sum_address(destination);
    !fold(pseudo(ends, protocol, segment) + sum(segment)).swap_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_1071() {
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(fold(sum(&bytes)), 0xddf2_u16.swap_bytes());
        assert_eq!(of(&bytes), !0xddf2);
    }

    #[test]
    fn sums_of_any_length_are_those_of_words_of_16_bits() {
        let bytes: Vec<u8> =
            (0..200_u32).map(|at| if at < 64 { 0xff } else { ((at * 37) >> 1) as u8 }).collect();
        for start in 0..9 {
            for end in start..bytes.len() {
                let part = &bytes[start..end];
                let words = part.chunks(2).map(|pair| {
                    u64::from(pair[0]) << 8 | u64::from(pair.get(1).copied().unwrap_or_default())
                });
                assert_eq!(fold(sum(part)).swap_bytes(), fold(words.sum()), "{start}..{end}");
            }
        }
    }

    #[test]
    fn an_odd_last_byte_is_a_high_one() {
        assert_eq!(fold(sum(&[1, 2, 3])).swap_bytes(), 0x0102 + 0x0300);
    }
}
