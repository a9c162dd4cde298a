//! The summary for a person who was woken up: the verdict first, then its evidence, then what is not known.

use std::collections::BTreeMap;

use super::layout::{Page, Style, Tone, bytes, counted, number, shown, span, time, time_after};
use crate::{
    asset::Asset,
    decode::Tenant,
    detect::Destination,
    incident::{EvidenceKind, Incident, RungReached},
    indicator::{Rung, Severity},
    time::Timestamp,
};

/// Everything that the summary is made of.
#[derive(Clone, Debug, Default)]
pub struct Summary<'a> {
    /// What was read, by name.
    pub inputs: &'a [String],
    /// Frames read from all inputs.
    pub frames: u64,
    /// Bytes of those frames on the wire.
    pub bytes: u64,
    /// Times of the first and the last packet.
    pub times: Option<(Timestamp, Timestamp)>,
    /// Machines of ours that were seen.
    pub machines: u64,
    /// The incidents, in any order.
    pub incidents: &'a [Incident],
    /// How many findings there were.
    pub findings: FindingCounts,
    /// What could not be seen, one sentence each.
    pub unseen: &'a [String],
    /// What was odd about the inputs, one sentence each.
    pub notices: &'a [String],
    /// Counters worth showing, by name.
    pub counters: &'a [(String, u64)],
}

/// Findings by severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FindingCounts {
    counts: [u64; 5],
}

impl FindingCounts {
    /// Counts one more.
    pub fn add(&mut self, severity: Severity) {
        if let Some(count) = self.counts.get_mut(severity as usize) {
            *count += 1;
        }
    }

    /// How many of `severity` there were.
    pub fn of(&self, severity: Severity) -> u64 {
        self.counts.get(severity as usize).copied().unwrap_or_default()
    }

    /// How many there were in all.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// Incidents that are shown in full; the events have all of them.
const INCIDENTS_SHOWN: usize = 50;
/// Names in the first line.
const MACHINES_NAMED: usize = 5;
/// Destinations of one incident that are shown.
const DESTINATIONS_SHOWN: usize = 5;

/// The summary as text, every line ended.
pub fn summary(summary: &Summary<'_>, style: &Style) -> String {
    let mut page = Page::new(*style);
    verdict(&mut page, summary);
    for incident in ordered(summary.incidents).into_iter().take(INCIDENTS_SHOWN) {
        page.blank();
        incident_block(&mut page, incident);
    }
    if let Some(more) = summary.incidents.len().checked_sub(INCIDENTS_SHOWN + 1) {
        page.blank();
        let more = counted(more as u64 + 1, "more incident");
        page.paragraph("", &format!("{more} in the events (--json FILE)."), Tone::Plain);
    }
    unseen(&mut page, summary);
    totals(&mut page, summary);
    page.into_text()
}

/// How much a machine's incidents weigh, in the order of alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// Something matched that alone means little.
    Weak,
    /// Fetched what was poisoned.
    Exposed,
    /// Asked for a name or an address without reaching it.
    Tried,
    /// Data both ways, or more.
    CalledHome,
}

impl Weight {
    fn of(incident: &Incident) -> Self {
        match incident.verdict() {
            _ if incident.severity < Severity::Medium => Self::Weak,
            Rung::Exposed => Self::Exposed,
            Rung::LookedUp | Rung::Attempted => Self::Tried,
            Rung::Contacted | Rung::Executed | Rung::Active => Self::CalledHome,
        }
    }
}

/// The first lines: who called home, in words.
fn verdict(page: &mut Page, summary: &Summary<'_>) {
    // Machines by their heaviest incident; one machine is counted once.
    let mut machines: BTreeMap<(Tenant, std::net::IpAddr), (Weight, &Asset)> = BTreeMap::new();
    for incident in summary.incidents {
        let (weight, asset) = (Weight::of(incident), &incident.asset);
        let heaviest = machines.entry((asset.tenant, asset.address)).or_insert((weight, asset));
        heaviest.0 = heaviest.0.max(weight);
    }
    let all = summary.machines.max(machines.len() as u64);
    let of_all = |count: usize| format!("{} of {}", number(count as u64), counted(all, "machine"));
    let mut lines = Vec::new();
    for weight in [Weight::CalledHome, Weight::Tried, Weight::Exposed, Weight::Weak] {
        let those: Vec<_> =
            machines.values().filter(|machine| machine.0 == weight).map(|machine| machine.1).collect();
        if those.is_empty() {
            continue;
        }
        let (did, tone) = match weight {
            Weight::CalledHome => ("called home", Tone::Alarm),
            Weight::Tried => ("tried to reach an attacker without being answered", Tone::Warning),
            Weight::Exposed => ("fetched what was poisoned", Tone::Warning),
            Weight::Weak => ("did something that alone means little", Tone::Plain),
        };
        lines.push((format!("{} {did}: {}.", of_all(those.len()), named(&those)), tone));
    }
    match lines.first_mut() {
        Some((_, Tone::Alarm)) => {}
        Some((line, _)) => line.insert_str(0, "No machine was seen to call home, but "),
        None => lines.push((nothing(summary, all), Tone::Heading)),
    }
    for (line, tone) in lines {
        page.paragraph("", &line, tone);
    }
    if summary.incidents.is_empty() && summary.frames > 0 {
        let caveat = "This does not prove that nothing happened: see below what these packets cannot show.";
        page.paragraph("", caveat, Tone::Plain);
    }
}

/// The first line when there is nothing to tell.
fn nothing(summary: &Summary<'_>, machines: u64) -> String {
    if summary.frames == 0 {
        return "Nothing was examined: the input holds no packets.".into();
    }
    let seen = format!("{} of {}", counted(summary.frames, "packet"), counted(machines, "machine"));
    match summary.findings.total() {
        0 => format!("No indicator matched in {seen}."),
        some => format!("No incident in {seen}; {} below that, in the events.", counted(some, "finding")),
    }
}

/// Machines by name, the first few.
fn named(assets: &[&Asset]) -> String {
    let mut names: Vec<_> = assets.iter().take(MACHINES_NAMED).map(|asset| machine(asset)).collect();
    if let Some(more) = assets.len().checked_sub(MACHINES_NAMED).filter(|&more| more > 0) {
        names.push(format!("and {} more", number(more as u64)));
    }
    names.join(", ")
}

/// A machine: its address, and what tells it apart.
fn machine(asset: &Asset) -> String {
    let mut about: Vec<_> = asset.label.iter().map(|label| shown(label)).collect();
    if !asset.tenant.is_default() {
        about.push(asset.tenant.to_string());
    }
    match about.is_empty() {
        true => asset.address.to_string(),
        false => format!("{} ({})", asset.address, about.join(", ")),
    }
}

/// The worst first; equal ones by time, then by machine.
fn ordered(incidents: &[Incident]) -> Vec<&Incident> {
    let mut ordered: Vec<_> = incidents.iter().collect();
    ordered.sort_by(|a, b| {
        let key = |incident: &Incident| (Weight::of(incident), incident.verdict(), incident.severity);
        let place = |incident: &Incident| (incident.first, incident.asset.tenant, incident.asset.address);
        key(b).cmp(&key(a)).then_with(|| place(a).cmp(&place(b))).then_with(|| a.id.cmp(&b.id))
    });
    ordered
}

/// One incident: who, how far, when, where to, and the evidence of each step.
fn incident_block(page: &mut Page, incident: &Incident) {
    let verdict = incident.verdict();
    let tone = match Weight::of(incident) {
        Weight::CalledHome => Tone::Alarm,
        Weight::Tried | Weight::Exposed => Tone::Warning,
        Weight::Weak => Tone::Heading,
    };
    let who = machine(&incident.asset);
    page.paragraph("", &format!("{who}: {}", rung_words(verdict).to_uppercase()), tone);
    let meaning = match Weight::of(incident) {
        Weight::Weak => "A weak sign, which alone means little.",
        _ => meaning(verdict),
    };
    page.paragraph("  meaning   ", meaning, Tone::Plain);
    let campaign = format!("{} [{}]", shown(&incident.title), shown(&incident.campaign));
    page.paragraph("  campaign  ", &campaign, Tone::Plain);
    let severity = incident.severity.as_str();
    let counts = counted(incident.findings, "finding");
    page.paragraph(
        "  severity  ",
        &format!("{severity}, confidence {} of 100, {counts}", incident.confidence),
        Tone::Plain,
    );
    page.paragraph("  seen      ", &period(incident.first, incident.last), Tone::Plain);
    if !incident.destinations.is_empty() {
        page.paragraph("  went to   ", &destinations(&incident.destinations), Tone::Plain);
    }
    page.blank();
    let count_width = incident.rungs.iter().map(|rung| number(rung.count).len()).max().unwrap_or(0);
    for reached in &incident.rungs {
        rung_line(page, reached, count_width);
    }
    for unseen in &incident.unseen {
        page.paragraph("  not seen   ", &shown(unseen), Tone::Plain);
    }
}

/// One rung in one line: name, first time, how often, the first piece of evidence.
fn rung_line(page: &mut Page, reached: &RungReached, count_width: usize) {
    let first = format!(
        "  {:<11}{}  {:>count_width$}x  ",
        rung_words(reached.rung),
        time(reached.first),
        number(reached.count)
    );
    let mut words = reached.evidence.first().map_or_else(String::new, |evidence| shown(&evidence.text));
    // That somebody asked or tried is half of it; the other half is what came of it.
    let first_is_outcome = reached.evidence.first().is_some_and(|first| first.kind == EvidenceKind::Outcome);
    if let Some(outcome) = reached.evidence.iter().find(|line| line.kind == EvidenceKind::Outcome)
        && !first_is_outcome
    {
        words.push_str("; ");
        words.push_str(&shown(&outcome.text));
    }
    let mut about = Vec::new();
    if let Some(packet) =
        reached.evidence.first().map(|evidence| evidence.packet).filter(|&packet| packet > 0)
    {
        // Without commas, for whoever types it into another tool.
        about.push(format!("packet {packet}"));
    }
    if reached.count > 1 {
        about.push(format!("last {}", time_after(reached.last, reached.first)));
    }
    if !about.is_empty() {
        words.push_str(&format!(" ({})", about.join("; ")));
    }
    page.paragraph(&first, &words, Tone::Plain);
}

/// Where it went, the first few.
fn destinations(all: &[Destination]) -> String {
    let mut texts: Vec<_> = all.iter().take(DESTINATIONS_SHOWN).map(destination).collect();
    if let Some(more) = all.len().checked_sub(DESTINATIONS_SHOWN).filter(|&more| more > 0) {
        texts.push(format!("and {} more", number(more as u64)));
    }
    texts.join(", ")
}

/// `c2.example.net (192.0.2.66 port 8000, name from dns)`.
fn destination(destination: &Destination) -> String {
    let end = format!("{} port {}", destination.endpoint.address, destination.endpoint.port);
    match &destination.name {
        Some(named) => format!("{} ({end}, name from {})", shown(&named.name), named.source.name()),
        None => end,
    }
}

/// A rung in words.
const fn rung_words(rung: Rung) -> &'static str {
    match rung {
        Rung::Exposed => "exposed",
        Rung::LookedUp => "looked up",
        Rung::Attempted => "attempted",
        Rung::Contacted => "contacted",
        Rung::Executed => "executed",
        Rung::Active => "active",
    }
}

/// What a verdict means for whoever has to act on it.
const fn meaning(rung: Rung) -> &'static str {
    match rung {
        Rung::Exposed => "It fetched what was poisoned. Nothing of it was seen to call home.",
        Rung::LookedUp => "It asked for the attacker's name. No connection was seen.",
        Rung::Attempted => "It tried to connect to the attacker. Nothing was seen to answer.",
        Rung::Contacted => "It exchanged data with the attacker.",
        Rung::Executed => "The attacker's code ran on it: a second stage or an implant's message was seen.",
        Rung::Active => "The attacker's code ran on it and kept calling home at intervals.",
    }
}

/// What these packets cannot show.
fn unseen(page: &mut Page, summary: &Summary<'_>) {
    if summary.frames == 0 {
        return;
    }
    page.blank();
    page.paragraph("", "What these packets cannot show", Tone::Heading);
    for line in summary.unseen {
        page.paragraph("  - ", &shown(line), Tone::Plain);
    }
    let always = "What encrypted connections carry, and what leaves through services that are allowed. \
                  What happened before the first packet, after the last, or on another path.";
    page.paragraph("  - ", always, Tone::Plain);
}

/// What was read.
fn totals(page: &mut Page, summary: &Summary<'_>) {
    page.blank();
    page.paragraph("", "What was read", Tone::Heading);
    let names: Vec<_> = summary.inputs.iter().take(MACHINES_NAMED).map(|name| shown(name)).collect();
    let more = summary.inputs.len().saturating_sub(names.len());
    let mut inputs = names.join(", ");
    if more > 0 {
        inputs.push_str(&format!(", and {} more", number(more as u64)));
    }
    if !inputs.is_empty() {
        page.paragraph("  input     ", &inputs, Tone::Plain);
    }
    let size = format!("{}, {}", counted(summary.frames, "packet"), bytes(summary.bytes));
    let machines = counted(summary.machines, "machine");
    page.paragraph("  packets   ", &format!("{size}, {machines} of ours"), Tone::Plain);
    if let Some((first, last)) = summary.times {
        page.paragraph("  time      ", &period(first, last), Tone::Plain);
    }
    page.paragraph("  findings  ", &finding_words(&summary.findings), Tone::Plain);
    for notice in summary.notices {
        page.paragraph("  notice    ", &shown(notice), Tone::Warning);
    }
    let values: Vec<_> = summary.counters.iter().map(|(_, value)| number(*value)).collect();
    let width = values.iter().map(String::len).max().unwrap_or(0);
    for ((name, _), value) in summary.counters.iter().zip(values) {
        page.paragraph(&format!("            {value:>width$}  "), &shown(name), Tone::Plain);
    }
}

/// `2026-03-31 00:25:11 to 00:40:14 UTC (15 min 3 s)`, or one time.
fn period(first: Timestamp, last: Timestamp) -> String {
    if first == last {
        return format!("{} UTC", time(first));
    }
    format!("{} to {} UTC ({})", time(first), time_after(last, first), span(last.since(first)))
}

/// `2 critical, 1 low`, or `none`.
fn finding_words(findings: &FindingCounts) -> String {
    let all = [Severity::Critical, Severity::High, Severity::Medium, Severity::Low, Severity::Info];
    let some: Vec<_> = all
        .into_iter()
        .filter(|&severity| findings.of(severity) > 0)
        .map(|severity| format!("{} {}", number(findings.of(severity)), severity.as_str()))
        .collect();
    if some.is_empty() { "none".into() } else { some.join(", ") }
}
