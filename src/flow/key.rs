//! The identity of a flow: tenant and five-tuple.

use std::net::{IpAddr, Ipv4Addr};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
        let is_ordered = match (source.address, destination.address) {
            // What the derived order gives, in one comparison.
            (IpAddr::V4(from), IpAddr::V4(to)) => v4_word(from, source.port) <= v4_word(to, destination.port),
            _ => source <= destination,
        };
        let (low, high) = if is_ordered { (source, destination) } else { (destination, source) };
        Self { tenant, low, high, protocol }
    }

    /// Its hash from a start that is secret, for tables.
    #[inline]
    pub fn hash(&self, start: u64) -> u64 {
        let mut hash = WordHash::from(start);
        self.words(|word| hash = hash.with(word));
        hash.finish()
    }

    /// The key as words, three of them for IPv4: what hashes are made of.
    #[inline]
    fn words(&self, mut each: impl FnMut(u64)) {
        let Self { tenant, low, high, protocol } = self;
        each(tenant.key ^ (tenant.kind as u64) << 56 ^ u64::from(*protocol) << 48);
        match (low.address, high.address) {
            (IpAddr::V4(low_address), IpAddr::V4(high_address)) => {
                each(v4_word(low_address, low.port));
                each(v4_word(high_address, high.port));
            }
            _ => {
                for end in [low, high] {
                    let bits = match end.address {
                        IpAddr::V4(address) => u128::from(address.to_bits()),
                        IpAddr::V6(address) => address.to_bits(),
                    };
                    each((bits >> 64) as u64);
                    each(bits as u64);
                }
                each(u64::from(low.port) << 16 | u64::from(high.port));
            }
        }
    }
}

/// A hash of words from a start that is secret where senders must not choose it. Both halves of each product
/// are kept, so that every bit reaches every other (as wyhash and foldhash do).
#[derive(Clone, Copy, Debug)]
pub struct WordHash(u64);

impl WordHash {
    /// A hash that begins at `start`.
    pub const fn from(start: u64) -> Self {
        Self(start)
    }

    /// Goes on with a word.
    #[inline]
    pub const fn with(self, word: u64) -> Self {
        let product = (self.0 ^ word) as u128 * 0x9e37_79b9_7f4a_7c15;
        Self(((product >> 64) as u64 ^ product as u64).wrapping_add(0xd1b5_4a32_d192_ed03))
    }

    /// The hash.
    pub const fn finish(self) -> u64 {
        self.0
    }
}

/// An IPv4 endpoint as one number.
fn v4_word(address: Ipv4Addr, port: u16) -> u64 {
    u64::from(address.to_bits()) << 16 | u64::from(port)
}

/// The same on every machine and in every process, for what appears in events and for sharing out flows:
/// of keys word by word, of texts FNV-1a. It is no defence against chosen keys; the flow table has a seeded
/// hash.
#[derive(Clone, Copy, Debug)]
pub struct StableHash(u64);

impl StableHash {
    /// The hash of a key.
    pub fn of(key: &FlowKey) -> Self {
        Self(key.hash(0xcbf2_9ce4_8422_2325))
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
