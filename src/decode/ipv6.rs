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
    pub const ETHERIP: u8 = 97;
    pub const SCTP: u8 = 132;
    pub const MOBILITY: u8 = 135;
    pub const MPLS: u8 = 137;
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
            protocol::MPLS => {
                self.enter(Layer::Mpls);
                self.open_tunnel(TunnelKind::MplsInIp).map_or(Next::Done, |()| Next::Mpls)
            }
            protocol::ETHERIP => self.etherip(),
            protocol::ENCRYPTED => self.stop(StopReason::Encrypted),
            // Any other transport is whole as it is: there is nothing that could not be read.
            _ => Next::Done,
        }
    }

    /// Version 3 and twelve reserved bits, then an Ethernet frame (RFC 3378).
    fn etherip(&mut self) -> Next {
        self.enter(Layer::EtherIp);
        let Some([version, _]) = self.peek::<2>() else { return self.stop_cut() };
        if version >> 4 != 3 {
            return self.stop_malformed();
        }
        if self.open_tunnel(TunnelKind::EtherIp).is_none() {
            return Next::Done;
        }
        let _ = self.skip(2);
        Next::Ethernet
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

/// How long the packet is that starts with `bytes`, if they look like an IPv6 header.
pub(super) fn claimed_length(bytes: &[u8]) -> Option<usize> {
    let &[first, _, _, _, high, low] = bytes.first_chunk()?;
    (first >> 4 == 6).then_some(HEADER + usize::from(u16::from_be_bytes([high, low])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{
        Decoded, LinkType, Stop, decode,
        frames::{CHECKED, CLIENT6, SERVER6, ethernet, inner_ipv6, ipv6, join, read, udp, udp_of},
    };

    const EIGHT: [u8; 6] = [1, 4, 0, 0, 0, 0];

    /// A UDP datagram with its right checksum, behind `extensions`.
    fn behind(first: u8, extensions: &[u8]) -> Vec<u8> {
        let datagram = inner_ipv6().split_off(HEADER);
        ipv6(first, &join(&[extensions, &datagram]))
    }

    fn assert_query(decoded: &Decoded<'_>) {
        assert_eq!(udp_of(decoded).payload, b"query");
        let network = decoded.network.expect("a network");
        assert_eq!((network.source, network.destination), (IpAddr::from(CLIENT6), IpAddr::from(SERVER6)));
        assert_eq!((network.protocol, network.fragment), (17, None));
        assert!(decoded.anomalies.is_empty() && decoded.stop.is_none(), "{decoded:?}");
    }

    #[test]
    fn every_extension_header_is_read_over() {
        for number in [0, 43, 60, 135, 139, 140] {
            assert_query(&read(LinkType::RAW, &behind(number, &join(&[&[17, 0], &EIGHT]))));
            let of_24 = join(&[&[17, 2], &[0; 22]]);
            assert_query(&read(LinkType::RAW, &behind(number, &of_24)));
        }
        // The authentication header counts otherwise.
        assert_query(&read(LinkType::RAW, &behind(51, &join(&[&[17, 4], &[0; 22]]))));
        let chain = join(&[&[43, 0], &EIGHT, &[44, 0], &EIGHT, &[60, 0, 0, 0, 0, 0, 0, 9], &[17, 0], &EIGHT]);
        assert_query(&read(LinkType::RAW, &behind(0, &chain)));
    }

    #[test]
    fn a_chain_without_end_ends() {
        let chain = join(&[&[60, 0], &EIGHT]).repeat(100);
        let packet = ipv6(60, &chain);
        let decoded = read(LinkType::RAW, &packet);
        assert_eq!(decoded.stop.map(|stop| stop.reason), Some(StopReason::TooDeep));
        assert!(decoded.anomalies.has(Anomaly::LayersTooMany));
    }

    #[test]
    fn fragments_but_not_atomic_ones() {
        assert_query(&read(LinkType::RAW, &behind(44, &[17, 0, 0, 0, 1, 2, 3, 4])));
        let packet = ipv6(0, &join(&[&[44, 0], &EIGHT, &[60, 0, 0x05, 0xa9, 1, 2, 3, 4], b"12345678"]));
        let decoded = read(LinkType::RAW, &packet);
        let network = decoded.network.expect("a network");
        let fragment = Fragment { id: 0x0102_0304, offset: 1448, more: true, length: 8 };
        assert_eq!((network.protocol, network.fragment), (60, Some(fragment)));
        assert_eq!(decoded.transport, Transport::Fragment { payload: b"12345678" });
    }

    #[test]
    fn lengths() {
        // No length, as segmentation offload and jumbograms leave it.
        let mut packet = inner_ipv6();
        packet[4..6].copy_from_slice(&[0, 0]);
        assert_query(&read(LinkType::RAW, &packet));
        // Padding.
        let mut frame = ethernet(0x86dd, &ipv6(59, &[]));
        frame.extend([0xaa; 6]);
        let decoded = read(LinkType::ETHERNET, &frame);
        assert_eq!(decoded.transport, Transport::Other { payload: &[] });
        // An extension header that is longer than the packet.
        let decoded_reason = |payload: &[u8]| {
            let packet = ipv6(60, payload);
            let decoded = read(LinkType::RAW, &packet);
            assert!(decoded.anomalies.has(Anomaly::LengthTooLong));
            decoded.stop
        };
        let malformed = Stop { layer: Layer::Ipv6Extension, offset: 40, reason: StopReason::Malformed };
        assert_eq!(decoded_reason(&join(&[&[17, 1], &EIGHT])), Some(malformed));
    }

    #[test]
    fn a_cut_extension_header_still_tells_the_addresses() {
        let packet = behind(0, &join(&[&[17, 0], &EIGHT]));
        let decoded = decode(LinkType::RAW, &packet[..44], packet.len() as u32, &CHECKED);
        assert_eq!(decoded.network.map(|network| network.source), Some(CLIENT6.into()));
        let cut = Stop { layer: Layer::Ipv6Extension, offset: 40, reason: StopReason::Cut };
        assert_eq!(decoded.stop, Some(cut));
    }

    #[test]
    fn a_missing_checksum_is_wrong_but_for_tunnels() {
        let missing = ipv6(17, &udp(40_000, 53, b"query"));
        assert!(read(LinkType::RAW, &missing).has_wrong_checksum());
        let vxlan = join(&[&[8, 0, 0, 0, 0, 0, 7, 0], &ethernet(0x86dd, &inner_ipv6())]);
        let tunnel = ipv6(17, &udp(40_000, 4789, &vxlan));
        assert_query(&read(LinkType::RAW, &tunnel));
        // A routing header hides the last address, without which there is nothing to verify.
        let mut routed = behind(43, &join(&[&[17, 0], &EIGHT]));
        routed[HEADER + 8 + 6] ^= 1;
        assert_query(&read(LinkType::RAW, &routed));
    }
}
