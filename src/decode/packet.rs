//! What decoding of a frame gives.

use std::net::IpAddr;

use super::{Anomalies, Stop, Tenant, transport};

/// A frame, read down to its innermost transport header; everything borrowed from the frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decoded<'a> {
    /// The innermost IP header that could be read.
    pub network: Option<Network>,
    /// What that IP header carries.
    pub transport: Transport<'a>,
    /// The TCP or UDP header and its payload where the capture has all that their checksum covers; else empty.
    pub segment: &'a [u8],
    /// VLAN tags, outermost first; tags inside a tunnel come after those outside.
    pub vlan: VlanStack,
    /// The outermost of the tunnels around `network`.
    pub tunnel: Option<Tunnel>,
    /// Whose network it is.
    pub tenant: Tenant,
    /// What was odd.
    pub anomalies: Anomalies,
    /// Where decoding ended, if before a transport payload. A tunnel that turned out to carry something
    /// else than IP leaves both: its carrier in `network` and `transport`, and the reason here.
    pub stop: Option<Stop>,
}

impl Decoded<'_> {
    /// Whether the checksum of the TCP segment or UDP datagram is wrong. One that was left to the network
    /// card is not, and none can be where the capture lacks bytes.
    ///
    /// It reads every payload byte, so that it is asked for packets whose payload is read anyway.
    pub fn has_wrong_checksum(&self) -> bool {
        let Some(network) = &self.network else { return false };
        transport::has_wrong_checksum(network, &self.transport, self.segment)
    }
}

/// The innermost IP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// Source address.
    pub source: IpAddr,
    /// Destination address.
    pub destination: IpAddr,
    /// The transport's IP protocol number, behind all extension headers; in an IPv6 fragment what its
    /// fragment header names, which may be a further extension header.
    pub protocol: u8,
    /// Hops that the packet had left.
    pub ttl: u8,
    /// Set when the packet is a fragment (and not an "atomic" one, RFC 6946).
    pub fragment: Option<Fragment>,
}

/// The fields by which fragments are put together (RFC 791 section 3.2, RFC 8200 section 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Datagram identification: 16 bits in IPv4, 32 in IPv6.
    pub id: u32,
    /// Where this fragment's payload belongs, in bytes.
    pub offset: u32,
    /// Whether more fragments follow.
    pub more: bool,
    /// Bytes of the payload on the wire; larger than the payload's slice when the capture cut it.
    pub length: u32,
}

/// What the innermost IP header carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport<'a> {
    /// Nothing that could be read.
    #[default]
    None,
    /// A TCP segment.
    Tcp(TcpView<'a>),
    /// A UDP datagram.
    Udp(UdpView<'a>),
    /// ICMP or ICMPv6: type and code, and the bytes behind the first four.
    Icmp {
        /// ICMP type.
        kind: u8,
        /// ICMP code.
        code: u8,
        /// The bytes behind type, code and checksum.
        payload: &'a [u8],
    },
    /// SCTP's ports, for the flow's sake.
    Sctp {
        /// Source port.
        source_port: u16,
        /// Destination port.
        destination_port: u16,
        /// The bytes behind the common header.
        payload: &'a [u8],
    },
    /// Another IP protocol.
    Other {
        /// The bytes behind the IP header.
        payload: &'a [u8],
    },
    /// A fragment's share of a datagram's payload: `Network::fragment` is set.
    Fragment {
        /// The bytes behind the IP and fragment headers.
        payload: &'a [u8],
    },
}

/// A TCP header with its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpView<'a> {
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// Sequence number of the payload's first byte (of the SYN, when that flag is set).
    pub sequence: u32,
    /// Next byte that the sender expects; meaningful when ACK is set.
    pub acknowledgment: u32,
    /// The eight flag bits: CWR ECE URG ACK PSH RST SYN FIN, FIN lowest.
    pub flags: u8,
    /// Receive window, unscaled.
    pub window: u16,
    /// The payload as captured.
    pub payload: &'a [u8],
    /// The payload's length on the wire; larger than `payload.len()` when the capture cut it.
    pub payload_length: u32,
}

impl TcpView<'_> {
    /// No more data from the sender.
    pub const FIN: u8 = 0x01;
    /// Synchronise sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset.
    pub const RST: u8 = 0x04;
    /// Push.
    pub const PSH: u8 = 0x08;
    /// The acknowledgment field counts.
    pub const ACK: u8 = 0x10;
    /// The urgent pointer counts.
    pub const URG: u8 = 0x20;
    /// ECN echo.
    pub const ECE: u8 = 0x40;
    /// Congestion window reduced.
    pub const CWR: u8 = 0x80;

    /// Whether `flag` (one of the constants here) is set.
    pub const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// A UDP header with its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UdpView<'a> {
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// The payload as captured.
    pub payload: &'a [u8],
    /// The payload's length on the wire; larger than `payload.len()` when the capture cut it.
    pub payload_length: u32,
}

/// Up to [`crate::limits::VLAN_TAGS`] VLAN identifiers, outermost first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VlanStack {
    ids: [u16; crate::limits::VLAN_TAGS],
    count: u8,
}

impl VlanStack {
    /// Adds an identifier (12 bits are kept) behind the others; `false` when there is no room.
    pub fn push(&mut self, id: u16) -> bool {
        match self.ids.get_mut(usize::from(self.count)) {
            Some(place) => {
                *place = id & 0x0fff;
                self.count += 1;
                true
            }
            None => false,
        }
    }

    /// The identifiers, outermost first.
    pub fn ids(&self) -> &[u16] {
        self.ids.get(..usize::from(self.count)).unwrap_or_default()
    }
}

/// The kinds of tunnel that are opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names are the field's own")]
pub enum TunnelKind {
    IpInIp,
    SixInFour,
    FourInSix,
    Gre,
    Erspan1,
    Erspan2,
    Erspan3,
    Vxlan,
    VxlanGpe,
    Geneve,
    Gtpu,
    Ayiya,
    Teredo,
    GreUdp,
    /// MPLS directly in IP (RFC 4023) or in UDP (RFC 7510).
    MplsInIp,
    EtherIp,
    L2tp,
    Tzsp,
}

/// The outermost tunnel of a packet, for the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// What kind.
    pub kind: TunnelKind,
    /// Outer source address.
    pub source: IpAddr,
    /// Outer destination address.
    pub destination: IpAddr,
    /// Outer source port, 0 where the carrier has none.
    pub source_port: u16,
    /// Outer destination port, 0 where the carrier has none.
    pub destination_port: u16,
    /// IP protocol of the carrier (17 for UDP, 47 for GRE, 4, 41 ...).
    pub protocol: u8,
    /// How many tunnels were opened, 1 or more.
    pub depth: u8,
}
