//! Whose a name is: the registered domain, as the Public Suffix List has it.

use psl::Psl as _;

use crate::{limits::DNS_NAME_BYTES, protocol::dns::Name};

/// Most labels of a name (RFC 1035 section 2.3.4).
const LABELS: usize = 128;

/// The domain that a name belongs to: what somebody registered, also below a suffix that is private to one
/// company and let to its customers (dynamic DNS, hosting).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registered<'a> {
    /// The domain, as it stands in the name. The root, where the last label is data and no domain.
    pub domain: Name<'a>,
    /// Whether its last label is a top-level domain that is delegated.
    pub is_delegated: bool,
}

impl<'a> Registered<'a> {
    /// Whose `name` is; `None` of names of one label, of public suffixes themselves, and of reverse look-ups.
    pub fn of(name: Name<'a>) -> Option<Self> {
        let mut room = [0; DNS_NAME_BYTES];
        let folded = name.fold_into(&mut room);
        let mut labels: [&[u8]; LABELS] = [&[]; LABELS];
        let mut count = 0;
        for (place, label) in labels.iter_mut().zip(folded.labels()) {
            *place = label;
            count += 1;
        }
        let labels = labels.get(..count)?;
        let last = *labels.last()?;
        if count < 2 || last == b"arpa" {
            return None;
        }
        let suffix = psl::List.find(labels.iter().rev().copied());
        let is_delegated = suffix.typ.is_some();
        if !is_delegated && is_data(last) {
            return Some(Self { domain: Name::ROOT, is_delegated });
        }
        // The list counts the suffix's bytes as text, dots between its labels.
        let (mut bytes, mut below) = (0, count);
        while bytes < suffix.len && below > 0 {
            below -= 1;
            bytes += labels.get(below)?.len() + usize::from(bytes > 0);
        }
        let domain = name.suffixes().nth(below.checked_sub(1)?)?;
        Some(Self { domain, is_delegated })
    }
}

/// Whether a last label that no top-level domain is carries data: no name that people give to their networks
/// is so long, or has digits.
fn is_data(label: &[u8]) -> bool {
    label.len() > 16 || label.iter().any(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::dns::NameBuf;

    fn domain(text: &str) -> Option<(String, bool)> {
        let name = NameBuf::from_text(text.as_bytes()).unwrap();
        Registered::of(name.as_name()).map(|found| (found.domain.to_lower_text(), found.is_delegated))
    }

    #[test]
    fn a_domain_is_what_somebody_registered() {
        let is = |name: &str, expected: &str, delegated: bool| {
            assert_eq!(domain(name), Some((expected.to_owned(), delegated)), "{name}");
        };
        is("a.b.Example.COM", "example.com", true);
        is("example.com", "example.com", true);
        is("x.example.co.uk", "example.co.uk", true);
        // A private suffix, and one of several labels.
        is("data.t.someone.duckdns.org", "someone.duckdns.org", true);
        is("a.bucket.s3.amazonaws.com", "bucket.s3.amazonaws.com", true);
        is("xh.0a1b.bt.node.js", "node.js", false);
        is("host.corp.internal", "corp.internal", false);
        is("dnscat.00aabbccddeeff.0123456789ab", ".", false);
    }

    #[test]
    fn what_is_nobodys_has_none() {
        for name in ["localhost", "com", "co.uk", "duckdns.org", "4.3.2.1.in-addr.arpa", "1.0.ip6.arpa"] {
            assert_eq!(domain(name), None, "{name}");
        }
    }
}
