//! The walk over a frame's layers: the cursor, its bounds, and what happens when a tunnel is opened.

use crate::limits;

use super::{
    Anomaly, DecodeOptions, Decoded, Layer, LinkType, Network, Stop, StopReason, Tenant, TenantKind,
    Transport, Tunnel, TunnelKind, VlanStack, anomaly::Anomalies,
};

/// What stands at the cursor. Each layer is read by one method of [`Walk`], which answers what comes
/// next; so the walk is a loop, not a recursion, and its length has one bound for all layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A frame of a link type, from its first byte.
    Link(LinkType),
    /// An Ethernet header.
    Ethernet,
    /// What an EtherType announces.
    EtherType(u16),
    /// An IEEE 802.2 header.
    Llc,
    /// An MPLS label.
    Mpls,
    /// A PPPoE header.
    Pppoe,
    /// PPP from the address and control bytes, or from the protocol field where they are left out.
    Ppp,
    /// Cisco's HDLC header.
    CiscoHdlc,
    /// An IEEE 802.11 header.
    Ieee80211,
    /// IP of the version that its first four bits tell.
    Ip,
    /// An IPv4 header.
    Ipv4,
    /// An IPv6 header.
    Ipv6,
    /// What an IP protocol number (or an IPv6 next header) announces.
    IpProtocol(u8),
    /// Nothing: the walk is over.
    Done,
}

/// What a packet was before a tunnel in it was opened, to return to when the inside has no IP header.
#[derive(Clone, Copy)]
struct Carrier<'a> {
    transport: Transport<'a>,
    segment: &'a [u8],
    vlan: VlanStack,
    tunnel: Option<Tunnel>,
    tenant: Tenant,
    anomalies: Anomalies,
    /// Only a UDP port says that this is a tunnel, and ports lie.
    guessed: bool,
}

/// The cursor over a frame.
///
/// Invariant: `offset <= end <= frame.len()` and `end <= wire_end`.
pub(super) struct Walk<'a> {
    frame: &'a [u8],
    /// Where the next layer starts.
    offset: usize,
    /// Where the captured bytes of the layer around the cursor end.
    end: usize,
    /// Where that layer ended on the wire: behind `end` when the capture cut it.
    wire_end: usize,
    /// Where the innermost link layer starts.
    link_start: usize,
    /// The layer that is being read, or was read last, and where it starts.
    layer: (Layer, usize),
    /// Whether the addresses of the IP header are those of the checksum's pseudo header.
    pub(super) pseudo_header_known: bool,
    pub(super) options: DecodeOptions,
    pub(super) out: Decoded<'a>,
    carrier: Option<Carrier<'a>>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(frame: &'a [u8], wire_length: usize, options: DecodeOptions) -> Self {
        let mut walk = Self {
            frame,
            offset: 0,
            end: frame.len(),
            wire_end: wire_length.max(frame.len()),
            link_start: 0,
            layer: (Layer::Raw, 0),
            pseudo_header_known: true,
            options,
            out: Decoded::default(),
            carrier: None,
        };
        if walk.wire_end > walk.end {
            walk.flag(Anomaly::Truncated);
        }
        walk
    }

    /// Reads layer after layer, from `next` on, and gives what was found.
    pub(super) fn run(mut self, mut next: Next) -> Decoded<'a> {
        let mut layers = 0;
        while next != Next::Done {
            if layers == limits::LAYERS {
                self.flag(Anomaly::LayersTooMany);
                self.stop(StopReason::TooDeep);
                break;
            }
            layers += 1;
            next = match next {
                Next::Link(link) => self.link(link),
                Next::Ethernet => self.ethernet(),
                Next::EtherType(kind) => self.ether_type(kind),
                Next::Llc => self.llc(),
                Next::Mpls => self.mpls(),
                Next::Pppoe => self.pppoe(),
                Next::Ppp => self.ppp(),
                Next::CiscoHdlc => self.cisco_hdlc(),
                Next::Ieee80211 => self.ieee80211(),
                Next::Ip => self.ip(),
                Next::Ipv4 => self.ipv4(),
                Next::Ipv6 => self.ipv6(),
                Next::IpProtocol(protocol) => self.ip_protocol(protocol),
                Next::Done => Next::Done,
            };
        }
        self.finish()
    }

    fn finish(mut self) -> Decoded<'a> {
        if let Some(carrier) = self.carrier.take() {
            self.close_tunnel(carrier);
        }
        // The weakest of all tenants: it counts only where no encapsulation tells more. Of several
        // tags the outermost is the provider's, whose customers' tags may be equal.
        if self.options.vlan_is_tenant
            && self.out.tenant.is_default()
            && let Some(&id) = self.out.vlan.ids().first()
        {
            self.out.tenant = Tenant { kind: TenantKind::Vlan, key: u64::from(id) };
        }
        self.out
    }

    // ---- cursor --------------------------------------------------------------------------------

    /// The captured bytes from the cursor to the end of the layer around it.
    #[inline]
    pub(super) fn rest(&self) -> &'a [u8] {
        self.frame.get(self.offset..self.end).unwrap_or_default()
    }

    /// The next `N` bytes, which stay where they are.
    #[inline]
    pub(super) fn peek<const N: usize>(&self) -> Option<[u8; N]> {
        self.rest().first_chunk::<N>().copied()
    }

    /// How many bytes the wire had from the cursor to the end of the layer around it.
    #[inline]
    pub(super) fn wire_rest(&self) -> usize {
        self.wire_end.saturating_sub(self.offset)
    }

    /// Whether the capture holds all of the layer around the cursor.
    pub(super) fn is_whole(&self) -> bool {
        self.end == self.wire_end
    }

    /// Steps over `count` bytes; `None`, and no step, when the capture does not have them.
    #[inline]
    pub(super) fn skip(&mut self, count: usize) -> Option<()> {
        let offset = self.offset.checked_add(count)?;
        if offset > self.end {
            return None;
        }
        self.offset = offset;
        Some(())
    }

    /// Marks the cursor as the start of a link layer's frame.
    #[inline]
    pub(super) fn mark_link(&mut self) {
        self.link_start = self.offset;
    }

    /// Ends the layer around the cursor `length` bytes from here, because a length field says so.
    ///
    /// A length beyond what is around is flagged and changes nothing.
    pub(super) fn limit(&mut self, length: usize) {
        let claimed = self.offset.saturating_add(length);
        if claimed > self.wire_end {
            self.flag(Anomaly::LengthTooLong);
        } else {
            self.shrink_to(claimed);
        }
    }

    /// As [`Walk::limit`], for IP, whose length is believed also beyond what is around: mirrors that
    /// truncate (AWS's packet length option) shorten the outer packet and leave the inner
    /// length as it was, and only that tells how much is missing.
    #[inline]
    pub(super) fn limit_ip(&mut self, length: usize) {
        let claimed = self.offset.saturating_add(length);
        if claimed > self.wire_end {
            self.flag(Anomaly::LengthTooLong);
            self.wire_end = claimed;
        } else if claimed < self.wire_end {
            // Padding to Ethernet's least length and a frame check sequence are no oddity.
            if self.wire_end - claimed > 4 && self.wire_end.saturating_sub(self.link_start) > 64 {
                self.flag(Anomaly::TrailingBytes);
            }
            self.shrink_to(claimed);
        }
    }

    #[inline]
    fn shrink_to(&mut self, claimed: usize) {
        self.wire_end = claimed;
        self.end = self.end.min(claimed);
    }

    /// Takes `count` bytes off the end of the layer around the cursor (a checksum that stands there).
    pub(super) fn drop_tail(&mut self, count: usize) {
        self.shrink_to(self.wire_end.saturating_sub(count).max(self.offset));
    }

    // ---- findings ------------------------------------------------------------------------------

    pub(super) fn flag(&mut self, anomaly: Anomaly) {
        self.out.anomalies.add(anomaly);
    }

    /// Notes that `layer` starts at the cursor: a stop from now on is its stop.
    #[inline]
    pub(super) fn enter(&mut self, layer: Layer) {
        self.layer = (layer, self.offset);
    }

    /// Ends the walk in the layer entered last.
    pub(super) fn stop(&mut self, reason: StopReason) -> Next {
        let (layer, offset) = self.layer;
        self.out.stop = Some(Stop { layer, offset: u32::try_from(offset).unwrap_or(u32::MAX), reason });
        Next::Done
    }

    /// Ends the walk: the capture ends inside the header of the layer entered last.
    pub(super) fn stop_cut(&mut self) -> Next {
        self.stop(StopReason::Cut)
    }

    /// Ends the walk: the layer entered last contradicts its own definition.
    pub(super) fn stop_malformed(&mut self) -> Next {
        self.stop(StopReason::Malformed)
    }

    /// Takes over an IP header that was read. With it an opened tunnel has proved to be one.
    #[inline]
    pub(super) fn found_network(&mut self, network: Network) {
        self.carrier = None;
        self.pseudo_header_known = true;
        self.out.network = Some(network);
    }

    /// Notes what the encapsulation at the cursor says of the tenant; the outermost that says something
    /// counts.
    ///
    /// So `GENEVE(VXLAN(Ethernet))`, which is AWS mirroring through a gateway load balancer, belongs to
    /// GENEVE's endpoint and not to VXLAN's identifier: the endpoint stands for one network, while the
    /// identifier is chosen for each mirror session, that is for each mirrored interface, and would put
    /// the two ends of one connection inside a network into two tenants.
    pub(super) fn found_tenant(&mut self, kind: TenantKind, key: u64) {
        if matches!(self.out.tenant.kind, TenantKind::Input | TenantKind::Vlan) {
            self.out.tenant = Tenant { kind, key };
        }
    }

    // ---- tunnels -------------------------------------------------------------------------------

    /// Opens a tunnel whose carrier (the IP header in `out.network`, the transport in `out.transport`)
    /// has been read. `None` when there are too many already: then the carrier stays what is reported.
    pub(super) fn open_tunnel(&mut self, kind: TunnelKind) -> Option<()> {
        let network = self.out.network?;
        let outermost = self.out.tunnel;
        if outermost.is_some_and(|tunnel| tunnel.depth >= limits::TUNNEL_DEPTH) {
            self.flag(Anomaly::TunnelsTooDeep);
            self.stop(StopReason::TooDeep);
            return None;
        }
        let ports = match self.out.transport {
            Transport::Udp(udp) => Some((udp.source_port, udp.destination_port)),
            _ => None,
        };
        self.carrier = Some(Carrier {
            transport: self.out.transport,
            segment: self.out.segment,
            vlan: self.out.vlan,
            tunnel: outermost,
            tenant: self.out.tenant,
            anomalies: self.out.anomalies,
            guessed: ports.is_some(),
        });
        let (source_port, destination_port) = ports.unwrap_or_default();
        self.out.transport = Transport::None;
        self.out.segment = &[];
        self.out.tunnel = Some(match outermost {
            Some(tunnel) => Tunnel { depth: tunnel.depth + 1, ..tunnel },
            None => Tunnel {
                kind,
                source: network.source,
                destination: network.destination,
                source_port,
                destination_port,
                protocol: network.protocol,
                depth: 1,
            },
        });
        Some(())
    }

    /// Returns to the carrier of a tunnel in which there was no IP header.
    ///
    /// Network, transport and tenant must speak of the same packet, so all of them are the carrier's
    /// again.
    fn close_tunnel(&mut self, carrier: Carrier<'a>) {
        self.out.transport = carrier.transport;
        self.out.segment = carrier.segment;
        self.out.vlan = carrier.vlan;
        self.out.tunnel = carrier.tunnel;
        self.out.tenant = carrier.tenant;
        let too_many = self.out.anomalies.has(Anomaly::LayersTooMany);
        self.out.anomalies = carrier.anomalies;
        if too_many {
            self.flag(Anomaly::LayersTooMany);
        }
        if carrier.guessed {
            self.forget_wrong_guess();
        }
    }

    /// Forgets where the walk ended, unless it says more than "these bytes are no such tunnel after all":
    /// that the tunnel carries ARP does.
    pub(super) fn forget_wrong_guess(&mut self) {
        let telling = |stop: &Stop| stop.layer == Layer::Arp || stop.reason == StopReason::TooDeep;
        self.out.stop = self.out.stop.filter(telling);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{
        decode, decode_datagram,
        frames::{
            OUTER_CLIENT, OUTER_SERVER, assert_inner_ipv4, assert_inner_ipv6, ethernet, inner_ipv4,
            inner_ipv6, ipv4, ipv4_between, ipv4_with, ipv6, join, outer, read, tag, udp, udp_of,
        },
    };

    #[test]
    fn ip_in_ip_in_all_four_ways() {
        let (four, six) = (inner_ipv4(), inner_ipv6());
        for (frame, kind, over_ipv6) in [
            (outer(4, &four), TunnelKind::IpInIp, false),
            (outer(41, &six), TunnelKind::SixInFour, false),
            (ethernet(0x86dd, &ipv6(4, &four)), TunnelKind::FourInSix, true),
            (ethernet(0x86dd, &ipv6(41, &six)), TunnelKind::IpInIp, true),
        ] {
            let decoded = read(LinkType::ETHERNET, &frame);
            match decoded.network.map(|network| network.source.is_ipv6()) {
                Some(true) => assert_inner_ipv6(&decoded),
                _ => assert_inner_ipv4(&decoded),
            }
            let tunnel = decoded.tunnel.expect("a tunnel");
            assert_eq!((tunnel.kind, tunnel.depth, tunnel.source_port), (kind, 1, 0));
            assert_eq!(tunnel.source.is_ipv6(), over_ipv6);
            assert!(decoded.tenant.is_default());
        }
    }

    #[test]
    fn tunnels_are_opened_to_the_depth() {
        let mut packet = inner_ipv4();
        for depth in 1..=limits::TUNNEL_DEPTH {
            packet = ipv4_between(OUTER_CLIENT, OUTER_SERVER, 4, &packet);
            let decoded = read(LinkType::RAW, &packet);
            assert_inner_ipv4(&decoded);
            assert_eq!(decoded.tunnel.map(|tunnel| tunnel.depth), Some(depth));
        }
        packet = ipv4_between(OUTER_CLIENT, OUTER_SERVER, 4, &packet);
        let decoded = read(LinkType::RAW, &packet);
        assert!(decoded.anomalies.has(Anomaly::TunnelsTooDeep));
        let stop = Stop { layer: Layer::Ipv4, offset: 100, reason: StopReason::TooDeep };
        assert_eq!(decoded.stop, Some(stop));
        assert_eq!(decoded.tunnel.map(|tunnel| tunnel.depth), Some(limits::TUNNEL_DEPTH));
        assert_eq!(decoded.transport, Transport::Other { payload: &packet[100..] });
        assert_eq!(decoded.network.map(|network| network.source), Some(OUTER_CLIENT.into()));
    }

    #[test]
    fn a_tunnel_that_tells_the_tenant_outweighs_a_tag() {
        let inside = ethernet(0x8100, &tag(9, 0x0800, &inner_ipv4()));
        let vxlan = udp(50_000, 4789, &join(&[&[8, 0, 0, 0, 0, 0, 7, 0], &inside]));
        let frame = ethernet(0x8100, &tag(5, 0x0800, &ipv4(17, &vxlan)));
        let options = DecodeOptions { vlan_is_tenant: true, ..DecodeOptions::default() };
        let decoded = decode(LinkType::ETHERNET, &frame, frame.len() as u32, &options);
        assert_eq!(decoded.vlan.ids(), [5, 9]);
        assert_eq!(decoded.tenant, Tenant { kind: TenantKind::Vni, key: 7 });
        // A tunnel that tells nothing does not.
        let frame = ethernet(0x8100, &tag(5, 0x0800, &ipv4(4, &inner_ipv4())));
        let decoded = decode(LinkType::ETHERNET, &frame, frame.len() as u32, &options);
        assert_eq!(decoded.tenant, Tenant { kind: TenantKind::Vlan, key: 5 });
    }

    #[test]
    fn a_datagram_goes_on_where_its_fragments_stopped() {
        let vxlan = |payload: &[u8]| join(&[&[8, 0, 0, 0, 0, 0, 7, 0], &ethernet(0x0800, payload)]);
        // A fragment inside a tunnel: the transport is inside the datagram.
        let datagram = inner_ipv4().split_off(20);
        let fragment = ipv4_with(
            crate::decode::frames::CLIENT,
            crate::decode::frames::SERVER,
            17,
            0x2000,
            &[],
            &datagram[..8],
        );
        let frame = outer(17, &udp(50_000, 4789, &vxlan(&fragment)));
        let part = read(LinkType::ETHERNET, &frame);
        assert_eq!(part.transport, Transport::Fragment { payload: &datagram[..8] });
        let decoded = decode_datagram(&part, &datagram);
        assert_inner_ipv4(&decoded);
        assert_eq!((decoded.tunnel, decoded.tenant), (part.tunnel, Tenant { kind: TenantKind::Vni, key: 7 }));

        // A tunnel inside fragments: it is opened in the datagram.
        let datagram = udp(50_000, 4789, &vxlan(&inner_ipv4()));
        let fragment = ipv4_with(OUTER_CLIENT, OUTER_SERVER, 17, 0x2000, &[], &datagram[..16]);
        let part = read(LinkType::RAW, &fragment);
        assert!(part.tunnel.is_none());
        let decoded = decode_datagram(&part, &datagram);
        assert_inner_ipv4(&decoded);
        let tunnel = decoded.tunnel.expect("a tunnel");
        assert_eq!((tunnel.kind, tunnel.depth, tunnel.source), (TunnelKind::Vxlan, 1, OUTER_CLIENT.into()));
        assert_eq!(decoded.tenant, Tenant { kind: TenantKind::Vni, key: 7 });

        // Behind extension headers.
        let packet = ipv6(44, &[60, 0, 0, 1, 0, 0, 0, 9, 17, 0, 1, 4, 0, 0, 0, 0]);
        let part = read(LinkType::RAW, &packet);
        let datagram = join(&[&[17, 0, 1, 4, 0, 0, 0, 0], &udp(40_000, 53, b"query")]);
        let decoded = decode_datagram(&part, &datagram);
        assert_eq!(udp_of(&decoded).payload, b"query");
        assert_eq!(decoded.network.map(|network| (network.protocol, network.fragment)), Some((17, None)));
        assert!(decode_datagram(&Decoded::default(), b"anything").network.is_none());
    }

    #[test]
    fn a_mirror_that_truncates_leaves_the_length_on_the_wire() {
        let packet = ipv4(17, &udp(40_000, 53, &[7; 500]));
        let mirrored = join(&[&[8, 0, 0, 0, 0, 0, 7, 0], &ethernet(0x0800, &packet[..128])]);
        let frame = outer(17, &udp(50_000, 4789, &mirrored));
        let decoded = read(LinkType::ETHERNET, &frame);
        let view = udp_of(&decoded);
        assert_eq!((view.payload.len(), view.payload_length), (100, 500));
        assert!(decoded.anomalies.has(Anomaly::LengthTooLong));
    }
}
