//! What a value would do and why, for a person: `callhome indicators explain`.

use super::layout::{Page, Style, Tone, counted, shown};
use crate::{
    indicator::{Claim, Explanation, Hit, Kind, Knowledge, Match, Reach, Signature, Standing, Subject},
    time::Timestamp,
};

/// The explanation as text, every line ended.
pub fn explanation(
    knowledge: &Knowledge,
    subject: &Subject,
    found: &Explanation<'_>,
    time: Timestamp,
    style: &Style,
) -> String {
    let mut page = Page::new(*style);
    page.paragraph("", &format!("{} ({})", shown(&subject.text()), kind_text(subject.kind())), Tone::Heading);
    let (verdict, tone) = match (found.alert, found.hits.is_empty()) {
        (Some(severity), _) => {
            (format!("a hit at {} is an alert of severity {}", instant(time), severity.as_str()), Tone::Alarm)
        }
        (None, false) => (format!("listed, and no hit at {} is an alert", instant(time)), Tone::Warning),
        (None, true) if !found.signatures.is_empty() => (
            "part of a signature: alerts only with the signature's other conditions".to_owned(),
            Tone::Warning,
        ),
        (None, true) => ("not listed".to_owned(), Tone::Plain),
    };
    page.paragraph("  verdict   ", &verdict, tone);
    for reason in &found.because {
        page.paragraph("            ", &shown(reason), Tone::Plain);
    }
    for hit in &found.hits {
        if let Some(claim) = knowledge.indicators.claim(hit.claim) {
            page.blank();
            claim_block(&mut page, hit, &claim);
        }
    }
    for (id, condition) in &found.signatures {
        if let Some(signature) = knowledge.indicators.signature(*id) {
            page.blank();
            signature_block(&mut page, signature, condition, time);
        }
    }
    further(&mut page, knowledge, found);
    page.into_text()
}

fn claim_block(page: &mut Page, hit: &Hit<'_>, claim: &Claim<'_>) {
    let said = &**claim.provenance;
    let below = if claim.matching == Match::Subtree { " and below" } else { "" };
    let listed = format!("{} {}{below}: {}", kind_text(claim.kind), shown(claim.value), reach_text(hit));
    page.paragraph("  listed    ", &listed, Tone::Heading);
    page.paragraph("  at        ", &format!("{}:{}", shown(&said.file), claim.line), Tone::Plain);
    let campaign = match &said.title {
        Some(title) => format!("{} [{}]", shown(title), shown(&said.campaign)),
        None => format!("a list without a campaign [{}]", shown(&said.campaign)),
    };
    page.paragraph("  campaign  ", &campaign, Tone::Plain);
    let sources: Vec<_> = said.sources.iter().map(|source| shown(source)).collect();
    page.paragraph(
        "  says      ",
        &format!("{} {}", sources.join(", "), shown(&said.reference)),
        Tone::Plain,
    );
    let worth = format!("confidence {} of 100, severity {}", said.confidence, hit.severity.as_str());
    page.paragraph("  worth     ", &worth, Tone::Plain);
    page.paragraph(
        "  holds     ",
        &validity(claim.validity.from, claim.validity.until, hit.standing),
        Tone::Plain,
    );
    let words = [
        said.tlp.map(|tlp| format!("TLP:{}", tlp.as_str().to_ascii_uppercase())),
        (!said.tags.is_empty()).then(|| shown(&said.tags.join(" "))),
        (!said.mitre.is_empty()).then(|| shown(&said.mitre.join(" "))),
        (!said.alert).then(|| "must not alert alone".to_owned()),
    ];
    let words: Vec<_> = words.into_iter().flatten().collect();
    if !words.is_empty() {
        page.paragraph("  marks     ", &words.join(", "), Tone::Plain);
    }
    if !said.note.is_empty() {
        page.paragraph("  note      ", &shown(&said.note), Tone::Plain);
    }
}

fn signature_block(page: &mut Page, signature: &Signature, condition: &str, time: Timestamp) {
    page.paragraph(
        "  signature ",
        &format!("{} [{}]", shown(&signature.title), shown(&signature.id)),
        Tone::Heading,
    );
    page.paragraph("  meets     ", &shown(condition), Tone::Plain);
    let (all, none) = signature.conditions();
    let others = (all.len() + none.len()).saturating_sub(1);
    if others > 0 {
        let text =
            format!("and {} must be met in the same exchange", counted(others as u64, "other condition"));
        page.paragraph("            ", &text, Tone::Plain);
    }
    let place = format!("{}:{}", shown(&signature.provenance.file), signature.line);
    page.paragraph("  at        ", &place, Tone::Plain);
    let worth = format!(
        "confidence {} of 100, severity {}, shows that it was {}",
        signature.provenance.confidence,
        signature.severity().as_str(),
        signature.rung.as_str().replace('_', " ")
    );
    page.paragraph("  worth     ", &worth, Tone::Plain);
    let span = signature.validity;
    page.paragraph("  holds     ", &validity(span.from, span.until, span.at(time)), Tone::Plain);
}

fn further(page: &mut Page, knowledge: &Knowledge, found: &Explanation<'_>) {
    if found.below_count > 0 {
        page.blank();
        let text = format!("{} below it", counted(found.below_count as u64, "listed value"));
        page.paragraph("  below     ", &text, Tone::Plain);
        for claim in found.below.iter().filter_map(|&id| knowledge.indicators.claim(id)) {
            let place = format!("{}:{}", shown(&claim.provenance.file), claim.line);
            page.paragraph("            ", &format!("{} ({place})", shown(claim.value)), Tone::Plain);
        }
    }
    if !found.allowed.is_empty() {
        page.blank();
    }
    for (detector, entry) in &found.allowed {
        let place = format!("{}:{}", shown(&entry.file), entry.line);
        let line = format!("for {detector}: {} ({}, {place})", shown(&entry.reason), shown(&entry.value));
        page.paragraph("  allowed   ", &line, Tone::Plain);
        if !entry.risk.is_empty() {
            page.paragraph("            ", &format!("risk: {}", shown(&entry.risk)), Tone::Plain);
        }
    }
    if let Some(sinkhole) = found.sinkhole {
        let line = format!("{} ({})", shown(&sinkhole.operator), shown(&sinkhole.reference));
        page.paragraph("  sinkhole  ", &line, Tone::Plain);
    }
    if let Some(registry) = found.registry {
        page.paragraph("  registry  ", &format!("a package registry: {}", shown(registry)), Tone::Plain);
    }
}

fn reach_text(hit: &Hit<'_>) -> String {
    match &hit.reach {
        Reach::Itself => "the value itself".to_owned(),
        Reach::Below => "it stands below that name".to_owned(),
        Reach::Within => "it lies in that prefix".to_owned(),
        Reach::AnyPort => "the same at any port".to_owned(),
        Reach::OnePort => "at that port only".to_owned(),
        Reach::Host => "the URL's host".to_owned(),
        Reach::Path => "the URL's path, at any host".to_owned(),
        Reach::SearchSuffix(name) => format!("a look-up of {} with a search suffix", shown(name)),
    }
}

fn validity(from: Option<Timestamp>, until: Option<Timestamp>, standing: Standing) -> String {
    let span = match (from, until) {
        (None, None) => "at any time".to_owned(),
        (Some(from), None) => format!("from {}", instant(from)),
        (None, Some(until)) => format!("until {}", instant(until)),
        (Some(from), Some(until)) => format!("from {} until {}", instant(from), instant(until)),
    };
    match standing {
        Standing::Valid => span,
        Standing::Early => format!("{span}; begins within 30 days"),
        Standing::NotYet => format!("{span}; not yet"),
        Standing::Expired => format!("{span}; expired"),
    }
}

/// A time as people write it, without the time of day at a day's borders.
fn instant(time: Timestamp) -> String {
    let text = time.rfc3339();
    let (day, clock) = text.split_once('T').unwrap_or((&text, ""));
    match clock.get(..8) {
        Some("00:00:00" | "23:59:59") | None => day.to_owned(),
        Some(clock) => format!("{day} {clock} UTC"),
    }
}

fn kind_text(kind: Kind) -> String {
    match kind {
        Kind::AddressPort => "address and port".to_owned(),
        Kind::Url => "URL".to_owned(),
        Kind::Ja3 | Kind::Ja4 => kind.as_str().to_ascii_uppercase(),
        kind => kind.as_str().replace('_', " "),
    }
}
