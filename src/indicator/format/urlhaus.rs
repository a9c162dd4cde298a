//! URLhaus: URLs that malware is served from, CSV (`csv_recent`, `csv_online`, the full dump).
//!
//! Known by its columns `dateadded`, `url` and `url_status`; older exports have no `last_online`. A claim is
//! about the URL and never about its host, which is often a code host or a file service, or somebody whose
//! site was broken into. The exports `text` and `hostfile` are a plain list and a hosts file.

use std::sync::Arc;

use super::super::model::{Kind, Provenance};
use super::super::value::Value;
use super::table::{Row, Table};
use super::{Dates, Feed, Head, LineReader};

/// Somebody saw the very URL serve malware, but the page may have been cleaned since.
const CONFIDENCE: u8 = 75;

/// Whether a file that begins so is written so.
pub(super) fn recognises(head: &Head<'_>) -> bool {
    Table::begins_in(head, is_header)
}

fn is_header(columns: &[String]) -> bool {
    ["dateadded", "url", "url_status"].iter().all(|name| columns.iter().any(|column| column == name))
}

/// Reads a file line by line.
pub(super) struct Reader {
    table: Table,
    /// What every entry says of itself.
    common: Provenance,
}

impl Reader {
    /// A reader of `feed`.
    pub(super) fn new(feed: &Feed<'_>) -> Self {
        Self { table: Table::new(is_header), common: feed.of_source("URLhaus", CONFIDENCE) }
    }
}

impl LineReader for Reader {
    fn line(&mut self, number: u32, line: &str, feed: &mut Feed<'_>) {
        let Some(row) = self.table.row(number, line, feed) else { return };
        match read(&row) {
            Ok((url, dates)) => {
                let provenance = provenance(&row, &self.common);
                feed.claim(number, url, Value::of_kind(Kind::Url, url, None), &dates, &provenance);
            }
            Err(reason) => feed.reject(number, row.text, reason),
        }
    }
}

fn read<'r>(row: &'r Row<'_>) -> Result<(&'r str, Dates), String> {
    let (first_seen, last_seen) = (row.date("dateadded")?, row.date("last_online")?);
    Ok((row.required("url")?, Dates { first_seen, last_seen, ..Dates::default() }))
}

fn provenance(row: &Row<'_>, common: &Provenance) -> Provenance {
    let tags = row.get("tags").into_iter().flat_map(|tags| tags.split(',')).chain(row.get("threat"));
    let tags = tags.map(str::trim).filter(|tag| !tag.is_empty()).map(Arc::from).collect();
    Provenance { reference: row.get("urlhaus_link").unwrap_or_default().into(), tags, ..common.clone() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::super::{AsOf, Format, Kind, Knowledge, Loader};
    use crate::time::Timestamp;

    fn load(file: &str, text: &str) -> Knowledge {
        let mut loader = Loader::default();
        loader.builtin_baseline();
        loader.bytes(file, text.as_bytes());
        loader.finish()
    }

    const BANNER: &str = "################################################################\r\n\
        # abuse.ch URLhaus Database Dump (CSV - recent URLs only)      #\r\n\
        # Last updated: 2026-01-03 10:00:00 (UTC)                      #\r\n\
        ################################################################\r\n#\r\n";

    #[test]
    fn reads_urls_with_dates_tags_and_link() {
        let text = format!(
            "{BANNER}# id,dateadded,url,url_status,last_online,threat,tags,urlhaus_link,reporter\r\n\
             \"9\",\"2026-01-02 03:04:05\",\"http://198.51.100.7:37352/bin.sh\",\"online\",\"2026-01-03 00:00:00\",\
             \"malware_download\",\"32-bit,elf,mips\",\"https://urlhaus.abuse.ch/url/9/\",\"someone\"\r\n\
             \"8\",\"2026-01-02 03:04:04\",\"https://Evil.example/a,b?c=1#d\",\"offline\",\"\",\"malware_download\",\"None\",\"\",\"x\"\r\n\
             \"7\",\"2026-01-02 03:04:03\",\"nowhere\",\"offline\",\"\",\"\",\"\",\"\",\"\"\r\n\
             \"6\",\"yesterday\",\"http://evil.example/z\",\"offline\"\r\n\
             \"5\",\"2026-01-02 03:04:03\"\r\n"
        );
        let knowledge = load("recent.csv", &text);
        let report = knowledge.report.sources.last().unwrap();
        assert_eq!((report.format, report.accepted), (Format::Urlhaus, 2), "{}", knowledge.report);
        let lines: Vec<_> = report.rejected.iter().map(|one| (one.line, one.reason.as_str())).collect();
        assert_eq!(lines.iter().map(|&(line, _)| line).collect::<Vec<_>>(), [9, 10, 11], "{lines:?}");
        assert_eq!(report.newest.unwrap().rfc3339(), "2026-01-03T00:00:00.000000Z");
        let claims: Vec<_> = knowledge.indicators.claims().map(|(_, claim)| claim).collect();
        assert_eq!((claims[0].value, claims[0].kind), ("http://198.51.100.7:37352/bin.sh", Kind::Url));
        assert_eq!(claims[0].first_seen.unwrap().rfc3339(), "2026-01-02T03:04:05.000000Z");
        assert_eq!(claims[0].validity.until.unwrap().rfc3339(), "2026-07-02T00:00:00.000000Z", "180 days");
        let said = claims[0].provenance;
        let tags: Vec<_> = said.tags.iter().map(|tag| &**tag).collect();
        assert_eq!(tags, ["32-bit", "elf", "mips", "malware_download"]);
        assert_eq!((&*said.sources[0], &*said.campaign, said.title.is_none()), ("URLhaus", "URLhaus", true));
        assert_eq!(
            (&*said.reference, said.confidence),
            ("https://urlhaus.abuse.ch/url/9/", super::CONFIDENCE)
        );
        assert_eq!((claims[1].value, claims[1].line), ("https://evil.example/a,b?c=1", 8));
        assert_eq!(claims[1].provenance.tags.len(), 1);
    }

    #[test]
    fn a_bare_well_known_host_is_no_claim() {
        let text = "# id,dateadded,url,url_status,threat,tags,urlhaus_link,reporter\n\
            1,2026-01-02 03:04:05,http://github.com/,online,malware_download,,,x\n\
            2,2026-01-02 03:04:05,http://github.com,online,malware_download,,,x\n\
            3,2026-01-02 03:04:05,http://github.com/evil/raw/main/a.exe,online,malware_download,,,x\n\
            4,2026-01-02 03:04:05,http://drive.google.com/,online,malware_download,,,x\n\
            5,2026-01-02 03:04:05,http://evil.example/,online,malware_download,,,x\n";
        let knowledge = load("old.csv", text);
        let report = knowledge.report.sources.last().unwrap();
        assert_eq!((report.accepted, report.rejected_count, report.duplicates), (3, 1, 1));
        assert_eq!((report.rejected[0].line, report.rejected[0].text.as_str()), (2, "http://github.com/"));
        let at = Timestamp::from_parts(1_767_500_000, 0);
        let told: Vec<_> = knowledge
            .indicators
            .claims()
            .filter(|&(id, _)| knowledge.indicators.judge(id, AsOf::Packet, at).is_some())
            .map(|(_, claim)| (claim.value.to_owned(), knowledge.well_known.weakens(&claim).is_some()))
            .collect();
        let expected = [
            ("http://github.com/evil/raw/main/a.exe", false),
            ("http://drive.google.com/", true),
            ("http://evil.example/", false),
        ];
        assert_eq!(told, expected.map(|(value, is_weak)| (value.to_owned(), is_weak)));
        assert!(knowledge.indicators.claims().all(|(_, claim)| claim.kind == Kind::Url));
    }

    #[test]
    fn its_other_exports_are_a_plain_list_and_a_hosts_file() {
        let text = format!("{BANNER}http://evil.example/a.sh\r\nhttps://evil.example/b\r\n");
        let report = load("urlhaus.txt", &text).report;
        let last = report.sources.last().unwrap();
        assert_eq!((last.format, last.accepted, last.rejected_count), (Format::Plain, 2, 0));
        let text = format!("{BANNER}127.0.0.1\tevil.example\r\n127.0.0.1\tother.example\r\n");
        let report = load("hostfile", &text).report;
        let last = report.sources.last().unwrap();
        assert_eq!((last.format, last.accepted, last.rejected_count), (Format::Hosts, 2, 0));
    }

    #[test]
    fn an_empty_feed_is_valid_and_a_near_miss_is_another_format() {
        let columns = "# id,dateadded,url,url_status,last_online,threat,tags,urlhaus_link,reporter\r\n";
        let report = load("recent.csv", &format!("{BANNER}{columns}")).report;
        let last = report.sources.last().unwrap();
        assert_eq!(
            (last.format, last.accepted, last.rejected_count, &last.failure),
            (Format::Urlhaus, 0, 0, &None)
        );
        let report = load("mine.csv", "value,type,url\nhttp://evil.example/a,url,x\n").report;
        assert_eq!(report.sources.last().unwrap().format, Format::Csv);
    }
}
