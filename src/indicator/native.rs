//! Our own packs: TOML, one readable file for each campaign (`signatures/README.md` has the layout).
//!
//! An entry that is wrong is refused with its line, and the rest of the pack is taken. A key that is
//! not known is wrong: a slip of the pen in `valid_until` must not make a claim hold for ever.

use std::sync::Arc;

use super::allow::AllowEntry;
use super::document::{Document, Fault, Fields, unknown};
use super::format::Feed;
use super::instant::Edge;
use super::model::{Kind, Match, Provenance, Severity, Tlp};
use super::registry::Registries;
use super::resolver::PublicResolvers;
use super::search_suffix::SearchSuffixes;
use super::sinkhole::Sinkholes;
use super::value::{Refusal, Value};
use super::well_known::WellKnown;

const ROOT_KEYS: &[&str] = &[
    "pack",
    "indicator",
    "signature",
    "allow",
    "registry",
    "resolver",
    "sinkhole",
    "well_known",
    "search_suffix",
];
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
    "force",
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

/// Reads a pack.
pub(super) fn read(text: &str, feed: &mut Feed<'_>) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let read = Document::parse(text).and_then(|document| read_document(&document, feed));
    if let Err(Fault { line, reason }) = read {
        feed.fail(format!("line {line}: {reason}"));
    }
}

/// Reads the pack's parts; only what spoils the whole of it is an error.
fn read_document(document: &Document<'_>, feed: &mut Feed<'_>) -> Result<(), Fault> {
    let root = document.root(ROOT_KEYS)?;
    let head = root.table("pack", PACK_KEYS)?;
    let head = head.ok_or(Fault { line: 1, reason: "[pack] is missing".to_owned() })?;
    let pack = Pack::read(&head, feed)?;
    let wants_claims = feed.wants_claims();
    for entry in root.tables("indicator", INDICATOR_KEYS)?.into_iter().filter(|_| wants_claims) {
        if let Err(Fault { line, reason }) = entry.and_then(|entry| read_indicator(&entry, &pack, feed)) {
            feed.reject(line, document.line_text(line), reason);
        }
    }
    if !feed.wants_rest() {
        return Ok(());
    }
    let count = |read: Result<usize, Fault>, feed: &mut Feed<'_>| match read {
        Ok(count) => feed.report.accepted += count,
        Err(Fault { line, reason }) => feed.reject_rest(line, document.line_text(line), reason),
    };
    for entry in root.tables("signature", super::native_signature::KEYS)? {
        let read = entry.and_then(|entry| {
            let signature = super::native_signature::read(&entry, &pack)?;
            match feed.loader.indicators.signature(signature) {
                true => Ok(1),
                false => Err(entry.wrong("id", "another signature has this id")),
            }
        });
        count(read, feed);
    }
    for entry in root.tables("allow", AllowEntry::KEYS)? {
        match entry.and_then(|entry| AllowEntry::read(&entry, &pack.file)) {
            Ok(entries) => feed.allow(entries),
            Err(fault) => count(Err(fault), feed),
        }
    }
    for entry in root.tables("registry", Registries::KEYS)? {
        let read = entry.and_then(|entry| feed.loader.registries.read(&entry));
        count(read, feed);
    }
    for entry in root.tables("resolver", PublicResolvers::KEYS)? {
        let read = entry.and_then(|entry| feed.loader.resolvers.read(&entry));
        count(read, feed);
    }
    for entry in root.tables("sinkhole", Sinkholes::KEYS)? {
        let read = entry.and_then(|entry| feed.loader.sinkholes.read(&entry));
        count(read, feed);
    }
    for entry in root.tables("well_known", WellKnown::KEYS)? {
        let read = entry.and_then(|entry| feed.loader.well_known.read(&entry, &pack.file));
        count(read, feed);
    }
    for entry in root.tables("search_suffix", SearchSuffixes::KEYS)? {
        let suffixes = feed.loader.indicators.search_suffixes();
        count(entry.and_then(|entry| suffixes.read(&entry)).map(|()| 1), feed);
    }
    Ok(())
}

impl<'d> Pack<'d> {
    fn read(head: &Fields<'d>, feed: &mut Feed<'_>) -> Result<Self, Fault> {
        let file = feed.report.file.clone();
        let id = head.required_text("id")?;
        let title = head.required_text("title")?.into();
        head.text("description")?;
        feed.note_date(head.time("updated", Edge::Start)?);
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
            force: entry.boolean("force")?.unwrap_or(false),
            note: entry.text("note")?.unwrap_or_default().into(),
        }))
    }
}

fn read_indicator(entry: &Fields<'_>, pack: &Pack<'_>, feed: &mut Feed<'_>) -> Result<(), Fault> {
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
        let value = match Value::of_kind(kind, text, matching) {
            Err(Refusal::PublicSuffix) if provenance.force => Value::of_public_suffix(text),
            value => value,
        };
        match value {
            Ok(value) => feed.statement(line, text, value, first_seen, validity, &provenance),
            Err(refusal) => feed.reject(line, text, refusal),
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::{Knowledge, Loader};
    use super::*;

    const HEAD: &str = "[pack]\nid = \"p\"\ntitle = \"t\"\n[pack.references]\nSS = \"https://a.example/\"\n";

    /// Loads `HEAD`, whose last line is 5, and what follows.
    fn load(rest: &str) -> Knowledge {
        let mut loader = Loader::default();
        loader.bytes("p.toml", format!("{HEAD}{rest}").as_bytes());
        loader.finish()
    }

    const GOOD: &str =
        "[[indicator]]\nvalue = \"good.example\"\nkind = \"domain\"\nsource = \"SS\"\nconfidence = 90\n";

    #[test]
    fn a_claim_keeps_everything_that_was_said() {
        let knowledge = load(
            "[[indicator]]\n# a remark\nvalues = [\n  \"Evil[.]Example\",\n  \"b.example\",\n]\nkind = \"domain\"\n\
             match = \"exact\"\nsource = [\"SS\"]\nconfidence = 70\nvalid_from = 2026-03-30\n\
             valid_until = \"2026-04-30\"\ntlp = \"green\"\nmitre = [\"T1071\"]\nnote = \"n\"\nalert = false\n",
        );
        assert_eq!(knowledge.report.accepted(), 2, "{}", knowledge.report);
        let (_, claim) = knowledge.indicators.claims().next().unwrap();
        assert_eq!((claim.value, claim.kind, claim.matching), ("evil.example", Kind::Domain, Match::Exact));
        assert_eq!(claim.line, 9, "the value's own line");
        assert_eq!(claim.validity.from.unwrap().rfc3339(), "2026-03-30T00:00:00.000000Z");
        assert_eq!(claim.validity.until.unwrap().rfc3339(), "2026-04-30T23:59:59.999999Z");
        let Provenance { campaign, sources, reference, confidence, tlp, mitre, note, alert, .. } =
            &**claim.provenance;
        assert_eq!((&**campaign, &*sources[0], &**reference), ("p", "SS", "https://a.example/"));
        assert_eq!(
            (*confidence, *tlp, &*mitre[0], &**note, *alert),
            (70, Some(Tlp::Green), "T1071", "n", false)
        );
        assert_eq!(claim.severity(), Severity::Info, "must not alert alone");
    }

    #[test]
    fn faults_name_their_line_and_what_was_perhaps_meant() {
        for (change, line, reason) in [
            ("confidence = 90|confidence = 101", 10, "confidence must be a whole number from 0 to 100"),
            ("confidence = 90|", 6, "confidence is missing"),
            ("confidence = 90|confidense = 90", 10, "unknown key \"confidense\", perhaps confidence"),
            ("\"SS\"|\"ST\"", 9, "unknown source \"ST\", perhaps SS"),
            ("\"SS\"|7", 9, "source must be a text or a list of texts"),
            ("source = \"SS\"|", 6, "source: is missing: who says so?"),
            ("\"domain\"|\"domian\"", 8, "kind: unknown value \"domian\", perhaps domain"),
            ("good.example|com", 7, "a bare top-level domain would match half the Internet"),
            ("good.example|co.uk", 7, "a public suffix: everybody's names stand below it"),
            ("confidence = 90|confidence = 90\nmatch = \"prefix\"", 11, "match: unknown value \"prefix\""),
            (
                "confidence = 90|confidence = 90\nvalid_from = \"soon\"",
                11,
                "valid_from must be a date or a time",
            ),
            (
                "confidence = 90|confidence = 90\nvalid_from = 2026-02-01\nvalid_until = 2026-01-01",
                12,
                "valid_until: must not be before valid_from",
            ),
        ] {
            let (from, to) = change.split_once('|').unwrap();
            let knowledge = load(&format!("{}\n{GOOD}", GOOD.replacen(from, to, 1)));
            let report = &knowledge.report.sources[0];
            assert_eq!(report.failure, None, "{change}");
            assert_eq!(report.rejected.len(), 1, "{change}: {}", knowledge.report);
            let rejected = &report.rejected[0];
            assert_eq!(rejected.line, line, "{change}: {}", rejected.reason);
            assert!(rejected.reason.starts_with(reason), "{change}: {}", rejected.reason);
            assert_eq!(report.accepted, 1, "the entry after it is taken: {change}");
        }
    }

    #[test]
    fn a_broken_pack_is_refused_as_a_whole() {
        for (text, reason) in [
            (format!("{HEAD}[[indicator]\n"), "line 6: not TOML"),
            (format!("{HEAD}[[indicators]]\n"), "line 6: unknown key \"indicators\", perhaps indicator"),
            ("[[indicator]]\n".to_owned(), "line 1: [pack] is missing"),
            ("[pack]\nid = \"\"\ntitle = \"t\"\n".to_owned(), "line 2: id: must not be empty"),
            ("".to_owned(), "line 1: [pack] is missing"),
        ] {
            let mut loader = Loader::default();
            loader.bytes("p.toml", text.as_bytes());
            let report = loader.finish().report;
            let failure = report.sources[0].failure.clone().unwrap_or_default();
            assert!(failure.starts_with(reason), "{text}: {failure}");
        }
    }

    #[test]
    fn faults_of_signatures_name_their_line() {
        let signature = |rest: &str| {
            format!(
                "[[signature]]\nid = \"s\"\ntitle = \"t\"\nrung = \"executed\"\nsource = \"SS\"\nconfidence = 90\n{rest}\n"
            )
        };
        for (rest, line, reason) in [
            (
                "all = [{ field = \"http.pth\", equals = \"/\" }]",
                12,
                "field: unknown field \"http.pth\", perhaps http.path",
            ),
            (
                "all = [\n  { field = \"http.path\", equls = \"/\" },\n]",
                13,
                "unknown key \"equls\", perhaps equals",
            ),
            ("all = [{ field = \"http.path\" }]", 12, "field: has no test"),
            ("all = [{ field = \"http.path\", min = 3 }]", 12, "min: this field can be asked equals"),
            ("all = [{ field = \"http.path\", prefix = \"\" }]", 12, "prefix: must not be empty"),
            (
                "all = [{ field = \"http.path\", prefix = \"/\", suffix = \"x\" }]",
                12,
                "suffix: is a second test",
            ),
            (
                "all = [{ field = \"response.status\", prefix = \"4\" }]",
                12,
                "prefix: this field can be asked equals",
            ),
            (
                "all = [{ field = \"http.path\", base64_json_keys = [\"a\"] }]",
                12,
                "base64_json_keys: this field",
            ),
            (
                "all = [{ field = \"flow.remote_port\", equals = 1 }]",
                12,
                "all: has conditions on the flow only",
            ),
            (
                "all = [{ field = \"http.path\", equals = \"/\" }, { field = \"dns.query\", equals = \"a.b\" }]",
                12,
                "all: mixes fields of different exchanges",
            ),
            (
                "all = [{ field = \"flow.remote_address\", within = \"x\" }]",
                12,
                "\"x\" is neither an address nor a prefix",
            ),
            (
                "none = [{ field = \"http.path\", equals = \"/\" }]",
                6,
                "all: must have at least one condition",
            ),
        ] {
            let knowledge = load(&signature(rest));
            let report = &knowledge.report.sources[0];
            assert_eq!((report.accepted, report.rejected.len()), (0, 1), "{rest}: {}", knowledge.report);
            let rejected = &report.rejected[0];
            assert!(rejected.reason.starts_with(reason), "{rest}: {}", rejected.reason);
            assert_eq!(rejected.line, line, "{rest}: {}", rejected.reason);
        }
        let twice = signature("all = [{ field = \"http.path\", equals = \"/\" }]").repeat(2);
        let report = load(&twice).report;
        assert_eq!((report.accepted(), report.rejected()), (1, 1));
        assert_eq!(report.sources[0].rejected[0].reason, "id: another signature has this id");
    }
}
