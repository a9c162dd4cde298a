//! IPv4 (RFC 791) and IPv6 (RFC 8200), with options, extension headers and fragments.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{address, checksum};

/// A network-layer packet with its EtherType and the MACs that a frame around it would carry.
#[derive(Clone, Debug)]
pub struct Unit {
    /// What `bytes` are: 0x0800, 0x86dd, or a tag or label that a tunnel put before them.
    pub ether_type: u16,
    /// The packet.
    pub bytes: Vec<u8>,
    /// Source of the frame.
    pub source: address::Mac,
    /// Destination of the frame.
    pub target: address::Mac,
}

/// What is out of the ordinary about a packet's IP header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Bytes of payload in each fragment, a multiple of 8; `None` leaves the packet whole.
    pub fragment: Option<usize>,
    /// IPv4: a router alert and padding; IPv6: hop-by-hop and destination options (RFC 2113, RFC 2711).
    pub options: bool,
}

/// The IP packets that carry one transport message.
pub fn packets(
    source: IpAddr,
    target: IpAddr,
    protocol: u8,
    message: &[u8],
    id: u32,
    shape: &Shape,
) -> Vec<Unit> {
    let (ether_type, packets) = match (source, target) {
        (IpAddr::V4(source), IpAddr::V4(target)) => {
            (0x0800, version_4(source, target, protocol, message, id as u16, shape))
        }
        (IpAddr::V6(source), IpAddr::V6(target)) => {
            (0x86dd, version_6(source, target, protocol, message, id, shape))
        }
        // The recipe loader refuses pairs of mixed families.
        _ => (0, Vec::new()),
    };
    packets
        .into_iter()
        .map(|bytes| Unit { ether_type, bytes, source: address::mac(source), target: address::mac(target) })
        .collect()
}

fn version_4(
    source: Ipv4Addr,
    target: Ipv4Addr,
    protocol: u8,
    message: &[u8],
    id: u16,
    shape: &Shape,
) -> Vec<Vec<u8>> {
    let options: &[u8] = if shape.options { &[0x94, 4, 0, 0, 1, 1, 1, 0] } else { &[] };
    let header_length = 20 + options.len();
    let ttl = address::ttl(source.into());
    pieces(message, shape.fragment)
        .map(|(offset, piece, more)| {
            let whole = offset == 0 && !more;
            let flags = if whole { 0x4000 } else { (offset / 8) as u16 | if more { 0x2000 } else { 0 } };
            let mut packet = Vec::with_capacity(header_length + piece.len());
            packet.push(0x40 | (header_length / 4) as u8);
            packet.push(0);
            packet.extend_from_slice(&((header_length + piece.len()) as u16).to_be_bytes());
            packet.extend_from_slice(&id.to_be_bytes());
            packet.extend_from_slice(&flags.to_be_bytes());
            packet.extend_from_slice(&[ttl, protocol, 0, 0]);
            packet.extend_from_slice(&source.octets());
            packet.extend_from_slice(&target.octets());
            packet.extend_from_slice(options);
            let sum = checksum::internet(&packet);
            packet[10..12].copy_from_slice(&sum.to_be_bytes());
            packet.extend_from_slice(piece);
            packet
        })
        .collect()
}

fn version_6(
    source: Ipv6Addr,
    target: Ipv6Addr,
    protocol: u8,
    message: &[u8],
    id: u32,
    shape: &Shape,
) -> Vec<Vec<u8>> {
    const HOP_BY_HOP: u8 = 0;
    const FRAGMENT: u8 = 44;
    const DESTINATION_OPTIONS: u8 = 60;
    let ttl = address::ttl(source.into());
    // What is fragmented is everything behind the hop-by-hop header (RFC 8200 section 4.5).
    let mut body = Vec::new();
    let mut body_type = protocol;
    if shape.options {
        // One PadN option of six bytes.
        body.extend_from_slice(&[protocol, 0, 1, 4, 0, 0, 0, 0]);
        body_type = DESTINATION_OPTIONS;
    }
    body.extend_from_slice(message);
    pieces(&body, shape.fragment)
        .map(|(offset, piece, more)| {
            let whole = offset == 0 && !more;
            let mut rest = Vec::new();
            let mut next = if whole { body_type } else { FRAGMENT };
            if shape.options {
                // Router alert (0: MLD) and a PadN of two bytes.
                rest.extend_from_slice(&[next, 0, 5, 2, 0, 0, 1, 0]);
                next = HOP_BY_HOP;
            }
            if !whole {
                rest.extend_from_slice(&[body_type, 0]);
                rest.extend_from_slice(&((offset as u16) | u16::from(more)).to_be_bytes());
                rest.extend_from_slice(&id.to_be_bytes());
            }
            rest.extend_from_slice(piece);
            let mut packet = vec![0x60, 0, 0, 0];
            packet.extend_from_slice(&(rest.len() as u16).to_be_bytes());
            packet.extend_from_slice(&[next, ttl]);
            packet.extend_from_slice(&source.octets());
            packet.extend_from_slice(&target.octets());
            packet.extend_from_slice(&rest);
            packet
        })
        .collect()
}

/// (offset, bytes, more follow) of each fragment.
fn pieces(message: &[u8], size: Option<usize>) -> impl Iterator<Item = (usize, &[u8], bool)> {
    let size = size.map_or(message.len().max(1), |size| (size & !7).max(8));
    (0..message.len().max(1)).step_by(size).map(move |offset| {
        let end = (offset + size).min(message.len());
        (offset, &message[offset..end], end < message.len())
    })
}
