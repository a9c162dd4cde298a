//! Which name led this client to this address: learned from DNS answers, SNI, QUIC and Host; bounded.

mod answers;

use std::{net::IpAddr, sync::Arc};

pub use answers::addresses_of_answer;

use crate::{
    bounded::BoundedMap,
    decode::Tenant,
    limits,
    observation::{Observation, Seen},
    protocol::dns::NameBuf,
    time::{Nanos, SECOND, Timestamp},
};

/// How long after its TTL a DNS answer still names its address: clients keep connections, and caches
/// on the way add their own delay.
const GRACE: Nanos = 3600 * SECOND;

/// How long a name from SNI or Host names its address.
const HELLO_LIFETIME: Nanos = 3600 * SECOND;

/// Where a name came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NameSource {
    /// An HTTP Host field.
    Host,
    /// A QUIC client's server name.
    Quic,
    /// A TLS client's server name.
    Sni,
    /// A DNS answer to this client.
    Dns,
}

impl NameSource {
    /// The source's name in events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Quic => "quic",
            Self::Sni => "sni",
            Self::Dns => "dns",
        }
    }
}

/// A name and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedBy {
    /// The name in lower case, escaped as DNS presentation form.
    pub name: Arc<str>,
    /// Where it came from.
    pub source: NameSource,
}

/// Who asks about whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Pair {
    tenant: Tenant,
    client: IpAddr,
    address: IpAddr,
}

#[derive(Debug)]
struct Entry {
    named: NamedBy,
    until: Timestamp,
}

/// The names that led clients to addresses; at most [`limits::NAMES`] pairs, those longest not learned go first.
#[derive(Debug)]
pub struct Names {
    pairs: BoundedMap<Pair, Entry>,
}

impl Default for Names {
    fn default() -> Self {
        Self::with_capacity(limits::NAMES)
    }
}

impl Names {
    /// An empty table for at most `capacity` pairs.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { pairs: BoundedMap::new(capacity) }
    }

    /// Learns from an observation, if it names something.
    pub fn learn(&mut self, observation: &Observation<'_>) {
        let head = observation.head;
        let tuple = &head.flow.tuple;
        let pair =
            Pair { tenant: head.flow.tenant, client: tuple.client.address, address: tuple.server.address };
        let until = head.time.plus(HELLO_LIFETIME);
        match &observation.seen {
            Seen::Dns(dns) if dns.message.is_response() => {
                addresses_of_answer(&dns.message, &mut |name, address, ttl| {
                    let until = head.time.plus(i64::from(ttl).saturating_mul(SECOND)).plus(GRACE);
                    let named = NamedBy { name: name.into(), source: NameSource::Dns };
                    self.put(Pair { address, ..pair }, named, until);
                });
            }
            Seen::TlsClient(hello) => {
                if let Some(name) = hello.sni.as_deref().and_then(host_name) {
                    self.put(pair, NamedBy { name, source: NameSource::Sni }, until);
                }
            }
            Seen::Quic(quic) => {
                if let Some(name) = quic.hello.sni.as_deref().and_then(host_name) {
                    self.put(pair, NamedBy { name, source: NameSource::Quic }, until);
                }
            }
            Seen::HttpRequest(request) => {
                if let Some(name) = request.host_name().and_then(host_name) {
                    self.put(pair, NamedBy { name, source: NameSource::Host }, until);
                }
            }
            _ => {}
        }
    }

    /// The name that led `client` to `address`, if one is known at `time`.
    pub fn name_of(
        &self,
        tenant: Tenant,
        client: IpAddr,
        address: IpAddr,
        time: Timestamp,
    ) -> Option<&NamedBy> {
        let entry = self.pairs.get(&Pair { tenant, client, address })?;
        (entry.until >= time).then_some(&entry.named)
    }

    /// How many pairs are known.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// Pairs that were forgotten because the table was full.
    pub fn evicted(&self) -> u64 {
        self.pairs.evicted()
    }

    fn put(&mut self, pair: Pair, named: NamedBy, until: Timestamp) {
        let fresh = || Entry { named: named.clone(), until };
        let known = self.pairs.touch_or_insert(pair, fresh, |_, _| ());
        if known.named.name == named.name && known.named.source > named.source {
            // The same name from a lesser source confirms what DNS said and adds nothing.
            known.until = known.until.max(until);
        } else {
            *known = Entry { named, until };
        }
    }
}

/// A host name from the wire in its normal form; `None` for an address or what cannot be a name.
fn host_name(text: &[u8]) -> Option<Arc<str>> {
    let plain = std::str::from_utf8(text).unwrap_or_default();
    if plain.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
        return None;
    }
    NameBuf::from_text(text).map(|name| name.to_string().to_ascii_lowercase().into())
}
