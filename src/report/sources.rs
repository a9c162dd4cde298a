//! What indicator sources are worth, for a person: `callhome indicators check`.

use std::collections::BTreeMap;

use super::layout::{Page, Style, Tone, counted, number, shown, span};
use crate::{
    indicator::{ClaimId, Conflict, Counted, Knowledge, Review, SourceReport, SourceStanding},
    time::Timestamp,
};

/// Lines of one sort that are shown; `--json` has all of them.
const SHOWN: usize = 20;

/// The review as text, every line ended. `changed` tells when each file was last written, where that is known.
pub fn sources(
    knowledge: &Knowledge,
    review: &Review<'_>,
    (time, changed): (Timestamp, &BTreeMap<String, Timestamp>),
    style: &Style,
) -> String {
    let mut page = Page::new(*style);
    for source in shown_sources(knowledge) {
        let standing = review.sources.get(&source.file).cloned().unwrap_or_default();
        let written = changed.get(&*source.file).copied();
        source_block(&mut page, source, &standing, (time, written));
    }
    contradictions(&mut page, knowledge, review);
    shared(&mut page, knowledge, review);
    shadows(&mut page, knowledge, review);
    weakened(&mut page, knowledge, review);
    totals(&mut page, knowledge, review);
    page.into_text()
}

/// The sources that were asked for: all, but for the baseline that is always there when it is as it should be.
fn shown_sources(knowledge: &Knowledge) -> impl Iterator<Item = &SourceReport> {
    let is_dull = |source: &SourceReport| {
        source.is_baseline() && source.failure.is_none() && source.rejected_count == 0
    };
    knowledge.report.sources.iter().filter(move |source| !is_dull(source))
}

fn source_block(
    page: &mut Page,
    source: &SourceReport,
    standing: &SourceStanding,
    (time, written): (Timestamp, Option<Timestamp>),
) {
    let file = shown(&source.file);
    page.paragraph("", &format!("{file} ({})", source.format.as_str()), Tone::Heading);
    if let Some(failure) = &source.failure {
        page.paragraph("  unusable  ", &shown(failure), Tone::Alarm);
        page.blank();
        return;
    }
    let claims = standing.active + standing.expired + standing.not_yet_valid;
    let kinds: Vec<_> = standing
        .kinds
        .iter()
        .map(|(kind, count)| format!("{} {}", number(*count as u64), kind.replace('_', " ")))
        .collect();
    let mut taken = counted(claims as u64, "indicator");
    if !kinds.is_empty() {
        taken = format!("{taken}: {}", kinds.join(", "));
    }
    if let Some(others @ 1..) = source.accepted.checked_sub(claims) {
        taken = format!("{taken}; {} besides (signatures, allow entries ...)", number(others as u64));
    }
    page.paragraph("  taken     ", &taken, Tone::Plain);
    if claims > 0 {
        let states = [
            (standing.active, "active"),
            (standing.expired, "expired"),
            (standing.not_yet_valid, "not yet valid"),
        ];
        let states: Vec<_> = states
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, state)| format!("{} {state}", number(*count as u64)))
            .collect();
        let tone = if standing.active == 0 { Tone::Warning } else { Tone::Plain };
        page.paragraph("  state     ", &states.join(", "), tone);
    }
    if let Some(age) = age_text(source.newest, written, time) {
        page.paragraph("  age       ", &age, Tone::Plain);
    }
    if source.duplicates > 0 || standing.shared > 0 {
        let text = format!(
            "{} within the file, {} in other sources too",
            number(source.duplicates as u64),
            number(standing.shared as u64)
        );
        page.paragraph("  repeated  ", &text, Tone::Plain);
    }
    reasons(page, "  refused   ", source.rejected_count, &source.reasons, Tone::Warning);
    for rejected in source.rejected.iter().take(SHOWN) {
        let line =
            format!("{file}:{}: {}: {}", rejected.line, shown(&rejected.text), shown(&rejected.reason));
        page.paragraph("            ", &line, Tone::Plain);
    }
    if let Some(more @ 1..) = source.rejected_count.checked_sub(source.rejected.len().min(SHOWN)) {
        page.paragraph(
            "            ",
            &format!("{} more; --json has them", number(more as u64)),
            Tone::Plain,
        );
    }
    reasons(page, "  ignored   ", source.ignored_count(), &source.ignored, Tone::Plain);
    page.blank();
}

/// How old what a source says is; else how old the file is.
fn age_text(newest: Option<Timestamp>, written: Option<Timestamp>, time: Timestamp) -> Option<String> {
    let told = |date: Timestamp, what: &str| {
        let day: String = date.rfc3339().chars().take(10).collect();
        match time.since(date) {
            age @ 0.. => format!("{what} of {day}, {} ago", span(age)),
            _ => format!("{what} of {day}"),
        }
    };
    Some(match (newest, written) {
        (Some(newest), _) => told(newest, "its newest date is"),
        (None, Some(written)) => format!("no dates in it; {}", told(written, "the file is")),
        (None, None) => return None,
    })
}

fn reasons(page: &mut Page, first: &str, count: usize, reasons: &[Counted], tone: Tone) {
    if count == 0 {
        return;
    }
    page.paragraph(first, &number(count as u64), tone);
    for Counted { reason, count, first_line } in reasons {
        let line = format!("{} x {} (first in line {first_line})", number(*count as u64), shown(reason));
        page.paragraph("            ", &line, Tone::Plain);
    }
}

fn contradictions(page: &mut Page, knowledge: &Knowledge, review: &Review<'_>) {
    if review.contradictions.is_empty() {
        return;
    }
    page.paragraph("", "Sources contradict each other", Tone::Heading);
    for conflict in Conflict::ALL {
        let all = || review.contradictions.iter().filter(|one| one.conflict == conflict);
        for one in all().take(SHOWN) {
            let (here, there) = (told(knowledge, one.claim), one.other.map(|other| told(knowledge, other)));
            let there = there.unwrap_or_default();
            let line = match conflict {
                Conflict::PermutedAddress => {
                    format!(
                        "{here} and {there}: the same octets in another order, so that one is likely a slip"
                    )
                }
                Conflict::Validity => {
                    format!("{here} and {there}: one says that it holds, the other that it does no more")
                }
                Conflict::Confidence => format!("{here} and {there}: sure of it to very different degrees"),
                Conflict::Sinkhole => format!("{here}: is a sinkhole, whose keeper is no attacker"),
            };
            page.paragraph("  - ", &line, Tone::Warning);
        }
        let count = review.contradiction_counts.get(conflict.as_str()).copied().unwrap_or_default();
        more(page, count.saturating_sub(all().take(SHOWN).count()));
    }
    page.blank();
}

fn shared(page: &mut Page, knowledge: &Knowledge, review: &Review<'_>) {
    if review.shared.is_empty() {
        return;
    }
    let count = counted(review.shared.len() as u64, "value");
    page.paragraph("", &format!("{count} in more than one source"), Tone::Heading);
    for group in review.shared.iter().take(SHOWN) {
        let Some(claim) = group.first().and_then(|&id| knowledge.indicators.claim(id)) else { continue };
        let places: Vec<_> = group
            .iter()
            .filter_map(|&id| knowledge.indicators.claim(id))
            .map(|claim| format!("{}:{}", shown(&claim.provenance.file), claim.line))
            .collect();
        page.paragraph("  - ", &format!("{}: {}", shown(claim.value), places.join(", ")), Tone::Plain);
    }
    more(page, review.shared.len().saturating_sub(SHOWN));
    page.blank();
}

fn shadows(page: &mut Page, knowledge: &Knowledge, review: &Review<'_>) {
    if review.shadows.is_empty() {
        return;
    }
    page.paragraph("", "The allow list silences", Tone::Heading);
    for shadow in review.shadows.iter().take(SHOWN) {
        let (entry, claim) = (shadow.entry, told(knowledge, shadow.claim));
        let part = if shadow.is_whole { "" } else { " in part" };
        let place = format!("{}:{}", shown(&entry.file), entry.line);
        let line = format!("{claim}{part}: {} ({place}: {})", shown(&entry.reason), shown(&entry.value));
        page.paragraph("  - ", &line, Tone::Warning);
    }
    more(page, review.shadows.len().saturating_sub(SHOWN));
    page.blank();
}

fn weakened(page: &mut Page, knowledge: &Knowledge, review: &Review<'_>) {
    if review.weakened.is_empty() {
        return;
    }
    page.paragraph("", "Weakened to low, because many share it", Tone::Heading);
    for (id, entry) in review.weakened.iter().take(SHOWN) {
        let place = format!("{}:{}", shown(&entry.file), entry.line);
        let line = format!("{}: {} ({place})", told(knowledge, *id), shown(&entry.what));
        page.paragraph("  - ", &line, Tone::Plain);
    }
    more(page, review.weakened.len().saturating_sub(SHOWN));
    page.blank();
}

fn totals(page: &mut Page, knowledge: &Knowledge, review: &Review<'_>) {
    let sum = |of: fn(&SourceStanding) -> usize| review.sources.values().map(of).sum::<usize>() as u64;
    let text = format!(
        "{} ({} active, {} expired, {} not yet valid), {}, allow entries: {}; {} refused",
        counted(sum(|one| one.active + one.expired + one.not_yet_valid), "indicator"),
        number(sum(|one| one.active)),
        number(sum(|one| one.expired)),
        number(sum(|one| one.not_yet_valid)),
        counted(knowledge.indicators.all_signatures().len() as u64, "signature"),
        number(knowledge.allow.entries().len() as u64),
        number(knowledge.report.rejected() as u64),
    );
    page.paragraph("In all: ", &text, Tone::Plain);
}

fn more(page: &mut Page, count: usize) {
    if count > 0 {
        page.paragraph("    ", &format!("{} more; --json has them", number(count as u64)), Tone::Plain);
    }
}

/// `198.51.100.7 (list.txt:3)`.
fn told(knowledge: &Knowledge, id: ClaimId) -> String {
    knowledge.indicators.claim(id).map_or(String::new(), |claim| {
        format!("{} ({}:{})", shown(claim.value), shown(&claim.provenance.file), claim.line)
    })
}
