//! Frames for tests, built layer by layer from the inside; lengths and checksums are right.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{DecodeOptions, Decoded, LinkType, Transport, UdpView, checksum, decode};

pub const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);
pub const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 7);
pub const OUTER_CLIENT: Ipv4Addr = Ipv4Addr::new(172, 16, 0, 1);
pub const OUTER_SERVER: Ipv4Addr = Ipv4Addr::new(172, 16, 0, 2);
pub const CLIENT6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 5);
pub const SERVER6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7);

/// The options with which checksums are verified.
pub const CHECKED: DecodeOptions =
    DecodeOptions { vlan_is_tenant: false, gtp_is_tenant: false, checksums: true };

/// One slice out of several.
pub fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// Decodes a whole frame with checksums.
pub fn read(link: LinkType, frame: &[u8]) -> Decoded<'_> {
    decode(link, frame, frame.len() as u32, &CHECKED)
}

/// The UDP datagram that a frame was found to hold.
pub fn udp_of<'a>(decoded: &Decoded<'a>) -> UdpView<'a> {
    match decoded.transport {
        Transport::Udp(view) => view,
        _ => panic!("{decoded:?}"),
    }
}

pub fn ethernet(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    frame.extend(ether_type.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A tag and what follows it: goes behind an EtherType.
pub fn tag(id: u16, ether_type: u16, payload: &[u8]) -> Vec<u8> {
    join(&[&id.to_be_bytes(), &ether_type.to_be_bytes(), payload])
}

pub fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    ipv4_between(CLIENT, SERVER, protocol, payload)
}

pub fn ipv4_between(source: Ipv4Addr, destination: Ipv4Addr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    ipv4_with(source, destination, protocol, 0, &[], payload)
}

/// `place` is the field of flags and fragment offset.
pub fn ipv4_with(
    source: Ipv4Addr,
    destination: Ipv4Addr,
    protocol: u8,
    place: u16,
    options: &[u8],
    payload: &[u8],
) -> Vec<u8> {
    let total = (20 + options.len() + payload.len()) as u16;
    let mut header = vec![0x45 + (options.len() / 4) as u8, 0];
    header.extend(total.to_be_bytes());
    header.extend([0x12, 0x34]);
    header.extend(place.to_be_bytes());
    header.extend([64, protocol, 0, 0]);
    header.extend(source.octets());
    header.extend(destination.octets());
    header.extend(options);
    let sum = checksum::of(&header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    header.extend(payload);
    header
}

pub fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let mut header = vec![0x60, 0, 0, 0];
    header.extend((payload.len() as u16).to_be_bytes());
    header.extend([next, 64]);
    header.extend(CLIENT6.octets());
    header.extend(SERVER6.octets());
    header.extend(payload);
    header
}

/// UDP without a checksum.
pub fn udp(source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
    let length = (8 + payload.len()) as u16;
    join(&[&source.to_be_bytes(), &destination.to_be_bytes(), &length.to_be_bytes(), &[0, 0], payload])
}

/// TCP with the checksum that fits between [`CLIENT`] and [`SERVER`].
pub fn tcp(source: u16, destination: u16, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut segment = tcp_without_checksum(source, destination, options, payload);
    let sum = checksum::for_tests(CLIENT.into(), SERVER.into(), 6, &segment);
    segment[16..18].copy_from_slice(&sum.to_be_bytes());
    segment
}

pub fn tcp_without_checksum(source: u16, destination: u16, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut segment = join(&[&source.to_be_bytes(), &destination.to_be_bytes()]);
    segment.extend([0, 0, 0, 1, 0, 0, 0, 2]);
    segment.extend([(5 + options.len() as u8 / 4) << 4, 0x18, 0x20, 0, 0, 0, 0, 0]);
    segment.extend(options);
    segment.extend(payload);
    segment
}

/// A question to a name server as it goes into every tunnel of the tests: IPv4 and UDP, 33 bytes.
pub fn inner_ipv4() -> Vec<u8> {
    ipv4(17, &udp(40_000, 53, b"query"))
}

/// The same over IPv6.
pub fn inner_ipv6() -> Vec<u8> {
    let mut datagram = udp(40_000, 53, b"query");
    let sum = checksum::for_tests(CLIENT6.into(), SERVER6.into(), 17, &datagram);
    datagram[6..8].copy_from_slice(&sum.to_be_bytes());
    ipv6(17, &datagram)
}

/// Asserts that the packet of [`inner_ipv4`] was found, with nothing odd.
pub fn assert_inner_ipv4(decoded: &Decoded<'_>) {
    let network = decoded.network.expect("a network");
    assert_eq!((network.source, network.destination), (CLIENT.into(), SERVER.into()), "{decoded:?}");
    assert_query(decoded);
}

/// Asserts that the packet of [`inner_ipv6`] was found, with nothing odd.
pub fn assert_inner_ipv6(decoded: &Decoded<'_>) {
    let network = decoded.network.expect("a network");
    assert_eq!((network.source, network.destination), (CLIENT6.into(), SERVER6.into()), "{decoded:?}");
    assert_query(decoded);
}

fn assert_query(decoded: &Decoded<'_>) {
    let view = udp_of(decoded);
    assert_eq!((view.source_port, view.destination_port, view.payload_length), (40_000, 53, 5));
    assert_eq!(view.payload, b"query");
    assert_eq!(decoded.stop, None);
    assert!(decoded.anomalies.is_empty(), "{decoded:?}");
}

/// Ethernet and the outer IPv4 header around the payload of `protocol`.
pub fn outer(protocol: u8, payload: &[u8]) -> Vec<u8> {
    ethernet(0x0800, &ipv4_between(OUTER_CLIENT, OUTER_SERVER, protocol, payload))
}

/// One frame of every kind that is read, with its link type: where mutations and cuts start from.
pub fn seeds() -> Vec<(LinkType, Vec<u8>)> {
    let (four, six) = (inner_ipv4(), inner_ipv6());
    let framed = ethernet(0x0800, &four);
    let snap = join(&[&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0], &four]);
    let radiotap = [0, 0, 9, 0, 2, 0, 0, 0, 0x10];
    let data = [0x88, 0x01, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 0, 0, 0, 0];
    let segment = ipv4(6, &tcp(40_000, 443, &[1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2], b"hello"));
    let extensions =
        ipv6(0, &join(&[&[60, 0, 1, 4, 0, 0, 0, 0], &[17, 0, 1, 4, 0, 0, 0, 0], &udp(1, 2, b"x")]));
    let geneve = [2, 0, 0x65, 0x58, 0, 0, 0, 0, 0x01, 0x08, 1, 1, 1, 2, 3, 4];
    let mut pktap = vec![0; 108];
    pktap[0] = 108;
    pktap[4] = 1;
    pktap[8] = 1;
    vec![
        (LinkType::NULL, join(&[&[2, 0, 0, 0], &four])),
        (LinkType::LOOP, join(&[&[0, 0, 0, 24], &six])),
        (LinkType::ETHERNET, framed.clone()),
        (LinkType::ETHERNET, ethernet(0x0800, &segment)),
        (LinkType::ETHERNET, ethernet(0x86dd, &extensions)),
        (LinkType::ETHERNET, ethernet(0x8100, &tag(7, 0x88a8, &tag(8, 0x86dd, &six)))),
        (LinkType::ETHERNET, ethernet(snap.len() as u16, &snap)),
        (LinkType::ETHERNET, ethernet(0x8847, &join(&[&[0, 1, 1, 64], &framed]))),
        (LinkType::ETHERNET, ethernet(0x8864, &join(&[&[0x11, 0, 0, 1, 0, 35, 0, 0x21], &four]))),
        (LinkType::ETHERNET, outer(17, &udp(9, 4789, &join(&[&[8, 0, 0, 0, 0, 0, 7, 0], &framed])))),
        (LinkType::ETHERNET, outer(17, &udp(9, 6081, &join(&[&geneve, &framed])))),
        (LinkType::ETHERNET, outer(17, &udp(9, 2152, &join(&[&[0x30, 255, 0, 33, 0, 0, 0, 9], &four])))),
        (LinkType::ETHERNET, outer(17, &udp(9, 3544, &join(&[&[0, 0, 1, 2, 3, 4, 5, 6], &six])))),
        (LinkType::ETHERNET, outer(47, &join(&[&[0x20, 0, 8, 0, 0, 0, 0, 3], &four]))),
        (
            LinkType::ETHERNET,
            outer(47, &join(&[&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0, 0, 9, 0, 0, 0, 0], &framed])),
        ),
        (LinkType::ETHERNET, outer(4, &four)),
        (LinkType::ETHERNET, outer(41, &six)),
        (LinkType::PPP, join(&[&[0xff, 3, 0, 0x21], &four])),
        (LinkType::PPP_HDLC, join(&[&[0x0f, 0, 8, 0], &four])),
        (LinkType::PPP_ETHER, join(&[&[0x11, 0, 0, 1, 0, 34, 0x21], &four])),
        (LinkType::CISCO_HDLC, join(&[&[0x0f, 0, 0x86, 0xdd], &six])),
        (LinkType::RAW, four.clone()),
        (LinkType::IPV6, six.clone()),
        (LinkType::IEEE802_11, join(&[&data, &snap])),
        (LinkType::IEEE802_11_RADIOTAP, join(&[&radiotap, &data, &snap, &[0; 4]])),
        (LinkType::LINUX_SLL, join(&[&[0, 4, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0], &four])),
        (LinkType::LINUX_SLL2, join(&[&[8, 0, 0, 0, 0, 0, 0, 1, 0, 1, 4, 6, 0, 0, 0, 0, 0, 0, 0, 0], &four])),
        (LinkType::NFLOG, join(&[&[2, 0, 0, 5, 6, 0, 10, 0, b'a', 0, 0, 0, 37, 0, 9, 0], &four])),
        (LinkType::PKTAP, join(&[&pktap, &framed])),
        (LinkType::ETHERNET, ethernet(0x8926, &join(&[&[0, 1, 0, 2, 8, 0], &four]))),
        (LinkType::ETHERNET, ethernet(0x88e7, &join(&[&[0, 0, 0, 7], &framed]))),
        (LinkType::ETHERNET, outer(97, &join(&[&[0x30, 0], &framed]))),
        (LinkType::ETHERNET, outer(137, &join(&[&[0, 1, 1, 64], &four]))),
        (LinkType::ETHERNET, outer(17, &udp(9, 1701, &join(&[&[0, 2, 0, 1, 0, 2, 0, 0x21], &four])))),
        (LinkType::ETHERNET, outer(17, &udp(9, 37008, &join(&[&[1, 0, 0, 1, 10, 1, 0, 1], &framed])))),
        (LinkType::FRAME_RELAY, join(&[&[0x18, 0x41, 3, 0xcc], &four])),
        (LinkType::PPP_WITH_DIRECTION, join(&[&[0, 0xff, 3, 0, 0x21], &four])),
        (LinkType::PPI, join(&[&[0, 0, 8, 0, 105, 0, 0, 0], &data, &snap])),
        (LinkType::IEEE802_11_PRISM, join(&[&[0x44, 0, 0, 0, 8, 0, 0, 0], &data, &snap])),
        (LinkType::IEEE802_11_AVS, join(&[&[0x80, 0x21, 0x10, 1, 0, 0, 0, 8], &data, &snap])),
    ]
}
