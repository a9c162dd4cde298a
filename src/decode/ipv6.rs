//! IPv6 and its extension headers (RFC 8200), the authentication header (RFC 4302), and the dispatch
//! on the protocol number that both IP versions share.

use std::net::{IpAddr, Ipv6Addr};

use super::{
    Anomaly, Fragment, Layer, Network, StopReason, Transport, TunnelKind,
    walk::{Next, Walk},
};

/// Bytes of the fixed header.
const HEADER: usize = 40;

/// IP protocol numbers (IANA).
pub(super) mod protocol {
    pub const HOP_BY_HOP: u8 = 0;
    pub const ICMP: u8 = 1;
    pub const IPV4: u8 = 4;
    pub const TCP: u8 = 6;
    pub const UDP: u8 = 17;
    pub const IPV6: u8 = 41;
    pub const ROUTING: u8 = 43;
    pub const FRAGMENT: u8 = 44;
    pub const GRE: u8 = 47;
    pub const ENCRYPTED: u8 = 50;
    pub const AUTHENTICATION: u8 = 51;
    pub const ICMPV6: u8 = 58;
    pub const NO_NEXT: u8 = 59;
    pub const DESTINATION_OPTIONS: u8 = 60;
    pub const SCTP: u8 = 132;
    pub const MOBILITY: u8 = 135;
    pub const HOST_IDENTITY: u8 = 139;
    pub const SHIM6: u8 = 140;
}

impl Walk<'_> {
    pub(super) fn ipv6(&mut self) -> Next {
        self.enter(Layer::Ipv6);
        match self.peek::<1>() {
            Some([first]) if first >> 4 != 6 => return self.stop_malformed(),
            _ => {}
        }
        let Some(header) = self.peek::<HEADER>() else { return self.stop_cut() };
        let payload_length = usize::from(u16::from_be_bytes([header[4], header[5]]));
        let next = header[6];
        let address = |start: usize| {
            let bytes = header.get(start..).and_then(|bytes| bytes.first_chunk::<16>());
            IpAddr::V6(Ipv6Addr::from(bytes.copied().unwrap_or_default()))
        };
        self.found_network(Network {
            source: address(8),
            destination: address(24),
            protocol: next,
            ttl: header[7],
            fragment: None,
        });
        let _ = self.skip(HEADER);
        // 0 stands for a jumbogram (RFC 2675) or segmentation offload: then the packet is all there is.
        if payload_length != 0 || next == protocol::NO_NEXT {
            self.limit_ip(payload_length);
        }
        Next::IpProtocol(next)
    }

    /// What a protocol number announces: a transport, an extension header, or another packet.
    pub(super) fn ip_protocol(&mut self, number: u8) -> Next {
        let mut over_ipv6 = false;
        if let Some(network) = &mut self.out.network {
            network.protocol = number;
            over_ipv6 = network.source.is_ipv6();
        }
        match number {
            protocol::TCP => return self.tcp(),
            protocol::UDP => return self.udp(),
            protocol::ICMP if !over_ipv6 => return self.icmp(),
            protocol::ICMPV6 if over_ipv6 => return self.icmp(),
            protocol::SCTP => return self.sctp(),
            protocol::AUTHENTICATION => return self.authentication(),
            protocol::HOP_BY_HOP
            | protocol::ROUTING
            | protocol::DESTINATION_OPTIONS
            | protocol::MOBILITY
            | protocol::HOST_IDENTITY
            | protocol::SHIM6
                if over_ipv6 =>
            {
                return self.extension(number);
            }
            protocol::FRAGMENT if over_ipv6 => return self.fragment_header(),
            _ => {}
        }
        self.out.transport = Transport::Other { payload: self.rest() };
        match number {
            protocol::GRE => self.gre(TunnelKind::Gre),
            protocol::IPV4 => {
                self.enter(Layer::Ipv4);
                let kind = if over_ipv6 { TunnelKind::FourInSix } else { TunnelKind::IpInIp };
                self.open_tunnel(kind).map_or(Next::Done, |()| Next::Ipv4)
            }
            protocol::IPV6 => {
                self.enter(Layer::Ipv6);
                let kind = if over_ipv6 { TunnelKind::IpInIp } else { TunnelKind::SixInFour };
                self.open_tunnel(kind).map_or(Next::Done, |()| Next::Ipv6)
            }
            protocol::ENCRYPTED => self.stop(StopReason::Encrypted),
            // Any other transport is whole as it is: there is nothing that could not be read.
            _ => Next::Done,
        }
    }

    /// An extension header of the common form: next header, and length in eights of bytes beyond the
    /// first eight.
    fn extension(&mut self, number: u8) -> Next {
        self.enter(Layer::Ipv6Extension);
        let Some([next, length]) = self.peek::<2>() else { return self.stop_cut() };
        let length = (usize::from(length) + 1) * 8;
        if length > self.wire_rest() {
            self.flag(Anomaly::LengthTooLong);
            return self.stop_malformed();
        }
        // A route with segments left, or a home address among the options, puts an address into the
        // pseudo header that is not the header's (RFC 8200 section 8.1, RFC 6275 section 6.3).
        if matches!(number, protocol::ROUTING | protocol::DESTINATION_OPTIONS) {
            self.pseudo_header_known = false;
        }
        if self.skip(length).is_none() {
            return self.stop_cut();
        }
        Next::IpProtocol(next)
    }

    /// The authentication header: its length is in fours of bytes, beyond the first eight.
    fn authentication(&mut self) -> Next {
        self.enter(Layer::Ipv6Extension);
        let Some([next, length]) = self.peek::<2>() else { return self.stop_cut() };
        let length = (usize::from(length) + 2) * 4;
        if length > self.wire_rest() {
            self.flag(Anomaly::LengthTooLong);
            return self.stop_malformed();
        }
        if self.skip(length).is_none() {
            return self.stop_cut();
        }
        Next::IpProtocol(next)
    }

    /// The fragment header. An "atomic" fragment, which is a whole packet (RFC 6946), goes on at once.
    fn fragment_header(&mut self) -> Next {
        self.enter(Layer::Ipv6Extension);
        let Some([next, _, high, low, id @ ..]) = self.peek::<8>() else { return self.stop_cut() };
        let place = u16::from_be_bytes([high, low]);
        if place & 0x0006 != 0 {
            self.flag(Anomaly::ReservedBits);
        }
        let (offset, more) = (u32::from(place & 0xfff8), place & 1 != 0);
        let _ = self.skip(8);
        if offset == 0 && !more {
            return Next::IpProtocol(next);
        }
        let length = u32::try_from(self.wire_rest()).unwrap_or(u32::MAX);
        if let Some(network) = &mut self.out.network {
            network.protocol = next;
            network.fragment = Some(Fragment { id: u32::from_be_bytes(id), offset, more, length });
        }
        self.out.transport = Transport::Fragment { payload: self.rest() };
        Next::Done
    }
}

/// Whether `bytes` start with an IPv6 header whose length fits into the `wire_length` bytes around it.
pub(super) fn fits(bytes: &[u8], wire_length: usize) -> bool {
    bytes.first_chunk().is_some_and(|&[first, _, _, _, high, low]| {
        let payload_length = usize::from(u16::from_be_bytes([high, low]));
        first >> 4 == 6 && HEADER + payload_length <= wire_length
    })
}
