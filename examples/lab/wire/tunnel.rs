//! Tags, labels and tunnels around a packet, each one a step from unit to unit.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::ip::{self, Shape, Unit};
use super::link;
use super::tcp::Side;
use super::udp;

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const TRANSPARENT_ETHERNET: u16 = 0x6558;
const GRE: u8 = 47;

/// The ends of every tunnel: where packets are mirrored from, and the sensor that they are sent to.
const MIRROR_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(172, 31, 255, 10));
const SENSOR_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(172, 31, 255, 20));
const MIRROR_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0x1f, 0, 0, 0, 0, 0, 0x10));
const SENSOR_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0x1f, 0, 0, 0, 0, 0, 0x20));

/// One layer around a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tunnel {
    /// IEEE 802.1Q tag with this VLAN.
    Vlan(u16),
    /// IEEE 802.1ad service tag with this VLAN.
    ServiceTag(u16),
    /// An MPLS label (RFC 3032).
    Mpls(u32),
    /// A PPPoE session (RFC 2516).
    Pppoe(u16),
    /// IPv4 around an IP packet (RFC 2003, RFC 4213).
    Ipv4,
    /// IPv6 around an IP packet (RFC 2473).
    Ipv6,
    /// GRE (RFC 2784), with a key (RFC 2890) if told.
    Gre(Option<u32>),
    /// GRE with PPP inside, as PPTP sends it (RFC 2637), with this call id.
    GrePpp(u16),
    /// GRE over UDP (RFC 8086).
    GreUdp,
    /// ERSPAN type I: Ethernet right behind GRE.
    Erspan1,
    /// ERSPAN type II with this session.
    Erspan2(u16),
    /// ERSPAN type III with this session.
    Erspan3(u16),
    /// VXLAN (RFC 7348) with this network identifier.
    Vxlan(u32),
    /// VXLAN-GPE with this network identifier, IP inside.
    VxlanGpe(u32),
    /// GENEVE (RFC 8926) with this network identifier, Ethernet inside.
    Geneve(u32),
    /// GENEVE as AWS's gateway load balancer sends it, with this endpoint id.
    GeneveAws(u64),
    /// GENEVE as Google Cloud's packet mirroring sends it, with this network id.
    GeneveGcp(u32),
    /// GTP-U with this tunnel endpoint (3GPP TS 29.281).
    GtpU(u32),
    /// AYIYA, as tunnel brokers used it for IPv6.
    Ayiya,
}

impl FromStr for Tunnel {
    type Err = String;

    /// Reads `vlan:12`, `geneve-aws:0xab`, `ipv4`: the names of README.md.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, argument) = match text.split_once(':') {
            Some((name, argument)) => (name, Some(argument)),
            None => (text, None),
        };
        let number = |largest: u64| -> Result<u64, String> {
            let digits = argument.ok_or_else(|| format!("`{name}` needs a number, `{name}:1`"))?;
            let parsed = match digits.strip_prefix("0x") {
                Some(hex) => u64::from_str_radix(hex, 16),
                None => digits.parse(),
            };
            match parsed {
                Ok(value) if value <= largest => Ok(value),
                _ => Err(format!("`{digits}` in `{text}` is not a number up to {largest}")),
            }
        };
        let tunnel = match name {
            "vlan" => Self::Vlan(number(4095)? as u16),
            "service-tag" => Self::ServiceTag(number(4095)? as u16),
            "mpls" => Self::Mpls(number(0xf_ffff)? as u32),
            "pppoe" => Self::Pppoe(number(0xffff)? as u16),
            "ipv4" => Self::Ipv4,
            "ipv6" => Self::Ipv6,
            "gre" if argument.is_none() => Self::Gre(None),
            "gre" => Self::Gre(Some(number(u64::from(u32::MAX))? as u32)),
            "gre-ppp" => Self::GrePpp(number(0xffff)? as u16),
            "gre-udp" => Self::GreUdp,
            "erspan1" => Self::Erspan1,
            "erspan2" => Self::Erspan2(number(1023)? as u16),
            "erspan3" => Self::Erspan3(number(1023)? as u16),
            "vxlan" => Self::Vxlan(number(0xff_ffff)? as u32),
            "vxlan-gpe" => Self::VxlanGpe(number(0xff_ffff)? as u32),
            "geneve" => Self::Geneve(number(0xff_ffff)? as u32),
            "geneve-aws" => Self::GeneveAws(number(u64::MAX)?),
            "geneve-gcp" => Self::GeneveGcp(number(u64::from(u32::MAX))? as u32),
            "gtpu" => Self::GtpU(number(u64::from(u32::MAX))? as u32),
            "ayiya" => Self::Ayiya,
            _ => return Err(format!("no tunnel is called `{name}`; README.md lists them")),
        };
        Ok(tunnel)
    }
}

/// Puts `tunnels`, outermost first, around a packet.
///
/// `side` gives VXLAN's and GENEVE's source port, as a hash of the inner flow would; `number` counts
/// packets for the headers that have a sequence number.
pub fn wrap(unit: Unit, tunnels: &[Tunnel], side: Side, number: u32) -> Unit {
    tunnels.iter().rev().fold(unit, |unit, tunnel| layer(unit, tunnel, side, number))
}

fn layer(unit: Unit, tunnel: &Tunnel, side: Side, number: u32) -> Unit {
    match *tunnel {
        Tunnel::Vlan(id) => tag(unit, 0x8100, id),
        Tunnel::ServiceTag(id) => tag(unit, 0x88a8, id),
        Tunnel::Mpls(label) => {
            let bottom = u32::from(unit.ether_type != 0x8847);
            let entry = (label << 12) | (bottom << 8) | 64;
            behind(unit, 0x8847, &entry.to_be_bytes())
        }
        Tunnel::Pppoe(session) => {
            let mut header = vec![0x11, 0x00];
            header.extend_from_slice(&session.to_be_bytes());
            header.extend_from_slice(&(unit.bytes.len() as u16 + 2).to_be_bytes());
            header.extend_from_slice(&link::ppp_protocol(unit.ether_type).to_be_bytes());
            behind(unit, 0x8864, &header)
        }
        Tunnel::Ipv4 => outer(MIRROR_V4, SENSOR_V4, ip_in_ip(&unit), &unit.bytes, number),
        Tunnel::Ipv6 => outer(MIRROR_V6, SENSOR_V6, ip_in_ip(&unit), &unit.bytes, number),
        Tunnel::Gre(key) => {
            let message = gre(unit.ether_type, key, None, &unit.bytes);
            outer(MIRROR_V4, SENSOR_V4, GRE, &message, number)
        }
        Tunnel::GrePpp(call) => {
            let mut ppp = vec![0xff, 0x03];
            ppp.extend_from_slice(&link::ppp_protocol(unit.ether_type).to_be_bytes());
            ppp.extend_from_slice(&unit.bytes);
            // Version 1: key (length and call id) and sequence number present.
            let mut message = vec![0x30, 0x01, 0x88, 0x0b];
            message.extend_from_slice(&(ppp.len() as u16).to_be_bytes());
            message.extend_from_slice(&call.to_be_bytes());
            message.extend_from_slice(&number.to_be_bytes());
            message.extend_from_slice(&ppp);
            outer(MIRROR_V4, SENSOR_V4, GRE, &message, number)
        }
        Tunnel::GreUdp => in_udp(side, 4754, &gre(unit.ether_type, None, None, &unit.bytes), number),
        Tunnel::Erspan1 => {
            let message = gre(0x88be, None, None, &link::ethernet(&unit));
            outer(MIRROR_V4, SENSOR_V4, GRE, &message, number)
        }
        Tunnel::Erspan2(session) => {
            let mut payload = erspan2_header(session).to_vec();
            payload.extend_from_slice(&link::ethernet(&unit));
            let message = gre(0x88be, None, Some(number), &payload);
            outer(MIRROR_V4, SENSOR_V4, GRE, &message, number)
        }
        Tunnel::Erspan3(session) => {
            let mut payload = (0x2000_0000 | u32::from(session)).to_be_bytes().to_vec();
            payload.extend_from_slice(&number.to_be_bytes());
            // Security group 0, Ethernet frame, hardware 1, granularity 100 ns.
            payload.extend_from_slice(&[0, 0, 0, 0x10]);
            payload.extend_from_slice(&link::ethernet(&unit));
            let message = gre(0x22eb, None, Some(number), &payload);
            outer(MIRROR_V4, SENSOR_V4, GRE, &message, number)
        }
        Tunnel::Vxlan(vni) => {
            let mut message = vec![0x08, 0, 0, 0];
            message.extend_from_slice(&(vni << 8).to_be_bytes());
            message.extend_from_slice(&link::ethernet(&unit));
            in_udp(side, 4789, &message, number)
        }
        Tunnel::VxlanGpe(vni) => {
            // Instance and next-protocol bits; 1 is IPv4, 2 is IPv6.
            let mut message = vec![0x0c, 0, 0, if unit.ether_type == IPV6 { 2 } else { 1 }];
            message.extend_from_slice(&(vni << 8).to_be_bytes());
            message.extend_from_slice(&unit.bytes);
            in_udp(side, 4790, &message, number)
        }
        Tunnel::Geneve(vni) => {
            let message = geneve(TRANSPARENT_ETHERNET, vni, &[], &link::ethernet(&unit));
            in_udp(side, 6081, &message, number)
        }
        Tunnel::GeneveAws(endpoint) => {
            let mut options = geneve_option(0x0108, 1, &endpoint.to_be_bytes());
            options.extend(geneve_option(0x0108, 2, &[0; 8]));
            options.extend(geneve_option(0x0108, 3, &(0x5eed_0000 | u32::from(side as u8)).to_be_bytes()));
            in_udp(side, 6081, &geneve(unit.ether_type, 0, &options, &unit.bytes), number)
        }
        Tunnel::GeneveGcp(network) => {
            let mut options = geneve_option(0x0132, 1, &network.to_be_bytes());
            options.extend(geneve_option(0x0132, 2, &[0, 0, 0, 7 | (side as u8) << 7]));
            options.extend(geneve_option(0x0132, 3, &[0, 0, 0, 0, 0, 0, 0, 9]));
            in_udp(side, 6081, &geneve(unit.ether_type, 0, &options, &unit.bytes), number)
        }
        Tunnel::GtpU(endpoint) => {
            // Version 1, GTP, no optional fields; 255 is a G-PDU.
            let mut message = vec![0x30, 255];
            message.extend_from_slice(&(unit.bytes.len() as u16).to_be_bytes());
            message.extend_from_slice(&endpoint.to_be_bytes());
            message.extend_from_slice(&unit.bytes);
            outer(MIRROR_V4, SENSOR_V4, udp::PROTOCOL, &udp::without_checksum(2152, 2152, &message), number)
        }
        Tunnel::Ayiya => in_udp(side, 5072, &ayiya(&unit, number), number),
    }
}

/// The packet behind a tag, which keeps its EtherType.
fn tag(unit: Unit, tag_type: u16, id: u16) -> Unit {
    let mut header = id.to_be_bytes().to_vec();
    header.extend_from_slice(&unit.ether_type.to_be_bytes());
    behind(unit, tag_type, &header)
}

/// The packet behind a header, under a new EtherType.
fn behind(unit: Unit, ether_type: u16, header: &[u8]) -> Unit {
    let mut bytes = header.to_vec();
    bytes.extend_from_slice(&unit.bytes);
    Unit { ether_type, bytes, ..unit }
}

fn ip_in_ip(unit: &Unit) -> u8 {
    if unit.ether_type == IPV6 { 41 } else { 4 }
}

/// An IP packet between the ends of the tunnel.
fn outer(source: IpAddr, target: IpAddr, protocol: u8, message: &[u8], number: u32) -> Unit {
    let id = number.wrapping_mul(0x85eb_ca6b) >> 5;
    let mut packets = ip::packets(source, target, protocol, message, id, &Shape::default());
    packets.swap_remove(0)
}

fn in_udp(side: Side, port: u16, message: &[u8], number: u32) -> Unit {
    let source_port = 49_152 + 1021 * (1 + side as u16);
    outer(MIRROR_V4, SENSOR_V4, udp::PROTOCOL, &udp::without_checksum(source_port, port, message), number)
}

fn gre(ether_type: u16, key: Option<u32>, sequence: Option<u32>, payload: &[u8]) -> Vec<u8> {
    let flags = if key.is_some() { 0x20 } else { 0 } | if sequence.is_some() { 0x10 } else { 0 };
    let mut message = vec![flags, 0];
    message.extend_from_slice(&ether_type.to_be_bytes());
    for field in [key, sequence].into_iter().flatten() {
        message.extend_from_slice(&field.to_be_bytes());
    }
    message.extend_from_slice(payload);
    message
}

/// Version 1, VLAN 0, the session, and an index of 0.
fn erspan2_header(session: u16) -> [u8; 8] {
    let [high, low] = session.to_be_bytes();
    [0x10, 0, high, low, 0, 0, 0, 0]
}

fn geneve(ether_type: u16, vni: u32, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut message = vec![(options.len() / 4) as u8, 0];
    message.extend_from_slice(&ether_type.to_be_bytes());
    message.extend_from_slice(&(vni << 8).to_be_bytes());
    message.extend_from_slice(options);
    message.extend_from_slice(payload);
    message
}

fn geneve_option(class: u16, kind: u8, data: &[u8]) -> Vec<u8> {
    let mut option = class.to_be_bytes().to_vec();
    option.extend_from_slice(&[kind, (data.len() / 4) as u8]);
    option.extend_from_slice(data);
    option
}

/// AYIYA: identity of 16 bytes, signature of 20, forwarding the packet behind it.
fn ayiya(unit: &Unit, number: u32) -> Vec<u8> {
    // Identity length 2^4 and type integer; signature length 5 words and SHA-1; shared secret, forward; IPv6.
    let next = if unit.ether_type == IPV4 { 4 } else { 41 };
    let mut message = vec![0x41, 0x52, 0x11, next];
    message.extend_from_slice(&number.to_be_bytes());
    message.extend_from_slice(&[0xfd; 16]);
    message.extend_from_slice(&[0xa5; 20]);
    message.extend_from_slice(&unit.bytes);
    message
}
