//! The straight path for what nearly every frame is: Ethernet, at most one VLAN tag, IPv4 or IPv6
//! without options, TCP or UDP, complete.
//!
//! It gives just what the walk over the layers gives, several times faster, or declines. A frame with
//! anything to remark (a fragment, a tunnel's port, a length that does not fit) is declined: the
//! fuzzing entry holds the two against each other.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{
    Anomalies, Anomaly, DecodeOptions, Decoded, Network, TcpView, Transport, UdpView, VlanStack, checksum,
    ethernet::ether_type, ipv6::protocol, transport::are_sound_tcp_options, udp_tunnel::is_tunnel_port,
};

/// Reads a whole Ethernet frame, or declines.
#[inline]
pub(super) fn decode_plain<'a>(frame: &'a [u8], options: &DecodeOptions) -> Option<Decoded<'a>> {
    let (header, mut rest) = frame.split_first_chunk::<14>()?;
    let mut kind = u16::from_be_bytes([header[12], header[13]]);
    let mut vlan = VlanStack::default();
    if kind == ether_type::VLAN {
        if options.vlan_is_tenant {
            return None;
        }
        let (tag, behind) = rest.split_first_chunk::<4>()?;
        vlan.push(u16::from_be_bytes([tag[0], tag[1]]));
        kind = u16::from_be_bytes([tag[2], tag[3]]);
        rest = behind;
    }
    let mut anomalies = Anomalies::default();
    let (network, segment) = match kind {
        ether_type::IPV4 => {
            if options.checksums && !checksum::is_right(rest.first_chunk()?) {
                anomalies.add(Anomaly::Ipv4Checksum);
            }
            ipv4(rest, frame.len())?
        }
        ether_type::IPV6 => ipv6(rest, frame.len())?,
        _ => return None,
    };
    let transport = match network.protocol {
        protocol::TCP => tcp(segment)?,
        protocol::UDP => udp(segment)?,
        _ => return None,
    };
    Some(Decoded { network: Some(network), transport, segment, vlan, anomalies, ..Decoded::default() })
}

/// The first `length` bytes, if what follows is padding or a checksum.
#[inline]
fn without_padding(packet: &[u8], length: usize, frame_length: usize) -> Option<&[u8]> {
    let (packet, behind) = packet.split_at_checked(length)?;
    (behind.len() <= 4 || frame_length <= 64).then_some(packet)
}

#[inline]
fn ipv4(packet: &[u8], frame_length: usize) -> Option<(Network, &[u8])> {
    const DO_NOT_FRAGMENT: u16 = 0x4000;

    let header = packet.first_chunk::<20>()?;
    let place = u16::from_be_bytes([header[6], header[7]]);
    if header[0] != 0x45 || place & !DO_NOT_FRAGMENT != 0 {
        return None;
    }
    let total_length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let segment = without_padding(packet, total_length, frame_length)?.get(20..)?;
    let network = Network {
        source: IpAddr::V4(Ipv4Addr::new(header[12], header[13], header[14], header[15])),
        destination: IpAddr::V4(Ipv4Addr::new(header[16], header[17], header[18], header[19])),
        protocol: header[9],
        ttl: header[8],
        fragment: None,
    };
    Some((network, segment))
}

#[inline]
fn ipv6(packet: &[u8], frame_length: usize) -> Option<(Network, &[u8])> {
    let (header, rest) = packet.split_first_chunk::<40>()?;
    let payload_length = usize::from(u16::from_be_bytes([header[4], header[5]]));
    if header[0] >> 4 != 6 || payload_length == 0 {
        return None;
    }
    let segment = without_padding(rest, payload_length, frame_length)?;
    let source: &[u8; 16] = header[8..24].first_chunk()?;
    let destination: &[u8; 16] = header[24..].first_chunk()?;
    let network = Network {
        source: IpAddr::V6(Ipv6Addr::from(*source)),
        destination: IpAddr::V6(Ipv6Addr::from(*destination)),
        protocol: header[6],
        ttl: header[7],
        fragment: None,
    };
    Some((network, segment))
}

#[inline]
fn tcp(segment: &[u8]) -> Option<Transport<'_>> {
    let (header, rest) = segment.split_first_chunk::<20>()?;
    let options_length = usize::from(header[12] >> 4).checked_sub(5)? * 4;
    let (options, payload) = rest.split_at_checked(options_length)?;
    are_sound_tcp_options(options).then(|| {
        Transport::Tcp(TcpView {
            source_port: u16::from_be_bytes([header[0], header[1]]),
            destination_port: u16::from_be_bytes([header[2], header[3]]),
            sequence: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
            acknowledgment: u32::from_be_bytes([header[8], header[9], header[10], header[11]]),
            flags: header[13],
            window: u16::from_be_bytes([header[14], header[15]]),
            payload,
            payload_length: payload.len() as u32,
        })
    })
}

#[inline]
fn udp(datagram: &[u8]) -> Option<Transport<'_>> {
    let (header, payload) = datagram.split_first_chunk::<8>()?;
    let source_port = u16::from_be_bytes([header[0], header[1]]);
    let destination_port = u16::from_be_bytes([header[2], header[3]]);
    let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
    if length != datagram.len() || is_tunnel_port(source_port) || is_tunnel_port(destination_port) {
        return None;
    }
    let payload_length = payload.len() as u32;
    Some(Transport::Udp(UdpView { source_port, destination_port, payload, payload_length }))
}
