//! IPv4 (RFC 791), and the choice between the IP versions.

use std::net::{IpAddr, Ipv4Addr};

use super::{
    Anomaly, Fragment, Layer, Network, Transport, checksum,
    walk::{Next, Walk},
};

/// Bytes of a header without options.
const HEADER: usize = 20;

impl Walk<'_> {
    /// IP of whichever version.
    pub(super) fn ip(&mut self) -> Next {
        match self.peek::<1>() {
            Some([first]) if first >> 4 == 4 => Next::Ipv4,
            Some([first]) if first >> 4 == 6 => Next::Ipv6,
            Some(_) => {
                self.enter(Layer::Raw);
                self.stop_malformed()
            }
            None => {
                self.enter(Layer::Raw);
                self.stop_cut()
            }
        }
    }

    pub(super) fn ipv4(&mut self) -> Next {
        self.enter(Layer::Ipv4);
        match self.peek::<1>() {
            Some([first]) if first >> 4 != 4 => return self.stop_malformed(),
            _ => {}
        }
        let Some(header) = self.peek::<HEADER>() else { return self.stop_cut() };
        let header_length = usize::from(header[0] & 0x0f) * 4;
        let total_length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        // Segmentation offload leaves the length at 0: then the packet is all there is.
        if header_length < HEADER || (total_length < header_length && total_length != 0) {
            self.flag(Anomaly::LengthTooShort);
            return self.stop_malformed();
        }
        if total_length != 0 {
            self.limit_ip(total_length);
        }
        let place = u16::from_be_bytes([header[6], header[7]]);
        if place & 0x8000 != 0 {
            self.flag(Anomaly::ReservedBits);
        }
        let (offset, more) = (u32::from(place & 0x1fff) * 8, place & 0x2000 != 0);
        let length = u32::try_from(self.wire_rest().saturating_sub(header_length)).unwrap_or(u32::MAX);
        let fragment = (offset != 0 || more).then(|| Fragment {
            id: u32::from(u16::from_be_bytes([header[4], header[5]])),
            offset,
            more,
            length,
        });
        self.found_network(Network {
            source: IpAddr::V4(Ipv4Addr::new(header[12], header[13], header[14], header[15])),
            destination: IpAddr::V4(Ipv4Addr::new(header[16], header[17], header[18], header[19])),
            protocol: header[9],
            ttl: header[8],
            fragment,
        });
        if fragment.is_some() {
            let payload = self.rest().get(header_length..).unwrap_or_default();
            self.out.transport = Transport::Fragment { payload };
        }
        let Some(with_options) = self.rest().get(..header_length) else { return self.stop_cut() };
        if header_length > HEADER {
            self.ipv4_options(with_options.get(HEADER..).unwrap_or_default());
        }
        if self.options.checksums && checksum::of(with_options) != 0 {
            self.flag(Anomaly::Ipv4Checksum);
        }
        let _ = self.skip(header_length);
        if fragment.is_some() { Next::Done } else { Next::IpProtocol(header[9]) }
    }

    /// Looks for damage only: nothing that an option says changes where the payload is.
    fn ipv4_options(&mut self, options: &[u8]) {
        /// Loose and strict source routing: the last address, not the header's, is in the pseudo header.
        const SOURCE_ROUTES: [u8; 2] = [131, 137];

        for (kind, value) in (TypeLengthValues { rest: options }) {
            if value.is_none() {
                self.flag(Anomaly::OptionDamaged);
            }
            if SOURCE_ROUTES.contains(&kind) {
                self.pseudo_header_known = false;
            }
        }
    }
}

/// How long the packet is that starts with `bytes`, if they look like an IPv4 header.
pub(super) fn claimed_length(bytes: &[u8]) -> Option<usize> {
    let &[first, _, high, low] = bytes.first_chunk()?;
    let total_length = usize::from(u16::from_be_bytes([high, low]));
    ((0x45..=0x4f).contains(&first) && total_length >= HEADER).then_some(total_length)
}

/// The options of IPv4 and TCP, which have one form (RFC 791 section 3.1, RFC 9293 section 3.1): a kind
/// and its value; `None` for a value whose length is damaged, which ends the options.
///
/// Bounded by the 40 bytes that options can have: each step takes one byte at least.
pub(super) struct TypeLengthValues<'a> {
    pub(super) rest: &'a [u8],
}

impl<'a> Iterator for TypeLengthValues<'a> {
    type Item = (u8, Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        const END: u8 = 0;
        const NO_OPERATION: u8 = 1;

        while let [NO_OPERATION, rest @ ..] = self.rest {
            self.rest = rest;
        }
        let (&kind, behind) = self.rest.split_first()?;
        if kind == END {
            return None;
        }
        let length = behind.first().map_or(0, |&length| usize::from(length));
        let value = self.rest.get(2..length);
        self.rest = if value.is_some() { self.rest.get(length..).unwrap_or_default() } else { &[] };
        Some((kind, value))
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use crate::decode::{
        Anomaly, Fragment, Layer, LinkType, Stop, StopReason, Transport, decode,
        frames::{
            CHECKED, CLIENT, SERVER, assert_inner_ipv4, ethernet, inner_ipv4, ipv4_with, join, read, tcp,
            udp, udp_of,
        },
    };

    #[test]
    fn header_fields() {
        let packet = ipv4_with(CLIENT, SERVER, 6, 0x4000, &[], &tcp(1, 2, &[], b""));
        let network = read(LinkType::RAW, &packet).network.expect("a network");
        assert_eq!((network.source, network.destination), (IpAddr::from(CLIENT), IpAddr::from(SERVER)));
        assert_eq!((network.protocol, network.ttl, network.fragment), (6, 64, None));
    }

    #[test]
    fn options_are_read_over_and_damaged_ones_flagged() {
        let datagram = udp(40_000, 53, b"query");
        // Router alert, a record of the route, fillers and an end.
        for options in [&[148, 4, 0, 0][..], &[1, 1, 1, 0], &[7, 7, 4, 0, 0, 0, 0, 1], &[0, 9, 9, 9]] {
            let packet = ipv4_with(CLIENT, SERVER, 17, 0, options, &datagram);
            assert_inner_ipv4(&read(LinkType::RAW, &packet));
        }
        for options in [&[7, 1, 0, 0][..], &[7, 9, 0, 0], &[1, 1, 1, 7]] {
            let packet = ipv4_with(CLIENT, SERVER, 17, 0, options, &datagram);
            let decoded = read(LinkType::RAW, &packet);
            assert!(decoded.anomalies.has(Anomaly::OptionDamaged));
            assert_eq!(udp_of(&decoded).payload, b"query");
        }
    }

    #[test]
    fn lengths() {
        let malformed = Some(Stop { layer: Layer::Ipv4, offset: 0, reason: StopReason::Malformed });
        // No length, as segmentation offload leaves it.
        let mut packet = inner_ipv4();
        packet[2..4].copy_from_slice(&[0, 0]);
        let decoded = decode(LinkType::RAW, &packet, packet.len() as u32, &Default::default());
        assert_inner_ipv4(&decoded);
        // Longer than what is there: read as far as it goes.
        packet[2..4].copy_from_slice(&[0, 99]);
        let decoded = decode(LinkType::RAW, &packet, packet.len() as u32, &Default::default());
        assert!(decoded.anomalies.has(Anomaly::LengthTooLong));
        assert_eq!(udp_of(&decoded).payload, b"query");
        // Shorter than the header.
        packet[2..4].copy_from_slice(&[0, 19]);
        let decoded = read(LinkType::RAW, &packet);
        assert_eq!(decoded.stop, malformed);
        assert!(decoded.anomalies.has(Anomaly::LengthTooShort));
        packet[0] = 0x44;
        assert_eq!(read(LinkType::RAW, &packet).stop, malformed);
        packet[0] = 0x50;
        assert_eq!(read(LinkType::IPV4, &packet).stop, malformed);
    }

    #[test]
    fn a_wrong_checksum_is_flagged_when_asked_for() {
        let mut packet = inner_ipv4();
        packet[8] = 1;
        let frame = ethernet(0x0800, &packet);
        let decoded = read(LinkType::ETHERNET, &frame);
        assert!(decoded.anomalies.has(Anomaly::Ipv4Checksum));
        assert_eq!(udp_of(&decoded).payload, b"query");
        let unchecked = decode(LinkType::ETHERNET, &frame, frame.len() as u32, &Default::default());
        assert!(unchecked.anomalies.is_empty());
    }

    #[test]
    fn fragments_are_told_with_their_place() {
        let fragment = |place: u16| {
            let packet = ipv4_with(CLIENT, SERVER, 17, place, &[148, 4, 0, 0], b"12345678");
            let decoded = read(LinkType::RAW, &packet);
            assert!(matches!(decoded.transport, Transport::Fragment { payload: b"12345678" }));
            assert_eq!(decoded.stop, None);
            (decoded.network.and_then(|network| network.fragment), decoded.anomalies)
        };
        let (id, length) = (0x1234, 8);
        assert_eq!(fragment(0x2000).0, Some(Fragment { id, offset: 0, more: true, length }));
        assert_eq!(fragment(0x2001).0, Some(Fragment { id, offset: 8, more: true, length }));
        assert_eq!(fragment(0x1fff).0, Some(Fragment { id, offset: 65_528, more: false, length }));
        assert!(fragment(0xa000).1.has(Anomaly::ReservedBits));
    }

    #[test]
    fn a_cut_fragment_tells_its_length_on_the_wire() {
        let packet = ipv4_with(CLIENT, SERVER, 17, 0x2000, &[], &[7; 64]);
        let decoded = decode(LinkType::RAW, &packet[..30], packet.len() as u32, &CHECKED);
        let fragment = decoded.network.and_then(|network| network.fragment).expect("a fragment");
        assert_eq!(fragment.length, 64);
        assert!(matches!(decoded.transport, Transport::Fragment { payload } if payload.len() == 10));
    }

    #[test]
    fn a_header_cut_in_its_options_still_tells_the_addresses() {
        let packet = ipv4_with(CLIENT, SERVER, 17, 0, &[1; 8], &udp(1, 2, b""));
        let decoded = decode(LinkType::RAW, &packet[..24], packet.len() as u32, &CHECKED);
        assert_eq!(decoded.network.map(|network| network.source), Some(CLIENT.into()));
        let cut = Stop { layer: Layer::Ipv4, offset: 0, reason: StopReason::Cut };
        assert_eq!(decoded.stop, Some(cut));
        let nothing = decode(LinkType::RAW, &packet[..19], packet.len() as u32, &CHECKED);
        assert_eq!((nothing.network, nothing.stop), (None, Some(cut)));
    }

    #[test]
    fn other_protocols_are_whole_as_they_are() {
        let packet = ipv4_with(CLIENT, SERVER, 89, 0, &[], b"ospf");
        let decoded = read(LinkType::RAW, &packet);
        assert!(matches!(decoded.transport, Transport::Other { payload: b"ospf" }));
        assert_eq!(decoded.stop, None);
        let packet = ipv4_with(CLIENT, SERVER, 50, 0, &[], b"esp");
        let decoded = read(LinkType::RAW, &packet);
        assert_eq!(decoded.stop.map(|stop| stop.reason), Some(StopReason::Encrypted));
        let packet =
            ipv4_with(CLIENT, SERVER, 51, 0, &[], &join(&[&[17, 1], &[0; 10], &udp(40_000, 53, b"query")]));
        assert_inner_ipv4(&read(LinkType::RAW, &packet));
    }
}
