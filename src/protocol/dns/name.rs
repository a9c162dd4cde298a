//! Domain names in wire form: labels with their lengths, uncompressed, without the final zero byte.
//!
//! The wire form is the one normal form for comparison: a label may hold any byte, a dot too, so that
//! text is only for people. Case is kept as seen; comparing folds ASCII letters (RFC 4343).

use std::fmt::{self, Write as _};

use crate::limits::DNS_NAME_BYTES;

/// A borrowed domain name.
#[derive(Clone, Copy, Debug)]
pub struct Name<'a>(&'a [u8]);

impl<'a> Name<'a> {
    /// The root.
    pub const ROOT: Name<'static> = Name(&[]);

    /// A name over wire bytes. Labels that do not fit into `wire` read as the name's end.
    pub const fn from_wire(wire: &'a [u8]) -> Self {
        Self(wire)
    }

    /// The wire bytes, without the final zero.
    pub const fn wire(self) -> &'a [u8] {
        self.0
    }

    /// The labels from the left.
    pub fn labels(self) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (&length, tail) = rest.split_first()?;
            let label = tail.get(..usize::from(length))?;
            rest = tail.get(usize::from(length)..)?;
            (length != 0).then_some(label)
        })
    }

    /// Whether this is the root.
    pub fn is_root(self) -> bool {
        self.0.is_empty()
    }

    /// Whether `self` is `zone` or stands below it.
    pub fn is_within(self, zone: Name<'_>) -> bool {
        let Some(extra) = self.0.len().checked_sub(zone.0.len()) else { return false };
        let mut position = 0;
        while position < extra {
            position += 1 + usize::from(self.0.get(position).copied().unwrap_or_default());
        }
        position == extra && self.0.get(extra..).is_some_and(|tail| tail.eq_ignore_ascii_case(zone.0))
    }

    /// How many labels there are.
    pub fn label_count(self) -> usize {
        self.labels().count()
    }

    /// The name without its first label; `None` of the root.
    pub fn parent(self) -> Option<Name<'a>> {
        let (&length, tail) = self.0.split_first()?;
        tail.get(usize::from(length)..).map(Name)
    }

    /// The name itself and each name above it, the longest first, without the root.
    pub fn suffixes(self) -> impl Iterator<Item = Name<'a>> {
        std::iter::successors(Some(self), |name| name.parent()).take_while(|name| !name.is_root())
    }

    /// The name with its ASCII letters in lower case (RFC 4343), written into `room`: the form to hash.
    /// Whole labels that do not fit are left out; of a name from a message all fit.
    pub fn fold_into(self, room: &mut [u8; DNS_NAME_BYTES]) -> Name<'_> {
        let mut length = 0;
        for label in self.labels() {
            let end = length + 1 + label.len();
            let Some((first, rest)) = room.get_mut(length..end).and_then(<[u8]>::split_first_mut) else {
                break;
            };
            // `labels` cuts at one length byte, so that this cannot lose anything.
            *first = label.len() as u8;
            rest.copy_from_slice(label);
            rest.make_ascii_lowercase();
            length = end;
        }
        Name(room.get(..length).unwrap_or_default())
    }

    /// The text of [`fmt::Display`] in lower case: the form in which events and lists write names.
    pub fn to_lower_text(self) -> String {
        let mut text = self.to_string();
        text.make_ascii_lowercase();
        text
    }

    /// An owned copy.
    pub fn to_owned(self) -> NameBuf {
        NameBuf(self.0.into())
    }
}

impl PartialEq for Name<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(other.0)
    }
}

impl Eq for Name<'_> {}

impl fmt::Display for Name<'_> {
    /// Presentation form (RFC 1035 section 5.1): `\.`, `\\`, and `\DDD` for what is not printable
    /// ASCII; no final dot; the root is `.`. Case as seen.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() {
            return f.write_char('.');
        }
        for (index, label) in self.labels().enumerate() {
            if index > 0 {
                f.write_char('.')?;
            }
            for &byte in label {
                match byte {
                    b'.' | b'\\' => write!(f, "\\{}", byte as char)?,
                    0x21..=0x7e => f.write_char(byte as char)?,
                    _ => write!(f, "\\{byte:03}")?,
                }
            }
        }
        Ok(())
    }
}

/// An owned domain name.
#[derive(Clone, Debug, Default)]
pub struct NameBuf(Box<[u8]>);

impl NameBuf {
    /// The name that `text` writes with dots between its labels, one final dot allowed; case kept.
    /// `None` when it is empty, has an empty label, one over 63 bytes, or more than 255 bytes in all.
    /// Nothing is unescaped: this is for SNI, Host and lists.
    pub fn from_text(text: &[u8]) -> Option<Self> {
        let text = text.strip_suffix(b".").unwrap_or(text);
        let mut wire = Vec::with_capacity(text.len() + 1);
        for label in text.split(|&byte| byte == b'.') {
            if label.is_empty() || label.len() > 63 {
                return None;
            }
            wire.push(label.len() as u8);
            wire.extend_from_slice(label);
        }
        (wire.len() < DNS_NAME_BYTES).then(|| Self(wire.into()))
    }

    /// A view of it.
    pub fn as_name(&self) -> Name<'_> {
        Name(&self.0)
    }
}

impl PartialEq for NameBuf {
    fn eq(&self, other: &Self) -> bool {
        self.as_name() == other.as_name()
    }
}

impl Eq for NameBuf {}

impl fmt::Display for NameBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_name().fmt(f)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn compares_by_label_and_without_case() {
        let name = NameBuf::from_text(b"WWW.Example.com.").unwrap();
        let zone = NameBuf::from_text(b"example.COM").unwrap();
        assert!(name.as_name().is_within(zone.as_name()));
        assert!(zone.as_name().is_within(zone.as_name()));
        assert!(name.as_name().is_within(Name::ROOT));
        assert!(!NameBuf::from_text(b"wwwexample.com").unwrap().as_name().is_within(zone.as_name()));
        assert!(!zone.as_name().is_within(name.as_name()));
        assert_eq!(name.to_string(), "WWW.Example.com");
    }

    #[test]
    fn folds_letters_and_nothing_else() {
        let mut room = [0; DNS_NAME_BYTES];
        let name = Name::from_wire(b"\x03WwW\x04\xC9x-Z");
        assert_eq!(name.fold_into(&mut room).wire(), b"\x03www\x04\xC9x-z");
        assert_eq!(name.to_lower_text(), "www.\\201x-z");
        assert!(Name::ROOT.fold_into(&mut room).is_root());
    }

    #[test]
    fn the_suffixes_of_a_name_end_above_the_root() {
        let name = NameBuf::from_text(b"a.b.example").unwrap();
        let texts: Vec<_> = name.as_name().suffixes().map(|suffix| suffix.to_string()).collect();
        assert_eq!(texts, ["a.b.example", "b.example", "example"]);
        assert_eq!(name.as_name().label_count(), 3);
        assert_eq!(Name::ROOT.suffixes().count(), 0);
        assert!(Name::ROOT.parent().is_none());
    }

    #[test]
    fn writes_any_byte_as_text() {
        assert_eq!(Name::from_wire(b"\x03a.b\x02\xff ").to_string(), "a\\.b.\\255\\032");
        assert_eq!(Name::ROOT.to_string(), ".");
        assert!(NameBuf::from_text(b"a..b").is_none());
    }
}
