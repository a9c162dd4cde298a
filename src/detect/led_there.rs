//! Whom a name that may be listed led where: what the names of flows are asked by.

use crate::{
    address::AddressWords,
    decode::Tenant,
    flow::{FiveTuple, WordHash},
    names::Names,
    observation::FlowIdentity,
    protocol::dns::Name,
};

/// Words of the bitmap: 8 KiB, which stay near.
const WORDS: usize = 1 << 10;

/// Names that are looked at again at a time when other indicators came: about as long as a batch of frames takes.
const LOOKED_AT: usize = 1 << 10;

/// The pairs of an asset and an address to which a name that may be listed led it. It answers "perhaps" of some more,
/// of all when there were many thousands, and never forgets.
#[derive(Debug)]
pub struct LedThere {
    bits: Vec<u64>,
    /// Where the look goes on through the names that were known before the indicators of now; `None` when all were
    /// looked at. As long as some were not, it answers "perhaps" of every pair.
    unread: Option<usize>,
}

impl Default for LedThere {
    fn default() -> Self {
        Self { bits: vec![0; WORDS], unread: None }
    }
}

impl LedThere {
    /// Notes that a name that may be listed led the flow's client to `address`.
    pub fn add(&mut self, flow: &FlowIdentity, address: AddressWords) {
        self.add_pair(flow.tenant, flow.tuple.client.address.into(), address);
    }

    /// Notes that a name led `client` to `address`.
    pub fn add_pair(&mut self, tenant: Tenant, client: AddressWords, address: AddressWords) {
        let (word, bit) = place(tenant, client, address);
        self.bits.get_mut(word).into_iter().for_each(|bits| *bits |= bit);
    }

    /// `false` only when no such name led either end of the flow to the other.
    #[inline]
    pub fn may_hold(&self, flow: &FlowIdentity) -> bool {
        let FiveTuple { client, server, .. } = &flow.tuple;
        let (word, bit) = place(flow.tenant, client.address.into(), server.address.into());
        self.unread.is_some() || self.bits.get(word).is_none_or(|bits| bits & bit != 0)
    }

    /// Other indicators have come: what was noted goes by the earlier ones, and the names that are known are to be
    /// looked at again.
    pub fn begin_generation(&mut self) {
        self.bits.fill(0);
        self.unread = Some(0);
    }

    /// Looks at some more of the names that were known when other indicators came; `may_list` asks these. To be called
    /// now and then: all at once would hold up the traffic.
    pub fn look_again(&mut self, names: &Names, may_list: impl Fn(Name<'_>) -> bool) {
        let Some(start) = self.unread else { return };
        let next = start + LOOKED_AT;
        for led in names.led(start..next).filter(|led| may_list(led.name)) {
            self.add_pair(led.tenant, led.client, led.address);
        }
        // What comes behind, or is put in place of another one, is learned under the indicators of now.
        self.unread = (next < names.places()).then_some(next);
    }
}

/// The same for both directions.
#[inline]
fn place(tenant: Tenant, one: AddressWords, other: AddressWords) -> (usize, u64) {
    let ([high, low], [other_high, other_low]) = (one.words(), other.words());
    let hash = WordHash::from(tenant.key).with(low ^ other_low).with(high ^ other_high).finish();
    ((hash >> 32) as usize % WORDS, 1 << (hash & 63))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{decode::VlanStack, flow::Endpoint};

    fn flow(client: &str, server: &str, tenant: u64) -> FlowIdentity {
        let end = |address: &str| Endpoint { address: address.parse().unwrap(), port: 443 };
        FlowIdentity {
            id: 1,
            tuple: FiveTuple { client: end(client), server: end(server), protocol: 6 },
            tenant: Tenant { key: tenant, ..Tenant::default() },
            vlan: VlanStack::default(),
            tunnel: None,
        }
    }

    #[test]
    fn what_was_noted_is_held_either_way_and_little_else() {
        let mut led_there = LedThere::default();
        let asked = flow("10.0.0.5", "10.0.0.53", 7);
        for address in ["192.0.2.1", "2001:db8::1"] {
            let address: std::net::IpAddr = address.parse().unwrap();
            assert!(!led_there.may_hold(&flow("10.0.0.5", &address.to_string(), 7)));
            led_there.add(&asked, address.into());
            assert!(led_there.may_hold(&flow("10.0.0.5", &address.to_string(), 7)));
            assert!(led_there.may_hold(&flow(&address.to_string(), "10.0.0.5", 7)));
            assert!(!led_there.may_hold(&flow("10.0.0.5", &address.to_string(), 8)), "another network");
        }
        let held = (0..1000).filter(|number| {
            led_there.may_hold(&flow("10.0.0.5", &format!("198.51.{}.{}", number / 250, number % 250), 7))
        });
        assert!(held.count() < 5);
    }
}
