//! Our own packs: TOML, one readable file for each campaign (`signatures/README.md` has the layout).
//!
//! An entry that is wrong is refused with its line, and the rest of the pack is taken. A key that is
//! not known is wrong: a slip of the pen in `valid_until` must not make a claim hold for ever.

use std::sync::Arc;

use super::allow::AllowEntry;
use super::claims::Statement;
use super::document::{Document, Fault, Fields, unknown};
use super::instant::Edge;
use super::load::Loader;
use super::load_report::SourceReport;
use super::matcher::Added;
use super::model::{Kind, Match, Provenance, Severity, Tlp};
use super::registry::Registries;
use super::search_suffix::SearchSuffixes;
use super::sinkhole::Sinkholes;
use super::value::Value;

const ROOT_KEYS: &[&str] =
    &["pack", "indicator", "signature", "allow", "registry", "sinkhole", "search_suffix"];
const PACK_KEYS: &[&str] = &["id", "title", "campaign", "description", "references", "updated"];
const INDICATOR_KEYS: &[&str] = &[
    "value",
    "values",
    "kind",
    "match",
    "source",
    "reference",
    "confidence",
    "severity",
    "first_seen",
    "valid_from",
    "valid_until",
    "tlp",
    "tags",
    "mitre",
    "note",
    "alert",
];

/// What a pack's head says.
pub(super) struct Pack<'d> {
    /// The file as it was named to the loader.
    pub file: Arc<str>,
    /// The campaign, `axios-2026-03`.
    campaign: Arc<str>,
    /// Its title for a person.
    title: Arc<str>,
    /// From the sources' tags to their addresses.
    references: Vec<(&'d str, &'d str)>,
}

/// Reads a pack into `loader`.
pub(super) fn read(text: &str, loader: &mut Loader, report: &mut SourceReport) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let document = match Document::parse(text) {
        Ok(document) => document,
        Err(Fault { line, reason }) => {
            report.failure = Some(format!("line {line}: {reason}"));
            return;
        }
    };
    if let Err(Fault { line, reason }) = read_document(&document, loader, report) {
        report.failure = Some(format!("line {line}: {reason}"));
    }
}

/// Reads the pack's parts; only what spoils the whole of it is an error.
fn read_document(
    document: &Document<'_>,
    loader: &mut Loader,
    report: &mut SourceReport,
) -> Result<(), Fault> {
    let root = document.root(ROOT_KEYS)?;
    let head = root.table("pack", PACK_KEYS)?;
    let head = head.ok_or(Fault { line: 1, reason: "[pack] is missing".to_owned() })?;
    let pack = Pack::read(&head, report.file.clone())?;
    let mut refused = |report: &mut SourceReport, Fault { line, reason }: Fault| {
        report.reject(line, document.line_text(line), reason);
    };
    for entry in root.tables("indicator", INDICATOR_KEYS)? {
        if let Err(fault) = entry.and_then(|entry| read_indicator(&entry, &pack, loader, report)) {
            refused(report, fault);
        }
    }
    for entry in root.tables("signature", super::native_signature::KEYS)? {
        let read = entry.and_then(|entry| {
            let signature = super::native_signature::read(&entry, &pack)?;
            match loader.indicators.signature(signature) {
                true => Ok(1),
                false => Err(entry.wrong("id", "another signature has this id")),
            }
        });
        count(read, report, &mut refused);
    }
    for entry in root.tables("allow", AllowEntry::KEYS)? {
        let read = entry.and_then(|entry| AllowEntry::read(&entry, &pack.file)).map(|entries| {
            loader.allow.extend(entries);
            1
        });
        count(read, report, &mut refused);
    }
    for entry in root.tables("registry", Registries::KEYS)? {
        count(entry.and_then(|entry| loader.registries.read(&entry)), report, &mut refused);
    }
    for entry in root.tables("sinkhole", Sinkholes::KEYS)? {
        count(entry.and_then(|entry| loader.sinkholes.read(&entry)), report, &mut refused);
    }
    for entry in root.tables("search_suffix", SearchSuffixes::KEYS)? {
        let suffixes = loader.indicators.search_suffixes();
        count(entry.and_then(|entry| suffixes.read(&entry)).map(|()| 1), report, &mut refused);
    }
    Ok(())
}

fn count(
    read: Result<usize, Fault>,
    report: &mut SourceReport,
    refused: &mut impl FnMut(&mut SourceReport, Fault),
) {
    match read {
        Ok(count) => report.accepted += count,
        Err(fault) => refused(report, fault),
    }
}

impl<'d> Pack<'d> {
    fn read(head: &Fields<'d>, file: Arc<str>) -> Result<Self, Fault> {
        let id = head.required_text("id")?;
        let title = head.required_text("title")?.into();
        head.text("description")?;
        head.time("updated", Edge::Start)?;
        let campaign = head.text("campaign")?.unwrap_or(id).into();
        Ok(Self { file, campaign, title, references: head.text_table("references")? })
    }

    /// What an entry says of its origin and weight. A source is a tag of the pack's references, or
    /// comes with a `reference` of its own.
    pub(super) fn provenance(&self, entry: &Fields<'_>) -> Result<Arc<Provenance>, Fault> {
        let mut reference = entry.text("reference")?;
        let sources = entry.texts("source")?;
        if sources.is_empty() {
            return Err(entry.wrong("source", "is missing: who says so?"));
        }
        for &(source, line) in &sources {
            let known = self.references.iter().find(|&&(tag, _)| tag == source);
            match known {
                Some(&(_, url)) => reference = reference.or(Some(url)),
                None if entry.has("reference") => {}
                None => {
                    let tags = self.references.iter().map(|&(tag, _)| tag);
                    return Err(Fault { line, reason: unknown("source", source, tags) });
                }
            }
        }
        let shared = |texts: Vec<(&str, u32)>| texts.into_iter().map(|(text, _)| text.into()).collect();
        Ok(Arc::new(Provenance {
            file: self.file.clone(),
            campaign: self.campaign.clone(),
            title: Some(self.title.clone()),
            sources: shared(sources),
            reference: reference.unwrap_or_default().into(),
            confidence: entry.required_number("confidence", 0, 100)? as u8,
            tlp: entry.named("tlp", Tlp::ALL.map(Tlp::as_str), Tlp::from_name)?,
            tags: shared(entry.texts("tags")?),
            mitre: shared(entry.texts("mitre")?),
            severity: entry.named("severity", Severity::ALL.map(Severity::as_str), Severity::from_name)?,
            alert: entry.boolean("alert")?.unwrap_or(true),
            note: entry.text("note")?.unwrap_or_default().into(),
        }))
    }
}

fn read_indicator(
    entry: &Fields<'_>,
    pack: &Pack<'_>,
    loader: &mut Loader,
    report: &mut SourceReport,
) -> Result<(), Fault> {
    let kinds = Kind::ALL.map(Kind::as_str);
    let kind = entry.named("kind", kinds, |name| Kind::ALL.into_iter().find(|kind| kind.as_str() == name))?;
    let kind = kind.ok_or_else(|| entry.wrong("kind", format_args!("is missing: {}", kinds.join(", "))))?;
    let matches: &[Match] = match kind {
        Kind::Domain => &[Match::Subtree, Match::Exact],
        Kind::UserAgent => &[Match::Exact, Match::IgnoreCase],
        _ => &[Match::Exact],
    };
    let matching = entry.named("match", matches.iter().map(|one| one.as_str()), |name| {
        matches.iter().copied().find(|one| one.as_str() == name)
    })?;
    let provenance = pack.provenance(entry)?;
    let validity = entry.validity()?;
    let first_seen = entry.time("first_seen", Edge::Start)?;
    let values: Vec<_> = entry.texts("value")?.into_iter().chain(entry.texts("values")?).collect();
    if values.is_empty() {
        return Err(entry.wrong("value", "is missing"));
    }
    for (text, line) in values {
        match Value::of_kind(kind, text, matching) {
            Ok(value) => {
                let provenance = provenance.clone();
                loader.add(&Statement { value, first_seen, validity, line, provenance }, text, report);
            }
            Err(refusal) => report.reject(line, text, refusal),
        }
    }
    Ok(())
}

impl Loader {
    /// Adds a claim and counts what became of it.
    pub(super) fn add(&mut self, statement: &Statement, text: &str, report: &mut SourceReport) {
        match self.indicators.claim(statement) {
            Added::New => report.accepted += 1,
            Added::Duplicate => report.duplicates += 1,
            Added::Full => report.reject(statement.line, text, "there is no room for more claims"),
        }
    }
}
