//! What a UDP datagram is: DNS at its ports by right, DNS elsewhere and QUIC by content.

use super::{
    emit::{Emitter, Roles},
    holders::Holding,
    vocabulary::DnsService,
};
use crate::{
    decode::UdpView,
    flow::Direction,
    limits,
    protocol::{Verdict, dns, quic},
};

/// Ports that DNS messages are taken from by right; elsewhere their content must be beyond doubt.
pub const DNS_PORT: u16 = 53;
const MDNS_PORT: u16 = 5353;
const LLMNR_PORT: u16 = 5355;

/// What is known of a UDP flow's protocol. Every flow has room for it: nearly all carry what nobody reads, and need
/// no memory of their own.
#[derive(Debug, Default)]
pub struct DatagramInspection {
    quic: Option<Box<QuicReader>>,
    app: App,
    /// Datagrams looked at in vain.
    looked: u8,
    /// Whether the protocol's client is the flow's server.
    swapped: bool,
}

#[derive(Debug, Default)]
struct QuicReader {
    stream: quic::QuicStream,
    /// What it holds, for the budget of all flows.
    holding: Holding,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum App {
    #[default]
    Unknown,
    Dns,
    Quic,
}

impl DatagramInspection {
    /// EVE's name of the protocol; `failed` when payload was looked at in vain.
    pub fn app(&self) -> &'static str {
        match self.app {
            App::Unknown if self.looked > 0 => "failed",
            App::Unknown => "",
            App::Dns => "dns",
            App::Quic => "quic",
        }
    }

    /// Whether the protocol shows that its client is the flow's server.
    pub fn roles_swapped(&self) -> bool {
        self.swapped
    }

    /// Bytes held of an unfinished hello, and their place in the budget; `None` where nothing can be held.
    pub fn held(&mut self) -> Option<(usize, &mut Holding)> {
        self.quic.as_deref_mut().map(|quic| (quic.stream.held(), &mut quic.holding))
    }

    /// Its place in the budget.
    pub fn holding(&self) -> Holding {
        self.quic.as_ref().map_or_else(Holding::default, |quic| quic.holding)
    }

    /// Whether what comes next is looked at.
    pub fn is_wanted(&self) -> bool {
        self.quic.is_some() || self.app == App::Dns || self.may_be_found()
    }

    /// Whether the protocol is looked for still.
    fn may_be_found(&self) -> bool {
        self.app == App::Unknown && u64::from(self.looked) < limits::IDENTIFY_DATAGRAMS
    }

    /// Notes that the flow carries DNS at its own port.
    pub fn is_dns(&mut self) {
        self.app = App::Dns;
    }

    /// Tells what is left at the flow's end.
    pub fn finish(&mut self, emitter: &mut Emitter<'_>) {
        if let Some(hello) = self.quic.as_mut().and_then(|quic| quic.stream.finish()) {
            emitter.quic(hello, self.roles());
        }
    }

    /// Looks at a datagram; answers how many DNS messages it was.
    pub fn inspect(&mut self, direction: Direction, udp: &UdpView<'_>, emitter: &mut Emitter<'_>) -> u64 {
        if let Some(quic) = &mut self.quic {
            if let Some(hello) = quic.stream.datagram(direction, udp.payload) {
                // The reader knows a client by its keys.
                self.swapped = direction == Direction::ToClient;
                emitter.quic(hello, self.roles());
            }
            return 0;
        }
        if self.app == App::Dns || self.may_be_found() {
            if is_dns(udp) {
                self.app = App::Dns;
                let is_response =
                    dns::Message::parse(udp.payload).is_some_and(|message| message.is_response());
                let role = if is_response { Direction::ToClient } else { Direction::ToServer };
                self.swapped = role != direction;
                emitter.dns(role, udp.payload, DnsService::Dns, false, self.roles());
                return 1;
            }
            if self.app == App::Unknown && quic::identify(udp.payload) == Verdict::Yes {
                self.app = App::Quic;
                self.quic = Some(Box::default());
                return self.inspect(direction, udp, emitter);
            }
            self.looked = self.looked.saturating_add(1);
        }
        0
    }

    fn roles(&self) -> Roles {
        Roles { swapped: self.swapped, relayed: false }
    }
}

/// Whether a datagram is DNS by its content, as far as the capture has it.
fn is_dns(udp: &UdpView<'_>) -> bool {
    let length = udp.payload_length as usize;
    dns::looks_like_dns(udp.payload, false) == Verdict::Yes
        || udp.payload.len() < length && dns::looks_like_cut_dns(udp.payload, length)
}

/// Which DNS service a datagram belongs to by its ports, where its content does not deny it.
pub fn dns_service(udp: &UdpView<'_>) -> Option<DnsService> {
    let service = service_of_ports(udp)?;
    (dns::looks_like_dns(udp.payload, true) != Verdict::No).then_some(service)
}

/// The same with the message's outline; what has one is DNS.
#[inline]
pub fn outlined_dns_service(udp: &UdpView<'_>) -> Option<(DnsService, Option<dns::Places>)> {
    let service = service_of_ports(udp)?;
    match dns::Outline::of(udp.payload) {
        Some(outline) => Some((service, Some(outline.places()))),
        None => dns_service(udp).map(|service| (service, None)),
    }
}

fn service_of_ports(udp: &UdpView<'_>) -> Option<DnsService> {
    let has = |port| udp.source_port == port || udp.destination_port == port;
    if has(DNS_PORT) {
        Some(DnsService::Dns)
    } else if has(MDNS_PORT) {
        Some(DnsService::Mdns)
    } else if has(LLMNR_PORT) {
        Some(DnsService::Llmnr)
    } else {
        None
    }
}

/// A DNS datagram goes to the side that has the service's port; when both have it, its QR bit tells.
#[inline]
pub fn dns_direction(udp: &UdpView<'_>) -> Direction {
    let is_service = |port| matches!(port, DNS_PORT | MDNS_PORT | LLMNR_PORT);
    match (is_service(udp.source_port), is_service(udp.destination_port)) {
        (false, true) => Direction::ToServer,
        (true, false) => Direction::ToClient,
        _ if udp.payload.get(2).is_some_and(|flags| flags & 0x80 != 0) => Direction::ToClient,
        _ => Direction::ToServer,
    }
}
