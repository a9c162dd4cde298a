//! What a UDP datagram is: DNS at its ports by right, DNS elsewhere and QUIC by content.

use super::{emit::Emitter, vocabulary::DnsService};
use crate::{
    decode::UdpView,
    flow::Direction,
    limits,
    protocol::{Verdict, dns, quic},
};

/// Ports that DNS messages are taken from by right; elsewhere their content must be beyond doubt.
const DNS_PORT: u16 = 53;
const MDNS_PORT: u16 = 5353;
const LLMNR_PORT: u16 = 5355;

/// What is known of a UDP flow's protocol.
#[derive(Debug, Default)]
pub struct DatagramInspection {
    quic: Option<Box<quic::QuicStream>>,
    app: &'static str,
    /// Datagrams looked at in vain.
    looked: u64,
}

impl DatagramInspection {
    /// EVE's name of the protocol; `failed` when payload was looked at in vain.
    pub fn app(&self) -> &'static str {
        if self.app.is_empty() && self.looked > 0 { "failed" } else { self.app }
    }

    /// Notes that the flow carries DNS at its own port.
    pub fn is_dns(&mut self) {
        self.app = "dns";
    }

    /// Tells what is left at the flow's end.
    pub fn finish(&mut self, emitter: &mut Emitter<'_>) {
        if let Some(hello) = self.quic.as_mut().and_then(|stream| stream.finish()) {
            emitter.quic(hello);
        }
    }

    /// Looks at a datagram; answers how many DNS messages it was.
    pub fn inspect(&mut self, direction: Direction, udp: &UdpView<'_>, emitter: &mut Emitter<'_>) -> u64 {
        if let Some(stream) = &mut self.quic {
            if let Some(hello) = stream.datagram(direction, udp.payload) {
                emitter.quic(hello);
            }
            return 0;
        }
        if self.app == "dns" || (self.app.is_empty() && self.looked < limits::IDENTIFY_DATAGRAMS) {
            if dns::looks_like_dns(udp.payload, false) == Verdict::Yes {
                self.app = "dns";
                let is_response =
                    dns::Message::parse(udp.payload).is_some_and(|message| message.is_response());
                let direction = if is_response { Direction::ToClient } else { Direction::ToServer };
                emitter.dns(direction, udp.payload, DnsService::Dns, false);
                return 1;
            }
            if self.app.is_empty() && quic::identify(udp.payload) == Verdict::Yes {
                self.app = "quic";
                self.quic = Some(Box::default());
                return self.inspect(direction, udp, emitter);
            }
            self.looked += 1;
        }
        0
    }
}

/// Which DNS service a datagram belongs to by its ports, where its content does not deny it.
pub fn dns_service(udp: &UdpView<'_>) -> Option<DnsService> {
    let has = |port| udp.source_port == port || udp.destination_port == port;
    let service = if has(DNS_PORT) {
        DnsService::Dns
    } else if has(MDNS_PORT) {
        DnsService::Mdns
    } else if has(LLMNR_PORT) {
        DnsService::Llmnr
    } else {
        return None;
    };
    (dns::looks_like_dns(udp.payload, true) != Verdict::No).then_some(service)
}

/// A DNS datagram goes to the side that has the service's port; when both have it, its QR bit tells.
pub fn dns_direction(udp: &UdpView<'_>) -> Direction {
    let is_service = |port| matches!(port, DNS_PORT | MDNS_PORT | LLMNR_PORT);
    match (is_service(udp.source_port), is_service(udp.destination_port)) {
        (false, true) => Direction::ToServer,
        (true, false) => Direction::ToClient,
        _ if udp.payload.get(2).is_some_and(|flags| flags & 0x80 != 0) => Direction::ToClient,
        _ => Direction::ToServer,
    }
}
