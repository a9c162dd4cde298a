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
