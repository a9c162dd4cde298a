//! Who talks to whom in the loads. Servers stand in networks set aside for benchmarks (RFC 2544) and
//! documentation, so that nothing here points at anybody.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A client of ours.
pub fn client(number: u64, is_v6: bool) -> IpAddr {
    if is_v6 {
        IpAddr::V6(Ipv6Addr::new(0xfd00, 0xca11, 0, (number >> 16) as u16, 0, 0, 0, number as u16))
    } else {
        IpAddr::V4(Ipv4Addr::from(0x0a10_0000 + number as u32))
    }
}

/// The resolver that the clients of a subnet ask.
pub fn resolver(number: u64, is_v6: bool) -> IpAddr {
    if is_v6 {
        IpAddr::V6(Ipv6Addr::new(0xfd00, 0xca11, 0, 0xffff, 0, 0, 0, 53 + (number % 2) as u16))
    } else {
        IpAddr::V4(Ipv4Addr::new(10, 255, 0, 2 + (number % 2) as u8))
    }
}

/// A server on the Internet.
pub fn server(number: u64, is_v6: bool) -> IpAddr {
    if is_v6 {
        IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0x5e, (number >> 16) as u16, 0, 0, 0, number as u16))
    } else {
        IpAddr::V4(Ipv4Addr::from(0xc612_0000 + (number % (1 << 17)) as u32))
    }
}
