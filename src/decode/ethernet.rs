//! Ethernet II, IEEE 802.3 with LLC and SNAP, VLAN tags and those of bridges, MACsec without encryption,
//! MPLS labels.

use super::{
    Anomaly, Layer, StopReason, ipv4, ipv6,
    walk::{Next, Walk},
};

/// EtherTypes (IEEE registration authority).
pub(super) mod ether_type {
    pub const IPV4: u16 = 0x0800;
    pub const ARP: u16 = 0x0806;
    pub const TRANSPARENT_ETHERNET: u16 = 0x6558;
    pub const VLAN: u16 = 0x8100;
    pub const IPV6: u16 = 0x86dd;
    pub const PPP: u16 = 0x880b;
    pub const MPLS: u16 = 0x8847;
    pub const MPLS_UPSTREAM: u16 = 0x8848;
    pub const PPPOE_DISCOVERY: u16 = 0x8863;
    pub const PPPOE_SESSION: u16 = 0x8864;
    pub const JUMBO_LLC: u16 = 0x8870;
    pub const PROVIDER_VLAN: u16 = 0x88a8;
    pub const MACSEC: u16 = 0x88e5;
    pub const PROVIDER_BACKBONE: u16 = 0x88e7;
    pub const CISCO_VNTAG: u16 = 0x8926;
    pub const BRIDGE_EXTENSION: u16 = 0x893f;
    pub const QINQ_9100: u16 = 0x9100;
    pub const QINQ_9200: u16 = 0x9200;
    pub const QINQ_9300: u16 = 0x9300;
}

/// The largest IEEE 802.3 length; EtherTypes start at 0x0600.
const LENGTH_MAX: u16 = 1500;

impl Walk<'_> {
    pub(super) fn ethernet(&mut self) -> Next {
        self.mark_link();
        self.enter(Layer::Ethernet);
        let Some(header) = self.peek::<14>() else { return self.stop_cut() };
        // Within 14 bytes: the step cannot fail.
        let _ = self.skip(14);
        self.length_or_type(u16::from_be_bytes([header[12], header[13]]))
    }

    /// The field behind the addresses or behind a tag: an EtherType, or the length of an LLC frame.
    fn length_or_type(&mut self, value: u16) -> Next {
        if value > LENGTH_MAX {
            return Next::EtherType(value);
        }
        self.limit(usize::from(value));
        Next::Llc
    }

    pub(super) fn ether_type(&mut self, kind: u16) -> Next {
        match kind {
            ether_type::IPV4 => Next::Ipv4,
            ether_type::IPV6 => Next::Ipv6,
            ether_type::VLAN
            | ether_type::PROVIDER_VLAN
            | ether_type::QINQ_9100
            | ether_type::QINQ_9200
            | ether_type::QINQ_9300 => self.vlan(),
            ether_type::MPLS | ether_type::MPLS_UPSTREAM => Next::Mpls,
            ether_type::PPPOE_SESSION => Next::Pppoe,
            ether_type::PPP => Next::Ppp,
            ether_type::TRANSPARENT_ETHERNET => Next::Ethernet,
            ether_type::JUMBO_LLC => Next::Llc,
            ether_type::MACSEC => self.macsec(),
            ether_type::CISCO_VNTAG => self.bridge_tag(4),
            ether_type::BRIDGE_EXTENSION => self.bridge_tag(6),
            ether_type::PROVIDER_BACKBONE => self.backbone_tag(),
            ether_type::ARP => {
                self.enter(Layer::Arp);
                self.stop(StopReason::NotIp(kind))
            }
            other => self.stop(StopReason::NotIp(other)),
        }
    }

    /// One IEEE 802.1Q tag: three bits of priority, one of drop eligibility, twelve of identifier.
    fn vlan(&mut self) -> Next {
        self.enter(Layer::Vlan);
        let Some([high, low, type_high, type_low]) = self.peek::<4>() else {
            return self.stop_cut();
        };
        if !self.out.vlan.push(u16::from_be_bytes([high, low])) {
            self.flag(Anomaly::VlanStackDeep);
        }
        let _ = self.skip(4);
        self.length_or_type(u16::from_be_bytes([type_high, type_low]))
    }

    /// A tag of `length` bytes that is a bridge's own affair, and what is tagged: Cisco's VN-Tag, the E-Tag of
    /// IEEE 802.1BR.
    fn bridge_tag(&mut self, length: usize) -> Next {
        self.enter(Layer::BridgeTag);
        if self.skip(length).is_none() {
            return self.stop_cut();
        }
        let Some(kind) = self.peek::<2>() else { return self.stop_cut() };
        let _ = self.skip(2);
        self.length_or_type(u16::from_be_bytes(kind))
    }

    /// The service tag of a provider's backbone (IEEE 802.1ah), and the customer's frame.
    fn backbone_tag(&mut self) -> Next {
        self.enter(Layer::BridgeTag);
        self.skip(4).map_or_else(|| self.stop_cut(), |()| Next::Ethernet)
    }

    /// IEEE 802.2: an IP service access point, or SNAP with an EtherType.
    pub(super) fn llc(&mut self) -> Next {
        self.enter(Layer::Llc);
        let Some([destination, source, control]) = self.peek::<3>() else { return self.stop_cut() };
        let not_ip = StopReason::NotIp(u16::from_be_bytes([destination, source]));
        // Only unnumbered information frames (0x03, or 0x13 with the poll bit) carry datagrams.
        if control & !0x10 != 0x03 {
            return self.stop(not_ip);
        }
        match (destination & 0xfe, source & 0xfe) {
            (0xaa, 0xaa) => {
                let Some([_, _, _, a, b, c, high, low]) = self.peek::<8>() else {
                    return self.stop_cut();
                };
                // RFC 1042's code and that of bridged networks (IEEE 802.1H) mean EtherTypes.
                let kind = u16::from_be_bytes([high, low]);
                if !matches!([a, b, c], [0, 0, 0] | [0, 0, 0xf8]) {
                    return self.stop(StopReason::NotIp(kind));
                }
                let _ = self.skip(8);
                Next::EtherType(kind)
            }
            (0x06, 0x06) => {
                let _ = self.skip(3);
                Next::Ip
            }
            _ => self.stop(not_ip),
        }
    }

    /// IEEE 802.1AE: the tag is read over where the frame is only authenticated.
    fn macsec(&mut self) -> Next {
        const ENCRYPTED: u8 = 0x08;
        const CHANGED: u8 = 0x04;
        const WITH_SCI: u8 = 0x20;
        /// Bytes of the integrity check value of the default cipher suites.
        const CHECK_VALUE: usize = 16;

        self.enter(Layer::Macsec);
        let Some([control, _]) = self.peek::<2>() else { return self.stop_cut() };
        if control & 0x80 != 0 {
            return self.stop_malformed();
        }
        if control & (ENCRYPTED | CHANGED) != 0 {
            return self.stop(StopReason::Encrypted);
        }
        let tag = if control & WITH_SCI != 0 { 14 } else { 6 };
        let Some(&[high, low]) = self.rest().get(tag..tag + 2).and_then(|kind| kind.first_chunk()) else {
            return self.stop_cut();
        };
        let _ = self.skip(tag + 2);
        self.drop_tail(CHECK_VALUE);
        self.length_or_type(u16::from_be_bytes([high, low]))
    }

    /// One MPLS label (RFC 3032). Nothing in the last label says what follows, so the bytes tell.
    pub(super) fn mpls(&mut self) -> Next {
        const IPV4_EXPLICIT_NULL: u32 = 0;
        const IPV6_EXPLICIT_NULL: u32 = 2;

        self.enter(Layer::Mpls);
        let Some(entry) = self.peek::<4>() else { return self.stop_cut() };
        let entry = u32::from_be_bytes(entry);
        let (label, bottom) = (entry >> 12, entry & 0x100 != 0);
        let _ = self.skip(4);
        match label {
            _ if !bottom => Next::Mpls,
            IPV4_EXPLICIT_NULL => Next::Ipv4,
            IPV6_EXPLICIT_NULL => Next::Ipv6,
            _ => self.below_labels(),
        }
    }

    /// IP, or a pseudowire with an Ethernet frame (RFC 4448), with or without a control word.
    ///
    /// The first four bits are 4 or 6 for IP and 0 for a control word (RFC 4385), but without a control
    /// word they are also a hardware address's, and addresses that start with 0x0, 0x4 and 0x6 exist:
    /// an EtherType in the right place
    /// decides, unless the bytes are just as long as the IP header that they could be says.
    fn below_labels(&mut self) -> Next {
        let rest = self.rest();
        let Some(first) = rest.first() else { return self.stop_cut() };
        let bare_frame = is_frame_start(rest);
        match first >> 4 {
            0 if *first == 0 && rest.get(4..).is_some_and(is_frame_start) => {
                let _ = self.skip(4);
                Next::Ethernet
            }
            4 if !bare_frame || ipv4::claimed_length(rest) == Some(self.wire_rest()) => Next::Ipv4,
            6 if !bare_frame || ipv6::claimed_length(rest) == Some(self.wire_rest()) => Next::Ipv6,
            _ if bare_frame => Next::Ethernet,
            0 if *first == 0 => {
                let _ = self.skip(4);
                Next::Ethernet
            }
            // 1 is the associated channel of RFC 5586: operation and maintenance.
            _ => self.stop(StopReason::NotIp(u16::from(first >> 4))),
        }
    }
}

/// Whether these bytes look like an Ethernet header: a known EtherType stands in its place.
fn is_frame_start(bytes: &[u8]) -> bool {
    matches!(
        crate::bytes::u16_at(bytes, 12),
        Some(
            ether_type::IPV4
                | ether_type::IPV6
                | ether_type::ARP
                | ether_type::VLAN
                | ether_type::PROVIDER_VLAN
                | ether_type::PPPOE_DISCOVERY
                | ether_type::PPPOE_SESSION
                | ether_type::MPLS
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{
        DecodeOptions, LinkType, Stop, Tenant, TenantKind, decode,
        frames::{assert_inner_ipv4, assert_inner_ipv6, ethernet, inner_ipv4, inner_ipv6, join, read, tag},
    };

    fn stop_of(frame: &[u8]) -> Option<Stop> {
        read(LinkType::ETHERNET, frame).stop
    }

    #[test]
    fn ethernet_with_each_ip_version() {
        assert_inner_ipv4(&read(LinkType::ETHERNET, &ethernet(0x0800, &inner_ipv4())));
        assert_inner_ipv6(&read(LinkType::ETHERNET, &ethernet(0x86dd, &inner_ipv6())));
        let arp = Stop { layer: Layer::Arp, offset: 14, reason: StopReason::NotIp(0x0806) };
        assert_eq!(stop_of(&ethernet(0x0806, &[0; 28])), Some(arp));
        let lldp = Stop { layer: Layer::Ethernet, offset: 0, reason: StopReason::NotIp(0x88cc) };
        assert_eq!(stop_of(&ethernet(0x88cc, &[0; 28])), Some(lldp));
        let cut = Stop { layer: Layer::Ethernet, offset: 0, reason: StopReason::Cut };
        assert_eq!(stop_of(&[0; 13]), Some(cut));
    }

    #[test]
    fn padding_is_no_payload_and_no_oddity() {
        let mut frame = ethernet(0x0800, &inner_ipv4());
        frame.resize(60, 0xaa);
        assert_inner_ipv4(&read(LinkType::ETHERNET, &frame));
        frame.resize(90, 0xaa);
        let decoded = read(LinkType::ETHERNET, &frame);
        assert!(decoded.anomalies.has(Anomaly::TrailingBytes));
    }

    #[test]
    fn tags_up_to_three_are_kept_and_more_are_read_over() {
        let mut payload = inner_ipv4();
        let mut kind = 0x0800;
        for (count, (id, next)) in
            [(4, 0x8100), (3, 0x88a8), (2, 0x9100), (0xf001, 0x9200), (9, 0x9300)].into_iter().enumerate()
        {
            payload = tag(id, kind, &payload);
            kind = next;
            let frame = ethernet(kind, &payload);
            let decoded = read(LinkType::ETHERNET, &frame);
            assert_eq!(decoded.anomalies.has(Anomaly::VlanStackDeep), count >= 3);
            match count {
                0 => assert_eq!(decoded.vlan.ids(), [4]),
                2 => assert_eq!(decoded.vlan.ids(), [2, 3, 4]),
                4 => assert_eq!(decoded.vlan.ids(), [9, 1, 2]),
                _ => {}
            }
            assert!(decoded.stop.is_none());
            assert!(decoded.tenant.is_default());
            let options = DecodeOptions { vlan_is_tenant: true, ..DecodeOptions::default() };
            let tenant = decode(LinkType::ETHERNET, &frame, frame.len() as u32, &options).tenant;
            assert_eq!(tenant.kind, TenantKind::Vlan);
            assert_eq!(tenant.key, u64::from(decoded.vlan.ids()[0]));
        }
        let cut = ethernet(0x8100, &[0, 1, 8]);
        assert_eq!(stop_of(&cut), Some(Stop { layer: Layer::Vlan, offset: 14, reason: StopReason::Cut }));
    }

    #[test]
    fn tags_of_bridges_are_read_over() {
        let tagged = |kind: u16, tag: &[u8], inside: &[u8]| ethernet(kind, &join(&[tag, inside]));
        let four = inner_ipv4();
        let frame = ethernet(0x0800, &four);
        assert_inner_ipv4(&read(LinkType::ETHERNET, &tagged(0x8926, &[0, 1, 0, 2, 8, 0], &four)));
        assert_inner_ipv4(&read(LinkType::ETHERNET, &tagged(0x893f, &[0, 1, 0, 2, 0, 0, 8, 0], &four)));
        assert_inner_ipv4(&read(LinkType::ETHERNET, &tagged(0x88e7, &[0, 0, 0, 7], &frame)));
        for cut in [tagged(0x8926, &[0, 1, 0, 2, 8], &[]), tagged(0x88e7, &[0, 0, 0], &[])] {
            let stop = Stop { layer: Layer::BridgeTag, offset: 14, reason: StopReason::Cut };
            assert_eq!(stop_of(&cut), Some(stop));
        }
        let endless = ethernet(0x8926, &[0, 1, 0, 2, 0x89, 0x26].repeat(300));
        assert_eq!(stop_of(&endless).map(|stop| stop.reason), Some(StopReason::TooDeep));
    }

    #[test]
    fn endless_tags_end() {
        let frame = ethernet(0x8100, &[0, 1, 0x81, 0].repeat(300));
        let decoded = read(LinkType::ETHERNET, &frame);
        assert!(decoded.anomalies.has(Anomaly::LayersTooMany));
        assert_eq!(decoded.stop.map(|stop| stop.reason), Some(StopReason::TooDeep));
    }

    #[test]
    fn ieee_802_3_with_llc() {
        let snap = join(&[&[0xaa, 0xaa, 3, 0, 0, 0, 0x86, 0xdd], &inner_ipv6()]);
        let mut frame = ethernet(snap.len() as u16, &snap);
        frame.extend([0; 9]);
        assert_inner_ipv6(&read(LinkType::ETHERNET, &frame));
        let direct = join(&[&[0x06, 0x06, 3], &inner_ipv4()]);
        assert_inner_ipv4(&read(LinkType::ETHERNET, &ethernet(direct.len() as u16, &direct)));
        let tagged = tag(5, snap.len() as u16, &snap);
        assert_inner_ipv6(&read(LinkType::ETHERNET, &ethernet(0x8100, &tagged)));
        let spanning_tree = [0x42, 0x42, 3, 0, 0, 0, 0];
        let stop = Stop { layer: Layer::Llc, offset: 14, reason: StopReason::NotIp(0x4242) };
        assert_eq!(stop_of(&ethernet(7, &spanning_tree)), Some(stop));
        let cisco = [0xaa, 0xaa, 3, 0, 0, 0x0c, 0x20, 0x00, 1];
        assert_eq!(stop_of(&ethernet(9, &cisco)).map(|stop| stop.reason), Some(StopReason::NotIp(0x2000)));
    }

    #[test]
    fn labels_and_what_is_below_them() {
        let two = [0, 1, 0, 64, 0, 2, 1, 64];
        let one = [0, 1, 1, 64];
        let frame = ethernet(0x0800, &inner_ipv4());
        let zeroes = [0, 0, 0, 0];
        // A hardware address that looks like the start of IPv4, and one like that of IPv6.
        let mut like_ipv4 = frame.clone();
        like_ipv4[0] = 0x45;
        let mut like_ipv6 = frame.clone();
        like_ipv6[0] = 0x60;
        let mut like_control_word = frame.clone();
        like_control_word[0] = 0;
        for below in [
            inner_ipv4(),
            frame.clone(),
            join(&[&zeroes, &frame]),
            join(&[&zeroes, &like_control_word]),
            like_ipv4,
            like_ipv6,
            like_control_word,
        ] {
            for labels in [&two[..], &one[..]] {
                let frame = ethernet(0x8847, &join(&[labels, &below]));
                assert_inner_ipv4(&read(LinkType::ETHERNET, &frame));
            }
        }
        assert_inner_ipv6(&read(LinkType::ETHERNET, &ethernet(0x8848, &join(&[&two, &inner_ipv6()]))));
        let channel = ethernet(0x8847, &join(&[&one, &[0x10, 0, 0, 7, 0]]));
        let stop = Stop { layer: Layer::Mpls, offset: 14, reason: StopReason::NotIp(1) };
        assert_eq!(stop_of(&channel), Some(stop));
    }

    #[test]
    fn macsec_with_and_without_encryption() {
        let plain = |control: u8, sci: &[u8]| {
            let check = [0xee; 16];
            let tag = [control, 0, 0, 0, 0, 1];
            ethernet(0x88e5, &join(&[&tag, sci, &[8, 0], &inner_ipv4(), &check]))
        };
        assert_inner_ipv4(&read(LinkType::ETHERNET, &plain(0x00, &[])));
        assert_inner_ipv4(&read(LinkType::ETHERNET, &plain(0x20, &[1; 8])));
        let encrypted = Stop { layer: Layer::Macsec, offset: 14, reason: StopReason::Encrypted };
        assert_eq!(stop_of(&plain(0x0c, &[])), Some(encrypted));
    }

    #[test]
    fn the_default_tenant_stays_without_a_tunnel() {
        assert_eq!(read(LinkType::ETHERNET, &ethernet(0x0800, &inner_ipv4())).tenant, Tenant::default());
    }
}
