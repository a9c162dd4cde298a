//! Well-known infrastructure: what feeds list by mistake, and what too many share to blame one of them.
//!
//! An entry either refuses claims or weakens them, unless their author forces them (`force = true` in a pack).
//! Refused is what nobody can be accused by: a public resolver, a package registry, the front door of a code
//! host. Weakened, to severity low, is what many share: the addresses of a content network, a hosting service's
//! own name. The lists are data: `signatures/well-known.toml`, and MISP warning lists that the user loads.

use std::net::IpAddr;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use ipnet::IpNet;

use super::document::{Fault, Fields};
use super::load_report::LoadReport;
use super::matcher::Indicators;
use super::model::{Claim, ClaimId, Kind};
use super::name_map::NameMap;
use super::network_map::NetworkMap;
use super::value::{self, UrlParts};
use crate::protocol::dns::NameBuf;

/// What becomes of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It is refused.
    Refuse,
    /// A hit is of severity low at most, and says why.
    Weaken,
}

/// One thing that is well known.
#[derive(Clone, Debug)]
pub struct WellKnownEntry {
    /// The value as its list writes it.
    pub value: Arc<str>,
    /// What becomes of claims about it.
    pub effect: Effect,
    /// What it is, in a few words: `Google Public DNS`.
    pub what: Arc<str>,
    /// The file as it was named to the loader.
    pub file: Arc<str>,
    /// Line of its file, from 1.
    pub line: u32,
    place: Place,
    kinds: Kinds,
}

#[derive(Clone, Debug)]
pub(super) enum Place {
    /// A name, and whether what stands below it is meant too.
    Name(Box<str>, bool),
    Network(IpNet),
    /// Exactly this value, of a kind that is neither a name nor an address.
    Whole(Box<str>),
    /// Any value that holds this text, in lower case.
    Part(Box<str>),
}

/// Kinds of claims that an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kinds(u16);

impl Kinds {
    /// All of them.
    pub(super) const ALL: Self = Self(u16::MAX);
    /// None yet.
    pub(super) const NONE: Self = Self(0);

    /// These and `kinds`.
    pub(super) fn with(self, kinds: &[Kind]) -> Self {
        Self(kinds.iter().fold(self.0, |bits, kind| bits | 1 << *kind as u16))
    }

    const fn has(self, kind: Kind) -> bool {
        self.0 >> kind as u16 & 1 == 1
    }
}

/// Everything that is well known.
#[derive(Clone, Debug, Default)]
pub struct WellKnown {
    entries: Vec<WellKnownEntry>,
    names: NameMap<Vec<u32>>,
    networks: NetworkMap<Vec<u32>>,
    wholes: HashMap<Box<str>, Vec<u32>, FixedState>,
    /// The entries that are parts of values; they are gone through.
    parts: Vec<u32>,
}

impl WellKnown {
    pub(super) const KEYS: &'static [&'static str] =
        &["value", "values", "match", "effect", "what", "reference"];

    /// Every entry, in the order of loading.
    pub fn entries(&self) -> &[WellKnownEntry] {
        &self.entries
    }

    /// The first entry, in the order of loading, by which a hit of `claim` is worth less; `None` when there is
    /// none, and when its author forces it.
    pub fn weakens(&self, claim: &Claim<'_>) -> Option<&WellKnownEntry> {
        if claim.provenance.force {
            return None;
        }
        let mut first: Option<u32> = None;
        let mut consider = |number: u32| {
            if self.entry(number).is_some_and(|entry| entry.kinds.has(claim.kind)) {
                first = Some(first.map_or(number, |first| first.min(number)));
            }
        };
        let name = match claim.kind {
            Kind::Domain => NameBuf::from_text(claim.value.as_bytes()),
            // A path tells one page from all others of a host; without it, the host is what is listed.
            Kind::Url => UrlParts::of(claim.value)
                .filter(|parts| parts.target == "/")
                .and_then(|parts| NameBuf::from_text(parts.host.as_bytes())),
            _ => None,
        };
        if let Some(name) = &name {
            self.names.find(name.as_name(), |numbers, whole| {
                let fits = |number: &&u32| {
                    self.entry(**number).is_some_and(|one| whole || matches!(one.place, Place::Name(_, true)))
                };
                numbers.iter().filter(fits).copied().for_each(&mut consider);
            });
        }
        if let Some(network) = network_of(claim) {
            self.networks.find(network, |numbers| numbers.iter().copied().for_each(&mut consider));
        }
        self.wholes.get(claim.value).into_iter().flatten().copied().for_each(&mut consider);
        if !self.parts.is_empty() {
            let value = claim.value.to_ascii_lowercase();
            let fits = |number: &&u32| {
                self.entry(**number)
                    .is_some_and(|one| matches!(&one.place, Place::Part(part) if value.contains(&**part)))
            };
            self.parts.iter().filter(fits).copied().for_each(&mut consider);
        }
        first.and_then(|number| self.entry(number))
    }

    /// The entries that refuse claims.
    pub(super) fn refusing(&self) -> impl Iterator<Item = (&WellKnownEntry, Refused<'_>)> {
        self.entries.iter().filter(|entry| entry.effect == Effect::Refuse).filter_map(|entry| {
            let refused = match &entry.place {
                Place::Name(name, _) => Refused::Name(name),
                Place::Network(network) => Refused::Address(network.addr()),
                Place::Whole(_) | Place::Part(_) => return None,
            };
            Some((entry, refused))
        })
    }

    /// Reads one `[[well_known]]`.
    pub(super) fn read(&mut self, fields: &Fields<'_>, file: &Arc<str>) -> Result<usize, Fault> {
        let what: Arc<str> = fields.required_text("what")?.into();
        fields.text("reference")?;
        let effect = fields.named("effect", ["refuse", "weaken"], |name| match name {
            "refuse" => Some(Effect::Refuse),
            "weaken" => Some(Effect::Weaken),
            _ => None,
        })?;
        let effect = effect.ok_or_else(|| fields.wrong("effect", "is missing: refuse or weaken"))?;
        let subtree = fields.named("match", ["exact", "subtree"], |name| match name {
            "exact" => Some(false),
            "subtree" => Some(true),
            _ => None,
        })?;
        let mut places = Vec::new();
        for (text, line) in fields.texts("value")?.into_iter().chain(fields.texts("values")?) {
            let fault = |reason: String| Fault { line, reason: format!("{text:?}: {reason}") };
            let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
            let place = match network {
                Ok(network)
                    if effect == Effect::Refuse && network.prefix_len() < network.max_prefix_len() =>
                {
                    return Err(fault("a prefix can be weakened only, an address refused".to_owned()));
                }
                Ok(network) => Place::Network(network),
                Err(_) => {
                    let name = value::name(text).map_err(|refusal| fault(refusal.to_string()))?;
                    Place::Name(name.into(), subtree.unwrap_or(false))
                }
            };
            places.push((text, line, place));
        }
        if places.is_empty() {
            return Err(fields.wrong("value", "is missing"));
        }
        let count = places.len();
        for (text, line, place) in places {
            let (value, what, file) = (text.into(), what.clone(), file.clone());
            self.add(WellKnownEntry { value, effect, what, file, line, place, kinds: Kinds::ALL });
        }
        Ok(count)
    }

    /// Adds what a warning list calls `what`: claims of `kinds` about it are weakened.
    pub(super) fn warn(
        &mut self,
        (value, line, place): (&str, u32, Place),
        kinds: Kinds,
        what: &Arc<str>,
        file: &Arc<str>,
    ) {
        let (value, what, file) = (value.into(), what.clone(), file.clone());
        self.add(WellKnownEntry { value, effect: Effect::Weaken, what, file, line, place, kinds });
    }

    fn add(&mut self, entry: WellKnownEntry) {
        let number = self.entries.len() as u32;
        let numbers = match &entry.place {
            Place::Name(name, _) => self.names.entry(name),
            Place::Network(network) => self.networks.entry(*network),
            Place::Whole(text) => self.wholes.entry(text.clone()).or_default(),
            Place::Part(_) => &mut self.parts,
        };
        numbers.push(number);
        self.entries.push(entry);
    }

    fn entry(&self, number: u32) -> Option<&WellKnownEntry> {
        self.entries.get(number as usize)
    }
}

impl Indicators {
    /// Refuses the claims that nobody can be accused by, and tells it in the report of their source.
    pub(super) fn refuse(&mut self, well_known: &WellKnown, report: &mut LoadReport) {
        /// Ports at which a resolver or a front door is listed, besides none.
        const PORTS: [u16; 5] = [0, 53, 80, 443, 853];
        let mut refused = Vec::new();
        let mut hits = Vec::new();
        for (entry, about) in well_known.refusing() {
            match about {
                Refused::Name(name) => {
                    NameBuf::from_text(name.as_bytes())
                        .iter()
                        .for_each(|name| self.domain(name.as_name(), &mut hits));
                    // A URL that has no path is about the host.
                    let before = hits.len();
                    [80, 443].iter().for_each(|&port| self.url(name.as_bytes(), port, b"/", &mut hits));
                    let is_url = |id: &ClaimId| self.claim(*id).is_some_and(|claim| claim.kind == Kind::Url);
                    let urls: Vec<_> = hits.drain(before..).filter(is_url).collect();
                    hits.extend(urls);
                }
                Refused::Address(address) => {
                    PORTS.iter().for_each(|&port| self.address(address, port, &mut hits));
                }
            }
            refused.extend(hits.drain(..).map(|id| (id, entry)));
        }
        refused.sort_by_key(|&(id, _)| id);
        refused.dedup_by_key(|&mut (id, _)| id);
        refused.retain(|&(id, _)| self.claim(id).is_some_and(|claim| !claim.provenance.force));
        for &(id, entry) in &refused {
            let Some(claim) = self.claim(id) else { continue };
            let source = report.sources.iter_mut().find(|source| source.file == claim.provenance.file);
            if let Some(source) = source {
                source.accepted = source.accepted.saturating_sub(1);
                let reason = format!("well known, and nobody can be accused by it: {}", entry.what);
                source.reject(claim.line, claim.value, reason);
            }
        }
        self.refused = refused.into_iter().map(|(id, _)| id).collect();
    }
}

/// What claims must not be about.
pub(super) enum Refused<'a> {
    /// This name, or names above it with all below them.
    Name(&'a str),
    /// This address, or prefixes around it.
    Address(IpAddr),
}

/// The addresses that a claim is about.
fn network_of(claim: &Claim<'_>) -> Option<IpNet> {
    match claim.kind {
        Kind::Address => claim.value.parse::<IpAddr>().ok().map(IpNet::from),
        Kind::AddressPort => claim.value.parse::<std::net::SocketAddr>().ok().map(|one| one.ip().into()),
        Kind::Network => claim.value.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::{Knowledge, Loader};
    use crate::indicator::AsOf;
    use crate::time::Timestamp;

    const PACK: &str = "[pack]\nid = \"w\"\ntitle = \"w\"\n\
        [[well_known]]\nvalues = [\"9.9.9.9\", \"dns.example.net\"]\neffect = \"refuse\"\nwhat = \"a resolver\"\n\
        [[well_known]]\nvalues = [\"203.0.113.0/24\", \"host.example.org\"]\neffect = \"weaken\"\nwhat = \"a host\"\n";

    fn load(list: &str) -> Knowledge {
        let mut loader = Loader::default();
        loader.bytes("list.txt", list.as_bytes());
        loader.bytes("w.toml", PACK.as_bytes());
        loader.finish()
    }

    #[test]
    fn what_nobody_can_be_accused_by_is_refused_with_its_line() {
        let knowledge = load(
            "evil.example\n9.9.9.9\n9.9.9.0/24\ndns.example.net\nexample.net\nx.dns.example.net\n\
                https://dns.example.net/\ndns.example.net/\nhttps://dns.example.net/evil\n/\n",
        );
        let report = &knowledge.report.sources[0];
        let lines: Vec<_> = report.rejected.iter().map(|one| one.line).collect();
        assert_eq!((report.accepted, lines), (4, vec![2, 3, 4, 5, 7, 8]), "{}", knowledge.report);
        assert!(report.rejected[0].reason.contains("a resolver"), "{}", knowledge.report);
        let active = knowledge
            .indicators
            .claims()
            .filter(|&(id, _)| knowledge.indicators.judge(id, AsOf::Any, Timestamp::from_nanos(0)).is_some());
        let active: Vec<_> = active.map(|(_, claim)| claim.value.to_owned()).collect();
        assert_eq!(active, ["evil.example", "x.dns.example.net", "https://dns.example.net/evil", "/"]);
    }

    #[test]
    fn what_many_share_is_weakened() {
        let list = "203.0.113.7\n203.0.113.7:8000\n203.0.113.128/25\n198.51.100.7\nhost.example.org\n\
            x.host.example.org\nhttp://host.example.org/\nhttp://host.example.org/evil\n";
        let knowledge = load(list);
        let weak: Vec<_> = knowledge
            .indicators
            .claims()
            .map(|(_, claim)| knowledge.well_known.weakens(&claim).map(|entry| entry.what.to_string()))
            .map(|what| what.is_some())
            .collect();
        assert_eq!(weak, [true, true, true, false, true, false, true, false]);
    }

    #[test]
    fn who_means_it_is_believed() {
        let forced = "[pack]\nid = \"p\"\ntitle = \"t\"\n[[indicator]]\nvalues = [\"9.9.9.9\", \"203.0.113.7\"]\n\
            kind = \"address\"\nsource = \"x\"\nreference = \"y\"\nconfidence = 90\nforce = true\n\
            [[indicator]]\nvalue = \"co.uk\"\nkind = \"domain\"\nsource = \"x\"\nreference = \"y\"\n\
            confidence = 90\nforce = true\n";
        let mut loader = Loader::default();
        loader.bytes("p.toml", forced.as_bytes());
        loader.bytes("w.toml", PACK.as_bytes());
        let knowledge = loader.finish();
        assert_eq!((knowledge.report.rejected(), knowledge.indicators.len()), (0, 3), "{}", knowledge.report);
        assert!(
            knowledge.indicators.claims().all(|(_, claim)| knowledge.well_known.weakens(&claim).is_none())
        );
    }
}
