//! Plain lists: one value on a line.
//!
//! Comments begin with `#`, `;` or `//`, at the line's start or after a blank, and with `!` at its start. A bare
//! name means it and everything below it. Defanged values, final dots, capitals and IDN are understood
//! ([`super::super::value`]). What published lists have besides:
//!
//! | line | means |
//! |---|---|
//! | `198.51.100.0/24 ; SBL123`, `198.51.100.7 # XX` | the value; a comment stands behind it |
//! | `198.51.100.7<TAB>12`, `evil.example,phishing` | the value; a remark stands behind it, which is no value itself |
//! | <code>&#124;&#124;evil.example^</code> | the name and all below it, as a blocker of advertisements writes it |
//!
//! Other rules of such blockers are rejected, and a second value on a line too: which of them is meant, is not told.

use std::sync::Arc;

use super::super::claims::Statement;
use super::super::model::{Kind, Provenance, Validity};
use super::super::quick;
use super::super::segment::Tables;
use super::super::value::{Refusal, Value};
use super::{BlockReader, Feed, Head};

/// Whether a file that begins so may be one, since no other format knows it: whether it is no JSON. An IPv6
/// address in brackets is none, nor is the first line of a blocker's rules.
pub(super) fn recognises(head: &Head<'_>) -> bool {
    let first = head.text.trim_start().lines().next().unwrap_or_default();
    head.json.is_none() || is_rules_header(first) || Value::guess(without_comment(first)).is_ok()
}

/// Reads a list, block by block.
#[derive(Debug)]
pub(super) struct PlainReader {
    provenance: Arc<Provenance>,
    /// Lines that have been read.
    lines: u32,
    /// Whether a line showed that these are rules of a blocker, in which what looks like a path is a pattern.
    has_rules: bool,
}

impl PlainReader {
    /// A reader of the list `feed`, whose name stands for campaign and source.
    pub(super) fn new(feed: &Feed<'_>) -> Self {
        Self { provenance: Arc::new(feed.unstated()), lines: 0, has_rules: false }
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

    /// The value of a line that is none of the plain ones; `None` when it says nothing.
    fn read<'t>(&mut self, line: &'t str) -> Option<(&'t str, Result<Value<'t>, Fault>)> {
        let entry = without_comment(line);
        if entry.is_empty() {
            self.has_rules |= is_rules_header(line);
            return None;
        }
        let is_page = |value: &Value<'_>| matches!(value.kind(), Kind::Url | Kind::Path);
        let value = match Value::guess(entry) {
            Ok(value) if self.has_rules && is_page(&value) => Err(Fault::Rule),
            // No request has a blank in it.
            Ok(value) if entry.contains(' ') && is_page(&value) => Err(Fault::Cells),
            Ok(value) => Ok(value),
            Err(_) if is_rule(entry) => {
                self.has_rules |= entry.starts_with("||") || entry.starts_with("@@");
                read_rule(entry)
            }
            Err(refusal) => read_with_remark(entry).unwrap_or(Err(Fault::Refused(refusal))),
        };
        Some((entry, value))
    }
}

impl BlockReader for PlainReader {
    fn block(&mut self, text: &str, feed: &mut Feed<'_>) {
        let mut entries = Vec::with_capacity(TOGETHER);
        for line in text.lines() {
            self.lines = self.lines.saturating_add(1);
            let (text, value) = match quick::guess(line) {
                Some(value) => (line, value.map_err(Fault::Refused)),
                None => match self.read(line) {
                    None => continue,
                    Some(read) => read,
                },
            };
            match value {
                Ok(value) => {
                    let hash = Tables::hash(&value);
                    entries.push(Entry { value, hash, line: self.lines, text });
                }
                Err(fault) => feed.reject(self.lines, text, fault),
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
    if line.starts_with(['#', ';', '!']) || line.starts_with("//") || is_rules_header(line) {
        return "";
    }
    // A `#` or `;` inside a URL is the URL's; one after a blank is not.
    let comment = [" #", "\t#", " ;", "\t;", " //", "\t//"].iter().filter_map(|mark| line.find(mark)).min();
    line.get(..comment.unwrap_or(line.len())).unwrap_or(line).trim_end()
}

/// Why a line is not taken.
#[derive(Clone, Copy, Debug, thiserror::Error)]
enum Fault {
    #[error("{0}")]
    Refused(Refusal),
    #[error("a rule of a blocker that is not just a name: only ||name^ is taken")]
    Rule,
    #[error("several cells, and which is meant is not told: one value on a line, or CSV under a header")]
    Cells,
}

/// `[Adblock Plus 2.0]`.
fn is_rules_header(line: &str) -> bool {
    let line = line.trim_start_matches('\u{feff}').trim_start();
    line.get(.."[Adblock".len()).is_some_and(|start| start.eq_ignore_ascii_case("[Adblock"))
}

/// Whether a line that is no value is a rule of a blocker.
fn is_rule(entry: &str) -> bool {
    entry.starts_with(['|', '@']) || entry.contains(['^', '$']) || entry.contains("##")
}

/// The value of `||evil.example^`, which means all below the name too; a list for resolvers may call it important.
fn read_rule(entry: &str) -> Result<Value<'_>, Fault> {
    let name = entry.strip_prefix("||").and_then(|rest| rest.split_once('^'));
    let Some((name, "" | "$important")) = name.filter(|(name, _)| !name.contains(['/', '*'])) else {
        return Err(Fault::Rule);
    };
    Value::guess(name).map_err(Fault::Refused)
}

/// The value of a line that says something more behind a tab or a comma; `None` where no value stands before.
fn read_with_remark(entry: &str) -> Option<Result<Value<'_>, Fault>> {
    let Some((value, remark)) = entry.split_once(['\t', ',']) else {
        let (value, _) = entry.split_once(' ')?;
        return Value::guess(value).is_ok().then_some(Err(Fault::Cells));
    };
    let value = Value::guess(value.trim()).ok()?;
    let remark = remark.split(['\t', ',']).next().unwrap_or_default().trim();
    // Behind a tab stands how often it was seen; behind a comma a number may as well be a port.
    let is_number = !remark.is_empty() && remark.bytes().all(|byte| byte.is_ascii_digit());
    let is_ambiguous = Value::guess(remark).is_ok() || is_number && entry.contains(',');
    if is_ambiguous {
        return Some(Err(Fault::Cells));
    }
    Some(Ok(value))
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

    /// The values that are taken of a list, and the lines that are not.
    fn read(list: &str) -> (Vec<String>, Vec<u32>) {
        let mut loader = Loader::default();
        loader.bytes("feed.txt", list.as_bytes());
        let knowledge = loader.finish();
        assert_eq!(knowledge.report.sources[0].format.as_str(), "plain");
        let rejected = knowledge.report.sources[0].rejected.iter().map(|one| one.line).collect();
        (knowledge.indicators.claims().map(|(_, claim)| claim.value.to_owned()).collect(), rejected)
    }

    #[test]
    fn reads_what_published_lists_have() {
        // Spamhaus DROP.
        let drop = "; Spamhaus DROP List 2026/01/02 - (c) 2026 X\n; Expires: x\n198.51.100.0/24 ; SBL1\n2001:db8::/32 ; SBL2\n";
        assert_eq!(read(drop).0, ["198.51.100.0/24", "2001:db8::/32"]);
        // FireHOL: prefixes of nobody stand among them.
        let netset =
            "#\n# firehol_level1\n#\n0.0.0.0/8\n10.0.0.0/8\n198.51.100.0/24\n198.51.100.7\n224.0.0.0/3\n";
        assert_eq!(
            read(netset),
            (vec!["198.51.100.0/24".to_owned(), "198.51.100.7".to_owned()], vec![4, 5, 8])
        );
        // Feodo Tracker's text, and AlienVault's reputation.
        let text = "################\r\n# abuse.ch Feodo Tracker Botnet C2 IP Blocklist #\r\n#\r\n# DstIP\r\n198.51.100.7\r\n# END 1 entries\r\n";
        assert_eq!(read(text).0, ["198.51.100.7"]);
        assert_eq!(read("198.51.100.7 # Scanning Host XX,,1.0,2.0\n").0, ["198.51.100.7"]);
        // OpenPhish: URLs and nothing else.
        let phish = "https://evil.example/login.php?a=b,c\nhttp://198.51.100.7/x/\nhttps://front.example\n";
        let expected =
            ["https://evil.example/login.php?a=b,c", "http://198.51.100.7/x/", "https://front.example/"];
        assert_eq!(read(phish), (expected.map(str::to_owned).to_vec(), vec![]));
    }

    #[test]
    fn a_remark_may_stand_behind_a_value_and_a_second_value_may_not() {
        let list = "198.51.100.7\t12\n198.51.100.8\tXX\t2026-01-02\nevil.example,phishing\n198.51.100.9,\n\
            http://evil.example/a\tseen twice\n198.51.100.10,443\n198.51.100.0\t198.51.100.255\t24\n1,other.example\n\
            a.example,b.example\n198.51.100.11 and more\nhttp://evil.example/b and more\n";
        let (values, rejected) = read(list);
        let expected =
            ["198.51.100.7", "198.51.100.8", "evil.example", "198.51.100.9", "http://evil.example/a"];
        assert_eq!(values, expected);
        assert_eq!(rejected, [6, 7, 8, 9, 10, 11]);
    }

    #[test]
    fn reads_the_names_of_blockers_and_no_other_rule() {
        let list = "[Adblock Plus 2.0]\n! Title: x\n||Evil.example^\n||b.example^$important\n||198.51.100.7^\n\
            @@||good.example^\n||c.example^$third-party\n||d.example/x^\n/^ads[0-9]+/\n||*.e.example^\nf.example##.ad\n\
            |https://g.example/|\nh.example/i.js\nj.example\n||com^\n-banner-$image\n";
        let (values, rejected) = read(list);
        assert_eq!(values, ["evil.example", "b.example", "198.51.100.7", "j.example"]);
        assert_eq!(rejected, [6, 7, 8, 9, 10, 11, 12, 13, 15, 16]);
        assert_eq!(read("[2001:db8::7]:443\n").0, ["[2001:db8::7]:443"], "no JSON");
        assert_eq!(read("*.com\n/gate.php\n"), (vec!["/gate.php".to_owned()], vec![1]), "no rule");
        // Without a rule before it, a path is a path.
        assert_eq!(
            read("/gate.php\n||a.example^\n/gate2.php\n"),
            (vec!["/gate.php".to_owned(), "a.example".to_owned()], vec![3])
        );
    }
}
