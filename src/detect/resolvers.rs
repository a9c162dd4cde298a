//! Whom machines ask: questions that go past their resolvers, and resolvers that are asked where nobody can read.
//!
//! A machine's resolvers are those of the settings, those at home, public ones that are known, and whatever several
//! machines of its network ask. Another server on the Internet is strange. A machine that asks many servers, or that
//! asks without wanting recursion, is a resolver itself, and its questions say nothing.

use std::net::IpAddr;

use crate::{asset::Assets, bounded::BoundedMap, decode::Tenant, indicator::PublicResolvers, limits};

/// Machines that ask a server until it counts as a resolver of theirs.
const SHARED: u32 = 3;

/// The port of DNS over TLS and over QUIC (RFC 7858, RFC 9250).
pub const ENCRYPTED_PORT: u16 = 853;

/// What a server is to a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// One that it is expected to ask.
    Expected,
    /// A public resolver in place of its own, and whose.
    Public(String),
    /// One that nobody else asks, in place of its own, which is given.
    Strange(IpAddr),
}

/// Who asks whom.
#[derive(Debug)]
pub struct Resolvers {
    clients: BoundedMap<(Tenant, IpAddr), Client>,
    /// How many machines ask a server.
    servers: BoundedMap<(Tenant, IpAddr), u32>,
    /// The resolver at home that a network's machines began to ask last.
    at_home: BoundedMap<Tenant, IpAddr>,
}

#[derive(Debug, Default)]
struct Client {
    servers: Vec<IpAddr>,
    /// It asks so many that it is a resolver itself.
    is_resolver: bool,
}

impl Default for Resolvers {
    fn default() -> Self {
        Self {
            clients: BoundedMap::new(limits::RESOLVER_CLIENTS),
            servers: BoundedMap::new(limits::RESOLVER_CLIENTS),
            at_home: BoundedMap::new(limits::RESOLVER_CLIENTS),
        }
    }
}

impl Resolvers {
    /// Notes that `client` asks `server`; whether it did so for the first time.
    pub fn note(&mut self, tenant: Tenant, client: IpAddr, server: IpAddr) -> bool {
        let known = self.clients.touch_or_insert((tenant, client), Client::default, |_, _| ());
        if known.is_resolver || known.servers.contains(&server) {
            return false;
        }
        if known.servers.len() >= limits::RESOLVERS_OF_CLIENT {
            known.is_resolver = true;
            return false;
        }
        known.servers.push(server);
        *self.servers.touch_or_insert((tenant, server), || 0, |_, _| ()) += 1;
        true
    }

    /// Notes that a machine asks a server at home, where the settings do not say whom it shall ask.
    pub fn note_at_home(&mut self, tenant: Tenant, server: IpAddr) {
        *self.at_home.touch_or_insert(tenant, || server, |_, _| ()) = server;
    }

    /// A resolver at home of the machines of a network.
    pub fn at_home(&self, tenant: Tenant) -> Option<IpAddr> {
        self.at_home.get(&tenant).copied()
    }

    /// What `server` is to `client`, which asks `at_home` as well.
    pub fn standing(
        &self,
        tenant: Tenant,
        client: IpAddr,
        server: IpAddr,
        at_home: Option<IpAddr>,
        assets: &Assets,
        public: &PublicResolvers,
    ) -> Standing {
        let Some(known) = self.clients.get(&(tenant, client)).filter(|known| !known.is_resolver) else {
            return Standing::Expected;
        };
        let is_own = |server: IpAddr| {
            assets.is_resolver(server).unwrap_or_else(|| {
                assets.is_home(server)
                    || self.servers.get(&(tenant, server)).is_some_and(|&count| count >= SHARED)
            })
        };
        if is_own(server) {
            return Standing::Expected;
        }
        let mut known_servers = at_home.into_iter().chain(known.servers.iter().copied());
        let own = known_servers.find(|&other| other != server && is_own(other));
        let operator = public.by_address(server);
        match (own, operator) {
            (Some(_), Some(operator)) => Standing::Public(operator.to_string()),
            (Some(own), None) => Standing::Strange(own),
            // Who has been seen to ask a public resolver only has that for his own.
            (None, Some(_)) => Standing::Expected,
            (None, None) => {
                let other = known.servers.iter().find(|&&other| public.by_address(other).is_some());
                other.map_or(Standing::Expected, |&other| Standing::Strange(other))
            }
        }
    }

    /// Machines and servers that were forgotten because there were too many.
    pub fn evicted(&self) -> u64 {
        self.clients.evicted() + self.servers.evicted() + self.at_home.evicted()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indicator::load_builtin;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// What the last server is to a client that asked all of them.
    fn standing(servers: &[&str], assets: &Assets) -> Standing {
        let (mut resolvers, tenant) = (Resolvers::default(), Tenant::default());
        for server in servers {
            if assets.is_home(ip(server)) && assets.is_resolver(ip(server)).is_none() {
                resolvers.note_at_home(tenant, ip(server));
            } else {
                resolvers.note(tenant, ip("10.0.0.5"), ip(server));
            }
        }
        let public = load_builtin().resolvers;
        let at_home = resolvers.at_home(tenant);
        resolvers.standing(tenant, ip("10.0.0.5"), ip(servers.last().unwrap()), at_home, assets, &public)
    }

    #[test]
    fn a_server_that_nobody_else_asks_is_strange_beside_a_resolver() {
        let assets = Assets::default();
        let strange = |own| Standing::Strange(ip(own));
        assert_eq!(standing(&["10.0.0.2", "203.0.113.9"], &assets), strange("10.0.0.2"));
        assert_eq!(standing(&["8.8.8.8", "203.0.113.9"], &assets), strange("8.8.8.8"));
        assert_eq!(standing(&["203.0.113.9"], &assets), Standing::Expected, "perhaps its only resolver");
        assert_eq!(standing(&["10.0.0.2", "10.0.0.3"], &assets), Standing::Expected);
        assert!(matches!(standing(&["10.0.0.2", "1.1.1.1"], &assets), Standing::Public(_)));
        assert_eq!(standing(&["8.8.8.8", "1.1.1.1"], &assets), Standing::Expected);
    }

    #[test]
    fn settings_say_whose_resolvers_they_are() {
        let assets = Assets::default().with_resolvers(Some(vec![ip("203.0.113.9"), ip("10.0.0.2")]));
        assert_eq!(standing(&["10.0.0.2", "203.0.113.9"], &assets), Standing::Expected);
        assert_eq!(standing(&["10.0.0.2", "10.0.0.3"], &assets), Standing::Strange(ip("10.0.0.2")));
    }

    #[test]
    fn what_several_machines_ask_is_their_resolver() {
        let (mut resolvers, tenant) = (Resolvers::default(), Tenant::default());
        for client in ["10.0.0.5", "10.0.0.6", "10.0.0.7"] {
            assert!(resolvers.note(tenant, ip(client), ip("203.0.113.9")));
        }
        assert!(!resolvers.note(tenant, ip("10.0.0.5"), ip("203.0.113.9")), "known");
        let public = PublicResolvers::default();
        let asked = |client| {
            resolvers.standing(
                tenant,
                ip(client),
                ip("203.0.113.9"),
                Some(ip("10.0.0.2")),
                &Assets::default(),
                &public,
            )
        };
        assert_eq!(asked("10.0.0.5"), Standing::Expected);
    }

    #[test]
    fn who_asks_many_servers_is_a_resolver() {
        let servers: Vec<_> = (1..=20).map(|number| format!("203.0.113.{number}")).collect();
        let mut all = vec!["10.0.0.2"];
        all.extend(servers.iter().map(String::as_str));
        assert_eq!(standing(&all, &Assets::default()), Standing::Expected);
    }
}
