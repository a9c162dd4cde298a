//! TCP (RFC 9293), UDP (RFC 768), ICMP and SCTP.

use super::{
    Anomaly, Layer, TcpView, Transport, UdpView, checksum,
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
        const CHECKSUM_FIELD: usize = 16;

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
        if TcpOptions(options).are_damaged() {
            self.flag(Anomaly::OptionDamaged);
        }
        self.verify(segment, CHECKSUM_FIELD, Anomaly::TcpChecksum);
        Next::Done
    }

    pub(super) fn udp(&mut self) -> Next {
        const HEADER: usize = 8;
        const CHECKSUM_FIELD: usize = 6;

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
        // Without a checksum there is nothing to verify; IPv6 forbids that for all but tunnels (RFC 6935).
        let has_checksum = crate::bytes::u16_at(datagram, CHECKSUM_FIELD) != Some(0);
        let over_ipv6 = self.out.network.is_some_and(|network| network.source.is_ipv6());
        if has_checksum {
            self.verify(datagram, CHECKSUM_FIELD, Anomaly::UdpChecksum);
        }
        let _ = self.skip(HEADER);
        let tunnel = self.udp_tunnel(source_port, destination_port);
        if !has_checksum && over_ipv6 && self.options.checksums && tunnel.is_none() {
            self.flag(Anomaly::UdpChecksum);
        }
        tunnel.unwrap_or(Next::Done)
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

    /// Verifies a transport checksum, where that was asked for and everything it covers is there.
    fn verify(&mut self, segment: &'a [u8], field: usize, anomaly: Anomaly) {
        if !self.options.checksums || !self.pseudo_header_known || !self.is_whole() {
            return;
        }
        let Some(network) = self.out.network else { return };
        let number = if anomaly == Anomaly::TcpChecksum { protocol::TCP } else { protocol::UDP };
        let verdict = checksum::verify(network.source, network.destination, number, segment, field);
        if verdict == checksum::Verdict::Wrong {
            self.flag(anomaly);
        }
    }
}

/// The options of a TCP header.
struct TcpOptions<'a>(&'a [u8]);

impl TcpOptions<'_> {
    fn are_damaged(&self) -> bool {
        // None, or two fillers and a time stamp: nearly every segment.
        if self.0.is_empty() || (self.0.len() == 12 && self.0.starts_with(&[1, 1, 8, 10])) {
            return false;
        }
        (TypeLengthValues { rest: self.0 }).any(|(_, value)| value.is_none())
    }
}
