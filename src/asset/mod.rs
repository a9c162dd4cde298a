//! Whose machine an address is.

use std::{net::IpAddr, sync::Arc};

use ipnet::IpNet;

use crate::{
    decode::Tenant,
    flow::{Endpoint, FiveTuple},
};

/// An address of ours, labelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// The address.
    pub address: IpAddr,
    /// Whose network.
    pub tenant: Tenant,
    /// The label of the longest matching subnet.
    pub label: Option<Arc<str>>,
    /// The group of the longest matching subnet.
    pub group: Option<Arc<str>>,
}

/// A subnet with its label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// The addresses.
    pub cidr: IpNet,
    /// What to call a machine in it.
    pub label: Option<Arc<str>>,
    /// Machines that behave alike.
    pub group: Option<Arc<str>>,
}

/// Which addresses are ours, and what they are called.
#[derive(Clone, Debug)]
pub struct Assets {
    home: Home,
    /// Longest prefix first.
    subnets: Vec<Subnet>,
    /// The resolvers that our machines shall ask, where that is known.
    resolvers: Option<Vec<IpAddr>>,
}

/// A flow seen from the asset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sides {
    /// Ours.
    pub asset: Asset,
    /// Our end.
    pub local: Endpoint,
    /// Their end.
    pub remote: Endpoint,
    /// Whether the asset opened the flow.
    pub outbound: bool,
}

/// The networks that are ours when nobody says otherwise: RFC 1918, RFC 6598, loopback, link-local, ULA.
pub const DEFAULT_HOME: [&str; 9] = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "169.254.0.0/16",
    "127.0.0.0/8",
    "::1/128",
    "fc00::/7",
    "fe80::/10",
];

impl Default for Assets {
    fn default() -> Self {
        let home = DEFAULT_HOME.iter().filter_map(|text| text.parse().ok()).collect();
        Self::new(home, Vec::new())
    }
}

impl Assets {
    /// Assets in the networks `home`, labelled by `subnets`; subnets count as home too.
    pub fn new(mut home: Vec<IpNet>, mut subnets: Vec<Subnet>) -> Self {
        subnets.sort_by_key(|subnet| std::cmp::Reverse(subnet.cidr.prefix_len()));
        home.extend(subnets.iter().map(|subnet| subnet.cidr));
        Self { home: Home::new(&home), subnets, resolvers: None }
    }

    /// The same, whose machines shall ask these resolvers and no others.
    pub fn with_resolvers(self, resolvers: Option<Vec<IpAddr>>) -> Self {
        Self { resolvers, ..self }
    }

    /// Whether our machines shall ask the server at `address`; `None` where nobody said whom they shall ask.
    pub fn is_resolver(&self, address: IpAddr) -> Option<bool> {
        self.resolvers.as_ref().map(|resolvers| resolvers.contains(&address))
    }

    /// Whether `address` is ours.
    pub fn is_home(&self, address: IpAddr) -> bool {
        self.home.holds(address)
    }

    /// The asset at `address`.
    pub fn asset(&self, address: IpAddr, tenant: Tenant) -> Asset {
        let subnet = self.subnets.iter().find(|subnet| subnet.cidr.contains(&address));
        Asset {
            address,
            tenant,
            label: subnet.and_then(|subnet| subnet.label.clone()),
            group: subnet.and_then(|subnet| subnet.group.clone()),
        }
    }

    /// Whether the client's side of a flow is ours, see [`Assets::sides`].
    pub fn is_outbound(&self, tuple: &FiveTuple) -> bool {
        self.is_home(tuple.client.address) || !self.is_home(tuple.server.address)
    }

    /// Which side of a flow is ours: the one in a home network; the client if both or neither are.
    pub fn sides(&self, tuple: &FiveTuple, tenant: Tenant) -> Sides {
        let outbound = self.is_outbound(tuple);
        let (local, remote) =
            if outbound { (tuple.client, tuple.server) } else { (tuple.server, tuple.client) };
        Sides { asset: self.asset(local.address, tenant), local, remote, outbound }
    }
}

/// The home networks as masks and bases: asked for every message.
#[derive(Clone, Debug, Default)]
struct Home {
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
}

impl Home {
    fn new(networks: &[IpNet]) -> Self {
        let mut home = Self::default();
        for network in networks {
            match network {
                IpNet::V4(network) => {
                    home.v4.push((network.netmask().to_bits(), network.network().to_bits()));
                }
                IpNet::V6(network) => {
                    home.v6.push((network.netmask().to_bits(), network.network().to_bits()));
                }
            }
        }
        home
    }

    fn holds(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => {
                let bits = address.to_bits();
                self.v4.iter().any(|(mask, base)| bits & mask == *base)
            }
            IpAddr::V6(address) => {
                let bits = address.to_bits();
                self.v6.iter().any(|(mask, base)| bits & mask == *base)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tuple(client: &str, server: &str) -> FiveTuple {
        let end = |text: &str| Endpoint { address: text.parse().unwrap(), port: 1 };
        FiveTuple { client: end(client), server: end(server), protocol: 6 }
    }

    #[test]
    fn the_asset_is_the_side_at_home() {
        let assets = Assets::default();
        let sides = |client, server| assets.sides(&tuple(client, server), Tenant::default());
        assert_eq!(sides("10.1.2.3", "192.0.2.1").local.address.to_string(), "10.1.2.3");
        assert_eq!(sides("192.0.2.1", "10.1.2.3").local.address.to_string(), "10.1.2.3");
        assert!(!sides("192.0.2.1", "10.1.2.3").outbound);
        assert_eq!(sides("10.9.9.9", "10.1.2.3").local.address.to_string(), "10.9.9.9");
        assert_eq!(sides("192.0.2.1", "192.0.2.2").local.address.to_string(), "192.0.2.1");
    }

    #[test]
    fn the_longest_subnet_gives_the_label() {
        let subnet = |cidr: &str, label: &str| Subnet {
            cidr: cidr.parse().unwrap(),
            label: Some(label.into()),
            group: None,
        };
        let assets = Assets::new(
            Vec::new(),
            vec![subnet("203.0.113.0/24", "wide"), subnet("203.0.113.8/29", "narrow")],
        );
        let label = |address: &str| assets.asset(address.parse().unwrap(), Tenant::default()).label;
        assert_eq!(label("203.0.113.9").as_deref(), Some("narrow"));
        assert_eq!(label("203.0.113.99").as_deref(), Some("wide"));
        assert!(assets.is_home("203.0.113.99".parse().unwrap()));
    }
}
