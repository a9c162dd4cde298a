//! The entry for fuzzing the decoder.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{
    Anomaly, DecodeOptions, Decoded, LinkType, Plain, PlainEnds, Transport, decode, decode_datagram,
    walk_through,
};

/// Reads `data` as a frame: two bytes pick link type and options, the rest is the frame.
///
/// # Panics
///
/// When an invariant does not hold: payloads lie in the frame and are no longer than they say, the same
/// frame gives the same result, on the short cut and on the long way, and a frame that is cut anywhere gives what stands before the cut.
pub fn fuzz_decode(data: &[u8]) {
    let Some((&[link, choice], frame)) = data.split_first_chunk() else { return };
    let count = LinkType::supported().count();
    // One number beyond those that are known stands for all unknown ones.
    let link = LinkType::supported().nth(usize::from(link) % (count + 1)).unwrap_or(LinkType(147));
    let options = DecodeOptions {
        vlan_is_tenant: choice & 1 != 0,
        gtp_is_tenant: choice & 2 != 0,
        checksums: choice & 4 != 0,
    };
    check_frame(link, frame, &options);
}

/// Asserts the invariants of [`fuzz_decode`] for one frame.
pub(super) fn check_frame(link: LinkType, frame: &[u8], options: &DecodeOptions) {
    let wire_length = u32::try_from(frame.len()).unwrap_or(u32::MAX);
    let whole = decode(link, frame, wire_length, options);
    assert_eq!(whole, decode(link, frame, wire_length, options));
    assert_eq!(whole, walk_through(link, frame, frame.len(), options), "the short cut leads elsewhere");
    if let Some(plain) = Plain::of(link, frame, wire_length, options) {
        assert_plain(&plain, &whole);
    }
    assert_bounds(frame, &whole);
    assert!(!whole.anomalies.has(Anomaly::Truncated));
    if let Transport::Fragment { payload } = whole.transport {
        assert_bounds(payload, &decode_datagram(&whole, payload));
    }
    // Headers are at the front: every cut there, and some of those behind.
    for cut in (0..frame.len()).filter(|cut| *cut < 160 || cut % 61 == 0) {
        let bytes = frame.get(..cut).unwrap_or_default();
        let part = decode(link, bytes, wire_length, options);
        assert!(part.anomalies.has(Anomaly::Truncated));
        assert_bounds(bytes, &part);
        assert_agreement(&whole, &part);
    }
}

/// What a plain frame says of itself in short is what it is decoded to.
fn assert_plain(plain: &Plain<'_>, decoded: &Decoded<'_>) {
    assert!(plain.tcp_flags().is_some() != plain.udp().is_some(), "one of the two");
    assert!(decoded.network.is_some(), "a plain frame without IP");
    let Some(network) = decoded.network else { return };
    let (source, destination) = match plain.ends() {
        PlainEnds::V4((source, from), (destination, to)) => {
            ((Ipv4Addr::from(source).into(), from), (Ipv4Addr::from(destination).into(), to))
        }
        PlainEnds::V6((source, from), (destination, to)) => {
            ((Ipv6Addr::from(source).into(), from), (Ipv6Addr::from(destination).into(), to))
        }
    };
    assert_eq!((plain.transport(), plain.vlan()), (decoded.transport, decoded.vlan));
    let (ports, payload_length) = match decoded.transport {
        Transport::Tcp(tcp) => {
            assert_eq!(plain.tcp_flags(), Some(tcp.flags));
            ((tcp.source_port, tcp.destination_port), tcp.payload_length)
        }
        Transport::Udp(udp) => {
            assert_eq!(plain.udp(), Some(udp));
            ((udp.source_port, udp.destination_port), udp.payload_length)
        }
        _ => return,
    };
    assert_eq!(plain.payload_length(), payload_length);
    assert_eq!((source, destination), ((network.source, ports.0), (network.destination, ports.1)));
    assert_eq!((plain.protocol(), plain.is_v6()), (network.protocol, network.source.is_ipv6()));
    assert_eq!(plain.has_wrong_checksum(), decoded.has_wrong_checksum());
    assert_eq!(plain.has_wrong_ipv4_checksum(), decoded.anomalies.has(Anomaly::Ipv4Checksum));
    assert_eq!(plain.is_tagged(), !decoded.vlan.ids().is_empty());
}

/// What was found lies inside the bytes that it was found in.
fn assert_bounds(frame: &[u8], decoded: &Decoded<'_>) {
    let payload = match decoded.transport {
        Transport::None => &[][..],
        Transport::Tcp(view) => {
            assert!(view.payload.len() <= view.payload_length as usize);
            view.payload
        }
        Transport::Udp(view) => {
            assert!(view.payload.len() <= view.payload_length as usize);
            view.payload
        }
        Transport::Icmp { payload, .. }
        | Transport::Sctp { payload, .. }
        | Transport::Other { payload }
        | Transport::Fragment { payload } => payload,
    };
    let (outer, inner) = (frame.as_ptr_range(), payload.as_ptr_range());
    assert!(payload.is_empty() || (outer.start <= inner.start && inner.end <= outer.end));
    assert_eq!(
        matches!(decoded.transport, Transport::Fragment { .. }),
        decoded.network.is_some_and(|network| network.fragment.is_some())
    );
    if let (Transport::Fragment { payload }, Some(fragment)) =
        (decoded.transport, decoded.network.and_then(|network| network.fragment))
    {
        assert!(payload.len() <= fragment.length as usize);
    }
    if let Some(stop) = decoded.stop {
        assert!(stop.offset as usize <= frame.len());
    }
    if let Some(tunnel) = decoded.tunnel {
        assert!((1..=crate::limits::TUNNEL_DEPTH).contains(&tunnel.depth) && decoded.network.is_some());
    }
}

/// What the part of a frame gave is what the whole gave, as far as the part went.
fn assert_agreement(whole: &Decoded<'_>, part: &Decoded<'_>) {
    let depth = |decoded: &Decoded<'_>| decoded.tunnel.map_or(0, |tunnel| tunnel.depth);
    assert!(depth(part) <= depth(whole));
    if depth(part) < depth(whole) || part.network.is_none() {
        return;
    }
    assert_eq!(part.tunnel, whole.tunnel);
    assert_eq!(part.tenant, whole.tenant);
    assert_eq!(part.vlan, whole.vlan);
    let addresses = |decoded: &Decoded<'_>| {
        decoded.network.map(|network| (network.source, network.destination, network.ttl))
    };
    assert_eq!(addresses(part), addresses(whole));
    match (part.transport, whole.transport) {
        (Transport::Tcp(part), Transport::Tcp(whole)) => {
            let fields = |view: super::TcpView<'_>| {
                (view.source_port, view.destination_port, view.sequence, view.flags, view.payload_length)
            };
            assert_eq!(fields(part), fields(whole));
            assert!(whole.payload.starts_with(part.payload));
        }
        (Transport::Udp(part), Transport::Udp(whole)) => {
            assert_eq!(
                (part.source_port, part.destination_port),
                (whole.source_port, whole.destination_port)
            );
            assert!(whole.payload.starts_with(part.payload));
        }
        (Transport::Fragment { payload: part }, Transport::Fragment { payload: whole }) => {
            assert!(whole.starts_with(part));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::frames;

    /// Whether a frame's layers were read to the end: what a seed must be.
    fn is_read(decoded: &Decoded<'_>) -> bool {
        decoded.stop.is_none() && matches!(decoded.transport, Transport::Tcp(_) | Transport::Udp(_))
    }

    #[test]
    fn every_seed_is_read_and_every_cut_of_it_agrees() {
        for (link, frame) in frames::seeds() {
            let decoded = decode(link, &frame, frame.len() as u32, &DecodeOptions::default());
            assert!(is_read(&decoded), "{link}: {decoded:?}");
            assert!(decoded.anomalies.is_empty(), "{link}: {decoded:?}");
            check_frame(link, &frame, &frames::CHECKED);
        }
    }

    #[test]
    fn fuzzed_for_a_moment() {
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        let mut next = || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random as usize
        };
        let links: Vec<LinkType> = LinkType::supported().collect();
        let seeds = frames::seeds();
        for _ in 0..10_000 {
            let (link, seed) = &seeds[next() % seeds.len()];
            let index = links.iter().position(|known| known == link).expect("seeds are of known links");
            let mut data = vec![index as u8, next() as u8];
            data.extend(seed);
            for _ in 0..next() % 6 {
                let place = 2 + next() % (data.len() - 2).max(1);
                match next() % 4 {
                    0 => data[place] = next() as u8,
                    1 => data[place] ^= 1 << (next() % 8),
                    // Numbers that mean something somewhere.
                    2 => data[place] = [0, 4, 6, 17, 41, 44, 47, 51, 60, 0x45, 0x60, 0xff][next() % 12],
                    _ => {
                        data.remove(place);
                    }
                }
                if data.len() < 4 {
                    break;
                }
            }
            fuzz_decode(&data);
        }
    }
}
