//! A packet before its turn: who talks to whom, and where its flow likely stands.

use super::{datagrams::dns_direction, vocabulary::DnsService};
use crate::{
    decode::{Decoded, TcpView, Transport, UdpView},
    flow::{Direction, Endpoint, FiveTuple, FlowKey, StableHash},
    protocol::dns::Places,
    source::Frame,
    time::Timestamp,
};

/// IP protocol number.
const UDP: u8 = 17;

/// Who talks to whom in a datagram, and where its flow likely stands.
#[derive(Clone, Copy)]
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
    pub(super) const fn source(&self) -> Endpoint {
        if self.from_low { self.key.low } else { self.key.high }
    }

    pub(super) const fn destination(&self) -> Endpoint {
        if self.from_low { self.key.high } else { self.key.low }
    }
}

/// Frames that are decoded, and whose flows are looked up, before the first of them is observed: the
/// processor then waits for the memory of many of them at once, not of one after the other.
pub(super) const AHEAD: usize = 32;

/// Frames with what can be known of them before their turn comes: three lists of equal length.
#[derive(Default)]
pub(super) struct Ahead<'a> {
    pub(super) frames: Vec<Frame<'a>>,
    pub(super) decoded: Vec<Decoded<'a>>,
    pub(super) ends: Vec<Option<Ends>>,
}

impl Ahead<'_> {
    pub(super) fn clear(&mut self) {
        self.frames.clear();
        self.decoded.clear();
        self.ends.clear();
    }
}

/// One packet of a flow on its way through the observer.
pub(super) struct Packet<'a> {
    pub(super) number: u64,
    pub(super) time: Timestamp,
    pub(super) wire_length: u32,
    pub(super) ends: &'a Ends,
    pub(super) decoded: &'a Decoded<'a>,
}

/// Which way a DNS datagram goes, and between whom.
pub(super) fn dns_tuple(udp: &UdpView<'_>, ends: &Ends) -> (Direction, FiveTuple) {
    let direction = dns_direction(udp);
    let (client, server) = match direction {
        Direction::ToServer => (ends.source(), ends.destination()),
        Direction::ToClient => (ends.destination(), ends.source()),
    };
    (direction, FiveTuple { client, server, protocol: UDP })
}

/// Whether a packet of no known flow shows none: a reset is the last that is heard of a connection, or
/// answers a stray. Only the one that refuses a SYN (RFC 9293 section 3.10.7.1) shows who called.
pub(super) fn is_stray(packet: &Packet<'_>) -> bool {
    matches!(&packet.decoded.transport,
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
pub(super) fn dns_flow_id(key: &FlowKey) -> u64 {
    StableHash::of(key).finish() >> 11
}
