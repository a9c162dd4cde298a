//! The straight path for what nearly every frame is: Ethernet or Linux's cooked capture, at most one VLAN tag,
//! IPv4 or IPv6 without options, TCP or UDP, complete.
//!
//! It gives just what the walk over the layers gives, several times faster, or declines. A frame with
//! anything to remark (a fragment, a tunnel's port, a length that does not fit) is declined: the
//! fuzzing entry holds the two against each other.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{
    Anomalies, Anomaly, DecodeOptions, Decoded, LinkType, Network, TcpView, Transport, UdpView, VlanStack,
    checksum, ethernet::ether_type, ipv6::protocol, transport::are_sound_tcp_options,
    udp_tunnel::is_tunnel_port,
};

/// Bytes of a UDP header.
const UDP_HEADER: usize = 8;

/// A plain frame: where its headers are, nothing copied. What is wanted of them is read when it is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Plain<'a> {
    network: IpHeader<'a>,
    transport: TransportHeader<'a>,
    /// The TCP or UDP header and its payload.
    segment: &'a [u8],
    /// Where in the segment the payload begins.
    payload_at: u8,
    /// The tag's control information.
    vlan: Option<u16>,
    wrong_checksum: bool,
}

#[derive(Clone, Copy, Debug)]
enum IpHeader<'a> {
    V4(&'a [u8; 20]),
    V6(&'a [u8; 40]),
}

#[derive(Clone, Copy, Debug)]
enum TransportHeader<'a> {
    Tcp(&'a [u8; 20]),
    Udp(&'a [u8; UDP_HEADER]),
}

/// Source and destination of a plain frame, addresses as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlainEnds {
    /// IPv4 addresses and ports.
    V4((u32, u16), (u32, u16)),
    /// IPv6 addresses and ports.
    V6((u128, u16), (u128, u16)),
}

impl<'a> Plain<'a> {
    /// Reads a frame of `wire_length` bytes, of which `frame` are captured, or declines.
    #[inline(always)]
    pub fn of(link: LinkType, frame: &'a [u8], wire_length: u32, options: &DecodeOptions) -> Option<Self> {
        if wire_length as usize != frame.len() {
            return None;
        }
        let (mut kind, mut rest) = if link == LinkType::ETHERNET {
            let (header, rest) = frame.split_first_chunk::<14>()?;
            (u16::from_be_bytes([header[12], header[13]]), rest)
        } else {
            cooked(link, frame)?
        };
        let mut vlan = None;
        if kind == ether_type::VLAN {
            if options.vlan_is_tenant {
                return None;
            }
            let (tag, behind) = rest.split_first_chunk::<4>()?;
            vlan = Some(u16::from_be_bytes([tag[0], tag[1]]));
            kind = u16::from_be_bytes([tag[2], tag[3]]);
            rest = behind;
        }
        let (network, protocol, segment) = match kind {
            ether_type::IPV4 => ipv4(rest, frame.len())?,
            ether_type::IPV6 => ipv6(rest, frame.len())?,
            _ => return None,
        };
        let (transport, payload_at) = match protocol {
            protocol::TCP => tcp(segment)?,
            protocol::UDP => udp(segment)?,
            _ => return None,
        };
        let wrong_checksum =
            options.checksums && matches!(network, IpHeader::V4(header) if !checksum::is_right(header));
        Some(Self { network, transport, segment, payload_at, vlan, wrong_checksum })
    }

    /// Who talks to whom.
    #[inline]
    pub fn ends(&self) -> PlainEnds {
        let [s0, s1, d0, d1] = self.ports();
        let (source_port, destination_port) = (u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1]));
        match self.network {
            IpHeader::V4(header) => {
                let [.., s0, s1, s2, s3, d0, d1, d2, d3] = *header;
                let source = u32::from_be_bytes([s0, s1, s2, s3]);
                PlainEnds::V4((source, source_port), (u32::from_be_bytes([d0, d1, d2, d3]), destination_port))
            }
            IpHeader::V6(header) => {
                let address =
                    |octets: Option<&[u8; 16]>| octets.map_or(0, |octets| u128::from_be_bytes(*octets));
                let source = address(header.get(8..).and_then(<[u8]>::first_chunk));
                PlainEnds::V6((source, source_port), (address(header.last_chunk()), destination_port))
            }
        }
    }

    #[inline]
    const fn ports(&self) -> [u8; 4] {
        match self.transport {
            TransportHeader::Tcp(&[s0, s1, d0, d1, ..]) | TransportHeader::Udp(&[s0, s1, d0, d1, ..]) => {
                [s0, s1, d0, d1]
            }
        }
    }

    /// IP protocol number.
    #[inline]
    pub const fn protocol(&self) -> u8 {
        match self.transport {
            TransportHeader::Tcp(_) => protocol::TCP,
            TransportHeader::Udp(_) => protocol::UDP,
        }
    }

    /// Whether the addresses are IPv6.
    #[inline]
    pub const fn is_v6(&self) -> bool {
        matches!(self.network, IpHeader::V6(_))
    }

    /// Whether it has a VLAN tag.
    #[inline]
    pub const fn is_tagged(&self) -> bool {
        self.vlan.is_some()
    }

    /// Whether the IPv4 header's checksum was verified and is wrong.
    #[inline]
    pub const fn has_wrong_ipv4_checksum(&self) -> bool {
        self.wrong_checksum
    }

    /// A TCP segment's flags, as [`TcpView::flags`].
    #[inline]
    pub const fn tcp_flags(&self) -> Option<u8> {
        match self.transport {
            TransportHeader::Tcp(header) => Some(header[13]),
            TransportHeader::Udp(_) => None,
        }
    }

    /// Bytes of the payload.
    #[inline]
    pub const fn payload_length(&self) -> u32 {
        // The header's bytes are among the segment's, which come from a length of 16 bits.
        self.segment.len() as u32 - self.payload_at as u32
    }

    /// The UDP datagram, if it is one.
    #[inline]
    pub fn udp(&self) -> Option<UdpView<'a>> {
        match self.transport {
            TransportHeader::Tcp(_) => None,
            TransportHeader::Udp(header) => Some(self.udp_view(header)),
        }
    }

    /// As [`Decoded::has_wrong_checksum`].
    pub fn has_wrong_checksum(&self) -> bool {
        let addresses = match self.network {
            IpHeader::V4(header) => header.get(12..),
            IpHeader::V6(header) => header.get(8..),
        };
        let addresses = checksum::sum(addresses.unwrap_or_default());
        checksum::is_wrong(addresses, self.is_v6(), self.protocol(), self.segment)
    }

    /// The TCP segment or UDP datagram.
    #[inline]
    pub fn transport(&self) -> Transport<'a> {
        match self.transport {
            TransportHeader::Tcp(header) => Transport::Tcp(self.tcp_view(header)),
            TransportHeader::Udp(header) => Transport::Udp(self.udp_view(header)),
        }
    }

    /// The frame's VLAN.
    pub fn vlan(&self) -> VlanStack {
        let mut vlan = VlanStack::default();
        if let Some(tag) = self.vlan {
            vlan.push(tag);
        }
        vlan
    }

    /// All that decoding the frame gives.
    pub fn decoded(&self) -> Decoded<'a> {
        let (source, destination) = match self.ends() {
            PlainEnds::V4((source, _), (destination, _)) => {
                (Ipv4Addr::from_bits(source).into(), Ipv4Addr::from_bits(destination).into())
            }
            PlainEnds::V6((source, _), (destination, _)) => {
                (Ipv6Addr::from_bits(source).into(), Ipv6Addr::from_bits(destination).into())
            }
        };
        let ttl = match self.network {
            IpHeader::V4(header) => header[8],
            IpHeader::V6(header) => header[7],
        };
        let network = Network { source, destination, protocol: self.protocol(), ttl, fragment: None };
        let (transport, vlan) = (self.transport(), self.vlan());
        let mut anomalies = Anomalies::default();
        if self.wrong_checksum {
            anomalies.add(Anomaly::Ipv4Checksum);
        }
        let segment = self.segment;
        Decoded { network: Some(network), transport, segment, vlan, anomalies, ..Decoded::default() }
    }

    #[inline]
    fn payload(&self) -> &'a [u8] {
        self.segment.get(usize::from(self.payload_at)..).unwrap_or_default()
    }

    #[inline]
    fn tcp_view(&self, header: &[u8; 20]) -> TcpView<'a> {
        let payload = self.payload();
        TcpView {
            source_port: u16::from_be_bytes([header[0], header[1]]),
            destination_port: u16::from_be_bytes([header[2], header[3]]),
            sequence: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
            acknowledgment: u32::from_be_bytes([header[8], header[9], header[10], header[11]]),
            flags: header[13],
            window: u16::from_be_bytes([header[14], header[15]]),
            payload,
            payload_length: payload.len() as u32,
        }
    }

    #[inline]
    fn udp_view(&self, header: &[u8; UDP_HEADER]) -> UdpView<'a> {
        let payload = self.payload();
        UdpView {
            source_port: u16::from_be_bytes([header[0], header[1]]),
            destination_port: u16::from_be_bytes([header[2], header[3]]),
            payload,
            payload_length: payload.len() as u32,
        }
    }
}

/// The EtherType of what an interface of Linux gave when all were captured at once, and what is behind the header.
fn cooked(link: LinkType, frame: &[u8]) -> Option<(u16, &[u8])> {
    const ETHERNET: u16 = 1;
    const LOOPBACK: u16 = 772;

    let (hardware, kind, rest) = match link {
        LinkType::LINUX_SLL => {
            let (header, rest) = frame.split_first_chunk::<16>()?;
            (&header[2..4], &header[14..], rest)
        }
        LinkType::LINUX_SLL2 => {
            let (header, rest) = frame.split_first_chunk::<20>()?;
            (&header[8..10], &header[..2], rest)
        }
        _ => return None,
    };
    // Protocols of other hardware may mean something else.
    matches!(crate::bytes::u16_at(hardware, 0)?, ETHERNET | LOOPBACK)
        .then_some((crate::bytes::u16_at(kind, 0)?, rest))
}

/// The first `length` bytes, if what follows is padding or a checksum.
#[inline(always)]
fn without_padding(packet: &[u8], length: usize, frame_length: usize) -> Option<&[u8]> {
    let (packet, behind) = packet.split_at_checked(length)?;
    (behind.len() <= 4 || frame_length <= 64).then_some(packet)
}

#[inline(always)]
fn ipv4(packet: &[u8], frame_length: usize) -> Option<(IpHeader<'_>, u8, &[u8])> {
    const DO_NOT_FRAGMENT: u16 = 0x4000;

    let header = packet.first_chunk::<20>()?;
    let place = u16::from_be_bytes([header[6], header[7]]);
    if header[0] != 0x45 || place & !DO_NOT_FRAGMENT != 0 {
        return None;
    }
    let total_length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let segment = without_padding(packet, total_length, frame_length)?.get(20..)?;
    Some((IpHeader::V4(header), header[9], segment))
}

#[inline(always)]
fn ipv6(packet: &[u8], frame_length: usize) -> Option<(IpHeader<'_>, u8, &[u8])> {
    let (header, rest) = packet.split_first_chunk::<40>()?;
    let payload_length = usize::from(u16::from_be_bytes([header[4], header[5]]));
    if header[0] >> 4 != 6 || payload_length == 0 {
        return None;
    }
    let segment = without_padding(rest, payload_length, frame_length)?;
    Some((IpHeader::V6(header), header[6], segment))
}

#[inline(always)]
fn tcp(segment: &[u8]) -> Option<(TransportHeader<'_>, u8)> {
    let (header, rest) = segment.split_first_chunk::<20>()?;
    let payload_at = (header[12] >> 4) * 4;
    let options = rest.get(..usize::from(payload_at.checked_sub(20)?))?;
    are_sound_tcp_options(options).then_some((TransportHeader::Tcp(header), payload_at))
}

#[inline(always)]
fn udp(datagram: &[u8]) -> Option<(TransportHeader<'_>, u8)> {
    let header = datagram.first_chunk::<UDP_HEADER>()?;
    let source_port = u16::from_be_bytes([header[0], header[1]]);
    let destination_port = u16::from_be_bytes([header[2], header[3]]);
    let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
    if length != datagram.len() || is_tunnel_port(source_port) || is_tunnel_port(destination_port) {
        return None;
    }
    Some((TransportHeader::Udp(header), UDP_HEADER as u8))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{
        decode_by_layers,
        frames::{self, CHECKED, ethernet, join, tag},
    };

    /// The same payload behind an Ethernet header and both cooked ones, of that hardware.
    fn behind_each_link(kind: u16, payload: &[u8], hardware: u8) -> [(LinkType, Vec<u8>); 3] {
        let kind_bytes = kind.to_be_bytes();
        let sll = join(&[&[0, 4, 0, hardware, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0], &kind_bytes, payload]);
        let sll2 =
            join(&[&kind_bytes, &[0, 0, 0, 0, 0, 3, 0, hardware, 4, 6, 1, 2, 3, 4, 5, 6, 0, 0], payload]);
        [
            (LinkType::ETHERNET, ethernet(kind, payload)),
            (LinkType::LINUX_SLL, sll),
            (LinkType::LINUX_SLL2, sll2),
        ]
    }

    #[test]
    fn what_is_plain_is_read_like_its_layers_behind_every_link() {
        let segment = frames::ipv4(6, &frames::tcp(40_000, 443, &[], b"hello"));
        let datagram = frames::ipv4(17, &frames::udp(40_000, 53, b"a question"));
        let tagged = tag(7, ether_type::IPV4, &segment);
        let samples =
            [(ether_type::IPV4, &segment), (ether_type::IPV4, &datagram), (ether_type::VLAN, &tagged)];
        for (kind, payload) in samples {
            for padding in 0..40 {
                let padded = join(&[payload, &vec![0; padding]]);
                for (link, frame) in behind_each_link(kind, &padded, 1) {
                    let length = frame.len() as u32;
                    let layers = decode_by_layers(link, &frame, length, &CHECKED);
                    let plain = Plain::of(link, &frame, length, &CHECKED);
                    // What has anything to remark is no short cut's business.
                    assert_eq!(plain.is_some(), layers.anomalies.is_empty(), "{link} {padding}");
                    plain.into_iter().for_each(|plain| assert_eq!(plain.decoded(), layers));
                }
            }
        }
    }

    #[test]
    fn protocols_of_other_hardware_are_not_plain() {
        let segment = frames::ipv4(6, &frames::tcp(40_000, 443, &[], b"hello"));
        let [_, cooked @ ..] = behind_each_link(ether_type::IPV4, &segment, 24);
        for (link, frame) in cooked {
            assert!(Plain::of(link, &frame, frame.len() as u32, &CHECKED).is_none());
        }
    }
}
