//! Shapes of a name's first labels: what tools write there that encode data in names.
//!
//! `{letters:3}.stage.{digits:8}` is three letters, the label `stage`, eight digits, and whatever follows.
//! In braces stands a class, and how many of its characters: `{hex:8}`, `{hex:4-12}`, `{hex}` for as many as
//! a label holds. The rest is meant as written, in any case. A run takes as many characters as fit it and
//! gives none back, so that a name is read once, whatever the shape.

use std::fmt;

/// The longest label (RFC 1035 section 2.3.4).
const LABEL_BYTES: u8 = 63;

/// The shape of the first labels of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LabelShape {
    /// As the pack writes it.
    text: Box<str>,
    labels: Vec<Vec<Piece>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    /// This text.
    Text(Box<[u8]>),
    /// Characters of a class, at least and at most so many.
    Run(Class, u8, u8),
}

/// A set of characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Letters,
    Digits,
    Hex,
    Base32,
}

impl Class {
    const NAMES: [(&str, Self); 4] =
        [("letters", Self::Letters), ("digits", Self::Digits), ("hex", Self::Hex), ("base32", Self::Base32)];

    const fn has(self, byte: u8) -> bool {
        match self {
            Self::Letters => byte.is_ascii_alphabetic(),
            Self::Digits => byte.is_ascii_digit(),
            Self::Hex => byte.is_ascii_hexdigit(),
            // RFC 4648 section 6.
            Self::Base32 => byte.is_ascii_alphabetic() || matches!(byte, b'2'..=b'7'),
        }
    }
}

impl LabelShape {
    /// The shape that `text` writes.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let labels: Result<Vec<_>, _> = text.split('.').map(read_label).collect();
        Ok(Self { text: text.into(), labels: labels.map_err(|fault| format!("{text:?}: {fault}"))? })
    }

    /// Whether the first labels of `name`, written with dots between its labels, have this shape.
    pub(super) fn fits(&self, name: &[u8]) -> bool {
        let mut labels = name.split(|&byte| byte == b'.');
        self.labels.iter().all(|pieces| labels.next().is_some_and(|label| label_fits(pieces, label)))
    }

    /// A text of this shape, the shortest.
    #[cfg(test)]
    pub(super) fn example(&self) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => String::from_utf8_lossy(text).into_owned(),
            Piece::Run(Class::Digits, low, _) => "7".repeat(usize::from(*low)),
            Piece::Run(_, low, _) => "a".repeat(usize::from(*low)),
        };
        let labels: Vec<String> =
            self.labels.iter().map(|pieces| pieces.iter().map(piece).collect()).collect();
        labels.join(".")
    }
}

impl fmt::Display for LabelShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn label_fits(pieces: &[Piece], label: &[u8]) -> bool {
    let mut rest = label;
    for piece in pieces {
        let taken = match piece {
            Piece::Text(text) => match rest.get(..text.len()) {
                Some(start) if start.eq_ignore_ascii_case(text) => text.len(),
                _ => return false,
            },
            Piece::Run(class, low, high) => {
                let run = rest.iter().take(usize::from(*high)).take_while(|byte| class.has(**byte)).count();
                if run < usize::from(*low) {
                    return false;
                }
                run
            }
        };
        rest = rest.get(taken..).unwrap_or_default();
    }
    rest.is_empty()
}

fn read_label(label: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = label;
    while !rest.is_empty() {
        let (text, after) = rest.split_once('{').unwrap_or((rest, ""));
        if text.contains('}') {
            return Err("a } without its {".to_owned());
        }
        if !text.is_empty() {
            pieces.push(Piece::Text(text.as_bytes().into()));
        }
        if text.len() == rest.len() {
            break;
        }
        let (run, after) = after.split_once('}').ok_or("a { without its }")?;
        pieces.push(read_run(run)?);
        rest = after;
    }
    if pieces.is_empty() { Err("an empty label".to_owned()) } else { Ok(pieces) }
}

/// `hex`, `hex:8` or `hex:4-12`.
fn read_run(run: &str) -> Result<Piece, String> {
    let (name, counts) = run.split_once(':').unwrap_or((run, "1-63"));
    let class = Class::NAMES.into_iter().find(|&(known, _)| known == name).map(|(_, class)| class);
    let class = class.ok_or_else(|| format!("unknown class {name:?}: letters, digits, hex, base32"))?;
    let (low, high) = counts.split_once('-').unwrap_or((counts, counts));
    let count = |text: &str| text.parse::<u8>().ok().filter(|count| (1..=LABEL_BYTES).contains(count));
    match (count(low), count(high)) {
        (Some(low), Some(high)) if low <= high => Ok(Piece::Run(class, low, high)),
        _ => Err(format!("{counts:?} is not a count from 1 to 63, nor two of them")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn names_fit_or_do_not() {
        for (shape, fitting, others) in [
            (
                "{letters:3}.stage.{digits:8}",
                &["abc.stage.12345678.c2.example", "ABC.Stage.12345678", "abc.stage.12345678."][..],
                &[
                    "ab.stage.12345678.c2",
                    "abcd.stage.12345678",
                    "abc.stage.1234567",
                    "abc.stage",
                    "x.abc.stage.12345678",
                ][..],
            ),
            (
                "{hex:4}01{hex:4-8}",
                &["beef01dead.example", "00000100000000.example"],
                &["beef02dead.example", "beef01dea.example", "beef01deadbeef0.example", "beef01deag.example"],
            ),
            (
                "{digits}-{digits}.id-{digits}.down",
                &["0-12.id-7.down.t.example"],
                &["0-.id-7.down.t", "0-12.id-7.up.t"],
            ),
            ("dnscat", &["dnscat.01", "DNSCAT"], &["dnscat2.01", "x.dnscat", ""]),
            ("x{base32:2}", &["xa7.example"], &["xa8.example", "xa77.example", "xa.example"]),
        ] {
            let shape = LabelShape::parse(shape).unwrap();
            for name in fitting {
                assert!(shape.fits(name.as_bytes()), "{shape} and {name}");
            }
            for name in others {
                assert!(!shape.fits(name.as_bytes()), "{shape} and {name}");
            }
            assert!(shape.fits(shape.example().as_bytes()), "{shape} and {}", shape.example());
        }
    }

    #[test]
    fn faults_are_told() {
        for (shape, fault) in [
            ("", "an empty label"),
            ("a..b", "an empty label"),
            ("{hex", "a { without its }"),
            ("hex}", "a } without its {"),
            ("{octal:3}", "unknown class \"octal\""),
            ("{hex:}", "is not a count"),
            ("{hex:0}", "is not a count"),
            ("{hex:64}", "is not a count"),
            ("{hex:8-4}", "is not a count"),
        ] {
            let told = LabelShape::parse(shape).unwrap_err();
            assert!(told.contains(fault), "{shape}: {told}");
        }
    }
}
