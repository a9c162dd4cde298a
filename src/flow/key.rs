//! The identity of a flow: tenant and five-tuple.

use std::net::IpAddr;

use crate::decode::Tenant;

/// An address and a port; ICMP's type or code stands in the port's place, 0 where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// Address.
    pub address: IpAddr,
    /// Port.
    pub port: u16,
}

/// Which way something went, seen from the flow's client (the side that opened it).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
}

impl Direction {
    /// The other way.
    pub const fn reverse(self) -> Self {
        match self {
            Self::ToServer => Self::ToClient,
            Self::ToClient => Self::ToServer,
        }
    }

    /// 0 for to-server, 1 for to-client: for tables of two.
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// A flow's two ends, told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FiveTuple {
    /// The side that opened the flow.
    pub client: Endpoint,
    /// The other side.
    pub server: Endpoint,
    /// IP protocol number.
    pub protocol: u8,
}

/// What finds a flow: equal for both directions. Invariant: `low <= high`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowKey {
    /// Whose network.
    pub tenant: Tenant,
    /// The smaller end.
    pub low: Endpoint,
    /// The larger end.
    pub high: Endpoint,
    /// IP protocol number.
    pub protocol: u8,
}

impl FlowKey {
    /// The key of a packet from `source` to `destination`.
    pub fn new(tenant: Tenant, source: Endpoint, destination: Endpoint, protocol: u8) -> Self {
        let (low, high) = if source <= destination { (source, destination) } else { (destination, source) };
        Self { tenant, low, high, protocol }
    }
}

/// FNV-1a with a final mix: the same on every machine and in every process, for what appears in events
/// and for sharing out flows. It is no defence against chosen keys; the flow table has a seeded hash.
#[derive(Clone, Copy, Debug)]
pub struct StableHash(u64);

impl StableHash {
    /// The hash of a key.
    pub fn of(key: &FlowKey) -> Self {
        let end = |hash: Self, end: &Endpoint| {
            let hash = match end.address {
                IpAddr::V4(address) => hash.with(&address.octets()),
                IpAddr::V6(address) => hash.with(&address.octets()),
            };
            hash.with(&end.port.to_be_bytes())
        };
        let start = Self(0xcbf2_9ce4_8422_2325)
            .with(&[key.tenant.kind as u8, key.protocol])
            .with(&key.tenant.key.to_be_bytes());
        end(end(start, &key.low), &key.high)
    }

    /// The hash of a text.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(0xcbf2_9ce4_8422_2325).with(bytes)
    }

    /// Goes on with more bytes.
    pub fn with(self, bytes: &[u8]) -> Self {
        let step = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        Self(bytes.iter().fold(self.0, step))
    }

    /// The hash.
    pub fn finish(self) -> u64 {
        let mixed = (self.0 ^ (self.0 >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ (mixed >> 29)
    }
}
