//! C2IntelFeeds: servers of attack frameworks that a scan of the Internet found, CSV under a commented header.
//!
//! | header | what a row claims |
//! |---|---|
//! | `#ip,ioc` | the address |
//! | `#domain,ioc` | the name |
//! | `#domain,ioc,uri_path` | the name, and the path at it |
//! | `#domain,ioc,uri_path,ip` | the same, and the address |
//! | `#domain,ioc,IPs,C2Domains` | the name with all below it (a tunnel's), the names and the addresses |
//!
//! Names come out of implants' settings, with the fronts and the false Host headers that stand there
//! (its README), so that a name alone is low, and means itself only. Nothing is dated.

use super::super::model::{Kind, Match, Provenance};
use super::super::value::{Refusal, Value};
use super::table::{Row, Table};
use super::{Dates, Feed, Head, LineReader, row};

/// Addresses are those at which the server itself answered.
const ADDRESS_CONFIDENCE: u8 = 75;
/// Names may be fronts that the implant hides behind.
const DOMAIN_CONFIDENCE: u8 = 50;
/// A name with the implant's own path is more than the name.
const URL_CONFIDENCE: u8 = 75;

/// Whether a file that begins so is written so. Its header is a comment, which tells it from a table of one's
/// own in which `ioc` is the value.
pub(super) fn recognises(head: &Head<'_>) -> bool {
    let lines = head.text.lines().map(|line| line.trim_start_matches('\u{feff}').trim_start());
    let first = lines.filter(|line| !line.is_empty()).take(1).find(|line| line.starts_with('#'));
    first.is_some_and(|line| row::header(line.trim_start_matches('#'), is_header).is_some())
}

fn is_header(columns: &[String]) -> bool {
    let columns: Vec<_> = columns.iter().map(String::as_str).collect();
    match columns.as_slice() {
        ["ip" | "domain", "ioc", rest @ ..] => {
            rest.iter().all(|column| ["uri_path", "ip", "ips", "c2domains"].contains(column))
        }
        _ => false,
    }
}

/// Reads a file line by line.
pub(super) struct Reader {
    table: Table,
    common: Provenance,
}

impl Reader {
    /// A reader of `feed`.
    pub(super) fn new(feed: &Feed<'_>) -> Self {
        Self { table: Table::new(is_header), common: feed.of_source("C2IntelFeeds", ADDRESS_CONFIDENCE) }
    }
}

impl LineReader for Reader {
    fn line(&mut self, number: u32, line: &str, feed: &mut Feed<'_>) {
        let Self { table, common } = self;
        let Some(row) = table.row(number, line, feed) else { return };
        if row.get("domain").or_else(|| row.get("ip")).is_none() {
            return feed.reject(number, row.text, "names neither a domain nor an address");
        }
        let said = row.get("ioc").unwrap_or_default();
        let mut provenance = common.clone();
        if let Some(framework) = framework(said) {
            provenance.campaign = framework.into();
        }
        let mut claim = |text: &str, value: Result<Value<'_>, Refusal>, confidence| {
            provenance.confidence = confidence;
            feed.claim(number, text, value, &Dates::default(), &provenance);
        };
        if let Some(domain) = row.get("domain") {
            let matching = if row.has_column("c2domains") { Match::Subtree } else { Match::Exact };
            claim(domain, row::host(domain, matching), DOMAIN_CONFIDENCE);
            if let Some(path) = row.get("uri_path").filter(|path| path.len() > 1) {
                let url = format!("{domain}/{}", path.trim_start_matches('/'));
                claim(&url, Value::of_kind(Kind::Url, &url, None), URL_CONFIDENCE);
            }
        }
        for name in words(&row, "c2domains") {
            claim(name, row::host(name, Match::Subtree), DOMAIN_CONFIDENCE);
        }
        for address in words(&row, "ip").chain(words(&row, "ips")) {
            claim(address, Value::of_kind(Kind::Address, address, None), ADDRESS_CONFIDENCE);
        }
    }
}

fn words<'r>(row: &'r Row<'_>, column: &str) -> impl Iterator<Item = &'r str> {
    row.get(column).unwrap_or_default().split([' ', ',', ';']).filter(|word| !word.is_empty())
}

/// The framework that `Possible Cobaltstrike C2 IP` names.
fn framework(said: &str) -> Option<&str> {
    let name = said.strip_prefix("Possible ").unwrap_or(said);
    let end = [" C2", " DNS"].iter().filter_map(|end| name.find(end)).min()?;
    name.get(..end).map(str::trim).filter(|name| !name.is_empty())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::super::{Format, Knowledge, Loader, Severity};
    use super::*;

    fn load(text: &str) -> Knowledge {
        let mut loader = Loader::default();
        loader.bytes("feed.csv", text.as_bytes());
        loader.finish()
    }

    fn told(text: &str) -> Vec<(String, Match, Severity)> {
        let knowledge = load(text);
        assert_eq!(knowledge.report.sources[0].format, Format::C2Intel, "{text}");
        assert_eq!(knowledge.report.rejected(), 0, "{}", knowledge.report);
        let claims = knowledge.indicators.claims();
        claims.map(|(_, claim)| (claim.value.to_owned(), claim.matching, claim.severity())).collect()
    }

    fn is(value: &str, matching: Match, severity: Severity) -> (String, Match, Severity) {
        (value.to_owned(), matching, severity)
    }

    #[test]
    fn reads_each_of_its_lists() {
        use Match::{Exact, Subtree};
        use Severity::{Low, Medium};
        assert_eq!(
            told("#ip,ioc\n198.51.100.7,Possible Cobaltstrike C2 IP\n"),
            [is("198.51.100.7", Exact, Medium)]
        );
        assert_eq!(
            told("#domain,ioc\nC2.example,Possible Cobalt Strike C2 Domain\n"),
            [is("c2.example", Exact, Low)]
        );
        let text = "#domain,ioc,uri_path,ip\r\nc2.example,Possible Cobaltstrike C2 Domain,/jquery.js,198.51.100.7\r\n\
            198.51.100.8,Possible Cobaltstrike C2 Domain,/,198.51.100.8\r\n";
        assert_eq!(
            told(text),
            [
                is("c2.example", Exact, Low),
                is("c2.example/jquery.js", Exact, Medium),
                is("198.51.100.7", Exact, Medium),
                is("198.51.100.8", Exact, Low),
            ]
        );
        let text = "#domain,ioc,IPs,C2Domains\n\"c2.example\",\"Possible Cobaltstrike DNS C2 Domain\",\
            \"198.51.100.7 198.51.100.8\",\"ns1.c2.example ns2.c2.example \"\n";
        let of_dns = told(text);
        assert_eq!(of_dns.len(), 5);
        assert_eq!(of_dns[0], is("c2.example", Subtree, Low));
        assert_eq!(of_dns[2], is("ns2.c2.example", Subtree, Low));
    }

    #[test]
    fn tells_the_framework_and_the_faults() {
        let knowledge = load(
            "#ip,ioc\n198.51.100.7,Possible Powershell Empire C2 IP\n10.0.0.1,Possible Cobaltstrike C2 IP\n,Possible\n\n",
        );
        let (_, claim) = knowledge.indicators.claims().next().unwrap();
        assert_eq!(
            (&*claim.provenance.campaign, &*claim.provenance.sources[0]),
            ("Powershell Empire", "C2IntelFeeds")
        );
        let lines: Vec<_> = knowledge.report.sources[0].rejected.iter().map(|one| one.line).collect();
        assert_eq!(lines, [3, 4]);
        assert_eq!(load("#ip,ioc\n").report.failures().count(), 0);
    }

    #[test]
    fn a_table_of_ones_own_is_csv() {
        for text in [
            "ioc,type\nevil.example,domain\n",
            "ip,ioc\n1,evil.example\n",
            "#ioc,domain\nevil.example,x\n",
            "#domain,ioc,type\nx,evil.example,domain\n",
        ] {
            assert_eq!(load(text).report.sources[0].format, Format::Csv, "{text}");
        }
    }
}
