//! Link headers: how a packet looks to a capture of each link type.

use std::str::FromStr;

use super::ip::Unit;
use super::tcp::Side;

/// A link type that the lab can write, by the tcpdump group's registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link(pub u16);

/// Name in recipes, number.
const LINKS: [(&str, u16); 18] = [
    ("null", 0),
    ("ethernet", 1),
    ("ppp", 9),
    ("raw-12", 12),
    ("raw-14", 14),
    ("ppp-hdlc", 50),
    ("ppp-ether", 51),
    ("raw", 101),
    ("cisco-hdlc", 104),
    ("ieee802-11", 105),
    ("loop", 108),
    ("linux-sll", 113),
    ("radiotap", 127),
    ("ipv4", 228),
    ("ipv6", 229),
    ("nflog", 239),
    ("pktap", 258),
    ("linux-sll2", 276),
];

impl Link {
    /// Ethernet, which a recipe means when it says nothing.
    pub const ETHERNET: Self = Self(1);
}

impl FromStr for Link {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match LINKS.iter().find(|(known, _)| *known == name) {
            Some((_, number)) => Ok(Self(*number)),
            None => {
                let known: Vec<&str> = LINKS.iter().map(|(known, _)| *known).collect();
                Err(format!("no link type is called `{name}`; there are {}", known.join(", ")))
            }
        }
    }
}

/// The frame around a packet. `side` is who sent it, for the headers that tell the direction.
pub fn frame(link: Link, unit: &Unit, side: Side) -> Vec<u8> {
    let six = unit.ether_type == 0x86dd;
    // Address families as macOS numbers them; IPv4 is 2 everywhere.
    let family: u32 = if six { 30 } else { 2 };
    let mut header = Vec::new();
    match link.0 {
        0 => header.extend_from_slice(&family.to_le_bytes()),
        9 | 50 => {
            header.extend_from_slice(&[0xff, 0x03]);
            header.extend_from_slice(&ppp_protocol(unit.ether_type).to_be_bytes());
        }
        104 => {
            header.extend_from_slice(&[0x0f, 0x00]);
            header.extend_from_slice(&unit.ether_type.to_be_bytes());
        }
        105 => header = wireless(unit, side),
        108 => header.extend_from_slice(&family.to_be_bytes()),
        113 => {
            header.extend_from_slice(&u16::from(packet_type(side)).to_be_bytes());
            header.extend_from_slice(&[0, 1, 0, 6]);
            header.extend_from_slice(&unit.source);
            header.extend_from_slice(&[0, 0]);
            header.extend_from_slice(&unit.ether_type.to_be_bytes());
        }
        127 => {
            // Version 0, eight bytes, no fields (radiotap.org).
            header = vec![0, 0, 8, 0, 0, 0, 0, 0];
            header.extend(wireless(unit, side));
        }
        239 => header = netfilter_log(unit, side),
        258 => {
            header = packet_tap(side);
            header.extend(ethernet_header(unit));
        }
        276 => {
            header.extend_from_slice(&unit.ether_type.to_be_bytes());
            header.extend_from_slice(&[0, 0, 0, 0, 0, 2, 0, 1, packet_type(side), 6]);
            header.extend_from_slice(&unit.source);
            header.extend_from_slice(&[0, 0]);
        }
        1 => header = ethernet_header(unit),
        // The rest begin with the packet itself: raw IP, and PPPoE without its Ethernet.
        _ => {}
    }
    header.extend_from_slice(&unit.bytes);
    if link.0 == 239 {
        header.resize(header.len().next_multiple_of(4), 0);
    }
    header
}

/// An Ethernet II frame without padding or check sequence.
pub fn ethernet(unit: &Unit) -> Vec<u8> {
    frame(Link::ETHERNET, unit, Side::Client)
}

/// The PPP protocol number of an EtherType (RFC 1332, RFC 5072, RFC 3032).
pub fn ppp_protocol(ether_type: u16) -> u16 {
    match ether_type {
        0x86dd => 0x0057,
        0x8847 => 0x0281,
        _ => 0x0021,
    }
}

fn ethernet_header(unit: &Unit) -> Vec<u8> {
    let mut header = unit.target.to_vec();
    header.extend_from_slice(&unit.source);
    header.extend_from_slice(&unit.ether_type.to_be_bytes());
    header
}

/// 4 is "sent by us", 0 "to us": the client's host is where the capture runs.
fn packet_type(side: Side) -> u8 {
    match side {
        Side::Client => 4,
        Side::Server => 0,
    }
}

/// A QoS data frame and its SNAP header (IEEE 802.11, RFC 1042).
fn wireless(unit: &Unit, side: Side) -> Vec<u8> {
    const ACCESS_POINT: [u8; 6] = [0x02, 0, 0, 0, 0, 0x02];
    let (distribution, addresses) = match side {
        Side::Client => (0x01, [ACCESS_POINT, unit.source, unit.target]),
        Side::Server => (0x02, [unit.target, ACCESS_POINT, unit.source]),
    };
    let mut header = vec![0x88, distribution, 0, 0];
    addresses.iter().for_each(|address| header.extend_from_slice(address));
    // Sequence control, QoS control, LLC and SNAP.
    header.extend_from_slice(&[0x10, 0x00, 0, 0, 0xaa, 0xaa, 0x03, 0, 0, 0]);
    header.extend_from_slice(&unit.ether_type.to_be_bytes());
    header
}

/// The header and TLVs that libpcap reads from the kernel, the payload's last.
fn netfilter_log(unit: &Unit, side: Side) -> Vec<u8> {
    let family = if unit.ether_type == 0x86dd { 10 } else { 2 };
    // Version 0, group 5.
    let mut header = vec![family, 0, 0, 5];
    let hook = match side {
        Side::Client => 4,
        Side::Server => 0,
    };
    header.extend_from_slice(&[8, 0, 1, 0]);
    header.extend_from_slice(&unit.ether_type.to_be_bytes());
    header.extend_from_slice(&[hook, 0]);
    // Prefix "ci".
    header.extend_from_slice(&[7, 0, 10, 0, b'c', b'i', 0, 0]);
    header.extend_from_slice(&(4 + unit.bytes.len() as u16).to_le_bytes());
    header.extend_from_slice(&[9, 0]);
    header
}

/// Apple's header of 108 bytes, little-endian, with Ethernet behind it.
fn packet_tap(side: Side) -> Vec<u8> {
    let mut header = Vec::with_capacity(108);
    for word in [108_u32, 1, 1] {
        header.extend_from_slice(&word.to_le_bytes());
    }
    let mut name = [0; 24];
    name[..3].copy_from_slice(b"en0");
    header.extend_from_slice(&name);
    let direction: u32 = match side {
        Side::Client => 2,
        Side::Server => 1,
    };
    // Flags, protocol family, bytes before the packet (Ethernet), bytes after it.
    for word in [direction, 2, 14, 0] {
        header.extend_from_slice(&word.to_le_bytes());
    }
    // Process 501 "curl", no service class, interface type Ethernet.
    header.extend_from_slice(&501_u32.to_le_bytes());
    header.extend_from_slice(b"curl\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    header.extend_from_slice(&[0, 0, 0, 0, 6, 0, 0, 0]);
    header.extend_from_slice(&[0; 24]);
    header
}
