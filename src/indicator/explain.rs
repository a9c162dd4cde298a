//! What a value would do: every claim and signature about it, what the allow list and common knowledge say,
//! and what would come of it.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use super::allow::{AllowEntry, AllowSubject, DETECTORS, INDICATOR};
use super::load::Knowledge;
use super::model::{AsOf, ClaimId, Kind, Match, Severity, SignatureId, Standing};
use super::sinkhole::Sinkhole;
use super::subject::Subject;
use super::value::UrlParts;
use super::well_known::WellKnownEntry;
use crate::protocol::dns::NameBuf;
use crate::time::Timestamp;

/// How a claim is about the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It lists the value itself.
    Itself,
    /// It lists this name, below which the value stands.
    Below,
    /// It lists a prefix that holds the value.
    Within,
    /// It lists the address at any port.
    AnyPort,
    /// It lists the address at one port only, and no port was asked for.
    OnePort,
    /// It lists the URL's host.
    Host,
    /// It lists the URL's path at any host.
    Path,
    /// It lists this name, to which a resolver appended a search suffix.
    SearchSuffix(String),
}

/// A claim about the value.
#[derive(Clone, Debug)]
pub struct Hit<'k> {
    /// Which.
    pub claim: ClaimId,
    /// How it is about the value.
    pub reach: Reach,
    /// How it stands at the time.
    pub standing: Standing,
    /// The most that a hit is worth: the claim's severity, weakened where something weakens it.
    pub severity: Severity,
    /// It is about well-known infrastructure and was refused.
    pub is_refused: bool,
    /// Why it is worth less.
    pub weakened: Option<&'k WellKnownEntry>,
}

/// Everything that is known of a value.
#[derive(Debug)]
pub struct Explanation<'k> {
    /// Claims about it, the nearest first.
    pub hits: Vec<Hit<'k>>,
    /// Claims about what stands below a name or within a prefix, the first [`BELOW_KEPT`] of them.
    pub below: Vec<ClaimId>,
    /// How many of these there are.
    pub below_count: usize,
    /// Signatures with a condition that the value meets, and which.
    pub signatures: Vec<(SignatureId, String)>,
    /// What the allow list says of it, by detector: nothing is entered for a detector that speaks.
    pub allowed: Vec<(&'static str, &'k AllowEntry)>,
    /// The sinkhole that the address is.
    pub sinkhole: Option<&'k Sinkhole>,
    /// Whose package registry the name is.
    pub registry: Option<&'k str>,
    /// The severity of the alert that a hit at the time would be; `None` when there would be none.
    pub alert: Option<Severity>,
    /// Why there would be none although something is listed, or why it would be less.
    pub because: Vec<String>,
}

/// Claims about what stands below a value that are kept.
pub const BELOW_KEPT: usize = 20;

impl Knowledge {
    /// Explains `subject`, as it would be judged by `as_of` in a packet of `time`.
    pub fn explain(&self, subject: &Subject, as_of: AsOf, time: Timestamp) -> Explanation<'_> {
        let mut hits: Vec<Hit<'_>> = Vec::new();
        for (id, reach) in self.claims_about(subject) {
            let Some(claim) = self.indicators.claim(id) else { continue };
            let is_refused = self.indicators.is_refused(id);
            let weakened = self.well_known.weakens(&claim).filter(|_| !is_refused);
            let most = match (weakened, &reach) {
                (Some(_), _) | (_, Reach::SearchSuffix(_)) => Severity::Low,
                _ => Severity::Critical,
            };
            hits.push(Hit {
                claim: id,
                reach,
                standing: claim.validity.at(time),
                severity: claim.severity().min(most),
                is_refused,
                weakened,
            });
        }
        let (name, address, port) = match subject {
            Subject::Name(name) | Subject::Url(name, ..) => (NameBuf::from_text(name.as_bytes()), None, None),
            Subject::Address(address, port) => (None, Some(*address), *port),
            _ => (None, None, None),
        };
        let name = name.as_ref().map(NameBuf::as_name);
        let allows = |detector: &'static str| {
            let subject = AllowSubject { name, address, port, protocol: None, detector, group: None, time };
            Some((detector, self.allow.decision(&subject).filter(|_| name.is_some() || address.is_some())?))
        };
        let (below, below_count) = self.claims_below(subject);
        let mut explanation = Explanation {
            hits,
            below,
            below_count,
            signatures: self.signatures_about(subject),
            allowed: DETECTORS.into_iter().filter_map(allows).collect(),
            sinkhole: address.and_then(|address| self.sinkholes.find(address)),
            registry: name.and_then(|name| self.registries.ecosystem(name)),
            alert: None,
            because: Vec::new(),
        };
        explanation.judge(self, as_of, time);
        explanation
    }

    /// Claims about the value, the nearest first.
    fn claims_about(&self, subject: &Subject) -> Vec<(ClaimId, Reach)> {
        let indicators = &self.indicators;
        let mut ids = Vec::new();
        let mut found = Vec::new();
        let mut take = |ids: &mut Vec<ClaimId>, reach: &dyn Fn(&str, Kind) -> Reach| {
            for id in ids.drain(..) {
                let Some(claim) = indicators.claim(id) else { continue };
                if !found.iter().any(|(other, _)| *other == id) {
                    found.push((id, reach(claim.value, claim.kind)));
                }
            }
        };
        match subject {
            Subject::Name(text) => {
                let Some(name) = NameBuf::from_text(text.as_bytes()) else { return found };
                indicators.domain(name.as_name(), &mut ids);
                take(&mut ids, &|value, _| if value == text { Reach::Itself } else { Reach::Below });
                if let Some(shorter) = indicators.domain_behind_search_suffix(name.as_name(), &mut ids) {
                    let shorter = shorter.to_lower_text();
                    take(&mut ids, &|_, _| Reach::SearchSuffix(shorter.clone()));
                }
            }
            Subject::Address(address, port) => {
                indicators.address(*address, port.unwrap_or(0), &mut ids);
                take(&mut ids, &|_, kind| match (kind, port) {
                    (Kind::Network, _) => Reach::Within,
                    (Kind::Address, Some(_)) => Reach::AnyPort,
                    _ => Reach::Itself,
                });
                if port.is_none() {
                    let at_ports = indicators.claims().filter(|(_, claim)| {
                        claim.kind == Kind::AddressPort
                            && claim.value.parse::<SocketAddr>().is_ok_and(|one| one.ip() == *address)
                    });
                    ids.extend(at_ports.map(|(id, _)| id));
                    take(&mut ids, &|_, _| Reach::OnePort);
                }
            }
            Subject::Network(network) => {
                indicators.address(network.addr(), 0, &mut ids);
                ids.retain(|&id| {
                    indicators.claim(id).is_some_and(|claim| {
                        claim.kind == Kind::Network
                            && claim.value.parse::<IpNet>().is_ok_and(|outer| outer.contains(network))
                    })
                });
                let whole = network.to_string();
                take(&mut ids, &|value, _| if value == whole { Reach::Itself } else { Reach::Within });
            }
            Subject::Url(host, port, target, text) => {
                indicators.url(host.as_bytes(), *port, target.as_bytes(), &mut ids);
                take(&mut ids, &|value, kind| match kind {
                    Kind::Path => Reach::Path,
                    _ if value == text => Reach::Itself,
                    _ => Reach::AnyPort,
                });
                if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
                    indicators.address(address, *port, &mut ids);
                } else if let Some(name) = NameBuf::from_text(host.as_bytes()) {
                    indicators.domain(name.as_name(), &mut ids);
                }
                take(&mut ids, &|_, _| Reach::Host);
            }
            Subject::Text(kind, text) => {
                match kind {
                    Kind::Path => indicators.url(b"", 0, text.as_bytes(), &mut ids),
                    Kind::UserAgent => indicators.user_agent(text.as_bytes(), &mut ids),
                    Kind::Ja3 => indicators.ja3(text, &mut ids),
                    Kind::Ja4 => indicators.ja4(text, &mut ids),
                    _ => {
                        let same = |(_, claim): &(ClaimId, super::Claim<'_>)| {
                            claim.kind == *kind && claim.value == text
                        };
                        ids.extend(indicators.claims().filter(same).map(|(id, _)| id));
                    }
                }
                take(&mut ids, &|_, _| Reach::Itself);
            }
        }
        found
    }

    /// Claims about what stands below a name or within a prefix.
    fn claims_below(&self, subject: &Subject) -> (Vec<ClaimId>, usize) {
        let is_below =
            |name: &str, above: &str| name.strip_suffix(above).is_some_and(|start| start.ends_with('.'));
        let stands_below = |value: &str, kind: Kind| match subject {
            Subject::Name(name) if kind == Kind::Domain => is_below(value, name),
            // A listed page of the host says something of the host.
            Subject::Name(name) if kind == Kind::Url => {
                UrlParts::of(value).is_some_and(|parts| parts.host == name || is_below(parts.host, name))
            }
            Subject::Network(outer) => match kind {
                Kind::Address => value.parse::<IpAddr>().is_ok_and(|one| outer.contains(&one)),
                Kind::AddressPort => value.parse::<SocketAddr>().is_ok_and(|one| outer.contains(&one.ip())),
                Kind::Network => {
                    value.parse::<IpNet>().is_ok_and(|one| one != *outer && outer.contains(&one))
                }
                _ => false,
            },
            _ => false,
        };
        let (mut kept, mut count) = (Vec::new(), 0);
        for (id, _) in self.indicators.claims().filter(|(_, claim)| stands_below(claim.value, claim.kind)) {
            count += 1;
            if kept.len() < BELOW_KEPT {
                kept.push(id);
            }
        }
        (kept, count)
    }

    /// Signatures with a condition that the value meets.
    fn signatures_about(&self, subject: &Subject) -> Vec<(SignatureId, String)> {
        let values: Vec<(Kind, String)> = match subject {
            Subject::Url(host, _, target, _) => {
                let path = target.split('?').next().unwrap_or_default().to_owned();
                vec![(Kind::Domain, host.clone()), (Kind::Path, path)]
            }
            subject => vec![(subject.kind(), subject.text())],
        };
        let mut found = Vec::new();
        for (number, signature) in self.indicators.all_signatures().iter().enumerate() {
            let (all, _) = signature.conditions();
            let met = all.iter().find(|one| values.iter().any(|(kind, text)| one.is_met_by(*kind, text)));
            if let Some(condition) = met {
                found.push((SignatureId(number as u32), condition.to_string()));
            }
        }
        found
    }
}

impl Explanation<'_> {
    /// What would come of a hit, and why not more.
    fn judge(&mut self, knowledge: &Knowledge, as_of: AsOf, time: Timestamp) {
        let silenced =
            self.allowed.iter().find(|(detector, _)| *detector == INDICATOR).map(|(_, entry)| *entry);
        for hit in &self.hits {
            let Some(claim) = knowledge.indicators.claim(hit.claim) else { continue };
            let at = format!("{}:{}", claim.provenance.file, claim.line);
            let told = match knowledge.indicators.judge(hit.claim, as_of, time) {
                None if hit.is_refused => Err(format!("{at} is refused: well-known infrastructure")),
                None => Err(match hit.standing {
                    Standing::Expired => format!("{at} does not hold any more"),
                    _ => format!("{at} does not hold yet"),
                }),
                Some(_) if !claim.provenance.alert => {
                    Err(format!("{at} must not alert alone: it supports other findings"))
                }
                Some(_) if hit.reach == Reach::OnePort => Err(format!("{at} holds at its port only")),
                Some(_) if silenced.is_some() => Err(format!("{at} is silenced by the allow list")),
                Some(Standing::Expired | Standing::NotYet) => Ok(hit.severity.min(Severity::Low)),
                Some(_) => Ok(hit.severity),
            };
            match told {
                Ok(severity) => self.alert = self.alert.max(Some(severity)),
                Err(reason) => self.because.push(reason),
            }
            if let Some(entry) = hit.weakened {
                self.because
                    .push(format!("{at} is weakened: {} ({}:{})", entry.what, entry.file, entry.line));
            }
            if claim.matching == Match::Exact && claim.kind == Kind::Domain && self.below_count > 0 {
                self.because.push(format!("{at} means the name alone, not what stands below it"));
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::Loader;
    use super::*;

    const NOW: Timestamp = Timestamp::from_nanos(1_775_000_000_000_000_000);

    fn load(text: &str, more: &str) -> Knowledge {
        let mut loader = Loader::default();
        loader.builtin();
        loader.bytes("list.txt", text.as_bytes());
        loader.bytes("more.toml", format!("[pack]\nid = \"m\"\ntitle = \"m\"\n{more}").as_bytes());
        let knowledge = loader.finish();
        assert_eq!(knowledge.report.failures().count(), 0, "{}", knowledge.report);
        knowledge
    }

    fn explain<'k>(knowledge: &'k Knowledge, text: &str) -> Explanation<'k> {
        knowledge.explain(&Subject::parse(text, None).unwrap(), AsOf::Packet, NOW)
    }

    fn reaches(knowledge: &Knowledge, text: &str) -> Vec<Reach> {
        explain(knowledge, text).hits.into_iter().map(|hit| hit.reach).collect()
    }

    #[test]
    fn tells_how_a_claim_is_about_the_value() {
        let list =
            "evil.example\n198.51.100.7\n198.51.100.0/24\n203.0.113.9:8000\nhttp://c2.example/a\n/gate\n";
        let knowledge = load(list, "");
        assert_eq!(reaches(&knowledge, "evil.example"), [Reach::Itself]);
        assert_eq!(reaches(&knowledge, "x.evil.example"), [Reach::Below]);
        let suffixed = "evil.example.svc.cluster.local";
        assert_eq!(reaches(&knowledge, suffixed), [Reach::SearchSuffix("evil.example".to_owned())]);
        assert_eq!(reaches(&knowledge, "198.51.100.7"), [Reach::Itself, Reach::Within]);
        assert_eq!(reaches(&knowledge, "198.51.100.7:80"), [Reach::AnyPort, Reach::Within]);
        assert_eq!(reaches(&knowledge, "203.0.113.9"), [Reach::OnePort]);
        assert_eq!(reaches(&knowledge, "http://c2.example/a"), [Reach::Itself]);
        assert_eq!(reaches(&knowledge, "http://x.evil.example/gate?x=1"), [Reach::Path, Reach::Host]);
        assert!(reaches(&knowledge, "example.org").is_empty());
        let page = explain(&knowledge, "c2.example");
        assert_eq!((page.hits.len(), page.below_count), (0, 1), "a page of it is listed");
        assert_eq!(explain(&knowledge, "198.51.100.0/23").below_count, 2);
        assert_eq!(explain(&knowledge, "198.51.100.128/25").hits[0].reach, Reach::Within);
    }

    #[test]
    fn tells_what_would_come_of_it() {
        let allow = "[[allow]]\nvalue = \"evil.example\"\nscope = [\"indicator\"]\nreason = \"lab\"\n";
        let knowledge = load("evil.example\n", "");
        assert_eq!(explain(&knowledge, "evil.example").alert, Some(Severity::Medium));
        let knowledge = load("evil.example\n104.16.1.1\n8.8.8.8\n", allow);
        let found = explain(&knowledge, "evil.example");
        assert_eq!((found.alert, found.allowed.len()), (None, 1));
        assert!(found.because[0].contains("allow list"), "{:?}", found.because);
        assert_eq!(explain(&knowledge, "104.16.1.1").alert, Some(Severity::Low));
        let refused = explain(&knowledge, "8.8.8.8");
        assert!(refused.alert.is_none() && refused.hits[0].is_refused);
        let case = explain(&knowledge, "c2.sfrclak.com");
        assert_eq!(case.alert, Some(Severity::High), "{:?}", case.because);
        assert!(!explain(&knowledge, "/6202033").signatures.is_empty());
        let later = Timestamp::from_nanos(1_900_000_000_000_000_000);
        let subject = Subject::parse("142.11.206.73", None).unwrap();
        let late = knowledge.explain(&subject, AsOf::Packet, later);
        assert!(late.alert.is_none() && late.because[0].contains("any more"), "{:?}", late.because);
        assert!(knowledge.explain(&subject, AsOf::Any, later).alert.is_some());
    }
}
