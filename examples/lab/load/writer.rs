//! A pcap file written packet by packet: Ethernet, IP, TCP or UDP, with right checksums.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::net::{IpAddr, SocketAddr};

use super::Result;
use crate::capture::pcap::{self, Variant};
use crate::stage::Nanos;
use crate::wire::{address, checksum, ip, tcp, udp};

/// TCP flag bits.
pub const FIN: u8 = 0x01;
pub const SYN: u8 = 0x02;
pub const RST: u8 = 0x04;
pub const PSH: u8 = 0x08;
pub const ACK: u8 = 0x10;

/// The file, and what went into it.
pub struct Writer {
    file: BufWriter<File>,
    packets: u64,
    bytes: u64,
    message: Vec<u8>,
}

/// A TCP segment's header.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    pub flags: u8,
    pub sequence: u32,
    pub acknowledgment: u32,
}

impl Writer {
    pub fn new(mut file: BufWriter<File>) -> Result<Self> {
        const ETHERNET: u16 = 1;
        let header = pcap::write(Variant::Micro, ETHERNET, 262_144, &[]);
        file.write_all(&header)?;
        Ok(Self { file, packets: 0, bytes: header.len() as u64, message: Vec::new() })
    }

    /// Ends the file; gives its packets and bytes.
    pub fn finish(mut self) -> Result<(u64, u64)> {
        self.file.flush()?;
        Ok((self.packets, self.bytes))
    }

    /// A datagram.
    pub fn udp(&mut self, at: Nanos, from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Result<()> {
        let message = udp::datagram(from, to, payload);
        self.packet(at, from.ip(), to.ip(), udp::PROTOCOL, &message)
    }

    /// A segment with the timestamps option.
    pub fn tcp(
        &mut self,
        at: Nanos,
        from: SocketAddr,
        to: SocketAddr,
        segment: Segment,
        payload: &[u8],
    ) -> Result<()> {
        let mut message = std::mem::take(&mut self.message);
        message.clear();
        message.extend_from_slice(&from.port().to_be_bytes());
        message.extend_from_slice(&to.port().to_be_bytes());
        message.extend_from_slice(&segment.sequence.to_be_bytes());
        message.extend_from_slice(&segment.acknowledgment.to_be_bytes());
        message.extend_from_slice(&[0x80, segment.flags, 0xfa, 0xf0, 0, 0, 0, 0, 1, 1, 8, 10]);
        message.extend_from_slice(&((at / 1_000_000) as u32).to_be_bytes());
        message.extend_from_slice(&((at / 1_000_000) as u32 ^ 0x55aa).to_be_bytes());
        message.extend_from_slice(payload);
        let sum = checksum::transport(from.ip(), to.ip(), tcp::PROTOCOL, &message);
        message[16..18].copy_from_slice(&sum.to_be_bytes());
        let result = self.packet(at, from.ip(), to.ip(), tcp::PROTOCOL, &message);
        self.message = message;
        result
    }

    fn packet(&mut self, at: Nanos, from: IpAddr, to: IpAddr, protocol: u8, message: &[u8]) -> Result<()> {
        let id = (self.packets as u32).wrapping_mul(0x9e37_79b1) >> 3;
        for unit in ip::packets(from, to, protocol, message, id, &ip::Shape::default()) {
            let length = (14 + unit.bytes.len()) as u32;
            self.file.write_all(&(at.div_euclid(1_000_000_000) as u32).to_le_bytes())?;
            self.file.write_all(&((at.rem_euclid(1_000_000_000) / 1000) as u32).to_le_bytes())?;
            self.file.write_all(&length.to_le_bytes())?;
            self.file.write_all(&length.to_le_bytes())?;
            self.file.write_all(&address::mac(to))?;
            self.file.write_all(&address::mac(from))?;
            self.file.write_all(&unit.ether_type.to_be_bytes())?;
            self.file.write_all(&unit.bytes)?;
            self.packets += 1;
            self.bytes += 16 + u64::from(length);
        }
        Ok(())
    }
}
