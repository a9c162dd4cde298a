//! The line of everything that belongs to a flow: EVE's common fields, and a place for each object.

use std::{fmt, net::IpAddr};

use serde::{Serialize, Serializer};

use super::{
    EventOptions,
    alert::{AlertObject, FindingNote},
    dns::{DnsObject, MdnsObject},
    flow::{FlowNote, FlowObject, TcpObject},
    http::HttpObject,
    line::Bounds,
    text::Shown,
    tls::{QuicObject, TlsObject},
};
use crate::{
    decode::{Tenant, Tunnel, TunnelKind},
    flow::{CommunityId, Direction, Endpoint, FiveTuple, counterpart},
    observation::Head,
    time::{SECOND, Timestamp},
};

/// An event of a flow. The order of the fields is their order in the line.
#[derive(Serialize)]
pub(super) struct Event<'a> {
    timestamp: EveTime,
    flow_id: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pcap_cnt: Option<u64>,
    event_type: &'static str,
    #[serde(skip_serializing_if = "<[u16]>::is_empty")]
    vlan: &'a [u16],
    src_ip: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    src_port: Option<u16>,
    dest_ip: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    dest_port: Option<u16>,
    proto: ProtocolName,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_type: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_code: Option<u16>,
    ip_v: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    community_id: Option<Shown<CommunityId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tunnel: Option<TunnelObject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_proto: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tx_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alert: Option<AlertObject<'a>>,
    #[serde(flatten)]
    pub application: ApplicationObject<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow: Option<FlowObject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp: Option<TcpObject>,
    #[serde(skip_serializing_if = "Note::is_empty")]
    pub callhome: Note<'a>,
}

/// The application message of an event.
#[derive(Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ApplicationObject<'a> {
    Dns(DnsObject),
    Mdns(MdnsObject),
    Tls(TlsObject<'a>),
    Quic(QuicObject<'a>),
    Http(HttpObject<'a>),
    #[default]
    #[serde(untagged)]
    None,
}

/// The object of our own.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Note<'a> {
    Finding(Box<FindingNote<'a>>),
    Record(RecordNote),
}

impl Note<'_> {
    fn is_empty(&self) -> bool {
        matches!(self, Self::Record(note) if note.is_empty())
    }
}

/// What EVE has no place for, in a record of plain traffic; left out when there is nothing.
#[derive(Default, PartialEq, Eq, Serialize)]
pub(super) struct RecordNote {
    /// Whose network, when the encapsulation tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<Shown<Tenant>>,
    /// The outermost tunnel's kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tunnel: Option<&'static str>,
    /// `llmnr`, for messages in DNS form that are not unicast DNS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<&'static str>,
    /// Encrypted Client Hello was offered: the server name is the outer one.
    #[serde(skip_serializing_if = "is_false")]
    pub ech: bool,
    /// SHA-256 of the leaf certificate; EVE's `fingerprint` is SHA-1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_sha256: Option<String>,
    /// Oddities of the messages, by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub anomalies: Vec<&'static str>,
    /// Why a strict DNS parser refuses a message that could be read: what other tools may be blind to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strict_parser: Option<&'static str>,
    /// How a flow began and ended.
    #[serde(flatten)]
    pub flow: Option<FlowNote>,
    /// The event would have been too long and lacks something.
    #[serde(skip_serializing_if = "is_false")]
    pub cut: bool,
}

impl RecordNote {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

pub(super) fn is_false(value: &bool) -> bool {
    !value
}

impl<'a> Event<'a> {
    /// An event of the flow that `head` names, seen as going from `source` to `destination`, the two ends
    /// of that flow.
    pub(super) fn new(
        event_type: &'static str,
        head: &'a Head,
        (source, destination): (Endpoint, Endpoint),
        options: &EventOptions,
        bounds: Bounds,
    ) -> Self {
        let tuple = &head.flow.tuple;
        let ports = matches!(tuple.protocol, TCP | UDP | DCCP | SCTP | UDP_LITE);
        let (icmp_type, icmp_code) = icmp(tuple);
        Self {
            timestamp: EveTime(head.time),
            flow_id: head.flow.id,
            // What a timer did is not in the packet whose time set it off, which may be anybody's.
            pcap_cnt: Some(head.packet_number()).filter(|&number| number > 0 && head.order.by_packet),
            event_type,
            vlan: head.flow.vlan.ids(),
            src_ip: source.address,
            src_port: ports.then_some(source.port),
            dest_ip: destination.address,
            dest_port: ports.then_some(destination.port),
            proto: ProtocolName(tuple.protocol),
            icmp_type,
            icmp_code,
            ip_v: if source.address.is_ipv4() { 4 } else { 6 },
            community_id: options.community_id(tuple).map(Shown),
            tunnel: head.flow.tunnel.map(TunnelObject::new),
            app_proto: None,
            tx_id: None,
            direction: None,
            alert: None,
            application: ApplicationObject::None,
            flow: None,
            tcp: None,
            callhome: Note::Record(RecordNote::new(head, bounds)),
        }
    }

    /// An event that goes from the flow's client to its server, as most of EVE's records do.
    pub(super) fn from_client(
        event_type: &'static str,
        head: &'a Head,
        options: &EventOptions,
        bounds: Bounds,
    ) -> Self {
        let FiveTuple { client, server, .. } = head.flow.tuple;
        Self::new(event_type, head, (client, server), options, bounds)
    }

    /// Changes the note of a record.
    pub(super) fn note(mut self, change: impl FnOnce(&mut RecordNote)) -> Self {
        if let Note::Record(note) = &mut self.callhome {
            change(note);
        }
        self
    }
}

impl RecordNote {
    fn new(head: &Head, bounds: Bounds) -> Self {
        Self {
            tenant: tenant(head.flow.tenant),
            tunnel: head.flow.tunnel.map(|tunnel| tunnel_name(tunnel.kind)),
            cut: bounds.cut,
            ..Self::default()
        }
    }
}

/// The tenant, unless nothing but the input tells it.
pub(super) fn tenant(tenant: Tenant) -> Option<Shown<Tenant>> {
    (!tenant.is_default()).then_some(Shown(tenant))
}

/// EVE's name of a direction.
pub(super) const fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::ToServer => "to_server",
        Direction::ToClient => "to_client",
    }
}

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const DCCP: u8 = 33;
const ICMPV6: u8 = 58;
const SCTP: u8 = 132;
const UDP_LITE: u8 = 136;

/// Type and code of an ICMP flow's first packet; a message that has an answer has the code 0.
fn icmp(tuple: &FiveTuple) -> (Option<u16>, Option<u16>) {
    match tuple.protocol {
        ICMP | ICMPV6 if counterpart(tuple.protocol, tuple.client.port).is_some() => {
            (Some(tuple.client.port), Some(0))
        }
        ICMP | ICMPV6 => (Some(tuple.client.port), Some(tuple.server.port)),
        _ => (None, None),
    }
}

/// A time in EVE's form; the same text as [`Timestamp::eve`], without its allocations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EveTime(pub Timestamp);

impl fmt::Display for EveTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day, hour, minute, second) = self.0.civil();
        let micros = self.0.as_nanos().rem_euclid(SECOND) / 1000;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}+0000")
    }
}

impl Serialize for EveTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// EVE's `proto`: IANA's keyword of an IP protocol as Suricata writes it, or its number.
#[derive(Clone, Copy, Debug)]
pub(super) struct ProtocolName(pub u8);

impl Serialize for ProtocolName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let name = match self.0 {
            ICMP => "ICMP",
            2 => "IGMP",
            4 => "IP-ENCAP",
            TCP => "TCP",
            UDP => "UDP",
            DCCP => "DCCP",
            41 => "IPv6",
            46 => "RSVP",
            47 => "GRE",
            50 => "ESP",
            51 => "AH",
            ICMPV6 => "IPv6-ICMP",
            88 => "EIGRP",
            89 => "OSPFIGP",
            103 => "PIM",
            112 => "VRRP",
            115 => "L2TP",
            SCTP => "SCTP",
            UDP_LITE => "UDPLite",
            // Suricata's way to write what has no name: three digits.
            other => return serializer.collect_str(&format_args!("{other:03}")),
        };
        serializer.serialize_str(name)
    }
}

/// EVE's `tunnel`: the outermost header.
#[derive(Serialize)]
struct TunnelObject {
    src_ip: IpAddr,
    src_port: u16,
    dest_ip: IpAddr,
    dest_port: u16,
    proto: ProtocolName,
    depth: u8,
}

impl TunnelObject {
    fn new(tunnel: Tunnel) -> Self {
        Self {
            src_ip: tunnel.source,
            src_port: tunnel.source_port,
            dest_ip: tunnel.destination,
            dest_port: tunnel.destination_port,
            proto: ProtocolName(tunnel.protocol),
            depth: tunnel.depth,
        }
    }
}

/// A tunnel's kind in events.
pub(super) const fn tunnel_name(kind: TunnelKind) -> &'static str {
    match kind {
        TunnelKind::IpInIp => "ipip",
        TunnelKind::SixInFour => "6in4",
        TunnelKind::FourInSix => "4in6",
        TunnelKind::Gre => "gre",
        TunnelKind::Erspan1 => "erspan1",
        TunnelKind::Erspan2 => "erspan2",
        TunnelKind::Erspan3 => "erspan3",
        TunnelKind::Vxlan => "vxlan",
        TunnelKind::VxlanGpe => "vxlan_gpe",
        TunnelKind::Geneve => "geneve",
        TunnelKind::Gtpu => "gtpu",
        TunnelKind::Ayiya => "ayiya",
        TunnelKind::Teredo => "teredo",
        TunnelKind::GreUdp => "gre_udp",
        TunnelKind::MplsInIp => "mpls_in_ip",
        TunnelKind::EtherIp => "etherip",
        TunnelKind::L2tp => "l2tp",
        TunnelKind::Tzsp => "tzsp",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_as_the_timestamp_writes_them() {
        for nanos in [0, -1, 1_774_916_518_123_456_789, i64::MAX, i64::MIN, -62_135_596_800 * 100] {
            let time = Timestamp::from_nanos(nanos);
            assert_eq!(EveTime(time).to_string(), time.eve());
        }
    }

    #[test]
    fn protocols_have_eves_names() {
        let name = |protocol| serde_json::to_string(&ProtocolName(protocol)).unwrap();
        assert_eq!(name(6), "\"TCP\"");
        assert_eq!(name(17), "\"UDP\"");
        assert_eq!(name(1), "\"ICMP\"");
        assert_eq!(name(58), "\"IPv6-ICMP\"");
        assert_eq!(name(132), "\"SCTP\"");
        assert_eq!(name(99), "\"099\"");
    }
}
