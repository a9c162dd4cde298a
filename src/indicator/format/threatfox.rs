//! ThreatFox of abuse.ch: the CSV export, the JSON export, and what its API answers.
//!
//! Known by its columns or keys: the value and its type beside `threat_type` or the family of malware. Exports
//! differ in their columns by age (`is_compromised` is missing in older ones), so they are read by name.
//!
//! | it writes | is | means |
//! |---|---|---|
//! | `domain` | domain | the name and what stands below it, as block lists mean it: nothing says otherwise |
//! | `ip:port` | address at that port | |
//! | `url` | URL | |
//! | `..._hash`, `envelope_from`, `body_from` | nothing for a sensor | |
//!
//! The family of malware stands for the campaign, but entries of one family are not one attack, so that it
//! is no title. An entry holds from when it was first seen until its kind's lifetime after it was last seen.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::super::instant::{Edge, parse_time};
use super::super::model::{Kind, Provenance};
use super::super::value::Value;
use super::json::{self, Layout, Lines, Members, Texts, parse, without_mark};
use super::table::Table;
use super::{Dates, Feed, Head, LineReader};

/// Anybody may report, and one who does not say how sure he is stands in the middle of the scale.
const CONFIDENCE: u8 = 50;

/// The keys of the value, in the API's answers and in the exports.
const VALUE: [&str; 2] = ["ioc", "ioc_value"];

/// Whether a file that begins so is written so.
pub(super) fn recognises(head: &Head<'_>) -> bool {
    match &head.json {
        None => Table::begins_in(head, is_header),
        Some(layout @ Layout::List { .. }) => lists_entries(layout),
        Some(Layout::Object { keys, .. }) => {
            let of_answer = ["query_status", "data"].iter().all(|key| keys.iter().any(|one| one == key));
            let of_export = !keys.is_empty()
                && keys.iter().all(|key| key.bytes().all(|byte| byte.is_ascii_digit()) && !key.is_empty());
            if !of_answer && !of_export {
                return false;
            }
            let Ok(Members(members)) = serde_json::from_str::<Members<'_>>(without_mark(head.text)) else {
                return false;
            };
            let entries = members.iter().find(|(key, _)| of_export || key.0 == "data");
            entries.is_some_and(|(_, entries)| {
                lists_entries(&Layout::of(entries.get()))
                    || of_answer && (json::is_empty_list(entries.get()) || entries.get().starts_with('"'))
            })
        }
        Some(Layout::Broken(_)) => false,
    }
}

fn is_header(columns: &[String]) -> bool {
    let has = |name: &str| columns.iter().any(|column| column == name);
    has("ioc_value") && has("ioc_type") && (has("threat_type") || has("fk_malware"))
}

fn lists_entries(layout: &Layout) -> bool {
    VALUE.iter().any(|value| layout.lists(&[value, "ioc_type"]))
}

/// Reads CSV line by line.
pub(super) struct Reader {
    table: Table,
    common: Provenance,
}

impl Reader {
    /// A reader of `feed`.
    pub(super) fn new(feed: &Feed<'_>) -> Self {
        Self { table: Table::new(is_header), common: common(feed) }
    }
}

impl LineReader for Reader {
    fn line(&mut self, number: u32, line: &str, feed: &mut Feed<'_>) {
        let Some(row) = self.table.row(number, line, feed) else { return };
        let tags = row.get("tags").into_iter().collect();
        read(number, row.text, &|name| row.get(name), tags, &self.common, feed);
    }
}

/// Reads a JSON file.
pub(super) fn read_json(text: &str, feed: &mut Feed<'_>) {
    let text = without_mark(text);
    let mut entries = Entries { lines: Lines::new(text), common: common(feed) };
    if text.trim_start().starts_with('[') {
        return match serde_json::from_str(text) {
            Ok(list) => entries.list(list, feed),
            Err(fault) => feed.fail(format!("not JSON: {fault}")),
        };
    }
    let Members(members) = match serde_json::from_str::<Members<'_>>(text) {
        Ok(members) => members,
        Err(fault) => return feed.fail(format!("not JSON: {fault}")),
    };
    let status = members.iter().find(|(key, _)| key.0 == "query_status");
    let status = status.map(|(_, status)| parse::<json::Word<'_>>(status).unwrap_or_default());
    match status.as_ref().map(|status| &*status.0) {
        Some("ok") | None => {}
        Some("no_result" | "no_results") => return,
        Some(other) => return feed.fail(format!("holds no entries, but ThreatFox's answer {other:?}")),
    }
    // An answer has its entries under one key, an export each under its id.
    let lists = members.into_iter().filter(|(key, _)| status.is_none() || key.0 == "data");
    for (_, list) in lists {
        match parse::<Vec<&RawValue>>(list) {
            Ok(list) => entries.list(list, feed),
            Err(fault) => {
                let line = entries.lines.of(list.get());
                feed.reject(line, list.get(), format!("not a list of entries: {fault}"));
            }
        }
    }
}

/// Reads the entries of a JSON file.
struct Entries<'t> {
    lines: Lines<'t>,
    common: Provenance,
}

impl Entries<'_> {
    fn list(&mut self, list: Vec<&RawValue>, feed: &mut Feed<'_>) {
        for entry in list {
            let line = self.lines.of(entry.get());
            match parse::<Texts<'_>>(entry) {
                Ok(texts) => {
                    let said = VALUE.iter().find_map(|key| texts.get(key)).unwrap_or_default();
                    read(
                        line,
                        said,
                        &|name| texts.get(name),
                        texts.all("tags").collect(),
                        &self.common,
                        feed,
                    );
                }
                Err(fault) => feed.reject(line, entry.get(), format!("not an entry: {fault}")),
            }
        }
    }
}

fn common(feed: &Feed<'_>) -> Provenance {
    feed.of_source("ThreatFox", CONFIDENCE)
}

/// Reads the entry `text` in `line`, of which `get` tells what stands in a column.
fn read<'e>(
    line: u32,
    text: &str,
    get: &dyn Fn(&str) -> Option<&'e str>,
    tags: Vec<&str>,
    common: &Provenance,
    feed: &mut Feed<'_>,
) {
    let Some(value) = VALUE.iter().find_map(|key| get(key)) else {
        return feed.reject(line, text, "has no value");
    };
    let kind = match get("ioc_type") {
        Some("domain") => Kind::Domain,
        Some("ip:port") => Kind::AddressPort,
        Some("url") => Kind::Url,
        Some(other) if other.ends_with("_hash") || other.ends_with("_from") => {
            return feed.ignore(line, format!("{other}: nothing that the wire shows"));
        }
        Some(other) => return feed.reject(line, text, format!("ioc_type {other:?} is not known")),
        None => return feed.reject(line, text, "has no ioc_type"),
    };
    match said(get, tags, common) {
        Ok((dates, provenance)) => {
            feed.claim(line, text, Value::of_kind(kind, value, None), &dates, &provenance);
        }
        Err(reason) => feed.reject(line, text, reason),
    }
}

/// What an entry says besides its value.
fn said<'e>(
    get: &dyn Fn(&str) -> Option<&'e str>,
    tags: Vec<&str>,
    common: &Provenance,
) -> Result<(Dates, Provenance), String> {
    let time = |names: [&str; 2]| {
        let text = names.into_iter().find_map(get);
        let read = |text| parse_time(text, Edge::Start).ok_or_else(|| format!("{text:?} is no date or time"));
        text.map(read).transpose()
    };
    let first_seen = time(["first_seen_utc", "first_seen"])?;
    let last_seen = time(["last_seen_utc", "last_seen"])?;
    let mut provenance = common.clone();
    if let Some(text) = get("confidence_level") {
        let number = text.parse().ok().filter(|&number| number <= 100);
        provenance.confidence =
            number.ok_or_else(|| format!("confidence {text:?} is no number from 0 to 100"))?;
    }
    let family = ["malware_printable", "fk_malware", "malware"].into_iter().find_map(get);
    if let Some(family) = family.filter(|family| !family.eq_ignore_ascii_case("unknown malware")) {
        provenance.campaign = family.into();
    }
    if let Some(reference) = get("reference") {
        provenance.reference = reference.into();
    }
    let is_compromised = get("is_compromised").is_some_and(|text| matches!(text, "True" | "true" | "1"));
    let words = tags.into_iter().flat_map(|tags| tags.split(',')).chain(get("threat_type"));
    let words = words.chain(is_compromised.then_some("compromised")).map(str::trim);
    provenance.tags = words.filter(|word| !word.is_empty()).map(Arc::from).collect();
    Ok((Dates { first_seen, last_seen, ..Dates::default() }, provenance))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::super::{Format, IndicatorPath, Knowledge, Loader};
    use super::*;

    fn load(file: &str, text: &str) -> Knowledge {
        let mut loader = Loader::default();
        loader.bytes(file, text.as_bytes());
        loader.finish()
    }

    const HEADER: &str = "# \"first_seen_utc\",\"ioc_id\",\"ioc_value\",\"ioc_type\",\"threat_type\",\"fk_malware\",\
        \"malware_alias\",\"malware_printable\",\"last_seen_utc\",\"confidence_level\",\"is_compromised\",\"reference\",\
        \"tags\",\"anonymous\",\"reporter\"\r\n";

    /// An export with that header and rows from line 5 on.
    fn export(header: &str, rows: &[&str]) -> String {
        let banner = "\u{feff}################\r\n# ThreatFox IOCs: recent additions - CSV format\r\n################\r\n";
        format!("{banner}{header}{}\r\n# Number of entries: {}\r\n", rows.join("\r\n"), rows.len())
    }

    #[test]
    fn reads_every_column_of_the_export() {
        let text = export(
            HEADER,
            &[
                r#""2026-01-02 03:04:05", "1", "198.51.100.7:8000", "ip:port", "botnet_cc", "win.evil", "None", "EvilRAT", "2026-02-03 00:00:00", "100", "True", "https://a.example/report", "c2,Evil", "0", "someone""#,
                r#""2026-01-02 03:04:05", "2", "Evil.Example", "domain", "botnet_cc", "unknown", "None", "Unknown malware", "", "75", "False", "None", "None", "1", "None""#,
                r#""2026-01-02 03:04:05", "3", "http://evil.example/a,b?c=1", "url", "payload_delivery", "js.evil", "a,b", "None", "None", "", "False", "None", "", "0", "x""#,
                r#""2026-01-02 03:04:05", "4", "0123456789abcdef0123456789abcdef", "md5_hash", "payload", "win.evil", "None", "EvilRAT", "", "50", "False", "None", "", "0", "x""#,
                r#""2026-01-02 03:04:05", "5", "x@evil.example", "envelope_from", "payload_delivery", "win.evil", "None", "EvilRAT", "", "50", "False", "None", "", "0", "x""#,
            ],
        );
        let knowledge = load("full.csv", &text);
        let report = &knowledge.report.sources[0];
        assert_eq!((report.format, report.accepted), (Format::Threatfox, 3), "{}", knowledge.report);
        assert_eq!((report.rejected_count, report.ignored_count()), (0, 2), "{}", knowledge.report);
        assert_eq!(
            (&*report.ignored[0].reason, report.ignored[0].first_line),
            ("md5_hash: nothing that the wire shows", 8)
        );
        assert_eq!(report.newest.unwrap().rfc3339(), "2026-02-03T00:00:00.000000Z");
        let claims: Vec<_> = knowledge.indicators.claims().map(|(_, claim)| claim).collect();
        assert_eq!(
            (claims[0].value, claims[0].kind, claims[0].line),
            ("198.51.100.7:8000", Kind::AddressPort, 5)
        );
        assert_eq!(claims[0].first_seen.unwrap().rfc3339(), "2026-01-02T03:04:05.000000Z");
        assert_eq!(claims[0].validity.until.unwrap().rfc3339(), "2026-05-04T00:00:00.000000Z", "90 days");
        let said = claims[0].provenance;
        assert_eq!((&*said.campaign, said.title.as_deref(), said.confidence), ("EvilRAT", None, 100));
        assert_eq!((&*said.sources[0], &*said.reference), ("ThreatFox", "https://a.example/report"));
        let tags: Vec<_> = said.tags.iter().map(|tag| &**tag).collect();
        assert_eq!(tags, ["c2", "Evil", "botnet_cc", "compromised"]);
        assert_eq!((claims[1].value, claims[1].matching.as_str()), ("evil.example", "subtree"));
        assert_eq!((&*claims[1].provenance.campaign, claims[1].provenance.confidence), ("ThreatFox", 75));
        assert_eq!(claims[2].value, "http://evil.example/a,b?c=1");
        assert_eq!(
            (&*claims[2].provenance.campaign, claims[2].provenance.confidence),
            ("js.evil", CONFIDENCE)
        );
    }

    #[test]
    fn older_exports_and_faults_are_told_by_their_lines() {
        let header = HEADER.replace("\"is_compromised\",", "").replacen("# ", "", 1);
        let text = export(
            &header,
            &[
                r#""2026-01-02 03:04:05", "1", "a.example", "domain", "botnet_cc", "win.evil", "None", "EvilRAT", "", "75", "https://a.example/", "c2", "0", "x""#,
                r#""2026-01-02 03:04:05", "2", "10.0.0.1:80", "ip:port", "botnet_cc""#,
                r#""yesterday", "3", "b.example", "domain", "botnet_cc""#,
                r#""2026-01-02 03:04:05", "4", "b.example", "domian", "botnet_cc""#,
                r#""2026-01-02 03:04:05", "5", "None", "domain", "botnet_cc""#,
                r#""2026-01-02 03:04:05", "6", "b.example", "domain", "botnet_cc", "", "", "", "", "101""#,
                r#""2026-01-02 03:04:05", "7", "b.example"#,
                r#""2026-01-02 03:04:05", "8", "A.example.", "domain", "botnet_cc", "win.evil", "None", "EvilRAT", "", "75", "https://a.example/", "c2", "0", "x""#,
            ],
        );
        let knowledge = load("recent.txt", &text);
        let report = &knowledge.report.sources[0];
        let rejected: Vec<_> = report.rejected.iter().map(|one| (one.line, one.reason.as_str())).collect();
        assert_eq!(
            (report.format, report.accepted, report.duplicates),
            (Format::Threatfox, 1, 1),
            "{}",
            knowledge.report
        );
        assert_eq!(
            rejected.iter().map(|one| one.0).collect::<Vec<_>>(),
            [6, 7, 8, 9, 10, 11],
            "{rejected:?}"
        );
        assert_eq!(rejected[2].1, "ioc_type \"domian\" is not known");
        let (_, claim) = knowledge.indicators.claims().next().unwrap();
        assert_eq!(&*claim.provenance.reference, "https://a.example/");
    }

    const ENTRY: &str = r#"{"id": "7", "ioc": "198.51.100.7:8000", "threat_type": "botnet_cc",
        "ioc_type": "ip:port", "malware": "elf.evil", "malware_printable": "EvilBot", "confidence_level": 75,
        "first_seen": "2026-01-02 03:04:05 UTC", "last_seen": null, "reference": null, "tags": ["a", "b"],
        "reporter": "x"}"#;

    #[test]
    fn reads_answers_and_exports_in_json() {
        let as_export = ENTRY
            .replace("\"ioc\"", "\"ioc_value\"")
            .replace("first_seen", "first_seen_utc")
            .replace("[\"a\", \"b\"]", "\"a,b\"");
        for (text, line) in [
            (format!("{{\"query_status\": \"ok\",\n\"data\": [{ENTRY}]}}"), 2),
            (format!("\u{feff}{{\n\"7\":\n[{as_export}]\n}}"), 3),
            (format!("[\n\n{ENTRY}]"), 3),
        ] {
            let knowledge = load("answer.json", &text);
            let report = &knowledge.report.sources[0];
            assert_eq!((report.format, report.accepted), (Format::Threatfox, 1), "{}", knowledge.report);
            let (_, claim) = knowledge.indicators.claims().next().unwrap();
            assert_eq!((claim.value, claim.line), ("198.51.100.7:8000", line));
            assert_eq!(claim.first_seen.unwrap().rfc3339(), "2026-01-02T03:04:05.000000Z");
            assert_eq!(claim.provenance.tags.len(), 3, "{:?}", claim.provenance.tags);
            assert_eq!((&*claim.provenance.campaign, claim.provenance.confidence), ("EvilBot", 75));
        }
    }

    #[test]
    fn a_large_file_whose_format_is_named_is_read_at_once() {
        let path = tempfile::tempdir().unwrap();
        let file = path.path().join("answer.json");
        let entries = vec![ENTRY; 500].join(",\n");
        std::fs::write(&file, format!("{{\"query_status\": \"ok\", \"data\": [\n{entries}]}}")).unwrap();
        for format in [None, Some(Format::Threatfox)] {
            let mut loader = Loader::default();
            loader.located(&IndicatorPath { format, path: file.clone() });
            let report = loader.finish().report;
            assert_eq!((report.accepted(), report.sources[0].duplicates), (1, 499), "{report}");
        }
    }

    #[test]
    fn answers_without_entries_and_faults_in_them_are_told_apart() {
        let failure = |text: &str| {
            let report = load("a.json", text).report;
            (report.sources[0].format == Format::Threatfox).then(|| report.sources[0].failure.clone())
        };
        let nothing = r#"{"query_status": "no_result", "data": "Your search did not yield any results"}"#;
        assert_eq!(failure(nothing), Some(None));
        assert_eq!(failure(r#"{"query_status": "ok", "data": []}"#), Some(None));
        let refused = failure(r#"{"query_status": "unknown_auth_key", "data": ""}"#).flatten().unwrap();
        assert!(refused.contains("unknown_auth_key"), "{refused}");
        let knowledge = load(
            "a.json",
            &format!(
                "{{\"query_status\": \"ok\", \"data\": [\n{ENTRY},\n7,\n{{\"ioc_type\": \"domain\"}},\n\
                 {{\"ioc\": \"com\", \"ioc_type\": \"domain\"}}]}}"
            ),
        );
        let rejected = &knowledge.report.sources[0].rejected;
        let rejected: Vec<_> = rejected.iter().map(|one| (one.line, one.reason.as_str())).collect();
        assert_eq!(rejected[0].0, 6, "an entry of five lines stands before it: {rejected:?}");
        assert_eq!(rejected[1], (7, "has no value"));
        assert_eq!((rejected[2].0, rejected.len()), (8, 3));
    }

    #[test]
    fn others_that_look_alike_are_not_taken_for_it() {
        for (file, text) in [
            ("a.json", r#"{"query_status": "ok", "data": [{"sha256_hash": "aa", "signature": "x"}]}"#),
            ("a.json", r#"{"query_status": "ok", "urls": []}"#),
            ("a.json", r#"{"query_status": "ok", "data": {"tasks": []}}"#),
            ("a.json", r#"{"7": [{"ioc_value": "a.example"}]}"#),
            ("a.json", r#"{"2026-01-02": [{"ioc_value": "a.example", "ioc_type": "domain"}]}"#),
            ("a.json", r#"[{"ioc_type": "domain"}]"#),
            ("a.csv", "ioc_value,ioc_type\na.example,domain\n"),
            ("a.txt", "ioc_value.example\nioc_type.example\n"),
        ] {
            assert_ne!(load(file, text).report.sources[0].format, Format::Threatfox, "{text}");
        }
        let empty = load("a.csv", &export(HEADER, &[]));
        assert_eq!(empty.report.sources[0].format, Format::Threatfox);
        assert_eq!((empty.report.rejected(), empty.report.failures().count()), (0, 0), "{}", empty.report);
    }
}
