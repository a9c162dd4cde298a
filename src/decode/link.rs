//! Link types as capture files number them.

use std::fmt;

/// A LINKTYPE value (the tcpdump group's registry, "Link-layer header types").
///
/// Unknown numbers are kept, so that a message can name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkType(pub u16);

impl LinkType {
    /// BSD loopback: address family in the capturing host's byte order.
    pub const NULL: Self = Self(0);
    /// Ethernet II and IEEE 802.3.
    pub const ETHERNET: Self = Self(1);
    /// PPP, with or without the address and control bytes.
    pub const PPP: Self = Self(9);
    /// Raw IP under the number that most systems' DLT_RAW has in old files.
    pub const RAW_12: Self = Self(12);
    /// Raw IP under the number that OpenBSD's DLT_RAW has in old files.
    pub const RAW_14: Self = Self(14);
    /// PPP in HDLC-like framing, also Cisco HDLC by its first byte.
    pub const PPP_HDLC: Self = Self(50);
    /// PPP over Ethernet, starting at the PPPoE header.
    pub const PPP_ETHER: Self = Self(51);
    /// Raw IP: the version nibble tells which.
    pub const RAW: Self = Self(101);
    /// Cisco HDLC.
    pub const CISCO_HDLC: Self = Self(104);
    /// IEEE 802.11 without a radio header.
    pub const IEEE802_11: Self = Self(105);
    /// Frame relay.
    pub const FRAME_RELAY: Self = Self(107);
    /// OpenBSD loopback: address family in network byte order.
    pub const LOOP: Self = Self(108);
    /// Linux "any" captures, version 1.
    pub const LINUX_SLL: Self = Self(113);
    /// IEEE 802.11 behind a Prism header.
    pub const IEEE802_11_PRISM: Self = Self(119);
    /// IEEE 802.11 behind a radiotap header.
    pub const IEEE802_11_RADIOTAP: Self = Self(127);
    /// IEEE 802.11 behind an AVS header.
    pub const IEEE802_11_AVS: Self = Self(163);
    /// A header that names the link type behind it (per-packet information), mostly IEEE 802.11.
    pub const PPI: Self = Self(192);
    /// PPP behind a byte that tells the direction.
    pub const PPP_WITH_DIRECTION: Self = Self(204);
    /// Raw IPv4.
    pub const IPV4: Self = Self(228);
    /// Raw IPv6.
    pub const IPV6: Self = Self(229);
    /// Linux netfilter log messages.
    pub const NFLOG: Self = Self(239);
    /// Apple's packet tap.
    pub const PKTAP: Self = Self(258);
    /// Linux "any" captures, version 2.
    pub const LINUX_SLL2: Self = Self(276);

    /// Every link type that [`decode`](super::decode) knows how to begin with.
    pub fn supported() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|(link, _)| *link)
    }

    /// Whether [`decode`](super::decode) knows how such frames begin.
    pub fn is_supported(self) -> bool {
        NAMES.iter().any(|(known, _)| *known == self)
    }
}

/// The supported link types and their registered names.
const NAMES: [(LinkType, &str); 23] = [
    (LinkType::NULL, "NULL"),
    (LinkType::ETHERNET, "ETHERNET"),
    (LinkType::PPP, "PPP"),
    (LinkType::RAW_12, "RAW"),
    (LinkType::RAW_14, "RAW"),
    (LinkType::PPP_HDLC, "PPP_HDLC"),
    (LinkType::PPP_ETHER, "PPP_ETHER"),
    (LinkType::RAW, "RAW"),
    (LinkType::CISCO_HDLC, "C_HDLC"),
    (LinkType::IEEE802_11, "IEEE802_11"),
    (LinkType::FRAME_RELAY, "FRELAY"),
    (LinkType::LOOP, "LOOP"),
    (LinkType::LINUX_SLL, "LINUX_SLL"),
    (LinkType::IEEE802_11_PRISM, "IEEE802_11_PRISM"),
    (LinkType::IEEE802_11_RADIOTAP, "IEEE802_11_RADIOTAP"),
    (LinkType::IEEE802_11_AVS, "IEEE802_11_AVS"),
    (LinkType::PPI, "PPI"),
    (LinkType::PPP_WITH_DIRECTION, "PPP_WITH_DIR"),
    (LinkType::IPV4, "IPV4"),
    (LinkType::IPV6, "IPV6"),
    (LinkType::NFLOG, "NFLOG"),
    (LinkType::PKTAP, "PKTAP"),
    (LinkType::LINUX_SLL2, "LINUX_SLL2"),
];

impl fmt::Display for LinkType {
    /// The registered name with the number, or the number alone: `ETHERNET (1)`, `147`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(known, _)| known == self) {
            Some((_, name)) => write!(f, "{name} ({})", self.0),
            None => write!(f, "{}", self.0),
        }
    }
}
