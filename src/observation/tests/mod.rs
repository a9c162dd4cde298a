//! Conversations as packets, and what is told of them.

mod screened;
mod wire;

use wire::{ACK, FIN, RST, SYN, Talk, Wire};

use crate::{
    limits,
    protocol::{
        dns::sample,
        tls::samples::{HelloBuilder, certificate, certificate_list, message, record, server_hello},
    },
};

const C: wire::End = (1, 40_000);
const S: wire::End = (2, 8_000);
const OPENED: &str = "10.0.0.1:40000>10.0.0.2:8000 opened Syn";

const REQUEST: &[u8] = b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody";
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

fn hello(name: &[u8]) -> Vec<u8> {
    record(22, &HelloBuilder::browser(name).message())
}

/// What a server up to TLS 1.2 answers a hello with.
fn server_flight() -> Vec<u8> {
    let hello = message(2, &server_hello(0x0303, 0xc02f, &[]));
    let chain = message(11, &certificate_list(&[certificate()]));
    record(22, &[hello, chain, message(14, &[])].concat())
}

fn http_talk() -> Talk {
    let mut talk = Talk::opened(C, S);
    talk.client(REQUEST).server(b"").server(RESPONSE).client(b"").close();
    talk
}

const HTTP_TOLD: [&str; 5] = [
    OPENED,
    "10.0.0.1:40000>10.0.0.2:8000 POST /a",
    "10.0.0.1:40000<10.0.0.2:8000 exchange",
    "10.0.0.1:40000<10.0.0.2:8000 200 5",
    "10.0.0.1:40000>10.0.0.2:8000 closed Fin Closed 52>43 http",
];

#[test]
fn a_connection_from_its_opening_to_its_end() {
    assert_eq!(http_talk().wire.told(), HTTP_TOLD);
}

#[test]
fn a_clock_that_was_set_back_ends_no_flow() {
    // Two hours later by the clock as it was, a packet of somebody else; then the conversation.
    let mut talk = http_talk();
    let mut wire = Wire::default();
    wire.tcp(talk.now + 7_200_000, (7, 1_000), (8, 80), ACK, 1, 1, b"");
    let stray = wire.packets.remove(0);
    talk.wire.packets.insert(0, stray);
    let told = talk.wire.told();
    assert!(HTTP_TOLD.iter().all(|line| told.iter().any(|other| other == line)), "{told:#?}");
}

#[test]
fn retransmissions_keep_alives_and_strays_add_nothing() {
    let mut talk = http_talk();
    for place in (0..talk.wire.packets.len()).rev() {
        let (time, packet) = talk.wire.packets[place].clone();
        talk.wire.packets.insert(place + 1, (time, packet));
    }
    // A keep-alive probe repeats the last byte; a retransmitted FIN comes seconds after the end.
    let (sequence, acknowledgment) = (talk.next[0].wrapping_sub(2), talk.next[1]);
    talk.wire.tcp(talk.now + 1, C, S, ACK, sequence, acknowledgment, b"y");
    talk.wire.tcp(talk.now + 9_000, C, S, FIN | ACK, talk.next[0].wrapping_sub(1), acknowledgment, b"");
    let told = talk.wire.told();
    assert_eq!(told[..4], HTTP_TOLD[..4]);
    assert_eq!(told[4..], ["10.0.0.1:40000>10.0.0.2:8000 closed Fin Closed 105>86 http"]);
}

#[test]
fn any_cut_and_order_within_the_window_tells_the_same() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let requests = [REQUEST, REQUEST, b"GET /end HTTP/1.1\r\nHost: h\r\n\r\n"].concat();
    let responses = [RESPONSE, b"HTTP/1.1 304 Not\r\n\r\n", RESPONSE].concat();
    let tls_client = hello(b"cut.example");
    let tls_server = server_flight();
    for (client, server) in [(&requests, &responses), (&tls_client, &tls_server)] {
        let mut whole = Talk::opened(C, S);
        whole.client(client).server(server).close();
        let expected = whole.wire.messages();
        assert!(expected.len() >= 3);
        for _ in 0..300 {
            let mut talk = Talk::opened(C, S);
            for (side, bytes) in [(0, client), (1, server)] {
                let start = talk.wire.packets.len();
                let mut rest = bytes.as_slice();
                while !rest.is_empty() {
                    let (piece, after) = rest.split_at(1 + random(rest.len().min(60)));
                    if side == 0 {
                        talk.client(piece)
                    } else {
                        talk.server(piece)
                    };
                    rest = after;
                }
                // A segment may be late by a few places, and come twice.
                for place in start..talk.wire.packets.len() {
                    let other = (place + random(4)).min(talk.wire.packets.len() - 1);
                    let (one, two) = (talk.wire.packets[place].0, talk.wire.packets[other].0);
                    talk.wire.packets.swap(place, other);
                    (talk.wire.packets[place].0, talk.wire.packets[other].0) = (one, two);
                }
                if random(2) == 0 {
                    let again = talk.wire.packets[start + random(talk.wire.packets.len() - start)].clone();
                    talk.wire.packets.push((talk.now, again.1));
                }
            }
            talk.close();
            assert_eq!(talk.wire.messages(), expected);
        }
    }
}

#[test]
fn a_reset_of_nothing_makes_no_flow_and_a_refusal_shows_who_called() {
    let mut wire = Wire::default();
    wire.tcp(0, S, C, RST, 900, 0, b"");
    wire.tcp(1, S, C, RST | ACK, 900, 100, b"");
    assert!(wire.told().is_empty());
    wire.tcp(2, S, C, RST | ACK, 0, 100, b"");
    assert_eq!(
        wire.told(),
        [
            "10.0.0.1:40000<10.0.0.2:8000 opened Midstream",
            "10.0.0.1:40000>10.0.0.2:8000 closed Rst Refused 0>0 "
        ]
    );
}

#[test]
fn one_side_alone_tells_its_part_and_that_there_was_an_answer() {
    let talk = http_talk();
    // Places: handshake 0..3, request 3, ACK 4, response 5, ACK 6, end 7..10.
    let client_only = talk.without(|place| [1, 4, 5, 8].contains(&place)).told();
    assert_eq!(client_only[..2], HTTP_TOLD[..2]);
    assert_eq!(client_only[2], "10.0.0.1:40000>10.0.0.2:8000 exchange");
    let server_only = talk.without(|place| ![1, 4, 5, 8].contains(&place)).told();
    assert_eq!(server_only[0], "10.0.0.1:40000<10.0.0.2:8000 opened SynAck");
    assert_eq!(server_only[1..3], HTTP_TOLD[2..4]);
}

#[test]
fn data_in_the_syn_is_read() {
    let mut talk = Talk::new(C, S);
    talk.client_sends(SYN, REQUEST).server_sends(SYN | ACK, b"").client(b"").server(RESPONSE).close();
    assert_eq!(talk.wire.told()[..4], HTTP_TOLD[..4]);
}

#[test]
fn syns_that_cross_make_one_connection() {
    let mut talk = Talk::new(C, S);
    talk.client_sends(SYN, b"");
    talk.server_sends(SYN, b"");
    let [client, server] = talk.next;
    talk.wire.tcp(3, C, S, SYN | ACK, client.wrapping_sub(1), server, b"");
    talk.wire.tcp(3, S, C, SYN | ACK, server.wrapping_sub(1), client, b"");
    talk.now = 3;
    talk.client(REQUEST).server(RESPONSE).close();
    assert_eq!(talk.wire.told()[..4], HTTP_TOLD[..4]);
}

#[test]
fn a_forged_reset_or_syn_does_not_blind() {
    let reset = |talk: &mut Talk| talk.wire.tcp(talk.now, S, C, RST, talk.next[1], 0, b"");
    let syn = |talk: &mut Talk| talk.wire.tcp(talk.now, C, S, SYN, talk.next[0] ^ 0x4000_0000, 0, b"");
    for forge in [&reset as &dyn Fn(&mut Talk), &syn] {
        for place in 0..3 {
            let mut talk = Talk::opened(C, S);
            let (before, after) = REQUEST.split_at(20);
            for (turn, piece) in [before, after].into_iter().enumerate() {
                if turn == place {
                    forge(&mut talk);
                }
                talk.client(piece);
            }
            if place == 2 {
                forge(&mut talk);
            }
            talk.server(RESPONSE).close();
            let told = talk.wire.told();
            assert_eq!(told[..4], HTTP_TOLD[..4]);
        }
    }
}

#[test]
fn a_used_port_pair_makes_another_flow() {
    let mut talk = http_talk();
    talk.next = [77_000, 88_000];
    talk.open();
    talk.client(REQUEST).server(RESPONSE).close();
    assert_eq!(talk.wire.told(), [HTTP_TOLD, HTTP_TOLD].concat());
    // The same without an end of the first, whose answer was still to come.
    let mut talk = Talk::opened(C, S);
    talk.client(REQUEST);
    talk.next = [77_000, 88_000];
    talk.open();
    talk.client(REQUEST).server(RESPONSE).close();
    let told = talk.wire.told();
    assert_eq!(told[..2], HTTP_TOLD[..2]);
    assert_eq!(told[2], "10.0.0.1:40000>10.0.0.2:8000 closed Reused Established 52>0 http");
    assert_eq!(told[3], "10.0.0.1:40000<10.0.0.2:8000 opened SynAck");
    assert_eq!(told[4..7], HTTP_TOLD[1..4]);
}

#[test]
fn a_half_closed_connection_is_read_to_its_end() {
    let mut talk = Talk::opened(C, S);
    talk.client(REQUEST).client_sends(FIN | ACK, b"").server(b"HTTP/1.0 200 OK\r\n\r\n");
    talk.now += 60_000;
    talk.server(b"hello").server_sends(FIN | ACK, b"").client(b"");
    let told = talk.wire.told();
    assert_eq!(told[..3], HTTP_TOLD[..3]);
    assert_eq!(told[3..], [HTTP_TOLD[3], "10.0.0.1:40000>10.0.0.2:8000 closed Fin Closed 52>24 http"]);
}

#[test]
fn who_asks_is_the_client_whatever_came_first() {
    // The capture begins with the server's acknowledgment, between two high ports.
    let midstream = http_talk().without(|place| place < 4).told();
    assert_eq!(midstream[0], "10.0.0.2:8000>10.0.0.1:40000 opened Midstream");
    let talk = {
        let mut talk = http_talk();
        talk.server(b"");
        talk.client(REQUEST).server(RESPONSE).close();
        talk.without(|place| place < 10)
    };
    let told = talk.told();
    assert_eq!(told[0], "10.0.0.2:8000>10.0.0.1:40000 opened Midstream");
    assert_eq!(told[1..4], HTTP_TOLD[1..4]);
    assert_eq!(told[4], "10.0.0.1:40000>10.0.0.2:8000 closed Fin Closed 52>43 http");

    let mut talk = Talk::new(C, S);
    talk.server(b"").client(&hello(b"x.example")).server(&server_flight());
    let told = talk.wire.told();
    assert_eq!(told[1], "10.0.0.1:40000>10.0.0.2:8000 tls x.example");
    assert_eq!(told[3], "10.0.0.1:40000<10.0.0.2:8000 tls server");

    // A server that asks over a connection of its client's: the question's client is the server.
    let mut talk = Talk::opened(C, S);
    talk.server(REQUEST).client(RESPONSE);
    let told = talk.wire.told();
    assert_eq!(told[1], "10.0.0.2:8000>10.0.0.1:40000 POST /a");
    assert_eq!(told[2], "10.0.0.1:40000>10.0.0.2:8000 exchange");
    assert!(told[4].starts_with("10.0.0.1:40000>10.0.0.2:8000 closed"), "the handshake told: {}", told[4]);
}

#[test]
fn a_protocol_is_found_behind_another() {
    let connect = b"CONNECT far:443 HTTP/1.1\r\nHost: far:443\r\n\r\n";
    let cases: [(&str, &[(&[u8], &[u8])]); 4] = [
        ("connect", &[(connect, b"HTTP/1.1 200 OK\r\n\r\n")]),
        (
            "socks5",
            &[
                (b"\x05\x01\x00", b"\x05\x00"),
                (b"\x05\x01\x00\x01\x01\x02\x03\x04\x01\xbb", b"\x05\x00\x00\x01\0\0\0\0\0\0"),
            ],
        ),
        ("imap", &[(b"", b"* OK ready\r\n"), (b"a STARTTLS\r\n", b"a OK go\r\n")]),
        ("postgres", &[(b"\0\0\0\x08\x04\xd2\x16\x2f", b"S")]),
    ];
    for (what, dialogue) in cases {
        for size in [usize::MAX, 3] {
            let mut talk = Talk::opened(C, S);
            for (client, server) in dialogue {
                if !client.is_empty() {
                    talk.client(client);
                }
                talk.server(server);
            }
            let hello = hello(b"in.example");
            hello.chunks(size.min(hello.len())).for_each(|piece| {
                talk.client(piece);
            });
            talk.server(&server_flight());
            let messages = talk.wire.messages();
            for expected in [
                "10.0.0.1:40000>10.0.0.2:8000 tls in.example relayed",
                "10.0.0.1:40000<10.0.0.2:8000 tls server relayed",
                "10.0.0.1:40000<10.0.0.2:8000 certificates 1 for in.example relayed",
            ] {
                assert!(messages.iter().any(|line| line == expected), "{what}: {messages:#?}");
            }
        }
    }
}

#[test]
fn a_certificate_comes_with_the_hello_that_it_answers() {
    let mut talk = Talk::opened(C, S);
    talk.client(&hello(b"x.example")).server(&server_flight());
    assert!(talk.wire.messages()[2].ends_with("certificates 1 for x.example"));
    let mut talk = Talk::opened(C, S);
    talk.server(&server_flight());
    assert!(talk.wire.messages()[1].ends_with("certificates 1 for -"));
}

#[test]
fn a_protocol_is_looked_for_in_the_first_bytes_only() {
    let prefix = vec![0xfe; 1_000];
    for (times, found) in
        [(limits::IDENTIFY_BYTES / 1_000, true), (limits::IDENTIFY_BYTES / 1_000 + 1, false)]
    {
        let mut talk = Talk::opened(C, S);
        (0..times).for_each(|_| {
            talk.client(&prefix);
        });
        talk.client(&hello(b"late.example"));
        assert_eq!(!talk.wire.messages().is_empty(), found, "{times}");
    }
}

#[test]
fn what_is_not_known_is_failed_and_silence_is_nothing() {
    let mut talk = Talk::opened(C, S);
    talk.client(b"\xfe\xfe").close();
    assert!(talk.wire.told().last().is_some_and(|line| line.ends_with("2>0 failed")));
    let mut talk = Talk::opened(C, S);
    talk.close();
    assert!(talk.wire.told().last().is_some_and(|line| line.ends_with("closed Fin Closed 0>0 ")));
}

#[test]
fn dns_is_told_by_either_transport_on_any_port() {
    let (question, answer) = (sample::query("a.example", 1), sample::response("a.example", 1, &[1, 2, 3, 4]));
    let framed = |message: &[u8]| [&(message.len() as u16).to_be_bytes()[..], message].concat();
    for port in [53, 5_300] {
        let server = (2, port);
        let expected = [
            format!("10.0.0.1:40000>10.0.0.2:{port} dns question"),
            format!("10.0.0.1:40000<10.0.0.2:{port} dns answer"),
        ];
        let check = |wire: &Wire, from: usize| {
            let messages = wire.messages();
            assert_eq!(messages.len(), 2 - from, "{messages:?}");
            for (line, expected) in messages.iter().zip(expected.iter().skip(from)) {
                assert!(line.starts_with(expected), "{line}");
            }
        };
        let mut wire = Wire::default();
        wire.udp(0, C, server, &question);
        wire.udp(1, server, C, &answer);
        check(&wire, 0);
        wire.packets.remove(0);
        check(&wire, 1);

        let mut talk = Talk::opened(C, server);
        let asked = framed(&question);
        talk.client(&asked[..9]).client(&asked[9..]).server(&framed(&answer));
        check(&talk.wire, 0);
        // The answer alone, out of the middle.
        let mut talk = Talk::new(C, server);
        talk.server(&framed(&answer));
        check(&talk.wire, 1);
    }
}

#[test]
fn multicast_names_are_told_as_what_they_are() {
    let mut wire = Wire::default();
    for port in [5353, 5355] {
        wire.udp(0, (1, port), (9, port), &sample::query("printer.local", 1));
    }
    assert_eq!(wire.messages().iter().filter(|line| line.contains("local dns question")).count(), 2);
}

#[test]
fn readers_that_hold_too_much_give_up_and_no_others() {
    // Each connection leaves a head of nearly 64 KiB unfinished, of which the first were first to hold.
    let head = [b"GET /held HTTP/1.1\r\nHost: h\r\nX: ".as_slice(), &[b'x'; 50_000]].concat();
    let connections = (limits::INSPECTION_BYTES / 50_000) as u16 + 40;
    let mut wire = Wire::default();
    for port in 0..connections {
        let mut talk = Talk::opened((1, 1_024 + port), S);
        talk.now = i64::from(port);
        talk.client(&head);
        wire.packets.append(&mut talk.wire.packets);
    }
    wire.packets.sort_by_key(|(time, _)| *time);
    let told = wire.told();
    // Whoever gave up told what there was, in the middle of the capture; the others tell it at the end.
    let places: Vec<_> = told
        .iter()
        .enumerate()
        .filter(|(_, line)| line.ends_with("GET /held"))
        .map(|(place, _)| place)
        .collect();
    assert_eq!(places.len(), usize::from(connections));
    let first_end = told.iter().position(|line| line.contains("closed")).unwrap();
    let early = places.iter().filter(|place| **place < first_end - 1).count();
    assert!((20..200).contains(&early), "{early} gave up");
    assert!(told[places[0]].starts_with("10.0.0.1:1024>"), "the first to hold is the first to go");
}

#[test]
fn any_number_of_observers_tells_the_same_in_the_same_order() {
    let mut wire = Wire::default();
    for port in 0..40 {
        let mut talk = Talk::opened((1, 1_000 + port), (2, 8_000 + port % 3));
        talk.client(REQUEST);
        talk.now += i64::from(port % 4) * 30_000;
        talk.server(RESPONSE);
        if port % 5 == 0 {
            // The port pair is used again, and a timer of another flow may be due with the same packet.
            talk.close();
            talk.next = [u32::from(port) << 20, 3];
            talk.now += 7_000;
            talk.open();
        }
        wire.packets.append(&mut talk.wire.packets);
        wire.udp(i64::from(port) * 1_000, (3, 2_000 + port), (4, 53), &sample::query("a.example", 1));
    }
    // A second of packet time goes by between two packets more than once; some come late.
    wire.packets.sort_by_key(|(time, _)| time / 700);
    let alone = wire.told();
    assert!(
        alone.iter().any(|line| line.contains("closed Timeout"))
            || alone.iter().any(|line| line.contains("closed Fin"))
    );
    for shards in [2, 3, 7] {
        assert_eq!(wire.told_by(shards), alone, "{shards} observers");
    }
}
