//! Hosts files that lead names nowhere: `0.0.0.0 name`, `127.0.0.1 name name # remark`.
//!
//! Known by content: most lines give an unspecified or loopback address one or more names. A name means itself
//! and nothing below it, as a resolver reads such a file (hosts(5)). Almost every such list is of advertisements
//! and trackers, so that a hit is low. The names of the machine itself, which stand above the list, are ignored.

use std::net::{IpAddr, Ipv4Addr};

use super::super::model::{Kind, Match, Provenance};
use super::super::value::{Value, global};
use super::{Dates, Feed, Head, LineReader};

/// Such lists are of advertisements as a rule, and nobody was attacked who asked for one.
const CONFIDENCE: u8 = 30;

/// Lines that are looked at to know the format.
const LOOKED_AT: usize = 64;

/// Whether a file that begins so is written so: more than half of its lines, so that one broken line does not
/// make it another format.
pub(super) fn recognises(head: &Head<'_>) -> bool {
    let lines = head.text.lines().map(without_comment).filter(|line| !line.is_empty()).take(LOOKED_AT);
    let (mut all, mut leading_nowhere) = (0, 0);
    for line in lines {
        all += 1;
        leading_nowhere += usize::from(Entry::of(line).is_some_and(|entry| leads_nowhere(entry.address)));
    }
    leading_nowhere * 2 > all
}

/// Reads a file line by line.
pub(super) struct Reader {
    common: Provenance,
}

impl Reader {
    /// A reader of `feed`.
    pub(super) fn new(feed: &Feed<'_>) -> Self {
        Self { common: Provenance { confidence: CONFIDENCE, ..feed.unstated() } }
    }
}

impl LineReader for Reader {
    fn line(&mut self, number: u32, line: &str, feed: &mut Feed<'_>) {
        let text = without_comment(line);
        if text.is_empty() {
            return;
        }
        let Some(Entry { address, names }) = Entry::of(text) else {
            return feed.reject(number, text, "not a line of a hosts file: an address and names behind it");
        };
        for name in names.split_whitespace() {
            if is_own(name) || !leads_nowhere(address) && global(address).is_err() {
                feed.ignore(number, "a name of the machine or its network");
            } else if !leads_nowhere(address) {
                feed.reject(
                    number,
                    text,
                    "leads to an address of its own, and so is no entry of a block list",
                );
            } else {
                let value = Value::of_kind(Kind::Domain, name, Some(Match::Exact));
                feed.claim(number, name, value, &Dates::default(), &self.common);
            }
        }
    }
}

/// What a line says.
struct Entry<'t> {
    address: IpAddr,
    names: &'t str,
}

impl<'t> Entry<'t> {
    /// Of a line without its comment; `None` when no address and name stand there.
    fn of(line: &'t str) -> Option<Self> {
        let (address, names) = line.split_once(char::is_whitespace)?;
        // An address of a link may name its interface.
        let address = address.split('%').next().unwrap_or_default();
        let address = match address {
            "0" => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            address => address.parse().ok()?,
        };
        Some(Self { address, names: names.trim_start() })
    }
}

/// The line without byte order mark, comment and blanks; a `#` anywhere begins a comment.
fn without_comment(line: &str) -> &str {
    line.trim_start_matches('\u{feff}').split('#').next().unwrap_or_default().trim()
}

fn leads_nowhere(address: IpAddr) -> bool {
    let address = address.to_canonical();
    address.is_unspecified() || address.is_loopback()
}

/// Whether the name is one that every machine gives itself, its network or nobody.
fn is_own(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    !name.contains('.') || name == "0.0.0.0" || name.ends_with(".localdomain") || name.ends_with(".localhost")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::super::{Format, Loader, Severity};
    use super::*;

    const LIST: &str = "\u{feff}# Title: a list\n# Number of unique domains: 3\n\n\
        127.0.0.1 localhost\n127.0.0.1 localhost.localdomain\n127.0.0.1 local\n255.255.255.255 broadcasthost\n\
        ::1 localhost\n::1 ip6-localhost\nfe80::1%lo0 localhost\nff02::1 ip6-allnodes\n0.0.0.0 0.0.0.0\n\n\
        0.0.0.0 Ads.Example. # inline\r\n127.0.0.1\ta.example  b.example#c\n::1 c.example\n:: d.example\n0 e.example\n";

    #[test]
    fn reads_names_exactly_and_ignores_those_of_the_machine() {
        let text = format!("{LIST}0.0.0.0 a_b.b\u{fc}cher.example\n");
        let mut loader = Loader::default();
        loader.bytes("hosts", text.as_bytes());
        let knowledge = loader.finish();
        let report = &knowledge.report.sources[0];
        assert_eq!((report.format, report.accepted, report.rejected_count), (Format::Hosts, 7, 0));
        assert_eq!((report.ignored_count(), report.ignored[0].first_line), (9, 4));
        let claims: Vec<_> = knowledge.indicators.claims().map(|(_, claim)| claim).collect();
        let told: Vec<_> = claims.iter().map(|claim| (claim.value, claim.line)).collect();
        let expected = [
            ("ads.example", 14),
            ("a.example", 15),
            ("b.example", 15),
            ("c.example", 16),
            ("d.example", 17),
            ("e.example", 18),
            ("a_b.xn--bcher-kva.example", 19),
        ];
        assert_eq!(told, expected);
        assert!(
            claims.iter().all(|claim| claim.matching == Match::Exact && claim.severity() == Severity::Low)
        );
        assert_eq!(&*claims[0].provenance.campaign, "hosts");
    }

    #[test]
    fn faults_name_their_line() {
        let text = "0.0.0.0 a.example\n0.0.0.0\nb.example\n198.51.100.7 c.example\n0.0.0.0 d..example\n\
            0.0.0.0 e.example/x\n192.168.1.5 nas.example\n0.0.0.0 a.example\n0.0.0.0 198.51.100.7\n0.0.0.0 f.example\n\
            0.0.0.0 g.example\n0.0.0.0 h.example\n";
        let mut loader = Loader::default();
        loader.bytes("list.txt", text.as_bytes());
        let report = &loader.finish().report.sources[0];
        let lines: Vec<_> = report.rejected.iter().map(|one| one.line).collect();
        assert_eq!((report.format, lines), (Format::Hosts, vec![2, 3, 4, 5, 6, 9]), "{:?}", report.rejected);
        assert_eq!((report.accepted, report.duplicates, report.ignored_count()), (4, 1, 1));
    }

    #[test]
    fn is_known_by_its_lines() {
        let is_hosts = |text: &str| recognises(&Head::new("txt", text, true));
        assert!(is_hosts(LIST) && is_hosts("0.0.0.0 a.example\n"));
        for near in [
            "",
            "# 0.0.0.0 a.example\n",
            "a.example\n0.0.0.0 b.example\n",
            "198.51.100.7 a.example\n",
            "198.51.100.7\tseen twice\n198.51.100.8\n",
            "0.0.0.0\n127.0.0.1\n",
            "0.0.0.0/8 ; SBL1\n198.51.100.0/24 ; SBL2\n",
            "127.0.0.1 # loopback\n",
        ] {
            assert!(!is_hosts(near), "{near}");
        }
    }
}
