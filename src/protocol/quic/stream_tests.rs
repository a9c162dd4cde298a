//! Tests of the connection's state, kept apart for their length.

use super::super::samples::{
    RFC_CONNECTION_ID, crypto, initial_packet, long_header, numbered_packet, rfc_payload,
};
use super::super::version::V2;
use super::*;
use crate::protocol::tls::samples::HelloBuilder;
use Direction::{ToClient, ToServer};

const ORIGIN: &[u8] = b"original";
const SERVERS: &[u8] = b"srv";

/// A ClientHello of the size that a post-quantum key share makes, which needs two datagrams.
fn large_hello() -> Vec<u8> {
    let mut builder = HelloBuilder::browser(b"runner.example");
    builder.extension(0x0039, &[0; 40]).extension(0x3333, &[0xab; 1500]);
    builder.message()
}

fn sni(hello: &QuicHello) -> &[u8] {
    hello.hello.sni.as_deref().unwrap_or_default()
}

/// A padded packet with `range` of `message` as one CRYPTO frame.
fn part(number: u32, message: &[u8], range: std::ops::Range<usize>) -> Vec<u8> {
    let mut frames = crypto(range.start, &message[range]);
    frames.resize(1162, 0);
    initial_packet(1, ORIGIN, ORIGIN, &[], number, &frames)
}

#[test]
fn the_hello_of_the_specifications_is_read() {
    let google = u32::from_be_bytes(*b"T051");
    for version in [1, V2, 0xff00_001d, 0xff00_001b, 0xff00_0022, 0xface_b001, google, 0x1a2a_3a4a] {
        let packet =
            initial_packet(version, &RFC_CONNECTION_ID, &RFC_CONNECTION_ID, b"token", 2, &rfc_payload());
        let mut stream = QuicStream::new();
        let hello = stream.datagram(ToServer, &packet).unwrap();
        assert_eq!((hello.version, sni(&hello)), (version, &b"example.com"[..]));
        assert_eq!(hello.hello.alpn, [b"alpn".to_vec()]);
        assert!(hello.hello.ja4().starts_with("q13d0211an_") && !hello.hello.cut, "{}", hello.hello.ja4());
        assert_eq!((stream.need(), stream.held()), (Need::Nothing, 0));
        assert_eq!(stream.datagram(ToServer, &packet), None);
    }
}

#[test]
fn a_hello_of_two_datagrams_is_read_in_any_order() {
    let message = large_hello();
    let middle = message.len() / 2;
    let (first, second) = (part(0, &message, 0..middle), part(1, &message, middle..message.len()));
    for order in [[&first, &second], [&second, &first]] {
        let mut stream = QuicStream::new();
        assert_eq!(stream.datagram(ToServer, order[0]), None);
        // The same once more, and an answer that a client's keys do not open.
        assert_eq!(stream.datagram(ToServer, order[0]), None);
        assert_eq!(stream.datagram(ToClient, &long_header(1, Kind::Initial, b"", &[0, 0x40, 30], 30)), None);
        assert_eq!(stream.need(), Need::More);
        let hello = stream.datagram(ToServer, order[1]).unwrap();
        assert_eq!(sni(&hello), b"runner.example");
        assert!(hello.hello.ja4().starts_with("q13d1518h2_") && !hello.hello.cut);
    }
}

#[test]
fn scattered_and_coalesced_pieces_are_joined() {
    let message = large_hello();
    // As browsers do it: many small frames in disorder, PING and PADDING between them.
    let mut frames: Vec<Vec<u8>> =
        message.chunks(100).enumerate().map(|(index, piece)| crypto(index * 100, piece)).collect();
    frames.reverse();
    frames.swap(2, 9);
    let (front, back) = frames.split_at(7);
    let join = |frames: &[Vec<u8>]| frames.join(&[0, 1, 0][..]);
    // Two packets of one datagram, the second to the id that the server chose.
    let datagram = [
        initial_packet(1, ORIGIN, ORIGIN, &[], 70_000, &join(front)),
        initial_packet(1, ORIGIN, SERVERS, &[], 70_001, &join(back)),
    ]
    .concat();
    let hello = QuicStream::new().datagram(ToServer, &datagram).unwrap();
    assert_eq!(sni(&hello), b"runner.example");
}

#[test]
fn a_shortened_packet_number_is_completed() {
    let message = large_hello();
    let frames = crypto(900, &message[900..]);
    for number_bytes in 1..4 {
        let packet = numbered_packet(1, ORIGIN, ORIGIN, &[], (70_001, number_bytes), &frames);
        let mut stream = QuicStream::new();
        stream.datagram(ToServer, &part(70_000, &message, 0..900));
        assert!(stream.datagram(ToServer, &packet).is_some(), "{number_bytes}");
    }
}

#[test]
fn after_a_retry_the_keys_follow_the_new_id() {
    let message = large_hello();
    let mut stream = QuicStream::new();
    assert_eq!(stream.datagram(ToServer, &part(0, &message, 0..900)), None);
    assert_eq!(stream.datagram(ToClient, &long_header(1, Kind::Retry, b"", b"token and tag...", 0)), None);
    let parts = [(1, 0..900), (2, 900..message.len())].map(|(number, range)| {
        let frames = crypto(range.start, &message[range]);
        initial_packet(1, SERVERS, SERVERS, b"token", number, &frames)
    });
    assert_eq!(stream.datagram(ToServer, &parts[0]), None);
    let hello = stream.datagram(ToServer, &parts[1]).unwrap();
    assert_eq!(sni(&hello), b"runner.example");
}

#[test]
fn a_wrong_direction_does_not_hide_the_hello() {
    let message = large_hello();
    let mut stream = QuicStream::new();
    assert_eq!(stream.datagram(ToClient, &part(0, &message, 0..900)), None);
    assert!(stream.datagram(ToClient, &part(1, &message, 900..message.len())).is_some());
}

#[test]
fn a_capture_that_begins_late_gives_what_can_be_read() {
    let message = large_hello();
    // Only the second half: nothing. Only the first: the name, marked as cut.
    let mut stream = QuicStream::new();
    assert_eq!(stream.datagram(ToServer, &part(1, &message, 900..message.len())), None);
    assert_eq!(stream.finish(), None);
    let mut stream = QuicStream::new();
    assert_eq!(stream.datagram(ToServer, &part(0, &message, 0..900)), None);
    assert!(stream.held() >= 900);
    let hello = stream.finish().unwrap();
    assert_eq!(sni(&hello), b"runner.example");
    assert!(hello.hello.cut && hello.hello.ja4().is_empty());
    assert_eq!((stream.held(), stream.need()), (0, Need::Nothing));
    // A beginning without a name says nothing.
    let mut stream = QuicStream::new();
    assert_eq!(stream.datagram(ToServer, &part(0, &message, 0..70)), None);
    assert_eq!(stream.finish(), None);
    // Packets to the server's id, whose keys come from an id that was not seen.
    let mut stream = QuicStream::new();
    let frames = crypto(0, &message[..900]);
    assert_eq!(stream.datagram(ToServer, &initial_packet(1, ORIGIN, SERVERS, &[], 3, &frames)), None);
    assert_eq!(stream.finish(), None);
}

#[test]
fn another_connection_between_the_same_ports_begins_anew() {
    let message = large_hello();
    let mut stream = QuicStream::new();
    stream.datagram(ToServer, &part(5, &message, 0..900));
    let other = HelloBuilder::browser(b"other.example").message();
    let packet = initial_packet(V2, b"newer id", b"newer id", &[], 0, &crypto(0, &other));
    let hello = stream.datagram(ToServer, &packet).unwrap();
    assert_eq!((hello.version, sni(&hello)), (V2, &b"other.example"[..]));
}

#[test]
fn the_work_on_one_flow_is_bounded() {
    let message = large_hello();
    let mut stream = QuicStream::new();
    assert_eq!(stream.datagram(ToServer, &part(0, &message, 0..900)), None);
    let noise = long_header(1, Kind::Initial, b"whatever", &[0, 0x40, 30], 30).repeat(40);
    let hello = stream.datagram(ToServer, &noise).unwrap();
    assert!(hello.hello.cut);
    assert_eq!(stream.tried, QUIC_OPENED_PACKETS);
    assert_eq!(stream.need(), Need::Nothing);

    let mut stream = QuicStream::new();
    for _ in 0..QUIC_OPENED_PACKETS {
        assert_eq!(stream.need(), Need::More);
        assert_eq!(stream.datagram(ToServer, b"\x40 no long header"), None);
    }
    assert_eq!(stream.need(), Need::Nothing);
}

#[test]
fn a_hello_beyond_the_limit_is_read_as_far_as_it_is_held() {
    let mut message = large_hello();
    message[1] = 0x10;
    message.resize(2 * QUIC_CRYPTO_BYTES, 0);
    let mut stream = QuicStream::new();
    let mut found = None;
    for (index, piece) in message.chunks(1100).enumerate() {
        let packet = initial_packet(1, ORIGIN, ORIGIN, &[], index as u32, &crypto(index * 1100, piece));
        found = found.or(stream.datagram(ToServer, &packet));
    }
    let hello = found.unwrap();
    assert!(hello.hello.cut);
    assert_eq!(sni(&hello), b"runner.example");
}

#[test]
fn a_stream_that_is_no_client_hello_ends() {
    let mut stream = QuicStream::new();
    let packet = initial_packet(1, ORIGIN, ORIGIN, &[], 0, &crypto(0, &[2, 0, 0, 1, 0]));
    assert_eq!(stream.datagram(ToServer, &packet), None);
    assert_eq!(stream.need(), Need::Nothing);
}
