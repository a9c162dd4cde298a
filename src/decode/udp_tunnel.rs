//! Tunnels in UDP: VXLAN (RFC 7348) and VXLAN-GPE, GENEVE (RFC 8926), GTP-U (3GPP TS 29.281), Teredo
//! (RFC 4380), AYIYA, GRE in UDP (RFC 8086), MPLS in UDP (RFC 7510), L2TP version 2 (RFC 2661), TZSP.
//!
//! Only the port says that a datagram is one of them, so a method here answers `None` for a header that
//! is not what the port says, and the walk returns to the plain datagram when the inside does not
//! hold an IP header after all.

use crate::bytes::{Reader, u16_at};

use super::{
    Anomaly, Layer, StopReason, TenantKind, TunnelKind, ipv6,
    walk::{Next, Walk},
};

/// UDP ports (IANA, but for [`port::VXLAN_LINUX`], which Linux had before there was a number, and
/// [`port::TZSP`], which is in use without one).
mod port {
    pub const L2TP: u16 = 1701;
    pub const GTPU: u16 = 2152;
    pub const TEREDO: u16 = 3544;
    pub const GRE: u16 = 4754;
    pub const VXLAN: u16 = 4789;
    pub const VXLAN_GPE: u16 = 4790;
    pub const AYIYA: u16 = 5072;
    pub const GENEVE: u16 = 6081;
    pub const MPLS: u16 = 6635;
    pub const VXLAN_LINUX: u16 = 8472;
    pub const TZSP: u16 = 37008;
}

/// Whether [`Walk::udp_tunnel`] looks at a datagram with this port on either side.
#[inline]
pub(super) fn is_tunnel_port(port: u16) -> bool {
    matches!(
        port,
        port::L2TP
            | port::GTPU
            | port::TEREDO
            | port::GRE
            | port::VXLAN
            | port::VXLAN_GPE
            | port::AYIYA
            | port::GENEVE
            | port::MPLS
            | port::VXLAN_LINUX
            | port::TZSP
    )
}

/// GTP-U extension headers that are read over.
const GTP_EXTENSIONS: usize = 16;
/// Fields of a TZSP header that are read over.
const TZSP_FIELDS: usize = 64;
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
            (port::MPLS, _) => self.open_tunnel(TunnelKind::MplsInIp).map(|()| Next::Mpls),
            (port::TZSP, _) => self.tzsp(),
            (port::L2TP, _) | (_, port::L2TP) => self.l2tp(),
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

    /// Flags and version 2, then as the flags say a length, tunnel and session, sequence numbers, an offset;
    /// in a data message PPP.
    fn l2tp(&mut self) -> Option<Next> {
        const CONTROL: u16 = 0x8000;
        const LENGTH: u16 = 0x4000;
        const SEQUENCE: u16 = 0x0800;
        const OFFSET: u16 = 0x0200;
        const VERSION: u16 = 0x000f;

        self.enter(Layer::L2tp);
        let mut reader = Reader::new(self.rest());
        let flags = reader.u16()?;
        if flags & VERSION != 2 || flags & CONTROL != 0 {
            return None;
        }
        let length = if flags & LENGTH != 0 { Some(usize::from(reader.u16()?)) } else { None };
        let _tunnel_and_session = reader.u32()?;
        if flags & SEQUENCE != 0 {
            reader.skip(4)?;
        }
        if flags & OFFSET != 0 {
            let offset = reader.u16()?;
            reader.skip(offset.into())?;
        }
        let header = reader.position();
        self.open_tunnel(TunnelKind::L2tp)?;
        self.skip(header)?;
        if let Some(length) = length {
            self.limit(length.checked_sub(header)?);
        }
        Some(Next::Ppp)
    }

    /// Version 1, type, protocol, then fields of a type and mostly a length, up to the one that ends them.
    fn tzsp(&mut self) -> Option<Next> {
        const PADDING: u8 = 0;
        const END: u8 = 1;

        self.enter(Layer::Tzsp);
        let mut reader = Reader::new(self.rest());
        let (version, _kind, protocol) = (reader.u8()?, reader.u8()?, reader.u16()?);
        let inside = match (version, protocol) {
            (1, 1) => Next::Ethernet,
            (1, 18) => Next::Ieee80211,
            _ => return None,
        };
        for _ in 0..TZSP_FIELDS {
            match reader.u8()? {
                PADDING => {}
                END => {
                    let header = reader.position();
                    self.open_tunnel(TunnelKind::Tzsp)?;
                    self.skip(header)?;
                    return Some(inside);
                }
                _ => {
                    let length = reader.u8()?;
                    reader.skip(length.into())?;
                }
            }
        }
        None
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
        if length + ipv6::claimed_length(start.get(length..)?)? > self.wire_rest() {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{
        DecodeOptions, LinkType, Stop, Tenant, Transport, decode,
        frames::{
            OUTER_CLIENT, OUTER_SERVER, assert_inner_ipv4, assert_inner_ipv6, ethernet, inner_ipv4,
            inner_ipv6, ipv4, join, outer, read, udp, udp_of,
        },
    };

    const NONE: Tenant = Tenant { kind: TenantKind::Input, key: 0 };

    fn vni(key: u64) -> Tenant {
        Tenant { kind: TenantKind::Vni, key }
    }

    /// Asserts that the packet inside was found behind `header`, in a tunnel of this kind and tenant.
    #[track_caller]
    fn assert_opened(port: u16, header: &[u8], inside: &[u8], kind: TunnelKind, tenant: Tenant) {
        let frame = outer(17, &udp(50_000, port, &join(&[header, inside])));
        let decoded = read(LinkType::ETHERNET, &frame);
        assert!(decoded.stop.is_none(), "{decoded:?}");
        match decoded.network {
            Some(network) if network.source.is_ipv6() => assert_inner_ipv6(&decoded),
            _ => assert_inner_ipv4(&decoded),
        }
        let tunnel = decoded.tunnel.expect("a tunnel");
        assert_eq!((tunnel.kind, tunnel.depth, tunnel.protocol), (kind, 1, 17));
        assert_eq!((tunnel.source_port, tunnel.destination_port), (50_000, port));
        assert_eq!((tunnel.source, tunnel.destination), (OUTER_CLIENT.into(), OUTER_SERVER.into()));
        assert_eq!(decoded.tenant, tenant);
    }

    /// Asserts that the datagram stays what it is: UDP with this payload, and nothing odd.
    #[track_caller]
    fn assert_left(port: u16, payload: &[u8]) {
        let frame = outer(17, &udp(50_000, port, payload));
        let decoded = read(LinkType::ETHERNET, &frame);
        assert_eq!(udp_of(&decoded).payload, payload);
        assert_eq!((decoded.tunnel, decoded.tenant, decoded.stop), (None, NONE, None));
        assert_eq!(decoded.network.map(|network| network.source), Some(OUTER_CLIENT.into()));
        assert!(decoded.anomalies.is_empty() && decoded.vlan.ids().is_empty());
    }

    #[test]
    fn vxlan_on_both_ports() {
        let inside = ethernet(0x0800, &inner_ipv4());
        for port in [4789, 8472] {
            assert_opened(port, &[8, 0, 0, 0, 1, 2, 3, 0], &inside, TunnelKind::Vxlan, vni(0x010203));
        }
        assert_left(4789, &join(&[&[0, 0, 0, 0, 1, 2, 3, 0], &inside]));
        assert_left(4789, &[8, 0, 0, 0, 1, 2, 3]);
        assert_left(4789, b"whatever else uses this port, with no frame inside");
        assert_left(4789, &join(&[&[8, 0, 0, 0, 1, 2, 3, 0], &ethernet(0x8100, &[0, 1, 0x12, 0x34])]));
        assert_left(4790 + 1, &join(&[&[8, 0, 0, 0, 1, 2, 3, 0], &inside]));
    }

    #[test]
    fn vxlan_with_a_group_policy_is_flagged_and_opened() {
        let payload = join(&[&[0x88, 0, 0, 5, 1, 2, 3, 0], &ethernet(0x0800, &inner_ipv4())]);
        let frame = outer(17, &udp(50_000, 4789, &payload));
        let decoded = read(LinkType::ETHERNET, &frame);
        assert!(decoded.anomalies.has(Anomaly::ReservedBits));
        assert_eq!(decoded.tunnel.map(|tunnel| tunnel.kind), Some(TunnelKind::Vxlan));
    }

    #[test]
    fn vxlan_with_arp_leaves_the_carrier_and_says_so() {
        let payload = join(&[&[8, 0, 0, 0, 1, 2, 3, 0], &ethernet(0x0806, &[0; 28])]);
        let frame = outer(17, &udp(50_000, 4789, &payload));
        let decoded = read(LinkType::ETHERNET, &frame);
        assert_eq!(udp_of(&decoded).payload, payload);
        assert_eq!((decoded.tunnel, decoded.tenant), (None, NONE));
        let stop = Stop { layer: Layer::Arp, offset: 64, reason: StopReason::NotIp(0x0806) };
        assert_eq!(decoded.stop, Some(stop));
    }

    #[test]
    fn vxlan_gpe_by_next_protocol() {
        let (four, six) = (inner_ipv4(), inner_ipv6());
        let kind = TunnelKind::VxlanGpe;
        assert_opened(4790, &[0x0c, 0, 0, 1, 0, 0, 9, 0], &four, kind, vni(9));
        assert_opened(4790, &[0x0c, 0, 0, 2, 0, 0, 9, 0], &six, kind, vni(9));
        assert_opened(4790, &[0x0c, 0, 0, 3, 0, 0, 9, 0], &ethernet(0x0800, &four), kind, vni(9));
        assert_opened(4790, &[0x08, 0, 0, 0, 0, 0, 9, 0], &ethernet(0x0800, &four), kind, vni(9));
        assert_opened(4790, &[0x04, 0, 0, 1, 0, 0, 0, 0], &four, kind, NONE);
        assert_left(4790, &join(&[&[0x0c, 0, 0, 4, 0, 0, 9, 0], &four]));
    }

    #[test]
    fn geneve_with_any_options() {
        let (four, six) = (inner_ipv4(), inner_ipv6());
        let kind = TunnelKind::Geneve;
        assert_opened(6081, &[0, 0, 0x65, 0x58, 0, 0, 9, 0], &ethernet(0x0800, &four), kind, vni(9));
        assert_opened(6081, &[0, 0, 8, 0, 0, 0, 9, 0], &four, kind, vni(9));
        assert_opened(6081, &[0, 0, 0x86, 0xdd, 0, 0, 9, 0], &six, kind, vni(9));
        let endpoint = [0x01, 0x08, 1, 2, 1, 2, 3, 4, 5, 6, 7, 8];
        let cookie = [0x01, 0x08, 3, 1, 9, 9, 9, 9];
        let network = [0x01, 0x32, 0x81, 1, 0, 0, 0, 7];
        let aws = Tenant { kind: TenantKind::AwsEndpoint, key: 0x0102_0304_0506_0708 };
        let google = Tenant { kind: TenantKind::GcpNetwork, key: 7 };
        for (options, vni_byte, tenant) in [
            (join(&[&endpoint, &cookie]), 0, aws),
            (join(&[&cookie, &endpoint]), 0, aws),
            (join(&[&cookie, &network]), 0, google),
            (cookie.to_vec(), 0, vni(0)),
            // An identifier says more than an option.
            (endpoint.to_vec(), 9, vni(9)),
            // An option longer than the options.
            (vec![1, 8, 1, 2, 1, 2, 3, 4], 0, vni(0)),
        ] {
            let words = (options.len() / 4) as u8;
            let header = join(&[&[words, 0x40, 8, 0, 0, 0, vni_byte, 0], &options]);
            assert_opened(6081, &header, &four, kind, tenant);
        }
        assert_left(6081, &join(&[&[0x40, 0, 8, 0, 0, 0, 9, 0], &four]));
        assert_left(6081, &[0x3f, 0, 8, 0, 0, 0, 9, 0, 1]);
        assert_left(6081, &join(&[&[0, 0, 0x12, 0x34, 0, 0, 9, 0], &four]));
    }

    #[test]
    fn mirroring_through_a_gateway_load_balancer_belongs_to_its_endpoint() {
        let vxlan = udp(50_000, 4789, &join(&[&[8, 0, 0, 0, 0, 0, 77, 0], &ethernet(0x0800, &inner_ipv4())]));
        let header = [3, 0, 8, 0, 0, 0, 0, 0, 0x01, 0x08, 1, 2, 0, 0, 0, 0, 0, 0, 0, 5];
        let frame = outer(17, &udp(50_000, 6081, &join(&[&header, &ipv4(17, &vxlan)])));
        let decoded = read(LinkType::ETHERNET, &frame);
        assert_inner_ipv4(&decoded);
        let tunnel = decoded.tunnel.expect("a tunnel");
        assert_eq!((tunnel.kind, tunnel.depth, tunnel.destination_port), (TunnelKind::Geneve, 2, 6081));
        assert_eq!(decoded.tenant, Tenant { kind: TenantKind::AwsEndpoint, key: 5 });
    }

    #[test]
    fn gtp_u_with_optional_fields_and_extensions() {
        let four = inner_ipv4();
        let length = four.len() as u8;
        let kind = TunnelKind::Gtpu;
        let endpoint = [0, 0, 0, 9];
        for (header, tail) in [
            (join(&[&[0x30, 255, 0, length], &endpoint]), 0),
            (join(&[&[0x32, 255, 0, length + 4], &endpoint, &[0, 1, 0, 0]]), 0),
            (join(&[&[0x34, 255, 0, length + 8], &endpoint, &[0, 1, 0, 0x85, 1, 0, 9, 0]]), 0),
            (
                join(&[
                    &[0x36, 255, 0, length + 16],
                    &endpoint,
                    &[0, 1, 0, 0x85, 1, 0, 9, 0xc0, 2, 0, 9, 0, 0, 0, 0, 0],
                ]),
                0,
            ),
            // Bytes behind the packet.
            (join(&[&[0x30, 255, 0, length], &endpoint]), 3),
        ] {
            let inside = join(&[&four, &vec![0xaa; tail]]);
            assert_opened(2152, &header, &inside, kind, NONE);
            let frame = outer(17, &udp(2152, 50_000, &join(&[&header, &inside])));
            assert_inner_ipv4(&read(LinkType::ETHERNET, &frame));
            let options = DecodeOptions { gtp_is_tenant: true, ..DecodeOptions::default() };
            let decoded = decode(LinkType::ETHERNET, &frame, frame.len() as u32, &options);
            assert_eq!(decoded.tenant, Tenant { kind: TenantKind::GtpTunnel, key: 9 });
        }
        // An echo request, a packet of another version, an extension without an end, no IP inside.
        assert_left(2152, &join(&[&[0x32, 1, 0, 4], &endpoint, &[0; 4]]));
        assert_left(2152, &join(&[&[0x50, 255, 0, length], &endpoint, &four]));
        assert_left(2152, &join(&[&[0x34, 255, 0, 8], &endpoint, &[0, 1, 0, 0x85, 0, 0, 9, 0]]));
        assert_left(2152, &join(&[&[0x30, 255, 0, 5], &endpoint, b"query"]));
    }

    #[test]
    fn teredo_only_with_ipv6_inside() {
        let six = inner_ipv6();
        let kind = TunnelKind::Teredo;
        let origin = [0, 0, 1, 2, 3, 4, 5, 6];
        let authentication = [0, 1, 2, 3, 1, 1, 2, 2, 2, 8, 8, 8, 8, 8, 8, 8, 8, 0];
        assert_opened(3544, &[], &six, kind, NONE);
        assert_opened(3544, &origin, &six, kind, NONE);
        assert_opened(3544, &authentication, &six, kind, NONE);
        assert_opened(3544, &join(&[&authentication, &origin]), &six, kind, NONE);
        assert_left(3544, &inner_ipv4());
        assert_left(3544, &six[..six.len() - 1]);
        assert_left(3544, &origin);
        let answer = outer(17, &udp(3544, 50_000, &six));
        assert_inner_ipv6(&read(LinkType::ETHERNET, &answer));
    }

    #[test]
    fn ayiya_with_identity_and_signature() {
        let header = |next: u8, operation: u8| join(&[&[0x44, 0x52, operation, next, 0, 0, 0, 1], &[7; 36]]);
        assert_opened(5072, &header(41, 0x11), &inner_ipv6(), TunnelKind::Ayiya, NONE);
        assert_opened(5072, &header(4, 0x11), &inner_ipv4(), TunnelKind::Ayiya, NONE);
        assert_left(5072, &join(&[&header(59, 0x11), b""]));
        assert_left(5072, &join(&[&header(41, 0x10), &inner_ipv6()]));
        assert_left(5072, &header(41, 0x11)[..20]);
    }

    #[test]
    fn l2tp_with_and_without_optional_fields() {
        let four = inner_ipv4();
        let ppp = join(&[&[0xff, 0x03, 0, 0x21], &four]);
        let length = ppp.len() as u8;
        let kind = TunnelKind::L2tp;
        assert_opened(1701, &[0, 2, 0, 1, 0, 2], &ppp, kind, NONE);
        assert_opened(1701, &[0x40, 2, 0, length + 8, 0, 1, 0, 2], &join(&[&ppp, &[7; 9]]), kind, NONE);
        assert_opened(1701, &[0x0a, 2, 0, 1, 0, 2, 0, 3, 0, 4, 0, 2, 9, 9], &ppp, kind, NONE);
        // A control message, version 3, a length shorter than the header, no PPP inside.
        assert_left(1701, &join(&[&[0xc8, 2, 0, 12, 0, 1, 0, 0, 0, 0, 0, 0], &four]));
        assert_left(1701, &join(&[&[0, 3, 0, 1, 0, 2], &ppp]));
        assert_left(1701, &join(&[&[0x40, 2, 0, 7, 0, 1, 0, 2], &ppp]));
        assert_left(1701, &[0, 2, 0, 1, 0, 2, 0xc0, 0x21, 9]);
        let answer = outer(17, &udp(1701, 50_000, &join(&[&[0, 2, 0, 1, 0, 2], &ppp])));
        assert_inner_ipv4(&read(LinkType::ETHERNET, &answer));
    }

    #[test]
    fn tzsp_behind_its_fields() {
        let frame = ethernet(0x0800, &inner_ipv4());
        let wireless =
            join(&[&[0x08, 1, 0, 0], &[2; 18], &[0, 0], &[0xaa, 0xaa, 3, 0, 0, 0, 8, 0], &inner_ipv4()]);
        let kind = TunnelKind::Tzsp;
        assert_opened(37008, &[1, 0, 0, 1, 1], &frame, kind, NONE);
        assert_opened(37008, &[1, 1, 0, 1, 0, 0, 10, 1, 0xc8, 1], &frame, kind, NONE);
        assert_opened(37008, &[1, 0, 0, 18, 1], &wireless, kind, NONE);
        assert_left(37008, &join(&[&[2, 0, 0, 1, 1], &frame]));
        assert_left(37008, &[1, 0, 0, 1, 10, 9, 1]);
        assert_left(37008, &join(&[&[1, 0, 0, 1], &[0; 200]]));
    }

    #[test]
    fn mpls_in_udp_and_frames_in_ip() {
        let label = [0, 1, 1, 64];
        assert_opened(6635, &label, &inner_ipv4(), TunnelKind::MplsInIp, NONE);
        assert_left(6635, &join(&[&[0x10, 1, 1, 64], b"no packet"]));
        for (protocol, header, inside, kind) in [
            (137, &label[..], inner_ipv4(), TunnelKind::MplsInIp),
            (97, &[0x30, 0], ethernet(0x0800, &inner_ipv4()), TunnelKind::EtherIp),
        ] {
            let frame = outer(protocol, &join(&[header, &inside]));
            let decoded = read(LinkType::ETHERNET, &frame);
            assert_inner_ipv4(&decoded);
            let tunnel = decoded.tunnel.map(|tunnel| (tunnel.kind, tunnel.protocol, tunnel.depth));
            assert_eq!(tunnel, Some((kind, protocol, 1)));
        }
        let frame = outer(97, &[0x40, 0, 1, 2, 3]);
        let stop = read(LinkType::ETHERNET, &frame).stop;
        assert_eq!(stop.map(|stop| stop.reason), Some(StopReason::Malformed));
    }

    #[test]
    fn gre_in_udp() {
        let kind = TunnelKind::GreUdp;
        let key = Tenant { kind: TenantKind::GreKey, key: 3 };
        assert_opened(4754, &[0x20, 0, 8, 0, 0, 0, 0, 3], &inner_ipv4(), kind, key);
        assert_left(4754, &[0x20, 0, 8, 0]);
        assert_left(4754, &join(&[&[0x0f, 0, 8, 0], &inner_ipv4()]));
        assert_left(4754, &join(&[&[0, 0, 8, 0], b"no packet"]));
        assert_left(4754, &join(&[&[0x30, 1, 0x88, 0x0b, 0, 9, 0, 0], b"no packet"]));
    }

    #[test]
    fn a_tunnel_cut_before_its_ip_header_stays_closed() {
        let payload = join(&[&[8, 0, 0, 0, 1, 2, 3, 0], &ethernet(0x0800, &inner_ipv4())]);
        let frame = outer(17, &udp(50_000, 4789, &payload));
        for length in 42..frame.len() {
            let decoded =
                decode(LinkType::ETHERNET, &frame[..length], frame.len() as u32, &DecodeOptions::default());
            assert!(decoded.anomalies.has(Anomaly::Truncated));
            // 42 bytes to the VXLAN header, 22 to the IP header inside, 20 of that.
            assert_eq!(decoded.tunnel.is_some(), length >= 84);
            if length < 84 {
                let view = udp_of(&decoded);
                assert_eq!(view.payload, &payload[..length - 42]);
                assert_eq!(view.payload_length as usize, payload.len());
            } else if length < 92 {
                assert_eq!(decoded.stop.map(|stop| stop.reason), Some(StopReason::Cut));
            } else {
                assert!(matches!(decoded.transport, Transport::Udp(view) if view.destination_port == 53));
            }
        }
    }
}
