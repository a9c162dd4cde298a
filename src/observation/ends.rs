//! A packet before its turn: who talks to whom, and where its flow likely stands.

use super::{
    datagrams::{dns_direction, dns_service, outlined_dns_service},
    observer::Observer,
    screening::Asked,
    vocabulary::DnsService,
};
use crate::{
    decode::{self, Decoded, Plain, PlainEnds, TcpView, Transport, Tunnel, UdpView, VlanStack},
    flow::{Direction, Endpoint, FlowKey, StableHash},
    protocol::dns::Places,
    source::Frame,
    time::Timestamp,
};

/// Who talks to whom in a datagram, and where its flow likely stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ends {
    pub(super) key: FlowKey,
    /// Whether the key's lower end sent it.
    pub(super) from_low: bool,
    /// Which service's message it is, where messages make no flow, and its outline.
    pub(super) dns: Option<(DnsService, Option<Places>)>,
    /// The key's hash in the flow table; `None` where messages make no flow.
    pub(super) hash: Option<u64>,
    /// Where its flow likely stands in the table.
    pub(super) likely: Option<u32>,
}

impl Ends {
    /// Between whom a DNS datagram goes.
    #[inline]
    pub(super) fn asked(&self, udp: &UdpView<'_>) -> Asked {
        let direction = dns_direction(udp);
        let [low, high] = self.key.addresses();
        let (client, server) = if self.client_is_low(direction) { (low, high) } else { (high, low) };
        let port = match direction {
            Direction::ToServer => udp.destination_port,
            Direction::ToClient => udp.source_port,
        };
        Asked { client, server, port }
    }

    /// Whether the key's lower end is the client of what goes in this direction.
    #[inline]
    pub(super) fn client_is_low(&self, direction: Direction) -> bool {
        (direction == Direction::ToServer) == self.from_low
    }

    pub(super) fn source(&self) -> Endpoint {
        if self.from_low { self.key.low() } else { self.key.high() }
    }

    pub(super) fn destination(&self) -> Endpoint {
        if self.from_low { self.key.high() } else { self.key.low() }
    }
}

/// Frames that are read, and whose flows are looked up, before the first of them is observed: the
/// processor then waits for the memory of many of them at once, not of one after the other.
pub(super) const AHEAD: usize = 32;

/// A frame with what can be known of it before its turn comes. It is filled in where it stands and used for one
/// frame after the other: moving it would cost more than reading the headers.
pub(super) struct Ahead<'a> {
    pub(super) frame: Frame<'a>,
    pub(super) reading: Reading<'a>,
    pub(super) share: Share,
    /// Where the frame is ours.
    pub(super) ends: Ends,
}

/// Whose a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    /// This observer has its flow.
    Ours,
    /// Another one has.
    Others,
    /// It shows no flow, and every observer reads it.
    Everybodys,
}

impl<'a> From<Frame<'a>> for Ahead<'a> {
    fn from(frame: Frame<'a>) -> Self {
        Self { frame, reading: Reading::Layers(0), share: Share::Everybodys, ends: Ends::default() }
    }
}

/// How far a frame has been read.
pub(super) enum Reading<'a> {
    /// It is plain; where its headers are is known.
    Plain(Plain<'a>),
    /// It was decoded layer by layer, and stands at this place of the list of those.
    Layers(usize),
}

impl Observer {
    /// Reads the headers of `ahead`'s frame and asks for the memory of its flow. What is not plain goes into `layers`.
    #[inline(always)]
    pub(super) fn look<'a>(&self, ahead: &mut Ahead<'a>, layers: &mut Vec<Decoded<'a>>) {
        let Frame { link, bytes, wire_length, .. } = ahead.frame;
        match Plain::of(link, bytes, wire_length, &self.options.decode).filter(|_| self.options.shortcuts) {
            Some(plain) => {
                let ends = &mut ahead.ends;
                (ends.key, ends.from_low) = key_of(&plain);
                // One after the other, so that a segment is not asked again and again what it is.
                ahead.share = match plain.udp() {
                    None => self.take_on(ends, None),
                    Some(udp) => self.take_on(ends, Some(&udp)),
                };
                ahead.reading = Reading::Plain(plain);
            }
            None => self.look_deeper(ahead, layers),
        }
    }

    fn look_deeper<'a>(&self, ahead: &mut Ahead<'a>, layers: &mut Vec<Decoded<'a>>) {
        let Frame { link, bytes, wire_length, .. } = ahead.frame;
        let decoded = decode::decode_by_layers(link, bytes, wire_length, &self.options.decode);
        ahead.reading = Reading::Layers(layers.len());
        (ahead.share, ahead.ends) = self.ends(&decoded);
        layers.push(decoded);
    }

    /// Who talks to whom in `decoded`, and whose that is.
    pub(super) fn ends(&self, decoded: &Decoded<'_>) -> (Share, Ends) {
        let nobody = (Share::Everybodys, Ends::default());
        let Some(network) = &decoded.network else { return nobody };
        let (source_port, destination_port) = match &decoded.transport {
            Transport::Tcp(tcp) => (tcp.source_port, tcp.destination_port),
            Transport::Udp(udp) => (udp.source_port, udp.destination_port),
            Transport::Sctp { source_port, destination_port, .. } => (*source_port, *destination_port),
            Transport::Icmp { .. } | Transport::Other { .. } => (0, 0),
            Transport::None | Transport::Fragment { .. } => return nobody,
        };
        let source = Endpoint { address: network.source, port: source_port };
        let destination = Endpoint { address: network.destination, port: destination_port };
        let (key, from_low) = FlowKey::directed(decoded.tenant, source, destination, network.protocol);
        let udp = if let Transport::Udp(udp) = &decoded.transport { Some(udp) } else { None };
        let mut ends = Ends { key, from_low, ..Ends::default() };
        (self.take_on(&mut ends, udp), ends)
    }

    /// Completes `ends`, of which key and direction are known, where the flow is this observer's.
    #[inline(always)]
    fn take_on(&self, ends: &mut Ends, udp: Option<&UdpView<'_>>) -> Share {
        if self.options.shards > 1 && ends.key.share(self.options.shards) != self.options.shard {
            return Share::Others;
        }
        let dns = udp.and_then(|udp| self.dns_of(udp));
        (ends.dns, ends.hash) = (dns, dns.is_none().then(|| self.flows.prefetch(&ends.key)));
        ends.likely = None;
        Share::Ours
    }

    fn dns_of(&self, udp: &UdpView<'_>) -> Option<(DnsService, Option<Places>)> {
        let dns = if self.options.shortcuts {
            outlined_dns_service(udp)
        } else {
            dns_service(udp).map(|service| (service, None))
        };
        dns.filter(|(service, _)| !self.options.dns_flows || *service != DnsService::Dns)
    }
}

/// The key of a plain frame's flow, and whether its lower end sent the frame.
#[inline(always)]
pub(super) fn key_of(plain: &Plain<'_>) -> (FlowKey, bool) {
    match plain.ends() {
        PlainEnds::V4(source, destination) => FlowKey::v4(source, destination, plain.protocol()),
        PlainEnds::V6(source, destination) => FlowKey::v6(source, destination, plain.protocol()),
    }
}

/// One packet of a flow on its way through the observer.
pub(super) struct Packet<'a> {
    pub(super) number: u64,
    pub(super) time: Timestamp,
    pub(super) wire_length: u32,
    pub(super) ends: &'a Ends,
    pub(super) transport: Transport<'a>,
    pub(super) carrier: Carrier<'a>,
}

/// What carries a packet: the frame, or whatever it is in.
#[derive(Clone, Copy)]
pub(super) enum Carrier<'a> {
    Plain(&'a Plain<'a>),
    Layers(&'a Decoded<'a>),
}

impl<'a> Carrier<'a> {
    pub(super) fn transport(self) -> Transport<'a> {
        match self {
            Self::Plain(plain) => plain.transport(),
            Self::Layers(decoded) => decoded.transport,
        }
    }

    pub(super) fn vlan(self) -> VlanStack {
        match self {
            Self::Plain(plain) => plain.vlan(),
            Self::Layers(decoded) => decoded.vlan,
        }
    }

    pub(super) const fn tunnel(self) -> Option<Tunnel> {
        match self {
            Self::Plain(_) => None,
            Self::Layers(decoded) => decoded.tunnel,
        }
    }

    /// As [`Decoded::has_wrong_checksum`].
    pub(super) fn has_wrong_checksum(self) -> bool {
        match self {
            Self::Plain(plain) => plain.has_wrong_checksum(),
            Self::Layers(decoded) => decoded.has_wrong_checksum(),
        }
    }
}

/// Whether a packet of no known flow shows none: a reset is the last that is heard of a connection, or
/// answers a stray. Only the one that refuses a SYN (RFC 9293 section 3.10.7.1) shows who called.
pub(super) fn is_stray(packet: &Packet<'_>) -> bool {
    matches!(&packet.transport,
        Transport::Tcp(tcp) if tcp.has(TcpView::RST) && !(tcp.has(TcpView::ACK) && tcp.sequence == 0))
}

/// Whether a packet without a handshake was sent by the server, as far as ports tell: the side with the
/// system port (RFC 6335 section 6), when only one has such a port.
pub(super) fn is_server_port(packet: &Packet<'_>) -> bool {
    packet.ends.source().port < 1024 && packet.ends.destination().port >= 1024
}

/// EVE's `flow_id`, below 2^53 so that readers that hold numbers as doubles keep it whole.
pub(super) fn flow_id(key: &FlowKey, first: Timestamp) -> u64 {
    StableHash::of(key).with(&first.as_nanos().to_be_bytes()).finish() >> 11
}

/// The identity of DNS over UDP between two ends: that of the pair, because no flow is kept for it.
pub fn dns_flow_id(key: &FlowKey) -> u64 {
    StableHash::of(key).finish() >> 11
}
