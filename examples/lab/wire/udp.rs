//! UDP (RFC 768).

use std::net::SocketAddr;

use super::checksum;

/// The protocol number of UDP.
pub const PROTOCOL: u8 = 17;

/// One datagram with a right checksum.
pub fn datagram(source: SocketAddr, target: SocketAddr, payload: &[u8]) -> Vec<u8> {
    let mut bytes = without_checksum(source.port(), target.port(), payload);
    let sum = match checksum::transport(source.ip(), target.ip(), PROTOCOL, &bytes) {
        // Zero means "none": the other form of zero stands for it (RFC 768).
        0 => 0xffff,
        sum => sum,
    };
    bytes[6..8].copy_from_slice(&sum.to_be_bytes());
    bytes
}

/// One datagram whose checksum is left zero, as VXLAN and GTP-U senders do.
pub fn without_checksum(source: u16, target: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8 + payload.len());
    bytes.extend_from_slice(&source.to_be_bytes());
    bytes.extend_from_slice(&target.to_be_bytes());
    bytes.extend_from_slice(&(8 + payload.len() as u16).to_be_bytes());
    bytes.extend_from_slice(&[0, 0]);
    bytes.extend_from_slice(payload);
    bytes
}
