//! What follows from an address alone: whose it is, how far away it looks, which MAC answers for it.

use std::net::IpAddr;

/// An Ethernet address.
pub type Mac = [u8; 6];

/// The router through which everything beyond the home networks is reached.
const GATEWAY: Mac = [0x02, 0, 0, 0, 0, 0x01];

/// Whether the address is one of the network under watch (RFC 1918, RFC 6598, unique local, link-local hosts).
pub fn is_home(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            v4.is_private() || (v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64) || v4.is_loopback()
        }
        IpAddr::V6(v6) => v6.segments()[0] & 0xfe00 == 0xfc00 || v6.segments()[0] == 0xfe80,
    }
}

/// The MAC of a frame from or to this address: its own at home, else the gateway's, or the group's.
pub fn mac(address: IpAddr) -> Mac {
    match address {
        IpAddr::V4(v4) if v4.is_multicast() => {
            let [_, b, c, d] = v4.octets();
            [0x01, 0x00, 0x5e, b & 0x7f, c, d]
        }
        IpAddr::V6(v6) if v6.is_multicast() => {
            let o = v6.octets();
            [0x33, 0x33, o[12], o[13], o[14], o[15]]
        }
        _ if !is_home(address) => GATEWAY,
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            [0x02, 0x00, a, b, c, d]
        }
        IpAddr::V6(v6) => {
            let o = v6.octets();
            [0x02, 0x06, o[12], o[13], o[14], o[15]]
        }
    }
}

/// The TTL that packets of this address show at the capture point: 64 at home, some hops less from afar.
pub fn ttl(address: IpAddr) -> u8 {
    let last = match address {
        IpAddr::V4(v4) if v4.is_multicast() || v4.is_link_local() => return 64,
        IpAddr::V4(v4) => v4.octets()[3],
        IpAddr::V6(v6) => v6.octets()[15],
    };
    if is_home(address) { 64 } else { 44 + last % 12 }
}
