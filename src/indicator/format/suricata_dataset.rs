//! Suricata's datasets: one entry on a line, and behind a comma the reputation that a `datarep` gives it.
//!
//! Nothing in such a file says what it holds (`YWJj` is a name and is Base64), so that it must be named.
//!
//! | format | an entry is | a claim about |
//! |---|---|---|
//! | `suricata-dataset` | Base64 of a name (`dns.query`, `tls.sni`, `http.host`) | the name itself; with a dot before it, all below it too |
//! | | Base64 of a path (`http.uri`) or a URL | the path at any host, the URL |
//! | | an address (types `ip`, `ipv4`) | the address |
//! | `suricata-dataset-md5` | 32 digits | a JA3 |
//! | `suricata-dataset-sha256` | 64 digits | a certificate |
//!
//! What else a text may be (a user agent, a header, a password) is in the rule that names the dataset, not in
//! it: such entries are rejected. A rule alone gives reputations a meaning; here up to 100 is the confidence,
//! and what is above counts as 100. There are neither comments nor dates.
//!
//! Source: Suricata's user guide, "Datasets".

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::model::{Kind, Match, Provenance};
use super::super::value::Value;
use super::{Dates, Feed, LineReader, row};

/// Reads a file line by line.
pub(super) struct Dataset {
    holds: Holds,
    unstated: Provenance,
}

/// What the entries are.
#[derive(Clone, Copy)]
enum Holds {
    /// Base64 of texts, or addresses.
    Texts,
    /// Hexadecimal digits of something of this kind.
    Hashes(Kind),
}

impl Dataset {
    /// A reader of texts and addresses.
    pub(super) fn texts(feed: &Feed<'_>) -> Self {
        Self { holds: Holds::Texts, unstated: feed.unstated() }
    }

    /// A reader of JA3 hashes.
    pub(super) fn md5(feed: &Feed<'_>) -> Self {
        Self { holds: Holds::Hashes(Kind::Ja3), unstated: feed.unstated() }
    }

    /// A reader of certificates' hashes.
    pub(super) fn sha256(feed: &Feed<'_>) -> Self {
        Self { holds: Holds::Hashes(Kind::CertificateHash), unstated: feed.unstated() }
    }

    fn read(&self, text: &str) -> Result<(Value<'static>, Provenance), Fault> {
        let (entry, reputation) = match text.split_once(',') {
            Some((entry, reputation)) => (entry.trim(), Some(reputation.trim())),
            None => (text, None),
        };
        let fault = |reason: &str| Fault { text: text.to_owned(), reason: reason.to_owned() };
        let mut provenance = self.unstated.clone();
        if let Some(reputation) = reputation {
            let number: u16 =
                reputation.parse().map_err(|_| fault("its reputation is no number from 0 to 65535"))?;
            provenance.confidence = u8::try_from(number.min(100)).unwrap_or(100);
        }
        let kind = match self.holds {
            Holds::Hashes(Kind::CertificateHash) if entry.len() != 64 => {
                return Err(fault("not a SHA-256 hash (64 hexadecimal digits)"));
            }
            Holds::Hashes(kind) => kind,
            // Neither a dot nor a colon is of Base64.
            Holds::Texts if entry.contains(['.', ':']) => Kind::Address,
            Holds::Texts => {
                let bytes = STANDARD.decode(entry).map_err(|_| fault("neither Base64 nor an address"))?;
                let decoded = String::from_utf8(bytes).map_err(|_| fault("Base64 of what is no text"))?;
                return match value_of(&decoded) {
                    Ok(value) => Ok((value.into_owned(), provenance)),
                    Err(reason) => Err(Fault { text: decoded, reason }),
                };
            }
        };
        let value = Value::of_kind(kind, entry, None).map_err(|refusal| fault(&refusal.to_string()))?;
        Ok((value.into_owned(), provenance))
    }
}

/// What is wrong with an entry.
struct Fault {
    /// What stands there, decoded as far as it can be.
    text: String,
    reason: String,
}

impl LineReader for Dataset {
    fn line(&mut self, number: u32, line: &str, feed: &mut Feed<'_>) {
        let text = line.trim_start_matches('\u{feff}').trim();
        if text.is_empty() {
            return;
        }
        match self.read(text) {
            Ok((value, provenance)) => feed.claim(number, text, Ok(value), &Dates::default(), &provenance),
            Err(Fault { text, reason }) => feed.reject(number, &text, reason),
        }
    }
}

/// The value that a decoded text is.
fn value_of(text: &str) -> Result<Value<'_>, String> {
    let value = match text {
        path if path.starts_with('/') => Value::of_kind(Kind::Path, path, None),
        url if url.contains("://") => Value::of_kind(Kind::Url, url, None),
        // A text of many kinds may hold a dot; one of the letters of a host name alone is a name.
        host if host.contains('.') && !host.contains([' ', '/']) => row::host(host, Match::Exact),
        _ => {
            return Err(
                "neither a name nor a path, and what else (a user agent, a header), a dataset does not \
                        tell: list it with its kind, in a pack or in CSV"
                    .to_owned(),
            );
        }
    };
    value.map_err(|refusal| refusal.to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::super::{Format, Knowledge, Loader};
    use super::*;

    fn load(format: Format, text: &str) -> Knowledge {
        let mut loader = Loader::default();
        loader.located_bytes("set.lst", text.as_bytes(), Some(format));
        loader.finish()
    }

    fn told(knowledge: &Knowledge) -> Vec<(Kind, String, Match, u8)> {
        let claims = knowledge.indicators.claims().map(|(_, claim)| claim);
        claims
            .map(|claim| (claim.kind, claim.value.to_owned(), claim.matching, claim.provenance.confidence))
            .collect()
    }

    #[test]
    fn reads_texts_and_addresses() {
        let texts =
            ["Evil.example", ".below.example", "/gate.php?x=1", "http://evil.example/a", "198.51.100.7"];
        let mut list: String = texts.iter().map(|text| format!("{}\r\n", STANDARD.encode(text))).collect();
        list.push_str("198.51.100.8,12\n2001:db8::7\n");
        let knowledge = load(Format::SuricataDataset, &list);
        assert_eq!(knowledge.report.rejected(), 0, "{}", knowledge.report);
        let expected = [
            (Kind::Domain, "evil.example", Match::Exact, 75),
            (Kind::Domain, "below.example", Match::Subtree, 75),
            (Kind::Path, "/gate.php?x=1", Match::Exact, 75),
            (Kind::Url, "http://evil.example/a", Match::Exact, 75),
            (Kind::Address, "198.51.100.7", Match::Exact, 75),
            (Kind::Address, "198.51.100.8", Match::Exact, 12),
            (Kind::Address, "2001:db8::7", Match::Exact, 75),
        ];
        let expected = expected
            .map(|(kind, value, matching, confidence)| (kind, value.to_owned(), matching, confidence));
        assert_eq!(told(&knowledge), expected);
    }

    #[test]
    fn what_cannot_be_told_from_content_is_rejected() {
        let texts = ["Evil/1.0 (x; y)", "curl/8.5.0", "abc", "evil.example/a", "co.uk.", "\u{1}.example"];
        let mut list: String = texts.iter().map(|text| format!("{}\n", STANDARD.encode(text))).collect();
        list.push_str("not base64\n#remark\nYWJj,high\nYS5i,70000\n//79/A==\n10.0.0.1\n\n{\"a\": 1}\n");
        let knowledge = load(Format::SuricataDataset, &list);
        let report = &knowledge.report.sources[0];
        let lines: Vec<_> = report.rejected.iter().map(|one| one.line).collect();
        assert_eq!(lines, [1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 14], "{}", knowledge.report);
        assert!(report.rejected[0].reason.contains("list it with its kind"), "{}", knowledge.report);
        assert_eq!(report.rejected[0].text, "Evil/1.0 (x; y)", "decoded");
        assert_eq!(told(&knowledge).len(), 1, "a name of public suffixes can be meant itself");
    }

    #[test]
    fn reads_hashes_with_and_without_reputation() {
        let list = "0123456789ABCDEF0123456789abcdef\n00000000000000000000000000000001,40\nshort\n";
        let knowledge = load(Format::SuricataDatasetMd5, list);
        assert_eq!(knowledge.report.sources[0].rejected[0].line, 3);
        let of = |value: &str, confidence| (Kind::Ja3, value.to_owned(), Match::Exact, confidence);
        let expected =
            [of("0123456789abcdef0123456789abcdef", 75), of("00000000000000000000000000000001", 40)];
        assert_eq!(told(&knowledge), expected);
        let sha256 = "ab".repeat(32);
        let list = format!("{sha256},500\n{}\n", "ab".repeat(20));
        let knowledge = load(Format::SuricataDatasetSha256, &list);
        assert_eq!(knowledge.report.sources[0].rejected[0].line, 2, "a SHA-1 is no SHA-256");
        assert_eq!(told(&knowledge), [(Kind::CertificateHash, sha256, Match::Exact, 100)]);
    }

    #[test]
    fn is_never_guessed() {
        let mut loader = Loader::default();
        loader.bytes("set.lst", b"ZXZpbC5leGFtcGxl\n");
        assert_eq!(loader.finish().report.sources[0].format, Format::Plain);
        assert_eq!(load(Format::SuricataDataset, "").report.failures().count(), 0);
    }
}
