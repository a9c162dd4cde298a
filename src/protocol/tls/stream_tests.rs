//! Tests of the connection's state, kept apart for their length.

use super::super::samples::{HelloBuilder, certificate, certificate_list, message, record, server_hello};
use super::*;
use Direction::{ToClient, ToServer};

fn events(direction: Direction, pieces: &[&[u8]]) -> Vec<TlsEvent> {
    let (mut stream, mut out) = (TlsStream::new(), Vec::new());
    for piece in pieces {
        stream.push(direction, piece, &mut out);
    }
    stream.finish(&mut out);
    assert_eq!(stream.held(), 0);
    out
}

fn sni(events: &[TlsEvent]) -> Option<String> {
    events.iter().find_map(|event| match event {
        TlsEvent::ClientHello(hello) => hello.sni.as_ref().map(|sni| String::from_utf8_lossy(sni).into()),
        _ => None,
    })
}

fn kinds(events: &[TlsEvent]) -> Vec<&'static str> {
    let name = |event: &TlsEvent| match event {
        TlsEvent::ClientHello(_) => "client",
        TlsEvent::ServerHello(hello) if hello.retry => "retry",
        TlsEvent::ServerHello(_) => "server",
        TlsEvent::Certificates(_) => "certificates",
        TlsEvent::Encrypted => "encrypted",
    };
    events.iter().map(name).collect()
}

/// A server's whole flight of TLS 1.2, one message after another in one record.
fn flight() -> Vec<u8> {
    let messages = [
        message(2, &server_hello(0x0303, 0xc02f, &[(65281, &[0])])),
        message(11, &certificate_list(&[certificate(), b"no certificate".to_vec()])),
        message(12, &[7; 300]),
        message(14, &[]),
    ];
    record(22, &messages.concat())
}

#[test]
fn a_hello_is_read_however_segments_and_records_cut_it() {
    let hello = HelloBuilder::browser(b"runner.example").message();
    let whole = events(ToServer, &[&record(22, &hello)]);
    assert_eq!(sni(&whole).as_deref(), Some("runner.example"));
    for records in [1, 2, 5, 100] {
        let bytes: Vec<u8> = hello.chunks(records).flat_map(|piece| record(22, piece)).collect();
        for segments in [1, 3, 4, 5, 6, 1000] {
            let pieces: Vec<_> = bytes.chunks(segments).collect();
            assert_eq!(events(ToServer, &pieces), whole, "{records} {segments}");
        }
    }
}

#[test]
fn nothing_is_needed_of_the_client_after_its_hello() {
    let (mut stream, mut out) = (TlsStream::new(), Vec::new());
    let hello = record(22, &HelloBuilder::browser(b"a.example").message());
    let (front, back) = hello.split_at(100);
    assert_eq!(stream.push(ToServer, front, &mut out), Need::More);
    assert!(stream.held() > 0);
    assert_eq!(stream.push(ToServer, back, &mut out), Need::Nothing);
    assert_eq!((stream.held(), out.len()), (0, 1));
    assert_eq!(stream.push(ToServer, &hello, &mut out), Need::Nothing);
    assert_eq!((stream.need(ToServer), stream.need(ToClient), out.len()), (Need::Nothing, Need::More, 1));
}

#[test]
fn several_messages_of_one_record_are_read_until_the_certificates() {
    let bytes = flight();
    let whole = events(ToClient, &[&bytes]);
    assert_eq!(kinds(&whole), ["server", "certificates"]);
    let TlsEvent::Certificates(chain) = &whole[1] else { panic!("no chain") };
    assert_eq!(chain[0].subject, "C=US, O=Example Works, CN=runner.example");
    assert!(chain[1].damaged && chain.len() == 2);
    for segments in [1, 7, 64] {
        assert_eq!(events(ToClient, &bytes.chunks(segments).collect::<Vec<_>>()), whole);
    }
}

#[test]
fn tls_1_3_is_over_at_the_servers_hello() {
    let hello = record(22, &message(2, &server_hello(0x0303, 0x1301, &[(43, &[3, 4])])));
    let (mut stream, mut out) = (TlsStream::new(), Vec::new());
    assert_eq!(stream.push(ToClient, &hello, &mut out), Need::Nothing);
    assert_eq!(kinds(&out), ["server", "encrypted"]);
}

#[test]
fn a_resumed_tls_1_3_session_is_over_at_both_hellos_and_its_bulk_unread() {
    let mut builder = HelloBuilder::browser(b"runner.example");
    // early_data and pre_shared_key, as a client that was here before sends them.
    builder.extension(0x002a, &[]).extension(0x0029, &[0; 80]);
    let early = [record(22, &builder.message()), record(20, &[1]), record(23, &[7; 900])].concat();
    let answer = message(2, &server_hello(0x0303, 0x1301, &[(41, &[0, 0]), (43, &[3, 4])]));
    let flight = [record(22, &answer), record(20, &[1]), record(23, &[9; 60])].concat();
    let (mut stream, mut out) = (TlsStream::new(), Vec::new());
    assert_eq!(stream.push(ToServer, &early, &mut out), Need::Nothing);
    assert_eq!(stream.push(ToClient, &flight, &mut out), Need::Nothing);
    assert_eq!(kinds(&out), ["client", "server", "encrypted"]);
    // Not even what would be a hello.
    for direction in [ToServer, ToClient] {
        assert_eq!(stream.push(direction, &early, &mut out), Need::Nothing);
    }
    assert_eq!((stream.held(), out.len()), (0, 3));
}

#[test]
fn a_retry_is_followed_by_the_real_hello() {
    let mut retry = server_hello(0x0303, 0x1301, &[(43, &[3, 4])]);
    let random = ring::digest::digest(&ring::digest::SHA256, b"HelloRetryRequest");
    retry[2..34].copy_from_slice(random.as_ref());
    let hello = message(2, &server_hello(0x0303, 0x1302, &[(43, &[3, 4])]));
    let bytes = [record(22, &message(2, &retry)), record(20, &[1]), record(22, &hello)].concat();
    assert_eq!(kinds(&events(ToClient, &[&bytes])), ["retry", "server", "encrypted"]);
}

#[test]
fn a_resumed_session_turns_to_encryption_without_certificates() {
    let hello = message(2, &server_hello(0x0303, 0xc02f, &[]));
    let bytes = [record(22, &hello), record(20, &[1]), record(22, &[0xee; 40])].concat();
    assert_eq!(kinds(&events(ToClient, &[&bytes])), ["server", "encrypted"]);
    assert_eq!(kinds(&events(ToServer, &[&record(23, &[1; 50])])), ["encrypted"]);
}

#[test]
fn a_clients_own_certificate_is_not_the_servers() {
    let (mut stream, mut out) = (TlsStream::new(), Vec::new());
    stream.push(ToClient, &flight(), &mut out);
    out.clear();
    // The client's hello was not captured.
    let own = record(22, &message(11, &certificate_list(&[certificate()])));
    stream.push(ToServer, &own, &mut out);
    assert_eq!(out, []);
}

#[test]
fn a_gap_gives_the_hello_as_far_as_it_came() {
    let hello = record(22, &HelloBuilder::browser(b"runner.example").message());
    let (mut stream, mut out) = (TlsStream::new(), Vec::new());
    stream.push(ToServer, &hello[..150], &mut out);
    assert_eq!(out, []);
    assert_eq!(stream.gap(ToServer, &mut out), Need::Nothing);
    assert_eq!(sni(&out).as_deref(), Some("runner.example"));
    assert!(matches!(&out[0], TlsEvent::ClientHello(hello) if hello.cut && hello.ja4().is_empty()));
    assert_eq!(stream.push(ToServer, &hello[160..], &mut out), Need::Nothing);
    assert_eq!(out.len(), 1);
}

#[test]
fn certificates_before_a_gap_are_given() {
    let bytes = flight();
    let end = bytes.len() - 312;
    assert_eq!(kinds(&events(ToClient, &[&bytes[..end]])), ["server", "certificates"]);
}

#[test]
fn a_message_beyond_the_limit_is_read_as_far_as_it_is_held() {
    let mut builder = HelloBuilder::browser(b"runner.example");
    for _ in 0..2 {
        builder.extension(0x2222, &[0; 0x7800]);
    }
    let mut hello = builder.message();
    hello[1..4].copy_from_slice(&[0x7f, 0xff, 0xff]);
    hello.resize(3 * MESSAGE_BYTES, 0);
    let (mut stream, mut out) = (TlsStream::new(), Vec::new());
    for piece in hello.chunks(16 << 10) {
        stream.push(ToServer, &record(22, piece), &mut out);
        assert!(stream.held() <= MESSAGE_BYTES);
    }
    assert_eq!(sni(&out).as_deref(), Some("runner.example"));
    assert_eq!(out.len(), 1);
}

#[test]
fn messages_that_say_nothing_are_passed_over_unheld() {
    let (mut stream, mut out) = (TlsStream::new(), Vec::new());
    let certificate_status = message(22, &vec![0; 40_000]);
    for piece in certificate_status.chunks(10_000) {
        assert_eq!(stream.push(ToClient, &record(22, piece), &mut out), Need::More);
        assert!(stream.held() <= 8);
    }
    assert_eq!(stream.push(ToClient, &flight(), &mut out), Need::Nothing);
    assert_eq!(kinds(&out), ["server", "certificates"]);
}

#[test]
fn lost_framing_ends_the_side() {
    let hello = record(22, &HelloBuilder::browser(b"runner.example").message()[..200]);
    let broken = [&hello[..], b"\x16\x09\x09\xff\xff"].concat();
    assert_eq!(sni(&events(ToServer, &[&broken])).as_deref(), Some("runner.example"));
    assert_eq!(events(ToServer, &[b"GET / HTTP/1.1\r\n\r\n"]), []);
    // An alert between records does not.
    let alerted = [record(21, &[1, 112]), flight()].concat();
    assert_eq!(kinds(&events(ToClient, &[&alerted])), ["server", "certificates"]);
}

#[test]
fn the_hello_of_ssl_2_form_gives_its_version() {
    let mut bytes = b"\x80\x1c\x01\x03\x01\x00\x03\x00\x00\x00\x10\x00\x00\x35".to_vec();
    bytes.resize(30, 0x77);
    let (mut stream, mut out) = (TlsStream::new(), Vec::new());
    for piece in bytes.chunks(9) {
        stream.push(ToServer, piece, &mut out);
    }
    assert!(matches!(&out[..], [TlsEvent::ClientHello(hello)] if hello.version == 0x0301));
    assert_eq!(stream.push(ToClient, &flight(), &mut out), Need::Nothing);
    assert_eq!(kinds(&out), ["client", "server", "certificates"]);
}
