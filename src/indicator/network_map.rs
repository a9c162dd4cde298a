//! Address prefixes and what is kept for them, for the small lists: well-known infrastructure.

use std::collections::BTreeSet;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use ipnet::IpNet;

/// Things kept under prefixes.
///
/// One look-up for each length of prefix that there is: some twenty for the lists of a large cloud, however
/// long those are.
#[derive(Clone, Debug)]
pub(super) struct NetworkMap<T> {
    networks: HashMap<IpNet, T, FixedState>,
    /// The lengths of its prefixes of IPv4.
    lengths_v4: BTreeSet<u8>,
    /// The same of IPv6.
    lengths_v6: BTreeSet<u8>,
}

impl<T> Default for NetworkMap<T> {
    fn default() -> Self {
        Self { networks: HashMap::default(), lengths_v4: BTreeSet::new(), lengths_v6: BTreeSet::new() }
    }
}

impl<T: Default> NetworkMap<T> {
    /// What is kept under `network`, new if there was nothing.
    pub(super) fn entry(&mut self, network: IpNet) -> &mut T {
        let lengths = if network.addr().is_ipv6() { &mut self.lengths_v6 } else { &mut self.lengths_v4 };
        lengths.insert(network.prefix_len());
        self.networks.entry(network.trunc()).or_default()
    }
}

impl<T> NetworkMap<T> {
    /// What is kept under `network` and the prefixes around it, the widest first.
    pub(super) fn find<'s>(&'s self, network: IpNet, mut found: impl FnMut(&'s T)) {
        let lengths = if network.addr().is_ipv6() { &self.lengths_v6 } else { &self.lengths_v4 };
        for &length in lengths.range(..=network.prefix_len()) {
            let outer = IpNet::new(network.addr(), length).map(|outer| outer.trunc());
            outer.ok().and_then(|outer| self.networks.get(&outer)).into_iter().for_each(&mut found);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn finds_what_is_around_an_address() {
        let mut map = NetworkMap::<Vec<&str>>::default();
        for network in ["198.51.100.0/24", "198.51.100.7/32", "198.51.100.9/28", "2001:db8::/32", "0.0.0.0/0"]
        {
            map.entry(network.parse().unwrap()).push(network);
        }
        let around = |network: &str| {
            let mut found: Vec<&str> = Vec::new();
            map.find(network.parse().unwrap(), |kept| found.extend(kept));
            found
        };
        assert_eq!(
            around("198.51.100.7/32"),
            ["0.0.0.0/0", "198.51.100.0/24", "198.51.100.9/28", "198.51.100.7/32"]
        );
        assert_eq!(around("198.51.100.128/25"), ["0.0.0.0/0", "198.51.100.0/24"]);
        assert_eq!(around("198.51.0.0/16"), ["0.0.0.0/0"]);
        assert_eq!(around("2001:db8::1/128"), ["2001:db8::/32"]);
        assert!(around("2001:db9::/32").is_empty());
    }
}
