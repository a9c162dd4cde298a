//! TCP connections (RFC 9293) as a capture beside the client sees them.
//!
//! Time is the capture's: what the client sends is seen when it is sent, what the server sends when it
//! arrives, so an answer to something sent at `t` is seen one round trip later.

use std::net::SocketAddr;

use super::checksum;
use crate::stage::{Nanos, Packet, Stage};

/// The protocol number of TCP.
pub const PROTOCOL: u8 = 6;

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;

/// Between two segments of one flight.
const SEGMENT_GAP: Nanos = 12_000;
/// From a segment's arrival at the client to its acknowledgement.
const CLIENT_THINKS: Nanos = 35_000;
/// Segments of the first flight (RFC 6928), and the most that one flight grows to.
const INITIAL_WINDOW: usize = 10;
const LARGEST_FLIGHT: usize = 40;

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Who opened it.
    Client,
    /// Who accepted it.
    Server,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// The client says FIN first.
    Client,
    /// The server says FIN first.
    Server,
    /// The client aborts with RST.
    Reset,
    /// Nothing more is seen.
    Silence,
}

/// What a recipe may say about a connection.
#[derive(Clone, Debug)]
pub struct Manner {
    /// Round-trip time.
    pub rtt: Nanos,
    /// The most payload bytes in a segment.
    pub mss: usize,
    /// Whether both sides use the timestamps option (RFC 7323).
    pub timestamps: bool,
    /// Every n-th data segment is seen after its successor; 0 for never.
    pub reorder: usize,
    /// Every n-th data segment is sent twice; 0 for never.
    pub retransmit: usize,
}

struct End {
    address: SocketAddr,
    /// Next sequence number to send.
    next: u32,
    /// TSval at capture time 0, so that the clocks of two hosts differ.
    clock: u32,
    /// The latest TSval seen from the other side.
    echo: u32,
}

/// One connection in the making; every method adds its packets to the stage.
pub struct Connection<'a> {
    stage: &'a mut Stage,
    manner: Manner,
    client: End,
    server: End,
    data_segments: usize,
}

impl<'a> Connection<'a> {
    /// A connection that has not sent anything. `sequence` gives the first sequence number of either side.
    pub fn new(
        stage: &'a mut Stage,
        client: SocketAddr,
        server: SocketAddr,
        sequence: [u32; 2],
        manner: Manner,
    ) -> Self {
        let end = |address: SocketAddr, next: u32| End {
            address,
            next,
            clock: next.rotate_left(11) ^ u32::from(address.port()),
            echo: 0,
        };
        Self {
            stage,
            manner,
            client: end(client, sequence[0]),
            server: end(server, sequence[1]),
            data_segments: 0,
        }
    }

    /// The three-way handshake; gives the time at which the client may send.
    pub fn open(&mut self, at: Nanos) -> Nanos {
        self.flag(Side::Client, at, SYN);
        let answered = at + self.manner.rtt;
        self.flag(Side::Server, answered, SYN | ACK);
        let open = answered + CLIENT_THINKS;
        self.flag(Side::Client, open, ACK);
        open + SEGMENT_GAP
    }

    /// A SYN that nothing answers, and its repetitions after 1, 3 and 7 seconds (RFC 6298).
    pub fn knock_in_vain(&mut self, at: Nanos) -> Nanos {
        let first = self.client.next;
        let mut last = at;
        for seconds in [0, 1, 3, 7] {
            self.client.next = first;
            last = at + seconds * 1_000_000_000;
            self.flag(Side::Client, last, SYN);
        }
        last
    }

    /// A SYN that is answered with RST.
    pub fn refused(&mut self, at: Nanos) -> Nanos {
        self.flag(Side::Client, at, SYN);
        // A reset to a SYN carries sequence number 0 (RFC 9293 section 3.10.7.1).
        self.server.next = 0;
        let answered = at + self.manner.rtt;
        self.flag(Side::Server, answered, RST | ACK);
        answered
    }

    /// Sends `data` from one side, acknowledged by the other; gives the time of the last acknowledgement.
    pub fn send(&mut self, from: Side, at: Nanos, data: &[u8]) -> Nanos {
        let mut flight_start = at;
        let mut flight = INITIAL_WINDOW;
        let mut done = at;
        let segments: Vec<&[u8]> = data.chunks(self.segment_size()).collect();
        let mut sent = 0;
        while sent < segments.len() {
            let batch = &segments[sent..segments.len().min(sent + flight)];
            sent += batch.len();
            done = self.flight(from, flight_start, batch, sent == segments.len());
            flight_start = match from {
                Side::Client => done + SEGMENT_GAP,
                Side::Server => done + self.manner.rtt,
            };
            flight = (flight * 2).min(LARGEST_FLIGHT);
        }
        done
    }

    /// Sends one segment and leaves it to the next one of the other side to acknowledge it.
    pub fn segment(&mut self, from: Side, at: Nanos, data: &[u8]) {
        self.emit(from, at, PSH | ACK, data);
        self.end_mut(from).next = self.end(from).next.wrapping_add(data.len() as u32);
    }

    /// A bare acknowledgement.
    pub fn acknowledge(&mut self, from: Side, at: Nanos) {
        self.flag(from, at, ACK);
    }

    /// Ends the connection; gives the time of its last packet.
    pub fn close(&mut self, at: Nanos, how: Close) -> Nanos {
        let rtt = self.manner.rtt;
        match how {
            Close::Silence => at,
            Close::Reset => {
                self.flag(Side::Client, at, RST | ACK);
                at
            }
            Close::Client => {
                self.flag(Side::Client, at, FIN | ACK);
                self.flag(Side::Server, at + rtt, FIN | ACK);
                self.flag(Side::Client, at + rtt + CLIENT_THINKS, ACK);
                at + rtt + CLIENT_THINKS
            }
            Close::Server => {
                self.flag(Side::Server, at, FIN | ACK);
                self.flag(Side::Client, at + CLIENT_THINKS, FIN | ACK);
                self.flag(Side::Server, at + CLIENT_THINKS + rtt, ACK);
                at + CLIENT_THINKS + rtt
            }
        }
    }

    /// Payload bytes of a full segment: timestamps take twelve of what the MSS allows.
    fn segment_size(&self) -> usize {
        let options = if self.manner.timestamps { 12 } else { 0 };
        self.manner.mss.saturating_sub(options).max(1)
    }

    /// One flight of segments and the acknowledgements, one for every second segment and for the last.
    fn flight(&mut self, from: Side, at: Nanos, segments: &[&[u8]], ends_message: bool) -> Nanos {
        let delay = match from {
            Side::Client => self.manner.rtt,
            Side::Server => CLIENT_THINKS,
        };
        let to = match from {
            Side::Client => Side::Server,
            Side::Server => Side::Client,
        };
        let mut done = at;
        let start = self.end(from).next;
        let mut acknowledged = Vec::new();
        for (index, data) in segments.iter().enumerate() {
            let mut seen = at + index as Nanos * SEGMENT_GAP;
            self.data_segments += 1;
            let last = index + 1 == segments.len();
            let number = self.data_segments;
            let nth = |every: usize| every != 0 && number.is_multiple_of(every);
            if nth(self.manner.reorder) && !last {
                seen += SEGMENT_GAP * 3 / 2;
            }
            let flags = if last && ends_message { PSH | ACK } else { ACK };
            self.emit(from, seen, flags, data);
            if nth(self.manner.retransmit) {
                // After the acknowledgement, as when that was lost: a retransmission without need.
                self.emit(from, seen + delay + 5 * SEGMENT_GAP, flags, data);
            }
            self.end_mut(from).next = self.end(from).next.wrapping_add(data.len() as u32);
            if index % 2 == 1 || last {
                acknowledged.push((at + index as Nanos * SEGMENT_GAP + delay, self.end(from).next));
            }
        }
        // The acknowledgements come after the segments in time, so their numbers are set one by one.
        let end = self.end(from).next;
        for (seen, upto) in acknowledged {
            self.end_mut(from).next = upto;
            self.flag(to, seen, ACK);
            done = seen;
        }
        self.end_mut(from).next = end;
        debug_assert!(segments.is_empty() || end != start);
        done
    }

    /// A segment without data; SYN and FIN take a sequence number of their own.
    fn flag(&mut self, from: Side, at: Nanos, flags: u8) {
        self.emit(from, at, flags, &[]);
        if flags & (SYN | FIN) != 0 {
            self.end_mut(from).next = self.end(from).next.wrapping_add(1);
        }
    }

    fn emit(&mut self, from: Side, at: Nanos, flags: u8, data: &[u8]) {
        let (own, other) = match from {
            Side::Client => (&self.client, &self.server),
            Side::Server => (&self.server, &self.client),
        };
        // TSval counts milliseconds of the sender's clock.
        let now = own.clock.wrapping_add((at / 1_000_000) as u32);
        let echo = if flags & ACK == 0 { 0 } else { own.echo };
        let options = self.options(flags, now, echo);
        let (source, target) = (own.address, other.address);
        let mut bytes = Vec::with_capacity(20 + options.len() + data.len());
        bytes.extend_from_slice(&source.port().to_be_bytes());
        bytes.extend_from_slice(&target.port().to_be_bytes());
        bytes.extend_from_slice(&own.next.to_be_bytes());
        bytes.extend_from_slice(&if flags & ACK == 0 { 0 } else { other.next }.to_be_bytes());
        bytes.push((((20 + options.len()) / 4) << 4) as u8);
        bytes.push(flags);
        // Scaled by 7 once the connection is open: 64256 bytes.
        let window: u16 = match flags {
            _ if flags & RST != 0 => 0,
            _ if flags & SYN != 0 => 64_240,
            _ => 502,
        };
        bytes.extend_from_slice(&window.to_be_bytes());
        bytes.extend_from_slice(&[0, 0, 0, 0]);
        bytes.extend_from_slice(&options);
        bytes.extend_from_slice(data);
        let sum = checksum::transport(source.ip(), target.ip(), PROTOCOL, &bytes);
        bytes[16..18].copy_from_slice(&sum.to_be_bytes());
        self.end_mut(match from {
            Side::Client => Side::Server,
            Side::Server => Side::Client,
        })
        .echo = now;
        self.stage.add(Packet {
            at,
            source: source.ip(),
            target: target.ip(),
            protocol: PROTOCOL,
            message: bytes,
            side: from,
        });
    }

    /// The options of Linux: MSS, SACK permitted, timestamps and window scale in the SYNs, timestamps later.
    fn options(&self, flags: u8, now: u32, echo: u32) -> Vec<u8> {
        let mut options = Vec::new();
        if flags & RST != 0 {
            return options;
        }
        if flags & SYN != 0 {
            options.extend_from_slice(&[2, 4]);
            options.extend_from_slice(&(self.manner.mss as u16).to_be_bytes());
            options.extend_from_slice(if self.manner.timestamps { &[4, 2] } else { &[1, 1, 4, 2] });
        } else if self.manner.timestamps {
            options.extend_from_slice(&[1, 1]);
        }
        if self.manner.timestamps {
            options.extend_from_slice(&[8, 10]);
            options.extend_from_slice(&now.to_be_bytes());
            options.extend_from_slice(&echo.to_be_bytes());
        }
        if flags & SYN != 0 {
            options.extend_from_slice(&[1, 3, 3, 7]);
        }
        options
    }

    fn end(&self, side: Side) -> &End {
        match side {
            Side::Client => &self.client,
            Side::Server => &self.server,
        }
    }

    fn end_mut(&mut self, side: Side) -> &mut End {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }
}
