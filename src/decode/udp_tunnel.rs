//! Tunnels in UDP: VXLAN (RFC 7348) and VXLAN-GPE, GENEVE (RFC 8926), GTP-U (3GPP TS 29.281), Teredo
//! (RFC 4380), AYIYA, GRE in UDP (RFC 8086).
//!
//! Only the port says that a datagram is one of them, so a method here answers `None` for a header that
//! is not what the port says, and the walk returns to the plain datagram when the inside does not
//! hold an IP header after all.

use crate::bytes::{Reader, u16_at};

use super::{
    Anomaly, Layer, StopReason, TenantKind, TunnelKind, ipv6,
    walk::{Next, Walk},
};

/// UDP ports (IANA, but for [`port::VXLAN_LINUX`], which Linux had before there was a number).
mod port {
    pub const GTPU: u16 = 2152;
    pub const TEREDO: u16 = 3544;
    pub const GRE: u16 = 4754;
    pub const VXLAN: u16 = 4789;
    pub const VXLAN_GPE: u16 = 4790;
    pub const AYIYA: u16 = 5072;
    pub const GENEVE: u16 = 6081;
    pub const VXLAN_LINUX: u16 = 8472;
}

/// GTP-U extension headers that are read over.
const GTP_EXTENSIONS: usize = 16;
/// GENEVE options that are looked at: the 252 bytes they may have hold 63 empty ones.
const GENEVE_OPTIONS: usize = 63;

impl Walk<'_> {
    /// Opens the tunnel in the datagram whose payload starts at the cursor, if its ports promise one and
    /// its header keeps the promise.
    ///
    /// Senders of VXLAN, GENEVE and GRE take any source port, so that only the destination counts; the
    /// ends of the others answer to where they were asked from.
    #[inline]
    pub(super) fn udp_tunnel(&mut self, source_port: u16, destination_port: u16) -> Option<Next> {
        match (destination_port, source_port) {
            (port::VXLAN | port::VXLAN_LINUX, _) => self.vxlan(),
            (port::GENEVE, _) => self.geneve(),
            (port::VXLAN_GPE, _) => self.vxlan_gpe(),
            (port::GRE, _) => {
                let next = self.gre(TunnelKind::GreUdp);
                self.forget_wrong_guess();
                (next != Next::Done).then_some(next)
            }
            (port::GTPU, _) | (_, port::GTPU) => self.gtpu(),
            (port::TEREDO, _) | (_, port::TEREDO) => self.teredo(),
            (port::AYIYA, _) | (_, port::AYIYA) => self.ayiya(),
            _ => None,
        }
    }

    /// Flags, reserved (3), network identifier (3), reserved.
    fn vxlan(&mut self) -> Option<Next> {
        const VALID_IDENTIFIER: u8 = 0x08;

        self.enter(Layer::Vxlan);
        let [flags, a, b, c, v0, v1, v2, d] = self.peek::<8>()?;
        if flags & VALID_IDENTIFIER == 0 {
            return None;
        }
        self.open_tunnel(TunnelKind::Vxlan)?;
        // Extensions (group policy) and some senders put something there.
        if flags != VALID_IDENTIFIER || [a, b, c, d] != [0; 4] {
            self.flag(Anomaly::ReservedBits);
        }
        self.found_tenant(TenantKind::Vni, u64::from(u32::from_be_bytes([0, v0, v1, v2])));
        self.skip(8)?;
        Some(Next::Ethernet)
    }

    /// As VXLAN, with a version, more flags and the next protocol (draft-ietf-nvo3-vxlan-gpe).
    fn vxlan_gpe(&mut self) -> Option<Next> {
        const VERSION: u8 = 0x30;
        const VALID_IDENTIFIER: u8 = 0x08;
        const NEXT_PROTOCOL: u8 = 0x04;

        self.enter(Layer::Vxlan);
        let [flags, _, _, protocol, v0, v1, v2, _] = self.peek::<8>()?;
        if flags & VERSION != 0 || flags & (VALID_IDENTIFIER | NEXT_PROTOCOL) == 0 {
            return None;
        }
        self.open_tunnel(TunnelKind::VxlanGpe)?;
        if flags & VALID_IDENTIFIER != 0 {
            self.found_tenant(TenantKind::Vni, u64::from(u32::from_be_bytes([0, v0, v1, v2])));
        }
        self.skip(8)?;
        Some(match (flags & NEXT_PROTOCOL != 0, protocol) {
            (false, _) | (true, 3) => Next::Ethernet,
            (true, 1) => Next::Ipv4,
            (true, 2) => Next::Ipv6,
            (true, 5) => Next::Mpls,
            (true, other) => self.stop(StopReason::NotIp(u16::from(other))),
        })
    }

    /// Version and options' length, flags, protocol type, network identifier (3), reserved, options.
    fn geneve(&mut self) -> Option<Next> {
        /// Flags of the second byte that have no meaning yet.
        const RESERVED: u8 = 0x3f;

        self.enter(Layer::Geneve);
        let [first, flags, high, low, v0, v1, v2, reserved] = self.peek::<8>()?;
        if first >> 6 != 0 {
            return None;
        }
        let options_length = usize::from(first & 0x3f) * 4;
        let options = self.rest().get(8..8 + options_length)?;
        self.open_tunnel(TunnelKind::Geneve)?;
        if flags & RESERVED != 0 || reserved != 0 {
            self.flag(Anomaly::ReservedBits);
        }
        let identifier = u32::from_be_bytes([0, v0, v1, v2]);
        let (kind, key) = match geneve_tenant(options) {
            Some(named) if identifier == 0 => named,
            _ => (TenantKind::Vni, u64::from(identifier)),
        };
        self.found_tenant(kind, key);
        self.skip(8 + options_length)?;
        Some(Next::EtherType(u16::from_be_bytes([high, low])))
    }

    /// Version 1, protocol type 1, message type 255: a user's packet behind optional fields and a chain
    /// of extension headers.
    fn gtpu(&mut self) -> Option<Next> {
        const VERSION_AND_TYPE: u8 = 0xf0;
        const OPTIONAL_FIELDS: u8 = 0x07;
        const EXTENSION: u8 = 0x04;
        const USER_PACKET: u8 = 255;

        self.enter(Layer::Gtpu);
        let mut reader = Reader::new(self.rest());
        let (flags, message, length) = (reader.u8()?, reader.u8()?, reader.u16()?);
        let endpoint = reader.u32()?;
        if flags & VERSION_AND_TYPE != 0x30 || message != USER_PACKET {
            return None;
        }
        let after_endpoint = reader.position();
        if flags & OPTIONAL_FIELDS != 0 {
            let (_sequence, _number, mut extension) = (reader.u16()?, reader.u8()?, reader.u8()?);
            // Each extension: its length in fours of bytes, content, the next one's type.
            for _ in 0..GTP_EXTENSIONS {
                if flags & EXTENSION == 0 || extension == 0 {
                    break;
                }
                let content = (usize::from(reader.u8()?) * 4).checked_sub(2)?;
                reader.skip(content)?;
                extension = reader.u8()?;
            }
            if flags & EXTENSION != 0 && extension != 0 {
                return None;
            }
        }
        self.open_tunnel(TunnelKind::Gtpu)?;
        if self.options.gtp_is_tenant {
            self.found_tenant(TenantKind::GtpTunnel, u64::from(endpoint));
        }
        let optional = reader.position() - after_endpoint;
        self.skip(reader.position())?;
        self.limit(usize::from(length).checked_sub(optional)?);
        Some(Next::Ip)
    }

    /// An IPv6 packet, behind an optional authentication and an optional origin indication.
    fn teredo(&mut self) -> Option<Next> {
        const ORIGIN: u16 = 0x0000;
        const AUTHENTICATION: u16 = 0x0001;

        self.enter(Layer::Teredo);
        let mut length = 0;
        let start = self.rest();
        if u16_at(start, length) == Some(AUTHENTICATION) {
            // Type, two lengths, client identifier, value, nonce (8), confirmation.
            let (&identifier, &value) = (start.get(2)?, start.get(3)?);
            length += 4 + usize::from(identifier) + usize::from(value) + 9;
        }
        if u16_at(start, length) == Some(ORIGIN) {
            length += 8;
        }
        if !ipv6::fits(start.get(length..)?, self.wire_rest() - length) {
            return None;
        }
        self.open_tunnel(TunnelKind::Teredo)?;
        self.skip(length)?;
        Some(Next::Ipv6)
    }

    /// Lengths and types of identity and signature, operation, next header, time, identity, signature.
    fn ayiya(&mut self) -> Option<Next> {
        const FORWARD: u8 = 1;

        self.enter(Layer::Ayiya);
        let [identity, signature, operation, next, _, _, _, _] = self.peek::<8>()?;
        if operation & 0x0f != FORWARD {
            return None;
        }
        let identity_length = 1_usize.checked_shl(u32::from(identity >> 4))?;
        let length = 8 + identity_length + usize::from(signature >> 4) * 4;
        let inside = match next {
            4 => Next::Ipv4,
            41 => Next::Ipv6,
            _ => return None,
        };
        self.rest().get(length..)?;
        self.open_tunnel(TunnelKind::Ayiya)?;
        self.skip(length)?;
        Some(inside)
    }
}

/// The tenant that cloud providers put into GENEVE's options: class, type, length in fours of bytes,
/// value. Order and number of options vary.
fn geneve_tenant(options: &[u8]) -> Option<(TenantKind, u64)> {
    const AWS: u16 = 0x0108;
    const GOOGLE: u16 = 0x0132;
    /// AWS's load balancer endpoint and Google's network have the same number in their classes.
    const WHOSE: u8 = 1;
    /// The top bit says that whoever does not know the option must drop the packet.
    const CRITICAL: u8 = 0x80;

    let mut reader = Reader::new(options);
    for _ in 0..GENEVE_OPTIONS {
        let (class, kind, length) = (reader.u16()?, reader.u8()?, reader.u8()?);
        let value = reader.take(usize::from(length & 0x1f) * 4)?;
        let tenant = match class {
            AWS => TenantKind::AwsEndpoint,
            GOOGLE => TenantKind::GcpNetwork,
            _ => continue,
        };
        if kind & !CRITICAL == WHOSE && !value.is_empty() && value.len() <= 8 {
            let key = value.iter().fold(0, |key, &byte| key << 8 | u64::from(byte));
            return Some((tenant, key));
        }
    }
    None
}
