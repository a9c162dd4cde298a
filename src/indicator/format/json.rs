//! JSON files: which layout one has, and objects with the lines on which they begin.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// What stands at the top of a JSON file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::indicator) enum Layout {
    /// An object with these keys; `kind` is the text under `type`, if there is one.
    Object { keys: Vec<String>, kind: Option<String> },
    /// A list; the keys of its first item, if that is an object.
    List { keys: Vec<String> },
    /// Not JSON, for that reason.
    Broken(String),
}

impl Layout {
    /// The layout of a whole file.
    pub(super) fn of(text: &str) -> Self {
        let mut reader = serde_json::Deserializer::from_str(text);
        let layout = reader.deserialize_any(LayoutVisitor).and_then(|layout| reader.end().map(|()| layout));
        layout.unwrap_or_else(|fault| Self::Broken(fault.to_string()))
    }

    /// Whether it is an object that has all of `wanted`.
    pub(super) fn has(&self, wanted: &[&str]) -> bool {
        matches!(self, Self::Object { keys, .. } if wanted.iter().all(|key| keys.iter().any(|one| one == key)))
    }

    /// Whether it is a list whose first item has all of `wanted`.
    pub(super) fn lists(&self, wanted: &[&str]) -> bool {
        matches!(self, Self::List { keys } if wanted.iter().all(|key| keys.iter().any(|one| one == key)))
    }
}

/// Sees the keys of an object, and passes over what stands under them.
struct LayoutVisitor;

impl<'de> Visitor<'de> for LayoutVisitor {
    type Value = Layout;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Layout, A::Error> {
        let (mut keys, mut kind) = (Vec::new(), None);
        while let Some(key) = map.next_key::<String>()? {
            if key == "type" {
                let value: &RawValue = map.next_value()?;
                kind = serde_json::from_str(value.get()).ok();
            } else {
                map.next_value::<IgnoredAny>()?;
            }
            // Objects with other keys than anybody knows may have any number of them.
            if keys.len() < MOST_KEYS {
                keys.push(key);
            }
        }
        Ok(Layout::Object { keys, kind })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Layout, A::Error> {
        let first: Option<&RawValue> = list.next_element()?;
        while list.next_element::<IgnoredAny>()?.is_some() {}
        let keys = match first.map(|first| Layout::of(first.get())) {
            Some(Layout::Object { keys, .. }) => keys,
            _ => Vec::new(),
        };
        Ok(Layout::List { keys })
    }
}

/// Keys of an object that are kept.
const MOST_KEYS: usize = 64;

/// Tells lines of pieces of one text, which are asked for in the order in which they stand there.
pub(in crate::indicator) struct Lines<'t> {
    text: &'t str,
    /// Where it was asked last, and the line there.
    at: usize,
    line: u32,
}

impl<'t> Lines<'t> {
    /// Of `text`.
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0, line: 1 }
    }

    /// The line, from 1, on which `piece` begins, a piece of the text itself. A piece before the last one has
    /// that one's line.
    pub(super) fn of(&mut self, piece: &str) -> u32 {
        let start = (piece.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        if let Some(between) = self.text.as_bytes().get(self.at..start) {
            let lines = between.iter().filter(|&&byte| byte == b'\n').count();
            self.line = self.line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
            self.at = start;
        }
        self.line
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn tells_layouts_and_lines() {
        let text = "{\n \"type\": \"bundle\",\n \"objects\": [\n  {\"a\": 1},\n\n  {\"a\": 2}]}";
        let layout = Layout::of(text);
        assert!(layout.has(&["type", "objects"]) && !layout.has(&["data"]));
        assert!(matches!(layout, Layout::Object { kind: Some(kind), .. } if kind == "bundle"));
        assert!(Layout::of("[{\"ip\": 1}, 2]").lists(&["ip"]));
        assert!(matches!(Layout::of("{\"a\": 1"), Layout::Broken(_)));
        assert!(matches!(Layout::of("{} x"), Layout::Broken(_)));
        #[derive(serde::Deserialize)]
        struct Bundle<'a> {
            #[serde(borrow)]
            objects: Vec<&'a RawValue>,
        }
        let bundle: Bundle<'_> = serde_json::from_str(text).unwrap();
        let mut lines = Lines::new(text);
        let found: Vec<_> = bundle.objects.iter().map(|object| lines.of(object.get())).collect();
        assert_eq!(found, [4, 6]);
    }
}
