//! Frames made by hand, and capture files to put them into.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddrV4},
    path::{Path, PathBuf},
    sync::Arc,
};

use callhome::{
    decode::LinkType,
    source::{Chunk, FrameBatch, FrameRecord, Timeline},
    time::Timestamp,
};

/// One frame and its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timed {
    pub time: Timestamp,
    pub bytes: Vec<u8>,
    pub wire_length: u32,
}

impl Timed {
    /// A frame at `nanos` of packet time.
    pub fn at(nanos: i64, bytes: Vec<u8>) -> Self {
        let wire_length = bytes.len() as u32;
        Self { time: Timestamp::from_nanos(nanos), bytes, wire_length }
    }
}

/// The Ethernet frames of `inputs` as one timeline.
pub fn read(inputs: &[PathBuf]) -> Vec<Timed> {
    let mut timeline = Timeline::open(inputs);
    let mut frames = Vec::new();
    while let Some(batch) = timeline.next_batch() {
        let ethernet = batch.frames().filter(|frame| frame.link == LinkType::ETHERNET);
        frames.extend(ethernet.map(|frame| Timed {
            time: frame.time,
            bytes: frame.bytes.to_vec(),
            wire_length: frame.wire_length,
        }));
    }
    frames
}

/// The frames as one batch, numbered from `first`.
pub fn batch(frames: &[Timed], first: u64) -> FrameBatch {
    let mut batch = FrameBatch::starting_at(first);
    let mut bytes = Vec::new();
    frames.iter().for_each(|frame| bytes.extend_from_slice(&frame.bytes));
    let chunk: Chunk = Arc::new(bytes);
    let chunk = batch.add_chunk(&chunk);
    let mut offset = 0;
    for frame in frames {
        let length = frame.bytes.len() as u32;
        batch.push(FrameRecord {
            time: frame.time,
            offset,
            length,
            wire_length: frame.wire_length,
            chunk,
            input: 0,
            link: LinkType::ETHERNET,
        });
        offset += u64::from(length);
    }
    batch
}

/// A pcap file of Ethernet frames with nanoseconds.
pub fn pcap(frames: &[Timed]) -> Vec<u8> {
    pcap_of_link(1, frames)
}

/// A pcap file of another link type.
pub fn pcap_of_link(link: u32, frames: &[Timed]) -> Vec<u8> {
    let mut file = Vec::new();
    file.extend(0xa1b2_3c4d_u32.to_le_bytes());
    file.extend([2, 0, 4, 0]);
    file.extend([0; 8]);
    file.extend(262_144_u32.to_le_bytes());
    file.extend(link.to_le_bytes());
    for frame in frames {
        let nanos = frame.time.as_nanos();
        file.extend(((nanos.div_euclid(1_000_000_000)) as u32).to_le_bytes());
        file.extend(((nanos.rem_euclid(1_000_000_000)) as u32).to_le_bytes());
        file.extend((frame.bytes.len() as u32).to_le_bytes());
        file.extend(frame.wire_length.to_le_bytes());
        file.extend(&frame.bytes);
    }
    file
}

/// A pcapng file of Ethernet frames with nanoseconds.
pub fn pcapng(frames: &[Timed]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut block = |kind: u32, body: &[u8]| {
        let padded = body.len().next_multiple_of(4);
        let length = (padded + 12) as u32;
        file.extend(kind.to_le_bytes());
        file.extend(length.to_le_bytes());
        file.extend(body);
        file.extend(std::iter::repeat_n(0, padded - body.len()));
        file.extend(length.to_le_bytes());
    };
    let section: Vec<u8> = [&0x1a2b_3c4d_u32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]].concat();
    block(0x0a0d_0d0a, &section);
    // Link type 1, no snaplen, if_tsresol of 10^-9, end of options.
    block(1, &[1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0]);
    for frame in frames {
        let nanos = frame.time.as_nanos() as u64;
        let mut body = Vec::new();
        body.extend(0_u32.to_le_bytes());
        body.extend(((nanos >> 32) as u32).to_le_bytes());
        body.extend((nanos as u32).to_le_bytes());
        body.extend((frame.bytes.len() as u32).to_le_bytes());
        body.extend(frame.wire_length.to_le_bytes());
        body.extend(&frame.bytes);
        block(6, &body);
    }
    file
}

/// Writes a file and gives its path.
pub fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    path
}

/// An Ethernet frame of one UDP datagram.
pub fn udp(source: &str, destination: &str, payload: &[u8]) -> Vec<u8> {
    let (source, destination) = (socket(source), socket(destination));
    let mut segment = Vec::new();
    segment.extend(source.port().to_be_bytes());
    segment.extend(destination.port().to_be_bytes());
    segment.extend((payload.len() as u16 + 8).to_be_bytes());
    segment.extend([0, 0]);
    segment.extend(payload);
    ipv4(*source.ip(), *destination.ip(), 17, &segment)
}

/// TCP flags.
pub const FIN: u8 = 1;
pub const SYN: u8 = 2;
pub const ACK: u8 = 16;
pub const PSH: u8 = 8;

/// An Ethernet frame of one TCP segment.
pub fn tcp(
    source: &str,
    destination: &str,
    flags: u8,
    sequence: u32,
    acknowledgment: u32,
    payload: &[u8],
) -> Vec<u8> {
    let (source, destination) = (socket(source), socket(destination));
    let mut segment = Vec::new();
    segment.extend(source.port().to_be_bytes());
    segment.extend(destination.port().to_be_bytes());
    segment.extend(sequence.to_be_bytes());
    segment.extend(acknowledgment.to_be_bytes());
    segment.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    segment.extend(payload);
    ipv4(*source.ip(), *destination.ip(), 6, &segment)
}

/// A whole connection in which each side says one thing; `client` opens it.
pub fn connection(client: &str, server: &str, request: &[u8], response: &[u8]) -> Vec<Vec<u8>> {
    let (sent, received) = (1 + request.len() as u32, 1 + response.len() as u32);
    vec![
        tcp(client, server, SYN, 0, 0, &[]),
        tcp(server, client, SYN | ACK, 0, 1, &[]),
        tcp(client, server, ACK, 1, 1, &[]),
        tcp(client, server, ACK | PSH, 1, 1, request),
        tcp(server, client, ACK | PSH, 1, sent, response),
        tcp(client, server, ACK, sent, received, &[]),
    ]
}

/// An Ethernet frame of one IPv4 packet.
pub fn ipv4(source: Ipv4Addr, destination: Ipv4Addr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    ipv4_fragment(source, destination, protocol, 0, 0, payload)
}

/// An Ethernet frame of one IPv4 packet with an identification, and flags and offset as they are on the wire.
pub fn ipv4_fragment(
    source: Ipv4Addr,
    destination: Ipv4Addr,
    protocol: u8,
    identification: u16,
    flags_and_offset: u16,
    payload: &[u8],
) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
    let start = frame.len();
    frame.extend([0x45, 0]);
    frame.extend((payload.len() as u16 + 20).to_be_bytes());
    frame.extend(identification.to_be_bytes());
    frame.extend(flags_and_offset.to_be_bytes());
    frame.extend([64, protocol, 0, 0]);
    frame.extend(source.octets());
    frame.extend(destination.octets());
    let sum = checksum(&frame[start..]);
    frame[start + 10..start + 12].copy_from_slice(&sum.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A DNS question for the IPv4 address of a name given as labels.
pub fn dns_question(id: u16, labels: &[&[u8]]) -> Vec<u8> {
    dns_question_for(id, labels, 1)
}

/// The same for a type.
pub fn dns_question_for(id: u16, labels: &[&[u8]], kind: u16) -> Vec<u8> {
    let mut message = Vec::new();
    message.extend(id.to_be_bytes());
    message.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in labels {
        message.push(label.len() as u8);
        message.extend(*label);
    }
    message.push(0);
    message.extend(kind.to_be_bytes());
    message.extend([0, 1]);
    message
}

/// The answer to [`dns_question`] with any number of addresses.
pub fn dns_answer(id: u16, labels: &[&[u8]], addresses: &[Ipv4Addr]) -> Vec<u8> {
    let mut message = dns_question(id, labels);
    message[2..4].copy_from_slice(&[0x81, 0x80]);
    message[6..8].copy_from_slice(&(addresses.len() as u16).to_be_bytes());
    for address in addresses {
        // The question's name, A, IN, an hour.
        message.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0x0e, 0x10, 0, 4]);
        message.extend(address.octets());
    }
    message
}

/// A TLS 1.2 ClientHello record with one server name.
pub fn client_hello(name: &[u8]) -> Vec<u8> {
    let two = |length: usize| (length as u16).to_be_bytes();
    let mut names = vec![0];
    names.extend(two(name.len()));
    names.extend(name);
    let mut extension = vec![0, 0];
    extension.extend(two(names.len() + 2));
    extension.extend(two(names.len()));
    extension.extend(names);
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0x13, 1, 1, 0]);
    body.extend(two(extension.len()));
    body.extend(extension);
    let mut handshake = vec![1, 0];
    handshake.extend(two(body.len()));
    handshake.extend(body);
    let mut record = vec![22, 3, 1];
    record.extend(two(handshake.len()));
    record.extend(handshake);
    record
}

fn socket(text: &str) -> SocketAddrV4 {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let sum: u32 = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    !((sum & 0xffff) + (sum >> 16)) as u16
}

/// Address number `number` of 10.0.0.0/8.
pub fn home(number: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from(0x0a00_0000 | number & 0x00ff_ffff))
}
