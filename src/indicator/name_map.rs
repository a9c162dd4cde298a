//! Names with everything below them, for the small lists: allow entries, registries, search suffixes.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::bytes::find_byte;
use crate::limits::DNS_NAME_BYTES;
use crate::protocol::dns::Name;

/// Things kept under names in normal form.
#[derive(Clone, Debug)]
pub(super) struct NameMap<T> {
    names: HashMap<Box<str>, T, FixedState>,
}

impl<T> Default for NameMap<T> {
    fn default() -> Self {
        Self { names: HashMap::default() }
    }
}

impl<T: Default> NameMap<T> {
    /// What is kept under `name`, new if there was nothing.
    pub(super) fn entry(&mut self, name: &str) -> &mut T {
        self.names.entry(name.into()).or_default()
    }
}

impl<T> NameMap<T> {
    /// What is kept under `name` and the names above it, the longest first, each with whether it is the
    /// whole name.
    pub(super) fn find<'s>(&'s self, name: Name<'_>, mut found: impl FnMut(&'s T, bool)) {
        self.find_at(name, |kept, labels_before| found(kept, labels_before == 0));
    }

    /// The same, each with how many labels of the name stand before it.
    pub(super) fn find_at<'s>(&'s self, name: Name<'_>, mut found: impl FnMut(&'s T, usize)) {
        if self.names.is_empty() {
            return;
        }
        let mut buffer = [0; DNS_NAME_BYTES];
        let Ok(whole) = std::str::from_utf8(dotted(name, &mut buffer)) else { return };
        let mut rest = Some(whole);
        for labels_before in 0.. {
            let Some(ending) = rest else { return };
            if let Some(kept) = self.names.get(ending) {
                found(kept, labels_before);
            }
            rest = find_byte(ending.as_bytes(), b'.').and_then(|dot| ending.get(dot + 1..));
        }
    }
}

/// A name's labels in lower case with dots between them. A dot inside a label, which would make the
/// name look like another one, becomes a zero byte.
pub(super) fn dotted<'a>(name: Name<'_>, buffer: &'a mut [u8; DNS_NAME_BYTES]) -> &'a [u8] {
    let mut length = 0;
    for label in name.labels() {
        // Each label with a dot before it is as long as on the wire, the first dot too much.
        let Some((dot, slot)) =
            buffer.get_mut(length..length + 1 + label.len()).and_then(|slot| slot.split_first_mut())
        else {
            break;
        };
        *dot = b'.';
        for (to, from) in slot.iter_mut().zip(label) {
            *to = if *from == b'.' { 0 } else { from.to_ascii_lowercase() };
        }
        length += 1 + label.len();
    }
    buffer.get(1..length).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::protocol::dns::NameBuf;

    #[test]
    fn finds_a_name_and_those_above_it() {
        let mut map: NameMap<u8> = NameMap::default();
        *map.entry("example.com") = 1;
        *map.entry("a.example.com") = 2;
        let find = |name: &[u8]| {
            let mut found = Vec::new();
            let name = NameBuf::from_text(name).unwrap();
            map.find(name.as_name(), |&kept, whole| found.push((kept, whole)));
            found
        };
        assert_eq!(find(b"A.Example.com"), [(2, true), (1, false)]);
        assert_eq!(find(b"b.example.com"), [(1, false)]);
        assert_eq!(find(b"aexample.com"), []);
        assert_eq!(find(b"com"), []);
    }

    #[test]
    fn a_dot_inside_a_label_is_no_border() {
        let mut map: NameMap<u8> = NameMap::default();
        *map.entry("example.com") = 1;
        map.find(Name::from_wire(b"\x09x.example\x03com"), |_, _| {
            panic!("a label's dot was taken for a border")
        });
        map.find(Name::ROOT, |_, _| panic!("the root is not listed"));
    }
}
