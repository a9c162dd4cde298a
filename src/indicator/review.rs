//! What a set of sources is worth: what is active, what several say, where they contradict each other, and
//! what the allow list or common knowledge takes away again.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use super::allow::{AllowEntry, AllowSubject};
use super::load::Knowledge;
use super::model::{Claim, ClaimId, Kind, Match, Standing};
use super::well_known::WellKnownEntry;
use crate::protocol::dns::NameBuf;
use crate::time::Timestamp;

/// Contradictions of one sort that are kept; further ones are only counted.
pub const CONTRADICTIONS_KEPT: usize = 100;
/// Two confidences so far apart contradict each other.
const CONFIDENCE_APART: u8 = 50;
/// Of two sources with more addresses than this each, some are permutations of others by chance.
const MANY_ADDRESSES: usize = 10_000;

/// How the claims of one source stand at the judged time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceStanding {
    /// Claims that hold.
    pub active: usize,
    /// Claims whose last day is over.
    pub expired: usize,
    /// Claims whose first day is to come.
    pub not_yet_valid: usize,
    /// Claims that another source makes too.
    pub shared: usize,
    /// Claims by kind.
    pub kinds: BTreeMap<&'static str, usize>,
}

/// What two claims do to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Conflict {
    /// Two addresses of the same octets in another order: one of them is likely a slip.
    PermutedAddress,
    /// One source says that it holds, the other that it does no more.
    Validity,
    /// The sources are sure of it to very different degrees.
    Confidence,
    /// What is listed is a sinkhole, whose keeper is no attacker.
    Sinkhole,
}

impl Conflict {
    /// Every sort.
    pub const ALL: [Self; 4] = [Self::PermutedAddress, Self::Validity, Self::Confidence, Self::Sinkhole];

    /// The name used in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PermutedAddress => "permuted_address",
            Self::Validity => "validity",
            Self::Confidence => "confidence",
            Self::Sinkhole => "sinkhole",
        }
    }
}

/// Two claims that cannot both be right, or one that is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// Of which sort.
    pub conflict: Conflict,
    /// The claim that was loaded first.
    pub claim: ClaimId,
    /// The one that contradicts it; of a sinkhole there is none.
    pub other: Option<ClaimId>,
}

/// A claim that an allow entry silences.
#[derive(Clone, Copy, Debug)]
pub struct Shadow<'k> {
    /// The claim.
    pub claim: ClaimId,
    /// The entry.
    pub entry: &'k AllowEntry,
    /// Whether all hits are silenced, or only some of what stands below the claim's name.
    pub is_whole: bool,
}

/// All of it, for one set of sources at one time.
#[derive(Debug, Default)]
pub struct Review<'k> {
    /// By file as it was named to the loader.
    pub sources: BTreeMap<Arc<str>, SourceStanding>,
    /// Values that several sources list, each with its claims in the order of loading.
    pub shared: Vec<Vec<ClaimId>>,
    /// Contradictions, at most [`CONTRADICTIONS_KEPT`] of each sort.
    pub contradictions: Vec<Contradiction>,
    /// How many there are of each sort.
    pub contradiction_counts: BTreeMap<&'static str, usize>,
    /// Claims that the allow list silences.
    pub shadows: Vec<Shadow<'k>>,
    /// Claims that are weakened because many share what they list.
    pub weakened: Vec<(ClaimId, &'k WellKnownEntry)>,
}

impl Knowledge {
    /// Reviews everything as it stands at `time`.
    pub fn review(&self, time: Timestamp) -> Review<'_> {
        let mut review = Review::default();
        let groups = self.by_value();
        self.standings(time, &groups, &mut review);
        for group in &groups {
            self.disagreements(time, group, &mut review);
        }
        self.permuted_addresses(&mut review);
        self.sinkholed(&mut review);
        self.shadows(time, &mut review);
        let taken = self.indicators.claims().filter(|&(id, _)| !self.indicators.is_refused(id));
        let weak = |(id, claim): (ClaimId, Claim<'_>)| Some((id, self.well_known.weakens(&claim)?));
        review.weakened.extend(taken.filter_map(weak));
        review.shared = groups;
        review
    }

    /// The claims of each value that more than one source lists, values in the order of loading.
    fn by_value(&self) -> Vec<Vec<ClaimId>> {
        let mut places: HashMap<(Kind, &str), u32> = HashMap::new();
        let mut several: BTreeMap<u32, Vec<ClaimId>> = BTreeMap::new();
        for (id, claim) in self.indicators.claims() {
            match places.entry((claim.kind, claim.value)) {
                std::collections::hash_map::Entry::Vacant(place) => {
                    place.insert(id.0);
                }
                std::collections::hash_map::Entry::Occupied(place) => {
                    several.entry(*place.get()).or_insert_with(|| vec![ClaimId(*place.get())]).push(id);
                }
            }
        }
        several.into_values().filter(|group| self.files(group).len() > 1).collect()
    }

    fn files(&self, group: &[ClaimId]) -> Vec<&Arc<str>> {
        let mut files: Vec<_> =
            group.iter().filter_map(|&id| Some(&self.indicators.claim(id)?.provenance.file)).collect();
        files.sort_unstable();
        files.dedup();
        files
    }

    fn standings(&self, time: Timestamp, groups: &[Vec<ClaimId>], review: &mut Review<'_>) {
        for (_, claim) in self.indicators.claims().filter(|&(id, _)| !self.indicators.is_refused(id)) {
            let source = match review.sources.get_mut(&claim.provenance.file) {
                Some(source) => source,
                None => review.sources.entry(Arc::clone(&claim.provenance.file)).or_default(),
            };
            match claim.validity.at(time) {
                Standing::Valid => source.active += 1,
                Standing::Early | Standing::NotYet => source.not_yet_valid += 1,
                Standing::Expired => source.expired += 1,
            }
            *source.kinds.entry(claim.kind.as_str()).or_default() += 1;
        }
        for claim in groups.iter().flatten().filter_map(|&id| self.indicators.claim(id)) {
            if let Some(source) = review.sources.get_mut(&claim.provenance.file) {
                source.shared += 1;
            }
        }
    }

    /// What the sources of one value say differently of it.
    fn disagreements(&self, time: Timestamp, group: &[ClaimId], review: &mut Review<'_>) {
        let claims: Vec<_> = group.iter().filter_map(|&id| Some((id, self.indicators.claim(id)?))).collect();
        for (place, (id, claim)) in claims.iter().enumerate() {
            let others = claims.get(place + 1..).unwrap_or_default();
            let others = || others.iter().filter(|(_, one)| one.provenance.file != claim.provenance.file);
            // Who saw it later than the other does not contradict him.
            let apart = |one: &Claim<'_>| {
                let standings = [claim.validity.at(time), one.validity.at(time)];
                standings.contains(&Standing::Valid) && standings.contains(&Standing::Expired)
            };
            if let Some((other, _)) = others().find(|(_, one)| apart(one)) {
                review.contradicts(Conflict::Validity, *id, Some(*other));
            }
            let sure = claim.provenance.confidence;
            let apart = |one: &Claim<'_>| one.provenance.confidence.abs_diff(sure) >= CONFIDENCE_APART;
            if let Some((other, _)) = others().find(|(_, one)| apart(one)) {
                review.contradicts(Conflict::Confidence, *id, Some(*other));
            }
        }
    }

    /// Addresses that one source lists and another one with two octets exchanged, or turned round: a copy of a
    /// report that went wrong. A source that lists both means both.
    fn permuted_addresses(&self, review: &mut Review<'_>) {
        let mut listed: HashMap<Ipv4Addr, Vec<ClaimId>> = HashMap::new();
        let mut addresses: HashMap<&Arc<str>, usize> = HashMap::new();
        let mut order = Vec::new();
        for (id, claim) in self.indicators.claims() {
            let Some(address) = ipv4(&claim) else { continue };
            *addresses.entry(&claim.provenance.file).or_default() += 1;
            let claims = listed.entry(address).or_default();
            if claims.is_empty() {
                order.push(address);
            }
            claims.push(id);
        }
        let file = |id: &ClaimId| self.indicators.claim(*id).map(|claim| &claim.provenance.file);
        let files = |address: &Ipv4Addr| -> Vec<&Arc<str>> {
            listed.get(address).into_iter().flatten().filter_map(file).collect()
        };
        let many = |file: &Arc<str>| addresses.get(file).is_some_and(|&count| count > MANY_ADDRESSES);
        for address in order {
            // Each pair once, from its smaller address.
            for permuted in permutations(address).into_iter().filter(|&other| other > address) {
                let (here, there) = (files(&address), files(&permuted));
                let both = here.iter().any(|file| there.contains(file));
                let by_chance = here.iter().all(|file| many(file)) && there.iter().all(|file| many(file));
                if there.is_empty() || both || by_chance {
                    continue;
                }
                let mut pair: Vec<_> =
                    [address, permuted].iter().filter_map(|one| listed.get(one)?.first().copied()).collect();
                pair.sort_unstable();
                if let [first, second] = pair[..] {
                    review.contradicts(Conflict::PermutedAddress, first, Some(second));
                }
            }
        }
    }

    fn sinkholed(&self, review: &mut Review<'_>) {
        for (id, claim) in self.indicators.claims() {
            if address(&claim).is_some_and(|address| self.sinkholes.find(address).is_some()) {
                review.contradicts(Conflict::Sinkhole, id, None);
            }
        }
    }

    /// Claims that allow entries silence, for any machine.
    fn shadows<'k>(&'k self, time: Timestamp, review: &mut Review<'k>) {
        for (id, claim) in self.indicators.claims() {
            if let Some(entry) = self.allowed(&claim, time) {
                review.shadows.push(Shadow { claim: id, entry, is_whole: true });
            }
        }
        let mut hits = Vec::new();
        for entry in self.allow.entries().iter().filter(|entry| entry.speaks_to(super::INDICATOR)) {
            let Some(name) = entry.name().and_then(|name| NameBuf::from_text(name.as_bytes())) else {
                continue;
            };
            self.indicators.domain(name.as_name(), &mut hits);
            for id in hits.drain(..) {
                let is_above = self.indicators.claim(id).is_some_and(|claim| {
                    claim.matching == Match::Subtree && entry.name().is_some_and(|name| name != claim.value)
                });
                if is_above && !review.shadows.iter().any(|shadow| shadow.claim == id && shadow.is_whole) {
                    review.shadows.push(Shadow { claim: id, entry, is_whole: false });
                }
            }
        }
    }

    /// The entry that silences every hit of a claim, whoever the machine is.
    pub(super) fn allowed(&self, claim: &Claim<'_>, time: Timestamp) -> Option<&AllowEntry> {
        let name = match claim.kind {
            Kind::Domain => NameBuf::from_text(claim.value.as_bytes()),
            _ => None,
        };
        let (address, port) = match claim.kind {
            Kind::AddressPort => {
                claim.value.parse::<SocketAddr>().ok().map(|socket| (socket.ip(), socket.port())).unzip()
            }
            _ => (address(claim), None),
        };
        if name.is_none() && address.is_none() {
            return None;
        }
        self.allow.decision(&AllowSubject {
            name: name.as_ref().map(NameBuf::as_name),
            address,
            port,
            protocol: None,
            detector: super::INDICATOR,
            group: None,
            time,
        })
    }
}

impl Review<'_> {
    fn contradicts(&mut self, conflict: Conflict, claim: ClaimId, other: Option<ClaimId>) {
        let count = self.contradiction_counts.entry(conflict.as_str()).or_default();
        *count += 1;
        if *count <= CONTRADICTIONS_KEPT {
            self.contradictions.push(Contradiction { conflict, claim, other });
        }
    }
}

fn address(claim: &Claim<'_>) -> Option<IpAddr> {
    match claim.kind {
        Kind::Address => claim.value.parse().ok(),
        Kind::AddressPort => claim.value.parse::<SocketAddr>().ok().map(|socket| socket.ip()),
        _ => None,
    }
}

fn ipv4(claim: &Claim<'_>) -> Option<Ipv4Addr> {
    match address(claim)? {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

/// The address with two of its octets exchanged, in each of the six ways, and turned round.
fn permutations(address: Ipv4Addr) -> Vec<Ipv4Addr> {
    let octets = address.octets();
    let swap = |a: usize, b: usize| {
        let mut octets = octets;
        octets.swap(a, b);
        octets
    };
    let [a, b, c, d] = octets;
    let mut all: Vec<Ipv4Addr> =
        [swap(0, 1), swap(0, 2), swap(0, 3), swap(1, 2), swap(1, 3), swap(2, 3), [d, c, b, a]]
            .into_iter()
            .map(Ipv4Addr::from)
            .collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
#[path = "review_tests.rs"]
mod tests;
