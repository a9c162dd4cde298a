//! TCP (RFC 9293), UDP (RFC 768), ICMP and SCTP.

use super::{
    Anomaly, Layer, Network, TcpView, Transport, UdpView, checksum,
    ipv4::TypeLengthValues,
    ipv6::protocol,
    walk::{Next, Walk},
};

impl<'a> Walk<'a> {
    /// A header that was cut gives what is there: the view without a payload when the flags are there
    /// (14 bytes), else no view, since ports without a sequence number would mislead whoever follows
    /// the connection.
    pub(super) fn tcp(&mut self) -> Next {
        const HEADER: usize = 20;
        const HEADER_TO_FLAGS: usize = 14;

        self.enter(Layer::Tcp);
        let segment = self.rest();
        let Some(header) = self.peek::<HEADER_TO_FLAGS>() else {
            self.out.transport = Transport::Other { payload: segment };
            return self.stop_cut();
        };
        let header_length = usize::from(header[12] >> 4) * 4;
        if header_length < HEADER || header_length > self.wire_rest() {
            let short = header_length < HEADER;
            self.flag(if short { Anomaly::LengthTooShort } else { Anomaly::LengthTooLong });
            self.out.transport = Transport::Other { payload: segment };
            return self.stop_malformed();
        }
        let [source_high, source_low, high, low, s0, s1, s2, s3, a0, a1, a2, a3, _, flags] = header;
        let whole_header = segment.get(..header_length);
        self.out.transport = Transport::Tcp(TcpView {
            source_port: u16::from_be_bytes([source_high, source_low]),
            destination_port: u16::from_be_bytes([high, low]),
            sequence: u32::from_be_bytes([s0, s1, s2, s3]),
            acknowledgment: u32::from_be_bytes([a0, a1, a2, a3]),
            flags,
            window: crate::bytes::u16_at(segment, 14).unwrap_or(0),
            payload: segment.get(header_length..).unwrap_or_default(),
            payload_length: u32::try_from(self.wire_rest() - header_length).unwrap_or(u32::MAX),
        });
        let Some(whole_header) = whole_header else { return self.stop_cut() };
        let options = whole_header.get(HEADER..).unwrap_or_default();
        if !are_sound_tcp_options(options) {
            self.flag(Anomaly::OptionDamaged);
        }
        self.keep_segment(segment);
        Next::Done
    }

    pub(super) fn udp(&mut self) -> Next {
        const HEADER: usize = 8;

        self.enter(Layer::Udp);
        let start = self.rest();
        let Some([source_high, source_low, high, low]) = self.peek::<4>() else {
            self.out.transport = Transport::Other { payload: start };
            return self.stop_cut();
        };
        let (source_port, destination_port) =
            (u16::from_be_bytes([source_high, source_low]), u16::from_be_bytes([high, low]));
        // 0 stands for a jumbogram (RFC 2675 section 4) or segmentation offload, and is what a cut header
        // has: then the datagram is all that IP says there is.
        let length = usize::from(crate::bytes::u16_at(start, 4).unwrap_or(0));
        if length != 0 && length < HEADER {
            self.flag(Anomaly::LengthTooShort);
            self.out.transport = Transport::Other { payload: start };
            return self.stop_malformed();
        }
        if length != 0 {
            if length < self.wire_rest() {
                self.flag(Anomaly::TrailingBytes);
            }
            self.limit(length);
        }
        let datagram = self.rest();
        let payload_length = self.wire_rest().saturating_sub(HEADER);
        let view = UdpView {
            source_port,
            destination_port,
            payload: datagram.get(HEADER..).unwrap_or_default(),
            payload_length: u32::try_from(payload_length).unwrap_or(u32::MAX),
        };
        self.out.transport = Transport::Udp(view);
        if datagram.len() < HEADER {
            return self.stop_cut();
        }
        self.keep_segment(datagram);
        let _ = self.skip(HEADER);
        self.udp_tunnel(source_port, destination_port).unwrap_or(Next::Done)
    }

    pub(super) fn icmp(&mut self) -> Next {
        self.enter(Layer::Icmp);
        let message = self.rest();
        let Some(&[kind, code]) = message.first_chunk() else { return self.stop_cut() };
        self.out.transport = Transport::Icmp { kind, code, payload: message.get(4..).unwrap_or_default() };
        if message.len() < 4 { self.stop_cut() } else { Next::Done }
    }

    pub(super) fn sctp(&mut self) -> Next {
        const HEADER: usize = 12;

        self.enter(Layer::Sctp);
        let packet = self.rest();
        let Some(&[source_high, source_low, high, low]) = packet.first_chunk() else {
            return self.stop_cut();
        };
        self.out.transport = Transport::Sctp {
            source_port: u16::from_be_bytes([source_high, source_low]),
            destination_port: u16::from_be_bytes([high, low]),
            payload: packet.get(HEADER..).unwrap_or_default(),
        };
        if packet.len() < HEADER { self.stop_cut() } else { Next::Done }
    }

    /// Keeps what a transport checksum covers, if all of it is there and its pseudo header is known.
    fn keep_segment(&mut self, segment: &'a [u8]) {
        if self.pseudo_header_known && self.is_whole() {
            self.out.segment = segment;
        }
    }
}

/// See [`super::Decoded::has_wrong_checksum`].
pub(super) fn has_wrong_checksum(network: &Network, transport: &Transport<'_>, segment: &[u8]) -> bool {
    let protocol = match transport {
        _ if segment.is_empty() => return false,
        Transport::Tcp(_) => protocol::TCP,
        Transport::Udp(_) => protocol::UDP,
        _ => return false,
    };
    let addresses = checksum::sum_address(network.source) + checksum::sum_address(network.destination);
    checksum::is_wrong(addresses, network.source.is_ipv6(), protocol, segment)
}

/// Whether every option can be read to its end.
#[inline]
pub(super) fn are_sound_tcp_options(options: &[u8]) -> bool {
    is_usual_tcp_options(options)
        || !(TypeLengthValues { rest: options }).any(|(_, value): (u8, Option<&[u8]>)| value.is_none())
}

/// None, or the timestamps alone as every common stack writes them (RFC 7323 appendix A).
#[inline]
fn is_usual_tcp_options(options: &[u8]) -> bool {
    options.is_empty() || (options.len() == 12 && options.starts_with(&[1, 1, 8, 10]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{
        LinkType, Stop, StopReason, checksum as sum, decode,
        frames::{CHECKED, CLIENT, SERVER, ipv4, join, read, tcp, tcp_without_checksum, udp, udp_of},
    };

    const TIME_STAMP: [u8; 12] = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2];

    #[test]
    fn tcp_fields() {
        let packet = ipv4(6, &tcp(40_000, 443, &TIME_STAMP, b"hello"));
        let decoded = read(LinkType::RAW, &packet);
        let expected = TcpView {
            source_port: 40_000,
            destination_port: 443,
            sequence: 1,
            acknowledgment: 2,
            flags: TcpView::PSH | TcpView::ACK,
            window: 0x2000,
            payload: b"hello",
            payload_length: 5,
        };
        assert_eq!(decoded.transport, Transport::Tcp(expected));
        assert!(decoded.anomalies.is_empty() && decoded.stop.is_none());
    }

    #[test]
    fn tcp_cut_at_every_byte() {
        let packet = ipv4(6, &tcp(40_000, 443, &TIME_STAMP, b"hello"));
        let cut_to =
            |length: usize| decode(LinkType::RAW, &packet[..20 + length], packet.len() as u32, &CHECKED);
        for length in 0..37 {
            let decoded = cut_to(length);
            assert!(decoded.anomalies.has(Anomaly::Truncated));
            let cut = Stop { layer: Layer::Tcp, offset: 20, reason: StopReason::Cut };
            assert_eq!(decoded.stop, (length < 32).then_some(cut));
            match decoded.transport {
                Transport::Other { payload } => assert!(length < 14 && payload.len() == length),
                Transport::Tcp(view) => {
                    assert!(length >= 14);
                    assert_eq!((view.source_port, view.sequence, view.flags), (40_000, 1, 0x18));
                    assert_eq!(view.payload_length, 5);
                    assert_eq!(view.payload, &b"hello"[..length.saturating_sub(32)]);
                    assert_eq!(view.window, if length < 16 { 0 } else { 0x2000 });
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn tcp_with_a_damaged_header() {
        let mut segment = tcp(1, 2, &[], b"");
        segment[12] = 0x40;
        let packet = ipv4(6, &segment);
        let decoded = read(LinkType::RAW, &packet);
        let malformed = Stop { layer: Layer::Tcp, offset: 20, reason: StopReason::Malformed };
        assert_eq!(decoded.stop, Some(malformed));
        assert!(decoded.anomalies.has(Anomaly::LengthTooShort));
        segment[12] = 0x60;
        let packet = ipv4(6, &segment);
        let decoded = read(LinkType::RAW, &packet);
        assert_eq!(decoded.stop, Some(malformed));
        assert!(decoded.anomalies.has(Anomaly::LengthTooLong));
        for (options, damaged) in [
            ([2, 4, 5, 180, 1, 3, 3, 7], false),
            ([2, 4, 5, 180, 0, 9, 9, 9], false),
            ([2, 0, 5, 180, 1, 3, 3, 7], true),
            ([2, 4, 5, 180, 1, 1, 3, 9], true),
        ] {
            let packet = ipv4(6, &tcp(1, 2, &options, b""));
            assert_eq!(read(LinkType::RAW, &packet).anomalies.has(Anomaly::OptionDamaged), damaged);
        }
    }

    #[test]
    fn checksums_right_wrong_and_left_to_the_network_card() {
        let wrong =
            |segment: &[u8], protocol: u8| read(LinkType::RAW, &ipv4(protocol, segment)).has_wrong_checksum();
        let mut segment = tcp(1, 2, &[], b"odd");
        assert!(!wrong(&segment, 6));
        segment[22] ^= 1;
        assert!(wrong(&segment, 6));
        // The sum of the pseudo header alone: what a host's own capture shows of what it sends.
        let mut pseudo = join(&[&CLIENT.octets(), &SERVER.octets(), &[0, 6, 0]]);
        pseudo.push(segment.len() as u8);
        segment[16..18].copy_from_slice(&(!sum::of(&pseudo)).to_be_bytes());
        assert!(!wrong(&segment, 6));
        assert!(wrong(&tcp_without_checksum(1, 2, &[], b"odd"), 6));

        let mut datagram = udp(1, 2, b"odd");
        assert!(!wrong(&datagram, 17), "none at all");
        let right = sum::for_tests(CLIENT.into(), SERVER.into(), 17, &datagram);
        datagram[6..8].copy_from_slice(&right.to_be_bytes());
        assert!(!wrong(&datagram, 17));
        datagram[7] ^= 1;
        assert!(wrong(&datagram, 17));
        // What was cut cannot be verified.
        let packet = ipv4(17, &datagram);
        let cut = decode(LinkType::RAW, &packet[..30], packet.len() as u32, &CHECKED);
        assert!(!cut.has_wrong_checksum());
    }

    #[test]
    fn udp_lengths() {
        let with_length = |length: u8| {
            let mut datagram = udp(40_000, 53, b"query");
            datagram[5] = length;
            ipv4(17, &datagram)
        };
        // Segmentation offload leaves none.
        let packet = with_length(0);
        assert_eq!((udp_of(&read(LinkType::RAW, &packet)).payload, 5), (&b"query"[..], 5));
        // Shorter than what IP carries: the rest is not payload.
        let packet = with_length(10);
        let decoded = read(LinkType::RAW, &packet);
        assert_eq!((udp_of(&decoded).payload, udp_of(&decoded).payload_length), (&b"qu"[..], 2));
        assert!(decoded.anomalies.has(Anomaly::TrailingBytes));
        // Longer: read as far as it goes.
        let packet = with_length(99);
        let decoded = read(LinkType::RAW, &packet);
        assert_eq!((udp_of(&decoded).payload, udp_of(&decoded).payload_length), (&b"query"[..], 5));
        assert!(decoded.anomalies.has(Anomaly::LengthTooLong));
        // Shorter than its own header.
        let packet = with_length(7);
        let decoded = read(LinkType::RAW, &packet);
        assert_eq!(decoded.stop.map(|stop| stop.reason), Some(StopReason::Malformed));
        assert!(decoded.anomalies.has(Anomaly::LengthTooShort));
    }

    #[test]
    fn udp_cut_at_every_byte() {
        let packet = ipv4(17, &udp(40_000, 53, b"query"));
        for length in 0..13 {
            let decoded = decode(LinkType::RAW, &packet[..20 + length], packet.len() as u32, &CHECKED);
            assert_eq!(decoded.stop.is_some(), length < 8);
            match decoded.transport {
                Transport::Other { .. } => assert!(length < 4),
                Transport::Udp(view) => {
                    assert_eq!(
                        (view.source_port, view.destination_port, view.payload_length),
                        (40_000, 53, 5)
                    );
                    assert_eq!(view.payload, &b"query"[..length.saturating_sub(8)]);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn icmp_and_sctp() {
        let packet = ipv4(1, &[8, 3, 0, 0, b'p']);
        let expected = Transport::Icmp { kind: 8, code: 3, payload: b"p" };
        assert_eq!(read(LinkType::RAW, &packet).transport, expected);
        let packet = ipv4(132, &join(&[&[0, 80, 0x1f, 0x90, 0, 0, 0, 0, 0, 0, 0, 0], b"chunk"]));
        let expected = Transport::Sctp { source_port: 80, destination_port: 8080, payload: b"chunk" };
        assert_eq!(read(LinkType::RAW, &packet).transport, expected);
    }
}
