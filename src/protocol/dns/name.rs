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
    fn writes_any_byte_as_text() {
        assert_eq!(Name::from_wire(b"\x03a.b\x02\xff ").to_string(), "a\\.b.\\255\\032");
        assert_eq!(Name::ROOT.to_string(), ".");
        assert!(NameBuf::from_text(b"a..b").is_none());
    }
}
