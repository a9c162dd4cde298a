//! Packets made by hand, and what an observer makes of them.

use std::sync::Arc;

use crate::{
    decode::{LinkType, TcpView},
    observation::{
        DnsService, Item, ObservationBatch, Observer, ObserverOptions, Screen, Seen, Shares, merge_in_order,
    },
    source::{Chunk, FrameBatch, FrameRecord},
    time::Timestamp,
};

pub const SYN: u8 = TcpView::SYN;
pub const ACK: u8 = TcpView::ACK;
pub const FIN: u8 = TcpView::FIN;
pub const RST: u8 = TcpView::RST;

/// An address of 10.0.0.0/8 by its last byte, and a port.
pub type End = (u8, u16);

/// Bare IPv4 packets with their times in milliseconds.
#[derive(Clone, Default)]
pub struct Wire {
    pub packets: Vec<(i64, Vec<u8>)>,
}

impl Wire {
    fn ipv4(&mut self, milliseconds: i64, protocol: u8, from: u8, to: u8, payload: &[u8]) {
        let mut packet = vec![0x45, 0];
        packet.extend_from_slice(&(20 + payload.len() as u16).to_be_bytes());
        packet.extend_from_slice(&[0, 0, 0x40, 0, 64, protocol, 0, 0, 10, 0, 0, from, 10, 0, 0, to]);
        packet.extend_from_slice(payload);
        self.packets.push((milliseconds, packet));
    }

    pub fn udp(&mut self, milliseconds: i64, from: End, to: End, payload: &[u8]) {
        let mut datagram = [from.1.to_be_bytes(), to.1.to_be_bytes()].concat();
        datagram.extend_from_slice(&(8 + payload.len() as u16).to_be_bytes());
        datagram.extend_from_slice(&[0, 0]);
        datagram.extend_from_slice(payload);
        self.ipv4(milliseconds, 17, from.0, to.0, &datagram);
    }

    #[allow(clippy::too_many_arguments, reason = "the fields of a header")]
    pub fn tcp(
        &mut self,
        milliseconds: i64,
        from: End,
        to: End,
        flags: u8,
        sequence: u32,
        acknowledgment: u32,
        payload: &[u8],
    ) {
        let mut segment = [from.1.to_be_bytes(), to.1.to_be_bytes()].concat();
        segment.extend_from_slice(&sequence.to_be_bytes());
        segment.extend_from_slice(&acknowledgment.to_be_bytes());
        segment.extend_from_slice(&[0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        segment.extend_from_slice(payload);
        self.ipv4(milliseconds, 6, from.0, to.0, &segment);
    }

    /// What `shards` observers tell of it, one line for each observation.
    pub fn told_by(&self, shards: u64) -> Vec<String> {
        self.told_with(shards, None).into_iter().map(|(line, _)| line).collect()
    }

    /// The same where hellos and flows are screened; each line with whether nothing can be detected by it.
    pub fn told_with(&self, shards: u64, screen: Option<&Arc<dyn Screen>>) -> Vec<(String, bool)> {
        let batch = self.frames();
        let shares = Shares::of(&batch, &ObserverOptions { shards, ..ObserverOptions::default() });
        let mut observers: Vec<_> = (0..shards)
            .map(|shard| Observer::new(ObserverOptions { shard, shards, ..ObserverOptions::default() }))
            .map(|observer| match screen {
                Some(screen) => observer.with_screen(Arc::clone(screen)),
                None => observer,
            })
            .collect();
        let mut lines = Vec::new();
        let mut round = |tell: &mut dyn FnMut(&mut Observer, &mut ObservationBatch)| {
            let mut batches = Vec::new();
            for observer in &mut observers {
                let mut out = ObservationBatch::default();
                tell(observer, &mut out);
                batches.push(out);
            }
            merge_in_order(&batches, |item| {
                let Item::Observation(observation) = item else { panic!("nobody screens: {item:?}") };
                let head = observation.head;
                let tuple = head.flow.tuple;
                let arrow = if head.direction == crate::flow::Direction::ToServer { ">" } else { "<" };
                let relayed = if head.relayed { " relayed" } else { "" };
                let line = format!(
                    "{}:{}{arrow}{}:{} {}{relayed}",
                    tuple.client.address,
                    tuple.client.port,
                    tuple.server.address,
                    tuple.server.port,
                    line(&observation.seen)
                );
                let is_unread = matches!(observation.seen, Seen::UnlistedHello(_) | Seen::UnreadAnswer);
                lines.push((line, observation.is_unlisted || is_unread));
            });
        };
        round(&mut |observer, out| observer.observe(&batch, Some(&shares), None, out));
        round(&mut |observer, out| while observer.finish(out) {});
        lines
    }

    pub fn told(&self) -> Vec<String> {
        self.told_by(1)
    }

    /// Only what protocols show.
    pub fn messages(&self) -> Vec<String> {
        let is_message = |line: &String| {
            !["opened", "exchange", "closed"].iter().any(|word| line.contains(&format!(" {word}")))
        };
        self.told().into_iter().filter(is_message).collect()
    }

    fn frames(&self) -> FrameBatch {
        let mut bytes = Vec::new();
        let mut records = Vec::new();
        for (milliseconds, packet) in &self.packets {
            records.push((bytes.len() as u64, packet.len() as u32, *milliseconds));
            bytes.extend_from_slice(packet);
        }
        let mut batch = FrameBatch::starting_at(1);
        let bytes: Chunk = Arc::new(bytes);
        let chunk = batch.add_chunk(&bytes);
        for (offset, length, milliseconds) in records {
            batch.push(FrameRecord {
                time: Timestamp::from_nanos(1_000_000_000_000 + milliseconds * 1_000_000),
                offset,
                length,
                wire_length: length,
                chunk,
                input: 0,
                link: LinkType::RAW,
            });
        }
        batch
    }
}

/// One observation in words.
fn line(seen: &Seen<'_>) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match seen {
        Seen::FlowOpened(first) => format!("opened {first:?}"),
        Seen::Exchange(_) => "exchange".to_owned(),
        Seen::StillOpen(seen) => {
            format!("still open, {}", if seen.exchanged { "exchanged" } else { "silent" })
        }
        Seen::FlowClosed(closed) => format!(
            "closed {:?} {:?} {}>{} {}",
            closed.end, closed.state, closed.to_server.payload, closed.to_client.payload, closed.app_protocol
        ),
        Seen::Dns(dns) => {
            let kind = if dns.message.is_response() { "answer" } else { "question" };
            let service = if dns.service == DnsService::Dns { "dns" } else { "local dns" };
            format!("{service} {kind} {:02x?}", dns.message.bytes().get(..2).unwrap_or_default())
        }
        Seen::TlsClient(hello) => format!("tls {}", text(hello.sni.as_deref().unwrap_or(b"-"))),
        Seen::UnlistedHello(hello) => format!("tls {}", text(hello.sni.unwrap_or(b"-"))),
        Seen::TlsServer(_) | Seen::UnreadAnswer => "tls server".to_owned(),
        Seen::Certificates(seen) => {
            let name = seen.hello.and_then(|hello| hello.sni.as_deref());
            format!("certificates {} for {}", seen.chain.len(), text(name.unwrap_or(b"-")))
        }
        Seen::Quic(_) => "quic".to_owned(),
        Seen::HttpRequest(request) => format!("{} {}", text(&request.method), text(&request.target)),
        Seen::HttpResponse(response) => format!("{} {}", response.status, response.body_length),
    }
}

/// One TCP connection, whose segments follow each other by a millisecond.
#[derive(Clone)]
pub struct Talk {
    pub wire: Wire,
    pub client: End,
    pub server: End,
    /// The next sequence number of client and server.
    pub next: [u32; 2],
    pub now: i64,
}

impl Talk {
    pub fn new(client: End, server: End) -> Self {
        // The client's numbers wrap within a few bytes.
        Self { wire: Wire::default(), client, server, next: [u32::MAX - 3, 5_000], now: 0 }
    }

    /// With its handshake.
    pub fn opened(client: End, server: End) -> Self {
        let mut talk = Self::new(client, server);
        talk.open();
        talk
    }

    pub fn open(&mut self) {
        self.client_sends(SYN, b"");
        self.server_sends(SYN | ACK, b"");
        self.client_sends(ACK, b"");
    }

    pub fn client_sends(&mut self, flags: u8, payload: &[u8]) -> &mut Self {
        self.send(0, flags, payload)
    }

    pub fn server_sends(&mut self, flags: u8, payload: &[u8]) -> &mut Self {
        self.send(1, flags, payload)
    }

    pub fn client(&mut self, payload: &[u8]) -> &mut Self {
        self.send(0, ACK, payload)
    }

    pub fn server(&mut self, payload: &[u8]) -> &mut Self {
        self.send(1, ACK, payload)
    }

    fn send(&mut self, side: usize, flags: u8, payload: &[u8]) -> &mut Self {
        self.now += 1;
        let (from, to) = if side == 0 { (self.client, self.server) } else { (self.server, self.client) };
        let acknowledgment = if flags & ACK != 0 { self.next[1 - side] } else { 0 };
        self.wire.tcp(self.now, from, to, flags, self.next[side], acknowledgment, payload);
        let counted = payload.len() as u32 + u32::from(flags & SYN != 0) + u32::from(flags & FIN != 0);
        self.next[side] = self.next[side].wrapping_add(counted);
        self
    }

    pub fn close(&mut self) -> &mut Self {
        self.client_sends(FIN | ACK, b"").server_sends(FIN | ACK, b"").client_sends(ACK, b"")
    }

    /// The same without the packets that `leaves` names by their place.
    pub fn without(&self, leaves: impl Fn(usize) -> bool) -> Wire {
        let kept = self.wire.packets.iter().enumerate().filter(|(place, _)| !leaves(*place));
        Wire { packets: kept.map(|(_, packet)| packet.clone()).collect() }
    }
}
