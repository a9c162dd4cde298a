//! Our reading of frames beside etherparse's, on built frames and on real captures.
//!
//! etherparse knows Ethernet, tags, IP with its extension headers, TCP and UDP; of a tunnel it reads
//! the carrier. Where both read a layer they must read the same.

use std::{
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
};

use etherparse::{LaxNetSlice, LaxSlicedPacket, PacketBuilder, TransportSlice};

use super::{DecodeOptions, Decoded, LinkType, StopReason, Transport, decode, frames::CHECKED, fuzz};

/// Where the shared captures are, from the repository or from a worktree beside it.
fn captures() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found =
        ["..", "../.."].iter().map(|up| root.join(up).join("shared/captures")).find(|path| path.is_dir());
    if found.is_none() {
        println!("skipped: no captures beside the repository");
    }
    found
}

/// Calls `each` with link type, bytes and wire length of every frame that libpcap reads in the captures.
fn for_each_frame(folder: &Path, each: &mut impl FnMut(&Path, LinkType, &[u8], u32)) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            for_each_frame(&path, each);
            continue;
        }
        // Some files are damaged on purpose, and some are of forms that libpcap does not know.
        let Ok(mut capture) = pcap::Capture::from_file(&path) else { continue };
        let Ok(link) = u16::try_from(capture.get_datalink().0) else { continue };
        while let Ok(packet) = capture.next_packet() {
            each(&path, LinkType(link), packet.data, packet.header.len);
        }
    }
}

/// Etherparse's reading of the outermost IP packet: addresses, ports, payload.
struct Other<'a> {
    addresses: Option<(IpAddr, IpAddr)>,
    ports: Option<(u16, u16)>,
    payload: &'a [u8],
}

fn other(link: LinkType, frame: &[u8]) -> Option<Other<'_>> {
    let packet = match link {
        LinkType::ETHERNET => LaxSlicedPacket::from_ethernet(frame).ok()?,
        LinkType::RAW | LinkType::RAW_12 => LaxSlicedPacket::from_ip(frame).ok()?,
        _ => return None,
    };
    let addresses = match packet.net {
        Some(LaxNetSlice::Ipv4(ip)) => {
            Some((ip.header().source_addr().into(), ip.header().destination_addr().into()))
        }
        Some(LaxNetSlice::Ipv6(ip)) => {
            Some((ip.header().source_addr().into(), ip.header().destination_addr().into()))
        }
        _ => None,
    };
    let (ports, payload) = match packet.transport {
        Some(TransportSlice::Tcp(tcp)) => (Some((tcp.source_port(), tcp.destination_port())), tcp.payload()),
        Some(TransportSlice::Udp(udp)) => (Some((udp.source_port(), udp.destination_port())), udp.payload()),
        _ => (None, &[][..]),
    };
    Some(Other { addresses, ports, payload })
}

/// Asserts that `ours` is the same reading as far as etherparse's goes; tells whether that was compared.
fn assert_same(link: LinkType, frame: &[u8], ours: &Decoded<'_>) -> bool {
    let Some(other) = other(link, frame) else { return false };
    let Some(addresses) = other.addresses else { return false };
    let Some(network) = ours.network else { panic!("not read by us: {ours:?}") };
    if let Some(tunnel) = ours.tunnel {
        assert_eq!((tunnel.source, tunnel.destination), addresses);
        if tunnel.protocol == 17 {
            assert_eq!(Some((tunnel.source_port, tunnel.destination_port)), other.ports);
        }
        return true;
    }
    assert_eq!((network.source, network.destination), addresses);
    match ours.transport {
        Transport::Tcp(view) if ours.stop.is_none() => {
            assert_eq!(other.ports, Some((view.source_port, view.destination_port)));
            assert_eq!(view.payload, other.payload);
        }
        Transport::Udp(view) if ours.stop.is_none() => {
            assert_eq!(other.ports, Some((view.source_port, view.destination_port)));
            assert_eq!(view.payload, other.payload);
        }
        _ => assert_eq!(other.ports, None, "{ours:?}"),
    }
    true
}

#[test]
fn built_packets_are_read_as_etherparse_wrote_them() {
    let payload: Vec<u8> = (0..1400).map(|index| index as u8).collect();
    for length in [0, 1, 2, 17, 100, 1399, 1400] {
        let payload = &payload[..length];
        for choice in 0..16 {
            let ethernet = PacketBuilder::ethernet2([1; 6], [2; 6]);
            let ip = |builder: etherparse::PacketBuilderStep<etherparse::VlanHeader>| match choice & 2 {
                0 => builder.ipv4([10, 0, 0, 1], [192, 0, 2, 7], 61),
                _ => builder.ipv6([0xfd; 16], [0x20; 16], 61),
            };
            let ip = if choice & 1 == 0 {
                ip(ethernet.single_vlan(etherparse::VlanId::try_new(77).expect("an identifier")))
            } else {
                let id = |id| etherparse::VlanId::try_new(id).expect("an identifier");
                ip(ethernet.double_vlan(id(12), id(13)))
            };
            let mut frame = Vec::new();
            if choice & 4 == 0 {
                let tcp = ip.tcp(40_000, 443, 0xffff_fffe, 1_000).ack(7).psh();
                let tcp =
                    if choice & 8 == 0 { tcp } else { tcp.options_raw(&[1, 1, 1, 0]).expect("options") };
                tcp.write(&mut frame, payload).expect("a packet");
            } else {
                ip.udp(40_000, 5353).write(&mut frame, payload).expect("a packet");
            }
            let ours = decode(LinkType::ETHERNET, &frame, frame.len() as u32, &CHECKED);
            assert!(ours.anomalies.is_empty() && ours.stop.is_none(), "{ours:?}");
            assert!(!ours.has_wrong_checksum(), "{ours:?}");
            assert!(assert_same(LinkType::ETHERNET, &frame, &ours));
            let ids: &[u16] = if choice & 1 == 0 { &[77] } else { &[12, 13] };
            assert_eq!(ours.vlan.ids(), ids);
            if let Transport::Tcp(view) = ours.transport {
                assert_eq!((view.sequence, view.acknowledgment, view.flags), (0xffff_fffe, 7, 0x18));
            }
            // A checksum that is wrong by one bit is found.
            if let Some(last) = frame.last_mut() {
                *last ^= 0x10;
            }
            let changed = decode(LinkType::ETHERNET, &frame, frame.len() as u32, &CHECKED);
            assert!(changed.has_wrong_checksum(), "choice {choice}, {length} bytes: {changed:?}");
        }
    }
}

#[test]
fn real_captures_are_read_as_etherparse_reads_them() {
    let Some(folder) = captures() else { return };
    let mut compared = 0;
    for_each_frame(&folder, &mut |path, link, frame, wire_length| {
        let ours = decode(link, frame, wire_length, &DecodeOptions::default());
        // Where a length field is damaged the two may guess apart; what we do is tested byte by byte.
        let damaged = [super::Anomaly::LengthTooLong, super::Anomaly::LengthTooShort];
        let malformed = ours.stop.is_some_and(|stop| stop.reason == StopReason::Malformed);
        if malformed || damaged.iter().any(|anomaly| ours.anomalies.has(*anomaly)) {
            return;
        }
        let same = std::panic::catch_unwind(|| assert_same(link, frame, &ours));
        compared += u32::from(same.unwrap_or_else(|_| panic!("in {}", path.display())));
    });
    assert!(compared > 1_000, "only {compared} frames were compared");
}

#[test]
fn every_frame_of_the_captures_keeps_the_invariants() {
    let Some(folder) = captures() else { return };
    let (mut frames, mut supported) = (0_u32, 0_u32);
    for_each_frame(&folder, &mut |_, link, frame, wire_length| {
        let decoded = decode(link, frame, wire_length, &CHECKED);
        let unsupported = decoded.stop.map(|stop| stop.reason) == Some(StopReason::UnsupportedLink(link.0));
        assert_eq!(unsupported, !link.is_supported());
        frames += 1;
        supported += u32::from(!unsupported);
        // Every cut of every frame would take minutes.
        if frames % 16 == 0 {
            fuzz::check_frame(link, frame, &CHECKED);
        }
    });
    assert!(supported > 1_000 && supported > frames / 2, "{supported} of {frames}");
}
