//! From findings to incidents: opened at the first evidence, updated at every new rung, closed in the end.

use std::{net::IpAddr, sync::Arc};

use super::ladder::{Evidence, EvidenceKind, Incident, RungReached};
use crate::{
    bounded::BoundedMap,
    decode::Tenant,
    detect::{Application, Destination, Detector, Finding, Telling},
    indicator::Rung,
    limits,
    protocol::dns::Message,
    time::{Nanos, SECOND, Timestamp},
};

/// An incident without new evidence for so long is closed; later evidence opens another one.
const IDLE: Nanos = 24 * 3600 * SECOND;

/// How often incidents are searched for idle ones.
const SWEEP: Nanos = 3600 * SECOND;

/// Destinations that one incident lists.
const DESTINATIONS: usize = 32;

/// What happened to an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// First evidence.
    Create,
    /// A higher rung.
    Update,
    /// Idle, put out, or the end of input.
    Close,
}

impl Change {
    /// The change's name in events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Close => "close",
        }
    }
}

/// What makes an incident itself: whose machine, and which campaign or destination.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    tenant: Tenant,
    asset: IpAddr,
    subject: Arc<str>,
}

impl Key {
    fn of(finding: &Finding) -> Self {
        let subject = finding.campaign.clone().unwrap_or_else(|| subject_of(finding));
        Self { tenant: finding.asset.tenant, asset: finding.asset.address, subject }
    }
}

/// All open incidents.
#[derive(Debug)]
pub struct Incidents {
    open: BoundedMap<Key, Incident>,
    opened: u64,
    next_sweep: Option<Timestamp>,
}

impl Default for Incidents {
    fn default() -> Self {
        Self { open: BoundedMap::new(limits::INCIDENTS), opened: 0, next_sweep: None }
    }
}

impl Incidents {
    /// Takes a finding in; `changed` is called with every incident that opened, rose or closed by it.
    /// Findings without a rung do not tell how far anybody came and make no incident.
    pub fn take(&mut self, finding: &Finding, changed: &mut dyn FnMut(&Incident, Change)) {
        let now = finding.head.time;
        let Some(rung) = finding.rung else { return };
        if finding.telling == Telling::Noted {
            return self.note(finding, rung);
        }
        let key = Key::of(finding);
        let subject = Arc::clone(&key.subject);
        // It may be idle and not yet swept.
        if self.open.get(&key).is_some_and(|incident| is_idle(incident, now))
            && let Some(idle) = self.open.remove(&key)
        {
            changed(&idle, Change::Close);
        }
        let known = self.open.get(&key).is_some();
        let mut evicted = None;
        let incident =
            self.open.touch_or_insert(key, || open(finding, subject), |_, old| evicted = Some(old));
        let rose = incident.take(finding, rung);
        // Who makes room goes first.
        if let Some(evicted) = evicted {
            changed(&evicted, Change::Close);
        }
        match (known, rose) {
            (false, _) => changed(incident, Change::Create),
            (true, true) => changed(incident, Change::Update),
            (true, false) => {}
        }
        self.opened += u64::from(!known);
    }

    /// Adds a line to what is known already.
    fn note(&mut self, finding: &Finding, rung: Rung) {
        let incident = self.open.get_mut(&Key::of(finding));
        let reached =
            incident.and_then(|incident| incident.rungs.iter_mut().find(|reached| reached.rung == rung));
        if let Some(reached) = reached {
            reached.add(finding, finding.head.time);
        }
    }

    /// Whether [`Incidents::advance`] has anything to do at `now`.
    #[inline]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.next_sweep.is_none_or(|next| now >= next)
    }

    /// Lets packet time go on to `now`: incidents without new evidence for a day are closed, within an hour.
    pub fn advance(&mut self, now: Timestamp, closed: &mut dyn FnMut(&Incident)) {
        if !self.is_due(now) {
            return;
        }
        self.next_sweep = Some(now.plus(SWEEP));
        for (_, incident) in self.open.take_where(|_, incident| is_idle(incident, now)) {
            closed(&incident);
        }
    }

    /// Closes everything: the end of input. Ordered by verdict, worst first.
    pub fn finish(&mut self) -> Vec<Incident> {
        let mut all: Vec<_> =
            self.open.take_where(|_, _| true).into_iter().map(|(_, incident)| incident).collect();
        all.sort_by(|a, b| {
            (b.verdict(), b.severity, a.first, a.asset.tenant, a.asset.address, &a.campaign).cmp(&(
                a.verdict(),
                a.severity,
                b.first,
                b.asset.tenant,
                b.asset.address,
                &b.campaign,
            ))
        });
        all
    }

    /// How many incidents were opened.
    pub fn opened(&self) -> u64 {
        self.opened
    }

    /// Incidents that were closed because there were too many.
    pub fn evicted(&self) -> u64 {
        self.open.evicted()
    }
}

fn is_idle(incident: &Incident, now: Timestamp) -> bool {
    now.since(incident.last) > IDLE
}

impl Incident {
    /// Adds a finding; answers whether it reached a rung that was not reached before, above all others.
    fn take(&mut self, finding: &Finding, rung: Rung) -> bool {
        let rose = self.rungs.last().is_none_or(|highest| highest.rung < rung);
        let time = finding.head.time;
        self.findings += 1;
        self.first = self.first.min(time);
        self.last = self.last.max(time);
        self.severity = self.severity.max(finding.severity);
        self.confidence = self.confidence.max(finding.confidence);
        // A question goes to the resolver, which has nothing to do with it, however much the question says.
        let is_question = finding.indicator.as_ref().is_some_and(|found| found.field.starts_with("dns."));
        let is_resolver = finding.dns_tunnel.as_ref().is_some_and(|tunnel| !tunnel.past_resolver);
        if rung != Rung::LookedUp && !is_question && !is_resolver {
            self.went_to(&finding.destination);
        }
        let place = self.rungs.partition_point(|reached| reached.rung < rung);
        if self.rungs.get(place).is_none_or(|reached| reached.rung != rung) {
            let reached = RungReached { rung, first: time, last: time, count: 0, evidence: Vec::new() };
            self.rungs.insert(place, reached);
        }
        if let Some(reached) = self.rungs.get_mut(place) {
            reached.first = reached.first.min(time);
            reached.last = reached.last.max(time);
            reached.count += 1;
            reached.add(finding, time);
        }
        rose
    }

    /// Notes a destination; the name may become known after the first contact, by a Host field for example.
    fn went_to(&mut self, destination: &Destination) {
        let full = self.destinations.len() >= DESTINATIONS;
        match self.destinations.iter_mut().find(|known| known.endpoint == destination.endpoint) {
            Some(known) if known.name.is_none() => known.name.clone_from(&destination.name),
            Some(_) => {}
            None if full => {}
            None => self.destinations.push(destination.clone()),
        }
    }
}

impl RungReached {
    /// Adds a finding's line of evidence. The same sentence again adds nothing, the count tells; of a
    /// rhythm the latest line says all that the earlier ones did.
    fn add(&mut self, finding: &Finding, time: Timestamp) {
        let packet = finding.head.packet_number();
        let line = Evidence { time, packet, text: finding.evidence().to_owned(), kind: kind_of(finding) };
        let is_rhythm = line.kind == EvidenceKind::Rhythm;
        if is_rhythm
            && let Some(known) = self.evidence.iter_mut().find(|known| known.kind == EvidenceKind::Rhythm)
        {
            *known = line;
        } else if (self.evidence.len() < limits::EVIDENCE_LINES || is_rhythm)
            && !self.evidence.iter().any(|known| known.text == line.text)
        {
            self.evidence.push(line);
        }
    }
}

fn kind_of(finding: &Finding) -> EvidenceKind {
    let is_answer = match &finding.application {
        Application::Dns(bytes) => Message::parse(bytes).is_some_and(|message| message.is_response()),
        _ => false,
    };
    if finding.beacon.is_some() || finding.dns_tunnel.is_some() {
        EvidenceKind::Rhythm
    } else if finding.telling == Telling::Noted || is_answer {
        EvidenceKind::Outcome
    } else {
        EvidenceKind::Event
    }
}

fn open(finding: &Finding, subject: Arc<str>) -> Incident {
    let time = finding.head.time;
    Incident {
        id: incident_id(finding, &subject),
        asset: finding.asset.clone(),
        title: finding.campaign_title.clone().unwrap_or_else(|| Arc::clone(&subject)),
        campaign: subject,
        severity: finding.severity,
        confidence: finding.confidence,
        first: time,
        last: time,
        findings: 0,
        rungs: Vec::new(),
        destinations: Vec::new(),
        unseen: Vec::new(),
    }
}

/// Without a campaign, the destination is what the incident is about: its name, else its address.
fn subject_of(finding: &Finding) -> Arc<str> {
    if let Some(tunnel) = &finding.dns_tunnel {
        return Arc::clone(&tunnel.domain);
    }
    if finding.detector == Detector::Dga {
        return "generated domains".into();
    }
    match (&finding.destination.name, &finding.indicator) {
        (_, Some(indicator)) => Arc::clone(&indicator.value),
        (Some(named), None) => Arc::clone(&named.name),
        (None, None) => finding.destination.endpoint.address.to_string().into(),
    }
}

/// A stable identifier: 16 hexadecimal digits of a hash of tenant, asset, subject and the first evidence's time.
fn incident_id(finding: &Finding, subject: &str) -> String {
    let text = format!(
        "{}|{}|{subject}|{}",
        finding.asset.tenant,
        finding.asset.address,
        finding.head.time.as_nanos()
    );
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
