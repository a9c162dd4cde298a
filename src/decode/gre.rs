//! GRE (RFC 2784, RFC 2890, routing of RFC 1701), PPTP's GRE (RFC 2637) and ERSPAN inside it.

use crate::bytes::Reader;

use super::{
    Anomaly, Layer, StopReason, TenantKind, TunnelKind,
    ethernet::ether_type,
    walk::{Next, Walk},
};

/// Protocol types beside the EtherTypes.
mod protocol {
    pub const WCCP: u16 = 0x883e;
    pub const ERSPAN: u16 = 0x88be;
    pub const ERSPAN_3: u16 = 0x22eb;
}

/// Flags of the first two bytes.
mod flag {
    pub const CHECKSUM: u16 = 0x8000;
    pub const ROUTING: u16 = 0x4000;
    pub const KEY: u16 = 0x2000;
    pub const SEQUENCE: u16 = 0x1000;
    /// Strict source route, recursion control and the bits that are reserved in version 0.
    pub const RESERVED: u16 = 0x0ff8;
    pub const ACKNOWLEDGMENT: u16 = 0x0080;
    pub const VERSION: u16 = 0x0007;
}

/// Source route entries that are read over.
const ROUTES: usize = 16;

/// What a GRE header of version 0 says.
struct Header {
    flags: u16,
    protocol: u16,
    key: Option<u32>,
    length: usize,
}

impl Header {
    /// `None` when the bytes end inside it.
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let (flags, protocol) = (reader.u16()?, reader.u16()?);
        if flags & (flag::CHECKSUM | flag::ROUTING) != 0 {
            reader.skip(4)?;
        }
        let key = if flags & flag::KEY != 0 { Some(reader.u32()?) } else { None };
        if flags & flag::SEQUENCE != 0 {
            reader.skip(4)?;
        }
        if flags & flag::ROUTING != 0 {
            // Address family, offset, length, address; an entry of zeroes ends the list.
            for _ in 0..ROUTES {
                let (family, _, length) = (reader.u16()?, reader.u8()?, reader.u8()?);
                reader.skip(usize::from(length))?;
                if family == 0 && length == 0 {
                    break;
                }
            }
        }
        Some(Self { flags, protocol, key, length: reader.position() })
    }
}

impl Walk<'_> {
    /// GRE in IP (`kind` is [`TunnelKind::Gre`]) or in UDP ([`TunnelKind::GreUdp`]).
    pub(super) fn gre(&mut self, kind: TunnelKind) -> Next {
        self.enter(Layer::Gre);
        let Some([first, second]) = self.peek::<2>() else { return self.stop_cut() };
        match u16::from_be_bytes([first, second]) & flag::VERSION {
            0 => self.gre_version_0(kind),
            1 if kind == TunnelKind::Gre => self.gre_version_1(),
            _ => self.stop_malformed(),
        }
    }

    fn gre_version_0(&mut self, kind: TunnelKind) -> Next {
        let Some(header) = Header::read(self.rest()) else { return self.stop_cut() };
        if header.flags & flag::RESERVED != 0 {
            if kind == TunnelKind::GreUdp {
                return self.stop_malformed();
            }
            self.flag(Anomaly::ReservedBits);
        }
        if matches!(header.protocol, protocol::ERSPAN | protocol::ERSPAN_3) {
            return self.erspan(&header);
        }
        if self.open_tunnel(kind).is_none() {
            return Next::Done;
        }
        // NVGRE (RFC 7637) would make 24 bits of it the network and 8 a flow's mark, but looks like any
        // bridged GRE with a key, where all 32 bits name the network.
        if let Some(key) = header.key {
            self.found_tenant(TenantKind::GreKey, u64::from(key));
        }
        let _ = self.skip(header.length);
        match header.protocol {
            protocol::WCCP => self.wccp(),
            other => Next::EtherType(other),
        }
    }

    /// Version 1: payload length and call in the key's place, then PPP.
    fn gre_version_1(&mut self) -> Next {
        let mut reader = Reader::new(self.rest());
        let mut read = || {
            let (flags, protocol) = (reader.u16()?, reader.u16()?);
            let (length, _call) = (reader.u16()?, reader.u16()?);
            if flags & flag::SEQUENCE != 0 {
                reader.skip(4)?;
            }
            if flags & flag::ACKNOWLEDGMENT != 0 {
                reader.skip(4)?;
            }
            Some((flags, protocol, usize::from(length)))
        };
        let Some((flags, protocol, length)) = read() else { return self.stop_cut() };
        if protocol != ether_type::PPP || flags & flag::KEY == 0 {
            return self.stop_malformed();
        }
        // Without a sequence number it only acknowledges.
        if flags & flag::SEQUENCE == 0 || length == 0 {
            return self.stop(StopReason::NotIp(protocol));
        }
        if self.open_tunnel(TunnelKind::Gre).is_none() {
            return Next::Done;
        }
        let _ = self.skip(reader.position());
        self.limit(length);
        Next::Ppp
    }

    /// Cisco's cache redirection: version 2 puts four bytes before the packet, version 1 nothing.
    fn wccp(&mut self) -> Next {
        if self.peek::<1>().is_some_and(|[first]| first >> 4 != 4) && self.skip(4).is_none() {
            return self.stop_cut();
        }
        Next::Ipv4
    }

    /// Cisco's remote port mirror. Type I has no header of its own and, of the same protocol number, no
    /// GRE sequence number; types II and III start with version, VLAN, class, flags and session.
    fn erspan(&mut self, gre: &Header) -> Next {
        /// "The frame has its own tag" in the encapsulation bits of type II.
        const TAG_IN_FRAME: u8 = 3;

        let mut reader = Reader::new(self.rest().get(gre.length..).unwrap_or_default());
        let typed = gre.protocol == protocol::ERSPAN_3 || gre.flags & flag::SEQUENCE != 0;
        if !typed {
            if self.open_tunnel(TunnelKind::Erspan1).is_none() {
                return Next::Done;
            }
            if let Some(key) = gre.key {
                self.found_tenant(TenantKind::GreKey, u64::from(key));
            }
            let _ = self.skip(gre.length);
            return Next::Ethernet;
        }
        let _ = self.skip(gre.length);
        self.enter(Layer::Erspan);
        let Some([version_vlan, vlan, flags, session]) = reader.array::<4>() else { return self.stop_cut() };
        let (kind, header_length, frame_type) = match (gre.protocol, version_vlan >> 4) {
            (protocol::ERSPAN, 1) => (TunnelKind::Erspan2, 8, 0),
            (protocol::ERSPAN_3, 2) => {
                let Some([_, _, _, _, _, _, high, low]) = reader.array::<8>() else { return self.stop_cut() };
                let platform_header = if low & 1 != 0 { 8 } else { 0 };
                (TunnelKind::Erspan3, 12 + platform_header, (high >> 2) & 0x1f)
            }
            _ => return self.stop_malformed(),
        };
        if self.rest().len() < header_length {
            return self.stop_cut();
        }
        if self.open_tunnel(kind).is_none() {
            return Next::Done;
        }
        self.found_tenant(TenantKind::ErspanSession, u64::from(u16::from_be_bytes([flags & 0x03, session])));
        let vlan = u16::from_be_bytes([version_vlan & 0x0f, vlan]);
        if vlan != 0 && (flags >> 3) & 0x03 != TAG_IN_FRAME && !self.out.vlan.push(vlan) {
            self.flag(Anomaly::VlanStackDeep);
        }
        let _ = self.skip(header_length);
        match frame_type {
            0 => Next::Ethernet,
            2 => Next::Ip,
            other => self.stop(StopReason::NotIp(u16::from(other))),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::decode::{
        Anomaly, Decoded, Layer, LinkType, Stop, StopReason, Tenant, TenantKind, Transport, Tunnel,
        TunnelKind,
        frames::{
            OUTER_CLIENT, OUTER_SERVER, assert_inner_ipv4, assert_inner_ipv6, ethernet, inner_ipv4,
            inner_ipv6, join, outer, read, tag,
        },
    };

    /// Offset of the GRE header in a frame of [`outer`].
    const GRE: u32 = 34;

    fn assert_tunnel(decoded: &Decoded<'_>, kind: TunnelKind, tenant: Tenant) {
        let expected = Tunnel {
            kind,
            source: OUTER_CLIENT.into(),
            destination: OUTER_SERVER.into(),
            source_port: 0,
            destination_port: 0,
            protocol: 47,
            depth: 1,
        };
        assert_eq!(decoded.tunnel, Some(expected));
        assert_eq!(decoded.tenant, tenant);
    }

    const NONE: Tenant = Tenant { kind: TenantKind::Input, key: 0 };

    #[test]
    fn version_0_with_every_optional_field() {
        let key = Tenant { kind: TenantKind::GreKey, key: 0x0102_0304 };
        let route = [0, 0x0a, 0, 4, 1, 2, 3, 4, 0, 0, 0, 0];
        for (header, tenant) in [
            (vec![0x00, 0, 8, 0], NONE),
            (vec![0x80, 0, 8, 0, 9, 9, 0, 0], NONE),
            (vec![0x20, 0, 8, 0, 1, 2, 3, 4], key),
            (vec![0x10, 0, 8, 0, 0, 0, 0, 1], NONE),
            (vec![0xb0, 0, 8, 0, 9, 9, 0, 0, 1, 2, 3, 4, 0, 0, 0, 1], key),
            (join(&[&[0x40, 0, 8, 0, 9, 9, 0, 0], &route]), NONE),
        ] {
            let frame = outer(47, &join(&[&header, &inner_ipv4()]));
            let decoded = read(LinkType::ETHERNET, &frame);
            assert_inner_ipv4(&decoded);
            assert_tunnel(&decoded, TunnelKind::Gre, tenant);
        }
    }

    #[test]
    fn version_0_with_everything_it_carries() {
        let four = [
            (0x0800, inner_ipv4()),
            (0x6558, ethernet(0x0800, &inner_ipv4())),
            (0x8847, join(&[&[0, 1, 1, 64], &inner_ipv4()])),
            (0x880b, join(&[&[0, 0x21], &inner_ipv4()])),
            (0x883e, inner_ipv4()),
            (0x883e, join(&[&[0, 0, 0, 1], &inner_ipv4()])),
        ];
        for (kind, payload) in four {
            let frame = outer(47, &join(&[&[0, 0], &u16::to_be_bytes(kind), &payload]));
            let decoded = read(LinkType::ETHERNET, &frame);
            assert_inner_ipv4(&decoded);
            assert_tunnel(&decoded, TunnelKind::Gre, NONE);
        }
        let frame = outer(47, &join(&[&[0, 0, 0x86, 0xdd], &inner_ipv6()]));
        assert_inner_ipv6(&read(LinkType::ETHERNET, &frame));
    }

    #[test]
    fn what_is_not_ip_leaves_the_carrier() {
        let reason = |payload: &[u8]| {
            let frame = outer(47, payload);
            let decoded = read(LinkType::ETHERNET, &frame);
            assert_eq!(decoded.transport, Transport::Other { payload });
            assert_eq!(decoded.network.map(|network| network.source), Some(OUTER_CLIENT.into()));
            assert_eq!((decoded.tunnel, decoded.tenant), (None, NONE));
            decoded.stop
        };
        let gre = |reason| Some(Stop { layer: Layer::Gre, offset: GRE, reason });
        assert_eq!(reason(&[0x20, 0, 0, 0, 0, 0, 0, 1]), gre(StopReason::NotIp(0)));
        assert_eq!(reason(&[0x20, 0, 8, 0]), gre(StopReason::Cut));
        assert_eq!(reason(&[0, 5, 8, 0]), gre(StopReason::Malformed));
        let not_ipv4 = Stop { layer: Layer::Ipv4, offset: GRE + 4, reason: StopReason::Malformed };
        assert_eq!(reason(&[0, 0, 8, 0, 0x99, 1]), Some(not_ipv4));
        let arp = join(&[&[0, 0, 0x65, 0x58], &ethernet(0x0806, &[0; 28])]);
        let stop = Stop { layer: Layer::Arp, offset: GRE + 18, reason: StopReason::NotIp(0x0806) };
        assert_eq!(reason(&arp), Some(stop));
    }

    #[test]
    fn reserved_bits_are_flagged() {
        let frame = outer(47, &join(&[&[0x08, 0, 8, 0], &inner_ipv4()]));
        let decoded = read(LinkType::ETHERNET, &frame);
        assert!(decoded.anomalies.has(Anomaly::ReservedBits));
        assert_eq!(decoded.stop, None);
    }

    #[test]
    fn version_1_carries_ppp() {
        let ppp = join(&[&[0xff, 3, 0, 0x21], &inner_ipv4()]);
        for header in [
            join(&[&[0x30, 0x01, 0x88, 0x0b, 0, ppp.len() as u8, 0, 7], &[0, 0, 0, 1]]),
            join(&[&[0x30, 0x81, 0x88, 0x0b, 0, ppp.len() as u8, 0, 7], &[0, 0, 0, 1, 0, 0, 0, 1]]),
        ] {
            let frame = outer(47, &join(&[&header, &ppp]));
            let decoded = read(LinkType::ETHERNET, &frame);
            assert_inner_ipv4(&decoded);
            assert_tunnel(&decoded, TunnelKind::Gre, NONE);
        }
        let acknowledgment = outer(47, &[0x20, 0x81, 0x88, 0x0b, 0, 0, 0, 7, 0, 0, 0, 1]);
        let stop = Stop { layer: Layer::Gre, offset: GRE, reason: StopReason::NotIp(0x880b) };
        assert_eq!(read(LinkType::ETHERNET, &acknowledgment).stop, Some(stop));
    }

    #[test]
    fn erspan_of_three_types() {
        let inside = ethernet(0x0800, &inner_ipv4());
        let session = Tenant { kind: TenantKind::ErspanSession, key: 0x0305 };
        for (header, kind, tenant, vlan) in [
            (&[0, 0, 0x88, 0xbe][..], TunnelKind::Erspan1, NONE, &[][..]),
            (
                &[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0x0c, 0x13, 0x05, 0, 0, 0, 9],
                TunnelKind::Erspan2,
                session,
                &[12],
            ),
            // A frame that has its own tag, so that the header's says nothing new.
            (
                &[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0x0c, 0x1b, 0x05, 0, 0, 0, 9],
                TunnelKind::Erspan2,
                session,
                &[],
            ),
            (
                &[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 0, 0x03, 0x05, 1, 2, 3, 4, 0, 0, 0, 0],
                TunnelKind::Erspan3,
                session,
                &[],
            ),
            (
                &[
                    0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 0, 0x03, 0x05, 1, 2, 3, 4, 0, 0, 0, 1, 0, 0, 0, 0,
                    0, 0, 0, 0,
                ],
                TunnelKind::Erspan3,
                session,
                &[],
            ),
        ] {
            let frame = outer(47, &join(&[header, &inside]));
            let decoded = read(LinkType::ETHERNET, &frame);
            assert_inner_ipv4(&decoded);
            assert_tunnel(&decoded, kind, tenant);
            assert_eq!(decoded.vlan.ids(), vlan);
        }
        // Type III with an IP packet in place of a frame (frame type 2).
        let header = [0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 0, 0x03, 0x05, 1, 2, 3, 4, 0, 0, 0x08, 0];
        let frame = outer(47, &join(&[&header, &inner_ipv4()]));
        assert_inner_ipv4(&read(LinkType::ETHERNET, &frame));
        let version_0 = outer(47, &[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
        let stop = Stop { layer: Layer::Erspan, offset: GRE + 8, reason: StopReason::Malformed };
        assert_eq!(read(LinkType::ETHERNET, &version_0).stop, Some(stop));
    }

    #[test]
    fn tags_inside_come_after_tags_outside() {
        let inside = ethernet(0x8100, &tag(3, 0x0800, &inner_ipv4()));
        let carried = outer(47, &join(&[&[0, 0, 0x65, 0x58], &inside])).split_off(14);
        let frame = ethernet(0x8100, &tag(2, 0x0800, &carried));
        assert_eq!(read(LinkType::ETHERNET, &frame).vlan.ids(), [2, 3]);
    }
}
