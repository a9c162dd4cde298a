//! The headers that capturing systems put in place of a link layer: loopback families, Linux cooked
//! captures, netfilter logs, Apple's packet tap, and what stood before IEEE 802.11 frames besides radiotap.

use super::{
    Layer, LinkType, StopReason,
    walk::{Next, Walk},
};

/// Attributes of a netfilter log message that are looked at (the kernel writes about a dozen).
const NFLOG_ATTRIBUTES: usize = 64;

/// How the version of an AVS header begins, but for the digits that number it.
const AVS_MAGIC: [u8; 3] = [0x80, 0x21, 0x10];

impl Walk<'_> {
    /// How a frame of this link type begins.
    pub(super) fn link(&mut self, link: LinkType) -> Next {
        match link {
            LinkType::ETHERNET => Next::Ethernet,
            LinkType::RAW | LinkType::RAW_12 | LinkType::RAW_14 => Next::Ip,
            LinkType::IPV4 => Next::Ipv4,
            LinkType::IPV6 => Next::Ipv6,
            LinkType::NULL => self.family(Layer::Null),
            LinkType::LOOP => self.family(Layer::Loop),
            LinkType::PPP => Next::Ppp,
            LinkType::PPP_HDLC => self.ppp_or_cisco_hdlc(),
            LinkType::PPP_ETHER => Next::Pppoe,
            LinkType::CISCO_HDLC => Next::CiscoHdlc,
            LinkType::IEEE802_11 => Next::Ieee80211,
            LinkType::IEEE802_11_RADIOTAP => self.radiotap(),
            LinkType::IEEE802_11_PRISM => self.prism(),
            LinkType::IEEE802_11_AVS => self.avs(),
            LinkType::PPI => self.per_packet_information(),
            LinkType::PPP_WITH_DIRECTION => self.directed_ppp(),
            LinkType::FRAME_RELAY => self.frame_relay(),
            LinkType::LINUX_SLL => self.linux_sll(),
            LinkType::LINUX_SLL2 => self.linux_sll2(),
            LinkType::NFLOG => self.nflog(),
            LinkType::PKTAP => self.pktap(),
            LinkType(other) => self.stop(StopReason::UnsupportedLink(other)),
        }
    }

    /// A loopback's address family, in either byte order: NULL has the capturing host's, and files
    /// travel; LOOP has the network's.
    fn family(&mut self, layer: Layer) -> Next {
        self.enter(layer);
        let Some(field) = self.peek::<4>() else { return self.stop_cut() };
        let _ = self.skip(4);
        let [_, _, high, low] = field;
        // Families are small numbers, so that one order gives a small one and the other does not.
        let family = u16::try_from(u32::from_be_bytes(field)).or(u16::try_from(u32::from_le_bytes(field)));
        match family {
            Ok(2) => Next::Ipv4,
            // AF_INET6 of Linux, Windows, NetBSD/OpenBSD, FreeBSD and macOS.
            Ok(10 | 23 | 24 | 28 | 30) => Next::Ipv6,
            Ok(other) => self.stop(StopReason::NotIp(other)),
            // Some systems write a header of the same length that ends in an EtherType.
            Err(_) => Next::EtherType(u16::from_be_bytes([high, low])),
        }
    }

    /// Packet type, ARPHRD type, address length, address (8), protocol.
    fn linux_sll(&mut self) -> Next {
        self.enter(Layer::LinuxSll);
        let Some(header) = self.peek::<16>() else { return self.stop_cut() };
        let _ = self.skip(16);
        self.cooked(u16::from_be_bytes([header[2], header[3]]), u16::from_be_bytes([header[14], header[15]]))
    }

    /// Protocol, reserved, interface (4), ARPHRD type, packet type, address length, address (8).
    fn linux_sll2(&mut self) -> Next {
        self.enter(Layer::LinuxSll2);
        let Some(header) = self.peek::<20>() else { return self.stop_cut() };
        let _ = self.skip(20);
        self.cooked(u16::from_be_bytes([header[8], header[9]]), u16::from_be_bytes([header[0], header[1]]))
    }

    /// What the protocol field of a cooked capture means, which depends on the interface's ARPHRD type.
    fn cooked(&mut self, hardware: u16, protocol: u16) -> Next {
        const ARPHRD_IEEE80211: u16 = 801;
        const ARPHRD_IEEE80211_RADIOTAP: u16 = 803;
        const ARPHRD_NETLINK: u16 = 824;
        /// Linux's own numbers below the EtherTypes: frames of any protocol (Ethernet), 802.2.
        const PROTOCOL_ALL: u16 = 0x0003;
        const PROTOCOL_802_2: u16 = 0x0004;

        match (hardware, protocol) {
            (ARPHRD_NETLINK, _) => self.stop(StopReason::NotIp(protocol)),
            (ARPHRD_IEEE80211, _) => Next::Ieee80211,
            (ARPHRD_IEEE80211_RADIOTAP, _) => Next::Link(LinkType::IEEE802_11_RADIOTAP),
            (_, PROTOCOL_ALL) => Next::Ethernet,
            (_, PROTOCOL_802_2) => Next::Llc,
            _ => Next::EtherType(protocol),
        }
    }

    /// Family, version, resource, then attributes of length, type and value, aligned to four bytes.
    ///
    /// Lengths and types are in the byte order of the capturing host, which nothing states; types are
    /// small numbers, so each attribute tells by itself.
    fn nflog(&mut self) -> Next {
        const PAYLOAD: u16 = 9;

        self.enter(Layer::Nflog);
        let Some([family, version, _, _]) = self.peek::<4>() else { return self.stop_cut() };
        if version != 0 {
            return self.stop_malformed();
        }
        let _ = self.skip(4);
        for _ in 0..NFLOG_ATTRIBUTES {
            let Some([a, b, c, d]) = self.peek::<4>() else { return self.stop_cut() };
            let (length, kind) = if c == 0 && d != 0 {
                (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
            } else {
                (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]))
            };
            let Some(value) = usize::from(length).checked_sub(4) else { return self.stop_malformed() };
            let _ = self.skip(4);
            if kind == PAYLOAD {
                self.limit(value);
                return match family {
                    2 => Next::Ipv4,
                    10 => Next::Ipv6,
                    // Logged by a bridge or by `netdev` rules: the payload still starts at the network layer.
                    _ => Next::Ip,
                };
            }
            if self.skip(value.next_multiple_of(4)).is_none() {
                return self.stop_cut();
            }
        }
        self.stop_malformed()
    }

    /// Message code, length of the whole (4 and 4), device, values. Drivers wrote it in their own byte order,
    /// and some an AVS header under this link type.
    fn prism(&mut self) -> Next {
        self.enter(Layer::Prism);
        let Some([a, b, c, _, length @ ..]) = self.peek::<8>() else { return self.stop_cut() };
        if [a, b, c & 0xf0] == AVS_MAGIC {
            return self.avs();
        }
        let length = u32::from_le_bytes(length).min(u32::from_be_bytes(length));
        self.before_ieee80211(length)
    }

    /// Version, length of the whole (4 and 4, in network byte order), values.
    fn avs(&mut self) -> Next {
        self.enter(Layer::Avs);
        let Some([a, b, c, _, length @ ..]) = self.peek::<8>() else { return self.stop_cut() };
        if [a, b, c & 0xf0] != AVS_MAGIC {
            return self.stop_malformed();
        }
        self.before_ieee80211(u32::from_be_bytes(length))
    }

    fn before_ieee80211(&mut self, length: u32) -> Next {
        match usize::try_from(length) {
            Ok(length) if length < 8 => self.stop_malformed(),
            Ok(length) if self.skip(length).is_some() => Next::Ieee80211,
            _ => self.stop_cut(),
        }
    }

    /// Version (0), flags, length of the whole (2), link type (4), all little-endian, then fields.
    fn per_packet_information(&mut self) -> Next {
        self.enter(Layer::Ppi);
        let Some([version, _, length_low, length_high, link @ ..]) = self.peek::<8>() else {
            return self.stop_cut();
        };
        let length = usize::from(u16::from_le_bytes([length_low, length_high]));
        let Ok(link) = u16::try_from(u32::from_le_bytes(link)) else { return self.stop_malformed() };
        if version != 0 || length < 8 {
            return self.stop_malformed();
        }
        if self.skip(length).is_none() {
            return self.stop_cut();
        }
        Next::Link(LinkType(link))
    }

    fn directed_ppp(&mut self) -> Next {
        self.enter(Layer::Ppp);
        self.skip(1).map_or_else(|| self.stop_cut(), |()| Next::Ppp)
    }

    /// Header length, record type (1 for a packet), link type, then what says more of the process; in
    /// the byte order of the host, which is little-endian on all that still capture so.
    fn pktap(&mut self) -> Next {
        self.enter(Layer::Pktap);
        let Some([a, b, c, d, _, _, _, _, e, f, g, h]) = self.peek::<12>() else { return self.stop_cut() };
        let (mut length, mut link) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
        if length > 0xffff {
            (length, link) = (length.swap_bytes(), link.swap_bytes());
        }
        let (Ok(length), Ok(link)) = (usize::try_from(length), u16::try_from(link)) else {
            return self.stop_malformed();
        };
        if length < 12 {
            return self.stop_malformed();
        }
        if self.skip(length).is_none() {
            return self.stop_cut();
        }
        Next::Link(LinkType(link))
    }
}

#[cfg(test)]
mod tests {
    use crate::decode::{
        Anomaly, Layer, LinkType, Stop, StopReason,
        frames::{assert_inner_ipv4, assert_inner_ipv6, ethernet, inner_ipv4, inner_ipv6, join, read},
    };

    #[test]
    fn loopback_families_in_both_byte_orders() {
        for header in [[2, 0, 0, 0], [0, 0, 0, 2]] {
            assert_inner_ipv4(&read(LinkType::NULL, &join(&[&header, &inner_ipv4()])));
            assert_inner_ipv4(&read(LinkType::LOOP, &join(&[&header, &inner_ipv4()])));
        }
        for family in [10, 23, 24, 28, 30] {
            for header in [[family, 0, 0, 0], [0, 0, 0, family]] {
                assert_inner_ipv6(&read(LinkType::NULL, &join(&[&header, &inner_ipv6()])));
            }
        }
        assert_inner_ipv4(&read(LinkType::NULL, &join(&[&[0x0f, 0, 8, 0], &inner_ipv4()])));
        let other = read(LinkType::NULL, &[7, 0, 0, 0, 1]);
        assert_eq!(other.stop, Some(Stop { layer: Layer::Null, offset: 0, reason: StopReason::NotIp(7) }));
    }

    #[test]
    fn raw_ip_by_version() {
        for link in [LinkType::RAW, LinkType::RAW_12, LinkType::RAW_14] {
            assert_inner_ipv4(&read(link, &inner_ipv4()));
            assert_inner_ipv6(&read(link, &inner_ipv6()));
        }
        assert_inner_ipv4(&read(LinkType::IPV4, &inner_ipv4()));
        assert_inner_ipv6(&read(LinkType::IPV6, &inner_ipv6()));
        let wrong = read(LinkType::IPV6, &inner_ipv4()).stop;
        assert_eq!(wrong, Some(Stop { layer: Layer::Ipv6, offset: 0, reason: StopReason::Malformed }));
        assert_eq!(read(LinkType::RAW, &[0x50]).stop.map(|stop| stop.reason), Some(StopReason::Malformed));
        assert_eq!(read(LinkType::RAW, &[]).stop.map(|stop| stop.reason), Some(StopReason::Cut));
    }

    #[test]
    fn cooked_captures_of_both_versions() {
        let sll = |hardware: u8, protocol: [u8; 2], payload: &[u8]| {
            let header = [0, 4, 0, hardware, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0];
            join(&[&header, &protocol, payload])
        };
        let sll2 = |hardware: u8, protocol: [u8; 2], payload: &[u8]| {
            let header = [0, 0, 0, 0, 0, 3, 0, hardware, 4, 6, 1, 2, 3, 4, 5, 6, 0, 0];
            join(&[&protocol, &header, payload])
        };
        let snap = join(&[&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0], &inner_ipv4()]);
        let tagged = join(&[&[0, 9, 8, 0], &inner_ipv4()]);
        for (protocol, payload) in [
            ([8, 0], inner_ipv4()),
            ([0, 3], ethernet(0x0800, &inner_ipv4())),
            ([0, 4], snap),
            ([0x81, 0], tagged),
        ] {
            assert_inner_ipv4(&read(LinkType::LINUX_SLL, &sll(1, protocol, &payload)));
            assert_inner_ipv4(&read(LinkType::LINUX_SLL2, &sll2(1, protocol, &payload)));
        }
        assert_inner_ipv6(&read(LinkType::LINUX_SLL2, &sll2(1, [0x86, 0xdd], &inner_ipv6())));
        let arp = sll2(1, [8, 6], &[0; 28]);
        let stop = Stop { layer: Layer::Arp, offset: 20, reason: StopReason::NotIp(0x0806) };
        assert_eq!(read(LinkType::LINUX_SLL2, &arp).stop, Some(stop));
    }

    #[test]
    fn netfilter_logs_in_both_byte_orders() {
        let four = inner_ipv4();
        let length = 4 + four.len() as u8;
        let prefix = [6, 0, 10, 0, b'a', 0, 0, 0];
        let little = join(&[&[2, 0, 0, 5], &prefix, &[length, 0, 9, 0], &four]);
        assert_inner_ipv4(&read(LinkType::NFLOG, &little));
        let prefix = [0, 6, 0, 10, b'a', 0, 0, 0];
        let big = join(&[&[2, 0, 0, 5], &prefix, &[0, length, 0, 9], &four]);
        assert_inner_ipv4(&read(LinkType::NFLOG, &big));
        // What follows the payload is not part of it.
        let more = join(&[&little, &[0; 3], &[8, 0, 3, 0, 0, 0, 0, 0]]);
        assert_inner_ipv4(&read(LinkType::NFLOG, &more));
        let no_payload = [2, 0, 0, 5, 8, 0, 3, 0, 0, 0, 0, 0];
        assert_eq!(read(LinkType::NFLOG, &no_payload).stop.map(|stop| stop.reason), Some(StopReason::Cut));
        let length_of_two = [2, 0, 0, 5, 2, 0, 3, 0];
        let stop = read(LinkType::NFLOG, &length_of_two).stop;
        assert_eq!(stop.map(|stop| stop.reason), Some(StopReason::Malformed));
    }

    #[test]
    fn packet_taps_name_the_link_type_inside() {
        let mut header = vec![0; 108];
        header[0] = 108;
        header[4] = 1;
        header[8] = 12;
        assert_inner_ipv4(&read(LinkType::PKTAP, &join(&[&header, &inner_ipv4()])));
        header[8] = 1;
        assert_inner_ipv6(&read(LinkType::PKTAP, &join(&[&header, &ethernet(0x86dd, &inner_ipv6())])));
        // Packet taps in packet taps end.
        header[0] = 12;
        header[8] = 2;
        header[9] = 1;
        let nested = header[..12].repeat(100);
        let decoded = read(LinkType::PKTAP, &nested);
        assert_eq!(decoded.stop.map(|stop| stop.reason), Some(StopReason::TooDeep));
        assert!(decoded.anomalies.has(Anomaly::LayersTooMany));
    }

    #[test]
    fn headers_before_wireless_frames() {
        let wireless =
            join(&[&[0x08, 1, 0, 0], &[2; 18], &[0, 0], &[0xaa, 0xaa, 3, 0, 0, 0, 8, 0], &inner_ipv4()]);
        let avs = join(&[&[0x80, 0x21, 0x10, 1, 0, 0, 0, 64], &[0; 56], &wireless]);
        assert_inner_ipv4(&read(LinkType::IEEE802_11_AVS, &avs));
        assert_inner_ipv4(&read(LinkType::IEEE802_11_PRISM, &avs));
        for length in [[144, 0, 0, 0], [0, 0, 0, 144]] {
            let prism = join(&[&[0x44, 0, 0, 0], &length, &[0; 136], &wireless]);
            assert_inner_ipv4(&read(LinkType::IEEE802_11_PRISM, &prism));
            assert_eq!(
                read(LinkType::IEEE802_11_AVS, &prism).stop.map(|stop| stop.reason),
                Some(StopReason::Malformed)
            );
        }
        let cut = read(LinkType::IEEE802_11_PRISM, &[0x44, 0, 0, 0, 144, 0, 0, 0, 1]).stop;
        assert_eq!(cut, Some(Stop { layer: Layer::Prism, offset: 0, reason: StopReason::Cut }));
        assert_inner_ipv4(&read(
            LinkType::PPI,
            &join(&[&[0, 0, 12, 0, 105, 0, 0, 0, 1, 2, 3, 4], &wireless]),
        ));
        let too_short = read(LinkType::PPI, &[0, 0, 7, 0, 105, 0, 0, 0]).stop;
        assert_eq!(too_short.map(|stop| stop.reason), Some(StopReason::Malformed));
    }

    #[test]
    fn ppp_behind_its_direction() {
        for direction in [0, 1] {
            let frame = join(&[&[direction, 0xff, 0x03, 0, 0x21], &inner_ipv4()]);
            assert_inner_ipv4(&read(LinkType::PPP_WITH_DIRECTION, &frame));
        }
    }

    #[test]
    fn an_unknown_link_type_is_named() {
        let stop = read(LinkType(147), &[1, 2, 3]).stop;
        assert_eq!(stop.map(|stop| stop.reason), Some(StopReason::UnsupportedLink(147)));
    }
}
