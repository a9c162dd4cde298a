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
