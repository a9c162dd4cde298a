//! IP addresses in whole words.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IP address as tables hold and compare it.
///
/// [`IpAddr`] keeps its octets at odd places of memory. Where one was written byte by byte a moment ago, reading it in
/// larger pieces waits until the writing is done, which for every message costs more than the comparison does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AddressWords {
    /// Whether it is IPv6, mapped ones (RFC 4291 section 2.5.5.2) too.
    is_v6: bool,
    /// The upper half of IPv6.
    high: u64,
    /// The lower half of IPv6, or IPv4.
    low: u64,
}

impl AddressWords {
    /// The IPv4 address with these bits.
    #[inline]
    pub const fn v4(bits: u32) -> Self {
        Self { is_v6: false, high: 0, low: bits as u64 }
    }

    /// The IPv6 address with these bits.
    #[inline]
    pub const fn v6(bits: u128) -> Self {
        Self { is_v6: true, high: (bits >> 64) as u64, low: bits as u64 }
    }

    /// Whether it is IPv6.
    #[inline]
    pub const fn is_v6(&self) -> bool {
        self.is_v6
    }

    /// The bits of an IPv4 address; `None` of IPv6.
    #[inline]
    pub const fn v4_bits(&self) -> Option<u32> {
        if self.is_v6 { None } else { Some(self.low as u32) }
    }

    /// Its bits: 128 of IPv6, 32 of IPv4.
    #[inline]
    pub const fn bits(&self) -> u128 {
        (self.high as u128) << 64 | self.low as u128
    }

    /// The same as two words, the upper one first.
    #[inline]
    pub const fn words(&self) -> [u64; 2] {
        [self.high, self.low]
    }
}

impl From<IpAddr> for AddressWords {
    #[inline]
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::v4(address.to_bits()),
            IpAddr::V6(address) => Self::v6(address.to_bits()),
        }
    }
}

impl From<AddressWords> for IpAddr {
    #[inline]
    fn from(address: AddressWords) -> Self {
        match address.v4_bits() {
            Some(bits) => Self::V4(Ipv4Addr::from_bits(bits)),
            None => Self::V6(Ipv6Addr::from_bits(address.bits())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_back_as_they_were() {
        for text in ["0.0.0.0", "192.0.2.1", "::", "::192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1:2"] {
            let address: IpAddr = text.parse().unwrap();
            let words = AddressWords::from(address);
            assert_eq!(IpAddr::from(words), address);
            assert_eq!(words.is_v6(), address.is_ipv6());
        }
    }
}
