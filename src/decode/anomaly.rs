//! What was odd about a frame, and where decoding of it ended.

/// One oddity of a frame; a frame may have several. None of them drops anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Anomaly {
    /// The capture holds fewer bytes than the frame had (snap length).
    Truncated,
    /// A length field promises more bytes than the layer around it has.
    LengthTooLong,
    /// A length field is shorter than its own header.
    LengthTooShort,
    /// The IPv4 header's checksum is wrong.
    Ipv4Checksum,
    /// More than [`crate::limits::VLAN_TAGS`] tags.
    VlanStackDeep,
    /// More than [`crate::limits::TUNNEL_DEPTH`] tunnels inside each other.
    TunnelsTooDeep,
    /// More header layers than [`crate::limits::LAYERS`].
    LayersTooMany,
    /// Reserved bits that must be zero are not.
    ReservedBits,
    /// The frame says how long it is and is longer than that behind the payload.
    TrailingBytes,
    /// An IPv4 or TCP option is damaged.
    OptionDamaged,
}

/// The set of a frame's anomalies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Anomalies(u32);

impl Anomalies {
    /// Adds one.
    pub fn add(&mut self, anomaly: Anomaly) {
        self.0 |= 1 << anomaly as u8;
    }

    /// Whether it is there.
    pub fn has(self, anomaly: Anomaly) -> bool {
        self.0 & (1 << anomaly as u8) != 0
    }

    /// Whether nothing was odd.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// A header layer, for messages and counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names are the field's own")]
pub enum Layer {
    Ethernet,
    Llc,
    LinuxSll,
    LinuxSll2,
    Null,
    Loop,
    Ppp,
    Pppoe,
    CiscoHdlc,
    Ieee80211,
    Radiotap,
    Nflog,
    Pktap,
    Prism,
    Avs,
    Ppi,
    FrameRelay,
    Vlan,
    BridgeTag,
    Macsec,
    Mpls,
    Arp,
    Ipv4,
    Ipv6,
    Ipv6Extension,
    Gre,
    Erspan,
    Vxlan,
    Geneve,
    Gtpu,
    Ayiya,
    Teredo,
    L2tp,
    Tzsp,
    EtherIp,
    Tcp,
    Udp,
    Icmp,
    Sctp,
    Raw,
}

/// Why decoding of a frame ended before its transport payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StopReason {
    /// The bytes end inside this layer's header.
    Cut,
    /// The layer says it carries this protocol number (EtherType, PPP protocol, IP protocol ...), which is not IP.
    NotIp(u16),
    /// The link type is not supported.
    UnsupportedLink(u16),
    /// A field has a value that the layer's definition forbids.
    Malformed,
    /// Too many layers or tunnels.
    TooDeep,
    /// The payload is encrypted (IPsec ESP, protected 802.11).
    Encrypted,
}

/// Where decoding ended early: which layer, at which byte of the frame, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The layer that could not be read or carries something that is not IP.
    pub layer: Layer,
    /// Offset of that layer's first byte in the frame (or in the reassembled datagram).
    pub offset: u32,
    /// Why.
    pub reason: StopReason,
}
