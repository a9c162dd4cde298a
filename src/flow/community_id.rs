//! Community ID version 1: the flow's name that other sensors give it too.
//!
//! The published rules (corelight/community-id-spec): SHA-1 over seed, the smaller end's address, the
//! larger end's address, IP protocol, a zero byte and both ports, in network byte order, in base64 behind
//! `1:`. The ends are ordered by address and then by port. Tenant and VLAN are no part of it, so equal
//! addresses in two tenants have equal ids.

use std::{fmt, net::IpAddr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::digest;

use super::{Endpoint, FiveTuple};

/// The Community ID of a flow, as text.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CommunityId([u8; LENGTH]);

/// `1:` and the base64 form of 20 bytes.
const LENGTH: usize = 2 + 28;

impl CommunityId {
    /// The id of the flow `tuple` under `seed` (0 unless all sensors of a site agree on another).
    ///
    /// ICMP and ICMPv6: the client's port is the type; the server's port is the code, or the
    /// counterpart's type where there is one.
    pub fn new(tuple: &FiveTuple, seed: u16) -> Self {
        let (mut first, mut second) = (tuple.client, tuple.server);
        let mut one_way = false;
        if matches!(tuple.protocol, ICMP | ICMPV6) {
            match counterpart(tuple.protocol, first.port) {
                Some(kind) => second.port = kind,
                None => one_way = true,
            }
        }
        if !one_way && (address_bytes(&second), second.port) < (address_bytes(&first), first.port) {
            (first, second) = (second, first);
        }
        let mut hash = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
        hash.update(&seed.to_be_bytes());
        hash.update(&address_bytes(&first));
        hash.update(&address_bytes(&second));
        hash.update(&[tuple.protocol, 0]);
        if has_ports(tuple.protocol) {
            hash.update(&first.port.to_be_bytes());
            hash.update(&second.port.to_be_bytes());
        }
        let mut text = [b'1'; LENGTH];
        let [_, colon, base64 @ ..] = &mut text;
        *colon = b':';
        // 20 bytes always give 28 characters.
        let _ = STANDARD.encode_slice(hash.finish(), base64);
        Self(text)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        // Only ASCII was written.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for CommunityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for CommunityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The type that answers ICMP (or ICMPv6) type `kind`; `None` where type and code name a one-way message.
pub fn counterpart(protocol: u8, kind: u16) -> Option<u16> {
    let pairs: &[(u16, u16)] = match protocol {
        ICMP => &[(8, 0), (13, 14), (15, 16), (17, 18), (10, 9)],
        ICMPV6 => &[(128, 129), (130, 131), (133, 134), (135, 136), (139, 140), (144, 145)],
        _ => &[],
    };
    pairs.iter().find_map(|&(asks, answers)| match kind {
        _ if kind == asks => Some(answers),
        _ if kind == answers => Some(asks),
        _ => None,
    })
}

const ICMP: u8 = 1;
const ICMPV6: u8 = 58;

/// Whether the rules hash something in the ports' place: TCP, UDP, SCTP, and ICMP's type and code.
const fn has_ports(protocol: u8) -> bool {
    matches!(protocol, 6 | 17 | 132 | ICMP | ICMPV6)
}

/// An end's address in network byte order; 4 or 16 bytes.
fn address_bytes(end: &Endpoint) -> AddressBytes {
    match end.address {
        IpAddr::V4(address) => AddressBytes::V4(address.octets()),
        IpAddr::V6(address) => AddressBytes::V6(address.octets()),
    }
}

/// An address's bytes without an allocation. Both ends of a flow have the same length.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum AddressBytes {
    V4([u8; 4]),
    V6([u8; 16]),
}

impl std::ops::Deref for AddressBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::V4(bytes) => bytes,
            Self::V6(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(protocol: u8, client: (&str, u16), server: (&str, u16), seed: u16) -> String {
        let end = |(address, port): (&str, u16)| Endpoint { address: address.parse().unwrap(), port };
        CommunityId::new(&FiveTuple { client: end(client), server: end(server), protocol }, seed).to_string()
    }

    #[test]
    fn the_official_vectors() {
        let mut checked = 0;
        let lines = include_str!("community_id_vectors.txt").lines();
        for line in lines.filter(|line| !line.starts_with('#')) {
            let fields: Vec<_> = line.split(' ').collect();
            let [protocol, client, client_port, server, server_port, seed_0, seed_1] = fields[..] else {
                panic!("seven fields: {line}")
            };
            let end = |address, port: &str| (address, port.parse().unwrap());
            let (client, server) = (end(client, client_port), end(server, server_port));
            for (seed, expected) in [(0, seed_0), (1, seed_1)] {
                let id = id(protocol.parse().unwrap(), client, server, seed);
                assert_eq!(id, format!("1:{expected}"), "{line}, seed {seed}");
                checked += 1;
            }
        }
        assert_eq!(checked, 46);
    }

    #[test]
    fn both_directions_have_one_id() {
        for (protocol, a, b) in [(6, 40000, 443), (17, 53, 53), (1, 8, 0), (1, 13, 14), (58, 128, 129)] {
            let there = id(protocol, ("10.0.0.9", a), ("10.0.0.1", b), 0);
            assert_eq!(there, id(protocol, ("10.0.0.1", b), ("10.0.0.9", a), 0), "protocol {protocol}");
        }
    }

    #[test]
    fn equal_addresses_are_ordered_by_port() {
        assert_eq!(
            id(6, ("127.0.0.1", 1), ("127.0.0.1", 2), 0),
            id(6, ("127.0.0.1", 2), ("127.0.0.1", 1), 0)
        );
    }

    #[test]
    fn the_answering_type_takes_the_place_of_the_code() {
        // Whether a caller states the code or the counterpart, the id is the same.
        assert_eq!(
            id(58, ("fe80::1", 128), ("fe80::2", 0), 0),
            id(58, ("fe80::1", 128), ("fe80::2", 129), 0)
        );
    }

    #[test]
    fn one_way_messages_keep_their_direction_and_code() {
        let unreachable = |from, to, code| id(1, (from, 3), (to, code), 0);
        assert_ne!(unreachable("10.0.0.1", "10.0.0.2", 1), unreachable("10.0.0.2", "10.0.0.1", 1));
        assert_ne!(unreachable("10.0.0.1", "10.0.0.2", 1), unreachable("10.0.0.1", "10.0.0.2", 3));
    }

    #[test]
    fn the_seed_and_the_protocol_count() {
        let tcp = id(6, ("10.0.0.1", 1), ("10.0.0.2", 2), 0);
        assert_ne!(tcp, id(6, ("10.0.0.1", 1), ("10.0.0.2", 2), 1));
        assert_ne!(tcp, id(17, ("10.0.0.1", 1), ("10.0.0.2", 2), 0));
        assert_eq!(tcp.len(), LENGTH);
    }

    #[test]
    fn ports_of_a_protocol_without_ports_do_not_count() {
        assert_eq!(
            id(46, ("10.1.12.1", 7), ("10.1.12.2", 9), 0),
            id(46, ("10.1.12.1", 0), ("10.1.12.2", 0), 0)
        );
    }
}
