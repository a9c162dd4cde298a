//! Plain lists: one value on a line.
//!
//! Comments begin with `#`, `;` or `//`, at the line's start or after a blank. A bare name means it and
//! everything below it. Defanged values, final dots, capitals and IDN are understood ([`super::value`]).

use std::sync::Arc;

use super::super::claims::Statement;
use super::super::model::{Provenance, Validity};
use super::super::quick;
use super::super::segment::Tables;
use super::super::value::Value;
use super::{BlockReader, Feed};

/// Reads a list, block by block.
#[derive(Debug)]
pub(super) struct PlainReader {
    provenance: Arc<Provenance>,
    /// Lines that have been read.
    lines: u32,
}

impl PlainReader {
    /// A reader of the list `feed`, whose name stands for campaign and source.
    pub(super) fn new(feed: &Feed<'_>) -> Self {
        Self { provenance: Arc::new(feed.unstated()), lines: 0 }
    }

    fn add(&self, entries: &mut Vec<Entry<'_>>, feed: &mut Feed<'_>) {
        feed.loader.indicators.touch(entries.iter().map(|entry| entry.hash));
        let (provenance, validity) = (&self.provenance, Validity::default());
        for Entry { value, hash, line, text } in entries.drain(..) {
            let statement = Statement { value, first_seen: None, validity, line, provenance };
            let added = feed.loader.indicators.hashed_claim(&statement, hash);
            feed.report.count(added, line, text);
        }
    }
}

impl BlockReader for PlainReader {
    fn block(&mut self, text: &str, feed: &mut Feed<'_>) {
        let mut entries = Vec::with_capacity(TOGETHER);
        for line in text.lines() {
            self.lines = self.lines.saturating_add(1);
            let (text, value) = match quick::guess(line) {
                Some(value) => (line, value),
                None => match without_comment(line) {
                    "" => continue,
                    entry => (entry, Value::guess(entry)),
                },
            };
            match value {
                Ok(value) => {
                    let hash = Tables::hash(&value);
                    entries.push(Entry { value, hash, line: self.lines, text });
                }
                Err(refusal) => feed.reject(self.lines, text, refusal),
            }
            if entries.len() == TOGETHER {
                self.add(&mut entries, feed);
            }
        }
        self.add(&mut entries, feed);
    }
}

/// Entries that are added together: a large table answers many questions in the time of a few.
const TOGETHER: usize = 32;

/// What a line lists.
struct Entry<'a> {
    value: Value<'a>,
    hash: u64,
    line: u32,
    text: &'a str,
}

/// The line without its comment, byte order mark and blanks.
pub(super) fn without_comment(line: &str) -> &str {
    let line = line.trim_start_matches('\u{feff}').trim();
    if line.starts_with(['#', ';']) || line.starts_with("//") {
        return "";
    }
    // A `#` or `;` inside a URL is the URL's; one after a blank is not.
    let comment = [" #", "\t#", " ;", "\t;", " //", "\t//"].iter().filter_map(|mark| line.find(mark)).min();
    line.get(..comment.unwrap_or(line.len())).unwrap_or(line).trim_end()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::super::Loader;

    #[test]
    fn reads_lists_as_people_write_them() {
        let list = "\u{feff}# a list\r\n; another remark\r\n// and one more\r\n\r\n  Evil[.]Example.  # seen\r\n\
            198.51.100[.]7:8000\t; port\r\nhxxps://evil.example/a#b\r\n*.c2.example // all of it\r\n\
            10.0.0.1\r\ncom\r\nevil.example\r\nnot a value\r\n";
        let mut loader = Loader::default();
        loader.bytes("dir/feed.txt", list.as_bytes());
        let knowledge = loader.finish();
        let report = &knowledge.report.sources[0];
        let rejected: Vec<_> = report.rejected.iter().map(|one| (one.line, one.text.as_str())).collect();
        assert_eq!(rejected, [(9, "10.0.0.1"), (10, "com"), (12, "not a value")]);
        assert_eq!((report.accepted, report.duplicates), (4, 1));
        let claims: Vec<_> =
            knowledge.indicators.claims().map(|(_, claim)| (claim.value.to_owned(), claim.line)).collect();
        let expected =
            [("evil.example", 5), ("198.51.100.7:8000", 6), ("https://evil.example/a", 7), ("c2.example", 8)];
        assert_eq!(claims, expected.map(|(value, line)| (value.to_owned(), line)));
        let (_, claim) = knowledge.indicators.claims().next().unwrap();
        assert_eq!((&*claim.provenance.campaign, claim.provenance.confidence), ("feed", 75));
    }

    #[test]
    fn an_empty_list_is_valid() {
        for list in ["", "\n", "# nothing today\n", "\u{feff}"] {
            let mut loader = Loader::default();
            loader.bytes("feed.txt", list.as_bytes());
            let report = loader.finish().report;
            assert_eq!((report.accepted(), report.rejected(), report.failures().count()), (0, 0, 0));
        }
    }

    #[test]
    fn rejected_text_is_short_and_harmless() {
        let list = format!("\u{1b}[31mred \u{202e}\n{}\n", "x".repeat(5000));
        let mut loader = Loader::default();
        loader.bytes("feed.txt", list.as_bytes());
        let report = loader.finish().report;
        assert_eq!(report.sources[0].rejected[0].text, "?[31mred ?");
        assert!(report.sources[0].rejected[1].text.chars().count() <= 121);
    }
}
