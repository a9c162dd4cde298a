//! What can be observed.

use std::{net::IpAddr, sync::Arc};

use crate::{
    address::AddressWords,
    decode::{Tenant, Tunnel, VlanStack},
    flow::{Direction, FiveTuple, TcpState},
    protocol::{dns, http, quic, tls},
    time::Timestamp,
};

/// Which flow an observation belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowIdentity {
    /// EVE's `flow_id`: a hash of tenant, five-tuple and the flow's first packet time, below 2^53.
    pub id: u64,
    /// Client, server, IP protocol.
    pub tuple: FiveTuple,
    /// Whose network.
    pub tenant: Tenant,
    /// VLAN tags of the packet.
    pub vlan: VlanStack,
    /// The packet's outermost tunnel.
    pub tunnel: Option<Tunnel>,
}

/// Where an observation stands among all others; a total order that threads do not change.
///
/// Timers run before the packet whose time set them off; among themselves they are ordered by the time
/// that they were due and by the flow's first packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Order {
    /// Number of the packet that made it (`u64::MAX` at the end of input).
    pub packet: u64,
    /// `false` for what a timer did before the packet, `true` for what the packet did.
    pub by_packet: bool,
    /// When a timer was due, in nanoseconds; 0 for a packet.
    pub due: i64,
    /// Timer: number of the flow's first packet. Packet: how many observations it made before this one.
    pub sequence: u64,
}

/// What every observation has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Head {
    /// Its place among all others.
    pub order: Order,
    /// Packet time of the observation.
    pub time: Timestamp,
    /// Whose.
    pub flow: FlowIdentity,
    /// Who sent what was seen.
    pub direction: Direction,
    /// It was carried behind another protocol on the same connection (CONNECT, SOCKS, STARTTLS): the
    /// flow's server may only pass it on.
    pub relayed: bool,
}

impl Head {
    /// Number of the packet that made it, for a person: 0 when no packet did.
    pub fn packet_number(&self) -> u64 {
        if self.order.packet == u64::MAX { 0 } else { self.order.packet }
    }

    /// Address of the side that sent what was seen.
    pub fn sender(&self) -> IpAddr {
        match self.direction {
            Direction::ToServer => self.flow.tuple.client.address,
            Direction::ToClient => self.flow.tuple.server.address,
        }
    }
}

/// One thing seen on the wire.
#[derive(Clone, Debug)]
pub struct Observation<'a> {
    /// When, whose, in which order.
    pub head: &'a Head,
    /// What.
    pub seen: Seen<'a>,
    /// Whether it is a flow's beginning, exchange, going on or end, and no claim is about the address of either end, as
    /// far as whoever told it was asked ([`super::Screen`]).
    pub is_unlisted: bool,
}

impl Observation<'_> {
    /// The name that a TLS or QUIC client asks for in a hello that was told in full.
    pub fn sni(&self) -> Option<&[u8]> {
        match &self.seen {
            Seen::TlsClient(hello) => hello.sni.as_deref(),
            Seen::Quic(quic) => quic.hello.sni.as_deref(),
            _ => None,
        }
    }
}

/// What was seen.
#[derive(Clone, Debug)]
pub enum Seen<'a> {
    /// A flow's first packet.
    FlowOpened(FirstPacket),
    /// Both sides of a flow, which began so, have sent payload for the first time.
    Exchange(FirstPacket),
    /// A flow goes on that began under earlier indicators, so that it was not asked about by those of now.
    StillOpen(StillOpen),
    /// A flow ended; the last observation of it.
    FlowClosed(&'a FlowClosed),
    /// A DNS message.
    Dns(DnsSeen<'a>),
    /// A client's TLS hello.
    TlsClient(&'a Arc<tls::ClientHello>),
    /// A client's TLS hello in which there is nothing to detect, where hellos are screened ([`super::Screen`]).
    UnlistedHello(HelloSeen<'a>),
    /// A server's TLS hello.
    TlsServer(&'a Arc<tls::ServerHello>),
    /// A server's TLS hello where hellos are screened: nothing is detected by any.
    UnreadAnswer,
    /// A server's certificates.
    Certificates(CertificatesSeen<'a>),
    /// A QUIC client's hello.
    Quic(&'a Arc<quic::QuicHello>),
    /// An HTTP request: head and the body's first bytes.
    HttpRequest(&'a Arc<http::Request>),
    /// An HTTP response, at its end.
    HttpResponse(&'a Arc<http::Response>),
}

/// A client's TLS hello as far as names and visibility learn from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HelloSeen<'a> {
    /// See [`tls::ClientHello::sni`].
    pub sni: Option<&'a [u8]>,
    /// See [`tls::ClientHello::ech`].
    pub ech: bool,
    /// Whether the name is a package registry's.
    pub is_registry: bool,
    /// Whether a public DNS resolver is reached by it.
    pub is_resolver: bool,
}

/// A usual unicast DNS message over UDP about which no indicator says anything, where messages are screened
/// ([`super::Screen`]): of nearly all messages this is all that anybody wants to know.
#[derive(Clone, Copy, Debug)]
pub struct QuietDns<'a> {
    /// Number of the packet that carried it.
    pub packet: u64,
    /// Who asked whom.
    pub about: &'a QuietHead,
    /// The name that is asked for.
    pub name: dns::Name<'a>,
    /// The addresses of that name in the order of the answer, each with the smallest TTL on the way there.
    pub addresses: &'a [(AddressWords, u32)],
}

/// Who asked whom in a quiet message.
#[derive(Clone, Copy, Debug)]
pub struct QuietHead {
    /// Packet time.
    pub time: Timestamp,
    /// Whose network.
    pub tenant: Tenant,
    /// Who asked.
    pub client: AddressWords,
    /// Who was asked.
    pub server: AddressWords,
    /// The server's port.
    pub port: u16,
    /// Whether it is a response.
    pub is_response: bool,
    /// What it is in numbers.
    pub facts: DnsFacts,
}

/// A DNS message in numbers: what tells whether the names of a question are worth a closer look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DnsFacts {
    /// The hash of the name's last two labels, whatever the case of their letters; 0 where it has fewer.
    pub ending: u64,
    /// Bytes of the message, as far as it was captured.
    pub bytes: u16,
    /// The type that is asked for.
    pub kind: u16,
    /// Where these two labels begin in the name.
    pub ending_at: u8,
    /// The response code, of which a message's header holds four bits.
    pub code: u8,
    /// RD: somebody else shall find the answer, as those ask who are no resolver themselves.
    pub recursion_desired: bool,
}

impl DnsFacts {
    /// Of a usual message, given the hash of its name's last two labels.
    #[inline]
    pub fn of_outline(outline: &dns::Outline<'_>, ending: u64) -> Self {
        let message = outline.message();
        let flags =
            message.get(2..4).and_then(<[u8]>::first_chunk).map_or(0, |flags| u16::from_be_bytes(*flags));
        Self {
            ending,
            // A datagram holds no more.
            bytes: message.len() as u16,
            kind: outline.kind(),
            ending_at: outline.ending_at(),
            code: flags as u8 & 0xf,
            recursion_desired: flags & 0x100 != 0,
        }
    }

    /// The same of any message, of which `question` asks for `name`.
    pub fn of_message(
        message: &dns::Message<'_>,
        question: &dns::Question<'_>,
        name: dns::Name<'_>,
        ending: u64,
    ) -> Self {
        let mut suffixes = name.suffixes();
        let before = name.label_count().checked_sub(2).and_then(|rest| suffixes.nth(rest));
        Self {
            ending,
            bytes: message.bytes().len().min(usize::from(u16::MAX)) as u16,
            kind: question.kind,
            ending_at: before.map_or(0, |before| name.wire().len() - before.wire().len()) as u8,
            code: message.rcode(),
            recursion_desired: message.bytes().get(2).is_some_and(|flags| flags & 1 != 0),
        }
    }
}

/// A server's certificates, and what they answer.
#[derive(Clone, Copy, Debug)]
pub struct CertificatesSeen<'a> {
    /// The chain, the server's own certificate first; never empty.
    pub chain: &'a Arc<[tls::Certificate]>,
    /// The client's hello; `None` when it was not captured.
    pub hello: Option<&'a Arc<tls::ClientHello>>,
}

/// How a flow begins in the capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstPacket {
    /// A TCP SYN.
    Syn,
    /// A TCP SYN-ACK: the request before it was not captured.
    SynAck,
    /// A TCP segment of a connection that began before the capture.
    Midstream,
    /// A datagram of UDP, ICMP or another protocol without connections.
    Datagram,
}

/// A flow that goes on under other indicators than those that it began under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StillOpen {
    /// Time of its first packet.
    pub first: Timestamp,
    /// How it began in the capture.
    pub opened: FirstPacket,
    /// Whether both sides have sent payload.
    pub exchanged: bool,
}

/// A DNS message as it was carried.
#[derive(Clone, Copy, Debug)]
pub struct DnsSeen<'a> {
    /// The message.
    pub message: dns::Message<'a>,
    /// Which service it belongs to.
    pub service: DnsService,
    /// Whether it was carried by TCP.
    pub over_tcp: bool,
}

/// The services that speak DNS messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DnsService {
    /// Unicast DNS.
    Dns,
    /// Multicast DNS (RFC 6762): recognised, not scored.
    Mdns,
    /// Link-local multicast name resolution (RFC 4795): recognised, not scored.
    Llmnr,
}

/// Packets and bytes of one side of a flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SideTotals {
    /// Packets.
    pub packets: u64,
    /// Bytes of those frames on the wire.
    pub bytes: u64,
    /// Payload bytes on the wire.
    pub payload: u64,
    /// All TCP flags seen.
    pub tcp_flags: u8,
}

/// Why a flow ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowEnd {
    /// FIN both ways.
    Fin,
    /// A reset.
    Rst,
    /// Nothing more came within the timeout of its state.
    Timeout,
    /// A new connection took its five-tuple.
    Reused,
    /// The table was full.
    Evicted,
    /// The input ended.
    EndOfInput,
}

/// A flow's totals at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowClosed {
    /// Time of its first packet.
    pub first: Timestamp,
    /// Time of its last packet.
    pub last: Timestamp,
    /// How it began in the capture.
    pub opened: FirstPacket,
    /// What the client sent.
    pub to_server: SideTotals,
    /// What the server sent.
    pub to_client: SideTotals,
    /// How far TCP came.
    pub state: TcpState,
    /// Why it ended.
    pub end: FlowEnd,
    /// EVE's `app_proto`: `dns`, `tls`, `http`, `quic`, `failed` when nothing was recognised, empty without payload.
    pub app_protocol: &'static str,
    /// Bytes that the capture lost, in each direction (to server, to client).
    pub gap_bytes: [u64; 2],
    /// The side in whose name a reset came went on sending: the reset was forged.
    pub data_after_reset: bool,
}
