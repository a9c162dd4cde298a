//! Which name led this client to this address: learned from DNS answers, SNI, QUIC and Host; bounded.

mod answers;
mod index;
mod packed;
mod pairs;

use std::{net::IpAddr, ops::Range, sync::Arc};

pub use answers::{addresses_of_answer, addresses_of_outline};

use packed::Pair;
use pairs::PairTable;

use crate::{
    address::AddressWords,
    decode::Tenant,
    limits,
    observation::{DnsService, Observation, QuietDns, QuietHead, Seen},
    protocol::dns::{Name, NameBuf},
    time::{Nanos, SECOND, Timestamp},
};

/// How long after its TTL a DNS answer still names its address: clients keep connections, and caches
/// on the way add their own delay.
const GRACE: Nanos = 3600 * SECOND;

/// How long a name from SNI or Host names its address.
const HELLO_LIFETIME: Nanos = 3600 * SECOND;

/// The longest TTL that is believed, in seconds: seven days, as resolvers cap it (RFC 8767 section 4).
const LONGEST_TTL: i64 = 7 * 86_400;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named<'a> {
    /// The name, in the case in which it was seen.
    pub name: Name<'a>,
    /// Where it came from.
    pub source: NameSource,
}

/// A name and where it came from, for keeping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedBy {
    /// The name in lower case, escaped as DNS presentation form.
    pub name: Arc<str>,
    /// Where it came from.
    pub source: NameSource,
}

impl NamedBy {
    /// A host name from the wire in its normal form; `None` for an address or what cannot be a name.
    pub fn from_wire(text: &[u8], source: NameSource) -> Option<Self> {
        Some(Self { name: host_name(text)?.as_name().to_lower_text().into(), source })
    }
}

impl From<Named<'_>> for NamedBy {
    fn from(named: Named<'_>) -> Self {
        Self { name: named.name.to_lower_text().into(), source: named.source }
    }
}

/// Whom a name led where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Led<'a> {
    /// Whose network.
    pub tenant: Tenant,
    /// Who was led.
    pub client: AddressWords,
    /// Where to.
    pub address: AddressWords,
    /// By which name.
    pub name: Name<'a>,
}

/// The names that led clients to addresses; at most [`limits::NAMES`] pairs, those longest not learned go first.
#[derive(Debug)]
pub struct Names {
    pairs: PairTable,
}

impl Default for Names {
    fn default() -> Self {
        Self::with_capacity(limits::NAMES)
    }
}

impl Names {
    /// An empty table for at most `capacity` pairs.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { pairs: PairTable::new(capacity) }
    }

    /// Learns from an observation, if it names something.
    ///
    /// DNS counts where it was asked by unicast. SNI and Host name the flow's server only where it is the
    /// one that is spoken to: not behind a proxy. They are the client's own words: a name of which `may_be_listed`
    /// holds, and that DNS led there by, is not covered up by one of which it does not.
    pub fn learn(&mut self, observation: &Observation<'_>, may_be_listed: &dyn Fn(Name<'_>) -> bool) {
        let head = observation.head;
        let tuple = &head.flow.tuple;
        let pair = Pair {
            tenant: head.flow.tenant,
            client: tuple.client.address.into(),
            address: tuple.server.address.into(),
        };
        match &observation.seen {
            Seen::Dns(dns) if dns.service == DnsService::Dns && dns.message.is_response() => {
                addresses_of_answer(&dns.message, &mut |name, address, ttl| {
                    self.answer(&Pair { address: address.into(), ..pair }, name, ttl, head.time);
                });
            }
            _ if head.relayed => {}
            Seen::TlsClient(hello) => {
                let said = (hello.sni.as_deref(), hello.ech, NameSource::Sni);
                self.said(&pair, said, head.time, may_be_listed);
            }
            Seen::UnlistedHello(hello) => {
                self.said(&pair, (hello.sni, hello.ech, NameSource::Sni), head.time, may_be_listed);
            }
            Seen::Quic(quic) => {
                let said = (quic.hello.sni.as_deref(), quic.hello.ech, NameSource::Quic);
                self.said(&pair, said, head.time, may_be_listed);
            }
            Seen::HttpRequest(request) if !request.is_to_proxy() => {
                let said = (request.host_name(), false, NameSource::Host);
                self.said(&pair, said, head.time, may_be_listed);
            }
            _ => {}
        }
    }

    /// Asks for the memory that learning from these messages will touch: all of them wait for it together, and not
    /// each for itself.
    pub fn prefetch<'q>(&self, messages: impl Iterator<Item = QuietDns<'q>>) {
        let mut count = 0;
        for quiet in messages {
            let QuietHead { tenant, client, .. } = *quiet.about;
            for &(address, _) in quiet.addresses {
                self.pairs.prefetch(&Pair { tenant, client, address }, count);
                count += 1;
            }
        }
    }

    /// Learns from a DNS message of which there was nothing to detect.
    #[inline]
    pub fn learn_quiet(&mut self, quiet: &QuietDns<'_>) {
        let QuietHead { time, tenant, client, .. } = *quiet.about;
        for &(address, ttl) in quiet.addresses {
            self.answer(&Pair { tenant, client, address }, quiet.name, ttl, time);
        }
    }

    /// An answer to `pair`'s client, asked for at `time`.
    #[inline]
    fn answer(&mut self, pair: &Pair, name: Name<'_>, ttl: u32, time: Timestamp) {
        let ttl = i64::from(ttl).min(LONGEST_TTL) * SECOND;
        self.pairs.put(pair, name, NameSource::Dns, time.plus(ttl).plus(GRACE));
    }

    /// What the client itself calls the server. Where its hello offers an encrypted name, the outer one says less than
    /// DNS.
    fn said(
        &mut self,
        pair: &Pair,
        (name, ech, source): (Option<&[u8]>, bool, NameSource),
        time: Timestamp,
        may_be_listed: &dyn Fn(Name<'_>) -> bool,
    ) {
        let Some(name) = name.and_then(host_name) else { return };
        let name = name.as_name();
        let covers_up = |known: Name<'_>| known != name && may_be_listed(known) && !may_be_listed(name);
        let known = self.pairs.get(pair, time).filter(|known| known.source == NameSource::Dns);
        if known.is_none_or(|known| !ech && !covers_up(known.name)) {
            self.pairs.put(pair, name, source, time.plus(HELLO_LIFETIME));
        }
    }

    /// The name that led `client` to `address`, if one is known at `time`.
    pub fn name_of(
        &self,
        tenant: Tenant,
        client: IpAddr,
        address: IpAddr,
        time: Timestamp,
    ) -> Option<Named<'_>> {
        self.pairs.get(&Pair { tenant, client: client.into(), address: address.into() }, time)
    }

    /// What is known at these of the [`Names::places`], also what holds no longer but was not yet put out. What is
    /// learned later may stand at any place.
    pub fn led(&self, places: Range<usize>) -> impl Iterator<Item = Led<'_>> {
        self.pairs.all(places).map(|(Pair { tenant, client, address }, name)| Led {
            tenant,
            client,
            address,
            name,
        })
    }

    /// How many places for names there are so far.
    pub fn places(&self) -> usize {
        self.pairs.places()
    }

    /// How many pairs are known.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Pairs that were forgotten because the table was full.
    pub fn evicted(&self) -> u64 {
        self.pairs.evicted()
    }
}

/// A host name from the wire in its normal form; `None` for an address or what cannot be a name.
fn host_name(text: &[u8]) -> Option<NameBuf> {
    // An address has a colon, or ends in a digit, perhaps in a bracket.
    if text.last().is_none_or(|last| last.is_ascii_digit() || *last == b']') || text.contains(&b':') {
        let plain = std::str::from_utf8(text).unwrap_or_default();
        if plain.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
            return None;
        }
    }
    NameBuf::from_text(text)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
