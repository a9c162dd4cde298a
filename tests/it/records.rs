//! Records of plain traffic.

use std::sync::Arc;

use callhome::{
    event::{EventOptions, Records, RecordsCounters},
    flow::{
        Direction::{self, ToClient, ToServer},
        TcpState,
    },
    limits::{HTTP_PENDING_REQUESTS, RECORD_FLOWS},
    observation::{DnsService, FirstPacket, FlowClosed, FlowEnd, Head, ObservationBatch, SideTotals},
    protocol::{http, quic, tls},
};
use serde_json::{Value, json};

use crate::{
    sample::{self, at},
    schema::assert_valid,
};

/// A question about `name` (wire form with its final zero).
pub fn dns_query(id: u16, name: &[u8], kind: u16) -> Vec<u8> {
    let mut message = id.to_be_bytes().to_vec();
    message.extend([0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0]);
    message.extend(name);
    message.extend(kind.to_be_bytes());
    message.extend([0, 1]);
    message
}

/// An answer with a CNAME, two addresses, and an SOA in the authority section.
pub fn dns_response(id: u16) -> Vec<u8> {
    let mut message = id.to_be_bytes().to_vec();
    message.extend([0x81, 0x80, 0, 1, 0, 3, 0, 1, 0, 0]);
    message.extend(b"\x02C2\x07example\x03net\0\0\x01\0\x01");
    // c2.example.net CNAME a.example.net
    message.extend(b"\xc0\x0c\0\x05\0\x01\0\0\0\x3c\0\x04\x01a\xc0\x0f");
    // a.example.net A 192.0.2.66, 192.0.2.67
    message.extend(b"\x01a\xc0\x0f\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x42");
    message.extend(b"\x01a\xc0\x0f\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x43");
    // example.net SOA
    message.extend(b"\xc0\x0f\0\x06\0\x01\0\0\x0e\x10\0\x1b\x02ns\xc0\x0f\xc0\x0f");
    for value in [2026_u32, 7200, 900, 1_209_600, 300] {
        message.extend(value.to_be_bytes());
    }
    message
}

/// The records of a batch.
fn records_of(fill: impl FnOnce(&mut ObservationBatch)) -> Vec<Value> {
    let mut batch = ObservationBatch::default();
    fill(&mut batch);
    let mut records = Records::new(EventOptions::default());
    let (mut events, mut lines) = (Vec::new(), 0);
    for observation in batch.iter() {
        records.observe(&observation, &mut |line| {
            lines += 1;
            events.push(assert_valid(line));
        });
    }
    records.finish(&mut |line| events.push(assert_valid(line)));
    assert!(records.counters().written >= lines);
    events
}

fn dns_head(packet: u64, direction: Direction) -> Head {
    sample::head(packet, "10.1.2.3:53100", "10.0.0.53:53", 17, direction)
}

fn tcp(packet: u64, direction: Direction) -> Head {
    sample::head(packet, "10.1.2.3:40000", "192.0.2.66:443", 6, direction)
}

fn closed(end: FlowEnd, state: TcpState) -> FlowClosed {
    let side =
        |packets, tcp_flags| SideTotals { packets, bytes: packets * 100, payload: packets * 40, tcp_flags };
    FlowClosed {
        first: at(1),
        last: at(62),
        opened: FirstPacket::Syn,
        to_server: side(5, 0x1b),
        to_client: side(4, 0x1a),
        state,
        end,
        app_protocol: "tls",
        gap_bytes: [0, 0],
        data_after_reset: false,
    }
}

#[test]
fn a_dns_question_and_its_answer() {
    let events = records_of(|batch| {
        batch.dns(
            dns_head(1, ToServer),
            &dns_query(0x1234, b"\x02C2\x07example\x03net\0", 1),
            DnsService::Dns,
            false,
        );
        batch.dns(dns_head(2, ToClient), &dns_response(0x1234), DnsService::Dns, false);
    });
    let [question, answer] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((&question["src_ip"], &question["dest_port"]), (&json!("10.1.2.3"), &json!(53)));
    assert_eq!(question["app_proto"], "dns");
    assert_eq!(
        question["dns"],
        json!({
            "version": 3, "type": "request", "tx_id": 0, "id": 0x1234, "flags": "100", "rd": true, "opcode": 0,
            "rcode": "NOERROR", "queries": [{"rrname": "C2.example.net", "rrtype": "A"}],
        })
    );
    assert!(question.get("callhome").is_none(), "nothing was odd");
    assert_eq!(answer["src_ip"], "10.0.0.53", "the source of a response is the responder");
    assert_eq!(answer["flow_id"], question["flow_id"]);
    assert_eq!(answer["community_id"], question["community_id"]);
    assert_eq!(
        answer["dns"],
        json!({
            "version": 3, "type": "response", "tx_id": 1, "id": 0x1234, "flags": "8180", "qr": true, "rd": true,
            "ra": true, "opcode": 0, "rcode": "NOERROR",
            "queries": [{"rrname": "C2.example.net", "rrtype": "A"}],
            "answers": [
                {"rrname": "C2.example.net", "rrtype": "CNAME", "ttl": 60, "rdata": "a.example.net"},
                {"rrname": "a.example.net", "rrtype": "A", "ttl": 60, "rdata": "192.0.2.66"},
                {"rrname": "a.example.net", "rrtype": "A", "ttl": 60, "rdata": "192.0.2.67"},
            ],
            "grouped": {"CNAME": ["a.example.net"], "A": ["192.0.2.66", "192.0.2.67"]},
            "authorities": [{
                "rrname": "example.net", "rrtype": "SOA", "ttl": 3600,
                "soa": {
                    "mname": "ns.example.net", "rname": "example.net", "serial": 2026, "refresh": 7200,
                    "retry": 900, "expire": 1_209_600, "minimum": 300,
                },
            }],
        })
    );
}

#[test]
fn a_broken_message_gives_what_stood_before_the_break() {
    let mut cut = dns_response(1);
    cut.truncate(60);
    let events = records_of(|batch| {
        batch.dns(dns_head(1, ToClient), &cut, DnsService::Dns, false);
        // A name whose pointer points at itself.
        batch.dns(dns_head(2, ToServer), &dns_query(2, b"\x03bad\xc0\x10", 1), DnsService::Dns, false);
    });
    assert_eq!(events[0]["dns"]["answers"][0]["rdata"], "a.example.net");
    assert!(events[0]["callhome"]["anomalies"].as_array().unwrap().contains(&json!("cut")));
    assert!(!events[1]["callhome"]["anomalies"].as_array().unwrap().is_empty());
}

#[test]
fn multicast_dns_and_llmnr_are_told_apart() {
    let txt = b"\x00\x07\x84\x00\0\0\0\x01\0\0\0\0\x01a\x05local\0\0\x10\x80\x01\0\0\0\x78\0\x08\x03k=v\x03\xff=\x1b";
    let events = records_of(|batch| {
        batch.dns(dns_head(1, ToServer), txt, DnsService::Mdns, false);
        batch.dns(dns_head(2, ToServer), &dns_query(9, b"\x04wpad\0", 28), DnsService::Llmnr, false);
    });
    assert_eq!(events[0]["event_type"], "mdns");
    assert_eq!(
        events[0]["mdns"],
        json!({
            "type": "response", "id": 7, "flags": ["aa"], "opcode": 0, "rcode": 0,
            "answers": [{"rrname": "a.local", "txt": ["k=v", "\\xff=\\u{1b}"]}],
        })
    );
    assert_eq!(
        (&events[1]["event_type"], &events[1]["callhome"]["service"]),
        (&json!("dns"), &json!("llmnr"))
    );
}

#[test]
fn a_message_that_fills_a_line_is_shortened() {
    // 512 answers whose owner is the longest name of bytes that each take four characters to write.
    let mut message = vec![0, 1, 0x81, 0x80, 0, 1, 2, 0, 0, 0, 0, 0];
    for length in [63, 63, 63, 61] {
        message.push(length);
        message.extend(vec![0xff; length.into()]);
    }
    message.extend(b"\0\0\x01\0\x01");
    for _ in 0..512 {
        message.extend(b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x42");
    }
    let events = records_of(|batch| batch.dns(dns_head(1, ToClient), &message, DnsService::Dns, true));
    assert_eq!(events[0]["callhome"]["cut"], true);
    assert_eq!(events[0]["dns"]["answers"].as_array().unwrap().len(), 16);
}

fn hello(sni: &str) -> tls::ClientHello {
    tls::ClientHello {
        version: 0x0304,
        sni: Some(sni.as_bytes().to_vec()),
        alpn: vec![b"h2".to_vec()],
        fingerprints: tls::Fingerprints::known(
            "771,4865,0,29,0".into(),
            "0123456789abcdef0123456789abcdef".into(),
            "t13d1516h2_8daaf6152771_e5627efa2ab1".into(),
        ),
        ech: true,
        ..tls::ClientHello::default()
    }
}

fn server(version: u16, retry: bool) -> Arc<tls::ServerHello> {
    let fingerprint = tls::ServerFingerprint::known(String::new(), "ffffffffffffffffffffffffffffffff".into());
    let alpn = Some(b"h2".to_vec());
    Arc::new(tls::ServerHello { version, retry, fingerprint, alpn, ..tls::ServerHello::default() })
}

fn certificate() -> tls::Certificate {
    tls::Certificate {
        sha1: [0xab; 20],
        sha256: [0xcd; 32],
        serial: "0a1b2c".into(),
        subject: "CN=c2.example.net".into(),
        issuer: "CN=\u{202e}ca".into(),
        names: vec!["c2.example.net".into(), "192.0.2.66".into()],
        not_before: 1_774_916_518,
        not_after: 1_774_916_519,
        ..tls::Certificate::default()
    }
}

#[test]
fn a_tls_connection_is_one_record() {
    let events = records_of(|batch| {
        batch.tls_client(tcp(4, ToServer), Arc::new(hello("c2.example.net")));
        batch.tls_server(tcp(5, ToClient), server(0x0303, false));
        batch.certificates(tcp(6, ToClient), Arc::new([certificate()]), None);
        batch.tls_client(tcp(7, ToServer), Arc::new(hello("second.example.net")));
        batch.flow_closed(tcp(8, ToServer), closed(FlowEnd::Fin, TcpState::Closed));
    });
    let [tls, flow] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(flow["event_type"], "flow");
    assert_eq!(
        (&tls["pcap_cnt"], &tls["src_ip"], &tls["app_proto"]),
        (&json!(6), &json!("10.1.2.3"), &json!("tls"))
    );
    assert_eq!(
        tls["tls"],
        json!({
            "subject": "CN=c2.example.net", "issuerdn": "CN=\\u{202e}ca", "serial": "0A:1B:2C",
            "fingerprint": vec!["ab"; 20].join(":"), "sni": "c2.example.net", "version": "TLS 1.2",
            "notbefore": "2026-03-31T00:21:58", "notafter": "2026-03-31T00:21:59",
            "subjectaltname": ["c2.example.net", "192.0.2.66"],
            "ja3": {"hash": "0123456789abcdef0123456789abcdef", "string": "771,4865,0,29,0"},
            "ja3s": {"hash": "ffffffffffffffffffffffffffffffff"},
            "ja4": "t13d1516h2_8daaf6152771_e5627efa2ab1", "client_alpns": ["h2"], "server_alpns": ["h2"],
        })
    );
    assert_eq!(tls["callhome"], json!({"ech": true, "certificate_sha256": "cd".repeat(32)}));
}

#[test]
fn tls_1_3_waits_for_no_certificates_and_not_for_a_retry() {
    let events = records_of(|batch| {
        batch.tls_client(tcp(4, ToServer), Arc::new(hello("first.example.net")));
        batch.tls_server(tcp(5, ToClient), server(0x0304, true));
        batch.tls_client(tcp(6, ToServer), Arc::new(hello("again.example.net")));
        batch.tls_server(tcp(7, ToClient), server(0x0304, false));
    });
    let [tls] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((&tls["pcap_cnt"], &tls["tls"]["version"]), (&json!(7), &json!("TLS 1.3")));
    assert_eq!(tls["tls"]["sni"], "first.example.net");
}

#[test]
fn half_a_handshake_is_written_when_the_flow_closes() {
    let events = records_of(|batch| {
        batch.tls_client(tcp(4, ToServer), Arc::new(hello("c2.example.net")));
        batch.flow_closed(tcp(9, ToServer), closed(FlowEnd::Rst, TcpState::Reset));
    });
    assert_eq!(events.iter().map(|event| &event["event_type"]).collect::<Vec<_>>(), ["tls", "flow"]);
    assert_eq!(events[0]["pcap_cnt"], 4, "the packet that it was seen in");
    assert!(events[0]["tls"].get("version").is_none());
}

#[test]
fn a_quic_hello_is_a_record() {
    let events = records_of(|batch| {
        let hello = quic::QuicHello { version: 0x6b33_43cf, hello: hello("q.example.net") };
        batch.quic(sample::head(1, "10.1.2.3:5000", "192.0.2.1:443", 17, ToServer), hello);
    });
    assert_eq!(events[0]["quic"]["version"], "2");
    assert_eq!(events[0]["quic"]["sni"], "q.example.net");
    assert_eq!(events[0]["quic"]["extensions"], json!([{"name": "alpn", "type": 16, "values": ["h2"]}]));
}

fn request(index: u32) -> Arc<http::Request> {
    Arc::new(http::Request {
        index,
        method: b"GET".to_vec(),
        target: format!("/{index}").into_bytes(),
        version: b"HTTP/1.1".to_vec(),
        host: Some(b"example.net".to_vec()),
        ..http::Request::default()
    })
}

fn response(index: u32) -> http::Response {
    http::Response { request: Some(request(index)), status: 200, body_length: 5, ..http::Response::default() }
}

#[test]
fn each_http_transaction_is_a_record_answered_or_not() {
    let events = records_of(|batch| {
        batch.http_request(tcp(4, ToServer), request(0));
        batch.http_request(tcp(5, ToServer), request(1));
        batch.http_request(tcp(6, ToServer), request(2));
        batch.http_response(tcp(7, ToClient), response(0));
        batch.http_response(tcp(8, ToClient), http::Response { status: 503, ..http::Response::default() });
        batch.flow_closed(tcp(9, ToServer), closed(FlowEnd::Fin, TcpState::Closed));
    });
    let told: Vec<_> = events[..4]
        .iter()
        .map(|event| (event["pcap_cnt"].clone(), event["tx_id"].clone(), event["http"]["status"].clone()))
        .collect();
    assert_eq!(
        told,
        [
            (json!(7), json!(0), json!(200)),
            (json!(8), Value::Null, json!(503)),
            (json!(5), json!(1), Value::Null),
            (json!(6), json!(2), Value::Null),
        ]
    );
    assert_eq!(events[0]["src_ip"], "10.1.2.3", "the client is the source of both");
    assert_eq!(
        events[0]["http"],
        json!({"hostname": "example.net", "url": "/0", "http_method": "GET", "protocol": "HTTP/1.1",
               "status": 200, "length": 5})
    );
}

#[test]
fn requests_that_nobody_answers_do_not_pile_up() {
    let mut batch = ObservationBatch::default();
    for index in 0..1000 {
        batch.http_request(tcp(u64::from(index) + 1, ToServer), request(index));
    }
    let mut records = Records::new(EventOptions::default());
    let mut urls = Vec::new();
    for observation in batch.iter() {
        records.observe(&observation, &mut |line| urls.push(assert_valid(line)["http"]["url"].clone()));
    }
    assert_eq!(urls.len(), 1000 - HTTP_PENDING_REQUESTS);
    assert_eq!(records.counters().requests_unanswered_early as usize, urls.len());
    records.finish(&mut |line| urls.push(assert_valid(line)["http"]["url"].clone()));
    assert_eq!(urls, (0..1000).map(|index| json!(format!("/{index}"))).collect::<Vec<_>>());
}

#[test]
fn more_open_connections_than_places_lose_no_record() {
    let flows = RECORD_FLOWS + 100;
    let mut records = Records::new(EventOptions { community_id_seed: None });
    let (mut lines, mut order) = (0, Vec::new());
    for flow in 0..flows {
        let mut batch = ObservationBatch::default();
        let mut head = tcp(1, ToServer);
        head.flow.id = flow as u64;
        batch.tls_client(head, Arc::new(tls::ClientHello::default()));
        for observation in batch.iter() {
            records.observe(&observation, &mut |line| {
                lines += 1;
                order.push(assert_valid(line)["flow_id"].as_u64().unwrap());
            });
        }
    }
    assert_eq!(order, (0..100).collect::<Vec<_>>(), "the oldest were written early");
    records.finish(&mut |_| lines += 1);
    assert_eq!(lines, flows);
    let written = flows as u64;
    assert_eq!(records.counters(), RecordsCounters { written, evicted: 100, ..RecordsCounters::default() });
}

#[test]
fn a_flow_tells_how_it_began_and_ended() {
    let timer = |mut head: Head| {
        head.order.by_packet = false;
        head
    };
    let lost = FlowClosed {
        gap_bytes: [0, 77],
        data_after_reset: true,
        opened: FirstPacket::Midstream,
        app_protocol: "",
        ..closed(FlowEnd::Timeout, TcpState::Established)
    };
    let events = records_of(|batch| {
        batch.flow_closed(tcp(9, ToServer), closed(FlowEnd::Fin, TcpState::Closed));
        batch.flow_closed(timer(tcp(10, ToServer)), lost);
        batch.flow_closed(
            sample::in_tunnel(dns_head(11, ToServer)),
            FlowClosed { to_client: SideTotals::default(), ..closed(FlowEnd::EndOfInput, TcpState::None) },
        );
        batch.flow_closed(tcp(12, ToServer), closed(FlowEnd::Rst, TcpState::Refused));
    });
    assert_eq!(
        events[0]["flow"],
        json!({
            "pkts_toserver": 5, "pkts_toclient": 4, "bytes_toserver": 500, "bytes_toclient": 400,
            "start": "2026-03-31T00:25:12.123456+0000", "end": "2026-03-31T00:26:13.123456+0000", "age": 61,
            "state": "closed", "reason": "timeout",
        })
    );
    assert_eq!(
        events[0]["tcp"],
        json!({
            "tcp_flags": "1b", "tcp_flags_ts": "1b", "tcp_flags_tc": "1a", "syn": true, "fin": true, "psh": true,
            "ack": true, "state": "closed",
        })
    );
    assert_eq!(events[0]["callhome"], json!({"opened": "syn", "end": "fin"}));
    assert_eq!(events[0]["app_proto"], "tls");
    assert!(events[1].get("pcap_cnt").is_none() && events[1].get("app_proto").is_none());
    assert_eq!(events[1]["tcp"]["tc_gap"], true);
    assert_eq!(
        events[1]["callhome"],
        json!({"opened": "midstream", "end": "timeout", "gap_bytes_toclient": 77, "data_after_reset": true})
    );
    assert_eq!(
        (&events[2]["flow"]["state"], &events[2]["flow"]["reason"]),
        (&json!("new"), &json!("shutdown"))
    );
    assert!(events[2].get("tcp").is_none());
    assert_eq!(events[2]["callhome"]["tenant"], "vni:7");
    assert_eq!(events[3]["callhome"]["end"], "refused");
}
