//! A name's labels, taken from its end, and the hashes of what they spell.

use super::hash::folded;
use crate::limits::DNS_NAME_BYTES;
use crate::protocol::dns::{Name, Outline};

/// The hash of the root, from which that of every name goes on, a label at a time.
const ROOT: u64 = 0x6361_6c6c_686f_6d65;

/// The hashes of a name's last label and of its last two: what nearly every name is told by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    pub(super) one: u64,
    pub(super) two: u64,
}

impl Ending {
    /// Of `name`; `None` when it has a single label or is longer than a name can be, and so is not listed.
    #[inline]
    pub(super) fn of(name: Name<'_>) -> Option<Self> {
        let wire = name.wire();
        let (mut before, mut last, mut at, mut count) = (0, 0, 0, 0);
        while let Some(next) = next_label(wire, at) {
            (before, last, at) = (last, at, next);
            count += 1;
        }
        if count < 2 || at > DNS_NAME_BYTES {
            return None;
        }
        let one = folded(ROOT, wire, last + 1, at);
        Some(Self { one, two: folded(one, wire, before + 1, last) })
    }
}

/// The hash of a name's last two labels, whatever the case of their letters: the same in every run, and nothing to rely
/// on where senders choose names. 0 where there are fewer.
pub fn name_ending(name: Name<'_>) -> u64 {
    Ending::of(name).map_or(0, |ending| ending.two)
}

impl Ending {
    /// Of the name that a message asks for: what [`Ending::of`] gives, without a walk over the labels.
    #[inline]
    pub(super) fn of_question(outline: &Outline<'_>) -> Option<Self> {
        let (before, last, end) = outline.last_two_labels()?;
        // In the message, where eight bytes stand before every label.
        let message = outline.message();
        let one = folded(ROOT, message, last + 1, end);
        Some(Self { one, two: folded(one, message, before + 1, last) })
    }
}

/// Where the label behind the one at `at` begins; `None` at the name's end. As `Name::labels` has it, what does
/// not fit is the end.
#[inline]
fn next_label(wire: &[u8], at: usize) -> Option<usize> {
    let length = usize::from(*wire.get(at)?);
    let next = at + 1 + length;
    (length != 0 && next <= wire.len()).then_some(next)
}

/// A name with the places of its labels.
#[derive(Debug)]
pub(super) struct Labels<'n> {
    wire: &'n [u8],
    /// Where the length of each label stands, and after the last one where the name ends.
    starts: [u8; DNS_NAME_BYTES / 2 + 2],
    count: usize,
}

impl<'n> Labels<'n> {
    /// The labels of `name`; `None` when it is longer than a name can be.
    #[inline]
    pub(super) fn of(name: Name<'n>) -> Option<Self> {
        let wire = name.wire();
        let mut starts = [0; DNS_NAME_BYTES / 2 + 2];
        let (mut count, mut at) = (0, 0);
        while let Some(next) = next_label(wire, at) {
            if next > DNS_NAME_BYTES {
                return None;
            }
            *starts.get_mut(count)? = at as u8;
            count += 1;
            at = next;
        }
        *starts.get_mut(count)? = at as u8;
        Some(Self { wire, starts, count })
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The hash of the last `count` labels and one more, when `hash` is that of the last `count`.
    #[inline]
    pub(super) fn longer(&self, hash: u64, count: usize) -> u64 {
        let (start, end) = self.place(count);
        folded(hash, self.wire, start, end)
    }

    /// Whether the last `count` labels are those of `text`, which is in normal form.
    pub(super) fn spell(&self, count: usize, text: &[u8]) -> bool {
        let mut pieces = text.rsplit(|&byte| byte == b'.');
        let same = |back: usize| {
            let (start, end) = self.place(back);
            let label = self.wire.get(start..end).unwrap_or_default();
            pieces.next().is_some_and(|piece| piece.eq_ignore_ascii_case(label))
        };
        count <= self.count && (0..count).all(same) && pieces.next().is_none()
    }

    /// Where the label stands that has `back` labels behind it.
    #[inline]
    fn place(&self, back: usize) -> (usize, usize) {
        let index = self.count.wrapping_sub(back + 1);
        let at = |index: usize| self.starts.get(index).map_or(0, |&start| usize::from(start));
        (at(index) + 1, at(index.wrapping_add(1)))
    }
}

/// The hash of a name in normal form.
pub(super) fn hash_of(name: &str) -> u64 {
    hashes_of(name.as_bytes()).last().unwrap_or(ROOT)
}

/// The hash of each ending of a name in normal form: of its last label, its last two, and so on.
pub(super) fn hashes_of(all: &[u8]) -> impl Iterator<Item = u64> {
    let (mut hash, mut rest) = (ROOT, Some(all.len()));
    std::iter::from_fn(move || {
        let end = rest?;
        let before = all.get(..end)?;
        let dot = before.iter().rposition(|&byte| byte == b'.');
        rest = dot;
        hash = folded(hash, all, dot.map_or(0, |dot| dot + 1), end);
        Some(hash)
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::protocol::dns::NameBuf;

    #[test]
    fn a_name_from_the_wire_hashes_as_its_normal_form() {
        for text in
            ["example", "evil.example", "a.b.c.evil-example.co.uk", "_x.a-very-long-label-indeed.x.yy"]
        {
            let name = NameBuf::from_text(text.to_ascii_uppercase().as_bytes()).unwrap();
            let labels = Labels::of(name.as_name()).unwrap();
            let mut hash = ROOT;
            let expected: Vec<u64> = hashes_of(text.as_bytes()).collect();
            assert_eq!(expected.len(), labels.count());
            for (count, expected) in expected.iter().enumerate() {
                hash = labels.longer(hash, count);
                assert_eq!(hash, *expected, "{text}, {count} labels");
            }
            let ending = expected.get(1).map(|&two| Ending { one: expected[0], two });
            assert_eq!(Ending::of(name.as_name()), ending);
            assert!(labels.spell(labels.count(), text.as_bytes()));
            assert!(!labels.spell(labels.count() + 1, text.as_bytes()));
            assert!(!labels.spell(labels.count(), format!("x.{text}").as_bytes()));
        }
    }

    #[test]
    fn the_borders_of_labels_count() {
        let hash = |wire: &[u8]| {
            let labels = Labels::of(Name::from_wire(wire)).unwrap();
            (0..labels.count()).fold(ROOT, |hash, count| labels.longer(hash, count))
        };
        assert_ne!(hash(b"\x02ab\x01c"), hash(b"\x01a\x02bc"));
        assert_ne!(hash(b"\x04evil\x07example"), hash(b"\x0cevil.example"));
        let dotted = Labels::of(Name::from_wire(b"\x0cevil.example")).unwrap();
        assert!(!dotted.spell(1, b"evil.example"));
        let odd = Labels::of(Name::from_wire(b"\x06x.evil\x07example")).unwrap();
        assert!(
            !odd.spell(2, b"x.evil.example") && !odd.spell(2, b"evil.example") && odd.spell(1, b"example")
        );
    }

    #[test]
    fn odd_names_are_read_as_far_as_they_go() {
        let count = |wire: &[u8]| Labels::of(Name::from_wire(wire)).map(|labels| labels.count());
        assert_eq!(count(b""), Some(0));
        assert_eq!(count(b"\x01a\x00\x01b"), Some(1));
        assert_eq!(count(b"\x01a\x09b"), Some(1));
        assert_eq!(count(&b"\x01a".repeat(127)), Some(127));
        assert_eq!(count(&b"\x01a".repeat(128)), None);
        let root = Labels::of(Name::ROOT).unwrap();
        assert_eq!(Ending::of(Name::ROOT), None);
        assert_eq!(Ending::of(Name::from_wire(&b"\x01a".repeat(128))), None);
        let cut = Ending::of(Name::from_wire(b"\x01a\x01b\x09c"));
        assert_eq!(cut, Ending::of(Name::from_wire(b"\x01a\x01b")));
        assert!(cut.is_some());
        assert!(!root.spell(0, b"a") && !root.spell(1, b"a"));
    }
}
