//! What the new names below a domain are like: how much they carry, and whether they have the form of names
//! that carry something by design and are no tunnel.

use crate::{
    detect::{domain::Registered, letters::Letters},
    protocol::dns::{Name, NameBuf},
};

/// Lengths of a hash in hexadecimal: MD5 and SHA-1. Longer ones do not fit into a label.
const HASHES: [usize; 2] = [32, 40];

/// What content addresses begin with (CIDv1 in base32), and how long they are.
const CONTENT: (&[u8], usize) = (b"baf", 59);

/// The new names, counted.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    /// Names.
    pub names: u64,
    /// Bytes of the labels in which a name differs from the one before it.
    pub carried: u64,
    /// The characters of those labels.
    pub letters: Letters,
    /// Reversed addresses: what block lists are asked by.
    pub reversed: u64,
    /// Whole names of other domains: what a search suffix or a block list of domains stands behind.
    pub foreign: u64,
    /// Names of services, with a label that begins with an underscore.
    pub service: u64,
    /// A single hash in hexadecimal, a UUID, or a content address: what names something that exists elsewhere.
    pub identifiers: u64,
    /// Names whose first or last label is the number after that of the name before.
    pub numbered: u64,
    /// The labels of the last name, below the domain.
    last: NameBuf,
    /// The numbers in its first and last label.
    numbers: [Option<u64>; 2],
}

impl Shape {
    /// Counts a new name, of which `labels` stand below the domain.
    pub fn add(&mut self, labels: Name<'_>, kind: u16) {
        self.names += 1;
        let carrying = self.carrying(labels);
        self.carried += carrying.wire().len() as u64;
        carrying.labels().for_each(|label| self.letters.add(label));
        self.reversed += u64::from(is_reversed_address(labels));
        self.foreign += u64::from(is_foreign(labels));
        self.service += u64::from(labels.labels().any(|label| label.first() == Some(&b'_')));
        self.identifiers += u64::from(is_identifier(carrying));
        self.note_numbers(labels, kind);
        self.last = labels.to_owned();
    }

    /// The labels without those at the end that the name before had too: a zone below the domain.
    fn carrying<'n>(&self, labels: Name<'n>) -> Name<'n> {
        let (ours, theirs) = (ends(labels), ends(self.last.as_name()));
        let mut same = 0;
        let (whole, before) = (labels.wire(), self.last.as_name().wire());
        for (&at, &other) in ours.iter().rev().zip(theirs.iter().rev()) {
            let (one, two) = (whole.get(at..), before.get(other..));
            // The first label differs in every new name; of equal ones nothing would be left.
            if at == 0 || !one.zip(two).is_some_and(|(one, two)| one.eq_ignore_ascii_case(two)) {
                break;
            }
            same = whole.len() - at;
        }
        Name::from_wire(whole.get(..whole.len() - same).unwrap_or_default())
    }

    fn note_numbers(&mut self, labels: Name<'_>, _kind: u16) {
        let number = |label: Option<&[u8]>| {
            let text = std::str::from_utf8(label?).ok()?;
            (text.len() <= 6).then(|| text.parse::<u64>().ok()).flatten()
        };
        let numbers = [number(labels.labels().next()), number(labels.labels().last())];
        let follows = self.numbers.iter().zip(&numbers).any(|pair| match pair {
            (Some(before), Some(now)) => *now == before + 1,
            _ => false,
        });
        self.numbered += u64::from(follows);
        self.numbers = numbers;
    }

    /// Bytes that a new name carries on average.
    pub fn mean(&self) -> f64 {
        self.carried as f64 / self.names.max(1) as f64
    }

    /// Whether at least `share` of the names are counted in `part`.
    pub fn mostly(&self, part: u64, share: f64) -> bool {
        self.names > 0 && part as f64 >= share * self.names as f64
    }
}

/// Where each label begins.
fn ends(name: Name<'_>) -> Vec<usize> {
    let mut at = 0;
    name.labels()
        .map(|label| {
            let begin = at;
            at += 1 + label.len();
            begin
        })
        .collect()
}

/// Four numbers to 255, or 32 hexadecimal digits, one in each label, before whatever zone there is.
fn is_reversed_address(labels: Name<'_>) -> bool {
    let octet = |label: &[u8]| {
        label.len() <= 3 && std::str::from_utf8(label).is_ok_and(|text| text.parse::<u8>().is_ok())
    };
    let nibble = |label: &[u8]| label.len() == 1 && label.iter().all(u8::is_ascii_hexdigit);
    labels.labels().take_while(|label| octet(label)).count() >= 4
        || labels.labels().take_while(|label| nibble(label)).count() >= 16
}

/// Whether the labels, or all but the last, are a whole name themselves.
pub fn is_foreign(labels: Name<'_>) -> bool {
    let is_name = |name: Name<'_>| {
        Registered::of(name).is_some_and(|found| found.is_delegated)
            && name.labels().all(|label| label.len() <= 30)
    };
    let before: usize = labels.labels().map(|label| 1 + label.len()).sum::<usize>()
        - labels.labels().last().map_or(0, |label| 1 + label.len());
    is_name(labels) || labels.wire().get(..before).is_some_and(|front| is_name(Name::from_wire(front)))
}

fn is_identifier(labels: Name<'_>) -> bool {
    let mut all = labels.labels();
    let (Some(label), None) = (all.next(), all.next()) else { return false };
    let is_hash = HASHES.contains(&label.len()) && label.iter().all(u8::is_ascii_hexdigit);
    // RFC 9562 section 4: groups of 8, 4, 4, 4 and 12 digits.
    let is_uuid = label.len() == 36
        && label.iter().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    let (start, length) = CONTENT;
    is_hash || is_uuid || label.len() == length && label.starts_with(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(names: &[&str]) -> Shape {
        let mut shape = Shape::default();
        for name in names {
            shape.add(NameBuf::from_text(name.as_bytes()).unwrap().as_name(), 1);
        }
        shape
    }

    #[test]
    fn a_zone_below_the_domain_carries_nothing() {
        let shape = shape(&["aaaa.t", "bbbbbb.t", "cc.dd.t"]);
        // The first name has none before it; each length byte counts.
        assert_eq!(shape.carried, 7 + 7 + 6);
        assert_eq!(shape.names, 3);
    }

    #[test]
    fn harmless_forms_are_told() {
        let found = shape(&["4.3.2.1.zen", "8.7.6.5.zen"]);
        assert_eq!((found.reversed, found.foreign), (2, 0));
        let v6 = ["1"; 32].join(".");
        assert_eq!(shape(&[&v6]).reversed, 1);
        assert_eq!(shape(&["api.github.com", "example.org.default", "x.t"]).foreign, 2);
        assert_eq!(shape(&["_acme-challenge.a", "s1._domainkey"]).service, 2);
        let identifiers = [
            "0.ebl",
            "d41d8cd98f00b204e9800998ecf8427e.ebl",
            "0b7c2e3a-9a41-4d5e-8f60-1a2b3c4d5e6f.ebl",
            "d41d8cd98f00b204e9800998ecf8427e0.ebl",
        ];
        assert_eq!(shape(&identifiers).identifiers, 2);
    }

    #[test]
    fn numbered_pieces_are_told() {
        let names: Vec<_> = (1..20).map(|piece| format!("{piece}.kjhqwe{piece}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        assert_eq!(shape(&names).numbered, 18);
        assert_eq!(shape(&["1.a", "7.b", "3.c"]).numbered, 0);
    }
}
