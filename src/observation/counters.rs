//! What an observer counted: every frame has a named fate.

use crate::{
    decode::{Anomaly, Decoded, Plain, StopReason, Transport, TunnelKind},
    flow::{FragmentCounters, ReassemblyCounters, TableCounters},
    source::Frame,
};

/// Counters of one observer. All are totals since its start.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// Frames read.
    pub frames: u64,
    /// Their captured bytes.
    pub bytes: u64,
    /// Frames that were read down to a transport header (or are another IP protocol).
    pub decoded: u64,
    /// Frames that carry no IP, by right: ARP, spanning tree, IS-IS ...
    pub not_ip: u64,
    /// Frames whose bytes end inside a header.
    pub cut: u64,
    /// Frames with a field that its layer forbids.
    pub malformed: u64,
    /// Frames with too many layers or tunnels.
    pub too_deep: u64,
    /// Frames whose payload is encrypted below TCP or UDP.
    pub encrypted: u64,
    /// Frames of a link type that is not supported.
    pub unsupported_link: u64,
    /// Frames that the user's filter left out; they are counted nowhere else.
    pub filtered: u64,
    /// Frames of which the capture holds only the beginning.
    pub truncated: u64,
    /// Fragments of datagrams.
    pub fragments_seen: u64,
    /// Wrong checksums of IPv4 headers.
    pub bad_ipv4_checksums: u64,
    /// Wrong checksums of those TCP segments and UDP datagrams whose payload was read.
    pub bad_checksums: [u64; 2],
    /// IPv4, IPv6, TCP, UDP, ICMP, ICMPv6, SCTP, other: innermost headers.
    pub protocols: [u64; 8],
    /// Frames with one VLAN tag, and with more.
    pub vlans: [u64; 2],
    /// Frames in tunnels, by the outermost one's kind.
    pub tunnels: [u64; TUNNELS.len()],
    /// DNS messages over UDP.
    pub dns_messages: u64,
    /// Flows that are read no further, because readers held too much.
    pub given_up: u64,
    /// What became of flows.
    pub flows: TableCounters,
    /// Flows in the table now.
    pub flows_active: u64,
    /// What reassembly met.
    pub reassembly: ReassemblyCounters,
    /// What became of fragments.
    pub fragments: FragmentCounters,
}

/// Tunnel kinds and their names in the statistics (EVE's where EVE has one).
const TUNNELS: [(TunnelKind, &str); 18] = [
    (TunnelKind::IpInIp, "decoder.ipv4_in_ipv4"),
    (TunnelKind::SixInFour, "decoder.ipv6_in_ipv4"),
    (TunnelKind::FourInSix, "decoder.ipv4_in_ipv6"),
    (TunnelKind::Gre, "decoder.gre"),
    (TunnelKind::Erspan1, "decoder.erspan1"),
    (TunnelKind::Erspan2, "decoder.erspan"),
    (TunnelKind::Erspan3, "decoder.erspan3"),
    (TunnelKind::Vxlan, "decoder.vxlan"),
    (TunnelKind::VxlanGpe, "decoder.vxlan_gpe"),
    (TunnelKind::Geneve, "decoder.geneve"),
    (TunnelKind::Gtpu, "decoder.gtpu"),
    (TunnelKind::Ayiya, "decoder.ayiya"),
    (TunnelKind::Teredo, "decoder.teredo"),
    (TunnelKind::GreUdp, "decoder.gre_udp"),
    (TunnelKind::MplsInIp, "decoder.mpls_in_ip"),
    (TunnelKind::EtherIp, "decoder.etherip"),
    (TunnelKind::L2tp, "decoder.l2tp"),
    (TunnelKind::Tzsp, "decoder.tzsp"),
];

const PROTOCOLS: [&str; 8] = [
    "decoder.ipv4",
    "decoder.ipv6",
    "decoder.tcp",
    "decoder.udp",
    "decoder.icmpv4",
    "decoder.icmpv6",
    "decoder.sctp",
    "decoder.other_ip",
];

impl Counters {
    /// Counts a frame and what decoding made of it.
    pub fn frame(&mut self, frame: &Frame<'_>, decoded: &Decoded<'_>) {
        self.frames += 1;
        self.bytes += frame.bytes.len() as u64;
        self.truncated += u64::from((frame.bytes.len() as u64) < u64::from(frame.wire_length));
        match decoded.vlan.ids().len() {
            0 => {}
            1 => self.vlans[0] += 1,
            _ => self.vlans[1] += 1,
        }
        if let Some(tunnel) = &decoded.tunnel
            && let Some(place) = TUNNELS.iter().position(|(kind, _)| *kind == tunnel.kind)
        {
            self.tunnels[place] += 1;
        }
        let fate = match (&decoded.stop, &decoded.transport) {
            (_, Transport::Fragment { .. }) => &mut self.fragments_seen,
            (None, _) => &mut self.decoded,
            (Some(stop), _) => match stop.reason {
                // Nothing is wrong with such a frame; MAC control, ARP and the like are no IP.
                StopReason::NotIp(_) => &mut self.not_ip,
                StopReason::Cut => &mut self.cut,
                StopReason::Malformed => &mut self.malformed,
                StopReason::TooDeep => &mut self.too_deep,
                StopReason::Encrypted => &mut self.encrypted,
                StopReason::UnsupportedLink(_) => &mut self.unsupported_link,
            },
        };
        *fate += 1;
        self.datagram(decoded);
    }

    /// The same for a plain frame.
    #[inline]
    pub fn plain(&mut self, frame: &Frame<'_>, plain: &Plain<'_>) {
        self.frames += 1;
        self.bytes += frame.bytes.len() as u64;
        self.decoded += 1;
        self.vlans[0] += u64::from(plain.is_tagged());
        self.protocols[usize::from(plain.is_v6())] += 1;
        self.protocols[if plain.tcp_flags().is_some() { 2 } else { 3 }] += 1;
        self.bad_ipv4_checksums += u64::from(plain.has_wrong_ipv4_checksum());
    }

    /// Counts a checksum that was verified, because the payload is read.
    pub fn checksum(&mut self, transport: &Transport<'_>, is_wrong: bool) {
        self.bad_checksums[usize::from(matches!(transport, Transport::Udp(_)))] += u64::from(is_wrong);
    }

    /// Counts the headers of a datagram, in a frame or put together from fragments.
    pub fn datagram(&mut self, decoded: &Decoded<'_>) {
        if let Some(network) = &decoded.network {
            self.protocols[usize::from(network.source.is_ipv6())] += 1;
        }
        let transport = match &decoded.transport {
            Transport::Tcp(_) => 2,
            Transport::Udp(_) => 3,
            Transport::Icmp { .. } => {
                let is_v6 = decoded.network.is_some_and(|network| network.source.is_ipv6());
                if is_v6 { 5 } else { 4 }
            }
            Transport::Sctp { .. } => 6,
            Transport::Other { .. } => 7,
            Transport::None | Transport::Fragment { .. } => return,
        };
        self.protocols[transport] += 1;
        self.bad_ipv4_checksums += u64::from(decoded.anomalies.has(Anomaly::Ipv4Checksum));
    }

    /// All counters by their names in the statistics, in a fixed order; zeros too.
    pub fn list(&self) -> Vec<(&'static str, u64)> {
        let mut list = vec![
            ("decoder.pkts", self.frames),
            ("decoder.bytes", self.bytes),
            ("decoder.decoded", self.decoded),
            ("decoder.fragments", self.fragments_seen),
            ("decoder.undecoded.not_ip", self.not_ip),
            ("decoder.undecoded.cut", self.cut),
            ("decoder.undecoded.malformed", self.malformed),
            ("decoder.undecoded.too_many_layers", self.too_deep),
            ("decoder.undecoded.encrypted", self.encrypted),
            ("decoder.undecoded.unsupported_link", self.unsupported_link),
            ("decoder.filtered", self.filtered),
            ("decoder.truncated", self.truncated),
        ];
        list.extend(PROTOCOLS.into_iter().zip(self.protocols));
        list.push(("decoder.vlan", self.vlans[0]));
        list.push(("decoder.vlan_qinq", self.vlans[1]));
        list.extend(TUNNELS.iter().zip(self.tunnels).map(|((_, name), count)| (*name, count)));
        let [tcp, udp] = self.bad_checksums;
        list.extend([
            ("ipv4.invalid_checksum", self.bad_ipv4_checksums),
            ("tcp.invalid_checksum", tcp),
            ("udp.invalid_checksum", udp),
            ("dns.udp_messages", self.dns_messages),
            ("flow.total", self.flows.created),
            ("flow.active", self.flows_active),
            ("flow.timed_out", self.flows.timed_out),
            ("flow.evicted", self.flows.evicted),
            ("app_layer.given_up", self.given_up),
        ]);
        let tcp = &self.reassembly;
        list.extend([
            ("tcp.out_of_order", tcp.out_of_order),
            ("tcp.overlap", tcp.overlaps),
            ("tcp.overlap_diff_data", tcp.conflicting_overlaps),
            ("tcp.retransmissions", tcp.retransmissions),
            ("tcp.reassembly_gap", tcp.gaps),
            ("tcp.reassembly_gap_bytes", tcp.gap_bytes),
            ("tcp.outside_window", tcp.outside_window),
            ("tcp.resyncs", tcp.resyncs),
            ("tcp.reassembly_side_overflows", tcp.side_overflows),
            ("tcp.reassembly_budget_refused", tcp.budget_refused),
        ]);
        let defrag = &self.fragments;
        list.extend([
            ("defrag.fragments", defrag.fragments),
            ("defrag.reassembled", defrag.reassembled),
            ("defrag.timed_out", defrag.timed_out),
            ("defrag.evicted", defrag.evicted),
            ("defrag.duplicates", defrag.duplicates),
            ("defrag.conflicts", defrag.conflicts),
            ("defrag.length_conflicts", defrag.length_conflicts),
            ("defrag.cut", defrag.cut),
            ("defrag.too_large", defrag.too_large),
            ("defrag.too_many", defrag.too_many),
        ]);
        list
    }
}

/// Adds `other`, name by name, to `sum`; names that `sum` lacks are put behind.
pub fn add_counters(sum: &mut Vec<(&'static str, u64)>, other: &[(&'static str, u64)]) {
    for (name, count) in other {
        match sum.iter_mut().find(|(known, _)| known == name) {
            Some((_, total)) => *total += count,
            None => sum.push((name, *count)),
        }
    }
}
