//! Tunnels and exfiltration in DNS names: who asks for ever new names below one domain, and carries data by it.
//!
//! Of every question only numbers come here ([`super::new_names`]); names that an asset keeps inventing below one
//! ending are counted exactly, by asset and registered domain, and also for all assets of a network together, so
//! that machines that live for minutes are one channel. Traffic is judged whenever it has grown by a quarter, and
//! told when it first looks like a tunnel, when more can be said, when it is four times as much, and at its end.

mod shape;
mod tells;
mod traffic;
mod verdict;

use std::net::IpAddr;

use hashbrown::HashMap;

pub use shape::is_foreign;
pub use traffic::{is_rare, is_seldom};
pub use verdict::Circumstances;

use self::{
    traffic::Traffic,
    verdict::{LEAST_NAMES, Verdict, judge},
};
use super::{domain::Registered, questions::DnsMessage};
use crate::{
    bounded::BoundedMap,
    decode::Tenant,
    indicator::{Rung, Severity},
    limits,
    protocol::dns::Name,
    time::{Nanos, SECOND, Timestamp},
};

/// Without a question for so long, traffic is over.
const IDLE: Nanos = 1800 * SECOND;

/// How often traffic that is over is looked for.
const SWEEP: Nanos = 60 * SECOND;

/// Assets of one domain that are told apart.
const POOLED_ASSETS: usize = 64;

/// Whose traffic: an asset's, or all assets' of a network together; with which domain, by its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    tenant: Tenant,
    asset: Option<IpAddr>,
    domain: u64,
}

/// Traffic with what was said of it.
#[derive(Debug)]
struct Followed {
    traffic: Traffic,
    /// Names at which it is judged next.
    next: u64,
    told: Option<Told>,
    /// Of all assets' traffic: how many names each has asked for.
    assets: HashMap<IpAddr, u64, foldhash::fast::FixedState>,
    circumstances: Circumstances,
    /// The packet of the last question, and the server's port.
    packet: u64,
    port: u16,
    over_tcp: bool,
}

#[derive(Clone, Copy, Debug)]
struct Told {
    severity: Severity,
    rung: Option<Rung>,
    queries: u64,
}

/// What is told of one asset's traffic.
#[derive(Debug)]
pub struct Tunnel<'t> {
    pub tenant: Tenant,
    pub asset: IpAddr,
    pub server: IpAddr,
    pub port: u16,
    pub over_tcp: bool,
    /// Time and packet of the last question.
    pub time: Timestamp,
    pub packet: u64,
    pub domain: Name<'t>,
    pub queries: u64,
    pub distinct_names: u64,
    pub bytes_out: u64,
    pub bytes_in: u64,
    pub types: Vec<(u16, u64)>,
    /// Whether the server is none that the asset is expected to ask.
    pub past_resolver: bool,
    pub severity: Severity,
    pub confidence: u8,
    pub rung: Option<Rung>,
    pub tool: Option<&'static str>,
    pub why: Vec<String>,
}

/// All traffic that is followed.
#[derive(Debug)]
pub struct Tunnels {
    followed: BoundedMap<Key, Box<Followed>>,
    next_sweep: Option<Timestamp>,
}

impl Default for Tunnels {
    fn default() -> Self {
        Self { followed: BoundedMap::new(limits::TUNNEL_DOMAINS), next_sweep: None }
    }
}

/// A question or answer that is to be counted.
#[derive(Clone, Copy)]
pub struct Counted<'m> {
    pub message: &'m DnsMessage<'m>,
    pub registered: Registered<'m>,
    /// The hash of the whole name.
    pub name: u64,
    /// The hash of the registered domain.
    pub domain: u64,
}

impl Tunnels {
    /// Takes a question in; `told` is called with what is to be told. `is_pooled` counts it for all assets together.
    pub fn question(
        &mut self,
        counted: &Counted<'_>,
        is_pooled: bool,
        circumstances: impl FnOnce() -> Circumstances,
        told: &mut dyn FnMut(Tunnel<'_>),
    ) {
        let Counted { message, name, domain, .. } = *counted;
        let (tenant, client) = (message.tenant, IpAddr::from(message.client));
        let together = is_pooled.then(|| self.pool(counted, client, told)).flatten();
        if let Some(together) = together {
            self.tell_all(tenant, domain, together, told);
        }
        let followed = self.follow(Key { tenant, asset: Some(client), domain }, counted, told);
        followed.traffic.question(message, name);
        (followed.packet, followed.port, followed.over_tcp) =
            (message.packet, message.port, message.over_tcp);
        let names = followed.traffic.distinct;
        if names < followed.next && together.is_none() {
            return;
        }
        followed.next = (names + names / 4).max(names + 4).max(LEAST_NAMES);
        followed.circumstances = Circumstances { together, ..circumstances() };
        if let Some(verdict) = judge(&followed.traffic, &followed.circumstances)
            && followed.is_news(&verdict)
        {
            told(followed.tunnel(tenant, client, verdict));
        }
    }

    /// Takes an answer in, where the question's traffic is followed; whether it is.
    pub fn answer(&mut self, counted: &Counted<'_>) -> bool {
        let Counted { message, domain, .. } = *counted;
        let key = Key { tenant: message.tenant, asset: Some(message.client.into()), domain };
        let Some(followed) = self.followed.get_mut(&key) else { return false };
        followed.traffic.answer(message);
        true
    }

    /// Notes that `asset` opened a flow to an address that a name below the domain gave.
    pub fn contacted(&mut self, tenant: Tenant, asset: IpAddr, domain: u64) {
        if let Some(followed) = self.followed.get_mut(&Key { tenant, asset: Some(asset), domain }) {
            followed.traffic.contacts += 1;
        }
    }

    /// Lets packet time go on: traffic that is over is told a last time.
    pub fn advance(&mut self, now: Timestamp, told: &mut dyn FnMut(Tunnel<'_>)) {
        if self.next_sweep.is_none_or(|next| now >= next) {
            self.next_sweep = Some(now.plus(SWEEP));
            let is_over = |followed: &Followed| now.since(followed.traffic.last) > IDLE;
            let over = self.followed.take_where(|_, followed| is_over(followed));
            over.into_iter().for_each(|(key, followed)| followed.end(&key, told));
        }
    }

    /// Whether [`Tunnels::advance`] has anything to do.
    #[inline]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.next_sweep.is_none_or(|next| now >= next)
    }

    /// The end of input: everything is over.
    pub fn finish(&mut self, told: &mut dyn FnMut(Tunnel<'_>)) {
        let over = self.followed.take_where(|_, _| true);
        over.into_iter().for_each(|(key, followed)| followed.end(&key, told));
    }

    /// Whether no traffic is followed.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.followed.is_empty()
    }

    /// Traffic that is followed.
    pub fn len(&self) -> usize {
        self.followed.len()
    }

    /// Traffic that was forgotten because there was too much.
    pub fn evicted(&self) -> u64 {
        self.followed.evicted()
    }

    /// Counts a question for all assets together. Where that looks like a tunnel which no asset alone makes up, how
    /// many assets and names.
    fn pool(
        &mut self,
        counted: &Counted<'_>,
        client: IpAddr,
        told: &mut dyn FnMut(Tunnel<'_>),
    ) -> Option<(u64, u64)> {
        let key = Key { tenant: counted.message.tenant, asset: None, domain: counted.domain };
        let followed = self.follow(key, counted, told);
        let before = followed.traffic.distinct;
        followed.traffic.question(counted.message, counted.name);
        let names = followed.traffic.distinct;
        if followed.assets.len() < POOLED_ASSETS || followed.assets.contains_key(&client) {
            *followed.assets.entry(client).or_default() += names - before;
        }
        let most = followed.assets.values().max().copied().unwrap_or_default();
        let is_shared = followed.assets.len() >= 2 && most * 10 <= names * 7;
        if !is_shared || names < followed.next {
            return None;
        }
        let together = Some((followed.assets.len() as u64, names));
        let verdict = judge(&followed.traffic, &Circumstances { together, ..Circumstances::default() });
        let is_tunnel = verdict.is_some_and(|verdict| verdict.severity >= Severity::Medium);
        followed.next = if is_tunnel { names } else { (names + names / 8).max(names + 1) };
        together.filter(|_| is_tunnel)
    }

    /// Tells of each asset what has come to light by all together.
    fn tell_all(
        &mut self,
        tenant: Tenant,
        domain: u64,
        together: (u64, u64),
        told: &mut dyn FnMut(Tunnel<'_>),
    ) {
        let Some(pool) = self.followed.get(&Key { tenant, asset: None, domain }) else { return };
        let mut assets: Vec<_> = pool.assets.keys().copied().collect();
        assets.sort_unstable();
        for asset in assets {
            let Some(followed) = self.followed.get_mut(&Key { tenant, asset: Some(asset), domain }) else {
                continue;
            };
            followed.circumstances.together = Some(together);
            if followed.told.is_none()
                && let Some(verdict) = judge(&followed.traffic, &followed.circumstances)
                && followed.is_news(&verdict)
            {
                told(followed.tunnel(tenant, asset, verdict));
            }
        }
    }

    fn follow(&mut self, key: Key, counted: &Counted<'_>, told: &mut dyn FnMut(Tunnel<'_>)) -> &mut Followed {
        let Registered { domain, is_delegated } = counted.registered;
        let fresh = || {
            let traffic = Traffic::new(domain, is_delegated, counted.message.time);
            Box::new(Followed {
                traffic,
                next: LEAST_NAMES,
                told: None,
                assets: HashMap::default(),
                circumstances: Circumstances::default(),
                packet: 0,
                port: 0,
                over_tcp: false,
            })
        };
        self.followed.touch_or_insert(key, fresh, |key, evicted| evicted.end(&key, told))
    }
}

impl Followed {
    /// Whether the verdict says more than what was told before; then it counts as told.
    fn is_news(&mut self, verdict: &Verdict) -> bool {
        let queries = self.traffic.queries;
        let is_news = self.told.is_none_or(|told| {
            let has_grown = queries >= 4 * told.queries && verdict.severity > Severity::Low;
            verdict.severity > told.severity || verdict.rung > told.rung || has_grown
        });
        if is_news {
            self.told = Some(Told { severity: verdict.severity, rung: verdict.rung, queries });
        }
        is_news
    }

    /// Says the last word, where that is more than was said.
    fn end(mut self: Box<Self>, key: &Key, told: &mut dyn FnMut(Tunnel<'_>)) {
        let Some(asset) = key.asset else { return };
        let Some(verdict) = judge(&self.traffic, &self.circumstances) else { return };
        let is_worth = verdict.severity > Severity::Low;
        let has_grown = self.told.is_some_and(|told| is_worth && self.traffic.queries > told.queries);
        if self.is_news(&verdict) || has_grown {
            told(self.tunnel(key.tenant, asset, verdict));
        }
    }

    fn tunnel(&self, tenant: Tenant, asset: IpAddr, verdict: Verdict) -> Tunnel<'_> {
        let Verdict { severity, confidence, rung, why, tool } = verdict;
        let traffic = &self.traffic;
        Tunnel {
            tenant,
            asset,
            server: traffic.server.unwrap_or(asset),
            port: self.port,
            over_tcp: self.over_tcp,
            time: traffic.last,
            packet: self.packet,
            domain: traffic.domain.as_name(),
            queries: traffic.queries,
            distinct_names: traffic.distinct,
            bytes_out: traffic.bytes_out,
            bytes_in: traffic.bytes_in,
            types: traffic.types(),
            past_resolver: self.circumstances.past_resolver.is_some(),
            severity,
            confidence,
            rung,
            tool,
            why,
        }
    }
}
