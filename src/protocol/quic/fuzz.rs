//! Entries for fuzzing, and the invariants that hold for any bytes.

use super::crypto::CryptoStream;
use super::frames::crypto_frames;
use super::packet::packets;
use super::{QuicStream, identify};
use crate::flow::Direction;
use crate::limits::{QUIC_CRYPTO_BYTES, QUIC_OPENED_PACKETS};
use crate::protocol::tls::{Transport, parse_client_hello};
use crate::protocol::{Need, Verdict};

/// A datagram from either side, again and again: the work ends. The first byte tells the side.
pub fn fuzz_quic_datagram(data: &[u8]) {
    let Some((&seed, datagram)) = data.split_first() else { return };
    let direction = if seed & 1 == 0 { Direction::ToServer } else { Direction::ToClient };
    let read: usize = packets(datagram).map(|packet| packet.bytes.len()).sum();
    assert!(read <= datagram.len());
    assert!(read == 0 || identify(datagram) == Verdict::Yes);

    let mut stream = QuicStream::new();
    let mut hellos = 0;
    for _ in 0..QUIC_OPENED_PACKETS {
        hellos += usize::from(stream.datagram(direction, datagram).is_some());
        assert!(stream.held() <= 4 * QUIC_CRYPTO_BYTES);
    }
    assert!(stream.need() == Need::Nothing && hellos <= 1);
    assert!(stream.held() == 0 && stream.finish().is_none());
}

/// The frames of an opened packet, and the hello that they make.
pub fn fuzz_quic_frames(data: &[u8]) {
    let mut stream = CryptoStream::default();
    for _ in 0..2 {
        for frame in crypto_frames(data) {
            stream.insert(frame.offset, frame.data);
            stream.assert_sound();
        }
    }
    let read: usize = crypto_frames(data).map(|frame| frame.data.len()).sum();
    assert!(read <= data.len() && stream.front().len() <= read.min(QUIC_CRYPTO_BYTES));
    let _ = parse_client_hello(stream.front(), Transport::Quic);
}

#[cfg(test)]
mod tests {
    use super::super::samples::{RFC_CONNECTION_ID, crypto, initial_packet, rfc_payload};
    use super::*;
    use crate::protocol::tls::fuzz::tests::mutate;
    use crate::protocol::tls::samples::HelloBuilder;

    #[test]
    fn datagrams() {
        let packet =
            |version| initial_packet(version, &RFC_CONNECTION_ID, &RFC_CONNECTION_ID, &[], 2, &rfc_payload());
        let part = initial_packet(1, b"original", b"original", b"token", 7, &crypto(0, &[1, 0, 9, 9, 3, 3]));
        let seeds = [
            [&[0][..], &packet(1)].concat(),
            [&[1][..], &packet(0x6b33_43cf)].concat(),
            [&[0][..], &part, &part].concat(),
            b"\x00\xca\x00\x00\x00\x00\x00\x02\x01\x02\x1a\x2a\x3a\x4a".to_vec(),
        ];
        mutate(&seeds, 800, fuzz_quic_datagram);
    }

    #[test]
    fn frames() {
        let message = HelloBuilder::browser(b"runner.example").message();
        let scattered: Vec<Vec<u8>> =
            message.chunks(20).enumerate().rev().map(|(index, piece)| crypto(index * 20, piece)).collect();
        let seeds =
            [rfc_payload(), scattered.concat(), [&[2, 5, 0, 1, 0, 0, 1][..], &crypto(3, b"abc")].concat()];
        mutate(&seeds, 4000, fuzz_quic_frames);
    }
}
