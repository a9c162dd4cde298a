//! Domains made up by an algorithm: a machine that asks for one domain after the other that does not exist.
//!
//! Only registered domains count, so that whatever a resolver appends to a name is one domain and not many; reverse
//! look-ups, names of one label and names under no delegated top-level domain do not count at all. What fails is
//! no algorithm's unless the names are random to look at: block lists of resolvers answer the same for the names of
//! advertisers.

use std::net::IpAddr;

use hashbrown::HashSet;

use super::{domain::Registered, letters::Letters, questions::DnsMessage, sentence};
use crate::{
    bounded::BoundedMap,
    decode::Tenant,
    indicator::Severity,
    limits,
    time::{Nanos, SECOND, Timestamp},
};

/// Failing domains at which a machine is first judged.
const LEAST: usize = 20;
/// Random failing domains within [`WINDOW`] that leave little doubt.
const STRONG: usize = 100;
/// What lies further back than this does not count.
const WINDOW: Nanos = 3600 * SECOND;
/// Domains that are named in the reasons.
const NAMED: usize = 4;

/// The failing domains of one machine.
#[derive(Debug)]
struct Failing {
    first: Timestamp,
    domains: HashSet<u64, foldhash::fast::FixedState>,
    letters: Letters,
    examples: Vec<String>,
    next: usize,
    told: Option<Severity>,
}

/// A machine that asks for domains made up by an algorithm.
#[derive(Debug)]
pub struct Generated {
    pub severity: Severity,
    pub confidence: u8,
    pub domains: usize,
    pub why: Vec<String>,
}

/// What fails, by machine.
#[derive(Debug)]
pub struct Generation {
    failing: BoundedMap<(Tenant, IpAddr), Failing>,
}

impl Default for Generation {
    fn default() -> Self {
        Self { failing: BoundedMap::new(limits::FAILING_ASSETS) }
    }
}

impl Generation {
    /// Takes an answer in that says that there is no such name; what is to be told of its client. `domain` is the
    /// registered domain's hash.
    pub fn failed(
        &mut self,
        message: &DnsMessage<'_>,
        registered: Registered<'_>,
        domain: u64,
    ) -> Option<Generated> {
        if !registered.is_delegated {
            return None;
        }
        let now = message.time;
        let fresh = || Failing {
            first: now,
            domains: HashSet::default(),
            letters: Letters::default(),
            examples: Vec::new(),
            next: LEAST,
            told: None,
        };
        let key = (message.tenant, message.client.into());
        let failing = self.failing.touch_or_insert(key, fresh, |_, _| ());
        if now.since(failing.first) > WINDOW {
            *failing = fresh();
        }
        if failing.domains.len() >= limits::FAILING_DOMAINS || !failing.domains.insert(domain) {
            return None;
        }
        failing.letters.add(registered.domain.labels().next().unwrap_or_default());
        if failing.examples.len() < NAMED {
            failing.examples.push(sentence::quoted(registered.domain.to_lower_text().as_bytes()));
        }
        failing.judge(now)
    }

    /// Machines that were forgotten because there were too many.
    pub fn evicted(&self) -> u64 {
        self.failing.evicted()
    }
}

impl Failing {
    fn judge(&mut self, now: Timestamp) -> Option<Generated> {
        let domains = self.domains.len();
        if domains < self.next {
            return None;
        }
        self.next = domains + domains / 2;
        if !self.letters.is_data() {
            return None;
        }
        let severity = if domains >= STRONG { Severity::Medium } else { Severity::Low };
        if self.told.is_some_and(|told| told >= severity) {
            return None;
        }
        self.told = Some(severity);
        let seconds = now.since(self.first) / SECOND;
        let why = vec![
            format!("{domains} domains that do not exist asked for within {seconds} s, random to look at"),
            format!("among them {}", self.examples.join(", ")),
        ];
        let confidence = if severity == Severity::Medium { 65 } else { 45 };
        Some(Generated { severity, confidence, domains, why })
    }
}
