//! All that is detected by who asks whom for which names.
//!
//! Every DNS message comes here, nearly all of them as a few numbers ([`QuietDns`]). The sieve passes over what
//! says nothing; the rest is looked at by the detectors of tunnels, of generated domains and of resolvers.

use std::net::IpAddr;

use super::{
    dga::Generation,
    dns_tunnel::{Circumstances, Counted, Tunnel, Tunnels, is_foreign, is_rare, is_seldom},
    domain::Registered,
    finding::Finding,
    led_there::LedThere,
    new_names::NewNames,
    questions_told as told,
    resolvers::{ENCRYPTED_PORT, Resolvers, Standing},
    shared_endings::SharedEndings,
};
use crate::{
    address::AddressWords,
    asset::Assets,
    bounded::BoundedMap,
    decode::Tenant,
    indicator::{AllowSubject, Knowledge, folded_hash, name_ending},
    limits,
    names::{Names, addresses_of_answer},
    observation::{DnsFacts, DnsSeen, DnsService, Head, Observation, QuietDns, QuietHead, Seen},
    protocol::dns::{Name, NameScratch},
    time::Timestamp,
};

/// What the counter of an asset and an ending must say for its names to be counted exactly: so many new names.
const WATCHED: u8 = 8;
/// The same for all assets together.
const POOLED: u8 = 16;
/// The same for an asset and a server, whatever the ending: names under no domain have none.
const UNDER_NO_DOMAIN: u8 = 48;
/// Bytes of a name that few have.
const LONG: usize = 56;
/// What a new name counts that is long, or for which a seldom type is asked.
const HEAVY: u8 = 4;

/// What stands for a machine's resolvers at home in a hash.
const AT_HOME: u64 = 1 << 62;

/// The response code of names that do not exist.
const NXDOMAIN: u8 = 3;

/// A DNS message as the detectors of names see it, however it was told.
#[derive(Clone, Copy, Debug)]
pub struct DnsMessage<'a> {
    pub packet: u64,
    pub time: Timestamp,
    pub tenant: Tenant,
    pub client: AddressWords,
    pub server: AddressWords,
    pub port: u16,
    pub over_tcp: bool,
    pub is_response: bool,
    pub facts: DnsFacts,
    pub name: Name<'a>,
    pub addresses: &'a [(AddressWords, u32)],
}

impl<'a> From<&QuietDns<'a>> for DnsMessage<'a> {
    #[inline]
    fn from(quiet: &QuietDns<'a>) -> Self {
        let QuietHead { time, tenant, client, server, port, is_response, facts } = *quiet.about;
        let QuietDns { packet, name, addresses, .. } = *quiet;
        Self {
            packet,
            time,
            tenant,
            client,
            server,
            port,
            over_tcp: false,
            is_response,
            facts,
            name,
            addresses,
        }
    }
}

/// What the detectors may look at besides the message.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    pub assets: &'a Assets,
    pub names: &'a Names,
    pub knowledge: &'a Knowledge,
}

/// Why a message is looked at; a bit for each reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sifted(u8);

impl Sifted {
    /// The machine asks this server for the first time, as far as is remembered.
    const NEW_SERVER: u8 = 1;
    /// A name that does not exist, below an ending of which that was not heard lately.
    const NEW_FAILURE: u8 = 2;
    /// The machine has asked for enough new names below this ending.
    const WATCHED: u8 = 4;
    /// All machines together have.
    const POOLED: u8 = 8;
    /// The machine has asked this server for enough new names of whatever ending.
    const UNDER_NO_DOMAIN: u8 = 16;
    /// Something is to be done whatever the message.
    const DUE: u8 = 32;

    #[inline]
    const fn when(reason: u8, holds: bool) -> u8 {
        if holds { reason } else { 0 }
    }

    #[inline]
    const fn has(self, reasons: u8) -> bool {
        self.0 & reasons != 0
    }
}

/// What was done, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuestionCounters {
    /// (Asset, domain) pairs that are followed.
    pub followed: u64,
    /// Those that were forgotten because there were too many.
    pub followed_evicted: u64,
    /// Machines whose failing names were forgotten because there were too many.
    pub failing_evicted: u64,
    /// Machines and servers of which it was forgotten who asks whom.
    pub resolvers_evicted: u64,
    /// Questions that the allow list kept back.
    pub allowed: u64,
}

/// The detectors of names.
#[derive(Debug)]
pub struct Questions {
    sieve: NewNames,
    shared: SharedEndings,
    tunnels: Tunnels,
    generation: Generation,
    resolvers: Resolvers,
    /// To whom encrypted DNS was told of.
    encrypted: BoundedMap<(Tenant, IpAddr, u64), ()>,
    /// Whom names below followed domains led where.
    led_there: LedThere,
    allowed: u64,
}

impl Default for Questions {
    fn default() -> Self {
        Self {
            sieve: NewNames::default(),
            shared: SharedEndings::default(),
            tunnels: Tunnels::default(),
            generation: Generation::default(),
            resolvers: Resolvers::default(),
            encrypted: BoundedMap::new(limits::RESOLVER_CLIENTS),
            led_there: LedThere::default(),
            allowed: 0,
        }
    }
}

impl Questions {
    /// Sifts a message that was told in numbers; what makes it worth a look, if anything does.
    #[inline(always)]
    pub fn sift_quiet(&mut self, quiet: &QuietDns<'_>) -> Option<Sifted> {
        let sifted = self.sift(quiet.about, quiet.name);
        (sifted != Sifted::default()).then_some(sifted)
    }

    /// Looks at a message that was told in numbers.
    pub fn quiet(
        &mut self,
        quiet: &QuietDns<'_>,
        sifted: Sifted,
        scene: &Scene<'_>,
        found: &mut dyn FnMut(Finding),
    ) {
        self.look(&quiet.into(), sifted, scene, found);
    }

    /// Whether there may be something to say of a flow's beginning.
    #[inline]
    pub fn asks_about_flow(&self, head: &Head) -> bool {
        head.flow.tuple.server.port == ENCRYPTED_PORT || self.led_there.may_hold(&head.flow)
    }

    /// Takes in whatever else was observed: messages told in full, flows, hellos.
    pub fn observe(
        &mut self,
        observation: &Observation<'_>,
        scene: &Scene<'_>,
        found: &mut dyn FnMut(Finding),
    ) {
        match &observation.seen {
            Seen::Dns(dns) if dns.service == DnsService::Dns => {
                self.message(observation.head, dns, scene, found)
            }
            Seen::FlowOpened(_) => self.flow_opened(observation.head, scene, found),
            Seen::UnlistedHello(hello) if hello.is_resolver => {
                self.hello(observation.head, hello.sni, "HTTPS", scene, found);
            }
            Seen::TlsClient(hello) => {
                self.hello(observation.head, hello.sni.as_deref(), "HTTPS", scene, found)
            }
            Seen::Quic(quic) => {
                let is_doq = quic.hello.alpn.iter().any(|protocol| protocol.starts_with(b"doq"));
                let sni = quic.hello.sni.as_deref();
                if is_doq {
                    self.encrypted(observation.head, sni, "QUIC", scene, found);
                } else {
                    self.hello(observation.head, sni, "HTTPS", scene, found);
                }
            }
            _ => {}
        }
    }

    /// The end of input.
    pub fn finish(&mut self, scene: &Scene<'_>, found: &mut dyn FnMut(Finding)) {
        self.tunnels.finish(&mut |tunnel| found(told::tunnel(tunnel, scene.assets)));
    }

    /// What was done so far.
    pub fn counters(&self) -> QuestionCounters {
        QuestionCounters {
            followed: self.tunnels.len() as u64,
            followed_evicted: self.tunnels.evicted(),
            failing_evicted: self.generation.evicted(),
            resolvers_evicted: self.resolvers.evicted() + self.encrypted.evicted(),
            allowed: self.allowed,
        }
    }

    /// A message that was told in full: the same numbers are made of it.
    fn message(&mut self, head: &Head, dns: &DnsSeen<'_>, scene: &Scene<'_>, found: &mut dyn FnMut(Finding)) {
        let mut scratch = NameScratch::new();
        let Some(question) = dns.message.questions().next() else { return };
        let Ok(name) = question.name.unpack(&mut scratch) else { return };
        let facts = DnsFacts::of_message(&dns.message, &question, name, name_ending(name));
        let is_response = dns.message.is_response();
        let mut addresses = Vec::new();
        if is_response {
            addresses_of_answer(&dns.message, &mut |_, address, ttl| addresses.push((address.into(), ttl)));
        }
        let tuple = &head.flow.tuple;
        let (client, server) = (tuple.client.address.into(), tuple.server.address.into());
        let (time, tenant, port) = (head.time, head.flow.tenant, tuple.server.port);
        let about = QuietHead { time, tenant, client, server, port, is_response, facts };
        let packet = head.order.packet;
        let quiet = QuietDns { packet, about: &about, name, addresses: &addresses };
        let sifted = self.sift(&about, name);
        let message = DnsMessage { over_tcp: dns.over_tcp, ..DnsMessage::from(&quiet) };
        self.look(&message, sifted, scene, found);
    }

    /// What makes the message worth a look.
    #[inline(always)]
    fn sift(&mut self, about: &QuietHead, name: Name<'_>) -> Sifted {
        if about.is_response {
            // Most answers, where nothing is followed that they could belong to.
            if self.tunnels.is_empty() && about.facts.code == 0 {
                return Sifted::default();
            }
        } else {
            // First, because the first time is what all hashes begin with.
            self.sieve.advance(about.time);
        }
        let machine = self.sieve.machine(about.tenant, about.client);
        let DnsFacts { ending, ending_at, .. } = about.facts;
        let ending = self.shared.counted_by(ending, ending_at, name);
        let asker = NewNames::with(machine, ending);
        if about.is_response {
            self.sift_answer(&about.facts, asker)
        } else {
            self.sift_question(about, name, (machine, ending, asker))
        }
    }

    #[inline(always)]
    fn sift_answer(&mut self, facts: &DnsFacts, asker: u64) -> Sifted {
        // Whatever else counts exactly is known when it is looked up.
        let is_watched = self.sieve.count(asker) >= WATCHED || is_seldom(facts.kind);
        let is_new_failure = facts.code == NXDOMAIN && self.sieve.is_first(NewNames::with(asker, 1));
        Sifted(Sifted::when(Sifted::WATCHED, is_watched) | Sifted::when(Sifted::NEW_FAILURE, is_new_failure))
    }

    #[inline(always)]
    fn sift_question(
        &mut self,
        about: &QuietHead,
        name: Name<'_>,
        (machine, ending, asker): (u64, u64, u64),
    ) -> Sifted {
        let QuietHead { time, tenant, server, ref facts, .. } = *about;
        let is_due = self.tunnels.is_due(time);
        let sieve = &mut self.sieve;
        let [_, server] = server.words();
        let of_server = NewNames::with(machine, server | 1 << 63);
        let is_new_server = facts.recursion_desired && sieve.is_first(of_server);
        let sifted = Sifted::when(Sifted::DUE, is_due) | Sifted::when(Sifted::NEW_SERVER, is_new_server);
        if facts.ending == 0 {
            return Sifted(sifted);
        }
        let is_new = sieve.is_new(asker, facts, name);
        let is_heavy = name.wire().len() >= LONG || is_seldom(facts.kind) && is_rare(facts.kind, name);
        if is_new && is_heavy {
            let more = self.sift_heavy(tenant, ending, of_server, asker);
            return Sifted(sifted | more);
        }
        let own = if is_new { sieve.raise(asker, 1) } else { sieve.count(asker) };
        Sifted(sifted | Sifted::when(Sifted::WATCHED, own >= WATCHED))
    }

    /// A new name that is long, or for which a seldom type is asked.
    #[cold]
    fn sift_heavy(&mut self, tenant: Tenant, ending: u64, of_server: u64, asker: u64) -> u8 {
        let sieve = &mut self.sieve;
        let all = NewNames::with(sieve.machine(tenant, AddressWords::default()), ending);
        let own = sieve.raise(asker, HEAVY) >= WATCHED;
        let pooled = sieve.raise(all, HEAVY) >= POOLED;
        let under_no_domain = sieve.raise(of_server, HEAVY) >= UNDER_NO_DOMAIN;
        Sifted::when(Sifted::WATCHED, own)
            | Sifted::when(Sifted::POOLED, pooled)
            | Sifted::when(Sifted::UNDER_NO_DOMAIN, under_no_domain)
    }

    /// Looks at a message.
    #[inline(never)]
    fn look(
        &mut self,
        message: &DnsMessage<'_>,
        sifted: Sifted,
        scene: &Scene<'_>,
        found: &mut dyn FnMut(Finding),
    ) {
        let Scene { assets, knowledge, .. } = *scene;
        let mut told = |tunnel: Tunnel<'_>| found(told::tunnel(tunnel, assets));
        self.tunnels.advance(message.time, &mut told);
        let (client, server) = (IpAddr::from(message.client), IpAddr::from(message.server));
        // What others ask of a server of ours says nothing of us.
        if !assets.is_home(client) && assets.is_home(server) {
            return;
        }
        if sifted.has(Sifted::NEW_SERVER) {
            self.new_server(message, scene, found);
        }
        let is_followed = sifted.has(Sifted::WATCHED | Sifted::POOLED | Sifted::UNDER_NO_DOMAIN);
        if !is_followed && !sifted.has(Sifted::NEW_FAILURE) {
            return;
        }
        let Some(registered) = Registered::of(message.name) else { return };
        if registered.domain.label_count() > 2 {
            self.shared.add(message.facts.ending);
        }
        let wire = registered.domain.wire();
        let domain =
            folded_hash(self.sieve.machine(message.tenant, AddressWords::default()), wire, 0, wire.len());
        let below = message.name.wire().len() - wire.len();
        let labels = Name::from_wire(message.name.wire().get(..below).unwrap_or_default());
        // What a search suffix was put behind is told by its own question.
        if sifted.has(Sifted::NEW_FAILURE)
            && !is_foreign(labels)
            && let Some(generated) = self.generation.failed(message, registered, domain)
        {
            found(told::generated(generated, message, assets));
        }
        let is_watched = sifted.has(Sifted::WATCHED | Sifted::POOLED) || registered.domain.is_root();
        if !is_followed || !is_watched || knowledge.indicators.has_search_suffix(message.name) {
            return;
        }
        let whole = message.name.wire();
        let counted =
            Counted { message, registered, name: folded_hash(domain, whole, 0, whole.len()), domain };
        if message.is_response {
            if self.tunnels.answer(&counted) {
                for &(address, _) in message.addresses {
                    self.led_there.add_pair(message.tenant, message.client, address);
                }
            }
            return;
        }
        let asset = assets.asset(client, message.tenant);
        let subject = AllowSubject {
            name: Some(message.name),
            address: None,
            port: None,
            protocol: None,
            detector: "dns_tunnel",
            group: asset.group.as_deref(),
            time: message.time,
        };
        if knowledge.allow.decision(&subject).is_some() {
            self.allowed += 1;
            return;
        }
        let standing = self.standing(message, scene);
        let circumstances = || {
            let past_resolver = match standing {
                Standing::Strange(own) => Some(told::past_resolver(server, own)),
                Standing::Expected | Standing::Public(_) => None,
            };
            Circumstances { past_resolver, together: None }
        };
        let mut told = |tunnel: Tunnel<'_>| found(told::tunnel(tunnel, assets));
        self.tunnels.question(&counted, sifted.has(Sifted::POOLED), circumstances, &mut told);
    }

    /// A machine asks a server that it did not ask before.
    fn new_server(&mut self, message: &DnsMessage<'_>, scene: &Scene<'_>, found: &mut dyn FnMut(Finding)) {
        let (tenant, client) = (message.tenant, IpAddr::from(message.client));
        let server = IpAddr::from(message.server);
        // That it has a resolver at home is enough to know of nearly every machine, unless the settings say more.
        if scene.assets.is_resolver(server).is_none() && scene.assets.is_home(server) {
            let machine = self.sieve.machine(tenant, message.client);
            if self.sieve.is_first(NewNames::with(machine, AT_HOME)) {
                self.resolvers.note_at_home(tenant, server);
            }
            return;
        }
        if !self.resolvers.note(tenant, client, server) {
            return;
        }
        let standing = self.standing(message, scene);
        let named = scene.names.name_of(tenant, client, server, message.time);
        if let Some(finding) = told::resolver(&standing, message, named, scene.assets) {
            found(finding);
        }
    }

    /// What the server is to the machine that asks it.
    fn standing(&self, message: &DnsMessage<'_>, scene: &Scene<'_>) -> Standing {
        let machine = self.sieve.machine(message.tenant, message.client);
        let is_at_home = self.sieve.knows(NewNames::with(machine, AT_HOME));
        let at_home = if is_at_home { self.resolvers.at_home(message.tenant) } else { None };
        let (client, server) = (message.client.into(), message.server.into());
        let public = &scene.knowledge.resolvers;
        self.resolvers.standing(message.tenant, client, server, at_home, scene.assets, public)
    }

    /// A flow to a port of encrypted DNS, or to where a name below a followed domain led.
    fn flow_opened(&mut self, head: &Head, scene: &Scene<'_>, found: &mut dyn FnMut(Finding)) {
        let tuple = &head.flow.tuple;
        if tuple.server.port == ENCRYPTED_PORT {
            let over = if tuple.protocol == told::UDP { "QUIC" } else { "TLS" };
            self.encrypted(head, None, over, scene, found);
        }
        if !self.led_there.may_hold(&head.flow) {
            return;
        }
        let (tenant, client) = (head.flow.tenant, tuple.client.address);
        let Some(named) = scene.names.name_of(tenant, client, tuple.server.address, head.time) else {
            return;
        };
        if let Some(registered) = Registered::of(named.name) {
            let wire = registered.domain.wire();
            let start = self.sieve.machine(tenant, AddressWords::default());
            self.tunnels.contacted(tenant, client, folded_hash(start, wire, 0, wire.len()));
        }
    }

    /// A TLS or QUIC hello, of which the name may be a public resolver's.
    fn hello(
        &mut self,
        head: &Head,
        sni: Option<&[u8]>,
        over: &'static str,
        scene: &Scene<'_>,
        found: &mut dyn FnMut(Finding),
    ) {
        let is_resolver = sni.is_some_and(|sni| told::operator_of(sni, scene.knowledge).is_some());
        if is_resolver && head.flow.tuple.server.port != ENCRYPTED_PORT {
            self.encrypted(head, sni, over, scene, found);
        }
    }

    /// Encrypted DNS to a server, told once of each machine and operator.
    fn encrypted(
        &mut self,
        head: &Head,
        sni: Option<&[u8]>,
        over: &'static str,
        scene: &Scene<'_>,
        found: &mut dyn FnMut(Finding),
    ) {
        let tuple = &head.flow.tuple;
        if head.relayed || !scene.assets.is_outbound(tuple) || scene.assets.is_home(tuple.server.address) {
            return;
        }
        let server = tuple.server.address;
        let by_name = sni.and_then(|sni| told::operator_of(sni, scene.knowledge));
        let operator = by_name.or_else(|| scene.knowledge.resolvers.by_address(server).cloned());
        let whom = operator.map_or_else(|| server.to_string(), |operator| operator.to_string());
        let key = folded_hash(over.len() as u64, whom.as_bytes(), 0, whom.len());
        let mut is_new = false;
        let key = (head.flow.tenant, tuple.client.address, key);
        self.encrypted.touch_or_insert(key, || is_new = true, |_, ()| ());
        if is_new {
            found(told::encrypted(head, over, &whom, scene.assets));
        }
    }
}

#[cfg(test)]
#[path = "questions_tests.rs"]
mod tests;
