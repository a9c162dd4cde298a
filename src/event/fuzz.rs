//! The entry for fuzzing: whatever the wire sends, an event is one safe line of bounded length.

use std::{net::Ipv4Addr, sync::Arc};

use super::{EventOptions, Records, text::is_unsafe};
use crate::{
    decode::{Tenant, VlanStack},
    flow::{Direction, Endpoint, FiveTuple},
    limits::EVENT_BYTES,
    observation::{DnsService, FlowIdentity, Head, ObservationBatch, Order},
    protocol::{http, tls},
    time::Timestamp,
};

/// Makes records out of `data`, taken for a DNS message, for a server's name and for the fields of an HTTP
/// exchange, and asserts that each is one line of valid JSON, within its bound, without harmful characters.
pub fn fuzz_event(data: &[u8]) {
    let head = head();
    let mut batch = ObservationBatch::default();
    for service in [DnsService::Dns, DnsService::Mdns, DnsService::Llmnr] {
        batch.dns(head, data, service, false);
    }
    let hello = tls::ClientHello {
        sni: Some(data.to_vec()),
        alpn: data.chunks(9).map(<[u8]>::to_vec).collect(),
        ..tls::ClientHello::default()
    };
    batch.tls_client(head, Arc::new(hello));
    let request = http::Request {
        method: data.to_vec(),
        target: data.to_vec(),
        host: Some(data.to_vec()),
        user_agent: Some(data.to_vec()),
        ..http::Request::default()
    };
    let response = http::Response {
        request: Some(Arc::new(request)),
        content_type: Some(data.to_vec()),
        location: Some(data.to_vec()),
        status: 300,
        ..http::Response::default()
    };
    batch.http_response(head, response);

    let mut records = Records::new(EventOptions::default());
    let mut check = |line: &str| {
        assert!(line.len() <= EVENT_BYTES, "{} bytes", line.len());
        assert!(!line.chars().any(is_unsafe), "harmful text in {line:?}");
        assert!(serde_json::from_str::<serde::de::IgnoredAny>(line).is_ok(), "no JSON: {line}");
    };
    batch.iter().for_each(|observation| records.observe(&observation, &mut check));
    records.finish(&mut check);
}

/// A packet of some flow.
fn head() -> Head {
    let end = |last, port| Endpoint { address: Ipv4Addr::new(192, 0, 2, last).into(), port };
    Head {
        order: Order { packet: 1, by_packet: true, due: 0, sequence: 0 },
        time: Timestamp::default(),
        flow: FlowIdentity {
            id: 1,
            tuple: FiveTuple { client: end(1, 1024), server: end(2, 53), protocol: 17 },
            tenant: Tenant::default(),
            vlan: VlanStack::default(),
            tunnel: None,
        },
        direction: Direction::ToServer,
        relayed: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer with a name, a TXT record, an SOA and an OPT record.
    const SEED: &[u8] = b"\x12\x34\x81\x80\0\x01\0\x02\0\x01\0\x01\x01a\x07example\0\0\x10\0\x01\
        \xc0\x0c\0\x10\0\x01\0\0\0\x3c\0\x08\x03k=v\x03\xff\x1b\x80\
        \xc0\x0c\0\x21\0\x01\0\0\0\x3c\0\x08\0\x01\0\x02\0\x50\xc0\x0c\
        \xc0\x0e\0\x06\0\x01\0\0\0\x3c\0\x18\xc0\x0c\xc0\x0c\0\0\0\x01\0\0\0\x02\0\0\0\x03\0\0\0\x04\0\0\0\x05\
        \0\0\x29\x04\xd0\0\0\x80\0\0\x04\0\x0a\0\0";

    #[test]
    fn any_bytes_make_safe_lines() {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as usize
        };
        fuzz_event(SEED);
        for _ in 0..1000 {
            let mut bytes = SEED.to_vec();
            for _ in 0..random() % 6 + 1 {
                let at = random() % bytes.len();
                match random() % 3 {
                    0 => bytes[at] = random() as u8,
                    1 => bytes.truncate(at.max(1)),
                    _ => bytes.extend_from_within(at..),
                }
            }
            bytes.truncate(1024);
            fuzz_event(&bytes);
        }
    }

    #[test]
    fn the_longest_messages_make_lines_that_fit() {
        for byte in [0, b'"', b'\\', 0xff] {
            fuzz_event(&vec![byte; 65_535]);
        }
    }
}
