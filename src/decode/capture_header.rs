//! The headers that capturing systems put in place of a link layer: loopback families, Linux cooked
//! captures, netfilter logs, Apple's packet tap.

use super::{
    Layer, LinkType, StopReason,
    walk::{Next, Walk},
};

/// Attributes of a netfilter log message that are looked at (the kernel writes about a dozen).
const NFLOG_ATTRIBUTES: usize = 64;

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
