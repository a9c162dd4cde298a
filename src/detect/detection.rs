//! Decides, once for all detectors, what is said and what is not.
//!
//! In this order: claims that may not alert alone only support others; the allow list; what one
//! observation says several times in one campaign becomes one finding with the rest as reasons; what a
//! flow has shown already is not said again for a lower rung; beyond [`limits::ALERTS_PER_HOUR`] of one
//! indicator on one asset, findings count in the incident and are not told one by one.

use std::{net::IpAddr, sync::Arc};

use super::{
    candidate::{Candidate, Context},
    finding::{Application, Destination, Detector, Finding, IndicatorMatch, Telling},
    indicator,
    led_there::LedThere,
    questions::{QuestionCounters, Questions, Scene, Sifted},
    recurrence::Recurrences,
    screen, sentence, signature,
};
use crate::{
    asset::Assets,
    bounded::BoundedMap,
    decode::Tenant,
    flow::StableHash,
    indicator::{AllowSubject, AsOf, DETECTORS, Kind, Knowledge, Rung, Severity, Standing},
    limits,
    names::{NameSource, NamedBy, Names},
    observation::{FlowIdentity, Head, HostFacts, Hosts, Observation, QuietDns, Screen, Seen},
    protocol::dns::{Name, NameBuf},
    time::{SECOND, Timestamp},
};

/// Questions for the address and for the IPv6 address of one name, and their retransmissions, are one look-up.
const ONE_LOOKUP: i64 = 5 * SECOND;

/// What became of candidates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DetectionCounters {
    /// Findings told.
    pub alerts: u64,
    /// Candidates that the allow list kept back.
    pub allowed: u64,
    /// Candidates that only repeat what the same flow or look-up has told.
    pub repeated: u64,
    /// Findings beyond the hourly limit of one indicator on one asset.
    pub suppressed: u64,
    /// Candidates that must not alert alone and had nothing to support.
    pub unsupported: u64,
    /// Hits on indicators that do not hold at the judged time ([`AsOf`]): what nobody is told of.
    pub out_of_date: u64,
    /// Entries of the detectors' own tables that were put out because these were full: what they knew
    /// (that something was told before, how often, in which rhythm) begins anew.
    pub evicted: u64,
    /// What the detectors of names did.
    pub questions: QuestionCounters,
}

/// All detectors and the decisions that they share.
#[derive(Debug)]
pub struct Detection {
    knowledge: Arc<Knowledge>,
    as_of: AsOf,
    recurrences: Recurrences,
    questions: Questions,
    /// The highest rung that a flow has shown of a campaign, and the worst severity.
    flow_rungs: BoundedMap<(u64, Arc<str>), (Rung, Severity)>,
    /// When an asset's look-up of an indicator was last told, by a hash of what it showed.
    lookups: BoundedMap<(Tenant, IpAddr, Arc<str>, u64), Timestamp>,
    /// Findings of one indicator on one asset in the hour that began at the time.
    rates: BoundedMap<(Tenant, IpAddr, Arc<str>), (Timestamp, u32)>,
    counters: DetectionCounters,
    candidates: Vec<Candidate>,
    /// Whether the indicators' filters are asked before the detectors.
    screens: bool,
    /// Whom names that may be listed led where: no others lead to a listed flow.
    led_there: LedThere,
    hosts: Hosts,
}

impl Detection {
    /// Detectors over `knowledge`; validity is judged by `as_of`.
    pub fn new(knowledge: Arc<Knowledge>, as_of: AsOf) -> Self {
        Self {
            knowledge,
            as_of,
            recurrences: Recurrences::default(),
            questions: Questions::default(),
            flow_rungs: BoundedMap::new(limits::FLOW_RUNGS),
            lookups: BoundedMap::new(limits::ALERT_RATES),
            rates: BoundedMap::new(limits::ALERT_RATES),
            counters: DetectionCounters::default(),
            candidates: Vec::new(),
            screens: true,
            led_there: LedThere::default(),
            hosts: Hosts::default(),
        }
    }

    /// The same detectors without the screen before them, which changes nothing but the time it takes.
    pub fn without_screen(self) -> Self {
        Self { screens: false, ..self }
    }

    /// Goes over to other indicators, between two batches of observations. What was told before stays known: of which
    /// flow and machine, how often, in which rhythm; claims and signatures are the same if their values are.
    pub fn begin_generation(&mut self, knowledge: Arc<Knowledge>) {
        self.knowledge = knowledge;
        self.hosts = Hosts::default();
        self.led_there.begin_generation();
    }

    /// Goes on looking at the names that were known when other indicators came, a part of them at each call.
    pub fn look_again(&mut self, names: &Names) {
        self.led_there.look_again(names, |name| self.knowledge.indicators.may_list_name(name));
    }

    /// What became of candidates so far.
    pub fn counters(&self) -> DetectionCounters {
        let tables = [self.flow_rungs.evicted(), self.lookups.evicted(), self.rates.evicted()];
        let evicted = tables.iter().sum::<u64>() + self.recurrences.evicted();
        let questions = self.questions.counters();
        let allowed = self.counters.allowed + questions.allowed;
        DetectionCounters { evicted, allowed, questions, ..self.counters }
    }

    /// Looks at an observation and calls `found` with every finding, in a fixed order.
    pub fn observe(
        &mut self,
        observation: &Observation<'_>,
        assets: &Assets,
        names: &Names,
        found: &mut dyn FnMut(Finding),
    ) {
        if matches!(observation.seen, Seen::TlsServer(_)) || self.is_quiet(observation, assets, names) {
            return;
        }
        let host_may_be_listed = self.note_names(observation);
        let knowledge = Arc::clone(&self.knowledge);
        let head = observation.head;
        let sides = assets.sides(&head.flow.tuple, head.flow.tenant);
        let context = Context {
            indicators: &knowledge.indicators,
            sinkholes: &knowledge.sinkholes,
            well_known: &knowledge.well_known,
            names,
            sides: &sides,
            head,
            host_may_be_listed,
        };
        let mut candidates = std::mem::take(&mut self.candidates);
        self.counters.out_of_date += indicator::propose(observation, &context, self.as_of, &mut candidates);
        signature::propose(observation, &context, self.as_of, &mut self.recurrences, &mut candidates);
        if !candidates.is_empty() {
            candidates.retain_mut(|candidate| !self.is_allowed(candidate, &context));
            // Best first; the order of proposal decides between equals.
            candidates.sort_by_key(|candidate| std::cmp::Reverse(weight(candidate)));
            for group in by_campaign(candidates.drain(..)) {
                if let Some(finding) = self.decide(group, &context) {
                    found(finding);
                }
            }
        }
        self.candidates = candidates;
    }

    /// Takes in what an observation says of who asks whom for which names, also where nothing else is to be detected
    /// in it; what is found by that.
    pub fn names_asked(
        &mut self,
        observation: &Observation<'_>,
        assets: &Assets,
        names: &Names,
    ) -> Vec<Finding> {
        let (mut findings, knowledge) = (Vec::new(), Arc::clone(&self.knowledge));
        let scene = Scene { assets, names, knowledge: &knowledge };
        self.questions.observe(observation, &scene, &mut |finding| findings.push(finding));
        self.counters.alerts += findings.len() as u64;
        findings
    }

    /// Whether there may be something to say of a flow's beginning by the names that were asked for.
    #[inline]
    pub fn asks_about_flow(&self, head: &Head) -> bool {
        self.questions.asks_about_flow(head)
    }

    /// Notes a DNS message of which nothing else is to be detected; what makes it worth a look by
    /// [`Detection::quiet_names_asked`].
    #[inline(always)]
    pub fn sift(&mut self, quiet: &QuietDns<'_>) -> Option<Sifted> {
        self.questions.sift_quiet(quiet)
    }

    /// What is found by a message that is worth a look.
    #[inline(never)]
    pub fn quiet_names_asked(
        &mut self,
        quiet: &QuietDns<'_>,
        sifted: Sifted,
        assets: &Assets,
        names: &Names,
    ) -> Vec<Finding> {
        let mut findings = Vec::new();
        let scene = Scene { assets, names, knowledge: &self.knowledge };
        self.questions.quiet(quiet, sifted, &scene, &mut |finding| findings.push(finding));
        self.counters.alerts += findings.len() as u64;
        findings
    }

    /// What is found at the end of input.
    pub fn finish_names(&mut self, assets: &Assets, names: &Names) -> Vec<Finding> {
        let (mut findings, knowledge) = (Vec::new(), Arc::clone(&self.knowledge));
        let scene = Scene { assets, names, knowledge: &knowledge };
        self.questions.finish(&scene, &mut |finding| findings.push(finding));
        self.counters.alerts += findings.len() as u64;
        findings
    }

    /// Whether it is a flow's beginning, exchange, going on or end, and nothing can be said of that.
    #[inline]
    pub fn is_quiet(&self, observation: &Observation<'_>, assets: &Assets, names: &Names) -> bool {
        let is_of_flow = matches!(
            observation.seen,
            Seen::FlowOpened(_) | Seen::Exchange(_) | Seen::StillOpen(_) | Seen::FlowClosed(_)
        );
        if !self.screens || !is_of_flow {
            return false;
        }
        let names = self.led_there.may_hold(&observation.head.flow).then_some(names);
        screen::is_unlisted_flow(observation.head, assets, names, &self.knowledge.indicators)
    }

    /// `false` only when no listed name has led either end of the flow to the other.
    #[inline]
    pub fn may_know_listed_name(&self, flow: &FlowIdentity) -> bool {
        self.led_there.may_hold(flow) || !self.screens
    }

    /// `false` only when no claim is about the name.
    pub fn may_be_listed(&self, name: Name<'_>) -> bool {
        self.knowledge.indicators.may_list_name(name)
    }

    /// Whether a host name as sent is a package registry's.
    pub fn is_package_registry(&mut self, host: &[u8]) -> bool {
        self.facts(host).is_registry
    }

    fn facts(&mut self, host: &[u8]) -> HostFacts {
        let find = |host: &[u8]| self.knowledge.host(host);
        if self.screens { self.hosts.facts(host, find) } else { find(host) }
    }

    /// Notes whether names that may be listed are known from now on; answers whether the host name that the
    /// observation has may be listed.
    fn note_names(&mut self, observation: &Observation<'_>) -> bool {
        if !self.screens {
            return true;
        }
        let host_may_be_listed =
            screen::host_of(observation).is_some_and(|host| self.facts(host).may_be_listed);
        let (flow, led_there) = (&observation.head.flow, &mut self.led_there);
        if host_may_be_listed {
            led_there.add(flow, flow.tuple.server.address.into());
        }
        screen::answers_by_listed_names(observation, &self.knowledge.indicators, |address| {
            led_there.add(flow, address.into());
        });
        host_may_be_listed
    }

    /// Whether the allow list keeps the candidate back. An address that is listed while its asset asked
    /// for an allowed name there is weakened only: many names share one address. That takes an answer of
    /// DNS: what the asset itself calls the other side, in SNI or Host, an implant chooses.
    fn is_allowed(&mut self, candidate: &mut Candidate, context: &Context<'_>) -> bool {
        let led_there = context.remote_name().filter(|named| named.source == NameSource::Dns);
        let name = match &candidate.name {
            Some(name) => Some(name.clone()),
            None => led_there.map(|named| named.name.to_owned()),
        };
        // A look-up goes to the resolver; the resolver's address is not what it is about.
        let is_lookup = candidate.field.starts_with("dns.");
        let subject = AllowSubject {
            name: name.as_ref().map(NameBuf::as_name),
            address: (!is_lookup).then_some(context.sides.remote.address),
            port: (!is_lookup).then_some(context.sides.remote.port),
            protocol: Some(context.head.flow.tuple.protocol),
            // The allow list knows both detectors of claims by one name.
            detector: Detector::Indicator.name(),
            group: context.sides.asset.group.as_deref(),
            time: context.head.time,
        };
        let allow = &self.knowledge.allow;
        let Some(entry) = allow.decision(&subject) else {
            weaken_by_name(candidate, &subject, &self.knowledge);
            return false;
        };
        let is_about_name = candidate.name.is_some();
        if !is_about_name && allow.decision(&AllowSubject { name: None, ..subject }).is_none() {
            candidate.severity = candidate.severity.min(Severity::Low);
            candidate.why.push(format!("the name asked for there is allowed: {}", entry.reason));
            return false;
        }
        self.counters.allowed += 1;
        true
    }

    /// Makes a finding of what one observation says of one campaign; `None` when it is not to be told.
    fn decide(&mut self, mut group: Vec<Candidate>, context: &Context<'_>) -> Option<Finding> {
        let Some(place) = group.iter().position(|candidate| candidate.provenance.alert) else {
            self.counters.unsupported += group.len() as u64;
            return None;
        };
        let mut best = group.remove(place);
        // What somebody else says of the same value counts for how bad it is, if he says it now.
        let same = |other: &&Candidate| other.value == best.value && other.kind == best.kind;
        let current = |other: &&Candidate| other.provenance.alert && is_current(other);
        let worst = group.iter().filter(same).filter(current).map(|other| other.severity).max();
        best.severity = best.severity.max(worst.unwrap_or(best.severity));
        let (head, campaign) = (context.head, Arc::clone(&best.provenance.campaign));
        let telling = if best.is_outcome {
            Telling::Noted
        } else if self.is_repeated(&best, &campaign, context) {
            self.counters.repeated += 1;
            return None;
        } else if self.may_alert(&best, context) {
            self.counters.alerts += 1;
            Telling::Alert
        } else {
            self.counters.suppressed += 1;
            Telling::Counted
        };

        let mut severity = best.severity;
        let mut why = vec![best.evidence.clone()];
        why.extend(best.why.iter().cloned());
        if matches!(best.rung, Some(Rung::Executed | Rung::Active)) && severity == Severity::High {
            severity = Severity::Critical;
        }
        match best.standing {
            Standing::Valid => {}
            Standing::Early => why.push("the packet is older than the claim's first day".to_owned()),
            Standing::NotYet | Standing::Expired => {
                severity = severity.min(Severity::Low);
                why.push("the claim was not valid at the packet's time".to_owned());
            }
        }
        let mut sources = best.provenance.sources.clone();
        let tlp = group.iter().filter(same).map(|other| other.provenance.tlp).max().flatten();
        for other in group.iter().filter(same) {
            let new = other.provenance.sources.iter().filter(|source| !sources.contains(source));
            let new: Vec<_> = new.cloned().collect();
            sources.extend(new);
            if other.provenance != best.provenance {
                why.push(sentence::corroboration(&other.provenance, &other.value));
            }
        }
        for other in group.iter().filter(|other| other.value != best.value) {
            let line = format!("also {} {}", other.kind.replace('_', " "), other.value);
            if !why.contains(&line) {
                why.push(line);
            }
        }
        let pack = best.provenance.title.clone();
        let is_signature = best.detector == Detector::Signature;
        let title = match (best.detector, &pack) {
            (Detector::Signature, _) => best.meaning.to_string(),
            (_, Some(pack)) => format!("{pack}: {} {}", best.kind.replace('_', " "), best.value),
            (_, None) => format!("{}: {} {}", campaign, best.kind.replace('_', " "), best.value),
        };
        let reference = &best.provenance.reference;
        Some(Finding {
            detector: best.detector,
            signature_id: best.signature_id,
            title,
            severity,
            confidence: best.provenance.confidence,
            rung: best.rung,
            // A signature that belongs to no campaign says by itself what it is.
            campaign_title: pack.clone().or_else(|| is_signature.then(|| best.meaning.clone())),
            // A plain list is no campaign: its entries have nothing to do with each other.
            campaign: pack.map(|_| campaign),
            mitre: best.provenance.mitre.clone(),
            head: *head,
            asset: context.sides.asset.clone(),
            local: context.sides.local,
            destination: destination(&best, context),
            indicator: Some(IndicatorMatch {
                value: best.value,
                kind: best.kind,
                field: best.field,
                observed: best.observed,
                source: sources.join(",").into(),
                reference: (!reference.is_empty()).then(|| Arc::clone(reference)),
                confidence: best.provenance.confidence,
                valid_from: best.validity.from,
                valid_until: best.validity.until,
                expired: best.standing == Standing::Expired,
                tlp: best.provenance.tlp.max(tlp),
                tags: best.provenance.tags.clone(),
            }),
            application: best.application,
            beacon: best.beacon,
            dns_tunnel: None,
            why,
            telling,
        })
    }

    fn is_repeated(&mut self, best: &Candidate, campaign: &Arc<str>, context: &Context<'_>) -> bool {
        let head = context.head;
        if best.field.starts_with("dns.") {
            let said = StableHash::of_bytes(best.said.as_bytes()).finish();
            let key = (head.flow.tenant, context.sides.local.address, Arc::clone(&best.value), said);
            let mut is_new = false;
            let last = self.lookups.touch_or_insert(
                key,
                || {
                    is_new = true;
                    head.time
                },
                |_, _| (),
            );
            let repeated = !is_new && head.time.since(*last) < ONE_LOOKUP;
            if !repeated {
                // Counted from what was told, or a look-up every few seconds would be told once for ever.
                *last = head.time;
            }
            return repeated;
        }
        let Some(rung) = best.rung else { return false };
        // A plain list's claims have nothing to do with each other.
        let is_pack = best.provenance.title.is_some();
        let subject = Arc::clone(if is_pack { campaign } else { &best.value });
        let mut is_new = false;
        let (highest, worst) = self.flow_rungs.touch_or_insert(
            (head.flow.id, subject),
            || {
                is_new = true;
                (rung, best.severity)
            },
            |_, _| (),
        );
        let says_less = !is_new && *highest >= rung && *worst >= best.severity;
        *highest = (*highest).max(rung);
        *worst = (*worst).max(best.severity);
        // Composite signatures tell of one exchange each; single indicators of the flow.
        says_less && best.detector != Detector::Signature
    }

    fn may_alert(&mut self, best: &Candidate, context: &Context<'_>) -> bool {
        let now = context.head.time;
        let key = (context.head.flow.tenant, context.sides.local.address, Arc::clone(&best.value));
        let (began, count) = self.rates.touch_or_insert(key, || (now, 0), |_, _| ());
        if now.since(*began) >= 3600 * SECOND {
            (*began, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        *count <= limits::ALERTS_PER_HOUR
    }
}

/// Weakens a hit on an address to which a name led the asset that has nothing to do with the claim: a package
/// registry's, or one that the allow list expects from the asset and behind which nobody can hide. A list of
/// addresses does not know who else lives there.
fn weaken_by_name(candidate: &mut Candidate, subject: &AllowSubject<'_>, knowledge: &Knowledge) {
    let is_about_address =
        [Kind::Address, Kind::AddressPort, Kind::Network].iter().any(|kind| kind.as_str() == candidate.kind);
    let Some(name) = subject.name.filter(|_| is_about_address && candidate.name.is_none()) else { return };
    let by_name = |detector| AllowSubject { detector, address: None, ..*subject };
    let expected = DETECTORS.into_iter().find_map(|detector| {
        knowledge.allow.decision(&by_name(detector)).filter(|entry| entry.risk.is_empty())
    });
    let reason = match expected {
        Some(entry) => entry.reason.to_string(),
        None if knowledge.registries.is_package_registry(name) => "a package registry".to_owned(),
        None => return,
    };
    candidate.severity = candidate.severity.min(Severity::Low);
    candidate.why.push(format!("the name asked for there is harmless: {reason}"));
}

/// What makes one candidate say more than another about the same thing. A campaign comes before the
/// severity, so that an entry of a plain list does not take a finding out of its incident.
fn weight(candidate: &Candidate) -> (Option<Rung>, bool, bool, bool, Severity, u8) {
    let is_signature = candidate.detector == Detector::Signature;
    let is_pack = candidate.provenance.title.is_some();
    let confidence = candidate.provenance.confidence;
    (candidate.rung, is_signature, is_current(candidate), is_pack, candidate.severity, confidence)
}

/// Whether the claim holds at the judged time, or nearly.
fn is_current(candidate: &Candidate) -> bool {
    matches!(candidate.standing, Standing::Valid | Standing::Early)
}

/// Candidates in groups of one campaign each, in the order of each group's first. Entries of a plain
/// list, which have nothing but the file in common, stay alone unless their value is the same.
fn by_campaign(candidates: impl Iterator<Item = Candidate>) -> Vec<Vec<Candidate>> {
    let mut groups: Vec<Vec<Candidate>> = Vec::new();
    for candidate in candidates {
        let belongs = |group: &&mut Vec<Candidate>| {
            group.first().is_some_and(|first| {
                first.value == candidate.value
                    || (first.provenance.title.is_some()
                        && first.provenance.campaign == candidate.provenance.campaign)
            })
        };
        match groups.iter_mut().find(belongs) {
            Some(group) => group.push(candidate),
            None => groups.push(vec![candidate]),
        }
    }
    groups
}

/// The other end, with the name that is best known: the one in the message itself, else the one learned.
fn destination(best: &Candidate, context: &Context<'_>) -> Destination {
    let endpoint = context.sides.remote;
    let said = match &best.application {
        // The flow goes to the resolver, whose name nobody asked for.
        Application::Dns(_) => return Destination { endpoint, name: None },
        Application::Tls(hello) => hello.sni.as_deref().map(|name| (name, NameSource::Sni)),
        Application::Quic(quic) => quic.hello.sni.as_deref().map(|name| (name, NameSource::Quic)),
        Application::HttpRequest(request) => request.host_name().map(|name| (name, NameSource::Host)),
        Application::HttpResponse(response) => {
            let request = response.request.as_deref();
            request.and_then(|request| request.host_name()).map(|name| (name, NameSource::Host))
        }
        Application::None | Application::Certificates(_) => None,
    };
    let learned = context.remote_name();
    let said = said.and_then(|(name, source)| NamedBy::from_wire(name, source));
    let name = match (said, learned) {
        // DNS says more of the same name.
        (Some(said), Some(learned)) if *said.name == *learned.name.to_lower_text() => Some(learned.into()),
        (Some(said), _) => Some(said),
        (None, learned) => learned.map(NamedBy::from),
    };
    Destination { endpoint, name }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
