//! JSON files: which layout one has, objects with the lines on which they begin, and texts that feeds write
//! now as a text, now as a number.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::row::stated;

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

/// Whether `text`, which is JSON, is a list of nothing.
pub(super) fn is_empty_list(text: &str) -> bool {
    let inside = text.trim().strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    inside.is_some_and(|inside| inside.trim().is_empty())
}

/// What `item`, a piece of a file, says.
///
/// # Errors
/// Why it does not say it, without a place: the place would count from the item's beginning.
pub(super) fn parse<'t, T: Deserialize<'t>>(item: &'t RawValue) -> Result<T, String> {
    parse_text(item.get())
}

/// The same of an item's text.
pub(super) fn parse_text<'t, T: Deserialize<'t>>(item: &'t str) -> Result<T, String> {
    serde_json::from_str(item).map_err(|fault| {
        let fault = fault.to_string();
        fault.split_once(" at line ").map_or(fault.as_str(), |(what, _)| what).to_owned()
    })
}

/// The text without a byte order mark, which JSON has none of and files have.
pub(super) fn without_mark(text: &str) -> &str {
    text.trim_start_matches('\u{feff}')
}

/// A text; of a number or a truth value its writing; empty for everything else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Word<'t>(pub Cow<'t, str>);

impl Word<'_> {
    /// What it says; `None` when it is one of the ways in which feeds write that they do not know.
    pub(super) fn stated(&self) -> Option<&str> {
        stated(&self.0)
    }

    /// Whether it says yes: `true`, or `1`, as a text too.
    pub(super) fn is_true(&self) -> bool {
        matches!(&*self.0, "true" | "True" | "1")
    }
}

impl<'de: 't, 't> Deserialize<'de> for Word<'t> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WordVisitor;
        impl<'de> Visitor<'de> for WordVisitor {
            type Value = Word<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Word<'de>, E> {
                Ok(Word(text.into()))
            }

            fn visit_str<E>(self, text: &str) -> Result<Word<'de>, E> {
                Ok(Word(text.to_owned().into()))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Word<'de>, E> {
                Ok(Word(number.to_string().into()))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Word<'de>, E> {
                Ok(Word(number.to_string().into()))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Word<'de>, E> {
                Ok(Word(number.to_string().into()))
            }

            fn visit_bool<E>(self, truth: bool) -> Result<Word<'de>, E> {
                Ok(Word(if truth { "true" } else { "false" }.into()))
            }

            fn visit_unit<E>(self) -> Result<Word<'de>, E> {
                Ok(Word::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Word<'de>, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Word::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Word<'de>, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Word::default())
            }
        }
        deserializer.deserialize_any(WordVisitor)
    }
}

/// Texts in a list, or one text alone; none for `null`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Words<'t>(pub Vec<Word<'t>>);

impl Words<'_> {
    /// Those that say something.
    pub(super) fn stated(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(Word::stated)
    }
}

impl<'de: 't, 't> Deserialize<'de> for Words<'t> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let item = <&RawValue>::deserialize(deserializer)?;
        let texts = if item.get().starts_with('[') {
            serde_json::from_str(item.get())
        } else {
            serde_json::from_str(item.get()).map(|word| vec![word])
        };
        texts.map(Self).map_err(serde::de::Error::custom)
    }
}

/// An object whose keys are data, in the order of the file.
#[derive(Debug)]
pub(super) struct Members<'t, T = &'t RawValue>(pub Vec<(Word<'t>, T)>);

/// An object of texts, which feeds give under different keys.
pub(super) type Texts<'t> = Members<'t, Words<'t>>;

impl Texts<'_> {
    /// What stands under that key; `None` when there is no such key or it says nothing.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.all(key).next()
    }

    /// All that stands under that key.
    pub(super) fn all(&self, key: &str) -> impl Iterator<Item = &str> {
        let words = self.0.iter().find(|(one, _)| one.0 == key);
        words.into_iter().flat_map(|(_, words)| words.stated())
    }
}

impl<'de: 't, 't, T: Deserialize<'de>> Deserialize<'de> for Members<'t, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for MembersVisitor<T> {
            type Value = Members<'de, T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(MembersVisitor(PhantomData))
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

    #[test]
    fn takes_texts_however_they_are_written() {
        #[derive(serde::Deserialize)]
        struct Item<'t> {
            #[serde(borrow)]
            words: Words<'t>,
            #[serde(borrow)]
            other: Members<'t>,
        }
        let read = |text| serde_json::from_str::<Item<'_>>(text);
        let item = read(
            r#"{"words": ["a", "b\n", 7, -7, 7.5, true, null, "None", [1, [2]], {"a": {"b": 1}}],
                "other": {"k": [1], "l\u0041": {}}}"#,
        );
        let item = item.unwrap();
        assert_eq!(item.words.stated().collect::<Vec<_>>(), ["a", "b", "7", "-7", "7.5", "true"]);
        assert!(matches!(item.words.0[0].0, Cow::Borrowed("a")) && item.words.0[5].is_true());
        let members: Vec<_> = item.other.0.iter().map(|(key, value)| (&*key.0, value.get())).collect();
        assert_eq!(members, [("k", "[1]"), ("lA", "{}")]);
        assert_eq!(read(r#"{"words": "a", "other": {}}"#).unwrap().words.0.len(), 1);
        assert_eq!(read(r#"{"words": null, "other": {}}"#).unwrap().words.stated().count(), 0);
        assert!(read(r#"{"words": [], "other": 7}"#).is_err());
        let texts: Texts<'_> = serde_json::from_str(r#"{"a": ["x", "y"], "b": 7, "c": null}"#).unwrap();
        assert_eq!((texts.get("b"), texts.get("c"), texts.get("d")), (Some("7"), None, None));
        assert_eq!(texts.all("a").collect::<Vec<_>>(), ["x", "y"]);
        let fault = parse::<Members<'_>>(serde_json::from_str("[]").unwrap()).unwrap_err();
        assert!(fault.contains("expected an object") && !fault.contains("line"), "{fault}");
        assert!(is_empty_list(" [ \n]\n") && !is_empty_list("[1]"));
    }
}
