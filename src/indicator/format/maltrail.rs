//! Maltrail's trails: what one kind of malware leaves, a trail on a line.
//!
//! Known by its comments: the notice that names Maltrail's developers, `# Reference: URL`, `# Aliases: ...`.
//!
//! | trail | a claim about |
//! |---|---|
//! | `evil.example` | the name and all below it, as Maltrail's sensor matches it |
//! | `198.51.100.7`, `198.51.100.7:8000`, `198.51.100.0/24` | the address, at that port; the prefix |
//! | `http://198.51.100.7`, `http://evil.example` | the address, the name: the scheme says nothing |
//! | `evil.example/path` | the URL, at any port and of any scheme |
//! | `/path` | the path at any host, low |
//! | `[a-z]{8}\.example` | rejected: a regular expression |
//!
//! The file's stem is the campaign (`apt_x.txt`), its aliases are tags, and the first of the references
//! above an entry is its reference; both hold until the next ones. Paths are compared whole, where Maltrail also
//! compares their parts. Nothing is dated.
//!
//! Source: stamparm/maltrail, `core/assemble.py`, `sensor.py`.

use std::path::Path;
use std::sync::Arc;

use super::super::model::{Kind, Provenance};
use super::super::value::{Refusal, Value};
use super::{Dates, Feed, Head, LineReader, csv};

/// What a researcher named, without a date: many of these are years old.
const CONFIDENCE: u8 = 75;
/// Its folder `suspicious` holds what is no attack by itself.
const SUSPICIOUS_CONFIDENCE: u8 = 40;
/// Two programs may have a path in common, and the path is asked for at any host.
const PATH_CONFIDENCE: u8 = 40;

/// Whether a file that begins so is written so.
pub(super) fn recognises(head: &Head<'_>) -> bool {
    let mut comments = head.text.lines().filter_map(comment);
    // Feeds with a header write references above it too.
    comments.any(|comment| {
        let is_told = |word, rest: &str| told(comment, word).is_some_and(|said| said.starts_with(rest));
        comment.contains("Maltrail developers") || is_told("Reference:", "http") || is_told("Aliases:", "")
    }) && head.extension != "csv"
        && !csv::is_csv(head.text)
}

/// Reads a file line by line.
pub(super) struct Reader {
    /// What the entries say that come now.
    provenance: Provenance,
    confidence: u8,
    /// The tags that are the folder's, before the aliases.
    own_tags: usize,
    /// Whether the last line that said anything was an entry, so that the next reference begins a new group.
    is_after_entry: bool,
}

impl Reader {
    /// A reader of `feed`, whose name stands for the campaign.
    pub(super) fn new(feed: &Feed<'_>) -> Self {
        let folder = Path::new(&*feed.report.file).parent().and_then(Path::file_name);
        let folder = folder.and_then(|name| name.to_str());
        let category = folder.filter(|name| ["malware", "malicious", "suspicious"].contains(name));
        let confidence = if category == Some("suspicious") { SUSPICIOUS_CONFIDENCE } else { CONFIDENCE };
        let tags: Vec<Arc<str>> = category.into_iter().map(Arc::from).collect();
        let own_tags = tags.len();
        let provenance = Provenance { sources: vec!["Maltrail".into()], tags, ..feed.unstated() };
        Self { provenance, confidence, own_tags, is_after_entry: true }
    }

    /// Takes what a comment says.
    fn note(&mut self, comment: &str) {
        if let Some(reference) = told(comment, "Reference:") {
            if self.is_after_entry || self.provenance.reference.is_empty() {
                self.provenance.reference = reference.into();
            }
            self.is_after_entry = false;
        } else if let Some(aliases) = told(comment, "Aliases:") {
            self.provenance.tags.truncate(self.own_tags);
            let aliases = aliases.split(',').map(str::trim).filter(|alias| !alias.is_empty());
            self.provenance.tags.extend(aliases.map(Arc::from));
        }
    }
}

impl LineReader for Reader {
    fn line(&mut self, number: u32, line: &str, feed: &mut Feed<'_>) {
        if let Some(comment) = comment(line) {
            return self.note(comment);
        }
        // A `#` anywhere begins a remark, in Maltrail too.
        let trail = line.trim_start_matches('\u{feff}').split('#').next().unwrap_or_default().trim();
        if trail.is_empty() {
            return;
        }
        self.is_after_entry = true;
        if is_expression(trail) {
            return feed.reject(
                number,
                trail,
                "a regular expression: list the names or paths that it stands for",
            );
        }
        let value = read(trail);
        self.provenance.confidence = match &value {
            Ok(value) if value.kind() == Kind::Path => self.confidence.min(PATH_CONFIDENCE),
            _ => self.confidence,
        };
        feed.claim(number, trail, value, &Dates::default(), &self.provenance);
    }
}

/// The value of a trail. Of a URL without a path the host is meant.
fn read(trail: &str) -> Result<Value<'_>, Refusal> {
    let Some((_, rest)) = trail.split_once("://") else { return Value::guess(trail) };
    match rest.split_once('/') {
        Some((host, "")) => Value::guess(host),
        Some(_) => Value::of_kind(Kind::Url, rest, None),
        None => Value::guess(rest),
    }
}

/// What a comment says; `None` of a line that is none.
fn comment(line: &str) -> Option<&str> {
    Some(line.trim_start_matches('\u{feff}').trim().strip_prefix('#')?.trim())
}

/// What stands behind `word` in a comment.
fn told<'t>(comment: &'t str, word: &str) -> Option<&'t str> {
    comment.strip_prefix(word).map(str::trim)
}

/// Whether the trail is a regular expression: a class of characters, a repeated dot or class, or a backslash.
/// A dot in brackets is how values are made harmless.
fn is_expression(trail: &str) -> bool {
    if trail.contains('\\') || [".*", ".+", "]*", "]+", "]{"].iter().any(|part| trail.contains(part)) {
        return true;
    }
    // An IPv6 address has brackets too, with colons in them.
    let classes = trail.split('[').skip(1).filter_map(|part| part.split_once(']'));
    let is_class = |class: &str| {
        !class.is_empty() && class != "." && !class.contains(':') && !class.eq_ignore_ascii_case("dot")
    };
    classes.map(|(class, _)| class).any(is_class)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::super::{Claim, Format, Knowledge, Loader, Match, Severity};
    use super::*;

    const HEADER: &str = "# Copyright (c) 2014-2026 Maltrail developers (https://github.com/stamparm/maltrail/)\r\n\
        # See the file 'LICENSE' for copying permission\r\n\r\n";

    fn load(file: &str, text: &str) -> Knowledge {
        let mut loader = Loader::default();
        loader.bytes(file, text.as_bytes());
        loader.finish()
    }

    fn claims(knowledge: &Knowledge) -> Vec<Claim<'_>> {
        assert_eq!(knowledge.report.sources[0].format, Format::Maltrail);
        knowledge.indicators.claims().map(|(_, claim)| claim).collect()
    }

    #[test]
    fn reads_every_trail() {
        let text = format!(
            "{HEADER}# Aliases: alias one, other\r\n\r\n# Reference: https://lab.example/1\r\n\
             # Reference: https://lab.example/2\r\n\r\nhttp://198.51.100.7\r\n198.51.100.8:8000\r\n198.51.100.9 # seen\r\n\
             198.51.100.0/24\r\nEvil.example.\r\nhttp://other.example/\r\n\r\n# Reference: https://lab.example/3\r\n\r\n\
             evil.example/a/b.php?c=1\r\n/gate%2B/x.php\r\nhttps://third.example/p\r\n198.51.100.7/q\r\n# Misc.\r\n\
             bracket[.]example#x\r\n# Reference:\r\n# Aliases: new\r\nlast.example\r\n"
        );
        let knowledge = load("trails/static/malware/apt_x.txt", &text);
        assert_eq!(knowledge.report.rejected(), 0, "{}", knowledge.report);
        let claims = claims(&knowledge);
        let told: Vec<_> = claims.iter().map(|claim| (claim.kind, claim.value, claim.line)).collect();
        let expected = [
            (Kind::Address, "198.51.100.7", 9),
            (Kind::AddressPort, "198.51.100.8:8000", 10),
            (Kind::Address, "198.51.100.9", 11),
            (Kind::Network, "198.51.100.0/24", 12),
            (Kind::Domain, "evil.example", 13),
            (Kind::Domain, "other.example", 14),
            (Kind::Url, "evil.example/a/b.php?c=1", 18),
            (Kind::Path, "/gate%2B/x.php", 19),
            (Kind::Url, "third.example/p", 20),
            (Kind::Url, "198.51.100.7/q", 21),
            (Kind::Domain, "bracket.example", 23),
            (Kind::Domain, "last.example", 26),
        ];
        assert_eq!(told, expected);
        assert_eq!(claims[4].matching, Match::Subtree);
        let said = claims[0].provenance;
        let tags: Vec<_> = said.tags.iter().map(|tag| &**tag).collect();
        assert_eq!(tags, ["malware", "alias one", "other"]);
        assert_eq!((&*said.campaign, said.title.is_none(), &*said.sources[0]), ("apt_x", true, "Maltrail"));
        let references: Vec<_> = claims.iter().map(|claim| &*claim.provenance.reference).collect();
        assert_eq!(
            (references[0], references[6], references[10]),
            ("https://lab.example/1", "https://lab.example/3", "https://lab.example/3")
        );
        assert_eq!((references[11], &*claims[11].provenance.tags[1]), ("", "new"));
        assert_eq!((claims[0].severity(), claims[7].severity()), (Severity::Medium, Severity::Low));
    }

    #[test]
    fn expressions_and_faults_are_rejected_with_their_line() {
        let text = format!(
            "{HEADER}[a-z]{{8}}\\.example\n[0-9]+.example\n/x/[a-f0-9]{{4}}/\n.*evil.example\nevil.example:8080\n10.0.0.1\n\
             com\n[2001:db8::7]:443\n"
        );
        let knowledge = load("t.txt", &text);
        let rejected = &knowledge.report.sources[0].rejected;
        assert_eq!(
            rejected.iter().map(|one| one.line).collect::<Vec<_>>(),
            [4, 5, 6, 7, 8, 9, 10],
            "{rejected:?}"
        );
        assert!(rejected[..4].iter().all(|one| one.reason.contains("regular expression")), "{rejected:?}");
        assert_eq!(claims(&knowledge)[0].value, "[2001:db8::7]:443");
    }

    #[test]
    fn what_is_only_suspicious_is_low() {
        let knowledge = load("trails/suspicious/pua.txt", &format!("{HEADER}ads.example\n"));
        let claims = claims(&knowledge);
        assert_eq!((claims[0].severity(), &*claims[0].provenance.tags[0]), (Severity::Low, "suspicious"));
    }

    #[test]
    fn is_known_by_its_comments() {
        let format = |file: &str, text: &str| load(file, text).report.sources[0].format;
        assert_eq!(format("t.txt", HEADER), Format::Maltrail, "an empty file of trails");
        assert_eq!(format("t.txt", "# Reference: https://a.example/\n\nevil.example\n"), Format::Maltrail);
        assert_eq!(format("t.txt", "# Aliases: a, b\nevil.example\n"), Format::Maltrail);
        assert_eq!(format("t.txt", "# see the reference: https://a.example/\nevil.example\n"), Format::Plain);
        assert_eq!(format("t.txt", "# Reference: page 7\nevil.example\n"), Format::Plain);
        assert_eq!(
            format("t.txt", "# Reference: https://a.example/\nvalue,type\nevil.example,domain\n"),
            Format::Csv
        );
        assert_eq!(format("t.txt", "# Reference: https://a.example/\n0.0.0.0 evil.example\n"), Format::Hosts);
    }
}
