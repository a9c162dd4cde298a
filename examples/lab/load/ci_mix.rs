//! The traffic of a CI subnet: thousands of connections at once, most bytes in a few of them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;

use super::small::{START, exchange, port};
use super::writer::{ACK, FIN, PSH, SYN, Segment, Writer};
use super::{Result, addresses, names, noise};
use crate::message::{ntp, tls};
use crate::random::Random;
use crate::stage::Nanos;

const CLIENTS: u64 = 400;
const SERVERS: u64 = 5000;
/// The most payload of a segment.
const SEGMENT: usize = 1400;
/// Bytes of a TLS record with its header.
const RECORD: usize = 5 + 16_384;

/// What makes the shares of packets: 70 % bulk TLS, 10 % DNS, the rest the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bulk,
    ShortTls,
    Http,
    Ssh,
    Ntp,
    Dns,
}

/// One conversation, told packet by packet.
struct Conversation {
    kind: Kind,
    client: SocketAddr,
    server: SocketAddr,
    /// Next sequence numbers of client and server.
    next: [u32; 2],
    step: u32,
    /// Data segments of the server that are still to come.
    left: u32,
    /// Bytes that the server has sent since its records began.
    sent: usize,
    seed: u64,
}

/// How many conversations of each kind fill a gigabyte, and the server's data segments in each.
const SHARES: [(Kind, u64, u32); 6] = [
    (Kind::Bulk, 14_000, 42),
    (Kind::ShortTls, 9000, 3),
    (Kind::Http, 6000, 2),
    (Kind::Ssh, 600, 12),
    (Kind::Ntp, 50_000, 0),
    (Kind::Dns, 60_000, 0),
];
const SHARES_BYTES: u64 = 1_000_000_000;
/// Over so long the conversations of a gigabyte begin.
const SPAN: Nanos = 240_000_000_000;

/// Writes about `bytes` bytes.
pub fn write(writer: &mut Writer, bytes: u64, seed: u64, listed_every: u64) -> Result<()> {
    let mut random = Random::named(seed, "ci-mix");
    let noise = noise(&mut random);
    let scale = |count: u64| (count as u128 * u128::from(bytes) / u128::from(SHARES_BYTES)) as u64;
    let span = scale(SPAN as u64).max(1);
    let mut conversations = Vec::new();
    let mut next = BinaryHeap::new();
    for (kind, count, left) in SHARES {
        for _ in 0..scale(count) {
            let at = START + random.below(span) as i64;
            next.push(Reverse((at, conversations.len())));
            conversations.push(Conversation::new(kind, left, &mut random));
        }
    }
    while let Some(Reverse((at, index))) = next.pop() {
        if let Some(pause) = conversations[index].step(writer, at, &noise, listed_every)? {
            next.push(Reverse((at + pause, index)));
        }
    }
    Ok(())
}

impl Conversation {
    fn new(kind: Kind, left: u32, random: &mut Random) -> Self {
        let is_v6 = random.below(10) < 2;
        let service = match kind {
            Kind::Bulk | Kind::ShortTls => 443,
            Kind::Http => 80,
            Kind::Ssh => 22,
            Kind::Ntp => 123,
            Kind::Dns => 53,
        };
        let server = match kind {
            Kind::Dns => addresses::resolver(random.next(), is_v6),
            _ => addresses::server(random.below(SERVERS), is_v6),
        };
        Self {
            kind,
            client: SocketAddr::new(addresses::client(random.below(CLIENTS), is_v6), port(random)),
            server: SocketAddr::new(server, service),
            next: [random.next() as u32, random.next() as u32],
            step: 0,
            left: if kind == Kind::Bulk { left / 2 + random.below(u64::from(left)) as u32 } else { left },
            sent: 0,
            seed: random.next(),
        }
    }

    /// Writes the next packet; gives the time to the one after it.
    fn step(
        &mut self,
        writer: &mut Writer,
        at: Nanos,
        noise: &[u8],
        listed_every: u64,
    ) -> Result<Option<Nanos>> {
        let step = self.step;
        self.step += 1;
        let mut random = Random::named(self.seed, "conversation");
        match self.kind {
            Kind::Dns => {
                let exchange = exchange(&mut random, 5, listed_every);
                if step == 0 {
                    writer.udp(at, self.client, self.server, &exchange.query)?;
                    return Ok(Some(4_000_000));
                }
                writer.udp(at, self.server, self.client, &exchange.response)?;
                return Ok(None);
            }
            Kind::Ntp => {
                let request = ntp::request(at);
                if step == 0 {
                    writer.udp(at, self.client, self.server, &request)?;
                    return Ok(Some(20_000_000));
                }
                writer.udp(at, self.server, self.client, &ntp::response(&request, at))?;
                return Ok(None);
            }
            _ => {}
        }
        // Handshake, first flight, data, end; after every third data segment the client acknowledges.
        match step {
            0 => self.send(writer, at, true, SYN, &[])?,
            1 => self.send(writer, at, false, SYN | ACK, &[])?,
            2 => self.send(writer, at, true, ACK, &[])?,
            3 => {
                let first = self.first_flight(&mut random);
                self.send(writer, at, true, ACK | PSH, &first)?;
            }
            4 => {
                let answer = self.answer(&mut random);
                for part in answer.chunks(SEGMENT) {
                    self.send(writer, at, false, ACK | PSH, part)?;
                }
            }
            5 if matches!(self.kind, Kind::Bulk | Kind::ShortTls) => {
                let finished = tls::client_finished_1_3(&mut random);
                self.send(writer, at, true, ACK | PSH, &finished)?;
            }
            _ if self.left == 0 => {
                let ending = [(true, FIN | ACK), (false, FIN | ACK), (true, ACK)];
                for (is_client, flags) in ending {
                    self.send(writer, at, is_client, flags, &[])?;
                }
                return Ok(None);
            }
            _ if step % 4 == 3 => self.send(writer, at, true, ACK, &[])?,
            _ => {
                self.left -= 1;
                let data = self.data(noise);
                self.send(writer, at, false, ACK, &data)?;
            }
        }
        let pause = if self.kind == Kind::Bulk { 300_000_000 } else { 15_000_000 };
        Ok(Some(if step < 6 { 10_000_000 } else { pause / 2 + random.below(pause as u64) as i64 }))
    }

    fn first_flight(&self, random: &mut Random) -> Vec<u8> {
        let name = names::popular(random);
        match self.kind {
            Kind::Http => format!(
                "GET /pool/main/{} HTTP/1.1\r\nHost: {name}\r\nUser-Agent: apt/2.6\r\nAccept: */*\r\n\r\n",
                random.letters(20)
            )
            .into_bytes(),
            Kind::Ssh => b"SSH-2.0-OpenSSH_9.2p1\r\n".to_vec(),
            _ => {
                let client = match random.below(3) {
                    0 => tls::Client::Curl,
                    1 => tls::Client::Node,
                    _ => tls::Client::Go,
                };
                let offer = tls::Offer {
                    client,
                    server_name: Some(&name),
                    protocols: &["h2".to_owned(), "http/1.1".to_owned()],
                    only_1_2: false,
                    encrypted_hello: false,
                    post_quantum: false,
                    transport_parameters: None,
                };
                tls::hello_record(&tls::client_hello(&offer, random))
            }
        }
    }

    fn answer(&self, random: &mut Random) -> Vec<u8> {
        match self.kind {
            Kind::Http => format!(
                "HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\n\r\n",
                self.left as usize * SEGMENT
            )
            .into_bytes(),
            Kind::Ssh => b"SSH-2.0-babeld-8a4c\r\n".to_vec(),
            _ => tls::server_flight_1_3(random),
        }
    }

    /// The server's next segment: filler, and where TLS has them the headers of its records.
    fn data(&mut self, noise: &[u8]) -> Vec<u8> {
        let from = (self.seed as usize).wrapping_add(self.sent) % (noise.len() - SEGMENT);
        let mut data = noise[from..from + SEGMENT].to_vec();
        if matches!(self.kind, Kind::Bulk | Kind::ShortTls) {
            for (offset, byte) in [0x17, 0x03, 0x03, 0x40, 0x00].into_iter().enumerate() {
                let place = (RECORD - self.sent % RECORD) % RECORD + offset;
                if let Some(slot) = data.get_mut(place) {
                    *slot = byte;
                }
            }
        }
        self.sent += SEGMENT;
        data
    }

    fn send(
        &mut self,
        writer: &mut Writer,
        at: Nanos,
        is_client: bool,
        flags: u8,
        payload: &[u8],
    ) -> Result<()> {
        let (here, there) = if is_client { (0, 1) } else { (1, 0) };
        let (from, to) = if is_client { (self.client, self.server) } else { (self.server, self.client) };
        let acknowledgment = if flags & ACK == 0 { 0 } else { self.next[there] };
        writer.tcp(at, from, to, Segment { flags, sequence: self.next[here], acknowledgment }, payload)?;
        let counted = payload.len() as u32 + u32::from(flags & (SYN | FIN) != 0);
        self.next[here] = self.next[here].wrapping_add(counted);
        Ok(())
    }
}
