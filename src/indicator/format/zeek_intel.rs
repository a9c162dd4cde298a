//! Zeek intelligence files: cells with tabs between them, and a line `#fields` that names the columns.
//!
//! | `indicator_type` | here |
//! |---|---|
//! | `Intel::ADDR`, `Intel::SUBNET` | an address, a prefix |
//! | `Intel::DOMAIN` | the name itself: Zeek compares names whole, and nothing below them |
//! | `Intel::URL` | a URL without its scheme; at any port, unless one is written |
//! | `Intel::SOFTWARE` | a user agent, whatever its letters' case: that is what Zeek's scripts ask it for |
//! | `Intel::CERT_HASH` | SHA-1 of a certificate |
//! | `Intel::EMAIL`, `USER_NAME`, `PUBKEY_HASH`, `FILE_HASH`, `FILE_NAME` | ignored |
//!
//! `meta.source` is source and campaign, `meta.desc` the remark, `meta.url` the reference. `meta.do_notice` is T
//! for what is worth a notice; Zeek only logs the rest. So F makes an entry low, and where nothing is said
//! it counts as in any list. `meta.if_in` limits notices to a place and is passed over. Nothing is dated.
//!
//! Source: zeek/zeek, `scripts/base/frameworks/intel` and `scripts/policy/frameworks/intel`.

use super::super::model::{Kind, Match, Provenance, Severity};
use super::super::value::Value;
use super::{Dates, Feed, Head, LineReader};

/// Whether a file that begins so is written so. Blanks in place of the tabs are a mistake that many editors
/// make, and it is told.
pub(super) fn recognises(head: &Head<'_>) -> bool {
    head.text.lines().any(|line| {
        let names = fields(line).unwrap_or_default();
        ["indicator", "indicator_type"].iter().all(|name| names.split_whitespace().any(|one| one == *name))
    })
}

/// The names of the columns, when the line gives them.
fn fields(line: &str) -> Option<&str> {
    let names = line.trim_start_matches('\u{feff}').strip_prefix("#fields")?;
    names.starts_with(char::is_whitespace).then(|| names.trim())
}

/// Reads a file line by line.
pub(super) struct Reader {
    columns: Vec<String>,
    unstated: Provenance,
    has_blanks: bool,
}

impl Reader {
    /// A reader of `feed`, whose name stands for what names no source.
    pub(super) fn new(feed: &Feed<'_>) -> Self {
        Self { columns: Vec::new(), unstated: feed.unstated(), has_blanks: false }
    }
}

impl LineReader for Reader {
    fn line(&mut self, number: u32, line: &str, feed: &mut Feed<'_>) {
        if let Some(names) = fields(line) {
            self.columns = names.split('\t').map(str::to_owned).collect();
            self.has_blanks = !self.columns.iter().any(|column| column == "indicator");
            return;
        }
        // A cell may be empty, so that only the line's end is cut off.
        let text = line.trim_start_matches('\u{feff}').trim_end_matches(['\r', '\n']);
        if text.trim().is_empty() || text.starts_with('#') {
            return;
        }
        if self.columns.is_empty() {
            return feed.reject(number, text, "stands before the line #fields");
        }
        let row = Row { columns: &self.columns, cells: text.split('\t').collect() };
        if row.cells.len() < 2 {
            return feed.reject(number, text, "has no tab: cells have one tab between them, no blanks");
        }
        let Some(indicator) = row.get("indicator") else {
            return feed.reject(number, text, "has no indicator");
        };
        if row.get("meta.remove") == Some("T") {
            return feed.ignore(number, "withdrawn (meta.remove)");
        }
        match kind(row.get("indicator_type").unwrap_or_default()) {
            Ok((kind, matching)) => {
                let value = Value::of_kind(kind, indicator, matching);
                feed.claim(number, indicator, value, &Dates::default(), &provenance(&row, &self.unstated));
            }
            Err(Unusable::Ignored(reason)) => feed.ignore(number, reason),
            Err(Unusable::Unknown) => {
                feed.reject(
                    number,
                    text,
                    "its indicator_type is none of Zeek's (Intel::ADDR, Intel::DOMAIN ...)",
                );
            }
        }
    }

    fn finish(&mut self, feed: &mut Feed<'_>) {
        if self.has_blanks {
            feed.fail(
                "the names behind #fields have no tabs between them, and so Zeek and we cannot read it",
            );
        }
    }
}

/// One row.
struct Row<'r> {
    columns: &'r [String],
    cells: Vec<&'r str>,
}

impl<'r> Row<'r> {
    /// What stands in that column; `None` without such a column, and when it is unset.
    fn get(&self, column: &str) -> Option<&'r str> {
        let place = self.columns.iter().position(|one| one == column)?;
        let cell = self.cells.get(place)?.trim();
        (!matches!(cell, "" | "-" | "(empty)")).then_some(cell)
    }
}

/// Why an entry makes no claim.
enum Unusable {
    Ignored(&'static str),
    Unknown,
}

fn kind(name: &str) -> Result<(Kind, Option<Match>), Unusable> {
    Ok(match name.strip_prefix("Intel::").unwrap_or(name) {
        "ADDR" => (Kind::Address, None),
        "SUBNET" => (Kind::Network, None),
        "DOMAIN" => (Kind::Domain, Some(Match::Exact)),
        "URL" => (Kind::Url, None),
        "SOFTWARE" => (Kind::UserAgent, Some(Match::IgnoreCase)),
        "CERT_HASH" => (Kind::CertificateHash, None),
        "EMAIL" => return Err(Unusable::Ignored("an e-mail address")),
        "USER_NAME" => return Err(Unusable::Ignored("a user's name")),
        "PUBKEY_HASH" => return Err(Unusable::Ignored("a public key's hash")),
        "FILE_HASH" => return Err(Unusable::Ignored("a file's hash")),
        "FILE_NAME" => return Err(Unusable::Ignored("a file's name")),
        _ => return Err(Unusable::Unknown),
    })
}

fn provenance(row: &Row<'_>, unstated: &Provenance) -> Provenance {
    let mut provenance = unstated.clone();
    if let Some(source) = row.get("meta.source") {
        provenance.campaign = source.into();
        provenance.sources = vec![source.into()];
    }
    provenance.note = row.get("meta.desc").unwrap_or_default().into();
    provenance.reference = row.get("meta.url").unwrap_or_default().into();
    provenance.severity = (row.get("meta.do_notice") == Some("F")).then_some(Severity::Low);
    provenance
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::super::{Claim, Format, Knowledge, Loader};
    use super::*;

    fn load(text: &str) -> Knowledge {
        let mut loader = Loader::default();
        loader.bytes("intel.dat", text.as_bytes());
        let knowledge = loader.finish();
        assert_eq!(knowledge.report.sources[0].format, Format::ZeekIntel);
        knowledge
    }

    fn claims(knowledge: &Knowledge) -> Vec<Claim<'_>> {
        knowledge.indicators.claims().map(|(_, claim)| claim).collect()
    }

    #[test]
    fn reads_every_type() {
        let text = "\u{feff}#separator \\x09\r\n\
            #fields\tindicator\tindicator_type\tmeta.source\tmeta.desc\tmeta.url\tmeta.do_notice\tmeta.if_in\r\n\
            c2[.]example\tIntel::DOMAIN\tcase-1\tC2\thttps://lab.example/1\tT\t-\r\n\
            198.51.100.7\tIntel::ADDR\tcase-1\t-\t-\tF\tConn::IN_RESP\r\n\
            198.51.100.0/24\tIntel::SUBNET\tcase-1\r\n\
            c2.example:8000/a?b=1\tIntel::URL\tcase-1\t-\t-\t-\t-\r\n\
            Evil/1.0 (x)\tIntel::SOFTWARE\tcase-1\t-\t-\tT\t-\r\n\
            aabbccddeeff00112233445566778899aabbccdd\tIntel::CERT_HASH\t-\t\t-\t-\t-\r\n\
            a@evil.example\tIntel::EMAIL\tx\r\nbob\tIntel::USER_NAME\tx\r\n00:11\tIntel::PUBKEY_HASH\tx\r\n\
            0011\tIntel::FILE_HASH\tx\r\na.exe\tIntel::FILE_NAME\tx\r\n\r\n#close 2026-01-02\r\n";
        let knowledge = load(text);
        let report = &knowledge.report.sources[0];
        assert_eq!(
            (report.accepted, report.rejected_count, report.ignored_count()),
            (6, 0, 5),
            "{}",
            knowledge.report
        );
        let claims = claims(&knowledge);
        let told: Vec<_> =
            claims.iter().map(|claim| (claim.kind, claim.value, claim.matching, claim.line)).collect();
        let expected = [
            (Kind::Domain, "c2.example", Match::Exact, 3),
            (Kind::Address, "198.51.100.7", Match::Exact, 4),
            (Kind::Network, "198.51.100.0/24", Match::Exact, 5),
            (Kind::Url, "c2.example:8000/a?b=1", Match::Exact, 6),
            (Kind::UserAgent, "Evil/1.0 (x)", Match::IgnoreCase, 7),
            (Kind::CertificateHash, "aabbccddeeff00112233445566778899aabbccdd", Match::Exact, 8),
        ];
        assert_eq!(told, expected);
        let said = claims[0].provenance;
        assert_eq!((&*said.sources[0], &*said.campaign, said.title.is_none()), ("case-1", "case-1", true));
        assert_eq!((&*said.note, &*said.reference), ("C2", "https://lab.example/1"));
        assert_eq!(claims[0].severity(), Severity::Medium);
        assert_eq!(claims[1].severity(), Severity::Low, "do_notice is F");
        assert_eq!(claims[2].severity(), Severity::Medium, "nothing is said");
        assert_eq!((&*claims[5].provenance.sources[0], &*claims[5].provenance.note), ("intel", ""));
        let mut hits = Vec::new();
        knowledge.indicators.user_agent(b"EVIL/1.0 (X)", &mut hits);
        assert_eq!(hits.len(), 1, "Zeek leaves case aside");
    }

    #[test]
    fn the_columns_stand_in_any_order_and_faults_name_their_line() {
        let text = "evil.example\tIntel::DOMAIN\n\
            #fields\tmeta.source\tindicator_type\tindicator\tmeta.remove\n\
            a\tIntel::DOMAIN\tc2.example\tF\n\
            a Intel::DOMAIN other.example\n\
            a\tIntel::DOMAIN\t-\n\
            a\tIntel::DOMAINS\tother.example\n\
            a\tIntel::ADDR\t10.0.0.1\n\
            a\tIntel::DOMAIN\tc2.example\n\
            a\tIntel::DOMAIN\tgone.example\tT\n\
            a\tIntel::CERT_HASH\t00112233445566778899aabbccddeeff\n";
        let knowledge = load(text);
        let report = &knowledge.report.sources[0];
        let lines: Vec<_> = report.rejected.iter().map(|one| one.line).collect();
        assert_eq!(lines, [1, 4, 5, 6, 7, 10], "{}", knowledge.report);
        assert_eq!((report.accepted, report.duplicates, report.ignored_count()), (1, 1, 1));
        assert!(report.rejected[1].reason.contains("has no tab"));
    }

    #[test]
    fn an_empty_file_is_valid_and_blanks_for_tabs_are_told() {
        assert_eq!(load("#fields\tindicator\tindicator_type\tmeta.source\n").report.failures().count(), 0);
        let knowledge = load("#fields indicator indicator_type meta.source\nc2.example Intel::DOMAIN x\n");
        assert!(knowledge.report.sources[0].failure.as_ref().unwrap().contains("tabs"));
        for near in [
            "# fields indicator indicator_type\n",
            "#fields\tindicator\n",
            "#fieldsindicator indicator_type\n",
        ] {
            assert!(!recognises(&Head::new("", near, true)), "{near}");
        }
    }
}
