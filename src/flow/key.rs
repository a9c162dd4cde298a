//! The identity of a flow: tenant and five-tuple.

use std::net::IpAddr;

use crate::{
    address::AddressWords,
    decode::{Tenant, TenantKind},
};

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

/// What finds a flow: equal for both directions. Whole words, because every packet makes one and compares it.
///
/// Both ends are of one family, that of the IP header which named them; of an IPv4 and an IPv6 address, which no
/// header has, the former is kept as mapped (RFC 4291 section 2.5.5.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowKey {
    /// From the top: the tenant's kind (8 bits), the protocol (8), whether the addresses are IPv6 (16), and then the
    /// ports, the low end's first (16 each).
    head: u64,
    /// The tenant's key.
    tenant: u64,
    /// The smaller end. IPv6: its address. IPv4: address and port.
    low: u128,
    /// The larger end.
    high: u128,
}

/// The bits of a key's head that say whose network and which protocol.
const SCOPE: u64 = 0xffff << 48;
/// The bit of a key's head that says that its addresses are IPv6.
const V6: u64 = 1 << 32;

impl FlowKey {
    /// The key of a packet from `source` to `destination`.
    pub fn new(tenant: Tenant, source: Endpoint, destination: Endpoint, protocol: u8) -> Self {
        Self::directed(tenant, source, destination, protocol).0
    }

    /// The same, and whether the source is the key's lower end.
    pub fn directed(tenant: Tenant, source: Endpoint, destination: Endpoint, protocol: u8) -> (Self, bool) {
        let (key, from_low) = match (source.address, destination.address) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                Self::v4((from.to_bits(), source.port), (to.to_bits(), destination.port), protocol)
            }
            (from, to) => Self::v6((v6_bits(from), source.port), (v6_bits(to), destination.port), protocol),
        };
        (Self { head: key.head | (tenant.kind as u64) << 56, tenant: tenant.key, ..key }, from_low)
    }

    /// The key between two IPv4 addresses and ports of the default tenant, and whether the source is its lower end.
    #[inline]
    pub fn v4(source: (u32, u16), destination: (u32, u16), protocol: u8) -> (Self, bool) {
        let word = |(address, port): (u32, u16)| u64::from(address) << 16 | u64::from(port);
        let (one, other) = (word(source), word(destination));
        let head = u64::from(protocol) << 48;
        (Self { head, tenant: 0, low: one.min(other).into(), high: one.max(other).into() }, one <= other)
    }

    /// The key between two IPv6 addresses and ports of the default tenant, and whether the source is its lower end.
    #[inline]
    pub fn v6(source: (u128, u16), destination: (u128, u16), protocol: u8) -> (Self, bool) {
        let from_low = source <= destination;
        let (low, high) = if from_low { (source, destination) } else { (destination, source) };
        let head = u64::from(protocol) << 48 | V6 | u64::from(low.1) << 16 | u64::from(high.1);
        (Self { head, tenant: 0, low: low.0, high: high.0 }, from_low)
    }

    /// Whose network.
    pub fn tenant(&self) -> Tenant {
        Tenant { kind: TenantKind::from_number((self.head >> 56) as u8), key: self.tenant }
    }

    /// IP protocol number.
    #[inline]
    pub const fn protocol(&self) -> u8 {
        (self.head >> 48) as u8
    }

    /// The smaller end.
    pub fn low(&self) -> Endpoint {
        let port = if self.is_v6() { (self.head >> 16) as u16 } else { self.low as u16 };
        Endpoint { address: self.addresses()[0].into(), port }
    }

    /// The larger end.
    pub fn high(&self) -> Endpoint {
        let port = if self.is_v6() { self.head as u16 } else { self.high as u16 };
        Endpoint { address: self.addresses()[1].into(), port }
    }

    /// Whether the addresses are IPv6.
    #[inline]
    const fn is_v6(&self) -> bool {
        self.head & V6 != 0
    }

    /// Which of `shares` shares of all flows it falls into: the same on every machine, at the price of few
    /// instructions.
    #[inline]
    pub fn share(&self, shares: u64) -> u64 {
        let ends = self.low ^ self.high;
        let ports = (self.head ^ self.head >> 16) & 0xffff;
        let word = (ends >> 64) as u64 ^ ends as u64 ^ ports ^ (self.head & SCOPE) ^ self.tenant;
        (word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % shares
    }

    /// Client, server, protocol.
    pub fn tuple(&self, client_is_low: bool) -> FiveTuple {
        let (low, high, protocol) = (self.low(), self.high(), self.protocol());
        let (client, server) = if client_is_low { (low, high) } else { (high, low) };
        FiveTuple { client, server, protocol }
    }

    /// The addresses of the lower and the upper end.
    #[inline]
    pub const fn addresses(&self) -> [AddressWords; 2] {
        if self.is_v6() {
            [AddressWords::v6(self.low), AddressWords::v6(self.high)]
        } else {
            [AddressWords::v4((self.low >> 16) as u32), AddressWords::v4((self.high >> 16) as u32)]
        }
    }

    /// Its hash from a start that is secret, for tables.
    #[inline]
    pub fn hash(&self, start: u64) -> u64 {
        let hash = WordHash::from(start).with(self.tenant ^ (self.head & SCOPE));
        if !self.is_v6() {
            return hash.with(self.low as u64).with(self.high as u64).finish();
        }
        let hash = hash.with((self.low >> 64) as u64).with(self.low as u64);
        hash.with((self.high >> 64) as u64).with(self.high as u64).with(self.head & 0xffff_ffff).finish()
    }
}

fn v6_bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
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
